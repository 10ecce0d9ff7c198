//===- StructuredContract.cpp - Contractions: shapes and checks -----------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

// Checks that products of the two element types can be added in the result's.
static LogicalResult checkProduct(const Complaint &complain,
                                  ArrayRef<Type> operands, Type result) {
  for (Type type : operands) {
    bool isSameKind = isa<FloatType>(type) == isa<FloatType>(result);
    unsigned width = type.getIntOrFloatBitWidth();
    unsigned room = result.getIntOrFloatBitWidth();
    bool fits =
        isa<FloatType>(type) ? type == result || width < room : width <= room;
    if (!isSameKind || !fits)
      return complain("cannot widen elements of type ", type, " to ", result);
  }
  return success();
}

// Checks that sums of the type `result` can begin at `init`, which may be null.
static LogicalResult checkInit(const Complaint &complain, Value init,
                               RankedTensorType result) {
  if (!init)
    return success();
  auto type = cast<RankedTensorType>(init.getType());
  if (type.getElementType() != result.getElementType())
    return complain("has sums of type ", result.getElementType(),
                    ", but begins at elements of type ", type.getElementType());
  return checkShape(complain, "the init", type.getShape(), result.getShape());
}

//===----------------------------------------------------------------------===//
// contract
//===----------------------------------------------------------------------===//

static SmallVector<int64_t> getOthers(int64_t rank, ArrayRef<int64_t> batch,
                                      ArrayRef<int64_t> contract) {
  SmallVector<int64_t> others;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(batch, dim) && !llvm::is_contained(contract, dim))
      others.push_back(dim);
  return others;
}

SmallVector<int64_t> ContractOp::getLhsFree() {
  return getOthers(getLhs().getType().getRank(), getLhsBatch(),
                   getLhsContract());
}

SmallVector<int64_t> ContractOp::getRhsFree() {
  return getOthers(getRhs().getType().getRank(), getRhsBatch(),
                   getRhsContract());
}

// The result's shape; of two batch sizes the static one is taken.
static SmallVector<int64_t>
getContractShape(ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs,
                 ArrayRef<int64_t> lhsBatch, ArrayRef<int64_t> rhsBatch,
                 ArrayRef<int64_t> lhsFree, ArrayRef<int64_t> rhsFree) {
  SmallVector<int64_t> shape;
  for (auto [l, r] : llvm::zip_equal(lhsBatch, rhsBatch))
    shape.push_back(ShapedType::isDynamic(lhs[l]) ? rhs[r] : lhs[l]);
  for (int64_t dim : lhsFree)
    shape.push_back(lhs[dim]);
  for (int64_t dim : rhsFree)
    shape.push_back(rhs[dim]);
  return shape;
}

void ContractOp::build(OpBuilder &builder, OperationState &state, Value lhs,
                       Value rhs, ArrayRef<int64_t> lhsBatch,
                       ArrayRef<int64_t> rhsBatch,
                       ArrayRef<int64_t> lhsContract,
                       ArrayRef<int64_t> rhsContract, Type elementType) {
  auto lhsType = cast<RankedTensorType>(lhs.getType());
  auto rhsType = cast<RankedTensorType>(rhs.getType());
  SmallVector<int64_t> shape = getContractShape(
      lhsType.getShape(), rhsType.getShape(), lhsBatch, rhsBatch,
      getOthers(lhsType.getRank(), lhsBatch, lhsContract),
      getOthers(rhsType.getRank(), rhsBatch, rhsContract));
  build(builder, state,
        RankedTensorType::get(shape, elementType ? elementType
                                                 : lhsType.getElementType()),
        lhs, rhs, /*init=*/Value(), lhsBatch, rhsBatch, lhsContract,
        rhsContract);
}

// Checks that the dimensions exist and that none is named twice.
static LogicalResult checkContractDims(const Complaint &complain, StringRef of,
                                       int64_t rank, ArrayRef<int64_t> batch,
                                       ArrayRef<int64_t> contract) {
  SmallVector<bool> seen(rank, false);
  for (int64_t dim : llvm::concat<const int64_t>(batch, contract)) {
    if (failed(checkAxis(complain, "dimension", dim, of, rank)))
      return failure();
    if (seen[dim])
      return complain("dimension ", dim, " of the ", of, " is named twice");
    seen[dim] = true;
  }
  return success();
}

// Checks that paired dimensions may have the same size.
static LogicalResult checkPairs(const Complaint &complain, StringRef what,
                                ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs,
                                RankedTensorType lhsType,
                                RankedTensorType rhsType) {
  if (lhs.size() != rhs.size())
    return complain("has ", lhs.size(), " ", what, " dimensions for lhs, but ",
                    rhs.size(), " for rhs");
  for (auto [l, r] : llvm::zip_equal(lhs, rhs))
    if (!mayAgree(lhsType.getDimSize(l), rhsType.getDimSize(r)))
      return complain(what, " dimension ", l, " of lhs has size ",
                      lhsType.getDimSize(l), ", but dimension ", r,
                      " of rhs has ", rhsType.getDimSize(r));
  return success();
}

LogicalResult ContractOp::verify() {
  Complaint complain(getOperation());
  RankedTensorType lhs = getLhs().getType(), rhs = getRhs().getType();
  if (failed(checkContractDims(complain, "lhs", lhs.getRank(), getLhsBatch(),
                               getLhsContract())) ||
      failed(checkContractDims(complain, "rhs", rhs.getRank(), getRhsBatch(),
                               getRhsContract())) ||
      failed(checkPairs(complain, "batch", getLhsBatch(), getRhsBatch(), lhs,
                        rhs)) ||
      failed(checkPairs(complain, "contracted", getLhsContract(),
                        getRhsContract(), lhs, rhs)) ||
      failed(checkProduct(complain,
                          {lhs.getElementType(), rhs.getElementType()},
                          getType().getElementType())) ||
      failed(checkInit(complain, getInit(), getType())))
    return failure();
  return checkShape(complain, "the result", getType().getShape(),
                    getContractShape(lhs.getShape(), rhs.getShape(),
                                     getLhsBatch(), getRhsBatch(), getLhsFree(),
                                     getRhsFree()));
}

LogicalResult
ContractOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &reified) {
  SmallVector<int64_t> lhsDims(getLhsBatch()), rhsDims = getRhsFree();
  llvm::append_range(lhsDims, getLhsFree());
  reifyDims(reified, builder, getType(), [&](int64_t dim) {
    int64_t fromLhs = lhsDims.size();
    return dim < fromLhs
               ? tensor::getMixedSize(builder, getLoc(), getLhs(), lhsDims[dim])
               : tensor::getMixedSize(builder, getLoc(), getRhs(),
                                      rhsDims[dim - fromLhs]);
  });
  return success();
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

// The result's shape from those of the input and the filter. `getDim` tells how
// the filter's taps of a given number lie along a spatial dimension.
static SmallVector<int64_t>
getConvShape(ArrayRef<int64_t> input, ArrayRef<int64_t> filter,
             llvm::function_ref<WindowDim(int64_t, int64_t)> getDim) {
  SmallVector<int64_t> shape = {input[0], filter[0]};
  for (int64_t dim = 0, e = input.size() - 2; dim < e; ++dim) {
    int64_t taps = filter[dim + 2];
    shape.push_back(ShapedType::isDynamic(taps)
                        ? taps
                        : getDim(dim, taps).getResultSize(input[dim + 2]));
  }
  return shape;
}

void ConvOp::build(OpBuilder &builder, OperationState &state, Value input,
                   Value filter, ArrayRef<int64_t> strides,
                   ArrayRef<int64_t> low, ArrayRef<int64_t> high,
                   ArrayRef<int64_t> inputDilation,
                   ArrayRef<int64_t> filterDilation, int64_t groups,
                   Type elementType) {
  auto inputType = cast<RankedTensorType>(input.getType());
  auto filterType = cast<RankedTensorType>(filter.getType());
  SmallVector<int64_t> shape =
      getConvShape(inputType.getShape(), filterType.getShape(),
                   [&](int64_t dim, int64_t taps) -> WindowDim {
                     return {.window = taps,
                             .stride = strides[dim],
                             .low = low[dim],
                             .high = high[dim],
                             .dilation = filterDilation[dim],
                             .inputDilation = inputDilation[dim]};
                   });
  build(builder, state,
        RankedTensorType::get(shape, elementType ? elementType
                                                 : inputType.getElementType()),
        input, filter, strides, low, high, inputDilation, filterDilation,
        groups);
}

// Checks that the channels of input and filter fit the groups.
static LogicalResult checkGroups(const Complaint &complain, int64_t groups,
                                 int64_t channels, int64_t perGroup,
                                 int64_t outputs) {
  if (groups < 1)
    return complain("groups ", groups, " must be positive");
  if (!ShapedType::isDynamic(channels) && channels % groups != 0)
    return complain("groups ", groups, " does not divide the input's ",
                    channels, " channels");
  if (!ShapedType::isDynamic(outputs) && outputs % groups != 0)
    return complain("groups ", groups, " does not divide the filter's ",
                    outputs, " outputs");
  if (!ShapedType::isDynamic(channels) &&
      !mayAgree(channels / groups, perGroup))
    return complain("filter has ", perGroup, " channels, but the input has ",
                    channels, " in ", groups, " groups");
  return success();
}

// Checks that a convolution of `input` by `filter` is possible and gives
// `result`, which is called `what`.
template <typename OpTy>
static LogicalResult verifyConv(OpTy op, RankedTensorType input,
                                RankedTensorType filter, StringRef what,
                                RankedTensorType result) {
  Complaint complain(op.getOperation());
  int64_t rank = input.getRank();
  if (rank < 2 || filter.getRank() != rank)
    return complain("input of rank ", rank, " and filter of rank ",
                    filter.getRank(), " must have the same rank, two or more");
  int64_t any = std::numeric_limits<int64_t>::min();
  if (failed(checkList(complain, "strides", op.getStrides(), rank - 2, 1)) ||
      failed(checkList(complain, "low", op.getLow(), rank - 2, any)) ||
      failed(checkList(complain, "high", op.getHigh(), rank - 2, any)) ||
      failed(checkList(complain, "input_dilation", op.getInputDilation(),
                       rank - 2, 1)) ||
      failed(checkList(complain, "filter_dilation", op.getFilterDilation(),
                       rank - 2, 1)) ||
      failed(checkGroups(complain, op.getGroups(), input.getDimSize(1),
                         filter.getDimSize(1), filter.getDimSize(0))))
    return failure();
  return checkShape(complain, what, result.getShape(),
                    getConvShape(input.getShape(), filter.getShape(),
                                 [&](int64_t dim, int64_t taps) {
                                   return getConvDim(op, dim, taps);
                                 }));
}

LogicalResult ConvOp::verify() {
  RankedTensorType input = getInput().getType(), filter = getFilter().getType();
  if (failed(checkProduct(Complaint(getOperation()),
                          {input.getElementType(), filter.getElementType()},
                          getType().getElementType())))
    return failure();
  return verifyConv(*this, input, filter, "the result", getType());
}

LogicalResult ConvFilterOp::verify() {
  Complaint complain(getOperation());
  RankedTensorType input = getInput().getType(), grad = getGrad().getType();
  if (failed(checkProduct(complain,
                          {input.getElementType(), grad.getElementType()},
                          getType().getElementType())) ||
      failed(checkInit(complain, getInit(), getType())))
    return failure();
  // Those of the first two dimensions follow from the operands.
  int64_t wanted =
      llvm::count_if(getType().getShape().drop_front(2), ShapedType::isDynamic);
  if (wanted != static_cast<int64_t>(getSizes().size()))
    return complain("has ", getSizes().size(), " sizes for ", wanted,
                    " symbolic numbers of taps");
  return verifyConv(*this, input, getType(), "the gradient", grad);
}

LogicalResult
ConvFilterOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &reified) {
  auto next = getSizes().begin();
  reifyDims(reified, builder, getType(), [&](int64_t dim) -> OpFoldResult {
    if (dim == 0)
      return tensor::getMixedSize(builder, getLoc(), getGrad(), 1);
    if (dim > 1)
      return *next++;
    ImplicitLocOpBuilder b(getLoc(), builder);
    Value channels = tensor::DimOp::create(b, getInput(), 1);
    Value groups = arith::ConstantIndexOp::create(b, getGroups());
    return arith::DivUIOp::create(b, channels, groups).getResult();
  });
  return success();
}

// The number of positions where the number of taps is symbolic too.
static OpFoldResult reifyConvDim(ConvOp op, OpBuilder &builder, int64_t dim) {
  Location loc = op.getLoc();
  OpFoldResult size =
      tensor::getMixedSize(builder, loc, op.getInput(), dim + 2);
  int64_t taps = op.getFilter().getType().getDimSize(dim + 2);
  if (!ShapedType::isDynamic(taps))
    return getConvDim(op, dim, taps).getResultSize(builder, loc, size);
  // A filter of one tap gives the number of places for one; each further tap
  // takes `dilation` of the padded input away.
  ImplicitLocOpBuilder b(loc, builder);
  WindowDim place = getConvDim(op, dim, 1);
  place.stride = 1;
  Value room = getValueOrCreateConstantIndexOp(
      b, loc, place.getResultSize(builder, loc, size));
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  Value count = tensor::DimOp::create(b, op.getFilter(), dim + 2);
  Value further = arith::SubIOp::create(b, count, constant(1));
  Value taken = arith::MulIOp::create(b, further, constant(place.dilation));
  room = arith::SubIOp::create(b, room, taken);
  room = arith::AddIOp::create(b, room, constant(op.getStrides()[dim] - 1));
  room = arith::MaxSIOp::create(b, room, constant(0));
  return arith::DivUIOp::create(b, room, constant(op.getStrides()[dim]))
      .getResult();
}

LogicalResult ConvOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &reified) {
  reifyDims(reified, builder, getType(), [&](int64_t dim) {
    if (dim == 0)
      return tensor::getMixedSize(builder, getLoc(), getInput(), 0);
    if (dim == 1)
      return tensor::getMixedSize(builder, getLoc(), getFilter(), 0);
    return reifyConvDim(*this, builder, dim - 2);
  });
  return success();
}

//===----------------------------------------------------------------------===//
// det
//===----------------------------------------------------------------------===//

LogicalResult
DetOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                        ValueRange operands, DictionaryAttr attributes,
                        OpaqueProperties properties, RegionRange regions,
                        SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  auto input = cast<RankedTensorType>(op.getInput().getType());
  if (failed(checkSquare({location, getOperationName()}, input)))
    return failure();
  ArrayRef<int64_t> shape = input.getShape();
  types.push_back(
      RankedTensorType::get(shape.drop_back(2), input.getElementType()));
  types.push_back(
      RankedTensorType::get(shape, getAccumulatorType(input.getElementType())));
  return success();
}

// All that can be wrong is found while the types are inferred.
LogicalResult DetOp::verify() { return success(); }

LogicalResult DetOp::reifyResultShapes(OpBuilder &builder,
                                       ReifiedRankedShapedTypeDims &reified) {
  for (Value result : getResults())
    reifyDims(reified, builder, result.getType(), [&](int64_t dim) {
      return tensor::getMixedSize(builder, getLoc(), getInput(), dim);
    });
  return success();
}
