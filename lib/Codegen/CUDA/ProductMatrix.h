//===- ProductMatrix.h - Products by matrix instructions ------------------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_PRODUCTMATRIX_H
#define WEFT_LIB_CODEGEN_CUDA_PRODUCTMATRIX_H

#include "Product.h"

namespace weft::cuda {

/// Bytes that are copied at a time, and of an instruction's depth.
inline constexpr int64_t kChunkBytes = 16, kStepBytes = 32;
/// Rows and columns of an instruction.
inline constexpr int64_t kRows = 16, kColumns = 8;

/// A part of an operand, `outer` x `depth` elements, the latter of 64 or 128
/// bytes.
class MatrixCopy {
public:
  MatrixCopy(ProductOperand operand, int64_t outer, int64_t depthBytes,
             int64_t threads)
      : operand(operand), outer(outer), depthBytes(depthBytes),
        threads(threads),
        bytesEach(operand.type().getIntOrFloatBitWidth() / 8) {
    bool alongOuter = operand.hasVectorsAlongOuter(chunk());
    bool alongDepth = !alongOuter && operand.hasVectorsAlongDepth(chunk());
    isAsync = alongOuter || alongDepth;
    isDeep = isAsync ? alongDepth : operand.isDeep();
  }

  /// Whether parts are copied by copy(); else by load() and store().
  bool isAsynchronous() const { return isAsync; }
  int64_t bytes() const { return outer * depthBytes; }
  int64_t depth() const { return depthBytes / bytesEach; }

  /// Emits what copies share, where all of them can use it.
  void begin(RegionEmitter &e, const ProductBlock &block);
  void copy(RegionEmitter &e, const ProductBlock &block, mlir::Value k0,
            mlir::Value base);
  llvm::SmallVector<mlir::Value>
  load(RegionEmitter &e, const ProductBlock &block, mlir::Value k0);
  void store(RegionEmitter &e, const ProductBlock &block, mlir::Value base,
             mlir::ValueRange values);
  llvm::SmallVector<mlir::Type> types() const {
    return llvm::SmallVector<mlir::Type>(isAsync ? 0 : share(), operand.type());
  }

  /// The registers of 16 rows or columns from `first` on, an instruction's step
  /// deep, at depth `k` of the part at `base`: for A, those of one instruction;
  /// for B, of two.
  llvm::SmallVector<mlir::Value> fragment(RegionEmitter &e, mlir::Value base,
                                          mlir::Value lane, mlir::Value first,
                                          int64_t k);

  /// What an instruction for four warps is told of where 64 rows, or all
  /// columns, lie, from `first` on, at depth `k` of the part at `base`, which
  /// has 16 bits per element and is aligned to kAlignment.
  mlir::Value descriptor(RegionEmitter &e, mlir::Value base, mlir::Value first,
                         int64_t k);
  bool isAlongDepth() const { return isDeep; }
  /// Whether fragments are read word by word: `ldmatrix` turns elements of 16
  /// bits only.
  bool hasWords() const { return bytesEach == 4 && !isDeep; }
  static constexpr unsigned kAlignment = 1024;

private:
  struct Place {
    mlir::Value outer, k;
  };
  llvm::SmallVector<mlir::Value> loadSquares(RegionEmitter &e, mlir::Value base,
                                             mlir::Value lane,
                                             mlir::Value first, int64_t k);
  llvm::SmallVector<mlir::Value> loadWords(RegionEmitter &e, mlir::Value base,
                                           mlir::Value lane, mlir::Value first,
                                           int64_t k);
  int64_t chunk() const { return kChunkBytes / bytesEach; }
  /// Of a row in shared memory: at most 128 bytes.
  int64_t rowElements() const {
    return isDeep ? depth() : std::min(outer, 8 * chunk());
  }
  int64_t units() const { return outer * depth() / (isAsync ? chunk() : 1); }
  int64_t share() const { return llvm::divideCeil(units(), threads); }
  Place place(RegionEmitter &e, const ProductBlock &block, int64_t number);
  /// The address of the element at `place`.
  mlir::Value address(RegionEmitter &e, mlir::Value base, const Place &place);
  /// The index of the operand's element, within its outer size.
  mlir::Value indexOf(RegionEmitter &e, const ProductBlock &block,
                      mlir::Value place, int64_t count);

  ProductOperand operand;
  int64_t outer, depthBytes, threads, bytesEach;
  bool isAsync;
  bool isDeep; ///< rows are along the depth
  /// Of what a thread copies, one by one; none if there are no patches.
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> patches;
};

class MatrixEmitter : public ProductEmitter {
public:
  MatrixEmitter(const Product &product, const TileShape &shape, int64_t splits,
                int64_t depthBytes = 64)
      : ProductEmitter(product, shape, splits),
        copyA({problem, true}, shape.rows(), depthBytes, shape.threads()),
        copyB({problem, false}, shape.columns(), depthBytes, shape.threads()) {
    // As many as fit, up to four, if any part is on its way by itself.
    stages =
        isAsynchronous() ? std::min<int64_t>(4, 48 * 1024 / partBytes()) : 2;
    ahead = stages - 1;
  }

protected:
  /// Makes what threads have written to shared memory known to instructions
  /// that read it by themselves.
  virtual void publishPart(RegionEmitter &e) {}
  /// Adds the products of the part at `at` in shared memory, or begins to.
  virtual Values multiplyPart(RegionEmitter &e, mlir::Value at, Values sums);
  /// Waits for what has begun.
  virtual void endParts(RegionEmitter &e) {}

  /// Whether any operand is copied by itself, or both are.
  bool isAsynchronous() const {
    return copyA.isAsynchronous() || copyB.isAsynchronous();
  }
  bool areAsynchronous() const {
    return copyA.isAsynchronous() && copyB.isAsynchronous();
  }
  /// Of a part of both operands.
  int64_t partBytes() const { return copyA.bytes() + copyB.bytes(); }
  /// Where A lies of the part at `at`; B is behind it.
  virtual mlir::Value stage(RegionEmitter &e, mlir::Value at);

  int64_t runLength() override { return 2; }
  llvm::SmallVector<Run> runs(RegionEmitter &e) override;
  int64_t sumStride() override { return shape.columns() + 8; }
  int64_t operandBytes() override { return stages * partBytes(); }
  int64_t partDepth() override { return copyA.depth(); }
  int32_t together() override;
  Values multiply(RegionEmitter &e, mlir::Value begin, mlir::Value end,
                  Values sums) override;

  MatrixCopy copyA, copyB;
  int64_t stages; ///< parts that are in shared memory at a time
  int64_t ahead;  ///< of these, those that are copied while one is multiplied

private:
  mlir::Value after(RegionEmitter &e, mlir::Value at, int64_t parts);
  void copyPart(RegionEmitter &e, mlir::Value part, mlir::Value at);
  Values loadPart(RegionEmitter &e, mlir::Value part);
  void storePart(RegionEmitter &e, mlir::Value at, mlir::ValueRange values);
  Values multiplyParts(RegionEmitter &e, mlir::Value begin, Values carried,
                       size_t numSums);
  void multiplyFragments(RegionEmitter &e, mlir::ValueRange a,
                         mlir::ValueRange b,
                         llvm::MutableArrayRef<mlir::Value> sums);
  mlir::Value isPart(RegionEmitter &e, mlir::Value part);

  mlir::Value end; ///< of the parts, in the function that is being emitted
};

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_PRODUCTMATRIX_H
