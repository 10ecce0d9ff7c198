//===- StructuredConvGradient.cpp - Gradients of convolutions -------------===//

#include "StructuredGradient.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

namespace {
/// Some of a filter's taps along a dimension: every `step`th from `first` on.
struct Taps {
  int64_t first, step, count;
};
} // namespace

static SmallVector<Taps> getAllTaps(Value filter) {
  auto type = cast<RankedTensorType>(filter.getType());
  return llvm::map_to_vector(type.getShape().drop_front(2),
                             [](int64_t count) { return Taps{0, 1, count}; });
}

// The filter of the convolution that leads from outputs back to inputs: some of
// its taps in reverse order, and outputs and channels exchanged in each group:
// [groups * outputs, channels, taps...] becomes [groups * channels, outputs,
// taps...].
static Value turnFilter(ImplicitLocOpBuilder &b, Value filter,
                        ArrayRef<Taps> taps, int64_t groups) {
  int64_t rank = cast<RankedTensorType>(filter.getType()).getRank();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, b.getLoc(), filter);
  SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(rank, b.getIndexAttr(1));
  bool isWhole = true;
  for (auto [dim, part] : llvm::enumerate(taps)) {
    isWhole &=
        part.count <= 1 && getConstantIntValue(sizes[dim + 2]) == part.count;
    offsets[dim + 2] = b.getIndexAttr(
        part.first + part.step * std::max<int64_t>(part.count - 1, 0));
    strides[dim + 2] = b.getIndexAttr(-part.step);
    sizes[dim + 2] = b.getIndexAttr(part.count);
  }
  if (!isWhole)
    filter = SliceOp::create(b, filter, offsets, sizes, strides);
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
  Value points = ConvOp::create(
      b, grad, turnFilter(b, filter, getAllTaps(filter), op.getGroups()), ones,
      zeros, zeros, ones, ones, op.getGroups(),
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

namespace {
/// The gradient of a convolution's input by phases. With the stride s and low
/// padding l, tap t reaches element i = s * j + phase from output p where
/// phase + l - t = s * (p - j): only every s-th tap from the rest r of
/// (phase + l) / s on has a part in a phase. With that quotient c and t = r + s
/// * u the outputs are p = j + c - u, so that each phase is a convolution of
/// the gradient itself, by its own taps, without a zero between its elements.
template <typename OpTy> class PhaseGradient {
public:
  PhaseGradient(ImplicitLocOpBuilder &b, OpTy op, Value grad, Value filter)
      : b(b), op(op), grad(grad), filter(filter),
        gradType(cast<RankedTensorType>(grad.getType())),
        taps(getAllTaps(filter)) {}

  bool isPossible();
  Value build();

private:
  int64_t sizeOf(int64_t dim) {
    return op.getInput().getType().getDimSize(dim + 2);
  }
  int64_t rowsOf(int64_t dim) {
    return llvm::divideCeil(sizeOf(dim), op.getStrides()[dim]);
  }
  Value buildPhase();
  Value buildFrom(int64_t dim);

  ImplicitLocOpBuilder &b;
  OpTy op;
  Value grad, filter;
  RankedTensorType gradType;
  SmallVector<Taps> taps;
  SmallVector<int64_t> phase; ///< that is being built
};
} // namespace

template <typename OpTy> bool PhaseGradient<OpTy>::isPossible() {
  bool isStrided = false;
  int64_t parts = 1;
  for (int64_t dim : llvm::seq<int64_t>(taps.size())) {
    if (ShapedType::isDynamic(sizeOf(dim)) || gradType.isDynamicDim(dim + 2) ||
        op.getInputDilation()[dim] != 1 || op.getFilterDilation()[dim] != 1)
      return false;
    isStrided |= op.getStrides()[dim] > 1;
    parts *= op.getStrides()[dim];
  }
  // More convolutions than a few would hardly fill their vectors.
  return isStrided && parts <= 16;
}

// One phase as [N, C, rows, 1, columns, 1, ...].
template <typename OpTy> Value PhaseGradient<OpTy>::buildPhase() {
  SmallVector<Taps> own;
  SmallVector<int64_t> low, high, ones(phase.size(), 1);
  bool isEmpty = false;
  for (auto [dim, part] : llvm::enumerate(phase)) {
    int64_t stride = op.getStrides()[dim], shifted = part + op.getLow()[dim];
    int64_t quotient = llvm::divideFloorSigned(shifted, stride);
    int64_t rest = shifted - quotient * stride, count = taps[dim].count;
    int64_t reach = rest < count ? llvm::divideCeil(count - rest, stride) : 0;
    isEmpty |= reach == 0;
    own.push_back({rest, stride, reach});
    low.push_back(reach - 1 - quotient);
    high.push_back(rowsOf(dim) - gradType.getDimSize(dim + 2) + quotient);
  }
  SmallVector<OpFoldResult> sizes = getSizesOf(b, op.getInput());
  sizes.truncate(2);
  for (int64_t dim : llvm::seq<int64_t>(phase.size()))
    sizes.append({b.getIndexAttr(rowsOf(dim)), b.getIndexAttr(1)});
  if (isEmpty)
    return makeZeros(b, gradType.getElementType(), sizes);
  Value result = ConvOp::create(
      b, grad, turnFilter(b, filter, own, op.getGroups()), ones, low, high,
      ones, ones, op.getGroups(), gradType.getElementType());
  return reshapeTo(b, result, sizes);
}

// All phases that begin as the present one, side by side from `dim` on.
template <typename OpTy> Value PhaseGradient<OpTy>::buildFrom(int64_t dim) {
  if (dim == static_cast<int64_t>(taps.size()))
    return buildPhase();
  SmallVector<Value> parts;
  for (int64_t i : llvm::seq(op.getStrides()[dim])) {
    phase.push_back(i);
    parts.push_back(buildFrom(dim + 1));
    phase.pop_back();
  }
  return parts.size() == 1
             ? parts.front()
             : ConcatOp::create(b, parts, 3 + 2 * dim).getResult();
}

template <typename OpTy> Value PhaseGradient<OpTy>::build() {
  Value parts = buildFrom(0);
  SmallVector<OpFoldResult> sizes = getSizesOf(b, op.getInput());
  SmallVector<OpFoldResult> joined(sizes);
  for (int64_t dim : llvm::seq<int64_t>(taps.size()))
    joined[dim + 2] = b.getIndexAttr(rowsOf(dim) * op.getStrides()[dim]);
  Value result = reshapeTo(b, parts, joined);
  if (joined != sizes) {
    int64_t rank = sizes.size();
    result = SliceOp::create(
        b, result, SmallVector<OpFoldResult>(rank, b.getIndexAttr(0)), sizes,
        SmallVector<OpFoldResult>(rank, b.getIndexAttr(1)));
  }
  return fitType(b, convertElements(b, result, op.getInput()), op.getInput());
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
  if (PhaseGradient phases(b, op, grad, filter); phases.isPossible())
    return phases.build();
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
  Value result = ConvOp::create(
      b, grad, turnFilter(b, filter, getAllTaps(filter), op.getGroups()),
      op.getInputDilation(), low, high, op.getStrides(), op.getFilterDilation(),
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

// Where the strides are one and the input is dilated by e, as in transposed
// convolutions, most of what taps meet are the zeros between its elements. But
// element i meets g[p] by tap t where p = i * e + l - t * d, so that with u = T
// - 1 - t
//   dw[t] = sum over i of x[i] * g[i * e + u * d - ((T - 1) * d - l)],
// which is a gradient of a filter as well: that of a convolution of g with the
// stride e, whose result has the sizes of x. Null if this is no such case.
static Value buildTransposedFilter(ImplicitLocOpBuilder &b, ConvOp op,
                                   Value grad) {
  RankedTensorType input = op.getInput().getType(), result = op.getType();
  RankedTensorType filter = op.getFilter().getType();
  auto isOne = [](int64_t value) { return value == 1; };
  if (llvm::all_of(op.getInputDilation(), isOne) ||
      !llvm::all_of(op.getStrides(), isOne) || !filter.hasStaticShape() ||
      input.getElementType() != result.getElementType() ||
      ShapedType::isDynamicShape(input.getShape().drop_front(2)) ||
      ShapedType::isDynamicShape(result.getShape().drop_front(2)))
    return nullptr;
  SmallVector<int64_t> low, high;
  for (int64_t dim : llvm::seq<int64_t>(input.getRank() - 2)) {
    WindowDim window = getConvDim(op, dim, filter.getDimSize(dim + 2));
    int64_t reach = (filter.getDimSize(dim + 2) - 1) * window.dilation;
    low.push_back(reach - window.low);
    high.push_back((input.getDimSize(dim + 2) - 1) * window.inputDilation +
                   reach + 1 - result.getDimSize(dim + 2) - low.back());
  }
  int64_t groups = op.getGroups();
  SmallVector<int64_t> shape(filter.getShape());
  shape[0] = filter.getDimSize(1) * groups;
  shape[1] = filter.getDimSize(0) / groups;
  SmallVector<int64_t> ones(low.size(), 1);
  Value turned = ConvFilterOp::create(
      b, RankedTensorType::get(shape, result.getElementType()), grad,
      op.getInput(), ValueRange(), /*init=*/Value(), op.getInputDilation(), low,
      high, ones, op.getFilterDilation(), groups);
  return turnFilter(b, turned, getAllTaps(turned), groups);
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
  Value filter = buildTransposedFilter(b, *this, grad);
  if (!filter)
    filter = ConvFilterOp::create(
        b, filterType.clone(getType().getElementType()), getInput(), grad,
        sizes, /*init=*/Value(), getStrides(), getLow(), getHigh(),
        getInputDilation(), getFilterDilation(), getGroups());
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
  if (getInit())
    operandGrads.back() = fitType(b, filter, getInit());
  return success();
}
