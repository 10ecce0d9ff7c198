//===- AttentionBias.h - What is known of a bias's elements ---------------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_ATTENTIONBIAS_H
#define WEFT_LIB_CODEGEN_CUDA_ATTENTIONBIAS_H

#include "mlir/IR/Value.h"
#include <optional>

namespace weft::cuda {

/// The number that all elements of `value` are, if that is known.
std::optional<double> getSplat(mlir::Value value);
bool isMinusInf(mlir::Value value);

/// Whether all elements of `bias` are known to be small or -inf. The gradients
/// of attention weigh with exp(s - l), where a row of nothing but large
/// numbers, such as the lowest one in the place of -inf, leaves no digits for
/// what matters in l.
bool isSmallOrMinusInf(mlir::Value bias);

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_ATTENTIONBIAS_H
