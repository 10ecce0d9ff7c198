//===- ScatterKernel.cpp - Updates of slices, in order --------------------===//
//
// Updates of one element happen in the order of their index vectors, so that
// sums have the same bits in every run. Each block has its part of the result's
// slices. It looks through all index vectors, a thread for each, and does those
// that point to its part one after the other, a thread for each element of the
// slice, which is thus touched by one thread alone.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Shuffle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weft/Dialect/Weft/IR/Scatter.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Threads of a block, and the parts that the slices of a batch make.
static constexpr int32_t kThreads = 256, kParts = 128;

namespace {
/// Emits the work of a block.
class ScatterEmitter {
public:
  ScatterEmitter(RegionEmitter &e, KernelBuilder &kernel, ScatterNDOp op);

  Value count() { return e.mul(e.product(batch), e.index(kParts)); }
  void emit(Value block);

private:
  SmallVector<Value> getVector(Value number);
  /// Whether index vector `number` points to this block's part.
  Value isOwn(Value number);
  void emitUpdates(Value number);
  /// Emits `body` for the number of each bit that is set in `bits`, the lowest
  /// first.
  void forEachBit(Value bits, llvm::function_ref<void(Value)> body);

  RegionEmitter &e;
  KernelBuilder &kernel;
  ScatterNDOp op;
  ImplicitLocOpBuilder &b;
  SmallVector<Value> batch, vectors, places, slice; ///< sizes
  SmallVector<Value> inBatch;
  Value part;
};
} // namespace

ScatterEmitter::ScatterEmitter(RegionEmitter &e, KernelBuilder &kernel,
                               ScatterNDOp op)
    : e(e), kernel(kernel), op(op), b(e.builder()) {
  int64_t numBatch = op.getBatchDims();
  int64_t length = op.getIndices().getType().getShape().back();
  vectors = e.sizes(op.getIndices());
  vectors.pop_back();
  vectors.erase(vectors.begin(), vectors.begin() + numBatch);
  SmallVector<Value> all = kernel.resultView(0).sizes;
  ArrayRef<Value> sizes(all);
  batch.assign(sizes.begin(), sizes.begin() + numBatch);
  places = llvm::to_vector(sizes.slice(numBatch, length));
  slice = llvm::to_vector(sizes.drop_front(numBatch + length));
}

SmallVector<Value> ScatterEmitter::getVector(Value number) {
  SmallVector<Value> vector(inBatch);
  llvm::append_range(vector, e.delinearize(number, vectors));
  return vector;
}

Value ScatterEmitter::isOwn(Value number) {
  Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number,
                                       e.product(vectors));
  return e.choose(
      exists,
      [&]() -> Value {
        ScatterPlace place = emitScatterPlace(e, op, getVector(number));
        Value position = e.index(0);
        for (auto [size, index] : llvm::zip_equal(
                 places, ArrayRef(place.at).drop_front(inBatch.size())))
          position = e.add(e.mul(position, size), index);
        Value isPart =
            arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                  e.rem(position, e.index(kParts)), part);
        return arith::AndIOp::create(b, place.inRange, isPart);
      },
      [&] { return e.constant(b.getI1Type(), 0); });
}

void ScatterEmitter::emitUpdates(Value number) {
  SmallVector<Value> vector = getVector(number);
  ScatterPlace place = emitScatterPlace(e, op, vector);
  auto loop =
      scf::ForOp::create(b, emitThread(e), e.product(slice), e.index(kThreads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> at = e.delinearize(loop.getInductionVar(), slice);
  llvm::append_range(vector, at);
  llvm::append_range(place.at, at);
  emitScatterUpdate(e, op.getKind(), op.getType().getElementType(), place.at,
                    e.element(op.getUpdates(), vector));
}

void ScatterEmitter::forEachBit(Value bits,
                                llvm::function_ref<void(Value)> body) {
  Type i32 = b.getI32Type();
  auto loop = scf::WhileOp::create(
      b, TypeRange{i32}, ValueRange{bits},
      [&](OpBuilder &, Location, ValueRange left) {
        Value isAny = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                            left[0], e.constant(i32, 0));
        scf::ConditionOp::create(b, isAny, left);
      },
      nullptr);
  // The body is emitted in its place, where it finds what was emitted before.
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getAfterBody());
  Value left = loop.getAfterArguments()[0];
  Value lowest = math::CountTrailingZerosOp::create(b, left);
  body(arith::IndexCastUIOp::create(b, b.getIndexType(), lowest));
  Value less = arith::SubIOp::create(b, left, e.constant(i32, 1));
  Value rest = arith::AndIOp::create(b, left, less);
  scf::YieldOp::create(b, rest);
}

void ScatterEmitter::emit(Value block) {
  Type i32 = b.getI32Type();
  part = e.rem(block, e.index(kParts));
  inBatch = e.delinearize(e.div(block, e.index(kParts)), batch);
  Value thread = emitThread(e),
        words = kernel.sharedMemory(e, i32, kThreads / kWarp);
  auto wordAt = [&](Value number) -> Value {
    Value position = arith::IndexCastOp::create(b, b.getI64Type(), number);
    return LLVM::GEPOp::create(b, words.getType(), i32, words,
                               ArrayRef<LLVM::GEPArg>{position});
  };
  auto loop =
      scf::ForOp::create(b, e.index(0), e.product(vectors), e.index(kThreads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value first = loop.getInductionVar();
  Value own = isOwn(e.add(first, thread));
  Value bits = NVVM::VoteSyncOp::create(b, i32, e.constant(i32, -1), own,
                                        NVVM::VoteSyncKind::ballot);
  // All lanes of a warp have the same word.
  LLVM::StoreOp::create(b, bits, wordAt(e.div(thread, e.index(kWarp))));
  NVVM::Barrier0Op::create(b);
  e.loop(e.index(0), e.index(kThreads / kWarp), {},
         [&](Value warp, ValueRange) {
           Value word = LLVM::LoadOp::create(b, i32, wordAt(warp));
           Value begin = e.add(first, e.mul(warp, e.index(kWarp)));
           forEachBit(word, [&](Value bit) { emitUpdates(e.add(begin, bit)); });
           return SmallVector<Value>();
         });
  NVVM::Barrier0Op::create(b);
}

/// Adds the task that makes the result a copy of `input`.
static void addCopy(KernelBuilder &kernel, Value input) {
  kernel.addThreads(
      [&](RegionEmitter &e) { return e.product(kernel.resultView(0).sizes); },
      [&](RegionEmitter &e, Value number) {
        const MemoryView &result = kernel.resultView(0);
        SmallVector<Value> at = e.delinearize(number, result.sizes);
        e.store(result, at, e.element(input, at));
      });
}

/// A thread does the updates of a row along the axis one after the other.
static void emitScatterElements(KernelBuilder &kernel, ScatterElementsOp op) {
  addCopy(kernel, op.getInput());
  auto getRows = [&](RegionEmitter &e) {
    SmallVector<Value> rows = e.sizes(op.getIndices());
    rows.erase(rows.begin() + op.getAxis());
    return rows;
  };
  kernel.addThreads([&](RegionEmitter &e) { return e.product(getRows(e)); },
                    [&](RegionEmitter &e, Value number) {
                      e.setLoopTarget(kernel.resultView(0), nullptr);
                      SmallVector<Value> row =
                          e.delinearize(number, getRows(e));
                      e.loop(e.index(0), e.size(op.getIndices(), op.getAxis()),
                             {}, [&](Value i, ValueRange) {
                               emitScatterUpdate(e, op, row, i);
                               return SmallVector<Value>();
                             });
                    });
}

bool weft::cuda::emitScatterKernel(KernelBuilder &kernel) {
  if (kernel.getYields().size() != 1)
    return false;
  Operation *made = kernel.getYields()[0].getDefiningOp();
  if (auto elements = dyn_cast_or_null<ScatterElementsOp>(made)) {
    emitScatterElements(kernel, elements);
    return true;
  }
  auto op = dyn_cast_or_null<ScatterNDOp>(made);
  if (!op)
    return false;
  addCopy(kernel, op.getInput());
  kernel.addBlocks(
      kThreads,
      [&](RegionEmitter &e) { return ScatterEmitter(e, kernel, op).count(); },
      [&](RegionEmitter &e, Value block) {
        e.setLoopTarget(kernel.resultView(0), nullptr);
        ScatterEmitter(e, kernel, op).emit(block);
      });
  return true;
}
