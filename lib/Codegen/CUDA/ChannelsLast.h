//===- ChannelsLast.h - Tensors whose channels are neighbours -------------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_CHANNELSLAST_H
#define WEFT_LIB_CODEGEN_CUDA_CHANNELSLAST_H

#include "KernelBuilder.h"

namespace weft::cuda {

/// Positions that are looked at along some dimensions: from `-low` on, in
/// `strides`.
struct Sampling {
  llvm::ArrayRef<int64_t> sizes, strides, low;
};

/// A tensor [batch, channels, positions...] of a region, all sizes known, that
/// a task writes to scratch as [batch, positions..., channels].
class ChannelsLast {
public:
  /// Reserves scratch for elements of `type`, f16, bf16 or f32, in which they
  /// are wanted. Channels fill 16 bytes, or several times as much.
  ChannelsLast(KernelBuilder &kernel, mlir::Value tensor, mlir::Type type);
  /// The same of some positions only.
  ChannelsLast(KernelBuilder &kernel, mlir::Value tensor, mlir::Type type,
               const Sampling &sampling);

  int64_t numElements() const { return batch * channels * positions; }
  /// The address of element number `position`, which may lie outside, in a task
  /// of the kernel. 16 bytes of zeros follow the elements.
  mlir::Value address(RegionEmitter &e, mlir::Value position) const;

  mlir::Value tensor;
  mlir::Type type;
  int64_t batch, channels, positions;

  /// Whether it is written as it lies, but for the order.
  bool hasAll() const;
  /// The indices of a position in the tensor.
  llvm::SmallVector<mlir::Value> indicesOf(RegionEmitter &e, mlir::Value image,
                                           mlir::Value channel,
                                           mlir::Value position) const;

private:
  llvm::SmallVector<int64_t> sizes, strides, low;
  KernelBuilder &kernel;
  int64_t offset; ///< in scratch
};

/// Adds the task that writes `tensors`, in blocks for each.
void addChannelsLastTask(KernelBuilder &kernel,
                         llvm::ArrayRef<ChannelsLast> tensors);

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_CHANNELSLAST_H
