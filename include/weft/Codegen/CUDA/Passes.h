//===- Passes.h - From regions to CUDA kernels ----------------------------===//

#ifndef WEFT_CODEGEN_CUDA_PASSES_H
#define WEFT_CODEGEN_CUDA_PASSES_H

#include "mlir/Pass/Pass.h"

namespace weft {

/// The name of the module that `cuda-outline-device` puts device code into.
inline constexpr llvm::StringLiteral kDeviceModule = "weft_device";

/// Attribute of functions in it that are launched: the threads of a block.
inline constexpr llvm::StringLiteral kThreadsAttr = "weft.threads";

/// Attribute of functions whose indices are known to fit into 32 bits.
inline constexpr llvm::StringLiteral kNarrowIndicesAttr = "weft.narrow_indices";

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "weft/Codegen/CUDA/Passes.h.inc"
} // namespace weft

#endif // WEFT_CODEGEN_CUDA_PASSES_H
