//===- Rows.h - Reductions, softmax and normalisations --------------------===//
//
// All ops of a region that reduce do so over the same axes of the same shape. A
// row is one index of the outer space: for each reducing op in turn there is a
// sweep over the row that keeps a scalar or two; then one more sweep stores
// what the region yields. What goes before and after is computed within the
// sweeps.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_CODEGEN_COMMON_ROWS_H
#define WEFT_CODEGEN_COMMON_ROWS_H

#include "weft/Codegen/Common/IterationSpace.h"
#include "weft/Codegen/Common/RegionKernel.h"

namespace weft {

/// How the elements of a row are visited. `inner` indices are those of the
/// inner loops, `outer` ones say which row it is; both together are an
/// element's.
class RowLoops {
public:
  using StepFn = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      llvm::ArrayRef<mlir::Value> inner, mlir::ValueRange carried)>;
  using CombineFn = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::ValueRange lhs, mlir::ValueRange rhs)>;

  virtual ~RowLoops() = default;
  /// Carries values, which begin as `inits`, through `step` over all elements,
  /// in parts if it likes, whose results `combine` puts together in any order.
  virtual llvm::SmallVector<mlir::Value>
  reduce(RegionEmitter &e, mlir::ValueRange sizes, mlir::ValueRange inits,
         StepFn step, CombineFn combine) = 0;
  /// Stores in each of `views`, for each element, what `compute` returns for
  /// it.
  using ComputeFn = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      llvm::ArrayRef<mlir::Value> indices)>;
  virtual void store(RegionEmitter &e, mlir::ValueRange sizes,
                     llvm::ArrayRef<mlir::Value> outer,
                     llvm::ArrayRef<MemoryView> views, ComputeFn compute) = 0;
  /// Emits what is to be done once per row.
  virtual void once(RegionEmitter &e, llvm::function_ref<void()> body) = 0;
};

/// What is to be done for the rows of a region.
class RowPlan {
public:
  /// Nothing if the region is not of that kind.
  static std::optional<RowPlan> create(RegionKernel &kernel);

  /// What is reduced.
  mlir::RankedTensorType getShape() const { return shape; }
  /// The number of rows and of elements of a row, or ShapedType::kDynamic.
  int64_t getStaticNumRows() const;
  int64_t getStaticRowSize() const;
  /// Whether neighbours in memory are in one row, and not in neighbouring rows.
  bool isRowContiguous() const;
  /// How often emitRow() calls RowLoops::reduce().
  unsigned countReductions() const;
  /// Whether one of the ops is an `arg_reduce`, which begins with an element.
  bool hasArgReduce() const;
  /// Whether more than the results of reductions is stored.
  bool hasFullResults(RegionKernel &kernel) const;
  /// The tensors in memory that are read at the indices of elements, after
  /// begin().
  llvm::SmallVector<mlir::Value> getLeaves(RegionEmitter &e) const;

  /// Prepares a function, in which the region's operands are bound: the sizes
  /// of the loops over rows, and over the elements of a row.
  struct Sizes {
    llvm::SmallVector<mlir::Value> outer, inner;
  };
  Sizes begin(RegionEmitter &e);
  /// Emits all that is to be done for the row `outer`.
  void emitRow(RegionEmitter &e, RegionKernel &kernel, RowLoops &loops,
               const Sizes &sizes, llvm::ArrayRef<mlir::Value> outer);

private:
  bool findRowOps(mlir::Block &block);
  void findOuterValues(mlir::Block &block);

  mlir::RankedTensorType shape;                ///< of what is reduced
  llvm::SmallVector<int64_t> axes;             ///< reduced, rising
  llvm::SmallVector<mlir::Operation *> rowOps; ///< in order
  llvm::DenseSet<mlir::Operation *> rowOpSet;
  llvm::DenseSet<mlir::Value> outerValues;
  std::optional<IterationSpace> space;
};

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_ROWS_H
