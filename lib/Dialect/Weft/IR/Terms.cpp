//===- Terms.cpp - The language that gradients are written in -------------===//

#include "weft/Dialect/Weft/IR/Terms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

bool weft::detail::isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

SmallVector<OpFoldResult> weft::detail::getSizesOf(ImplicitLocOpBuilder &b,
                                                   Value tensor) {
  return tensor::getMixedSizes(b, b.getLoc(), tensor);
}

SmallVector<Value> weft::detail::getSymbolicSizes(ImplicitLocOpBuilder &b,
                                                  Value tensor) {
  SmallVector<Value> sizes;
  auto type = cast<RankedTensorType>(tensor.getType());
  for (auto [dim, size] : llvm::enumerate(type.getShape()))
    if (ShapedType::isDynamic(size))
      sizes.push_back(tensor::DimOp::create(b, tensor, dim));
  return sizes;
}

Value weft::detail::makeNumber(ImplicitLocOpBuilder &b, Type elementType,
                               double constant) {
  HostTensor scalar(RankedTensorType::get({}, elementType));
  scalar.setFloat(0, constant);
  return ConstantOp::create(b, scalar.toAttr());
}

Value weft::detail::makeSplat(ImplicitLocOpBuilder &b,
                              ArrayRef<OpFoldResult> sizes, Type elementType,
                              double constant) {
  Value number = makeNumber(b, elementType, constant);
  if (sizes.empty())
    return number;
  SmallVector<Value> dynamic;
  SmallVector<int64_t> known;
  dispatchIndexOpFoldResults(sizes, dynamic, known);
  return BroadcastOp::create(b, RankedTensorType::get(known, elementType),
                             number, dynamic, ArrayRef<int64_t>());
}

Value weft::detail::makeSplat(ImplicitLocOpBuilder &b, Value like,
                              Type elementType, double constant) {
  return makeSplat(b, getSizesOf(b, like), elementType, constant);
}

Value weft::detail::makeSplat(ImplicitLocOpBuilder &b, Value like,
                              double constant) {
  return makeSplat(b, like, getElementTypeOrSelf(like.getType()), constant);
}

LogicalResult weft::detail::leaveOut(Operation *op,
                                     SmallVectorImpl<Value> &grads) {
  return finish(op, {}, grads);
}

LogicalResult weft::detail::finish(Operation *op, ArrayRef<Value> first,
                                   SmallVectorImpl<Value> &grads) {
  grads.append(first.begin(), first.end());
  grads.append(op->getNumOperands() - first.size(), Value());
  return success();
}

weft::detail::Term weft::detail::Term::number(double constant) const {
  return {b, makeSplat(*b, value, constant)};
}
