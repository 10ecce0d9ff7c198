//===- WeftDialect.h - The differentiable tensor language -----------------===//

#ifndef WEFT_DIALECT_WEFT_IR_WEFTDIALECT_H
#define WEFT_DIALECT_WEFT_IR_WEFTDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "weft/Interfaces/Interfaces.h"

#include "weft/Dialect/Weft/IR/WeftDialect.h.inc"
#include "weft/Dialect/Weft/IR/WeftEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "weft/Dialect/Weft/IR/WeftAttrs.h.inc"

#define GET_OP_CLASSES
#include "weft/Dialect/Weft/IR/WeftOps.h.inc"

namespace weft {
/// Attributes of the arguments and results of `@main`. `weft.role`, a string,
/// is what an argument or result is for (the names of `weft_role` in
/// weft-rt/program.h; absent: data). A result that is the new value of an
/// argument that is a parameter or state has its number, an i64, as
/// `weft.twin`; the argument has as `weft.initial` the tensor that it starts
/// from (dense or `#weft.extern`; absent: zeros).
inline constexpr llvm::StringLiteral kRoleAttr = "weft.role";
inline constexpr llvm::StringLiteral kTwinAttr = "weft.twin";
inline constexpr llvm::StringLiteral kInitialAttr = "weft.initial";

/// Whether `relation` holds of two numbers.
bool holds(SizeRelation relation, int64_t found, int64_t wanted);
} // namespace weft

#endif // WEFT_DIALECT_WEFT_IR_WEFTDIALECT_H
