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

// Checks the lists and appends the result type, with elements of `elementType`
// or else the input's.
template <typename AdaptorTy>
static LogicalResult inferWindow(const Complaint &complain, AdaptorTy op,
                                 Type elementType,
                                 SmallVectorImpl<Type> &types) {
  auto input = cast<RankedTensorType>(op.getInput().getType());
  int64_t rank = input.getRank();
  if (failed(checkList(complain, "window", op.getWindow(), rank, 1)) ||
      failed(checkList(complain, "strides", op.getStrides(), rank, 1)) ||
      failed(checkList(complain, "low", op.getLow(), rank, 0)) ||
      failed(checkList(complain, "high", op.getHigh(), rank, 0)) ||
      failed(checkList(complain, "dilations", op.getDilations(), rank, 1)))
    return failure();
  SmallVector<int64_t> shape;
  for (int64_t dim = 0; dim < rank; ++dim)
    shape.push_back(getWindowDim(op, dim).getResultSize(input.getDimSize(dim)));
  types.push_back(RankedTensorType::get(
      shape, elementType ? elementType : input.getElementType()));
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
  return checkReduction(getOperation(), getKind(), getType().getElementType());
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
  SmallVector<int64_t> shape;
  for (auto [dim, size] : llvm::enumerate(input.getShape()))
    shape.push_back(getWindowDim(op, dim).getResultSize(size));
  return makeHost(shape, op.getType().getElementType());
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
