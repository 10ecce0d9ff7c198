//===- Slab.h - A part of a tensor with what surrounds it -----------------===//

#ifndef WEFT_LIB_CODEGEN_CPU_SLAB_H
#define WEFT_LIB_CODEGEN_CPU_SLAB_H

#include "KernelBuilder.h"

namespace weft::cpu {

/// The tensor [batch, channels, spatial...] that windows slide over: `dilation
/// - 1` fill elements between its elements along each spatial dimension, and
/// fill elements around them wherever `isPadded` says that windows leave it.
struct WindowedInput {
  mlir::Value tensor;
  mlir::Type elementType; ///< in which a slab holds the elements
  llvm::SmallVector<int64_t> dilation;
  llvm::SmallVector<bool> isPadded;
  mlir::TypedAttr fill; ///< of elementType

  int64_t spatialRank() const { return dilation.size(); }
  /// The tensor's index at `position` of spatial dimension `dim`, counted in
  /// dilated steps from its first element. Narrows `inside` (null: always) to
  /// whether there is an element.
  mlir::Value indexAt(RegionEmitter &e, int64_t dim, mlir::Value position,
                      mlir::Value &inside) const;
  /// The element at `indices`, in `elementType`.
  mlir::Value element(RegionEmitter &e,
                      llvm::ArrayRef<mlir::Value> indices) const;
};

/// A copy of a part of such a tensor: some channels of one image, and positions
/// from `starts` on, for which the view has room.
struct Slab {
  MemoryView view; ///< [channels, spatial...], row-major
  mlir::Value image, firstChannel, channels;
  llvm::SmallVector<mlir::Value> starts;  ///< one per spatial dimension
  llvm::SmallVector<mlir::Value> extents; ///< positions to be filled

  /// Emits the copy.
  void fill(RegionEmitter &e, const WindowedInput &input) const;

private:
  void fillLine(RegionEmitter &e, const WindowedInput &input,
                llvm::ArrayRef<mlir::Value> place,
                llvm::SmallVector<mlir::Value> indices,
                mlir::Value inside) const;
};

} // namespace weft::cpu

#endif // WEFT_LIB_CODEGEN_CPU_SLAB_H
