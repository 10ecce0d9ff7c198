//===- Tangent.cpp - The arithmetic of gradients in the tensor language ---===//

#include "Tangent.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Dialect/Weft/IR/Terms.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Interfaces/Tangent.h"

using namespace mlir;
using namespace weft;

namespace {
/// A history `[entries, sizes...]` is written and read an entry at a time.
class WeftTangent : public TangentInterface {
public:
  explicit WeftTangent(Dialect *dialect) : TangentInterface(dialect) {}

  Value createZero(OpBuilder &builder, Location loc, Value like) const override;
  Value createSum(OpBuilder &builder, Location loc, Value lhs,
                  Value rhs) const override {
    return AddOp::create(builder, loc, lhs, rhs);
  }
  Value createStore(OpBuilder &builder, Location loc, Value value,
                    Value history, Value index) const override;
  Value createLoad(OpBuilder &builder, Location loc, RankedTensorType type,
                   Value history, Value index) const override;
};
} // namespace

/// The `?` sizes of a tensor, from dimension `first` on.
static SmallVector<Value> getDynamicSizes(ImplicitLocOpBuilder &b, Value value,
                                          int64_t first) {
  SmallVector<Value> sizes;
  auto type = cast<RankedTensorType>(value.getType());
  for (int64_t dim : llvm::seq(first, type.getRank()))
    if (type.isDynamicDim(dim))
      sizes.push_back(tensor::DimOp::create(b, value, dim));
  return sizes;
}

Value WeftTangent::createZero(OpBuilder &builder, Location loc,
                              Value like) const {
  ImplicitLocOpBuilder b(loc, builder);
  return weft::detail::makeSplat(b, like, 0);
}

/// The place of an entry: `index` and zeros.
static SmallVector<int64_t> getOffsets(Value history) {
  SmallVector<int64_t> offsets(
      cast<RankedTensorType>(history.getType()).getRank(), 0);
  offsets[0] = ShapedType::kDynamic;
  return offsets;
}

Value WeftTangent::createStore(OpBuilder &builder, Location loc, Value value,
                               Value history, Value index) const {
  ImplicitLocOpBuilder b(loc, builder);
  auto historyType = cast<RankedTensorType>(history.getType());
  SmallVector<int64_t> shape(historyType.getShape());
  shape[0] = 1;
  std::string place;
  llvm::raw_string_ostream(place) << loc;
  for (int64_t dim : llvm::seq<int64_t>(1, historyType.getRank())) {
    if (ShapedType::isStatic(shape[dim]))
      continue;
    Value wanted = tensor::DimOp::create(b, history, dim);
    Value found = tensor::DimOp::create(b, value, dim - 1);
    RequireSizesOp::create(b, SizeRelation::equal, found, wanted, place);
  }
  Value entry = ReshapeOp::create(
      b, RankedTensorType::get(shape, historyType.getElementType()), value,
      getDynamicSizes(b, history, 1));
  return UpdateSliceOp::create(b, historyType, entry, history, index,
                               getOffsets(history));
}

Value WeftTangent::createLoad(OpBuilder &builder, Location loc,
                              RankedTensorType type, Value history,
                              Value index) const {
  ImplicitLocOpBuilder b(loc, builder);
  int64_t rank = type.getRank() + 1;
  SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(rank, b.getIndexAttr(1));
  offsets[0] = index;
  SmallVector<OpFoldResult> sizes = {b.getIndexAttr(1)};
  SmallVector<Value> dynamic;
  auto historyType = cast<RankedTensorType>(history.getType());
  for (int64_t dim : llvm::seq<int64_t>(1, rank)) {
    if (!historyType.isDynamicDim(dim)) {
      sizes.push_back(b.getIndexAttr(historyType.getDimSize(dim)));
      continue;
    }
    Value size = tensor::DimOp::create(b, history, dim);
    sizes.push_back(size);
    if (type.isDynamicDim(dim - 1))
      dynamic.push_back(size);
  }
  Value entry = SliceOp::create(b, history, offsets, sizes, strides);
  return ReshapeOp::create(b, type, entry, dynamic);
}

void weft::detail::addTangentInterface(WeftDialect &dialect) {
  dialect.addInterfaces<WeftTangent>();
}
