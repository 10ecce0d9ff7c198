//===- Terms.cpp - The language that gradients are written in -------------===//

#include "Terms.h"

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

Value weft::detail::makeSplat(ImplicitLocOpBuilder &b, Value like,
                              Type elementType, double constant) {
  HostTensor scalar(RankedTensorType::get({}, elementType));
  scalar.setFloat(0, constant);
  auto type = cast<RankedTensorType>(like.getType()).clone(elementType);
  Value number = ConstantOp::create(b, scalar.toAttr());
  if (type.getRank() == 0)
    return number;
  return BroadcastOp::create(b, type, number, getSymbolicSizes(b, like),
                             ArrayRef<int64_t>());
}

Value weft::detail::makeSplat(ImplicitLocOpBuilder &b, Value like,
                              double constant) {
  return makeSplat(b, like, getElementTypeOrSelf(like.getType()), constant);
}

weft::detail::Term weft::detail::Term::number(double constant) const {
  return {b, makeSplat(*b, value, constant)};
}
