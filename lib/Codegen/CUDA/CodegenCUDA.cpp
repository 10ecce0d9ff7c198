//===- CodegenCUDA.cpp - From regions to CUDA kernels ---------------------===//

#include "Kernels.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weft/Codegen/CUDA/Passes.h"

namespace weft {
#define GEN_PASS_DEF_GENERATECUDAKERNELSPASS
#include "weft/Codegen/CUDA/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

namespace {
struct GenerateCUDAKernels
    : weft::impl::GenerateCUDAKernelsPassBase<GenerateCUDAKernels> {
  using GenerateCUDAKernelsPassBase::GenerateCUDAKernelsPassBase;

  void runOnOperation() override {
    KernelCounts counts = generateKernels(
        getOperation(), [&](dispatch::RegionOp region, StringRef name) {
          KernelBuilder builder(region, name, getOperation());
          // The first that takes the region makes its kernel.
          bool isMade =
              emitUpdateKernel(builder) || emitScatterKernel(builder) ||
              emitScanKernel(builder) || emitTopKKernel(builder) ||
              emitNonZeroKernel(builder) || emitAttentionKernel(builder) ||
              emitAttentionGradientKernel(builder) || emitLoopKernel(builder) ||
              emitProductKernel(builder, tf32, arch, packFrom) ||
              emitTotalsKernel(builder) || emitRowKernel(builder);
          if (!isMade)
            emitElementKernel(builder);
          return builder.finish();
        });
    numKernels += counts.kernels;
    numShared += counts.shared;
  }
};
} // namespace
