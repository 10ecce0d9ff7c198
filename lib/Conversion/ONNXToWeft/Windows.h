//===- Windows.h - What convolutions and poolings slide over --------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_WINDOWS_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_WINDOWS_H

#include "Lowering.h"

namespace weft {

/// The window of a node with `kernel_shape`, `strides`, `dilations`, `pads` and
/// `auto_pad`: one entry per spatial dimension.
struct Windows {
  llvm::SmallVector<int64_t> kernel, strides, dilations;
  /// Paddings: symbolic only where `auto_pad` meets a symbolic size.
  llvm::SmallVector<mlir::OpFoldResult> low, high;

  /// Reads the node's attributes; fails with an error. `spatial` are the sizes
  /// that the window moves over, `kernel` is taken where the node has no
  /// `kernel_shape`.
  static llvm::FailureOr<Windows>
  read(Lowering &lower, onnx::Node node,
       llvm::ArrayRef<mlir::OpFoldResult> spatial,
       llvm::ArrayRef<int64_t> kernel = {});

  /// The number of elements that the window spans along a dimension.
  int64_t extent(int64_t dim) const {
    return (kernel[dim] - 1) * dilations[dim] + 1;
  }
  int64_t numElements() const;
  /// Fails if a window is known to be larger than the padded input.
  llvm::LogicalResult
  checkRoom(Lowering &lower, onnx::Node node,
            llvm::ArrayRef<mlir::OpFoldResult> spatial) const;
  bool hasConstantPads() const;
  /// The paddings, which must be constant.
  llvm::SmallVector<int64_t> constantLow() const;
  llvm::SmallVector<int64_t> constantHigh() const;
  /// Pads the spatial dimensions of `value` with `padding` (rank 0) here and
  /// now, and sets the paddings to zero.
  mlir::Value padNow(Lowering &lower, mlir::Value value, mlir::Value padding);
};

/// The transpose of a convolution by `windows`, of `input` [N, C, ...] and
/// `filter` [C, O / groups, ...], whose result is enlarged at the end by
/// `extra`. The paddings must be constant.
mlir::Value convTranspose(Lowering &lower, mlir::Value input,
                          mlir::Value filter, const Windows &windows,
                          llvm::ArrayRef<int64_t> extra, int64_t groups);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_WINDOWS_H
