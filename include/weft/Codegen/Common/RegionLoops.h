//===- RegionLoops.h - The parallel loops that compute a region -----------===//

#ifndef WEFT_CODEGEN_COMMON_REGIONLOOPS_H
#define WEFT_CODEGEN_COMMON_REGIONLOOPS_H

#include "weft/Codegen/Common/RegionKernel.h"

namespace weft {

/// Takes the sizes of a parallel loop nest, and what emits the work of one
/// iteration at given indices.
using TakeLoopFn = llvm::function_ref<void(
    llvm::ArrayRef<mlir::Value> sizes,
    llvm::function_ref<void(llvm::ArrayRef<mlir::Value> indices)> body)>;

/// Describes a parallel loop nest in the function that is being emitted, in
/// which the region's operands are bound. It is asked once in each function
/// that has to do with the loop.
using LoopFn =
    llvm::function_ref<void(RegionEmitter &emitter, TakeLoopFn take)>;

/// Takes the loops of a kernel, which run one after the other.
using AddLoopFn = llvm::function_ref<void(LoopFn)>;

/// The loop of an op that replaces some elements of a tensor, in the tensor's
/// memory. Returns whether the region is of that kind.
bool addUpdateLoop(RegionKernel &kernel, AddLoopFn add);

/// The loops of an op that has loops of its own: scatter, sort, cumulative
/// sums. Their iterations are worth more than one element. Returns whether the
/// region is of that kind.
bool addOwnLoops(RegionKernel &kernel, AddLoopFn add);

/// Loops that compute each element of the results on its own, one for all
/// results of a shape.
void addElementLoops(RegionKernel &kernel, AddLoopFn add);

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_REGIONLOOPS_H
