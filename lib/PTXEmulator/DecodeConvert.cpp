//===- DecodeConvert.cpp - Conversions ------------------------------------===//

#include "Handlers.h"
#include "Number.h"

#include <algorithm>
#include <limits>

using namespace weft::ptx;

namespace {

/// What one conversion does. The registers may be wider than the types.
struct Conversion {
  Type to, from;
  uint8_t toBytes, fromBytes;
  Rounding rounding = Rounding::Nearest;
  /// Rounds to an integer, in the format of floating-point numbers.
  bool integral = false;
  bool ftz = false, saturate = false, relu = false, finite = false;
};

uint64_t readBits(const uint8_t *from, unsigned bytes) {
  uint64_t bits = 0;
  memcpy(&bits, from, bytes);
  return bits;
}

double floatValue(uint64_t bits, Type type) {
  switch (type) {
  case Type::F16:
    return halfToFloat(uint16_t(bits));
  case Type::BF16:
    return bfloatToFloat(uint16_t(bits));
  case Type::F32:
    return std::bit_cast<float>(uint32_t(bits));
  case Type::E4M3:
    return fromFormat(uint32_t(bits & 0xff), kE4M3);
  case Type::E5M2:
    return fromFormat(uint32_t(bits & 0xff), kE5M2);
  default:
    return std::bit_cast<double>(bits);
  }
}

int64_t signExtend(uint64_t bits, Type type) {
  unsigned unused = 64 - bitsOf(type);
  return isSigned(type) ? int64_t(bits << unused) >> unused
                        : int64_t(bits << unused >> unused);
}

double roundIntegral(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::Zero:
    return std::trunc(value);
  case Rounding::Down:
    return std::floor(value);
  case Rounding::Up:
    return std::ceil(value);
  case Rounding::Away:
    return std::round(value);
  default:
    return std::nearbyint(value);
  }
}

uint64_t clampTo(Type type, double value) {
  if (std::isnan(value))
    return 0;
  unsigned bits = bitsOf(type);
  bool sign = isSigned(type);
  double high = std::ldexp(1.0, int(bits - sign));
  double low = sign ? -high : 0;
  if (value >= high)
    return sign         ? (uint64_t(1) << (bits - 1)) - 1
           : bits == 64 ? UINT64_MAX
                        : (uint64_t(1) << bits) - 1;
  if (value <= low)
    return sign ? uint64_t(1) << (bits - 1) : 0;
  return value < 0 ? uint64_t(int64_t(value)) : uint64_t(value);
}

uint64_t floatBits(double value, const Conversion &how) {
  if (how.relu && !(value > 0) && !std::isnan(value))
    value = 0;
  if (how.saturate && bitsOf(how.to) > 8 && !how.finite)
    value = value > 0 ? std::min(value, 1.0) : 0.0;
  switch (how.to) {
  case Type::F16:
    return toFormat(value, kHalf, how.rounding, how.finite);
  case Type::BF16:
    return toFormat(value, kBFloat, how.rounding, how.finite);
  case Type::TF32:
    return uint64_t(toFormat(value, kTFloat, how.rounding, how.finite)) << 13;
  case Type::E4M3:
    return toFormat(value, kE4M3, how.rounding, how.finite);
  case Type::E5M2:
    return toFormat(value, kE5M2, how.rounding, how.finite);
  case Type::F32: {
    float result = roundToFloat(value, how.rounding);
    return std::bit_cast<uint32_t>(how.ftz ? flush(result) : result);
  }
  default:
    return std::bit_cast<uint64_t>(value);
  }
}

// Integers beyond 53 bits are not exact in double.
uint64_t integerToFloat(uint64_t bits, const Conversion &how) {
  int64_t value = signExtend(bits, how.from);
  if (isSigned(how.from) ? std::abs(double(value)) < 0x1p53
                         : uint64_t(value) < uint64_t(1) << 53)
    return floatBits(
        isSigned(how.from) ? double(value) : double(uint64_t(value)), how);
  // In two parts, whose sum rounds to odd.
  double high =
      isSigned(how.from) ? double(value >> 32) : double(uint64_t(value) >> 32);
  double low = double(uint64_t(value) & UINT32_MAX);
  if (how.to == Type::F64)
    return std::bit_cast<uint64_t>(
        addRounded(high * 0x1p32, low, how.rounding));
  return floatBits(addToOdd(high * 0x1p32, low), how);
}

uint64_t convertOne(uint64_t bits, const Conversion &how) {
  bool fromFloat = isFloat(how.from), toFloat = isFloat(how.to);
  if (!fromFloat && !toFloat) {
    int64_t value = signExtend(bits, how.from);
    if (!how.saturate)
      return uint64_t(value);
    if (!isSigned(how.from) && value < 0)
      return clampTo(how.to, double(uint64_t(value)));
    if (bitsOf(how.to) == 64)
      return isSigned(how.to) || value >= 0 ? uint64_t(value) : 0;
    return clampTo(how.to, double(value));
  }
  if (!fromFloat)
    return integerToFloat(bits, how);
  double value = floatValue(bits, how.from);
  if (how.ftz && how.from == Type::F32)
    value = flush(float(value));
  if (!toFloat)
    return clampTo(how.to, roundIntegral(value, how.rounding));
  if (how.integral)
    value = roundIntegral(value, how.rounding);
  if (how.from == Type::F64 && how.to == Type::F64)
    return floatBits(value, how);
  return floatBits(value, how);
}

void convertAny(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const Conversion *>(instr.detail);
  uint8_t *d = warp.out<uint8_t>(instr.d);
  const uint8_t *a = warp.in<uint8_t>(instr.a);
  unsigned toBits = bitsOf(how.to);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    uint64_t bits = convertOne(
        readBits(a + size_t(lane) * how.fromBytes, how.fromBytes), how);
    // A wider register takes the value with its sign.
    if (toBits < 64) {
      if (isFloat(how.to))
        bits &= (uint64_t(1) << toBits) - 1;
      else
        bits = uint64_t(signExtend(bits, how.to));
    }
    memcpy(d + size_t(lane) * how.toBytes, &bits, how.toBytes);
  }
}

//===----------------------------------------------------------------------===//
// What is common

template <class D, class A>
void convertFast(Warp &warp, const Instr &instr, Mask lanes) {
  D *d = warp.out<D>(instr.d);
  const A *a = warp.in<A>(instr.a);
  forLanes(lanes, [=](unsigned lane) { d[lane] = D(a[lane]); });
}

constexpr auto kHalfToSingle = [](uint16_t a) { return halfToFloat(a); };
constexpr auto kBFloatToSingle = [](uint16_t a) { return bfloatToFloat(a); };
constexpr auto kSingleToHalf = [](float a) { return floatToHalf(a); };
constexpr auto kSingleToBFloat = [](float a) { return floatToBFloat(a); };

Handler fastHandler(const Conversion &how) {
  if (how.ftz || how.saturate || how.relu || how.finite || how.integral ||
      how.toBytes * 8u != std::max(16u, bitsOf(how.to)) ||
      how.fromBytes * 8u != std::max(16u, bitsOf(how.from)) ||
      how.rounding != Rounding::Nearest)
    return nullptr;
  auto is = [&](Type to, Type from) {
    return how.to == to && how.from == from;
  };
  if (is(Type::U64, Type::U32))
    return convertFast<uint64_t, uint32_t>;
  if (is(Type::S64, Type::S32))
    return convertFast<int64_t, int32_t>;
  if (is(Type::U32, Type::U64) || is(Type::S32, Type::S64))
    return convertFast<uint32_t, uint64_t>;
  if (is(Type::F32, Type::F16))
    return unary<kHalfToSingle, float, uint16_t>;
  if (is(Type::F32, Type::BF16))
    return unary<kBFloatToSingle, float, uint16_t>;
  if (is(Type::F16, Type::F32))
    return unary<kSingleToHalf, uint16_t, float>;
  if (is(Type::BF16, Type::F32))
    return unary<kSingleToBFloat, uint16_t, float>;
  if (is(Type::F64, Type::F32))
    return convertFast<double, float>;
  if (is(Type::F32, Type::S32))
    return convertFast<float, int32_t>;
  if (is(Type::F32, Type::U32))
    return convertFast<float, uint32_t>;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Pairs: two values into one register, or back

struct PairConversion {
  Conversion one;
  unsigned toHalf, fromHalf;
};

// From two registers of f32; the first becomes the high half.
void packPair(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const Conversion *>(instr.detail);
  const uint32_t *a = warp.in<uint32_t>(instr.a),
                 *b = warp.in<uint32_t>(instr.b);
  unsigned half = bitsOf(how.to);
  forLanes(lanes, [&](unsigned lane) {
    uint64_t bits = convertOne(a[lane], how) << half | convertOne(b[lane], how);
    if (half == 16)
      warp.out<uint32_t>(instr.d)[lane] = uint32_t(bits);
    else
      warp.out<uint16_t>(instr.d)[lane] = uint16_t(bits);
  });
}

// From a pair to a pair: f16x2 to and from two fp8.
void convertPair(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const Conversion *>(instr.detail);
  unsigned from = bitsOf(how.from), to = bitsOf(how.to);
  forLanes(lanes, [&](unsigned lane) {
    uint64_t bits = from == 16 ? warp.in<uint32_t>(instr.a)[lane]
                               : warp.in<uint16_t>(instr.a)[lane];
    uint64_t mask = (uint64_t(1) << from) - 1;
    uint64_t result = convertOne(bits & mask, how) |
                      convertOne(bits >> from & mask, how) << to;
    if (to == 16)
      warp.out<uint32_t>(instr.d)[lane] = uint32_t(result);
    else
      warp.out<uint16_t>(instr.d)[lane] = uint16_t(result);
  });
}

Type halfOf(Type type) {
  switch (type) {
  case Type::F16x2:
    return Type::F16;
  case Type::BF16x2:
    return Type::BF16;
  case Type::E4M3x2:
    return Type::E4M3;
  case Type::E5M2x2:
    return Type::E5M2;
  default:
    return Type::None;
  }
}

void decodePair(Decoder &decoder, Conversion how, Type to, Type from) {
  how.to = halfOf(to);
  decoder.instr.d = decoder.target(0, to);
  if (from == Type::F32) {
    decoder.expectCount(3, 3);
    how.from = from;
    decoder.instr.a = decoder.source(1, from);
    decoder.instr.b = decoder.source(2, from);
    decoder.instr.run = packPair;
  } else {
    decoder.expectCount(2, 2);
    how.from = halfOf(from);
    if (how.from == Type::None)
      decoder.fail("this conversion is not supported");
    decoder.instr.a = decoder.source(1, from);
    decoder.instr.run = convertPair;
  }
  decoder.instr.detail = decoder.addDetail(how);
  decoder.emit();
}

void decodeCvt(Decoder &decoder) {
  Conversion how;
  int mode = decoder.takeOneOf({"rn", "rz", "rm", "rp", "rna"}, -1);
  if (mode >= 0)
    how.rounding = Rounding(mode);
  mode = decoder.takeOneOf({"rni", "rzi", "rmi", "rpi"}, -1);
  if (mode >= 0) {
    how.rounding = Rounding(mode);
    how.integral = true;
  }
  how.ftz = decoder.take("ftz");
  how.saturate = decoder.take("sat");
  how.finite = decoder.take("satfinite");
  how.relu = decoder.take("relu");
  if (decoder.name() == "cvt" && decoder.take("pack"))
    decoder.fail("'.pack' is not supported");
  Type to = decoder.takeType(), from = decoder.takeType();
  if (halfOf(to) != Type::None)
    return decodePair(decoder, how, to, from);
  decoder.expectCount(2, 2);
  how.to = to;
  how.from = from;
  // Within one size, `cvt.f32.f32` rounds to an integer only if asked.
  if (!isFloat(to) || !isFloat(from))
    how.integral = false;
  unsigned toBits, fromBits;
  decoder.instr.d = decoder.wideTarget(decoder.operand(0), to, toBits);
  decoder.instr.a = decoder.wideSource(decoder.operand(1), from, fromBits);
  how.toBytes = uint8_t(toBits / 8);
  how.fromBytes = uint8_t(fromBits / 8);
  decoder.instr.detail = decoder.addDetail(how);
  decoder.instr.run = fastHandler(how);
  if (!decoder.instr.run)
    decoder.instr.run = convertAny;
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::convertTable() { return {{"cvt", decodeCvt}}; }
