//===- DecodeMove.cpp - Moves and addresses -------------------------------===//

#include "Handlers.h"

#include <chrono>

using namespace weft::ptx;

namespace {

template <class T> void move(Warp &warp, const Instr &instr, Mask lanes) {
  T *d = warp.out<T>(instr.d);
  const T *a = warp.in<T>(instr.a);
  forLanes(lanes, [=](unsigned lane) { d[lane] = a[lane]; });
}

struct Wide {
  uint64_t low, high;
};

Handler moveHandler(unsigned bits) {
  switch (bits) {
  case 16:
    return move<uint16_t>;
  case 32:
    return move<uint32_t>;
  case 64:
    return move<uint64_t>;
  default:
    return move<Wide>;
  }
}

void movePredicate(Warp &warp, const Instr &instr, Mask lanes) {
  Mask value = *warp.in<Mask>(instr.a);
  warp.setPredicate(instr.d, lanes, instr.x ? ~value : value);
}

// x: bytes of an element, y: how many; their registers are in the list.
void pack(Warp &warp, const Instr &instr, Mask lanes) {
  const int32_t *parts = &warp.launch->program->lists[instr.list];
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    uint8_t bytes[16];
    for (unsigned i = 0; i < instr.y; ++i)
      memcpy(bytes + i * instr.x,
             warp.in<uint8_t>(parts[i]) + size_t(lane) * instr.z, instr.x);
    memcpy(warp.out<uint8_t>(instr.d) + size_t(lane) * instr.x * instr.y, bytes,
           size_t(instr.x) * instr.y);
  }
}

void unpack(Warp &warp, const Instr &instr, Mask lanes) {
  const int32_t *parts = &warp.launch->program->lists[instr.list];
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    uint8_t bytes[16];
    memcpy(bytes, warp.in<uint8_t>(instr.a) + size_t(lane) * instr.x * instr.y,
           size_t(instr.x) * instr.y);
    for (unsigned i = 0; i < instr.y; ++i) {
      uint8_t *to = warp.out<uint8_t>(parts[i]) + size_t(lane) * instr.z;
      memset(to, 0, instr.z);
      memcpy(to, bytes + i * instr.x, instr.x);
    }
  }
}

Type bitsType(unsigned bits) {
  return bits == 8    ? Type::B8
         : bits == 16 ? Type::B16
         : bits == 32 ? Type::B32
                      : Type::B64;
}

// `mov.b64 {a, b}, c` and back.
void decodePacked(Decoder &decoder, Type type) {
  bool isUnpack = decoder.operand(0).kind == Operand::Vector;
  const Operand &many = decoder.operand(isUnpack ? 0 : 1);
  size_t count = many.parts.size();
  unsigned bits = bitsOf(type);
  if (!count || bits % count || bits / count < 8)
    decoder.fail(std::to_string(count) + " elements do not make " +
                 std::to_string(bits) + " bits");
  Type part = bitsType(unsigned(bits / count));
  std::vector<int32_t> parts;
  for (const Operand &each : many.parts)
    parts.push_back(isUnpack ? decoder.target(each, part)
                             : decoder.source(each, part));
  decoder.instr.list = decoder.addList(parts);
  decoder.instr.x = uint8_t(bitsOf(part) / 8);
  decoder.instr.y = uint8_t(count);
  decoder.instr.z = uint8_t(std::max(16u, bitsOf(part)) / 8);
  if (isUnpack)
    decoder.instr.a = decoder.source(1, type);
  else
    decoder.instr.d = decoder.target(0, type);
  decoder.instr.run = isUnpack ? unpack : pack;
  decoder.emit();
}

// x: bytes of the register.
void readClock(Warp &warp, const Instr &instr, Mask lanes) {
  uint64_t value = warp.cluster->executed;
  if (instr.y)
    value = uint64_t(std::chrono::duration_cast<std::chrono::nanoseconds>(
                         std::chrono::steady_clock::now().time_since_epoch())
                         .count());
  value >>= instr.z;
  forLanes(lanes, [&](unsigned lane) {
    if (instr.x == 8)
      warp.out<uint64_t>(instr.d)[lane] = value;
    else
      warp.out<uint32_t>(instr.d)[lane] = uint32_t(value);
  });
}

bool decodeClock(Decoder &decoder, Type type) {
  const Operand &from = decoder.operand(1);
  if (from.kind != Operand::Special)
    return false;
  bool isClock = from.name.starts_with("%clock");
  if (!isClock && !from.name.starts_with("%globaltimer"))
    return false;
  if (from.name == "%clock64" || from.name == "%globaltimer")
    type = Type::U64;
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.x = uint8_t(bitsOf(type) / 8);
  decoder.instr.y = !isClock;
  decoder.instr.z = from.name.ends_with("_hi") ? 32 : 0;
  decoder.instr.run = readClock;
  decoder.emit();
  return true;
}

// The address of a kernel's parameter is one of the host.
void moveParameterAddress(Warp &warp, const Instr &instr, Mask lanes) {
  uint64_t value =
      reinterpret_cast<uint64_t>(warp.launch->parameters) + uint64_t(instr.imm);
  uint64_t *d = warp.out<uint64_t>(instr.d);
  forLanes(lanes, [=](unsigned lane) { d[lane] = value; });
}

bool decodeParameterAddress(Decoder &decoder) {
  const Operand &from = decoder.operand(1);
  if (from.kind != Operand::Variable ||
      from.symbol->variable.space != Space::Param)
    return false;
  Space space;
  uint64_t address = decoder.addressOf(from.symbol->variable, space);
  if (space != Space::Param)
    decoder.fail("the address of a parameter of a call is not supported");
  decoder.instr.d = decoder.target(0, Type::B64);
  decoder.instr.imm = int64_t(address + from.value);
  decoder.instr.run = moveParameterAddress;
  decoder.emit();
  return true;
}

void decodeMov(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.expectCount(2, 2);
  if (type == Type::Pred) {
    bool negated;
    decoder.instr.d = decoder.target(0, type);
    decoder.instr.a = decoder.predicate(decoder.operand(1), negated);
    decoder.instr.x = negated;
    decoder.instr.run = movePredicate;
    return decoder.emit();
  }
  if (decoder.operand(0).kind == Operand::Vector ||
      decoder.operand(1).kind == Operand::Vector)
    return decodePacked(decoder, type);
  if (decodeClock(decoder, type) || decodeParameterAddress(decoder))
    return;
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.run = moveHandler(std::max(16u, bitsOf(type)));
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// Addresses

Space takeSpace(Decoder &decoder) {
  if (decoder.take("shared") || decoder.take("shared::cta") ||
      decoder.take("shared::cluster"))
    return Space::Shared;
  if (decoder.take("local"))
    return Space::Local;
  if (decoder.take("param") || decoder.take("param::entry"))
    return Space::Param;
  if (decoder.take("const"))
    return Space::Const;
  if (decoder.take("global"))
    return Space::Global;
  decoder.fail("a state space is missing");
}

// x: the space, y: bytes of the registers. To generic.
void convertToGeneric(Warp &warp, const Instr &instr, Mask lanes) {
  uint64_t *d = warp.out<uint64_t>(instr.d);
  forLanes(lanes, [&](unsigned lane) {
    uint64_t address = instr.y == 4 ? warp.in<uint32_t>(instr.a)[lane]
                                    : warp.in<uint64_t>(instr.a)[lane];
    d[lane] = toGeneric(warp, Space(instr.x), address, lane);
  });
}

void convertFromGeneric(Warp &warp, const Instr &instr, Mask lanes) {
  const uint64_t *a = warp.in<uint64_t>(instr.a);
  forLanes(lanes, [&](unsigned lane) {
    uint64_t address = a[lane];
    if (Space(instr.x) == Space::Shared) {
      uint32_t offset = 0;
      // What is not shared gives an address that no access takes.
      address = toShared(warp, address, offset) ? offset : 0;
    } else if (Space(instr.x) == Space::Local) {
      address -= reinterpret_cast<uint64_t>(warp.local(lane));
    }
    if (instr.y == 4)
      warp.out<uint32_t>(instr.d)[lane] = uint32_t(address);
    else
      warp.out<uint64_t>(instr.d)[lane] = address;
  });
}

void decodeCvta(Decoder &decoder) {
  bool from = decoder.take("to");
  Space space = takeSpace(decoder);
  Type type = decoder.takeType();
  decoder.expectCount(2, 2);
  Instr &instr = decoder.instr;
  instr.x = uint8_t(space);
  instr.y = uint8_t(bitsOf(type) / 8);
  const Operand &a = decoder.operand(1);
  if (a.kind == Operand::Variable && a.symbol->variable.space == Space::Param &&
      decodeParameterAddress(decoder))
    return;
  if (instr.y != 8)
    decoder.fail("only addresses of 64 bits are supported");
  instr.d = decoder.target(0, type);
  instr.a = decoder.source(1, type);
  instr.run = from ? convertFromGeneric : convertToGeneric;
  decoder.emit();
}

void isInSpace(Warp &warp, const Instr &instr, Mask lanes) {
  const uint64_t *a = warp.in<uint64_t>(instr.a);
  Mask value = 0;
  forLanes(lanes, [&](unsigned lane) {
    uint32_t offset;
    bool shared = toShared(warp, a[lane], offset);
    bool local = a[lane] - reinterpret_cast<uint64_t>(warp.local(lane)) <
                 warp.launch->localBytes;
    uint64_t inParameters =
        a[lane] - reinterpret_cast<uint64_t>(warp.launch->parameters);
    bool param = inParameters < warp.launch->parametersSize();
    bool holds = Space(instr.x) == Space::Shared
                     ? shared && (instr.y || offset >> kRankShift == 0)
                 : Space(instr.x) == Space::Local ? local
                 : Space(instr.x) == Space::Param ? param
                                                  : !shared && !local && !param;
    value |= Mask(holds) << lane;
  });
  warp.setPredicate(instr.d, lanes, value);
}

void decodeIsSpace(Decoder &decoder) {
  decoder.instr.y = decoder.take("shared::cluster");
  Space space = decoder.instr.y ? Space::Shared : takeSpace(decoder);
  decoder.expectCount(2, 2);
  decoder.instr.x = uint8_t(space);
  decoder.instr.d = decoder.target(0, Type::Pred);
  decoder.instr.a = decoder.source(1, Type::B64);
  decoder.instr.run = isInSpace;
  decoder.emit();
}

// x: bytes of the registers, y: in the shared space rather than generic.
void mapAddress(Warp &warp, const Instr &instr, Mask lanes) {
  const uint32_t *ranks = warp.in<uint32_t>(instr.b);
  forLanes(lanes, [&](unsigned lane) {
    uint64_t address = instr.x == 4 ? warp.in<uint32_t>(instr.a)[lane]
                                    : warp.in<uint64_t>(instr.a)[lane];
    uint32_t offset = uint32_t(address);
    if (!instr.y && !toShared(warp, address, offset))
      warp.fail(FaultKind::IllegalAddress,
                "the address is not in shared memory", int(lane));
    if (ranks[lane] >= warp.launch->clusterBlocks)
      warp.fail(FaultKind::IllegalAddress,
                "block " + std::to_string(ranks[lane]) + " of a cluster of " +
                    std::to_string(warp.launch->clusterBlocks),
                int(lane));
    uint64_t mapped = (offset & ((1u << kRankShift) - 1)) | (ranks[lane] + 1)
                                                                << kRankShift;
    if (!instr.y)
      mapped = toGeneric(warp, Space::Shared, mapped, lane);
    if (instr.x == 4)
      warp.out<uint32_t>(instr.d)[lane] = uint32_t(mapped);
    else
      warp.out<uint64_t>(instr.d)[lane] = mapped;
  });
}

void decodeMapa(Decoder &decoder) {
  decoder.instr.y = decoder.take("shared::cluster");
  Type type = decoder.takeType();
  decoder.instr.x = uint8_t(bitsOf(type) / 8);
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, Type::U32);
  decoder.instr.run = mapAddress;
  decoder.emit();
}

void rankOf(Warp &warp, const Instr &instr, Mask lanes) {
  forLanes(lanes, [&](unsigned lane) {
    uint64_t address = instr.x == 4 ? warp.in<uint32_t>(instr.a)[lane]
                                    : warp.in<uint64_t>(instr.a)[lane];
    uint32_t offset = uint32_t(address);
    if (!instr.y && !toShared(warp, address, offset))
      warp.fail(FaultKind::IllegalAddress,
                "the address is not in shared memory", int(lane));
    uint32_t rank = offset >> kRankShift;
    warp.out<uint32_t>(instr.d)[lane] = rank ? rank - 1 : warp.block->rank;
  });
}

void decodeRank(Decoder &decoder) {
  decoder.instr.y = decoder.take("shared::cluster");
  Type type = decoder.takeType();
  decoder.instr.x = uint8_t(bitsOf(type) / 8);
  decoder.expectCount(2, 2);
  decoder.instr.d = decoder.target(0, Type::U32);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.run = rankOf;
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::moveTable() {
  return {{"mov", decodeMov},
          {"cvta", decodeCvta},
          {"isspacep", decodeIsSpace},
          {"mapa", decodeMapa},
          {"getctarank", decodeRank}};
}
