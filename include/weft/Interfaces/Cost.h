//===- Cost.h - What running an op costs ----------------------------------===//

#ifndef WEFT_INTERFACES_COST_H
#define WEFT_INTERFACES_COST_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace weft {

/// The sizes of an op's operands and results, all of them known. What is not a
/// tensor has none, as if its rank were zero.
struct OpShapes {
  llvm::SmallVector<llvm::SmallVector<int64_t>> operands, results;

  /// Those that the op's types tell; none if one of them is symbolic.
  static std::optional<OpShapes> ofTypes(mlir::Operation *op);
};

/// The number of elements of a tensor of `shape`, as a number that holds it
/// whatever the shape.
double countElements(llvm::ArrayRef<int64_t> shape);

/// The bytes of all tensors among `values`, which have `shapes`.
double countBytes(mlir::ValueRange values,
                  llvm::ArrayRef<llvm::SmallVector<int64_t>> shapes);

/// The work of one op, or of many.
struct Cost {
  double flops = 0, bytesRead = 0, bytesWritten = 0;

  Cost &operator+=(const Cost &other);
  Cost operator*(double times) const;
};

} // namespace weft

#endif // WEFT_INTERFACES_COST_H
