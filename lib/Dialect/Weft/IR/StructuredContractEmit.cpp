//===- StructuredContractEmit.cpp - Code of contractions ------------------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

using Carried = SmallVector<Value>;

// Emits `sum + lhs * rhs` in `type`, widening the elements first.
static Value emitMultiplyAdd(ImplicitLocOpBuilder &b, Type type, Value sum,
                             Value lhs, Type lhsType, Value rhs, Type rhsType) {
  lhs = emitConvert(b, lhs, lhsType, type);
  rhs = emitConvert(b, rhs, rhsType, type);
  if (!isa<FloatType>(type))
    return arith::AddIOp::create(b, sum, arith::MulIOp::create(b, lhs, rhs));
  auto flags = arith::FastMathFlags::contract;
  Value product = arith::MulFOp::create(b, lhs, rhs, flags);
  return arith::AddFOp::create(b, sum, product, flags);
}

// What the sum for the result's element `indices` begins at.
static Value emitInit(ElementEmitter &emitter, Value init, Type accumulator,
                      ArrayRef<Value> indices) {
  if (!init)
    return emitter.constant(accumulator, 0);
  return emitConvert(emitter.builder(), emitter.element(init, indices),
                     cast<RankedTensorType>(init.getType()).getElementType(),
                     accumulator);
}

Value ContractOp::emitElement(ElementEmitter &emitter,
                              ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  RankedTensorType lhsType = getLhs().getType(), rhsType = getRhs().getType();
  Type elementType = getType().getElementType();
  Type accumulator = getAccumulatorType(elementType);
  Value init = emitInit(emitter, getInit(), accumulator, indices);

  SmallVector<Value> lhsAt(lhsType.getRank()), rhsAt(rhsType.getRank());
  for (auto [l, r] : llvm::zip_equal(getLhsBatch(), getRhsBatch())) {
    lhsAt[l] = rhsAt[r] = indices.front();
    indices = indices.drop_front();
  }
  for (int64_t dim : getLhsFree()) {
    lhsAt[dim] = indices.front();
    indices = indices.drop_front();
  }
  for (int64_t dim : getRhsFree()) {
    rhsAt[dim] = indices.front();
    indices = indices.drop_front();
  }
  SmallVector<Value> sizes;
  for (int64_t dim : getLhsContract())
    sizes.push_back(emitter.size(getLhs(), dim));

  auto body = [&](ArrayRef<Value> inner, ValueRange carried) -> Carried {
    for (auto [l, r, index] :
         llvm::zip_equal(getLhsContract(), getRhsContract(), inner))
      lhsAt[l] = rhsAt[r] = index;
    Value lhs = emitter.element(getLhs(), lhsAt);
    Value rhs = emitter.element(getRhs(), rhsAt);
    return {emitMultiplyAdd(b, accumulator, carried[0], lhs,
                            lhsType.getElementType(), rhs,
                            rhsType.getElementType())};
  };
  Value sum = emitter.loopNest(sizes, init, body)[0];
  return emitConvert(b, sum, accumulator, getSignlessType(elementType));
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

// The input's index at `place`, counted with the zeros between its elements.
// Narrows `isElement` (null: always) to whether there is an element.
static Value emitUndilated(ElementEmitter &emitter, Value place,
                           int64_t dilation, Value &isElement) {
  if (dilation == 1)
    return place;
  ImplicitLocOpBuilder &b = emitter.builder();
  Value spread = emitter.index(dilation);
  Value rest = arith::RemUIOp::create(b, place, spread);
  Value hits = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, rest,
                                     emitter.index(0));
  isElement =
      isElement ? arith::AndIOp::create(b, isElement, hits).getResult() : hits;
  return arith::DivUIOp::create(b, place, spread);
}

namespace {
/// The code of one element of a convolution.
class ConvElement {
public:
  ConvElement(ConvOp op, ElementEmitter &emitter, ArrayRef<Value> indices)
      : op(op), emitter(emitter), b(emitter.builder()), indices(indices),
        accumulator(getAccumulatorType(op.getType().getElementType())) {}

  Value emit();

private:
  void emitRanges();
  Value emitTap(ArrayRef<Value> channelAndTaps, Value sum);

  ConvOp op;
  ElementEmitter &emitter;
  ImplicitLocOpBuilder &b;
  ArrayRef<Value> indices;
  Type accumulator;
  /// Bounds of the loops over the group's channels and the taps.
  SmallVector<Value> lower, upper;
  /// Where the first tap lies along each spatial dimension.
  SmallVector<Value> base;
  /// The input's channel that is the group's first.
  Value firstChannel;
};
} // namespace

void ConvElement::emitRanges() {
  Value filter = op.getFilter();
  Value channels = emitter.size(filter, 1);
  firstChannel = emitter.index(0);
  if (int64_t groups = op.getGroups(); groups != 1) {
    Value outputs = arith::DivUIOp::create(b, emitter.size(filter, 0),
                                           emitter.index(groups));
    Value group = arith::DivUIOp::create(b, indices[1], outputs);
    firstChannel = arith::MulIOp::create(b, group, channels);
  }
  lower.push_back(emitter.index(0));
  upper.push_back(channels);
  for (int64_t dim = 0, e = indices.size() - 2; dim < e; ++dim) {
    int64_t taps = op.getFilter().getType().getDimSize(dim + 2);
    WindowDim window = getConvDim(op, dim, taps);
    Value size = emitter.size(op.getInput(), dim + 2);
    // The zeros after the last element do no harm: they are told by their
    // position.
    if (window.inputDilation != 1)
      size =
          arith::MulIOp::create(b, size, emitter.index(window.inputDilation));
    TapRange range = emitTapRange(emitter, window, indices[dim + 2], size,
                                  emitter.size(filter, dim + 2));
    base.push_back(range.base);
    lower.push_back(range.lower);
    upper.push_back(range.upper);
  }
}

Value ConvElement::emitTap(ArrayRef<Value> channelAndTaps, Value sum) {
  ArrayRef<Value> taps = channelAndTaps.drop_front();
  Value channel = channelAndTaps.front();
  SmallVector<Value> filterAt = {indices[1], channel};
  llvm::append_range(filterAt, taps);
  SmallVector<Value> inputAt = {
      indices[0], arith::AddIOp::create(b, firstChannel, channel)};
  Value isElement;
  for (auto [dim, tap] : llvm::enumerate(taps)) {
    Value step = emitter.index(op.getFilterDilation()[dim]);
    Value place = arith::AddIOp::create(b, base[dim],
                                        arith::MulIOp::create(b, tap, step));
    place =
        emitUndilated(emitter, place, op.getInputDilation()[dim], isElement);
    inputAt.push_back(place);
  }
  auto multiplyAdd = [&] {
    Value input = emitter.element(op.getInput(), inputAt);
    Value filter = emitter.element(op.getFilter(), filterAt);
    return emitMultiplyAdd(b, accumulator, sum, input,
                           op.getInput().getType().getElementType(), filter,
                           op.getFilter().getType().getElementType());
  };
  return isElement ? emitter.choose(isElement, multiplyAdd, [&] { return sum; })
                   : multiplyAdd();
}

Value ConvElement::emit() {
  emitRanges();
  Value zero = emitter.constant(accumulator, 0);
  Value sum = emitNest(emitter, lower, upper, zero,
                       [&](ArrayRef<Value> at, ValueRange carried) -> Carried {
                         return {emitTap(at, carried[0])};
                       })[0];
  return emitConvert(b, sum, accumulator,
                     getSignlessType(op.getType().getElementType()));
}

Value ConvOp::emitElement(ElementEmitter &emitter, ArrayRef<Value> indices) {
  return ConvElement(*this, emitter, indices).emit();
}

// Positions and taps change their parts: a tap is fixed, and meets the input at
// places that lie a stride apart.
Value ConvFilterOp::emitElement(ElementEmitter &emitter,
                                ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type inputType = getInput().getType().getElementType();
  Type gradType = getGrad().getType().getElementType();
  Type elementType = getType().getElementType();
  Type accumulator = getAccumulatorType(elementType);
  Value channel = indices[1];
  if (int64_t groups = getGroups(); groups != 1) {
    auto groupSize = [&](Value tensor) -> Value {
      return arith::DivUIOp::create(b, emitter.size(tensor, 1),
                                    emitter.index(groups));
    };
    Value group = arith::DivUIOp::create(b, indices[0], groupSize(getGrad()));
    channel = arith::AddIOp::create(
        b, arith::MulIOp::create(b, group, groupSize(getInput())), channel);
  }
  SmallVector<Value> base, lower{emitter.index(0)};
  SmallVector<Value> upper{emitter.size(getInput(), 0)};
  for (int64_t dim = 0, e = indices.size() - 2; dim < e; ++dim) {
    int64_t dilation = getInputDilation()[dim];
    WindowDim window{.window = 1,
                     .stride = getFilterDilation()[dim],
                     .low = getLow()[dim],
                     .high = getHigh()[dim],
                     .dilation = getStrides()[dim],
                     .inputDilation = dilation};
    Value size = emitter.size(getInput(), dim + 2);
    if (dilation != 1)
      size = arith::MulIOp::create(b, size, emitter.index(dilation));
    TapRange range = emitTapRange(emitter, window, indices[dim + 2], size,
                                  emitter.size(getGrad(), dim + 2));
    base.push_back(range.base);
    lower.push_back(range.lower);
    upper.push_back(range.upper);
  }
  auto body = [&](ArrayRef<Value> at, ValueRange carried) -> Carried {
    SmallVector<Value> inputAt{at[0], channel}, gradAt{at[0], indices[0]};
    Value isElement;
    for (auto [dim, position] : llvm::enumerate(at.drop_front())) {
      gradAt.push_back(position);
      Value place = arith::AddIOp::create(
          b, base[dim],
          arith::MulIOp::create(b, position, emitter.index(getStrides()[dim])));
      inputAt.push_back(
          emitUndilated(emitter, place, getInputDilation()[dim], isElement));
    }
    auto multiplyAdd = [&] {
      return emitMultiplyAdd(b, accumulator, carried[0],
                             emitter.element(getInput(), inputAt), inputType,
                             emitter.element(getGrad(), gradAt), gradType);
    };
    return {isElement ? emitter.choose(isElement, multiplyAdd,
                                       [&] { return carried[0]; })
                      : multiplyAdd()};
  };
  Value init = emitInit(emitter, getInit(), accumulator, indices);
  Value sum = emitNest(emitter, lower, upper, init, body)[0];
  return emitConvert(b, sum, accumulator, getSignlessType(elementType));
}

//===----------------------------------------------------------------------===//
// det
//===----------------------------------------------------------------------===//

namespace {
/// Gaussian elimination of one matrix in the room of the second result.
class Elimination {
public:
  Elimination(DetOp op, LoopEmitter &emitter, ArrayRef<Value> batch)
      : op(op), emitter(emitter), b(emitter.builder()), batch(batch),
        size(emitter.size(op.getInput(), batch.size())),
        type(getAccumulatorType(op.getInput().getType().getElementType())) {}

  void emit();

private:
  SmallVector<Value> at(Value row, Value column) {
    SmallVector<Value> indices(batch);
    indices.push_back(row);
    indices.push_back(column);
    return indices;
  }
  Value load(Value row, Value column) {
    return emitter.load(1, at(row, column));
  }
  void store(Value row, Value column, Value value) {
    emitter.store(1, at(row, column), value);
  }
  Value next(Value index) {
    return arith::AddIOp::create(b, index, emitter.index(1));
  }
  void copy();
  Value findPivot(Value step);
  void swapRows(Value row, Value other);
  void eliminate(Value step, Value pivot);

  DetOp op;
  LoopEmitter &emitter;
  ImplicitLocOpBuilder &b;
  ArrayRef<Value> batch;
  Value size;
  Type type;
};
} // namespace

void Elimination::copy() {
  Type elementType = op.getInput().getType().getElementType();
  emitter.loopNest(
      {size, size}, {}, [&](ArrayRef<Value> place, ValueRange) -> Carried {
        Value element = emitter.element(op.getInput(), at(place[0], place[1]));
        store(place[0], place[1], emitConvert(b, element, elementType, type));
        return {};
      });
}

// The row, from `step` on, with the largest element in column `step`. NaN
// counts as largest so that it reaches the determinant.
Value Elimination::findPivot(Value step) {
  Value first = math::AbsFOp::create(b, load(step, step));
  return emitter.loop(
      next(step), size, ValueRange{step, first},
      [&](Value row, ValueRange carried) -> Carried {
        Value element = math::AbsFOp::create(b, load(row, step));
        Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::UGT,
                                               element, carried[1]);
        return {arith::SelectOp::create(b, isLarger, row, carried[0]),
                arith::SelectOp::create(b, isLarger, element, carried[1])};
      })[0];
}

void Elimination::swapRows(Value row, Value other) {
  emitter.loop(emitter.index(0), size, {},
               [&](Value column, ValueRange) -> Carried {
                 Value x = load(row, column), y = load(other, column);
                 store(row, column, y);
                 store(other, column, x);
                 return {};
               });
}

void Elimination::eliminate(Value step, Value pivot) {
  Value zero = emitter.constant(type, 0);
  // With a pivot of zero the column below is zero too; nothing is to be done,
  // and nothing must be divided.
  Value isZero =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, pivot, zero);
  emitter.loop(next(step), size, {}, [&](Value row, ValueRange) -> Carried {
    Value quotient = arith::DivFOp::create(b, load(row, step), pivot);
    Value factor = arith::SelectOp::create(b, isZero, zero, quotient);
    store(row, step, factor);
    emitter.loop(
        next(step), size, {}, [&](Value column, ValueRange) -> Carried {
          Value product = arith::MulFOp::create(b, factor, load(step, column));
          store(row, column,
                arith::SubFOp::create(b, load(row, column), product));
          return {};
        });
    return {};
  });
}

void Elimination::emit() {
  copy();
  Value det = emitter.loop(
      emitter.index(0), size, emitter.constant(type, 1),
      [&](Value step, ValueRange carried) -> Carried {
        Value row = findPivot(step);
        swapRows(step, row);
        Value pivot = load(step, step);
        eliminate(step, pivot);
        Value product = arith::MulFOp::create(b, carried[0], pivot);
        Value inPlace =
            arith::CmpIOp::create(b, arith::CmpIPredicate::eq, row, step);
        return {arith::SelectOp::create(b, inPlace, product,
                                        arith::NegFOp::create(b, product))};
      })[0];
  emitter.store(
      0, batch,
      emitConvert(b, det, type, op.getInput().getType().getElementType()));
}

void DetOp::emitLoops(LoopEmitter &emitter) {
  SmallVector<Value> sizes;
  for (int64_t dim = 0, e = getInput().getType().getRank() - 2; dim < e; ++dim)
    sizes.push_back(emitter.size(getInput(), dim));
  emitter.parallel(sizes, [&](ArrayRef<Value> batch) {
    Elimination(*this, emitter, batch).emit();
  });
}
