//===- Precision.h - Products of narrow floats ----------------------------===//

#ifndef WEFT_LIB_TRAINING_PRECISION_H
#define WEFT_LIB_TRAINING_PRECISION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace weft {

/// Rounds the operands of all contractions, convolutions, gradients of filters
/// and attention of f32 in `function` to `type`, but for attention's
/// probabilities, which are in no memory. They are summed in f32 as before, and
/// all else stays as it is. A tensor is rounded once for all its uses.
void narrowProducts(mlir::func::FuncOp function, mlir::FloatType type);

} // namespace weft

#endif // WEFT_LIB_TRAINING_PRECISION_H
