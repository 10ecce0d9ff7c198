//===- Loss.h - What is minimised -----------------------------------------===//

#ifndef WEFT_LIB_TRAINING_LOSS_H
#define WEFT_LIB_TRAINING_LOSS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Training/Options.h"

namespace weft {

/// The type of the labels that `output` is compared with; null if none are.
/// Fails, after an error, where the loss is not one of such an output.
llvm::FailureOr<mlir::RankedTensorType>
getLabelType(mlir::Value output, const TrainingOptions &options);

/// A loss and what else is told of a batch; `accuracy` (f32, the part of the
/// labels that have the highest score) is null for losses without classes.
struct LossResult {
  mlir::Value loss; ///< f32, or f64 for outputs of f64
  mlir::Value accuracy;
};

/// What the loss is computed from: scores where `output` is what a softmax or a
/// sigmoid makes of them, which the loss then stands for in its stable form;
/// else `output`. A logarithm of a softmax needs nothing: to take another one
/// of it changes nothing.
mlir::Value findScores(mlir::Value output, const TrainingOptions &options);

/// Emits the loss of `output` given `labels`, the mean over all labels.
LossResult buildLoss(mlir::ImplicitLocOpBuilder &b, mlir::Value output,
                     mlir::Value labels, const TrainingOptions &options);

} // namespace weft

#endif // WEFT_LIB_TRAINING_LOSS_H
