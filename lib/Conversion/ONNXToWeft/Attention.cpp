//===- Attention.cpp - Attention and FlexAttention ------------------------===//

#include "AttentionMask.h"
#include "AttentionRules.h"
#include "Loops.h"
#include "Lowering.h"
#include "Terms.h"
#include <cmath>

using namespace mlir;

namespace weft {

namespace {

/// Scaled dot-product attention over tensors [batch, heads, length, width]. As
/// many query heads as fit share a key head; they are contracted with it as if
/// they were further rows, so that keys and values are never repeated.
class DotProduct {
public:
  DotProduct(Lowering &lower, Terms &terms, onnx::Node node, Value q, Value k,
             Value v)
      : lower(lower), terms(terms), node(node), q(q), k(k), v(v) {}

  LogicalResult verify();
  Value scores();
  /// The values weighted by `probabilities`, in the element type of these.
  Value weigh(Value probabilities);

private:
  bool isGrouped() { return heads() != keyHeads(); }
  OpFoldResult heads() { return lower.size(q, 1); }
  OpFoldResult keyHeads() { return lower.size(k, 1); }
  Value group(Value rows);
  Value ungroup(Value rows);
  Value scaledBy(Value value, bool root);

  Lowering &lower;
  Terms &terms;
  onnx::Node node;
  Value q, k, v;
};

} // namespace

LogicalResult DotProduct::verify() {
  for (Value value : {q, k, v})
    if (Lowering::rankOf(value) != 4)
      return lower.fail(node, "operands must have the same rank, 3 or 4");
  std::optional<int64_t> many = getConstantIntValue(heads());
  std::optional<int64_t> few = getConstantIntValue(keyHeads());
  if (many && few && (*few == 0 || *many % *few != 0))
    return lower.fail(node,
                      "number of query heads " + Twine(*many) +
                          " is not a multiple of the number of key heads " +
                          Twine(*few));
  return success();
}

Value DotProduct::group(Value rows) {
  if (!isGrouped())
    return rows;
  OpFoldResult perGroup = lower.divSizes(heads(), keyHeads());
  return lower.reshape(rows, {lower.size(rows, 0), keyHeads(),
                              lower.mulSizes(perGroup, lower.size(rows, 2)),
                              lower.size(rows, 3)});
}

Value DotProduct::ungroup(Value rows) {
  if (!isGrouped())
    return rows;
  return lower.reshape(rows, {lower.size(rows, 0), heads(), lower.size(q, 2),
                              lower.size(rows, 3)});
}

/// `value` times the scale, or the square root of the scale.
Value DotProduct::scaledBy(Value value, bool root) {
  std::optional<float> given = node.getFloat("scale");
  std::optional<int64_t> width = getConstantIntValue(lower.size(q, 3));
  if (given || width) {
    double scale = given ? double(*given) : 1.0 / std::sqrt(double(*width));
    return terms.mul(value, root ? std::sqrt(scale) : scale);
  }
  Value size = lower.reshape(lower.sizesTensor({lower.size(q, 3)}), {});
  Value divisor = terms.unary<SqrtOp>(lower.cast(size, lower.b.getF32Type()));
  if (root)
    divisor = terms.unary<SqrtOp>(divisor);
  return terms.div(value, lower.cast(divisor, Lowering::elementOf(value)));
}

Value DotProduct::scores() {
  // In the narrow types both factors are scaled, as the standard says, lest the
  // product overflow; elsewhere one multiplication is saved.
  bool narrow = Lowering::elementOf(q).getIntOrFloatBitWidth() < 32;
  Value lhs = scaledBy(q, /*root=*/narrow);
  Value rhs = narrow ? scaledBy(k, /*root=*/true) : k;
  Value product = lower.make<ContractOp>(
      group(lhs), rhs, ArrayRef<int64_t>{0, 1}, ArrayRef<int64_t>{0, 1},
      ArrayRef<int64_t>{3}, ArrayRef<int64_t>{3}, Lowering::elementOf(q));
  return ungroup(product);
}

Value DotProduct::weigh(Value probabilities) {
  Type elementType = Lowering::elementOf(probabilities);
  Value product = lower.make<ContractOp>(
      group(probabilities), lower.cast(v, elementType), ArrayRef<int64_t>{0, 1},
      ArrayRef<int64_t>{0, 1}, ArrayRef<int64_t>{3}, ArrayRef<int64_t>{2},
      elementType);
  return ungroup(product);
}

/// The float type with ONNX's number `code`; null if it is none.
static Type floatTypeOf(Lowering &lower, int64_t code) {
  switch (code) {
  case 1:
    return lower.b.getF32Type();
  case 10:
    return lower.b.getF16Type();
  case 11:
    return lower.b.getF64Type();
  case 16:
    return lower.b.getBF16Type();
  default:
    return {};
  }
}

/// [batch, length, heads * width] as [batch, heads, length, width].
static Value splitHeads(Lowering &lower, Value value, int64_t heads) {
  OpFoldResult width = lower.divSizes(lower.size(value, 2), lower.index(heads));
  Value split =
      lower.reshape(value, {lower.size(value, 0), lower.size(value, 1),
                            lower.index(heads), width});
  return lower.transpose(split, {0, 2, 1, 3});
}

/// The inverse of splitHeads.
static Value joinHeads(Lowering &lower, Value value) {
  Value turned = lower.transpose(value, {0, 2, 1, 3});
  OpFoldResult width =
      lower.mulSizes(lower.size(turned, 2), lower.size(turned, 3));
  return lower.reshape(turned,
                       {lower.size(turned, 0), lower.size(turned, 1), width});
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {

/// The stages of one Attention node.
class AttentionRule {
public:
  AttentionRule(Lowering &lower, onnx::Node node)
      : lower(lower), node(node), terms(lower, node) {}

  LogicalResult run(SmallVectorImpl<Value> &results);

private:
  LogicalResult readOperands();
  Value softmax(Value scores);
  Value score(DotProduct &product, const AttentionMask &mask);

  Lowering &lower;
  onnx::Node node;
  Terms terms;
  Value q, k, v;
  OpFoldResult pastKeys;
  bool packed = false; // operands of rank 3, with the heads side by side
  Value debugOutput;
};

} // namespace

LogicalResult AttentionRule::readOperands() {
  q = lower.operand(node, 0);
  k = lower.operand(node, 1);
  v = lower.operand(node, 2);
  packed = Lowering::rankOf(q) == 3;
  if (packed) {
    int64_t heads = node.getInt("q_num_heads", 0);
    int64_t keyHeads = node.getInt("kv_num_heads", 0);
    if (heads <= 0 || keyHeads <= 0)
      return lower.fail(node, "operands of rank 3 need 'q_num_heads' and "
                              "'kv_num_heads'");
    if (Lowering::rankOf(k) != 3 || Lowering::rankOf(v) != 3)
      return lower.fail(node, "operands must have the same rank, 3 or 4");
    q = splitHeads(lower, q, heads);
    k = splitHeads(lower, k, keyHeads);
    v = splitHeads(lower, v, keyHeads);
  }
  Value pastKey = lower.operand(node, 4), pastValue = lower.operand(node, 5);
  if (!pastKey != !pastValue)
    return lower.fail(node, "'past_key' and 'past_value' go together");
  if (pastKey && node.hasOperand(6))
    return lower.fail(node, "'nonpad_kv_seqlen' cannot go with 'past_key'");
  pastKeys = lower.index(0);
  if (pastKey) {
    pastKeys = lower.size(pastKey, 2);
    k = lower.concat({pastKey, k}, 2);
    v = lower.concat({pastValue, v}, 2);
  }
  return success();
}

/// The masked scores; remembers what the fourth output shows, except the
/// probabilities.
Value AttentionRule::score(DotProduct &product, const AttentionMask &mask) {
  int64_t mode = node.getInt("qk_matmul_output_mode", 0);
  Value scores = product.scores();
  if (mode == 0)
    debugOutput = scores;
  if (float cap = node.getFloat("softcap", 0.0f); cap > 0)
    scores = terms.mul(terms.unary<TanhOp>(terms.div(scores, cap)), cap);
  if (mode == 1)
    debugOutput = scores;
  // A bias of a wider type widens the scores.
  if (mask.bias && Lowering::elementOf(mask.bias).getIntOrFloatBitWidth() >
                       Lowering::elementOf(scores).getIntOrFloatBitWidth())
    scores = lower.cast(scores, Lowering::elementOf(mask.bias));
  AttentionMask same = mask;
  if (same.bias)
    same.bias = lower.cast(same.bias, Lowering::elementOf(scores));
  scores = same.apply(terms, scores);
  if (mode == 2)
    debugOutput = scores;
  return scores;
}

Value AttentionRule::softmax(Value scores) {
  if (std::optional<int64_t> code = node.getInt("softmax_precision")) {
    Type precision = floatTypeOf(lower, *code);
    if (!precision) {
      (void)lower.fail(node, "'softmax_precision' " + Twine(*code) +
                                 " is not a float type");
      return {};
    }
    scores = lower.cast(scores, precision);
  }
  return lower.make<SoftmaxOp>(scores, 3);
}

LogicalResult AttentionRule::run(SmallVectorImpl<Value> &results) {
  if (failed(readOperands()))
    return failure();
  Type elementType = Lowering::elementOf(q);
  DotProduct product(lower, terms, node, q, k, v);
  if (failed(product.verify()))
    return failure();
  AttentionExtent extent{lower.size(q, 2), lower.size(k, 2), pastKeys,
                         elementType};
  FailureOr<AttentionMask> mask =
      buildAttentionMask(lower, terms, node, extent);
  if (failed(mask))
    return failure();
  Value probabilities = softmax(score(product, *mask));
  if (!probabilities)
    return failure();
  probabilities = mask->clearEmptyRows(lower, terms, probabilities);
  if (node.getInt("qk_matmul_output_mode", 0) == 3)
    debugOutput = probabilities;
  Value y = product.weigh(lower.cast(probabilities, elementType));
  results.push_back(packed ? joinHeads(lower, y) : y);
  for (Value other : {k, v, debugOutput}) {
    if (results.size() == node.getNumResults())
      break;
    results.push_back(other);
  }
  if (results.size() == 4) {
    if (!debugOutput)
      return lower.fail(node, "'qk_matmul_output_mode' must be 0 to 3");
    results[3] = lower.cast(debugOutput, elementType);
  }
  return failure(terms.isBroken());
}

static LogicalResult lowerAttention(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  return AttentionRule(lower, node).run(results);
}

//===----------------------------------------------------------------------===//
// FlexAttention
//===----------------------------------------------------------------------===//

/// `value` changed by the node's graph `name`, if it has one.
static FailureOr<Value> modify(Lowering &lower, onnx::Node node, StringRef name,
                               Value value) {
  Region *graph = node.getGraph(name);
  if (!graph)
    return value;
  FailureOr<SmallVector<Value>> yielded = lower.lowerGraph(*graph, {value});
  if (failed(yielded))
    return failure();
  if (yielded->size() != 1 || !yielded->front())
    return lower.fail(node, "'" + name + "' must yield one tensor");
  Value result = castTo(
      lower, yielded->front(),
      Lowering::typeOf(value).clone(Lowering::elementOf(yielded->front())));
  return lower.cast(result, Lowering::elementOf(value));
}

static LogicalResult lowerFlexAttention(Lowering &lower, onnx::Node node,
                                        SmallVectorImpl<Value> &results) {
  Terms terms(lower, node);
  Value q = lower.operand(node, 0), v = lower.operand(node, 2);
  DotProduct product(lower, terms, node, q, lower.operand(node, 1), v);
  if (failed(product.verify()))
    return failure();
  Type precision = Lowering::elementOf(q);
  if (precision.getIntOrFloatBitWidth() < 32)
    precision = lower.b.getF32Type();
  if (std::optional<int64_t> code = node.getInt("softmax_precision"))
    precision = floatTypeOf(lower, *code);
  if (!precision)
    return lower.fail(node, "'softmax_precision' is not a float type");

  Value scores = lower.cast(product.scores(), precision);
  FailureOr<Value> modified = modify(lower, node, "score_mod", scores);
  if (failed(modified))
    return failure();
  Value probabilities = lower.make<SoftmaxOp>(*modified, 3);
  modified = modify(lower, node, "prob_mod", probabilities);
  if (failed(modified))
    return failure();
  results.push_back(
      lower.cast(product.weigh(*modified), Lowering::elementOf(v)));
  return failure(terms.isBroken());
}

void addAttentionLowerings(LoweringTable &table) {
  table["Attention"] = lowerAttention;
  table["preview.FlexAttention"] = lowerFlexAttention;
  addAttentionPartLowerings(table);
}

} // namespace weft
