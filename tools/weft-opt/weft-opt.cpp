//===- weft-opt.cpp - Runs passes on IR -----------------------------------===//

#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "weft/Import/Import.h"
#include "weft/Pipelines/Pipelines.h"

using namespace mlir;

namespace weft {
void registerTestCostPass();
void registerTestEmitPass();
void registerTestEvaluatePass();
void registerTestGradientPass();
void registerTestModelGradientPass();
void registerTestShardingPass();
} // namespace weft

int main(int argc, char **argv) {
  DialectRegistry registry;
  weft::registerDialects(registry);
  weft::registerONNXDialect(registry);
  registerTransformsPasses();
  weft::registerPasses();
  weft::registerTestCostPass();
  weft::registerTestEmitPass();
  weft::registerTestGradientPass();
  weft::registerTestModelGradientPass();
  weft::registerTestShardingPass();
  // Shows in tests what ops tell of the sizes of their results.
  memref::registerResolveRankedShapeTypeResultDimsPass();
  weft::registerTestEvaluatePass();
  return failed(MlirOptMain(argc, argv, "Weft's optimizer driver\n", registry));
}
