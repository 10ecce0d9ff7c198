//===- Evaluate.h - Reference evaluation of whole functions ---------------===//

#ifndef WEFT_DIALECT_WEFT_IR_EVALUATE_H
#define WEFT_DIALECT_WEFT_IR_EVALUATE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "weft/Interfaces/HostTensor.h"

namespace weft {

/// Runs `function` op by op on `inputs`, one for each argument, and returns
/// what it returns. It may hold ops that implement EvaluableOpInterface,
/// `scf.if`, `scf.for`, `scf.while`, calls of functions of the same module,
/// `tensor.dim`, `tensor.from_elements`, `tensor.generate`, `tensor.extract`,
/// `tensor.cast`, `tensor.empty`, casts between integers that differ in
/// signedness only, and any op that folds to a constant when its operands are
/// constant, as those of `arith` and `math` do. Scalars are tensors of rank 0,
/// those of `index` type of i64.
///
/// Fails, after an error at the op's location, for other ops and where an
/// op's operands are illegal.
mlir::FailureOr<llvm::SmallVector<HostTensor>>
evaluateFunction(mlir::func::FuncOp function,
                 llvm::ArrayRef<HostTensor> inputs);

/// Is told of an op, its operands and its results. It is a reference to what
/// must live while it is used.
using WatchFn = llvm::function_ref<void(
    mlir::Operation *, llvm::ArrayRef<HostTensor>, llvm::ArrayRef<HostTensor>)>;

/// The same for the ops of one block, given its arguments; returns the operands
/// of its terminator. `watch`, if there is one, is told of each op that is
/// evaluated, but not of those of called functions.
mlir::FailureOr<llvm::SmallVector<HostTensor>>
evaluateBlock(mlir::Block &block, llvm::ArrayRef<HostTensor> arguments,
              WatchFn watch = nullptr);

} // namespace weft

#endif // WEFT_DIALECT_WEFT_IR_EVALUATE_H
