//===- ModuleAttrs.h - Attributes of modules of the tensor language -------===//

#ifndef WEFT_DIALECT_WEFT_IR_MODULEATTRS_H
#define WEFT_DIALECT_WEFT_IR_MODULEATTRS_H

#include "llvm/ADT/StringRef.h"

namespace weft {

/// A unit attribute of modules whose products must give the same bits for a row
/// whatever the number of rows: a sum is then taken in one order, also where
/// there turns out to be a single row.
inline constexpr llvm::StringLiteral kOrderedAttr = "weft.ordered";

} // namespace weft

#endif // WEFT_DIALECT_WEFT_IR_MODULEATTRS_H
