//===- Pipelines.cpp - The passes of each stage, in order -----------------===//

#include "weft/Pipelines/Pipelines.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToFuncs/MathToFuncs.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"
#include "weft/Codegen/CPU/Passes.h"
#include "weft/Codegen/CUDA/Passes.h"
#include "weft/Conversion/DispatchToHost.h"
#include "weft/Conversion/HostToLLVM.h"
#include "weft/Conversion/ONNXToWeft.h"
#include "weft/Conversion/WeftToDispatch.h"
#include "weft/Dialect/Host/Transforms/Passes.h"
#include "weft/Target/Passes.h"
#include "weft/Training/Passes.h"

using namespace mlir;
using namespace weft;

static void addPassesToTensor(OpPassManager &pm,
                              const PipelineOptions &options) {
  // What is to be trained is not folded.
  if (options.training)
    pm.addPass(createPrepareTrainingPass({*options.training}));
  // ONNX nodes become ops with one meaning each; what depends on sizes alone
  // becomes arithmetic on sizes.
  pm.addPass(createConvertONNXToWeftPass());
  // Before anything is folded: gradients that the model itself asks for.
  pm.addPass(createExpandGradientsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

static void addPassesToDifferentiate(OpPassManager &pm,
                                     const PipelineOptions &options) {
  // What a GPU computes without its scores is differentiated as such.
  if (options.device) {
    FormAttentionPassOptions attention;
    attention.gradients = options.training.has_value();
    pm.addNestedPass<func::FuncOp>(createFormAttentionPass(attention));
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
  }
  if (!options.training)
    return;
  // The model becomes a step that changes its own weights.
  pm.addPass(createBuildTrainingStepPass({*options.training}));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

static void addPassesToDispatch(OpPassManager &pm,
                                const PipelineOptions &options) {
  // Ops that are computed together become one region.
  pm.addNestedPass<func::FuncOp>(createFormDispatchesPass());
  pm.addPass(createCSEPass());
  if (options.device)
    pm.addNestedPass<func::FuncOp>(createJoinRegionsPass());
  pm.addNestedPass<func::FuncOp>(createChooseInPlacePass());
}

static void addPassesToKernel(OpPassManager &pm,
                              const PipelineOptions &options) {
  // Regions become functions on scalars and vectors.
  if (!options.device) {
    pm.addPass(createGenerateCPUKernelsPass());
    return;
  }
  GenerateCUDAKernelsPassOptions cuda{.arch = options.device->arch,
                                      .tf32 = options.device->tf32};
  if (options.device->packFrom)
    cuda.packFrom = *options.device->packFrom;
  pm.addPass(createGenerateCUDAKernelsPass(cuda));
}

static void addPassesToHost(OpPassManager &pm, const PipelineOptions &options) {
  // Tensors become buffers, and equal sizes equal values, so that the plan
  // knows them to be equal.
  pm.addPass(createCSEPass());
  pm.addPass(createConvertDispatchToHostPass());
  pm.addPass(createCSEPass());
  pm.addPass(host::createMarkEarlyPass());
  pm.addPass(host::createSettleStatesPass());
  pm.addPass(host::createPlanArenaPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.memoryBudget)
    pm.addPass(host::createCheckBudgetPass({options.memoryBudget}));
}

void weft::addDevicePasses(OpPassManager &pm) {
  pm.addPass(createOutlineDevicePass());
  OpPassManager &device = pm.nest<ModuleOp>();
  ExpandMathPassOptions math;
  math.polynomials = false;
  device.addPass(createExpandMathPass(math));
  device.addPass(createNativeFloatsPass());
  device.addPass(createExpandNarrowFloatsPass());
  device.addPass(createConvertVectorToSCFPass());
  device.addPass(createSCFToControlFlowPass());
  device.addPass(arith::createArithExpandOpsPass());
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
  device.addPass(createConvertMathToFuncs());
  device.addPass(createLowerDevicePass());
  // Instructions that LLVM has no name for become text.
  device.addPass(createConvertNVVMToLLVMPass());
  device.addPass(createCSEPass());
}

static void addPassesToObject(OpPassManager &pm,
                              const PipelineOptions &options) {
  // 0. Code for a GPU becomes a constant of the program.
  if (options.device) {
    addDevicePasses(pm);
    pm.addPass(
        createEmbedDevicePass({options.device->arch, options.device->toolkit}));
  }

  // 1. What processors have no instructions for is spelled out.
  pm.addPass(createExpandMathPass());
  pm.addPass(createExpandNarrowFloatsPass());

  // 2. Vectors of rank above one are taken apart, and loops become branches.
  pm.addPass(createConvertVectorToSCFPass());
  pm.addPass(createSCFToControlFlowPass());

  // 3. The host program becomes calls of the runtime. Its failures are
  // branches, which is why it comes after the loops.
  pm.addPass(createConvertHostToLLVMPass());
  pm.addPass(arith::createArithExpandOpsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  // 4. Everything becomes the LLVM dialect: functions of libm first, since
  // they are declared as functions.
  ConvertMathToLLVMPassOptions math;
  math.approximateLog1p = false;
  pm.addPass(createConvertMathToFuncs());
  pm.addPass(createConvertMathToLLVMPass(math));
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCSEPass());

  // 5. The program describes itself.
  HostEmitTablesPassOptions tables;
  tables.target = options.device ? "cuda " + options.device->arch
                                 : "cpu " + options.target.cpu;
  tables.producer = "weft 0.1.0";
  tables.filesByPath = options.inProcess;
  tables.prefix = options.prefix;
  pm.addPass(createHostEmitTablesPass(tables));
}

void weft::addPassesTo(Stage to, OpPassManager &pm,
                       const PipelineOptions &options) {
  switch (to) {
  case Stage::Import:
    return;
  case Stage::Tensor:
    return addPassesToTensor(pm, options);
  case Stage::Differentiate:
    return addPassesToDifferentiate(pm, options);
  case Stage::Dispatch:
    return addPassesToDispatch(pm, options);
  case Stage::Kernel:
    return addPassesToKernel(pm, options);
  case Stage::Host:
    return addPassesToHost(pm, options);
  case Stage::Object:
    return addPassesToObject(pm, options);
  }
}
