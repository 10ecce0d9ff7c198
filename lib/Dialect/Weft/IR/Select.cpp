//===- Select.cpp - Gather, scatter, top-k: shapes and checks -------------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// random_uniform
//===----------------------------------------------------------------------===//

LogicalResult RandomUniformOp::verify() {
  int64_t wanted = getType().getNumDynamicDims();
  int64_t found = getSizes().size();
  if (found != wanted)
    return emitOpError("has ") << found << " sizes, but its result has "
                               << wanted << " symbolic dimensions";
  return success();
}

LogicalResult
RandomUniformOp::reifyResultShapes(OpBuilder &builder,
                                   ReifiedRankedShapedTypeDims &reified) {
  ValueRange sizes = getSizes();
  reifyDims(reified, builder, getType(), [&](int64_t dim) -> OpFoldResult {
    return sizes[getType().getDynamicDimIndex(dim)];
  });
  return success();
}

//===----------------------------------------------------------------------===//
// gather
//===----------------------------------------------------------------------===//

LogicalResult
GatherOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                           ValueRange operands, DictionaryAttr attributes,
                           OpaqueProperties properties, RegionRange regions,
                           SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  auto input = cast<RankedTensorType>(op.getInput().getType());
  auto indices = cast<RankedTensorType>(op.getIndices().getType());
  int64_t axis = op.getAxis();
  if (failed(checkAxis({location, getOperationName()}, "axis", axis, "input",
                       input.getRank())))
    return failure();
  SmallVector<int64_t> shape(input.getShape().take_front(axis));
  llvm::append_range(shape, indices.getShape());
  llvm::append_range(shape, input.getShape().drop_front(axis + 1));
  types.push_back(RankedTensorType::get(shape, input.getElementType()));
  return success();
}

// All that can be wrong is found while the type is inferred.
LogicalResult GatherOp::verify() { return success(); }

LogicalResult
GatherOp::reifyResultShapes(OpBuilder &builder,
                            ReifiedRankedShapedTypeDims &reified) {
  int64_t axis = getAxis();
  int64_t indexRank = getIndices().getType().getRank();
  reifyDims(reified, builder, getType(), [&](int64_t dim) {
    if (dim >= axis && dim < axis + indexRank)
      return tensor::getMixedSize(builder, getLoc(), getIndices(), dim - axis);
    return tensor::getMixedSize(builder, getLoc(), getInput(),
                                dim < axis ? dim : dim - indexRank + 1);
  });
  return success();
}

//===----------------------------------------------------------------------===//
// gather_elements
//===----------------------------------------------------------------------===//

// Checks an index tensor that has the rank of the tensor it points into and,
// other than along `axis`, does not reach beyond it.
static LogicalResult checkElementIndices(const Complaint &complain,
                                         RankedTensorType input,
                                         RankedTensorType indices,
                                         int64_t axis) {
  if (failed(checkAxis(complain, "axis", axis, "input", input.getRank())))
    return failure();
  if (indices.getRank() != input.getRank())
    return complain("indices have rank ", indices.getRank(),
                    ", but the input has rank ", input.getRank());
  for (int64_t dim = 0; dim < input.getRank(); ++dim) {
    if (dim == axis || input.isDynamicDim(dim) || indices.isDynamicDim(dim))
      continue;
    if (indices.getDimSize(dim) > input.getDimSize(dim))
      return complain("indices have size ", indices.getDimSize(dim),
                      " in dimension ", dim, ", more than the input's ",
                      input.getDimSize(dim));
  }
  return success();
}

LogicalResult GatherElementsOp::inferReturnTypes(
    MLIRContext *, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  auto input = cast<RankedTensorType>(op.getInput().getType());
  auto indices = cast<RankedTensorType>(op.getIndices().getType());
  if (failed(checkElementIndices({location, getOperationName()}, input, indices,
                                 op.getAxis())))
    return failure();
  types.push_back(
      RankedTensorType::get(indices.getShape(), input.getElementType()));
  return success();
}

LogicalResult GatherElementsOp::verify() { return success(); }

LogicalResult
GatherElementsOp::reifyResultShapes(OpBuilder &builder,
                                    ReifiedRankedShapedTypeDims &reified) {
  reifyDims(reified, builder, getType(), [&](int64_t dim) {
    return tensor::getMixedSize(builder, getLoc(), getIndices(), dim);
  });
  return success();
}

//===----------------------------------------------------------------------===//
// gather_nd
//===----------------------------------------------------------------------===//

// Checks that the last dimension of `indices` holds vectors that point into
// dimensions of `input` after the first `batch`, which both share.
static LogicalResult checkIndexVectors(const Complaint &complain,
                                       RankedTensorType input,
                                       RankedTensorType indices,
                                       int64_t batch) {
  if (indices.getRank() == 0)
    return complain("indices have rank 0, but their last dimension must hold "
                    "index vectors");
  if (batch < 0 || batch > input.getRank() || batch >= indices.getRank())
    return complain("batch_dims ", batch, " does not fit an input of rank ",
                    input.getRank(), " and indices of rank ",
                    indices.getRank());
  int64_t length = indices.getShape().back(), rank = input.getRank() - batch;
  if (ShapedType::isDynamic(length))
    return complain("the last dimension of the indices must be static");
  if (length > rank)
    return complain("index vectors of length ", length, " point into only ",
                    rank, " dimensions");
  return checkShape(complain, "the indices' batch dimensions",
                    indices.getShape().take_front(batch),
                    input.getShape().take_front(batch));
}

LogicalResult
GatherNDOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                             ValueRange operands, DictionaryAttr attributes,
                             OpaqueProperties properties, RegionRange regions,
                             SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  Complaint complain(location, getOperationName());
  auto input = cast<RankedTensorType>(op.getInput().getType());
  auto indices = cast<RankedTensorType>(op.getIndices().getType());
  int64_t batch = op.getBatchDims();
  if (failed(checkIndexVectors(complain, input, indices, batch)))
    return failure();
  SmallVector<int64_t> shape(indices.getShape().drop_back());
  llvm::append_range(
      shape, input.getShape().drop_front(batch + indices.getShape().back()));
  types.push_back(RankedTensorType::get(shape, input.getElementType()));
  return success();
}

LogicalResult GatherNDOp::verify() { return success(); }

LogicalResult
GatherNDOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &reified) {
  RankedTensorType indices = getIndices().getType();
  int64_t outer = indices.getRank() - 1;
  int64_t firstKept = getBatchDims() + indices.getShape().back();
  reifyDims(reified, builder, getType(), [&](int64_t dim) {
    if (dim < outer)
      return tensor::getMixedSize(builder, getLoc(), getIndices(), dim);
    return tensor::getMixedSize(builder, getLoc(), getInput(),
                                dim - outer + firstKept);
  });
  return success();
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

template <typename OpTy> static LogicalResult checkUpdates(OpTy op) {
  Type updates = op.getUpdates().getType().getElementType();
  Type element = op.getType().getElementType();
  if (updates != element)
    return op.emitOpError("updates have the element type ")
           << updates << ", but the input has " << element;
  if (op.getKind() != ScatterKind::set &&
      (element.isInteger(1) || element.getIntOrFloatBitWidth() < 8 ||
       (isa<FloatType>(element) && element.getIntOrFloatBitWidth() == 8)))
    return op.emitOpError("kind '")
           << stringifyScatterKind(op.getKind())
           << "' cannot combine elements of type " << element;
  return success();
}

template <typename OpTy>
static void reifyInput(OpTy op, OpBuilder &builder,
                       ReifiedRankedShapedTypeDims &reified) {
  reifyDims(reified, builder, op.getType(), [&](int64_t dim) {
    return tensor::getMixedSize(builder, op.getLoc(), op.getInput(), dim);
  });
}

LogicalResult ScatterElementsOp::verify() {
  if (failed(checkElementIndices(getOperation(), getInput().getType(),
                                 getIndices().getType(), getAxis())) ||
      failed(checkShape(getOperation(), "the updates",
                        getUpdates().getType().getShape(),
                        getIndices().getType().getShape())))
    return failure();
  return checkUpdates(*this);
}

LogicalResult
ScatterElementsOp::reifyResultShapes(OpBuilder &builder,
                                     ReifiedRankedShapedTypeDims &reified) {
  reifyInput(*this, builder, reified);
  return success();
}

LogicalResult ScatterNDOp::verify() {
  RankedTensorType input = getInput().getType();
  RankedTensorType indices = getIndices().getType();
  int64_t batch = getBatchDims();
  if (failed(checkIndexVectors(getOperation(), input, indices, batch)))
    return failure();
  SmallVector<int64_t> wanted(indices.getShape().drop_back());
  llvm::append_range(
      wanted, input.getShape().drop_front(batch + indices.getShape().back()));
  if (failed(checkShape(getOperation(), "the updates",
                        getUpdates().getType().getShape(), wanted)))
    return failure();
  return checkUpdates(*this);
}

LogicalResult
ScatterNDOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &reified) {
  reifyInput(*this, builder, reified);
  return success();
}

//===----------------------------------------------------------------------===//
// top_k, nonzero
//===----------------------------------------------------------------------===//

LogicalResult TopKOp::verify() {
  Complaint complain(getOperation());
  RankedTensorType input = getInput().getType();
  RankedTensorType values = getValues().getType();
  int64_t axis = getAxis();
  if (failed(checkAxis(complain, "axis", axis, "input", input.getRank())))
    return failure();
  if (values.getElementType() != input.getElementType())
    return complain("values have the element type ", values.getElementType(),
                    ", but the input has ", input.getElementType());
  if (values.getShape() != getIndices().getType().getShape())
    return complain("values have shape ", formatShape(values.getShape()),
                    ", but indices have ",
                    formatShape(getIndices().getType().getShape()));
  if (values.getRank() != input.getRank())
    return complain("values have rank ", values.getRank(),
                    ", but the input has rank ", input.getRank());
  SmallVector<int64_t> wanted(input.getShape());
  int64_t count = wanted[axis] = values.getDimSize(axis);
  if (failed(checkShape(complain, "the values", values.getShape(), wanted)))
    return failure();
  if (ShapedType::isDynamic(count) != static_cast<bool>(getSize()))
    return complain("a size must be given exactly where dimension ", axis,
                    " of the results is symbolic");
  if (!input.isDynamicDim(axis) && !ShapedType::isDynamic(count) &&
      count > input.getDimSize(axis))
    return complain("cannot take ", count, " elements from ",
                    input.getDimSize(axis));
  return success();
}

LogicalResult TopKOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &reified) {
  for (int result = 0; result < 2; ++result)
    reifyDims(reified, builder, getValues().getType(),
              [&](int64_t dim) -> OpFoldResult {
                if (dim == static_cast<int64_t>(getAxis()))
                  return getSize();
                return tensor::getMixedSize(builder, getLoc(), getInput(), dim);
              });
  return success();
}

LogicalResult NonZeroOp::verify() {
  int64_t rank = getInput().getType().getRank();
  RankedTensorType type = getType();
  if (type.getRank() != 2 || !mayAgree(type.getDimSize(0), rank))
    return emitOpError("result has shape ")
           << formatShape(type.getShape())
           << ", but must have one row for each of the input's " << rank
           << " dimensions";
  return success();
}

LogicalResult
NonZeroOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &reified) {
  reifyDims(reified, builder, getType(), [&](int64_t dim) -> OpFoldResult {
    if (dim == 0)
      return builder.getIndexAttr(getInput().getType().getRank());
    return getCount();
  });
  return success();
}
