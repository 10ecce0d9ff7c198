//===- TestEvaluate.cpp - A pass that runs the reference evaluator --------===//

#include "mlir/Pass/Pass.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"

using namespace mlir;

namespace {

/// Evaluates each function without arguments and prints its results as
/// attributes, one a line. For tests only.
struct TestEvaluatePass
    : PassWrapper<TestEvaluatePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestEvaluatePass)

  StringRef getArgument() const override { return "weft-test-evaluate"; }
  StringRef getDescription() const override {
    return "Evaluate functions without arguments and print their results";
  }

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.getNumArguments() != 0)
        continue;
      FailureOr<SmallVector<weft::HostTensor>> results =
          weft::evaluateFunction(function, {});
      if (failed(results)) {
        signalPassFailure();
        continue;
      }
      llvm::outs() << function.getName() << ":\n";
      for (const weft::HostTensor &result : *results)
        llvm::outs() << "  " << result.toAttr() << "\n";
    }
    llvm::outs().flush();
  }
};

} // namespace

namespace weft {
void registerTestEvaluatePass() { PassRegistration<TestEvaluatePass>(); }
} // namespace weft
