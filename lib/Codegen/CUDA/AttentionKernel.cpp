//===- AttentionKernel.cpp - Attention with online softmax ----------------===//
//
// A block takes a tile of the query's rows and goes through the keys tile by
// tile. The scores of a tile live in registers, and in shared memory for the
// product with the values; of each row its greatest score so far, the sum of
// the exponentials, and the weighted sum of the values are carried along, and
// scaled down when a greater score is found.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiles.h"
#include "Kernels.h"
#include "Neighbours.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <limits>

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

using Values = AttentionEmitter::Values;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

namespace {
/// Emits the work of one block.
class Forward {
public:
  Forward(KernelBuilder &kernel, AttentionOp op, AttentionEmitter &t,
          Value block)
      : kernel(kernel), op(op), t(t), e(t.e), b(t.b) {
    int64_t rank = op.getQuery().getType().getRank();
    rows = e.size(op.getQuery(), rank - 2);
    keys = e.size(op.getKey(), rank - 2);
    depth = op.getQuery().getType().getShape().back();
    width = op.getValue().getType().getShape().back();
    Value tiles = e.ceilDiv(rows, e.index(t.tiling.rows));
    SmallVector<Value> sizes = e.sizes(op.getQuery());
    batch =
        e.delinearize(e.div(block, tiles), ArrayRef<Value>(sizes).drop_back(2));
    first = e.mul(e.rem(block, tiles), e.index(t.tiling.rows));
  }

  void emit();

private:
  /// What is carried from tile to tile: of each of the thread's rows the
  /// greatest score and the sum of exponentials, and the sums of values.
  struct State {
    Values most, total, sums;

    Values join() const {
      Values all(most);
      llvm::append_range(all, total);
      llvm::append_range(all, sums);
      return all;
    }
  };
  State split(ValueRange values);
  SmallVector<Value> at(Value row, Value column) {
    SmallVector<Value> indices(batch);
    indices.push_back(row);
    indices.push_back(column);
    return indices;
  }
  void fill(const SharedTile &tile, Value tensor, Value from, Value count,
            int64_t size);
  Values scores(ValueRange products, Value from);
  void step(State &state, Values &scores);
  State tileOfKeys(State state, Value from);
  void finish(const State &state);

  KernelBuilder &kernel;
  AttentionOp op;
  AttentionEmitter &t;
  RegionEmitter &e;
  ImplicitLocOpBuilder &b;
  Value rows, keys, first;
  int64_t depth, width;
  SmallVector<Value> batch;
  SharedTile queryTile, keyTile, valueTile;
};
} // namespace

Forward::State Forward::split(ValueRange values) {
  size_t count = t.countRows();
  return {llvm::to_vector(values.take_front(count)),
          llvm::to_vector(values.slice(count, count)),
          llvm::to_vector(values.drop_front(2 * count))};
}

void Forward::fill(const SharedTile &tile, Value tensor, Value from,
                   Value count, int64_t size) {
  t.fill(tile, from, count, size, [&](Value row, ArrayRef<Value> columns) {
    SmallVector<Value> outer(batch);
    outer.push_back(row);
    return readNeighbours(e, tensor, outer, columns);
  });
}

/// The scores of this thread, -inf beyond the last key.
Values Forward::scores(ValueRange products, Value from) {
  Value scale = t.number(op.getScale().convertToDouble());
  Value lastRow = e.sub(rows, e.index(1)), lastKey = e.sub(keys, e.index(1));
  Values scores;
  for (auto [place, product] : llvm::enumerate(products)) {
    Value row = e.add(first, t.row(place / t.countColumns()));
    Value key = e.add(from, t.column(place % t.countColumns()));
    Value score = t.mul(product, scale);
    if (op.getBias())
      score = t.add(score, t.element(op.getBias(), at(e.min(row, lastRow),
                                                      e.min(key, lastKey))));
    scores.push_back(
        t.select(t.isBelow(key, keys), score, t.number(-kInfinity)));
  }
  return scores;
}

/// Takes a tile's scores into the state, and makes of them what values are
/// weighed with.
void Forward::step(State &state, Values &scores) {
  int64_t columns = t.countColumns();
  auto greater = [&](Value lhs, Value rhs) -> Value {
    return arith::MaximumFOp::create(b, lhs, rhs);
  };
  auto plus = [&](Value lhs, Value rhs) { return t.add(lhs, rhs); };
  size_t perRow = t.countSumsPerRow();
  for (int64_t i : llvm::seq(t.countRows())) {
    MutableArrayRef<Value> row =
        MutableArrayRef<Value>(scores).slice(i * columns, columns);
    Value most = row[0];
    for (Value score : row.drop_front())
      most = greater(most, score);
    most = greater(state.most[i], t.combineLanes(most, greater));
    // Where all was -inf so far, the differences shall be -inf, not NaN.
    Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, most,
                                          t.number(-kInfinity));
    Value base = t.select(isEmpty, t.number(0), most);
    Value shrink = t.exp(t.sub(state.most[i], base));
    Value total;
    for (Value &score : row) {
      score = t.exp(t.sub(score, base));
      total = total ? t.add(total, score) : score;
    }
    total = t.combineLanes(total, plus);
    state.total[i] = t.add(t.mul(state.total[i], shrink), total);
    state.most[i] = most;
    for (Value &sum :
         MutableArrayRef<Value>(state.sums).slice(i * perRow, perRow))
      sum = t.mul(sum, shrink);
  }
}

Forward::State Forward::tileOfKeys(State state, Value from) {
  t.blockBarrier();
  fill(keyTile, op.getKey(), from, keys, depth);
  if (!t.tiling.sharesKeys)
    fill(valueTile, op.getValue(), from, keys, width);
  t.blockBarrier();
  Values products = t.dot(queryTile, keyTile, depth);
  if (t.tiling.sharesKeys) {
    t.blockBarrier();
    fill(valueTile, op.getValue(), from, keys, width);
  }
  Values weights = scores(products, from);
  step(state, weights);
  if (t.tiling.sharesKeys)
    t.blockBarrier();
  state.sums = t.weigh(state.sums, weights, valueTile);
  return state;
}

void Forward::finish(const State &state) {
  // A row without a score that counts: 0 / 0 is NaN, which is wanted, unless it
  // is to be zero; without keys it is zero in any case.
  Value one = t.number(1), zero = t.number(0);
  Value noKeys =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, keys, e.index(0));
  Values inverse, logarithm, isZero;
  for (auto [most, total] : llvm::zip_equal(state.most, state.total)) {
    Value isEmpty =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, total, zero);
    isZero.push_back(op.getZeroEmpty() ? isEmpty : noKeys);
    inverse.push_back(arith::DivFOp::create(b, one, total));
    Value sum = t.add(most, math::LogOp::create(b, total));
    logarithm.push_back(t.select(
        isEmpty, t.number(op.getZeroEmpty() ? kInfinity : -kInfinity), sum));
  }
  Values means;
  for (auto [number, sum] : llvm::enumerate(state.sums)) {
    size_t i = number / t.countSumsPerRow();
    means.push_back(t.select(isZero[i], zero, t.mul(sum, inverse[i])));
  }
  t.storeSums(getResultView(kernel, op.getOutput()), queryTile, means, first,
              rows, [&](Value row, Value column) { return at(row, column); });
  const MemoryView &logarithms = getResultView(kernel, op.getLogarithm());
  for (auto [i, value] : llvm::enumerate(logarithm)) {
    Value place = e.add(first, t.row(i));
    SmallVector<Value> indices(batch);
    indices.push_back(place);
    Value isOwn =
        arith::AndIOp::create(b, t.isBelow(place, rows), t.isFirstLane());
    t.when(isOwn, [&] { t.store(logarithms, indices, value); });
  }
}

void Forward::emit() {
  queryTile = t.makeVectors(t.tiling.rows);
  keyTile = t.makeVectors(t.tiling.columns);
  valueTile = t.tiling.sharesKeys ? keyTile : t.makeVectors(t.tiling.columns);
  fill(queryTile, op.getQuery(), first, rows, depth);
  State begin{Values(t.countRows(), t.number(-kInfinity)),
              Values(t.countRows(), t.number(0)),
              Values(t.countSums(), t.number(0))};
  auto loop = scf::ForOp::create(b, e.index(0), keys, e.index(t.tiling.columns),
                                 begin.join());
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    State next =
        tileOfKeys(split(loop.getRegionIterArgs()), loop.getInductionVar());
    scf::YieldOp::create(b, next.join());
  }
  finish(split(loop.getResults()));
}

bool weft::cuda::emitAttentionKernel(KernelBuilder &kernel) {
  auto op = findAttention<AttentionOp>(kernel);
  std::optional<AttentionTiling> tiling;
  if (op)
    tiling = chooseForwardTiling(op.getQuery(), op.getValue());
  if (!tiling)
    return false;
  kernel.addBlocks(
      tiling->threads,
      [&](RegionEmitter &e) {
        SmallVector<Value> sizes = e.sizes(op.getQuery());
        sizes.pop_back();
        sizes.back() = e.ceilDiv(sizes.back(), e.index(tiling->rows));
        return e.product(sizes);
      },
      [&](RegionEmitter &e, Value block) {
        auto tiles = makeTiles(kernel, e, *tiling,
                               op.getQuery().getType().getElementType());
        Forward(kernel, op, *tiles, block).emit();
      });
  return true;
}
