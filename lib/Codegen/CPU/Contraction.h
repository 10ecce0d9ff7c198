//===- Contraction.h - How parts of products are packed and tiled -------===//

#ifndef WEFT_LIB_CODEGEN_CPU_CONTRACTION_H
#define WEFT_LIB_CODEGEN_CPU_CONTRACTION_H

#include "Kernels.h"
#include "weft/Codegen/Common/Contraction.h"
#include "weft/Codegen/Common/Epilogue.h"

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

/// How parts of a product's operands are packed.
class Packing {
public:
  explicit Packing(Contraction &problem) : problem(problem) {}
  virtual ~Packing() = default;

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

protected:
  mlir::Type type() const { return problem.accumulatorType; }
  unsigned bytes() const { return type().getIntOrFloatBitWidth() / 8; }

private:
  void packRows(RegionEmitter &e, const PanelBlock &block, mlir::Value whole);
  void packRest(RegionEmitter &e, const PanelBlock &block, mlir::Value panel);
  void packSquares(RegionEmitter &e, const PanelBlock &block);
  void packElements(RegionEmitter &e, const PanelBlock &block);
  void packSquaresA(RegionEmitter &e, const RowBlock &block);

  Contraction &problem;
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
Tiling chooseTiling(Contraction &problem, Packing &packing,
                    const TargetDescription &target);

/// A product and how its operands are packed.
struct PackedProduct {
  std::unique_ptr<Contraction> problem;
  std::unique_ptr<Packing> packing;
};

/// The product that a `weft.conv` poses, by gathering patches of the input.
/// Null if its filter's shape is symbolic, or if there are so few channels to a
/// group that there is nothing to multiply matrices of.
PackedProduct createConvolution(ConvOp op);
/// The product that a `weft.conv_filter` poses. Null if its filter's shape is
/// symbolic.
PackedProduct createFilterGradient(ConvFilterOp op);

/// The lanes, of a vector of `lanes` elements, whose number is below `count`.
mlir::Value maskBelow(mlir::ImplicitLocOpBuilder &b, int64_t lanes,
                      mlir::Value count);

/// Transposes a square of as many vectors as each has elements.
void transposeSquare(mlir::ImplicitLocOpBuilder &b,
                     llvm::MutableArrayRef<mlir::Value> rows);

/// The address of element number `position` of type `type` from `base`.
mlir::Value elementAddress(RegionEmitter &e, mlir::Value base, mlir::Type type,
                           mlir::Value position);

} // namespace weft::cpu

#endif // WEFT_LIB_CODEGEN_CPU_CONTRACTION_H
