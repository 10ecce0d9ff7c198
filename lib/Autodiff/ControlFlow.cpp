//===- ControlFlow.cpp - Gradients of branches and while loops ------------===//

#include "ControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Interfaces/Tangent.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

bool weft::detail::isFloatTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

SmallVector<Value> weft::detail::takeFloats(ValueRange values) {
  SmallVector<Value> floats;
  llvm::copy_if(values, std::back_inserter(floats),
                [](Value value) { return isFloatTensor(value.getType()); });
  return floats;
}

SmallVector<Value> weft::detail::spreadFloats(ValueRange values,
                                              ValueRange grads) {
  SmallVector<Value> spread;
  for (Value value : values) {
    bool takesPart = isFloatTensor(value.getType());
    spread.push_back(takesPart ? grads.front() : Value());
    if (takesPart)
      grads = grads.drop_front();
  }
  return spread;
}

void weft::detail::fillZeros(OpBuilder &builder, Location loc,
                             ValueRange values, MutableArrayRef<Value> grads) {
  const auto &tangent = TangentInterface::get(builder.getContext());
  for (auto [value, grad] : llvm::zip_equal(values, grads))
    if (!grad)
      grad = tangent.createZero(builder, loc, value);
}

void weft::detail::cloneBody(OpBuilder &builder, Block &block,
                             IRMapping &mapping) {
  for (Operation &op : block.without_terminator())
    builder.clone(op, mapping);
}

static SmallVector<Value> mapAll(IRMapping &mapping, ValueRange values) {
  return llvm::map_to_vector(
      values, [&](Value value) { return mapping.lookupOrDefault(value); });
}

static SmallVector<Value> getCaptures(Operation *op) {
  SmallVector<Value> values = getGradientOperands(op);
  values.erase(values.begin(), values.begin() + op->getNumOperands());
  return values;
}

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

/// A branch like the forward one, computed again, whose results are the
/// gradients of what it captures. Nothing is saved but the condition.
LogicalResult
weft::detail::buildIfGradient(scf::IfOp op, OpBuilder &builder,
                              ValueRange resultGrads,
                              SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(op.getLoc(), builder);
  SmallVector<Value> captures = getCaptures(op), xs = takeFloats(captures);
  auto backward = scf::IfOp::create(b, TypeRange(ValueRange(xs)),
                                    op.getCondition(), /*withElse=*/true);
  for (auto [from, to] :
       llvm::zip_equal(op->getRegions(), backward->getRegions())) {
    OpBuilder::InsertionGuard guard(b);
    Block &block = to.empty() ? to.emplaceBlock() : to.front();
    b.setInsertionPointToStart(&block);
    // The insertion point must be an op: the end of a block moves along.
    Operation *end = scf::YieldOp::create(b, ValueRange());
    b.setInsertionPoint(end);
    IRMapping mapping;
    cloneBody(b, from.front(), mapping);
    SmallVector<Value> grads;
    ValueRange yielded = from.front().getTerminator()->getOperands();
    SmallVector<Value> ys, seeds;
    for (auto [y, seed] :
         llvm::zip_equal(mapAll(mapping, yielded), resultGrads)) {
      if (!seed)
        continue;
      ys.push_back(y);
      seeds.push_back(seed);
    }
    if (failed(buildGradients(b, ys, seeds, xs, grads)))
      return failure();
    fillZeros(b, op.getLoc(), xs, grads);
    end->setOperands(grads);
  }
  operandGrads.push_back({});
  llvm::append_range(operandGrads,
                     spreadFloats(captures, backward.getResults()));
  return success();
}

//===----------------------------------------------------------------------===//
// While loops
//===----------------------------------------------------------------------===//

namespace {
/// With A the values that a loop carries, `before` gives the condition and R
/// from A, and `after` the next A from R. The number of iterations is not known
/// before the run, nor are the sizes of what is carried; so nothing is saved,
/// and each iteration of the backward loop computes its A from the start:
/// memory as that of the forward loop, and a time that grows with the square of
/// the number of iterations.
class WhileBackward {
public:
  WhileBackward(scf::WhileOp loop, OpBuilder &builder)
      : loop(loop), b(loop.getLoc(), builder), captures(getCaptures(loop)),
        captured(takeFloats(captures)) {}

  LogicalResult run(ValueRange resultGrads, SmallVectorImpl<Value> &grads);

private:
  Value countIterations();
  SmallVector<Value> replay(Value count);
  SmallVector<Value> cloneBefore(ValueRange carried);
  SmallVector<Value> cloneAfter(ValueRange forwarded);
  LogicalResult step(scf::ForOp backward, Value count);

  scf::WhileOp loop;
  ImplicitLocOpBuilder b;
  SmallVector<Value> captures, captured;
};
} // namespace

/// Puts in the place of the loop one that counts its iterations as well.
Value WhileBackward::countIterations() {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop);
  SmallVector<Value> inits(loop.getInits());
  inits.push_back(arith::ConstantIndexOp::create(b, 0));
  SmallVector<Type> types(loop.getResultTypes());
  types.push_back(b.getIndexType());
  auto counting = scf::WhileOp::create(b, types, inits);
  SmallVector<Location> locs(inits.size(), loop.getLoc());
  Block *before = b.createBlock(&counting.getBefore(), {},
                                TypeRange(ValueRange(inits)), locs);
  IRMapping mapping;
  mapping.map(loop.getBeforeArguments(), before->getArguments().drop_back());
  cloneBody(b, *loop.getBeforeBody(), mapping);
  SmallVector<Value> passed = mapAll(mapping, loop.getConditionOp().getArgs());
  passed.push_back(before->getArguments().back());
  scf::ConditionOp::create(
      b, mapping.lookupOrDefault(loop.getConditionOp().getCondition()), passed);

  locs.assign(types.size(), loop.getLoc());
  Block *after = b.createBlock(&counting.getAfter(), {}, types, locs);
  mapping.map(loop.getAfterArguments(), after->getArguments().drop_back());
  cloneBody(b, *loop.getAfterBody(), mapping);
  SmallVector<Value> next = mapAll(mapping, loop.getYieldOp().getOperands());
  Value one = arith::ConstantIndexOp::create(b, 1);
  next.push_back(arith::AddIOp::create(b, after->getArguments().back(), one));
  scf::YieldOp::create(b, next);
  loop->replaceAllUsesWith(counting.getResults().drop_back());
  return counting.getResults().back();
}

SmallVector<Value> WhileBackward::cloneBefore(ValueRange carried) {
  IRMapping mapping;
  mapping.map(loop.getBeforeArguments(), carried);
  cloneBody(b, *loop.getBeforeBody(), mapping);
  return mapAll(mapping, loop.getConditionOp().getArgs());
}

SmallVector<Value> WhileBackward::cloneAfter(ValueRange forwarded) {
  IRMapping mapping;
  mapping.map(loop.getAfterArguments(), forwarded);
  cloneBody(b, *loop.getAfterBody(), mapping);
  return mapAll(mapping, loop.getYieldOp().getOperands());
}

/// A after `count` iterations.
SmallVector<Value> WhileBackward::replay(Value count) {
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  auto again = scf::ForOp::create(b, zero, count, one, loop.getInits());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(again.getBody());
  scf::YieldOp::create(b, cloneAfter(cloneBefore(again.getRegionIterArgs())));
  return again.getResults();
}

/// The body of the backward loop, which carries the gradients of A and of what
/// is captured.
LogicalResult WhileBackward::step(scf::ForOp backward, Value count) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(backward.getBody());
  Operation *end = scf::YieldOp::create(b, ValueRange());
  b.setInsertionPoint(end);
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value left = arith::SubIOp::create(b, count, backward.getInductionVar());
  SmallVector<Value> carried = replay(arith::SubIOp::create(b, left, one));
  SmallVector<Value> next = cloneAfter(cloneBefore(carried));
  SmallVector<Value> xs = takeFloats(carried), ys = takeFloats(next), grads;
  size_t numCarried = xs.size();
  llvm::append_range(xs, captured);
  ValueRange given = backward.getRegionIterArgs();
  if (failed(buildGradients(b, ys, given.take_front(numCarried), xs, grads)))
    return failure();
  const auto &tangent = TangentInterface::get(b.getContext());
  fillZeros(b, loop.getLoc(), ValueRange(xs).take_front(numCarried),
            MutableArrayRef(grads).take_front(numCarried));
  for (size_t i = numCarried; i < grads.size(); ++i)
    grads[i] = grads[i]
                   ? tangent.createSum(b, loop.getLoc(), given[i], grads[i])
                   : given[i];
  end->setOperands(grads);
  return success();
}

LogicalResult WhileBackward::run(ValueRange resultGrads,
                                 SmallVectorImpl<Value> &operandGrads) {
  Value count = countIterations();
  // What leaves the loop is R of the last A.
  SmallVector<Value> last = replay(count);
  SmallVector<Value> ys, seeds, grads;
  for (auto [y, seed] : llvm::zip_equal(cloneBefore(last), resultGrads)) {
    if (!seed)
      continue;
    ys.push_back(y);
    seeds.push_back(seed);
  }
  SmallVector<Value> carried = takeFloats(last), xs(carried);
  llvm::append_range(xs, captured);
  if (failed(buildGradients(b, ys, seeds, xs, grads)))
    return failure();
  fillZeros(b, loop.getLoc(), xs, grads);

  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  auto backward = scf::ForOp::create(b, zero, count, one, grads);
  if (failed(step(backward, count)))
    return failure();
  ValueRange results = backward.getResults();
  llvm::append_range(
      operandGrads,
      spreadFloats(loop.getInits(), results.take_front(carried.size())));
  llvm::append_range(
      operandGrads, spreadFloats(captures, results.drop_front(carried.size())));
  return success();
}

LogicalResult
weft::detail::buildWhileGradient(scf::WhileOp op, OpBuilder &builder,
                                 ValueRange resultGrads,
                                 SmallVectorImpl<Value> &operandGrads) {
  return WhileBackward(op, builder).run(resultGrads, operandGrads);
}
