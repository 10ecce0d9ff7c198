//===- StructuredWindow.cpp - Reductions within sliding windows -----------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

using Results = FailureOr<SmallVector<HostTensor>>;

//===----------------------------------------------------------------------===//
// Shapes and checks
//===----------------------------------------------------------------------===//

// The window along dimension `dim` of an op or of its adaptor.
template <typename OpTy> static WindowDim getWindowDim(OpTy op, int64_t dim) {
  return {.window = op.getWindow()[dim],
          .stride = op.getStrides()[dim],
          .low = op.getLow()[dim],
          .high = op.getHigh()[dim],
          .dilation = op.getDilations()[dim]};
}

// Checks the lists, which have one entry for each of `rank` dimensions.
template <typename OpTy>
static LogicalResult checkWindow(const Complaint &complain, OpTy op,
                                 int64_t rank) {
  return success(
      succeeded(checkList(complain, "window", op.getWindow(), rank, 1)) &&
      succeeded(checkList(complain, "strides", op.getStrides(), rank, 1)) &&
      succeeded(checkList(complain, "low", op.getLow(), rank, 0)) &&
      succeeded(checkList(complain, "high", op.getHigh(), rank, 0)) &&
      succeeded(checkList(complain, "dilations", op.getDilations(), rank, 1)));
}

// The number of positions that the windows take in an input of `shape`.
template <typename OpTy>
static SmallVector<int64_t> getWindowShape(OpTy op, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> result;
  for (auto [dim, size] : llvm::enumerate(shape))
    result.push_back(getWindowDim(op, dim).getResultSize(size));
  return result;
}

// Checks the lists and appends the result type, with elements of `elementType`
// or else the input's.
template <typename AdaptorTy>
static LogicalResult inferWindow(const Complaint &complain, AdaptorTy op,
                                 Type elementType,
                                 SmallVectorImpl<Type> &types) {
  auto input = cast<RankedTensorType>(op.getInput().getType());
  if (failed(checkWindow(complain, op, input.getRank())))
    return failure();
  types.push_back(RankedTensorType::get(getWindowShape(op, input.getShape()),
                                        elementType ? elementType
                                                    : input.getElementType()));
  return success();
}

template <typename OpTy>
static void reifyWindow(OpTy op, OpBuilder &builder,
                        ReifiedRankedShapedTypeDims &reified) {
  reifyDims(reified, builder, op.getType(), [&](int64_t dim) {
    OpFoldResult size =
        tensor::getMixedSize(builder, op.getLoc(), op.getInput(), dim);
    return getWindowDim(op, dim).getResultSize(builder, op.getLoc(), size);
  });
}

LogicalResult ReduceWindowOp::inferReturnTypes(
    MLIRContext *, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &types) {
  return inferWindow({location, getOperationName()},
                     Adaptor(operands, attributes, properties, regions), {},
                     types);
}

LogicalResult ReduceWindowOp::verify() {
  if (getKind() == ReduceKind::sum)
    return checkReduction(getOperation(), getKind(),
                          getType().getElementType());
  if (getKind() == ReduceKind::max || getKind() == ReduceKind::min)
    return success();
  return emitOpError("kind must be 'sum', 'max' or 'min', not '")
         << stringifyReduceKind(getKind()) << "'";
}

LogicalResult
ReduceWindowOp::reifyResultShapes(OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &reified) {
  reifyWindow(*this, builder, reified);
  return success();
}

LogicalResult ArgReduceWindowOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &types) {
  return inferWindow({location, getOperationName()},
                     Adaptor(operands, attributes, properties, regions),
                     IntegerType::get(context, 64), types);
}

LogicalResult ArgReduceWindowOp::verify() {
  return checkExtremum(getOperation(), getKind());
}

LogicalResult
ArgReduceWindowOp::reifyResultShapes(OpBuilder &builder,
                                     ReifiedRankedShapedTypeDims &reified) {
  reifyWindow(*this, builder, reified);
  return success();
}

LogicalResult SpreadWindowOp::verify() {
  Complaint complain(getOperation());
  RankedTensorType type = getType();
  if (failed(checkWindow(complain, *this, type.getRank())))
    return failure();
  if (type.getNumDynamicDims() != getSizes().size())
    return complain("has ", getSizes().size(), " sizes for ",
                    type.getNumDynamicDims(), " symbolic dimensions");
  if (type.getElementType() != getGrad().getType().getElementType())
    return complain("cannot spread elements of type ",
                    getGrad().getType().getElementType(), " to ",
                    type.getElementType());
  SmallVector<int64_t> wanted = getWindowShape(*this, type.getShape());
  if (getPositions() &&
      failed(checkShape(complain, "the positions",
                        getPositions().getType().getShape(), wanted)))
    return failure();
  return checkShape(complain, "the gradient", getGrad().getType().getShape(),
                    wanted);
}

LogicalResult
SpreadWindowOp::reifyResultShapes(OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &reified) {
  auto next = getSizes().begin();
  reifyDims(reified, builder, getType(),
            [&](int64_t) -> OpFoldResult { return *next++; });
  return success();
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

TapRange weft::emitTapRange(ElementEmitter &emitter, const WindowDim &window,
                            Value position, Value size, Value taps) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Value zero = emitter.index(0);
  Value base = arith::SubIOp::create(
      b, arith::MulIOp::create(b, position, emitter.index(window.stride)),
      emitter.index(window.low));
  TapRange range{base, zero, taps};
  // The first tap at or beyond `distance` elements from the window's start.
  auto firstTap = [&](Value distance) -> Value {
    distance = arith::MaxSIOp::create(b, distance, zero);
    if (window.dilation == 1)
      return distance;
    Value rounded =
        arith::AddIOp::create(b, distance, emitter.index(window.dilation - 1));
    return arith::DivUIOp::create(b, rounded, emitter.index(window.dilation));
  };
  // Without padding on a side, no tap falls off there.
  if (window.low > 0)
    range.lower = firstTap(arith::SubIOp::create(b, zero, base));
  if (window.high > 0)
    range.upper = arith::MinSIOp::create(
        b, range.upper, firstTap(arith::SubIOp::create(b, size, base)));
  return range;
}

// Folds the taps that lie within the input; `step` gets the input's indices.
template <typename OpTy>
static SmallVector<Value> emitTaps(
    OpTy op, ElementEmitter &emitter, ArrayRef<Value> indices, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(ArrayRef<Value>, ValueRange)> step) {
  ImplicitLocOpBuilder &b = emitter.builder();
  // Dimensions that the window leaves alone need no loop.
  SmallVector<int64_t> pooled;
  SmallVector<Value> lower, upper, base(indices);
  for (auto [dim, index] : llvm::enumerate(indices)) {
    WindowDim window = getWindowDim(op, dim);
    if (window.window == 1 && window.stride == 1 && window.low == 0 &&
        window.high == 0)
      continue;
    TapRange range =
        emitTapRange(emitter, window, index, emitter.size(op.getInput(), dim),
                     emitter.index(window.window));
    pooled.push_back(dim);
    base[dim] = range.base;
    lower.push_back(range.lower);
    upper.push_back(range.upper);
  }
  return emitNest(
      emitter, lower, upper, inits,
      [&](ArrayRef<Value> taps, ValueRange carried) {
        SmallVector<Value> at(base);
        for (auto [dim, tap] : llvm::zip_equal(pooled, taps)) {
          Value offset = tap;
          if (int64_t dilation = op.getDilations()[dim]; dilation != 1)
            offset = arith::MulIOp::create(b, tap, emitter.index(dilation));
          at[dim] = arith::AddIOp::create(b, base[dim], offset);
        }
        return step(at, carried);
      });
}

Value ReduceWindowOp::emitElement(ElementEmitter &emitter,
                                  ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = getType().getElementType();
  Type accumulator = getAccumulatorType(elementType);
  Value total = emitTaps(
      *this, emitter, indices, emitIdentity(b, getKind(), elementType),
      [&](ArrayRef<Value> at, ValueRange carried) -> SmallVector<Value> {
        Value element = emitConvert(b, emitter.element(getInput(), at),
                                    elementType, accumulator);
        return {emitCombine(b, getKind(), elementType, carried[0], element)};
      })[0];
  return emitConvert(b, total, accumulator, getSignlessType(elementType));
}

Value ArgReduceWindowOp::emitElement(ElementEmitter &emitter,
                                     ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = getInput().getType().getElementType();
  Type accumulator = getAccumulatorType(elementType);
  bool falling = getKind() == ReduceKind::max;
  Value none = emitter.index(-1);
  Value init = emitIdentity(b, getKind(), elementType);
  Value best = emitTaps(
      *this, emitter, indices, ValueRange{init, none},
      [&](ArrayRef<Value> at, ValueRange carried) -> SmallVector<Value> {
        Value element = emitConvert(b, emitter.element(getInput(), at),
                                    elementType, accumulator);
        Value place = emitter.index(0);
        for (int64_t dim = 0, e = at.size(); dim < e; ++dim)
          place = arith::AddIOp::create(
              b, arith::MulIOp::create(b, place, emitter.size(getInput(), dim)),
              at[dim]);
        // The first one wins even if it is no better than the identity.
        Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                              carried[1], none);
        Value isBetter =
            emitIsBefore(b, elementType, falling, true, element, carried[0]);
        Value wins = arith::OrIOp::create(b, isFirst, isBetter);
        return {arith::SelectOp::create(b, wins, element, carried[0]),
                arith::SelectOp::create(b, wins, place, carried[1])};
      })[1];
  return arith::IndexCastOp::create(b, b.getI64Type(), best);
}

namespace {
/// The code of one element of a spread: the windows that cover it are told from
/// its index.
class SpreadElement {
public:
  SpreadElement(SpreadWindowOp op, ElementEmitter &emitter,
                ArrayRef<Value> indices)
      : op(op), emitter(emitter), b(emitter.builder()), indices(indices),
        place(indices),
        accumulator(getAccumulatorType(op.getType().getElementType())) {}

  Value emit();

private:
  void emitWindows(int64_t dim);
  void require(Value condition) {
    covered = covered ? arith::AndIOp::create(b, covered, condition).getResult()
                      : condition;
  }
  void requireTap(const WindowDim &window, Value rest);
  Value emitTerm();

  SpreadWindowOp op;
  ElementEmitter &emitter;
  ImplicitLocOpBuilder &b;
  ArrayRef<Value> indices;
  /// The window's place along each dimension.
  SmallVector<Value> place;
  Type accumulator;
  /// Dimensions along which several windows may cover the element, where it
  /// lies within the padded input, and the bounds of the windows' places.
  SmallVector<int64_t> looped;
  SmallVector<Value> padded, lower, upper;
  /// Whether there is a window at all; null: always.
  Value covered;
};
} // namespace

// With an element `rest` behind the window's first, one of the taps must be.
void SpreadElement::requireTap(const WindowDim &window, Value rest) {
  if (window.dilation == 1)
    return;
  Value step = emitter.index(window.dilation);
  require(arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                arith::RemUIOp::create(b, rest, step),
                                emitter.index(0)));
}

void SpreadElement::emitWindows(int64_t dim) {
  WindowDim window = getWindowDim(op, dim);
  if (window.window == 1 && window.stride == 1 && window.low == 0 &&
      window.high == 0)
    return;
  int64_t reach = (window.window - 1) * window.dilation;
  Value stride = emitter.index(window.stride);
  Value at = arith::AddIOp::create(b, indices[dim], emitter.index(window.low));
  Value last = arith::DivUIOp::create(b, at, stride);
  Value places = emitter.size(op.getGrad(), dim);
  if (reach < window.stride) {
    // No two windows overlap.
    Value rest =
        arith::SubIOp::create(b, at, arith::MulIOp::create(b, last, stride));
    require(arith::CmpIOp::create(b, arith::CmpIPredicate::ult, last, places));
    if (reach + 1 < window.stride)
      require(arith::CmpIOp::create(b, arith::CmpIPredicate::ule, rest,
                                    emitter.index(reach)));
    requireTap(window, rest);
    place[dim] = last;
    return;
  }
  // The first whose last tap is not before the element.
  Value before = arith::MaxSIOp::create(
      b, arith::SubIOp::create(b, at, emitter.index(reach)), emitter.index(0));
  Value rounded =
      arith::AddIOp::create(b, before, emitter.index(window.stride - 1));
  looped.push_back(dim);
  padded.push_back(at);
  lower.push_back(arith::DivUIOp::create(b, rounded, stride));
  upper.push_back(arith::MinSIOp::create(
      b, arith::AddIOp::create(b, last, emitter.index(1)), places));
}

// What the window at `place` gives, if it is there.
Value SpreadElement::emitTerm() {
  auto load = [&]() -> Value {
    Value grad =
        emitConvert(b, emitter.element(op.getGrad(), place),
                    op.getGrad().getType().getElementType(), accumulator);
    if (!op.getPositions())
      return grad;
    Value own = emitter.index(0);
    auto symbolic = op.getSizes().begin();
    for (auto [dim, index] : llvm::enumerate(indices)) {
      int64_t known = op.getType().getDimSize(dim);
      Value size = ShapedType::isDynamic(known) ? emitter.scalar(*symbolic++)
                                                : emitter.index(known);
      own =
          arith::AddIOp::create(b, arith::MulIOp::create(b, own, size), index);
    }
    own = arith::IndexCastOp::create(b, b.getI64Type(), own);
    Value isChosen =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, own,
                              emitter.element(op.getPositions(), place));
    return arith::SelectOp::create(b, isChosen, grad,
                                   emitter.constant(accumulator, 0));
  };
  return covered
             ? emitter.choose(covered, load,
                              [&] { return emitter.constant(accumulator, 0); })
             : load();
}

Value SpreadElement::emit() {
  for (int64_t dim = 0, e = indices.size(); dim < e; ++dim)
    emitWindows(dim);
  Value outside = covered;
  Value sum = emitNest(
      emitter, lower, upper, emitter.constant(accumulator, 0),
      [&](ArrayRef<Value> places, ValueRange carried) -> SmallVector<Value> {
        covered = outside;
        for (auto [dim, at, next] : llvm::zip_equal(looped, padded, places)) {
          WindowDim window = getWindowDim(op, dim);
          Value first =
              arith::MulIOp::create(b, next, emitter.index(window.stride));
          requireTap(window, arith::SubIOp::create(b, at, first));
          place[dim] = next;
        }
        return {arith::AddFOp::create(b, carried[0], emitTerm())};
      })[0];
  return emitConvert(b, sum, accumulator, op.getType().getElementType());
}

Value SpreadWindowOp::emitElement(ElementEmitter &emitter,
                                  ArrayRef<Value> indices) {
  return SpreadElement(*this, emitter, indices).emit();
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

// Calls `visit` with each position of the window and the positions, within the
// input, of its taps.
template <typename OpTy>
static void
forEachWindow(OpTy op, ArrayRef<int64_t> inputShape,
              ArrayRef<int64_t> resultShape,
              llvm::function_ref<void(int64_t, ArrayRef<int64_t>)> visit) {
  int64_t count = 0;
  SmallVector<int64_t> taps;
  forEachIndex(resultShape, [&](ArrayRef<int64_t> place) {
    taps.clear();
    forEachIndex(op.getWindow(), [&](ArrayRef<int64_t> tap) {
      SmallVector<int64_t> at;
      for (size_t dim = 0; dim < place.size(); ++dim) {
        int64_t index = place[dim] * op.getStrides()[dim] - op.getLow()[dim] +
                        tap[dim] * op.getDilations()[dim];
        if (index < 0 || index >= inputShape[dim])
          return;
        at.push_back(index);
      }
      taps.push_back(linearize(at, inputShape));
    });
    visit(count++, taps);
  });
}

template <typename OpTy>
static HostTensor makeWindowResult(OpTy op, const HostTensor &input) {
  return makeHost(getWindowShape(op, input.getShape()),
                  op.getType().getElementType());
}

Results ReduceWindowOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  HostTensor result = makeWindowResult(*this, input);
  forEachWindow(*this, input.getShape(), result.getShape(),
                [&](int64_t place, ArrayRef<int64_t> taps) {
                  HostReduction total(getKind(), input.getElementType());
                  for (int64_t tap : taps)
                    total.add(input, tap);
                  total.store(result, place);
                });
  SmallVector<HostTensor> results;
  results.push_back(std::move(result));
  return results;
}

Results ArgReduceWindowOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  HostTensor result = makeWindowResult(*this, input);
  bool falling = getKind() == ReduceKind::max;
  forEachWindow(*this, input.getShape(), result.getShape(),
                [&](int64_t place, ArrayRef<int64_t> taps) {
                  // A window that lies wholly in the padding has no element.
                  int64_t best = -1;
                  for (int64_t tap : taps)
                    if (best < 0 || isBefore(input, tap, best, falling, true))
                      best = tap;
                  result.setInt(place, best);
                });
  SmallVector<HostTensor> results;
  results.push_back(std::move(result));
  return results;
}

Results SpreadWindowOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &grad = operands.front();
  const HostTensor *positions = getPositions() ? &operands[1] : nullptr;
  operands = operands.drop_front(positions ? 2 : 1);
  SmallVector<int64_t> shape(getType().getShape());
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size)) {
      size = operands.front().getInt(0);
      operands = operands.drop_front();
    }
  if (getWindowShape(*this, shape) != grad.getShape())
    return emitOpError("gradient has shape ")
           << formatShape(grad.getShape()) << ", but the windows take "
           << formatShape(getWindowShape(*this, shape)) << " positions";
  HostTensor result = makeHost(shape, getType().getElementType());
  SmallVector<double> sums(result.getNumElements());
  forEachWindow(*this, shape, grad.getShape(),
                [&](int64_t place, ArrayRef<int64_t> taps) {
                  for (int64_t tap : taps)
                    if (!positions || positions->getInt(place) == tap)
                      sums[tap] += grad.getFloat(place);
                });
  for (auto [position, sum] : llvm::enumerate(sums))
    result.setFloat(position, sum);
  SmallVector<HostTensor> results;
  results.push_back(std::move(result));
  return results;
}
