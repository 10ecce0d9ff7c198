//===- ControlFlow.h - Gradients of branches and loops --------------------===//

#ifndef WEFT_LIB_AUTODIFF_CONTROLFLOW_H
#define WEFT_LIB_AUTODIFF_CONTROLFLOW_H

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace weft::detail {

/// As DifferentiableOpInterface::buildGradient(), for the ops of `scf`.
llvm::LogicalResult
buildIfGradient(mlir::scf::IfOp op, mlir::OpBuilder &builder,
                mlir::ValueRange resultGrads,
                llvm::SmallVectorImpl<mlir::Value> &operandGrads);
llvm::LogicalResult
buildForGradient(mlir::scf::ForOp op, mlir::OpBuilder &builder,
                 mlir::ValueRange resultGrads,
                 llvm::SmallVectorImpl<mlir::Value> &operandGrads);
llvm::LogicalResult
buildWhileGradient(mlir::scf::WhileOp op, mlir::OpBuilder &builder,
                   mlir::ValueRange resultGrads,
                   llvm::SmallVectorImpl<mlir::Value> &operandGrads);

/// Whether gradients flow to values of this type.
bool isFloatTensor(mlir::Type type);

/// Those of `values` that gradients flow to.
llvm::SmallVector<mlir::Value> takeFloats(mlir::ValueRange values);

/// `grads` for `takeFloats(values)` spread out to one entry per value.
llvm::SmallVector<mlir::Value> spreadFloats(mlir::ValueRange values,
                                            mlir::ValueRange grads);

/// Zeros in the place of each null among `grads`, which are those of `values`.
void fillZeros(mlir::OpBuilder &builder, mlir::Location loc,
               mlir::ValueRange values,
               llvm::MutableArrayRef<mlir::Value> grads);

/// Clones the ops of `block`, without its terminator, to the insertion point.
void cloneBody(mlir::OpBuilder &builder, mlir::Block &block,
               mlir::IRMapping &mapping);

} // namespace weft::detail

#endif // WEFT_LIB_AUTODIFF_CONTROLFLOW_H
