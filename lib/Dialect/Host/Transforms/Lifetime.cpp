//===- Lifetime.cpp - How long buffers are alive --------------------------===//

#include "Lifetime.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft::host;

Lifetimes::Lifetimes(func::FuncOp func) {
  int64_t next = 0;
  std::function<void(Operation *)> number = [&](Operation *op) {
    first[op] = next++;
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Operation &inner : block)
          number(&inner);
    last[op] = next - 1;
  };
  for (Block &block : func.getBody())
    for (Operation &op : block)
      number(&op);
}

void weft::host::addAliases(OpOperand &use, SmallVectorImpl<Value> &aliases) {
  unsigned number = use.getOperandNumber();
  Operation *op = use.getOwner();
  Operation *parent = op->getParentOp();
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](scf::ForOp loop) {
        if (number < loop.getNumControlOperands())
          return;
        aliases.push_back(loop.getTiedLoopRegionIterArg(&use));
        aliases.push_back(loop.getTiedLoopResult(&use));
      })
      .Case([&](scf::WhileOp loop) {
        aliases.push_back(loop.getBeforeArguments()[number]);
      })
      .Case([&](scf::ConditionOp) {
        if (number == 0)
          return;
        auto loop = cast<scf::WhileOp>(parent);
        aliases.push_back(loop.getAfterArguments()[number - 1]);
        aliases.push_back(loop.getResult(number - 1));
      })
      .Case([&](scf::YieldOp) {
        if (auto loop = dyn_cast<scf::WhileOp>(parent)) {
          aliases.push_back(loop.getBeforeArguments()[number]);
          return;
        }
        aliases.push_back(parent->getResult(number));
        if (auto loop = dyn_cast<scf::ForOp>(parent))
          aliases.push_back(loop.getRegionIterArg(number));
      })
      .Case([&](arith::SelectOp select) {
        aliases.push_back(select.getResult());
      });
}

/// Whether `use` lets its op write to the memory.
static bool isWrite(OpOperand &use) {
  Operation *op = use.getOwner();
  if (auto launch = dyn_cast<LaunchOp>(op)) {
    auto [first, count] = launch.getODSOperandIndexAndLength(1);
    return use.getOperandNumber() >= first &&
           use.getOperandNumber() < first + count;
  }
  if (isa<CopyOp>(op))
    return use.getOperandNumber() == 1;
  return isa<StoreOp>(op);
}

void weft::host::walkWriters(Value buffer,
                             llvm::function_ref<void(Operation *)> found) {
  SmallVector<Value> worklist{buffer};
  llvm::DenseSet<Value> seen;
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    for (OpOperand &use : value.getUses()) {
      addAliases(use, worklist);
      if (isWrite(use))
        found(use.getOwner());
    }
  }
}

Lifetime Lifetimes::of(Value buffer) const {
  Operation *maker = buffer.getDefiningOp();
  Lifetime lifetime{first.at(maker), last.at(maker)};
  SmallVector<Value> work{buffer};
  llvm::DenseSet<Value> seen;
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    for (OpOperand &use : value.getUses()) {
      // A use inside of a loop may come again, so that the whole loop counts,
      // if the value was there before the loop.
      Operation *inBlock =
          value.getParentBlock()->findAncestorOpInBlock(*use.getOwner());
      lifetime.last = std::max(lifetime.last, last.at(inBlock));
      addAliases(use, work);
    }
  }
  return lifetime;
}
