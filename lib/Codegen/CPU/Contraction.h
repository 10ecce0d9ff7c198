//===- Contraction.h - What contractions and convolutions have in common --===//

#ifndef WEFT_LIB_CODEGEN_CPU_CONTRACTION_H
#define WEFT_LIB_CODEGEN_CPU_CONTRACTION_H

#include "IterationSpace.h"
#include "Kernels.h"

namespace weft::cpu {

/// A product of matrices C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], as
/// which a contraction or convolution is computed. Static sizes that are not
/// known are ShapedType::kDynamic.
class Contraction {
public:
  virtual ~Contraction() = default;

  /// The op, and the dimensions of its result that make up n.
  mlir::Operation *op;
  llvm::SmallVector<int64_t> columnDims;
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

  /// Whether A lies in memory in the accumulators' type with equal steps along
  /// k; if so, rowAddress() and depthStride() tell where.
  virtual bool isPlainA() = 0;
  virtual mlir::Value rowAddress(RegionEmitter &e,
                                 llvm::ArrayRef<mlir::Value> batch,
                                 mlir::Value m) = 0;
  virtual mlir::Value depthStride(RegionEmitter &e) = 0;
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
  /// Whether columns of B do, contiguous along k.
  virtual bool isTransposedB() = 0;
  virtual mlir::Value columnAddress(RegionEmitter &e,
                                    llvm::ArrayRef<mlir::Value> batch,
                                    mlir::Value k, mlir::Value n) = 0;

  /// Bytes of scratch that preparing a block of `columns` columns takes.
  virtual int64_t tableBytes(int64_t columns) { return 0; }
  /// Called before a block's columns [n0, n0 + count) are packed; count is at
  /// most `columns` of tableBytes().
  virtual void prepareBlock(RegionEmitter &e, mlir::Value table,
                            llvm::ArrayRef<mlir::Value> batch, mlir::Value n0,
                            mlir::Value count) {}
  /// Columns j to j + count - 1 of row k of the prepared block: a condition
  /// (i1) under which they lie side by side in memory in the accumulators'
  /// type, and the address of the first, which counts only then. Null if never.
  struct Run {
    mlir::Value condition, address;
  };
  virtual Run findRun(RegionEmitter &e, mlir::Value table,
                      llvm::ArrayRef<mlir::Value> batch, mlir::Value k,
                      mlir::Value j, int64_t count) {
    return {};
  }
  /// An element of B in column n0 + j of the prepared block. By default that of
  /// elementB().
  virtual mlir::Value blockElementB(RegionEmitter &e, mlir::Value table,
                                    llvm::ArrayRef<mlir::Value> batch,
                                    mlir::Value k, mlir::Value n0,
                                    mlir::Value j) {
    return elementB(e, batch, k, e.add(n0, j));
  }
};

/// The problem that a `weft.contract` poses, or null if it can't be put so.
std::unique_ptr<Contraction> createMatrixProblem(ContractOp op);
/// The problem that a `weft.conv` poses, by gathering patches of the input.
std::unique_ptr<Contraction> createConvolutionProblem(ConvOp op);

/// `value` converted to `type` as contractions widen their operands.
mlir::Value widen(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                  mlir::Type elementType, mlir::Type type);

/// Stores what the region yields for one element of the root's result.
class Epilogue {
public:
  /// Null if the region's yields do not depend on the root elementwise.
  static std::optional<Epilogue> create(KernelBuilder &kernel,
                                        const Contraction &problem);

  /// Prepares views; to be called once per function.
  void begin(RegionEmitter &e, KernelBuilder &kernel);
  /// Emits the stores of element `indices` of the root's result, whose value,
  /// in the accumulators' type, is `value`.
  void store(RegionEmitter &e, KernelBuilder &kernel,
             llvm::ArrayRef<mlir::Value> indices, mlir::Value value);

private:
  mlir::Operation *root;
  std::optional<IterationSpace> space;
  llvm::SmallVector<mlir::Value> sizes;
};

} // namespace weft::cpu

#endif // WEFT_LIB_CODEGEN_CPU_CONTRACTION_H
