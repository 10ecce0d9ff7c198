//===- Elementwise.cpp - Shapes and checks of elementwise ops -------------===//

#include "Elementwise.h"

using namespace mlir;
using namespace weft;

LogicalResult
weft::detail::reifyElementwise(Operation *op, OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<OpFoldResult> sizes;
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size))
      sizes.push_back(builder.getIndexAttr(size));
    else
      sizes.push_back(
          tensor::DimOp::create(builder, op->getLoc(), op->getOperand(0), dim)
              .getResult());
  }
  shapes.push_back(std::move(sizes));
  return success();
}

Value weft::detail::emitElementwise(ScalarOpInterface op,
                                    ElementEmitter &emitter,
                                    ArrayRef<Value> indices) {
  SmallVector<Value> elements;
  for (Value operand : op->getOperands())
    elements.push_back(emitter.element(operand, indices));
  ImplicitLocOpBuilder &builder = emitter.builder();
  return op.buildScalar(builder, builder.getLoc(), elements);
}

/// The type of a comparison's or test's result for operands like `input`.
static Type getBoolTensor(Value input) {
  auto type = cast<RankedTensorType>(input.getType());
  return type.clone(IntegerType::get(type.getContext(), 1));
}

LogicalResult CompareOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location>,
                                          ValueRange operands, DictionaryAttr,
                                          OpaqueProperties, RegionRange,
                                          SmallVectorImpl<Type> &types) {
  types.push_back(getBoolTensor(operands.front()));
  return success();
}

LogicalResult IsNanOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                        ValueRange operands, DictionaryAttr,
                                        OpaqueProperties, RegionRange,
                                        SmallVectorImpl<Type> &types) {
  types.push_back(getBoolTensor(operands.front()));
  return success();
}

LogicalResult BitcastOp::verify() {
  Type from = getInput().getType().getElementType();
  Type to = getResult().getType().getElementType();
  if (from.getIntOrFloatBitWidth() != to.getIntOrFloatBitWidth())
    return emitOpError("reads elements of type ")
           << from << " as " << to << ", which differ in width";
  return success();
}
