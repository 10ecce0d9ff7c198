//===- Order.h - Which element comes first --------------------------------===//

#ifndef WEFT_DIALECT_WEFT_IR_ORDER_H
#define WEFT_DIALECT_WEFT_IR_ORDER_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft {

/// Whether one element of the input of `op` goes before another in its result.
/// The order is total, since elements that are equal follow their indices,
/// which are integers of one type.
mlir::Value emitIsBefore(mlir::ImplicitLocOpBuilder &b, TopKOp op,
                         mlir::Value lhs, mlir::Value lhsIndex, mlir::Value rhs,
                         mlir::Value rhsIndex);

} // namespace weft

#endif // WEFT_DIALECT_WEFT_IR_ORDER_H
