//===- Loops.cpp - Loops over tensors and the types that they carry -------===//

#include "Loops.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace weft {

RankedTensorType joinTypes(Type lhs, Type rhs) {
  auto a = dyn_cast<RankedTensorType>(lhs);
  auto b = dyn_cast<RankedTensorType>(rhs);
  if (!a || !b || a.getElementType() != b.getElementType() ||
      a.getRank() != b.getRank())
    return {};
  SmallVector<int64_t> shape;
  for (auto [i, j] : llvm::zip_equal(a.getShape(), b.getShape()))
    shape.push_back(i == j ? i : ShapedType::kDynamic);
  return RankedTensorType::get(shape, a.getElementType());
}

Value castTo(Lowering &lower, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (auto cast = value.getDefiningOp<tensor::CastOp>())
    if (cast.getSource().getType() == type)
      return cast.getSource();
  return tensor::CastOp::create(lower.b, type, value);
}

Value updateSlice(Lowering &lower, Value source, Value dest,
                  ArrayRef<OpFoldResult> offsets) {
  SmallVector<Value> dynamic;
  SmallVector<int64_t> fixed;
  dispatchIndexOpFoldResults(offsets, dynamic, fixed);
  return lower.make<UpdateSliceOp>(source, dest, dynamic, fixed);
}

Value extractScalar(Lowering &lower, Value tensor) {
  Value zero = lower.sizeValue(lower.index(0));
  SmallVector<Value> indices(Lowering::rankOf(tensor), zero);
  return lower.b.createOrFold<tensor::ExtractOp>(tensor, indices);
}

Value indexTensor(Lowering &lower, OpFoldResult iteration, Type elementType) {
  Value tensor = lower.reshape(lower.sizesTensor({iteration}), {});
  return lower.cast(tensor, elementType);
}

Value zeros(Lowering &lower, Type elementType, ArrayRef<OpFoldResult> shape) {
  return lower.broadcastTo(lower.splat(0.0, elementType), shape);
}

Value withSizes(Lowering &lower, Value value, ArrayRef<OpFoldResult> shape) {
  if (llvm::equal(lower.sizes(value), shape))
    return lower.retype(
        value, Lowering::tensorType(shape, Lowering::elementOf(value)));
  // As a reshape it would fold to the value, whose sizes are not known.
  SmallVector<Value> dynamic;
  SmallVector<int64_t> fixed;
  dispatchIndexOpFoldResults(shape, dynamic, fixed);
  auto type = RankedTensorType::get(fixed, Lowering::elementOf(value));
  return ReshapeOp::create(lower.b, type, value, dynamic);
}

SmallVector<Value> emitFor(Lowering &lower, OpFoldResult trips,
                           ArrayRef<Value> inits, LoopStep step) {
  auto stepKeepingTypes = [&](OpFoldResult iteration, ValueRange carried) {
    SmallVector<Value> next = step(iteration, carried);
    for (auto [value, init] : llvm::zip_equal(next, inits))
      value = castTo(lower, value, init.getType());
    return next;
  };
  std::optional<int64_t> known = getConstantIntValue(trips);
  if (known && *known == 0)
    return SmallVector<Value>(inits);
  if (known && *known == 1)
    return stepKeepingTypes(lower.index(0), inits);

  ImplicitLocOpBuilder &b = lower.b;
  Value zero = lower.sizeValue(lower.index(0));
  Value one = lower.sizeValue(lower.index(1));
  auto loop = scf::ForOp::create(b, zero, lower.sizeValue(trips), one, inits);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(loop.getBody());
    SmallVector<Value> next =
        stepKeepingTypes(loop.getInductionVar(), loop.getRegionIterArgs());
    scf::YieldOp::create(b, next);
  }
  SmallVector<Value> results;
  for (auto [result, init] : llvm::zip_equal(loop.getResults(), inits))
    results.push_back(withSizes(lower, result, lower.sizes(init)));
  return results;
}

Value cloneForFirstIteration(Lowering &lower, Value value, Block *body,
                             IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!op || !body->findAncestorOpInBlock(*op))
    return value;
  SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  for (Value operand : op->getOperands())
    captured.insert(operand);
  for (Value operand : captured)
    cloneForFirstIteration(lower, operand, body, mapping);
  lower.b.clone(*op, mapping);
  return mapping.lookup(value);
}

} // namespace weft
