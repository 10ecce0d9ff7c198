//===- WeftToDispatch.cpp - Group tensor ops into kernels -----------------===//

#include "weft/Conversion/WeftToDispatch.h"
#include "Grouping.h"
#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/IR/IRMapping.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"

namespace weft {
#define GEN_PASS_DEF_FORMDISPATCHESPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct FormDispatches : weft::impl::FormDispatchesPassBase<FormDispatches> {
  void runOnOperation() override;
};

/// Tells sizes in terms of values that are left when tensor ops have gone into
/// regions: function arguments, constants, scalars.
class SizeResolver {
public:
  explicit SizeResolver(OpBuilder &builder) : b(builder) {}
  Value resolve(Value tensor, unsigned dim, Location loc);

private:
  OpBuilder &b;
};

/// Builds the region of one group.
class RegionBuilder {
public:
  RegionBuilder(const Grouping &grouping, const Group &group, OpBuilder &b)
      : grouping(grouping), group(group), b(b) {}
  void build();

private:
  void collect(Operation *op);
  void findResults();

  const Grouping &grouping;
  const Group &group;
  OpBuilder &b;
  llvm::SetVector<Operation *> body; ///< in an order that respects uses
  llvm::SetVector<Value> inputs, scalars;
  SmallVector<Value> results;
};
} // namespace

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Value SizeResolver::resolve(Value tensor, unsigned dim, Location loc) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return arith::ConstantIndexOp::create(b, loc, type.getDimSize(dim));
  auto op = tensor.getDefiningOp<ReifyRankedShapedTypeOpInterface>();
  if (!op || !isa<WeftDialect, dispatch::DispatchDialect>(op->getDialect()))
    return tensor::DimOp::create(b, loc, tensor, dim);

  // The op speaks of the sizes of its operands, which are resolved in turn.
  Operation *before = b.getInsertionPoint() == b.getInsertionBlock()->begin()
                          ? nullptr
                          : &*std::prev(b.getInsertionPoint());
  ReifiedRankedShapedTypeDims reified;
  if (failed(op.reifyResultShapes(b, reified)))
    return tensor::DimOp::create(b, loc, tensor, dim);
  Value size = getValueOrCreateConstantIndexOp(
      b, loc, reified[cast<OpResult>(tensor).getResultNumber()][dim]);
  SmallVector<tensor::DimOp> dims;
  Block::iterator it = before ? std::next(before->getIterator())
                              : b.getInsertionBlock()->begin();
  for (; it != b.getInsertionPoint(); ++it)
    if (auto dimOp = dyn_cast<tensor::DimOp>(*it))
      dims.push_back(dimOp);
  OpBuilder::InsertionGuard guard(b);
  for (tensor::DimOp dimOp : dims) {
    std::optional<int64_t> index = dimOp.getConstantIndex();
    if (!index)
      continue;
    b.setInsertionPoint(dimOp);
    Value inner = resolve(dimOp.getSource(), *index, loc);
    if (size == dimOp.getResult())
      size = inner;
    dimOp.replaceAllUsesWith(inner);
    dimOp.erase();
  }
  return size;
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

void RegionBuilder::collect(Operation *op) {
  if (body.contains(op))
    return;
  for (Value operand : op->getOperands()) {
    Operation *source = operand.getDefiningOp();
    bool isInside =
        source &&
        (grouping.getGroup(source) == &group ||
         (!grouping.getGroup(source) && grouping.isCopied(source, group, op)));
    if (isInside)
      collect(source);
    else if (isa<RankedTensorType>(operand.getType()))
      inputs.insert(operand);
    else if (source && source->hasTrait<OpTrait::ConstantLike>())
      collect(source);
    else
      scalars.insert(operand);
  }
  body.insert(op);
}

void RegionBuilder::findResults() {
  for (Operation *op : body) {
    if (grouping.getGroup(op) != &group)
      continue;
    for (OpResult result : op->getResults()) {
      bool isUsed = llvm::any_of(result.getUsers(), [&](Operation *user) {
        return grouping.getGroup(user) != &group;
      });
      // Ops with loops of their own store all of their results, but nothing of
      // what they read.
      if (isUsed || isa<LoopOpInterface>(op))
        results.push_back(result);
    }
  }
}

void RegionBuilder::build() {
  for (Operation *op : group.ops)
    collect(op);
  findResults();
  if (results.empty())
    return;

  SmallVector<Location> locations;
  for (Operation *op : group.ops)
    locations.push_back(op->getLoc());
  Location loc = b.getFusedLoc(locations);
  SizeResolver resolver(b);
  SmallVector<Value> sizes;
  SmallVector<Type> types;
  for (Value result : results) {
    auto type = cast<RankedTensorType>(result.getType());
    types.push_back(type);
    for (int64_t dim : llvm::seq(type.getRank()))
      if (type.isDynamicDim(dim))
        sizes.push_back(resolver.resolve(result, dim, loc));
  }
  auto region = dispatch::RegionOp::create(b, loc, types, inputs.getArrayRef(),
                                           scalars.getArrayRef(), sizes);
  Block *block = b.createBlock(&region.getBody());
  IRMapping mapping;
  for (Value value :
       llvm::concat<const Value>(inputs.getArrayRef(), scalars.getArrayRef()))
    mapping.map(value, block->addArgument(value.getType(), value.getLoc()));
  for (Operation *op : body)
    b.clone(*op, mapping);
  SmallVector<Value> yielded;
  for (Value result : results)
    yielded.push_back(mapping.lookup(result));
  dispatch::YieldOp::create(b, loc, yielded);
  b.setInsertionPointAfter(region);
  for (auto [old, created] : llvm::zip(results, region.getResults()))
    old.replaceAllUsesWith(created);
}

/// Moves an op that works on sizes, and what computes these, up in its block as
/// far as possible.
static void moveUp(Operation *op) {
  Operation *latest = nullptr;
  for (Value operand : op->getOperands()) {
    Operation *source = operand.getDefiningOp();
    if (!source || source->getBlock() != op->getBlock())
      continue;
    if (isPure(source) && source->getNumRegions() == 0 &&
        !isa<RankedTensorType>(operand.getType()))
      moveUp(source);
    if (!latest || latest->isBeforeInBlock(source))
      latest = source;
  }
  if (latest)
    op->moveAfter(latest);
  else
    op->moveBefore(op->getBlock(), op->getBlock()->begin());
}

/// Forms the regions of one block; nested blocks have been done.
static LogicalResult formInBlock(Block &block) {
  Grouping grouping(block);
  for (const std::unique_ptr<Group> &group : grouping.getGroups()) {
    Operation *last = nullptr;
    for (Operation *op : group->ops)
      if (!last || last->isBeforeInBlock(op))
        last = op;
    OpBuilder b(last->getContext());
    b.setInsertionPointAfter(last);
    RegionBuilder(grouping, *group, b).build();
  }
  // What went into regions is dead now; users were behind, so go backwards.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isa<WeftDialect>(op.getDialect()) && isOpTriviallyDead(&op))
      op.erase();
  sortTopologically(&block);
  for (RequireSizesOp check :
       llvm::make_early_inc_range(block.getOps<RequireSizesOp>()))
    moveUp(check);
  return success();
}

void FormDispatches::runOnOperation() {
  SmallVector<Block *> blocks;
  getOperation()->walk<WalkOrder::PostOrder>([&](Operation *op) {
    if (isa<dispatch::RegionOp>(op))
      return;
    for (Region &region : op->getRegions())
      for (Block &block : region)
        blocks.push_back(&block);
  });
  for (Block *block : blocks)
    if (!isa<ModuleOp>(block->getParentOp()) && failed(formInBlock(*block)))
      return signalPassFailure();
}
