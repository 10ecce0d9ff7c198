//===- ProductKernel.cpp - Contractions and convolutions ------------------===//
//
// Both are products of matrices, whose elements have addresses or rules. How
// a product is cut follows from its sizes, as far as these are known when the
// kernel is made.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "weft/Codegen/Common/ConvolutionProblem.h"
#include "weft/Codegen/Common/FilterProblem.h"
#include "weft/Dialect/Weft/IR/ModuleAttrs.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

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
  auto words = [&kernel](RegionEmitter &e, ArrayRef<int32_t> words) {
    return kernel.constantWords(e, words);
  };
  // As wide as any element.
  auto zeros = [words](RegionEmitter &e) { return words(e, {0, 0, 0, 0}); };
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
              if (!problem)
                return nullptr;
              problem->joinImages();
              problem->input.zeros = zeros;
              problem->lookUpDepth(words);
              return problem;
            })
            .Case([&](ConvFilterOp op) -> Problem {
              auto problem = FilterProblem::create(op, type);
              if (problem)
                problem->input.zeros = zeros;
              return problem;
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

namespace {
/// A tile, and the speed at which a multiprocessor gets through its products.
struct TileSpeed {
  TileShape shape;
  double speed;
};
/// The number of a tile, and into how many parts the depth is cut.
struct Choice {
  size_t tile;
  int64_t splits;
};
} // namespace

/// Into how many parts the depth may be cut, whose sums are added up by a task
/// of their own. Where sums begin at elements of a tensor, they are taken in
/// order.
static int64_t getMostSplits(Contraction &problem) {
  constexpr int64_t kMostSplits = 32, kMostTotals = 1 << 22;
  int64_t sizes[] = {problem.staticBatch, problem.staticM, problem.staticN};
  if (!problem.beginsAtZero() || ShapedType::isDynamicShape(sizes))
    return 1;
  return std::clamp<int64_t>(kMostTotals /
                                 std::max<int64_t>(llvm::product_of(sizes), 1),
                             1, kMostSplits);
}

/// Whether an operand goes to shared memory element by element, and not 16
/// bytes at a time.
static bool isByElements(ProductOperand operand) {
  int64_t count = 128 / operand.type().getIntOrFloatBitWidth();
  return !operand.hasVectorsAlongOuter(count) &&
         !operand.hasVectorsAlongDepth(count);
}

/// The choice with which the product takes the least time. Times are counted in
/// products of a multiprocessor of speed 1, of which it makes `rate` while a
/// thread makes one.
static Choice chooseTile(Contraction &problem, ArrayRef<TileSpeed> candidates,
                         double rate) {
  // Of another task, and of an element's way to memory and back.
  const double launch = 4000 * rate, sum = 0.8 * rate;
  double m = likely(problem.staticM, 512), n = likely(problem.staticN, 1024);
  double k = likely(problem.staticK, 1024);
  double batch = likely(problem.staticBatch, 8);
  int64_t most = getMostSplits(problem);
  // What an element costs on its way to shared memory: about ten instructions,
  // of which a multiprocessor makes 128 at a time.
  double element = 0.08 * rate;
  double elementA = isByElements({problem, true}) ? element : 0;
  double elementB = isByElements({problem, false}) ? element : 0;
  Choice best{0, 1};
  double least = std::numeric_limits<double>::infinity();
  for (auto [number, candidate] : llvm::enumerate(candidates)) {
    double rows = candidate.shape.rows(), columns = candidate.shape.columns();
    double tiles = batch * std::ceil(m / rows) * std::ceil(n / columns);
    for (int64_t splits = 1; splits <= most; splits *= 2) {
      double step = rows * columns / candidate.speed + rows * elementA +
                    columns * elementB;
      double time = std::ceil(tiles * splits / kProcessors) * step *
                    std::ceil(k / splits);
      if (splits > 1)
        time += launch + sum * splits * batch * m * n / kProcessors;
      if (time < least) {
        least = time;
        best = {number, splits};
      }
    }
  }
  return best;
}

/// Adds tasks in which threads multiply: the faster the more each has.
static void addThreadTasks(const Product &product) {
  Contraction &problem = product.problem;
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
  Choice choice = chooseTile(problem, candidates, /*rate=*/64);
  addThreadProduct(product, tiles[choice.tile].first, choice.splits);
}

/// Adds tasks with matrix instructions, which wait for shared memory where a
/// warp has few rows or columns.
static void addMatrixTasks(const Product &product, bool hasWarpgroups) {
  Contraction &problem = product.problem;
  SmallVector<TileSpeed> candidates{
      {{2, 4, 64, 32}, 1},   {{2, 2, 64, 32}, 0.9}, {{2, 2, 32, 32}, 0.6},
      {{2, 2, 16, 16}, 0.3}, {{1, 4, 32, 32}, 0.6}, {{4, 1, 32, 32}, 0.6},
  };
  // Warps that have more to do with what they read have no registers left for
  // operands that come through them.
  if (!isByElements({problem, true}) && !isByElements({problem, false}))
    candidates.front() = {{2, 2, 64, 64}, 1.1};
  // Groups of four warps share what they read.
  size_t firstOfGroups = candidates.size();
  if (hasWarpgroups)
    candidates.append({{{8, 1, 16, 256}, 2},
                       {{8, 1, 16, 128}, 1.6},
                       {{4, 1, 16, 128}, 1.3},
                       {{16, 1, 16, 64}, 1.4},
                       {{8, 1, 16, 64}, 1.3},
                       {{4, 1, 16, 64}, 1}});
  Choice choice = chooseTile(problem, candidates, /*rate=*/1024);
  (choice.tile < firstOfGroups ? addMatrixProduct : addWarpgroupProduct)(
      product, candidates[choice.tile].shape, choice.splits);
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

/// Whether the number of rows is one (eq), or is not (ne).
static Value hasRows(RegionEmitter &e, Contraction &problem,
                     arith::CmpIPredicate predicate) {
  return arith::CmpIOp::create(e.builder(), predicate, problem.rows(e),
                               e.index(1));
}

bool weft::cuda::emitProductKernel(KernelBuilder &kernel, bool tf32,
                                   StringRef arch) {
  std::unique_ptr<Contraction> problem = findProblem(kernel);
  if (!problem || isSmall(*problem))
    return false;
  std::optional<Epilogue> epilogue =
      Epilogue::create(kernel, problem->op, problem->columnDims);
  if (!epilogue)
    return false;
  auto add = [&](ConditionFn isWanted) {
    Product product{kernel, *problem, *epilogue, isWanted};
    bool isVector = problem->staticM == 1 || problem->staticN == 1;
    if (isVector && problem->beginsAtZero())
      addVectorProduct(product);
    else if (problem->operandType != problem->accumulatorType ||
             (tf32 && problem->operandType.isF32()))
      addMatrixTasks(product,
                     arch == "sm_90a" && !problem->operandType.isF32());
    else
      addThreadTasks(product);
  };
  auto module = kernel.getRegion()->getParentOfType<ModuleOp>();
  bool mayBeRow = ShapedType::isDynamic(problem->staticM) &&
                  problem->staticN != 1 && problem->beginsAtZero();
  if (!mayBeRow || module->hasAttr(kOrderedAttr)) {
    add(nullptr);
    return true;
  }
  // A single row is computed in another way than many; the run chooses.
  problem->staticM = 1;
  add([&](RegionEmitter &e) {
    return hasRows(e, *problem, arith::CmpIPredicate::eq);
  });
  problem->staticM = ShapedType::kDynamic;
  add([&](RegionEmitter &e) {
    return hasRows(e, *problem, arith::CmpIPredicate::ne);
  });
  return true;
}
