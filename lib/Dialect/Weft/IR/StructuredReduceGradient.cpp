//===- StructuredReduceGradient.cpp - Gradients of reductions -------------===//
//
// With x the operand, y the result and g its gradient. Rows are what is
// reduced; what there is one of for each row is spread over it again by a
// broadcast, as the kernels of rows want it.
//
//===----------------------------------------------------------------------===//

#include "StructuredGradient.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

// One element per row becomes one per element of `like`.
static Term spread(Term rows, Value like, ArrayRef<int64_t> axes) {
  auto type = cast<RankedTensorType>(like.getType());
  SmallVector<int64_t> kept;
  for (int64_t dim : llvm::seq(type.getRank()))
    if (!llvm::is_contained(axes, dim))
      kept.push_back(dim);
  Type elementType = getElementTypeOrSelf(rows.value.getType());
  return {rows.b,
          BroadcastOp::create(*rows.b, type.clone(elementType), rows.value,
                              getSymbolicSizes(*rows.b, like), kept)};
}

static Term reduce(ReduceKind kind, Term x, ArrayRef<int64_t> axes) {
  return {x.b, ReduceOp::create(*x.b, kind, x.value, axes)};
}

static Term convert(Term x, Type elementType) {
  auto type = cast<RankedTensorType>(x.value.getType()).clone(elementType);
  if (type == x.value.getType())
    return x;
  return {x.b, CastOp::create(*x.b, type, x.value, /*saturate=*/false)};
}

// The mean along `axes`, one per row.
static Term mean(Term x, ArrayRef<int64_t> axes) {
  Term sum = reduce(ReduceKind::sum, x, axes);
  OpFoldResult count = x.b->getIndexAttr(1);
  SmallVector<OpFoldResult> sizes = getSizesOf(*x.b, x.value);
  for (int64_t axis : axes)
    count = multiplySizes(*x.b, count, sizes[axis]);
  if (std::optional<int64_t> known = getConstantIntValue(count))
    return sum / sum.number(static_cast<double>(*known));
  ImplicitLocOpBuilder &b = *x.b;
  Value whole =
      arith::IndexCastOp::create(b, b.getI64Type(), cast<Value>(count));
  Value scalar = tensor::FromElementsOp::create(
      b, RankedTensorType::get({}, b.getI64Type()), whole);
  Term divisor =
      convert({x.b, scalar}, getElementTypeOrSelf(x.value.getType()));
  SmallVector<int64_t> all = llvm::to_vector(
      llvm::seq(cast<RankedTensorType>(sum.value.getType()).getRank()));
  return sum / spread(divisor, sum.value, all);
}

//===----------------------------------------------------------------------===//
// reduce
//===----------------------------------------------------------------------===//

// The product of a row's elements but one, for each of them: those before it
// times those after it, so that nothing is divided by an element, which may be
// zero. Several axes are laid one after the other first.
static Term productOfOthers(Term x, ArrayRef<int64_t> axes) {
  ImplicitLocOpBuilder &b = *x.b;
  auto scan = [&](Value input, int64_t axis, bool isReverse) -> Term {
    return {x.b,
            CumulativeOp::create(b, input.getType(), ReduceKind::prod, input,
                                 axis, /*exclusive=*/true, isReverse)};
  };
  auto others = [&](Value input, int64_t axis) {
    return scan(input, axis, false) * scan(input, axis, true);
  };
  if (axes.size() == 1)
    return others(x.value, axes[0]);
  SmallVector<int64_t> permutation;
  SmallVector<OpFoldResult> sizes = getSizesOf(b, x.value), split, joined;
  for (int64_t dim : llvm::seq<int64_t>(sizes.size()))
    if (!llvm::is_contained(axes, dim)) {
      permutation.push_back(dim);
      joined.push_back(sizes[dim]);
    }
  OpFoldResult length = b.getIndexAttr(1);
  for (int64_t axis : axes) {
    permutation.push_back(axis);
    length = multiplySizes(b, length, sizes[axis]);
  }
  joined.push_back(length);
  SmallVector<int64_t> back(permutation.size());
  for (auto [position, dim] : llvm::enumerate(permutation)) {
    back[dim] = position;
    split.push_back(sizes[dim]);
  }
  Value rows =
      reshapeTo(b, TransposeOp::create(b, x.value, permutation), joined);
  Term product = others(rows, joined.size() - 1);
  return {x.b,
          TransposeOp::create(b, reshapeTo(b, product.value, split), back)};
}

// All that are equal to the extreme one have the same part in it.
static Term shareOfExtreme(Term x, Term y, Term g, ArrayRef<int64_t> axes) {
  Term isExtreme = compare(ComparePredicate::eq, x, spread(y, x.value, axes));
  Type type = getElementTypeOrSelf(x.value.getType());
  // Halves cannot count far.
  Term one{x.b, makeSplat(*x.b, x.value, getAccumulatorType(type), 1)};
  Term count =
      reduce(ReduceKind::sum, choose(isExtreme, one, one.number(0)), axes);
  Term share = convert(
      convert(g, getElementTypeOrSelf(count.value.getType())) / count, type);
  return choose(isExtreme, spread(share, x.value, axes), x.number(0));
}

LogicalResult ReduceOp::buildGradient(OpBuilder &builder,
                                      ValueRange resultGrads,
                                      SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getInput())) {
    operandGrads.push_back(Value());
    return success();
  }
  ImplicitLocOpBuilder b(getLoc(), builder);
  Term x{&b, getInput()}, y{&b, getResult()}, g{&b, resultGrads.front()};
  Term result = g;
  switch (getKind()) {
  case ReduceKind::sum:
    result = spread(g, getInput(), getAxes());
    break;
  case ReduceKind::prod:
    result = spread(g, getInput(), getAxes());
    if (!getAxes().empty())
      result = result * productOfOthers(x, getAxes());
    break;
  case ReduceKind::max:
  case ReduceKind::min:
    result = shareOfExtreme(x, y, g, getAxes());
    break;
  case ReduceKind::all:
  case ReduceKind::any:
    llvm_unreachable("the verifier lets no float through");
  }
  operandGrads.push_back(result.value);
  return success();
}

//===----------------------------------------------------------------------===//
// softmax, normalize
//===----------------------------------------------------------------------===//

// dy[i]/dx[j] is y[i] where i = j, less y[i] * y[j].
LogicalResult SoftmaxOp::buildGradient(OpBuilder &builder,
                                       ValueRange resultGrads,
                                       SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(getLoc(), builder);
  Term y{&b, getResult()}, g{&b, resultGrads.front()};
  int64_t axis = getAxis();
  Term sum = reduce(ReduceKind::sum, g * y, axis);
  operandGrads.push_back((y * (g - spread(sum, getInput(), axis))).value);
  return success();
}

// With r = 1 / sqrt(variance + epsilon), y = (x - mean(x)) * r, and through the
// variance each element of a row moves all by -r * y * mean(g * y):
//   dx = r * (g - mean(g) - y * mean(g * y)).
// The mean of y is zero, so that of g is that of h = g - y * mean(g * y) too,
// which was made from the row's moments: one sum follows from the other, and a
// single kernel computes all of them while the row is in the cache. Deviations
// are taken before they are squared, as the op does.
LogicalResult NormalizeOp::buildGradient(OpBuilder &builder,
                                         ValueRange resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(getLoc(), builder);
  Type elementType = getType().getElementType();
  Type type = getAccumulatorType(elementType);
  ArrayRef<int64_t> axes = getAxes();
  Term x = convert({&b, getInput()}, type);
  Term g = convert({&b, resultGrads.front()}, type);
  auto over = [&](Term rows) { return spread(rows, x.value, axes); };
  Term distance = getRms() ? x : x - over(mean(x, axes));
  Term variance = mean(distance * distance, axes);
  double epsilon = getEpsilon().convertToDouble();
  Term scale = over(variance.number(1) / squareRoot(variance + epsilon));
  Term y = distance * scale;
  Term h = g - y * over(mean(g * y, axes));
  Term result = scale * (getRms() ? h : h - over(mean(h, axes)));
  operandGrads.push_back(convert(result, elementType).value);
  return success();
}
