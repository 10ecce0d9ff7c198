//===- Kernels.h - The kinds of CUDA kernels ------------------------------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_KERNELS_H
#define WEFT_LIB_CODEGEN_CUDA_KERNELS_H

#include "KernelBuilder.h"

namespace weft::cuda {

// Each emits the tasks of a kernel if the region is of its kind, and returns
// whether it is. They are asked in this order; the last takes every region
// whose ops have rules for single elements.

/// An op that replaces some elements of a tensor, in the tensor's memory.
bool emitUpdateKernel(KernelBuilder &kernel);
/// Updates of elements or slices whose places are data.
bool emitScatterKernel(KernelBuilder &kernel);
/// Cumulative sums and products along the innermost dimension.
bool emitScanKernel(KernelBuilder &kernel);
/// The first elements of rows in order, if blocks can hold enough of them or
/// all sizes are known.
bool emitTopKKernel(KernelBuilder &kernel);
/// Where elements are not zero.
bool emitNonZeroKernel(KernelBuilder &kernel);
/// Attention over vectors of up to kMostAttentionWidth elements.
bool emitAttentionKernel(KernelBuilder &kernel);
/// The gradients of its query, key and value.
bool emitAttentionGradientKernel(KernelBuilder &kernel);
/// An op with loops of its own: other sorts, other cumulative sums.
bool emitLoopKernel(KernelBuilder &kernel);
/// A contraction or convolution with what follows it element by element. With
/// `tf32`, matrix instructions multiply operands of f32; `arch` tells which
/// there are. Convolutions that would load `packFrom` elements more, one by
/// one, than half of those of their tensors have these written channels last
/// first.
bool emitProductKernel(KernelBuilder &kernel, bool tf32, llvm::StringRef arch,
                       int64_t packFrom);
/// Several reductions of whole tensors, and numbers computed from them.
bool emitTotalsKernel(KernelBuilder &kernel);
/// Reductions, softmax and normalisations over the same axes, with what goes
/// before and follows element by element.
bool emitRowKernel(KernelBuilder &kernel);
/// Everything else: a thread computes one element of the results, or some
/// neighbours.
void emitElementKernel(KernelBuilder &kernel);

/// Adds the task that computes groups of results of one shape each, which have
/// nothing to do with each other.
void addPartsTask(KernelBuilder &kernel,
                  llvm::ArrayRef<llvm::SmallVector<unsigned>> groups);

/// Adds the task that computes `results`, which have one shape, if they depend
/// element by element on a transpose that changes the innermost dimension.
bool addTransposeTask(KernelBuilder &kernel, llvm::ArrayRef<unsigned> results);

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_KERNELS_H
