//===- Resize.cpp - Resize: interpolation, one axis after the other -------===//

#include "Image.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

//===----------------------------------------------------------------------===//
// Attributes and sizes
//===----------------------------------------------------------------------===//

namespace {
struct Options {
  StringRef mode, nearestMode, coordinates;
  bool antialias, excludeOutside;
  double cubicA, extrapolation;
};

/// What happens to one axis. Scale and region are f64 of rank 0.
struct AxisPlan {
  int64_t axis;
  OpFoldResult size;
  Expr scale, roiStart, roiEnd;
};

/// For each output index: the first of the inputs that make it up, the weights
/// of `taps` inputs from there on, and whether it lies outside of the input
/// (null if that does not matter).
struct Taps {
  Expr first, weights, outside;
  OpFoldResult count;
};
} // namespace

static Options readOptions(Node node) {
  return {node.getString("mode", "nearest"),
          node.getString("nearest_mode", "round_prefer_floor"),
          node.getString("coordinate_transformation_mode", "half_pixel"),
          node.getInt("antialias", 0) != 0,
          node.getInt("exclude_outside", 0) != 0,
          node.getFloat("cubic_coeff_a", -0.75f),
          node.getFloat("extrapolation_value", 0)};
}

static LogicalResult checkOptions(Lowering &lower, Node node,
                                  const Options &options) {
  static constexpr StringRef modes[] = {"nearest", "linear", "cubic"};
  if (!llvm::is_contained(modes, options.mode))
    return lower.fail(node, "'mode' is '" + options.mode + "'");
  static constexpr StringRef rounding[] = {
      "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  if (!llvm::is_contained(rounding, options.nearestMode))
    return lower.fail(node, "'nearest_mode' is '" + options.nearestMode + "'");
  static constexpr StringRef transformations[] = {
      "half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
      "align_corners", "asymmetric",           "tf_crop_and_resize"};
  if (!llvm::is_contained(transformations, options.coordinates))
    return lower.fail(node, "'coordinate_transformation_mode' is '" +
                                options.coordinates + "'");
  return success();
}

/// Element `index` of a tensor of rank one, as f64.
static Expr elementAt(Lowering &lower, Value value, int64_t index) {
  return Expr(lower, value).at(0, index).cast(lower.b.getF64Type());
}

/// A tensor of rank one that must have `size` elements, whether its type says
/// so or not.
static FailureOr<Value> readList(Lowering &lower, Node node, Value list,
                                 StringRef name, int64_t size) {
  auto type = Lowering::typeOf(list);
  if (type.getRank() != 1 ||
      (type.hasStaticShape() && type.getNumElements() != size))
    return lower.fail(node, "'" + name + "' does not have " + Twine(size) +
                                " elements");
  return lower.reshape(list, {lower.index(size)});
}

static bool isPresent(Value operand) {
  return operand && !Lowering::typeOf(operand).getShape().equals({0});
}

/// Sizes from `sizes`, which keep the aspect ratio if asked to.
static LogicalResult planFromSizes(Lowering &lower, Node node, Expr x,
                                   Value sizes,
                                   MutableArrayRef<AxisPlan> plans) {
  Type f64 = lower.b.getF64Type();
  FailureOr<Value> list = readList(lower, node, sizes, "sizes", plans.size());
  if (llvm::failed(list))
    return failure();
  SmallVector<OpFoldResult> wanted = lower.indexValues(*list);
  for (auto [plan, size] : llvm::zip_equal(plans, wanted)) {
    plan.size = size;
    plan.scale =
        sizeTerm(lower, size, f64) / sizeTerm(lower, x.size(plan.axis), f64);
  }
  StringRef policy = node.getString("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch")
    return success();
  if (policy != "not_larger" && policy != "not_smaller")
    return lower.fail(node, "'keep_aspect_ratio_policy' is '" + policy + "'");
  Expr scale = plans.front().scale;
  for (AxisPlan &plan : plans.drop_front())
    scale = policy == "not_larger" ? min(scale, plan.scale)
                                   : max(scale, plan.scale);
  for (AxisPlan &plan : plans) {
    plan.scale = scale;
    plan.size =
        sizeOf(floor(sizeTerm(lower, x.size(plan.axis), f64) * scale + 0.5));
  }
  return success();
}

static LogicalResult planFromScales(Lowering &lower, Node node, Expr x,
                                    Value scales,
                                    MutableArrayRef<AxisPlan> plans) {
  FailureOr<Value> list = readList(lower, node, scales, "scales", plans.size());
  if (llvm::failed(list))
    return failure();
  for (auto [index, plan] : llvm::enumerate(plans)) {
    plan.scale = elementAt(lower, *list, index);
    plan.size = sizeOf(floor(
        sizeTerm(lower, x.size(plan.axis), lower.b.getF64Type()) * plan.scale));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Coordinates
//===----------------------------------------------------------------------===//

/// Where each output index lies in the input.
static Expr computeOrigins(Lowering &lower, const Options &options, Expr x,
                           const AxisPlan &plan) {
  Type f64 = lower.b.getF64Type();
  Expr index = iota(lower, f64, plan.size);
  Expr input = sizeTerm(lower, x.size(plan.axis), f64);
  Expr output = input * plan.scale;
  Expr halfPixel = (index + 0.5) / plan.scale - 0.5;
  StringRef mode = options.coordinates;
  if (mode == "half_pixel")
    return halfPixel;
  if (mode == "asymmetric")
    return index / plan.scale;
  Expr isOne = equal(output, 1.0);
  if (mode == "pytorch_half_pixel")
    return select(isOne, -0.5, halfPixel);
  if (mode == "half_pixel_symmetric") {
    Expr adjustment = sizeTerm(lower, plan.size, f64) / output;
    return input / 2.0 * (1.0 - adjustment) + halfPixel;
  }
  // Where the quotient is one by zero it is not used.
  Expr span = select(isOne, 1.0, output - 1.0);
  if (mode == "align_corners")
    return select(isOne, 0.0, index * (input - 1.0) / span);
  Expr roi = plan.roiEnd - plan.roiStart;
  Expr origin = select(isOne, roi * (input - 1.0) / 2.0,
                       index * roi * (input - 1.0) / span);
  return origin + plan.roiStart * (input - 1.0);
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

static Expr cubicWeight(Expr distance, double a) {
  Expr x = abs(distance);
  Expr near = ((a + 2) * x - (a + 3)) * x * x + 1.0;
  Expr far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return select(x <= 1.0, near, select(x < 2.0, far, 0.0));
}

static Expr linearWeight(Expr distance) {
  return max(1.0 - abs(distance), 0.0);
}

static Taps computeTaps(Lowering &lower, const Options &options, Expr x,
                        const AxisPlan &plan) {
  Type f64 = lower.b.getF64Type();
  Expr origin = computeOrigins(lower, options, x, plan);
  Expr input = sizeTerm(lower, x.size(plan.axis), f64);
  Expr outside;
  if (options.coordinates == "tf_crop_and_resize")
    outside = (origin < 0.0) | (origin > input - 1.0);
  // Half of the window, which is widened against aliasing.
  double radius = options.mode == "cubic" ? 2 : 1;
  Expr shrink = plan.scale.number(1), half = plan.scale.number(radius);
  if (options.antialias) {
    shrink = min(plan.scale, 1.0);
    half = ceil(radius / shrink);
  }
  OpFoldResult count = sizeOf(half * 2.0);
  // The window starts so that the origin lies in (half - 1, half] of it.
  Expr first = ceil(origin) - half;
  Expr tap = iota(lower, f64, count);
  Expr position = first.unsqueeze({1}) + tap.unsqueeze({0});
  Expr distance = (position - origin.unsqueeze({1})) * shrink;
  Expr weights = options.mode == "cubic" ? cubicWeight(distance, options.cubicA)
                                         : linearWeight(distance);
  if (options.excludeOutside)
    weights = select((position >= 0.0) & (position < input), weights, 0.0);
  if (options.excludeOutside || options.antialias) {
    Expr total = weights.sum({1}, /*keepDims=*/true);
    weights = weights / select(equal(total, 0.0), 1.0, total);
  }
  return {first, weights, outside, count};
}

static Expr clampIndex(Expr position, Expr size) {
  Lowering &lower = position.getLowering();
  return max(min(position, size - 1.0), 0.0).cast(lower.b.getI64Type());
}

/// A tensor of rank one, shaped so that it broadcasts along `axis` of `rank`.
static Expr alongAxis(Expr vector, int64_t axis, int64_t rank) {
  SmallVector<OpFoldResult> shape(rank, vector.getLowering().index(1));
  shape[axis] = vector.size(0);
  return vector.reshape(shape);
}

static Expr extrapolate(const Options &options, Expr y, Expr outside,
                        int64_t axis) {
  if (!outside)
    return y;
  return select(alongAxis(outside, axis, y.rank()), options.extrapolation, y);
}

//===----------------------------------------------------------------------===//
// Axes
//===----------------------------------------------------------------------===//

static Expr resizeNearest(Lowering &lower, const Options &options, Expr x,
                          const AxisPlan &plan) {
  Expr origin = computeOrigins(lower, options, x, plan);
  Expr size = sizeTerm(lower, x.size(plan.axis), origin.element());
  Expr outside;
  if (options.coordinates == "tf_crop_and_resize")
    outside = (origin < 0.0) | (origin > size - 1.0);
  Expr rounded;
  if (options.nearestMode == "round_prefer_floor")
    rounded = ceil(origin - 0.5);
  else if (options.nearestMode == "round_prefer_ceil")
    rounded = floor(origin + 0.5);
  else if (options.nearestMode == "floor")
    rounded = floor(origin);
  else
    rounded = ceil(origin);
  Expr y = x.gather(clampIndex(rounded, size), plan.axis);
  return extrapolate(options, y, outside, plan.axis);
}

static Expr resizeAxis(Lowering &lower, const Options &options, Expr x,
                       const AxisPlan &plan) {
  Taps taps = computeTaps(lower, options, x, plan);
  int64_t axis = plan.axis, rank = x.rank();
  Expr size = sizeTerm(lower, x.size(axis), lower.b.getF64Type());
  Expr y;
  // A few taps are written out; they join the kernel that uses the result.
  std::optional<int64_t> count = getConstantIntValue(taps.count);
  if (count && *count <= 4) {
    for (int64_t tap = 0; tap < *count; ++tap) {
      Expr part = x.gather(clampIndex(taps.first + double(tap), size), axis);
      Expr weight = taps.weights.at(1, tap).cast(x.element());
      Expr term = part * alongAxis(weight, axis, rank);
      y = y ? y + term : term;
    }
    return extrapolate(options, y, taps.outside, axis);
  }
  Expr tap = iota(lower, size.element(), taps.count);
  Expr position = taps.first.unsqueeze({1}) + tap.unsqueeze({0});
  SmallVector<OpFoldResult> shape(rank + 1, lower.index(1));
  shape[axis] = plan.size;
  shape[axis + 1] = taps.count;
  Expr weights = taps.weights.cast(x.element()).reshape(shape);
  y = (x.gather(clampIndex(position, size), axis) * weights).sum({axis + 1});
  return extrapolate(options, y, taps.outside, axis);
}

/// Whether nothing happens to the axis.
static bool isIdentity(Lowering &lower, const Options &options, Expr x,
                       const AxisPlan &plan) {
  if (options.coordinates == "tf_crop_and_resize" ||
      x.size(plan.axis) != plan.size)
    return false;
  std::optional<HostTensor> scale = lower.constantOf(plan.scale);
  return scale && std::abs(scale->getFloat(0) - 1) < 1e-9;
}

static Expr applyPlans(Lowering &lower, const Options &options, Expr x,
                       ArrayRef<AxisPlan> plans) {
  Type type = x.element();
  bool isNearest = options.mode == "nearest";
  if (!isNearest && !isa<Float32Type, Float64Type>(type))
    x = x.cast(lower.b.getF32Type());
  for (const AxisPlan &plan : plans) {
    if (isIdentity(lower, options, x, plan))
      continue;
    if (isNearest) {
      x = resizeNearest(lower, options, x, plan);
      continue;
    }
    x = resizeAxis(lower, options, x, plan);
  }
  if (x.element() == type)
    return x;
  return isa<IntegerType>(type) ? round(x).castSaturated(type) : x.cast(type);
}

static LogicalResult planAxes(Lowering &lower, Node node,
                              const Options &options, Expr x,
                              SmallVectorImpl<AxisPlan> &plans) {
  SmallVector<int64_t> axes = node.getInts("axes");
  if (!node.hasAttr("axes"))
    axes = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  for (int64_t axis : axes) {
    FailureOr<int64_t> position = lower.axis(node, axis, x.rank());
    if (llvm::failed(position))
      return failure();
    plans.push_back({*position, {}, {}, {}, {}});
  }
  Value scales = lower.operand(node, 2), sizes = lower.operand(node, 3);
  if (isPresent(sizes)) {
    if (llvm::failed(planFromSizes(lower, node, x, sizes, plans)))
      return failure();
  } else if (!isPresent(scales)) {
    return lower.fail(node, "neither 'scales' nor 'sizes' is given");
  } else if (llvm::failed(planFromScales(lower, node, x, scales, plans))) {
    return failure();
  }
  if (options.coordinates != "tf_crop_and_resize")
    return success();
  Value roi = lower.operand(node, 1);
  if (!isPresent(roi))
    return lower.fail(node, "'tf_crop_and_resize' needs 'roi'");
  FailureOr<Value> list = readList(lower, node, roi, "roi", 2 * plans.size());
  if (llvm::failed(list))
    return failure();
  for (auto [index, plan] : llvm::enumerate(plans)) {
    plan.roiStart = elementAt(lower, *list, index);
    plan.roiEnd = elementAt(lower, *list, plans.size() + index);
  }
  return success();
}

LogicalResult weft::lowerResize(Lowering &lower, Node node,
                                SmallVectorImpl<Value> &results) {
  Options options = readOptions(node);
  Expr x(lower, lower.operand(node, 0));
  SmallVector<AxisPlan> plans;
  if (llvm::failed(checkOptions(lower, node, options)) ||
      llvm::failed(planAxes(lower, node, options, x, plans)))
    return failure();
  results.push_back(applyPlans(lower, options, x, plans));
  return success();
}
