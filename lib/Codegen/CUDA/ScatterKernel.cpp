//===- ScatterKernel.cpp - Updates of elements and slices, in order -------===//
//
// Updates of one element happen in the order of their indices, so that sums
// have the same bits in every run. Each block has its part of the result's
// slices, or of the elements of a row. It looks through all indices, a thread
// for each, and does the updates that are its own one after the other: a thread
// for each element of the slice, or for some elements of the row, which are
// thus touched by one thread alone.
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

/// Threads of a block, and the most parts that one makes of the slices of a
/// batch, or of a row.
static constexpr int32_t kThreads = 256, kParts = 128;

namespace {
/// Emits the work of a block.
class ScatterEmitter {
public:
  ScatterEmitter(RegionEmitter &e, KernelBuilder &kernel, int64_t parts)
      : e(e), kernel(kernel), parts(parts), b(e.builder()) {}
  virtual ~ScatterEmitter() = default;

  Value count() { return e.mul(e.product(batch), e.index(parts)); }
  void emit(Value block);

protected:
  virtual ScatterPlace findPlace(Value number) = 0;
  /// The number of a place in the batch.
  virtual Value getPosition(const ScatterPlace &place) = 0;
  virtual void emitUpdates(Value number) = 0;

  RegionEmitter &e;
  KernelBuilder &kernel;
  int64_t parts;
  ImplicitLocOpBuilder &b;
  SmallVector<Value> batch, vectors; ///< sizes
  SmallVector<Value> inBatch;

private:
  /// Whether index vector `number` points to this block's part.
  Value isOwn(Value number);
  /// Emits `body` for the number of each bit that is set in `bits`, the lowest
  /// first.
  void forEachBit(Value bits, llvm::function_ref<void(Value)> body);

  Value part;
};

/// Updates of slices.
class SlicesEmitter : public ScatterEmitter {
public:
  SlicesEmitter(RegionEmitter &e, KernelBuilder &kernel, ScatterNDOp op);

private:
  ScatterPlace findPlace(Value number) override {
    return emitScatterPlace(e, op, getVector(number));
  }
  Value getPosition(const ScatterPlace &place) override;
  void emitUpdates(Value number) override;
  SmallVector<Value> getVector(Value number);

  ScatterNDOp op;
  SmallVector<Value> places, slice; ///< sizes
};

/// Updates of the elements of rows along the axis, which are the batch.
class ElementsEmitter : public ScatterEmitter {
public:
  ElementsEmitter(RegionEmitter &e, KernelBuilder &kernel, ScatterElementsOp op,
                  int64_t parts);

  /// Into how many parts a row is best taken; zero: a thread does a whole row.
  static int64_t countParts(ScatterElementsOp op);

private:
  ScatterPlace findPlace(Value number) override {
    return emitScatterPlace(e, op, inBatch, number);
  }
  Value getPosition(const ScatterPlace &place) override {
    return place.at[op.getAxis()];
  }
  void emitUpdates(Value number) override;

  ScatterElementsOp op;
};
} // namespace

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

SlicesEmitter::SlicesEmitter(RegionEmitter &e, KernelBuilder &kernel,
                             ScatterNDOp op)
    : ScatterEmitter(e, kernel, kParts), op(op) {
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

SmallVector<Value> SlicesEmitter::getVector(Value number) {
  SmallVector<Value> vector(inBatch);
  llvm::append_range(vector, e.delinearize(number, vectors));
  return vector;
}

Value SlicesEmitter::getPosition(const ScatterPlace &place) {
  Value position = e.index(0);
  for (auto [size, index] :
       llvm::zip_equal(places, ArrayRef(place.at).drop_front(inBatch.size())))
    position = e.add(e.mul(position, size), index);
  return position;
}

void SlicesEmitter::emitUpdates(Value number) {
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

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// The sizes of the dimensions that updates are in, but for that of the axis.
static SmallVector<Value> getRows(RegionEmitter &e, ScatterElementsOp op) {
  SmallVector<Value> rows = e.sizes(op.getIndices());
  rows.erase(rows.begin() + op.getAxis());
  return rows;
}

ElementsEmitter::ElementsEmitter(RegionEmitter &e, KernelBuilder &kernel,
                                 ScatterElementsOp op, int64_t parts)
    : ScatterEmitter(e, kernel, parts), op(op) {
  batch = getRows(e, op);
  vectors = {e.size(op.getIndices(), op.getAxis())};
}

int64_t ElementsEmitter::countParts(ScatterElementsOp op) {
  // Rows, and blocks, that keep a GPU busy; and updates that are soon done.
  constexpr int64_t kManyRows = 1 << 15, kManyBlocks = 1 << 11, kFew = 32;
  SmallVector<int64_t> sizes(op.getIndices().getType().getShape());
  int64_t updates = sizes[op.getAxis()];
  sizes.erase(sizes.begin() + op.getAxis());
  if (ShapedType::isDynamic(updates))
    updates = kParts * kFew;
  if (updates <= kFew)
    return 0;
  if (ShapedType::isDynamicShape(sizes))
    return kFew / 2;
  int64_t rows = llvm::product_of(sizes);
  if (rows >= kManyRows)
    return 0;
  int64_t parts =
      std::min(kManyBlocks / std::max<int64_t>(rows, 1), 2 * updates / kFew);
  return std::clamp<int64_t>(parts, 1, kParts);
}

void ElementsEmitter::emitUpdates(Value number) {
  Value position = getPosition(findPlace(number));
  Value owner = e.rem(e.div(position, e.index(parts)), e.index(kThreads));
  Value isOurs =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, owner, emitThread(e));
  auto ifOp = scf::IfOp::create(b, isOurs, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  emitScatterUpdate(e, op, inBatch, number);
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

Value ScatterEmitter::isOwn(Value number) {
  Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number,
                                       e.product(vectors));
  return e.choose(
      exists,
      [&]() -> Value {
        ScatterPlace place = findPlace(number);
        Value isPart = arith::CmpIOp::create(
            b, arith::CmpIPredicate::eq,
            e.rem(getPosition(place), e.index(parts)), part);
        return arith::AndIOp::create(b, place.inRange, isPart);
      },
      [&] { return e.constant(b.getI1Type(), 0); });
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
  part = e.rem(block, e.index(parts));
  inBatch = e.delinearize(e.div(block, e.index(parts)), batch);
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
static void addRows(KernelBuilder &kernel, ScatterElementsOp op) {
  kernel.addThreads([&](RegionEmitter &e) { return e.product(getRows(e, op)); },
                    [&](RegionEmitter &e, Value number) {
                      e.setLoopTarget(kernel.resultView(0), nullptr);
                      SmallVector<Value> row =
                          e.delinearize(number, getRows(e, op));
                      e.loop(e.index(0), e.size(op.getIndices(), op.getAxis()),
                             {}, [&](Value i, ValueRange) {
                               emitScatterUpdate(e, op, row, i);
                               return SmallVector<Value>();
                             });
                    });
}

/// Adds the task whose blocks do the updates; `make` makes the emitter of one.
template <typename MakeFn>
static void addScatter(KernelBuilder &kernel, MakeFn make) {
  kernel.addBlocks(
      kThreads, [&](RegionEmitter &e) { return make(e).count(); },
      [&](RegionEmitter &e, Value block) {
        e.setLoopTarget(kernel.resultView(0), nullptr);
        make(e).emit(block);
      });
}

bool weft::cuda::emitScatterKernel(KernelBuilder &kernel) {
  if (kernel.getYields().size() != 1)
    return false;
  Operation *made = kernel.getYields()[0].getDefiningOp();
  if (auto op = dyn_cast_or_null<ScatterElementsOp>(made)) {
    addCopy(kernel, op.getInput());
    if (int64_t parts = ElementsEmitter::countParts(op))
      addScatter(kernel, [&](RegionEmitter &e) {
        return ElementsEmitter(e, kernel, op, parts);
      });
    else
      addRows(kernel, op);
    return true;
  }
  auto op = dyn_cast_or_null<ScatterNDOp>(made);
  if (!op)
    return false;
  addCopy(kernel, op.getInput());
  addScatter(kernel,
             [&](RegionEmitter &e) { return SlicesEmitter(e, kernel, op); });
  return true;
}
