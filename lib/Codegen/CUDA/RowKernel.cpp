//===- RowKernel.cpp - Reductions, softmax and normalisations -------------===//

#include "Kernels.h"
#include "RowThreads.h"
#include "Shuffle.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Threads of a block; how many threads, and blocks, keep a GPU busy; and how
/// much a thread does before its row is worth more threads, or more blocks.
static constexpr int64_t kThreads = 256, kManyThreads = 1 << 15,
                         kManyBlocks = 256, kLongTurns = 8, kChunkTurns = 16;

/// Reductions for whose parts, 2 KiB of f64 each, there is shared memory.
static constexpr unsigned kMostShared = 16;

/// The power of two that is no less than `value`, within limits.
static int32_t roundToPower(int64_t value, int64_t least, int64_t most) {
  value = std::clamp<int64_t>(value, least, most);
  return llvm::PowerOf2Ceil(value);
}

/// How many elements of a row a thread reads at once, more or less.
static int64_t countNeighbours(const RowPlan &plan) {
  Type storage =
      RegionEmitter::getStorageType(plan.getShape().getElementType());
  int64_t size = plan.getStaticRowSize();
  int64_t count = 128 / storage.getIntOrFloatBitWidth();
  while (count > 1 && (ShapedType::isDynamic(size) || size % count != 0))
    count /= 2;
  return count;
}

/// Threads take neighbours within rows of `turns` accesses.
static void chooseInRow(RowMapping &mapping, int64_t turns, int64_t rows) {
  bool isStatic = ShapedType::isStatic(rows);
  bool isFew = isStatic && rows * kWarp < kManyThreads;
  int64_t wanted =
      std::max(std::min<int64_t>(turns, kWarp), turns / kLongTurns);
  mapping.across = roundToPower(isFew ? turns : wanted, 1, kThreads);
  if (mapping.across > kWarp)
    return;
  int64_t fit = kThreads / mapping.across;
  mapping.rows =
      roundToPower(isStatic ? rows : fit, kWarp / mapping.across, fit);
}

/// Threads take neighbouring rows, of `size` elements each.
static void chooseAcrossRows(RowMapping &mapping, int64_t size, int64_t rows,
                             bool mayShare) {
  int64_t known = ShapedType::isStatic(rows) ? rows : kThreads;
  mapping.across = kThreads / roundToPower(known, 1, kWarp);
  if (!mayShare)
    mapping.across = 1;
  if (ShapedType::isStatic(size))
    while (mapping.across > 1 && mapping.across * 4 > size)
      mapping.across /= 2;
  mapping.rows =
      roundToPower(known, llvm::divideCeilSigned(kWarp, mapping.across),
                   kThreads / mapping.across);
}

RowMapping RowMapping::choose(const RowPlan &plan) {
  RowMapping mapping;
  int64_t size = plan.getStaticRowSize(), rows = plan.getStaticNumRows();
  mapping.contiguous = plan.isRowContiguous();
  int64_t turns = ShapedType::isStatic(size) ? size : kThreads * kLongTurns;
  if (mapping.contiguous) {
    turns = llvm::divideCeilSigned(turns, countNeighbours(plan));
    chooseInRow(mapping, turns, rows);
  } else {
    bool mayShare =
        !plan.hasArgReduce() && plan.countReductions() <= kMostShared;
    chooseAcrossRows(mapping, size, rows, mayShare);
  }
  if (ShapedType::isDynamic(size) || ShapedType::isDynamic(rows) || rows == 0)
    return mapping;
  int64_t chunks =
      std::min(kManyBlocks / llvm::divideCeilSigned(rows, mapping.rows),
               turns / (mapping.across * kChunkTurns));
  if (chunks > 1) {
    mapping.chunks = chunks;
    mapping.allRows = rows;
  }
  return mapping;
}

bool weft::cuda::emitRowKernel(KernelBuilder &kernel) {
  std::optional<RowPlan> plan = RowPlan::create(kernel);
  if (!plan)
    return false;
  RowMapping mapping = RowMapping::choose(*plan);
  unsigned reductions = plan->countReductions();
  if (int64_t bytes = mapping.getScratchBytes(reductions))
    mapping.scratch = kernel.reserveScratch(bytes);
  unsigned lastTask = mapping.chunks > 1 ? reductions : 0;
  for (unsigned task = 0; task <= lastTask; ++task) {
    // Where no element is stored, one block puts the chunks of a row together.
    bool isWhole = task == lastTask && !plan->hasFullResults(kernel);
    auto count = [&](RegionEmitter &e) {
      Value rows = e.product(plan->begin(e).outer);
      Value blocks = e.ceilDiv(rows, e.index(mapping.rows));
      return isWhole ? blocks : e.mul(blocks, e.index(mapping.chunks));
    };
    kernel.addBlocks(
        mapping.getThreads(), count, [&](RegionEmitter &e, Value block) {
          RowThreads(kernel, *plan, mapping, task).emitBlock(e, *plan, block);
        });
  }
  return true;
}
