//===- Random.cpp - Random numbers ----------------------------------------===//

#include "Expr.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

//===----------------------------------------------------------------------===//
// Draws
//===----------------------------------------------------------------------===//

/// A stream that no other draw of the function uses, so that nodes with equal
/// seeds (or none) draw independent numbers.
static int64_t nextStream(Lowering &lower) {
  Operation *function = lower.b.getInsertionBlock()->getParentOp();
  while (function->getParentOp() && !isa<FunctionOpInterface>(function))
    function = function->getParentOp();
  int64_t next = 0;
  function->walk([&](RandomUniformOp op) {
    next = std::max<int64_t>(next, op.getStream() + 1);
  });
  return next;
}

/// The node's seed. Without one, the numbers are the same in each run too:
/// whoever wants others replaces the constant.
static Value getSeed(Lowering &lower, Node node) {
  int64_t seed = 0;
  if (Attribute attr = node.getOperation()->getAttr("seed")) {
    if (auto integer = dyn_cast<IntegerAttr>(attr))
      seed = integer.getInt();
    else
      seed = int64_t(node.getFloat("seed", 0));
  }
  HostTensor tensor(RankedTensorType::get({}, lower.b.getI64Type()));
  tensor.setInt(0, seed);
  return lower.constant(tensor);
}

/// f32 numbers in [0, 1). Never folded, so that the seed stays replaceable.
static Expr drawUniform(Lowering &lower, Node node,
                        ArrayRef<OpFoldResult> shape) {
  SmallVector<Value> dynamicSizes;
  for (OpFoldResult size : shape)
    if (auto value = dyn_cast<Value>(size))
      dynamicSizes.push_back(value);
  Type type = Lowering::tensorType(shape, lower.b.getF32Type());
  Value seed = getSeed(lower, node);
  return {lower, RandomUniformOp::create(lower.b, type, seed, dynamicSizes,
                                         nextStream(lower))};
}

/// f32 numbers of mean zero and variance one, by the method of Box and Muller.
static Expr drawNormal(Lowering &lower, Node node,
                       ArrayRef<OpFoldResult> shape) {
  Expr first = drawUniform(lower, node, shape);
  Expr second = drawUniform(lower, node, shape);
  Expr radius = sqrt(log(1.0 - first) * -2.0);
  return radius * cos(second * (2 * M_PI));
}

/// The shape of the result: attribute `shape`, or that of operand 0.
static SmallVector<OpFoldResult> getShape(Lowering &lower, Node node) {
  if (Value like = lower.operand(node, 0))
    return lower.sizes(like);
  return llvm::map_to_vector(node.getInts("shape"),
                             [&](int64_t size) { return lower.index(size); });
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

static LogicalResult lowerRandomUniform(Lowering &lower, Node node,
                                        SmallVectorImpl<Value> &results) {
  double low = node.getFloat("low", 0), high = node.getFloat("high", 1);
  Expr draw = drawUniform(lower, node, getShape(lower, node));
  results.push_back((draw * (high - low) + low).cast(declaredElement(node)));
  return success();
}

static LogicalResult lowerRandomNormal(Lowering &lower, Node node,
                                       SmallVectorImpl<Value> &results) {
  Expr draw = drawNormal(lower, node, getShape(lower, node));
  Expr scaled = draw * node.getFloat("scale", 1) + node.getFloat("mean", 0);
  results.push_back(scaled.cast(declaredElement(node)));
  return success();
}

static LogicalResult lowerBernoulli(Lowering &lower, Node node,
                                    SmallVectorImpl<Value> &results) {
  Expr probability =
      Expr(lower, lower.operand(node, 0)).cast(lower.b.getF32Type());
  Expr draw = drawUniform(lower, node, probability.sizes());
  results.push_back((draw < probability).cast(declaredElement(node)));
  return success();
}

/// Draws classes by inverting the cumulative distribution.
static LogicalResult lowerMultinomial(Lowering &lower, Node node,
                                      SmallVectorImpl<Value> &results) {
  Expr logits = Expr(lower, lower.operand(node, 0)).cast(lower.b.getF32Type());
  if (logits.rank() != 2)
    return lower.fail(node, "the input has rank " + Twine(logits.rank()) +
                                ", wanted 2");
  Value probability = lower.make<SoftmaxOp>(Value(logits), 1);
  Value sums = lower.make<CumulativeOp>(ReduceKind::sum, probability, 1,
                                        /*exclusive=*/false,
                                        /*reverse=*/false);
  OpFoldResult samples = lower.index(node.getInt("sample_size", 1));
  Expr draw = drawUniform(lower, node, {logits.size(0), samples});
  Type type = lower.b.getI64Type();
  Expr below = Expr(lower, sums).unsqueeze({1}) <= draw.unsqueeze({2});
  Expr last = sizeTerm(lower, logits.size(1), type) - 1.0;
  // Rounding may leave the last sum below one.
  Expr drawn = min(below.cast(type).sum({2}), last);
  results.push_back(drawn.cast(declaredElement(node)));
  return success();
}

/// Whether a boolean operand is a known constant; absent ones are false.
static std::optional<bool> getConstantFlag(Lowering &lower, Value flag) {
  if (!flag)
    return false;
  if (std::optional<HostTensor> tensor = lower.constantOf(flag))
    return tensor->getInt(0) != 0;
  return std::nullopt;
}

static LogicalResult lowerDropout(Lowering &lower, Node node,
                                  SmallVectorImpl<Value> &results) {
  Expr data(lower, lower.operand(node, 0));
  Value flag = lower.operand(node, 2);
  std::optional<bool> trains = getConstantFlag(lower, flag);
  Type boolean = lower.b.getI1Type();
  Expr everything = full(lower, 1, boolean, data.sizes());
  if (trains == false) {
    results.assign({data, everything});
    return success();
  }
  Type f32 = lower.b.getF32Type();
  Expr ratio(lower, node.hasOperand(1) ? lower.cast(lower.operand(node, 1), f32)
                                       : lower.splat(0.5, f32));
  ratio = ratio.reshape(ArrayRef<int64_t>());
  Expr kept = drawUniform(lower, node, data.sizes()) >= ratio;
  Expr scale = (1.0 / (1.0 - ratio)).cast(data.element());
  Expr output = select(kept, data * scale, 0.0);
  if (!trains) {
    Expr training = Expr(lower, flag).reshape(ArrayRef<int64_t>());
    output = select(training, output, data);
    kept = select(training, kept, everything);
  }
  results.assign({output, kept});
  return success();
}

void weft::addRandomLowerings(LoweringTable &table) {
  table["Bernoulli"] = lowerBernoulli;
  table["Dropout"] = lowerDropout;
  table["Multinomial"] = lowerMultinomial;
  table["RandomNormal"] = lowerRandomNormal;
  table["RandomNormalLike"] = lowerRandomNormal;
  table["RandomUniform"] = lowerRandomUniform;
  table["RandomUniformLike"] = lowerRandomUniform;
}
