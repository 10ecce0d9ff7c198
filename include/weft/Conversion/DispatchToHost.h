//===- DispatchToHost.h - From launches on tensors to a host program ------===//

#ifndef WEFT_CONVERSION_DISPATCHTOHOST_H
#define WEFT_CONVERSION_DISPATCHTOHOST_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace weft {

/// Attribute of a module that limits symbolic sizes: a dictionary from names
/// to `array<i64: min, max>`.
inline constexpr llvm::StringLiteral kDimRangesAttr = "weft.dim_ranges";

#define GEN_PASS_DECL_CONVERTDISPATCHTOHOSTPASS
#include "weft/Conversion/Passes.h.inc"

} // namespace weft

#endif // WEFT_CONVERSION_DISPATCHTOHOST_H
