//===- AttentionParts.cpp - Linear attention and what goes with it --------===//

#include "AttentionRules.h"
#include "Loops.h"
#include "Lowering.h"
#include "Terms.h"
#include <cmath>

using namespace mlir;

namespace weft {

//===----------------------------------------------------------------------===//
// LinearAttention
//===----------------------------------------------------------------------===//

namespace {

/// The recurrence over a state [batch, key heads, key width, value width]. All
/// other operands are [batch, time, heads * width].
class LinearAttentionRule {
public:
  LinearAttentionRule(Lowering &lower, onnx::Node node)
      : lower(lower), node(node), terms(lower, node) {}

  LogicalResult run(SmallVectorImpl<Value> &results);

private:
  LogicalResult readOperands();
  Value at(Value sequence, OpFoldResult time, ArrayRef<OpFoldResult> tail);
  Value nextState(OpFoldResult time, Value state);
  Value read(OpFoldResult time, Value state);

  Lowering &lower;
  onnx::Node node;
  Terms terms;
  Value query, key, value, past, decay, beta;
  OpFoldResult batch, heads, groups, keyWidth, valueWidth;
};

} // namespace

LogicalResult LinearAttentionRule::readOperands() {
  query = lower.operand(node, 0);
  key = lower.operand(node, 1);
  value = lower.operand(node, 2);
  past = lower.operand(node, 3);
  decay = lower.operand(node, 4);
  beta = lower.operand(node, 5);
  StringRef rule = node.getString("update_rule", "gated_delta");
  bool gated = rule == "gated" || rule == "gated_delta";
  bool delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear")
    return lower.fail(node, "unknown 'update_rule' \"" + rule + "\"");
  if (gated != bool(decay))
    return lower.fail(node, "'update_rule' \"" + rule + "\" " +
                                (gated ? "needs" : "forbids") + " 'decay'");
  if (delta != bool(beta))
    return lower.fail(node, "'update_rule' \"" + rule + "\" " +
                                (delta ? "needs" : "forbids") + " 'beta'");
  for (Value operand : {query, key, value, decay, beta})
    if (operand && Lowering::rankOf(operand) != 3)
      return lower.fail(node, "operands must have rank 3");
  int64_t many = node.getInt("q_num_heads", 0);
  int64_t few = node.getInt("kv_num_heads", 0);
  if (many <= 0 || few <= 0 || many % few != 0)
    return lower.fail(node, "'q_num_heads' must be a positive multiple of "
                            "'kv_num_heads'");
  batch = lower.size(query, 0);
  heads = lower.index(few);
  groups = lower.index(many / few);
  keyWidth = lower.divSizes(lower.size(query, 2), lower.index(many));
  valueWidth = lower.divSizes(lower.size(value, 2), heads);
  return success();
}

/// The elements of `sequence` at `time` in f32, as [batch, tail...].
Value LinearAttentionRule::at(Value sequence, OpFoldResult time,
                              ArrayRef<OpFoldResult> tail) {
  OpFoldResult zero = lower.index(0), one = lower.index(1);
  Value part =
      lower.slice(sequence, {zero, time, zero},
                  {batch, one, lower.size(sequence, 2)}, {one, one, one});
  SmallVector<OpFoldResult> shape{batch};
  llvm::append_range(shape, tail);
  return lower.cast(lower.reshape(part, shape), lower.b.getF32Type());
}

/// S * exp(g) + k (v - S^T k) beta, with what the update rule leaves out left
/// out.
Value LinearAttentionRule::nextState(OpFoldResult time, Value state) {
  OpFoldResult one = lower.index(1);
  if (decay) {
    std::optional<int64_t> last = getConstantIntValue(lower.size(decay, 2));
    bool perHead = last == getConstantIntValue(heads);
    Value gate = at(decay, time, {heads, perHead ? one : keyWidth, one});
    state = terms.mul(state, terms.unary<ExpOp>(gate));
  }
  Value k = at(key, time, {heads, keyWidth});
  Value v = at(value, time, {heads, valueWidth});
  if (beta) {
    Value retrieved = lower.make<ContractOp>(
        state, k, ArrayRef<int64_t>{0, 1}, ArrayRef<int64_t>{0, 1},
        ArrayRef<int64_t>{2}, ArrayRef<int64_t>{2}, lower.b.getF32Type());
    Value rate = at(beta, time, {lower.size(beta, 2), one});
    v = terms.mul(rate, terms.sub(v, retrieved));
  }
  Value column = lower.reshape(k, {batch, heads, keyWidth, one});
  Value row = lower.reshape(v, {batch, heads, one, valueWidth});
  return terms.add(state, terms.mul(column, row));
}

/// scale q^T S, as [batch, 1, heads * width].
Value LinearAttentionRule::read(OpFoldResult time, Value state) {
  Value q = at(query, time, {heads, groups, keyWidth});
  Value o = lower.make<ContractOp>(
      q, state, ArrayRef<int64_t>{0, 1}, ArrayRef<int64_t>{0, 1},
      ArrayRef<int64_t>{3}, ArrayRef<int64_t>{2}, lower.b.getF32Type());
  float scale = node.getFloat("scale", 0.0f);
  if (scale != 0.0f) {
    o = terms.mul(o, scale);
  } else if (std::optional<int64_t> width = getConstantIntValue(keyWidth)) {
    o = terms.mul(o, 1.0 / std::sqrt(double(*width)));
  } else {
    Value size = lower.reshape(lower.sizesTensor({keyWidth}), {});
    o = terms.div(o,
                  terms.unary<SqrtOp>(lower.cast(size, lower.b.getF32Type())));
  }
  OpFoldResult width =
      lower.mulSizes(lower.mulSizes(heads, groups), valueWidth);
  return lower.reshape(o, {batch, lower.index(1), width});
}

LogicalResult LinearAttentionRule::run(SmallVectorImpl<Value> &results) {
  if (failed(readOperands()))
    return failure();
  Type f32 = lower.b.getF32Type(), type = Lowering::elementOf(query);
  OpFoldResult times = lower.size(query, 1);
  Value state = past ? lower.cast(past, f32)
                     : zeros(lower, f32, {batch, heads, keyWidth, valueWidth});
  Value output =
      zeros(lower, f32,
            {batch, times,
             lower.mulSizes(lower.mulSizes(heads, groups), valueWidth)});
  SmallVector<Value> last =
      emitFor(lower, times, {state, output},
              [&](OpFoldResult time, ValueRange carried) -> SmallVector<Value> {
                Value next = nextState(
                    time, withSizes(lower, carried[0],
                                    {batch, heads, keyWidth, valueWidth}));
                OpFoldResult zero = lower.index(0);
                Value y = updateSlice(lower, read(time, next), carried[1],
                                      {zero, time, zero});
                return {next, y};
              });
  results.push_back(lower.cast(last[1], type));
  if (node.getNumResults() > 1)
    results.push_back(
        lower.cast(last[0], past ? Lowering::elementOf(past) : type));
  return failure(terms.isBroken());
}

static LogicalResult lowerLinearAttention(Lowering &lower, onnx::Node node,
                                          SmallVectorImpl<Value> &results) {
  return LinearAttentionRule(lower, node).run(results);
}

//===----------------------------------------------------------------------===//
// RotaryEmbedding
//===----------------------------------------------------------------------===//

namespace {

/// Elements along the last axis taken in pairs: both halves, or neighbours.
struct RotaryPairs {
  Lowering &lower;
  bool interleaved;

  Value part(Value x, OpFoldResult offset, OpFoldResult size, int64_t stride) {
    int64_t last = Lowering::rankOf(x) - 1;
    SmallVector<OpFoldResult> offsets(last + 1, lower.index(0));
    SmallVector<OpFoldResult> strides(last + 1, lower.index(1));
    SmallVector<OpFoldResult> sizes = lower.sizes(x);
    offsets[last] = offset;
    sizes[last] = size;
    strides[last] = lower.index(stride);
    return lower.slice(x, offsets, sizes, strides);
  }

  std::pair<Value, Value> split(Value x, OpFoldResult half) {
    if (interleaved)
      return {part(x, lower.index(0), half, 2),
              part(x, lower.index(1), half, 2)};
    return {part(x, lower.index(0), half, 1), part(x, half, half, 1)};
  }

  Value join(Value real, Value imaginary) {
    int64_t rank = Lowering::rankOf(real);
    if (!interleaved)
      return lower.concat({real, imaginary}, rank - 1);
    SmallVector<OpFoldResult> shape = lower.sizes(real), joined = shape;
    shape.push_back(lower.index(1));
    joined.back() = lower.mulSizes(joined.back(), lower.index(2));
    Value pairs = lower.concat(
        {lower.reshape(real, shape), lower.reshape(imaginary, shape)}, rank);
    return lower.reshape(pairs, joined);
  }
};

} // namespace

/// The cache's rows for each position, in the shape of `like`, whose sequence
/// axis is `axis`.
static Value lookUp(Lowering &lower, Value cache, Value positions, Value like,
                    int64_t axis) {
  if (positions)
    cache = lower.make<GatherOp>(cache, positions, 0);
  return lower.broadcastInDims(cache, lower.sizes(like), {0, axis, 3});
}

static LogicalResult lowerRotaryEmbedding(Lowering &lower, onnx::Node node,
                                          SmallVectorImpl<Value> &results) {
  Terms terms(lower, node);
  Value x = lower.operand(node, 0);
  SmallVector<OpFoldResult> shape = lower.sizes(x);
  int64_t rank = shape.size(), axis = 2;
  if (rank == 3) {
    int64_t heads = node.getInt("num_heads", 0);
    if (heads <= 0)
      return lower.fail(node, "an operand of rank 3 needs 'num_heads'");
    x = lower.reshape(x, {shape[0], shape[1], lower.index(heads),
                          lower.divSizes(shape[2], lower.index(heads))});
    axis = 1;
  } else if (rank != 4) {
    return lower.fail(node, "operand 'X' has rank " + Twine(rank) +
                                ", wanted 3 or 4");
  }
  Value positions = lower.operand(node, 3);
  int64_t cacheRank = positions ? 2 : 3;
  for (unsigned i : {1u, 2u})
    if (Lowering::rankOf(lower.operand(node, i)) != cacheRank)
      return lower.fail(node, "the caches must have rank " + Twine(cacheRank));

  OpFoldResult width = lower.size(x, 3);
  int64_t rotated = node.getInt("rotary_embedding_dim", 0);
  OpFoldResult turned = rotated ? lower.index(rotated) : width;
  OpFoldResult half = lower.divSizes(turned, lower.index(2));
  RotaryPairs pairs{lower, node.getInt("interleaved", 0) != 0};
  bool partial = rotated && getConstantIntValue(width) != rotated;
  Value rotating = partial ? pairs.part(x, lower.index(0), turned, 1) : x;
  auto [first, second] = pairs.split(rotating, half);
  Value cos = lookUp(lower, lower.operand(node, 1), positions, first, axis);
  Value sin = lookUp(lower, lower.operand(node, 2), positions, first, axis);
  Value y =
      pairs.join(terms.sub(terms.mul(cos, first), terms.mul(sin, second)),
                 terms.add(terms.mul(sin, first), terms.mul(cos, second)));
  if (partial)
    y = lower.concat(
        {y, pairs.part(x, turned, lower.subSizes(width, turned), 1)}, 3);
  results.push_back(lower.reshape(y, shape));
  return failure(terms.isBroken());
}

//===----------------------------------------------------------------------===//
// CausalConvWithState
//===----------------------------------------------------------------------===//

/// The convolution of `padded`, which holds the past in front, plus `bias`.
static Value convolveChannels(Lowering &lower, Terms &terms, Value padded,
                              Value weight, Value bias, int64_t channels) {
  Type wide = Lowering::elementOf(padded);
  if (wide.getIntOrFloatBitWidth() < 32)
    wide = lower.b.getF32Type();
  SmallVector<int64_t> one{1}, zero{0};
  Value y = lower.make<ConvOp>(padded, weight, one, zero, zero, one, one,
                               channels, wide);
  if (bias)
    y = terms.add(
        y, lower.broadcastInDims(lower.cast(bias, wide), lower.sizes(y), {1}));
  return lower.cast(y, Lowering::elementOf(padded));
}

static LogicalResult lowerCausalConv(Lowering &lower, onnx::Node node,
                                     SmallVectorImpl<Value> &results) {
  Terms terms(lower, node);
  Value x = lower.operand(node, 0), weight = lower.operand(node, 1);
  Value past = lower.operand(node, 3);
  if (Lowering::rankOf(x) != 3 || Lowering::rankOf(weight) != 3)
    return lower.fail(node, "'input' and 'weight' must have rank 3");
  std::optional<int64_t> channels = getConstantIntValue(lower.size(weight, 0));
  if (!channels)
    channels = getConstantIntValue(lower.size(x, 1));
  if (!channels)
    return lower.unsupported(node, "a symbolic number of channels");

  Type type = Lowering::elementOf(x);
  OpFoldResult zero = lower.index(0), one = lower.index(1);
  OpFoldResult history = lower.subSizes(lower.size(weight, 2), one);
  Value padded = past ? lower.concat({past, x}, 2)
                      : lower.pad(x, lower.splat(0.0, type),
                                  {zero, zero, history}, {zero, zero, zero});
  Value y = convolveChannels(lower, terms, padded, weight,
                             lower.operand(node, 2), *channels);
  StringRef activation = node.getString("activation", "none");
  if (activation == "silu" || activation == "swish") {
    Type wide = type.isF64() ? type : lower.b.getF32Type();
    Value in = lower.cast(y, wide);
    y = lower.cast(terms.mul(in, terms.unary<LogisticOp>(in)), type);
  } else if (activation != "none") {
    return lower.fail(node, "unknown 'activation' \"" + activation + "\"");
  }
  results.push_back(y);
  if (node.getNumResults() > 1)
    results.push_back(lower.slice(
        padded, {zero, zero, lower.subSizes(lower.size(padded, 2), history)},
        {lower.size(padded, 0), lower.size(padded, 1), history},
        {one, one, one}));
  return failure(terms.isBroken());
}

void addAttentionPartLowerings(LoweringTable &table) {
  table["LinearAttention"] = lowerLinearAttention;
  table["RotaryEmbedding"] = lowerRotaryEmbedding;
  table["CausalConvWithState"] = lowerCausalConv;
}

} // namespace weft
