//===- AttentionGradientKernel.cpp - Gradients of attention ---------------===//
//
// Two tasks. The first has a block for each tile of the query's rows, which
// goes through the keys and sums up the query's gradient; the second a block
// for each tile of keys, which goes through the query's rows and sums up those
// of key and value. Both compute the probabilities again, from the logarithms
// that the forward kernel kept. No element is summed up by two blocks, so that
// the order of sums is always the same.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiles.h"
#include "Kernels.h"
#include "Neighbours.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

using Values = AttentionEmitter::Values;

namespace {
/// One side of the scores: the query's rows, with the output's gradient, or the
/// keys, with the values.
struct Side {
  Value left;  ///< what scores are products of
  Value right; ///< what the gradients of probabilities are products of
  Value count; ///< of vectors
  SharedTile leftTile, rightTile;
};

/// Emits the work of one block, which has a tile of the vectors of one side,
/// its rows, and goes through those of the other, its columns.
class Backward {
public:
  Backward(KernelBuilder &kernel, AttentionGradientOp op, AttentionEmitter &t,
           bool byKeys, Value block);

  void emit();

private:
  SmallVector<Value> at(Value row, Value column) {
    SmallVector<Value> indices(batch);
    indices.push_back(row);
    indices.push_back(column);
    return indices;
  }
  /// A number that there is one of for each of the query's rows.
  Value ofQuery(Value tensor, Value row) {
    SmallVector<Value> indices(batch);
    indices.push_back(e.min(row, e.sub(query().count, e.index(1))));
    return t.element(tensor, indices);
  }
  const Side &query() const { return byKeys ? other : own; }
  const Side &key() const { return byKeys ? own : other; }
  void fill(Side &side, Value from);
  Value bias(Value row, Value column);
  /// Probabilities, and the gradients of scores, of this thread.
  void compute(Value from, Values &probabilities, Values &gradients);
  /// The sums of all results, one behind the other, with a tile more.
  Values tileOfOther(Values sums, Value from);
  void store(Value result, ValueRange sums, Value scale);

  KernelBuilder &kernel;
  AttentionGradientOp op;
  AttentionEmitter &t;
  RegionEmitter &e;
  ImplicitLocOpBuilder &b;
  bool byKeys;
  Side own, other;
  int64_t depth, width;
  Value first;
  SmallVector<Value> batch;
  Values ownLogarithms, ownDeltas; ///< of rows, unless these are keys
};
} // namespace

Backward::Backward(KernelBuilder &kernel, AttentionGradientOp op,
                   AttentionEmitter &t, bool byKeys, Value block)
    : kernel(kernel), op(op), t(t), e(t.e), b(t.b), byKeys(byKeys) {
  int64_t rank = op.getQuery().getType().getRank();
  own = {op.getQuery(), op.getGrad(), e.size(op.getQuery(), rank - 2), {}, {}};
  other = {op.getKey(), op.getValue(), e.size(op.getKey(), rank - 2), {}, {}};
  if (byKeys)
    std::swap(own, other);
  depth = op.getQuery().getType().getShape().back();
  width = op.getValue().getType().getShape().back();
  Value tiles = e.ceilDiv(own.count, e.index(t.tiling.rows));
  SmallVector<Value> sizes = e.sizes(op.getQuery());
  batch =
      e.delinearize(e.div(block, tiles), ArrayRef<Value>(sizes).drop_back(2));
  first = e.mul(e.rem(block, tiles), e.index(t.tiling.rows));
}

void Backward::fill(Side &side, Value from) {
  auto fillTile = [&](const SharedTile &tile, Value tensor, int64_t size) {
    t.fill(tile, from, side.count, size,
           [&](Value row, ArrayRef<Value> columns) {
             SmallVector<Value> outer(batch);
             outer.push_back(row);
             return readNeighbours(e, tensor, outer, columns);
           });
  };
  fillTile(side.leftTile, side.left, depth);
  fillTile(side.rightTile, side.right, width);
}

/// The bias of a row and a column of this block.
Value Backward::bias(Value row, Value column) {
  row = e.min(row, e.sub(own.count, e.index(1)));
  column = e.min(column, e.sub(other.count, e.index(1)));
  return t.element(op.getBias(), byKeys ? at(column, row) : at(row, column));
}

void Backward::compute(Value from, Values &probabilities, Values &gradients) {
  Values products = t.dot(own.leftTile, other.leftTile, depth);
  Values changes = t.dot(own.rightTile, other.rightTile, width);
  int64_t columns = t.countColumns();
  Values logarithms(ownLogarithms), deltas(ownDeltas);
  if (byKeys)
    for (int64_t j : llvm::seq(columns)) {
      Value row = e.add(from, t.column(j));
      logarithms.push_back(ofQuery(op.getLogarithm(), row));
      deltas.push_back(ofQuery(op.getDelta(), row));
    }
  Value scale = t.number(op.getScale().convertToDouble());
  for (auto [place, product] : llvm::enumerate(products)) {
    int64_t i = place / columns, j = place % columns;
    Value row = e.add(first, t.row(i)), column = e.add(from, t.column(j));
    Value score = t.mul(product, scale);
    if (op.getBias())
      score = t.add(score, bias(row, column));
    int64_t ofRow = byKeys ? j : i;
    Value p = t.exp(t.sub(score, logarithms[ofRow]));
    Value gradient = t.mul(p, t.sub(changes[place], deltas[ofRow]));
    // Rows beyond the last one are not stored, columns must not count.
    Value isInside = t.isBelow(column, other.count);
    probabilities.push_back(t.select(isInside, p, t.number(0)));
    gradients.push_back(t.select(isInside, gradient, t.number(0)));
  }
}

Values Backward::tileOfOther(Values sums, Value from) {
  t.blockBarrier();
  fill(other, from);
  t.blockBarrier();
  Values probabilities, gradients;
  compute(from, probabilities, gradients);
  ValueRange left = ValueRange(sums).take_front(t.countSums());
  ValueRange right = ValueRange(sums).drop_front(t.countSums());
  Values next = t.weigh(left, gradients, other.leftTile);
  if (byKeys)
    llvm::append_range(next, t.weigh(right, probabilities, other.rightTile));
  return next;
}

void Backward::store(Value result, ValueRange sums, Value scale) {
  Values scaled(sums);
  if (scale)
    for (Value &sum : scaled)
      sum = t.mul(sum, scale);
  t.storeSums(getResultView(kernel, result), own.leftTile, scaled, first,
              own.count,
              [&](Value row, Value column) { return at(row, column); });
}

void Backward::emit() {
  for (Side *side : {&own, &other}) {
    int64_t rows = side == &own ? t.tiling.rows : t.tiling.columns;
    side->leftTile = t.makeVectors(rows);
    side->rightTile = t.makeVectors(rows);
  }
  fill(own, first);
  if (!byKeys)
    for (int64_t i : llvm::seq(t.countRows())) {
      Value row = e.add(first, t.row(i));
      ownLogarithms.push_back(ofQuery(op.getLogarithm(), row));
      ownDeltas.push_back(ofQuery(op.getDelta(), row));
    }
  Values zeros((byKeys ? 2 : 1) * t.countSums(), t.number(0));
  auto loop = scf::ForOp::create(b, e.index(0), other.count,
                                 e.index(t.tiling.columns), zeros);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(
        b, tileOfOther(llvm::to_vector_of<Value>(loop.getRegionIterArgs()),
                       loop.getInductionVar()));
  }
  Value scale = t.number(op.getScale().convertToDouble());
  ValueRange sums = loop.getResults();
  store(byKeys ? op.getKeyGradient() : op.getQueryGradient(),
        sums.take_front(t.countSums()), scale);
  if (byKeys)
    store(op.getValueGradient(), sums.drop_front(t.countSums()), Value());
}

bool weft::cuda::emitAttentionGradientKernel(KernelBuilder &kernel) {
  auto op = findAttention<AttentionGradientOp>(kernel);
  std::optional<AttentionTiling> tiling;
  if (op)
    tiling = chooseBackwardTiling(op.getQuery(), op.getValue());
  if (!tiling)
    return false;
  for (bool byKeys : {false, true})
    kernel.addBlocks(
        tiling->threads,
        [&](RegionEmitter &e) {
          SmallVector<Value> sizes =
              e.sizes(byKeys ? op.getKey() : op.getQuery());
          sizes.pop_back();
          sizes.back() = e.ceilDiv(sizes.back(), e.index(tiling->rows));
          return e.product(sizes);
        },
        [&](RegionEmitter &e, Value block) {
          auto tiles = makeTiles(kernel, e, *tiling,
                                 op.getQuery().getType().getElementType());
          Backward(kernel, op, *tiles, byKeys, block).emit();
        });
  return true;
}
