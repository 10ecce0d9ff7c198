//===- StructuredReduceEmit.cpp - Code of reductions along axes -----------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

using Carried = SmallVector<Value>;

// Folds all of the input's elements along `axes` into the carried value, the
// other indices being `rest`.
static Value emitFold(ElementEmitter &emitter, Value input,
                      ArrayRef<int64_t> axes, ArrayRef<Value> rest, Value init,
                      llvm::function_ref<Value(Value, Value)> step) {
  SmallVector<Value> sizes;
  for (int64_t axis : axes)
    sizes.push_back(emitter.size(input, axis));
  auto body = [&](ArrayRef<Value> inner, ValueRange carried) -> Carried {
    SmallVector<Value> at(rest);
    // Axes rise, so each insertion finds its place.
    for (auto [axis, index] : llvm::zip_equal(axes, inner))
      at.insert(at.begin() + axis, index);
    return {step(carried[0], emitter.element(input, at))};
  };
  return emitter.loopNest(sizes, init, body)[0];
}

//===----------------------------------------------------------------------===//
// reduce, arg_reduce
//===----------------------------------------------------------------------===//

Value ReduceOp::emitElement(ElementEmitter &emitter, ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = getType().getElementType();
  Type accumulator = getAccumulatorType(elementType);
  // A sum that may be reordered can be kept in vectors.
  auto flags = arith::FastMathFlags::none;
  if (getKind() == ReduceKind::sum)
    flags = arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
  Value init = emitIdentity(b, getKind(), elementType);
  Value total =
      emitFold(emitter, getInput(), getAxes(), indices, init,
               [&](Value sum, Value element) {
                 return emitCombine(
                     b, getKind(), elementType, sum,
                     emitConvert(b, element, elementType, accumulator), flags);
               });
  return emitConvert(b, total, accumulator, getSignlessType(elementType));
}

Value ArgReduceOp::emitElement(ElementEmitter &emitter,
                               ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = getInput().getType().getElementType();
  int64_t axis = getAxis();
  bool falling = getKind() == ReduceKind::max;
  Type accumulator = getAccumulatorType(elementType);
  Value zero = emitter.index(0);
  Value init = emitIdentity(b, getKind(), elementType);
  // The identity beats nothing, so that index 0 stands for a row of it.
  auto body = [&](Value i, ValueRange carried) -> Carried {
    SmallVector<Value> at(indices);
    at.insert(at.begin() + axis, i);
    Value element = emitConvert(b, emitter.element(getInput(), at), elementType,
                                accumulator);
    // Of equal ones the last counts if it is enough not to be worse.
    Value wins;
    if (getLast()) {
      Value loses =
          emitIsBefore(b, elementType, falling, true, carried[0], element);
      Value isTrue = arith::ConstantOp::create(b, b.getBoolAttr(true));
      wins = arith::XOrIOp::create(b, loses, isTrue);
    } else {
      wins = emitIsBefore(b, elementType, falling, true, element, carried[0]);
    }
    return {arith::SelectOp::create(b, wins, element, carried[0]),
            arith::SelectOp::create(b, wins, i, carried[1])};
  };
  Carried best = emitter.loop(zero, emitter.size(getInput(), axis),
                              ValueRange{init, zero}, body);
  return arith::IndexCastOp::create(b, b.getI64Type(), best[1]);
}

//===----------------------------------------------------------------------===//
// softmax, normalize
//===----------------------------------------------------------------------===//

Value SoftmaxOp::emitElement(ElementEmitter &emitter, ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = getType().getElementType();
  Type accumulator = getAccumulatorType(elementType);
  int64_t axis = getAxis();
  SmallVector<Value> rest(indices);
  rest.erase(rest.begin() + axis);
  auto widen = [&](Value element) {
    return emitConvert(b, element, elementType, accumulator);
  };
  Value max =
      emitFold(emitter, getInput(), axis, rest,
               emitIdentity(b, ReduceKind::max, elementType),
               [&](Value most, Value element) -> Value {
                 return arith::MaximumFOp::create(b, most, widen(element));
               });
  auto power = [&](Value element) -> Value {
    Value shifted = arith::SubFOp::create(b, widen(element), max);
    return math::ExpOp::create(b, shifted);
  };
  Value sum = emitFold(emitter, getInput(), axis, rest,
                       emitter.constant(accumulator, 0),
                       [&](Value total, Value element) -> Value {
                         return arith::AddFOp::create(b, total, power(element));
                       });
  Value element = emitter.element(getInput(), indices);
  Value result = arith::DivFOp::create(b, power(element), sum);
  return emitConvert(b, result, accumulator, elementType);
}

Value NormalizeOp::emitElement(ElementEmitter &emitter,
                               ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = getType().getElementType();
  Type accumulator = getAccumulatorType(elementType);
  SmallVector<Value> rest;
  Value count = emitter.index(1);
  for (auto [dim, index] : llvm::enumerate(indices))
    if (!llvm::is_contained(getAxes(), static_cast<int64_t>(dim)))
      rest.push_back(index);
    else
      count = arith::MulIOp::create(b, count, emitter.size(getInput(), dim));
  Value wide = arith::IndexCastOp::create(b, b.getI64Type(), count);
  Value divisor = arith::SIToFPOp::create(b, accumulator, wide);
  Value zero = emitter.constant(accumulator, 0);
  auto mean = [&](llvm::function_ref<Value(Value)> term) -> Value {
    Value sum =
        emitFold(emitter, getInput(), getAxes(), rest, zero,
                 [&](Value total, Value element) -> Value {
                   return arith::AddFOp::create(b, total, term(element));
                 });
    return arith::DivFOp::create(b, sum, divisor);
  };
  auto widen = [&](Value element) {
    return emitConvert(b, element, elementType, accumulator);
  };
  Value center = getRms() ? zero : mean(widen);
  auto deviation = [&](Value element) -> Value {
    if (getRms())
      return widen(element);
    return arith::SubFOp::create(b, widen(element), center);
  };
  Value variance = mean([&](Value element) -> Value {
    Value x = deviation(element);
    return arith::MulFOp::create(b, x, x);
  });
  Value epsilon = emitter.constant(accumulator, getEpsilon().convertToDouble());
  Value scale =
      math::SqrtOp::create(b, arith::AddFOp::create(b, variance, epsilon));
  Value element = deviation(emitter.element(getInput(), indices));
  Value result = arith::DivFOp::create(b, element, scale);
  return emitConvert(b, result, accumulator, elementType);
}

//===----------------------------------------------------------------------===//
// cumulative
//===----------------------------------------------------------------------===//

void CumulativeOp::emitLoops(LoopEmitter &emitter) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = getType().getElementType();
  Type accumulator = getAccumulatorType(elementType);
  int64_t axis = getAxis();
  SmallVector<Value> rows;
  for (int64_t dim = 0; dim < getType().getRank(); ++dim)
    if (dim != axis)
      rows.push_back(emitter.size(getInput(), dim));
  emitter.parallel(rows, [&](ArrayRef<Value> row) {
    Value size = emitter.size(getInput(), axis);
    Value last = arith::SubIOp::create(b, size, emitter.index(1));
    Value init = emitIdentity(b, getKind(), elementType);
    emitter.loop(
        emitter.index(0), size, init,
        [&](Value i, ValueRange carried) -> Carried {
          Value place = getReverse() ? arith::SubIOp::create(b, last, i) : i;
          SmallVector<Value> at(row);
          at.insert(at.begin() + axis, place);
          Value element = emitConvert(b, emitter.element(getInput(), at),
                                      elementType, accumulator);
          Value next =
              emitCombine(b, getKind(), elementType, carried[0], element);
          Value shown = getExclusive() ? carried[0] : next;
          emitter.store(
              0, at,
              emitConvert(b, shown, accumulator, getSignlessType(elementType)));
          return {next};
        });
  });
}
