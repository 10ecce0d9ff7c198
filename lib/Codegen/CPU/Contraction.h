//===- Contraction.h - What contractions and convolutions have in common --===//

#ifndef WEFT_LIB_CODEGEN_CPU_CONTRACTION_H
#define WEFT_LIB_CODEGEN_CPU_CONTRACTION_H

#include "Kernels.h"
#include "weft/Codegen/Common/IterationSpace.h"

namespace weft::cpu {

/// A part of B on its way into panels: columns [n0, n0 + columns) of rows
/// [k0, k0 + depth). A panel holds `lanes` columns side by side; row k of panel
/// p begins at element (p * panelDepth + k) * lanes. What lies beyond the last
/// column may be anything, since its sums are thrown away. Behind the panels
/// there is room for as many rows as half a panel has lanes, which may be
/// written.
struct PanelBlock {
  llvm::SmallVector<mlir::Value> batch;
  mlir::Value n0, columns, k0, depth;
  mlir::Value panels, scratch;             ///< addresses
  int64_t lanes, panelDepth, blockColumns; ///< the most there are
};

/// A part of A on its way into a tile of rows: depth [k0, k0 + depth) of rows
/// [m0, m0 + rows). Row r of the tile begins at element r * stride, and has
/// room for as many elements behind its depth as `lanes / 2`. All `tileRows`
/// rows may be written.
struct RowBlock {
  llvm::SmallVector<mlir::Value> batch;
  mlir::Value m0, rows, k0, depth;
  mlir::Value tile; ///< address
  int64_t lanes, tileRows, stride;
};

/// A product of matrices C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], as
/// which a contraction or convolution is computed. Static sizes that are not
/// known are ShapedType::kDynamic.
class Contraction {
public:
  virtual ~Contraction() = default;

  /// The op, and the dimensions of its result that make up n.
  mlir::Operation *op;
  llvm::SmallVector<int64_t> columnDims;
  /// What the sums begin at, a tensor like the op's result, if there is such:
  /// then they are taken in the order of k.
  mlir::Value init;
  /// Type of the accumulators: f32, f64, i32 or i64.
  mlir::Type accumulatorType;
  int64_t staticBatch, staticM, staticN, staticK;

  /// Sizes, in the function that `e` emits.
  virtual llvm::SmallVector<mlir::Value> batchSizes(RegionEmitter &e) = 0;
  virtual mlir::Value rows(RegionEmitter &e) = 0;
  virtual mlir::Value columns(RegionEmitter &e) = 0;
  virtual mlir::Value depth(RegionEmitter &e) = 0;

  /// Index of C's element in the op's result, one per dimension.
  virtual llvm::SmallVector<mlir::Value>
  resultIndices(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                mlir::Value m, mlir::Value n) = 0;

  /// Calls `body` for columns [n0, n0 + columns) in runs along which only the
  /// inner dimensions of the result change: that from column `first` of them on
  /// has indices `n` and after within `batch`, as resultIndices() takes them.
  using RunFn =
      llvm::function_ref<void(llvm::ArrayRef<mlir::Value> batch, mlir::Value n,
                              mlir::Value first, mlir::Value length)>;
  virtual void forEachRun(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                          mlir::Value n0, mlir::Value columns, RunFn body) {
    body(batch, n0, e.index(0), columns);
  }

  /// Whether rows of A lie in memory in the accumulators' type, contiguous
  /// along k; if so, rowAddress() is where one begins.
  virtual bool isContiguousA() = 0;
  virtual mlir::Value rowAddress(RegionEmitter &e,
                                 llvm::ArrayRef<mlir::Value> batch,
                                 mlir::Value m) = 0;
  /// Whether columns of A do, contiguous along m; columnAddressA() is where
  /// A[batch, m, k] lies.
  virtual bool isTransposedA() { return false; }
  virtual mlir::Value columnAddressA(RegionEmitter &e,
                                     llvm::ArrayRef<mlir::Value> batch,
                                     mlir::Value m, mlir::Value k);
  /// An element of A in the accumulators' type.
  virtual mlir::Value elementA(RegionEmitter &e,
                               llvm::ArrayRef<mlir::Value> batch, mlir::Value m,
                               mlir::Value k) = 0;
  virtual mlir::Value elementB(RegionEmitter &e,
                               llvm::ArrayRef<mlir::Value> batch, mlir::Value k,
                               mlir::Value n) = 0;

  /// Whether rows of B lie in memory in the accumulators' type, contiguous
  /// along n; if so, columnAddress() is where B[batch, k, n] lies.
  virtual bool isPlainB() = 0;
  /// Whether columns of B do, contiguous along k; depthAddress() is where such
  /// a column begins.
  virtual bool isTransposedB() = 0;
  virtual mlir::Value columnAddress(RegionEmitter &e,
                                    llvm::ArrayRef<mlir::Value> batch,
                                    mlir::Value k, mlir::Value n) = 0;
  virtual mlir::Value depthAddress(RegionEmitter &e,
                                   llvm::ArrayRef<mlir::Value> batch,
                                   mlir::Value n) = 0;

  /// Parts into which the depth is cut are multiples of this.
  virtual int64_t depthGranule() { return 1; }
  /// Blocks of columns are multiples of this where that is possible.
  virtual int64_t columnPeriod() { return 1; }
  /// Bytes of scratch that packing blocks of this size takes.
  virtual int64_t packingBytes(int64_t columns, int64_t depth, int64_t lanes) {
    return 0;
  }
  /// Packs a part of A. By default from elementA(), or from where rowAddress()
  /// and columnAddressA() tell.
  virtual void packA(RegionEmitter &e, const RowBlock &block);
  /// Packs a part of B. By default from elementB(), or from where
  /// columnAddress() and depthAddress() tell.
  virtual void packB(RegionEmitter &e, const PanelBlock &block);

private:
  void packRows(RegionEmitter &e, const PanelBlock &block, mlir::Value whole);
  void packRest(RegionEmitter &e, const PanelBlock &block, mlir::Value panel);
  void packSquares(RegionEmitter &e, const PanelBlock &block);
  void packElements(RegionEmitter &e, const PanelBlock &block);
  void packSquaresA(RegionEmitter &e, const RowBlock &block);
};

/// Sizes of blocks and tiles, fixed when the kernel is made.
struct Tiling {
  int64_t lanes;        ///< columns of a panel
  int64_t tileRows;     ///< rows of a register tile
  int64_t blockRows;    ///< rows of C per iteration, a multiple of tileRows
  int64_t blockColumns; ///< columns of C per iteration, a multiple of lanes
  int64_t blockDepth;   ///< part of the depth that is packed at once
  bool directB;         ///< B is read where it lies
};

/// The tiles for `problem` on `target`.
Tiling chooseTiling(Contraction &problem, const TargetDescription &target);

/// The problem that a `weft.contract` poses, or null if it can't be put so.
std::unique_ptr<Contraction> createMatrixProblem(ContractOp op);
/// The problem that a `weft.conv` poses, by gathering patches of the input.
std::unique_ptr<Contraction> createConvolutionProblem(ConvOp op);
/// The problem that a `weft.conv_filter` poses, or null if its filter's shape
/// is symbolic.
std::unique_ptr<Contraction> createFilterProblem(ConvFilterOp op);

/// The lanes, of a vector of `lanes` elements, whose number is below `count`.
mlir::Value maskBelow(mlir::ImplicitLocOpBuilder &b, int64_t lanes,
                      mlir::Value count);

/// Transposes a square of as many vectors as each has elements.
void transposeSquare(mlir::ImplicitLocOpBuilder &b,
                     llvm::MutableArrayRef<mlir::Value> rows);

/// The address of element number `position` of type `type` from `base`.
mlir::Value elementAddress(RegionEmitter &e, mlir::Value base, mlir::Type type,
                           mlir::Value position);

/// `value` converted to `type` as contractions widen their operands.
mlir::Value widen(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                  mlir::Type elementType, mlir::Type type);

/// Calls `body` for each part of [begin, begin + count) that lies in one of the
/// intervals of `size` that follow each other from zero on: it has `length`
/// elements from `position` of the interval on, `first` elements after `begin`.
void forEachPiece(
    RegionEmitter &e, mlir::Value begin, mlir::Value count, mlir::Value size,
    llvm::function_ref<void(mlir::Value interval, mlir::Value position,
                            mlir::Value first, mlir::Value length)>
        body);

/// Stores what the region yields for one element of the root's result.
class Epilogue {
public:
  /// Null if the region's yields do not depend on the root elementwise.
  /// `innerDims` are the dimensions of the root's result that store() is called
  /// along in inner loops.
  static std::optional<Epilogue> create(KernelBuilder &kernel,
                                        mlir::Operation *root,
                                        llvm::ArrayRef<int64_t> innerDims);

  /// Prepares views; to be called once per function.
  void begin(RegionEmitter &e, KernelBuilder &kernel);
  /// Emits the stores of element `indices` of the root's result, whose value,
  /// in the accumulators' type, is `value`.
  void store(RegionEmitter &e, KernelBuilder &kernel,
             llvm::ArrayRef<mlir::Value> indices, mlir::Value value);
  /// Asks for the memory at element `indices` of the root's result, in all
  /// tensors of its shape that store() reads or writes.
  void fetch(RegionEmitter &e, KernelBuilder &kernel,
             llvm::ArrayRef<mlir::Value> indices);

private:
  mlir::Operation *root;
  std::optional<IterationSpace> space;
  llvm::SmallVector<mlir::Value> sizes;
};

} // namespace weft::cpu

#endif // WEFT_LIB_CODEGEN_CPU_CONTRACTION_H
