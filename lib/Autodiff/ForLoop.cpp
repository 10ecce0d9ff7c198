//===- ForLoop.cpp - Gradients of counted loops ---------------------------===//
//
// The backward loop runs from the last iteration to the first and carries the
// gradients of what the forward loop carries and of what it captures. It needs
// values of the forward iterations: those that are dear are kept by the forward
// loop in histories, tensors with one entry per iteration; the others are
// computed again from those.
//
//===----------------------------------------------------------------------===//

#include "ControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Interfaces/Interfaces.h"
#include "weft/Interfaces/Tangent.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

/// An op is computed again if it takes no more than so many operations per
/// element of its results; what takes more, such as a product, is kept.
static constexpr double maxFlopsAgain = 64;

namespace {
class ForBackward {
public:
  ForBackward(scf::ForOp loop, OpBuilder &builder)
      : loop(loop), b(loop.getLoc(), builder),
        tangent(TangentInterface::get(loop.getContext())) {
    captures = getGradientOperands(loop);
    captures.erase(captures.begin(), captures.begin() + loop->getNumOperands());
    captured = takeFloats(captures);
  }

  LogicalResult run(ValueRange resultGrads, SmallVectorImpl<Value> &grads);

private:
  // The draft: one loop with the forward iteration and its gradient.
  Value countTrips();
  LogicalResult draft(ValueRange resultGrads);
  void dropInvariants();

  // What is kept.
  void hoistDims();
  void choose();
  void need(Value value);
  bool isDear(Operation *op);
  std::optional<OpFoldResult> hoistSize(Value value, int64_t dim);
  std::optional<OpFoldResult> hoistIndex(OpFoldResult index);
  std::optional<SmallVector<OpFoldResult>> hoistSizes(Value value);
  bool isForward(Operation &op);
  bool isForward(Value value);

  // What remains.
  void buildForward();
  scf::ForOp buildBackward();

  scf::ForOp loop, scratch;
  ImplicitLocOpBuilder b;
  const TangentInterface &tangent;
  SmallVector<Value> captures, captured;
  Value trips;
  unsigned numCarried = 0;     // of the forward loop
  Value iteration, induction;  // of the forward loop, in the draft
  Operation *border = nullptr; // between iteration and gradient in the draft
  llvm::SetVector<Value> kept;
  DenseMap<Value, SmallVector<OpFoldResult>> keptSizes;
  DenseSet<Value> needed;
  DenseMap<Value, Value> histories;
  std::optional<OpBuilder> outside; // in front of the forward loop
};
} // namespace

//===----------------------------------------------------------------------===//
// The draft
//===----------------------------------------------------------------------===//

Value ForBackward::countTrips() {
  if (getConstantIntValue(loop.getLowerBound()) == 0 &&
      getConstantIntValue(loop.getStep()) == 1)
    return loop.getUpperBound();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop);
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value length =
      arith::SubIOp::create(b, loop.getUpperBound(), loop.getLowerBound());
  length = arith::MaxSIOp::create(b, length, zero);
  return arith::CeilDivSIOp::create(b, length, loop.getStep());
}

/// The loop's own values are carried along, so that the gradient has something
/// to refer to; they have no meaning.
LogicalResult ForBackward::draft(ValueRange resultGrads) {
  SmallVector<Value> inits(loop.getInitArgs());
  numCarried = inits.size();
  SmallVector<Value> seeds;
  for (auto [init, given] : llvm::zip_equal(loop.getInitArgs(), resultGrads))
    if (isFloatTensor(init.getType()))
      seeds.push_back(given);
  llvm::append_range(inits, seeds);
  for (Value value : captured)
    inits.push_back(tangent.createZero(b, loop.getLoc(), value));
  // In front of the loop, where sizes are hoisted to.
  outside.emplace(loop);
  Value zero = arith::ConstantIndexOp::create(*outside, loop.getLoc(), 0);
  Value one = arith::ConstantIndexOp::create(*outside, loop.getLoc(), 1);
  scratch = scf::ForOp::create(b, zero, trips, one, inits);

  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(scratch.getBody());
  Value last = arith::SubIOp::create(b, trips, one);
  iteration = arith::SubIOp::create(b, last, scratch.getInductionVar());
  Value offset = arith::MulIOp::create(b, iteration, loop.getStep());
  induction = arith::AddIOp::create(b, loop.getLowerBound(), offset);
  ValueRange args = scratch.getRegionIterArgs();
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), induction);
  mapping.map(loop.getRegionIterArgs(), args.take_front(numCarried));
  cloneBody(b, *loop.getBody(), mapping);
  SmallVector<Value> yields;
  for (Value value : loop.getYieldedValues())
    yields.push_back(mapping.lookupOrDefault(value));

  border = arith::ConstantIndexOp::create(b, 0);
  Operation *end = scf::YieldOp::create(b, yields);
  b.setInsertionPoint(end);
  SmallVector<Value> carried = takeFloats(args.take_front(numCarried));
  SmallVector<Value> xs(carried), grads;
  llvm::append_range(xs, captured);
  ValueRange given = args.drop_front(numCarried);
  if (failed(buildGradients(b, takeFloats(yields),
                            given.take_front(carried.size()), xs, grads)))
    return failure();
  fillZeros(b, loop.getLoc(), carried,
            MutableArrayRef(grads).take_front(carried.size()));
  for (size_t i = carried.size(); i < grads.size(); ++i)
    grads[i] = grads[i]
                   ? tangent.createSum(b, loop.getLoc(), given[i], grads[i])
                   : given[i];
  end->insertOperands(numCarried, grads);
  return success();
}

/// What each iteration hands on as it is need not be kept.
void ForBackward::dropInvariants() {
  for (auto [init, arg, yielded] :
       llvm::zip_equal(loop.getInitArgs(), loop.getRegionIterArgs(),
                       loop.getYieldedValues()))
    if (yielded == arg)
      scratch.getRegionIterArg(arg.getArgNumber() - 1).replaceAllUsesWith(init);
}

//===----------------------------------------------------------------------===//
// What is kept
//===----------------------------------------------------------------------===//

/// Whether `op` is one of the forward iteration in the draft.
bool ForBackward::isForward(Operation &op) {
  return op.getBlock() == scratch.getBody() && op.isBeforeInBlock(border) &&
         induction.getDefiningOp()->isBeforeInBlock(&op);
}

bool ForBackward::isForward(Value value) {
  if (auto arg = dyn_cast<BlockArgument>(value))
    return arg.getOwner() == scratch.getBody() && arg.getArgNumber() > 0 &&
           arg.getArgNumber() <= numCarried;
  return isForward(*value.getDefiningOp());
}

bool ForBackward::isDear(Operation *op) {
  if (op->getNumRegions() != 0)
    return true;
  auto cost = dyn_cast<CostOpInterface>(op);
  if (!cost)
    return false;
  // Symbolic sizes count as 64: what matters are sums that are long.
  auto shapeOf = [](Value value) {
    SmallVector<int64_t> shape;
    if (auto type = dyn_cast<RankedTensorType>(value.getType()))
      for (int64_t size : type.getShape())
        shape.push_back(ShapedType::isDynamic(size) ? 64 : size);
    return shape;
  };
  OpShapes shapes;
  for (Value operand : op->getOperands())
    shapes.operands.push_back(shapeOf(operand));
  double elements = 0;
  for (Value result : op->getResults()) {
    shapes.results.push_back(shapeOf(result));
    elements += ShapedType::getNumElements(shapes.results.back());
  }
  return cost.countFlops(shapes) > maxFlopsAgain * elements;
}

/// An index of the draft's iteration in terms of what is in front of the loop.
std::optional<OpFoldResult> ForBackward::hoistIndex(OpFoldResult index) {
  auto value = dyn_cast<Value>(index);
  if (!value || !scratch->isAncestor(value.getParentBlock()->getParentOp()))
    return index;
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> number = dim.getConstantIndex();
    return number ? hoistSize(dim.getSource(), *number) : std::nullopt;
  }
  if (!isa<arith::ArithDialect>(op->getDialect()) || !isMemoryEffectFree(op))
    return std::nullopt;
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    std::optional<OpFoldResult> hoisted = hoistIndex(operand);
    if (!hoisted)
      return std::nullopt;
    mapping.map(operand, getValueOrCreateConstantIndexOp(*outside, op->getLoc(),
                                                         *hoisted));
  }
  return outside->clone(*op, mapping)->getResult(0);
}

/// A size of a value of the draft's iteration in terms of what is in front of
/// the loop. What a loop carries is taken to keep its sizes; TangentInterface
/// checks it when it stores.
std::optional<OpFoldResult> ForBackward::hoistSize(Value value, int64_t dim) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!type.isDynamicDim(dim))
    return OpFoldResult(b.getIndexAttr(type.getDimSize(dim)));
  if (!scratch->isAncestor(value.getParentBlock()->getParentOp()))
    return OpFoldResult(
        tensor::DimOp::create(*outside, value.getLoc(), value, dim)
            .getResult());
  if (auto arg = dyn_cast<BlockArgument>(value))
    return arg.getOwner() == scratch.getBody()
               ? hoistSize(scratch.getInitArgs()[arg.getArgNumber() - 1], dim)
               : std::nullopt;
  Operation *op = value.getDefiningOp();
  unsigned number = cast<OpResult>(value).getResultNumber();
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return hoistSize(cast.getSource(), dim);
  if (auto inner = dyn_cast<scf::ForOp>(op))
    return hoistSize(inner.getInitArgs()[number], dim);
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return hoistIndex(empty.getMixedSizes()[dim]);
  auto shaped = dyn_cast<ReifyRankedShapedTypeOpInterface>(op);
  ReifiedRankedShapedTypeDims sizes;
  OpBuilder inside(op);
  if (!shaped || failed(shaped.reifyResultShapes(inside, sizes)))
    return std::nullopt;
  return hoistIndex(sizes[number][dim]);
}

std::optional<SmallVector<OpFoldResult>> ForBackward::hoistSizes(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return std::nullopt;
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim : llvm::seq(type.getRank())) {
    std::optional<OpFoldResult> size = hoistSize(value, dim);
    if (!size)
      return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

/// Sees to it that a value of the forward iteration is there for the gradient:
/// kept, or computed again.
void ForBackward::need(Value value) {
  if (!isForward(value) || !needed.insert(value).second)
    return;
  Operation *op = value.getDefiningOp();
  if (!op || isDear(op)) {
    if (std::optional<SmallVector<OpFoldResult>> sizes = hoistSizes(value)) {
      kept.insert(value);
      keptSizes[value] = *sizes;
      return;
    }
  }
  if (op)
    for (Value operand : getGradientOperands(op))
      need(operand);
}

/// A size of a forward value is found without the value.
void ForBackward::hoistDims() {
  for (Operation *op = border; op; op = op->getNextNode())
    op->walk([&](tensor::DimOp dim) {
      std::optional<int64_t> number = dim.getConstantIndex();
      if (!number || !isForward(dim.getSource()))
        return;
      if (std::optional<OpFoldResult> size =
              hoistSize(dim.getSource(), *number))
        dim.replaceAllUsesWith(
            getValueOrCreateConstantIndexOp(*outside, dim.getLoc(), *size));
    });
}

void ForBackward::choose() {
  hoistDims();
  // What only other gradients need is not needed.
  Operation *end = scratch.getBody()->getTerminator();
  for (Operation *op = end->getPrevNode(), *previous; op != border;
       op = previous) {
    previous = op->getPrevNode();
    if (isOpTriviallyDead(op))
      op->erase();
  }
  for (Operation *op = border; op != end; op = op->getNextNode())
    for (Value operand : getGradientOperands(op))
      need(operand);
  for (Value grad : end->getOperands().drop_front(numCarried))
    need(grad);
}

//===----------------------------------------------------------------------===//
// What remains
//===----------------------------------------------------------------------===//

/// Puts in the place of the forward loop one that also keeps what is needed.
void ForBackward::buildForward() {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop);
  SmallVector<Value> inits(loop.getInitArgs());
  for (Value value : kept) {
    SmallVector<OpFoldResult> sizes = {getAsOpFoldResult(trips)};
    llvm::append_range(sizes, keptSizes[value]);
    inits.push_back(tensor::EmptyOp::create(
        b, sizes, cast<RankedTensorType>(value.getType()).getElementType()));
  }
  auto forward = scf::ForOp::create(
      b, loop.getLowerBound(), loop.getUpperBound(), loop.getStep(), inits);
  b.setInsertionPointToStart(forward.getBody());
  Value number = forward.getInductionVar();
  if (trips != loop.getUpperBound()) {
    Value offset = arith::SubIOp::create(b, number, loop.getLowerBound());
    number = arith::DivSIOp::create(b, offset, loop.getStep());
  }
  IRMapping mapping;
  mapping.map(induction, forward.getInductionVar());
  mapping.map(iteration, number);
  ValueRange args = forward.getRegionIterArgs();
  mapping.map(scratch.getRegionIterArgs().take_front(numCarried),
              args.take_front(numCarried));
  for (Operation &op : *scratch.getBody())
    if (isForward(op))
      b.clone(op, mapping);
  SmallVector<Value> yields;
  Operation *end = scratch.getBody()->getTerminator();
  for (Value value : end->getOperands().take_front(numCarried))
    yields.push_back(mapping.lookupOrDefault(value));
  for (auto [value, history] :
       llvm::zip_equal(kept, args.drop_front(numCarried)))
    yields.push_back(tangent.createStore(
        b, loop.getLoc(), mapping.lookup(value), history, number));
  scf::YieldOp::create(b, yields);
  loop->replaceAllUsesWith(forward.getResults().take_front(numCarried));
  for (auto [value, history] :
       llvm::zip_equal(kept, forward.getResults().drop_front(numCarried)))
    histories[value] = history;
}

/// The draft without the forward loop's values.
scf::ForOp ForBackward::buildBackward() {
  auto backward = scf::ForOp::create(
      b, scratch.getLowerBound(), scratch.getUpperBound(), scratch.getStep(),
      scratch.getInitArgs().drop_front(numCarried));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(backward.getBody());
  IRMapping mapping;
  mapping.map(scratch.getInductionVar(), backward.getInductionVar());
  mapping.map(scratch.getRegionIterArgs().drop_front(numCarried),
              backward.getRegionIterArgs());
  auto isNeeded = [&](Value result) {
    return needed.contains(result) && !kept.contains(result);
  };
  for (Operation &op : scratch.getBody()->without_terminator()) {
    if (isForward(op) && !llvm::any_of(op.getResults(), isNeeded))
      continue;
    b.clone(op, mapping);
    if (&op != induction.getDefiningOp())
      continue;
    // Where the forward iteration begins, what is kept of it is there.
    Value number = mapping.lookup(iteration);
    for (Value value : kept)
      mapping.map(value,
                  tangent.createLoad(b, loop.getLoc(),
                                     cast<RankedTensorType>(value.getType()),
                                     histories.lookup(value), number));
  }
  SmallVector<Value> yields;
  Operation *end = scratch.getBody()->getTerminator();
  for (Value value : end->getOperands().drop_front(numCarried))
    yields.push_back(mapping.lookupOrDefault(value));
  scf::YieldOp::create(b, yields);
  return backward;
}

LogicalResult ForBackward::run(ValueRange resultGrads,
                               SmallVectorImpl<Value> &operandGrads) {
  trips = countTrips();
  LogicalResult result = draft(resultGrads);
  if (succeeded(result)) {
    dropInvariants();
    choose();
    buildForward();
    scf::ForOp backward = buildBackward();
    SmallVector<Value> carried = takeFloats(loop.getInitArgs());
    ValueRange results = backward.getResults();
    operandGrads.append(3, Value()); // the bounds
    llvm::append_range(
        operandGrads,
        spreadFloats(loop.getInitArgs(), results.take_front(carried.size())));
    llvm::append_range(
        operandGrads,
        spreadFloats(captures, results.drop_front(carried.size())));
  }
  scratch.erase();
  return result;
}

LogicalResult
weft::detail::buildForGradient(scf::ForOp op, OpBuilder &builder,
                               ValueRange resultGrads,
                               SmallVectorImpl<Value> &operandGrads) {
  return ForBackward(op, builder).run(resultGrads, operandGrads);
}
