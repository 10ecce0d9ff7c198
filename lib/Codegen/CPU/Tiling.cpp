//===- Tiling.cpp - How products of matrices are cut ----------------------===//

#include "Contraction.h"
#include <numeric>

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

Tiling weft::cpu::chooseTiling(Contraction &problem, Packing &packing,
                               const TargetDescription &target) {
  Tiling tiling;
  int64_t bytes = problem.accumulatorType.getIntOrFloatBitWidth() / 8;
  auto known = [](int64_t size, int64_t otherwise) {
    return ShapedType::isStatic(size) ? size : otherwise;
  };
  // Two vectors of columns; the rows fill the registers but for four, which
  // hold the columns and broadcast elements. Measured best on AVX2: 6 x 16.
  tiling.lanes = 2 * target.vectorBytes / bytes;
  int64_t mostRows = std::max<int64_t>(1, (target.vectorRegisters - 4) / 2);
  int64_t m = std::max<int64_t>(known(problem.staticM, 1024), 1);
  int64_t n = std::max<int64_t>(known(problem.staticN, 1024), 1);
  int64_t k = std::max<int64_t>(known(problem.staticK, 512), 1);
  tiling.directB = m <= 2 && problem.isPlainB() &&
                   ShapedType::isStatic(problem.staticN) &&
                   n % (4 * tiling.lanes) == 0;
  // Few rows leave registers for more columns.
  if (tiling.directB)
    tiling.lanes *= m == 1 ? 4 : 2;

  // A panel's part of the depth fits the first-level cache beside a row tile;
  // the panels of a block take half of the second-level cache. Patches take
  // more work to pack the narrower a block is, so theirs are less deep, which
  // leaves room for more columns.
  int64_t granule = packing.depthGranule(), period = packing.columnPeriod();
  int64_t depthLimit = std::max<int64_t>(
      64, target.l1Bytes * (granule > 1 ? 1 : 3) / 2 / (tiling.lanes * bytes));
  int64_t parts = llvm::divideCeil(k, depthLimit);
  tiling.blockDepth = llvm::alignTo(llvm::divideCeil(k, parts), granule);
  int64_t wide = std::max<int64_t>(
      1, target.l2Bytes / 2 / (tiling.blockDepth * tiling.lanes * bytes));
  int64_t batch = std::max<int64_t>(known(problem.staticBatch, 1), 1);
  int64_t needed = llvm::divideCeil(n, tiling.lanes);
  int64_t columnBlocks = llvm::divideCeil(needed, std::min<int64_t>(wide, 16));
  // A few blocks more may spare some core from waiting for another. Where there
  // are many rows, these are cut instead, as tiles of rows are smaller parts.
  bool isTall =
      ShapedType::isStatic(problem.staticM) && m >= 8 * mostRows * target.cores;
  bool isUneven = batch * columnBlocks < 4 * target.cores &&
                  batch * columnBlocks % target.cores != 0;
  if (isUneven && !isTall)
    while (batch * columnBlocks % target.cores != 0 && columnBlocks < needed)
      ++columnBlocks;
  tiling.blockColumns = tiling.lanes * llvm::divideCeil(needed, columnBlocks);
  int64_t rows = std::lcm(period, tiling.lanes);
  if (tiling.blockColumns < n && tiling.blockColumns > rows)
    tiling.blockColumns -= tiling.blockColumns % rows;

  // Rows: as many as the second-level cache holds sums of (they are used once
  // for each part of the depth), but cut such that there are a few blocks to
  // share among threads.
  int64_t limit = target.l2Bytes / (tiling.blockColumns * bytes);
  int64_t blocks = batch * llvm::divideCeil(n, tiling.blockColumns);
  int64_t cuts = std::max<int64_t>(llvm::divideCeil(m, limit),
                                   llvm::divideCeil(target.cores, blocks));
  if (isTall && blocks < 4 * target.cores && blocks * cuts % target.cores != 0)
    cuts *= target.cores;
  // As few tiles as possible, as equal as possible.
  int64_t blockRows =
      std::max<int64_t>(llvm::divideCeil(m, cuts), std::min(m, 4 * mostRows));
  tiling.tileRows =
      llvm::divideCeil(blockRows, llvm::divideCeil(blockRows, mostRows));
  tiling.blockRows = llvm::alignTo(blockRows, tiling.tileRows);
  return tiling;
}
