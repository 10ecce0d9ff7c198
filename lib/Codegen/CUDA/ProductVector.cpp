//===- ProductVector.cpp - Products of a matrix and a vector --------------===//
//
// Memory bounds these, so that what matters is that neighbours are read
// together. Where the matrix lies along the depth, the lanes of a warp share a
// sum, and put it together by shuffles; else each lane has a result, whose sum
// the warps of a block share, and put together through shared memory.
//
//===----------------------------------------------------------------------===//

#include "Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Terms that a thread adds at a time, to sums of their own.
static constexpr int64_t kTerms = 4;
static constexpr int64_t kThreads = 256;

namespace {
/// Emits one task.
class VectorEmitter {
public:
  explicit VectorEmitter(const Product &product)
      : product(product), problem(product.problem),
        matrix(problem, problem.staticN == 1) {
    isDeep = matrix.isDeep();
    // Enough to have a few terms each.
    int64_t most = isDeep ? kWarp : kThreads / kWarp;
    sharers = most;
    if (ShapedType::isStatic(problem.staticK))
      sharers = std::min<int64_t>(
          most, llvm::PowerOf2Ceil(std::max<int64_t>(
                    1, llvm::divideCeil(problem.staticK, kTerms))));
    results = isDeep ? kThreads / sharers : kWarp;
    hasVectors = isDeep &&
                 ProductOperand(problem, true).hasVectorsAlongDepth(kTerms) &&
                 ProductOperand(problem, false).hasVectorsAlongDepth(kTerms) &&
                 problem.operandType.getIntOrFloatBitWidth() == 32;
  }

  int32_t threads() const { return sharers * results; }
  Value countResults(RegionEmitter &e) {
    SmallVector<Value> sizes = problem.batchSizes(e);
    sizes.push_back(matrix.outerSize(e));
    return e.product(sizes);
  }
  Value countBlocks(RegionEmitter &e) {
    return product.countIfWanted(e,
                                 e.ceilDiv(countResults(e), e.index(results)));
  }
  void emit(RegionEmitter &e, Value number);

private:
  Type type() const { return problem.accumulatorType; }
  Value add(RegionEmitter &e, Value lhs, Value rhs);
  Value sumUp(RegionEmitter &e, ArrayRef<Value> batch, Value outer,
              Value sharer);
  Value combineLanes(RegionEmitter &e, Value sum);
  Value combineWarps(RegionEmitter &e, Value sum, Value place, Value sharer);

  Product product;
  Contraction &problem;
  ProductOperand matrix;
  bool isDeep;
  int64_t sharers; ///< threads of a result
  int64_t results; ///< of a block
  bool hasVectors;
};
} // namespace

Value VectorEmitter::add(RegionEmitter &e, Value lhs, Value rhs) {
  if (isa<FloatType>(type()))
    return arith::AddFOp::create(e.builder(), lhs, rhs);
  return arith::AddIOp::create(e.builder(), lhs, rhs);
}

/// The sum of every `sharers`-th group of terms.
Value VectorEmitter::sumUp(RegionEmitter &e, ArrayRef<Value> batch, Value outer,
                           Value sharer) {
  ImplicitLocOpBuilder &b = e.builder();
  ProductOperand sides[] = {{problem, true}, {problem, false}};
  Value depth = problem.depth(e), last = e.sub(depth, e.index(1));
  int64_t step = sharers * kTerms;
  bool isWhole = ProductOperand::isMultiple(problem.staticK, step);
  // The operand that is the vector has but one outer index.
  auto outerOf = [&](const ProductOperand &side) {
    return side.isA == matrix.isA ? outer : e.index(0);
  };
  SmallVector<Value> inits(kTerms, e.constant(type(), 0));
  SmallVector<Value> sums = e.loop(
      e.index(0), e.ceilDiv(depth, e.index(step)), inits,
      [&](Value i, ValueRange carried) {
        Value first = e.mul(i, e.index(step));
        SmallVector<Value> terms[2];
        for (auto [side, list] : llvm::zip(sides, terms)) {
          Value vector;
          for (int64_t j : llvm::seq(kTerms)) {
            Value k = hasVectors
                          ? e.add(e.mul(sharer, e.index(kTerms)), e.index(j))
                          : e.add(sharer, e.index(j * sharers));
            k = e.add(first, k);
            Value inside, at = k;
            if (!isWhole) {
              inside =
                  arith::CmpIOp::create(b, arith::CmpIPredicate::slt, k, depth);
              at = e.min(k, last);
            }
            Value value;
            if (hasVectors && j == 0) {
              Value from =
                  isWhole ? k : e.min(k, e.sub(depth, e.index(kTerms)));
              vector = LLVM::LoadOp::create(
                  b, VectorType::get(kTerms, problem.operandType),
                  side.address(e, batch, outerOf(side), from), 16);
            }
            value = hasVectors ? extract(e, vector, j)
                               : side.element(e, batch, outerOf(side), at);
            if (inside)
              value = arith::SelectOp::create(
                  b, inside, value, e.constant(problem.operandType, 0));
            list.push_back(
                widen(b, value, problem.operandType, problem.accumulatorType));
          }
        }
        SmallVector<Value> next;
        for (auto [a, b, sum] : llvm::zip_equal(terms[0], terms[1], carried))
          next.push_back(multiplyAdd(e, a, b, sum));
        return next;
      });
  return add(e, add(e, sums[0], sums[1]), add(e, sums[2], sums[3]));
}

/// Adds the sums of the lanes that share a result, by shuffles.
Value VectorEmitter::combineLanes(RegionEmitter &e, Value sum) {
  for (int64_t mask = sharers / 2; mask >= 1; mask /= 2)
    sum = add(e, sum, emitExchange(e, sum, mask));
  return sum;
}

/// Adds the sums of the warps that share results, in the first of them.
Value VectorEmitter::combineWarps(RegionEmitter &e, Value sum, Value place,
                                  Value sharer) {
  if (sharers == 1)
    return sum;
  ImplicitLocOpBuilder &b = e.builder();
  Value shared = product.kernel.sharedMemory(e, type(), kThreads);
  auto at = [&](Value warp) {
    return elementAt(e, shared, type(),
                     e.add(e.mul(warp, e.index(kWarp)), place));
  };
  LLVM::StoreOp::create(b, sum, at(sharer));
  barrier(e);
  for (int64_t warp : llvm::seq<int64_t>(1, sharers)) {
    Value other = LLVM::LoadOp::create(b, type(), at(e.index(warp)));
    sum = add(e, sum, other);
  }
  return sum;
}

void VectorEmitter::emit(RegionEmitter &e, Value number) {
  ImplicitLocOpBuilder &b = e.builder();
  product.epilogue.begin(e, product.kernel);
  Value thread = emitThread(e);
  int64_t inner = isDeep ? sharers : results;
  Value high = e.div(thread, e.index(inner)),
        low = e.rem(thread, e.index(inner));
  Value place = isDeep ? high : low, sharer = isDeep ? low : high;
  Value result = e.add(e.mul(number, e.index(results)), place);
  Value count = countResults(e);
  Value isOne =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, result, count);
  // Threads beyond the end compute the last result, and do not store it.
  SmallVector<Value> sizes = problem.batchSizes(e);
  sizes.push_back(matrix.outerSize(e));
  SmallVector<Value> grid =
      e.delinearize(e.min(result, e.sub(count, e.index(1))), sizes);
  ArrayRef<Value> batch = ArrayRef(grid).drop_back();
  Value sum = sumUp(e, batch, grid.back(), sharer);
  sum = isDeep ? combineLanes(e, sum) : combineWarps(e, sum, place, sharer);
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, sharer, e.index(0));
  emitIf(e, arith::AndIOp::create(b, isOne, isFirst), {}, [&] {
    Value zero = e.index(0);
    Value m = matrix.isA ? grid.back() : zero;
    Value n = matrix.isA ? zero : grid.back();
    product.epilogue.store(e, product.kernel,
                           problem.resultIndices(e, batch, m, n), sum);
    return SmallVector<Value>();
  });
}

void weft::cuda::addVectorProduct(const Product &product) {
  VectorEmitter emitter(product);
  product.kernel.addBlocks(
      emitter.threads(),
      [&](RegionEmitter &e) { return emitter.countBlocks(e); },
      [&](RegionEmitter &e, Value number) { emitter.emit(e, number); });
}
