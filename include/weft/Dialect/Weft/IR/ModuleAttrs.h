//===- ModuleAttrs.h - Attributes that training gives modules and ops -----===//

#ifndef WEFT_DIALECT_WEFT_IR_MODULEATTRS_H
#define WEFT_DIALECT_WEFT_IR_MODULEATTRS_H

#include "llvm/ADT/StringRef.h"

namespace weft {

/// A unit attribute of modules whose products must give the same bits for a row
/// whatever the number of rows: a sum is then taken in one order, also where
/// there turns out to be a single row.
inline constexpr llvm::StringLiteral kOrderedAttr = "weft.ordered";

/// What ops that training adds are part of: strings with which fused locations
/// around those of nodes and parameters are marked.
inline constexpr llvm::StringLiteral kGradientPart = "gradient";
inline constexpr llvm::StringLiteral kLossPart = "loss";
inline constexpr llvm::StringLiteral kParameterPart = "parameter";

} // namespace weft

#endif // WEFT_DIALECT_WEFT_IR_MODULEATTRS_H
