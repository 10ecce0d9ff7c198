//===- ProductKernel.cpp - Contractions and convolutions ------------------===//
//
// Both are products of matrices, whose elements have addresses or rules. How
// a product is cut follows from its sizes, as far as these are known when the
// kernel is made.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "PackedProblem.h"
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
  bool hasGroups = false; ///< of warps, that multiply together
};
/// The number of a tile, and into how many parts the depth is cut.
struct Choice {
  size_t tile;
  int64_t splits;
};
/// What times are counted in: products that a multiprocessor makes at speed 1.
struct Pace {
  int64_t processors; ///< of the GPU
  double rate;        ///< products in the time of one that a thread makes
  double latency;     ///< of a step of the depth, likewise, however small
};
} // namespace

/// Multiprocessors of the first GPU of an architecture.
static int64_t getProcessors(StringRef arch) {
  return arch.starts_with("sm_9") ? 132 : 108;
}

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

/// The time of a step of the depth on a multiprocessor with `blocks` blocks.
static double timeStep(Contraction &problem, const TileSpeed &tile,
                       double blocks, bool isSingle, const Pace &pace) {
  // What an element costs on its way to shared memory: about ten instructions,
  // of which a multiprocessor makes 128 at a time.
  const double element = 0.08 * pace.rate;
  // With fewer, a multiprocessor waits for its warps.
  constexpr double kWarps = 6;
  double rows = tile.shape.rows(), columns = tile.shape.columns();
  double own = rows * columns / tile.speed;
  if (isByElements({problem, true}))
    own += rows * element;
  if (isByElements({problem, false}))
    own += columns * element;
  // Groups wait for less, unless nothing that they read is read by others.
  double wait = pace.latency * pace.rate;
  if (tile.hasGroups)
    wait *= isSingle ? 1.25 : 0.5;
  double warps = tile.shape.warpsM * tile.shape.warpsN;
  // Of tiles that only wait, the one that reads least.
  double read = 0.004 * pace.rate * blocks * (rows + columns);
  double most = std::ceil(blocks); // of a multiprocessor
  return std::max(wait, own * std::max(most, kWarps / warps)) + read;
}

/// The choice with which the product takes the least time. The figures were
/// fitted to times on an H200.
static Choice chooseTile(Contraction &problem, ArrayRef<TileSpeed> candidates,
                         const Pace &pace) {
  // Of another task, and of an element's way to memory and back.
  const double launch = 4000 * pace.rate, sum = 0.8 * pace.rate;
  double m = likely(problem.staticM, 512), n = likely(problem.staticN, 1024);
  double k = likely(problem.staticK, 1024);
  double batch = likely(problem.staticBatch, 8);
  int64_t most = getMostSplits(problem);
  Choice best{0, 1};
  double least = std::numeric_limits<double>::infinity();
  for (auto [number, candidate] : llvm::enumerate(candidates)) {
    double tilesM = std::ceil(m / candidate.shape.rows());
    double tilesN = std::ceil(n / candidate.shape.columns());
    bool isSingle = tilesM == 1 || tilesN == 1;
    for (int64_t splits = 1; splits <= most; splits *= 2) {
      double blocks = batch * tilesM * tilesN * splits / pace.processors;
      double time = std::ceil(k / splits) *
                    timeStep(problem, candidate, blocks, isSingle, pace);
      if (splits > 1)
        time += launch + sum * splits * batch * m * n / pace.processors;
      if (time < least) {
        least = time;
        best = {number, splits};
      }
    }
  }
  return best;
}

/// Adds tasks in which threads multiply: the faster the more each has.
static void addThreadTasks(const Product &product, int64_t processors) {
  Contraction &problem = product.problem;
  int64_t vector = 16 / (problem.accumulatorType.getIntOrFloatBitWidth() / 8);
  // Rows of warps, lanes, and squares; then the depth.
  SmallVector<std::pair<ThreadTile, double>> tiles{
      {{4, 2, 4, 8, 2, 2, 8, vector}, 1.15},
      {{2, 2, 4, 8, 2, 2, 8, vector}, 1.15},
      {{2, 2, 4, 8, 2, 1, 16, vector}, 1},
      {{2, 1, 4, 8, 1, 1, 16, vector}, 0.7},
      {{1, 4, 4, 8, 1, 1, 16, vector}, 0.4},
  };
  // Four lanes' vectors fill no more than half of the banks.
  if (vector == 4)
    tiles.push_back({{4, 1, 8, 4, 1, 1, 16, vector}, 0.4});
  // Two blocks of the largest tile have no registers left for patches.
  if (problem.hasPatches())
    tiles.erase(tiles.begin());
  SmallVector<TileSpeed> candidates;
  for (const auto &[tile, speed] : tiles)
    candidates.push_back({tile.shape(), speed});
  Choice choice = chooseTile(problem, candidates,
                             {processors, /*rate=*/64, /*latency=*/57});
  addThreadProduct(product, tiles[choice.tile].first, choice.splits);
}

/// Whether threads of groups of warps have registers for their sums and for
/// their share of a part, 64 deep, of operands that come through them. Where
/// sizes are not known, each element's address takes two more.
static bool hasRegistersForElements(Contraction &problem,
                                    const TileShape &shape) {
  constexpr int64_t kPartDepth = 64, kMostRegisters = 200;
  int64_t sizes[] = {problem.staticBatch, problem.staticM, problem.staticN,
                     problem.staticK};
  int64_t outer = 0;
  if (isByElements({problem, true}))
    outer += shape.rows();
  if (isByElements({problem, false}))
    outer += shape.columns();
  int64_t each = ShapedType::isDynamicShape(sizes) ? 3 : 1;
  int64_t all = shape.rows() * shape.columns() + kPartDepth * outer * each;
  return all <= kMostRegisters * shape.threads();
}

/// Adds tasks with matrix instructions, which wait for shared memory where a
/// warp has few rows or columns.
static void addMatrixTasks(const Product &product, int64_t processors,
                           bool hasWarpgroups) {
  Contraction &problem = product.problem;
  SmallVector<TileSpeed> candidates{
      {{2, 4, 64, 32}, 1},    {{2, 2, 64, 32}, 0.9},  {{2, 2, 32, 32}, 0.77},
      {{2, 2, 16, 16}, 0.32}, {{1, 4, 32, 32}, 0.73}, {{4, 1, 32, 32}, 0.57},
      {{1, 4, 16, 32}, 0.35}, {{4, 1, 32, 16}, 0.35},
  };
  // Warps that have more to do with what they read have no registers left for
  // operands that come through them.
  bool areElementsA = isByElements({problem, true});
  bool areElementsB = isByElements({problem, false});
  if (!areElementsA && !areElementsB)
    candidates.front() = {{2, 2, 64, 64}, 1.1};
  // Where no stride is known either, a share's addresses leave no registers for
  // more than this.
  if (areElementsA && areElementsB && ShapedType::isDynamic(problem.staticN) &&
      ShapedType::isDynamic(problem.staticK)) {
    candidates = {{{2, 2, 16, 16}, 1}};
    hasWarpgroups = false;
  }
  // Groups of four warps share what they read.
  size_t firstOfGroups = candidates.size();
  if (hasWarpgroups)
    for (auto [shape, speed] :
         std::initializer_list<std::pair<TileShape, double>>{
             {{8, 1, 16, 256}, 1.84},
             {{8, 1, 16, 128}, 1.51},
             {{4, 1, 16, 128}, 1.38},
             {{16, 1, 16, 64}, 1.25},
             {{8, 1, 16, 64}, 1.13},
             {{4, 1, 16, 64}, 1.01}})
      if (hasRegistersForElements(problem, shape))
        candidates.push_back({shape, speed, /*hasGroups=*/true});
  Choice choice = chooseTile(problem, candidates,
                             {processors, /*rate=*/1024, /*latency=*/14});
  const TileShape &shape = candidates[choice.tile].shape;
  if (choice.tile < firstOfGroups)
    addMatrixProduct(product, shape, choice.splits);
  else if (takesTensorMaps(problem))
    addTensorMapProduct(product, shape, choice.splits, processors);
  else
    addWarpgroupProduct(product, shape, choice.splits);
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

/// Adds the tasks of a product, by what its sizes and operands allow.
static void addTasks(const Product &product, bool tf32, StringRef arch) {
  Contraction &problem = product.problem;
  bool isVector = problem.staticM == 1 || problem.staticN == 1;
  bool isF32 = problem.operandType.isF32();
  if (isVector && problem.beginsAtZero())
    addVectorProduct(product);
  else if (problem.operandType != problem.accumulatorType || (tf32 && isF32))
    addMatrixTasks(product, getProcessors(arch), arch == "sm_90a" && !isF32);
  else
    addThreadTasks(product, getProcessors(arch));
}

bool weft::cuda::emitProductKernel(KernelBuilder &kernel, bool tf32,
                                   StringRef arch, int64_t packFrom) {
  std::unique_ptr<Contraction> problem = findProblem(kernel);
  if (!problem || isSmall(*problem))
    return false;
  std::optional<Epilogue> epilogue =
      Epilogue::create(kernel, problem->op, problem->columnDims);
  if (!epilogue)
    return false;
  std::unique_ptr<PackedProblem> packed =
      packProblem(kernel, problem, packFrom);
  if (packed) {
    auto prepare = [&] { packed->addPreparation(); };
    addTasks({kernel, *packed, *epilogue, nullptr, prepare}, tf32, arch);
    return true;
  }
  auto add = [&](ConditionFn isWanted) {
    Product product{kernel, *problem, *epilogue, isWanted, nullptr};
    addTasks(product, tf32, arch);
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
