//===- NonZeroKernel.cpp - Where elements are not zero --------------------===//
//
// One block looks at as many elements at a time as it has threads. Each thread
// that finds one counts those before it, by the bits of its warp's vote and by
// the counts of the warps before, and so knows its place.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Shuffle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

static constexpr int32_t kThreads = 1024;

namespace {
/// Emits the work of the block.
class NonZeroEmitter {
public:
  NonZeroEmitter(RegionEmitter &e, KernelBuilder &kernel, NonZeroOp op)
      : e(e), kernel(kernel), op(op), b(e.builder()) {}

  void emit();

private:
  /// Does a turn whose first element is number `first`, after `found` that were
  /// not zero, and returns how many there are then.
  Value emitTurn(Value first, Value found);
  Value isSet(ArrayRef<Value> at);
  Value countBits(Value bits) {
    Value count = math::CtPopOp::create(b, bits);
    return arith::IndexCastUIOp::create(b, b.getIndexType(), count);
  }
  /// How many of the block's threads before this one voted for what `own` says,
  /// and how many did in all.
  std::pair<Value, Value> rank(Value own);

  RegionEmitter &e;
  KernelBuilder &kernel;
  NonZeroOp op;
  ImplicitLocOpBuilder &b;
  MemoryView words; ///< the votes of the warps, in shared memory
};
} // namespace

Value NonZeroEmitter::isSet(ArrayRef<Value> at) {
  Value element = e.element(op.getInput(), at);
  Value zero = e.constant(element.getType(), 0);
  // NaN is not zero either.
  if (isa<FloatType>(element.getType()))
    return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, element, zero);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, element, zero);
}

std::pair<Value, Value> NonZeroEmitter::rank(Value own) {
  Type i32 = b.getI32Type();
  Value thread = emitThread(e), warp = e.div(thread, e.index(kWarp));
  Value lane =
      arith::IndexCastUIOp::create(b, i32, e.rem(thread, e.index(kWarp)));
  Value bits = NVVM::VoteSyncOp::create(b, i32, e.constant(i32, -1), own,
                                        NVVM::VoteSyncKind::ballot);
  // All lanes of a warp have the same word.
  e.store(words, warp, bits);
  NVVM::Barrier0Op::create(b);
  Value one = e.constant(i32, 1);
  Value below = arith::SubIOp::create(
      b, arith::ShLIOp::create(b, one, lane).getResult(), one);
  Value inWarp = countBits(arith::AndIOp::create(b, bits, below));
  SmallVector<Value> counts = e.loop(
      e.index(0), e.index(kThreads / kWarp), {inWarp, e.index(0)},
      [&](Value number, ValueRange carried) -> SmallVector<Value> {
        Value count = countBits(e.load(words, number));
        Value isBefore =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number, warp);
        Value added = arith::SelectOp::create(b, isBefore, count, e.index(0));
        return {e.add(carried[0], added), e.add(carried[1], count)};
      });
  // The next turn writes there.
  NVVM::Barrier0Op::create(b);
  return {counts[0], counts[1]};
}

void NonZeroEmitter::emit() {
  words = {kernel.sharedMemory(e, b.getI32Type(), kThreads / kWarp),
           b.getI32Type(),
           {e.index(kThreads / kWarp)},
           {e.index(1)}};
  Value total = e.product(e.sizes(op.getInput()));
  auto loop = scf::ForOp::create(b, e.index(0), total, e.index(kThreads),
                                 ValueRange{e.index(0)});
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value next = emitTurn(loop.getInductionVar(), loop.getRegionIterArg(0));
    scf::YieldOp::create(b, next);
  }
  Value found = loop.getResult(0), room = e.scalar(op.getCount());
  Value agrees =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, found, room);
  e.require(op, agrees, Fault::SizeMismatch, found, room);
}

Value NonZeroEmitter::emitTurn(Value first, Value found) {
  SmallVector<Value> sizes = e.sizes(op.getInput());
  Value total = e.product(sizes), room = e.scalar(op.getCount());
  Value number = e.add(first, emitThread(e));
  SmallVector<Value> at = e.delinearize(number, sizes);
  Value exists =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number, total);
  Value own = e.choose(
      exists, [&] { return isSet(at); },
      [&] { return e.constant(b.getI1Type(), 0); });
  auto [before, all] = rank(own);
  Value column = e.add(found, before);
  Value fits =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, column, room);
  auto ifOp = scf::IfOp::create(b, arith::AndIOp::create(b, own, fits),
                                /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    for (auto [row, index] : llvm::enumerate(at))
      e.store(kernel.resultView(0), {e.index(row), column},
              arith::IndexCastOp::create(b, b.getI64Type(), index));
  }
  return e.add(found, all);
}

bool weft::cuda::emitNonZeroKernel(KernelBuilder &kernel) {
  auto op = kernel.getYields()[0].getDefiningOp<NonZeroOp>();
  if (!op || kernel.getYields().size() != 1)
    return false;
  kernel.addBlocks(
      kThreads, [&](RegionEmitter &e) { return e.index(1); },
      [&](RegionEmitter &e, Value) { NonZeroEmitter(e, kernel, op).emit(); });
  return true;
}
