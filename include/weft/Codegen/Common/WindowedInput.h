//===- WindowedInput.h - A tensor that windows slide over -----------------===//

#ifndef WEFT_CODEGEN_COMMON_WINDOWEDINPUT_H
#define WEFT_CODEGEN_COMMON_WINDOWEDINPUT_H

#include "weft/Codegen/Common/RegionEmitter.h"

namespace weft {

/// The tensor [batch, channels, spatial...] that windows slide over: `dilation
/// - 1` fill elements between its elements along each spatial dimension, and
/// fill elements around them wherever `isPadded` says that windows leave it.
struct WindowedInput {
  mlir::Value tensor;
  mlir::Type elementType; ///< in which elements are wanted
  llvm::SmallVector<int64_t> dilation;
  llvm::SmallVector<bool> isPadded;
  mlir::TypedAttr fill; ///< of elementType
  /// Emits the address of zeros in memory, which are read where there is no
  /// element. Then loads follow each other without branches, and nothing waits
  /// for them. Null: there are branches.
  std::function<mlir::Value(RegionEmitter &e)> zeros;

  int64_t spatialRank() const { return dilation.size(); }
  /// The tensor's index at `position` of spatial dimension `dim`, counted in
  /// dilated steps from its first element. Narrows `inside` (null: always) to
  /// whether there is an element.
  mlir::Value indexAt(RegionEmitter &e, int64_t dim, mlir::Value position,
                      mlir::Value &inside) const;
  /// The element at `indices`, in `elementType`; or zero, unless it is `inside`
  /// (null: it is).
  mlir::Value element(RegionEmitter &e, llvm::ArrayRef<mlir::Value> indices,
                      mlir::Value inside = {}) const;
  /// The element at `position` of the memory that the tensor is bound to.
  mlir::Value elementAt(RegionEmitter &e, mlir::Value position,
                        mlir::Value inside) const;
};

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_WINDOWEDINPUT_H
