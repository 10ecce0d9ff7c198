//===- DecodeAtomic.cpp - Atomics and fences ------------------------------===//

#include "MemoryOperand.h"
#include "Number.h"
#include "Race.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

enum Operation : uint8_t {
  kAdd,
  kMin,
  kMax,
  kInc,
  kDec,
  kAnd,
  kOr,
  kXor,
  kExch,
  kCas
};
constexpr std::string_view kOperations[] = {"add", "min", "max", "inc",  "dec",
                                            "and", "or",  "xor", "exch", "cas"};

struct AtomicInfo {
  Operation operation;
  Type type;
  Space space;
  uint8_t bytes, count;
  bool acquire, release, returns;
  /// Registers: of the old values, and of b and c.
  std::vector<int32_t> d, b, c;
};

template <class T> T apply(Operation operation, T old, T b, T c) {
  switch (operation) {
  case kAdd:
    return T(Wrapping<T>(old) + Wrapping<T>(b));
  case kMin:
    return std::min(old, b);
  case kMax:
    return std::max(old, b);
  case kInc:
    return old >= b ? T(0) : T(old + 1);
  case kDec:
    return old == 0 || old > b ? b : T(old - 1);
  case kAnd:
    return old & b;
  case kOr:
    return old | b;
  case kXor:
    return old ^ b;
  case kExch:
    return b;
  default:
    return old == b ? c : old;
  }
}

uint16_t applyHalf(Operation operation, uint16_t old, uint16_t b,
                   const Format &format) {
  double x = fromFormat(old, format), y = fromFormat(b, format);
  double result = operation == kAdd   ? addToOdd(x, y)
                  : operation == kMin ? std::fmin(x, y)
                                      : std::fmax(x, y);
  return uint16_t(toFormat(result, format, Rounding::Nearest));
}

uint64_t applyPair(Operation operation, uint64_t old, uint64_t b,
                   const Format &format) {
  return uint64_t(applyHalf(operation, uint16_t(old), uint16_t(b), format)) |
         uint64_t(applyHalf(operation, uint16_t(old >> 16), uint16_t(b >> 16),
                            format))
             << 16;
}

template <class Float, class Bits>
uint64_t applyFloat(Operation operation, uint64_t old, uint64_t b) {
  Float x = std::bit_cast<Float>(Bits(old)), y = std::bit_cast<Float>(Bits(b));
  Float result = operation == kAdd   ? x + y
                 : operation == kMin ? std::fmin(x, y)
                                     : std::fmax(x, y);
  return std::bit_cast<Bits>(result);
}

uint64_t applyTyped(const AtomicInfo &how, uint64_t old, uint64_t b,
                    uint64_t c) {
  Operation operation = how.operation;
  bool bitwise = operation >= kAnd;
  switch (bitwise && isFloat(how.type) ? Type::None : how.type) {
  case Type::F32:
    return applyFloat<float, uint32_t>(operation, old, b);
  case Type::F64:
    return applyFloat<double, uint64_t>(operation, old, b);
  case Type::F16:
    return applyHalf(operation, uint16_t(old), uint16_t(b), kHalf);
  case Type::BF16:
    return applyHalf(operation, uint16_t(old), uint16_t(b), kBFloat);
  case Type::F16x2:
    return applyPair(operation, old, b, kHalf);
  case Type::BF16x2:
    return applyPair(operation, old, b, kBFloat);
  case Type::S32:
    return uint32_t(apply<int32_t>(operation, int32_t(old), int32_t(b), 0));
  case Type::S64:
    return uint64_t(apply<int64_t>(operation, int64_t(old), int64_t(b), 0));
  default:
    if (how.bytes == 2)
      return apply<uint16_t>(operation, uint16_t(old), uint16_t(b),
                             uint16_t(c));
    if (how.bytes == 4)
      return apply<uint32_t>(operation, uint32_t(old), uint32_t(b),
                             uint32_t(c));
    return apply<uint64_t>(operation, old, b, c);
  }
}

// Reads, computes and writes until nobody came between.
template <class T>
uint64_t exchange(uint8_t *pointer, const AtomicInfo &how, uint64_t b,
                  uint64_t c) {
  std::atomic_ref<T> cell(*reinterpret_cast<T *>(pointer));
  T old = cell.load();
  while (!cell.compare_exchange_weak(old, T(applyTyped(how, old, b, c))))
    ;
  return old;
}

uint64_t readRegister(const Warp &warp, int32_t offset, unsigned lane,
                      unsigned bytes) {
  uint64_t value = 0;
  memcpy(&value, warp.in<uint8_t>(offset) + size_t(lane) * bytes, bytes);
  return value;
}

void countAtomic(Warp &warp, const Instr &instr, Mask lanes,
                 const AtomicInfo &how) {
  ++warp.cluster->counters.atomics;
  if (warp.cluster->lines.empty() || how.space == Space::Shared)
    return;
  uint64_t addresses[kLanes];
  forLanes(lanes, [&](unsigned lane) {
    addresses[lane] = addressAt(warp, instr, lane);
  });
  countGlobal(warp, addresses, lanes, uint32_t(how.bytes) * how.count);
}

void atomic(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const AtomicInfo *>(instr.detail);
  countAtomic(warp, instr, lanes, how);
  AccessInfo info;
  info.access = Access::Atomic;
  info.space = how.space;
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = info.lane = unsigned(std::countr_zero(lanes));
    uint8_t *pointer = accessMemory(warp, addressAt(warp, instr, lane),
                                    uint32_t(how.bytes) * how.count, info);
    if (warp.cluster->races)
      warp.cluster->races->ordered(warp, reinterpret_cast<uint64_t>(pointer),
                                   true, true, how.release, how.acquire);
    for (unsigned i = 0; i < how.count; ++i) {
      uint64_t b = readRegister(warp, how.b[i], lane, how.bytes);
      uint64_t c =
          how.c.empty() ? 0 : readRegister(warp, how.c[0], lane, how.bytes);
      uint8_t *at = pointer + i * how.bytes;
      uint64_t old = how.bytes == 2   ? exchange<uint16_t>(at, how, b, c)
                     : how.bytes == 4 ? exchange<uint32_t>(at, how, b, c)
                                      : exchange<uint64_t>(at, how, b, c);
      if (how.returns)
        memcpy(warp.out<uint8_t>(how.d[i]) + size_t(lane) * how.bytes, &old,
               how.bytes);
    }
  }
  ++warp.cluster->progress;
}

bool takesType(Operation operation, Type type) {
  unsigned bits = bitsOf(type);
  switch (operation) {
  case kAdd:
    return true;
  case kMin:
  case kMax:
    return type != Type::F32 && type != Type::F64;
  case kInc:
  case kDec:
    return type == Type::U32;
  case kAnd:
  case kOr:
  case kXor:
    return bits >= 32 && !isFloat(type);
  default:
    return !isFloat(type);
  }
}

void decodeAtomic(Decoder &decoder) {
  AtomicInfo how;
  how.returns = decoder.name() == "atom";
  how.acquire = decoder.take("acquire");
  how.release = decoder.take("release");
  if (decoder.take("acq_rel"))
    how.acquire = how.release = true;
  decoder.take("relaxed");
  for (std::string_view scope : {"cta", "cluster", "gpu", "sys"})
    decoder.take(scope);
  how.space = takeMemorySpace(decoder);
  int operation = decoder.takeOneOf(kOperations, -1);
  if (operation < 0)
    decoder.fail("an operation is missing");
  how.operation = Operation(operation);
  decoder.take("noftz");
  bool hint = decoder.take("L2::cache_hint");
  how.count = decoder.take("v2")   ? 2
              : decoder.take("v4") ? 4
              : decoder.take("v8") ? 8
                                   : 1;
  how.type = decoder.takeType();
  how.bytes = uint8_t(bitsOf(how.type) / 8);
  if (!takesType(how.operation, how.type) || how.bytes < 2 || how.bytes > 8)
    decoder.fail("this type is not supported");
  how.space = decoder.address(decoder.operand(how.returns ? 1 : 0), how.space);
  size_t next = how.returns ? 2 : 1;
  size_t wanted = next + (how.operation == kCas ? 2 : 1);
  decoder.expectCount(wanted, wanted + hint);
  for (const Operand *part : decoder.elements(decoder.operand(next)))
    how.b.push_back(decoder.source(*part, how.type));
  if (how.operation == kCas)
    how.c.push_back(decoder.source(next + 1, how.type));
  if (how.returns)
    for (const Operand *part : decoder.elements(decoder.operand(0)))
      how.d.push_back(decoder.target(*part, how.type));
  if (how.b.size() != how.count || (how.returns && how.d.size() != how.count))
    decoder.fail("wants " + std::to_string(how.count) + " registers");
  decoder.instr.detail = decoder.addDetail(how);
  decoder.instr.run = atomic;
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// Fences

// x: between proxies.
void fence(Warp &warp, const Instr &instr, Mask) {
  if (instr.x) {
    warp.proxyFence = ++warp.cluster->tick;
    return;
  }
  if (warp.cluster->races)
    warp.cluster->races->fence(warp);
}

void decodeFence(Decoder &decoder) {
  bool proxy = false;
  for (std::string_view next; !(next = decoder.next()).empty();) {
    proxy |= next.starts_with("proxy");
    decoder.takeNext();
  }
  decoder.instr.x = proxy;
  decoder.instr.run = fence;
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::atomicTable() {
  return {{"atom", decodeAtomic},
          {"red", decodeAtomic},
          {"membar", decodeFence},
          {"fence", decodeFence}};
}
