//===- CodegenCPU.cpp - From regions to CPU kernels -----------------------===//

#include "Kernels.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weft/Codegen/CPU/Passes.h"

namespace weft {
#define GEN_PASS_DEF_GENERATECPUKERNELSPASS
#include "weft/Codegen/CPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
struct GenerateCPUKernels
    : weft::impl::GenerateCPUKernelsPassBase<GenerateCPUKernels> {
  void runOnOperation() override {
    auto target = TargetDescription::get(getOperation());
    KernelCounts counts = generateKernels(
        getOperation(), [&](dispatch::RegionOp region, StringRef name) {
          KernelBuilder builder(region, name, getOperation(), target);
          if (!emitUpdateKernel(builder) && !emitLoopKernel(builder) &&
              !emitWindowFilterKernel(builder) &&
              !emitContractionKernel(builder) && !emitWindowKernel(builder) &&
              !emitSpreadKernel(builder) && !emitRowKernel(builder))
            emitElementKernel(builder);
          return builder.finish();
        });
    numKernels += counts.kernels;
    numShared += counts.shared;
  }
};
} // namespace
