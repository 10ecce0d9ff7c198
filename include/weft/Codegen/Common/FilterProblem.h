//===- FilterProblem.h - weft.conv_filter as a product of matrices --------===//
//
// For each group: rows are output channels, columns the filter's channels and
// taps, and the depth runs over images and output positions. A is the gradient,
// whose rows lie in memory in pieces, one per image. B is what the taps meet.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_CODEGEN_COMMON_FILTERPROBLEM_H
#define WEFT_CODEGEN_COMMON_FILTERPROBLEM_H

#include "weft/Codegen/Common/Contraction.h"
#include "weft/Codegen/Common/WindowedInput.h"

namespace weft {

class FilterProblem : public Contraction {
public:
  /// Null if the filter's shape is symbolic.
  static std::unique_ptr<FilterProblem> create(ConvFilterOp op,
                                               mlir::Type operandType = {});

  llvm::SmallVector<mlir::Value> batchSizes(RegionEmitter &e) override {
    return {e.index(groups)};
  }
  mlir::Value rows(RegionEmitter &e) override { return e.index(staticM); }
  mlir::Value columns(RegionEmitter &e) override { return e.index(staticN); }
  mlir::Value depth(RegionEmitter &e) override {
    return e.product(depthSizes(e));
  }
  llvm::SmallVector<mlir::Value>
  resultIndices(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                mlir::Value m, mlir::Value n) override;

  mlir::Value elementA(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                       mlir::Value m, mlir::Value k) override;
  mlir::Value elementB(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                       mlir::Value k, mlir::Value n) override;
  bool isContiguousA() override { return false; }
  bool isPlainB() override { return false; }
  bool isTransposedB() override { return false; }
  mlir::Value rowAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                         mlir::Value m) override {
    llvm_unreachable("rows of the gradient are never contiguous");
  }
  mlir::Value columnAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                            mlir::Value k, mlir::Value n) override {
    llvm_unreachable("what taps meet is never contiguous");
  }
  mlir::Value depthAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                           mlir::Value n) override {
    llvm_unreachable("what taps meet is never contiguous");
  }

  bool isDeepA() override { return true; }
  bool isDeepB() override { return true; }

  /// What packing needs to know.
  ConvFilterOp filter;
  WindowedInput input;
  int64_t groups, groupChannels, spatialRank;
  llvm::SmallVector<int64_t> taps;
  int64_t lastLength; ///< positions along the last dimension, or kDynamic
  bool isPointwise;   ///< each position meets the element at its own place

  /// Sizes of the images and of the positions in them.
  llvm::SmallVector<mlir::Value> depthSizes(RegionEmitter &e);
  /// The channel and the taps of column `n`.
  llvm::SmallVector<mlir::Value> splitColumn(RegionEmitter &e, mlir::Value n);
  /// Where a tap lies along spatial dimension `dim`, in dilated steps.
  mlir::Value positionOf(RegionEmitter &e, int64_t dim, mlir::Value place,
                         mlir::Value tap);

private:
  FilterProblem(ConvFilterOp op, mlir::Type operandType);
};

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_FILTERPROBLEM_H
