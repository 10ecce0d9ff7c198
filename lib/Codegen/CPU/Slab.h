//===- Slab.h - A part of a tensor with what surrounds it -----------------===//

#ifndef WEFT_LIB_CODEGEN_CPU_SLAB_H
#define WEFT_LIB_CODEGEN_CPU_SLAB_H

#include "KernelBuilder.h"
#include "weft/Codegen/Common/WindowedInput.h"

namespace weft::cpu {

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
