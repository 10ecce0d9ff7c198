//===- PackedProblem.h - Convolutions of what lies channels last ----------===//
//
// As Codegen/Common poses them as products of matrices, but for the order of
// what taps meet: tap by tap, each with all channels of a group. Another task
// has written input and filter, or gradient, with channels last, so that
// channels are copied 16 bytes at a time.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_PACKEDPROBLEM_H
#define WEFT_LIB_CODEGEN_CUDA_PACKEDPROBLEM_H

#include "ChannelsLast.h"
#include "weft/Codegen/Common/Contraction.h"

namespace weft::cuda {

/// A problem whose operands lie in scratch.
class PackedProblem : public Contraction {
public:
  /// Adds the task that writes them.
  void addPreparation();

  llvm::SmallVector<mlir::Value> batchSizes(RegionEmitter &e) override {
    return {e.index(staticBatch)};
  }
  mlir::Value rows(RegionEmitter &e) override { return e.index(staticM); }
  mlir::Value columns(RegionEmitter &e) override { return e.index(staticN); }
  mlir::Value depth(RegionEmitter &e) override { return e.index(staticK); }
  bool isPlainB() override { return false; }
  bool isTransposedB() override { return false; }
  bool hasPatches() override { return true; }
  mlir::Value patchAddress(RegionEmitter &e, mlir::ValueRange patch,
                           mlir::Value k, mlir::Value &inside) override {
    return tensors[0].address(e, patchPosition(e, patch, k, inside));
  }
  mlir::Value patchOrZeros(RegionEmitter &e, mlir::ValueRange patch,
                           mlir::Value k) override;
  mlir::Value columnAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                            mlir::Value k, mlir::Value n) override {
    llvm_unreachable("columns have patches");
  }
  mlir::Value depthAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                           mlir::Value n) override {
    llvm_unreachable("columns have patches");
  }
  mlir::Value elementA(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                       mlir::Value m, mlir::Value k) override {
    llvm_unreachable("operands are copied 16 bytes at a time");
  }
  mlir::Value elementB(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                       mlir::Value k, mlir::Value n) override {
    llvm_unreachable("operands are copied 16 bytes at a time");
  }

protected:
  PackedProblem(KernelBuilder &kernel, const Contraction &plain)
      : Contraction(plain), kernel(kernel) {}

  /// The number of the element that patchAddress() tells of.
  virtual mlir::Value patchPosition(RegionEmitter &e, mlir::ValueRange patch,
                                    mlir::Value k, mlir::Value &inside) = 0;

  KernelBuilder &kernel;
  llvm::SmallVector<ChannelsLast, 2> tensors; ///< of B, then of A
};

/// `problem` with operands in scratch, which is reserved, if it is a
/// convolution, or the gradient of a filter, to which that can be done, and
/// which else loads at least `least` elements one by one, and several for each
/// that is written; else null, and `problem` is left alone.
std::unique_ptr<PackedProblem>
packProblem(KernelBuilder &kernel, std::unique_ptr<Contraction> &problem,
            int64_t least);

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_PACKEDPROBLEM_H
