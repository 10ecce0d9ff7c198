//===- AttentionGradient.cpp - Gradients of attention ---------------------===//
//
// The gradients of query, key and value are one op, which keeps no scores.
// That of the bias, and the gradients of gradients, are as large as the scores
// in any case: they are made of contractions, and go away where nothing wants
// them.
//
//===----------------------------------------------------------------------===//

#include "StructuredGradient.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

namespace {
/// Attention spelled out. All terms are in the accumulator's type; matrices are
/// [batch..., m, n], rows [batch..., m].
class Spelled {
public:
  Spelled(ImplicitLocOpBuilder &b, Value query, double scale)
      : b(b), scale(scale),
        type(getAccumulatorType(getElementTypeOrSelf(query.getType()))),
        rank(cast<RankedTensorType>(query.getType()).getRank()) {}

  Term wide(Value value) {
    auto tensorType = cast<RankedTensorType>(value.getType());
    if (tensorType.getElementType() == type)
      return {&b, value};
    return {&b, CastOp::create(b, tensorType.clone(type), value,
                               /*saturate=*/false)};
  }
  /// The product along a dimension, the last or the one before it, of each
  /// matrix of `lhs` with one of `rhs`.
  Term product(Term lhs, bool lhsLast, Term rhs, bool rhsLast) {
    SmallVector<int64_t> batch = llvm::to_vector(llvm::seq(rank - 2));
    return {&b, ContractOp::create(b, lhs.value, rhs.value, batch, batch,
                                   rank - (lhsLast ? 1 : 2),
                                   rank - (rhsLast ? 1 : 2), type)};
  }
  /// A row's number for all of its columns.
  Term spread(Term rows, Term like) {
    SmallVector<int64_t> dims = llvm::to_vector(llvm::seq(rank - 1));
    return {&b, BroadcastOp::create(b, like.value.getType(), rows.value,
                                    getSymbolicSizes(b, like.value), dims)};
  }
  Term sumRows(Term matrix) {
    return {&b, ReduceOp::create(b, ReduceKind::sum, matrix.value, rank - 1)};
  }
  Term scaled(Term term) { return scale == 1 ? term : scale * term; }

  Term probabilities(Value query, Value key, Value bias, Value logarithm) {
    Term scores = scaled(product(wide(query), true, wide(key), true));
    if (bias)
      scores = scores + Term{&b, fitType(b, wide(bias).value, scores.value)};
    return apply<ExpOp>(scores - spread({&b, logarithm}, scores));
  }
  /// The gradient in exactly the type of `operand`.
  Value gradient(Term term, Value operand) {
    return fitType(b, convertElements(b, term.value, operand), operand);
  }

private:
  ImplicitLocOpBuilder &b;
  double scale;
  Type type;
  int64_t rank;
};
} // namespace

/// Whether all elements of `value` are known to be zero.
static bool isZero(Value value) {
  if (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getInput();
  return matchPattern(value, m_AnyZeroFloat());
}

// With g the gradient of y, and h that of the logarithms l: dl[i]/ds[i, j] is
// p[i, j], and dy[i]/ds[i, j] is p[i, j] * (v[j] - y[i]).
LogicalResult AttentionOp::buildGradient(OpBuilder &builder,
                                         ValueRange resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(getLoc(), builder);
  Spelled spelled(b, getQuery(), getScale().convertToDouble());
  Term g = spelled.wide(resultGrads[0]);
  Term delta = spelled.sumRows(g * spelled.wide(getOutput()));
  if (!isZero(resultGrads[1]))
    delta = delta - Term{&b, resultGrads[1]};
  auto op = AttentionGradientOp::create(
      b, getQuery().getType(), getKey().getType(), getValue().getType(),
      getQuery(), getKey(), getValue(), getLogarithm(), resultGrads[0],
      delta.value, getBias(), getScaleAttr());
  llvm::append_range(operandGrads, op.getResults());
  if (!getBias())
    return success();
  Term p =
      spelled.probabilities(getQuery(), getKey(), getBias(), getLogarithm());
  Term dp = spelled.product(g, true, spelled.wide(getValue()), true);
  Term ds = p * (dp - spelled.spread(delta, dp));
  operandGrads.push_back(spelled.gradient(ds, getBias()));
  return success();
}

// With a, c and e the gradients of dq, dk and dv, and f = dp - delta, which is
// multiplied with p to give ds:
//   L = sum of u * ds + p * (g . e), where u = scale * (a . k + q . c),
// so that x = u * p is the gradient of f, and w = u * f + g . e that of p, of
// which r = w * p goes to the scores and, by the row, to the logarithms.
LogicalResult
AttentionGradientOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                                   SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(getLoc(), builder);
  Spelled t(b, getQuery(), getScale().convertToDouble());
  Term q = t.wide(getQuery()), k = t.wide(getKey()), v = t.wide(getValue());
  Term g = t.wide(getGrad());
  Term a = t.wide(resultGrads[0]), c = t.wide(resultGrads[1]),
       e = t.wide(resultGrads[2]);
  Term p = t.probabilities(getQuery(), getKey(), getBias(), getLogarithm());
  Term dp = t.product(g, true, v, true);
  Term f = dp - t.spread({&b, getDelta()}, dp);
  Term ds = p * f;
  Term u = t.scaled(t.product(a, true, k, true) + t.product(q, true, c, true));
  Term x = u * p;
  Term r = (u * f + t.product(g, true, e, true)) * p;

  auto add = [&](Term term, Value operand) {
    operandGrads.push_back(t.gradient(term, operand));
  };
  add(t.scaled(t.product(r, true, k, false) + t.product(ds, true, c, false)),
      getQuery());
  add(t.scaled(t.product(r, false, q, false) + t.product(ds, false, a, false)),
      getKey());
  add(t.product(x, false, g, false), getValue());
  add(-t.sumRows(r), getLogarithm());
  add(t.product(x, true, v, false) + t.product(p, true, e, false), getGrad());
  add(-t.sumRows(x), getDelta());
  if (getBias())
    add(r, getBias());
  return success();
}
