//===- StructuredGradient.h - What gradients of structured ops share ------===//

#ifndef WEFT_LIB_DIALECT_WEFT_IR_STRUCTUREDGRADIENT_H
#define WEFT_LIB_DIALECT_WEFT_IR_STRUCTUREDGRADIENT_H

#include "StructuredSupport.h"

namespace weft {

/// `value` with elements of the type that `like` has.
mlir::Value convertElements(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                            mlir::Value like);

/// `value`, whose sizes are those of `like`, in exactly its type.
mlir::Value fitType(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                    mlir::Value like);

/// The product of two sizes.
mlir::OpFoldResult multiplySizes(mlir::ImplicitLocOpBuilder &b,
                                 mlir::OpFoldResult lhs,
                                 mlir::OpFoldResult rhs);

/// A size divided by a number that divides it.
mlir::OpFoldResult divideSize(mlir::ImplicitLocOpBuilder &b,
                              mlir::OpFoldResult size, int64_t divisor);

/// `value` under the shape of `sizes`.
mlir::Value reshapeTo(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                      llvm::ArrayRef<mlir::OpFoldResult> sizes);

/// A tensor of zeros of these sizes.
mlir::Value makeZeros(mlir::ImplicitLocOpBuilder &b, mlir::Type elementType,
                      llvm::ArrayRef<mlir::OpFoldResult> sizes);

} // namespace weft

#endif // WEFT_LIB_DIALECT_WEFT_IR_STRUCTUREDGRADIENT_H
