//===- DispatchDialect.h - Groups of ops that become one kernel -----------===//

#ifndef WEFT_DIALECT_DISPATCH_IR_DISPATCHDIALECT_H
#define WEFT_DIALECT_DISPATCH_IR_DISPATCHDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "weft/Dialect/Dispatch/IR/DispatchDialect.h.inc"

namespace weft::dispatch {
class YieldOp;

/// Attribute of a module with kernels for a device: the places in the model, as
/// strings, that their faults refer to by number.
inline constexpr llvm::StringLiteral placesAttrName = "dispatch.places";
} // namespace weft::dispatch

#define GET_ATTRDEF_CLASSES
#include "weft/Dialect/Dispatch/IR/DispatchAttrs.h.inc"

#define GET_OP_CLASSES
#include "weft/Dialect/Dispatch/IR/DispatchOps.h.inc"

#endif // WEFT_DIALECT_DISPATCH_IR_DISPATCHDIALECT_H
