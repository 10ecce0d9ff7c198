//===- Movement.cpp - Nodes that keep all elements ------------------------===//

#include "Lowering.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

using CmpI = arith::CmpIPredicate;

static LogicalResult lowerIdentity(Lowering &lower, onnx::Node node,
                                   SmallVectorImpl<Value> &results) {
  Value from = node.getOperand(0);
  if (auto elements = lower.sequenceOf(from))
    lower.mapSequence(node.getOperation()->getResult(0), *elements);
  else
    results.push_back(lower.operand(node, 0));
  return success();
}

//===----------------------------------------------------------------------===//
// Reshape and its kin
//===----------------------------------------------------------------------===//

/// Sizes that stand in a shape operand: 0 keeps the input's size, -1 takes what
/// is left. Both may show only at run time.
static SmallVector<OpFoldResult> resolveShape(Lowering &lower, Value input,
                                              ArrayRef<OpFoldResult> wanted,
                                              bool allowZero) {
  SmallVector<OpFoldResult> shape(wanted);
  int64_t rank = Lowering::rankOf(input);
  OpFoldResult known = lower.index(1);
  for (auto [dim, size] : llvm::enumerate(shape)) {
    bool isOpen = isa<Value>(size) && !Lowering::isNonNegative(size);
    bool mayBeZero = isOpen || getConstantIntValue(size) == 0;
    if (!allowZero && mayBeZero && int64_t(dim) < rank)
      size = lower.selectSize(CmpI::eq, size, lower.index(0),
                              lower.size(input, dim), size);
    if (isOpen)
      known = lower.mulSizes(known,
                             lower.selectSize(CmpI::eq, size, lower.index(-1),
                                              lower.index(1), size));
    else if (getConstantIntValue(size) != -1)
      known = lower.mulSizes(known, size);
  }
  for (auto [size, given] : llvm::zip_equal(shape, wanted)) {
    bool isOpen = isa<Value>(given) && !Lowering::isNonNegative(given);
    if (!isOpen && getConstantIntValue(size) != -1)
      continue;
    OpFoldResult rest =
        lower.divSizes(lower.productOf(lower.sizes(input)), known);
    size = lower.selectSize(CmpI::eq, size, lower.index(-1), rest, size);
  }
  return shape;
}

static LogicalResult lowerReshape(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0), shape = lower.operand(node, 1);
  if (!Lowering::typeOf(shape).hasStaticShape())
    return lower.unsupported(node, "the rank of the result is not known");
  SmallVector<OpFoldResult> wanted = lower.indexValues(shape);
  if (llvm::count_if(wanted, [](OpFoldResult size) {
        return getConstantIntValue(size) == -1;
      }) > 1)
    return lower.fail(node, "more than one size is -1");
  results.push_back(lower.reshape(
      input, resolveShape(lower, input, wanted, node.getInt("allowzero", 0))));
  return success();
}

/// For nodes that only put in or take out sizes of one, at places known at run
/// time alone: the declared shape says all if at most one size is symbolic.
static LogicalResult reshapeToDeclared(Lowering &lower, onnx::Node node,
                                       SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  auto type =
      dyn_cast<RankedTensorType>(node.getOperation()->getResult(0).getType());
  if (!type || type.getNumDynamicDims() > 1)
    return lower.unsupported(node, "the axes are not constant");
  SmallVector<OpFoldResult> shape;
  for (int64_t size : type.getShape())
    shape.push_back(lower.index(ShapedType::isDynamic(size) ? -1 : size));
  results.push_back(
      lower.reshape(input, resolveShape(lower, input, shape, true)));
  return success();
}

static LogicalResult lowerFlatten(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  SmallVector<OpFoldResult> sizes = lower.sizes(input);
  int64_t rank = sizes.size(), axis = node.getInt("axis", 1);
  if (axis < -rank || axis > rank)
    return lower.fail(node, "axis " + Twine(axis) + " is outside rank " +
                                Twine(rank));
  if (axis < 0)
    axis += rank;
  ArrayRef<OpFoldResult> all = sizes;
  results.push_back(
      lower.reshape(input, {lower.productOf(all.take_front(axis)),
                            lower.productOf(all.drop_front(axis))}));
  return success();
}

static LogicalResult lowerSqueeze(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0), axes = lower.operand(node, 1);
  SmallVector<OpFoldResult> sizes = lower.sizes(input);
  SmallVector<bool> drop(sizes.size(), false);
  if (axes) {
    std::optional<SmallVector<int64_t>> list = lower.constantInts(axes);
    if (!list)
      return reshapeToDeclared(lower, node, results);
    for (int64_t given : *list) {
      FailureOr<int64_t> axis = lower.axis(node, given, sizes.size());
      if (failed(axis))
        return failure();
      drop[*axis] = true;
    }
  } else {
    if (!Lowering::typeOf(input).hasStaticShape())
      return lower.unsupported(node,
                               "without axes the input's shape must be static");
    for (auto [dim, size] : llvm::enumerate(sizes))
      drop[dim] = getConstantIntValue(size) == 1;
  }
  SmallVector<OpFoldResult> shape;
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    std::optional<int64_t> constant = getConstantIntValue(size);
    if (drop[dim] && constant && *constant != 1)
      return lower.fail(node, "dimension " + Twine(dim) + " has size " +
                                  Twine(*constant) + ", not 1");
    if (!drop[dim])
      shape.push_back(size);
  }
  results.push_back(lower.reshape(input, shape));
  return success();
}

static LogicalResult lowerUnsqueeze(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  std::optional<SmallVector<int64_t>> axes =
      lower.constantInts(lower.operand(node, 1));
  if (!axes)
    return reshapeToDeclared(lower, node, results);
  int64_t rank = Lowering::rankOf(input) + axes->size();
  SmallVector<bool> isNew(rank, false);
  for (int64_t given : *axes) {
    FailureOr<int64_t> axis = lower.axis(node, given, rank);
    if (failed(axis))
      return failure();
    if (isNew[*axis])
      return lower.fail(node, "axis " + Twine(given) + " is given twice");
    isNew[*axis] = true;
  }
  SmallVector<OpFoldResult> shape, sizes = lower.sizes(input);
  for (int64_t dim = 0, from = 0; dim < rank; ++dim)
    shape.push_back(isNew[dim] ? lower.index(1) : sizes[from++]);
  results.push_back(lower.reshape(input, shape));
  return success();
}

//===----------------------------------------------------------------------===//
// Permutation
//===----------------------------------------------------------------------===//

static LogicalResult lowerTranspose(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  int64_t rank = Lowering::rankOf(input);
  SmallVector<int64_t> permutation = node.getInts("perm");
  if (permutation.empty())
    permutation = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  if (int64_t(permutation.size()) != rank || !isPermutationVector(permutation))
    return lower.fail(node, "'perm' is not a permutation of " + Twine(rank) +
                                " dimensions");
  results.push_back(lower.transpose(input, permutation));
  return success();
}

static LogicalResult checkImage(Lowering &lower, onnx::Node node, Value input) {
  if (Lowering::rankOf(input) != 4)
    return lower.fail(node, "the input has rank " +
                                Twine(Lowering::rankOf(input)) + ", not 4");
  if (node.getInt("blocksize", 0) < 1)
    return lower.fail(node, "'blocksize' must be positive");
  return success();
}

static LogicalResult lowerDepthToSpace(Lowering &lower, onnx::Node node,
                                       SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  if (failed(checkImage(lower, node, input)))
    return failure();
  SmallVector<OpFoldResult> n = lower.sizes(input);
  OpFoldResult block = lower.index(node.getInt("blocksize", 0));
  OpFoldResult depth = lower.divSizes(n[1], lower.mulSizes(block, block));
  Value y;
  if (node.getString("mode", "DCR") == "CRD") {
    y = lower.reshape(input, {n[0], depth, block, block, n[2], n[3]});
    y = lower.transpose(y, {0, 1, 4, 2, 5, 3});
  } else {
    y = lower.reshape(input, {n[0], block, block, depth, n[2], n[3]});
    y = lower.transpose(y, {0, 3, 4, 1, 5, 2});
  }
  results.push_back(lower.reshape(y, {n[0], depth, lower.mulSizes(n[2], block),
                                      lower.mulSizes(n[3], block)}));
  return success();
}

static LogicalResult lowerSpaceToDepth(Lowering &lower, onnx::Node node,
                                       SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  if (failed(checkImage(lower, node, input)))
    return failure();
  SmallVector<OpFoldResult> n = lower.sizes(input);
  OpFoldResult block = lower.index(node.getInt("blocksize", 0));
  OpFoldResult height = lower.divSizes(n[2], block);
  OpFoldResult width = lower.divSizes(n[3], block);
  Value y = lower.reshape(input, {n[0], n[1], height, block, width, block});
  // DCR puts the place within the block first, CRD the channel.
  if (node.getString("mode", "DCR") == "CRD")
    y = lower.transpose(y, {0, 1, 3, 5, 2, 4});
  else
    y = lower.transpose(y, {0, 3, 5, 1, 2, 4});
  OpFoldResult depth = lower.mulSizes(n[1], lower.mulSizes(block, block));
  results.push_back(lower.reshape(y, {n[0], depth, height, width}));
  return success();
}

//===----------------------------------------------------------------------===//
// Repetition
//===----------------------------------------------------------------------===//

static LogicalResult lowerExpand(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0), shape = lower.operand(node, 1);
  if (!Lowering::typeOf(shape).hasStaticShape())
    return lower.unsupported(node, "the rank of the result is not known");
  SmallVector<OpFoldResult> wanted = lower.indexValues(shape);
  SmallVector<OpFoldResult> sizes = lower.sizes(input);
  int64_t rank = std::max(wanted.size(), sizes.size());
  SmallVector<OpFoldResult> result(rank, lower.index(1));
  for (auto [dim, size] : llvm::enumerate(wanted))
    result[rank - wanted.size() + dim] = size;
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    OpFoldResult &common = result[rank - sizes.size() + dim];
    common = lower.broadcastSizes(common, size);
  }
  for (auto [dim, size] : llvm::enumerate(wanted))
    if (failed(lower.require(node, SizeRelation::oneOr, size,
                             result[rank - wanted.size() + dim])))
      return failure();
  results.push_back(lower.broadcastTo(input, result));
  return success();
}

static LogicalResult lowerTile(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0), repeats = lower.operand(node, 1);
  SmallVector<OpFoldResult> sizes = lower.sizes(input);
  if (Lowering::typeOf(repeats).getNumElements() != int64_t(sizes.size()))
    return lower.fail(node, "there must be one repeat for each of " +
                                Twine(sizes.size()) + " dimensions");
  // [a, b] becomes [repeat, a, repeat, b], where the repeats are broadcast.
  SmallVector<OpFoldResult> spread, repeated, merged;
  SmallVector<int64_t> dims;
  for (auto [size, repeat] :
       llvm::zip_equal(sizes, lower.indexValues(repeats))) {
    if (getConstantIntValue(repeat) != 1)
      repeated.push_back(repeat);
    dims.push_back(repeated.size());
    repeated.push_back(size);
    merged.push_back(lower.mulSizes(size, repeat));
  }
  Value y = lower.broadcastInDims(input, repeated, dims);
  results.push_back(lower.reshape(y, merged));
  return success();
}

void weft::addMovementLowerings(LoweringTable &table) {
  table["DepthToSpace"] = lowerDepthToSpace;
  table["Expand"] = lowerExpand;
  table["Flatten"] = lowerFlatten;
  table["Identity"] = lowerIdentity;
  table["Reshape"] = lowerReshape;
  table["SpaceToDepth"] = lowerSpaceToDepth;
  table["Squeeze"] = lowerSqueeze;
  table["Tile"] = lowerTile;
  table["Transpose"] = lowerTranspose;
  table["Unsqueeze"] = lowerUnsqueeze;
}
