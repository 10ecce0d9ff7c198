//===- AttentionVectors.cpp - Tiles of attention by multiply-adds ---------===//
//
// The threads of a block stand in rows of eight lanes. Each has every n-th row
// of a tile of scores, every eighth column, and of the sums of its rows groups
// of four neighbours. Vectors lie in shared memory as f32, rows four banks
// apart from where they would be, so that reading four elements of each of
// eight neighbouring rows takes each bank once. Scores go through shared
// memory, within a warp, their rows eight banks apart.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiles.h"
#include "Neighbours.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

static constexpr int64_t kLanes = 8, kGroup = 4, kBanks = 32;

namespace {
class VectorTiles : public AttentionEmitter {
public:
  VectorTiles(KernelBuilder &kernel, RegionEmitter &emitter,
              const AttentionTiling &tiling);

  SharedTile makeVectors(int64_t rows) override;
  Value row(int64_t i) override {
    return e.add(threadRow, e.index(i * tiling.threads / kLanes));
  }
  Value column(int64_t j) override { return e.add(lane, e.index(j * kLanes)); }
  Value sumColumn(int64_t n) override {
    Value group = e.mul(column(n / kGroup), e.index(kGroup));
    return e.add(group, e.index(n % kGroup));
  }
  Value combineLanes(Value value,
                     llvm::function_ref<Value(Value, Value)> step) override {
    for (int32_t mask = kLanes / 2; mask >= 1; mask /= 2)
      value = step(value, emitExchange(e, value, mask));
    return value;
  }
  Value isFirstLane() override {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, e.index(0));
  }
  Values dot(const SharedTile &lhs, const SharedTile &rhs,
             int64_t width) override;
  Values weigh(ValueRange sums, ValueRange scores,
               const SharedTile &vectors) override;

protected:
  void put(const SharedTile &tile, Value row, Value column, Values elements,
           Value isInside) override;

private:
  /// Four neighbouring elements.
  Values loadGroup(const SharedTile &tile, Value row, Value column);

  Value lane, threadRow;
  SharedTile scoreTile;
};
} // namespace

VectorTiles::VectorTiles(KernelBuilder &kernel, RegionEmitter &emitter,
                         const AttentionTiling &tiling)
    : AttentionEmitter(kernel, emitter, tiling) {
  lane = e.rem(thread, e.index(kLanes));
  threadRow = e.div(thread, e.index(kLanes));
  ownRows = tiling.rows * kLanes / tiling.threads;
  ownColumns = tiling.columns / kLanes;
  sumsPerRow = tiling.width / kLanes;
  wide = sumGroup = kGroup;
  int64_t stride = llvm::alignTo(tiling.columns, kBanks) + kLanes;
  scoreTile = {kernel.sharedMemory(e, b.getF32Type(), tiling.rows * stride),
               tiling.rows, stride};
}

SharedTile VectorTiles::makeVectors(int64_t rows) {
  int64_t stride = tiling.width + kGroup;
  return {kernel.sharedMemory(e, b.getF32Type(), rows * stride), rows, stride};
}

void VectorTiles::put(const SharedTile &tile, Value row, Value column,
                      Values elements, Value isInside) {
  for (Value &element : elements)
    element = select(isInside, convert(element, b.getF32Type()), number(0));
  emitWideStore(e, address(tile, b.getF32Type(), row, column), elements);
}

AttentionEmitter::Values VectorTiles::loadGroup(const SharedTile &tile,
                                                Value row, Value column) {
  auto type = VectorType::get(kGroup, b.getF32Type());
  Value group = LLVM::LoadOp::create(
      b, type, address(tile, b.getF32Type(), row, column), /*alignment=*/16);
  Values elements;
  for (int64_t i : llvm::seq(kGroup))
    elements.push_back(vector::ExtractOp::create(b, group, i));
  return elements;
}

AttentionEmitter::Values
VectorTiles::dot(const SharedTile &lhs, const SharedTile &rhs, int64_t width) {
  Values zeros(ownRows * ownColumns, number(0));
  auto loop =
      scf::ForOp::create(b, e.index(0), e.index(width), e.index(kGroup), zeros);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value first = loop.getInductionVar();
  Values sums = llvm::to_vector_of<Value>(loop.getRegionIterArgs());
  SmallVector<Values> right;
  for (int64_t j : llvm::seq(ownColumns))
    right.push_back(loadGroup(rhs, column(j), first));
  for (int64_t i : llvm::seq(ownRows)) {
    Values left = loadGroup(lhs, row(i), first);
    for (int64_t j : llvm::seq(ownColumns))
      for (int64_t c : llvm::seq(kGroup)) {
        Value &sum = sums[i * ownColumns + j];
        sum = LLVM::FMAOp::create(b, left[c], right[j][c], sum);
      }
  }
  scf::YieldOp::create(b, sums);
  return llvm::to_vector_of<Value>(loop.getResults());
}

AttentionEmitter::Values VectorTiles::weigh(ValueRange sums, ValueRange scores,
                                            const SharedTile &vectors) {
  warpBarrier();
  for (auto [place, score] : llvm::enumerate(scores))
    LLVM::StoreOp::create(b, score,
                          address(scoreTile, b.getF32Type(),
                                  row(place / ownColumns),
                                  column(place % ownColumns)));
  warpBarrier();
  auto loop = scf::ForOp::create(b, e.index(0), e.index(tiling.columns),
                                 e.index(kGroup), sums);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value first = loop.getInductionVar();
  Values next = llvm::to_vector_of<Value>(loop.getRegionIterArgs());
  SmallVector<Values> factors;
  for (int64_t i : llvm::seq(ownRows))
    factors.push_back(loadGroup(scoreTile, row(i), first));
  for (int64_t c : llvm::seq(kGroup))
    for (int64_t n = 0; n < sumsPerRow; n += kGroup) {
      Values vector =
          loadGroup(vectors, e.add(first, e.index(c)), sumColumn(n));
      for (int64_t i : llvm::seq(ownRows))
        for (int64_t k : llvm::seq(kGroup)) {
          Value &sum = next[i * sumsPerRow + n + k];
          sum = LLVM::FMAOp::create(b, factors[i][c], vector[k], sum);
        }
    }
  scf::YieldOp::create(b, next);
  return llvm::to_vector_of<Value>(loop.getResults());
}

std::unique_ptr<AttentionEmitter>
weft::cuda::makeVectorTiles(KernelBuilder &kernel, RegionEmitter &emitter,
                            const AttentionTiling &tiling) {
  return std::make_unique<VectorTiles>(kernel, emitter, tiling);
}
