//===- Regions.cpp - Pooling of regions, choice of boxes ------------------===//

#include "Image.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

//===----------------------------------------------------------------------===//
// RoiAlign
//===----------------------------------------------------------------------===//

namespace {
/// Samples along one axis of all regions, shape [regions, bins, samples] but
/// for `count`, [regions, 1, 1].
struct AxisSamples {
  Expr low, high;
  /// Weights of the element at `low` and at `high`; zero out of the image.
  Expr lowWeight, highWeight;
  /// Whether the sample exists: each region has its own number of them.
  Expr isUsed;
  Expr count;
};
} // namespace

/// `start` and `end` are the region's borders, [regions], in image coordinates.
static AxisSamples sampleAxis(Lowering &lower, Node node, Expr start, Expr end,
                              OpFoldResult imageSize, int64_t bins,
                              bool halfPixel) {
  Type type = start.element(), i64 = lower.b.getI64Type();
  Expr length = end - start;
  if (!halfPixel)
    length = max(length, 1.0);
  Expr bin = (length / double(bins)).unsqueeze({1, 2});
  int64_t ratio = node.getInt("sampling_ratio", 0);
  AxisSamples samples;
  OpFoldResult most;
  if (ratio > 0) {
    samples.count = bin.number(double(ratio));
    most = lower.index(ratio);
  } else {
    samples.count = ceil(bin);
    auto axes = llvm::to_vector(llvm::seq<int64_t>(0, bin.rank()));
    most = sizeOf(max(samples.count.reduce(ReduceKind::max, axes), 1.0));
  }
  Expr sample = iota(lower, type, most).unsqueeze({0, 1});
  Expr index = iota(lower, type, lower.index(bins)).unsqueeze({0, 2});
  samples.isUsed = sample < samples.count;
  Expr place = start.unsqueeze({1, 2}) + index * bin +
               (sample + 0.5) * bin / max(samples.count, 1.0);
  Expr size = sizeTerm(lower, imageSize, type);
  Expr isInside = (place >= -1.0) & (place <= size);
  place = max(place, 0.0);
  Expr whole = floor(place);
  Expr isLast = whole >= size - 1.0;
  Expr fraction = select(isLast, 0.0, place - whole);
  Expr low = min(whole, size - 1.0);
  samples.low = low.cast(i64);
  samples.high = min(low + 1.0, size - 1.0).cast(i64);
  samples.lowWeight = select(isInside, 1.0 - fraction, 0.0);
  samples.highWeight = select(isInside, fraction, 0.0);
  return samples;
}

/// Terms along the vertical axis, [regions, bins, samples], and the horizontal
/// one, brought to [regions, rows, columns, vertical, horizontal samples].
static Expr vertical(Expr term) {
  return term.rank() == 0 ? term : term.unsqueeze({2, 4});
}
static Expr horizontal(Expr term) {
  return term.rank() == 0 ? term : term.unsqueeze({1, 3});
}

/// The images' elements at the four corners around each sample, times their
/// weights: [regions, rows, columns, vertical, horizontal, channels] each.
static SmallVector<Expr> readCorners(Expr images, Expr batch,
                                     const AxisSamples &rows,
                                     const AxisSamples &columns) {
  SmallVector<Expr> corners;
  auto corner = [&](Expr y, Expr yWeight, Expr x, Expr xWeight) {
    Expr place = stackLast({batch, vertical(y), horizontal(x)});
    Expr weight = vertical(yWeight) * horizontal(xWeight);
    corners.push_back(images.gatherND(place, 0) *
                      weight.unsqueeze({weight.rank()}));
  };
  corner(rows.low, rows.lowWeight, columns.low, columns.lowWeight);
  corner(rows.low, rows.lowWeight, columns.high, columns.highWeight);
  corner(rows.high, rows.highWeight, columns.low, columns.lowWeight);
  corner(rows.high, rows.highWeight, columns.high, columns.highWeight);
  return corners;
}

LogicalResult weft::lowerRoiAlign(Lowering &lower, Node node,
                                  SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0)), rois(lower, lower.operand(node, 1));
  StringRef mode = node.getString("mode", "avg");
  if (mode != "avg" && mode != "max")
    return lower.fail(node, "'mode' is '" + mode + "', wanted 'avg' or 'max'");
  bool halfPixel = node.getString("coordinate_transformation_mode",
                                  "half_pixel") == "half_pixel";
  Type type = x.element();
  if (!isa<Float64Type>(type)) {
    x = x.cast(lower.b.getF32Type());
    rois = rois.cast(lower.b.getF32Type());
  }
  Expr scaled = rois * double(node.getFloat("spatial_scale", 1)) -
                (halfPixel ? 0.5 : 0.0);
  AxisSamples rows =
      sampleAxis(lower, node, scaled.at(1, 1), scaled.at(1, 3), x.size(2),
                 node.getInt("output_height", 1), halfPixel);
  AxisSamples columns =
      sampleAxis(lower, node, scaled.at(1, 0), scaled.at(1, 2), x.size(3),
                 node.getInt("output_width", 1), halfPixel);
  Expr batch = Expr(lower, lower.operand(node, 2))
                   .cast(lower.b.getI64Type())
                   .unsqueeze({1, 2, 3, 4});
  SmallVector<Expr> corners =
      readCorners(x.transpose({0, 2, 3, 1}), batch, rows, columns);
  Expr isUsed =
      (vertical(rows.isUsed) & horizontal(columns.isUsed)).unsqueeze({5});
  Expr y;
  if (mode == "avg") {
    Expr samples = corners[0] + corners[1] + corners[2] + corners[3];
    Expr count = max(rows.count * columns.count, 1.0);
    if (count.rank() != 0)
      count = count.unsqueeze({3});
    y = select(isUsed, samples, 0.0).sum({3, 4}) / count;
  } else {
    Expr samples =
        max(max(corners[0], corners[1]), max(corners[2], corners[3]));
    double lowest = -std::numeric_limits<double>::infinity();
    y = select(isUsed, samples, lowest).reduce(ReduceKind::max, {3, 4});
    // A region without samples gives zero.
    y = select(y > lowest, y, 0.0);
  }
  results.push_back(y.transpose({0, 3, 1, 2}).cast(type));
  return success();
}

//===----------------------------------------------------------------------===//
// MaxRoiPool
//===----------------------------------------------------------------------===//

/// Which elements along an axis belong to which bin: [regions, bins, size].
static Expr selectBins(Lowering &lower, Expr start, Expr end,
                       OpFoldResult imageSize, int64_t bins) {
  Type type = start.element();
  Expr size = sizeTerm(lower, imageSize, type);
  Expr bin = (max(end - start + 1.0, 1.0) / double(bins)).unsqueeze({1, 2});
  Expr index = iota(lower, type, lower.index(bins)).unsqueeze({0, 2});
  Expr origin = start.unsqueeze({1, 2});
  auto inImage = [&](Expr place) { return min(max(place, 0.0), size); };
  Expr first = inImage(floor(index * bin) + origin);
  Expr last = inImage(ceil((index + 1.0) * bin) + origin);
  Expr place = iota(lower, type, imageSize).unsqueeze({0, 1});
  return (place >= first) & (place < last);
}

/// Rounds half away from zero, as C does.
static Expr roundAway(Expr x) {
  return select(x < 0.0, ceil(x - 0.5), floor(x + 0.5));
}

LogicalResult weft::lowerMaxRoiPool(Lowering &lower, Node node,
                                    SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0)), rois(lower, lower.operand(node, 1));
  SmallVector<int64_t> bins = node.getInts("pooled_shape");
  if (bins.size() != 2)
    return lower.fail(node, "'pooled_shape' does not have 2 elements");
  Expr scaled = roundAway(rois.narrow(1, lower.index(1), lower.index(4)) *
                          double(node.getFloat("spatial_scale", 1)));
  Expr rows =
      selectBins(lower, scaled.at(1, 1), scaled.at(1, 3), x.size(2), bins[0]);
  Expr columns =
      selectBins(lower, scaled.at(1, 0), scaled.at(1, 2), x.size(3), bins[1]);
  Expr batch = rois.at(1, 0).cast(lower.b.getI64Type());
  double lowest = -std::numeric_limits<double>::infinity();
  // [regions, channels, height, column bins]
  Expr images = x.gather(batch, 0);
  Expr inColumns =
      select(columns.unsqueeze({1, 2}), images.unsqueeze({3}), lowest)
          .reduce(ReduceKind::max, {4});
  // [regions, channels, row bins, column bins]
  Expr inRows = select(rows.unsqueeze({1, 4}), inColumns.unsqueeze({2}), lowest)
                    .reduce(ReduceKind::max, {3});
  results.push_back(select(inRows > lowest, inRows, 0.0));
  return success();
}

//===----------------------------------------------------------------------===//
// NonMaxSuppression
//===----------------------------------------------------------------------===//

namespace {
/// Borders and areas of boxes.
struct Boxes {
  Expr top, left, bottom, right;

  Expr area() const { return (bottom - top) * (right - left); }
};
} // namespace

/// Reads boxes from the last dimension of `x`.
static Boxes readBoxes(Expr x, bool isCentred) {
  int64_t last = x.rank() - 1;
  Expr part[4];
  for (int64_t i = 0; i < 4; ++i)
    part[i] = x.at(last, i);
  if (isCentred)
    return {part[1] - part[3] / 2.0, part[0] - part[2] / 2.0,
            part[1] + part[3] / 2.0, part[0] + part[2] / 2.0};
  return {min(part[0], part[2]), min(part[1], part[3]), max(part[0], part[2]),
          max(part[1], part[3])};
}

/// Whether intersection over union exceeds the threshold.
static Expr overlaps(const Boxes &a, const Boxes &b, Expr threshold) {
  Expr height = min(a.bottom, b.bottom) - max(a.top, b.top);
  Expr width = min(a.right, b.right) - max(a.left, b.left);
  Expr intersection = height * width;
  Expr areaA = a.area(), areaB = b.area();
  Expr all = areaA + areaB - intersection;
  return (height > 0.0) & (width > 0.0) & (areaA > 0.0) & (areaB > 0.0) &
         (all > 0.0) & (intersection / all > threshold);
}

static Expr scalarOr(Lowering &lower, Value operand, double otherwise,
                     Type type) {
  if (!operand)
    return {lower, lower.splat(otherwise, type)};
  return Expr(lower, operand).reshape(ArrayRef<int64_t>()).cast(type);
}

/// Repeatedly takes the best box that is left of each class, and strikes those
/// that overlap with it. Returns the boxes taken and whether there was one,
/// both [batch, classes, rounds].
static SmallVector<Expr> takeBoxes(Lowering &lower, Expr boxes, Expr scores,
                                   Expr alive, Expr threshold,
                                   OpFoldResult rounds, bool isCentred) {
  Type i64 = lower.b.getI64Type(), i1 = lower.b.getI1Type();
  SmallVector<OpFoldResult> shape = {scores.size(0), scores.size(1), rounds};
  Expr taken = full(lower, 0, i64, shape), found = full(lower, 0, i1, shape);
  // [batch, 1, boxes]
  Boxes all = readBoxes(boxes.unsqueeze({1}), isCentred);
  Expr number = iota(lower, i64, scores.size(2)).unsqueeze({0, 1});
  double lowest = -std::numeric_limits<double>::infinity();
  auto step = [&](Value round, ArrayRef<Expr> carried) {
    auto [left, taken, found] = std::tuple(carried[0], carried[1], carried[2]);
    Expr rest = select(left, scores, lowest);
    Expr best(lower, lower.make<ArgReduceOp>(ReduceKind::max, Value(rest), 2,
                                             /*last=*/false));
    Expr isFound = left.reduce(ReduceKind::any, {2}, /*keepDims=*/true);
    Expr index = best.unsqueeze({2});
    Boxes chosen =
        readBoxes(boxes.gatherND(index, 1).unsqueeze({2}), isCentred);
    Expr struck = overlaps(chosen, all, threshold) | equal(number, index);
    int64_t offsets[] = {0, 0, ShapedType::kDynamic};
    auto put = [&](Expr value, Expr into) {
      SmallVector<OpFoldResult> one = {shape[0], shape[1], lower.index(1)};
      return Expr(lower, lower.make<UpdateSliceOp>(
                             Value(into).getType(), Value(value.reshape(one)),
                             Value(into), ValueRange{round},
                             ArrayRef<int64_t>(offsets)));
    };
    return SmallVector<Expr>{left & inverted(struck), put(index, taken),
                             put(isFound, found)};
  };
  SmallVector<Expr> results = loop(lower, rounds, {alive, taken, found}, step);
  return {results[1], results[2]};
}

LogicalResult weft::lowerNonMaxSuppression(Lowering &lower, Node node,
                                           SmallVectorImpl<Value> &results) {
  Expr boxes(lower, lower.operand(node, 0)),
      scores(lower, lower.operand(node, 1));
  Type i64 = lower.b.getI64Type();
  OpFoldResult rounds = lower.index(0);
  if (Value most = lower.operand(node, 2))
    rounds = lower.maxSizes(sizeOf({lower, most}), rounds);
  rounds = lower.minSizes(rounds, scores.size(2));
  if (isConstantIntValue(rounds, 0)) {
    results.push_back(full(lower, 0, i64, {rounds, lower.index(3)}));
    return success();
  }
  Expr threshold = scalarOr(lower, lower.operand(node, 3), 0, scores.element());
  Expr alive = full(lower, 1, lower.b.getI1Type(), scores.sizes());
  if (Value least = lower.operand(node, 4))
    alive = scores > scalarOr(lower, least, 0, scores.element());
  SmallVector<Expr> chosen =
      takeBoxes(lower, boxes, scores, alive, threshold, rounds,
                node.getInt("center_point_box", 0) != 0);
  Expr taken = chosen[0], found = chosen[1];
  Value count = lower.sizeValue(sizeOf(found.cast(i64).sum({0, 1, 2})));
  auto type = RankedTensorType::get({3, ShapedType::kDynamic}, i64);
  // [3, count]: batch, class, round
  Expr places(lower, NonZeroOp::create(lower.b, type, Value(found), count));
  places = places.transpose({1, 0});
  Expr index = taken.gatherND(places, 0).unsqueeze({1});
  results.push_back(
      concat({places.narrow(1, lower.index(0), lower.index(2)), index}, 1));
  return success();
}
