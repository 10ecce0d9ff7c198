//===- Kernels.h - The kinds of CPU kernels -------------------------------===//

#ifndef WEFT_LIB_CODEGEN_CPU_KERNELS_H
#define WEFT_LIB_CODEGEN_CPU_KERNELS_H

#include "KernelBuilder.h"

namespace weft::cpu {

// Each emits the tasks of a kernel if the region is of its kind, and returns
// whether it is. They are asked in this order; the last takes every region
// whose ops have rules for single elements.

/// An op that replaces some elements of a tensor, in the tensor's memory.
bool emitUpdateKernel(KernelBuilder &kernel);
/// An op with loops of its own: scatter, sort, cumulative sums.
bool emitLoopKernel(KernelBuilder &kernel);
/// The gradient of a depthwise convolution's filter.
bool emitWindowFilterKernel(KernelBuilder &kernel);
/// A contraction or convolution with what follows it element by element.
bool emitContractionKernel(KernelBuilder &kernel);
/// A depthwise convolution or pooling with what follows it element by element.
bool emitWindowKernel(KernelBuilder &kernel);
/// The gradient of pooling by positions with what follows it element by
/// element.
bool emitSpreadKernel(KernelBuilder &kernel);
/// Reductions, softmax and normalisations over the same axes, with what goes
/// before and follows element by element.
bool emitRowKernel(KernelBuilder &kernel);
/// Everything else: each element of the results is computed on its own.
void emitElementKernel(KernelBuilder &kernel);

/// Elements that one iteration of a parallel loop should work on at least, so
/// that the cost of handing it to a thread vanishes.
inline constexpr int64_t kGrain = 4096;

} // namespace weft::cpu

#endif // WEFT_LIB_CODEGEN_CPU_KERNELS_H
