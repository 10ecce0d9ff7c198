//===- ONNXToWeft.h - From ONNX nodes to the tensor language --------------===//

#ifndef WEFT_CONVERSION_ONNXTOWEFT_H
#define WEFT_CONVERSION_ONNXTOWEFT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace weft {

/// Attribute that the module gets when nodes were refused for want of a
/// lowering, so that a tool can tell exit code 77 from 1.
inline constexpr llvm::StringLiteral kUnsupportedAttr = "weft.unsupported";

/// True if nodes of the operator `name` ("Conv", "ml.TreeEnsemble") can be
/// lowered, though perhaps not with every combination of attributes.
bool hasLowering(llvm::StringRef name);

#define GEN_PASS_DECL_CONVERTONNXTOWEFTPASS
#include "weft/Conversion/Passes.h.inc"

} // namespace weft

#endif // WEFT_CONVERSION_ONNXTOWEFT_H
