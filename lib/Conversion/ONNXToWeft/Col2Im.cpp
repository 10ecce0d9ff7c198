//===- Col2Im.cpp - Columns back to the image they came from --------------===//

#include "Terms.h"
#include "Windows.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Shapes known at run time
//===----------------------------------------------------------------------===//

namespace {
/// One spatial dimension.
struct Extent {
  OpFoldResult image, window, blocks;
  int64_t low, stride, dilation;
};
} // namespace

static FailureOr<SmallVector<Extent>> readExtents(Lowering &lower,
                                                  onnx::Node node) {
  SmallVector<OpFoldResult> image = lower.indexValues(lower.operand(node, 1));
  SmallVector<OpFoldResult> window = lower.indexValues(lower.operand(node, 2));
  // The kernel is not what is asked for here.
  SmallVector<int64_t> ones(image.size(), 1);
  FailureOr<Windows> windows = Windows::read(lower, node, image, ones);
  if (failed(windows) || window.size() != image.size())
    return failure();
  SmallVector<int64_t> low = windows->constantLow();
  SmallVector<int64_t> high = windows->constantHigh();
  SmallVector<Extent> extents;
  for (auto [dim, size] : llvm::enumerate(image)) {
    int64_t stride = windows->strides[dim], dilation = windows->dilations[dim];
    OpFoldResult span = lower.mulSizes(
        lower.subSizes(window[dim], lower.index(1)), lower.index(dilation));
    OpFoldResult room = lower.subSizes(
        lower.addSizes(size, lower.index(low[dim] + high[dim] - 1)), span);
    OpFoldResult blocks = lower.addSizes(
        lower.divSizes(room, lower.index(stride)), lower.index(1));
    extents.push_back({size, window[dim], blocks, low[dim], stride, dilation});
  }
  return extents;
}

/// Where in the flat image each element of each column lies, shape [window,
/// blocks]; those in the padding lie one behind the image's end.
static Value placesOf(Lowering &lower, Terms &f, ArrayRef<Extent> extents,
                      OpFoldResult pixels, ArrayRef<OpFoldResult> shape) {
  Type type = lower.b.getI64Type();
  Value tap = lower.iota(type, shape, 0), block = lower.iota(type, shape, 1);
  Value place = f.number(0, tap), step = f.number(1, tap), isInside;
  for (const Extent &extent : llvm::reverse(extents)) {
    Value window = lower.sizeTensor(extent.window);
    Value blocks = lower.sizeTensor(extent.blocks);
    Value image = lower.sizeTensor(extent.image);
    Value at = f.sub(f.add(f.mul(f.rem(block, blocks), extent.stride),
                           f.mul(f.rem(tap, window), extent.dilation)),
                     extent.low);
    tap = f.div(tap, window);
    block = f.div(block, blocks);
    Value fits = f.both(f.compare(ComparePredicate::ge, at, 0),
                        f.compare(ComparePredicate::lt, at, image));
    isInside = isInside ? f.both(isInside, fits) : fits;
    place = f.add(place, f.mul(at, step));
    step = f.mul(step, image);
  }
  return f.select(isInside, place, lower.sizeTensor(pixels));
}

static LogicalResult lowerDynamicCol2Im(Lowering &lower, onnx::Node node,
                                        SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  FailureOr<SmallVector<Extent>> extents = readExtents(lower, node);
  if (failed(extents))
    return lower.fail(node, "image and block shape differ in length");
  SmallVector<OpFoldResult> sizes = lower.sizes(input);
  OpFoldResult taps = lower.index(1), pixels = taps;
  for (const Extent &extent : *extents) {
    taps = lower.mulSizes(taps, extent.window);
    pixels = lower.mulSizes(pixels, extent.image);
  }
  OpFoldResult channels = lower.divSizes(sizes[1], taps);
  OpFoldResult count = lower.mulSizes(taps, sizes[2]);
  Terms f(lower, node);
  Value places = lower.reshape(
      placesOf(lower, f, *extents, pixels, {taps, sizes[2]}), {count});
  SmallVector<OpFoldResult> columns = {sizes[0], channels, count};
  Value zeros = lower.broadcastTo(
      lower.splat(0, Lowering::elementOf(input)),
      {sizes[0], channels, lower.addSizes(pixels, lower.index(1))});
  Value y = lower.make<ScatterElementsOp>(
      ScatterKind::add, zeros, lower.broadcastTo(places, columns),
      lower.reshape(input, columns), uint64_t(2));
  SmallVector<OpFoldResult> shape = {sizes[0], channels};
  for (const Extent &extent : *extents)
    shape.push_back(extent.image);
  results.push_back(
      lower.reshape(lower.sliceAxis(y, 2, lower.index(0), pixels), shape));
  return f.isBroken() ? failure() : success();
}

//===----------------------------------------------------------------------===//
// Constant shapes
//===----------------------------------------------------------------------===//

/// The filter [channels * window, 1, window...] that puts each column of a
/// window's elements to its place: one where the position is the column's own.
static Value placingFilter(Lowering &lower, Terms &f, OpFoldResult channels,
                           ArrayRef<int64_t> window, Type type) {
  SmallVector<OpFoldResult> shape = {lower.index(1)}, merged;
  OpFoldResult count = lower.index(1);
  for (int64_t size : window)
    count = lower.mulSizes(count, lower.index(size));
  Value identity = f.compare(
      ComparePredicate::eq, lower.iota(lower.b.getI64Type(), {count, count}, 0),
      lower.iota(lower.b.getI64Type(), {count, count}, 1));
  Value filter = lower.broadcastInDims(lower.cast(identity, type),
                                       {channels, count, count}, {1, 2});
  merged = {lower.mulSizes(channels, count), lower.index(1)};
  for (int64_t size : window)
    merged.push_back(lower.index(size));
  return lower.reshape(filter, merged);
}

// A transposed convolution in groups of one channel each, whose filter places
// every column where it came from.
static LogicalResult lowerCol2Im(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  auto image = lower.constantInts(lower.operand(node, 1));
  auto window = lower.constantInts(lower.operand(node, 2));
  if (!image || !window)
    return lowerDynamicCol2Im(lower, node, results);
  SmallVector<OpFoldResult> spatial, sizes = lower.sizes(input);
  for (int64_t size : *image)
    spatial.push_back(lower.index(size));
  FailureOr<Windows> windows = Windows::read(lower, node, spatial, *window);
  if (failed(windows))
    return failure();
  OpFoldResult channels =
      lower.divSizes(sizes[1], lower.index(windows->numElements()));
  std::optional<int64_t> groups = getConstantIntValue(channels);
  if (!groups)
    return lowerDynamicCol2Im(lower, node, results);

  SmallVector<int64_t> low = windows->constantLow();
  SmallVector<int64_t> high = windows->constantHigh(), extra;
  SmallVector<OpFoldResult> shape = {sizes[0], sizes[1]};
  for (auto [dim, size] : llvm::enumerate(*image)) {
    int64_t room = size + low[dim] + high[dim] - windows->extent(dim);
    shape.push_back(lower.index(room / windows->strides[dim] + 1));
    extra.push_back(room % windows->strides[dim]);
  }
  Terms f(lower, node);
  Value filter = placingFilter(lower, f, channels, windows->kernel,
                               Lowering::elementOf(input));
  results.push_back(convTranspose(lower, lower.reshape(input, shape), filter,
                                  *windows, extra, *groups));
  return success();
}

void weft::addCol2ImLowerings(LoweringTable &table) {
  table["Col2Im"] = lowerCol2Im;
}
