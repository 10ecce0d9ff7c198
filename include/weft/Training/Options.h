//===- Options.h - What can be chosen about a training step ---------------===//

#ifndef WEFT_TRAINING_OPTIONS_H
#define WEFT_TRAINING_OPTIONS_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace weft {

enum class LossKind {
  CrossEntropy,       ///< of scores per class, against class numbers
  BinaryCrossEntropy, ///< of scores, against probabilities
  MeanSquare,
  MeanAbsolute,
  Huber,
  Output, ///< the output is a number, the loss itself
};

/// What operands of products are rounded to.
enum class Precision { F32, BF16, F16 };

enum class OptimizerKind {
  SGD,
  Adam,
  AdamW,
  Adagrad,
  RMSProp,
  LAMB,
  Function, ///< an ONNX function
};

/// The largest factor of losses, far from the largest of f32.
inline constexpr double kMostLossScale = 1 << 30;

/// Everything about a training step that can be chosen. The defaults of the
/// numbers are those of torch.optim.
struct TrainingOptions {
  /// Regular expressions over the names of tensors: which are trained besides
  /// those that are found to be weights, and which are not. The latter counts
  /// more. They must match a part of the name.
  std::string train, freeze;
  /// Normalise by the statistics of the batch and keep track of them, instead
  /// of by those that the model holds.
  bool batchStatistics = false;
  /// Switch dropout on.
  bool dropout = true;
  /// Only the loss and the metrics, of the model as it is used.
  bool evaluate = false;
  /// The training that the model brings along, instead of a loss and an
  /// optimizer; `output` may name its loss.
  bool algorithm = false;
  /// No step, but what that training starts from.
  bool initialize = false;

  /// No update: the loss, and its gradients of the model's inputs and trained
  /// tensors whose names match this regular expression; "": a step.
  std::string gradients;

  LossKind loss = LossKind::CrossEntropy;
  std::string output; ///< what the loss is of; "": the first output of floats
  double labelSmoothing = 0;
  std::optional<int64_t> ignoreIndex;
  llvm::SmallVector<double> classWeights; ///< none: all classes count alike
  double huberDelta = 1;

  OptimizerKind optimizer = OptimizerKind::SGD;
  /// "DOMAIN.NAME" of the optimizer that is a function, and the file that has
  /// it; "": the model's.
  std::string function, functionFile;
  double momentum = 0;
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999;
  double decay = 0.99; ///< of the mean of squares in RMSProp
  std::optional<double> epsilon;
  double weightDecay = 0;
  double clipNorm = 0, clipValue = 0; ///< none if zero

  Precision precision = Precision::F32;
  /// With f16 gradients are computed of the losses times a number, so that
  /// small ones do not vanish. It begins here, is halved where a gradient is
  /// not finite, and doubled after so many updates in which all were.
  double lossScale = 65536;
  int64_t lossScaleInterval = 2000;
  /// Change nothing if a gradient is not finite, and give the loss as NaN.
  bool checkGradients = false;

  /// Batches of an update: gradients are summed over as many.
  int64_t accumulate = 1;

  /// Reads `loss=mse optimizer=adamw weight-decay=0.01`, what describe() tells
  /// of. Fails with a message that names the setting that is wrong.
  static llvm::Expected<TrainingOptions> parse(llvm::StringRef text);
  /// The settings that parse() knows, one line each.
  static std::string describe();
};

} // namespace weft

#endif // WEFT_TRAINING_OPTIONS_H
