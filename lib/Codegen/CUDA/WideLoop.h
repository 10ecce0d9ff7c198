//===- WideLoop.h - Elements of tensors in the threads of a GPU -----------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_WIDELOOP_H
#define WEFT_LIB_CODEGEN_CUDA_WIDELOOP_H

#include "Neighbours.h"
#include "weft/Codegen/Common/RegionLoops.h"

namespace weft::cuda {

/// What the iterations of a loop nest compute, and where it goes.
struct ElementWork {
  llvm::SmallVector<mlir::Value> sizes, roots;
  llvm::SmallVector<MemoryView> views;
  /// The tensors in memory that are read at the loop's own indices, if all is
  /// elementwise.
  llvm::SmallVector<mlir::Value> leaves;
  bool isElementwise = false;

  ElementWork() = default;
  explicit ElementWork(const ElementLoop &loop);
};

/// A loop whose threads take neighbours. Where their number does not divide the
/// loop, the last thread takes what is left one by one.
class WideLoop {
public:
  WideLoop(RegionEmitter &e, ElementWork given);

  /// The number of threads.
  mlir::Value count() { return e.product(sizes); }
  /// Emits the work of thread number `thread`.
  void emit(mlir::Value thread);

private:
  bool hasRest() const;
  void emitOne(llvm::ArrayRef<mlir::Value> indices);
  void emitNeighbours(llvm::ArrayRef<mlir::Value> outer, mlir::Value first);
  llvm::SmallVector<mlir::Value> compute(llvm::ArrayRef<mlir::Value> indices);

  RegionEmitter &e;
  ElementWork work;
  llvm::SmallVector<mlir::Value> sizes; ///< in groups of neighbours
  Neighbours neighbours;
};

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_WIDELOOP_H
