//===- Totals.h - Numbers that whole tensors are reduced to ---------------===//

#ifndef WEFT_DIALECT_WEFT_IR_TOTALS_H
#define WEFT_DIALECT_WEFT_IR_TOTALS_H

#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft {

/// Whether all that `body` returns are numbers (tensors of rank 0) that it
/// computes from others and from reductions of whole tensors, of floats, in any
/// of at most `mostElements` elements, which in turn are computed element by
/// element from tensors of the same fixed shape and from numbers that are no
/// such reductions.
bool isTotals(mlir::Block &body, int64_t mostElements);

} // namespace weft

#endif // WEFT_DIALECT_WEFT_IR_TOTALS_H
