//===- RowThreads.h - Rows of a region in the threads of a GPU ------------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_ROWTHREADS_H
#define WEFT_LIB_CODEGEN_CUDA_ROWTHREADS_H

#include "KernelBuilder.h"
#include "weft/Codegen/Common/Rows.h"

namespace weft::cuda {

/// How threads share the rows of a region. It depends on sizes alone, so that
/// sums have the same bits in every run.
struct RowMapping {
  /// Whether neighbours among threads are at neighbours within a row; if not,
  /// they are at neighbouring rows.
  bool contiguous = true;
  int32_t across = 1;  ///< threads of a row in one block; a power of two
  int32_t rows = 1;    ///< rows of a block; a power of two
  int64_t chunks = 1;  ///< parts of a row that different blocks take
  int64_t allRows = 0; ///< if there are several chunks
  int64_t scratch = 0; ///< offset of what they leave to each other

  static RowMapping choose(const RowPlan &plan);

  int32_t getThreads() const { return across * rows; }
  /// Whether threads of different warps share a row.
  bool hasBarriers() const { return across > (contiguous ? 32 : 1); }
  /// Bytes of scratch for the results of `reductions` in all chunks.
  int64_t getScratchBytes(unsigned reductions) const;
};

/// The rows of one block. If chunks of a row are in different blocks, there is
/// one task per reduction: task number n makes reduction n of each chunk and
/// puts it into scratch, from where later tasks take it; one more task does the
/// rest.
class RowThreads : public RowLoops {
public:
  RowThreads(KernelBuilder &kernel, const RowPlan &plan,
             const RowMapping &mapping, unsigned task)
      : kernel(kernel), plan(plan), mapping(mapping), task(task) {}

  /// Emits the work of block number `block`.
  void emitBlock(RegionEmitter &e, RowPlan &rows, mlir::Value block);

  llvm::SmallVector<mlir::Value> reduce(RegionEmitter &e,
                                        mlir::ValueRange sizes,
                                        mlir::ValueRange inits, StepFn step,
                                        CombineFn combine) override;
  void store(RegionEmitter &e, mlir::ValueRange sizes,
             llvm::ArrayRef<mlir::Value> outer,
             llvm::ArrayRef<MemoryView> views, ComputeFn compute) override;
  void once(RegionEmitter &e, llvm::function_ref<void()> body) override;

private:
  using Values = llvm::SmallVector<mlir::Value>;

  /// Emits a loop over what this thread has of `total` things.
  Values forOwn(RegionEmitter &e, mlir::Value total, bool inChunk,
                mlir::ValueRange inits,
                llvm::function_ref<Values(mlir::Value, mlir::ValueRange)> body);
  struct Groups;
  using Indices = llvm::SmallVector<llvm::SmallVector<mlir::Value>>;
  using GroupFn = llvm::function_ref<Values(
      llvm::ArrayRef<llvm::SmallVector<mlir::Value>>, mlir::ValueRange)>;
  int64_t countKept(RegionEmitter &e, Groups &groups);
  /// Emits `body` for what this thread has of `groups`, with the indices of the
  /// elements of each.
  Values forGroups(RegionEmitter &e, Groups &groups, mlir::ValueRange inits,
                   GroupFn body);
  /// Emits `body` for one thread of the row, if `condition` holds or is null.
  void onFirstThread(RegionEmitter &e, mlir::Value condition,
                     llvm::function_ref<void()> body);
  Values combineParts(RegionEmitter &e, Values values, CombineFn combine);
  Values combineLanes(RegionEmitter &e, Values values, int32_t lanes,
                      CombineFn combine);
  Values spreadWarps(RegionEmitter &e, mlir::ValueRange values);
  Values combineColumns(RegionEmitter &e, mlir::ValueRange values,
                        CombineFn combine);
  mlir::Value scratchAt(RegionEmitter &e, unsigned reduction, unsigned number,
                        mlir::Value inChunk);

  KernelBuilder &kernel;
  const RowPlan &plan;
  RowMapping mapping;
  unsigned task, numReductions = 0;
  /// The row, whether there is one if that is not certain, the chunk, and which
  /// of the threads of the row this is.
  mlir::Value row, isRow, chunk, part;
  Values outer;
  /// Indices of groups that are kept in registers, by the groups' size.
  llvm::DenseMap<int64_t, llvm::SmallVector<Indices>> keptIndices;
};

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_ROWTHREADS_H
