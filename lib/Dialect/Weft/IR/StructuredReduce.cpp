//===- StructuredReduce.cpp - Reductions along axes: shapes and checks ----===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

// Reifies the shape of `value` for a result of the same type.
static void reifySame(Operation *op, Value value, OpBuilder &builder,
                      ReifiedRankedShapedTypeDims &reified) {
  reifyDims(reified, builder, value.getType(), [&](int64_t dim) {
    return tensor::getMixedSize(builder, op->getLoc(), value, dim);
  });
}

// Reifies the shape of `value` without the rising `axes`.
static void reifyRest(Operation *op, Value value, ArrayRef<int64_t> axes,
                      OpBuilder &builder,
                      ReifiedRankedShapedTypeDims &reified) {
  SmallVector<int64_t> kept;
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(axes, dim))
      kept.push_back(dim);
  reifyDims(reified, builder, op->getResult(0).getType(), [&](int64_t dim) {
    return tensor::getMixedSize(builder, op->getLoc(), value, kept[dim]);
  });
}

static SmallVector<int64_t> dropAxes(ArrayRef<int64_t> shape,
                                     ArrayRef<int64_t> axes) {
  SmallVector<int64_t> rest;
  for (auto [dim, size] : llvm::enumerate(shape))
    if (!llvm::is_contained(axes, static_cast<int64_t>(dim)))
      rest.push_back(size);
  return rest;
}

//===----------------------------------------------------------------------===//
// reduce
//===----------------------------------------------------------------------===//

LogicalResult
ReduceOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                           ValueRange operands, DictionaryAttr attributes,
                           OpaqueProperties properties, RegionRange regions,
                           SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  auto input = cast<RankedTensorType>(op.getInput().getType());
  if (failed(checkRisingAxes({location, getOperationName()}, "axis",
                             op.getAxes(), "input", input.getRank())))
    return failure();
  types.push_back(RankedTensorType::get(
      dropAxes(input.getShape(), op.getAxes()), input.getElementType()));
  return success();
}

LogicalResult ReduceOp::verify() {
  return checkReduction(getOperation(), getKind(), getType().getElementType());
}

LogicalResult
ReduceOp::reifyResultShapes(OpBuilder &builder,
                            ReifiedRankedShapedTypeDims &reified) {
  reifyRest(*this, getInput(), getAxes(), builder, reified);
  return success();
}

//===----------------------------------------------------------------------===//
// arg_reduce
//===----------------------------------------------------------------------===//

LogicalResult ArgReduceOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  auto input = cast<RankedTensorType>(op.getInput().getType());
  int64_t axis = op.getAxis();
  if (failed(checkAxis({location, getOperationName()}, "axis", axis, "input",
                       input.getRank())))
    return failure();
  types.push_back(RankedTensorType::get(dropAxes(input.getShape(), axis),
                                        IntegerType::get(context, 64)));
  return success();
}

LogicalResult ArgReduceOp::verify() {
  if (failed(checkExtremum(getOperation(), getKind())))
    return failure();
  if (getInput().getType().getDimSize(getAxis()) == 0)
    return emitOpError("axis ") << getAxis() << " has no elements";
  return success();
}

LogicalResult
ArgReduceOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &reified) {
  int64_t axis = getAxis();
  reifyRest(*this, getInput(), axis, builder, reified);
  return success();
}

//===----------------------------------------------------------------------===//
// cumulative
//===----------------------------------------------------------------------===//

LogicalResult CumulativeOp::verify() {
  Complaint complain(getOperation());
  if (getKind() != ReduceKind::sum && getKind() != ReduceKind::prod)
    return complain("kind must be 'sum' or 'prod', not '",
                    stringifyReduceKind(getKind()), "'");
  if (failed(checkReduction(complain, getKind(), getType().getElementType())))
    return failure();
  return checkAxis(complain, "axis", getAxis(), "input", getType().getRank());
}

LogicalResult
CumulativeOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &reified) {
  reifySame(*this, getInput(), builder, reified);
  return success();
}

//===----------------------------------------------------------------------===//
// softmax, normalize
//===----------------------------------------------------------------------===//

LogicalResult SoftmaxOp::verify() {
  return checkAxis(getOperation(), "axis", getAxis(), "input",
                   getType().getRank());
}

LogicalResult
SoftmaxOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &reified) {
  reifySame(*this, getInput(), builder, reified);
  return success();
}

LogicalResult NormalizeOp::verify() {
  // Written so that NaN is refused too.
  if (!(getEpsilon().convertToDouble() >= 0)) {
    SmallString<16> text;
    getEpsilon().toString(text);
    return emitOpError("epsilon ") << text << " must not be negative";
  }
  return checkRisingAxes(getOperation(), "axis", getAxes(), "input",
                         getType().getRank());
}

LogicalResult
NormalizeOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &reified) {
  reifySame(*this, getInput(), builder, reified);
  return success();
}
