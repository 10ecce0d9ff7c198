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

/// The losses of a batch, one per label (or of what the model itself gives),
/// and what else is told of each label. What is null is one for every label.
struct LossResult {
  mlir::Value losses;  ///< f32 or f64, times the weight
  mlir::Value weights; ///< what to divide the sum of the losses by, summed
  mlir::Value hits;    ///< one where the label has the highest score, f32; null
                       ///< for losses without classes
  mlir::Value counts;  ///< one where the label counts, f32
};

/// What the loss is computed from: scores where `output` is what a softmax or a
/// sigmoid makes of them, which the loss then stands for in its stable form;
/// else `output`. A logarithm of a softmax needs nothing: to take another one
/// of it changes nothing.
mlir::Value findScores(mlir::Value output, const TrainingOptions &options);

/// Emits the losses of `output` given `labels`.
LossResult buildLoss(mlir::ImplicitLocOpBuilder &b, mlir::Value output,
                     mlir::Value labels, const TrainingOptions &options);

} // namespace weft

#endif // WEFT_LIB_TRAINING_LOSS_H
