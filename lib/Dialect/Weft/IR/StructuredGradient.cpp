//===- StructuredGradient.cpp - What gradients of structured ops share ----===//

#include "StructuredGradient.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

Value weft::convertElements(ImplicitLocOpBuilder &b, Value value, Value like) {
  auto type = cast<RankedTensorType>(value.getType());
  Type elementType = getElementTypeOrSelf(like.getType());
  if (type.getElementType() == elementType)
    return value;
  return CastOp::create(b, type.clone(elementType), value, /*saturate=*/false);
}

Value weft::fitType(ImplicitLocOpBuilder &b, Value value, Value like) {
  if (value.getType() == like.getType())
    return value;
  return tensor::CastOp::create(b, like.getType(), value);
}

OpFoldResult weft::multiplySizes(ImplicitLocOpBuilder &b, OpFoldResult lhs,
                                 OpFoldResult rhs) {
  std::optional<int64_t> left = getConstantIntValue(lhs);
  std::optional<int64_t> right = getConstantIntValue(rhs);
  if (left && right)
    return b.getIndexAttr(*left * *right);
  if (left == 1)
    return rhs;
  if (right == 1)
    return lhs;
  auto value = [&](OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(b, b.getLoc(), size);
  };
  return arith::MulIOp::create(b, value(lhs), value(rhs)).getResult();
}

OpFoldResult weft::divideSize(ImplicitLocOpBuilder &b, OpFoldResult size,
                              int64_t divisor) {
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return b.getIndexAttr(*known / divisor);
  return arith::DivUIOp::create(b, cast<Value>(size),
                                arith::ConstantIndexOp::create(b, divisor))
      .getResult();
}

Value weft::reshapeTo(ImplicitLocOpBuilder &b, Value value,
                      ArrayRef<OpFoldResult> sizes) {
  SmallVector<Value> dynamic;
  SmallVector<int64_t> shape;
  dispatchIndexOpFoldResults(sizes, dynamic, shape);
  auto type = cast<RankedTensorType>(value.getType());
  return ReshapeOp::create(b, type.clone(shape), value, dynamic);
}

Value weft::makeZeros(ImplicitLocOpBuilder &b, Type elementType,
                      ArrayRef<OpFoldResult> sizes) {
  SmallVector<Value> dynamic;
  SmallVector<int64_t> shape;
  dispatchIndexOpFoldResults(sizes, dynamic, shape);
  Value zero = ConstantOp::create(
      b, HostTensor(RankedTensorType::get({}, elementType)).toAttr());
  return BroadcastOp::create(b, RankedTensorType::get(shape, elementType), zero,
                             dynamic, ArrayRef<int64_t>());
}
