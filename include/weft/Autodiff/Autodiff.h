//===- Autodiff.h - Backward functions from forward ones ------------------===//
//
// Reverse-mode differentiation of a block of pure ops (Griewank and Walther,
// "Evaluating Derivatives", 2008, chapter 3). Nothing here knows an op of the
// tensor language: each is asked through DifferentiableOpInterface.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_AUTODIFF_AUTODIFF_H
#define WEFT_AUTODIFF_AUTODIFF_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/OwningOpRef.h"

namespace weft {

/// Emits the gradients of `xs` at the insertion point of `builder`, given those
/// of `ys`: with L a number that depends on `ys` alone, `seeds[i]` is dL/dys[i]
/// (of the type of ys[i]; null stands for zero), and `grads[j]` becomes
/// dL/dxs[j], of the type of xs[j]. It is null where no gradient flows. The
/// `xs` count as independent: nothing flows through one to another. Of two
/// equal `xs` both get the whole gradient.
///
/// All `ys` and the insertion point lie in one block, `ys` before the insertion
/// point; `xs` lie there too, or are arguments of the block, or are defined
/// above it. What is emitted may use everything in front of it. Loops that were
/// in front may be replaced by loops that also keep what the gradient needs of
/// each iteration.
///
/// Fails, after one error per kind of op, where a gradient meets an op without
/// a rule.
llvm::LogicalResult buildGradients(mlir::OpBuilder &builder,
                                   mlir::ValueRange ys, mlir::ValueRange seeds,
                                   mlir::ValueRange xs,
                                   llvm::SmallVectorImpl<mlir::Value> &grads);

/// A function that takes the arguments of `function`, which has one block, and
/// a seed for each of its results of floats, and returns the gradients of the
/// arguments that `isActive` says yes to, as above; zeros where none flows.
/// Attributes of arguments stay. Fails as above.
llvm::FailureOr<mlir::OwningOpRef<mlir::func::FuncOp>>
buildGradientFunction(mlir::func::FuncOp function,
                      llvm::function_ref<bool(mlir::BlockArgument)> isActive);

/// What the gradient of `op` flows to: its operands, and then the values that
/// its regions use from above, each once, in a fixed order. An op with regions
/// has one entry per such value behind those of its operands in what
/// DifferentiableOpInterface::buildGradient() gives.
llvm::SmallVector<mlir::Value> getGradientOperands(mlir::Operation *op);

/// Makes control flow and the helpers of upstream dialects differentiable.
void registerGradientModels(mlir::DialectRegistry &registry);

} // namespace weft

#endif // WEFT_AUTODIFF_AUTODIFF_H
