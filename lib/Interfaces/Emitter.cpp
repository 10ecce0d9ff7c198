//===- Emitter.cpp - Loops and constants for emission rules ---------------===//

#include "weft/Interfaces/Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;

Value ElementEmitter::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder(), value);
}

Value ElementEmitter::constant(Type type, double value) {
  ImplicitLocOpBuilder &b = builder();
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(b, b.getFloatAttr(floatType, value));
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(type, static_cast<int64_t>(value)));
}

SmallVector<Value> ElementEmitter::loop(
    Value lower, Value upper, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  ImplicitLocOpBuilder &b = builder();
  auto forOp = scf::ForOp::create(b, lower, upper, index(1), inits);
  OpBuilder::InsertionGuard guard(b);
  // The builder of scf.for adds a terminator only where nothing is carried.
  if (inits.empty())
    b.setInsertionPoint(forOp.getBody()->getTerminator());
  else
    b.setInsertionPointToStart(forOp.getBody());
  SmallVector<Value> next =
      body(forOp.getInductionVar(), forOp.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(b, next);
  return SmallVector<Value>(forOp.getResults());
}

SmallVector<Value> ElementEmitter::loopNest(
    ArrayRef<Value> sizes, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(ArrayRef<Value>, ValueRange)> body) {
  SmallVector<Value> indices;
  Value zero = index(0);
  std::function<SmallVector<Value>(ValueRange)> nest =
      [&](ValueRange carried) -> SmallVector<Value> {
    if (indices.size() == sizes.size())
      return body(indices, carried);
    return loop(zero, sizes[indices.size()], carried,
                [&](Value iv, ValueRange inner) {
                  indices.push_back(iv);
                  SmallVector<Value> next = nest(inner);
                  indices.pop_back();
                  return next;
                });
  };
  return nest(inits);
}

Value ElementEmitter::choose(Value condition, llvm::function_ref<Value()> then,
                             llvm::function_ref<Value()> otherwise) {
  ImplicitLocOpBuilder &b = builder();
  // The result type is known only once one side has been emitted, so both
  // sides go into an op without results first.
  auto draft = scf::IfOp::create(b, TypeRange(), condition,
                                 /*addThenBlock=*/true, /*addElseBlock=*/true);
  auto emitSide = [&](Block *block, llvm::function_ref<Value()> side) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(block);
    Value value = side();
    scf::YieldOp::create(b, value);
    return value.getType();
  };
  Type type = emitSide(draft.thenBlock(), then);
  emitSide(draft.elseBlock(), otherwise);

  auto ifOp = scf::IfOp::create(b, type, condition, /*addThenBlock=*/true,
                                /*addElseBlock=*/true);
  ifOp.thenBlock()->getOperations().splice(ifOp.thenBlock()->end(),
                                           draft.thenBlock()->getOperations());
  ifOp.elseBlock()->getOperations().splice(ifOp.elseBlock()->end(),
                                           draft.elseBlock()->getOperations());
  draft.erase();
  return ifOp.getResult(0);
}

Type weft::getSignlessType(Type elementType) {
  if (auto intType = dyn_cast<IntegerType>(elementType))
    return IntegerType::get(elementType.getContext(), intType.getWidth());
  return elementType;
}
