//===- Scatter.h - Where updates go, and what they do there ---------------===//

#ifndef WEFT_DIALECT_WEFT_IR_SCATTER_H
#define WEFT_DIALECT_WEFT_IR_SCATTER_H

#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Interfaces/Emitter.h"

namespace weft {

/// The place of an update: within bounds (unless there is nothing to update),
/// and whether it was so before.
struct ScatterPlace {
  llvm::SmallVector<mlir::Value> at;
  mlir::Value inRange;
};

/// Emits the indices, in the first dimensions of the result, that the index
/// vector number `vector` points to. One out of range is reported.
ScatterPlace emitScatterPlace(ElementEmitter &emitter, ScatterNDOp op,
                              llvm::ArrayRef<mlir::Value> vector);

/// The same for update number `i` along the axis, at `row` in the other
/// dimensions: all indices of the element.
ScatterPlace emitScatterPlace(ElementEmitter &emitter, ScatterElementsOp op,
                              llvm::ArrayRef<mlir::Value> row, mlir::Value i);

/// Joins `value` with the element at `at` of result 0, a tensor of
/// `elementType`.
void emitScatterUpdate(LoopEmitter &emitter, ScatterKind kind,
                       mlir::Type elementType, llvm::ArrayRef<mlir::Value> at,
                       mlir::Value value);

/// Does the update of `op` at place `i` along the axis and at `row` in the
/// other dimensions. Updates that differ in the row meet nowhere.
void emitScatterUpdate(LoopEmitter &emitter, ScatterElementsOp op,
                       llvm::ArrayRef<mlir::Value> row, mlir::Value i);

} // namespace weft

#endif // WEFT_DIALECT_WEFT_IR_SCATTER_H
