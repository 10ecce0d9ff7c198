//===- Sampling.cpp - Images read at computed places ----------------------===//

#include "Image.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

namespace {
enum class Padding { zeros, border, reflection };

/// One spatial axis of the image that is read.
struct SampledAxis {
  /// Its size as a term of the coordinates' type.
  Expr size;
  /// Where reflection happens.
  Expr low, high;
};

/// Reads images [B, spatial..., C] at places [B, P...], given by one term of
/// coordinates per spatial axis. The results have the shape [B, P..., C].
struct Sampler {
  Expr images;
  Padding padding;
  SmallVector<SampledAxis> axes;
};
} // namespace

static SmallVector<SampledAxis> describeAxes(Lowering &lower, Expr images,
                                             Type type, bool alignCorners) {
  SmallVector<SampledAxis> axes;
  for (int64_t dim = 1; dim < images.rank() - 1; ++dim) {
    Expr size = sizeTerm(lower, images.size(dim), type);
    axes.push_back({size, size.number(alignCorners ? 0 : -0.5),
                    size - (alignCorners ? 1.0 : 0.5)});
  }
  return axes;
}

/// Mirrors coordinates at the axis' borders until they lie within.
static Expr reflect(Expr x, const SampledAxis &axis) {
  Expr range = axis.high - axis.low;
  // An axis of one element has nowhere to go.
  Expr safe = select(range > 0.0, range, 1.0);
  Expr distance = select(x < axis.low, axis.low - x, x - axis.high);
  Expr turns = floor(distance / safe);
  Expr rest = distance - turns * safe;
  Expr isEven = equal(turns - floor(turns / 2.0) * 2.0, 0.0);
  Expr inward =
      select(x < axis.low, select(isEven, axis.low + rest, axis.high - rest),
             select(isEven, axis.high - rest, axis.low + rest));
  Expr isOutside = (x < axis.low) | (x > axis.high);
  return select(range > 0.0, select(isOutside, inward, x), axis.low);
}

static Expr clampTo(Expr x, const SampledAxis &axis) {
  return max(min(x, axis.size - 1.0), 0.0);
}

/// Brings coordinates inside, as the padding asks for.
static Expr bringInside(const Sampler &sampler, Expr x,
                        const SampledAxis &axis) {
  switch (sampler.padding) {
  case Padding::zeros:
    return x;
  case Padding::border: {
    Expr isOutside = (x < axis.low) | (x > axis.high);
    return select(isOutside, clampTo(x, axis), x);
  }
  case Padding::reflection:
    return reflect(x, axis);
  }
  llvm_unreachable("covered switch");
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// The elements at whole coordinates, [B, P..., C].
static Expr readPixels(const Sampler &sampler, ArrayRef<Expr> coordinates) {
  Lowering &lower = sampler.images.getLowering();
  Type i64 = lower.b.getI64Type();
  SmallVector<Expr> indices;
  Expr isInside;
  for (auto [x, axis] : llvm::zip_equal(coordinates, sampler.axes)) {
    Expr place = x;
    if (sampler.padding == Padding::reflection)
      // Towards zero, as a conversion to an integer does.
      place = reflect(x, axis);
    if (sampler.padding == Padding::zeros) {
      Expr inside = (x >= 0.0) & (x < axis.size);
      isInside = isInside ? isInside & inside : inside;
    }
    indices.push_back(clampTo(place, axis).cast(i64));
  }
  Expr pixels = sampler.images.gatherND(stackLast(indices), /*batchDims=*/1);
  if (!isInside)
    return pixels;
  return select(isInside.unsqueeze({isInside.rank()}), pixels, 0.0);
}

/// Weights of the two inputs around a fraction.
static SmallVector<Expr> linearWeights(Expr fraction) {
  return {1.0 - fraction, fraction};
}

static SmallVector<Expr> cubicWeights(Expr fraction) {
  const double a = -0.75;
  auto near = [&](Expr x) { return ((a + 2) * x - (a + 3)) * x * x + 1.0; };
  auto far = [&](Expr x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  return {far(fraction + 1.0), near(fraction), near(1.0 - fraction),
          far(2.0 - fraction)};
}

/// Sums over all combinations of one tap per axis.
static Expr interpolate(const Sampler &sampler, ArrayRef<Expr> coordinates,
                        bool isCubic) {
  SmallVector<SmallVector<Expr>> weights;
  SmallVector<Expr> starts;
  for (Expr x : coordinates) {
    Expr whole = floor(x);
    weights.push_back(isCubic ? cubicWeights(x - whole)
                              : linearWeights(x - whole));
    starts.push_back(isCubic ? whole - 1.0 : whole);
  }
  int64_t taps = isCubic ? 4 : 2;
  SmallVector<int64_t> shape(coordinates.size(), taps);
  Expr sum;
  forEachIndex(shape, [&](ArrayRef<int64_t> tap) {
    SmallVector<Expr> places;
    Expr weight;
    for (auto [axis, index] : llvm::enumerate(tap)) {
      places.push_back(starts[axis] + double(index));
      Expr factor = weights[axis][index];
      weight = weight ? weight * factor : factor;
    }
    Expr pixels = readPixels(sampler, places);
    Expr term =
        pixels * weight.cast(pixels.element()).unsqueeze({weight.rank()});
    sum = sum ? sum + term : term;
  });
  return sum;
}

/// The permutation that moves dimension 1 to the end.
static SmallVector<int64_t> channelsLast(int64_t rank) {
  SmallVector<int64_t> permutation = {0};
  for (int64_t dim = 2; dim < rank; ++dim)
    permutation.push_back(dim);
  permutation.push_back(1);
  return permutation;
}

/// The permutation that moves the last dimension to place 1.
static SmallVector<int64_t> channelsFirst(int64_t rank) {
  SmallVector<int64_t> permutation = {0, rank - 1};
  for (int64_t dim = 1; dim < rank - 1; ++dim)
    permutation.push_back(dim);
  return permutation;
}

//===----------------------------------------------------------------------===//
// GridSample
//===----------------------------------------------------------------------===//

static FailureOr<Padding> readPadding(Lowering &lower, Node node) {
  StringRef mode = node.getString("padding_mode", "zeros");
  if (mode == "zeros")
    return Padding::zeros;
  if (mode == "border")
    return Padding::border;
  if (mode == "reflection")
    return Padding::reflection;
  return lower.fail(node, "'padding_mode' is '" + mode + "'");
}

LogicalResult weft::lowerGridSample(Lowering &lower, Node node,
                                    SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0)), grid(lower, lower.operand(node, 1));
  FailureOr<Padding> padding = readPadding(lower, node);
  if (llvm::failed(padding))
    return failure();
  StringRef mode = node.getString("mode", "linear");
  // The names of older opsets.
  bool isCubic = mode == "cubic" || mode == "bicubic";
  bool isLinear = mode == "linear" || mode == "bilinear";
  if (!isCubic && !isLinear && mode != "nearest")
    return lower.fail(node, "'mode' is '" + mode + "'");
  if (grid.rank() != x.rank())
    return lower.fail(node, "the grid has rank " + Twine(grid.rank()) +
                                ", wanted " + Twine(x.rank()));
  bool alignCorners = node.getInt("align_corners", 0);
  if (!isa<Float64Type>(grid.element()))
    grid = grid.cast(lower.b.getF32Type());
  Expr images = x.transpose(channelsLast(x.rank()));
  Sampler sampler{images, *padding,
                  describeAxes(lower, images, grid.element(), alignCorners)};
  int64_t spatial = x.rank() - 2;
  SmallVector<Expr> coordinates;
  for (auto [dim, axis] : llvm::enumerate(sampler.axes)) {
    // The grid names the innermost axis first.
    Expr place = grid.at(grid.rank() - 1, spatial - 1 - dim);
    place = alignCorners ? (place + 1.0) / 2.0 * (axis.size - 1.0)
                         : ((place + 1.0) * axis.size - 1.0) / 2.0;
    if (mode == "nearest")
      place = round(place);
    coordinates.push_back(bringInside(sampler, place, axis));
  }
  Expr y = mode == "nearest" ? readPixels(sampler, coordinates)
                             : interpolate(sampler, coordinates, isCubic);
  results.push_back(y.cast(x.element()).transpose(channelsFirst(y.rank())));
  return success();
}

//===----------------------------------------------------------------------===//
// DeformConv
//===----------------------------------------------------------------------===//

namespace {
/// The sizes and attributes of a deformable convolution.
struct Deformed {
  int64_t spatial, groups, offsetGroups;
  SmallVector<int64_t> kernel, strides, dilations, pads;
  int64_t taps = 1;
};
} // namespace

static FailureOr<Deformed> readDeformed(Lowering &lower, Node node, Expr x,
                                        Expr filter) {
  Deformed conv;
  conv.spatial = x.rank() - 2;
  conv.groups = node.getInt("group", 1);
  conv.offsetGroups = node.getInt("offset_group", 1);
  conv.kernel =
      llvm::to_vector(Lowering::typeOf(filter).getShape().drop_front(2));
  if (node.hasAttr("kernel_shape"))
    conv.kernel = node.getInts("kernel_shape");
  if (llvm::any_of(conv.kernel, ShapedType::isDynamic))
    return lower.unsupported(node, "a filter of symbolic size");
  for (int64_t size : conv.kernel)
    conv.taps *= size;
  auto read = [&](StringRef name, size_t size, int64_t otherwise) {
    SmallVector<int64_t> values = node.getInts(name);
    return values.empty() ? SmallVector<int64_t>(size, otherwise) : values;
  };
  conv.strides = read("strides", conv.spatial, 1);
  conv.dilations = read("dilations", conv.spatial, 1);
  conv.pads = read("pads", 2 * conv.spatial, 0);
  return conv;
}

/// Where each tap of each output reads along one axis, before the offset: the
/// shape is [taps, outputs...].
static Expr regularPlaces(Lowering &lower, const Deformed &conv, int64_t axis,
                          ArrayRef<OpFoldResult> outputs, Type type) {
  SmallVector<int64_t> tapOffsets;
  forEachIndex(conv.kernel, [&](ArrayRef<int64_t> tap) {
    tapOffsets.push_back(tap[axis] * conv.dilations[axis] - conv.pads[axis]);
  });
  SmallVector<int64_t> tapShape(conv.spatial + 1, 1);
  tapShape[0] = conv.taps;
  Expr taps = table(lower, tapOffsets, type, tapShape);
  SmallVector<OpFoldResult> shape(conv.spatial + 1, lower.index(1));
  shape[axis + 1] = outputs[axis];
  Expr start = iota(lower, type, outputs[axis]) * double(conv.strides[axis]);
  return taps + start.reshape(shape);
}

/// What the taps read: [N, offset groups, channels of one, taps, outputs...].
static Expr readColumns(Lowering &lower, Node node, const Deformed &conv,
                        Expr x, Expr offset) {
  OpFoldResult batch = x.size(0);
  OpFoldResult groups = lower.index(conv.offsetGroups);
  OpFoldResult channels = lower.divSizes(x.size(1), groups);
  SmallVector<OpFoldResult> sizes = offset.sizes();
  ArrayRef<OpFoldResult> outputs = ArrayRef(sizes).drop_front(2);

  SmallVector<OpFoldResult> shape = {lower.mulSizes(batch, groups), channels};
  llvm::append_range(shape, ArrayRef(x.sizes()).drop_front(2));
  Expr split = x.reshape(shape);
  Expr images = split.transpose(channelsLast(split.rank()));
  Sampler sampler{images, Padding::zeros,
                  describeAxes(lower, images, offset.element(), true)};

  shape = {lower.mulSizes(batch, groups), lower.index(conv.taps),
           lower.index(conv.spatial)};
  llvm::append_range(shape, outputs);
  Expr offsets = offset.reshape(shape);
  SmallVector<Expr> coordinates;
  for (int64_t axis = 0; axis < conv.spatial; ++axis)
    coordinates.push_back(
        offsets.at(2, axis) +
        regularPlaces(lower, conv, axis, outputs, offset.element()));
  Expr columns = interpolate(sampler, coordinates, /*isCubic=*/false);
  if (Value mask = lower.operand(node, 4)) {
    shape = {lower.mulSizes(batch, groups), lower.index(conv.taps)};
    llvm::append_range(shape, outputs);
    shape.push_back(lower.index(1));
    columns = columns * Expr(lower, mask).reshape(shape);
  }
  return columns.transpose(channelsFirst(columns.rank()));
}

LogicalResult weft::lowerDeformConv(Lowering &lower, Node node,
                                    SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0)), filter(lower, lower.operand(node, 1));
  Expr offset(lower, lower.operand(node, 2));
  FailureOr<Deformed> conv = readDeformed(lower, node, x, filter);
  if (llvm::failed(conv))
    return failure();
  SmallVector<OpFoldResult> sizes = offset.sizes();
  ArrayRef<OpFoldResult> outputs = ArrayRef(sizes).drop_front(2);
  OpFoldResult places = lower.index(1);
  for (OpFoldResult size : outputs)
    places = lower.mulSizes(places, size);
  OpFoldResult groups = lower.index(conv->groups);
  OpFoldResult depth = lower.mulSizes(filter.size(1), lower.index(conv->taps));
  OpFoldResult perGroup = lower.divSizes(filter.size(0), groups);

  Expr columns = readColumns(lower, node, *conv, x, offset)
                     .reshape({x.size(0), groups, depth, places});
  Expr matrix = filter.reshape({groups, perGroup, depth});
  // [groups, outputs of one, N, places]
  Expr product = contract(matrix, columns, {0}, {1}, {2}, {2});
  SmallVector<OpFoldResult> shape = {x.size(0), filter.size(0)};
  llvm::append_range(shape, outputs);
  Expr y = product.transpose({2, 0, 1, 3}).reshape(shape);
  if (Value bias = lower.operand(node, 3)) {
    SmallVector<OpFoldResult> biasShape(y.rank(), lower.index(1));
    biasShape[1] = filter.size(0);
    y = y + Expr(lower, bias).reshape(biasShape);
  }
  results.push_back(y);
  return success();
}
