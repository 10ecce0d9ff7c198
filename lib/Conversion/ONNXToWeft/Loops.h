//===- Loops.h - Loops over tensors and the types that they carry ---------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_LOOPS_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_LOOPS_H

#include "Lowering.h"

namespace weft {

/// The most exact type that both values fit in: sizes that differ become `?`.
/// Null if element type or rank differ.
mlir::RankedTensorType joinTypes(mlir::Type lhs, mlir::Type rhs);

/// `value` under a type with the same rank that is less or more exact.
mlir::Value castTo(Lowering &lower, mlir::Value value, mlir::Type type);

/// `dest` with `source` standing at `offsets`.
mlir::Value updateSlice(Lowering &lower, mlir::Value source, mlir::Value dest,
                        llvm::ArrayRef<mlir::OpFoldResult> offsets);

/// The only element of a tensor as a scalar.
mlir::Value extractScalar(Lowering &lower, mlir::Value tensor);

/// Index `iteration` as a rank-0 tensor of `elementType`.
mlir::Value indexTensor(Lowering &lower, mlir::OpFoldResult iteration,
                        mlir::Type elementType);

/// A tensor of zeros.
mlir::Value zeros(Lowering &lower, mlir::Type elementType,
                  llvm::ArrayRef<mlir::OpFoldResult> shape);

/// `value`, whose sizes are sure to be `shape`, so that they are known as such.
mlir::Value withSizes(Lowering &lower, mlir::Value value,
                      llvm::ArrayRef<mlir::OpFoldResult> shape);

/// Emits what one iteration computes from its number and the carried values.
using LoopStep = llvm::function_ref<llvm::SmallVector<mlir::Value>(
    mlir::OpFoldResult iteration, mlir::ValueRange carried)>;

/// Emits a loop of `trips` iterations whose carried values keep their types,
/// and returns their final values. A loop of one iteration is its step.
llvm::SmallVector<mlir::Value> emitFor(Lowering &lower,
                                       mlir::OpFoldResult trips,
                                       llvm::ArrayRef<mlir::Value> inits,
                                       LoopStep step);

/// Computes `value`, which is defined inside the body of a loop, in front of
/// the loop (where the builder stands) as it is in the first iteration: what it
/// depends on is cloned with `mapping` telling the first iteration's values of
/// the block's arguments.
mlir::Value cloneForFirstIteration(Lowering &lower, mlir::Value value,
                                   mlir::Block *body, mlir::IRMapping &mapping);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_LOOPS_H
