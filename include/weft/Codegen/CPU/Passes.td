//===- Passes.td - From regions to CPU kernels ----------------------------===//

#ifndef WEFT_CODEGEN_CPU_PASSES
#define WEFT_CODEGEN_CPU_PASSES

include "mlir/Pass/PassBase.td"

def GenerateCPUKernelsPass : Pass<"codegen-cpu", "::mlir::ModuleOp"> {
  let summary = "Turn each `dispatch.region` into functions for the CPU";
  let description = [{
    Emits, for each region, loops on scalars and vectors through the emission
    rules of its ops, and replaces the region by a `dispatch.launch`. Regions
    that are equal but for the operands share a kernel. Tile sizes come from the
    module's attribute `weft.cpu`.

    Requires: tensor ops in regions only, but for constants and views.
    Ensures: no `dispatch.region` is left.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect",
                           "::weft::dispatch::DispatchDialect"];
  let statistics = [
    Statistic<"numKernels", "num-kernels", "Number of kernels generated">,
    Statistic<"numShared", "num-shared", "Number of regions that share one">
  ];
}

#endif // WEFT_CODEGEN_CPU_PASSES
