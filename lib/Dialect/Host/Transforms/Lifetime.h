//===- Lifetime.h - How long buffers are alive ----------------------------===//

#ifndef WEFT_LIB_DIALECT_HOST_TRANSFORMS_LIFETIME_H
#define WEFT_LIB_DIALECT_HOST_TRANSFORMS_LIFETIME_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"

namespace weft::host {

/// Adds to `aliases` the values that `use` turns into the same address: through
/// branches, loops and selects.
void addAliases(mlir::OpOperand &use,
                llvm::SmallVectorImpl<mlir::Value> &aliases);

/// Calls `found` for each op that may write to the memory of `buffer`.
void walkWriters(mlir::Value buffer,
                 llvm::function_ref<void(mlir::Operation *)> found);

/// The first and the last op, both inclusive, that need a buffer.
struct Lifetime {
  int64_t first;
  int64_t last;

  bool overlaps(const Lifetime &other) const {
    return first <= other.last && other.first <= last;
  }
};

/// Numbers the ops of a function in their order, and tells by these numbers
/// how long a buffer is alive.
class Lifetimes {
public:
  explicit Lifetimes(mlir::func::FuncOp func);

  /// The lifetime of what `buffer`, the result of an op that makes memory,
  /// points at. Follows the address through branches and loops. To a buffer
  /// from outside of a loop, the whole loop counts as one op.
  Lifetime of(mlir::Value buffer) const;

private:
  /// The last number inside `op`.
  llvm::DenseMap<mlir::Operation *, int64_t> first, last;
};

} // namespace weft::host

#endif // WEFT_LIB_DIALECT_HOST_TRANSFORMS_LIFETIME_H
