//===- weft-opt.cpp - Runs passes on IR -----------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "weft/Conversion/ONNXToWeft.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Import/Import.h"

using namespace mlir;

namespace weft {
void registerTestEvaluatePass();
} // namespace weft

int main(int argc, char **argv) {
  DialectRegistry registry;
  registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                  math::MathDialect, scf::SCFDialect, tensor::TensorDialect,
                  vector::VectorDialect, weft::WeftDialect,
                  weft::dispatch::DispatchDialect>();
  weft::registerONNXDialect(registry);
  registerTransformsPasses();
  registerPass([] { return weft::createConvertONNXToWeftPass(); });
  weft::registerTestEvaluatePass();
  return failed(MlirOptMain(argc, argv, "Weft's optimizer driver\n", registry));
}
