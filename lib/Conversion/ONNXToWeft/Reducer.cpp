//===- Reducer.cpp - Reduction along axes, known now or at run time -------===//

#include "Reducer.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

FailureOr<Reducer> Reducer::create(Lowering &lower, onnx::Node node,
                                   Value input) {
  Reducer reducer(lower);
  int64_t rank = Lowering::rankOf(input);
  Value operand = lower.operand(node, 1);
  if (operand && !Lowering::typeOf(operand).hasStaticShape()) {
    (void)lower.unsupported(node, "the number of axes is not known");
    return failure();
  }
  std::optional<SmallVector<int64_t>> list =
      operand ? lower.constantInts(operand) : SmallVector<int64_t>();
  // Bodies of functions come at older opsets, where the axes are an attribute.
  if (!operand && node.hasAttr("axes"))
    list = node.getInts("axes");
  if (!list) {
    SmallVector<OpFoldResult> given = lower.indexValues(operand);
    for (int64_t dim = 0; dim < rank; ++dim) {
      Value flag;
      for (OpFoldResult axis : given) {
        Value isAxis = lower.equalsAxis(axis, dim, rank);
        flag = flag ? arith::OrIOp::create(lower.b, flag, isAxis) : isAxis;
      }
      reducer.flags.push_back(flag);
    }
    reducer.numFlagged = given.size();
    return reducer;
  }
  for (int64_t given : *list) {
    FailureOr<int64_t> axis = lower.axis(node, given, rank);
    if (failed(axis))
      return failure();
    if (!llvm::is_contained(reducer.axes, *axis))
      reducer.axes.push_back(*axis);
  }
  if (list->empty() && !node.getInt("noop_with_empty_axes", 0))
    reducer.axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  llvm::sort(reducer.axes);
  return reducer;
}

Value Reducer::reduce(ReduceKind kind, Value x) {
  if (flags.empty())
    return lower->reduce(kind, x, axes, /*keepDims=*/true);
  for (auto [dim, flag] : llvm::enumerate(flags)) {
    SmallVector<int64_t> shape(Lowering::typeOf(x).getShape());
    if (shape[dim] != 1)
      shape[dim] = ShapedType::kDynamic;
    RankedTensorType type = Lowering::typeOf(x).clone(shape);
    Value before = x;
    x = lower->choose(
        flag,
        [&, dim = int64_t(dim)] {
          return lower->retype(lower->reduce(kind, before, {dim}, true), type);
        },
        [&] { return lower->retype(before, type); });
  }
  return x;
}

Value Reducer::count(Value x, Type elementType) {
  OpFoldResult count = lower->index(1);
  for (int64_t axis : axes)
    count = lower->mulSizes(count, lower->size(x, axis));
  for (auto [dim, flag] : llvm::enumerate(flags)) {
    Value size = arith::SelectOp::create(lower->b, flag,
                                         lower->sizeValue(lower->size(x, dim)),
                                         lower->sizeValue(lower->index(1)));
    count = lower->mulSizes(count, size);
  }
  return lower->cast(lower->sizeTensor(count), elementType);
}

Value Reducer::squeeze(Value x) {
  SmallVector<OpFoldResult> sizes = lower->sizes(x), shape;
  if (flags.empty()) {
    for (auto [dim, size] : llvm::enumerate(sizes))
      if (!llvm::is_contained(axes, int64_t(dim)))
        shape.push_back(size);
    return lower->reshape(x, shape);
  }
  // Size number i of the result is that of the i-th dimension which stays.
  shape.assign(std::max<int64_t>(sizes.size() - numFlagged, 0),
               lower->index(0));
  OpFoldResult kept = lower->index(0);
  for (auto [dim, flag] : llvm::enumerate(flags)) {
    Value zero = lower->sizeValue(lower->index(0));
    Value size = arith::SelectOp::create(lower->b, flag, zero,
                                         lower->sizeValue(sizes[dim]));
    for (auto [i, total] : llvm::enumerate(shape))
      total = lower->selectSize(arith::CmpIPredicate::eq, kept, lower->index(i),
                                lower->addSizes(total, size), total);
    Value step = arith::SelectOp::create(lower->b, flag, zero,
                                         lower->sizeValue(lower->index(1)));
    kept = lower->addSizes(kept, step);
  }
  return lower->reshape(x, shape);
}
