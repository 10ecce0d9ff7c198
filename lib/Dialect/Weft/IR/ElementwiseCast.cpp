//===- ElementwiseCast.cpp - Scalar code of conversions -------------------===//
//
// Floats of 8 bits and fewer are encoded and decoded here with integer
// operations: arith.truncf knows neither ONNX's saturation nor, in its
// lowerings, most of these types.
//
//===----------------------------------------------------------------------===//

#include "Elementwise.h"
#include "SmallFloat.h"
#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::detail;

namespace {

/// Shorthands for arithmetic on elements, or on vectors of them.
struct CastBuilder {
  ImplicitLocOpBuilder b;

  CastBuilder(OpBuilder &builder, Location loc) : b(loc, builder) {}

  /// `scalar`, as a vector if `like` is one.
  Type typeLike(Value like, Type scalar) {
    if (auto shaped = dyn_cast<ShapedType>(like.getType()))
      return shaped.clone(scalar);
    return scalar;
  }
  Type intLike(Value like, unsigned width) {
    return typeLike(like, b.getIntegerType(width));
  }
  Value intConstant(Type type, int64_t value) {
    return createIntConstant(b, b.getLoc(), type, value);
  }
  Value floatConstant(Type type, double value) {
    return createConstant(b, b.getLoc(), type, value);
  }
  Value bitcast(Value value, Type scalar) {
    return arith::BitcastOp::create(b, typeLike(value, scalar), value);
  }
  Value select(Value condition, Value onTrue, Value onFalse) {
    return arith::SelectOp::create(b, condition, onTrue, onFalse);
  }
  Value compare(arith::CmpIPredicate predicate, Value lhs, int64_t rhs) {
    return arith::CmpIOp::create(b, predicate, lhs,
                                 intConstant(lhs.getType(), rhs));
  }
  Value compare(arith::CmpFPredicate predicate, Value lhs, Value rhs) {
    return arith::CmpFOp::create(b, predicate, lhs, rhs);
  }
  Value bitAnd(Value value, int64_t mask) {
    return arith::AndIOp::create(b, value, intConstant(value.getType(), mask));
  }
  Value shiftLeft(Value value, int64_t amount) {
    return arith::ShLIOp::create(b, value,
                                 intConstant(value.getType(), amount));
  }
  Value shiftRight(Value value, int64_t amount) {
    return arith::ShRUIOp::create(b, value,
                                  intConstant(value.getType(), amount));
  }

  Value decode(Value value, SmallFloat format);
  Value decodeScale(Value value);
  Value encode(Value value, Type type, SmallFloat format, bool saturate);
  Value encodeScale(Value value, Type type, bool saturate);
  Value roundToOdd(Value value);
  Value fromFloat(Value value, Type from, Type to, bool saturate);
  Value toInt(Value value, Type to, bool saturate);
  Value fromInt(Value value, Type from, Type to, bool saturate);
};

} // namespace

/// Moves exponent and mantissa to their places in f32. Subnormal numbers, which
/// are normal in f32, are converted as integers.
Value CastBuilder::decode(Value value, SmallFloat format) {
  int m = format.mantissaBits;
  Type i32 = intLike(value, 32);
  Value code = bitcast(value, b.getIntegerType(format.getWidth()));
  code = arith::ExtUIOp::create(b, i32, code);
  int signShift = format.getWidth() - 1;
  Value magnitude = bitAnd(code, (1 << signShift) - 1);
  Value sign = shiftLeft(shiftRight(code, signShift), 31);
  Type f32 = typeLike(value, b.getF32Type());

  Value normal = arith::AddIOp::create(
      b, shiftLeft(magnitude, 23 - m),
      intConstant(i32, static_cast<int64_t>(127 - format.bias) << 23));
  Value subnormal = arith::MulFOp::create(
      b, arith::UIToFPOp::create(b, f32, magnitude),
      floatConstant(f32, std::ldexp(1.0, 1 - format.bias - m)));
  Value isNormal =
      compare(arith::CmpIPredicate::uge, magnitude, int64_t(1) << m);
  Value bits = select(isNormal, normal, bitcast(subnormal, b.getI32Type()));
  Value nan = intConstant(i32, 0x7fc00000);
  if (format.infinityCode >= 0) {
    Value isSpecial =
        compare(arith::CmpIPredicate::uge, magnitude, format.infinityCode);
    Value isNan =
        compare(arith::CmpIPredicate::ugt, magnitude, format.infinityCode);
    bits = select(isSpecial, intConstant(i32, 0x7f800000), bits);
    bits = select(isNan, nan, bits);
  } else if (format.nanCode >= 0) {
    Value isNan = compare(arith::CmpIPredicate::eq, magnitude, format.nanCode);
    bits = select(isNan, nan, bits);
  }
  bits = arith::OrIOp::create(b, bits, sign);
  if (format.nanIsMinusZero) {
    Value isNan =
        compare(arith::CmpIPredicate::eq, code, int64_t(1) << signShift);
    bits = select(isNan, nan, bits);
  }
  return bitcast(bits, b.getF32Type());
}

/// f8E8M0FNU: the code is the exponent of f32, but zero stands for 2^-127 and
/// 255 for NaN.
Value CastBuilder::decodeScale(Value value) {
  Value code = arith::ExtUIOp::create(b, intLike(value, 32),
                                      bitcast(value, b.getIntegerType(8)));
  Value bits = shiftLeft(code, 23);
  Type type = bits.getType();
  bits = select(compare(arith::CmpIPredicate::eq, code, 0),
                intConstant(type, 0x00400000), bits);
  bits = select(compare(arith::CmpIPredicate::eq, code, 0xff),
                intConstant(type, 0x7fc00000), bits);
  return bitcast(bits, b.getF32Type());
}

/// Rounds an f32 to nearest, ties to even, by adding just below half a unit of
/// the last place that stays; a carry moves into the exponent, as it should.
Value CastBuilder::encode(Value value, Type type, SmallFloat format,
                          bool saturate) {
  int m = format.mantissaBits, drop = 23 - m;
  Type i32 = intLike(value, 32), f32 = value.getType();
  Value bits = bitcast(value, b.getI32Type());
  Value magnitude = bitAnd(bits, 0x7fffffff);
  Value lowest = bitAnd(shiftRight(magnitude, drop), 1);
  Value rounded =
      arith::AddIOp::create(b, arith::AddIOp::create(b, magnitude, lowest),
                            intConstant(i32, (int64_t(1) << (drop - 1)) - 1));
  Value normal = arith::SubIOp::create(
      b, shiftRight(rounded, drop),
      intConstant(i32, static_cast<int64_t>(127 - format.bias) << m));

  // Adding a number whose last place is the smallest subnormal makes the
  // hardware round to a multiple of it; the low bits are then the code.
  double magic = std::ldexp(1.0, 23 + 1 - format.bias - m);
  Value shifted = arith::AddFOp::create(b, bitcast(magnitude, b.getF32Type()),
                                        floatConstant(f32, magic));
  Value magicBits = bitcast(floatConstant(f32, magic), b.getI32Type());
  Value subnormal =
      arith::SubIOp::create(b, bitcast(shifted, b.getI32Type()), magicBits);
  Value isNormal = compare(arith::CmpIPredicate::uge, magnitude,
                           static_cast<int64_t>(128 - format.bias) << 23);
  Value code = select(isNormal, normal, subnormal);

  int nan = format.nanIsMinusZero ? 1 << (format.getWidth() - 1)
                                  : std::max(format.nanCode, 0);
  int beyond = format.infinityCode >= 0 ? format.infinityCode : nan;
  // Types without infinity and NaN have nothing to overflow to.
  if (saturate || beyond == 0)
    beyond = format.maxCode;
  Value overflows = compare(arith::CmpIPredicate::sgt, code, format.maxCode);
  code = select(overflows, intConstant(i32, beyond), code);

  int signShift = format.getWidth() - 1;
  Value sign = shiftLeft(shiftRight(bits, 31), signShift);
  Value isNan = compare(arith::CmpFPredicate::UNO, value, value);
  if (format.nanIsMinusZero) {
    // A zero, or a number that underflows to it, loses its sign.
    sign = select(compare(arith::CmpIPredicate::eq, code, 0),
                  intConstant(i32, 0), sign);
    code = arith::OrIOp::create(b, code, sign);
    code = select(isNan, intConstant(i32, nan), code);
  } else if (format.nanCode >= 0) {
    code = select(isNan, intConstant(i32, nan), code);
    code = arith::OrIOp::create(b, code, sign);
  } else {
    code = arith::OrIOp::create(b, code, sign);
    code = select(isNan, intConstant(i32, 1 << signShift), code);
  }
  Type narrow = intLike(value, format.getWidth());
  return bitcast(arith::TruncIOp::create(b, narrow, code), type);
}

/// The exponent of an f32, rounded up where a fraction follows; the sign is
/// lost. Infinity and NaN have the exponent 255, which is NaN.
Value CastBuilder::encodeScale(Value value, Type type, bool saturate) {
  Value bits = bitAnd(bitcast(value, b.getI32Type()), 0x7fffffff);
  Value exponent = shiftRight(bits, 23);
  Value hasFraction =
      compare(arith::CmpIPredicate::ne, bitAnd(bits, 0x7fffff), 0);
  Value roundsUp = arith::AndIOp::create(
      b, hasFraction,
      compare(arith::CmpIPredicate::ult, exponent, saturate ? 0xfe : 0xff));
  Value increment = arith::ExtUIOp::create(b, bits.getType(), roundsUp);
  Value code = arith::AddIOp::create(b, exponent, increment);
  return bitcast(arith::TruncIOp::create(b, intLike(value, 8), code), type);
}

/// An f64 as an f32 whose last bit gathers all bits lost (rounding to odd), so
/// that rounding it again to fewer bits is exact.
Value CastBuilder::roundToOdd(Value value) {
  Value bits = bitcast(value, b.getI64Type());
  int64_t lost = (int64_t(1) << 29) - 1;
  Value hasLost = compare(arith::CmpIPredicate::ne, bitAnd(bits, lost), 0);
  Value sticky =
      shiftLeft(arith::ExtUIOp::create(b, bits.getType(), hasLost), 29);
  Value odd = arith::OrIOp::create(b, bitAnd(bits, ~lost), sticky);
  return arith::TruncFOp::create(b, typeLike(value, b.getF32Type()),
                                 bitcast(odd, b.getF64Type()));
}

Value weft::detail::widenFloat(OpBuilder &builder, Location loc, Value value) {
  Type type = getElementTypeOrSelf(value.getType());
  CastBuilder cast(builder, loc);
  if (type.isF32() || type.isF64())
    return value;
  if (isa<Float8E8M0FNUType>(type))
    return cast.decodeScale(value);
  if (std::optional<SmallFloat> format = getSmallFloat(type))
    return cast.decode(value, *format);
  return arith::ExtFOp::create(
      cast.b, cast.typeLike(value, builder.getF32Type()), value);
}

/// Truncates. Without saturation, what does not fit gives what the conversion
/// instructions give: narrow integers keep the low bits of a 32-bit one.
Value CastBuilder::toInt(Value value, Type to, bool saturate) {
  unsigned width = to.getIntOrFloatBitWidth();
  bool unsign = isUnsigned(to);
  Type type = value.getType();
  Type target = intLike(value, width);
  if (!saturate) {
    if (unsign && width == 64)
      return arith::FPToUIOp::create(b, target, value);
    unsigned wide = width < 32 || (width == 32 && !unsign) ? 32 : 64;
    Value result = arith::FPToSIOp::create(b, intLike(value, wide), value);
    if (wide == width)
      return result;
    return arith::TruncIOp::create(b, target, result);
  }
  // The bounds are powers of two, or the number before one, which a float may
  // not represent; compare instead of clamping with it.
  double low = unsign ? 0.0 : -std::ldexp(1.0, width - 1);
  double end = std::ldexp(1.0, unsign ? width : width - 1);
  Value isLow =
      compare(arith::CmpFPredicate::OLE, value, floatConstant(type, low));
  Value isHigh =
      compare(arith::CmpFPredicate::OGE, value, floatConstant(type, end));
  Value isNan = compare(arith::CmpFPredicate::UNO, value, value);
  Value outside =
      arith::OrIOp::create(b, arith::OrIOp::create(b, isLow, isHigh), isNan);
  Value safe = select(outside, floatConstant(type, 0), value);
  Value result = unsign ? arith::FPToUIOp::create(b, target, safe).getResult()
                        : arith::FPToSIOp::create(b, target, safe).getResult();
  int64_t lowest = unsign ? 0 : int64_t(-1) << (width - 1);
  int64_t highest = unsign ? -1 : ~lowest;
  result = select(isLow, intConstant(target, lowest), result);
  return select(isHigh, intConstant(target, highest), result);
}

Value CastBuilder::fromFloat(Value value, Type from, Type to, bool saturate) {
  if (from == to)
    return value;
  Value wide = widenFloat(b, b.getLoc(), value);
  if (to.isInteger(1))
    return compare(arith::CmpFPredicate::UNE, wide,
                   floatConstant(wide.getType(), 0));
  if (!isa<FloatType>(to))
    return toInt(wide, to, saturate);
  Type target = typeLike(wide, to), f32 = typeLike(wide, b.getF32Type());
  if (to.isF64())
    return arith::ExtFOp::create(b, target, wide);
  bool isDouble = from.isF64();
  if (isa<Float8E8M0FNUType>(to)) {
    if (isDouble)
      wide = arith::TruncFOp::create(b, f32, wide);
    return encodeScale(wide, to, saturate);
  }
  if (isDouble)
    wide = to.isF32() ? arith::TruncFOp::create(b, f32, wide).getResult()
                      : roundToOdd(wide);
  if (std::optional<SmallFloat> format = getSmallFloat(to))
    return encode(wide, to, *format, saturate);
  if (to.isF32())
    return wide;
  return arith::TruncFOp::create(b, target, wide);
}

Value CastBuilder::fromInt(Value value, Type from, Type to, bool saturate) {
  if (to.isInteger(1)) {
    if (from.isInteger(1))
      return value;
    return compare(arith::CmpIPredicate::ne, value, 0);
  }
  unsigned width = from.getIntOrFloatBitWidth();
  bool unsign = isUnsigned(from);
  if (isa<FloatType>(to)) {
    // Integers of 32 bits and more would be rounded twice by way of f32.
    bool isWide = to.isF64() || (width > 16 && !to.isF32());
    Type type =
        typeLike(value, isWide ? Type(b.getF64Type()) : Type(b.getF32Type()));
    Value wide = unsign ? arith::UIToFPOp::create(b, type, value).getResult()
                        : arith::SIToFPOp::create(b, type, value).getResult();
    return fromFloat(wide, getElementTypeOrSelf(type), to, saturate);
  }
  unsigned toWidth = to.getIntOrFloatBitWidth();
  Type target = intLike(value, toWidth);
  if (toWidth == width)
    return value;
  if (toWidth < width)
    return arith::TruncIOp::create(b, target, value);
  if (unsign)
    return arith::ExtUIOp::create(b, target, value);
  return arith::ExtSIOp::create(b, target, value);
}

Value weft::detail::castElement(OpBuilder &builder, Location loc, Value value,
                                Type from, Type to, bool saturate) {
  CastBuilder cast(builder, loc);
  if (isa<FloatType>(from))
    return cast.fromFloat(value, from, to, saturate);
  return cast.fromInt(value, from, to, saturate);
}
