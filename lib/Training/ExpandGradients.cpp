//===- ExpandGradients.cpp - Gradients that a model asks for --------------===//

#include "mlir/IR/BuiltinOps.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Dialect/Weft/IR/Terms.h"
#include "weft/Training/Passes.h"

namespace weft {
#define GEN_PASS_DEF_EXPANDGRADIENTSPASS
#include "weft/Training/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::detail;

namespace {
struct ExpandGradientsPass
    : weft::impl::ExpandGradientsPassBase<ExpandGradientsPass> {
  void runOnOperation() override;
};
} // namespace

/// The first one in program order.
static GradientOp findGradient(ModuleOp module) {
  GradientOp found;
  module.walk([&](GradientOp op) {
    found = op;
    return WalkResult::interrupt();
  });
  return found;
}

static LogicalResult expand(GradientOp op) {
  // The xs are made before y or do not matter to it.
  Value y = op.getY();
  if (y.getParentBlock() != op->getBlock())
    if (Operation *around = y.getParentBlock()->findAncestorOpInBlock(*op);
        around && llvm::all_of(op.getXs(), [&](Value x) {
          return x.getParentRegion()->isAncestor(y.getParentRegion());
        }))
      op->moveBefore(around);
  ImplicitLocOpBuilder b(op.getLoc(), op);
  SmallVector<Value> xs(op.getXs()), grads;
  if (y.getParentBlock() != op->getBlock())
    // Nothing inside leads from the xs to y.
    grads.resize(xs.size());
  else if (failed(buildGradients(b, y, makeSplat(b, y, 1), xs, grads)))
    return failure();
  for (auto [x, grad] : llvm::zip_equal(xs, grads))
    if (!grad)
      grad = makeSplat(b, x, 0);
  op.replaceAllUsesWith(grads);
  op.erase();
  return success();
}

void ExpandGradientsPass::runOnOperation() {
  while (GradientOp op = findGradient(getOperation())) {
    if (failed(expand(op)))
      return signalPassFailure();
    ++numExpanded;
  }
  getOperation().walk([](IndependentOp op) {
    op.replaceAllUsesWith(op.getInput());
    op.erase();
  });
}
