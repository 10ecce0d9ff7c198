//===- Activation.cpp - Activation functions ------------------------------===//

#include "Terms.h"
#include <cmath>
#include <numbers>

using namespace mlir;
using namespace weft;

/// A rule that is a formula of the node's first operand.
using Formula = Value (*)(Terms &f, onnx::Node node, Value x);

template <Formula formula>
static LogicalResult lowerFormula(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  Terms f(lower, node);
  results.push_back(formula(f, node, lower.operand(node, 0)));
  return f.isBroken() ? failure() : success();
}

static Value isNegative(Terms &f, Value x) {
  return f.compare(ComparePredicate::lt, x, 0);
}

/// Not a maximum, of whose gradient zero would get a share.
static Value relu(Terms &f, onnx::Node, Value x) {
  Value zero = f.number(0, x);
  return f.select(f.compare(ComparePredicate::le, x, zero), zero, x);
}

static Value leakyRelu(Terms &f, onnx::Node node, Value x) {
  return f.select(isNegative(f, x), f.mul(x, node.getFloat("alpha", 0.01f)), x);
}

static Value thresholdedRelu(Terms &f, onnx::Node node, Value x) {
  Value isAbove =
      f.compare(ComparePredicate::gt, x, node.getFloat("alpha", 1.0f));
  return f.select(isAbove, x, 0);
}

/// scale * (exp(x) - 1)
static Value scaledExponential(Terms &f, Value x, double scale) {
  return f.mul(f.sub(f.unary<ExpOp>(x), 1), scale);
}

static Value elu(Terms &f, onnx::Node node, Value x) {
  return f.select(isNegative(f, x),
                  scaledExponential(f, x, node.getFloat("alpha", 1.0f)), x);
}

static Value selu(Terms &f, onnx::Node node, Value x) {
  float alpha = node.getFloat("alpha", 1.67326319217681884765625f);
  float gamma = node.getFloat("gamma", 1.05070102214813232421875f);
  return f.mul(f.select(isNegative(f, x), scaledExponential(f, x, alpha), x),
               gamma);
}

static Value celu(Terms &f, onnx::Node node, Value x) {
  float alpha = node.getFloat("alpha", 1.0f);
  return f.select(isNegative(f, x),
                  scaledExponential(f, f.div(x, alpha), alpha), x);
}

static Value gelu(Terms &f, onnx::Node node, Value x) {
  Value inner;
  if (node.getString("approximate", "none") == "tanh") {
    Value cubic = f.mul(f.mul(f.mul(x, x), x), 0.044715);
    inner = f.unary<TanhOp>(
        f.mul(f.add(x, cubic), std::sqrt(2 * std::numbers::inv_pi)));
  } else {
    inner = f.unary<ErfOp>(f.mul(x, std::numbers::sqrt2 / 2));
  }
  return f.mul(f.mul(x, 0.5), f.add(inner, 1));
}

static Value clippedLine(Terms &f, Value x, double alpha, double beta) {
  return f.max(f.min(f.add(f.mul(x, alpha), beta), 1), 0);
}

static Value hardSigmoid(Terms &f, onnx::Node node, Value x) {
  return clippedLine(f, x, node.getFloat("alpha", 0.2f),
                     node.getFloat("beta", 0.5f));
}

static Value hardSwish(Terms &f, onnx::Node, Value x) {
  return f.mul(x, clippedLine(f, x, 1.0 / 6, 0.5));
}

// log(1 + exp(x)) without an exponential that can overflow.
static Value softplus(Terms &f, onnx::Node, Value x) {
  Value tail = f.unary<ExpOp>(f.unary<NegOp>(f.unary<AbsOp>(x)));
  return f.add(f.max(x, 0), f.unary<LogOp>(f.add(tail, 1)));
}

static Value mish(Terms &f, onnx::Node node, Value x) {
  return f.mul(x, f.unary<TanhOp>(softplus(f, node, x)));
}

static Value softsign(Terms &f, onnx::Node, Value x) {
  return f.div(x, f.add(f.unary<AbsOp>(x), 1));
}

static Value swish(Terms &f, onnx::Node node, Value x) {
  float alpha = node.getFloat("alpha", 1.0f);
  Value scaled = alpha == 1.0f ? x : f.mul(x, alpha);
  return f.mul(x, f.unary<LogisticOp>(scaled));
}

static Value shrink(Terms &f, onnx::Node node, Value x) {
  float lambda = node.getFloat("lambd", 0.5f), bias = node.getFloat("bias", 0);
  // Thresholds and bias may be fractions where the elements are integers.
  Value above = f.compare(ComparePredicate::gt, x, lambda);
  Value below = f.compare(ComparePredicate::lt, x, -lambda);
  return f.select(below, f.add(x, bias), f.select(above, f.sub(x, bias), 0));
}

static LogicalResult lowerShrink(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  Type type = Lowering::elementOf(x);
  Terms f(lower, node);
  Type computed = isa<FloatType>(type) ? type : lower.b.getF64Type();
  results.push_back(lower.cast(shrink(f, node, lower.cast(x, computed)), type));
  return f.isBroken() ? failure() : success();
}

/// Before opset 7, a slope of rank one counts along the channels, and
/// conversion to a newer opset leaves it as it is: where it can't be broadcast
/// as such, that is what is meant.
static Value alignSlope(Lowering &lower, Value slope, Value x) {
  ArrayRef<int64_t> shape = Lowering::typeOf(x).getShape();
  if (Lowering::rankOf(slope) != 1 || shape.size() < 3)
    return slope;
  int64_t size = Lowering::typeOf(slope).getDimSize(0);
  if (size == 1 || ShapedType::isDynamic(size) || size == shape.back() ||
      size != shape[1])
    return slope;
  SmallVector<OpFoldResult> perChannel(shape.size() - 1, lower.index(1));
  perChannel[0] = lower.index(size);
  return lower.reshape(slope, perChannel);
}

static LogicalResult lowerPRelu(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  Value slope = alignSlope(lower, lower.operand(node, 1), x);
  Terms f(lower, node);
  results.push_back(f.select(isNegative(f, x), f.mul(x, slope), x));
  return f.isBroken() ? failure() : success();
}

static LogicalResult lowerSwiGLU(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  Terms f(lower, node);
  Value gate = swish(f, node, lower.operand(node, 0));
  results.push_back(f.mul(gate, lower.operand(node, 1)));
  return f.isBroken() ? failure() : success();
}

void weft::addActivationLowerings(LoweringTable &table) {
  table["Celu"] = lowerFormula<celu>;
  table["Elu"] = lowerFormula<elu>;
  table["Gelu"] = lowerFormula<gelu>;
  table["HardSigmoid"] = lowerFormula<hardSigmoid>;
  table["HardSwish"] = lowerFormula<hardSwish>;
  table["LeakyRelu"] = lowerFormula<leakyRelu>;
  table["Mish"] = lowerFormula<mish>;
  table["PRelu"] = lowerPRelu;
  table["Relu"] = lowerFormula<relu>;
  table["Selu"] = lowerFormula<selu>;
  table["Shrink"] = lowerShrink;
  table["Softplus"] = lowerFormula<softplus>;
  table["Softsign"] = lowerFormula<softsign>;
  table["SwiGLU"] = lowerSwiGLU;
  table["Swish"] = lowerFormula<swish>;
  table["ThresholdedRelu"] = lowerFormula<thresholdedRelu>;
}
