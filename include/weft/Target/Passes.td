//===- Passes.td - Code for GPUs ------------------------------------------===//

#ifndef WEFT_TARGET_PASSES
#define WEFT_TARGET_PASSES

include "mlir/Pass/PassBase.td"

def EmbedDevicePass : Pass<"target-embed-device", "::mlir::ModuleOp"> {
  let summary = "Compile device code and put it into the program";
  let description = [{
    Replaces the module `@weft_device` by a constant with what the driver loads:
    PTX, which the driver compiles for its GPU; where the CUDA toolkit's
    `ptxas` and `fatbinary` are found, a fatbin with machine code as well.

    Requires: `@weft_device` in the LLVM and NVVM dialects.
    Ensures: the module is gone; if there was one, there is a global
    `@weft_device_image`.
  }];
  let options = [
    Option<"arch", "arch", "std::string", "\"sm_80\"",
           "The oldest GPU that the code is to run on">,
    Option<"toolkit", "toolkit", "std::string", "",
           "Folder of the CUDA toolkit; empty: the usual ones are tried">
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // WEFT_TARGET_PASSES
