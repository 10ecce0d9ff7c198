//===- Signal.cpp - Fourier transforms, windows, mel filters --------------===//

#include "Expr.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

//===----------------------------------------------------------------------===//
// Fourier transforms
//===----------------------------------------------------------------------===//

namespace {
/// Cosines and sines of `2 pi i k / length`: the real and imaginary part of a
/// Fourier matrix, of shape [rows, columns], f64.
struct FourierMatrix {
  Expr cosine, sine;
};
} // namespace

static FourierMatrix makeFourierMatrix(Lowering &lower, OpFoldResult length,
                                       OpFoldResult rows,
                                       OpFoldResult columns) {
  // The product is reduced first, in integers, so that large angles lose no
  // precision.
  Type i64 = lower.b.getI64Type(), f64 = lower.b.getF64Type();
  Expr n = sizeTerm(lower, length, i64);
  Expr row = iota(lower, i64, rows).unsqueeze({1});
  Expr column = iota(lower, i64, columns).unsqueeze({0});
  Expr turns = (row * column % n).cast(f64) / n.cast(f64);
  Expr angle = turns * (2 * M_PI);
  return {cos(angle), sin(angle)};
}

/// `x` with dimension `axis` cut or padded with zeros to `size`.
static Expr resizeAxis(Expr x, int64_t axis, OpFoldResult size) {
  Lowering &lower = x.getLowering();
  OpFoldResult old = x.size(axis);
  if (old == size)
    return x;
  OpFoldResult shared = lower.minSizes(old, size);
  if (shared != old)
    x = x.narrow(axis, lower.index(0), shared);
  if (shared == size)
    return x;
  SmallVector<OpFoldResult> low(x.rank(), lower.index(0)), high = low;
  high[axis] = lower.subSizes(size, shared);
  return {lower, lower.pad(x, x.number(0), low, high)};
}

/// Contracts the last dimension of `x` with the rows of a matrix.
static Expr applyMatrix(Expr x, Expr matrix) {
  return contract(x, matrix, {}, {}, {x.rank() - 1}, {0});
}

namespace {
/// The parts of a complex signal, f64: a sum of many terms that cancel would
/// lose too much in f32. `imaginary` is null for a real one.
struct Signal {
  Expr real, imaginary;
};
} // namespace

/// The transform along the last dimension, of `length` points. `onesided` keeps
/// the first half of the frequencies.
static Signal transform(Signal x, OpFoldResult length, bool onesided,
                        bool inverse) {
  Lowering &lower = x.real.getLowering();
  OpFoldResult outputs = length;
  if (onesided)
    outputs =
        lower.addSizes(lower.divSizes(length, lower.index(2)), lower.index(1));
  FourierMatrix matrix =
      makeFourierMatrix(lower, length, x.real.size(x.real.rank() - 1), outputs);
  // e^(-i a) forwards, e^(i a) back.
  Expr sine = inverse ? matrix.sine : -matrix.sine;
  Expr real = applyMatrix(x.real, matrix.cosine);
  Expr imaginary = applyMatrix(x.real, sine);
  if (x.imaginary) {
    real = real - applyMatrix(x.imaginary, sine);
    imaginary = imaginary + applyMatrix(x.imaginary, matrix.cosine);
  }
  if (inverse) {
    Expr scale = 1.0 / sizeTerm(lower, length, real.element());
    real = real * scale;
    imaginary = imaginary * scale;
  }
  return {real, imaginary};
}

/// The real signal of `length` points whose spectrum's first half is `x`.
static Expr transformToReal(Signal x, OpFoldResult length) {
  Lowering &lower = x.real.getLowering();
  int64_t last = x.real.rank() - 1;
  Type type = x.real.element(), i64 = lower.b.getI64Type();
  OpFoldResult inputs =
      lower.addSizes(lower.divSizes(length, lower.index(2)), lower.index(1));
  Expr real = resizeAxis(x.real, last, inputs);
  FourierMatrix matrix = makeFourierMatrix(lower, length, inputs, length);
  // Each frequency stands for its mirror image as well, but for the first and,
  // if the length is even, the last.
  Expr k = iota(lower, i64, inputs);
  Expr n = sizeTerm(lower, length, i64);
  Expr isAlone = equal(k, 0.0) | equal(k * 2.0, n);
  Expr weight = select(isAlone, k.number(1), 2.0).cast(type) / n.cast(type);
  Expr result = applyMatrix(real * weight, matrix.cosine);
  if (x.imaginary)
    result =
        result - applyMatrix(resizeAxis(x.imaginary, last, inputs) * weight,
                             matrix.sine);
  return result;
}

/// Splits off the last dimension of a tensor, of size one or two.
static FailureOr<Signal> splitParts(Lowering &lower, Node node, Expr x) {
  int64_t last = x.rank() - 1;
  int64_t parts = Lowering::typeOf(x).getDimSize(last);
  x = x.cast(lower.b.getF64Type());
  if (parts != 1 && parts != 2)
    return lower.unsupported(
        node, "a signal whose last dimension is not known to be 1 or 2");
  Signal signal{x.at(last, 0), {}};
  if (parts == 2)
    signal.imaginary = x.at(last, 1);
  return signal;
}

static SmallVector<int64_t> swapWithLast(int64_t rank, int64_t axis) {
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(permutation[axis], permutation[rank - 1]);
  return permutation;
}

/// The transform of `x` along one axis, as the node's attributes ask for.
static FailureOr<Expr> transformAxis(Lowering &lower, Node node, Expr x,
                                     int64_t axis) {
  FailureOr<Signal> signal = splitParts(lower, node, x);
  if (llvm::failed(signal))
    return failure();
  bool inverse = node.getInt("inverse", 0);
  bool onesided = node.getInt("onesided", 0);
  OpFoldResult size = x.size(axis), length = size;
  if (Value operand = lower.operand(node, 1))
    length = sizeOf({lower, operand});
  else if (inverse && onesided)
    length =
        lower.mulSizes(lower.subSizes(size, lower.index(1)), lower.index(2));
  SmallVector<int64_t> swap = swapWithLast(x.rank() - 1, axis);
  int64_t last = x.rank() - 2;
  for (Expr *part : {&signal->real, &signal->imaginary})
    if (*part)
      *part = part->transpose(swap);
  if (inverse && onesided) {
    Expr real = transformToReal(*signal, length).transpose(swap);
    return real.unsqueeze({real.rank()}).cast(x.element());
  }
  for (Expr *part : {&signal->real, &signal->imaginary})
    if (*part)
      *part = resizeAxis(*part, last, length);
  Signal spectrum = transform(*signal, length, onesided, inverse);
  return stackLast({spectrum.real.transpose(swap),
                    spectrum.imaginary.transpose(swap)})
      .cast(x.element());
}

/// The transform along whichever of the axes from `first` on `axis` names at
/// run time.
static FailureOr<Expr> transformChosenAxis(Lowering &lower, Node node, Expr x,
                                           Expr axis, int64_t first) {
  int64_t last = x.rank() - 2;
  if (first == last)
    return transformAxis(lower, node, x, last);
  Expr isFirst =
      equal(axis, double(first)) | equal(axis, double(first - x.rank()));
  Value condition =
      tensor::ExtractOp::create(lower.b, Value(isFirst), ValueRange());
  bool isReal = node.getInt("inverse", 0) && node.getInt("onesided", 0);
  SmallVector<int64_t> shape(x.rank(), ShapedType::kDynamic);
  shape.back() = isReal ? 1 : 2;
  auto type = RankedTensorType::get(shape, x.element());
  auto choice = scf::IfOp::create(lower.b, TypeRange{type}, condition,
                                  /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
  for (bool isThen : {true, false}) {
    OpBuilder::InsertionGuard guard(lower.b);
    lower.b.setInsertionPointToStart(isThen ? choice.thenBlock()
                                            : choice.elseBlock());
    FailureOr<Expr> y =
        isThen ? transformAxis(lower, node, x, first)
               : transformChosenAxis(lower, node, x, axis, first + 1);
    if (llvm::failed(y))
      return failure();
    Value result = *y;
    if (result.getType() != type)
      result = tensor::CastOp::create(lower.b, type, result);
    scf::YieldOp::create(lower.b, result);
  }
  return Expr(lower, choice.getResult(0));
}

static LogicalResult lowerDFT(Lowering &lower, Node node,
                              SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0));
  Value operand = lower.operand(node, 2);
  std::optional<SmallVector<int64_t>> known =
      operand ? lower.constantInts(operand) : SmallVector<int64_t>{-2};
  FailureOr<Expr> y;
  if (known) {
    FailureOr<int64_t> axis = lower.axis(node, known->front(), x.rank());
    if (llvm::failed(axis))
      return failure();
    if (*axis == x.rank() - 1)
      return lower.fail(node, "the axis is that of the complex parts");
    y = transformAxis(lower, node, x, *axis);
  } else {
    Expr axis = Expr(lower, operand).reshape(ArrayRef<int64_t>());
    y = transformChosenAxis(lower, node, x, axis, 0);
  }
  if (llvm::failed(y))
    return failure();
  results.push_back(*y);
  return success();
}

/// Frames of a signal [batch, length]: [batch, frames, size].
static Expr cutFrames(Expr x, OpFoldResult step, OpFoldResult frames,
                      OpFoldResult size) {
  Lowering &lower = x.getLowering();
  Type i64 = lower.b.getI64Type();
  Expr start = iota(lower, i64, frames) * sizeTerm(lower, step, i64);
  Expr position = start.unsqueeze({1}) + iota(lower, i64, size).unsqueeze({0});
  return x.gather(position, 1);
}

static LogicalResult lowerSTFT(Lowering &lower, Node node,
                               SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0));
  if (x.rank() == 2)
    x = x.unsqueeze({2});
  FailureOr<Signal> signal = splitParts(lower, node, x);
  if (llvm::failed(signal))
    return failure();
  bool onesided = node.getInt("onesided", 1);
  if (onesided && signal->imaginary)
    return lower.fail(node, "'onesided' is set for a complex signal");
  OpFoldResult step = sizeOf({lower, lower.operand(node, 1)});
  Value window = lower.operand(node, 2);
  OpFoldResult size = x.size(1);
  if (Value operand = lower.operand(node, 3))
    size = sizeOf({lower, operand});
  else if (window)
    size = lower.size(window, 0);
  OpFoldResult frames = lower.addSizes(
      lower.divSizes(lower.subSizes(x.size(1), size), step), lower.index(1));
  for (Expr *part : {&signal->real, &signal->imaginary}) {
    if (!*part)
      continue;
    *part = cutFrames(*part, step, frames, size);
    if (window)
      *part = *part * Expr(lower, window).cast(part->element());
  }
  Signal spectrum = transform(*signal, size, onesided, /*inverse=*/false);
  results.push_back(
      stackLast({spectrum.real, spectrum.imaginary}).cast(x.element()));
  return success();
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// `a - b cos(2 pi i / n) + c cos(4 pi i / n)` for each index of the window.
static LogicalResult lowerWindow(Lowering &lower, Node node,
                                 SmallVectorImpl<Value> &results, double a,
                                 double b, double c) {
  OpFoldResult size = sizeOf({lower, lower.operand(node, 0)});
  Type f64 = lower.b.getF64Type();
  Expr count = sizeTerm(lower, size, f64);
  if (!node.getInt("periodic", 1))
    count = count - 1.0;
  Expr turns = iota(lower, f64, size) / count;
  Expr result = a - cos(turns * (2 * M_PI)) * b;
  if (c != 0)
    result = result + cos(turns * (4 * M_PI)) * c;
  results.push_back(result.cast(declaredElement(node)));
  return success();
}

static LogicalResult lowerHannWindow(Lowering &lower, Node node,
                                     SmallVectorImpl<Value> &results) {
  return lowerWindow(lower, node, results, 0.5, 0.5, 0);
}

static LogicalResult lowerHammingWindow(Lowering &lower, Node node,
                                        SmallVectorImpl<Value> &results) {
  return lowerWindow(lower, node, results, 25.0 / 46, 21.0 / 46, 0);
}

static LogicalResult lowerBlackmanWindow(Lowering &lower, Node node,
                                         SmallVectorImpl<Value> &results) {
  return lowerWindow(lower, node, results, 0.42, 0.5, 0.08);
}

//===----------------------------------------------------------------------===//
// Mel filters
//===----------------------------------------------------------------------===//

/// Triangular filters over spectrogram bins, equally spaced in mel.
static LogicalResult lowerMelWeightMatrix(Lowering &lower, Node node,
                                          SmallVectorImpl<Value> &results) {
  Type f64 = lower.b.getF64Type();
  OpFoldResult bins = sizeOf({lower, lower.operand(node, 0)});
  OpFoldResult length = sizeOf({lower, lower.operand(node, 1)});
  auto scalar = [&](unsigned index) {
    return Expr(lower, lower.operand(node, index))
        .reshape(ArrayRef<int64_t>())
        .cast(f64);
  };
  const double scale = 2595 / std::log(10.0);
  auto toMel = [&](Expr hertz) { return log(hertz / 700.0 + 1.0) * scale; };
  Expr low = toMel(scalar(3)), high = toMel(scalar(4));
  OpFoldResult edges = lower.addSizes(bins, lower.index(2));
  Expr step = (high - low) / sizeTerm(lower, edges, f64);
  Expr mel = iota(lower, f64, edges) * step + low;
  Expr hertz = (exp(mel / scale) - 1.0) * 700.0;
  Expr edge = floor((sizeTerm(lower, length, f64) + 1.0) * hertz / scalar(2));

  auto edgesFrom = [&](int64_t offset) {
    return edge.narrow(0, lower.index(offset), bins).unsqueeze({0});
  };
  Expr left = edgesFrom(0), centre = edgesFrom(1), right = edgesFrom(2);
  OpFoldResult rows =
      lower.addSizes(lower.divSizes(length, lower.index(2)), lower.index(1));
  Expr bin = iota(lower, f64, rows).unsqueeze({1});
  // Where two edges fall together the quotient is not used.
  Expr rise = (bin - left) / max(centre - left, 1.0);
  Expr fall = (right - bin) / max(right - centre, 1.0);
  Expr result = select((bin >= left) & (bin <= centre), rise, 0.0);
  result = select(equal(left, centre) & equal(bin, centre), 1.0, result);
  result = select((bin >= centre) & (bin < right), fall, result);
  results.push_back(result.cast(declaredElement(node)));
  return success();
}

void weft::addSignalLowerings(LoweringTable &table) {
  table["BlackmanWindow"] = lowerBlackmanWindow;
  table["DFT"] = lowerDFT;
  table["HammingWindow"] = lowerHammingWindow;
  table["HannWindow"] = lowerHannWindow;
  table["MelWeightMatrix"] = lowerMelWeightMatrix;
  table["STFT"] = lowerSTFT;
}
