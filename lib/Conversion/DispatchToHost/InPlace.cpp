//===- InPlace.cpp - Results that take over the memory of an operand ------===//
//
// A kernel may find an operand in the memory in which it makes a result
// (`in_place` of dispatch.kernel). If nothing else needs the operand, and its
// memory is the program's own, it simply stays there. So a tensor that a loop
// carries, and of which each iteration replaces a part, has one buffer.
//
//===----------------------------------------------------------------------===//

#include "Converter.h"

using namespace mlir;
using namespace weft;
using namespace weft::host;

OpOperand *Converter::findPlace(OpResult result) {
  unsigned number = result.getResultNumber();
  if (auto launch = dyn_cast<dispatch::LaunchOp>(result.getOwner())) {
    auto kernel = symbolTable.lookup<dispatch::KernelOp>(launch.getKernel());
    int64_t input = kernel ? kernel.getInPlaceInput(number) : -1;
    return input < 0 ? nullptr : &launch.getInputsMutable()[input];
  }
  auto loop = dyn_cast<scf::ForOp>(result.getOwner());
  SmallVector<InPlaceStep> steps;
  if (!loop || !followInPlace(loop.getRegionIterArg(number),
                              loop.getYieldedValues()[number], steps))
    return nullptr;
  return &loop.getInitArgsMutable()[number];
}

/// Whether `step` is the last to need the memory of `value`, which it uses
/// once, and nothing else has its address.
static bool endsAt(Value value, Operation *step) {
  unsigned count = 0;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (user == step) {
      ++count;
      continue;
    }
    if (isa<tensor::DimOp>(user))
      continue;
    if (!isa<dispatch::LaunchOp, tensor::ExtractOp>(user))
      return false;
    Operation *before = step->getBlock()->findAncestorOpInBlock(*user);
    if (!before || !before->isBeforeInBlock(step))
      return false;
  }
  return count == 1;
}

bool Converter::followInPlace(Value from, Value to,
                              SmallVectorImpl<InPlaceStep> &steps) {
  for (Value value = to; value != from;) {
    auto result = dyn_cast<OpResult>(value);
    if (!result || result.getOwner()->getBlock() != from.getParentBlock())
      return false;
    OpOperand *place = findPlace(result);
    if (!place || !endsAt(place->get(), result.getOwner()))
      return false;
    steps.push_back({result, place});
    value = place->get();
  }
  return true;
}

bool Converter::canTakeOver(OpOperand &place) {
  Operation *maker = place.get().getDefiningOp();
  return maker && maker->getBlock() == place.getOwner()->getBlock() &&
         isa<dispatch::LaunchOp, tensor::FromElementsOp, tensor::EmptyOp>(
             maker) &&
         endsAt(place.get(), place.getOwner());
}

InPlacePlan Converter::planInPlace(ArrayRef<Value> args, ValueRange yielded,
                                   const llvm::BitVector &changing) {
  InPlacePlan plan;
  plan.chosen.resize(args.size());
  for (auto [number, arg, value] : llvm::enumerate(args, yielded)) {
    SmallVector<InPlaceStep> &steps = plan.steps.emplace_back();
    if (arg && isa<RankedTensorType>(arg.getType()) &&
        followInPlace(arg, value, steps) && !changing.test(number))
      plan.chosen.set(number);
  }
  return plan;
}

void Converter::placeInPlace(const InPlacePlan &plan,
                             ArrayRef<Carried> carried) {
  for (auto [entry, steps] : llvm::zip_equal(carried, plan.steps)) {
    for (const InPlaceStep &step : steps) {
      // What an earlier try decided is void.
      placedInMemory.erase(step.result);
      takenOver.erase(step.place);
      if (entry.kind != Carried::InPlace)
        continue;
      if (isa<dispatch::LaunchOp>(step.result.getOwner()))
        placedInMemory[step.result] = entry.memory;
      else
        takenOver.insert(step.place);
    }
  }
}
