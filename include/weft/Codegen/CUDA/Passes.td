//===- Passes.td - From regions to CUDA kernels ---------------------------===//

#ifndef WEFT_CODEGEN_CUDA_PASSES
#define WEFT_CODEGEN_CUDA_PASSES

include "mlir/Pass/PassBase.td"

def FormAttentionPass : Pass<"cuda-form-attention", "::mlir::func::FuncOp"> {
  let summary = "Make one op of a softmax and the products around it";
  let description = [{
    Finds scores, a product of queries and keys that is scaled by a number,
    added to biases and masked with -inf, whose softmax weights values, where
    nothing else uses scores and probabilities, and makes a `weft.attention` of
    them, so that neither is ever in memory. Probabilities whose rows are cleared
    where a condition says so become an output whose rows are. Biases and masks
    are put together before they are spread over the heads.

    Vectors are of static length, so that there are kernels, also for the
    gradients, and narrower than f64. Rounding in between is left out: where all
    is f16 or bf16, the result is closer to that of exact numbers.

    Requires: nothing.
    Ensures: what is left of such chains is dead.
  }];
  let dependentDialects = ["::weft::WeftDialect"];
  let options = [
    Option<"explain", "explain", "bool", "false",
           "Remark at each softmax what it became, or why it was left">,
    Option<"gradients", "gradients", "bool", "false",
           "Leave what has to be differentiated unless the biases are known to "
           "be small, or -inf: gradients are taken from logarithms, which "
           "have no digits for weights beside numbers like -1e9">
  ];
  let statistics = [
    Statistic<"numFormed", "num-formed", "Number of ops formed">
  ];
}

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
  let options = [
    Option<"arch", "arch", "std::string", /*default=*/"\"sm_80\"",
           "Oldest GPU to run on; sm_90a has matrix instructions of its own">,
    Option<"tf32", "tf32", "bool", /*default=*/"false",
           "Multiply f32 by matrix instructions, which take the leading 19 bits "
           "of each operand">,
    Option<"packFrom", "pack-from", "int64_t", /*default=*/"2000000",
           "How many more elements a convolution has to load one by one than "
           "half of those of its tensors before these are written with "
           "channels last first: in the time of so many loads, another task "
           "of a launch begins and ends">
  ];
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

def NativeFloatsPass : Pass<"cuda-native-floats", "::mlir::ModuleOp"> {
  let summary = "Give floats the instructions that GPUs have for them";
  let description = [{
    Runs on `@weft_device`. One instruction rounds f32 to bf16, and one
    finds the larger or smaller of two f32 or f16, or NaN if either is. Other passes would expand both into arithmetic and comparisons.

    Requires: scalar code.
    Ensures: none of these is left in the `arith` dialect.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::arith::ArithDialect"];
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
