//===- ONNXDialect.h - The imported graph ---------------------------------===//

#ifndef WEFT_DIALECT_ONNX_IR_ONNXDIALECT_H
#define WEFT_DIALECT_ONNX_IR_ONNXDIALECT_H

#include "weft/Dialect/ONNX/IR/NodeSchema.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ExtensibleDialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "weft/Dialect/ONNX/IR/ONNXDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "weft/Dialect/ONNX/IR/ONNXTypes.h.inc"

#define GET_OP_CLASSES
#include "weft/Dialect/ONNX/IR/ONNXOps.h.inc"

namespace weft::onnx {

/// The part of an op's name that stands for `domain`, such as "ml." for
/// "ai.onnx.ml" and "" for the main domain. Empty for an unknown domain.
std::optional<llvm::StringRef> getDomainPrefix(llvm::StringRef domain);

/// "Conv" and "" of `onnx.Conv`, "Adam" and "ai.onnx.preview.training" of
/// `onnx.training.Adam`: the op type and the domain.
std::pair<llvm::StringRef, llvm::StringRef>
splitOpName(llvm::StringRef operationName);

} // namespace weft::onnx

#endif // WEFT_DIALECT_ONNX_IR_ONNXDIALECT_H
