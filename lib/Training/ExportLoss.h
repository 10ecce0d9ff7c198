//===- ExportLoss.h - Losses as nodes -------------------------------------===//

#ifndef WEFT_LIB_TRAINING_EXPORTLOSS_H
#define WEFT_LIB_TRAINING_EXPORTLOSS_H

#include "NodeText.h"
#include "mlir/IR/Value.h"
#include "weft/Training/Options.h"

namespace weft {

/// Names of numbers about a batch; `accuracy` is empty for losses without
/// classes.
struct LossNames {
  std::string loss, accuracy;
};

/// What a loss is of: the scores that `output`, of the `onnx` dialect, is a
/// softmax or a sigmoid of, or `output` itself.
mlir::Value findScoresOfNode(mlir::Value output,
                             const TrainingOptions &options);

/// Writes the nodes that buildLoss() emits ops for, of scores of this type.
/// `labels` is empty if there are none.
LossNames writeLoss(NodeText &text, const std::string &scores,
                    mlir::RankedTensorType type, const std::string &labels,
                    const TrainingOptions &options);

} // namespace weft

#endif // WEFT_LIB_TRAINING_EXPORTLOSS_H
