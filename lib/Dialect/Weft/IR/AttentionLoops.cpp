//===- AttentionLoops.cpp - Attention by plain loops ----------------------===//
//
// What kernels of attention don't take: each element of a result computes the
// scores of its row or column again.
//
//===----------------------------------------------------------------------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

using Carried = SmallVector<Value>;

namespace {
/// Scores, and what is made of them, of one of the ops.
template <typename OpTy> class Scores {
public:
  Scores(OpTy op, LoopEmitter &emitter)
      : op(op), emitter(emitter), b(emitter.builder()),
        type(getAccumulatorType(op.getQuery().getType().getElementType())) {}

  Type getType() const { return type; }
  Value size(Value tensor, int64_t fromEnd) {
    int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
    return emitter.size(tensor, rank - fromEnd);
  }
  /// The sizes of the batch, and `last` behind them.
  SmallVector<Value> withBatch(ArrayRef<Value> last) {
    SmallVector<Value> sizes;
    for (int64_t dim = 0, e = op.getQuery().getType().getRank() - 2; dim < e;
         ++dim)
      sizes.push_back(emitter.size(op.getQuery(), dim));
    llvm::append_range(sizes, last);
    return sizes;
  }
  Value wide(Value tensor, ArrayRef<Value> batch, ArrayRef<Value> last) {
    SmallVector<Value> at(batch);
    llvm::append_range(at, last);
    return emitConvert(b, emitter.element(tensor, at),
                       getElementTypeOrSelf(tensor.getType()), type);
  }
  /// The sum of `term` for all `i < count`.
  Value sum(Value count, llvm::function_ref<Value(Value)> term) {
    return emitter.loop(
        emitter.index(0), count, emitter.constant(type, 0),
        [&](Value i, ValueRange carried) -> Carried {
          return {arith::AddFOp::create(b, carried[0], term(i)).getResult()};
        })[0];
  }
  Value dot(Value lhs, Value rhs, ArrayRef<Value> batch, Value row,
            Value column) {
    return sum(size(lhs, 1), [&](Value c) -> Value {
      return arith::MulFOp::create(b, wide(lhs, batch, {row, c}),
                                   wide(rhs, batch, {column, c}));
    });
  }
  Value score(ArrayRef<Value> batch, Value row, Value column) {
    Value product = dot(op.getQuery(), op.getKey(), batch, row, column);
    Value score = arith::MulFOp::create(b, product, scale());
    if (!op.getBias())
      return score;
    return arith::AddFOp::create(b, score,
                                 wide(op.getBias(), batch, {row, column}));
  }
  Value scale() {
    return emitter.constant(type, op.getScale().convertToDouble());
  }
  Value exp(Value score, Value logarithm) {
    return math::ExpOp::create(b, arith::SubFOp::create(b, score, logarithm));
  }
  void store(unsigned result, ArrayRef<Value> at, Value element) {
    Type stored = getElementTypeOrSelf(op->getResult(result).getType());
    emitter.store(result, at, emitConvert(b, element, type, stored));
  }

  OpTy op;
  LoopEmitter &emitter;
  ImplicitLocOpBuilder &b;

private:
  Type type;
};
} // namespace

/// The logarithm of the sum of the exponentials of row `row`.
static Value emitLogarithm(Scores<AttentionOp> &scores, ArrayRef<Value> batch,
                           Value row) {
  ImplicitLocOpBuilder &b = scores.b;
  LoopEmitter &emitter = scores.emitter;
  Type type = scores.getType();
  Value keys = scores.size(scores.op.getKey(), 2);
  Value lowest = emitIdentity(b, ReduceKind::max, type);
  Value most = emitter.loop(
      emitter.index(0), keys, lowest,
      [&](Value column, ValueRange carried) -> Carried {
        Value score = scores.score(batch, row, column);
        return {arith::MaximumFOp::create(b, carried[0], score).getResult()};
      })[0];
  Value sum = scores.sum(keys, [&](Value column) {
    return scores.exp(scores.score(batch, row, column), most);
  });
  Value logarithm = arith::AddFOp::create(b, most, math::LogOp::create(b, sum));
  // The difference of infinities in an empty row would be NaN.
  Value isEmpty =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, most, lowest);
  double infinity = std::numeric_limits<double>::infinity();
  Value ofEmpty =
      emitter.constant(type, scores.op.getZeroEmpty() ? infinity : -infinity);
  return arith::SelectOp::create(b, isEmpty, ofEmpty, logarithm);
}

void AttentionOp::emitLoops(LoopEmitter &emitter) {
  Scores<AttentionOp> scores(*this, emitter);
  Value rows = scores.size(getQuery(), 2), keys = scores.size(getKey(), 2);
  emitter.parallel(scores.withBatch(rows), [&](ArrayRef<Value> at) {
    scores.store(1, at, emitLogarithm(scores, at.drop_back(), at.back()));
  });
  Value width = scores.size(getValue(), 1);
  emitter.parallel(scores.withBatch({rows, width}), [&](ArrayRef<Value> at) {
    ArrayRef<Value> batch = at.drop_back(2);
    Value row = at.drop_back().back();
    ImplicitLocOpBuilder &b = emitter.builder();
    Value logarithm = emitter.load(1, at.drop_back());
    Value zero = emitter.constant(scores.getType(), 0);
    // The sum of what values are weighted by is one, but for what the logarithm
    // has lost beside large scores.
    SmallVector<Value> sums = emitter.loop(
        emitter.index(0), keys, {zero, zero},
        [&](Value column, ValueRange carried) -> Carried {
          Value p = scores.exp(scores.score(batch, row, column), logarithm);
          Value part = arith::MulFOp::create(
              b, p, scores.wide(getValue(), batch, {column, at.back()}));
          return {arith::AddFOp::create(b, carried[0], part),
                  arith::AddFOp::create(b, carried[1], p)};
        });
    Value mean = arith::DivFOp::create(b, sums[0], sums[1]);
    // An empty row that is to be zero, or no keys.
    Value isEmpty =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sums[1], zero);
    scores.store(0, at, arith::SelectOp::create(b, isEmpty, zero, mean));
  });
}

namespace {
/// What the gradients are made of, for one of the batch.
struct GradientTerms {
  Scores<AttentionGradientOp> &scores;
  ArrayRef<Value> batch;

  Value probability(Value row, Value column) {
    return scores.exp(scores.score(batch, row, column),
                      scores.wide(scores.op.getLogarithm(), batch, row));
  }
  /// The gradient of what is multiplied with the scale.
  Value ofScore(Value row, Value column) {
    ImplicitLocOpBuilder &b = scores.b;
    AttentionGradientOp op = scores.op;
    Value change = arith::SubFOp::create(
        b, scores.dot(op.getGrad(), op.getValue(), batch, row, column),
        scores.wide(op.getDelta(), batch, row));
    Value gradient = arith::MulFOp::create(b, probability(row, column), change);
    return arith::MulFOp::create(b, gradient, scores.scale());
  }
};
} // namespace

void AttentionGradientOp::emitLoops(LoopEmitter &emitter) {
  Scores<AttentionGradientOp> scores(*this, emitter);
  Value rows = scores.size(getQuery(), 2), keys = scores.size(getKey(), 2);
  Value depth = scores.size(getQuery(), 1), width = scores.size(getValue(), 1);
  // Result `number` sums, along `count`, a factor times elements of `other`.
  auto add =
      [&](unsigned number, Value own, Value last, Value count, Value other,
          llvm::function_ref<Value(GradientTerms &, Value, Value)> factor) {
        emitter.parallel(
            scores.withBatch({own, last}), [&](ArrayRef<Value> at) {
              GradientTerms terms{scores, at.drop_back(2)};
              Value place = at.drop_back().back();
              scores.store(number, at, scores.sum(count, [&](Value i) -> Value {
                return arith::MulFOp::create(
                    emitter.builder(), factor(terms, place, i),
                    scores.wide(other, terms.batch, {i, at.back()}));
              }));
            });
      };
  add(0, rows, depth, keys, getKey(),
      [](GradientTerms &terms, Value row, Value column) {
        return terms.ofScore(row, column);
      });
  add(1, keys, depth, rows, getQuery(),
      [](GradientTerms &terms, Value column, Value row) {
        return terms.ofScore(row, column);
      });
  add(2, keys, width, rows, getGrad(),
      [](GradientTerms &terms, Value column, Value row) {
        return terms.probability(row, column);
      });
}
