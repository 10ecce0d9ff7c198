//===- StructuredReduceEval.cpp - Reference reductions along axes ---------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

using Results = FailureOr<SmallVector<HostTensor>>;

static Results makeResults(HostTensor tensor) {
  SmallVector<HostTensor> results;
  results.push_back(std::move(tensor));
  return results;
}

namespace {
/// Runs through a tensor in rows: the positions that differ only along `axes`.
class Rows {
public:
  Rows(ArrayRef<int64_t> shape, ArrayRef<int64_t> axes)
      : shape(shape), outer(shape), inner(shape.size(), 1) {
    for (int64_t axis : axes) {
      outer[axis] = 1;
      inner[axis] = shape[axis];
    }
  }

  /// The shape without the axes of the rows.
  SmallVector<int64_t> getOuterShape(ArrayRef<int64_t> axes) const {
    SmallVector<int64_t> rest;
    for (auto [dim, size] : llvm::enumerate(shape))
      if (!llvm::is_contained(axes, static_cast<int64_t>(dim)))
        rest.push_back(size);
    return rest;
  }

  /// Calls `visit` with the positions of each row, in order.
  void forEach(llvm::function_ref<void(ArrayRef<int64_t>)> visit) const {
    SmallVector<int64_t> positions;
    forEachIndex(outer, [&](ArrayRef<int64_t> first) {
      positions.clear();
      forEachIndex(inner, [&](ArrayRef<int64_t> offset) {
        SmallVector<int64_t> at(first);
        for (auto [index, step] : llvm::zip_equal(at, offset))
          index += step;
        positions.push_back(linearize(at, shape));
      });
      visit(positions);
    });
  }

private:
  SmallVector<int64_t> shape, outer, inner;
};
} // namespace

Results ReduceOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  Rows rows(input.getShape(), getAxes());
  HostTensor result =
      makeHost(rows.getOuterShape(getAxes()), input.getElementType());
  int64_t count = 0;
  rows.forEach([&](ArrayRef<int64_t> positions) {
    HostReduction total(getKind(), input.getElementType());
    for (int64_t position : positions)
      total.add(input, position);
    total.store(result, count++);
  });
  return makeResults(std::move(result));
}

Results ArgReduceOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  int64_t axis = getAxis();
  Rows rows(input.getShape(), axis);
  HostTensor result =
      makeHost(rows.getOuterShape(axis), getType().getElementType());
  if (input.getShape()[axis] == 0 && result.getNumElements() != 0)
    return emitOpError("axis ") << axis << " has no elements";
  bool falling = getKind() == ReduceKind::max;
  int64_t count = 0;
  rows.forEach([&](ArrayRef<int64_t> positions) {
    int64_t best = 0;
    for (int64_t i = 1, e = positions.size(); i < e; ++i) {
      int64_t champion = positions[best];
      if (getLast() ? !isBefore(input, champion, positions[i], falling, true)
                    : isBefore(input, positions[i], champion, falling, true))
        best = i;
    }
    result.setInt(count++, best);
  });
  return makeResults(std::move(result));
}

Results CumulativeOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  int64_t axis = getAxis();
  HostTensor result = makeHost(input.getShape(), input.getElementType());
  Rows(input.getShape(), axis).forEach([&](ArrayRef<int64_t> positions) {
    SmallVector<int64_t> order(positions);
    if (getReverse())
      std::reverse(order.begin(), order.end());
    HostReduction total(getKind(), input.getElementType());
    for (int64_t position : order) {
      if (getExclusive())
        total.store(result, position);
      total.add(input, position);
      if (!getExclusive())
        total.store(result, position);
    }
  });
  return makeResults(std::move(result));
}

Results SoftmaxOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  int64_t axis = getAxis();
  HostTensor result = makeHost(input.getShape(), input.getElementType());
  Rows(input.getShape(), axis).forEach([&](ArrayRef<int64_t> positions) {
    double max = -std::numeric_limits<double>::infinity();
    for (int64_t position : positions)
      max = std::max(max, input.getFloat(position));
    // NaN need not win here: the sum takes it up.
    double sum = 0;
    for (int64_t position : positions)
      sum += std::exp(input.getFloat(position) - max);
    for (int64_t position : positions)
      result.setFloat(position, std::exp(input.getFloat(position) - max) / sum);
  });
  return makeResults(std::move(result));
}

Results NormalizeOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  double epsilon = getEpsilon().convertToDouble();
  HostTensor result = makeHost(input.getShape(), input.getElementType());
  Rows(input.getShape(), getAxes()).forEach([&](ArrayRef<int64_t> positions) {
    double count = positions.size(), mean = 0, variance = 0;
    if (!getRms()) {
      for (int64_t position : positions)
        mean += input.getFloat(position);
      mean /= count;
    }
    for (int64_t position : positions) {
      double deviation = input.getFloat(position) - mean;
      variance += deviation * deviation;
    }
    double scale = std::sqrt(variance / count + epsilon);
    for (int64_t position : positions)
      result.setFloat(position, (input.getFloat(position) - mean) / scale);
  });
  return makeResults(std::move(result));
}
