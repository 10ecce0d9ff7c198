//===- TopKKernel.cpp - The first elements of rows in order ---------------===//
//
// A block takes a row. It holds as many elements as it can sort in shared
// memory: the best so far, and as many others as there is room for. It sorts
// them by a bitonic network, and goes on with the best and the next others.
//
// Where this would leave most of the GPU idle, or there is no room for the
// best, blocks sort parts of rows, and further tasks merge two sorted runs each
// into one: a thread finds by halving how many elements of the other run go
// before its own, and thus where that belongs. Of a run, only as many elements
// are kept as the result has.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Shuffle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weft/Dialect/Weft/IR/Order.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// The most threads of a block, elements that one sorts at a time, and the same
/// for rows that are sorted at once.
static constexpr int64_t kThreads = 256, kSorted = 1024, kWholeRow = 2048;
/// The index of what is not there.
static constexpr int64_t kMissing = INT32_MAX;
/// Rows, of so many elements and more, that leave a GPU idle if each has a
/// block; and bytes of scratch that merging may take.
static constexpr int64_t kFewRows = 32, kLongRow = 8192,
                         kMostScratch = int64_t{1} << 30;

namespace {
/// How many elements are sorted at a time, and how many of them stay.
struct TopKPlan {
  int64_t sorted, kept;
  int32_t threads;

  static std::optional<TopKPlan> create(TopKOp op);
};

/// An element, and where it comes from.
struct Entry {
  Value value, index;
};

/// Emits the work of one block.
class TopKEmitter {
public:
  TopKEmitter(RegionEmitter &e, KernelBuilder &kernel, TopKOp op,
              const TopKPlan &plan);

  Value count() { return e.product(rows); }
  void emit(Value block);
  /// Sorts part `part` of row number `number`, and stores the first elements,
  /// of which there are up to `kept`, at `at` of `values` and `indices`.
  void emitPart(Value number, Value part, MemoryView values, MemoryView indices,
                Value at, int64_t kept);

private:
  Entry load(Value slot) {
    return {e.load(values, slot), e.load(indices, slot)};
  }
  void store(Value slot, Entry entry) {
    e.store(values, slot, entry.value);
    e.store(indices, slot, entry.index);
  }
  Value isBefore(Entry lhs, Entry rhs);
  /// The element at `place`, if there is one and `exists` holds.
  Entry read(Value place);
  /// Emits `body` for what this thread has of `count` things.
  void forOwn(Value count, llvm::function_ref<void(Value)> body);
  void sort();
  void compareAndSwap(Value pair, Value logSize, Value logStride);
  void makeShared();
  void storeResults();
  SmallVector<Value> at(Value place);
  Value i32(int64_t value) { return e.constant(b.getI32Type(), value); }
  Value toI32(Value index) {
    return arith::IndexCastOp::create(b, b.getI32Type(), index);
  }

  RegionEmitter &e;
  KernelBuilder &kernel;
  TopKOp op;
  TopKPlan plan;
  ImplicitLocOpBuilder &b;
  SmallVector<Value> rows, row;
  Value size;
  MemoryView values, indices; ///< in shared memory
};
} // namespace

std::optional<TopKPlan> TopKPlan::create(TopKOp op) {
  int64_t axis = op.getAxis();
  int64_t size = op.getInput().getType().getDimSize(axis);
  int64_t wanted =
      cast<RankedTensorType>(op.getResult(0).getType()).getDimSize(axis);
  TopKPlan plan{kSorted, 0, kThreads};
  if (ShapedType::isStatic(size) && size <= kWholeRow)
    plan.sorted = llvm::PowerOf2Ceil(std::max<int64_t>(size, 2));
  else if (ShapedType::isStatic(wanted) && wanted <= kSorted / 2)
    plan.kept = llvm::PowerOf2Ceil(std::max<int64_t>(wanted, 1));
  else
    return std::nullopt;
  plan.threads = std::clamp<int64_t>(plan.sorted / 2, kWarp, kThreads);
  return plan;
}

TopKEmitter::TopKEmitter(RegionEmitter &e, KernelBuilder &kernel, TopKOp op,
                         const TopKPlan &plan)
    : e(e), kernel(kernel), op(op), plan(plan), b(e.builder()) {
  rows = e.sizes(op.getInput());
  size = rows[op.getAxis()];
  rows.erase(rows.begin() + op.getAxis());
}

SmallVector<Value> TopKEmitter::at(Value place) {
  SmallVector<Value> all(row);
  all.insert(all.begin() + op.getAxis(), place);
  return all;
}

Value TopKEmitter::isBefore(Entry lhs, Entry rhs) {
  auto isMissing = [&](Entry entry) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, entry.index,
                                 i32(kMissing));
  };
  Value before =
      emitIsBefore(b, op, lhs.value, lhs.index, rhs.value, rhs.index);
  before = arith::OrIOp::create(b, before, isMissing(rhs));
  Value no = e.constant(b.getI1Type(), 0);
  return arith::SelectOp::create(b, isMissing(lhs), no, before);
}

void TopKEmitter::forOwn(Value count, llvm::function_ref<void(Value)> body) {
  auto loop =
      scf::ForOp::create(b, emitThread(e), count, e.index(plan.threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

Entry TopKEmitter::read(Value place) {
  Value exists =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, place, size);
  Type type = getSignlessType(op.getInput().getType().getElementType());
  Value value = e.choose(
      exists, [&] { return e.element(op.getInput(), at(place)); },
      [&] { return e.constant(type, 0); });
  Value index = arith::SelectOp::create(b, exists, toI32(place), i32(kMissing));
  return {value, index};
}

void TopKEmitter::compareAndSwap(Value pair, Value logSize, Value logStride) {
  Value one = i32(1), number = toI32(pair);
  Value stride = arith::ShLIOp::create(b, one, logStride);
  Value below =
      arith::AndIOp::create(b, number, arith::SubIOp::create(b, stride, one));
  // Pairs lie `stride` apart; blocks of `size` rise and fall in turn.
  Value left =
      arith::SubIOp::create(b, arith::AddIOp::create(b, number, number), below);
  Value right = arith::AddIOp::create(b, left, stride);
  Value rises = arith::CmpIOp::create(
      b, arith::CmpIPredicate::eq,
      arith::AndIOp::create(b, left, arith::ShLIOp::create(b, one, logSize)),
      i32(0));
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), value);
  };
  Value leftSlot = toIndex(left), rightSlot = toIndex(right);
  Entry first = load(leftSlot), second = load(rightSlot);
  Value isSwapped = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                          isBefore(second, first), rises);
  auto ifOp = scf::IfOp::create(b, isSwapped, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  store(leftSlot, second);
  store(rightSlot, first);
}

void TopKEmitter::sort() {
  int64_t levels = llvm::Log2_64(plan.sorted);
  using Carried = SmallVector<Value>;
  e.loop(e.index(1), e.index(levels + 1), {}, [&](Value level, ValueRange) {
    e.loop(e.index(0), level, {}, [&](Value step, ValueRange) {
      Value logStride = toI32(e.sub(e.sub(level, e.index(1)), step));
      forOwn(e.index(plan.sorted / 2), [&](Value pair) {
        compareAndSwap(pair, toI32(level), logStride);
      });
      NVVM::Barrier0Op::create(b);
      return Carried();
    });
    return Carried();
  });
}

void TopKEmitter::storeResults() {
  Value wanted = kernel.resultView(0).sizes[op.getAxis()];
  Value fits =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sle, wanted, size);
  e.require(op, fits, Fault::SizeMismatch, wanted, size);
  forOwn(e.min(wanted, size), [&](Value slot) {
    Entry entry = load(slot);
    for (auto [number, value] : llvm::enumerate(kernel.getYields())) {
      bool isIndex = value == op.getResult(1);
      Value stored = entry.value;
      if (isIndex)
        stored = arith::ExtSIOp::create(b, b.getI64Type(), entry.index);
      e.store(kernel.resultView(number), at(slot), stored);
    }
  });
}

void TopKEmitter::makeShared() {
  auto make = [&](Type type) {
    Type storage = RegionEmitter::getStorageType(type);
    return MemoryView{kernel.sharedMemory(e, storage, plan.sorted),
                      type,
                      {e.index(plan.sorted)},
                      {e.index(1)}};
  };
  values = make(op.getInput().getType().getElementType());
  indices = make(b.getI32Type());
}

void TopKEmitter::emitPart(Value number, Value part, MemoryView toValues,
                           MemoryView toIndices, Value at, int64_t kept) {
  row = e.delinearize(number, rows);
  makeShared();
  Value first = e.mul(part, e.index(plan.sorted));
  forOwn(e.index(plan.sorted),
         [&](Value slot) { store(slot, read(e.add(first, slot))); });
  NVVM::Barrier0Op::create(b);
  sort();
  Value count = e.min(e.sub(size, first), e.index(kept));
  forOwn(count, [&](Value slot) {
    Entry entry = load(slot);
    e.store(toValues, e.add(at, slot), entry.value);
    e.store(toIndices, e.add(at, slot), entry.index);
  });
}

void TopKEmitter::emit(Value block) {
  row = e.delinearize(block, rows);
  makeShared();
  Type type = getSignlessType(op.getInput().getType().getElementType());
  if (plan.kept > 0)
    forOwn(e.index(plan.kept), [&](Value slot) {
      store(slot, {e.constant(type, 0), i32(kMissing)});
    });
  int64_t fresh = plan.sorted - plan.kept;
  auto loop = scf::ForOp::create(b, e.index(0), size, e.index(fresh));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    forOwn(e.index(fresh), [&](Value number) {
      store(e.add(number, e.index(plan.kept)),
            read(e.add(loop.getInductionVar(), number)));
    });
    NVVM::Barrier0Op::create(b);
    sort();
  }
  storeResults();
}

//===----------------------------------------------------------------------===//
// Runs that are merged
//===----------------------------------------------------------------------===//

namespace {
/// The sorted runs of each row after some merges.
struct Runs {
  int64_t length;   ///< elements of a row that make up a run
  int64_t count;    ///< of a row
  int64_t capacity; ///< elements that are kept of a run, or are there
};

/// Emits the tasks that sort rows of known sizes.
class MergeEmitter {
public:
  MergeEmitter(KernelBuilder &kernel, TopKOp op);

  bool isPossible() const {
    return size > kWholeRow && 2 * bufferBytes() <= kMostScratch;
  }
  /// Whether a block for each row would leave most of a GPU idle.
  bool isBetter() const { return numRows < kFewRows && size >= kLongRow; }
  void addTasks();

private:
  int64_t valueBytes() const {
    return RegionEmitter::getStorageType(type).getIntOrFloatBitWidth() / 8;
  }
  int64_t bufferValues() const { return numRows * perRow; }
  int64_t bufferBytes() const {
    return llvm::alignTo(bufferValues() * valueBytes(), 64) +
           bufferValues() * 4;
  }
  Runs next(const Runs &runs) const;
  std::pair<MemoryView, MemoryView> buffer(RegionEmitter &e, unsigned number);
  void emitMerge(RegionEmitter &e, Value thread, const Runs &runs,
                 unsigned from);
  Value countBefore(RegionEmitter &e, const Runs &runs, Entry entry, Value own,
                    Value begin, Value length, unsigned from);
  void store(RegionEmitter &e, Value row, Value place, Entry entry);

  KernelBuilder &kernel;
  TopKOp op;
  Type type; ///< of elements
  int64_t size = 0, numRows = 1, kept = 0;
  Runs first{};
  int64_t perRow = 0; ///< the most elements of a row that are kept
  int64_t scratch = 0;
};
} // namespace

MergeEmitter::MergeEmitter(KernelBuilder &kernel, TopKOp op)
    : kernel(kernel), op(op), type(op.getInput().getType().getElementType()) {
  RankedTensorType input = op.getInput().getType();
  auto axis = static_cast<int64_t>(op.getAxis());
  int64_t wanted =
      cast<RankedTensorType>(op.getResult(0).getType()).getDimSize(axis);
  // What is not known, or wanted of too few, is left to others.
  if (!input.hasStaticShape() || ShapedType::isDynamic(wanted) ||
      wanted > input.getDimSize(axis) || wanted == 0)
    return;
  size = input.getDimSize(axis);
  numRows = input.getNumElements() / std::max<int64_t>(size, 1);
  kept = wanted;
  first = {kWholeRow, llvm::divideCeilSigned(size, kWholeRow),
           std::min(kept, kWholeRow)};
  for (Runs runs = first; runs.count > 1; runs = next(runs))
    perRow = std::max(perRow, runs.count * runs.capacity);
}

Runs MergeEmitter::next(const Runs &runs) const {
  return {2 * runs.length, llvm::divideCeilSigned(runs.count, 2),
          std::min(kept, 2 * runs.length)};
}

/// The values and indices of all runs in memory.
std::pair<MemoryView, MemoryView> MergeEmitter::buffer(RegionEmitter &e,
                                                       unsigned number) {
  int64_t begin = scratch + number * llvm::alignTo(bufferBytes(), 64);
  auto view = [&](int64_t offset, Type element) {
    return MemoryView{kernel.scratchAddress(e, offset),
                      element,
                      {e.index(bufferValues())},
                      {e.index(1)}};
  };
  return {view(begin, type),
          view(begin + llvm::alignTo(bufferValues() * valueBytes(), 64),
               e.builder().getI32Type())};
}

/// How many of the `length` elements from `begin` on go before `entry`, which
/// is at `own`.
Value MergeEmitter::countBefore(RegionEmitter &e, const Runs &runs, Entry entry,
                                Value own, Value begin, Value length,
                                unsigned from) {
  ImplicitLocOpBuilder &b = e.builder();
  auto [values, indices] = buffer(e, from);
  int64_t steps = llvm::Log2_64_Ceil(runs.capacity) + 1;
  Value i32One = e.constant(b.getI32Type(), 1);
  return e.loop(
      e.index(0), e.index(steps), e.index(0),
      [&](Value turn, ValueRange carried) -> SmallVector<Value> {
        Value back = e.sub(e.index(steps - 1), turn);
        Value step = arith::IndexCastUIOp::create(
            b, b.getIndexType(),
            arith::ShLIOp::create(
                b, i32One,
                arith::IndexCastOp::create(b, b.getI32Type(), back)));
        Value further = e.add(carried[0], step);
        Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                                             further, length);
        Value at = arith::SelectOp::create(
            b, exists, e.sub(e.add(begin, further), e.index(1)), own);
        Value before =
            emitIsBefore(b, op, e.load(values, at), e.load(indices, at),
                         entry.value, entry.index);
        before = arith::AndIOp::create(b, before, exists);
        return {arith::SelectOp::create(b, before, further, carried[0])};
      })[0];
}

void MergeEmitter::store(RegionEmitter &e, Value row, Value place,
                         Entry entry) {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<Value> rows = e.sizes(op.getInput());
  rows.erase(rows.begin() + op.getAxis());
  SmallVector<Value> at = e.delinearize(row, rows);
  at.insert(at.begin() + op.getAxis(), place);
  for (auto [number, value] : llvm::enumerate(kernel.getYields())) {
    Value stored = entry.value;
    if (value == op.getResult(1))
      stored = arith::ExtSIOp::create(b, b.getI64Type(), entry.index);
    e.store(kernel.resultView(number), at, stored);
  }
}

/// Emits the way of one element into the run that its own becomes part of.
void MergeEmitter::emitMerge(RegionEmitter &e, Value thread, const Runs &runs,
                             unsigned from) {
  ImplicitLocOpBuilder &b = e.builder();
  Runs after = next(runs);
  Value capacity = e.index(runs.capacity);
  SmallVector<Value> at =
      e.delinearize(thread, {e.index(numRows), e.index(runs.count), capacity});
  Value row = at[0], run = at[1], place = at[2];
  auto lengthOf = [&](Value number) {
    Value left = e.sub(e.index(size), e.mul(number, e.index(runs.length)));
    return e.max(e.min(left, capacity), e.index(0));
  };
  Value exists =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, place, lengthOf(run));
  auto isThere = scf::IfOp::create(b, exists, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(isThere.thenBlock());
  auto [values, indices] = buffer(e, from);
  Entry entry{e.load(values, thread), e.load(indices, thread)};
  // The runs of a pair differ in the lowest bit.
  Value pair = e.div(run, e.index(2)), isSecond = e.rem(run, e.index(2));
  Value other = e.sub(e.add(e.mul(pair, e.index(2)), e.index(1)), isSecond);
  Value begin = e.mul(e.add(e.mul(row, e.index(runs.count)), other), capacity);
  Value before =
      countBefore(e, runs, entry, thread, begin, lengthOf(other), from);
  place = e.add(place, before);
  Value isKept = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, place,
                                       e.index(after.capacity));
  auto keep = scf::IfOp::create(b, isKept, /*withElseRegion=*/false);
  b.setInsertionPointToStart(keep.thenBlock());
  if (after.count == 1)
    return store(e, row, place, entry);
  Value to = e.add(e.mul(row, e.index(after.count)), pair);
  to = e.add(e.mul(to, e.index(after.capacity)), place);
  auto [toValues, toIndices] = buffer(e, 1 - from);
  e.store(toValues, to, entry.value);
  e.store(toIndices, to, entry.index);
}

void MergeEmitter::addTasks() {
  scratch = kernel.reserveScratch(2 * llvm::alignTo(bufferBytes(), 64));
  TopKPlan plan{kWholeRow, 0, kThreads};
  kernel.addBlocks(
      plan.threads,
      [&](RegionEmitter &e) { return e.index(numRows * first.count); },
      [&](RegionEmitter &e, Value block) {
        auto [values, indices] = buffer(e, 0);
        Value count = e.index(first.count);
        TopKEmitter(e, kernel, op, plan)
            .emitPart(e.div(block, count), e.rem(block, count), values, indices,
                      e.mul(block, e.index(first.capacity)), first.capacity);
      });
  unsigned from = 0;
  for (Runs runs = first; runs.count > 1; runs = next(runs), from = 1 - from)
    kernel.addThreads(
        [&](RegionEmitter &e) {
          return e.index(numRows * runs.count * runs.capacity);
        },
        [&](RegionEmitter &e, Value thread) {
          emitMerge(e, thread, runs, from);
        });
}

bool weft::cuda::emitTopKKernel(KernelBuilder &kernel) {
  auto op = kernel.getYields()[0].getDefiningOp<TopKOp>();
  if (!op || !llvm::all_of(kernel.getYields(), [&](Value value) {
        return value.getDefiningOp() == op;
      }))
    return false;
  std::optional<TopKPlan> plan = TopKPlan::create(op);
  MergeEmitter merge(kernel, op);
  if (merge.isPossible() && (!plan || merge.isBetter())) {
    merge.addTasks();
    return true;
  }
  if (!plan)
    return false;
  kernel.addBlocks(
      plan->threads,
      [&](RegionEmitter &e) {
        return TopKEmitter(e, kernel, op, *plan).count();
      },
      [&](RegionEmitter &e, Value block) {
        TopKEmitter(e, kernel, op, *plan).emit(block);
      });
  return true;
}
