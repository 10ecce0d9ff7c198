//===- LowerDevice.cpp - Device code in the LLVM dialect ------------------===//

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Transforms/DialectConversion.h"
#include "weft/Codegen/CUDA/Passes.h"

namespace weft {
#define GEN_PASS_DEF_LOWERDEVICEPASS
#include "weft/Codegen/CUDA/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Lowers `ops` with indices of `indexBits` bits.
static LogicalResult lower(ArrayRef<Operation *> ops, unsigned indexBits) {
  MLIRContext *context = ops.front()->getContext();
  LowerToLLVMOptions options(context);
  options.overrideIndexBitwidth(indexBits);
  LLVMTypeConverter converter(context, options);
  LLVMConversionTarget target(*context);
  target.addLegalDialect<NVVM::NVVMDialect>();
  target.addLegalOp<ModuleOp>();
  RewritePatternSet patterns(context);
  // What libdevice has goes there, before the LLVM dialect's own functions,
  // most of which NVPTX has no code for.
  populateLibDeviceConversionPatterns(converter, patterns, /*benefit=*/10);
  populateMathToLLVMConversionPatterns(converter, patterns,
                                       /*approximateLog1p=*/false);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  index::populateIndexToLLVMConversionPatterns(converter, patterns);
  ub::populateUBToLLVMConversionPatterns(converter, patterns);
  populateVectorToLLVMConversionPatterns(converter, patterns);
  populateFuncToLLVMConversionPatterns(converter, patterns);
  return applyFullConversion(ops, target, std::move(patterns));
}

/// Makes a kernel of a function that is launched.
static void markKernel(LLVM::LLVMFuncOp func) {
  auto threads = func->getAttrOfType<IntegerAttr>(kThreadsAttr);
  if (!threads)
    return;
  func->removeAttr(kThreadsAttr);
  Builder b(func.getContext());
  func->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), b.getUnitAttr());
  auto count = static_cast<int32_t>(threads.getInt());
  func->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                b.getDenseI32ArrayAttr({count, 1, 1}));
  // What comes by value is read where the launch has put it, as tensor maps
  // must be.
  for (unsigned i : llvm::seq(func.getNumArguments()))
    if (func.getArgAttr(i, LLVM::LLVMDialect::getByValAttrName()))
      func.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(),
                      b.getUnitAttr());
  // Else ptxas would rather spill than let fewer blocks run at a time.
  if (!func->hasAttr(NVVM::NVVMDialect::getMinctasmAttrName()))
    func->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                  b.getI32IntegerAttr(1));
}

namespace {
struct LowerDevice : weft::impl::LowerDevicePassBase<LowerDevice> {
  void runOnOperation() override {
    SmallVector<Operation *> narrow;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func->removeAttr(kNarrowIndicesAttr))
        narrow.push_back(func);
    if (!narrow.empty() && failed(lower(narrow, 32)))
      return signalPassFailure();
    if (failed(lower(getOperation().getOperation(), 64)))
      return signalPassFailure();
    for (auto func : getOperation().getOps<LLVM::LLVMFuncOp>())
      markKernel(func);
  }
};
} // namespace
