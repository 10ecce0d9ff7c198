//===- ControlFlowBody.cpp - Nested graphs as bodies of loops -------------===//

#include "ControlFlowBody.h"
#include "Loops.h"

using namespace mlir;

namespace weft {

FailureOr<GraphValue> readValue(Lowering &lower, onnx::Node node, Value from) {
  if (std::optional<SmallVector<Value>> elements = lower.sequenceOf(from))
    return GraphValue{{}, std::move(elements)};
  Value tensor = lower.lookup(from);
  if (!tensor)
    return failure();
  if (!isa<RankedTensorType>(tensor.getType()))
    return lower.unsupported(node,
                             "a sequence, an optional or a tensor without "
                             "a rank as input of the model");
  return GraphValue{tensor, std::nullopt};
}

void bindValue(Lowering &lower, Value from, const GraphValue &to) {
  if (to.elements)
    lower.mapSequence(from, *to.elements);
  else
    lower.map(from, to.tensor);
}

FailureOr<SmallVector<GraphValue>> lowerNested(Lowering &lower, onnx::Node node,
                                               Region &graph,
                                               ArrayRef<GraphValue> arguments) {
  Block &block = graph.front();
  for (auto [argument, value] : llvm::zip(block.getArguments(), arguments))
    bindValue(lower, argument, value);
  lower.lowerBlock(block);
  SmallVector<GraphValue> results;
  for (Value yielded : block.getTerminator()->getOperands()) {
    FailureOr<GraphValue> value = readValue(lower, node, yielded);
    if (failed(value))
      return failure();
    results.push_back(*value);
  }
  return results;
}

Value shapeLikeArgument(Lowering &lower, Value value, BlockArgument argument) {
  auto type = dyn_cast<RankedTensorType>(argument.getType());
  int64_t rank = type ? type.getRank() : 0;
  if (rank == Lowering::rankOf(value))
    return value;
  return lower.reshape(value, SmallVector<OpFoldResult>(rank, lower.index(1)));
}

Value insertAxis(Lowering &lower, Value element, int64_t axis) {
  SmallVector<OpFoldResult> shape = lower.sizes(element);
  shape.insert(shape.begin() + axis, lower.index(1));
  return lower.reshape(element, shape);
}

Value accumulate(Lowering &lower, Value element, Value accumulator,
                 OpFoldResult position, int64_t axis) {
  Value source = insertAxis(lower, element, axis);
  SmallVector<OpFoldResult> offsets(Lowering::rankOf(source), lower.index(0));
  offsets[axis] = position;
  return updateSlice(lower, source, accumulator, offsets);
}

//===----------------------------------------------------------------------===//
// LoopBody
//===----------------------------------------------------------------------===//

LoopBody::Fit LoopBody::buildOnce(Bind bind, unsigned firstCarried) {
  ImplicitLocOpBuilder &b = lower.b;
  Value zero = lower.sizeValue(lower.index(0));
  Value one = lower.sizeValue(lower.index(1));
  loop = scf::ForOp::create(b, zero, lower.sizeValue(trips), one, inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  // For the time being the loop carries its values unchanged, so that it is
  // valid whatever becomes of its ops.
  if (loop.getBody()->empty())
    scf::YieldOp::create(b, loop.getRegionIterArgs());
  b.setInsertionPoint(loop.getBody()->getTerminator());

  FailureOr<SmallVector<GraphValue>> results =
      lowerNested(lower, node, graph,
                  bind(loop.getInductionVar(), loop.getRegionIterArgs()));
  if (failed(results))
    return Fit::Failed;
  yields.clear();
  for (GraphValue &result : *results) {
    if (!result.tensor)
      return Fit::Changes;
    yields.push_back(result.tensor);
  }
  bool grows = false;
  for (auto [i, init] : llvm::enumerate(inits)) {
    RankedTensorType joined =
        joinTypes(init.getType(), yields[firstCarried + i].getType());
    if (!joined)
      return Fit::Changes;
    grows |= joined != init.getType();
  }
  return grows ? Fit::Grows : Fit::Good;
}

LoopBody::Fit LoopBody::build(Bind bind, unsigned firstCarried) {
  Fit first = buildOnce(bind, firstCarried), fit = first;
  while (fit == Fit::Grows) {
    for (auto [i, init] : llvm::enumerate(inits))
      init =
          castTo(lower, init,
                 joinTypes(init.getType(), yields[firstCarried + i].getType()));
    fit = buildOnce(bind, firstCarried);
  }
  return fit == Fit::Good ? first : fit;
}

Value LoopBody::createAccumulator(Value element, OpFoldResult count,
                                  int64_t axis) {
  SmallVector<OpFoldResult> shape;
  {
    OpBuilder::InsertionGuard guard(lower.b);
    lower.b.setInsertionPoint(loop.getBody()->getTerminator());
    shape = lower.sizes(element);
  }
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), lower.sizeValue(lower.index(0)));
  mapping.map(loop.getRegionIterArgs(), inits);
  for (OpFoldResult &size : shape)
    if (auto value = dyn_cast<Value>(size))
      size = cloneForFirstIteration(lower, value, loop.getBody(), mapping);
  shape.insert(shape.begin() + axis, count);
  return zeros(lower, Lowering::elementOf(element), shape);
}

void LoopBody::moveTo(Block *block, Value iteration, ValueRange carried) {
  Block *body = loop.getBody();
  body->getTerminator()->moveBefore(body, body->begin());
  block->getOperations().splice(block->end(), body->getOperations(),
                                std::next(body->begin()), body->end());
  auto replace = [&](Value from, Value to) {
    from.replaceUsesWithIf(
        to, [&](OpOperand &use) { return use.getOwner()->getBlock() != body; });
    for (Value &value : yields)
      if (value == from)
        value = to;
  };
  replace(loop.getInductionVar(), iteration);
  for (auto [from, to] : llvm::zip_equal(loop.getRegionIterArgs(), carried))
    replace(from, to);
  lower.b.setInsertionPointToEnd(block);
}

} // namespace weft
