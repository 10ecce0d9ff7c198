//===- Sharding.h - How an op's work is split -----------------------------===//

#ifndef WEFT_INTERFACES_SHARDING_H
#define WEFT_INTERFACES_SHARDING_H

#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <optional>

namespace weft {

/// What the parts of results need in order to be the result.
enum class Combine {
  Concatenate, ///< each part holds its own range of the split dimension
  Sum,         ///< each part is a whole tensor; the result is their sum
};

/// A dimension along which the work of an op may be split: each part reads its
/// range of the named dimensions and all of the others.
struct SplitDim {
  /// One entry per operand: its dimension, or none if every part needs the
  /// whole operand.
  llvm::SmallVector<std::optional<int64_t>> operands;
  /// One entry per result: its dimension if `combine` is Concatenate.
  llvm::SmallVector<std::optional<int64_t>> results;
  Combine combine = Combine::Concatenate;
};

} // namespace weft

#endif // WEFT_INTERFACES_SHARDING_H
