//===- Elementwise.h - What all elementwise ops share ---------------------===//

#ifndef WEFT_LIB_DIALECT_WEFT_IR_ELEMENTWISE_H
#define WEFT_LIB_DIALECT_WEFT_IR_ELEMENTWISE_H

#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft::detail {

/// The result has the sizes of the operands.
mlir::LogicalResult reifyElementwise(mlir::Operation *op,
                                     mlir::OpBuilder &builder,
                                     mlir::ReifiedRankedShapedTypeDims &shapes);

/// Takes each operand's element at `indices` and builds the op's scalar code.
mlir::Value emitElementwise(ScalarOpInterface op, ElementEmitter &emitter,
                            mlir::ArrayRef<mlir::Value> indices);

/// Emits the gradient of each operand; null for those of integers.
mlir::LogicalResult
buildElementwiseGradient(mlir::Operation *op, mlir::OpBuilder &builder,
                         mlir::ValueRange resultGrads,
                         mlir::SmallVectorImpl<mlir::Value> &operandGrads);

/// One operation per element, or as many as a function takes.
double countElementwise(mlir::Operation *op, const OpShapes &shapes);

/// Every dimension may be split, that of all operands at once.
void getElementwiseSplits(mlir::Operation *op,
                          mlir::SmallVectorImpl<SplitDim> &dims);

/// A constant of `type`, a signless integer, a float, or a vector of either.
mlir::Value createConstant(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Type type, double value);
mlir::Value createIntConstant(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Type type, int64_t value);

/// Whether integers of `elementType` are compared and divided without sign.
bool isUnsigned(mlir::Type elementType);

/// `value`, a float, as one that hardware computes with: f32 for all floats of
/// fewer than 32 bits, unchanged otherwise. This loses nothing.
mlir::Value widenFloat(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value value);

/// Emits ONNX's Cast of one element: `from` and `to` are element types of
/// tensors, `value` is signless.
mlir::Value castElement(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value value, mlir::Type from, mlir::Type to,
                        bool saturate);

} // namespace weft::detail

#endif // WEFT_LIB_DIALECT_WEFT_IR_ELEMENTWISE_H
