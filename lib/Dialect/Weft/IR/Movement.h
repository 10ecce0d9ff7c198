//===- Movement.h - What ops that move elements share ---------------------===//

#ifndef WEFT_LIB_DIALECT_WEFT_IR_MOVEMENT_H
#define WEFT_LIB_DIALECT_WEFT_IR_MOVEMENT_H

#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft::detail {

/// Checks that `sizes` has a value for each `?` of the result.
mlir::LogicalResult verifySizes(mlir::Operation *op,
                                mlir::RankedTensorType type,
                                mlir::ValueRange sizes);

/// The sizes of `type`, those that are symbolic taken from `sizes` in order.
llvm::SmallVector<mlir::OpFoldResult> getMixedSizes(mlir::Builder &builder,
                                                    mlir::RankedTensorType type,
                                                    mlir::ValueRange sizes);

/// `type` with its symbolic sizes replaced by the values of `sizes` in order.
/// Fails, after an error, if one is negative.
mlir::FailureOr<mlir::RankedTensorType>
resolveSizes(mlir::Operation *op, mlir::RankedTensorType type,
             llvm::ArrayRef<HostTensor> sizes);

/// A static list with its dynamic markers replaced by the next of `values`,
/// which moves on.
llvm::SmallVector<int64_t> resolveList(llvm::ArrayRef<int64_t> list,
                                       llvm::ArrayRef<HostTensor> &values);

/// Whether `value` is the size of dimension `dim` of `tensor`.
bool isSizeOf(mlir::Value value, mlir::Value tensor, int64_t dim);

/// The operand that gives the symbolic size of dimension `dim` of `type`.
mlir::Value getSizeOperand(mlir::RankedTensorType type, mlir::ValueRange sizes,
                           int64_t dim);

} // namespace weft::detail

#endif // WEFT_LIB_DIALECT_WEFT_IR_MOVEMENT_H
