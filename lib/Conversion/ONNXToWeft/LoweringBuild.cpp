//===- LoweringBuild.cpp - Ops that most lowerings are built from ---------===//

#include "Lowering.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

RankedTensorType Lowering::tensorType(ArrayRef<OpFoldResult> shape,
                                      Type elementType) {
  SmallVector<int64_t> sizes;
  for (OpFoldResult size : shape)
    sizes.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(sizes, elementType);
}

/// The symbolic sizes of `shape`, in order.
static SmallVector<Value> dynamicSizes(ArrayRef<OpFoldResult> shape) {
  SmallVector<Value> sizes;
  for (OpFoldResult size : shape)
    if (!getConstantIntValue(size))
      sizes.push_back(cast<Value>(size));
  return sizes;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Value Lowering::splat(double value, Type elementType, ArrayRef<int64_t> shape) {
  HostTensor tensor(RankedTensorType::get({}, elementType));
  if (isa<IntegerType>(elementType))
    tensor.setInt(0, int64_t(value));
  else
    tensor.setFloat(0, value);
  auto element = tensor.toAttr().getSplatValue<Attribute>();
  return ConstantOp::create(
      b, DenseElementsAttr::get(RankedTensorType::get(shape, elementType),
                                element));
}

Value Lowering::ints(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get({int64_t(values.size())}, b.getI64Type());
  return ConstantOp::create(b, DenseElementsAttr::get(type, values));
}

Value Lowering::splatLike(double value, Value like) {
  return broadcastTo(splat(value, elementOf(like)), sizes(like));
}

//===----------------------------------------------------------------------===//
// Elementwise and shape
//===----------------------------------------------------------------------===//

Value Lowering::cast(Value value, Type elementType) {
  RankedTensorType type = typeOf(value);
  if (type.getElementType() == elementType)
    return value;
  return make<CastOp>(type.clone(elementType), value, /*saturate=*/false);
}

Value Lowering::retype(Value value, RankedTensorType type) {
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(b, type, value);
}

Value Lowering::reshape(Value value, ArrayRef<OpFoldResult> shape) {
  if (auto previous = value.getDefiningOp<ReshapeOp>())
    value = previous.getInput();
  RankedTensorType type = tensorType(shape, elementOf(value));
  if (llvm::equal(sizes(value), shape))
    return retype(value, type);
  return make<ReshapeOp>(type, value, dynamicSizes(shape));
}

Value Lowering::transpose(Value value, ArrayRef<int64_t> permutation) {
  if (llvm::equal(permutation, llvm::seq<int64_t>(0, permutation.size())))
    return value;
  return make<TransposeOp>(value, permutation);
}

Value Lowering::broadcastInDims(Value value, ArrayRef<OpFoldResult> shape,
                                ArrayRef<int64_t> dims) {
  RankedTensorType type = tensorType(shape, elementOf(value));
  if (rankOf(value) == int64_t(shape.size()) &&
      llvm::equal(sizes(value), shape))
    return retype(value, type);
  return make<BroadcastOp>(type, value, dynamicSizes(shape), dims);
}

Value Lowering::broadcastTo(Value value, ArrayRef<OpFoldResult> shape) {
  int64_t rank = rankOf(value);
  int64_t first = int64_t(shape.size()) - rank;
  return broadcastInDims(
      value, shape, llvm::to_vector(llvm::seq<int64_t>(first, first + rank)));
}

FailureOr<SmallVector<OpFoldResult>>
Lowering::commonShape(onnx::Node node, ArrayRef<Value> values) {
  int64_t rank = 0;
  for (Value value : values)
    rank = std::max(rank, rankOf(value));
  SmallVector<OpFoldResult> shape(rank, index(1));
  for (Value value : values) {
    int64_t first = rank - rankOf(value);
    for (auto [dim, size] : llvm::enumerate(sizes(value))) {
      OpFoldResult &common = shape[first + dim];
      std::optional<int64_t> left = getConstantIntValue(common);
      std::optional<int64_t> right = getConstantIntValue(size);
      if (left && right && *left != *right && *left != 1 && *right != 1) {
        (void)fail(node, "sizes " + Twine(*left) + " and " + Twine(*right) +
                             " of dimension " + Twine(first + dim) +
                             " do not broadcast");
        return failure();
      }
      common = broadcastSizes(common, size);
    }
  }
  return shape;
}

FailureOr<SmallVector<Value>> Lowering::broadcast(onnx::Node node,
                                                  ArrayRef<Value> values) {
  FailureOr<SmallVector<OpFoldResult>> shape = commonShape(node, values);
  if (failed(shape))
    return failure();
  return llvm::map_to_vector(
      values, [&](Value value) { return broadcastTo(value, *shape); });
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

Value Lowering::slice(Value value, ArrayRef<OpFoldResult> offsets,
                      ArrayRef<OpFoldResult> sizes,
                      ArrayRef<OpFoldResult> strides) {
  bool isWhole = llvm::equal(this->sizes(value), sizes);
  for (auto [offset, stride] : llvm::zip_equal(offsets, strides))
    isWhole &=
        getConstantIntValue(offset) == 0 && getConstantIntValue(stride) == 1;
  if (isWhole)
    return retype(value, tensorType(sizes, elementOf(value)));
  return make<SliceOp>(value, offsets, sizes, strides);
}

Value Lowering::sliceAxis(Value value, int64_t axis, OpFoldResult offset,
                          OpFoldResult size) {
  SmallVector<OpFoldResult> offsets(rankOf(value), index(0));
  SmallVector<OpFoldResult> strides(rankOf(value), index(1));
  SmallVector<OpFoldResult> sizes = this->sizes(value);
  offsets[axis] = offset;
  sizes[axis] = size;
  return slice(value, offsets, sizes, strides);
}

Value Lowering::concat(ArrayRef<Value> values, int64_t axis) {
  SmallVector<Value> parts;
  for (Value value : values)
    if (typeOf(value).getDimSize(axis) != 0)
      parts.push_back(value);
  if (parts.empty())
    return values.front();
  if (parts.size() == 1)
    return parts.front();
  // Sizes that only some of the parts know statically hold for all.
  SmallVector<int64_t> known(typeOf(parts.front()).getShape());
  for (Value part : parts)
    for (auto [dim, size] : llvm::enumerate(typeOf(part).getShape()))
      if (!ShapedType::isDynamic(size))
        known[dim] = size;
  for (Value &part : parts) {
    SmallVector<int64_t> shape = known;
    shape[axis] = typeOf(part).getDimSize(axis);
    part = retype(part, typeOf(part).clone(shape));
  }
  return make<ConcatOp>(ValueRange(parts), axis);
}

Value Lowering::pad(Value value, Value padding, ArrayRef<OpFoldResult> low,
                    ArrayRef<OpFoldResult> high) {
  auto isZero = [](OpFoldResult size) {
    return getConstantIntValue(size) == 0;
  };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return value;
  return make<PadOp>(value, padding, low, high);
}

Value Lowering::iota(Type elementType, ArrayRef<OpFoldResult> shape,
                     int64_t axis) {
  return make<IotaOp>(tensorType(shape, elementType), dynamicSizes(shape),
                      uint64_t(axis));
}

//===----------------------------------------------------------------------===//
// Reductions and contractions
//===----------------------------------------------------------------------===//

Value Lowering::reduce(ReduceKind kind, Value value, ArrayRef<int64_t> axes,
                       bool keepDims) {
  if (axes.empty())
    return value;
  SmallVector<int64_t> sorted(axes);
  llvm::sort(sorted);
  Value reduced = make<ReduceOp>(kind, value, ArrayRef(sorted));
  if (!keepDims)
    return reduced;
  SmallVector<OpFoldResult> shape = sizes(value);
  for (int64_t axis : sorted)
    shape[axis] = index(1);
  return reshape(reduced, shape);
}

Value Lowering::matmul(Value lhs, Value rhs, Type elementType) {
  int64_t lhsRank = rankOf(lhs), rhsRank = rankOf(rhs);
  // One right-hand matrix for all batches makes one large contraction.
  if (rhsRank == 2)
    return make<ContractOp>(lhs, rhs, ArrayRef<int64_t>(), ArrayRef<int64_t>(),
                            ArrayRef<int64_t>({lhsRank - 1}),
                            ArrayRef<int64_t>({0}), elementType);
  int64_t batches = std::max(lhsRank, rhsRank) - 2;
  SmallVector<OpFoldResult> batch(batches, index(1));
  for (Value side : {lhs, rhs})
    for (int64_t i = 0, n = rankOf(side) - 2; i < n; ++i)
      batch[batches - n + i] =
          broadcastSizes(batch[batches - n + i], size(side, i));
  auto spread = [&](Value side) {
    SmallVector<OpFoldResult> shape = batch;
    shape.push_back(size(side, rankOf(side) - 2));
    shape.push_back(size(side, rankOf(side) - 1));
    return broadcastTo(side, shape);
  };
  auto dims = llvm::to_vector(llvm::seq<int64_t>(0, batches));
  return make<ContractOp>(spread(lhs), spread(rhs), ArrayRef<int64_t>(dims),
                          ArrayRef<int64_t>(dims),
                          ArrayRef<int64_t>({batches + 1}),
                          ArrayRef<int64_t>({batches}), elementType);
}

//===----------------------------------------------------------------------===//
// Choices at run time
//===----------------------------------------------------------------------===//

Value Lowering::choose(Value condition, function_ref<Value()> yes,
                       function_ref<Value()> no) {
  auto ifOp = scf::IfOp::create(b, TypeRange(), condition, /*else=*/true);
  auto fill = [&](Block *block, function_ref<Value()> side) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(block);
    if (block->mightHaveTerminator())
      b.setInsertionPoint(block->getTerminator());
    Value value = side();
    if (block->mightHaveTerminator())
      block->getTerminator()->erase();
    b.setInsertionPointToEnd(block);
    scf::YieldOp::create(b, value);
    return value.getType();
  };
  Type type = fill(ifOp.thenBlock(), yes);
  fill(ifOp.elseBlock(), no);
  // The type of the result is known only now.
  auto typed = scf::IfOp::create(b, type, condition);
  typed.getThenRegion().takeBody(ifOp.getThenRegion());
  typed.getElseRegion().takeBody(ifOp.getElseRegion());
  ifOp.erase();
  return typed.getResult(0);
}

Value Lowering::equalsAxis(OpFoldResult given, int64_t axis, int64_t rank) {
  auto equals = [&](int64_t place) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, sizeValue(given),
                                 sizeValue(index(place)));
  };
  return arith::OrIOp::create(b, equals(axis), equals(axis - rank));
}
