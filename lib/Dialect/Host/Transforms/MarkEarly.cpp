//===- MarkEarly.cpp - Outputs that are written while a run can fail ------===//

#include "Lifetime.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Dialect/Host/Transforms/Passes.h"

namespace weft::host {
#define GEN_PASS_DEF_MARKEARLYPASS
#include "weft/Dialect/Host/Transforms/Passes.h.inc"
} // namespace weft::host

using namespace mlir;
using namespace weft;
using namespace weft::host;

namespace {
struct MarkEarlyPass : weft::host::impl::MarkEarlyPassBase<MarkEarlyPass> {
  using MarkEarlyPassBase::MarkEarlyPassBase;

  void runOnOperation() override;

private:
  bool canFail(Operation *op);
  bool isWrittenEarly(OutputOp output);

  SmallVector<PortAttr> ports;
  /// The ops of `@main` in order.
  llvm::DenseMap<Operation *, int64_t> numbers;
  int64_t lastFailing = -1;
};
} // namespace

/// Whether a run may end at `op`. Outputs whose sizes follow from the inputs
/// have been found to fit before the run.
bool MarkEarlyPass::canFail(Operation *op) {
  if (auto launch = dyn_cast<LaunchOp>(op)) {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<dispatch::KernelOp>(
        op, launch.getKernelAttr());
    return kernel.getCanFault();
  }
  if (auto output = dyn_cast<OutputOp>(op))
    return llvm::is_contained(ports[output.getNumber()].getSymbols(),
                              computedSize);
  return isa<RequireOp, AllocateOp>(op);
}

bool MarkEarlyPass::isWrittenEarly(OutputOp output) {
  bool isEarly = false;
  walkWriters(output.getBuffer(), [&](Operation *writer) {
    // What a loop writes, it may write before any other op in it.
    int64_t number = numbers.lookup(writer) + !canFail(writer);
    for (Operation *op = writer; op; op = op->getParentOp())
      if (isa<LoopLikeOpInterface>(op))
        number = numbers.lookup(op);
    isEarly |= lastFailing >= number;
  });
  return isEarly;
}

void MarkEarlyPass::runOnOperation() {
  ModuleOp module = getOperation();
  auto main = module.lookupSymbol<func::FuncOp>(mainName);
  auto table = module->getAttrOfType<ArrayAttr>(outputsAttrName);
  if (!main || main.isExternal() || !table) {
    module.emitError("there is no function '")
        << mainName << "' with a table '" << outputsAttrName << "'";
    return signalPassFailure();
  }
  ports = llvm::to_vector(table.getAsRange<PortAttr>());
  numbers.clear();
  lastFailing = -1;
  main.walk<WalkOrder::PreOrder>([&](Operation *op) {
    numbers[op] = numbers.size();
    if (canFail(op))
      lastFailing = numbers[op];
  });
  SmallVector<Attribute> attrs(table.begin(), table.end());
  main.walk([&](OutputOp op) {
    if (!isWrittenEarly(op))
      return;
    PortAttr port = ports[op.getNumber()];
    ++numEarly;
    attrs[op.getNumber()] = PortAttr::get(
        op.getContext(), port.getName(), port.getType(), port.getSymbols(),
        port.getRole(), port.getTwin(), port.getInitial(), /*early=*/true);
  });
  module->setAttr(outputsAttrName, ArrayAttr::get(module.getContext(), attrs));
}
