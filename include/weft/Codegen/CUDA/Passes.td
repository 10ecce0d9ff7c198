//===- Passes.td - From regions to CUDA kernels ---------------------------===//

#ifndef WEFT_CODEGEN_CUDA_PASSES
#define WEFT_CODEGEN_CUDA_PASSES

include "mlir/Pass/PassBase.td"

def GenerateCUDAKernelsPass : Pass<"codegen-cuda", "::mlir::ModuleOp"> {
  let summary = "Turn each `dispatch.region` into functions for a GPU";
  let description = [{
    Emits, for each region, the body of a thread through the emission rules of
    its ops, and replaces the region by a `dispatch.launch`. Regions that are
    equal but for the operands share a kernel. What kernels report faults about
    is listed in the module's attribute `dispatch.places`. Tasks whose indices
    are known to fit into 32 bits say so by the attribute `weft.narrow_indices`.

    Requires: tensor ops in regions only, but for constants and views.
    Ensures: no `dispatch.region` is left.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::NVVM::NVVMDialect",
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

def OutlineDevicePass : Pass<"cuda-outline-device", "::mlir::ModuleOp"> {
  let summary = "Move the functions that run on a GPU into a module of their own";
  let description = [{
    The tasks of kernels with `device`, and shared memory, go to a module `@weft_device` inside
    the program's, where the attribute `weft.threads` says how many threads the
    launch will have.

    Requires: nothing.
    Ensures: no task of such a kernel is left in the program's module.
  }];
}

def LowerDevicePass : Pass<"cuda-lower-device", "::mlir::ModuleOp"> {
  let summary = "Lower device code to the LLVM and NVVM dialects";
  let description = [{
    Runs on `@weft_device`. Functions of the `math` dialect that GPUs have no
    instruction for become calls of libdevice (`__nv_*`). Functions with
    `weft.threads` become kernels. `index` becomes i64, or i32
    in functions with `weft.narrow_indices`.

    Requires: control flow lowered to `cf`, math in f32 or f64.
    Ensures: the module holds nothing but LLVM and NVVM.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::NVVM::NVVMDialect"];
}

#endif // WEFT_CODEGEN_CUDA_PASSES
