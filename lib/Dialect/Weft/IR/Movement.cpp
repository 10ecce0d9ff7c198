//===- Movement.cpp - Types, checks and folds of index maps ---------------===//

#include "Movement.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

LogicalResult weft::detail::verifySizes(Operation *op, RankedTensorType type,
                                        ValueRange sizes) {
  int64_t wanted = type.getNumDynamicDims();
  if (static_cast<int64_t>(sizes.size()) != wanted)
    return op->emitOpError("has ")
           << sizes.size() << " sizes for the " << wanted
           << " symbolic dimensions of " << type;
  return success();
}

SmallVector<OpFoldResult> weft::detail::getMixedSizes(Builder &builder,
                                                      RankedTensorType type,
                                                      ValueRange sizes) {
  SmallVector<OpFoldResult> mixed;
  for (int64_t size : type.getShape()) {
    if (!ShapedType::isDynamic(size)) {
      mixed.push_back(builder.getIndexAttr(size));
      continue;
    }
    mixed.push_back(sizes.front());
    sizes = sizes.drop_front();
  }
  return mixed;
}

Value weft::detail::getSizeOperand(RankedTensorType type, ValueRange sizes,
                                   int64_t dim) {
  return sizes[type.getDynamicDimIndex(dim)];
}

bool weft::detail::isSizeOf(Value value, Value tensor, int64_t dim) {
  auto dimOp = value.getDefiningOp<tensor::DimOp>();
  return dimOp && dimOp.getSource() == tensor &&
         dimOp.getConstantIndex() == dim;
}

/// The size of dimension `dim` of `tensor`, as an attribute if it is static.
static OpFoldResult getSize(OpBuilder &builder, Location loc, Value tensor,
                            int64_t dim) {
  int64_t size = cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
  if (!ShapedType::isDynamic(size))
    return builder.getIndexAttr(size);
  return tensor::DimOp::create(builder, loc, tensor, dim).getResult();
}

static Value getValue(OpBuilder &builder, Location loc, OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return value;
  return arith::ConstantIndexOp::create(builder, loc,
                                        *getConstantIntValue(size));
}

/// The sum of two sizes, as an attribute if both are constant.
static OpFoldResult addSizes(OpBuilder &builder, Location loc, OpFoldResult lhs,
                             OpFoldResult rhs) {
  std::optional<int64_t> left = getConstantIntValue(lhs);
  std::optional<int64_t> right = getConstantIntValue(rhs);
  if (left && right)
    return builder.getIndexAttr(*left + *right);
  return builder.createOrFold<arith::AddIOp>(loc, getValue(builder, loc, lhs),
                                             getValue(builder, loc, rhs));
}

/// Makes each size that `type` knows an attribute, and any other a value, as
/// reification promises.
static SmallVector<OpFoldResult> followType(OpBuilder &builder, Location loc,
                                            RankedTensorType type,
                                            SmallVector<OpFoldResult> sizes) {
  for (auto [size, known] : llvm::zip_equal(sizes, type.getShape()))
    if (ShapedType::isDynamic(known))
      size = getValue(builder, loc, size);
    else
      size = builder.getIndexAttr(known);
  return sizes;
}

/// Checks that a list of integers, whose dynamic markers stand for `values`,
/// has an entry for each of `rank` dimensions.
static LogicalResult verifyList(Operation *op, StringRef name,
                                ArrayRef<int64_t> list, ValueRange values,
                                int64_t rank) {
  if (static_cast<int64_t>(list.size()) != rank)
    return op->emitOpError("has ")
           << list.size() << " " << name << " for a tensor of rank " << rank;
  int64_t dynamic = llvm::count_if(list, ShapedType::isDynamic);
  if (dynamic != static_cast<int64_t>(values.size()))
    return op->emitOpError("has ")
           << values.size() << " " << name << " operands for " << dynamic
           << " dynamic entries";
  return success();
}

static LogicalResult verifyElementTypes(Operation *op, RankedTensorType from,
                                        RankedTensorType to) {
  if (from.getElementType() != to.getElementType())
    return op->emitOpError("makes elements of type ")
           << to.getElementType() << " from " << from.getElementType();
  return success();
}

/// Whether both sizes are known and differ.
static bool differ(int64_t lhs, int64_t rhs) {
  return !ShapedType::isDynamic(lhs) && !ShapedType::isDynamic(rhs) &&
         lhs != rhs;
}

//===----------------------------------------------------------------------===//
// ReshapeOp
//===----------------------------------------------------------------------===//

LogicalResult ReshapeOp::verify() {
  RankedTensorType from = getInput().getType(), to = getResult().getType();
  if (failed(verifyElementTypes(*this, from, to)) ||
      failed(detail::verifySizes(*this, to, getSizes())))
    return failure();
  if (from.hasStaticShape() && to.hasStaticShape() &&
      from.getNumElements() != to.getNumElements())
    return emitOpError("makes ")
           << to.getNumElements() << " elements from " << from.getNumElements();
  return success();
}

/// The number of elements settles a single symbolic size, unless a size of zero
/// makes the number say nothing.
OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  RankedTensorType type = getInput().getType();
  if (type != getResult().getType())
    return {};
  if (type.getNumDynamicDims() > 1 ||
      (!type.hasStaticShape() && llvm::is_contained(type.getShape(), 0)))
    return {};
  return getInput();
}

LogicalResult
ReshapeOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      detail::getMixedSizes(builder, getResult().getType(), getSizes()));
  return success();
}

//===----------------------------------------------------------------------===//
// TransposeOp
//===----------------------------------------------------------------------===//

static LogicalResult checkPermutation(ArrayRef<int64_t> permutation,
                                      int64_t rank) {
  SmallVector<bool> seen(rank, false);
  if (static_cast<int64_t>(permutation.size()) != rank)
    return failure();
  for (int64_t dim : permutation) {
    if (dim < 0 || dim >= rank || seen[dim])
      return failure();
    seen[dim] = true;
  }
  return success();
}

LogicalResult
TransposeOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                              ValueRange operands, DictionaryAttr attributes,
                              OpaqueProperties properties, RegionRange regions,
                              SmallVectorImpl<Type> &types) {
  TransposeOp::Adaptor adaptor(operands, attributes, properties, regions);
  auto type = cast<RankedTensorType>(adaptor.getInput().getType());
  ArrayRef<int64_t> permutation = adaptor.getPermutation();
  if (failed(checkPermutation(permutation, type.getRank())))
    return emitOptionalError(location, "'weft.transpose' op [", permutation,
                             "] is not a permutation of the input's ",
                             type.getRank(), " dimensions");
  SmallVector<int64_t> shape;
  for (int64_t dim : permutation)
    shape.push_back(type.getDimSize(dim));
  types.push_back(type.clone(shape));
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  for (auto [i, dim] : llvm::enumerate(getPermutation()))
    if (static_cast<int64_t>(i) != dim)
      return {};
  return getInput();
}

LogicalResult
TransposeOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim : getPermutation())
    sizes.push_back(getSize(builder, getLoc(), getInput(), dim));
  shapes.push_back(std::move(sizes));
  return success();
}

//===----------------------------------------------------------------------===//
// BroadcastOp
//===----------------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  RankedTensorType from = getInput().getType(), to = getResult().getType();
  ArrayRef<int64_t> dims = getDims();
  if (failed(verifyElementTypes(*this, from, to)) ||
      failed(detail::verifySizes(*this, to, getSizes())))
    return failure();
  if (static_cast<int64_t>(dims.size()) != from.getRank())
    return emitOpError("has ")
           << dims.size() << " dims for an input of rank " << from.getRank();
  int64_t last = -1;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    if (dim <= last || dim >= to.getRank())
      return emitOpError("dims [")
             << dims << "] do not rise within the result's rank "
             << to.getRank();
    last = dim;
    if (from.getDimSize(i) != 1 &&
        differ(from.getDimSize(i), to.getDimSize(dim)))
      return emitOpError("input size ")
             << from.getDimSize(i) << " of dimension " << i
             << " is neither 1 nor the result's " << to.getDimSize(dim);
  }
  return success();
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  RankedTensorType type = getInput().getType();
  if (type != getResult().getType() || !type.hasStaticShape())
    return {};
  return getInput();
}

LogicalResult
BroadcastOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      detail::getMixedSizes(builder, getResult().getType(), getSizes()));
  return success();
}

//===----------------------------------------------------------------------===//
// SliceOp
//===----------------------------------------------------------------------===//

void SliceOp::build(OpBuilder &builder, OperationState &state, Value input,
                    ArrayRef<OpFoldResult> offsets,
                    ArrayRef<OpFoldResult> sizes,
                    ArrayRef<OpFoldResult> strides) {
  SmallVector<Value> dynamicOffsets, dynamicSizes, dynamicStrides;
  SmallVector<int64_t> staticOffsets, staticSizes, staticStrides;
  dispatchIndexOpFoldResults(offsets, dynamicOffsets, staticOffsets);
  dispatchIndexOpFoldResults(sizes, dynamicSizes, staticSizes);
  dispatchIndexOpFoldResults(strides, dynamicStrides, staticStrides);
  auto type = cast<RankedTensorType>(input.getType());
  build(builder, state, type.clone(staticSizes), input, dynamicOffsets,
        dynamicSizes, dynamicStrides, staticOffsets, staticSizes,
        staticStrides);
}

SmallVector<OpFoldResult> SliceOp::getMixedOffsets() {
  return getMixedValues(getStaticOffsets(), getOffsets(), getContext());
}

SmallVector<OpFoldResult> SliceOp::getMixedSizes() {
  return getMixedValues(getStaticSizes(), getSizes(), getContext());
}

SmallVector<OpFoldResult> SliceOp::getMixedStrides() {
  return getMixedValues(getStaticStrides(), getStrides(), getContext());
}

/// Checks one dimension of a slice as far as it is known.
static LogicalResult verifySliceDim(SliceOp op, int64_t dim) {
  int64_t inputSize = op.getInput().getType().getDimSize(dim);
  int64_t offset = op.getStaticOffsets()[dim];
  int64_t size = op.getStaticSizes()[dim];
  int64_t stride = op.getStaticStrides()[dim];
  auto isKnown = [](int64_t value) { return !ShapedType::isDynamic(value); };
  if (stride == 0)
    return op.emitOpError("stride of dimension ") << dim << " is zero";
  if (isKnown(size) && size < 0)
    return op.emitOpError("size ")
           << size << " of dimension " << dim << " is negative";
  if (!isKnown(inputSize) || !isKnown(offset) || !isKnown(size) ||
      !isKnown(stride) || size == 0)
    return success();
  int64_t last = offset + (size - 1) * stride;
  if (std::min(offset, last) < 0 || std::max(offset, last) >= inputSize)
    return op.emitOpError("takes elements ")
           << offset << " to " << last << " of dimension " << dim
           << ", whose size is " << inputSize;
  return success();
}

LogicalResult SliceOp::verify() {
  RankedTensorType from = getInput().getType(), to = getResult().getType();
  int64_t rank = from.getRank();
  if (failed(verifyElementTypes(*this, from, to)) ||
      failed(verifyList(*this, "offsets", getStaticOffsets(), getOffsets(),
                        rank)) ||
      failed(verifyList(*this, "sizes", getStaticSizes(), getSizes(), rank)) ||
      failed(
          verifyList(*this, "strides", getStaticStrides(), getStrides(), rank)))
    return failure();
  for (int64_t dim = 0; dim < rank; ++dim)
    if (failed(verifySliceDim(*this, dim)))
      return failure();
  if (to.getShape() != getStaticSizes())
    return emitOpError("result ")
           << to << " does not have the sizes " << from.clone(getStaticSizes());
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  RankedTensorType type = getInput().getType();
  if (type != getResult().getType() || !type.hasStaticShape() ||
      !getOffsets().empty() || !getStrides().empty() ||
      !llvm::all_of(getStaticOffsets(), [](int64_t o) { return o == 0; }) ||
      !llvm::all_of(getStaticStrides(), [](int64_t s) { return s == 1; }))
    return {};
  return getInput();
}

LogicalResult SliceOp::reifyResultShapes(OpBuilder &builder,
                                         ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getMixedSizes());
  return success();
}

//===----------------------------------------------------------------------===//
// UpdateSliceOp
//===----------------------------------------------------------------------===//

SmallVector<OpFoldResult> UpdateSliceOp::getMixedOffsets() {
  return getMixedValues(getStaticOffsets(), getOffsets(), getContext());
}

LogicalResult UpdateSliceOp::verify() {
  RankedTensorType source = getSource().getType(), dest = getDest().getType();
  int64_t rank = dest.getRank();
  if (source.getRank() != rank)
    return emitOpError("source of rank ")
           << source.getRank() << " does not fit a tensor of rank " << rank;
  if (failed(verifyElementTypes(*this, source, dest)) ||
      failed(
          verifyList(*this, "offsets", getStaticOffsets(), getOffsets(), rank)))
    return failure();
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t offset = getStaticOffsets()[dim];
    if (ShapedType::isDynamic(offset))
      continue;
    if (offset < 0)
      return emitOpError("offset ")
             << offset << " of dimension " << dim << " is negative";
    int64_t size = source.getDimSize(dim), whole = dest.getDimSize(dim);
    if (!ShapedType::isDynamic(size) && !ShapedType::isDynamic(whole) &&
        offset + size > whole)
      return emitOpError("source ends at ")
             << offset + size << " in dimension " << dim << ", beyond its size "
             << whole;
  }
  return success();
}

/// Where the source is as large as all of `dest`, it can only start at zero.
OpFoldResult UpdateSliceOp::fold(FoldAdaptor) {
  if (getSource().getType() == getType() && getType().hasStaticShape())
    return getSource();
  return {};
}

LogicalResult
UpdateSliceOp::reifyResultShapes(OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim = 0; dim < getDest().getType().getRank(); ++dim)
    sizes.push_back(getSize(builder, getLoc(), getDest(), dim));
  shapes.push_back(std::move(sizes));
  return success();
}

//===----------------------------------------------------------------------===//
// ConcatOp
//===----------------------------------------------------------------------===//

/// The result type, or null after an error. A size that one input knows is that
/// of all.
static RankedTensorType inferConcat(std::optional<Location> location,
                                    ValueRange inputs, int64_t axis) {
  auto type = cast<RankedTensorType>(inputs.front().getType());
  SmallVector<int64_t> shape(type.getShape());
  for (Value input : inputs.drop_front()) {
    auto next = cast<RankedTensorType>(input.getType());
    if (next.getRank() != type.getRank() ||
        next.getElementType() != type.getElementType()) {
      (void)emitOptionalError(location, "'weft.concat' op joins ", type,
                              " and ", next);
      return {};
    }
    for (auto [dim, size] : llvm::enumerate(next.getShape())) {
      int64_t &known = shape[dim];
      if (static_cast<int64_t>(dim) == axis) {
        known = ShapedType::isDynamic(known) || ShapedType::isDynamic(size)
                    ? ShapedType::kDynamic
                    : known + size;
        continue;
      }
      if (differ(known, size)) {
        (void)emitOptionalError(location, "'weft.concat' op joins sizes ",
                                known, " and ", size, " of dimension ", dim);
        return {};
      }
      known = ShapedType::isDynamic(known) ? size : known;
    }
  }
  return type.clone(shape);
}

LogicalResult
ConcatOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                           ValueRange operands, DictionaryAttr attributes,
                           OpaqueProperties properties, RegionRange regions,
                           SmallVectorImpl<Type> &types) {
  ConcatOp::Adaptor adaptor(operands, attributes, properties, regions);
  if (operands.empty())
    return emitOptionalError(location, "'weft.concat' op has no inputs");
  int64_t axis = adaptor.getAxis();
  int64_t rank = cast<RankedTensorType>(operands.front().getType()).getRank();
  if (axis < 0 || axis >= rank)
    return emitOptionalError(location, "'weft.concat' op axis ", axis,
                             " is outside the inputs' rank ", rank);
  RankedTensorType type = inferConcat(location, operands, axis);
  if (!type)
    return failure();
  types.push_back(type);
  return success();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  if (getInputs().size() == 1 &&
      getInputs().front().getType() == getResult().getType())
    return getInputs().front();
  return {};
}

LogicalResult ConcatOp::reifyResultShapes(OpBuilder &builder,
                                          ReifiedRankedShapedTypeDims &shapes) {
  RankedTensorType type = getResult().getType();
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    OpFoldResult size = getSize(builder, getLoc(), getInputs().front(), dim);
    if (dim == static_cast<int64_t>(getAxis()) && type.isDynamicDim(dim))
      for (Value input : getInputs().drop_front())
        size = addSizes(builder, getLoc(), size,
                        getSize(builder, getLoc(), input, dim));
    sizes.push_back(size);
  }
  shapes.push_back(followType(builder, getLoc(), type, sizes));
  return success();
}

//===----------------------------------------------------------------------===//
// PadOp
//===----------------------------------------------------------------------===//

/// The padded shape, with a symbolic size wherever one of its parts is. No
/// `interior` stands for zeros.
static SmallVector<int64_t> getPaddedShape(ArrayRef<int64_t> shape,
                                           ArrayRef<int64_t> low,
                                           ArrayRef<int64_t> high,
                                           ArrayRef<int64_t> interior) {
  SmallVector<int64_t> padded;
  for (auto [dim, size, before, after] : llvm::enumerate(shape, low, high)) {
    int64_t between = interior.empty() ? 0 : interior[dim];
    bool isKnown = llvm::none_of(ArrayRef{size, before, after, between},
                                 ShapedType::isDynamic);
    if (!isKnown) {
      padded.push_back(ShapedType::kDynamic);
      continue;
    }
    int64_t gaps = std::max<int64_t>(size - 1, 0);
    padded.push_back(before + size + gaps * between + after);
  }
  return padded;
}

void PadOp::build(OpBuilder &builder, OperationState &state, Value input,
                  Value value, ArrayRef<OpFoldResult> low,
                  ArrayRef<OpFoldResult> high,
                  ArrayRef<OpFoldResult> interior) {
  SmallVector<Value> dynamicLow, dynamicHigh, dynamicInterior;
  SmallVector<int64_t> staticLow, staticHigh, staticInterior;
  dispatchIndexOpFoldResults(low, dynamicLow, staticLow);
  dispatchIndexOpFoldResults(high, dynamicHigh, staticHigh);
  dispatchIndexOpFoldResults(interior, dynamicInterior, staticInterior);
  auto type = cast<RankedTensorType>(input.getType());
  build(builder, state,
        type.clone(getPaddedShape(type.getShape(), staticLow, staticHigh,
                                  staticInterior)),
        input, value, dynamicLow, dynamicHigh, dynamicInterior, staticLow,
        staticHigh, staticInterior);
}

SmallVector<OpFoldResult> PadOp::getMixedLow() {
  return getMixedValues(getStaticLow(), getLow(), getContext());
}

SmallVector<OpFoldResult> PadOp::getMixedHigh() {
  return getMixedValues(getStaticHigh(), getHigh(), getContext());
}

SmallVector<OpFoldResult> PadOp::getMixedInterior() {
  if (getStaticInterior().empty())
    return SmallVector<OpFoldResult>(getType().getRank(),
                                     Builder(getContext()).getIndexAttr(0));
  return getMixedValues(getStaticInterior(), getInterior(), getContext());
}

LogicalResult PadOp::verify() {
  RankedTensorType from = getInput().getType(), to = getResult().getType();
  RankedTensorType value = getValue().getType();
  if (value.getRank() != 0 || value.getElementType() != from.getElementType())
    return emitOpError("value of type ")
           << value << " is not a single " << from.getElementType();
  if (failed(verifyElementTypes(*this, from, to)) ||
      failed(
          verifyList(*this, "low", getStaticLow(), getLow(), from.getRank())) ||
      failed(verifyList(*this, "high", getStaticHigh(), getHigh(),
                        from.getRank())) ||
      (!getStaticInterior().empty() &&
       failed(verifyList(*this, "interior", getStaticInterior(), getInterior(),
                         from.getRank()))))
    return failure();
  for (ArrayRef<int64_t> list :
       {getStaticLow(), getStaticHigh(), getStaticInterior()})
    for (int64_t amount : list)
      if (!ShapedType::isDynamic(amount) && amount < 0)
        return emitOpError("pads by ") << amount << ", which is negative";
  SmallVector<int64_t> shape = getPaddedShape(
      from.getShape(), getStaticLow(), getStaticHigh(), getStaticInterior());
  if (to.getShape() != ArrayRef<int64_t>(shape))
    return emitOpError("result ")
           << to << " does not have the sizes " << from.clone(shape);
  return success();
}

OpFoldResult PadOp::fold(FoldAdaptor) {
  auto isZero = [](int64_t amount) { return amount == 0; };
  if (getInput().getType() == getResult().getType() &&
      llvm::all_of(getStaticLow(), isZero) &&
      llvm::all_of(getStaticHigh(), isZero) &&
      llvm::all_of(getStaticInterior(), isZero))
    return getInput();
  return {};
}

/// How many elements come between `size` others, `each` at a time.
static OpFoldResult countBetween(OpBuilder &builder, Location loc,
                                 OpFoldResult size, OpFoldResult each) {
  if (isConstantIntValue(each, 0))
    return each;
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value gaps = builder.createOrFold<arith::SubIOp>(
      loc, getValue(builder, loc, size), one);
  gaps = builder.createOrFold<arith::MaxSIOp>(loc, gaps, zero);
  return builder.createOrFold<arith::MulIOp>(loc, gaps,
                                             getValue(builder, loc, each));
}

LogicalResult PadOp::reifyResultShapes(OpBuilder &builder,
                                       ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes;
  Location loc = getLoc();
  for (auto [dim, low, high, interior] :
       llvm::enumerate(getMixedLow(), getMixedHigh(), getMixedInterior())) {
    OpFoldResult own = getSize(builder, loc, getInput(), dim);
    OpFoldResult size = addSizes(builder, loc, own, low);
    size = addSizes(builder, loc, size, high);
    sizes.push_back(addSizes(builder, loc, size,
                             countBetween(builder, loc, own, interior)));
  }
  shapes.push_back(followType(builder, loc, getResult().getType(), sizes));
  return success();
}
