//===- StructuredContractGradient.cpp - Gradients of contractions ---------===//

#include "StructuredGradient.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

//===----------------------------------------------------------------------===//
// contract
//===----------------------------------------------------------------------===//

namespace {
/// One operand of a contraction: its dimensions by what they are for.
struct ContractSide {
  TypedValue<RankedTensorType> value;
  ArrayRef<int64_t> batch, contract;
  SmallVector<int64_t> free;
};
} // namespace

// Where each of `dims` stands among them when they are sorted.
static SmallVector<int64_t> getRanks(ArrayRef<int64_t> dims) {
  return llvm::map_to_vector(dims, [&](int64_t dim) -> int64_t {
    return llvm::count_if(dims, [&](int64_t other) { return other < dim; });
  });
}

// The dimensions of `own` in the order in which a contraction of the result's
// gradient with `other` has them. Those of `own` that were contracted are free
// in `other`, and come in its order.
static SmallVector<int64_t> getGradientDims(const ContractSide &own,
                                            const ContractSide &other,
                                            bool otherFirst) {
  SmallVector<int64_t> contracted(own.contract.size());
  for (auto [rank, dim] :
       llvm::zip_equal(getRanks(other.contract), own.contract))
    contracted[rank] = dim;
  SmallVector<int64_t> dims(own.batch);
  llvm::append_range(dims, otherFirst ? contracted : own.free);
  llvm::append_range(dims, otherFirst ? own.free : contracted);
  return dims;
}

// With y[b, m, n] = sum over k of a[b, m, k] * c[b, k, n] and g the gradient of
// y, that of a[b, m, k] is the sum over n of g[b, m, n] * c[b, k, n], and that
// of c[b, k, n] the sum over m of a[b, m, k] * g[b, m, n]: each is a
// contraction over the other operand's free dimensions. `ownFirst` and
// `otherFirst` are the first dimensions of g that come from the free ones of
// either operand. The gradient may stand on either side: its dimensions must
// come out in the operand's order, if possible.
static Value buildContractGradient(ImplicitLocOpBuilder &b, Value grad,
                                   const ContractSide &own,
                                   const ContractSide &other, int64_t ownFirst,
                                   int64_t otherFirst) {
  auto gradType = cast<RankedTensorType>(grad.getType());
  SmallVector<int64_t> batch =
      llvm::to_vector(llvm::seq<int64_t>(own.batch.size()));
  SmallVector<int64_t> summed = llvm::to_vector(
      llvm::seq<int64_t>(otherFirst, otherFirst + other.free.size()));
  // Dimensions that run together may be named in any order: in that of `own`.
  ContractSide sortedOwn = own;
  SmallVector<int64_t> ownBatch(batch.size()), otherBatch(batch.size()),
      gradBatch(batch.size());
  for (auto [i, rank] : llvm::enumerate(getRanks(own.batch))) {
    ownBatch[rank] = own.batch[i];
    otherBatch[rank] = other.batch[i];
    gradBatch[rank] = i;
  }
  sortedOwn.batch = ownBatch;

  bool isOtherFirst = ownFirst > otherFirst;
  SmallVector<int64_t> dims = getGradientDims(sortedOwn, other, isOtherFirst);
  if (SmallVector<int64_t> swapped =
          getGradientDims(sortedOwn, other, !isOtherFirst);
      !llvm::is_sorted(dims) && llvm::is_sorted(swapped)) {
    dims = swapped;
    isOtherFirst = !isOtherFirst;
  }
  SmallVector<int64_t> shape = llvm::map_to_vector(
      dims, [&](int64_t dim) { return own.value.getType().getDimSize(dim); });
  auto type = RankedTensorType::get(shape, gradType.getElementType());
  Value result =
      isOtherFirst ? ContractOp::create(b, type, other.value, grad, otherBatch,
                                        gradBatch, other.free, summed)
                   : ContractOp::create(b, type, grad, other.value, gradBatch,
                                        otherBatch, summed, other.free);
  if (!llvm::is_sorted(dims)) {
    SmallVector<int64_t> permutation(dims.size());
    for (auto [position, dim] : llvm::enumerate(dims))
      permutation[dim] = position;
    result = TransposeOp::create(b, result, permutation);
  }
  return convertElements(b, result, own.value);
}

LogicalResult ContractOp::buildGradient(OpBuilder &builder,
                                        ValueRange resultGrads,
                                        SmallVectorImpl<Value> &operandGrads) {
  if (!isa<FloatType>(getType().getElementType())) {
    operandGrads.append(2, Value());
    return success();
  }
  ImplicitLocOpBuilder b(getLoc(), builder);
  ContractSide lhs{getLhs(), getLhsBatch(), getLhsContract(), getLhsFree()};
  ContractSide rhs{getRhs(), getRhsBatch(), getRhsContract(), getRhsFree()};
  int64_t lhsFirst = lhs.batch.size(), rhsFirst = lhsFirst + lhs.free.size();
  Value grad = resultGrads.front();
  operandGrads.push_back(
      buildContractGradient(b, grad, lhs, rhs, lhsFirst, rhsFirst));
  operandGrads.push_back(
      buildContractGradient(b, grad, rhs, lhs, rhsFirst, lhsFirst));
  return success();
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

// The filter of the convolution that leads from outputs back to inputs: its
// taps in reverse order, and outputs and channels exchanged in each group:
// [groups * outputs, channels, taps...] becomes [groups * channels, outputs,
// taps...].
static Value turnFilter(ImplicitLocOpBuilder &b, Value filter, int64_t groups) {
  auto type = cast<RankedTensorType>(filter.getType());
  int64_t rank = type.getRank();
  ArrayRef<int64_t> taps = type.getShape().drop_front(2);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, b.getLoc(), filter);
  if (llvm::any_of(taps, [](int64_t count) { return count > 1; })) {
    SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(rank, b.getIndexAttr(1));
    for (auto [dim, count] : llvm::enumerate(taps)) {
      offsets[dim + 2] = b.getIndexAttr(std::max<int64_t>(count - 1, 0));
      strides[dim + 2] = b.getIndexAttr(-1);
    }
    filter = SliceOp::create(b, filter, offsets, sizes, strides);
  }
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq(rank));
  std::swap(permutation[0], permutation[1]);
  if (groups == 1)
    return TransposeOp::create(b, filter, permutation);
  OpFoldResult outputs = divideSize(b, sizes[0], groups), channels = sizes[1];
  SmallVector<OpFoldResult> split(sizes), joined(sizes);
  split[0] = outputs;
  split.insert(split.begin(), b.getIndexAttr(groups));
  joined[0] = multiplySizes(b, channels, b.getIndexAttr(groups));
  joined[1] = outputs;
  permutation = {0, 2, 1};
  llvm::append_range(permutation, llvm::seq<int64_t>(3, rank + 1));
  filter = TransposeOp::create(b, reshapeTo(b, filter, split), permutation);
  return reshapeTo(b, filter, joined);
}

// A filter of one tap per dimension reaches the positions that it stands on,
// and no others: the gradient is computed at those and then spread by the
// strides.
template <typename OpTy>
static bool isStridedPoint(OpTy op, ArrayRef<int64_t> taps) {
  auto all = [](ArrayRef<int64_t> values, int64_t wanted) {
    return llvm::all_of(values, [&](int64_t value) { return value == wanted; });
  };
  auto isPadding = [](int64_t count) { return count >= 0; };
  return all(taps, 1) && !all(op.getStrides(), 1) &&
         all(op.getInputDilation(), 1) &&
         llvm::all_of(op.getLow(), isPadding) &&
         llvm::all_of(op.getHigh(), isPadding);
}

template <typename OpTy>
static Value buildPointGradient(ImplicitLocOpBuilder &b, OpTy op, Value grad,
                                Value filter) {
  int64_t rank = op.getInput().getType().getRank();
  SmallVector<int64_t> zeros(rank - 2, 0), ones(rank - 2, 1);
  Value points = ConvOp::create(b, grad, turnFilter(b, filter, op.getGroups()),
                                ones, zeros, zeros, ones, ones, op.getGroups(),
                                getElementTypeOrSelf(grad.getType()));
  auto lift = [](ArrayRef<int64_t> spatial, int64_t outer) {
    SmallVector<int64_t> all(2, outer);
    llvm::append_range(all, spatial);
    return all;
  };
  auto type =
      op.getInput().getType().clone(getElementTypeOrSelf(points.getType()));
  SmallVector<int64_t> window(rank, 1);
  Value spread = SpreadWindowOp::create(
      b, type, points, Value(), getSymbolicSizes(b, op.getInput()), window,
      lift(op.getStrides(), 1), lift(op.getLow(), 0), lift(op.getHigh(), 0),
      window);
  return convertElements(b, spread, op.getInput());
}

// With x the input, e its dilation, w the filter with T taps of dilation d, s
// the stride and l the zeros before, element i of x reaches output p by tap t
// where i * e + l = p * s + t * d, so that its gradient is
//   dx[i] = sum over t of g[(i * e + l - t * d) / s] * w[t],
// where the quotient is whole. With u = T - 1 - t that is a convolution: of g,
// spread by s, with the reversed filter, the stride e and (T - 1) * d - l zeros
// before. After g there are as many as make the number of its positions that of
// x: the last of them stands at (size of x - 1) * e. Where sizes are symbolic,
// they follow from the rest of the division by the stride, which is not known;
// then there are enough for the largest rest, and what is too much is cut off.
template <typename OpTy>
static FailureOr<Value> buildInputGradient(ImplicitLocOpBuilder &b, OpTy op,
                                           Value grad, Value filter) {
  TypedValue<RankedTensorType> input = op.getInput();
  auto gradType = cast<RankedTensorType>(grad.getType());
  ArrayRef<int64_t> taps =
      cast<RankedTensorType>(filter.getType()).getShape().drop_front(2);
  if (ShapedType::isDynamicShape(taps))
    return op->emitOpError("has a filter of shape ")
           << formatShape(cast<RankedTensorType>(filter.getType()).getShape())
           << ", but the gradient of its input needs to know the number of taps"
              " when it is compiled: give the model a static size";
  if (isStridedPoint(op, taps))
    return buildPointGradient(b, op, grad, filter);
  SmallVector<int64_t> low, high;
  bool isExact = true;
  for (int64_t dim : llvm::seq<int64_t>(taps.size())) {
    WindowDim window = getConvDim(op, dim, taps[dim]);
    int64_t reach = (taps[dim] - 1) * window.dilation;
    low.push_back(reach - window.low);
    int64_t size = input.getType().getDimSize(dim + 2);
    int64_t positions = gradType.getDimSize(dim + 2);
    if (ShapedType::isStatic(size) && ShapedType::isStatic(positions)) {
      int64_t spread = positions == 0 ? 0 : (positions - 1) * window.stride + 1;
      high.push_back((size - 1) * window.inputDilation + 1 - spread +
                     window.low);
      continue;
    }
    isExact = false;
    high.push_back(window.stride - 1 + reach - window.high);
  }
  Value result = ConvOp::create(b, grad, turnFilter(b, filter, op.getGroups()),
                                op.getInputDilation(), low, high,
                                op.getStrides(), op.getFilterDilation(),
                                op.getGroups(), gradType.getElementType());
  if (!isExact) {
    int64_t rank = gradType.getRank();
    result = SliceOp::create(
        b, result, SmallVector<OpFoldResult>(rank, b.getIndexAttr(0)),
        tensor::getMixedSizes(b, b.getLoc(), input),
        SmallVector<OpFoldResult>(rank, b.getIndexAttr(1)));
  }
  return fitType(b, convertElements(b, result, input), input);
}

LogicalResult ConvOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                                    SmallVectorImpl<Value> &operandGrads) {
  if (!isa<FloatType>(getType().getElementType())) {
    operandGrads.append(2, Value());
    return success();
  }
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value grad = resultGrads.front();
  FailureOr<Value> input = buildInputGradient(b, *this, grad, getFilter());
  if (failed(input))
    return failure();
  RankedTensorType filterType = getFilter().getType();
  SmallVector<Value> sizes;
  for (int64_t dim : llvm::seq<int64_t>(2, filterType.getRank()))
    if (filterType.isDynamicDim(dim))
      sizes.push_back(tensor::DimOp::create(b, getFilter(), dim));
  Value filter = ConvFilterOp::create(
      b, filterType.clone(getType().getElementType()), getInput(), grad, sizes,
      getStrides(), getLow(), getHigh(), getInputDilation(),
      getFilterDilation(), getGroups());
  operandGrads.append({*input, convertElements(b, filter, getFilter())});
  return success();
}

// The op is linear in either operand, and with h the gradient of its result,
// its sum of products with h is that of a convolution of the input by h with
// the gradient that it has here as its second operand. Hence their gradients
// are those of the input of a convolution by h, and that convolution's result.
LogicalResult
ConvFilterOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                            SmallVectorImpl<Value> &operandGrads) {
  operandGrads.append(getNumOperands(), Value());
  if (!isa<FloatType>(getType().getElementType()))
    return success();
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value filter = resultGrads.front();
  Type elementType = getType().getElementType();
  Value grad = getGrad();
  if (getGrad().getType().getElementType() != elementType)
    grad = CastOp::create(b, getGrad().getType().clone(elementType), grad,
                          /*saturate=*/false);
  FailureOr<Value> input = buildInputGradient(b, *this, grad, filter);
  if (failed(input))
    return failure();
  Value result =
      ConvOp::create(b, getGrad().getType().clone(elementType), getInput(),
                     filter, getStrides(), getLow(), getHigh(),
                     getInputDilation(), getFilterDilation(), getGroups());
  operandGrads[0] = *input;
  operandGrads[1] = convertElements(b, result, getGrad());
  return success();
}

//===----------------------------------------------------------------------===//
// det, inverse
//===----------------------------------------------------------------------===//

// Along row i the determinant is the sum of x[i, j] * cofactor[i, j], and the
// matrix of cofactors is det(x) * inverse(x)^T.
LogicalResult DetOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                                   SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(getLoc(), builder);
  SmallVector<int64_t> permutation =
      llvm::to_vector(llvm::seq(getInput().getType().getRank()));
  std::swap(permutation.end()[-1], permutation.end()[-2]);
  Value inverse = InverseOp::create(b, getInput()).getResult();
  Term cofactors{&b, TransposeOp::create(b, inverse, permutation)};
  Term scale = Term{&b, resultGrads.front()} * Term{&b, getResult()};
  Value wide = convertElements(b, scale.value, inverse);
  auto type = cast<RankedTensorType>(cofactors.value.getType());
  Term spread{&b,
              BroadcastOp::create(
                  b, type, wide, getSymbolicSizes(b, cofactors.value),
                  ArrayRef(llvm::to_vector(llvm::seq(type.getRank() - 2))))};
  Value result = (cofactors * spread).value;
  operandGrads.push_back(
      fitType(b, convertElements(b, result, getInput()), getInput()));
  return success();
}

// From x * y = 1 follows dy = -y * dx * y, so that of g * dy the part of dx is
// -y^T * g * y^T.
LogicalResult InverseOp::buildGradient(OpBuilder &builder,
                                       ValueRange resultGrads,
                                       SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(getLoc(), builder);
  int64_t rank = getInput().getType().getRank();
  SmallVector<int64_t> batch = llvm::to_vector(llvm::seq(rank - 2));
  Value inner = ContractOp::create(b, getResult(), resultGrads.front(), batch,
                                   batch, rank - 2, rank - 2);
  Value outer = ContractOp::create(b, inner, getResult(), batch, batch,
                                   rank - 1, rank - 1);
  Value result = NegOp::create(b, outer);
  operandGrads.push_back(
      fitType(b, convertElements(b, result, getInput()), getInput()));
  return success();
}
