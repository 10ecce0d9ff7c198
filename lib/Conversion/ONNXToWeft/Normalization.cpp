//===- Normalization.cpp - Shifts and scales to known moments -------------===//

#include "Terms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

static SmallVector<int64_t> axesFrom(int64_t first, int64_t rank) {
  return llvm::to_vector(llvm::seq<int64_t>(std::min(first, rank), rank));
}

/// One number per channel, spread over a tensor like `like` whose dimension 1
/// are the channels.
static Value perChannel(Lowering &lower, Value value, Value like) {
  return lower.broadcastInDims(value, lower.sizes(like), {1});
}

static Value normalize(Lowering &lower, Value x, ArrayRef<int64_t> axes,
                       double epsilon, bool rms = false) {
  return lower.make<NormalizeOp>(x, axes, APFloat(epsilon), rms);
}

/// Mean and variance over `axes`; `spread` makes what there is one of per row
/// as large as x.
static std::pair<Value, Value>
momentsOf(Lowering &lower, Terms &f, Value x, ArrayRef<int64_t> axes,
          bool keepAxes, llvm::function_ref<Value(Value)> spread) {
  OpFoldResult size = lower.index(1);
  for (int64_t axis : axes)
    size = lower.mulSizes(size, lower.size(x, axis));
  Value count = lower.cast(lower.sizeTensor(size), Lowering::elementOf(x));
  auto mean = [&](Value terms) {
    return f.div(lower.reduce(ReduceKind::sum, terms, axes, keepAxes), count);
  };
  Value centre = mean(x), distance = f.sub(x, spread(centre));
  return {centre, mean(f.mul(distance, distance))};
}

//===----------------------------------------------------------------------===//
// Batches and instances
//===----------------------------------------------------------------------===//

// What depends on the statistics alone is one scale and one shift per channel,
// computed at compile time if they are constant.
static LogicalResult lowerBatchNorm(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0), scale = lower.operand(node, 1),
        bias = lower.operand(node, 2), mean = lower.operand(node, 3),
        variance = lower.operand(node, 4);
  Type type = Lowering::elementOf(x), stat = Lowering::elementOf(mean);
  float epsilon = node.getFloat("epsilon", 1e-5f);
  if (Lowering::rankOf(x) < 2)
    x = lower.reshape(x, {lower.size(x, 0), lower.index(1)});
  Terms f(lower, node);
  x = lower.cast(x, stat);
  Value runningMean, runningVariance;
  if (node.getInt("training_mode", 0)) {
    SmallVector<int64_t> axes = axesFrom(2, Lowering::rankOf(x));
    axes.insert(axes.begin(), 0);
    // One per channel, without the axes of size one in between: so all that
    // reads the same rows is one kernel.
    auto [batchMean, batchVariance] =
        momentsOf(lower, f, x, axes, /*keepAxes=*/false,
                  [&](Value rows) { return perChannel(lower, rows, x); });
    float momentum = node.getFloat("momentum", 0.9f);
    auto track = [&](Value running, Value batch) {
      return f.add(f.mul(running, momentum), f.mul(batch, 1 - momentum));
    };
    runningMean = track(mean, batchMean);
    runningVariance = track(variance, batchVariance);
    mean = batchMean;
    variance = batchVariance;
  }
  Value factor =
      f.div(lower.cast(scale, stat), f.unary<SqrtOp>(f.add(variance, epsilon)));
  Value shift = f.sub(lower.cast(bias, stat), f.mul(mean, factor));
  Value y = f.add(f.mul(x, perChannel(lower, factor, x)),
                  perChannel(lower, shift, x));
  y = lower.reshape(y, lower.sizes(lower.operand(node, 0)));
  results.append({lower.cast(y, type), runningMean, runningVariance});
  return f.isBroken() ? failure() : success();
}

static LogicalResult lowerInstanceNorm(Lowering &lower, onnx::Node node,
                                       SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  Terms f(lower, node);
  Value y = normalize(lower, x, axesFrom(2, Lowering::rankOf(x)),
                      node.getFloat("epsilon", 1e-5f));
  y = f.mul(y, perChannel(lower, lower.operand(node, 1), x));
  results.push_back(f.add(y, perChannel(lower, lower.operand(node, 2), x)));
  return success();
}

static LogicalResult lowerGroupNorm(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  SmallVector<OpFoldResult> sizes = lower.sizes(x);
  int64_t groups = node.getInt("num_groups", 0);
  if (groups < 1 || sizes.size() < 2)
    return lower.fail(node, "'num_groups' must be positive");
  SmallVector<OpFoldResult> grouped = {
      sizes[0], lower.index(groups),
      lower.divSizes(sizes[1], lower.index(groups))};
  grouped.append(sizes.begin() + 2, sizes.end());
  Value y =
      normalize(lower, lower.reshape(x, grouped), axesFrom(2, grouped.size()),
                node.getFloat("epsilon", 1e-5f));
  y = lower.reshape(y, sizes);
  Terms f(lower, node);
  y = f.mul(y, perChannel(lower, lower.operand(node, 1), x));
  results.push_back(f.add(y, perChannel(lower, lower.operand(node, 2), x)));
  return success();
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

static LogicalResult lowerLayerNorm(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  int64_t rank = Lowering::rankOf(x);
  FailureOr<int64_t> axis = lower.axis(node, node.getInt("axis", -1), rank);
  if (failed(axis))
    return failure();
  SmallVector<int64_t> axes = axesFrom(*axis, rank);
  float epsilon = node.getFloat("epsilon", 1e-5f);
  Terms f(lower, node);
  Value y = f.mul(normalize(lower, x, axes, epsilon), lower.operand(node, 1));
  if (Value bias = lower.operand(node, 2))
    y = f.add(y, bias);
  results.push_back(y);
  if (node.hasResult(1) || node.hasResult(2)) {
    Type stash = node.getInt("stash_type", 1) == 1 ? Type(lower.b.getF32Type())
                                                   : Lowering::elementOf(x);
    auto [mean, variance] =
        momentsOf(lower, f, lower.cast(x, stash), axes, /*keepAxes=*/true,
                  [](Value rows) { return rows; });
    Value deviation = f.unary<SqrtOp>(f.add(variance, epsilon));
    results.append({mean, f.div(f.number(1, deviation), deviation)});
  }
  return f.isBroken() ? failure() : success();
}

static LogicalResult lowerRMSNorm(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0), scale = lower.operand(node, 1);
  int64_t rank = Lowering::rankOf(x);
  FailureOr<int64_t> axis = lower.axis(node, node.getInt("axis", -1), rank);
  if (failed(axis))
    return failure();
  Terms f(lower, node);
  Value y = normalize(lower, x, axesFrom(*axis, rank),
                      node.getFloat("epsilon", 1e-5f), /*rms=*/true);
  results.push_back(f.mul(lower.cast(y, Lowering::elementOf(scale)), scale));
  return f.isBroken() ? failure() : success();
}

static LogicalResult lowerMeanVarianceNorm(Lowering &lower, onnx::Node node,
                                           SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  SmallVector<int64_t> axes = node.getInts("axes");
  if (!node.hasAttr("axes"))
    axes = {0, 2, 3};
  for (int64_t &given : axes) {
    FailureOr<int64_t> axis = lower.axis(node, given, Lowering::rankOf(x));
    if (failed(axis))
      return failure();
    given = *axis;
  }
  llvm::sort(axes);
  // ONNX adds 1e-9 to the deviation, so this to the variance.
  results.push_back(normalize(lower, x, axes, 1e-18));
  return success();
}

static LogicalResult lowerLRN(Lowering &lower, onnx::Node node,
                              SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  int64_t rank = Lowering::rankOf(x), size = node.getInt("size", 1);
  if (rank < 2 || size < 1)
    return lower.fail(node, "'size' must be positive and the rank at least 2");
  SmallVector<int64_t> window(rank, 1), ones(rank, 1), low(rank, 0), high = low;
  window[1] = size;
  low[1] = (size - 1) / 2;
  high[1] = size - 1 - low[1];
  Terms f(lower, node);
  Value sum = lower.make<ReduceWindowOp>(
      ReduceKind::sum, f.mul(x, x), ArrayRef(window), ArrayRef(ones),
      ArrayRef(low), ArrayRef(high), ArrayRef(ones));
  sum = lower.retype(sum, Lowering::typeOf(x));
  Value base = f.add(f.mul(sum, node.getFloat("alpha", 1e-4f) / size),
                     node.getFloat("bias", 1));
  Value power =
      lower.make<PowOp>(base, f.number(node.getFloat("beta", 0.75f), base));
  results.push_back(f.div(x, power));
  return success();
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

static LogicalResult lowerSoftmax(Lowering &lower, onnx::Node node,
                                  SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", -1), Lowering::rankOf(x));
  if (failed(axis))
    return failure();
  results.push_back(lower.make<SoftmaxOp>(x, uint64_t(*axis)));
  return success();
}

static LogicalResult lowerLogSoftmax(Lowering &lower, onnx::Node node,
                                     SmallVectorImpl<Value> &results) {
  Value x = lower.operand(node, 0);
  Type type = Lowering::elementOf(x);
  FailureOr<int64_t> axis =
      lower.axis(node, node.getInt("axis", -1), Lowering::rankOf(x));
  if (failed(axis))
    return failure();
  if (type.isF16() || type.isBF16())
    x = lower.cast(x, lower.b.getF32Type());
  Terms f(lower, node);
  Value shifted = f.sub(x, lower.reduce(ReduceKind::max, x, {*axis}, true));
  Value sum =
      lower.reduce(ReduceKind::sum, f.unary<ExpOp>(shifted), {*axis}, true);
  results.push_back(lower.cast(f.sub(shifted, f.unary<LogOp>(sum)), type));
  return success();
}

void weft::addNormalizationLowerings(LoweringTable &table) {
  table["BatchNormalization"] = lowerBatchNorm;
  table["GroupNormalization"] = lowerGroupNorm;
  table["InstanceNormalization"] = lowerInstanceNorm;
  table["LayerNormalization"] = lowerLayerNorm;
  table["LogSoftmax"] = lowerLogSoftmax;
  table["LRN"] = lowerLRN;
  table["MeanVarianceNormalization"] = lowerMeanVarianceNorm;
  table["RMSNormalization"] = lowerRMSNorm;
  table["Softmax"] = lowerSoftmax;
}
