//===- InPlace.cpp - Which results take over the memory of an operand -----===//

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weft/Conversion/WeftToDispatch.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft {
#define GEN_PASS_DEF_CHOOSEINPLACEPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::dispatch;

/// Whether each element of `argument` is needed for nothing but the elements of
/// results that have the same indices.
static bool isElementwise(BlockArgument argument) {
  auto shape = cast<RankedTensorType>(argument.getType()).getShape();
  if (ShapedType::isDynamicShape(shape))
    return false;
  SmallVector<Value> worklist{argument};
  llvm::DenseSet<Value> seen;
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    if (cast<RankedTensorType>(value.getType()).getShape() != shape)
      return false;
    if (!seen.insert(value).second)
      continue;
    for (Operation *user : value.getUsers()) {
      if (isa<dispatch::YieldOp>(user))
        continue;
      if (!isa<ScalarOpInterface>(user))
        return false;
      llvm::append_range(worklist, user->getResults());
    }
  }
  return true;
}

/// The arguments of `func` whose new values `result` is.
static SmallVector<BlockArgument> getTwins(Value result, func::FuncOp func) {
  SmallVector<BlockArgument> twins;
  SmallVector<Value> worklist{result};
  while (!worklist.empty()) {
    for (OpOperand &use : worklist.pop_back_val().getUses()) {
      Operation *user = use.getOwner();
      if (auto cast = dyn_cast<tensor::CastOp>(user))
        worklist.push_back(cast.getResult());
      if (!isa<func::ReturnOp>(user))
        continue;
      auto twin = func.getResultAttrOfType<IntegerAttr>(use.getOperandNumber(),
                                                        kTwinAttr);
      uint64_t number = twin ? twin.getValue().getLimitedValue() : ~uint64_t(0);
      if (number < func.getNumArguments())
        twins.push_back(func.getArgument(number));
    }
  }
  return twins;
}

/// The input of `region` that holds the old value of the state whose new one is
/// result `number`, if the kernel may write over it; else -1.
static int64_t findState(RegionOp region, unsigned number, func::FuncOp func) {
  OpResult result = region->getResult(number);
  for (BlockArgument twin : getTwins(result, func))
    for (auto [i, input] : llvm::enumerate(region.getInputs()))
      if (input == twin && input.getType() == result.getType() &&
          isElementwise(region.getBody().getArgument(i)))
        return i;
  return -1;
}

/// Whether the memory of `value` is the program's own to write to: a loop
/// carries it, or a kernel or a loop has made it.
static bool isOwned(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return isa<scf::ForOp, scf::WhileOp>(argument.getOwner()->getParentOp());
  return isa<RegionOp, scf::ForOp, scf::WhileOp>(value.getDefiningOp());
}

/// Whether `region`, as its input `number`, is the last to need `value`, which
/// is of the same block, and nothing else can know where it lies.
static bool isLastUse(RegionOp region, int64_t number, Value value) {
  if (value.getParentBlock() != region->getBlock())
    return false;
  return llvm::all_of(value.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (user == region)
      return use.getOperandNumber() == number;
    if (isa<tensor::DimOp>(user))
      return true;
    return isa<RegionOp, tensor::ExtractOp>(user) &&
           region->getBlock()->findAncestorOpInBlock(*user)->isBeforeInBlock(
               region);
  });
}

/// The input of `region`, which does nothing but replace some of its elements,
/// if the old tensor is not needed afterwards; else -1.
static int64_t findUpdated(RegionOp region) {
  if (region.getNumResults() != 1)
    return -1;
  Operation *made = region.getYield().getOperand(0).getDefiningOp();
  auto op = dyn_cast_or_null<UpdateOpInterface>(made);
  auto argument =
      op ? dyn_cast<BlockArgument>(op.getUpdated().get()) : BlockArgument();
  if (!argument || !argument.hasOneUse())
    return -1;
  int64_t number = argument.getArgNumber();
  Value value = region.getInputs()[number];
  return isOwned(value) && isLastUse(region, number, value) ? number : -1;
}

/// The value that a loop carries at the start of an iteration in the place of
/// what `use`, an operand of its yield, carries on; null if there is none.
static Value getCarried(OpOperand &use) {
  unsigned number = use.getOperandNumber();
  Operation *parent = use.getOwner()->getParentOp();
  if (auto loop = dyn_cast<scf::ForOp>(parent))
    return loop.getRegionIterArg(number);
  auto loop = dyn_cast<scf::WhileOp>(parent);
  if (!loop)
    return {};
  for (auto [value, given] : llvm::zip_equal(loop.getAfterArguments(),
                                             loop.getConditionOp().getArgs()))
    if (given == loop.getBeforeArguments()[number])
      return value;
  return {};
}

/// The input of `region` that holds what a loop carries, if result `number` is
/// carried on in its place, element by element, and the old value is not needed
/// afterwards; else -1.
static int64_t findCarried(RegionOp region, unsigned number) {
  OpResult result = region->getResult(number);
  for (OpOperand &use : result.getUses()) {
    Value carried =
        isa<scf::YieldOp>(use.getOwner()) ? getCarried(use) : Value();
    for (auto [i, input] : llvm::enumerate(region.getInputs()))
      if (carried && input == carried && input.getType() == result.getType() &&
          isElementwise(region.getBody().getArgument(i)) &&
          isLastUse(region, i, input))
        return i;
  }
  return -1;
}

namespace {
struct ChooseInPlace : weft::impl::ChooseInPlacePassBase<ChooseInPlace> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    func.walk([&](RegionOp region) {
      SmallVector<int64_t> numbers;
      for (unsigned i : llvm::seq(region.getNumResults())) {
        int64_t number = findState(region, i, func);
        if (number < 0)
          number = findCarried(region, i);
        // One input is the place of one result.
        numbers.push_back(llvm::is_contained(numbers, number) ? -1 : number);
      }
      if (region.getNumResults() == 1 && numbers[0] < 0)
        numbers[0] = findUpdated(region);
      if (llvm::any_of(numbers, [](int64_t number) { return number >= 0; }))
        region.setInPlace(numbers);
    });
  }
};
} // namespace
