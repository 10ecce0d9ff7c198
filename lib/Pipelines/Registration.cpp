//===- Registration.cpp - The dialects and passes of all stages -----------===//

#include "weft/Conversion/Registration.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Codegen/CPU/Passes.h"
#include "weft/Codegen/CUDA/Passes.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Dialect/Host/Transforms/Passes.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Import/Import.h"
#include "weft/Pipelines/Pipelines.h"
#include "weft/Target/Passes.h"
#include "weft/Training/Passes.h"

using namespace mlir;

void weft::registerDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, cf::ControlFlowDialect, DLTIDialect,
                  func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                  NVVM::NVVMDialect, scf::SCFDialect, tensor::TensorDialect,
                  vector::VectorDialect, WeftDialect, dispatch::DispatchDialect,
                  host::HostDialect>();
  registerONNXDialect(registry);
  registerGradientModels(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

void weft::registerPasses() {
  registerWeftConversionPasses();
  registerWeftCodegenCPUPasses();
  registerWeftCodegenCUDAPasses();
  registerWeftTargetPasses();
  registerWeftTrainingPasses();
  host::registerWeftHostPasses();
}
