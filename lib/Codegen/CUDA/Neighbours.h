//===- Neighbours.h - Elements that a thread reads and writes at once -----===//

#ifndef WEFT_LIB_CODEGEN_CUDA_NEIGHBOURS_H
#define WEFT_LIB_CODEGEN_CUDA_NEIGHBOURS_H

#include "weft/Codegen/Common/RegionEmitter.h"

namespace weft::cuda {

/// Elements next to each other along the innermost of some loops, which a
/// thread computes together, so that what it reads and writes fills 16 bytes of
/// the widest type. The memory of the tensors begins at a multiple of that.
class Neighbours {
public:
  /// `leaves` are the tensors in memory that are read at the indices of
  /// `numLoops` loops, `views` those that are written.
  Neighbours(RegionEmitter &e, llvm::ArrayRef<mlir::Value> leaves,
             llvm::ArrayRef<MemoryView> views, unsigned numLoops);

  /// How many there are, at first all that fill 16 bytes.
  int64_t getCount() const { return count; }
  /// Takes fewer, until their number is known to divide `size`.
  void divide(mlir::Value size);
  /// Takes `most` at most, a power of two.
  void limit(int64_t most) { count = std::min(count, most); }
  /// Takes fewer, until what is written of them leaves registers for the rest.
  void limitRegisters();

  /// Their indices, which differ in the last, and begin with `first` there.
  llvm::SmallVector<llvm::SmallVector<mlir::Value>>
  getIndices(llvm::ArrayRef<mlir::Value> outer, mlir::Value first);
  /// Reads the leaves at `indices`, for element() to find them there.
  void load(llvm::ArrayRef<llvm::SmallVector<mlir::Value>> indices) {
    bind(indices, read(indices));
  }
  /// The same in two steps: a value per leaf, of type types(), is read before
  /// element() finds them.
  llvm::SmallVector<mlir::Value>
  read(llvm::ArrayRef<llvm::SmallVector<mlir::Value>> indices);
  void bind(llvm::ArrayRef<llvm::SmallVector<mlir::Value>> indices,
            mlir::ValueRange values);
  llvm::SmallVector<mlir::Type> types() const;
  /// Writes what `compute` returns for each of `indices`, once all of it is
  /// known: an element for each view.
  void store(llvm::ArrayRef<llvm::SmallVector<mlir::Value>> indices,
             llvm::function_ref<
                 llvm::SmallVector<mlir::Value>(llvm::ArrayRef<mlir::Value>)>
                 compute);

private:
  RegionEmitter &e;
  llvm::SmallVector<mlir::Value> leaves; ///< without gaps in the last loop
  llvm::SmallVector<MemoryView> views;
  int64_t count = 1;
};

/// Stores neighbours at an address that is a multiple of their size.
void emitWideStore(RegionEmitter &e, mlir::Value address,
                   llvm::ArrayRef<mlir::Value> elements);

/// The elements of `tensor` in a row of it, `outer`, at `columns`, which are
/// neighbours; their number divides the first. Tensors in memory that these are
/// computed from at the same columns are read up to 16 bytes at a time, if the
/// number of columns divides their rows, too.
llvm::SmallVector<mlir::Value>
readNeighbours(RegionEmitter &e, mlir::Value tensor,
               llvm::ArrayRef<mlir::Value> outer,
               llvm::ArrayRef<mlir::Value> columns);

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_NEIGHBOURS_H
