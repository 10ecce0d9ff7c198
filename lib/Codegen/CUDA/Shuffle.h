//===- Shuffle.h - Values of other lanes of a warp ------------------------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_SHUFFLE_H
#define WEFT_LIB_CODEGEN_CUDA_SHUFFLE_H

#include "weft/Codegen/Common/RegionEmitter.h"

namespace weft::cuda {

/// Lanes of a warp.
inline constexpr int32_t kWarp = 32;

/// The number of this thread in its block.
mlir::Value emitThread(RegionEmitter &e);

/// `values`, of any scalar types, of the lane whose number differs from this
/// one's in the bits `mask`. The lanes whose bits are set in `members` (i32)
/// get here together; both lanes are among them.
llvm::SmallVector<mlir::Value> emitExchange(RegionEmitter &e,
                                            mlir::ValueRange values,
                                            int32_t mask, mlir::Value members);

/// The same for one value and all lanes of the warp.
mlir::Value emitExchange(RegionEmitter &e, mlir::Value value, int32_t mask);

/// `value`, of any scalar type, of the lane `distance` before this one, or this
/// one's if there is none. All lanes of the warp get here together.
mlir::Value emitFromBefore(RegionEmitter &e, mlir::Value value,
                           int32_t distance);
/// That of lane number `lane`.
mlir::Value emitFromLane(RegionEmitter &e, mlir::Value value, int32_t lane);

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_SHUFFLE_H
