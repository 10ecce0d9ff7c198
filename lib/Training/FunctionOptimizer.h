//===- FunctionOptimizer.h - Optimizers that are ONNX functions -----------===//

#ifndef WEFT_LIB_TRAINING_FUNCTIONOPTIMIZER_H
#define WEFT_LIB_TRAINING_FUNCTIONOPTIMIZER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace weft {

/// Makes of the functions of the module that are an optimizer
/// (`weft.optimizer`, see ImportOptions) one for each type of the parameters of
/// `main`, in f32 where they are narrower.
void specializeOptimizers(mlir::func::FuncOp main);

/// That for gradients of `type`; null if the module has none.
mlir::func::FuncOp findOptimizer(mlir::ModuleOp module, mlir::Type type);

/// What the model calls the states of the optimizer.
llvm::SmallVector<llvm::StringRef>
getFunctionStates(mlir::func::FuncOp optimizer);

/// Emits the ops of the optimizer for `inputs`: rate, step, parameter,
/// gradient, states. The results have the type of the gradient. Fails, after an
/// error, where the function gives something else.
llvm::FailureOr<llvm::SmallVector<mlir::Value>>
callOptimizer(mlir::ImplicitLocOpBuilder &b, mlir::func::FuncOp optimizer,
              mlir::ValueRange inputs);

/// Erases what specializeOptimizers() has made.
void eraseOptimizers(mlir::ModuleOp module);

} // namespace weft

#endif // WEFT_LIB_TRAINING_FUNCTIONOPTIMIZER_H
