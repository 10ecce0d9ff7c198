//===- IterationSpace.h - Loops over a shape, with dimensions joined ------===//

#ifndef WEFT_CODEGEN_COMMON_ITERATIONSPACE_H
#define WEFT_CODEGEN_COMMON_ITERATIONSPACE_H

#include "weft/Codegen/Common/RegionEmitter.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "llvm/ADT/DenseSet.h"
#include <optional>

namespace weft {

/// The loops over a shape S that a region's elementwise ops run in. The
/// dimensions in `inner` come last; the others make the outer space O, in which
/// results of reductions over the inner dimensions live. Neighbouring
/// dimensions are joined into one loop where all tensors allow it.
class IterationSpace {
public:
  /// Finds out whether everything that `roots` (tensors of shape S, or of shape
  /// O if there are inner dimensions) depend on is elementwise, a broadcast of
  /// memory, or one of `rowOps`, and how dimensions can be joined. `shape` is
  /// S. What `opaque` gives is bound by the caller; its operands do not matter.
  static std::optional<IterationSpace>
  create(llvm::ArrayRef<mlir::Value> roots, mlir::RankedTensorType shape,
         llvm::ArrayRef<int64_t> inner,
         const llvm::DenseSet<mlir::Operation *> &rowOps,
         const llvm::DenseSet<mlir::Value> &outerValues,
         mlir::Operation *opaque = nullptr);

  /// Binds the tensors in memory to views that take the joined indices.
  /// `sizes` are those of S. Returns the sizes of the joined loops.
  llvm::SmallVector<mlir::Value> bind(RegionEmitter &emitter,
                                      mlir::ValueRange sizes);
  /// The tensors that bind() binds to memory.
  llvm::SmallVector<mlir::Value> getLeaves() const;
  /// The view of a tensor of shape S or O that takes the joined indices.
  MemoryView joinFull(RegionEmitter &emitter, const MemoryView &view);
  MemoryView joinOuter(RegionEmitter &emitter, const MemoryView &view);

  /// The joined indices of an element of S, given its index in each dimension
  /// of S and the sizes of S.
  llvm::SmallVector<mlir::Value> joinIndices(RegionEmitter &emitter,
                                             mlir::ValueRange indices,
                                             mlir::ValueRange sizes);

  /// How many joined loops there are.
  unsigned getNumLoops() const { return loops.size(); }
  /// How many of the joined loops are outer ones.
  unsigned getNumOuter() const { return numOuter; }

private:
  /// A broadcast of memory: the source and, by dimension of S, its dimension
  /// there or -1.
  struct Broadcast {
    mlir::Value result, source;
    llvm::SmallVector<int64_t> sourceDims;
  };

  bool visit(mlir::Value tensor, bool isOuter);
  bool visitBroadcast(BroadcastOp op, bool isOuter);
  bool canJoin(int64_t first, int64_t second) const;
  void joinDims();

  mlir::RankedTensorType shape;
  llvm::SmallVector<int64_t> outerDims, innerDims;
  llvm::DenseMap<mlir::Operation *, bool> rowOps;
  llvm::DenseSet<mlir::Value> outerValues;
  llvm::DenseSet<mlir::Value> visited;
  llvm::SmallVector<mlir::Value> fullLeaves, outerLeaves;
  llvm::SmallVector<Broadcast> broadcasts;
  /// Broadcasts of constants whose elements are all equal.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> splats;
  /// Broadcasts from O to S.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> spreads;
  /// Dimensions of S that each joined loop runs over, outermost first.
  llvm::SmallVector<llvm::SmallVector<int64_t>> loops;
  unsigned numOuter = 0;
  mlir::Operation *opaque = nullptr;
};

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_ITERATIONSPACE_H
