//===- ConvolutionProblem.h - weft.conv as a product of matrices ----------===//
//
// For each image and group: rows are output channels, columns output positions,
// and the depth runs over input channels and filter taps. Where images are
// joined, columns run over those of all. A is the filter as it lies in memory.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_CODEGEN_COMMON_CONVOLUTIONPROBLEM_H
#define WEFT_CODEGEN_COMMON_CONVOLUTIONPROBLEM_H

#include "weft/Codegen/Common/Contraction.h"
#include "weft/Codegen/Common/WindowedInput.h"
#include <functional>

namespace weft {

class ConvolutionProblem : public Contraction {
public:
  /// Null if the filter's shape is symbolic, or if there is so little to a
  /// group that there are no matrices to multiply.
  static std::unique_ptr<ConvolutionProblem>
  create(ConvOp op, mlir::Type operandType = {});

  /// Makes columns run over the positions of all images.
  void joinImages();

  /// Emits the address of constant words in memory.
  using TableFn = std::function<mlir::Value(RegionEmitter &e,
                                            llvm::ArrayRef<int32_t> words)>;
  /// Looks up where a depth lies in a patch, if the input's sizes allow it,
  /// instead of computing channel and taps each time. What of it depends on the
  /// column alone leaves loops over the depth.
  void lookUpDepth(TableFn table);

  llvm::SmallVector<mlir::Value> batchSizes(RegionEmitter &e) override {
    if (hasJoinedImages)
      return {e.index(groups)};
    return {e.size(conv.getInput(), 0), e.index(groups)};
  }
  mlir::Value rows(RegionEmitter &e) override { return e.index(staticM); }
  mlir::Value columns(RegionEmitter &e) override {
    return e.product(columnSizes(e));
  }
  mlir::Value depth(RegionEmitter &e) override { return e.index(staticK); }
  /// Where images are joined, `batch` may hold an image, in which `n` is, or
  /// not: then `n` runs over all.
  llvm::SmallVector<mlir::Value>
  resultIndices(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                mlir::Value m, mlir::Value n) override;
  void forEachRun(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                  mlir::Value n0, mlir::Value columns, RunFn body) override;

  bool isContiguousA() override {
    return !conv.getFilter().getDefiningOp() &&
           conv.getFilter().getType().getElementType() == operandType;
  }
  mlir::Value rowAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                         mlir::Value m) override;
  mlir::Value elementA(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                       mlir::Value m, mlir::Value k) override;
  mlir::Value elementB(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                       mlir::Value k, mlir::Value n) override;
  bool isTransposedA() override;
  mlir::Value columnAddressA(RegionEmitter &e,
                             llvm::ArrayRef<mlir::Value> batch, mlir::Value m,
                             mlir::Value k) override;
  bool isPlainB() override { return isPointwise && !hasJoinedImages; }
  int64_t columnRun() override { return isPointwise ? imageColumns : 0; }
  bool isTransposedB() override { return false; }
  mlir::Value columnAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                            mlir::Value k, mlir::Value n) override;
  mlir::Value depthAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                           mlir::Value n) override {
    llvm_unreachable("columns of patches are never contiguous");
  }

  bool isDeepA() override { return !isTransposedA(); }
  bool isDeepB() override { return staticN == 1; }

  /// What packing needs to know.
  ConvOp conv;
  WindowedInput input;
  int64_t groups, spatialRank;
  llvm::SmallVector<int64_t> taps;
  bool isPointwise; ///< each output position reads the same input position
  bool hasJoinedImages = false;
  int64_t imageColumns; ///< positions of an image, or kDynamic

  /// The sizes that columns run over.
  llvm::SmallVector<mlir::Value> columnSizes(RegionEmitter &e);
  /// The image and the output position of column `n`.
  llvm::SmallVector<mlir::Value>
  placeOf(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch, mlir::Value n);
  /// Where the patch of an output position begins, by spatial dimension.
  llvm::SmallVector<mlir::Value>
  startsOf(RegionEmitter &e, llvm::ArrayRef<mlir::Value> positions);

  /// Whether tapMask() can be asked for: taps are few, and where they meet the
  /// input depends on nothing but their distance from the patch's start.
  bool hasTapMasks();
  /// A word (i32) with a bit for each tap of the patch that begins at `starts`:
  /// whether it meets the input. Null: all do.
  mlir::Value tapMask(RegionEmitter &e, llvm::ArrayRef<mlir::Value> starts);
  /// Whether `mask` has tap number `tap` (i32).
  static mlir::Value isInMask(RegionEmitter &e, mlir::Value mask,
                              mlir::Value tap);

private:
  TableFn table;
  bool hasShortDistances();

  ConvolutionProblem(ConvOp op, mlir::Type operandType);
  llvm::SmallVector<mlir::Value> outputSizes(RegionEmitter &e);
  mlir::Value lookedUpElement(RegionEmitter &e,
                              llvm::ArrayRef<mlir::Value> batch, mlir::Value k,
                              llvm::ArrayRef<mlir::Value> starts);
  mlir::Value patchElement(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                           mlir::Value k, llvm::ArrayRef<mlir::Value> starts);
};

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_CONVOLUTIONPROBLEM_H
