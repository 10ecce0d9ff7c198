//===- Selection.cpp - Nodes that pick and order elements -----------------===//

#include "Terms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

/// How many elements of the i1 tensor `mask` hold.
static OpFoldResult countOf(Lowering &lower, Value mask) {
  Value ones = lower.cast(mask, lower.b.getI64Type());
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, Lowering::rankOf(mask)));
  return lower.indexValues(lower.reduce(ReduceKind::sum, ones, axes, false))[0];
}

/// The indices of the elements of `mask` that hold, shape [rank, count].
static Value indicesOf(Lowering &lower, Value mask, OpFoldResult count) {
  RankedTensorType type = Lowering::tensorType(
      {lower.index(Lowering::rankOf(mask)), count}, lower.b.getI64Type());
  return lower.make<NonZeroOp>(type, mask, lower.sizeValue(count));
}

/// As indicesOf() of a mask of rank 1, as a list.
static Value placesOf(Lowering &lower, Value mask, OpFoldResult count) {
  return lower.reshape(indicesOf(lower, mask, count), {count});
}

static Value flattened(Lowering &lower, Value value) {
  return lower.reshape(value, {lower.productOf(lower.sizes(value))});
}

static LogicalResult lowerNonZero(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  Terms f(lower, node);
  Value mask = f.compare(ComparePredicate::ne, input, 0);
  OpFoldResult count = countOf(lower, mask);
  if (Lowering::rankOf(input) == 0) {
    // A scalar has no index, only a count.
    results.push_back(lower.broadcastTo(lower.splat(0, lower.b.getI64Type()),
                                        {lower.index(0), count}));
    return success();
  }
  results.push_back(indicesOf(lower, mask, count));
  return success();
}

static LogicalResult lowerCompress(Lowering &lower, onnx::Node node,
                                   SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0), condition = lower.operand(node, 1);
  int64_t axis = 0;
  if (std::optional<int64_t> given = node.getInt("axis")) {
    FailureOr<int64_t> checked =
        lower.axis(node, *given, Lowering::rankOf(input));
    if (failed(checked))
      return failure();
    axis = *checked;
  } else {
    input = flattened(lower, input);
  }
  Value places = placesOf(lower, condition, countOf(lower, condition));
  results.push_back(lower.make<GatherOp>(input, places, axis));
  return success();
}

static LogicalResult lowerReverseSequence(Lowering &lower, onnx::Node node,
                                          SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  int64_t time = node.getInt("time_axis", 0);
  int64_t batch = node.getInt("batch_axis", 1);
  SmallVector<OpFoldResult> shape = lower.sizes(input);
  Value place = lower.iota(lower.b.getI64Type(), shape, time);
  Value lengths = lower.broadcastInDims(lower.operand(node, 1), shape, {batch});
  Terms f(lower, node);
  Value mirrored = f.sub(f.sub(lengths, 1), place);
  Value source = f.select(f.compare(ComparePredicate::lt, place, lengths),
                          mirrored, place);
  results.push_back(lower.make<GatherElementsOp>(input, source, time));
  return f.isBroken() ? failure() : success();
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

/// Sorted values and where they were, along `axis`.
static std::pair<Value, Value> topK(Lowering &lower, Value input,
                                    OpFoldResult count, int64_t axis,
                                    bool largest) {
  SmallVector<OpFoldResult> shape = lower.sizes(input);
  shape[axis] = count;
  Value size = isa<Value>(count) ? cast<Value>(count) : Value();
  SmallVector<Value> sorted = lower.makeAll<TopKOp>(
      Lowering::tensorType(shape, Lowering::elementOf(input)),
      Lowering::tensorType(shape, lower.b.getI64Type()), input, size,
      uint64_t(axis), largest);
  return {sorted[0], sorted[1]};
}

static LogicalResult lowerTopK(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", -1), Lowering::rankOf(input));
  if (failed(axis))
    return failure();
  OpFoldResult count = lower.indexValues(lower.operand(node, 1))[0];
  auto [values, indices] =
      topK(lower, input, count, *axis, node.getInt("largest", 1));
  results.append({values, indices});
  return success();
}

namespace {
/// Groups of equal elements of a list, numbered by value or by first place.
struct Groups {
  OpFoldResult count;
  Value firstPlaces, groupOfElement, sizes;
};
} // namespace

/// The groups of a list of which `order` is a stable sorting permutation and
/// `isNew` says where, in sorted order, a group begins.
static Groups groupsOf(Lowering &lower, Terms &f, Value order, Value isNew) {
  Type type = lower.b.getI64Type();
  Groups groups;
  groups.count = countOf(lower, isNew);
  Value number =
      f.sub(lower.make<CumulativeOp>(ReduceKind::sum, lower.cast(isNew, type),
                                     uint64_t(0), false, false),
            1);
  Value places = placesOf(lower, isNew, groups.count);
  groups.firstPlaces = lower.make<GatherOp>(order, places, uint64_t(0));
  groups.groupOfElement = lower.make<ScatterElementsOp>(
      ScatterKind::set, f.number(0, order), order, number, uint64_t(0));
  Value zeros = lower.broadcastTo(lower.splat(0, type), {groups.count});
  groups.sizes = lower.make<ScatterElementsOp>(
      ScatterKind::add, zeros, number, f.number(1, number), uint64_t(0));
  return groups;
}

/// Renumbers groups in the order in which they first appear.
static void orderByAppearance(Lowering &lower, Terms &f, Groups &groups) {
  auto [places, order] =
      topK(lower, groups.firstPlaces, groups.count, 0, /*largest=*/false);
  groups.firstPlaces = places;
  groups.sizes = lower.make<GatherOp>(groups.sizes, order, uint64_t(0));
  Value rank = lower.make<ScatterElementsOp>(
      ScatterKind::set, f.number(0, order), order,
      lower.iota(lower.b.getI64Type(), {groups.count}, 0), uint64_t(0));
  groups.groupOfElement =
      lower.make<GatherOp>(rank, groups.groupOfElement, uint64_t(0));
}

/// A stable permutation that sorts the rows of a matrix lexicographically: by
/// the last column first.
static Value sortRows(Lowering &lower, Value rows, int64_t columns) {
  OpFoldResult count = lower.size(rows, 0);
  Value order = lower.iota(lower.b.getI64Type(), {count}, 0);
  for (int64_t column = columns; column-- > 0;) {
    Value keys = lower.reshape(
        lower.sliceAxis(rows, 1, lower.index(column), lower.index(1)), {count});
    keys = lower.make<GatherOp>(keys, order, uint64_t(0));
    Value step = topK(lower, keys, count, 0, /*largest=*/false).second;
    order = lower.make<GatherOp>(order, step, uint64_t(0));
  }
  return order;
}

/// Where a sorted matrix has a row that differs from the one before.
static Value startsOfGroups(Lowering &lower, Terms &f, Value sorted) {
  OpFoldResult count = lower.size(sorted, 0);
  Value place = lower.iota(lower.b.getI64Type(), {count}, 0);
  Value before =
      lower.make<GatherOp>(sorted, f.max(f.sub(place, 1), 0), uint64_t(0));
  Value differs =
      lower.reduce(ReduceKind::any,
                   f.compare(ComparePredicate::ne, sorted, before), {1}, false);
  Value isFirst = f.compare(ComparePredicate::eq, place, 0);
  return lower.make<OrOp>(isFirst, differs);
}

static LogicalResult lowerUnique(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  int64_t axis = 0;
  if (std::optional<int64_t> given = node.getInt("axis")) {
    FailureOr<int64_t> checked =
        lower.axis(node, *given, Lowering::rankOf(input));
    if (failed(checked))
      return failure();
    axis = *checked;
  } else {
    input = flattened(lower, input);
  }
  // Rows are what is compared.
  OpFoldResult count = lower.size(input, axis);
  SmallVector<int64_t> front = {axis};
  for (int64_t dim = 0; dim < Lowering::rankOf(input); ++dim)
    if (dim != axis)
      front.push_back(dim);
  Value moved = lower.transpose(input, front);
  OpFoldResult width =
      lower.productOf(ArrayRef(lower.sizes(moved)).drop_front());
  std::optional<int64_t> columns = getConstantIntValue(width);
  if (!columns || *columns > 256)
    return lower.unsupported(node,
                             "slices of more than 256 elements, or of a "
                             "symbolic number of them, can't be compared");
  Value rows = lower.reshape(moved, {count, width});

  Terms f(lower, node);
  Value order = sortRows(lower, rows, *columns);
  Value sorted = lower.make<GatherOp>(rows, order, uint64_t(0));
  Groups groups = groupsOf(lower, f, order, startsOfGroups(lower, f, sorted));
  if (!node.getInt("sorted", 1))
    orderByAppearance(lower, f, groups);
  results.append({lower.make<GatherOp>(input, groups.firstPlaces, axis),
                  groups.firstPlaces, groups.groupOfElement, groups.sizes});
  return success();
}

void weft::addSelectionLowerings(LoweringTable &table) {
  table["Compress"] = lowerCompress;
  table["NonZero"] = lowerNonZero;
  table["ReverseSequence"] = lowerReverseSequence;
  table["TopK"] = lowerTopK;
  table["Unique"] = lowerUnique;
}
