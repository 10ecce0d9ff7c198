//===- HostDialect.h - The program that drives the kernels ----------------===//

#ifndef WEFT_DIALECT_HOST_IR_HOSTDIALECT_H
#define WEFT_DIALECT_HOST_IR_HOSTDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "weft/Dialect/Host/IR/HostDialect.h.inc"
#include "weft/Dialect/Host/IR/HostEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "weft/Dialect/Host/IR/HostTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "weft/Dialect/Host/IR/HostAttrs.h.inc"

#define GET_OP_CLASSES
#include "weft/Dialect/Host/IR/HostOps.h.inc"

namespace weft::host {

/// Sizes in bytes are cut off here, so that sums of them do not overflow. No
/// machine has that much memory: what asks for it gets an error at run time.
constexpr int64_t maxBytes = int64_t(1) << 48;

/// The symbols that stand in the table of a port for a size that is fixed or
/// that only the run settles (weft_dim in weft-rt/program.h).
constexpr int32_t fixedSize = -1;
constexpr int32_t computedSize = -2;

/// Bytes of a tensor with a static shape, at most maxBytes.
int64_t getStaticBytes(mlir::RankedTensorType type);

/// Checks what the tables of inputs and outputs say of roles: each role where
/// it may be, twins of one type that name each other, one rate, seed and loss
/// at most. What is wrong goes to `emitError`.
llvm::LogicalResult
verifyRoles(llvm::ArrayRef<PortAttr> inputs, llvm::ArrayRef<PortAttr> outputs,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// What the program is called: the name of the model's graph; may be empty.
llvm::StringRef getProgramName(mlir::ModuleOp module);

/// Names of the attributes that a host program carries on its module.
constexpr llvm::StringLiteral inputsAttrName = "host.inputs";
constexpr llvm::StringLiteral outputsAttrName = "host.outputs";
constexpr llvm::StringLiteral symbolsAttrName = "host.symbols";
constexpr llvm::StringLiteral planAttrName = "host.plan";
/// The most bytes that a run may be planned to take, an i64.
constexpr llvm::StringLiteral budgetAttrName = "host.budget";

/// Names of the functions of a host program.
constexpr llvm::StringLiteral mainName = "main";
constexpr llvm::StringLiteral arenaBytesName = "arena_bytes";

} // namespace weft::host

#endif // WEFT_DIALECT_HOST_IR_HOSTDIALECT_H
