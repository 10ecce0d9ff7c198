//===- AttentionTiles.h - What kernels of attention compute with ----------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_ATTENTIONTILES_H
#define WEFT_LIB_CODEGEN_CUDA_ATTENTIONTILES_H

#include "KernelBuilder.h"
#include "Shuffle.h"
#include <memory>
#include <optional>

namespace weft::cuda {

/// The longest vectors that attention has kernels for.
inline constexpr int64_t kMostAttentionWidth = 256;

/// How attention is cut into blocks.
struct AttentionTiling {
  int64_t rows, columns;     ///< of a tile of scores
  int32_t threads;           ///< of a block
  int64_t width;             ///< of all vectors, with zeros behind them
  bool sharesKeys = false;   ///< keys and values in one place, in turn
  bool usesMatrices = false; ///< products of f16 or bf16 on tensor cores
};

/// A matrix in shared memory, `stride` elements from row to row.
struct SharedTile {
  mlir::Value base;
  int64_t rows, stride;
};

/// Emits what the threads of a block do together with tiles. Each thread has
/// some rows of a tile of scores, and some of their columns; of the sums of
/// vectors, which there are as many of as rows, it has elements of the same
/// rows. Rows are never shared between warps.
class AttentionEmitter {
public:
  using Values = llvm::SmallVector<mlir::Value>;
  /// Elements of a row at columns that are neighbours.
  using RowFn = llvm::function_ref<Values(mlir::Value row,
                                          llvm::ArrayRef<mlir::Value> columns)>;
  /// The indices of a row and a column of a matrix.
  using PlaceFn =
      llvm::function_ref<Values(mlir::Value row, mlir::Value column)>;

  virtual ~AttentionEmitter() = default;

  RegionEmitter &e;
  mlir::ImplicitLocOpBuilder &b;
  const AttentionTiling tiling;

  int64_t countRows() const { return ownRows; }
  int64_t countColumns() const { return ownColumns; }
  size_t countSums() const { return ownRows * sumsPerRow; }
  size_t countSumsPerRow() const { return sumsPerRow; }

  /// Room for vectors.
  virtual SharedTile makeVectors(int64_t rows) = 0;
  /// Fills `tile` with rows `first` and following of a matrix of `rows` rows of
  /// `width` elements that `read` gives, and with zeros beyond them.
  void fill(const SharedTile &tile, mlir::Value first, mlir::Value rows,
            int64_t width, RowFn read);
  /// Number `i` of this thread's rows, or of its columns, within a tile.
  virtual mlir::Value row(int64_t i) = 0;
  virtual mlir::Value column(int64_t j) = 0;
  /// The element of a vector that number `n` of the sums of a row belongs to.
  virtual mlir::Value sumColumn(int64_t n) = 0;
  /// Combines a value of each of the threads that share a row.
  virtual mlir::Value combineLanes(
      mlir::Value value,
      llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> step) = 0;
  /// One of the threads that share a row.
  virtual mlir::Value isFirstLane() = 0;
  /// The products of this thread's rows of `lhs` with its columns, which are
  /// rows of `rhs`, over `width` elements: row by row.
  virtual Values dot(const SharedTile &lhs, const SharedTile &rhs,
                     int64_t width) = 0;
  /// Adds to each row's sums the rows of `vectors` times this row's `scores`.
  virtual Values weigh(mlir::ValueRange sums, mlir::ValueRange scores,
                       const SharedTile &vectors) = 0;

  void blockBarrier();
  void warpBarrier();
  mlir::Value number(double value);
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  mlir::Value exp(mlir::Value value);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value isBelow(mlir::Value lhs, mlir::Value rhs);
  /// Emits `if (condition) body()`.
  void when(mlir::Value condition, llvm::function_ref<void()> body);
  /// The element of `tensor` at `indices` as f32.
  mlir::Value element(mlir::Value tensor, llvm::ArrayRef<mlir::Value> indices);
  void store(const MemoryView &view, llvm::ArrayRef<mlir::Value> indices,
             mlir::Value element);
  /// Stores what became of the sums in rows `first` and following of `rows`
  /// that there are. `room` has vectors of this tile's rows that are not needed
  /// any more.
  virtual void storeSums(const MemoryView &view, const SharedTile &room,
                         mlir::ValueRange sums, mlir::Value first,
                         mlir::Value rows, PlaceFn at);

protected:
  AttentionEmitter(KernelBuilder &kernel, RegionEmitter &emitter,
                   const AttentionTiling &tiling);

  /// A float of another width.
  mlir::Value convert(mlir::Value element, mlir::Type type);
  /// The address of an element of `type`.
  mlir::Value address(const SharedTile &tile, mlir::Type type, mlir::Value row,
                      mlir::Value column);
  /// Writes neighbours of a row of a tile, or zeros unless `isInside`.
  virtual void put(const SharedTile &tile, mlir::Value row, mlir::Value column,
                   Values elements, mlir::Value isInside) = 0;

  KernelBuilder &kernel;
  mlir::Value thread;
  int64_t ownRows = 0, ownColumns = 0, sumsPerRow = 0;
  /// How many elements of a tile fill 16 bytes, and how many sums of a row are
  /// those of neighbours.
  int64_t wide = 1, sumGroup = 1;

private:
  /// The same for `count` places, each a block's number of threads further.
  void fillPlaces(const SharedTile &tile, mlir::Value first, mlir::Value rows,
                  int64_t width, int64_t each, mlir::Value place, int64_t count,
                  RowFn read);
};

/// The emitter for a tiling: by multiply-adds of f32, or by matrices.
std::unique_ptr<AttentionEmitter>
makeVectorTiles(KernelBuilder &kernel, RegionEmitter &emitter,
                const AttentionTiling &tiling);
std::unique_ptr<AttentionEmitter> makeMatrixTiles(KernelBuilder &kernel,
                                                  RegionEmitter &emitter,
                                                  const AttentionTiling &tiling,
                                                  mlir::Type elementType);
std::unique_ptr<AttentionEmitter> makeTiles(KernelBuilder &kernel,
                                            RegionEmitter &emitter,
                                            const AttentionTiling &tiling,
                                            mlir::Type elementType);

/// The tiling of the forward and of the backward kernels; none where vectors
/// are of symbolic length or too long, or of f64.
std::optional<AttentionTiling> chooseForwardTiling(mlir::Value query,
                                                   mlir::Value value);
std::optional<AttentionTiling> chooseBackwardTiling(mlir::Value query,
                                                    mlir::Value value);

/// The op of a kind that the kernel's region has, or null.
template <typename OpTy> OpTy findAttention(KernelBuilder &kernel) {
  for (mlir::Value value : kernel.getYields())
    if (auto op = value.getDefiningOp<OpTy>())
      return op;
  return nullptr;
}

/// The memory of a result of an op that the kernel's region yields.
const MemoryView &getResultView(KernelBuilder &kernel, mlir::Value result);

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_ATTENTIONTILES_H
