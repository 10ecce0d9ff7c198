//===- Pooling.cpp - Windows and whole planes reduced ---------------------===//

#include "Terms.h"
#include "Windows.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include <limits>

using namespace mlir;
using namespace weft;

namespace {
/// A pooling node: its input, its window, and the shape of its result.
struct Pooling {
  Value input;
  Windows windows;
  SmallVector<OpFoldResult> shape;
};

/// The window with one entry for every dimension of the input.
struct FullWindow {
  SmallVector<int64_t> window, strides, low, high, dilations;

  explicit FullWindow(const Windows &windows)
      : window(2, 1), strides(2, 1), low(2, 0), high(2, 0), dilations(2, 1) {
    window.append(windows.kernel);
    strides.append(windows.strides);
    low.append(windows.constantLow());
    high.append(windows.constantHigh());
    dilations.append(windows.dilations);
  }
};
} // namespace

/// The number of windows along a dimension. With `ceil`, one may reach beyond
/// the padding, but must begin before it.
static OpFoldResult countWindows(Lowering &lower, const Windows &windows,
                                 int64_t dim, OpFoldResult size, bool ceil) {
  OpFoldResult one = lower.index(1), stride = lower.index(windows.strides[dim]);
  OpFoldResult before = lower.addSizes(size, windows.low[dim]);
  OpFoldResult room = lower.subSizes(lower.addSizes(before, windows.high[dim]),
                                     lower.index(windows.extent(dim)));
  if (!ceil)
    return lower.addSizes(lower.divSizes(room, stride), one);
  OpFoldResult count = lower.addSizes(lower.ceilDivSizes(room, stride), one);
  OpFoldResult last = lower.mulSizes(lower.subSizes(count, one), stride);
  return lower.selectSize(arith::CmpIPredicate::sge, last, before,
                          lower.subSizes(count, one), count);
}

static FailureOr<Pooling> readPooling(Lowering &lower, onnx::Node node) {
  Pooling pooling;
  pooling.input = lower.operand(node, 0);
  SmallVector<OpFoldResult> sizes = lower.sizes(pooling.input);
  if (sizes.size() < 3) {
    (void)lower.fail(node, "the input has rank " + Twine(sizes.size()) +
                               ", at least 3 is wanted");
    return failure();
  }
  ArrayRef<OpFoldResult> spatial = ArrayRef(sizes).drop_front(2);
  FailureOr<Windows> windows = Windows::read(lower, node, spatial);
  if (failed(windows) || failed(windows->checkRoom(lower, node, spatial)))
    return failure();
  pooling.windows = *windows;
  pooling.shape = {sizes[0], sizes[1]};
  for (auto [dim, size] : llvm::enumerate(spatial))
    pooling.shape.push_back(
        countWindows(lower, *windows, dim, size, node.getInt("ceil_mode", 0)));
  return pooling;
}

/// Lets the windows reach as far as the result asks for, by padding at the end
/// that counts for nothing.
static void reachEnd(Lowering &lower, Windows &windows, Value value,
                     ArrayRef<OpFoldResult> shape) {
  for (int64_t dim = 0; dim < int64_t(windows.kernel.size()); ++dim) {
    int64_t stride = windows.strides[dim];
    int64_t low = *getConstantIntValue(windows.low[dim]);
    int64_t high = *getConstantIntValue(windows.high[dim]);
    std::optional<int64_t> size =
        getConstantIntValue(lower.size(value, dim + 2));
    std::optional<int64_t> count = getConstantIntValue(shape[dim + 2]);
    int64_t reach = high + stride - 1;
    if (size && count)
      reach = (*count - 1) * stride + windows.extent(dim) - *size - low;
    windows.high[dim] = lower.index(std::max(high, reach));
  }
}

/// Cuts a pooled value to the shape wanted.
static Value cutTo(Lowering &lower, Value value, ArrayRef<OpFoldResult> shape) {
  SmallVector<OpFoldResult> zeros(shape.size(), lower.index(0));
  SmallVector<OpFoldResult> ones(shape.size(), lower.index(1));
  return lower.slice(value, zeros, shape, ones);
}

static Value reduceWindows(Lowering &lower, ReduceKind kind, Value value,
                           Windows windows, ArrayRef<OpFoldResult> shape,
                           bool isCeil) {
  if (isCeil)
    reachEnd(lower, windows, value, shape);
  FullWindow full(windows);
  Value y = lower.make<ReduceWindowOp>(
      kind, value, ArrayRef(full.window), ArrayRef(full.strides),
      ArrayRef(full.low), ArrayRef(full.high), ArrayRef(full.dilations));
  return isCeil ? cutTo(lower, y, shape) : y;
}

//===----------------------------------------------------------------------===//
// MaxPool
//===----------------------------------------------------------------------===//

/// Row-major positions within the whole tensor of `shape`, as positions of the
/// same elements where the planes are stored column by column.
static Value columnMajor(Lowering &lower, Terms &f, Value positions,
                         ArrayRef<OpFoldResult> shape) {
  auto number = [&](OpFoldResult size) {
    return lower.broadcastTo(lower.sizeTensor(size), lower.sizes(positions));
  };
  Value rest = positions, scale = f.number(1, positions), sum;
  Value plane = number(lower.productOf(shape.drop_front(2)));
  SmallVector<Value> places;
  for (OpFoldResult size : llvm::reverse(shape.drop_front(2))) {
    Value extent = number(size);
    places.push_back(lower.make<RemOp>(rest, extent));
    rest = f.div(rest, extent);
  }
  sum = f.mul(rest, plane);
  for (auto [place, size] :
       llvm::zip(llvm::reverse(places), shape.drop_front(2))) {
    sum = f.add(sum, f.mul(place, scale));
    scale = f.mul(scale, number(size));
  }
  return sum;
}

static LogicalResult lowerMaxPool(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  FailureOr<Pooling> pooling = readPooling(lower, node);
  if (failed(pooling))
    return failure();
  bool isCeil = node.getInt("ceil_mode", 0), hasIndices = node.hasResult(1);
  Windows windows = pooling->windows;
  Value input = pooling->input;
  Type type = Lowering::elementOf(input);
  if (!windows.hasConstantPads()) {
    if (hasIndices || !isa<FloatType>(type))
      return lower.unsupported(node, "'auto_pad' of symbolic sizes");
    double least = -std::numeric_limits<double>::infinity();
    input = windows.padNow(lower, input, lower.splat(least, type));
  }
  results.push_back(reduceWindows(lower, ReduceKind::max, input, windows,
                                  pooling->shape, isCeil));
  if (!hasIndices)
    return success();
  if (isCeil)
    reachEnd(lower, windows, input, pooling->shape);
  FullWindow full(windows);
  Value places = lower.make<ArgReduceWindowOp>(
      ReduceKind::max, input, ArrayRef(full.window), ArrayRef(full.strides),
      ArrayRef(full.low), ArrayRef(full.high), ArrayRef(full.dilations));
  if (isCeil)
    places = cutTo(lower, places, pooling->shape);
  Terms f(lower, node);
  if (node.getInt("storage_order", 0))
    places = columnMajor(lower, f, places, lower.sizes(input));
  results.push_back(places);
  return success();
}

//===----------------------------------------------------------------------===//
// AveragePool and LpPool
//===----------------------------------------------------------------------===//

/// How many elements each window covers, padding included or not; null if all
/// cover the whole window.
static Value countCovered(Lowering &lower, Value input, const Pooling &pooling,
                          bool includePad, bool isCeil) {
  auto isZero = [](OpFoldResult size) {
    return getConstantIntValue(size) == 0;
  };
  Windows windows = pooling.windows;
  bool isPadded =
      !llvm::all_of(windows.low, isZero) || !llvm::all_of(windows.high, isZero);
  if (!isCeil && (includePad || !isPadded))
    return {};
  // One plane of ones stands for all.
  SmallVector<OpFoldResult> plane = lower.sizes(input), shape = pooling.shape;
  plane[0] = plane[1] = shape[0] = shape[1] = lower.index(1);
  Type type = Lowering::elementOf(input);
  Value ones = lower.broadcastTo(lower.splat(1, type), plane);
  if (includePad || !windows.hasConstantPads())
    ones = windows.padNow(lower, ones, lower.splat(includePad ? 1 : 0, type));
  Value counts =
      reduceWindows(lower, ReduceKind::sum, ones, windows, shape, isCeil);
  return lower.broadcastTo(counts, pooling.shape);
}

/// The sum of each window; positions in the padding are zero.
static Value sumWindows(Lowering &lower, Value value, const Pooling &pooling,
                        bool isCeil) {
  Windows windows = pooling.windows;
  if (!windows.hasConstantPads())
    value = windows.padNow(lower, value,
                           lower.splat(0, Lowering::elementOf(value)));
  return reduceWindows(lower, ReduceKind::sum, value, windows, pooling.shape,
                       isCeil);
}

static LogicalResult lowerAveragePool(Lowering &lower, onnx::Node node,
                                      SmallVectorImpl<Value> &results) {
  FailureOr<Pooling> pooling = readPooling(lower, node);
  if (failed(pooling))
    return failure();
  bool isCeil = node.getInt("ceil_mode", 0);
  Value sum = sumWindows(lower, pooling->input, *pooling, isCeil);
  Value counts = countCovered(lower, pooling->input, *pooling,
                              node.getInt("count_include_pad", 0), isCeil);
  Terms f(lower, node);
  results.push_back(counts ? f.div(sum, counts)
                           : f.div(sum, pooling->windows.numElements()));
  return f.isBroken() ? failure() : success();
}

/// |x|^p
static Value powerOf(Terms &f, Lowering &lower, Value x, double p) {
  if (p == 2)
    return f.mul(x, x);
  x = f.unary<AbsOp>(x);
  return p == 1 ? x : lower.make<PowOp>(x, f.number(p, x));
}

/// x^(1/p)
static Value rootOf(Terms &f, Lowering &lower, Value x, double p) {
  if (p == 2)
    return f.unary<SqrtOp>(x);
  return p == 1 ? x : lower.make<PowOp>(x, f.number(1 / p, x));
}

static LogicalResult lowerLpPool(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  FailureOr<Pooling> pooling = readPooling(lower, node);
  if (failed(pooling))
    return failure();
  Terms f(lower, node);
  double p = node.getInt("p", 2);
  Value sum = sumWindows(lower, powerOf(f, lower, pooling->input, p), *pooling,
                         node.getInt("ceil_mode", 0));
  results.push_back(rootOf(f, lower, sum, p));
  return success();
}

//===----------------------------------------------------------------------===//
// Whole planes
//===----------------------------------------------------------------------===//

static SmallVector<int64_t> spatialAxes(Value input) {
  return llvm::to_vector(llvm::seq<int64_t>(
      std::min<int64_t>(2, Lowering::rankOf(input)), Lowering::rankOf(input)));
}

static LogicalResult lowerGlobalMaxPool(Lowering &lower, onnx::Node node,
                                        SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  results.push_back(lower.reduce(ReduceKind::max, x, spatialAxes(x), true));
  return success();
}

static LogicalResult lowerGlobalAveragePool(Lowering &lower, onnx::Node node,
                                            SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  Type type = Lowering::elementOf(x);
  Terms f(lower, node);
  // A sum over a plane may be beyond f16 where the mean is not.
  bool isHalf = type.isF16() || type.isBF16();
  if (isHalf)
    x = lower.cast(x, lower.b.getF32Type());
  SmallVector<OpFoldResult> sizes = lower.sizes(x);
  Value count = lower.cast(
      lower.sizeTensor(lower.productOf(ArrayRef(sizes).drop_front(2))),
      Lowering::elementOf(x));
  Value sum = lower.reduce(ReduceKind::sum, x, spatialAxes(x), true);
  results.push_back(lower.cast(f.div(sum, count), type));
  return success();
}

static LogicalResult lowerGlobalLpPool(Lowering &lower, onnx::Node node,
                                       SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  Terms f(lower, node);
  double p = node.getInt("p", 2);
  Value sum = lower.reduce(ReduceKind::sum, powerOf(f, lower, x, p),
                           spatialAxes(x), true);
  results.push_back(rootOf(f, lower, sum, p));
  return success();
}

//===----------------------------------------------------------------------===//
// MaxUnpool
//===----------------------------------------------------------------------===//

static LogicalResult lowerMaxUnpool(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0), places = lower.operand(node, 1);
  SmallVector<OpFoldResult> sizes = lower.sizes(input), shape = sizes;
  FailureOr<Windows> windows =
      Windows::read(lower, node, ArrayRef(sizes).drop_front(2));
  if (failed(windows))
    return failure();
  for (int64_t dim = 0; dim < int64_t(windows->kernel.size()); ++dim) {
    OpFoldResult steps =
        lower.mulSizes(lower.subSizes(sizes[dim + 2], lower.index(1)),
                       lower.index(windows->strides[dim]));
    OpFoldResult pads = lower.addSizes(windows->low[dim], windows->high[dim]);
    shape[dim + 2] = lower.subSizes(
        lower.addSizes(steps, lower.index(windows->kernel[dim])), pads);
  }
  // The positions count within the shape that the window implies.
  OpFoldResult count = lower.productOf(sizes);
  Value zero = lower.splat(0, Lowering::elementOf(input));
  Value zeros = lower.broadcastTo(zero, {lower.productOf(shape)});
  Value flat = lower.make<ScatterElementsOp>(
      ScatterKind::set, zeros, lower.reshape(places, {count}),
      lower.reshape(input, {count}), uint64_t(0));
  Value y = lower.reshape(flat, shape);
  if (Value wanted = lower.operand(node, 2)) {
    SmallVector<OpFoldResult> low(shape.size(), lower.index(0)), high;
    for (auto [size, full] : llvm::zip_equal(shape, lower.indexValues(wanted)))
      high.push_back(lower.subSizes(full, size));
    y = lower.pad(y, zero, low, high);
  }
  results.push_back(y);
  return success();
}

void weft::addPoolingLowerings(LoweringTable &table) {
  table["AveragePool"] = lowerAveragePool;
  table["GlobalAveragePool"] = lowerGlobalAveragePool;
  table["GlobalLpPool"] = lowerGlobalLpPool;
  table["GlobalMaxPool"] = lowerGlobalMaxPool;
  table["LpPool"] = lowerLpPool;
  table["MaxPool"] = lowerMaxPool;
  table["MaxUnpool"] = lowerMaxUnpool;
}
