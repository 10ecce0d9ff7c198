//===- Numbers.h - Tensors of rank 0 in formulas --------------------------===//

#ifndef WEFT_LIB_TRAINING_NUMBERS_H
#define WEFT_LIB_TRAINING_NUMBERS_H

#include "weft/Dialect/Weft/IR/Terms.h"

namespace weft {

/// A number of numbers as one of the type `element`.
inline mlir::Value castScalar(mlir::ImplicitLocOpBuilder &b, mlir::Value scalar,
                              mlir::Type element) {
  auto type = mlir::RankedTensorType::get({}, element);
  if (scalar.getType() == type)
    return scalar;
  return CastOp::create(b, type, scalar, /*saturate=*/false);
}

/// A number, or a truth value, as a tensor of the shape of `like`; a number
/// takes its type, too.
inline detail::Term spread(mlir::Value scalar, detail::Term like) {
  mlir::ImplicitLocOpBuilder &b = *like.b;
  auto type = mlir::cast<mlir::RankedTensorType>(like.value.getType());
  if (mlir::getElementTypeOrSelf(scalar.getType()).isInteger(1))
    type = type.clone(b.getI1Type());
  else
    scalar = castScalar(b, scalar, type.getElementType());
  return {&b, BroadcastOp::create(b, type, scalar,
                                  detail::getSymbolicSizes(b, like.value),
                                  llvm::ArrayRef<int64_t>())};
}

} // namespace weft

#endif // WEFT_LIB_TRAINING_NUMBERS_H
