//===- ConvolutionProblem.h - weft.conv as a product of matrices ----------===//

#ifndef WEFT_LIB_CODEGEN_CPU_CONVOLUTIONPROBLEM_H
#define WEFT_LIB_CODEGEN_CPU_CONVOLUTIONPROBLEM_H

#include "Contraction.h"
#include "Slab.h"

namespace weft::cpu {

/// Columns are output positions of one image, or of all: `hasJoinedImages`.
class ConvolutionProblem : public Contraction {
public:
  explicit ConvolutionProblem(ConvOp op);

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
  llvm::SmallVector<mlir::Value>
  resultIndices(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                mlir::Value m, mlir::Value n) override;

  void forEachRun(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                  mlir::Value n0, mlir::Value columns, RunFn body) override;

  bool isContiguousA() override {
    return !conv.getFilter().getDefiningOp() &&
           conv.getFilter().getType().getElementType() == accumulatorType;
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
  bool isTransposedB() override { return false; }
  mlir::Value columnAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                            mlir::Value k, mlir::Value n) override;
  mlir::Value depthAddress(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                           mlir::Value n) override {
    llvm_unreachable("columns of patches are never contiguous");
  }

  int64_t depthGranule() override {
    return hasSlab ? llvm::product_of(taps) : 1;
  }
  int64_t columnPeriod() override {
    return hasSlab && !hasJoinedImages ? rowLength : 1;
  }
  int64_t packingBytes(int64_t columns, int64_t depth, int64_t lanes) override;
  void packB(RegionEmitter &e, const PanelBlock &block) override;

private:
  llvm::SmallVector<mlir::Value> outputSizes(RegionEmitter &e);
  llvm::SmallVector<mlir::Value> columnSizes(RegionEmitter &e);
  llvm::SmallVector<mlir::Value>
  placeOf(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch, mlir::Value n);
  bool canJoinImages();
  int64_t slabImages(int64_t columns);
  int64_t slabElements(int64_t columns, int64_t depth);
  mlir::Value patchElement(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                           mlir::Value k, llvm::ArrayRef<mlir::Value> starts);

  llvm::SmallVector<int64_t> slabShape(int64_t columns);
  Slab makeSlab(RegionEmitter &e, const PanelBlock &block);
  void fillSlabs(RegionEmitter &e, const PanelBlock &block, const Slab &slab);
  void fillColumns(RegionEmitter &e, const PanelBlock &block,
                   llvm::ArrayRef<mlir::Value> strides);
  struct Columns;
  void fillSegments(RegionEmitter &e, const PanelBlock &block,
                    mlir::Value panel);
  void fillPanels(RegionEmitter &e, const PanelBlock &block,
                  const MemoryView &view, mlir::Value firstChannel,
                  mlir::Value channelStride,
                  llvm::ArrayRef<mlir::Value> strides);
  void fillPanelRow(RegionEmitter &e, const PanelBlock &block,
                    mlir::Value panel, mlir::Value from, mlir::Value to);

  ConvOp conv;
  WindowedInput input;
  int64_t groups, spatialRank;
  llvm::SmallVector<int64_t> taps;
  bool isPointwise;      ///< each output position reads the same input position
  bool hasSlab = false;  ///< the sizes that a slab's shape depends on are known
  int64_t rowLength = 1; ///< output positions per index of the first dimension
  bool hasJoinedImages = false; ///< columns run over images, too
};

} // namespace weft::cpu

#endif // WEFT_LIB_CODEGEN_CPU_CONVOLUTIONPROBLEM_H
