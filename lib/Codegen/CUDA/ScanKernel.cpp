//===- ScanKernel.cpp - Cumulative sums and products ----------------------===//
//
// The threads of a warp, or of a block where rows are long, take as many
// elements of a row in each turn as they are, put them together in a tree, and
// carry the total on to the next turn.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Shuffle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weft/Dialect/Weft/IR/Reduction.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Threads of a block, and the longest rows that warps take.
static constexpr int32_t kThreads = 256, kWarpRow = 1024;

namespace {
/// Emits the work of one block.
class ScanEmitter {
public:
  ScanEmitter(RegionEmitter &e, KernelBuilder &kernel, CumulativeOp op);

  Value count() {
    return e.ceilDiv(e.product(rows), e.index(kThreads / across));
  }
  void emit(Value block);

private:
  void emitRow(ArrayRef<Value> row);
  Value combine(Value lhs, Value rhs) {
    return emitCombine(b, op.getKind(), elementType, lhs, rhs);
  }
  Value load(ArrayRef<Value> at);
  /// Joins `value` with those of the lanes before.
  Value scanLanes(Value value);
  /// What goes before this warp in the block, and all of the block.
  std::pair<Value, Value> scanWarps(Value total);
  Value whenAbove(Value number, int32_t least, Value yes, Value no);

  RegionEmitter &e;
  KernelBuilder &kernel;
  CumulativeOp op;
  ImplicitLocOpBuilder &b;
  Type elementType;
  SmallVector<Value> rows; ///< sizes
  Value size;
  int32_t across; ///< threads of a row
  Value lane;
};
} // namespace

ScanEmitter::ScanEmitter(RegionEmitter &e, KernelBuilder &kernel,
                         CumulativeOp op)
    : e(e), kernel(kernel), op(op), b(e.builder()),
      elementType(op.getType().getElementType()) {
  int64_t axis = op.getAxis();
  rows = e.sizes(op.getInput());
  size = rows[axis];
  rows.erase(rows.begin() + axis);
  int64_t known = op.getType().getDimSize(axis);
  bool isShort = ShapedType::isStatic(known) && known <= kWarpRow;
  across = isShort ? kWarp : kThreads;
}

Value ScanEmitter::load(ArrayRef<Value> at) {
  Value element = e.element(op.getInput(), at);
  Type wanted = getAccumulatorType(elementType);
  return wanted == element.getType()
             ? element
             : arith::ExtFOp::create(b, wanted, element).getResult();
}

Value ScanEmitter::whenAbove(Value number, int32_t least, Value yes, Value no) {
  Value isAbove = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, number,
                                        e.index(least));
  return arith::SelectOp::create(b, isAbove, yes, no);
}

Value ScanEmitter::scanLanes(Value value) {
  for (int32_t distance = 1; distance < kWarp; distance *= 2) {
    Value before = emitFromBefore(e, value, distance);
    value = whenAbove(lane, distance, combine(before, value), value);
  }
  return value;
}

std::pair<Value, Value> ScanEmitter::scanWarps(Value total) {
  Type type = total.getType();
  Value memory = kernel.sharedMemory(e, type, kThreads / kWarp);
  auto at = [&](Value warp) -> Value {
    Value position = arith::IndexCastOp::create(b, b.getI64Type(), warp);
    return LLVM::GEPOp::create(b, memory.getType(), type, memory,
                               ArrayRef<LLVM::GEPArg>{position});
  };
  Value warp = e.div(emitThread(e), e.index(kWarp));
  Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane,
                                       e.index(kWarp - 1));
  auto ifOp = scf::IfOp::create(b, isLast, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    LLVM::StoreOp::create(b, total, at(warp));
  }
  NVVM::Barrier0Op::create(b);
  Value before = emitIdentity(b, op.getKind(), elementType), all = before;
  for (int32_t number : llvm::seq(kThreads / kWarp)) {
    Value part = LLVM::LoadOp::create(b, type, at(e.index(number)));
    all = number == 0 ? part : combine(all, part);
    before = whenAbove(warp, number + 1, all, before);
  }
  // The next turn writes there.
  NVVM::Barrier0Op::create(b);
  return {before, all};
}

void ScanEmitter::emitRow(ArrayRef<Value> row) {
  Value identity = emitIdentity(b, op.getKind(), elementType);
  Value own = e.rem(emitThread(e), e.index(across));
  lane = e.rem(own, e.index(kWarp));
  auto loop = scf::ForOp::create(b, e.index(0), size, e.index(across),
                                 ValueRange{identity});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value carried = loop.getRegionIterArg(0);
  Value i = e.add(loop.getInductionVar(), own);
  Value place = op.getReverse() ? e.sub(e.sub(size, e.index(1)), i) : i;
  SmallVector<Value> at(row);
  at.insert(at.begin() + op.getAxis(), place);
  Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, i, size);
  Value value =
      e.choose(exists, [&] { return load(at); }, [&] { return identity; });
  value = scanLanes(value);
  Value shown = value;
  if (op.getExclusive())
    shown = whenAbove(lane, 1, emitFromBefore(e, value, 1), identity);
  Value total;
  if (across == kWarp) {
    total = emitFromLane(e, value, kWarp - 1);
  } else {
    auto [before, all] = scanWarps(value);
    shown = combine(before, shown);
    total = all;
  }
  shown = combine(carried, shown);
  auto ifOp = scf::IfOp::create(b, exists, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    Type stored = getSignlessType(elementType);
    if (shown.getType() != stored)
      shown = arith::TruncFOp::create(b, stored, shown);
    e.store(kernel.resultView(0), at, shown);
  }
  Value next = combine(carried, total);
  scf::YieldOp::create(b, next);
}

void ScanEmitter::emit(Value block) {
  int32_t perBlock = kThreads / across;
  if (perBlock == 1)
    return emitRow(e.delinearize(block, rows));
  Value row = e.add(e.mul(block, e.index(perBlock)),
                    e.div(emitThread(e), e.index(across)));
  Value exists =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row, e.product(rows));
  auto ifOp = scf::IfOp::create(b, exists, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  emitRow(e.delinearize(row, rows));
}

bool weft::cuda::emitScanKernel(KernelBuilder &kernel) {
  if (kernel.getYields().size() != 1)
    return false;
  auto op = kernel.getYields()[0].getDefiningOp<CumulativeOp>();
  // Neighbours along other axes lie in rows that threads take one by one.
  if (!op)
    return false;
  ArrayRef<int64_t> shape = op.getType().getShape();
  if (!llvm::all_of(shape.drop_front(op.getAxis() + 1),
                    [](int64_t size) { return size == 1; }))
    return false;
  kernel.addBlocks(
      kThreads,
      [&](RegionEmitter &e) { return ScanEmitter(e, kernel, op).count(); },
      [&](RegionEmitter &e, Value block) {
        ScanEmitter(e, kernel, op).emit(block);
      });
  return true;
}
