//===- Loss.cpp - Losses over class probabilities -------------------------===//

#include "Lowering.h"
#include "Terms.h"

using namespace mlir;

namespace weft {

namespace {

/// SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss. Scores are
/// [batch, classes, positions...], targets [batch, positions...].
class LossRule {
public:
  LossRule(Lowering &lower, onnx::Node node)
      : lower(lower), node(node), terms(lower, node) {}

  /// `fromScores`: the operand holds scores, not logarithms of probabilities.
  LogicalResult run(bool fromScores, SmallVectorImpl<Value> &results);

private:
  LogicalResult verify();
  Value logSoftmax(Value scores);
  Value pick(Value logProbabilities);
  Value weigh();
  FailureOr<Value> reduce(Value loss, Value weights);

  Lowering &lower;
  onnx::Node node;
  Terms terms;
  Value target;  // where ignored: class 0
  Value ignored; // null if there is no class to ignore
  Type wide;     // what is computed in
};

} // namespace

LogicalResult LossRule::verify() {
  int64_t rank = Lowering::rankOf(lower.operand(node, 0));
  int64_t targetRank = Lowering::rankOf(lower.operand(node, 1));
  if (rank < 2 || targetRank != rank - 1)
    return lower.fail(node, "operands have ranks " + Twine(rank) + " and " +
                                Twine(targetRank) +
                                ", wanted two or more and one less");
  if (Value weights = lower.operand(node, 2))
    if (Lowering::rankOf(weights) != 1)
      return lower.fail(node, "'weight' must have rank 1");
  return success();
}

/// x - max(x) - log(sum(exp(x - max(x)))) over the classes.
Value LossRule::logSoftmax(Value scores) {
  Value highest = lower.reduce(ReduceKind::max, scores, {1}, true);
  Value shifted = terms.sub(scores, highest);
  Value sum =
      lower.reduce(ReduceKind::sum, terms.unary<ExpOp>(shifted), {1}, true);
  return terms.sub(shifted, terms.unary<LogOp>(sum));
}

/// The logarithm of the probability of each target.
Value LossRule::pick(Value logProbabilities) {
  SmallVector<OpFoldResult> shape = lower.sizes(target), column = shape;
  column.insert(column.begin() + 1, lower.index(1));
  Value picked = lower.make<GatherElementsOp>(logProbabilities,
                                              lower.reshape(target, column), 1);
  return lower.reshape(picked, shape);
}

/// The weight of each target; null if all weigh the same.
Value LossRule::weigh() {
  Value weights = lower.operand(node, 2);
  if (weights)
    weights = lower.make<GatherOp>(lower.cast(weights, wide), target, 0);
  if (!ignored)
    return weights;
  if (weights)
    return terms.select(ignored, 0.0, weights);
  return lower.cast(lower.make<NotOp>(ignored), wide);
}

FailureOr<Value> LossRule::reduce(Value loss, Value weights) {
  StringRef reduction = node.getString("reduction", "mean");
  if (reduction == "none")
    return loss;
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(0, Lowering::rankOf(loss)));
  Value sum = lower.reduce(ReduceKind::sum, loss, axes, false);
  if (reduction == "sum")
    return sum;
  if (reduction != "mean")
    return lower.fail(node, "unknown 'reduction' \"" + reduction + "\"");
  if (weights)
    return terms.div(sum, lower.reduce(ReduceKind::sum, weights, axes, false));
  OpFoldResult count = lower.index(1);
  for (OpFoldResult size : lower.sizes(loss))
    count = lower.mulSizes(count, size);
  Value divisor = lower.reshape(lower.sizesTensor({count}), {});
  return terms.div(sum, lower.cast(divisor, wide));
}

LogicalResult LossRule::run(bool fromScores, SmallVectorImpl<Value> &results) {
  if (failed(verify()))
    return failure();
  Value input = lower.operand(node, 0);
  Type elementType = Lowering::elementOf(input);
  wide = elementType.getIntOrFloatBitWidth() < 32 ? lower.b.getF32Type()
                                                  : elementType;
  target = lower.operand(node, 1);
  if (std::optional<int64_t> ignore = node.getInt("ignore_index")) {
    ignored = terms.compare(ComparePredicate::eq, target, *ignore);
    // The class to ignore need not be one of the classes.
    target = terms.select(ignored, 0.0, target);
  }
  Value logProbabilities = lower.cast(input, wide);
  if (fromScores)
    logProbabilities = logSoftmax(logProbabilities);
  Value loss = terms.unary<NegOp>(pick(logProbabilities));
  Value weights = weigh();
  if (weights)
    loss = terms.mul(loss, weights);
  // An ignored target adds nothing, not even an infinity times zero.
  if (ignored)
    loss = terms.select(ignored, 0.0, loss);
  FailureOr<Value> reduced = reduce(loss, weights);
  if (failed(reduced))
    return failure();
  results.push_back(lower.cast(*reduced, elementType));
  if (node.getNumResults() > 1)
    results.push_back(lower.cast(logProbabilities, elementType));
  return failure(terms.isBroken());
}

static LogicalResult
lowerSoftmaxCrossEntropyLoss(Lowering &lower, onnx::Node node,
                             SmallVectorImpl<Value> &results) {
  return LossRule(lower, node).run(/*fromScores=*/true, results);
}

static LogicalResult
lowerNegativeLogLikelihoodLoss(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  return LossRule(lower, node).run(/*fromScores=*/false, results);
}

void addLossLowerings(LoweringTable &table) {
  table["SoftmaxCrossEntropyLoss"] = lowerSoftmaxCrossEntropyLoss;
  table["NegativeLogLikelihoodLoss"] = lowerNegativeLogLikelihoodLoss;
}

} // namespace weft
