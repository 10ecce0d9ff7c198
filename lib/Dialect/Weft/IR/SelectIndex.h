//===- SelectIndex.h - Indices that are data ------------------------------===//

#ifndef WEFT_LIB_DIALECT_WEFT_IR_SELECTINDEX_H
#define WEFT_LIB_DIALECT_WEFT_IR_SELECTINDEX_H

#include "weft/Interfaces/Emitter.h"

namespace weft {

/// An index read from a tensor: `index` is within bounds (unless there is
/// nothing to index), `inRange` (i1) says whether it is the one that was read.
struct CheckedIndex {
  mlir::Value index, inRange;
};

/// Turns an i32 or i64 element into an index into a dimension of `size`.
/// Negative ones count from the end. One out of range is reported for `op` and
/// replaced by zero.
CheckedIndex emitCheckedIndex(ElementEmitter &emitter, mlir::Operation *op,
                              mlir::Value raw, mlir::Value size);

} // namespace weft

#endif // WEFT_LIB_DIALECT_WEFT_IR_SELECTINDEX_H
