//===- Reduction.h - How elements are combined ----------------------------===//

#ifndef WEFT_DIALECT_WEFT_IR_REDUCTION_H
#define WEFT_DIALECT_WEFT_IR_REDUCTION_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft {

/// Whether elements of `type` compare and widen as unsigned numbers; i1 does.
bool isUnsignedElement(mlir::Type type);

/// The signless type in which elements of `type` are accumulated.
mlir::Type getAccumulatorType(mlir::Type type);

/// The value, in the accumulator's type, that leaves the other one as it is.
mlir::TypedAttr getIdentity(ReduceKind kind, mlir::Type elementType);
mlir::Value emitIdentity(mlir::ImplicitLocOpBuilder &b, ReduceKind kind,
                         mlir::Type elementType);

/// Combines two values of the accumulator type of `elementType`, or vectors of
/// such.
mlir::Value emitCombine(
    mlir::ImplicitLocOpBuilder &b, ReduceKind kind, mlir::Type elementType,
    mlir::Value lhs, mlir::Value rhs,
    mlir::arith::FastMathFlags flags = mlir::arith::FastMathFlags::none);

/// Whether `lhs` comes before `rhs` in rising or falling order. With
/// `nanFirst`, NaN comes before all else, otherwise after.
mlir::Value emitIsBefore(mlir::ImplicitLocOpBuilder &b, mlir::Type elementType,
                         bool falling, bool nanFirst, mlir::Value lhs,
                         mlir::Value rhs);

} // namespace weft

#endif // WEFT_DIALECT_WEFT_IR_REDUCTION_H
