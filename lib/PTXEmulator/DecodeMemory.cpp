//===- DecodeMemory.cpp - Loads and stores --------------------------------===//

#include "DecodeAsync.h"
#include "Race.h"

using namespace weft::ptx;

namespace {

/// What a load or store does. Registers may be wider than elements.
struct Transfer {
  Space space;
  uint8_t elementBytes, registerBytes, count;
  bool extendSign = false;
  /// Ordered: volatile, relaxed, acquire, release.
  bool ordered = false, acquire = false, release = false;
};

void count(Warp &warp, const Instr &instr, Mask lanes, const Transfer &how) {
  uint64_t addresses[kLanes];
  Space space = how.space;
  forLanes(lanes, [&](unsigned lane) {
    addresses[lane] = addressAt(warp, instr, lane);
  });
  uint32_t offset;
  unsigned first = std::countr_zero(lanes);
  if (space == Space::Generic && toShared(warp, addresses[first], offset)) {
    space = Space::Shared;
    forLanes(lanes, [&](unsigned lane) {
      toShared(warp, addresses[lane], offset);
      addresses[lane] = offset;
    });
  }
  uint32_t bytes = uint32_t(how.elementBytes) * how.count;
  if (space == Space::Shared)
    countShared(warp, addresses, lanes, bytes);
  else if (space == Space::Global || space == Space::Generic)
    countGlobal(warp, addresses, lanes, bytes);
}

// Copies an element into a register of its size or a wider one.
void toRegister(uint8_t *to, const uint8_t *from, const Transfer &how) {
  if (how.elementBytes == how.registerBytes) {
    memcpy(to, from, how.elementBytes);
    return;
  }
  uint64_t value = 0;
  memcpy(&value, from, how.elementBytes);
  if (how.extendSign) {
    unsigned unused = 64 - how.elementBytes * 8;
    value = uint64_t(int64_t(value << unused) >> unused);
  }
  memcpy(to, &value, how.registerBytes);
}

void order(Warp &warp, const Transfer &how, const uint8_t *pointer,
           bool writes) {
  if (how.ordered && warp.cluster->races)
    warp.cluster->races->ordered(warp, reinterpret_cast<uint64_t>(pointer),
                                 writes, !writes, how.release, how.acquire);
}

void load(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const Transfer *>(instr.detail);
  const int32_t *registers = &warp.launch->program->lists[instr.list];
  if (!warp.cluster->lines.empty())
    count(warp, instr, lanes, how);
  AccessInfo info;
  info.access = how.ordered ? Access::AtomicRead : Access::Read;
  info.space = how.space;
  uint32_t bytes = uint32_t(how.elementBytes) * how.count;
  for (; lanes; lanes &= lanes - 1) {
    info.lane = unsigned(std::countr_zero(lanes));
    const uint8_t *from =
        accessMemory(warp, addressAt(warp, instr, info.lane), bytes, info);
    for (unsigned i = 0; i < how.count; ++i)
      toRegister(warp.out<uint8_t>(registers[i]) +
                     size_t(info.lane) * how.registerBytes,
                 from + i * how.elementBytes, how);
    order(warp, how, from, false);
  }
}

void store(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const Transfer *>(instr.detail);
  const int32_t *registers = &warp.launch->program->lists[instr.list];
  if (!warp.cluster->lines.empty())
    count(warp, instr, lanes, how);
  AccessInfo info;
  info.access = how.ordered ? Access::AtomicWrite : Access::Write;
  info.space = how.space;
  uint32_t bytes = uint32_t(how.elementBytes) * how.count;
  for (; lanes; lanes &= lanes - 1) {
    info.lane = unsigned(std::countr_zero(lanes));
    uint8_t *to =
        accessMemory(warp, addressAt(warp, instr, info.lane), bytes, info);
    for (unsigned i = 0; i < how.count; ++i)
      memcpy(to + i * how.elementBytes,
             warp.in<uint8_t>(registers[i]) +
                 size_t(info.lane) * how.registerBytes,
             how.elementBytes);
    order(warp, how, to, true);
  }
  if (how.space == Space::Global || how.space == Space::Generic)
    ++warp.cluster->progress;
}

// Parameters are the same for all lanes.
void loadParameter(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const Transfer *>(instr.detail);
  const int32_t *registers = &warp.launch->program->lists[instr.list];
  AccessInfo info;
  info.space = Space::Param;
  info.lane = unsigned(std::countr_zero(lanes));
  const uint8_t *from = accessMemory(
      warp, uint64_t(instr.imm), uint32_t(how.elementBytes) * how.count, info);
  for (unsigned i = 0; i < how.count; ++i) {
    uint8_t value[16];
    toRegister(value, from + i * how.elementBytes, how);
    uint8_t *to = warp.out<uint8_t>(registers[i]);
    forLanes(lanes, [&](unsigned lane) {
      memcpy(to + size_t(lane) * how.registerBytes, value, how.registerBytes);
    });
  }
}

//===----------------------------------------------------------------------===//
// Decoding

// Hints of caches change nothing here.
void takeHints(Decoder &decoder) {
  for (std::string_view hint : {"ca",
                                "cg",
                                "cs",
                                "lu",
                                "cv",
                                "wb",
                                "wt",
                                "nc",
                                "weak",
                                "L1::evict_normal",
                                "L1::evict_unchanged",
                                "L1::evict_first",
                                "L1::evict_last",
                                "L1::no_allocate",
                                "L2::64B",
                                "L2::128B",
                                "L2::256B",
                                "L2::evict_first",
                                "L2::evict_last",
                                "L2::evict_normal",
                                "unified"})
    decoder.take(hint);
}

void takeOrder(Decoder &decoder, Transfer &how) {
  how.acquire = decoder.take("acquire");
  how.release = decoder.take("release");
  bool relaxed = decoder.take("relaxed"), isVolatile = decoder.take("volatile");
  how.ordered = how.acquire || how.release || relaxed || isVolatile;
  how.ordered |= decoder.take("mmio");
  for (std::string_view scope : {"cta", "cluster", "gpu", "sys"})
    decoder.take(scope);
}

void decodeTransfer(Decoder &decoder) {
  bool isLoad = decoder.name() != "st";
  if (!isLoad && decoder.take("async"))
    return decodeRemoteStore(decoder);
  Transfer how;
  how.space = takeMemorySpace(decoder);
  takeHints(decoder);
  takeOrder(decoder, how);
  bool hint = decoder.take("L2::cache_hint");
  how.count = decoder.take("v2")   ? 2
              : decoder.take("v4") ? 4
              : decoder.take("v8") ? 8
                                   : 1;
  Type type = decoder.takeType();
  how.extendSign = isSigned(type);
  decoder.expectCount(2, size_t(2 + hint));
  how.elementBytes = uint8_t(bitsOf(type) / 8);
  if (how.elementBytes * how.count > 32)
    decoder.fail("more than 32 bytes");
  how.space = decoder.address(decoder.operand(isLoad ? 1 : 0), how.space);
  auto parts = decoder.elements(decoder.operand(isLoad ? 0 : 1));
  if (parts.size() != how.count)
    decoder.fail(std::to_string(parts.size()) + " registers instead of " +
                 std::to_string(how.count));
  std::vector<int32_t> registers;
  unsigned width = 0;
  for (const Operand *part : parts) {
    unsigned bits = 0;
    bool sink = part->kind == Operand::Sink;
    if (sink)
      continue;
    if (isLoad)
      decoder.wideTarget(*part, type, bits);
    else
      decoder.wideSource(*part, type, bits);
    if (width && width != bits && part->kind == Operand::Register)
      decoder.fail("registers of different widths");
    width = bits;
  }
  width = width ? width : std::max(16u, bitsOf(type));
  for (const Operand *part : parts) {
    unsigned bits = 0;
    if (isLoad && part->kind == Operand::Sink)
      registers.push_back(decoder.scratch(width));
    else if (isLoad)
      registers.push_back(decoder.wideTarget(*part, type, bits));
    else
      registers.push_back(decoder.wideSource(*part, type, bits));
  }
  how.registerBytes = uint8_t(width / 8);
  decoder.instr.list = decoder.addList(registers);
  decoder.instr.detail = decoder.addDetail(how);
  decoder.instr.run = !isLoad                     ? store
                      : how.space == Space::Param ? loadParameter
                                                  : load;
  if (!isLoad && (how.space == Space::Param || how.space == Space::Const))
    decoder.fail("this space cannot be written");
  decoder.emit();
}

void nothing(Warp &, const Instr &, Mask) {}

// What may only make things faster: addresses may be anything.
void decodeHint(Decoder &decoder) {
  while (!decoder.next().empty())
    decoder.takeNext();
  decoder.instr.run = nothing;
  decoder.emit();
}

void zeroPolicy(Warp &warp, const Instr &instr, Mask lanes) {
  uint64_t *d = warp.out<uint64_t>(instr.d);
  forLanes(lanes, [=](unsigned lane) { d[lane] = 0; });
}

void decodePolicy(Decoder &decoder) {
  while (!decoder.next().empty())
    decoder.takeNext();
  decoder.instr.d = decoder.target(0, Type::B64);
  decoder.instr.run = zeroPolicy;
  decoder.emit();
}

} // namespace

Space weft::ptx::takeMemorySpace(Decoder &decoder) {
  if (decoder.take("shared") || decoder.take("shared::cta") ||
      decoder.take("shared::cluster"))
    return Space::Shared;
  if (decoder.take("global"))
    return Space::Global;
  if (decoder.take("local"))
    return Space::Local;
  if (decoder.take("const"))
    return Space::Const;
  if (decoder.take("param") || decoder.take("param::entry") ||
      decoder.take("param::func"))
    return Space::Param;
  return Space::Generic;
}

DecodeTable weft::ptx::memoryTable() {
  return {{"ld", decodeTransfer},        {"ldu", decodeTransfer},
          {"st", decodeTransfer},        {"prefetch", decodeHint},
          {"prefetchu", decodeHint},     {"applypriority", decodeHint},
          {"createpolicy", decodePolicy}};
}
