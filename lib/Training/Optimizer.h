//===- Optimizer.h - How parameters are moved -----------------------------===//

#ifndef WEFT_LIB_TRAINING_OPTIMIZER_H
#define WEFT_LIB_TRAINING_OPTIMIZER_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Training/Options.h"

namespace weft {

/// What an optimizer remembers of each parameter, by the part of its name that
/// follows the parameter's, such as "momentum". Each is a tensor like the
/// parameter that starts as zeros. Not of an optimizer that is a function.
llvm::SmallVector<llvm::StringRef>
getOptimizerStates(const TrainingOptions &options);

/// One step of an optimizer.
class Optimizer {
public:
  /// `rate` is a rank-0 tensor of f32, `count` one of i64: the number of this
  /// step, from 1.
  Optimizer(mlir::ImplicitLocOpBuilder &b, const TrainingOptions &options,
            mlir::Value rate, mlir::Value count);

  /// What is remembered of a parameter whose gradient has this type.
  llvm::SmallVector<llvm::StringRef> getStates(mlir::Type gradient) const;

  /// Changes `gradients` where clipping asks for it.
  void clip(llvm::MutableArrayRef<mlir::Value> gradients);

  /// The new values of a parameter and of what is remembered of it.
  struct Update {
    mlir::Value parameter;
    llvm::SmallVector<mlir::Value> states;
  };
  /// Fails, after an error, where a function gives something else.
  llvm::FailureOr<Update> update(mlir::Value parameter, mlir::Value gradient,
                                 mlir::ValueRange states);

private:
  mlir::Value correct(double decay);

  mlir::ImplicitLocOpBuilder &b;
  const TrainingOptions &options;
  mlir::Value rate, count;
  mlir::Value firstCorrection, secondCorrection; // rank-0 tensors of f32
};

} // namespace weft

#endif // WEFT_LIB_TRAINING_OPTIMIZER_H
