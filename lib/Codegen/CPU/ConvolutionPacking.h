//===- ConvolutionPacking.h - Packing what filters see --------------------===//

#ifndef WEFT_LIB_CODEGEN_CPU_CONVOLUTIONPACKING_H
#define WEFT_LIB_CODEGEN_CPU_CONVOLUTIONPACKING_H

#include "Contraction.h"
#include "Slab.h"
#include "weft/Codegen/Common/ConvolutionProblem.h"

namespace weft::cpu {

class ConvolutionPacking : public Packing {
public:
  /// Joins the problem's images where they are small.
  explicit ConvolutionPacking(ConvolutionProblem &problem);

  int64_t depthGranule() override {
    return hasSlab ? llvm::product_of(problem.taps) : 1;
  }
  int64_t columnPeriod() override {
    return hasSlab && !problem.hasJoinedImages ? rowLength : 1;
  }
  int64_t packingBytes(int64_t columns, int64_t depth, int64_t lanes) override;
  void packB(RegionEmitter &e, const PanelBlock &block) override;

private:
  bool canJoinImages();
  int64_t slabImages(int64_t columns);
  int64_t slabElements(int64_t columns, int64_t depth);
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

  ConvolutionProblem &problem;
  bool hasSlab = false;  ///< the sizes that a slab's shape depends on are known
  int64_t rowLength = 1; ///< output positions per index of the first dimension
};

} // namespace weft::cpu

#endif // WEFT_LIB_CODEGEN_CPU_CONVOLUTIONPACKING_H
