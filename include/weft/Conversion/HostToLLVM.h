//===- HostToLLVM.h - From host programs and kernels to LLVM --------------===//

#ifndef WEFT_CONVERSION_HOSTTOLLVM_H
#define WEFT_CONVERSION_HOSTTOLLVM_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace weft {

/// Attribute of an LLVM global whose bytes are those of a `#weft.extern`.
inline constexpr llvm::StringLiteral kExternAttr = "weft.extern";

/// A global of programs with device code: what the driver loads.
inline constexpr llvm::StringLiteral kDeviceImage = "weft_device_image";

#define GEN_PASS_DECL_CONVERTHOSTTOLLVMPASS
#define GEN_PASS_DECL_EXPANDMATHPASS
#define GEN_PASS_DECL_EXPANDNARROWFLOATSPASS
#define GEN_PASS_DECL_HOSTEMITTABLESPASS
#include "weft/Conversion/Passes.h.inc"

} // namespace weft

#endif // WEFT_CONVERSION_HOSTTOLLVM_H
