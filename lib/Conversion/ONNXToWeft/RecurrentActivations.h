//===- RecurrentActivations.h - Activations of recurrent cells ------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_RECURRENTACTIVATIONS_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_RECURRENTACTIVATIONS_H

#include "Terms.h"

namespace weft {

enum class ActivationKind {
  Affine,
  Elu,
  HardSigmoid,
  LeakyRelu,
  Relu,
  ScaledTanh,
  Sigmoid,
  Softplus,
  Softsign,
  Tanh,
  ThresholdedRelu
};

/// One activation function with its parameters.
struct Activation {
  ActivationKind kind;
  double alpha = 0.0, beta = 0.0;

  bool operator==(const Activation &) const = default;
  mlir::Value apply(Terms &terms, mlir::Value x) const;
};

/// Reads `activations`, `activation_alpha` and `activation_beta` of a recurrent
/// node: for each direction one function per entry of `defaults`.
llvm::FailureOr<llvm::SmallVector<Activation>>
readActivations(Lowering &lower, onnx::Node node,
                llvm::ArrayRef<llvm::StringRef> defaults, int64_t directions);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_RECURRENTACTIVATIONS_H
