//===- Quantization.cpp - Ops on integers that stand for reals ------------===//

#include "Expr.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

//===----------------------------------------------------------------------===//
// Scales and zero points
//===----------------------------------------------------------------------===//

static bool isArithmeticFloat(Type type) {
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type);
}

/// The least and the greatest value of an integer type.
static std::pair<double, double> getRange(IntegerType type) {
  unsigned width = type.getWidth();
  if (type.isUnsigned())
    return {0, std::ldexp(1.0, width) - 1};
  return {-std::ldexp(1.0, width - 1), std::ldexp(1.0, width - 1) - 1};
}

/// A scale or zero point in a shape that broadcasts against `x`: one number,
/// one per index of `axis`, or one per block of `blockSize` of them.
static FailureOr<Expr> spread(Lowering &lower, Node node, Expr parameter,
                              Expr x) {
  auto type = Lowering::typeOf(parameter);
  if (parameter.rank() == 0)
    return parameter;
  if (type.hasStaticShape() && type.getNumElements() == 1)
    return parameter.reshape(ArrayRef<int64_t>());
  FailureOr<int64_t> axis = lower.axis(node, node.getInt("axis", 1), x.rank());
  if (llvm::failed(axis))
    return failure();
  int64_t block = node.getInt("block_size", 0);
  if (block == 0) {
    if (parameter.rank() != 1)
      return lower.fail(node, "scale and zero point have rank " +
                                  Twine(parameter.rank()) +
                                  ", without 'block_size' at most 1 is wanted");
    SmallVector<OpFoldResult> shape(x.rank(), lower.index(1));
    shape[*axis] = parameter.size(0);
    // A list of symbolic length may turn out to be a single number.
    return parameter.reshape(shape).broadcast(x.sizes());
  }
  if (block < 0 || parameter.rank() != x.rank())
    return lower.fail(node, "blocked scale and zero point have rank " +
                                Twine(parameter.rank()) + ", wanted " +
                                Twine(x.rank()));
  SmallVector<OpFoldResult> shape = parameter.sizes();
  SmallVector<OpFoldResult> merged = shape;
  merged[*axis] = lower.mulSizes(shape[*axis], lower.index(block));
  shape.insert(shape.begin() + *axis + 1, lower.index(block));
  Expr repeated =
      parameter.unsqueeze({*axis + 1}).broadcast(shape).reshape(merged);
  return repeated.narrow(*axis, lower.index(0), x.size(*axis));
}

/// The float type that attribute `precision` asks for, or null.
static Type getPrecision(Lowering &lower, Node node) {
  // The numbers are those of ONNX's TensorProto.DataType.
  switch (node.getInt("precision", 0)) {
  case 1:
    return lower.b.getF32Type();
  case 10:
    return lower.b.getF16Type();
  case 11:
    return lower.b.getF64Type();
  case 16:
    return lower.b.getBF16Type();
  }
  return {};
}

/// Real numbers, divided by their scale already, rounded, shifted and clamped
/// to the integers of `type`.
static Expr quantize(Expr scaled, Expr zeroPoint, Type type) {
  Lowering &lower = scaled.getLowering();
  // In f16 and bf16 the sum with a 16-bit zero point would be rounded again.
  Type wide = isa<Float64Type>(scaled.element()) ? scaled.element()
                                                 : lower.b.getF32Type();
  Expr rounded = round(scaled).cast(wide);
  if (zeroPoint)
    rounded = rounded + zeroPoint.cast(wide);
  auto [low, high] = getRange(cast<IntegerType>(type));
  return clamp(rounded, low, high).castSaturated(type);
}

//===----------------------------------------------------------------------===//
// Between reals and integers
//===----------------------------------------------------------------------===//

static LogicalResult lowerQuantizeLinear(Lowering &lower, Node node,
                                         SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0));
  Expr scale(lower, lower.operand(node, 1));
  Type type = declaredElement(node);
  Type compute = getPrecision(lower, node);
  if (!compute)
    compute = isArithmeticFloat(scale.element()) ? scale.element()
                                                 : lower.b.getF32Type();
  FailureOr<Expr> divisor = spread(lower, node, scale, x);
  if (llvm::failed(divisor))
    return failure();
  Expr scaled = x.cast(compute) / divisor->cast(compute);
  // The zero point of a small float is zero.
  if (!isa<IntegerType>(type)) {
    results.push_back(node.getInt("saturate", 1) ? scaled.castSaturated(type)
                                                 : scaled.cast(type));
    return success();
  }
  Expr zeroPoint;
  if (node.hasOperand(2)) {
    FailureOr<Expr> shift =
        spread(lower, node, {lower, lower.operand(node, 2)}, x);
    if (llvm::failed(shift))
      return failure();
    zeroPoint = *shift;
  }
  results.push_back(quantize(scaled, zeroPoint, type));
  return success();
}

static LogicalResult lowerDequantizeLinear(Lowering &lower, Node node,
                                           SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0));
  FailureOr<Expr> scale =
      spread(lower, node, {lower, lower.operand(node, 1)}, x);
  if (llvm::failed(scale))
    return failure();
  Expr value = x;
  if (node.hasOperand(2) && isa<IntegerType>(x.element())) {
    FailureOr<Expr> shift =
        spread(lower, node, {lower, lower.operand(node, 2)}, x);
    if (llvm::failed(shift))
      return failure();
    Type wide = lower.b.getI32Type();
    value = x.cast(wide) - shift->cast(wide);
  }
  Type compute = lower.b.getF32Type();
  results.push_back(
      (value.cast(compute) * scale->cast(compute)).cast(declaredElement(node)));
  return success();
}

static LogicalResult
lowerDynamicQuantizeLinear(Lowering &lower, Node node,
                           SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0));
  Type type = declaredElement(node);
  auto [low, high] = getRange(cast<IntegerType>(type));
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  Expr least = min(x.reduce(ReduceKind::min, axes), 0.0);
  Expr range = max(x.reduce(ReduceKind::max, axes), 0.0) - least;
  Expr scale = select(equal(range, 0.0), 1.0, range) / (high - low);
  Expr zeroPoint = round(clamp(low - least / scale, low, high));
  results.push_back(quantize(x / scale, zeroPoint, type));
  results.push_back(scale);
  results.push_back(zeroPoint.cast(type));
  return success();
}

//===----------------------------------------------------------------------===//
// Contractions of integers
//===----------------------------------------------------------------------===//

/// `x` as i32, less its zero point (which may be absent). One zero point per
/// index of `axis` is meant if the zero point has rank one.
static Expr widen(Lowering &lower, Expr x, Value zeroPoint, int64_t axis) {
  Type wide = isa<IntegerType>(x.element()) ? Type(lower.b.getI32Type())
                                            : Type(lower.b.getF32Type());
  Expr result = x.cast(wide);
  if (!zeroPoint)
    return result;
  Expr shift = Expr(lower, zeroPoint).cast(wide);
  if (shift.rank() == 1) {
    SmallVector<OpFoldResult> shape(x.rank(), lower.index(1));
    shape[axis] = shift.size(0);
    shift = shift.reshape(shape).broadcast(x.sizes());
  }
  return result - shift;
}

/// Numpy's matmul for any rank from one on.
static Expr matmul(Lowering &lower, Expr a, Expr b) {
  bool isRow = a.rank() == 1, isColumn = b.rank() == 1;
  if (isRow)
    a = a.unsqueeze({0});
  if (isColumn)
    b = b.unsqueeze({1});
  Expr product(lower, lower.matmul(a, b, a.element()));
  SmallVector<OpFoldResult> shape = product.sizes();
  if (isColumn)
    shape.pop_back();
  if (isRow)
    shape.erase(shape.end() - (isColumn ? 1 : 2));
  return isRow || isColumn ? product.reshape(shape) : product;
}

static int64_t rowAxis(Expr a) { return std::max<int64_t>(a.rank() - 2, 0); }

static LogicalResult lowerMatMulInteger(Lowering &lower, Node node,
                                        SmallVectorImpl<Value> &results) {
  Expr a(lower, lower.operand(node, 0)), b(lower, lower.operand(node, 1));
  a = widen(lower, a, lower.operand(node, 2), rowAxis(a));
  b = widen(lower, b, lower.operand(node, 3), b.rank() - 1);
  results.push_back(matmul(lower, a, b));
  return success();
}

/// A sum of products of quantized numbers in the scale of the result.
static Expr requantize(Expr sum, Expr factor, Expr zeroPoint, Type type) {
  Type compute = sum.getLowering().b.getF32Type();
  // A list of scales may turn out to be a single one.
  Expr scaled = sum.cast(compute) * factor.broadcast(sum.sizes());
  if (zeroPoint)
    zeroPoint = zeroPoint.broadcast(sum.sizes());
  return isa<IntegerType>(type) ? quantize(scaled, zeroPoint, type)
                                : scaled.castSaturated(type);
}

/// A scale as f32; of rank one, it stands along dimension `axis` of `rank`.
static Expr scaleAlong(Lowering &lower, Value value, int64_t axis,
                       int64_t rank) {
  Expr scale = Expr(lower, value).cast(lower.b.getF32Type());
  if (scale.rank() != 1)
    return scale;
  SmallVector<OpFoldResult> shape(rank, lower.index(1));
  shape[axis] = scale.size(0);
  return scale.reshape(shape);
}

static LogicalResult lowerQLinearMatMul(Lowering &lower, Node node,
                                        SmallVectorImpl<Value> &results) {
  Expr a(lower, lower.operand(node, 0)), b(lower, lower.operand(node, 3));
  Expr wideA = widen(lower, a, lower.operand(node, 2), rowAxis(a));
  Expr wideB = widen(lower, b, lower.operand(node, 5), b.rank() - 1);
  Expr product = matmul(lower, wideA, wideB);
  int64_t rank = product.rank();
  if (rank == 0)
    return lower.unsupported(node, "the product of two vectors");
  auto scaleAt = [&](unsigned index, int64_t axis) {
    return scaleAlong(lower, lower.operand(node, index), axis, rank)
        .broadcast(product.sizes());
  };
  int64_t rows = std::max<int64_t>(rank - 2, 0);
  Expr factor = scaleAt(1, rows) * scaleAt(4, rank - 1) / scaleAt(6, rows);
  Expr zeroPoint(lower, lower.operand(node, 7));
  if (zeroPoint.rank() == 1) {
    SmallVector<OpFoldResult> shape(rank, lower.index(1));
    shape[rows] = zeroPoint.size(0);
    zeroPoint = zeroPoint.reshape(shape);
  }
  results.push_back(
      requantize(product, factor, zeroPoint, declaredElement(node)));
  return success();
}

//===----------------------------------------------------------------------===//
// Convolutions of integers
//===----------------------------------------------------------------------===//

static SmallVector<int64_t> intsOr(Node node, StringRef name, size_t size,
                                   int64_t otherwise) {
  SmallVector<int64_t> values = node.getInts(name);
  return values.empty() ? SmallVector<int64_t>(size, otherwise) : values;
}

namespace {
struct Window {
  SmallVector<int64_t> strides, dilations, low, high;
};
} // namespace

/// Reads strides, dilations and padding of a convolution.
static FailureOr<Window> readWindow(Lowering &lower, Node node, Expr x,
                                    Expr filter) {
  size_t spatial = x.rank() - 2;
  Window window{intsOr(node, "strides", spatial, 1),
                intsOr(node, "dilations", spatial, 1),
                {},
                {}};
  StringRef mode = node.getString("auto_pad", "NOTSET");
  SmallVector<int64_t> pads = intsOr(node, "pads", 2 * spatial, 0);
  if (mode == "NOTSET" || mode == "VALID") {
    if (mode == "VALID")
      pads.assign(2 * spatial, 0);
    window.low.assign(pads.begin(), pads.begin() + spatial);
    window.high.assign(pads.begin() + spatial, pads.end());
    return window;
  }
  for (size_t i = 0; i < spatial; ++i) {
    int64_t size = Lowering::typeOf(x).getDimSize(i + 2);
    int64_t taps = Lowering::typeOf(filter).getDimSize(i + 2);
    if (ShapedType::isDynamic(size) || ShapedType::isDynamic(taps))
      return lower.unsupported(node, "'auto_pad' with symbolic sizes");
    int64_t outputs = llvm::divideCeil(size, window.strides[i]);
    int64_t total =
        std::max<int64_t>((outputs - 1) * window.strides[i] +
                              window.dilations[i] * (taps - 1) + 1 - size,
                          0);
    int64_t less = total / 2, more = total - less;
    bool isUpper = mode == "SAME_UPPER";
    window.low.push_back(isUpper ? less : more);
    window.high.push_back(isUpper ? more : less);
  }
  return window;
}

static FailureOr<Expr> convolve(Lowering &lower, Node node, Expr x,
                                Expr filter) {
  FailureOr<Window> window = readWindow(lower, node, x, filter);
  if (llvm::failed(window))
    return failure();
  SmallVector<int64_t> ones(x.rank() - 2, 1);
  return Expr(lower, lower.make<ConvOp>(Value(x), Value(filter),
                                        window->strides, window->low,
                                        window->high, ones, window->dilations,
                                        node.getInt("group", 1), x.element()));
}

static LogicalResult lowerConvInteger(Lowering &lower, Node node,
                                      SmallVectorImpl<Value> &results) {
  Expr x = widen(lower, {lower, lower.operand(node, 0)}, lower.operand(node, 2),
                 /*axis=*/1);
  Expr filter = widen(lower, {lower, lower.operand(node, 1)},
                      lower.operand(node, 3), /*axis=*/0);
  FailureOr<Expr> sum = convolve(lower, node, x, filter);
  if (llvm::failed(sum))
    return failure();
  results.push_back(*sum);
  return success();
}

static LogicalResult lowerQLinearConv(Lowering &lower, Node node,
                                      SmallVectorImpl<Value> &results) {
  Expr x = widen(lower, {lower, lower.operand(node, 0)}, lower.operand(node, 2),
                 /*axis=*/1);
  Expr filter = widen(lower, {lower, lower.operand(node, 3)},
                      lower.operand(node, 5), /*axis=*/0);
  FailureOr<Expr> product = convolve(lower, node, x, filter);
  if (llvm::failed(product))
    return failure();
  Expr sum = *product;
  auto perChannel = [&](Value value) {
    SmallVector<OpFoldResult> shape(sum.rank(), lower.index(1));
    shape[1] = lower.size(value, 0);
    return Expr(lower, value).reshape(shape);
  };
  if (node.hasOperand(8))
    sum = sum + perChannel(lower.operand(node, 8));
  auto scalar = [&](unsigned index) {
    Expr value(lower, lower.operand(node, index));
    return value.rank() == 1 ? value.reshape(ArrayRef<int64_t>()) : value;
  };
  Value filterScale = lower.operand(node, 4);
  if (Lowering::rankOf(filterScale) == 1)
    filterScale = perChannel(filterScale);
  Expr factor = scalar(1) * Expr(lower, filterScale) / scalar(6);
  results.push_back(requantize(sum, factor, scalar(7), declaredElement(node)));
  return success();
}

void weft::addQuantizationLowerings(LoweringTable &table) {
  table["ConvInteger"] = lowerConvInteger;
  table["DequantizeLinear"] = lowerDequantizeLinear;
  table["DynamicQuantizeLinear"] = lowerDynamicQuantizeLinear;
  table["MatMulInteger"] = lowerMatMulInteger;
  table["QLinearConv"] = lowerQLinearConv;
  table["QLinearMatMul"] = lowerQLinearMatMul;
  table["QuantizeLinear"] = lowerQuantizeLinear;
}
