//===- Expr.cpp - Tensors as the terms of a formula -----------------------===//

#include "Expr.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static SmallVector<OpFoldResult> toSizes(Lowering &lower,
                                         ArrayRef<int64_t> shape) {
  return llvm::map_to_vector(shape,
                             [&](int64_t size) { return lower.index(size); });
}

Expr Expr::reshape(ArrayRef<int64_t> shape) const {
  return reshape(toSizes(*lower, shape));
}

Expr Expr::unsqueeze(ArrayRef<int64_t> axes) const {
  SmallVector<OpFoldResult> shape = sizes();
  for (int64_t axis : axes)
    shape.insert(shape.begin() + axis, lower->index(1));
  return reshape(shape);
}

Expr Expr::castSaturated(Type type) const {
  if (element() == type)
    return *this;
  return {*lower, lower->make<CastOp>(Lowering::typeOf(value).clone(type),
                                      value, /*saturate=*/true)};
}

Expr Expr::narrow(int64_t axis, OpFoldResult offset, OpFoldResult size) const {
  SmallVector<OpFoldResult> offsets(rank(), lower->index(0));
  SmallVector<OpFoldResult> strides(rank(), lower->index(1));
  SmallVector<OpFoldResult> shape = sizes();
  offsets[axis] = offset;
  shape[axis] = size;
  return {*lower, lower->slice(value, offsets, shape, strides)};
}

Expr Expr::at(int64_t axis, int64_t index) const {
  Expr part = narrow(axis, lower->index(index), lower->index(1));
  SmallVector<OpFoldResult> shape = sizes();
  shape.erase(shape.begin() + axis);
  return part.reshape(shape);
}

SmallVector<OpFoldResult> weft::commonShape(ArrayRef<Expr> terms) {
  int64_t rank = 0;
  for (Expr term : terms)
    rank = std::max(rank, term.rank());
  SmallVector<OpFoldResult> shape(rank, terms[0].getLowering().index(1));
  for (int64_t dim = 0; dim < rank; ++dim) {
    for (Expr term : terms) {
      int64_t own = dim - (rank - term.rank());
      if (own < 0)
        continue;
      OpFoldResult size = term.size(own);
      std::optional<int64_t> known = getConstantIntValue(size);
      if (known == 1)
        continue;
      if (known || isConstantIntValue(shape[dim], 1))
        shape[dim] = size;
      if (known)
        break;
    }
  }
  return shape;
}

SmallVector<Expr> weft::unify(ArrayRef<Expr> terms) {
  auto shapeOf = [](Expr term) { return Lowering::typeOf(term).getShape(); };
  if (llvm::all_of(terms, [&](Expr term) {
        return shapeOf(term) == shapeOf(terms.front());
      }))
    return SmallVector<Expr>(terms);
  SmallVector<OpFoldResult> shape = commonShape(terms);
  SmallVector<Expr> result;
  for (Expr term : terms)
    result.push_back(term.broadcast(shape));
  return result;
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

Expr weft::compareExpr(ComparePredicate predicate, Expr a, Expr b) {
  SmallVector<Expr> both = unify({a, b});
  Lowering &lower = a.getLowering();
  return {lower,
          lower.make<CompareOp>(predicate, Value(both[0]), Value(both[1]))};
}

Expr weft::select(Expr condition, Expr a, Expr b) {
  SmallVector<Expr> all = unify({condition, a, b});
  Lowering &lower = condition.getLowering();
  return {lower,
          lower.make<SelectOp>(Value(all[0]), Value(all[1]), Value(all[2]))};
}

Expr weft::contract(Expr lhs, Expr rhs, ArrayRef<int64_t> lhsBatch,
                    ArrayRef<int64_t> rhsBatch, ArrayRef<int64_t> lhsContract,
                    ArrayRef<int64_t> rhsContract, Type type) {
  Lowering &lower = lhs.getLowering();
  return {lower, lower.make<ContractOp>(Value(lhs), Value(rhs), lhsBatch,
                                        rhsBatch, lhsContract, rhsContract,
                                        type ? type : lhs.element())};
}

Expr weft::concat(ArrayRef<Expr> terms, int64_t axis) {
  Lowering &lower = terms[0].getLowering();
  SmallVector<Value> values(terms.begin(), terms.end());
  return {lower, lower.concat(values, axis)};
}

Expr weft::stackLast(ArrayRef<Expr> terms) {
  SmallVector<Expr> parts;
  for (Expr term : unify(terms))
    parts.push_back(term.unsqueeze({term.rank()}));
  return concat(parts, parts[0].rank() - 1);
}

Expr weft::iota(Lowering &lower, Type type, OpFoldResult size) {
  return {lower, lower.iota(type, {size}, 0)};
}

Expr weft::full(Lowering &lower, double value, Type type,
                ArrayRef<OpFoldResult> shape) {
  return Expr(lower, lower.splat(value, type)).broadcast(shape);
}

Expr weft::sizeTerm(Lowering &lower, OpFoldResult size, Type type) {
  return Expr(lower, lower.sizesTensor({size}))
      .reshape(ArrayRef<int64_t>())
      .cast(type);
}

OpFoldResult weft::sizeOf(Expr term) {
  Lowering &lower = term.getLowering();
  Expr scalar = term.cast(lower.b.getI64Type()).reshape(ArrayRef<int64_t>());
  return lower.indexValues(scalar).front();
}

template <typename T>
static Expr makeTable(Lowering &lower, ArrayRef<T> values, Type type,
                      ArrayRef<int64_t> shape) {
  HostTensor tensor(RankedTensorType::get(shape, type));
  for (auto [index, value] : llvm::enumerate(values)) {
    if constexpr (std::is_integral_v<T>)
      isa<IntegerType>(type) ? tensor.setInt(index, value)
                             : tensor.setFloat(index, double(value));
    else
      tensor.setFloat(index, value);
  }
  return {lower, lower.constant(tensor)};
}

Expr weft::table(Lowering &lower, ArrayRef<double> values, Type type,
                 ArrayRef<int64_t> shape) {
  return makeTable(lower, values, type, shape);
}

Expr weft::table(Lowering &lower, ArrayRef<int64_t> values, Type type,
                 ArrayRef<int64_t> shape) {
  return makeTable(lower, values, type, shape);
}

Expr weft::table(Lowering &lower, ArrayRef<float> values, Type type,
                 ArrayRef<int64_t> shape) {
  return makeTable(lower, values, type, shape);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

SmallVector<Expr>
weft::loop(Lowering &lower, OpFoldResult trips, ArrayRef<Expr> inits,
           function_ref<SmallVector<Expr>(Value, ArrayRef<Expr>)> step) {
  ImplicitLocOpBuilder &b = lower.b;
  SmallVector<Value> initial(inits.begin(), inits.end());
  Value zero = lower.sizeValue(lower.index(0));
  Value one = lower.sizeValue(lower.index(1));
  auto loop = scf::ForOp::create(b, zero, lower.sizeValue(trips), one, initial);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    SmallVector<Expr> carried;
    for (Value value : loop.getRegionIterArgs())
      carried.emplace_back(lower, value);
    SmallVector<Value> next;
    for (auto [value, init] :
         llvm::zip_equal(step(loop.getInductionVar(), carried), initial)) {
      Value result = value;
      if (result.getType() != init.getType())
        result = tensor::CastOp::create(b, init.getType(), result);
      next.push_back(result);
    }
    scf::YieldOp::create(b, next);
  }
  SmallVector<Expr> results;
  for (Value value : loop.getResults())
    results.emplace_back(lower, value);
  return results;
}

Type weft::declaredElement(onnx::Node node, unsigned result) {
  Type type = node.getOperation()->getResult(result).getType();
  return cast<TensorType>(type).getElementType();
}
