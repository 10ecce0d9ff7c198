//===- Parameters.h - Which tensors of a model are trained ----------------===//

#ifndef WEFT_TRAINING_PARAMETERS_H
#define WEFT_TRAINING_PARAMETERS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "weft/Training/Options.h"

namespace weft {

/// What is decided about a constant of a model.
struct ParameterChoice {
  mlir::Operation *constant; ///< of the `onnx` dialect
  std::string name;          ///< as the model calls it
  bool isTrained;
  std::string reason; ///< such as "weight of node 'fc1' (Gemm)"
};

/// Decides about every named constant of `main`, which holds nodes of the
/// `onnx` dialect. Trained are tensors of floats, of rank one or more, that a
/// node uses where its operator takes a weight, directly or reshaped,
/// transposed or joined; and what `train` matches. Not trained are running
/// statistics, scalars, tables and masks, what is dequantized, and what
/// `freeze` matches.
llvm::SmallVector<ParameterChoice>
chooseParameters(mlir::func::FuncOp main, const TrainingOptions &options);

} // namespace weft

#endif // WEFT_TRAINING_PARAMETERS_H
