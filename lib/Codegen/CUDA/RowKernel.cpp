//===- RowKernel.cpp - Reductions, softmax and normalisations -------------===//
//
// A block takes one row: its threads take turns at the elements, and put what
// they have together by shuffles within warps, then through shared memory.
// Which thread takes what depends on the row's size alone, so that sums have
// the same bits in every run.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weft/Codegen/Common/Rows.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

static constexpr int32_t kWarp = 32, kMostThreads = 256;

namespace {
/// A row in the threads of a block.
class BlockRow : public RowLoops {
public:
  BlockRow(KernelBuilder &kernel, int32_t threads)
      : kernel(kernel), threads(threads) {}

  SmallVector<Value> reduce(RegionEmitter &e, ValueRange sizes,
                            ValueRange inits, StepFn step,
                            CombineFn combine) override;
  void forEach(RegionEmitter &e, ValueRange sizes,
               llvm::function_ref<void(ArrayRef<Value>)> body) override;
  void once(RegionEmitter &e, llvm::function_ref<void()> body) override;

private:
  Value thread(RegionEmitter &e);
  /// The loop of a thread over its elements.
  SmallVector<Value> loop(RegionEmitter &e, ValueRange sizes, ValueRange inits,
                          StepFn step);
  /// `values` of the lane whose number differs from this one's by `mask`.
  SmallVector<Value> exchange(RegionEmitter &e, ValueRange values,
                              int32_t mask);
  SmallVector<Value> combineLanes(RegionEmitter &e, SmallVector<Value> values,
                                  int32_t lanes, CombineFn combine);
  /// Gives each warp the values of all warps, a lane for each.
  SmallVector<Value> spreadWarps(RegionEmitter &e, ValueRange values);

  KernelBuilder &kernel;
  int32_t threads;
};
} // namespace

Value BlockRow::thread(RegionEmitter &e) {
  ImplicitLocOpBuilder &b = e.builder();
  return arith::IndexCastUIOp::create(
      b, b.getIndexType(), NVVM::ThreadIdXOp::create(b, b.getI32Type()));
}

SmallVector<Value> BlockRow::loop(RegionEmitter &e, ValueRange sizes,
                                  ValueRange inits, StepFn step) {
  ImplicitLocOpBuilder &b = e.builder();
  auto loop = scf::ForOp::create(b, thread(e), e.product(sizes),
                                 e.index(threads), inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> indices = e.delinearize(loop.getInductionVar(), sizes);
  SmallVector<Value> next = step(indices, loop.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(b, next);
  return loop.getResults();
}

SmallVector<Value> BlockRow::exchange(RegionEmitter &e, ValueRange values,
                                      int32_t mask) {
  ImplicitLocOpBuilder &b = e.builder();
  Type i32 = b.getI32Type();
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
  };
  auto shuffle = [&](Value word) -> Value {
    return NVVM::ShflOp::create(b, i32, constant(-1), word, constant(mask),
                                constant(kWarp - 1), NVVM::ShflKind::bfly,
                                UnitAttr());
  };
  SmallVector<Value> results;
  for (Value value : values) {
    Type type = value.getType();
    Type bits = b.getIntegerType(type.getIntOrFloatBitWidth());
    Value word = bits == type
                     ? value
                     : arith::BitcastOp::create(b, bits, value).getResult();
    unsigned width = bits.getIntOrFloatBitWidth();
    if (width == 64) {
      Value shift = arith::ConstantOp::create(b, b.getI64IntegerAttr(32));
      Value low = arith::TruncIOp::create(b, i32, word);
      Value high = arith::TruncIOp::create(
          b, i32, arith::ShRUIOp::create(b, word, shift));
      low = arith::ExtUIOp::create(b, bits, shuffle(low));
      high = arith::ExtUIOp::create(b, bits, shuffle(high));
      word =
          arith::OrIOp::create(b, low, arith::ShLIOp::create(b, high, shift));
    } else if (width == 32) {
      word = shuffle(word);
    } else {
      word = shuffle(arith::ExtUIOp::create(b, i32, word));
      word = arith::TruncIOp::create(b, bits, word);
    }
    results.push_back(
        bits == type ? word
                     : arith::BitcastOp::create(b, type, word).getResult());
  }
  return results;
}

SmallVector<Value> BlockRow::combineLanes(RegionEmitter &e,
                                          SmallVector<Value> values,
                                          int32_t lanes, CombineFn combine) {
  for (int32_t mask = lanes / 2; mask >= 1; mask /= 2)
    values = combine(values, exchange(e, values, mask));
  return values;
}

SmallVector<Value> BlockRow::spreadWarps(RegionEmitter &e, ValueRange values) {
  ImplicitLocOpBuilder &b = e.builder();
  int32_t warps = threads / kWarp;
  Value number = thread(e);
  Value warp = e.div(number, e.index(kWarp));
  Value lane = e.rem(number, e.index(kWarp));
  // Each reduction has memory of its own, so that none waits for another.
  SmallVector<Value> addresses;
  for (Value value : values)
    addresses.push_back(kernel.sharedMemory(e, value.getType(), warps));
  auto at = [&](Value base, Type type, Value index) -> Value {
    Value position = arith::IndexCastOp::create(b, b.getI64Type(), index);
    return LLVM::GEPOp::create(b, base.getType(), type, base,
                               ArrayRef<LLVM::GEPArg>{position});
  };
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, e.index(0));
  auto store = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(store.thenBlock());
    for (auto [value, base] : llvm::zip_equal(values, addresses))
      LLVM::StoreOp::create(b, value, at(base, value.getType(), warp));
  }
  NVVM::Barrier0Op::create(b);
  SmallVector<Value> results;
  Value from = e.rem(lane, e.index(warps));
  for (auto [value, base] : llvm::zip_equal(values, addresses))
    results.push_back(LLVM::LoadOp::create(b, value.getType(),
                                           at(base, value.getType(), from)));
  return results;
}

SmallVector<Value> BlockRow::reduce(RegionEmitter &e, ValueRange sizes,
                                    ValueRange inits, StepFn step,
                                    CombineFn combine) {
  SmallVector<Value> values = loop(e, sizes, inits, step);
  values = combineLanes(e, values, kWarp, combine);
  if (threads == kWarp)
    return values;
  values = spreadWarps(e, values);
  return combineLanes(e, values, threads / kWarp, combine);
}

void BlockRow::forEach(RegionEmitter &e, ValueRange sizes,
                       llvm::function_ref<void(ArrayRef<Value>)> body) {
  loop(e, sizes, {}, [&](ArrayRef<Value> indices, ValueRange) {
    body(indices);
    return SmallVector<Value>();
  });
}

void BlockRow::once(RegionEmitter &e, llvm::function_ref<void()> body) {
  ImplicitLocOpBuilder &b = e.builder();
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, thread(e), e.index(0));
  auto ifOp = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  body();
}

bool weft::cuda::emitRowKernel(KernelBuilder &kernel) {
  std::optional<RowPlan> plan = RowPlan::create(kernel);
  if (!plan)
    return false;
  int64_t size = plan->getStaticRowSize();
  int32_t threads = kMostThreads;
  if (ShapedType::isStatic(size))
    while (threads > kWarp && threads / 2 >= size)
      threads /= 2;
  BlockRow loops(kernel, threads);
  kernel.addBlocks(
      threads,
      [&](RegionEmitter &e) { return e.product(plan->begin(e).outer); },
      [&](RegionEmitter &e, Value block) {
        RowPlan::Sizes sizes = plan->begin(e);
        plan->emitRow(e, kernel, loops, sizes,
                      e.delinearize(block, sizes.outer));
      });
  return true;
}
