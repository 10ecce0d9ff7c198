//===- StructuredContractEval.cpp - Reference contractions ----------------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

using Results = FailureOr<SmallVector<HostTensor>>;

namespace {
/// A sum of products: floats in double, integers modulo 2^64.
class Products {
public:
  explicit Products(Type elementType) : isFloat(isa<FloatType>(elementType)) {}

  void begin(const HostTensor &init, int64_t position) {
    if (isFloat)
      real = init.getFloat(position);
    else
      whole = static_cast<uint64_t>(init.getInt(position));
  }
  void add(const HostTensor &lhs, int64_t l, const HostTensor &rhs, int64_t r) {
    if (isFloat)
      real += lhs.getFloat(l) * rhs.getFloat(r);
    else
      whole += static_cast<uint64_t>(lhs.getInt(l)) *
               static_cast<uint64_t>(rhs.getInt(r));
  }
  void store(HostTensor &tensor, int64_t position) const {
    if (isFloat)
      tensor.setFloat(position, real);
    else
      tensor.setInt(position, static_cast<int64_t>(whole));
  }

private:
  bool isFloat;
  double real = 0;
  uint64_t whole = 0;
};
} // namespace

static LogicalResult checkInit(Operation *op, const HostTensor &init,
                               ArrayRef<int64_t> shape) {
  if (init.getShape() == shape)
    return success();
  return op->emitOpError("init has shape ")
         << formatShape(init.getShape()) << ", but the result "
         << formatShape(shape);
}

Results ContractOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &lhs = operands[0], &rhs = operands[1];
  SmallVector<int64_t> lhsFree = getLhsFree(), rhsFree = getRhsFree();
  SmallVector<int64_t> shape, inner;
  auto pair = [&](ArrayRef<int64_t> lhsDims, ArrayRef<int64_t> rhsDims,
                  SmallVectorImpl<int64_t> &sizes) -> LogicalResult {
    for (auto [l, r] : llvm::zip_equal(lhsDims, rhsDims)) {
      int64_t size = lhs.getShape()[l];
      if (size != rhs.getShape()[r])
        return emitOpError("dimension ")
               << l << " of lhs has size " << size << ", but dimension " << r
               << " of rhs has " << rhs.getShape()[r];
      sizes.push_back(size);
    }
    return success();
  };
  if (failed(pair(getLhsBatch(), getRhsBatch(), shape)) ||
      failed(pair(getLhsContract(), getRhsContract(), inner)))
    return failure();
  for (int64_t dim : lhsFree)
    shape.push_back(lhs.getShape()[dim]);
  for (int64_t dim : rhsFree)
    shape.push_back(rhs.getShape()[dim]);
  if (getInit() && failed(checkInit(getOperation(), operands[2], shape)))
    return failure();

  HostTensor result = makeHost(shape, getType().getElementType());
  SmallVector<int64_t> lhsAt(lhs.getRank()), rhsAt(rhs.getRank());
  int64_t count = 0;
  forEachIndex(shape, [&](ArrayRef<int64_t> at) {
    for (auto [l, r] : llvm::zip_equal(getLhsBatch(), getRhsBatch())) {
      lhsAt[l] = rhsAt[r] = at.front();
      at = at.drop_front();
    }
    for (auto [dim, index] : llvm::zip(lhsFree, at))
      lhsAt[dim] = index;
    for (auto [dim, index] : llvm::zip(rhsFree, at.drop_front(lhsFree.size())))
      rhsAt[dim] = index;
    Products sum(result.getElementType());
    if (getInit())
      sum.begin(operands[2], count);
    forEachIndex(inner, [&](ArrayRef<int64_t> contracted) {
      for (auto [l, r, index] :
           llvm::zip_equal(getLhsContract(), getRhsContract(), contracted))
        lhsAt[l] = rhsAt[r] = index;
      sum.add(lhs, linearize(lhsAt, lhs.getShape()), rhs,
              linearize(rhsAt, rhs.getShape()));
    });
    sum.store(result, count++);
  });
  SmallVector<HostTensor> results;
  results.push_back(std::move(result));
  return results;
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

// Finds the element that tap `tap` meets when the filter stands at `place`,
// both spatial; false if it meets a zero.
template <typename OpTy>
static bool findTap(OpTy op, ArrayRef<int64_t> inputShape,
                    ArrayRef<int64_t> place, ArrayRef<int64_t> tap,
                    MutableArrayRef<int64_t> at) {
  for (size_t dim = 0; dim < place.size(); ++dim) {
    int64_t spread = op.getInputDilation()[dim];
    int64_t index = place[dim] * op.getStrides()[dim] - op.getLow()[dim] +
                    tap[dim] * op.getFilterDilation()[dim];
    if (index < 0 || index % spread != 0 ||
        index / spread >= inputShape[dim + 2])
      return false;
    at[dim + 2] = index / spread;
  }
  return true;
}

Results ConvOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0], &filter = operands[1];
  int64_t perGroup = filter.getShape()[1];
  if (input.getShape()[1] != perGroup * static_cast<int64_t>(getGroups()))
    return emitOpError("filter has ")
           << perGroup << " channels, but the input has " << input.getShape()[1]
           << " in " << getGroups() << " groups";
  SmallVector<int64_t> shape = {input.getShape()[0], filter.getShape()[0]};
  for (int64_t dim = 0; dim < input.getRank() - 2; ++dim)
    shape.push_back(getConvDim(*this, dim, filter.getShape()[dim + 2])
                        .getResultSize(input.getShape()[dim + 2]));
  HostTensor result = makeHost(shape, getType().getElementType());
  int64_t outputs = filter.getShape()[0] / getGroups();
  int64_t count = 0;
  SmallVector<int64_t> inputAt(input.getRank()), filterAt(filter.getRank());
  forEachIndex(shape, [&](ArrayRef<int64_t> at) {
    Products sum(result.getElementType());
    inputAt[0] = at[0];
    filterAt[0] = at[1];
    int64_t firstChannel = at[1] / outputs * perGroup;
    forEachIndex(filter.getShape().drop_front(1), [&](ArrayRef<int64_t> tap) {
      if (!findTap(*this, input.getShape(), at.drop_front(2), tap.drop_front(1),
                   inputAt))
        return;
      inputAt[1] = firstChannel + tap[0];
      llvm::copy(tap, filterAt.begin() + 1);
      sum.add(input, linearize(inputAt, input.getShape()), filter,
              linearize(filterAt, filter.getShape()));
    });
    sum.store(result, count++);
  });
  SmallVector<HostTensor> results;
  results.push_back(std::move(result));
  return results;
}

Results ConvFilterOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0], &grad = operands[1];
  int64_t perGroup = input.getShape()[1] / static_cast<int64_t>(getGroups());
  SmallVector<int64_t> shape = {grad.getShape()[1], perGroup};
  operands = operands.drop_front(2);
  for (int64_t taps : getType().getShape().drop_front(2)) {
    if (ShapedType::isDynamic(taps)) {
      taps = operands.front().getInt(0);
      operands = operands.drop_front();
    }
    shape.push_back(taps);
  }
  for (int64_t dim : llvm::seq<int64_t>(0, input.getRank() - 2)) {
    int64_t wanted = getConvDim(*this, dim, shape[dim + 2])
                         .getResultSize(input.getShape()[dim + 2]);
    if (grad.getShape()[dim + 2] != wanted)
      return emitOpError("gradient has size ")
             << grad.getShape()[dim + 2] << " in dimension " << dim + 2
             << ", but the convolution gives " << wanted;
  }
  if (getInit() && failed(checkInit(getOperation(), operands.back(), shape)))
    return failure();
  HostTensor result = makeHost(shape, getType().getElementType());
  int64_t outputs = shape[0] / static_cast<int64_t>(getGroups());
  int64_t count = 0;
  SmallVector<int64_t> places(grad.getShape());
  places.erase(places.begin() + 1);
  SmallVector<int64_t> inputAt(input.getRank()), gradAt(grad.getRank());
  forEachIndex(shape, [&](ArrayRef<int64_t> at) {
    Products sum(result.getElementType());
    if (getInit())
      sum.begin(operands.back(), count);
    inputAt[1] = at[0] / outputs * perGroup + at[1];
    gradAt[1] = at[0];
    forEachIndex(places, [&](ArrayRef<int64_t> place) {
      if (!findTap(*this, input.getShape(), place.drop_front(),
                   at.drop_front(2), inputAt))
        return;
      inputAt[0] = gradAt[0] = place[0];
      llvm::copy(place.drop_front(), gradAt.begin() + 2);
      sum.add(input, linearize(inputAt, input.getShape()), grad,
              linearize(gradAt, grad.getShape()));
    });
    sum.store(result, count++);
  });
  SmallVector<HostTensor> results;
  results.push_back(std::move(result));
  return results;
}

//===----------------------------------------------------------------------===//
// det
//===----------------------------------------------------------------------===//

// Turns the row-major square `matrix` into its factors and returns the
// determinant.
static double eliminate(MutableArrayRef<double> matrix, int64_t size) {
  auto at = [&](int64_t row, int64_t column) -> double & {
    return matrix[row * size + column];
  };
  double det = 1;
  for (int64_t step = 0; step < size; ++step) {
    int64_t pivot = step;
    // Written so that NaN counts as largest and reaches the determinant.
    for (int64_t row = step + 1; row < size; ++row)
      if (!(std::abs(at(row, step)) <= std::abs(at(pivot, step))))
        pivot = row;
    if (pivot != step) {
      for (int64_t column = 0; column < size; ++column)
        std::swap(at(step, column), at(pivot, column));
      det = -det;
    }
    double divisor = at(step, step);
    det *= divisor;
    for (int64_t row = step + 1; row < size; ++row) {
      double factor = divisor == 0 ? 0 : at(row, step) / divisor;
      at(row, step) = factor;
      for (int64_t column = step + 1; column < size; ++column)
        at(row, column) -= factor * at(step, column);
    }
  }
  return det;
}

Results DetOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  int64_t size = input.getShape().back();
  if (input.getShape()[input.getRank() - 2] != size)
    return emitOpError("input does not hold square matrices");
  ArrayRef<int64_t> batch = input.getShape().drop_back(2);
  HostTensor result = makeHost(batch, input.getElementType());
  HostTensor factors =
      makeHost(input.getShape(), getFactors().getType().getElementType());
  SmallVector<double> matrix(size * size);
  for (int64_t i = 0; i < result.getNumElements(); ++i) {
    int64_t first = i * size * size;
    for (auto [offset, element] : llvm::enumerate(matrix))
      element = input.getFloat(first + offset);
    result.setFloat(i, eliminate(matrix, size));
    for (auto [offset, element] : llvm::enumerate(matrix))
      factors.setFloat(first + offset, element);
  }
  SmallVector<HostTensor> results;
  results.push_back(std::move(result));
  results.push_back(std::move(factors));
  return results;
}
