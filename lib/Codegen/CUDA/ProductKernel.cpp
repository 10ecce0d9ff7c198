//===- ProductKernel.cpp - Contractions and convolutions ------------------===//
//
// Both are products of matrices, whose elements have addresses or rules. How
// a product is cut follows from its sizes, as far as these are known when the
// kernel is made.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Product.h"
#include "weft/Codegen/Common/ConvolutionProblem.h"
#include "weft/Codegen/Common/FilterProblem.h"
#include "weft/Dialect/Weft/IR/ModuleAttrs.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Blocks that a GPU runs at a time if each fills a multiprocessor: there are
/// 108 of these on the first one of sm_80, 132 on that of sm_90.
static constexpr int64_t kProcessors = 108;

/// The type of the operands that `op` multiplies, if matrix instructions take
/// such operands; else null.
static Type getMatrixType(Operation *op) {
  auto elementOf = [&](unsigned number) {
    return cast<RankedTensorType>(op->getOperand(number).getType())
        .getElementType();
  };
  Type type = elementOf(0);
  bool isTaken = (type.isF16() || type.isBF16()) && type == elementOf(1);
  return isTaken ? type : Type();
}

/// The product that a region computes, with operands in their own type if
/// matrix instructions take it.
static std::unique_ptr<Contraction> findProblem(KernelBuilder &kernel) {
  std::unique_ptr<Contraction> problem;
  for (Operation &op : kernel.getRegion().getBody().front()) {
    if (!isa<ContractOp, ConvOp, ConvFilterOp>(op))
      continue;
    if (problem)
      return nullptr;
    using Problem = std::unique_ptr<Contraction>;
    Type type = getMatrixType(&op);
    problem =
        TypeSwitch<Operation *, Problem>(&op)
            .Case([&](ContractOp op) { return createMatrixProblem(op, type); })
            .Case([&](ConvOp op) -> Problem {
              auto problem = ConvolutionProblem::create(op, type);
              if (problem)
                problem->joinImages();
              return problem;
            })
            .Case([&](ConvFilterOp op) -> Problem {
              return FilterProblem::create(op, type);
            });
    if (!problem)
      return nullptr;
  }
  return problem;
}

/// `size` if it is known; else one that does not favour small tiles.
static int64_t likely(int64_t size, int64_t otherwise) {
  return std::max<int64_t>(ShapedType::isStatic(size) ? size : otherwise, 1);
}

/// The number of the tile with which the product takes the least time, if a
/// multiprocessor gets through the elements of a tile at a speed of its own.
struct TileSpeed {
  TileShape shape;
  double speed;
};
static size_t chooseTile(const Contraction &problem,
                         ArrayRef<TileSpeed> candidates) {
  int64_t m = likely(problem.staticM, 512), n = likely(problem.staticN, 1024);
  int64_t batch = likely(problem.staticBatch, 8);
  auto timeOf = [&](const TileSpeed &candidate) {
    int64_t rows = candidate.shape.rows(), columns = candidate.shape.columns();
    int64_t blocks =
        batch * llvm::divideCeil(m, rows) * llvm::divideCeil(n, columns);
    return double(llvm::divideCeil(blocks, kProcessors)) *
           double(rows * columns) / candidate.speed;
  };
  return llvm::min_element(candidates,
                           [&](const TileSpeed &one, const TileSpeed &two) {
                             return timeOf(one) < timeOf(two);
                           }) -
         candidates.begin();
}

/// Threads that multiply by themselves are the faster the more each has.
static ThreadTile chooseThreadTile(const Contraction &problem) {
  int64_t vector = 16 / (problem.accumulatorType.getIntOrFloatBitWidth() / 8);
  // Rows of warps, lanes, and squares; then the depth.
  SmallVector<std::pair<ThreadTile, double>> tiles{
      {{4, 2, 4, 8, 2, 2, 8, vector}, 1},
      {{2, 2, 4, 8, 2, 2, 8, vector}, 0.9},
      {{2, 2, 4, 8, 2, 1, 16, vector}, 0.7},
      {{2, 1, 4, 8, 1, 1, 16, vector}, 0.3},
      {{1, 4, 4, 8, 1, 1, 16, vector}, 0.4},
  };
  // Four lanes' vectors fill no more than half of the banks.
  if (vector == 4)
    tiles.push_back({{4, 1, 8, 4, 1, 1, 16, vector}, 0.4});
  SmallVector<TileSpeed> candidates;
  for (const auto &[tile, speed] : tiles)
    candidates.push_back({tile.shape(), speed});
  return tiles[chooseTile(problem, candidates)].first;
}

/// So do warps with matrix instructions, which wait for shared memory where
/// they have few rows or columns.
static TileShape chooseMatrixTile(const Contraction &problem) {
  static constexpr TileSpeed candidates[] = {
      {{2, 4, 64, 32}, 1},   {{2, 2, 64, 32}, 0.9}, {{2, 2, 32, 32}, 0.6},
      {{2, 2, 16, 16}, 0.3}, {{1, 4, 32, 32}, 0.6}, {{4, 1, 32, 32}, 0.6},
  };
  return candidates[chooseTile(problem, candidates)].shape;
}

/// Whether there is so little to a result, or to what results share, that each
/// is better computed by a thread of its own.
static bool isSmall(const Contraction &problem) {
  constexpr int64_t kLittleDepth = 8, kFewResults = 16;
  int64_t sizes[] = {problem.staticM, problem.staticN};
  if (ShapedType::isStatic(problem.staticK) && problem.staticK <= 2)
    return true;
  return !ShapedType::isDynamicShape(sizes) &&
         llvm::product_of(sizes) <= kFewResults &&
         ShapedType::isStatic(problem.staticK) &&
         problem.staticK <= kLittleDepth;
}

bool weft::cuda::emitProductKernel(KernelBuilder &kernel) {
  std::unique_ptr<Contraction> problem = findProblem(kernel);
  if (!problem || isSmall(*problem))
    return false;
  std::optional<Epilogue> epilogue =
      Epilogue::create(kernel, problem->op, problem->columnDims);
  if (!epilogue)
    return false;
  bool isVector = problem->staticM == 1 || problem->staticN == 1;
  if (isVector && problem->beginsAtZero())
    addVectorProduct(kernel, *problem, *epilogue);
  else if (problem->operandType != problem->accumulatorType)
    addMatrixProduct(kernel, *problem, *epilogue, chooseMatrixTile(*problem));
  else
    addThreadProduct(kernel, *problem, *epilogue, chooseThreadTile(*problem));
  return true;
}
