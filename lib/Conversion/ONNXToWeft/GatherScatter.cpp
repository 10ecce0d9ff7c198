//===- GatherScatter.cpp - Nodes whose indices are data -------------------===//

#include "Terms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

/// Takes one element of an axis, and the axis away.
static Value takeOne(Lowering &lower, Value input, int64_t axis, int64_t at) {
  OpFoldResult offset = lower.index(at);
  if (at < 0)
    offset = lower.addSizes(lower.size(input, axis), offset);
  Value one = lower.sliceAxis(input, axis, offset, lower.index(1));
  SmallVector<OpFoldResult> shape = lower.sizes(input);
  shape.erase(shape.begin() + axis);
  return lower.reshape(one, shape);
}

static LogicalResult lowerGather(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0), indices = lower.operand(node, 1);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", 0), Lowering::rankOf(input));
  if (failed(axis))
    return failure();
  // A part at a constant place needs no check at run time.
  int64_t size = Lowering::typeOf(input).getDimSize(*axis);
  auto list = lower.constantInts(indices);
  if (list && Lowering::rankOf(indices) == 0 && !ShapedType::isDynamic(size)) {
    int64_t at = list->front();
    if (at < -size || at >= size)
      return lower.fail(node, "index " + Twine(at) + " is outside size " +
                                  Twine(size));
    results.push_back(takeOne(lower, input, *axis, at));
    return success();
  }
  results.push_back(lower.make<GatherOp>(input, indices, *axis));
  return success();
}

static LogicalResult lowerGatherElements(Lowering &lower, onnx::Node node,
                                         SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", 0), Lowering::rankOf(input));
  if (failed(axis))
    return failure();
  results.push_back(
      lower.make<GatherElementsOp>(input, lower.operand(node, 1), *axis));
  return success();
}

static LogicalResult lowerGatherND(Lowering &lower, onnx::Node node,
                                   SmallVectorImpl<Value> &results) {
  Value indices = lower.operand(node, 1);
  if (Lowering::typeOf(indices).getShape().empty() ||
      ShapedType::isDynamic(Lowering::typeOf(indices).getShape().back()))
    return lower.unsupported(node, "the length of the indices is not known");
  results.push_back(lower.make<GatherNDOp>(lower.operand(node, 0), indices,
                                           node.getInt("batch_dims", 0)));
  return success();
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

static FailureOr<ScatterKind> getKind(Lowering &lower, onnx::Node node) {
  StringRef name = node.getString("reduction", "none");
  if (name == "none")
    return ScatterKind::set;
  if (std::optional<ScatterKind> kind = symbolizeScatterKind(name))
    return *kind;
  (void)lower.fail(node, "reduction '" + name + "' is not known");
  return failure();
}

static LogicalResult lowerScatterElements(Lowering &lower, onnx::Node node,
                                          SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", 0), Lowering::rankOf(input));
  FailureOr<ScatterKind> kind = getKind(lower, node);
  if (failed(axis) || failed(kind))
    return failure();
  results.push_back(lower.make<ScatterElementsOp>(
      *kind, input, lower.operand(node, 1), lower.operand(node, 2), *axis));
  return success();
}

static LogicalResult lowerScatterND(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  FailureOr<ScatterKind> kind = getKind(lower, node);
  if (failed(kind))
    return failure();
  Value indices = lower.operand(node, 1);
  if (Lowering::typeOf(indices).getShape().empty() ||
      ShapedType::isDynamic(Lowering::typeOf(indices).getShape().back()))
    return lower.unsupported(node, "the length of the indices is not known");
  results.push_back(lower.make<ScatterNDOp>(*kind, lower.operand(node, 0),
                                            indices, lower.operand(node, 2),
                                            /*batchDims=*/0));
  return success();
}

// Every element of the cache asks whether it lies in the updated part, which
// needs no loop that writes.
static LogicalResult lowerTensorScatter(Lowering &lower, onnx::Node node,
                                        SmallVectorImpl<Value> &results) {
  Value cache = lower.operand(node, 0), update = lower.operand(node, 1);
  int64_t rank = Lowering::rankOf(cache);
  FailureOr<int64_t> axis = lower.axis(node, node.getInt("axis", -2), rank);
  if (failed(axis))
    return failure();
  StringRef mode = node.getString("mode", "linear");
  if (mode != "linear" && mode != "circular")
    return lower.fail(node, "mode '" + mode + "' is not known");
  Terms f(lower, node);
  SmallVector<OpFoldResult> shape = lower.sizes(cache);
  Type type = lower.b.getI64Type();
  Value place = lower.iota(type, shape, *axis);
  if (Value starts = lower.operand(node, 2))
    place = f.sub(place, lower.broadcastInDims(starts, shape, {0}));
  if (mode == "circular") {
    Value length = lower.broadcastTo(lower.sizeTensor(shape[*axis]), shape);
    place = lower.make<RemOp>(place, length);
    place = f.select(f.compare(ComparePredicate::lt, place, 0),
                     f.add(place, length), place);
  }
  Value count = lower.sizeTensor(lower.size(update, *axis));
  Value isUpdated = f.both(f.compare(ComparePredicate::ge, place, 0),
                           f.compare(ComparePredicate::lt, place, count));
  Value source = f.select(isUpdated, place, 0);
  Value moved = lower.make<GatherElementsOp>(update, source, *axis);
  results.push_back(f.select(isUpdated, moved, cache));
  return f.isBroken() ? failure() : success();
}

void weft::addGatherScatterLowerings(LoweringTable &table) {
  table["Gather"] = lowerGather;
  table["GatherElements"] = lowerGatherElements;
  table["GatherND"] = lowerGatherND;
  table["ScatterElements"] = lowerScatterElements;
  table["ScatterND"] = lowerScatterND;
  table["TensorScatter"] = lowerTensorScatter;
}
