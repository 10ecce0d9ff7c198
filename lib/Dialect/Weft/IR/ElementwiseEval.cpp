//===- ElementwiseEval.cpp - Reference evaluation of elementwise ops ------===//
//
// Floats are computed in f64 and rounded once. Integers are computed in 64 bits
// and cut to their width.
//
//===----------------------------------------------------------------------===//

#include "Elementwise.h"
#include "SmallFloat.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace weft;
using namespace weft::detail;

using Results = FailureOr<SmallVector<HostTensor>>;
using Operands = ArrayRef<HostTensor>;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// A tensor of the op's result type with the sizes of the first operand.
static HostTensor createResult(Operation *op, Operands operands) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  return HostTensor(RankedTensorType::get(operands.front().getShape(),
                                          type.getElementType()));
}

/// Fails where the operands' sizes, which the types left open, differ.
static LogicalResult checkShapes(Operation *op, Operands operands) {
  for (const HostTensor &operand : operands.drop_front())
    if (operand.getShape() != operands.front().getShape())
      return op->emitOpError("has operands of different shapes, ")
             << operands.front().getType() << " and " << operand.getType();
  return success();
}

using Compute = llvm::function_ref<void(HostTensor &, int64_t)>;

/// Calls `compute` with the result and each position in it.
static Results mapElements(Operation *op, Operands operands, Compute compute) {
  if (failed(checkShapes(op, operands)))
    return failure();
  HostTensor result = createResult(op, operands);
  for (int64_t i = 0, e = result.getNumElements(); i < e; ++i)
    compute(result, i);
  return SmallVector<HostTensor>{result};
}

static Results mapFloats(Operation *op, Operands x, double (*f)(double)) {
  return mapElements(op, x, [&](HostTensor &y, int64_t i) {
    y.setFloat(i, f(x[0].getFloat(i)));
  });
}

static Results mapInts(Operation *op, Operands x, int64_t (*f)(int64_t)) {
  return mapElements(
      op, x, [&](HostTensor &y, int64_t i) { y.setInt(i, f(x[0].getInt(i))); });
}

static Results mapFloats(Operation *op, Operands x,
                         double (*f)(double, double)) {
  return mapElements(op, x, [&](HostTensor &y, int64_t i) {
    y.setFloat(i, f(x[0].getFloat(i), x[1].getFloat(i)));
  });
}

/// `f` may be of unsigned integers, for ops where that matters.
template <typename Int>
static Results mapInts(Operation *op, Operands x, Int (*f)(Int, Int)) {
  return mapElements(op, x, [&](HostTensor &y, int64_t i) {
    y.setInt(i, static_cast<int64_t>(f(static_cast<Int>(x[0].getInt(i)),
                                       static_cast<Int>(x[1].getInt(i)))));
  });
}

/// A binary op for which unsigned integers differ from signed ones.
static Results mapNumbers(Operation *op, Operands x,
                          double (*f)(double, double),
                          int64_t (*s)(int64_t, int64_t),
                          uint64_t (*u)(uint64_t, uint64_t)) {
  Type elementType = x[0].getElementType();
  if (isa<FloatType>(elementType))
    return mapFloats(op, x, f);
  return isUnsigned(elementType) ? mapInts(op, x, u) : mapInts(op, x, s);
}

/// A binary op for which the low bits do not depend on the sign.
static Results mapWrapping(Operation *op, Operands x,
                           double (*f)(double, double),
                           uint64_t (*u)(uint64_t, uint64_t)) {
  if (isa<FloatType>(x[0].getElementType()))
    return mapFloats(op, x, f);
  return mapInts(op, x, u);
}

static int64_t negate(int64_t x) {
  return static_cast<int64_t>(-static_cast<uint64_t>(x));
}

//===----------------------------------------------------------------------===//
// Unary
//===----------------------------------------------------------------------===//

Results AcosOp::evaluate(Operands x) { return mapFloats(*this, x, std::acos); }
Results AcoshOp::evaluate(Operands x) {
  return mapFloats(*this, x, std::acosh);
}
Results AsinOp::evaluate(Operands x) { return mapFloats(*this, x, std::asin); }
Results AsinhOp::evaluate(Operands x) {
  return mapFloats(*this, x, std::asinh);
}
Results AtanOp::evaluate(Operands x) { return mapFloats(*this, x, std::atan); }
Results AtanhOp::evaluate(Operands x) {
  return mapFloats(*this, x, std::atanh);
}
Results CeilOp::evaluate(Operands x) { return mapFloats(*this, x, std::ceil); }
Results CosOp::evaluate(Operands x) { return mapFloats(*this, x, std::cos); }
Results CoshOp::evaluate(Operands x) { return mapFloats(*this, x, std::cosh); }
Results ErfOp::evaluate(Operands x) { return mapFloats(*this, x, std::erf); }
Results ExpOp::evaluate(Operands x) { return mapFloats(*this, x, std::exp); }
Results FloorOp::evaluate(Operands x) {
  return mapFloats(*this, x, std::floor);
}
Results LogOp::evaluate(Operands x) { return mapFloats(*this, x, std::log); }
Results SinOp::evaluate(Operands x) { return mapFloats(*this, x, std::sin); }
Results SinhOp::evaluate(Operands x) { return mapFloats(*this, x, std::sinh); }
Results SqrtOp::evaluate(Operands x) { return mapFloats(*this, x, std::sqrt); }
Results TanOp::evaluate(Operands x) { return mapFloats(*this, x, std::tan); }
Results TanhOp::evaluate(Operands x) { return mapFloats(*this, x, std::tanh); }

Results RoundOp::evaluate(Operands x) {
  // The rounding mode of the process is the default one, ties to even.
  return mapFloats(*this, x, std::nearbyint);
}

Results LogisticOp::evaluate(Operands x) {
  return mapFloats(*this, x, +[](double x) { return 1 / (1 + std::exp(-x)); });
}

Results AbsOp::evaluate(Operands x) {
  Type elementType = x[0].getElementType();
  if (isa<FloatType>(elementType))
    return mapFloats(*this, x, std::fabs);
  if (isUnsigned(elementType))
    return SmallVector<HostTensor>{x[0]};
  return mapInts(*this, x, +[](int64_t x) { return x < 0 ? negate(x) : x; });
}

Results NegOp::evaluate(Operands x) {
  if (isa<FloatType>(x[0].getElementType()))
    return mapFloats(*this, x, +[](double x) { return -x; });
  return mapInts(*this, x, negate);
}

Results NotOp::evaluate(Operands x) {
  return mapInts(*this, x, +[](int64_t x) { return ~x; });
}

Results SignOp::evaluate(Operands x) {
  if (isa<FloatType>(x[0].getElementType()))
    return mapFloats(
        *this, x, +[](double x) {
          return std::isnan(x) ? x : double((x > 0) - (x < 0));
        });
  if (isUnsigned(x[0].getElementType()))
    return mapInts(*this, x, +[](int64_t x) { return int64_t(x != 0); });
  return mapInts(
      *this, x, +[](int64_t x) { return int64_t((x > 0) - (x < 0)); });
}

//===----------------------------------------------------------------------===//
// Binary
//===----------------------------------------------------------------------===//

Results AddOp::evaluate(Operands x) {
  return mapWrapping(
      *this, x, +[](double a, double b) { return a + b; },
      +[](uint64_t a, uint64_t b) { return a + b; });
}

Results SubOp::evaluate(Operands x) {
  return mapWrapping(
      *this, x, +[](double a, double b) { return a - b; },
      +[](uint64_t a, uint64_t b) { return a - b; });
}

Results MulOp::evaluate(Operands x) {
  return mapWrapping(
      *this, x, +[](double a, double b) { return a * b; },
      +[](uint64_t a, uint64_t b) { return a * b; });
}

Results AndOp::evaluate(Operands x) {
  return mapInts(*this, x, +[](uint64_t a, uint64_t b) { return a & b; });
}

Results OrOp::evaluate(Operands x) {
  return mapInts(*this, x, +[](uint64_t a, uint64_t b) { return a | b; });
}

Results XorOp::evaluate(Operands x) {
  return mapInts(*this, x, +[](uint64_t a, uint64_t b) { return a ^ b; });
}

static double maximum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::numeric_limits<double>::quiet_NaN();
  // Plus zero is above minus zero.
  if (a == b)
    return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

static double minimum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::numeric_limits<double>::quiet_NaN();
  if (a == b)
    return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

Results MaxOp::evaluate(Operands x) {
  return mapNumbers(
      *this, x, maximum, +[](int64_t a, int64_t b) { return std::max(a, b); },
      +[](uint64_t a, uint64_t b) { return std::max(a, b); });
}

Results MinOp::evaluate(Operands x) {
  return mapNumbers(
      *this, x, minimum, +[](int64_t a, int64_t b) { return std::min(a, b); },
      +[](uint64_t a, uint64_t b) { return std::min(a, b); });
}

Results DivOp::evaluate(Operands x) {
  return mapNumbers(
      *this, x, +[](double a, double b) { return a / b; },
      +[](int64_t a, int64_t b) {
        return b == 0 ? 0 : b == -1 ? negate(a) : a / b;
      },
      +[](uint64_t a, uint64_t b) { return b == 0 ? 0 : a / b; });
}

Results RemOp::evaluate(Operands x) {
  return mapNumbers(
      *this, x, std::fmod,
      +[](int64_t a, int64_t b) {
        return b == 0 || b == -1 ? int64_t(0) : a % b;
      },
      +[](uint64_t a, uint64_t b) { return b == 0 ? 0 : a % b; });
}

static uint64_t powerOf(uint64_t base, uint64_t exponent) {
  uint64_t power = 1;
  for (; exponent != 0; exponent >>= 1, base *= base)
    if (exponent & 1)
      power *= base;
  return power;
}

static int64_t signedPowerOf(int64_t base, int64_t exponent) {
  if (exponent >= 0)
    return static_cast<int64_t>(powerOf(base, exponent));
  // The inverse truncates to zero unless the base is its own inverse.
  if (base == 1 || base == -1)
    return exponent % 2 == 0 ? 1 : base;
  return 0;
}

Results PowOp::evaluate(Operands x) {
  return mapNumbers(*this, x, std::pow, signedPowerOf, powerOf);
}

Results ShlOp::evaluate(Operands x) {
  uint64_t width = x[0].getElementType().getIntOrFloatBitWidth();
  return mapElements(*this, x, [&](HostTensor &y, int64_t i) {
    auto amount = static_cast<uint64_t>(x[1].getInt(i));
    auto value = static_cast<uint64_t>(x[0].getInt(i));
    y.setInt(i, amount < width ? static_cast<int64_t>(value << amount) : 0);
  });
}

Results ShrOp::evaluate(Operands x) {
  uint64_t width = x[0].getElementType().getIntOrFloatBitWidth();
  bool unsign = isUnsigned(x[0].getElementType());
  return mapElements(*this, x, [&](HostTensor &y, int64_t i) {
    auto amount = static_cast<uint64_t>(x[1].getInt(i));
    int64_t value = x[0].getInt(i);
    if (unsign)
      value = amount < width
                  ? static_cast<int64_t>(static_cast<uint64_t>(value) >> amount)
                  : 0;
    else
      value >>= std::min(amount, width - 1);
    y.setInt(i, value);
  });
}

//===----------------------------------------------------------------------===//
// Predicates, selection, conversion
//===----------------------------------------------------------------------===//

template <typename Number>
static bool compare(ComparePredicate predicate, Number a, Number b) {
  switch (predicate) {
  case ComparePredicate::eq:
    return a == b;
  case ComparePredicate::ne:
    return a != b;
  case ComparePredicate::lt:
    return a < b;
  case ComparePredicate::le:
    return a <= b;
  case ComparePredicate::gt:
    return a > b;
  case ComparePredicate::ge:
    return a >= b;
  }
  llvm_unreachable("all predicates are handled");
}

Results CompareOp::evaluate(Operands x) {
  Type elementType = x[0].getElementType();
  ComparePredicate predicate = getPredicate();
  return mapElements(*this, x, [&](HostTensor &y, int64_t i) {
    bool holds;
    if (isa<FloatType>(elementType))
      holds = compare(predicate, x[0].getFloat(i), x[1].getFloat(i));
    else if (isUnsigned(elementType))
      holds = compare(predicate, static_cast<uint64_t>(x[0].getInt(i)),
                      static_cast<uint64_t>(x[1].getInt(i)));
    else
      holds = compare(predicate, x[0].getInt(i), x[1].getInt(i));
    y.setInt(i, holds);
  });
}

Results IsNanOp::evaluate(Operands x) {
  return mapElements(*this, x, [&](HostTensor &y, int64_t i) {
    y.setInt(i, std::isnan(x[0].getFloat(i)));
  });
}

Results SelectOp::evaluate(Operands x) {
  return mapElements(*this, x, [&](HostTensor &y, int64_t i) {
    y.copyElement(i, x[0].getInt(i) ? x[1] : x[2], i);
  });
}

Results BitcastOp::evaluate(Operands x) {
  auto type = RankedTensorType::get(x[0].getShape(),
                                    getResult().getType().getElementType());
  HostTensor result(type);
  llvm::copy(x[0].getBytes(), result.getMutableBytes().begin());
  return SmallVector<HostTensor>{result};
}

/// What x86 makes of a float that is converted to an integer: the instruction
/// for 32 bits serves the narrow types, and yields the smallest integer where
/// the value does not fit.
static int64_t truncateToInt(double value, Type to) {
  unsigned width = to.getIntOrFloatBitWidth();
  if (to.isUnsignedInteger(64) && value >= 0x1p63)
    return value < 0x1p64 ? static_cast<int64_t>(static_cast<uint64_t>(value))
                          : -1;
  bool isNarrow = width < 32 || (width == 32 && !to.isUnsignedInteger());
  double end = isNarrow ? 0x1p31 : 0x1p63;
  double truncated = std::trunc(value);
  if (!(truncated >= -end && truncated < end))
    return isNarrow ? std::numeric_limits<int32_t>::min()
                    : std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(truncated);
}

static int64_t clampToInt(double value, Type to) {
  unsigned width = to.getIntOrFloatBitWidth();
  bool unsign = isUnsigned(to);
  if (std::isnan(value))
    return 0;
  int64_t lowest = unsign ? 0 : -1LL << (width - 1);
  if (value <= static_cast<double>(lowest))
    return lowest;
  // -1 stands for the largest unsigned integer; the width cuts it.
  if (value >= std::ldexp(1.0, unsign ? width : width - 1))
    return unsign ? -1 : ~lowest;
  return unsign ? static_cast<int64_t>(static_cast<uint64_t>(value))
                : static_cast<int64_t>(value);
}

/// The largest finite number of a small float type.
static double getLargest(FloatType type) {
  APFloat largest = APFloat::getLargest(type.getFloatSemantics());
  bool losesInfo;
  largest.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
  return largest.convertToDouble();
}

/// Rounds `value` to element `i`. What overflows, infinity among it, becomes
/// the largest finite number where casts saturate.
static void castToFloat(HostTensor &y, int64_t i, double value, bool saturate) {
  y.setFloat(i, value);
  auto type = cast<FloatType>(y.getElementType());
  bool isSmall = getSmallFloat(type) || isa<Float8E8M0FNUType>(type);
  if (!isSmall || !saturate || std::isfinite(y.getFloat(i)))
    return;
  // f8E8M0FNU saturates what rounding takes beyond its largest number, but
  // infinity stays NaN.
  if (isa<Float8E8M0FNUType>(type)) {
    if (std::isfinite(static_cast<float>(value)))
      y.setFloat(i, 0x1p127);
    return;
  }
  if (!std::isnan(value))
    y.setFloat(i, std::copysign(getLargest(type), value));
}

Results CastOp::evaluate(Operands x) {
  Type from = x[0].getElementType();
  Type to = getResult().getType().getElementType();
  bool saturate = getSaturate();
  if (from == to)
    return SmallVector<HostTensor>{x[0]};
  return mapElements(*this, x, [&](HostTensor &y, int64_t i) {
    bool isFloat = isa<FloatType>(from);
    if (to.isInteger(1))
      return y.setInt(i, isFloat ? x[0].getFloat(i) != 0 : x[0].getInt(i) != 0);
    if (isa<FloatType>(to)) {
      // An i64 is rounded once on its way to f32.
      if (to.isF32() && !isFloat && !isUnsigned(from))
        return y.setFloat(i, static_cast<float>(x[0].getInt(i)));
      if (to.isF32() && !isFloat)
        return y.setFloat(
            i, static_cast<float>(static_cast<uint64_t>(x[0].getInt(i))));
      return castToFloat(y, i, x[0].getFloat(i), saturate);
    }
    if (!isFloat)
      return y.setInt(i, x[0].getInt(i));
    double value = x[0].getFloat(i);
    y.setInt(i, saturate ? clampToInt(value, to) : truncateToInt(value, to));
  });
}
