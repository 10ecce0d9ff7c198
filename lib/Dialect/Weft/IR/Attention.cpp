//===- Attention.cpp - Shapes, checks and values of attention -------------===//

#include "StructuredSupport.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

using Results = FailureOr<SmallVector<HostTensor>>;

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

namespace {
/// The shapes that belong to a query, a key and a value.
struct AttentionShapes {
  SmallVector<int64_t> batch;
  int64_t rows, keys, depth, width;

  /// `last` behind the batch's sizes.
  SmallVector<int64_t> with(ArrayRef<int64_t> last) const {
    SmallVector<int64_t> shape(batch);
    llvm::append_range(shape, last);
    return shape;
  }
};
} // namespace

static FailureOr<AttentionShapes> findShapes(const Complaint &complain,
                                             ArrayRef<int64_t> query,
                                             ArrayRef<int64_t> key,
                                             ArrayRef<int64_t> value) {
  if (query.size() < 2)
    return complain("shape ", formatShape(query),
                    " of query must have two dimensions or more");
  if (value.empty())
    return complain("value has no dimension");
  AttentionShapes shapes;
  shapes.batch.assign(query.begin(), query.end() - 2);
  shapes.rows = query[query.size() - 2];
  shapes.depth = query.back();
  shapes.keys = key.size() < 2 ? 0 : key[key.size() - 2];
  shapes.width = value.back();
  if (failed(checkShape(complain, "key", key,
                        shapes.with({shapes.keys, shapes.depth}))) ||
      failed(checkShape(complain, "value", value,
                        shapes.with({shapes.keys, shapes.width}))))
    return failure();
  return shapes;
}

static ArrayRef<int64_t> getShape(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

static LogicalResult checkElements(Operation *op, StringRef what, Value value,
                                   Type wanted) {
  Type found = getElementTypeOrSelf(value.getType());
  if (found == wanted)
    return success();
  return op->emitOpError("elements of ")
         << what << " are " << found << ", must be " << wanted;
}

/// What both ops want of their query, key, value, bias and logarithms.
template <typename OpTy>
static FailureOr<AttentionShapes> checkOperands(OpTy op) {
  Complaint complain(op);
  Type type = op.getQuery().getType().getElementType();
  if (failed(checkElements(op, "key", op.getKey(), type)) ||
      failed(checkElements(op, "value", op.getValue(), type)) ||
      failed(checkElements(op, "logarithm", op.getLogarithm(),
                           getAccumulatorType(type))))
    return failure();
  FailureOr<AttentionShapes> shapes =
      findShapes(complain, getShape(op.getQuery()), getShape(op.getKey()),
                 getShape(op.getValue()));
  if (failed(shapes) ||
      failed(checkShape(complain, "logarithm", getShape(op.getLogarithm()),
                        shapes->with(shapes->rows))) ||
      (op.getBias() &&
       failed(checkShape(complain, "bias", getShape(op.getBias()),
                         shapes->with({shapes->rows, shapes->keys})))))
    return failure();
  return shapes;
}

LogicalResult AttentionOp::verify() {
  FailureOr<AttentionShapes> shapes = checkOperands(*this);
  if (failed(shapes))
    return failure();
  return checkShape(Complaint(*this), "output", getShape(getOutput()),
                    shapes->with({shapes->rows, shapes->width}));
}

LogicalResult AttentionGradientOp::verify() {
  FailureOr<AttentionShapes> shapes = checkOperands(*this);
  if (failed(shapes) ||
      failed(checkElements(
          *this, "delta", getDelta(),
          getAccumulatorType(getQuery().getType().getElementType()))))
    return failure();
  Complaint complain(*this);
  auto check = [&](StringRef what, Value value, int64_t size, int64_t last) {
    return checkShape(complain, what, getShape(value),
                      shapes->with({size, last}));
  };
  if (failed(check("grad", getGrad(), shapes->rows, shapes->width)) ||
      failed(checkShape(complain, "delta", getShape(getDelta()),
                        shapes->with(shapes->rows))) ||
      failed(check("query gradient", getQueryGradient(), shapes->rows,
                   shapes->depth)) ||
      failed(
          check("key gradient", getKeyGradient(), shapes->keys, shapes->depth)))
    return failure();
  return check("value gradient", getValueGradient(), shapes->keys,
               shapes->width);
}

//===----------------------------------------------------------------------===//
// Sizes of results
//===----------------------------------------------------------------------===//

/// Appends the sizes of `result`, which are those of `like`.
static void reifyLike(ReifiedRankedShapedTypeDims &reified, OpBuilder &builder,
                      Value result, Value like) {
  reifyDims(reified, builder, result.getType(), [&](int64_t dim) {
    return tensor::getMixedSize(builder, result.getLoc(), like, dim);
  });
}

LogicalResult
AttentionOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &reified) {
  int64_t last = getOutput().getType().getRank() - 1;
  reifyDims(reified, builder, getOutput().getType(), [&](int64_t dim) {
    return tensor::getMixedSize(builder, getLoc(),
                                dim == last ? getValue() : getQuery(), dim);
  });
  reifyLike(reified, builder, getLogarithm(), getQuery());
  return success();
}

LogicalResult
AttentionGradientOp::reifyResultShapes(OpBuilder &builder,
                                       ReifiedRankedShapedTypeDims &reified) {
  reifyLike(reified, builder, getQueryGradient(), getQuery());
  reifyLike(reified, builder, getKeyGradient(), getKey());
  reifyLike(reified, builder, getValueGradient(), getValue());
  return success();
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

namespace {
/// The scores of tensors on the host, by matrix of the batch.
struct HostScores {
  const HostTensor &query, &key, &value;
  const HostTensor *bias;
  double scale;
  int64_t count, rows, keys, depth, width;

  double dot(const HostTensor &lhs, int64_t row, const HostTensor &rhs,
             int64_t column, int64_t size) const {
    double sum = 0;
    for (int64_t c : llvm::seq(size))
      sum += lhs.getFloat(row * size + c) * rhs.getFloat(column * size + c);
    return sum;
  }
  double operator()(int64_t matrix, int64_t row, int64_t column) const {
    double score = scale * dot(query, matrix * rows + row, key,
                               matrix * keys + column, depth);
    if (bias)
      score += bias->getFloat((matrix * rows + row) * keys + column);
    return score;
  }
};
} // namespace

/// The scores of an op whose operands are known; fails if these don't fit.
template <typename OpTy>
static FailureOr<HostScores> readScores(OpTy op, ArrayRef<HostTensor> operands,
                                        const HostTensor *bias) {
  Complaint complain(op);
  FailureOr<AttentionShapes> shapes =
      findShapes(complain, operands[0].getShape(), operands[1].getShape(),
                 operands[2].getShape());
  if (failed(shapes) ||
      (bias && failed(checkShape(complain, "bias", bias->getShape(),
                                 shapes->with({shapes->rows, shapes->keys})))))
    return failure();
  return HostScores{operands[0],
                    operands[1],
                    operands[2],
                    bias,
                    op.getScale().convertToDouble(),
                    ShapedType::getNumElements(shapes->batch),
                    shapes->rows,
                    shapes->keys,
                    shapes->depth,
                    shapes->width};
}

namespace {
/// What the softmax of a row's scores divides by: `sum`, of the exponentials of
/// their differences to `most`.
struct RowSum {
  double most, sum;
};
} // namespace

static RowSum sumRow(ArrayRef<double> scores) {
  RowSum row{-std::numeric_limits<double>::infinity(), 0};
  for (double score : scores)
    row.most = std::max(row.most, score);
  bool isNan =
      llvm::any_of(scores, [](double score) { return std::isnan(score); });
  if (!isNan && std::isinf(row.most) && row.most < 0)
    return row;
  // NaN need not win above: the sum takes it up.
  for (double score : scores)
    row.sum += std::exp(score - row.most);
  return row;
}

Results AttentionOp::evaluate(ArrayRef<HostTensor> operands) {
  FailureOr<HostScores> scores =
      readScores(*this, operands, getBias() ? &operands[3] : nullptr);
  if (failed(scores))
    return failure();
  SmallVector<int64_t> shape(operands[0].getShape());
  shape.back() = scores->width;
  SmallVector<HostTensor> results;
  results.push_back(makeHost(shape, getOutput().getType().getElementType()));
  shape.pop_back();
  results.push_back(makeHost(shape, getLogarithm().getType().getElementType()));
  SmallVector<double> row(scores->keys);
  for (int64_t matrix : llvm::seq(scores->count))
    for (int64_t i : llvm::seq(scores->rows)) {
      for (int64_t j : llvm::seq(scores->keys))
        row[j] = (*scores)(matrix, i, j);
      RowSum divisor = sumRow(row);
      bool isEmpty = divisor.sum == 0;
      int64_t place = matrix * scores->rows + i;
      results[1].setFloat(place, isEmpty && getZeroEmpty()
                                     ? -divisor.most
                                     : divisor.most + std::log(divisor.sum));
      for (int64_t c : llvm::seq(scores->width)) {
        // Not by way of the logarithm, which may be lost beside large scores.
        double sum = 0;
        for (int64_t j :
             llvm::seq(isEmpty && getZeroEmpty() ? 0 : scores->keys))
          sum += std::exp(row[j] - divisor.most) / divisor.sum *
                 scores->value.getFloat(
                     (matrix * scores->keys + j) * scores->width + c);
        results[0].setFloat(place * scores->width + c, sum);
      }
    }
  return results;
}

Results AttentionGradientOp::evaluate(ArrayRef<HostTensor> operands) {
  FailureOr<HostScores> scores =
      readScores(*this, operands, getBias() ? &operands[6] : nullptr);
  if (failed(scores))
    return failure();
  const HostTensor &logarithm = operands[3], &grad = operands[4],
                   &delta = operands[5];
  int64_t depth = scores->depth, width = scores->width;
  SmallVector<double> sums[3];
  for (unsigned i : llvm::seq(3))
    sums[i].assign(operands[i].getNumElements(), 0);
  for (int64_t matrix : llvm::seq(scores->count))
    for (int64_t i : llvm::seq(scores->rows))
      for (int64_t j : llvm::seq(scores->keys)) {
        int64_t row = matrix * scores->rows + i;
        int64_t column = matrix * scores->keys + j;
        double p = std::exp((*scores)(matrix, i, j) - logarithm.getFloat(row));
        double ds = p *
                    (scores->dot(grad, row, scores->value, column, width) -
                     delta.getFloat(row)) *
                    scores->scale;
        for (int64_t c : llvm::seq(depth)) {
          sums[0][row * depth + c] +=
              ds * scores->key.getFloat(column * depth + c);
          sums[1][column * depth + c] +=
              ds * scores->query.getFloat(row * depth + c);
        }
        for (int64_t c : llvm::seq(width))
          sums[2][column * width + c] += p * grad.getFloat(row * width + c);
      }
  SmallVector<HostTensor> results;
  for (auto [i, result] : llvm::enumerate(getResults())) {
    results.push_back(makeHost(operands[i].getShape(),
                               getElementTypeOrSelf(result.getType())));
    for (auto [place, sum] : llvm::enumerate(sums[i]))
      results[i].setFloat(place, sum);
  }
  return results;
}
