//===- SettleStates.cpp - Where a program begins to write its states ------===//

#include "Lifetime.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Dialect/Host/Transforms/Passes.h"

namespace weft::host {
#define GEN_PASS_DEF_SETTLESTATESPASS
#include "weft/Dialect/Host/Transforms/Passes.h.inc"
} // namespace weft::host

using namespace mlir;
using namespace weft;
using namespace weft::host;

/// The op in front of which all that `writer` writes is still to come.
static Operation *getAnchor(Operation *writer) {
  Operation *anchor = writer;
  for (Operation *op = writer; op; op = op->getParentOp())
    if (isa<LoopLikeOpInterface>(op))
      anchor = op;
  return anchor;
}

namespace {
struct SettleStatesPass
    : weft::host::impl::SettleStatesPassBase<SettleStatesPass> {
  using SettleStatesPassBase::SettleStatesPassBase;

  void runOnOperation() override;
};
} // namespace

void SettleStatesPass::runOnOperation() {
  ModuleOp module = getOperation();
  auto main = module.lookupSymbol<func::FuncOp>(mainName);
  auto table = module->getAttrOfType<ArrayAttr>(outputsAttrName);
  bool onDevice = llvm::any_of(
      module.getOps<dispatch::KernelOp>(),
      [](dispatch::KernelOp kernel) { return kernel.getDevice().has_value(); });
  if (!onDevice || !main || !table)
    return;
  llvm::DenseSet<Operation *> anchors;
  main.walk([&](OutputOp output) {
    auto port = cast<PortAttr>(table[output.getNumber()]);
    if (port.isState() && !port.getEarly())
      walkWriters(output.getBuffer(), [&](Operation *writer) {
        anchors.insert(getAnchor(writer));
      });
  });
  main.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!anchors.contains(op))
      return WalkResult::advance();
    OpBuilder b(op);
    SettleOp::create(b, op->getLoc());
    ++numSettles;
    // All that follows at this level, or deeper, comes after it.
    return op->getBlock() == &main.getBody().front() ? WalkResult::interrupt()
                                                     : WalkResult::advance();
  });
}
