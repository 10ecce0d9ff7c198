//===- TestCost.cpp - A pass that prints what ops cost --------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "weft/Interfaces/ConcreteShapes.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace weft;

namespace {

/// Prints the cost of each op. Symbolic sizes of arguments are taken as `size`.
/// For tests only.
struct TestCostPass : PassWrapper<TestCostPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestCostPass)
  TestCostPass() = default;
  TestCostPass(const TestCostPass &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "weft-test-cost"; }
  StringRef getDescription() const override {
    return "Print what each op costs";
  }

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      llvm::outs() << function.getName() << ":\n";
      ConcreteShapes shapes;
      for (BlockArgument argument : function.getArguments()) {
        SmallVector<int64_t> shape(
            cast<ShapedType>(argument.getType()).getShape());
        for (int64_t &dim : shape)
          if (ShapedType::isDynamic(dim))
            dim = size;
        shapes.set(argument, shape);
      }
      bool isComplete = visitCosts(
          function.getBody(), shapes, [](Operation *op, const Cost &cost) {
            llvm::outs() << llvm::format(
                "  %s: %.0f operations, %.0f bytes read, %.0f written\n",
                op->getName().getStringRef().str().c_str(), cost.flops,
                cost.bytesRead, cost.bytesWritten);
          });
      if (!isComplete)
        llvm::outs() << "  and more\n";
    }
    llvm::outs().flush();
  }

  Option<int64_t> size{*this, "size", llvm::cl::init(2),
                       llvm::cl::desc("What symbolic sizes are")};
};

} // namespace

namespace weft {
void registerTestCostPass() { PassRegistration<TestCostPass>(); }
} // namespace weft
