//===- ExportAlgorithm.h - Training in the terms of ONNX ------------------===//

#ifndef WEFT_TRAINING_EXPORTALGORITHM_H
#define WEFT_TRAINING_EXPORTALGORITHM_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "weft/Import/ExportTraining.h"
#include "weft/Training/Options.h"

namespace weft {

/// Describes, as training info, the step that Weft would make of `main`, nodes
/// of the `onnx` dialect, with these settings. `rate` is its default learning
/// rate. Fails after an error.
llvm::FailureOr<TrainingAlgorithm>
describeAlgorithm(mlir::func::FuncOp main, const TrainingOptions &options,
                  double rate);

} // namespace weft

#endif // WEFT_TRAINING_EXPORTALGORITHM_H
