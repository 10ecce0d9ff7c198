//===- Contraction.h - Products of matrices, however they are posed -------===//

#ifndef WEFT_CODEGEN_COMMON_CONTRACTION_H
#define WEFT_CODEGEN_COMMON_CONTRACTION_H

#include "weft/Codegen/Common/RegionKernel.h"

namespace weft {

/// An operand of a product that lies in memory in the operands' type, with
/// sizes that are known: A[b, m, k] or B[b, k, n], where m or n is the outer
/// index.
struct OperandMemory {
  struct Dim {
    int64_t size, stride; ///< in elements
  };
  mlir::BlockArgument tensor; ///< the region's
  Dim outer, depth;
  llvm::SmallVector<Dim> batch;
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
  /// Type in which elements of A and B are wanted, and looked for in memory.
  mlir::Type operandType;
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

  /// Whether rows of A lie in memory in the operands' type, contiguous along
  /// k; if so, rowAddress() is where one begins.
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
  /// An element of A in the operands' type.
  virtual mlir::Value elementA(RegionEmitter &e,
                               llvm::ArrayRef<mlir::Value> batch, mlir::Value m,
                               mlir::Value k) = 0;
  virtual mlir::Value elementB(RegionEmitter &e,
                               llvm::ArrayRef<mlir::Value> batch, mlir::Value k,
                               mlir::Value n) = 0;

  /// Whether rows of B lie in memory in the operands' type, contiguous along
  /// n; if so, columnAddress() is where B[batch, k, n] lies.
  virtual bool isPlainB() = 0;
  /// How many columns follow each other in memory like that, from each multiple
  /// of their number on: rows may lie there in pieces. kDynamic if it is not
  /// known, 0 if they do not lie there.
  virtual int64_t columnRun() { return isPlainB() ? staticN : 0; }
  /// Whether columns of B do, contiguous along k; depthAddress() is where such
  /// a column begins.
  virtual bool isTransposedB() = 0;
  virtual mlir::Value columnAddress(RegionEmitter &e,
                                    llvm::ArrayRef<mlir::Value> batch,
                                    mlir::Value k, mlir::Value n) = 0;
  virtual mlir::Value depthAddress(RegionEmitter &e,
                                   llvm::ArrayRef<mlir::Value> batch,
                                   mlir::Value n) = 0;

  /// Where A, or else B, lies as a whole; nothing if it does not lie like that.
  virtual std::optional<OperandMemory> findMemory(bool isA) {
    return std::nullopt;
  }
  /// Whether what depthRun() and columnRun() tell of B is where patches are:
  /// patchAddress() is where B[batch, k, n] lies and narrows `inside` to
  /// whether there is such an element; else it is zero, and the address none.
  /// `patch` is what beginPatch() gave for n: what does not depend on k.
  virtual bool hasPatches() { return false; }
  virtual llvm::SmallVector<mlir::Value>
  beginPatch(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
             mlir::Value n);
  virtual mlir::Value patchAddress(RegionEmitter &e, mlir::ValueRange patch,
                                   mlir::Value k, mlir::Value &inside);
  /// The same, or where 16 bytes of zeros lie.
  virtual mlir::Value patchOrZeros(RegionEmitter &e, mlir::ValueRange patch,
                                   mlir::Value k);
  /// How many elements of a column follow each other in memory, from each
  /// multiple of their number on; 0 if they do not lie there.
  virtual int64_t depthRun() { return isTransposedB() ? staticK : 0; }
  /// Whether columns are in the order of the result's elements.
  virtual bool hasOrderedColumns() { return true; }

  /// Whether neighbours in memory are rather neighbours along k than along the
  /// other index.
  virtual bool isDeepA() { return isContiguousA(); }
  virtual bool isDeepB() { return isTransposedB(); }

  /// Whether all elements of `init` are known to be zero, or there is none.
  bool beginsAtZero();
};

/// The problem that a `weft.contract` poses, or null if it can't be put so.
/// Operands are wanted in `operandType`, or else in the accumulators' type.
std::unique_ptr<Contraction> createMatrixProblem(ContractOp op,
                                                 mlir::Type operandType = {});

/// Whether products of elements of `type`, a result's, can be summed in an
/// accumulator of an own type.
bool isSummable(mlir::Type type);

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

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_CONTRACTION_H
