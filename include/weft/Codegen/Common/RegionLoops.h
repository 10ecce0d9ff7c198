//===- RegionLoops.h - The parallel loops that compute a region -----------===//

#ifndef WEFT_CODEGEN_COMMON_REGIONLOOPS_H
#define WEFT_CODEGEN_COMMON_REGIONLOOPS_H

#include "weft/Codegen/Common/IterationSpace.h"
#include "weft/Codegen/Common/RegionKernel.h"

namespace weft {

/// Takes the sizes of a parallel loop nest, and what emits the work of one
/// iteration at given indices.
using TakeLoopFn = llvm::function_ref<void(
    llvm::ArrayRef<mlir::Value> sizes,
    llvm::function_ref<void(llvm::ArrayRef<mlir::Value> indices)> body)>;

/// Describes a parallel loop nest in the function that is being emitted, in
/// which the region's operands are bound. It is asked once in each function
/// that has to do with the loop.
using LoopFn =
    llvm::function_ref<void(RegionEmitter &emitter, TakeLoopFn take)>;

/// Takes the loops of a kernel, which run one after the other.
using AddLoopFn = llvm::function_ref<void(LoopFn)>;

/// The loop of an op that replaces some elements of a tensor, in the tensor's
/// memory. Returns whether the region is of that kind.
bool addUpdateLoop(RegionKernel &kernel, AddLoopFn add);

/// The loops of an op that has loops of its own: scatter, sort, cumulative
/// sums. Their iterations are worth more than one element. Returns whether the
/// region is of that kind.
bool addOwnLoops(RegionKernel &kernel, AddLoopFn add);

/// Puts the numbers of a region's results of one shape together, which one loop
/// can compute.
llvm::SmallVector<llvm::SmallVector<unsigned>>
groupResults(RegionKernel &kernel);

/// The loop nest that computes each element of some results on its own, in the
/// function that is being emitted. It is about joined dimensions where all is
/// elementwise.
class ElementLoop {
public:
  ElementLoop(RegionEmitter &e, RegionKernel &kernel,
              llvm::ArrayRef<unsigned> results);

  llvm::ArrayRef<mlir::Value> getSizes() const { return sizes; }
  /// What is computed, and where it goes.
  llvm::ArrayRef<mlir::Value> getRoots() const { return roots; }
  llvm::ArrayRef<MemoryView> getViews() const { return views; }
  /// Whether all is elementwise; if so, the tensors that are read from memory,
  /// at the very indices of the loop.
  bool isElementwise() const { return space.has_value(); }
  llvm::SmallVector<mlir::Value> getLeaves() const {
    return space->getLeaves();
  }
  /// Computes and stores the elements at `indices`.
  void emit(llvm::ArrayRef<mlir::Value> indices) const;

private:
  RegionEmitter &e;
  std::optional<IterationSpace> space;
  llvm::SmallVector<mlir::Value> roots, sizes;
  llvm::SmallVector<MemoryView> views;
};

/// Loops that compute each element of the results on its own, one for all
/// results of a shape.
void addElementLoops(RegionKernel &kernel, AddLoopFn add);

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_REGIONLOOPS_H
