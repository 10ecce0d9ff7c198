//===- TopKKernel.cpp - The first elements of rows in order ---------------===//
//
// A block takes a row. It holds as many elements as it can sort in shared
// memory: the best so far, and as many others as there is room for. It sorts
// them by a bitonic network, and goes on with the best and the next others.
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

namespace {
/// How many elements are sorted at a time, and how many of them stay.
struct TopKPlan {
  int64_t sorted, kept;
  int32_t threads;

  static std::optional<TopKPlan> create(TopKOp op);
};

/// Emits the work of one block.
class TopKEmitter {
public:
  TopKEmitter(RegionEmitter &e, KernelBuilder &kernel, TopKOp op,
              const TopKPlan &plan);

  Value count() { return e.product(rows); }
  void emit(Value block);

private:
  struct Entry {
    Value value, index;
  };
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
  void forOwn(int64_t count, llvm::function_ref<void(Value)> body);
  void sort();
  void compareAndSwap(Value pair, Value logSize, Value logStride);
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

void TopKEmitter::forOwn(int64_t count, llvm::function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, emitThread(e), e.index(count),
                                 e.index(plan.threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

TopKEmitter::Entry TopKEmitter::read(Value place) {
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
      forOwn(plan.sorted / 2, [&](Value pair) {
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
  Value count = e.min(wanted, size);
  auto loop =
      scf::ForOp::create(b, emitThread(e), count, e.index(plan.threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value slot = loop.getInductionVar();
  Entry entry = load(slot);
  for (auto [number, value] : llvm::enumerate(kernel.getYields())) {
    bool isIndex = value == op.getResult(1);
    Value stored = entry.value;
    if (isIndex)
      stored = arith::ExtSIOp::create(b, b.getI64Type(), entry.index);
    e.store(kernel.resultView(number), at(slot), stored);
  }
}

void TopKEmitter::emit(Value block) {
  row = e.delinearize(block, rows);
  auto makeShared = [&](Type type) {
    Type storage = RegionEmitter::getStorageType(type);
    return MemoryView{kernel.sharedMemory(e, storage, plan.sorted),
                      type,
                      {e.index(plan.sorted)},
                      {e.index(1)}};
  };
  values = makeShared(op.getInput().getType().getElementType());
  indices = makeShared(b.getI32Type());
  Type type = getSignlessType(op.getInput().getType().getElementType());
  if (plan.kept > 0)
    forOwn(plan.kept, [&](Value slot) {
      store(slot, {e.constant(type, 0), i32(kMissing)});
    });
  int64_t fresh = plan.sorted - plan.kept;
  auto loop = scf::ForOp::create(b, e.index(0), size, e.index(fresh));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    forOwn(fresh, [&](Value number) {
      store(e.add(number, e.index(plan.kept)),
            read(e.add(loop.getInductionVar(), number)));
    });
    NVVM::Barrier0Op::create(b);
    sort();
  }
  storeResults();
}

bool weft::cuda::emitTopKKernel(KernelBuilder &kernel) {
  auto op = kernel.getYields()[0].getDefiningOp<TopKOp>();
  if (!op || !llvm::all_of(kernel.getYields(), [&](Value value) {
        return value.getDefiningOp() == op;
      }))
    return false;
  std::optional<TopKPlan> plan = TopKPlan::create(op);
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
