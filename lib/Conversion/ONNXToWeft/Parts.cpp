//===- Parts.cpp - Nodes that cut, join and pad ---------------------------===//

#include "Terms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

using CmpI = arith::CmpIPredicate;

static LogicalResult lowerConcat(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  SmallVector<Value> parts;
  for (unsigned i = 0; i < node.getNumOperands(); ++i)
    parts.push_back(lower.operand(node, i));
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", 0), Lowering::rankOf(parts[0]));
  if (failed(axis))
    return failure();
  results.push_back(lower.concat(parts, *axis));
  return success();
}

static LogicalResult lowerSplit(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", 0), Lowering::rankOf(input));
  if (failed(axis))
    return failure();
  int64_t count = node.getNumResults();
  OpFoldResult total = lower.size(input, *axis);
  SmallVector<OpFoldResult> parts;
  if (Value split = lower.operand(node, 1)) {
    parts = lower.indexValues(split);
    if (int64_t(parts.size()) != count)
      return lower.fail(node, "there are " + Twine(parts.size()) +
                                  " split sizes for " + Twine(count) +
                                  " outputs");
    OpFoldResult sum = lower.index(0);
    for (OpFoldResult part : parts) {
      if (failed(lower.require(node, SizeRelation::nonNegative, part, part)))
        return failure();
      sum = lower.addSizes(sum, part);
    }
    if (failed(lower.require(node, SizeRelation::equal, sum, total)))
      return failure();
  } else {
    if (int64_t wanted = node.getInt("num_outputs", count); wanted != count)
      return lower.fail(node, "'num_outputs' is " + Twine(wanted) +
                                  ", but there are " + Twine(count) +
                                  " outputs");
    OpFoldResult part = lower.ceilDivSizes(total, lower.index(count));
    OpFoldResult rest = total;
    for (int64_t i = 0; i < count; ++i) {
      parts.push_back(
          lower.maxSizes(lower.minSizes(part, rest), lower.index(0)));
      rest = lower.subSizes(rest, part);
    }
  }
  OpFoldResult offset = lower.index(0);
  for (OpFoldResult size : parts) {
    results.push_back(lower.sliceAxis(input, *axis, offset, size));
    offset = lower.addSizes(offset, size);
  }
  return success();
}

/// An axis known at run time, counted from the front.
static OpFoldResult fromFront(Lowering &lower, OpFoldResult axis,
                              int64_t rank) {
  return lower.selectSize(CmpI::slt, axis, lower.index(0),
                          lower.addSizes(axis, lower.index(rank)), axis);
}

//===----------------------------------------------------------------------===//
// Slice
//===----------------------------------------------------------------------===//

/// What one dimension is sliced by, as the node gives it.
struct Cut {
  OpFoldResult start, end, step;
};

/// A bound as Slice understands it: negative ones count from the end; then it
/// is moved into [low, size + above].
static OpFoldResult clampBound(Lowering &lower, OpFoldResult bound,
                               OpFoldResult size, OpFoldResult low,
                               int64_t above) {
  OpFoldResult high = lower.addSizes(size, lower.index(above));
  std::optional<int64_t> constant = getConstantIntValue(bound);
  // "To the end" is written as a number beyond all sizes.
  constexpr int64_t beyond = std::numeric_limits<int32_t>::max();
  if (constant && *constant >= beyond)
    return high;
  if (constant && *constant <= -beyond)
    return low;
  if (constant && *constant == 0 && above == 0)
    return bound;
  OpFoldResult fromEnd = lower.addSizes(bound, size);
  if (!Lowering::isNonNegative(bound))
    bound = lower.selectSize(CmpI::slt, bound, lower.index(0), fromEnd, bound);
  if (!Lowering::isNonNegative(bound) || getConstantIntValue(low) != 0)
    bound = lower.maxSizes(bound, low);
  return constant && *constant < 0 && above == 0 ? bound
                                                 : lower.minSizes(bound, high);
}

/// Offset and size of a slice of a dimension of `size`.
static std::pair<OpFoldResult, OpFoldResult>
resolveCut(Lowering &lower, const Cut &cut, OpFoldResult size) {
  auto forward = [&]() -> std::pair<OpFoldResult, OpFoldResult> {
    OpFoldResult start = clampBound(lower, cut.start, size, lower.index(0), 0);
    OpFoldResult end = clampBound(lower, cut.end, size, lower.index(0), 0);
    return {start, lower.ceilDivSizes(lower.subSizes(end, start), cut.step)};
  };
  auto backward = [&]() -> std::pair<OpFoldResult, OpFoldResult> {
    OpFoldResult start = clampBound(lower, cut.start, size, lower.index(0), -1);
    OpFoldResult end = clampBound(lower, cut.end, size, lower.index(-1), -1);
    OpFoldResult back = lower.subSizes(lower.index(0), cut.step);
    return {start, lower.ceilDivSizes(lower.subSizes(start, end), back)};
  };
  std::pair<OpFoldResult, OpFoldResult> part;
  if (std::optional<int64_t> step = getConstantIntValue(cut.step)) {
    part = *step > 0 ? forward() : backward();
  } else {
    auto [start, count] = forward();
    auto [otherStart, otherCount] = backward();
    part.first = lower.selectSize(CmpI::sgt, cut.step, lower.index(0), start,
                                  otherStart);
    part.second = lower.selectSize(CmpI::sgt, cut.step, lower.index(0), count,
                                   otherCount);
  }
  if (!Lowering::isNonNegative(part.second))
    part.second = lower.maxSizes(part.second, lower.index(0));
  return part;
}

/// The cuts of all dimensions, from the node's lists.
static FailureOr<SmallVector<Cut>> collectCuts(Lowering &lower, onnx::Node node,
                                               int64_t rank) {
  SmallVector<OpFoldResult> starts = lower.indexValues(lower.operand(node, 1));
  SmallVector<OpFoldResult> ends = lower.indexValues(lower.operand(node, 2));
  SmallVector<OpFoldResult> axes, steps;
  if (Value operand = lower.operand(node, 3))
    axes = lower.indexValues(operand);
  else
    for (int64_t i = 0; i < int64_t(starts.size()); ++i)
      axes.push_back(lower.index(i));
  if (Value operand = lower.operand(node, 4))
    steps = lower.indexValues(operand);
  else
    steps.assign(starts.size(), lower.index(1));
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size())
    return lower.fail(node, "starts, ends, axes and steps differ in length");

  constexpr int64_t beyond = std::numeric_limits<int64_t>::max();
  SmallVector<Cut> cuts(
      rank, Cut{lower.index(0), lower.index(beyond), lower.index(1)});
  for (auto [i, given] : llvm::enumerate(axes)) {
    if (getConstantIntValue(steps[i]) == 0)
      return lower.fail(node, "a step is 0");
    if (std::optional<int64_t> constant = getConstantIntValue(given)) {
      FailureOr<int64_t> axis = lower.axis(node, *constant, rank);
      if (failed(axis))
        return failure();
      cuts[*axis] = {starts[i], ends[i], steps[i]};
      continue;
    }
    // Which axis is meant shows at run time.
    OpFoldResult axis = fromFront(lower, given, rank);
    for (auto [dim, cut] : llvm::enumerate(cuts)) {
      OpFoldResult here = lower.index(dim);
      cut.start = lower.selectSize(CmpI::eq, axis, here, starts[i], cut.start);
      cut.end = lower.selectSize(CmpI::eq, axis, here, ends[i], cut.end);
      cut.step = lower.selectSize(CmpI::eq, axis, here, steps[i], cut.step);
    }
  }
  return cuts;
}

static LogicalResult lowerSlice(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  for (unsigned i = 1; i < 5; ++i)
    if (Value list = lower.operand(node, i))
      if (!Lowering::typeOf(list).hasStaticShape())
        return lower.unsupported(node, "the number of axes is not known");
  auto cuts = collectCuts(lower, node, Lowering::rankOf(input));
  if (failed(cuts))
    return failure();
  SmallVector<OpFoldResult> offsets, sizes, strides;
  for (auto [dim, cut] : llvm::enumerate(*cuts)) {
    auto [offset, size] = resolveCut(lower, cut, lower.size(input, dim));
    offsets.push_back(offset);
    sizes.push_back(size);
    strides.push_back(cut.step);
  }
  results.push_back(lower.slice(input, offsets, sizes, strides));
  return success();
}

//===----------------------------------------------------------------------===//
// Pad
//===----------------------------------------------------------------------===//

/// Takes away what negative paddings take away, and makes those zero.
static Value crop(Lowering &lower, Value input,
                  SmallVectorImpl<OpFoldResult> &low,
                  SmallVectorImpl<OpFoldResult> &high) {
  OpFoldResult zero = lower.index(0);
  SmallVector<OpFoldResult> offsets, sizes = lower.sizes(input);
  SmallVector<OpFoldResult> strides(sizes.size(), lower.index(1));
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    offsets.push_back(zero);
    if (!Lowering::isNonNegative(low[dim])) {
      offsets[dim] = lower.maxSizes(lower.subSizes(zero, low[dim]), zero);
      size = lower.subSizes(size, offsets[dim]);
      low[dim] = lower.maxSizes(low[dim], zero);
    }
    if (!Lowering::isNonNegative(high[dim])) {
      size = lower.addSizes(size, lower.minSizes(high[dim], zero));
      high[dim] = lower.maxSizes(high[dim], zero);
    }
  }
  return lower.slice(input, offsets, sizes, strides);
}

/// Where element `i - low` of a dimension of `size` is taken from if it lies
/// outside.
static Value sourceIndices(Terms &f, Lowering &lower, StringRef mode,
                           OpFoldResult low, OpFoldResult size,
                           OpFoldResult total) {
  Value i = f.sub(lower.iota(lower.b.getI64Type(), {total}, 0),
                  lower.sizeTensor(low));
  Value n = lower.sizeTensor(size);
  if (mode == "edge")
    return f.min(f.max(i, 0), f.sub(n, 1));
  auto modulo = [&](Value a, Value b) {
    Value remainder =
        lower.make<RemOp>(a, lower.broadcastTo(b, lower.sizes(a)));
    return f.select(f.compare(ComparePredicate::lt, remainder, 0),
                    f.add(remainder, b), remainder);
  };
  if (mode == "wrap")
    return modulo(i, n);
  // There and back again, without the ends twice. A single element has no
  // period; it is repeated.
  Value last = f.sub(n, 1);
  Value period = f.max(f.mul(last, 2), 1);
  Value phase = modulo(i, period);
  Value back = f.sub(period, phase);
  return f.min(
      f.select(f.compare(ComparePredicate::gt, phase, last), back, phase),
      last);
}

/// One pair of paddings per dimension, from the node's operands.
static LogicalResult collectPads(Lowering &lower, onnx::Node node, int64_t rank,
                                 SmallVectorImpl<OpFoldResult> &low,
                                 SmallVectorImpl<OpFoldResult> &high) {
  SmallVector<OpFoldResult> pads = lower.indexValues(lower.operand(node, 1));
  SmallVector<OpFoldResult> axes;
  if (Value operand = lower.operand(node, 3))
    axes = lower.indexValues(operand);
  else
    for (int64_t dim = 0; dim < rank; ++dim)
      axes.push_back(lower.index(dim));
  if (pads.size() != 2 * axes.size())
    return lower.fail(node, "there are " + Twine(pads.size()) +
                                " paddings for " + Twine(axes.size()) +
                                " axes");
  low.assign(rank, lower.index(0));
  high.assign(rank, lower.index(0));
  for (auto [i, given] : llvm::enumerate(axes)) {
    OpFoldResult before = pads[i], after = pads[axes.size() + i];
    if (std::optional<int64_t> constant = getConstantIntValue(given)) {
      FailureOr<int64_t> axis = lower.axis(node, *constant, rank);
      if (failed(axis))
        return failure();
      low[*axis] = before;
      high[*axis] = after;
      continue;
    }
    // Which axis is meant shows at run time.
    OpFoldResult axis = fromFront(lower, given, rank);
    for (int64_t dim = 0; dim < rank; ++dim) {
      OpFoldResult here = lower.index(dim);
      low[dim] = lower.selectSize(CmpI::eq, axis, here, before, low[dim]);
      high[dim] = lower.selectSize(CmpI::eq, axis, here, after, high[dim]);
    }
  }
  return success();
}

static LogicalResult lowerPad(Lowering &lower, onnx::Node node,
                              SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  SmallVector<OpFoldResult> low, high;
  if (failed(collectPads(lower, node, Lowering::rankOf(input), low, high)))
    return failure();
  StringRef mode = node.getString("mode", "constant");
  if (mode == "constant") {
    Value padding = lower.operand(node, 2);
    padding = padding ? lower.reshape(padding, {})
                      : lower.splat(0, Lowering::elementOf(input));
    input = crop(lower, input, low, high);
    results.push_back(lower.pad(input, padding, low, high));
    return success();
  }
  if (mode != "edge" && mode != "reflect" && mode != "wrap")
    return lower.fail(node, "mode '" + mode + "' is not known");
  Terms f(lower, node);
  for (auto [axis, before] : llvm::enumerate(low)) {
    if (getConstantIntValue(before) == 0 &&
        getConstantIntValue(high[axis]) == 0)
      continue;
    OpFoldResult size = lower.size(input, axis);
    OpFoldResult total =
        lower.addSizes(lower.addSizes(size, before), high[axis]);
    Value indices = sourceIndices(f, lower, mode, before, size, total);
    input = lower.make<GatherOp>(input, indices, axis);
  }
  results.push_back(input);
  return success();
}

static LogicalResult lowerCenterCropPad(Lowering &lower, onnx::Node node,
                                        SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  int64_t rank = Lowering::rankOf(input);
  SmallVector<OpFoldResult> shape = lower.indexValues(lower.operand(node, 1));
  SmallVector<int64_t> axes = node.getInts("axes");
  if (axes.empty())
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (axes.size() != shape.size())
    return lower.fail(node, "there are " + Twine(shape.size()) + " sizes for " +
                                Twine(axes.size()) + " axes");
  SmallVector<OpFoldResult> low(rank, lower.index(0)), high = low;
  OpFoldResult zero = lower.index(0), two = lower.index(2);
  SmallVector<OpFoldResult> offsets = low, sizes = lower.sizes(input);
  SmallVector<OpFoldResult> strides(rank, lower.index(1));
  for (auto [given, target] : llvm::zip_equal(axes, shape)) {
    FailureOr<int64_t> axis = lower.axis(node, given, rank);
    if (failed(axis))
      return failure();
    OpFoldResult size = sizes[*axis];
    OpFoldResult more = lower.maxSizes(lower.subSizes(target, size), zero);
    OpFoldResult less = lower.maxSizes(lower.subSizes(size, target), zero);
    low[*axis] = lower.divSizes(more, two);
    high[*axis] = lower.subSizes(more, low[*axis]);
    offsets[*axis] = lower.divSizes(less, two);
    sizes[*axis] = lower.minSizes(size, target);
  }
  Value part = lower.slice(input, offsets, sizes, strides);
  results.push_back(
      lower.pad(part, lower.splat(0, Lowering::elementOf(input)), low, high));
  return success();
}

static LogicalResult lowerTrilu(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  int64_t rank = Lowering::rankOf(input);
  if (rank < 2)
    return lower.fail(node, "the input has rank " + Twine(rank) +
                                ", at least 2 is wanted");
  Terms f(lower, node);
  SmallVector<OpFoldResult> matrix = {lower.size(input, rank - 2),
                                      lower.size(input, rank - 1)};
  Type type = lower.b.getI64Type();
  Value distance =
      f.sub(lower.iota(type, matrix, 1), lower.iota(type, matrix, 0));
  Value diagonal = lower.operand(node, 1);
  diagonal = diagonal ? lower.reshape(diagonal, {}) : lower.splat(0, type);
  bool isUpper = node.getInt("upper", 1);
  Value kept = f.compare(isUpper ? ComparePredicate::ge : ComparePredicate::le,
                         distance, diagonal);
  results.push_back(f.select(kept, input, f.number(0, input)));
  return f.isBroken() ? failure() : success();
}

void weft::addPartLowerings(LoweringTable &table) {
  table["CenterCropPad"] = lowerCenterCropPad;
  table["Concat"] = lowerConcat;
  table["Pad"] = lowerPad;
  table["Slice"] = lowerSlice;
  table["Split"] = lowerSplit;
  table["Trilu"] = lowerTrilu;
}
