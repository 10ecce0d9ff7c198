//===- RowThreads.cpp - Rows of a region in the threads of a GPU ----------===//

#include "RowThreads.h"
#include "Neighbours.h"
#include "Shuffle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Bytes between values in scratch, whatever their type, and the most values
/// that a reduction carries.
static constexpr int64_t kScratchStep = 8, kMostCarried = 2;
/// Registers that what a thread has of a row may take, and ops that are emitted
/// for it.
static constexpr int64_t kMostRegisters = 64, kMostOps = 1024;

int64_t RowMapping::getScratchBytes(unsigned reductions) const {
  if (chunks == 1)
    return 0;
  return reductions * kMostCarried * allRows * chunks * kScratchStep;
}

//===----------------------------------------------------------------------===//
// Loops of a thread
//===----------------------------------------------------------------------===//

void RowThreads::emitBlock(RegionEmitter &e, RowPlan &rows, Value block) {
  ImplicitLocOpBuilder &b = e.builder();
  OpBuilder::InsertionGuard guard(b);
  RowPlan::Sizes sizes = rows.begin(e);
  Value numRows = e.product(sizes.outer);
  Value rowBlocks = e.ceilDiv(numRows, e.index(mapping.rows));
  chunk = e.index(0);
  if (mapping.chunks > 1) {
    chunk = e.div(block, rowBlocks);
    block = e.rem(block, rowBlocks);
  }
  Value thread = emitThread(e), inBlock;
  Value across = e.index(mapping.across), perBlock = e.index(mapping.rows);
  part = mapping.contiguous ? e.rem(thread, across) : e.div(thread, perBlock);
  inBlock =
      mapping.contiguous ? e.div(thread, across) : e.rem(thread, perBlock);
  row = e.add(e.mul(block, perBlock), inBlock);
  if (mapping.rows > 1) {
    isRow = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row, numRows);
    if (mapping.hasBarriers()) {
      row = e.min(row, e.sub(numRows, e.index(1)));
    } else {
      auto ifOp = scf::IfOp::create(b, isRow, /*withElseRegion=*/false);
      b.setInsertionPointToStart(ifOp.thenBlock());
      isRow = nullptr;
    }
  }
  outer = e.delinearize(row, sizes.outer);
  rows.emitRow(e, kernel, *this, sizes, outer);
}

SmallVector<Value> RowThreads::forOwn(
    RegionEmitter &e, Value total, bool inChunk, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  ImplicitLocOpBuilder &b = e.builder();
  Value begin = part, end = total;
  if (inChunk && mapping.chunks > 1) {
    Value length = e.ceilDiv(total, e.index(mapping.chunks));
    Value first = e.mul(chunk, length);
    begin = e.add(first, part);
    end = e.min(e.add(first, length), total);
  }
  if (isRow)
    end = arith::SelectOp::create(b, isRow, end, e.index(0));
  auto loop = scf::ForOp::create(b, begin, end, e.index(mapping.across), inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(b, next);
  return loop.getResults();
}

/// The elements of a row, in groups of neighbours.
struct RowThreads::Groups {
  Groups(RegionEmitter &e, ArrayRef<Value> leaves, ArrayRef<MemoryView> views,
         size_t numOuter, ValueRange inner)
      : e(e), sizes(inner),
        neighbours(e, leaves, views,
                   inner.empty() ? 0 : numOuter + inner.size()) {
    if (sizes.empty())
      return;
    neighbours.divide(sizes.back());
    sizes.back() = e.div(sizes.back(), e.index(neighbours.getCount()));
  }

  Value count() { return e.product(sizes); }
  int64_t groupSize() const { return neighbours.getCount(); }
  /// The indices of all elements of a group.
  SmallVector<SmallVector<Value>> getIndices(ArrayRef<Value> outer,
                                             Value number) {
    SmallVector<Value> indices(outer);
    llvm::append_range(indices, e.delinearize(number, sizes));
    if (sizes.empty())
      return {indices};
    Value first = e.mul(indices.pop_back_val(), e.index(neighbours.getCount()));
    return neighbours.getIndices(indices, first);
  }

  RegionEmitter &e;
  SmallVector<Value> sizes;
  Neighbours neighbours;
};

/// How many groups a thread has, if that is known and there are registers for
/// them; else none.
int64_t RowThreads::countKept(RegionEmitter &e, Groups &groups) {
  std::optional<int64_t> total = getConstantIntValue(groups.count());
  if (!mapping.contiguous || mapping.chunks > 1 || isRow || !total ||
      *total % mapping.across != 0)
    return 0;
  int64_t kept = *total / mapping.across, registers = 0;
  for (Value leaf : plan.getLeaves(e)) {
    Type storage =
        RegionEmitter::getStorageType(e.getMemory(leaf)->elementType);
    registers += llvm::divideCeilSigned(storage.getIntOrFloatBitWidth(), 32);
  }
  Block &body = kernel.getRegion().getBody().front();
  int64_t ops = std::distance(body.begin(), body.end());
  int64_t elements = kept * groups.groupSize();
  bool isFew =
      elements * registers <= kMostRegisters && elements * ops <= kMostOps;
  return isFew ? kept : 0;
}

SmallVector<Value> RowThreads::forGroups(RegionEmitter &e, Groups &groups,
                                         ValueRange inits, GroupFn body) {
  int64_t kept = countKept(e, groups);
  if (kept == 0)
    return forOwn(e, groups.count(), /*inChunk=*/true, inits,
                  [&](Value group, ValueRange carried) {
                    return body(groups.getIndices(outer, group), carried);
                  });
  // What one loop has read or computed stays where the next ones find it, at
  // the same indices.
  auto &known = keptIndices[groups.groupSize()];
  for (int64_t i : llvm::seq<int64_t>(known.size(), kept))
    known.push_back(
        groups.getIndices(outer, e.add(part, e.index(i * mapping.across))));
  Values carried(inits);
  for (const auto &indices : ArrayRef(known).take_front(kept))
    carried = body(indices, carried);
  return carried;
}

SmallVector<Value> RowThreads::reduce(RegionEmitter &e, ValueRange sizes,
                                      ValueRange inits, StepFn step,
                                      CombineFn combine) {
  ImplicitLocOpBuilder &b = e.builder();
  unsigned number = numReductions++;
  bool isSplit = mapping.chunks > 1;
  // What a later task does is emitted where nothing runs.
  if (isSplit && number > task)
    return llvm::to_vector(inits);
  if (isSplit && number < task) {
    Value chunks = e.index(mapping.chunks);
    SmallVector<Value> values =
        forOwn(e, chunks, /*inChunk=*/false, inits,
               [&](Value from, ValueRange carried) {
                 SmallVector<Value> others;
                 for (auto [i, init] : llvm::enumerate(inits))
                   others.push_back(LLVM::LoadOp::create(
                       b, init.getType(), scratchAt(e, number, i, from)));
                 return combine(carried, others);
               });
    return combineParts(e, values, combine);
  }

  Groups groups(e, plan.getLeaves(e), {}, outer.size(), sizes);
  SmallVector<Value> values =
      forGroups(e, groups, inits,
                [&](ArrayRef<SmallVector<Value>> indices, ValueRange carried) {
                  groups.neighbours.load(indices);
                  SmallVector<Value> next(carried);
                  for (ArrayRef<Value> at : indices)
                    next = step(at.drop_front(outer.size()), next);
                  return next;
                });
  values = combineParts(e, values, combine);
  if (isSplit) {
    onFirstThread(e, nullptr, [&] {
      for (auto [i, value] : llvm::enumerate(values))
        LLVM::StoreOp::create(b, value, scratchAt(e, number, i, chunk));
    });
    auto never = scf::IfOp::create(b, e.constant(b.getI1Type(), 0),
                                   /*withElseRegion=*/false);
    b.setInsertionPointToStart(never.thenBlock());
  }
  return values;
}

void RowThreads::store(RegionEmitter &e, ValueRange sizes, ArrayRef<Value>,
                       ArrayRef<MemoryView> views, ComputeFn compute) {
  Groups groups(e, plan.getLeaves(e), views, outer.size(), sizes);
  forGroups(e, groups, {},
            [&](ArrayRef<SmallVector<Value>> indices,
                ValueRange) -> SmallVector<Value> {
              groups.neighbours.load(indices);
              groups.neighbours.store(indices, compute);
              return {};
            });
}

void RowThreads::once(RegionEmitter &e, llvm::function_ref<void()> body) {
  Value isFirst;
  if (mapping.chunks > 1)
    isFirst = arith::CmpIOp::create(e.builder(), arith::CmpIPredicate::eq,
                                    chunk, e.index(0));
  onFirstThread(e, isFirst, body);
}

void RowThreads::onFirstThread(RegionEmitter &e, Value condition,
                               llvm::function_ref<void()> body) {
  ImplicitLocOpBuilder &b = e.builder();
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, part, e.index(0));
  for (Value other : {isRow, condition})
    if (other)
      isFirst = arith::AndIOp::create(b, isFirst, other);
  auto ifOp = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  body();
}

//===----------------------------------------------------------------------===//
// Threads of a row together
//===----------------------------------------------------------------------===//

/// The address of element `index` from `base` on.
static Value elementAddress(RegionEmitter &e, Value base, Type type,
                            Value index) {
  ImplicitLocOpBuilder &b = e.builder();
  Value position = arith::IndexCastOp::create(b, b.getI64Type(), index);
  return LLVM::GEPOp::create(b, base.getType(), type, base,
                             ArrayRef<LLVM::GEPArg>{position});
}

Value RowThreads::scratchAt(RegionEmitter &e, unsigned reduction,
                            unsigned number, Value inChunk) {
  assert(number < kMostCarried && "there is no room for more");
  int64_t slab = mapping.allRows * mapping.chunks * kScratchStep;
  Value base = kernel.scratchAddress(
      e, mapping.scratch + (reduction * kMostCarried + number) * slab);
  // Neighbours among threads write and read neighbours.
  Value position = mapping.contiguous
                       ? e.add(e.mul(row, e.index(mapping.chunks)), inChunk)
                       : e.add(e.mul(inChunk, e.index(mapping.allRows)), row);
  return elementAddress(e, base, e.builder().getI64Type(), position);
}

SmallVector<Value> RowThreads::combineParts(RegionEmitter &e,
                                            SmallVector<Value> values,
                                            CombineFn combine) {
  if (mapping.across == 1)
    return values;
  if (!mapping.contiguous)
    return combineColumns(e, values, combine);
  values = combineLanes(e, values, std::min(mapping.across, kWarp), combine);
  if (mapping.across <= kWarp)
    return values;
  values = spreadWarps(e, values);
  return combineLanes(e, values, mapping.across / kWarp, combine);
}

SmallVector<Value> RowThreads::combineLanes(RegionEmitter &e,
                                            SmallVector<Value> values,
                                            int32_t lanes, CombineFn combine) {
  ImplicitLocOpBuilder &b = e.builder();
  Value members = e.constant(b.getI32Type(), -1);
  // Rows of a warp may end up in different places.
  if (mapping.across < kWarp) {
    Value first = e.mul(
        e.div(e.rem(emitThread(e), e.index(kWarp)), e.index(mapping.across)),
        e.index(mapping.across));
    members = arith::ShLIOp::create(
        b, e.constant(b.getI32Type(), (int64_t{1} << mapping.across) - 1),
        arith::IndexCastUIOp::create(b, b.getI32Type(), first));
  }
  for (int32_t mask = lanes / 2; mask >= 1; mask /= 2)
    values = combine(values, emitExchange(e, values, mask, members));
  return values;
}

/// Gives each warp the values of all warps, a lane for each.
SmallVector<Value> RowThreads::spreadWarps(RegionEmitter &e,
                                           ValueRange values) {
  ImplicitLocOpBuilder &b = e.builder();
  int32_t warps = mapping.across / kWarp;
  Value thread = emitThread(e);
  Value warp = e.div(thread, e.index(kWarp));
  Value lane = e.rem(thread, e.index(kWarp));
  // Each reduction has memory of its own, so that none waits for another.
  SmallVector<Value> addresses;
  for (Value value : values)
    addresses.push_back(kernel.sharedMemory(e, value.getType(), warps));
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, e.index(0));
  auto store = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(store.thenBlock());
    for (auto [value, base] : llvm::zip_equal(values, addresses))
      LLVM::StoreOp::create(b, value,
                            elementAddress(e, base, value.getType(), warp));
  }
  NVVM::Barrier0Op::create(b);
  SmallVector<Value> results;
  Value from = e.rem(lane, e.index(warps));
  for (auto [value, base] : llvm::zip_equal(values, addresses))
    results.push_back(LLVM::LoadOp::create(
        b, value.getType(), elementAddress(e, base, value.getType(), from)));
  return results;
}

/// Puts the parts of each row of the block together in their order.
SmallVector<Value> RowThreads::combineColumns(RegionEmitter &e,
                                              ValueRange values,
                                              CombineFn combine) {
  ImplicitLocOpBuilder &b = e.builder();
  Value perBlock = e.index(mapping.rows);
  Value inBlock = e.rem(emitThread(e), perBlock);
  SmallVector<Value> addresses;
  for (Value value : values) {
    Value base = kernel.sharedMemory(e, value.getType(), mapping.getThreads());
    addresses.push_back(base);
    Value position = e.add(e.mul(part, perBlock), inBlock);
    LLVM::StoreOp::create(b, value,
                          elementAddress(e, base, value.getType(), position));
  }
  NVVM::Barrier0Op::create(b);
  auto load = [&](Value from) {
    SmallVector<Value> loaded;
    Value position = e.add(e.mul(from, perBlock), inBlock);
    for (auto [value, base] : llvm::zip_equal(values, addresses))
      loaded.push_back(LLVM::LoadOp::create(
          b, value.getType(),
          elementAddress(e, base, value.getType(), position)));
    return loaded;
  };
  return e.loop(e.index(1), e.index(mapping.across), load(e.index(0)),
                [&](Value from, ValueRange carried) {
                  return combine(carried, load(from));
                });
}
