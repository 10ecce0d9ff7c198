//===- ConcreteShapes.h - Sizes once the symbols are known ----------------===//

#ifndef WEFT_INTERFACES_CONCRETESHAPES_H
#define WEFT_INTERFACES_CONCRETESHAPES_H

#include "mlir/IR/Value.h"
#include "weft/Interfaces/Cost.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace weft {

/// Tells the sizes of tensors when those of a function's arguments are given:
/// by asking ops (ReifyRankedShapedTypeOpInterface) and folding what they say.
class ConcreteShapes {
public:
  using Shape = llvm::SmallVector<int64_t>;

  /// Says that `value` has `shape`.
  void set(mlir::Value value, llvm::ArrayRef<int64_t> shape) {
    shapes[value] = Shape(shape);
  }
  /// The sizes of a tensor; none if they depend on data. Scalars have rank 0.
  std::optional<Shape> getShape(mlir::Value value);
  /// The value of a scalar of `index` or integer type, if it depends on sizes
  /// alone.
  std::optional<int64_t> getInteger(mlir::Value value);
  /// The sizes of all operands and results of `op`.
  std::optional<OpShapes> getShapes(mlir::Operation *op);

private:
  std::optional<Shape> reify(mlir::OpResult value);
  std::optional<int64_t> fold(mlir::Operation *op, unsigned result);

  llvm::DenseMap<mlir::Value, std::optional<Shape>> shapes;
  llvm::DenseMap<mlir::Value, std::optional<int64_t>> integers;
};

/// Adds up what the ops of `region` cost, given the sizes of its arguments in
/// `shapes`: ops within loops as often as they run. Calls `visit` with each op
/// that has a cost, and the cost. Returns whether all is known; if not, some
/// ops were left out, or counted once instead of as often as data says.
bool visitCosts(
    mlir::Region &region, ConcreteShapes &shapes,
    llvm::function_ref<void(mlir::Operation *, const Cost &)> visit);

} // namespace weft

#endif // WEFT_INTERFACES_CONCRETESHAPES_H
