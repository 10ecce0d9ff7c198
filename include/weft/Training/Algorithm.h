//===- Algorithm.h - Training that a model brings along -------------------===//

#ifndef WEFT_TRAINING_ALGORITHM_H
#define WEFT_TRAINING_ALGORITHM_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "weft/Training/Options.h"

namespace weft {

/// The loss of `main`, nodes of the `onnx` dialect that are one iteration of a
/// model's own training: what `options` name, or else what the first Gradient
/// node differentiates. Null, with the reason in `why`, if there is none.
mlir::Value findAlgorithmLoss(mlir::func::FuncOp main,
                              const TrainingOptions &options, std::string &why);

/// Prepares `main`, nodes of the `onnx` dialect that are one iteration of a
/// model's own training (see ModelPart::Training in weft/Import/Import.h): the
/// initializers that are assigned to become arguments, and of the results only
/// the loss, the accuracy and the new values stay. Fails after an error.
llvm::LogicalResult prepareAlgorithm(mlir::func::FuncOp main,
                                     const TrainingOptions &options);

/// Makes a training step of it when its nodes are ops of the tensor language:
/// gives it its seed and a count of updates, and lets nothing change while the
/// loss is not finite. Fails after an error.
llvm::LogicalResult buildAlgorithmStep(mlir::func::FuncOp main,
                                       const TrainingOptions &options);

} // namespace weft

#endif // WEFT_TRAINING_ALGORITHM_H
