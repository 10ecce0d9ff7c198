//===- StructuredInverse.cpp - Inverses of matrices -----------------------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

using Carried = SmallVector<Value>;
using Results = FailureOr<SmallVector<HostTensor>>;

//===----------------------------------------------------------------------===//
// Shapes and checks
//===----------------------------------------------------------------------===//

LogicalResult
InverseOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                            ValueRange operands, DictionaryAttr attributes,
                            OpaqueProperties properties, RegionRange regions,
                            SmallVectorImpl<Type> &types) {
  Adaptor op(operands, attributes, properties, regions);
  auto input = cast<RankedTensorType>(op.getInput().getType());
  if (failed(checkSquare({location, getOperationName()}, input)))
    return failure();
  types.append(2, input.clone(getAccumulatorType(input.getElementType())));
  return success();
}

// All that can be wrong is found while the types are inferred.
LogicalResult InverseOp::verify() { return success(); }

LogicalResult
InverseOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &reified) {
  for (Value result : getResults())
    reifyDims(reified, builder, result.getType(), [&](int64_t dim) {
      return tensor::getMixedSize(builder, getLoc(), getInput(), dim);
    });
  return success();
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

// Turns the row-major square `matrix` into the unit and `inverse`, which is the
// unit, into its inverse.
static void invert(MutableArrayRef<double> matrix,
                   MutableArrayRef<double> inverse, int64_t size) {
  for (int64_t step : llvm::seq(size)) {
    int64_t pivot = step;
    for (int64_t row : llvm::seq(step + 1, size))
      if (!(std::abs(matrix[row * size + step]) <=
            std::abs(matrix[pivot * size + step])))
        pivot = row;
    double divisor = matrix[pivot * size + step];
    for (MutableArrayRef<double> part : {matrix, inverse})
      for (int64_t column : llvm::seq(size)) {
        std::swap(part[step * size + column], part[pivot * size + column]);
        part[step * size + column] /= divisor;
      }
    for (int64_t row : llvm::seq(size)) {
      double factor = matrix[row * size + step];
      if (row == step)
        continue;
      for (MutableArrayRef<double> part : {matrix, inverse})
        for (int64_t column : llvm::seq(size))
          part[row * size + column] -= factor * part[step * size + column];
    }
  }
}

Results InverseOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  int64_t size = input.getShape().back();
  if (input.getShape()[input.getRank() - 2] != size)
    return emitOpError("input does not hold square matrices");
  Type elementType = getResult().getType().getElementType();
  SmallVector<HostTensor> results;
  for (int i = 0; i < 2; ++i)
    results.push_back(makeHost(input.getShape(), elementType));
  int64_t area = size * size;
  SmallVector<double> matrix(area), inverse(area);
  int64_t count = area == 0 ? 0 : input.getNumElements() / area;
  for (int64_t first = 0; first < count * area; first += area) {
    for (int64_t i : llvm::seq(area)) {
      matrix[i] = input.getFloat(first + i);
      inverse[i] = i % (size + 1) == 0;
    }
    invert(matrix, inverse, size);
    for (int64_t i : llvm::seq(area)) {
      results[0].setFloat(first + i, inverse[i]);
      results[1].setFloat(first + i, matrix[i]);
    }
  }
  return results;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

namespace {
/// Gauss-Jordan elimination of one matrix: the first result goes from the unit
/// to the inverse, the second from the matrix to the unit.
class Inversion {
public:
  Inversion(InverseOp op, LoopEmitter &emitter, ArrayRef<Value> batch)
      : op(op), emitter(emitter), b(emitter.builder()), batch(batch),
        size(emitter.size(op.getInput(), batch.size())),
        type(op.getResult().getType().getElementType()) {}

  void emit();

private:
  static constexpr unsigned kInverse = 0, kMatrix = 1;

  SmallVector<Value> at(Value row, Value column) {
    SmallVector<Value> indices(batch);
    indices.push_back(row);
    indices.push_back(column);
    return indices;
  }
  Value load(unsigned part, Value row, Value column) {
    return emitter.load(part, at(row, column));
  }
  void store(unsigned part, Value row, Value column, Value value) {
    emitter.store(part, at(row, column), value);
  }
  /// Emits `body` for each part and column.
  void forEachColumn(llvm::function_ref<void(unsigned, Value)> body);
  void begin();
  Value findPivot(Value step);

  InverseOp op;
  LoopEmitter &emitter;
  ImplicitLocOpBuilder &b;
  ArrayRef<Value> batch;
  Value size;
  Type type;
};
} // namespace

void Inversion::forEachColumn(llvm::function_ref<void(unsigned, Value)> body) {
  emitter.loop(emitter.index(0), size, {},
               [&](Value column, ValueRange) -> Carried {
                 for (unsigned part : {kInverse, kMatrix})
                   body(part, column);
                 return {};
               });
}

void Inversion::begin() {
  Type elementType = op.getInput().getType().getElementType();
  emitter.loopNest(
      {size, size}, {}, [&](ArrayRef<Value> place, ValueRange) -> Carried {
        Value element = emitter.element(op.getInput(), at(place[0], place[1]));
        store(kMatrix, place[0], place[1],
              emitConvert(b, element, elementType, type));
        Value isDiagonal = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                                 place[0], place[1]);
        store(kInverse, place[0], place[1],
              arith::SelectOp::create(b, isDiagonal, emitter.constant(type, 1),
                                      emitter.constant(type, 0)));
        return {};
      });
}

// As for determinants; NaN counts as largest.
Value Inversion::findPivot(Value step) {
  Value first = math::AbsFOp::create(b, load(kMatrix, step, step));
  Value next = arith::AddIOp::create(b, step, emitter.index(1));
  return emitter.loop(
      next, size, ValueRange{step, first},
      [&](Value row, ValueRange carried) -> Carried {
        Value element = math::AbsFOp::create(b, load(kMatrix, row, step));
        Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::UGT,
                                               element, carried[1]);
        return {arith::SelectOp::create(b, isLarger, row, carried[0]),
                arith::SelectOp::create(b, isLarger, element, carried[1])};
      })[0];
}

void Inversion::emit() {
  begin();
  emitter.loop(emitter.index(0), size, {}, [&](Value step, ValueRange) {
    Value pivot = findPivot(step);
    Value divisor = load(kMatrix, pivot, step);
    forEachColumn([&](unsigned part, Value column) {
      Value from = load(part, pivot, column), to = load(part, step, column);
      store(part, pivot, column, to);
      store(part, step, column, arith::DivFOp::create(b, from, divisor));
    });
    emitter.loop(
        emitter.index(0), size, {}, [&](Value row, ValueRange) -> Carried {
          // The pivot's own row stays.
          Value isOwn =
              arith::CmpIOp::create(b, arith::CmpIPredicate::eq, row, step);
          Value factor = load(kMatrix, row, step);
          forEachColumn([&](unsigned part, Value column) {
            Value old = load(part, row, column);
            Value product =
                arith::MulFOp::create(b, factor, load(part, step, column));
            Value changed = arith::SubFOp::create(b, old, product);
            store(part, row, column,
                  arith::SelectOp::create(b, isOwn, old, changed));
          });
          return {};
        });
    return Carried();
  });
}

void InverseOp::emitLoops(LoopEmitter &emitter) {
  SmallVector<Value> sizes;
  for (int64_t dim = 0, e = getInput().getType().getRank() - 2; dim < e; ++dim)
    sizes.push_back(emitter.size(getInput(), dim));
  emitter.parallel(sizes, [&](ArrayRef<Value> batch) {
    Inversion(*this, emitter, batch).emit();
  });
}
