//===- Elementwise.cpp - Arithmetic, comparisons, conversions -------------===//

#include "Terms.h"
#include <limits>
#include <numbers>

using namespace mlir;
using namespace weft;

template <typename OpTy>
static LogicalResult lowerUnary(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  results.push_back(lower.make<OpTy>(lower.operand(node, 0)));
  return success();
}

template <typename OpTy>
static LogicalResult lowerBinary(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  auto operands =
      lower.broadcast(node, {lower.operand(node, 0), lower.operand(node, 1)});
  if (failed(operands))
    return failure();
  results.push_back(lower.make<OpTy>((*operands)[0], (*operands)[1]));
  return success();
}

template <ComparePredicate predicate>
static LogicalResult lowerCompare(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  auto operands =
      lower.broadcast(node, {lower.operand(node, 0), lower.operand(node, 1)});
  if (failed(operands))
    return failure();
  results.push_back(
      lower.make<CompareOp>(predicate, (*operands)[0], (*operands)[1]));
  return success();
}

/// Max, Min, Sum and Mean take any number of operands.
template <typename OpTy>
static LogicalResult lowerVariadic(Lowering &lower, onnx::Node node,
                                   SmallVectorImpl<Value> &results) {
  SmallVector<Value> operands;
  for (unsigned i = 0; i < node.getNumOperands(); ++i)
    operands.push_back(lower.operand(node, i));
  auto common = lower.broadcast(node, operands);
  if (failed(common))
    return failure();
  Value result = common->front();
  for (Value operand : ArrayRef(*common).drop_front())
    result = lower.make<OpTy>(result, operand);
  results.push_back(result);
  return success();
}

static LogicalResult lowerMean(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  if (failed(lowerVariadic<AddOp>(lower, node, results)))
    return failure();
  results[0] = Terms(lower, node).div(results[0], node.getNumOperands());
  return success();
}

static LogicalResult lowerReciprocal(Lowering &lower, onnx::Node node,
                                     SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  Terms f(lower, node);
  results.push_back(f.div(f.number(1, x), x));
  return success();
}

//===----------------------------------------------------------------------===//
// Mod and Pow
//===----------------------------------------------------------------------===//

static LogicalResult lowerMod(Lowering &lower, onnx::Node node,
                              SmallVectorImpl<Value> &results) {
  auto operands =
      lower.broadcast(node, {lower.operand(node, 0), lower.operand(node, 1)});
  if (failed(operands))
    return failure();
  Value a = (*operands)[0], b = (*operands)[1];
  Value remainder = lower.make<RemOp>(a, b);
  results.push_back(remainder);
  if (node.getInt("fmod", 0) || Lowering::elementOf(a).isUnsignedInteger())
    return success();
  // The result has the divisor's sign, as in Python.
  Terms f(lower, node);
  Value isNegative = f.compare(ComparePredicate::lt, remainder, 0);
  Value wantsNegative = f.compare(ComparePredicate::lt, b, 0);
  Value isOff = f.both(f.compare(ComparePredicate::ne, remainder, 0),
                       lower.make<XorOp>(isNegative, wantsNegative));
  results[0] = f.select(isOff, f.add(remainder, b), remainder);
  if (!isa<FloatType>(Lowering::elementOf(a)))
    return success();
  // So has a remainder of zero.
  Value zero = f.select(wantsNegative, -0.0, f.number(0, b));
  Value isZero = f.compare(ComparePredicate::eq, remainder, 0);
  results[0] = f.select(isZero, zero, results[0]);
  return success();
}

/// `base` to a constant power that is a few products; null for others.
static Value smallPower(Terms &f, Value base, double exponent) {
  if (exponent == 1)
    return base;
  if (exponent == 2)
    return f.mul(base, base);
  if (exponent == 3)
    return f.mul(f.mul(base, base), base);
  return {};
}

static LogicalResult lowerPow(Lowering &lower, onnx::Node node,
                              SmallVectorImpl<Value> &results) {
  Value base = lower.operand(node, 0), exponent = lower.operand(node, 1);
  Terms f(lower, node);
  std::optional<HostTensor> constant = lower.constantOf(exponent);
  if (constant && constant->getNumElements() == 1 &&
      constant->getRank() <= Lowering::rankOf(base)) {
    if (Value power = smallPower(f, base, constant->getFloat(0))) {
      results.push_back(power);
      return success();
    }
  }
  // An integer to a fractional power is computed in the exponent's type.
  Type type = Lowering::elementOf(base);
  Type common = isa<IntegerType>(type) ? Lowering::elementOf(exponent) : type;
  if (isa<IntegerType>(common))
    common = type;
  auto operands = lower.broadcast(
      node, {lower.cast(base, common), lower.cast(exponent, common)});
  if (failed(operands))
    return failure();
  results.push_back(
      lower.cast(lower.make<PowOp>((*operands)[0], (*operands)[1]), type));
  return success();
}

//===----------------------------------------------------------------------===//
// Bits, predicates, selection
//===----------------------------------------------------------------------===//

static LogicalResult lowerBitShift(Lowering &lower, onnx::Node node,
                                   SmallVectorImpl<Value> &results) {
  StringRef direction = node.getString("direction", "");
  if (direction == "LEFT")
    return lowerBinary<ShlOp>(lower, node, results);
  if (direction == "RIGHT")
    return lowerBinary<ShrOp>(lower, node, results);
  return lower.fail(node, "direction '" + direction +
                              "' is neither 'LEFT' nor 'RIGHT'");
}

/// Small floats have no arithmetic; f32 holds all their values.
static Value widened(Lowering &lower, Value value) {
  auto type = dyn_cast<FloatType>(Lowering::elementOf(value));
  if (type && type.getWidth() < 16)
    return lower.cast(value, lower.b.getF32Type());
  return value;
}

static LogicalResult lowerIsNaN(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  results.push_back(
      lower.make<IsNanOp>(widened(lower, lower.operand(node, 0))));
  return success();
}

static LogicalResult lowerIsInf(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  Value x = widened(lower, lower.operand(node, 0));
  Terms f(lower, node);
  double infinity = std::numeric_limits<double>::infinity();
  bool up = node.getInt("detect_positive", 1);
  bool down = node.getInt("detect_negative", 1);
  if (up && down)
    x = lower.make<AbsOp>(x);
  // Nothing is both at once.
  if (!up && !down)
    results.push_back(f.compare(ComparePredicate::lt, x, x));
  else
    results.push_back(
        f.compare(ComparePredicate::eq, x, up ? infinity : -infinity));
  return success();
}

static LogicalResult lowerWhere(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  auto operands =
      lower.broadcast(node, {lower.operand(node, 0), lower.operand(node, 1),
                             lower.operand(node, 2)});
  if (failed(operands))
    return failure();
  results.push_back(
      lower.make<SelectOp>((*operands)[0], (*operands)[1], (*operands)[2]));
  return success();
}

static LogicalResult lowerClip(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  Terms f(lower, node);
  if (Value low = lower.operand(node, 1))
    x = f.max(x, lower.reshape(low, {}));
  if (Value high = lower.operand(node, 2))
    x = f.min(x, lower.reshape(high, {}));
  results.push_back(x);
  return f.isBroken() ? failure() : success();
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

/// Rounds to a power of two, "up" to the next one or "down" to the previous, by
/// the bits of f32.
static Value roundToPowerOfTwo(Lowering &lower, onnx::Node node, Value value,
                               StringRef mode) {
  Terms f(lower, node);
  Value x = lower.cast(value, lower.b.getF32Type());
  auto bitsType = Lowering::typeOf(x).clone(lower.b.getI32Type());
  Value bits = lower.make<BitcastOp>(bitsType, x);
  if (mode == "up")
    bits = f.add(bits, 0x007fffff);
  else if (mode == "nearest")
    bits = f.add(bits, 0x00400000);
  bits = lower.make<AndOp>(bits, f.number(0x7f800000, bits));
  Value rounded = lower.make<BitcastOp>(Lowering::typeOf(x), bits);
  return f.select(lower.make<IsNanOp>(x), x, rounded);
}

static LogicalResult lowerCastTo(Lowering &lower, onnx::Node node, Type type,
                                 SmallVectorImpl<Value> &results) {
  Value value = lower.operand(node, 0);
  auto small = dyn_cast<FloatType>(type);
  bool saturate = small && small.getWidth() < 16 && node.getInt("saturate", 1);
  if (isa<Float8E8M0FNUType>(type) && Lowering::elementOf(value) != type)
    value = roundToPowerOfTwo(lower, node, value,
                              node.getString("round_mode", "up"));
  if (Lowering::elementOf(value) == type)
    results.push_back(value);
  else
    results.push_back(lower.make<CastOp>(Lowering::typeOf(value).clone(type),
                                         value, saturate));
  return success();
}

/// The element type that the model's types give to the first result.
static Type getResultElement(onnx::Node node) {
  return cast<ShapedType>(node.getOperation()->getResult(0).getType())
      .getElementType();
}

static LogicalResult lowerCast(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  return lowerCastTo(lower, node, getResultElement(node), results);
}

static LogicalResult lowerCastLike(Lowering &lower, onnx::Node node,
                                   SmallVectorImpl<Value> &results) {
  return lowerCastTo(lower, node, Lowering::elementOf(lower.operand(node, 1)),
                     results);
}

static LogicalResult lowerBitCast(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  Value value = lower.operand(node, 0);
  Type from = Lowering::elementOf(value), to = getResultElement(node);
  // A boolean takes a byte in ONNX, which is 0 or 1.
  if (from.isInteger(1) || to.isInteger(1) || from == to)
    results.push_back(lower.cast(value, to));
  else
    results.push_back(
        lower.make<BitcastOp>(Lowering::typeOf(value).clone(to), value));
  return success();
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

static void addUnary(LoweringTable &table) {
  table["Abs"] = lowerUnary<AbsOp>;
  table["Acos"] = lowerUnary<AcosOp>;
  table["Acosh"] = lowerUnary<AcoshOp>;
  table["Asin"] = lowerUnary<AsinOp>;
  table["Asinh"] = lowerUnary<AsinhOp>;
  table["Atan"] = lowerUnary<AtanOp>;
  table["Atanh"] = lowerUnary<AtanhOp>;
  table["BitwiseNot"] = lowerUnary<NotOp>;
  table["Ceil"] = lowerUnary<CeilOp>;
  table["Cos"] = lowerUnary<CosOp>;
  table["Cosh"] = lowerUnary<CoshOp>;
  table["Erf"] = lowerUnary<ErfOp>;
  table["Exp"] = lowerUnary<ExpOp>;
  table["Floor"] = lowerUnary<FloorOp>;
  table["Log"] = lowerUnary<LogOp>;
  table["Neg"] = lowerUnary<NegOp>;
  table["Not"] = lowerUnary<NotOp>;
  table["Round"] = lowerUnary<RoundOp>;
  table["Sigmoid"] = lowerUnary<LogisticOp>;
  table["Sign"] = lowerUnary<SignOp>;
  table["Sin"] = lowerUnary<SinOp>;
  table["Sinh"] = lowerUnary<SinhOp>;
  table["Sqrt"] = lowerUnary<SqrtOp>;
  table["Tan"] = lowerUnary<TanOp>;
  table["Tanh"] = lowerUnary<TanhOp>;
}

static void addBinary(LoweringTable &table) {
  table["Add"] = lowerBinary<AddOp>;
  table["And"] = lowerBinary<AndOp>;
  table["BitwiseAnd"] = lowerBinary<AndOp>;
  table["BitwiseOr"] = lowerBinary<OrOp>;
  table["BitwiseXor"] = lowerBinary<XorOp>;
  table["Div"] = lowerBinary<DivOp>;
  table["Mul"] = lowerBinary<MulOp>;
  table["Or"] = lowerBinary<OrOp>;
  table["Sub"] = lowerBinary<SubOp>;
  table["Xor"] = lowerBinary<XorOp>;
  table["Equal"] = lowerCompare<ComparePredicate::eq>;
  table["Greater"] = lowerCompare<ComparePredicate::gt>;
  table["GreaterOrEqual"] = lowerCompare<ComparePredicate::ge>;
  table["Less"] = lowerCompare<ComparePredicate::lt>;
  table["LessOrEqual"] = lowerCompare<ComparePredicate::le>;
}

void weft::addElementwiseLowerings(LoweringTable &table) {
  addUnary(table);
  addBinary(table);
  table["BitCast"] = lowerBitCast;
  table["BitShift"] = lowerBitShift;
  table["Cast"] = lowerCast;
  table["CastLike"] = lowerCastLike;
  table["Clip"] = lowerClip;
  table["IsInf"] = lowerIsInf;
  table["IsNaN"] = lowerIsNaN;
  table["Max"] = lowerVariadic<MaxOp>;
  table["Mean"] = lowerMean;
  table["Min"] = lowerVariadic<MinOp>;
  table["Mod"] = lowerMod;
  table["Pow"] = lowerPow;
  table["Reciprocal"] = lowerReciprocal;
  table["Sum"] = lowerVariadic<AddOp>;
  table["Where"] = lowerWhere;
}
