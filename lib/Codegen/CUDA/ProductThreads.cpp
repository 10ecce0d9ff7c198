//===- ProductThreads.cpp - Products whose threads multiply ---------------===//
//
// Parts of A and B, a few elements deep, go to shared memory in turns of two:
// while the sums of one part are computed, the next is on its way to registers.
//
//===----------------------------------------------------------------------===//

#include "Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

namespace {
class ThreadEmitter : public ProductEmitter {
public:
  ThreadEmitter(const Product &product, const ThreadTile &tile, int64_t splits)
      : ProductEmitter(product, tile.shape(), splits), tile(tile),
        copyA({problem, true}, shape.rows(), tile.depth, tile.vector,
              shape.threads()),
        copyB({problem, false}, shape.columns(), tile.depth, tile.vector,
              shape.threads()) {}

protected:
  int64_t runLength() override { return tile.vector; }
  SmallVector<Run> runs(RegionEmitter &e) override;
  int64_t sumStride() override { return shape.columns() + tile.vector; }
  int64_t operandBytes() override {
    return 2 * partElements() * type().getIntOrFloatBitWidth() / 8;
  }
  int64_t partDepth() override { return tile.depth; }
  /// As many as have 16 warps, so that some multiply while others wait; or 12,
  /// if patches take registers, too.
  int32_t together() override {
    int32_t threads = problem.hasPatches() ? 384 : 512;
    bool isLarge = tile.groupsM * tile.groupsN == 4 && type().isF32();
    return isLarge && isLight() ? threads / shape.threads() : 1;
  }
  Values multiply(RegionEmitter &e, Value begin, Value end,
                  Values sums) override;

private:
  /// The elements of a part of both operands.
  int64_t partElements() const { return copyA.elements() + copyB.elements(); }
  /// The first of a thread's rows in group `group` of its warp's, and of its
  /// columns of all warps'.
  Value firstRow(RegionEmitter &e, int64_t group);
  Value firstColumn(RegionEmitter &e, int64_t group);
  Values loadPart(RegionEmitter &e, Value k0);
  void storePart(RegionEmitter &e, Value offset, ValueRange values);
  Values multiplyPart(RegionEmitter &e, Value offset, Values sums);

  ThreadTile tile;
  OperandCopy copyA, copyB;
};
} // namespace

Value ThreadEmitter::firstRow(RegionEmitter &e, int64_t group) {
  Value laneM = e.div(lane, e.index(tile.lanesN));
  return e.mul(e.add(laneM, e.index(group * tile.lanesM)),
               e.index(tile.vector));
}

Value ThreadEmitter::firstColumn(RegionEmitter &e, int64_t group) {
  Value laneN = e.rem(lane, e.index(tile.lanesN));
  return e.add(
      e.mul(warpN, e.index(shape.warpColumns)),
      e.mul(e.add(laneN, e.index(group * tile.lanesN)), e.index(tile.vector)));
}

SmallVector<ProductEmitter::Run> ThreadEmitter::runs(RegionEmitter &e) {
  SmallVector<Run> runs;
  for (int64_t groupM : llvm::seq(tile.groupsM))
    for (int64_t i : llvm::seq(tile.vector))
      for (int64_t groupN : llvm::seq(tile.groupsN))
        runs.push_back(
            {e.add(firstRow(e, groupM), e.index(i)), firstColumn(e, groupN)});
  return runs;
}

SmallVector<Value> ThreadEmitter::loadPart(RegionEmitter &e, Value k0) {
  Values values = copyA.load(e, block, k0);
  llvm::append_range(values, copyB.load(e, block, k0));
  return values;
}

void ThreadEmitter::storePart(RegionEmitter &e, Value offset,
                              ValueRange values) {
  size_t count = copyA.types().size();
  copyA.store(e, block, elementAt(e, shared, type(), offset),
              values.take_front(count));
  offset = e.add(offset, e.index(copyA.elements()));
  copyB.store(e, block, elementAt(e, shared, type(), offset),
              values.drop_front(count));
}

SmallVector<Value> ThreadEmitter::multiplyPart(RegionEmitter &e, Value offset,
                                               Values sums) {
  Value fromA = elementAt(e, shared, type(), offset);
  Value fromB =
      elementAt(e, shared, type(), e.add(offset, e.index(copyA.elements())));
  Value warpRow = e.mul(warpM, e.index(shape.warpRows));
  auto load = [&](Values &elements, Value base, int64_t stride, int64_t k,
                  Value place) {
    Value position = e.add(place, e.index(k * stride));
    Value vector = loadVector(e, base, type(), tile.vector, position);
    for (int64_t i : llvm::seq(tile.vector))
      elements.push_back(extract(e, vector, i));
  };
  for (int64_t k : llvm::seq(tile.depth)) {
    Values as, bs;
    for (int64_t group : llvm::seq(tile.groupsM))
      load(as, fromA, copyA.stride(), k, e.add(warpRow, firstRow(e, group)));
    for (int64_t group : llvm::seq(tile.groupsN))
      load(bs, fromB, copyB.stride(), k, firstColumn(e, group));
    for (auto [row, a] : llvm::enumerate(as))
      for (auto [column, b] : llvm::enumerate(bs)) {
        Value &sum = sums[row * bs.size() + column];
        sum = multiplyAdd(e, a, b, sum);
      }
  }
  return sums;
}

SmallVector<Value> ThreadEmitter::multiply(RegionEmitter &e, Value begin,
                                           Value end, Values sums) {
  ImplicitLocOpBuilder &b = e.builder();
  copyA.begin(e, block);
  copyB.begin(e, block);
  SmallVector<Type> types = copyA.types();
  llvm::append_range(types, copyB.types());
  auto turn = [&](Value part) {
    return e.mul(e.rem(part, e.index(2)), e.index(partElements()));
  };
  Value isAny = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, begin, end);
  storePart(e, turn(begin), emitIf(e, isAny, types, [&] {
              return loadPart(e, e.mul(begin, e.index(tile.depth)));
            }));
  barrier(e);
  // At the end, the last part is loaded again: a branch would have to wait for
  // what is loaded behind it.
  Value last = e.sub(end, e.index(1));
  return e.loop(begin, end, sums, [&](Value part, ValueRange carried) {
    Value next = e.add(part, e.index(1));
    Values values = loadPart(e, e.mul(e.min(next, last), e.index(tile.depth)));
    Values result = multiplyPart(e, turn(part), Values(carried));
    storePart(e, turn(next), values);
    barrier(e);
    return result;
  });
}

void weft::cuda::addThreadProduct(const Product &product,
                                  const ThreadTile &tile, int64_t splits) {
  ThreadEmitter(product, tile, splits).addTasks();
}
