//===- AttentionMask.cpp - Which keys a query may attend to ---------------===//

#include "AttentionMask.h"
#include "Loops.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include <limits>

using namespace mlir;

namespace weft {

static constexpr double kMinusInf = -std::numeric_limits<double>::infinity();

Value AttentionMask::apply(Terms &terms, Value scores) const {
  if (bias)
    scores = terms.add(scores, bias);
  return allowed ? terms.select(allowed, scores, kMinusInf) : scores;
}

Value AttentionMask::clearEmptyRows(Lowering &lower, Terms &terms,
                                    Value probabilities) const {
  if (!rowsMayBeEmpty)
    return probabilities;
  Value attended = allowed;
  if (bias) {
    Value finite = terms.compare(ComparePredicate::ne, bias, kMinusInf);
    attended = attended ? terms.both(attended, finite) : finite;
  }
  Value any = lower.reduce(ReduceKind::any, attended, {3}, /*keepDims=*/true);
  return terms.select(any, probabilities, 0.0);
}

namespace {

/// Builds the parts of a mask one after the other.
class MaskBuilder {
public:
  MaskBuilder(Lowering &lower, Terms &terms, onnx::Node node,
              const AttentionExtent &extent)
      : lower(lower), terms(terms), node(node), extent(extent) {
    Type i64 = lower.b.getI64Type();
    OpFoldResult one = lower.index(1);
    keys = lower.iota(i64, {one, one, one, extent.keys}, 3);
    queries = lower.iota(i64, {one, one, extent.queries, one}, 2);
  }

  FailureOr<AttentionMask> build();

private:
  LogicalResult addMaskOperand();
  Value padToKeys(Value operand);
  Value positions();
  void addAllowed(Value condition) {
    mask.allowed =
        mask.allowed ? terms.both(mask.allowed, condition) : condition;
  }

  Lowering &lower;
  Terms &terms;
  onnx::Node node;
  const AttentionExtent &extent;
  Value keys, queries;
  Value validKeys; // [batch, 1, 1, 1], null if all keys are valid
  AttentionMask mask;
};

} // namespace

/// The mask may cover fewer keys than there are; the others are masked.
Value MaskBuilder::padToKeys(Value operand) {
  int64_t last = Lowering::rankOf(operand) - 1;
  OpFoldResult missing = lower.subSizes(extent.keys, lower.size(operand, last));
  if (isConstantIntValue(missing, 0))
    return operand;
  Type elementType = Lowering::elementOf(operand);
  Value padding =
      lower.splat(elementType.isInteger(1) ? 0.0 : kMinusInf, elementType);
  SmallVector<OpFoldResult> low(last + 1, lower.index(0)), high = low;
  high[last] = missing;
  return lower.pad(operand, padding, low, high);
}

LogicalResult MaskBuilder::addMaskOperand() {
  Value operand = lower.operand(node, 3);
  if (!operand)
    return success();
  int64_t rank = Lowering::rankOf(operand);
  if (rank < 1 || rank > 4)
    return lower.fail(node, "'attn_mask' has rank " + Twine(rank) +
                                ", wanted 1 to 4");
  mask.rowsMayBeEmpty = true;
  if (auto type = dyn_cast<IntegerType>(Lowering::elementOf(operand));
      type && !type.isInteger(1))
    operand = lower.cast(operand, extent.elementType);
  operand = padToKeys(operand);
  SmallVector<OpFoldResult> shape(4 - rank, lower.index(1));
  llvm::append_range(shape, lower.sizes(operand));
  operand = lower.reshape(operand, shape);
  if (Lowering::elementOf(operand).isInteger(1))
    addAllowed(operand);
  else
    mask.bias = operand;
  return success();
}

/// The position of each query among the keys.
Value MaskBuilder::positions() {
  Value past;
  if (validKeys) {
    past = terms.sub(
        validKeys, lower.reshape(lower.sizesTensor({extent.queries}),
                                 SmallVector<OpFoldResult>(4, lower.index(1))));
  } else if (!isConstantIntValue(extent.pastKeys, 0)) {
    past = lower.reshape(lower.sizesTensor({extent.pastKeys}),
                         SmallVector<OpFoldResult>(4, lower.index(1)));
  }
  return past ? terms.add(queries, past) : queries;
}

FailureOr<AttentionMask> MaskBuilder::build() {
  int64_t left = node.getInt("left_window_size", -1);
  int64_t right = node.getInt("right_window_size", -1);
  if (left < -1 || right < -1)
    return lower.fail(node, "window sizes must be -1 or more");
  if (Value valid = lower.operand(node, 6)) {
    if (Lowering::rankOf(valid) != 1)
      return lower.fail(node, "'nonpad_kv_seqlen' must have rank 1");
    OpFoldResult one = lower.index(1);
    validKeys = lower.reshape(valid, {lower.size(valid, 0), one, one, one});
    mask.rowsMayBeEmpty = true;
    addAllowed(terms.compare(ComparePredicate::lt, keys, validKeys));
  }
  if (failed(addMaskOperand()))
    return failure();
  if (node.getInt("is_causal", 0))
    addAllowed(terms.compare(ComparePredicate::le, keys, positions()));
  if (left >= 0)
    addAllowed(terms.compare(ComparePredicate::le, terms.sub(positions(), keys),
                             left));
  if (right >= 0)
    addAllowed(terms.compare(ComparePredicate::le, terms.sub(keys, positions()),
                             right));
  mask.rowsMayBeEmpty |= left >= 0 || right >= 0;
  return mask;
}

FailureOr<AttentionMask> buildAttentionMask(Lowering &lower, Terms &terms,
                                            onnx::Node node,
                                            const AttentionExtent &extent) {
  return MaskBuilder(lower, terms, node, extent).build();
}

} // namespace weft
