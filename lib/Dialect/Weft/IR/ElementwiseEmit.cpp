//===- ElementwiseEmit.cpp - Scalar code of elementwise ops ---------------===//

#include "Elementwise.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

Value weft::detail::createConstant(OpBuilder &builder, Location loc, Type type,
                                   double value) {
  Type scalar = getElementTypeOrSelf(type);
  if (!isa<FloatType>(scalar))
    return createIntConstant(builder, loc, type, static_cast<int64_t>(value));
  TypedAttr attr = builder.getFloatAttr(scalar, value);
  if (auto shaped = dyn_cast<ShapedType>(type))
    attr = DenseElementsAttr::get(shaped, Attribute(attr));
  return arith::ConstantOp::create(builder, loc, attr);
}

Value weft::detail::createIntConstant(OpBuilder &builder, Location loc,
                                      Type type, int64_t value) {
  Type scalar = getElementTypeOrSelf(type);
  unsigned width = scalar.getIntOrFloatBitWidth();
  TypedAttr attr = builder.getIntegerAttr(
      scalar, APInt(width, static_cast<uint64_t>(value), /*isSigned=*/false,
                    /*implicitTrunc=*/true));
  if (auto shaped = dyn_cast<ShapedType>(type))
    attr = DenseElementsAttr::get(shaped, Attribute(attr));
  return arith::ConstantOp::create(builder, loc, attr);
}

bool weft::detail::isUnsigned(Type elementType) {
  return elementType.isUnsignedInteger() || elementType.isInteger(1);
}

namespace {
using FloatCode =
    llvm::function_ref<Value(ImplicitLocOpBuilder &, ArrayRef<Value>)>;
} // namespace

/// Runs `code` on elements of at least 32 bits and rounds what it returns to
/// the elements' own type.
static Value computeFloat(OpBuilder &builder, Location loc, ValueRange elements,
                          FloatCode code) {
  ImplicitLocOpBuilder b(loc, builder);
  SmallVector<Value> wide;
  for (Value element : elements)
    wide.push_back(widenFloat(b, loc, element));
  Value result = code(b, wide);
  Type type = elements.front().getType();
  if (result.getType() != type)
    result = arith::TruncFOp::create(b, type, result);
  return result;
}

template <typename MathOp>
static Value buildUnary(OpBuilder &builder, Location loc, ValueRange elements) {
  return computeFloat(builder, loc, elements,
                      [](ImplicitLocOpBuilder &b, ArrayRef<Value> x) -> Value {
                        return MathOp::create(b, x[0]);
                      });
}

/// Float, signed and unsigned forms of one binary operation.
template <typename Op, typename FloatOp, typename SignedOp, typename UnsignedOp>
static Value buildBinary(Op op, OpBuilder &builder, Location loc,
                         ValueRange elements) {
  Type elementType = op.getResult().getType().getElementType();
  if (isa<FloatType>(elementType))
    return computeFloat(
        builder, loc, elements,
        [](ImplicitLocOpBuilder &b, ArrayRef<Value> x) -> Value {
          return FloatOp::create(b, x[0], x[1]);
        });
  if (isUnsigned(elementType))
    return UnsignedOp::create(builder, loc, elements[0], elements[1]);
  return SignedOp::create(builder, loc, elements[0], elements[1]);
}

static Value compareInts(OpBuilder &builder, Location loc,
                         arith::CmpIPredicate predicate, Value lhs, Value rhs) {
  return arith::CmpIOp::create(builder, loc, predicate, lhs, rhs);
}

static Value compareInts(OpBuilder &builder, Location loc,
                         arith::CmpIPredicate predicate, Value lhs,
                         int64_t rhs) {
  return compareInts(builder, loc, predicate, lhs,
                     createIntConstant(builder, loc, lhs.getType(), rhs));
}

static Value select(OpBuilder &builder, Location loc, Value condition,
                    Value onTrue, Value onFalse) {
  return arith::SelectOp::create(builder, loc, condition, onTrue, onFalse);
}

static Value negateInt(OpBuilder &builder, Location loc, Value value) {
  Value zero = createIntConstant(builder, loc, value.getType(), 0);
  return arith::SubIOp::create(builder, loc, zero, value);
}

//===----------------------------------------------------------------------===//
// Unary
//===----------------------------------------------------------------------===//

Value AcosOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::AcosOp>(b, loc, x);
}

Value AcoshOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::AcoshOp>(b, loc, x);
}

Value AsinOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::AsinOp>(b, loc, x);
}

Value AsinhOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::AsinhOp>(b, loc, x);
}

Value AtanOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::AtanOp>(b, loc, x);
}

Value AtanhOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::AtanhOp>(b, loc, x);
}

Value CeilOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::CeilOp>(b, loc, x);
}

Value CosOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::CosOp>(b, loc, x);
}

Value CoshOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::CoshOp>(b, loc, x);
}

Value ErfOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::ErfOp>(b, loc, x);
}

Value ExpOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::ExpOp>(b, loc, x);
}

Value FloorOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::FloorOp>(b, loc, x);
}

Value LogOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::LogOp>(b, loc, x);
}

Value RoundOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::RoundEvenOp>(b, loc, x);
}

Value SinOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::SinOp>(b, loc, x);
}

Value SinhOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::SinhOp>(b, loc, x);
}

Value SqrtOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::SqrtOp>(b, loc, x);
}

Value TanOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::TanOp>(b, loc, x);
}

Value TanhOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildUnary<math::TanhOp>(b, loc, x);
}

Value LogisticOp::buildScalar(OpBuilder &builder, Location loc,
                              ValueRange elements) {
  return computeFloat(
      builder, loc, elements,
      [&](ImplicitLocOpBuilder &b, ArrayRef<Value> x) -> Value {
        Value one = createConstant(b, loc, x[0].getType(), 1);
        Value exp = math::ExpOp::create(b, arith::NegFOp::create(b, x[0]));
        return arith::DivFOp::create(b, one,
                                     arith::AddFOp::create(b, one, exp));
      });
}

Value AbsOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Type elementType = getResult().getType().getElementType();
  if (isa<FloatType>(elementType))
    return buildUnary<math::AbsFOp>(b, loc, x);
  if (isUnsigned(elementType))
    return x[0];
  return arith::MaxSIOp::create(b, loc, x[0], negateInt(b, loc, x[0]));
}

Value NegOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  if (isa<FloatType>(getResult().getType().getElementType()))
    return buildUnary<arith::NegFOp>(b, loc, x);
  return negateInt(b, loc, x[0]);
}

Value NotOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Value ones = createIntConstant(b, loc, x[0].getType(), -1);
  return arith::XOrIOp::create(b, loc, x[0], ones);
}

/// NaN is neither above nor below zero nor equal to it, so it falls through
/// both choices.
static Value buildFloatSign(ImplicitLocOpBuilder &b, ArrayRef<Value> x) {
  Location loc = b.getLoc();
  Type type = x[0].getType();
  Value zero = createConstant(b, loc, type, 0);
  Value one = createConstant(b, loc, type, 1);
  Value magnitude = math::CopySignOp::create(b, one, x[0]);
  Value isNonzero =
      arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, x[0], zero);
  Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x[0], x[0]);
  Value otherwise = select(b, loc, isNan, x[0], zero);
  return select(b, loc, isNonzero, magnitude, otherwise);
}

Value SignOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Type elementType = getResult().getType().getElementType();
  if (isa<FloatType>(elementType))
    return computeFloat(b, loc, x, buildFloatSign);
  Type type = x[0].getType();
  Value zero = createIntConstant(b, loc, type, 0);
  Value one = createIntConstant(b, loc, type, 1);
  Value isNonzero = compareInts(b, loc, arith::CmpIPredicate::ne, x[0], zero);
  Value sign = select(b, loc, isNonzero, one, zero);
  if (isUnsigned(elementType))
    return sign;
  Value isNegative = compareInts(b, loc, arith::CmpIPredicate::slt, x[0], zero);
  return select(b, loc, isNegative, createIntConstant(b, loc, type, -1), sign);
}

//===----------------------------------------------------------------------===//
// Binary
//===----------------------------------------------------------------------===//

Value AddOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildBinary<AddOp, arith::AddFOp, arith::AddIOp, arith::AddIOp>(
      *this, b, loc, x);
}

Value SubOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildBinary<SubOp, arith::SubFOp, arith::SubIOp, arith::SubIOp>(
      *this, b, loc, x);
}

Value MulOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildBinary<MulOp, arith::MulFOp, arith::MulIOp, arith::MulIOp>(
      *this, b, loc, x);
}

Value MaxOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildBinary<MaxOp, arith::MaximumFOp, arith::MaxSIOp, arith::MaxUIOp>(
      *this, b, loc, x);
}

Value MinOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return buildBinary<MinOp, arith::MinimumFOp, arith::MinSIOp, arith::MinUIOp>(
      *this, b, loc, x);
}

Value AndOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return arith::AndIOp::create(b, loc, x[0], x[1]);
}

Value OrOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return arith::OrIOp::create(b, loc, x[0], x[1]);
}

Value XorOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return arith::XOrIOp::create(b, loc, x[0], x[1]);
}

/// The divisor with what traps replaced by one: zero, and minus one, whose
/// quotient with the smallest integer overflows.
static Value getSafeDivisor(OpBuilder &b, Location loc, Value divisor,
                            Value isZero, Value isMinusOne) {
  Value one = createIntConstant(b, loc, divisor.getType(), 1);
  Value traps = isZero;
  if (isMinusOne)
    traps = arith::OrIOp::create(b, loc, isZero, isMinusOne);
  return select(b, loc, traps, one, divisor);
}

/// Integer quotients by zero are zero, so that nothing traps.
Value DivOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Type elementType = getResult().getType().getElementType();
  if (isa<FloatType>(elementType))
    return buildBinary<DivOp, arith::DivFOp, arith::DivSIOp, arith::DivUIOp>(
        *this, b, loc, x);
  Value zero = createIntConstant(b, loc, x[1].getType(), 0);
  Value isZero = compareInts(b, loc, arith::CmpIPredicate::eq, x[1], zero);
  if (isUnsigned(elementType)) {
    Value divisor = getSafeDivisor(b, loc, x[1], isZero, Value());
    Value quotient = arith::DivUIOp::create(b, loc, x[0], divisor);
    return select(b, loc, isZero, zero, quotient);
  }
  Value isMinusOne = compareInts(b, loc, arith::CmpIPredicate::eq, x[1], -1);
  Value divisor = getSafeDivisor(b, loc, x[1], isZero, isMinusOne);
  Value quotient = arith::DivSIOp::create(b, loc, x[0], divisor);
  quotient = select(b, loc, isMinusOne, negateInt(b, loc, x[0]), quotient);
  return select(b, loc, isZero, zero, quotient);
}

/// Integer remainders by zero are zero; those by one, which replaces the
/// divisors that trap, are zero as well.
Value RemOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Type elementType = getResult().getType().getElementType();
  if (isa<FloatType>(elementType))
    return buildBinary<RemOp, arith::RemFOp, arith::RemSIOp, arith::RemUIOp>(
        *this, b, loc, x);
  Value isZero = compareInts(b, loc, arith::CmpIPredicate::eq, x[1], 0);
  Value isMinusOne;
  if (!isUnsigned(elementType))
    isMinusOne = compareInts(b, loc, arith::CmpIPredicate::eq, x[1], -1);
  Value divisor = getSafeDivisor(b, loc, x[1], isZero, isMinusOne);
  if (isUnsigned(elementType))
    return arith::RemUIOp::create(b, loc, x[0], divisor);
  return arith::RemSIOp::create(b, loc, x[0], divisor);
}

/// Squares and multiplies while the exponent has bits left. Integers wrap.
static Value buildIntPower(OpBuilder &b, Location loc, Value base,
                           Value exponent) {
  Type type = base.getType();
  Value one = createIntConstant(b, loc, type, 1);
  Value zero = createIntConstant(b, loc, type, 0);
  SmallVector<Type> types(3, type);
  auto loop = scf::WhileOp::create(
      b, loc, types, ValueRange{one, base, exponent},
      [&](OpBuilder &nested, Location, ValueRange args) {
        Value more =
            compareInts(nested, loc, arith::CmpIPredicate::ne, args[2], zero);
        scf::ConditionOp::create(nested, loc, more, args);
      },
      [&](OpBuilder &nested, Location, ValueRange args) {
        Value low = arith::AndIOp::create(nested, loc, args[2], one);
        Value isOdd =
            compareInts(nested, loc, arith::CmpIPredicate::ne, low, zero);
        Value product = arith::MulIOp::create(nested, loc, args[0], args[1]);
        Value power = select(nested, loc, isOdd, product, args[0]);
        Value square = arith::MulIOp::create(nested, loc, args[1], args[1]);
        Value rest = zero;
        if (type.getIntOrFloatBitWidth() > 1)
          rest = arith::ShRUIOp::create(nested, loc, args[2], one);
        scf::YieldOp::create(nested, loc, ValueRange{power, square, rest});
      });
  return loop.getResult(0);
}

/// A negative power of an integer truncates to zero, except of one and minus
/// one, which are their own inverses.
Value PowOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Type elementType = getResult().getType().getElementType();
  if (isa<FloatType>(elementType))
    return computeFloat(
        b, loc, x, [](ImplicitLocOpBuilder &b, ArrayRef<Value> x) -> Value {
          return math::PowFOp::create(b, x[0], x[1]);
        });
  if (isUnsigned(elementType))
    return buildIntPower(b, loc, x[0], x[1]);
  Value minus = negateInt(b, loc, x[1]);
  Value isNegative = compareInts(b, loc, arith::CmpIPredicate::slt, x[1], 0);
  Value exponent = select(b, loc, isNegative, minus, x[1]);
  Value power = buildIntPower(b, loc, x[0], exponent);
  Value isOne = compareInts(b, loc, arith::CmpIPredicate::eq, x[0], 1);
  Value isMinusOne = compareInts(b, loc, arith::CmpIPredicate::eq, x[0], -1);
  Value isUnit = arith::OrIOp::create(b, loc, isOne, isMinusOne);
  Value zero = createIntConstant(b, loc, power.getType(), 0);
  Value inverse = select(b, loc, isUnit, power, zero);
  return select(b, loc, isNegative, inverse, power);
}

/// Whether a shift amount, read as unsigned, is below the width.
static Value isShiftInRange(OpBuilder &b, Location loc, Value amount) {
  unsigned width =
      getElementTypeOrSelf(amount.getType()).getIntOrFloatBitWidth();
  return compareInts(b, loc, arith::CmpIPredicate::ule, amount,
                     static_cast<int64_t>(width) - 1);
}

Value ShlOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Value zero = createIntConstant(b, loc, x[0].getType(), 0);
  Value inRange = isShiftInRange(b, loc, x[1]);
  Value amount = select(b, loc, inRange, x[1], zero);
  Value shifted = arith::ShLIOp::create(b, loc, x[0], amount);
  return select(b, loc, inRange, shifted, zero);
}

Value ShrOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Type type = x[0].getType();
  Value inRange = isShiftInRange(b, loc, x[1]);
  if (isUnsigned(getResult().getType().getElementType())) {
    Value zero = createIntConstant(b, loc, type, 0);
    Value amount = select(b, loc, inRange, x[1], zero);
    Value shifted = arith::ShRUIOp::create(b, loc, x[0], amount);
    return select(b, loc, inRange, shifted, zero);
  }
  unsigned width = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  Value most = createIntConstant(b, loc, type, width - 1);
  Value amount = select(b, loc, inRange, x[1], most);
  return arith::ShRSIOp::create(b, loc, x[0], amount);
}

//===----------------------------------------------------------------------===//
// Predicates, selection, conversion
//===----------------------------------------------------------------------===//

static arith::CmpFPredicate getFloatPredicate(ComparePredicate predicate) {
  switch (predicate) {
  case ComparePredicate::eq:
    return arith::CmpFPredicate::OEQ;
  case ComparePredicate::ne:
    return arith::CmpFPredicate::UNE;
  case ComparePredicate::lt:
    return arith::CmpFPredicate::OLT;
  case ComparePredicate::le:
    return arith::CmpFPredicate::OLE;
  case ComparePredicate::gt:
    return arith::CmpFPredicate::OGT;
  case ComparePredicate::ge:
    return arith::CmpFPredicate::OGE;
  }
  llvm_unreachable("all predicates are handled");
}

static arith::CmpIPredicate getIntPredicate(ComparePredicate predicate,
                                            bool isUnsigned) {
  switch (predicate) {
  case ComparePredicate::eq:
    return arith::CmpIPredicate::eq;
  case ComparePredicate::ne:
    return arith::CmpIPredicate::ne;
  case ComparePredicate::lt:
    return isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
  case ComparePredicate::le:
    return isUnsigned ? arith::CmpIPredicate::ule : arith::CmpIPredicate::sle;
  case ComparePredicate::gt:
    return isUnsigned ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt;
  case ComparePredicate::ge:
    return isUnsigned ? arith::CmpIPredicate::uge : arith::CmpIPredicate::sge;
  }
  llvm_unreachable("all predicates are handled");
}

Value CompareOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Type elementType = getLhs().getType().getElementType();
  if (isa<FloatType>(elementType))
    return arith::CmpFOp::create(b, loc, getFloatPredicate(getPredicate()),
                                 widenFloat(b, loc, x[0]),
                                 widenFloat(b, loc, x[1]));
  return compareInts(b, loc,
                     getIntPredicate(getPredicate(), isUnsigned(elementType)),
                     x[0], x[1]);
}

Value IsNanOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Value wide = widenFloat(b, loc, x[0]);
  return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, wide, wide);
}

Value SelectOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return select(b, loc, x[0], x[1], x[2]);
}

Value CastOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  return castElement(b, loc, x[0], getInput().getType().getElementType(),
                     getResult().getType().getElementType(), getSaturate());
}

Value BitcastOp::buildScalar(OpBuilder &b, Location loc, ValueRange x) {
  Type scalar = getSignlessType(getResult().getType().getElementType());
  Type type = x[0].getType();
  if (getElementTypeOrSelf(type) == scalar)
    return x[0];
  if (auto shaped = dyn_cast<ShapedType>(type))
    return arith::BitcastOp::create(b, loc, shaped.clone(scalar), x[0]);
  return arith::BitcastOp::create(b, loc, scalar, x[0]);
}
