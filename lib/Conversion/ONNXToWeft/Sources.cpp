//===- Sources.cpp - Nodes that make tensors from sizes and numbers -------===//

#include "Terms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include <cmath>

using namespace mlir;
using namespace weft;

static Type getResultElement(onnx::Node node) {
  return cast<ShapedType>(node.getOperation()->getResult(0).getType())
      .getElementType();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static LogicalResult lowerConstant(Lowering &lower, onnx::Node node,
                                   SmallVectorImpl<Value> &results) {
  ImplicitLocOpBuilder &b = lower.b;
  if (TypedAttr value = node.getTensor("value")) {
    results.push_back(ConstantOp::create(b, value));
    return success();
  }
  if (std::optional<int64_t> value = node.getInt("value_int")) {
    results.push_back(ConstantOp::create(
        b, DenseElementsAttr::get(RankedTensorType::get({}, b.getI64Type()),
                                  *value)));
    return success();
  }
  if (std::optional<float> value = node.getFloat("value_float")) {
    results.push_back(lower.splat(*value, b.getF32Type()));
    return success();
  }
  if (node.hasAttr("value_ints")) {
    results.push_back(lower.ints(node.getInts("value_ints")));
    return success();
  }
  if (node.hasAttr("value_floats")) {
    SmallVector<float> values = node.getFloats("value_floats");
    auto type = RankedTensorType::get({int64_t(values.size())}, b.getF32Type());
    results.push_back(ConstantOp::create(
        b, DenseElementsAttr::get(type, ArrayRef<float>(values))));
    return success();
  }
  return lower.unsupported(node, "the constant is no dense tensor of numbers");
}

static LogicalResult lowerConstantOfShape(Lowering &lower, onnx::Node node,
                                          SmallVectorImpl<Value> &results) {
  Value shape = lower.operand(node, 0);
  if (!Lowering::typeOf(shape).hasStaticShape())
    return lower.unsupported(node, "the rank of the result is not known");
  Value value = lower.splat(0, lower.b.getF32Type());
  if (TypedAttr given = node.getTensor("value"))
    value = lower.reshape(ConstantOp::create(lower.b, given), {});
  results.push_back(lower.broadcastTo(value, lower.indexValues(shape)));
  return success();
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

static LogicalResult lowerShape(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  SmallVector<OpFoldResult> sizes = lower.sizes(lower.operand(node, 0));
  int64_t rank = sizes.size();
  auto clamp = [&](int64_t bound) {
    return std::clamp<int64_t>(bound < 0 ? bound + rank : bound, 0, rank);
  };
  int64_t start = clamp(node.getInt("start", 0));
  int64_t end = clamp(node.getInt("end", rank));
  results.push_back(lower.sizesTensor(
      ArrayRef(sizes).slice(start, std::max<int64_t>(end - start, 0))));
  return success();
}

static LogicalResult lowerSize(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  results.push_back(
      lower.sizeTensor(lower.productOf(lower.sizes(lower.operand(node, 0)))));
  return success();
}

//===----------------------------------------------------------------------===//
// Range
//===----------------------------------------------------------------------===//

/// The single element of `value` as f64, known at run time.
static Value extractFloat(Lowering &lower, Value value) {
  Value wide = lower.cast(value, lower.b.getF64Type());
  SmallVector<Value> position;
  if (Lowering::rankOf(wide) == 1)
    position.push_back(arith::ConstantIndexOp::create(lower.b, 0));
  return tensor::ExtractOp::create(lower.b, wide, position);
}

/// How many steps lead from start to limit.
static OpFoldResult countSteps(Lowering &lower, Value start, Value limit,
                               Value delta) {
  ImplicitLocOpBuilder &b = lower.b;
  if (isa<IntegerType>(Lowering::elementOf(start))) {
    OpFoldResult from = lower.indexValues(start)[0];
    OpFoldResult to = lower.indexValues(limit)[0];
    OpFoldResult step = lower.indexValues(delta)[0];
    OpFoldResult count = lower.ceilDivSizes(lower.subSizes(to, from), step);
    return Lowering::isNonNegative(count)
               ? count
               : lower.maxSizes(count, lower.index(0));
  }
  auto from = lower.constantOf(start), to = lower.constantOf(limit),
       step = lower.constantOf(delta);
  if (from && to && step)
    return lower.index(std::max<int64_t>(
        0,
        std::ceil((to->getFloat(0) - from->getFloat(0)) / step->getFloat(0))));
  Value distance = arith::SubFOp::create(b, extractFloat(lower, limit),
                                         extractFloat(lower, start));
  Value steps = math::CeilOp::create(
      b, arith::DivFOp::create(b, distance, extractFloat(lower, delta)));
  Value whole = arith::FPToSIOp::create(b, b.getI64Type(), steps);
  Value count = arith::IndexCastOp::create(b, b.getIndexType(), whole);
  return lower.maxSizes(count, lower.index(0));
}

static LogicalResult lowerRange(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  Value start = lower.operand(node, 0), limit = lower.operand(node, 1),
        delta = lower.operand(node, 2);
  if (auto step = lower.constantOf(delta); step && step->getFloat(0) == 0)
    return lower.fail(node, "the step is 0");
  OpFoldResult count = countSteps(lower, start, limit, delta);
  Type type = Lowering::elementOf(start);
  Terms f(lower, node);
  Value y = lower.iota(type, {count}, 0);
  y = f.mul(y, lower.reshape(delta, {}));
  results.push_back(f.add(y, lower.reshape(start, {})));
  return success();
}

//===----------------------------------------------------------------------===//
// Patterns of ones
//===----------------------------------------------------------------------===//

static LogicalResult lowerEyeLike(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  SmallVector<OpFoldResult> sizes = lower.sizes(lower.operand(node, 0));
  if (sizes.size() != 2)
    return lower.fail(node,
                      "the input has rank " + Twine(sizes.size()) + ", not 2");
  Terms f(lower, node);
  Type type = lower.b.getI64Type();
  Value row = f.add(lower.iota(type, sizes, 0), node.getInt("k", 0));
  Value isOne =
      f.compare(ComparePredicate::eq, row, lower.iota(type, sizes, 1));
  results.push_back(lower.cast(isOne, getResultElement(node)));
  return success();
}

static LogicalResult lowerOneHot(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  Type type = lower.b.getI64Type();
  Value indices = lower.cast(lower.operand(node, 0), type);
  Value depth = lower.cast(lower.operand(node, 1), type);
  Value values = lower.operand(node, 2);
  SmallVector<OpFoldResult> shape = lower.sizes(indices);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", -1), shape.size() + 1);
  if (failed(axis))
    return failure();
  SmallVector<int64_t> dims;
  for (int64_t dim = 0; dim < int64_t(shape.size()); ++dim)
    dims.push_back(dim < *axis ? dim : dim + 1);
  shape.insert(shape.begin() + *axis, lower.indexValues(depth)[0]);

  Terms f(lower, node);
  indices = f.select(f.compare(ComparePredicate::lt, indices, 0),
                     f.add(indices, lower.reshape(depth, {})), indices);
  Value isOn = f.compare(ComparePredicate::eq, lower.iota(type, shape, *axis),
                         lower.broadcastInDims(indices, shape, dims));
  auto pick = [&](int64_t which) {
    Value one = lower.sliceAxis(values, 0, lower.index(which), lower.index(1));
    return lower.broadcastTo(lower.reshape(one, {}), shape);
  };
  results.push_back(lower.make<SelectOp>(isOn, pick(1), pick(0)));
  return f.isBroken() ? failure() : success();
}

void weft::addSourceLowerings(LoweringTable &table) {
  table["Constant"] = lowerConstant;
  table["ConstantOfShape"] = lowerConstantOfShape;
  table["EyeLike"] = lowerEyeLike;
  table["OneHot"] = lowerOneHot;
  table["Range"] = lowerRange;
  table["Shape"] = lowerShape;
  table["Size"] = lowerSize;
}
