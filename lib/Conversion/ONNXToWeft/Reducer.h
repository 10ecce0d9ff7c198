//===- Reducer.h - Reduction along axes, known now or at run time ---------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_REDUCER_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_REDUCER_H

#include "Lowering.h"

namespace weft {

/// Reduces tensors of one rank along the axes that a Reduce* node asks for.
class Reducer {
public:
  /// Reads operand 1 and `noop_with_empty_axes` of `node`; fails with an error.
  static llvm::FailureOr<Reducer> create(Lowering &lower, onnx::Node node,
                                         mlir::Value input);

  /// Reduces `x` and keeps the axes with size one.
  mlir::Value reduce(ReduceKind kind, mlir::Value x);
  /// How many elements of `x` come into one of the result, as a number of rank
  /// 0.
  mlir::Value count(mlir::Value x, mlir::Type elementType);
  /// Takes the reduced axes away from a result of reduce().
  mlir::Value squeeze(mlir::Value x);

private:
  explicit Reducer(Lowering &lower) : lower(&lower) {}

  Lowering *lower;
  /// The axes, if they are known.
  llvm::SmallVector<int64_t> axes;
  /// Otherwise, for each dimension, whether it is reduced (i1), and how many
  /// dimensions are.
  llvm::SmallVector<mlir::Value> flags;
  int64_t numFlagged = 0;
};

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_REDUCER_H
