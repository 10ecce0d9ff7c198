//===- Reduction.cpp - Reductions, scans, and what is made of them --------===//

#include "Reducer.h"
#include "Terms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Reduce*
//===----------------------------------------------------------------------===//

/// A formula that reduces `x` with its sizes of one kept.
using ReduceFormula = Value (*)(Terms &f, Reducer &axes, Value x);

static Value reduceSum(Terms &, Reducer &axes, Value x) {
  return axes.reduce(ReduceKind::sum, x);
}
static Value reduceProd(Terms &, Reducer &axes, Value x) {
  return axes.reduce(ReduceKind::prod, x);
}
static Value reduceMean(Terms &f, Reducer &axes, Value x) {
  Value sum = axes.reduce(ReduceKind::sum, x);
  return f.div(sum, axes.count(x, Lowering::elementOf(x)));
}
static Value reduceL1(Terms &f, Reducer &axes, Value x) {
  return axes.reduce(ReduceKind::sum, f.unary<AbsOp>(x));
}
static Value reduceSumSquare(Terms &f, Reducer &axes, Value x) {
  return axes.reduce(ReduceKind::sum, f.mul(x, x));
}
static Value reduceL2(Terms &f, Reducer &axes, Value x) {
  return f.unary<SqrtOp>(reduceSumSquare(f, axes, x));
}
static Value reduceLogSum(Terms &f, Reducer &axes, Value x) {
  return f.unary<LogOp>(axes.reduce(ReduceKind::sum, x));
}

// The largest element is taken out first, so that no exponential overflows. An
// infinite one stays in: inf - inf is not a number.
static Value reduceLogSumExp(Terms &f, Reducer &axes, Value x) {
  Value most = axes.reduce(ReduceKind::max, x);
  double infinity = std::numeric_limits<double>::infinity();
  Value isFinite =
      f.compare(ComparePredicate::lt, f.unary<AbsOp>(most), infinity);
  Value shift = f.select(isFinite, most, 0);
  Value sum = axes.reduce(ReduceKind::sum, f.unary<ExpOp>(f.sub(x, shift)));
  return f.add(f.unary<LogOp>(sum), shift);
}

/// Booleans have no largest element, but all and any.
template <ReduceKind kind, ReduceKind boolKind>
static Value reduceExtreme(Terms &, Reducer &axes, Value x) {
  return axes.reduce(Lowering::elementOf(x).isInteger(1) ? boolKind : kind, x);
}

/// The type in which a formula is computed on elements of `type`. Where only a
/// fraction makes sense integers become f64; where sums are divided, squared
/// or exponentiated, half floats become f32.
static Type computeType(Lowering &lower, Type type, bool isFractional,
                        bool isCompound) {
  if (isa<IntegerType>(type) && isFractional)
    return lower.b.getF64Type();
  if (isCompound && (type.isF16() || type.isBF16()))
    return lower.b.getF32Type();
  return type;
}

template <ReduceFormula formula, bool isFractional, bool isCompound>
static LogicalResult lowerReduce(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  FailureOr<Reducer> axes = Reducer::create(lower, node, input);
  if (failed(axes))
    return failure();
  Type type = Lowering::elementOf(input);
  Terms f(lower, node);
  Value x =
      lower.cast(input, computeType(lower, type, isFractional, isCompound));
  Value y = lower.cast(formula(f, *axes, x), type);
  results.push_back(node.getInt("keepdims", 1) ? y : axes->squeeze(y));
  return f.isBroken() ? failure() : success();
}

template <ReduceKind kind>
static LogicalResult lowerArgReduce(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", 0), Lowering::rankOf(input));
  if (failed(axis))
    return failure();
  SmallVector<OpFoldResult> shape = lower.sizes(input);
  Value y = lower.make<ArgReduceOp>(kind, input, uint64_t(*axis),
                                    node.getInt("select_last_index", 0) != 0);
  shape[*axis] = lower.index(1);
  results.push_back(node.getInt("keepdims", 1) ? lower.reshape(y, shape) : y);
  return success();
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

template <ReduceKind kind>
static LogicalResult lowerCumulative(Lowering &lower, onnx::Node node,
                                     SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  int64_t rank = Lowering::rankOf(input);
  bool exclusive = node.getInt("exclusive", 0);
  bool reverse = node.getInt("reverse", 0);
  auto along = [&](int64_t axis) {
    return lower.make<CumulativeOp>(kind, input, uint64_t(axis), exclusive,
                                    reverse);
  };
  OpFoldResult given = lower.indexValues(lower.operand(node, 1))[0];
  if (std::optional<int64_t> constant = getConstantIntValue(given)) {
    FailureOr<int64_t> axis = lower.axis(node, *constant, rank);
    if (failed(axis))
      return failure();
    results.push_back(along(*axis));
    return success();
  }
  // The axis shows at run time.
  Value y = along(0);
  for (int64_t axis = 1; axis < rank; ++axis) {
    Value isAxis = lower.equalsAxis(given, axis, rank);
    y = lower.choose(isAxis, [&] { return along(axis); }, [&] { return y; });
  }
  results.push_back(y);
  return success();
}

//===----------------------------------------------------------------------===//
// Hardmax and norms
//===----------------------------------------------------------------------===//

static LogicalResult lowerHardmax(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", -1), Lowering::rankOf(input));
  if (failed(axis))
    return failure();
  SmallVector<OpFoldResult> shape = lower.sizes(input), kept = shape;
  kept[*axis] = lower.index(1);
  Value place = lower.reshape(
      lower.make<ArgReduceOp>(ReduceKind::max, input, uint64_t(*axis), false),
      kept);
  Terms f(lower, node);
  Value isMost = f.compare(ComparePredicate::eq,
                           lower.iota(lower.b.getI64Type(), shape, *axis),
                           lower.broadcastTo(place, shape));
  results.push_back(lower.cast(isMost, Lowering::elementOf(input)));
  return success();
}

static LogicalResult lowerLpNormalization(Lowering &lower, onnx::Node node,
                                          SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", -1), Lowering::rankOf(x));
  if (failed(axis))
    return failure();
  int64_t p = node.getInt("p", 2);
  if (p != 1 && p != 2)
    return lower.fail(node, "p is " + Twine(p) + ", it can be 1 or 2");
  Terms f(lower, node);
  Value powers = p == 1 ? f.unary<AbsOp>(x) : f.mul(x, x);
  Value norm = lower.reduce(ReduceKind::sum, powers, {*axis}, true);
  if (p == 2)
    norm = f.unary<SqrtOp>(norm);
  // Zeros stay zeros.
  Value isZero = f.compare(ComparePredicate::eq, norm, 0);
  results.push_back(f.div(x, f.select(isZero, 1, norm)));
  return f.isBroken() ? failure() : success();
}

void weft::addReductionLowerings(LoweringTable &table) {
  table["ReduceL1"] = lowerReduce<reduceL1, false, true>;
  table["ReduceL2"] = lowerReduce<reduceL2, true, true>;
  table["ReduceLogSum"] = lowerReduce<reduceLogSum, true, true>;
  table["ReduceLogSumExp"] = lowerReduce<reduceLogSumExp, true, true>;
  table["ReduceMax"] =
      lowerReduce<reduceExtreme<ReduceKind::max, ReduceKind::any>, false,
                  false>;
  table["ReduceMean"] = lowerReduce<reduceMean, false, true>;
  table["ReduceMin"] =
      lowerReduce<reduceExtreme<ReduceKind::min, ReduceKind::all>, false,
                  false>;
  table["ReduceProd"] = lowerReduce<reduceProd, false, false>;
  table["ReduceSum"] = lowerReduce<reduceSum, false, false>;
  table["ReduceSumSquare"] = lowerReduce<reduceSumSquare, false, true>;
  table["ArgMax"] = lowerArgReduce<ReduceKind::max>;
  table["ArgMin"] = lowerArgReduce<ReduceKind::min>;
  table["CumProd"] = lowerCumulative<ReduceKind::prod>;
  table["CumSum"] = lowerCumulative<ReduceKind::sum>;
  table["Hardmax"] = lowerHardmax;
  table["LpNormalization"] = lowerLpNormalization;
}
