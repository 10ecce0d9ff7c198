//===- Accumulate.h - Sums over several batches ---------------------------===//

#ifndef WEFT_LIB_TRAINING_ACCUMULATE_H
#define WEFT_LIB_TRAINING_ACCUMULATE_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseSet.h"

namespace weft {

/// Makes a tensor of a type that the sums over several batches begin at, hands
/// it to a function that adds what there is of this batch, and returns the sum.
using SumFn = llvm::function_ref<mlir::Value(
    mlir::RankedTensorType, llvm::function_ref<mlir::Value(mlir::Value)>)>;

/// Emits the sum of `gradient`, that of the losses of a batch, over several of
/// them, with elements of `elementType`. `sumUp` may be called for something
/// that `gradient` is computed from, or for several such things: for what does
/// not depend on the batch, but on the tensors of `parameters` alone, is a
/// factor of all of them.
///
/// Where a gradient is a sum over the samples of a batch (a contraction, the
/// gradient of a filter, a reduction, a scattered sum), the samples are added
/// one after the other, so that several batches give the bits of a single one
/// that holds them all.
mlir::Value sumOverBatches(mlir::ImplicitLocOpBuilder &b, mlir::Value gradient,
                           mlir::Type elementType,
                           const llvm::DenseSet<mlir::Value> &parameters,
                           SumFn sumUp);

/// The sum of all elements of a tensor in f64: the samples, along the first
/// dimension, are added to `init` (of rank 0) one after the other.
mlir::Value addElementsOnto(mlir::ImplicitLocOpBuilder &b, mlir::Value init,
                            mlir::Value tensor);

} // namespace weft

#endif // WEFT_LIB_TRAINING_ACCUMULATE_H
