//===- SelectLoops.cpp - Loops of scatter, top-k and nonzero --------------===//

#include "SelectIndex.h"
#include "StructuredSupport.h"
#include "weft/Dialect/Weft/IR/Order.h"
#include "weft/Dialect/Weft/IR/Scatter.h"

using namespace mlir;
using namespace weft;

// Sizes of all dimensions of `tensor`.
static SmallVector<Value> emitSizes(ElementEmitter &emitter, Value tensor) {
  SmallVector<Value> sizes;
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  for (int64_t dim = 0; dim < rank; ++dim)
    sizes.push_back(emitter.size(tensor, dim));
  return sizes;
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

namespace {
/// How many elements of a row one iteration copies, or updates: enough to be
/// worth reading the indices again, and few enough to occupy all threads.
constexpr int64_t kCopied = 1024, kUpdated = 64;

/// A part of a row: `begin` to `end` of the last dimension, at an index of
/// those before. A tensor of rank 0 is a row of one, with neither.
struct RowPart {
  LoopEmitter &emitter;
  SmallVector<Value> outer;
  Value begin, end;

  /// Emits `body` for each index of the part.
  void forEach(llvm::function_ref<void(ArrayRef<Value>)> body) const {
    if (!begin)
      return body(outer);
    emitter.loop(begin, end, {},
                 [&](Value i, ValueRange) -> SmallVector<Value> {
                   SmallVector<Value> at(outer);
                   at.push_back(i);
                   body(at);
                   return {};
                 });
  }
};
} // namespace

// Emits `body` for parts, of at most `length` elements, of rows of the size
// `row`, one row per index within `outer`. No `row` stands for single elements.
static void emitRows(LoopEmitter &emitter, ArrayRef<Value> outer, Value row,
                     int64_t length,
                     llvm::function_ref<void(const RowPart &)> body) {
  if (!row)
    return emitter.parallel(outer, [&](ArrayRef<Value> at) {
      body({emitter, SmallVector<Value>(at), {}, {}});
    });
  ImplicitLocOpBuilder &b = emitter.builder();
  auto get = [&](int64_t value) { return emitter.index(value); };
  SmallVector<Value> sizes(outer);
  Value padded = b.createOrFold<arith::AddIOp>(row, get(length - 1));
  sizes.push_back(b.createOrFold<arith::DivUIOp>(padded, get(length)));
  emitter.parallel(sizes, [&](ArrayRef<Value> at) {
    Value begin = b.createOrFold<arith::MulIOp>(at.back(), get(length));
    Value end = b.createOrFold<arith::AddIOp>(begin, get(length));
    end = b.createOrFold<arith::MinUIOp>(end, row);
    body({emitter, SmallVector<Value>(at.drop_back()), begin, end});
  });
}

// As above with all dimensions of `sizes`, the last of which are the rows.
static void emitRows(LoopEmitter &emitter, ArrayRef<Value> sizes,
                     int64_t length,
                     llvm::function_ref<void(const RowPart &)> body) {
  if (sizes.empty())
    return emitRows(emitter, {}, Value(), length, body);
  emitRows(emitter, sizes.drop_back(), sizes.back(), length, body);
}

// Makes the result a copy of `input`.
static void emitCopy(LoopEmitter &emitter, Value input) {
  emitRows(emitter, emitSizes(emitter, input), kCopied,
           [&](const RowPart &part) {
             part.forEach([&](ArrayRef<Value> at) {
               emitter.store(0, at, emitter.element(input, at));
             });
           });
}

// Floats narrower than f32 are joined in f32: bf16 has no arithmetic of its
// own.
void weft::emitScatterUpdate(LoopEmitter &emitter, ScatterKind kind,
                             Type elementType, ArrayRef<Value> at,
                             Value value) {
  ImplicitLocOpBuilder &b = emitter.builder();
  bool isNarrow =
      isa<FloatType>(elementType) && elementType.getIntOrFloatBitWidth() < 32;
  auto join = [&](ReduceKind reduction) -> Value {
    Value old = emitter.load(0, at);
    if (!isNarrow)
      return emitCombine(b, reduction, elementType, old, value);
    Type wide = b.getF32Type();
    Value joined =
        emitCombine(b, reduction, wide, arith::ExtFOp::create(b, wide, old),
                    arith::ExtFOp::create(b, wide, value));
    return arith::TruncFOp::create(b, elementType, joined);
  };
  switch (kind) {
  case ScatterKind::set:
    break;
  case ScatterKind::add:
    value = join(ReduceKind::sum);
    break;
  case ScatterKind::mul:
    value = join(ReduceKind::prod);
    break;
  case ScatterKind::max:
    value = join(ReduceKind::max);
    break;
  case ScatterKind::min:
    value = join(ReduceKind::min);
    break;
  }
  emitter.store(0, at, value);
}

ScatterPlace weft::emitScatterPlace(ElementEmitter &emitter,
                                    ScatterElementsOp op, ArrayRef<Value> row,
                                    Value i) {
  int64_t axis = op.getAxis();
  SmallVector<Value> at(row);
  at.insert(at.begin() + axis, i);
  CheckedIndex checked =
      emitCheckedIndex(emitter, op, emitter.element(op.getIndices(), at),
                       emitter.size(op.getInput(), axis));
  at[axis] = checked.index;
  return {at, checked.inRange};
}

void weft::emitScatterUpdate(LoopEmitter &emitter, ScatterElementsOp op,
                             ArrayRef<Value> row, Value i) {
  ScatterPlace place = emitScatterPlace(emitter, op, row, i);
  emitIf(emitter.builder(), place.inRange, [&] {
    SmallVector<Value> at(row);
    at.insert(at.begin() + op.getAxis(), i);
    emitScatterUpdate(emitter, op.getKind(), op.getType().getElementType(),
                      place.at, emitter.element(op.getUpdates(), at));
  });
}

// Updates collide only where they differ in nothing but the place along the
// axis, so that alone runs in order.
void ScatterElementsOp::emitLoops(LoopEmitter &emitter) {
  int64_t axis = getAxis();
  emitCopy(emitter, getInput());
  SmallVector<Value> rows = emitSizes(emitter, getIndices());
  rows.erase(rows.begin() + axis);
  auto forAxis = [&](llvm::function_ref<void(Value)> body) {
    emitter.loop(emitter.index(0), emitter.size(getIndices(), axis), {},
                 [&](Value i, ValueRange) -> SmallVector<Value> {
                   body(i);
                   return {};
                 });
  };
  // The last dimension is the innermost loop, since it lies in a row.
  if (axis + 1 == getType().getRank())
    return emitter.parallel(rows, [&](ArrayRef<Value> row) {
      forAxis([&](Value i) { emitScatterUpdate(emitter, *this, row, i); });
    });
  emitRows(emitter, rows, kUpdated, [&](const RowPart &part) {
    forAxis([&](Value i) {
      part.forEach([&](ArrayRef<Value> row) {
        emitScatterUpdate(emitter, *this, row, i);
      });
    });
  });
}

ScatterPlace weft::emitScatterPlace(ElementEmitter &emitter, ScatterNDOp op,
                                    ArrayRef<Value> vector) {
  ImplicitLocOpBuilder &b = emitter.builder();
  int64_t batch = op.getBatchDims();
  ScatterPlace place;
  place.at.assign(vector.begin(), vector.begin() + batch);
  place.inRange = arith::ConstantOp::create(b, b.getBoolAttr(true));
  SmallVector<Value> at(vector);
  at.emplace_back();
  for (int64_t i : llvm::seq(op.getIndices().getType().getShape().back())) {
    at.back() = emitter.index(i);
    CheckedIndex checked =
        emitCheckedIndex(emitter, op, emitter.element(op.getIndices(), at),
                         emitter.size(op.getInput(), batch + i));
    place.at.push_back(checked.index);
    place.inRange = arith::AndIOp::create(b, place.inRange, checked.inRange);
  }
  return place;
}

// Any two index vectors of a batch may be equal, so only batches and the
// elements of slices are free.
void ScatterNDOp::emitLoops(LoopEmitter &emitter) {
  emitCopy(emitter, getInput());
  int64_t batch = getBatchDims();
  int64_t length = getIndices().getType().getShape().back();
  SmallVector<Value> vectors = emitSizes(emitter, getIndices());
  vectors.pop_back();
  SmallVector<Value> outer = emitSizes(emitter, getInput());
  outer.erase(outer.begin() + batch, outer.begin() + batch + length);
  Value row;
  if (static_cast<int64_t>(outer.size()) > batch)
    row = outer.pop_back_val();
  auto update = [&](const RowPart &part, ArrayRef<Value> vector) {
    ScatterPlace place = emitScatterPlace(emitter, *this, vector);
    emitIf(emitter.builder(), place.inRange, [&] {
      part.forEach([&](ArrayRef<Value> at) {
        SmallVector<Value> from(vector), to(place.at);
        llvm::append_range(from, at.drop_front(batch));
        llvm::append_range(to, at.drop_front(batch));
        emitScatterUpdate(emitter, getKind(), getType().getElementType(), to,
                          emitter.element(getUpdates(), from));
      });
    });
  };
  emitRows(emitter, outer, row, kUpdated, [&](const RowPart &part) {
    emitter.loopNest(
        ArrayRef(vectors).drop_front(batch), {},
        [&](ArrayRef<Value> rest, ValueRange) -> SmallVector<Value> {
          SmallVector<Value> vector(ArrayRef(part.outer).take_front(batch));
          llvm::append_range(vector, rest);
          update(part, vector);
          return {};
        });
  });
}

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

Value weft::emitIsBefore(ImplicitLocOpBuilder &b, TopKOp op, Value lhs,
                         Value lhsIndex, Value rhs, Value rhsIndex) {
  Type elementType = op.getInput().getType().getElementType();
  bool largest = op.getLargest();
  Value before = emitIsBefore(b, elementType, largest, largest, lhs, rhs);
  Value after = emitIsBefore(b, elementType, largest, largest, rhs, lhs);
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, lhsIndex, rhsIndex);
  return arith::SelectOp::create(
      b, after, arith::ConstantOp::create(b, b.getBoolAttr(false)),
      arith::OrIOp::create(b, before, isFirst));
}

namespace {
/// Selects and sorts one row in place, in the room of the results: a heap of
/// the best elements so far whose root is the worst of them. The order is total
/// because equal elements are told apart by their indices, so the unstable heap
/// sort gives the stable order.
class RowSorter {
public:
  RowSorter(TopKOp op, LoopEmitter &emitter, ArrayRef<Value> row)
      : op(op), emitter(emitter), b(emitter.builder()), row(row) {}

  void emit();

private:
  struct Entry {
    Value value, index;
  };

  SmallVector<Value> at(Value i) {
    SmallVector<Value> indices(row);
    indices.insert(indices.begin() + op.getAxis(), i);
    return indices;
  }
  Entry read(Value i) { return {emitter.element(op.getInput(), at(i)), i}; }
  Entry load(Value i) {
    Value number = emitter.load(1, at(i));
    return {emitter.load(0, at(i)),
            arith::IndexCastOp::create(b, b.getIndexType(), number)};
  }
  void store(Value i, Entry entry) {
    emitter.store(0, at(i), entry.value);
    emitter.store(1, at(i),
                  arith::IndexCastOp::create(b, b.getI64Type(), entry.index));
  }
  Value less(Value lhs, Value rhs) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, lhs, rhs);
  }
  Value isBefore(Entry lhs, Entry rhs) {
    return emitIsBefore(b, op, lhs.value, lhs.index, rhs.value, rhs.index);
  }
  void siftDown(Value root, Value size, Entry entry);

  TopKOp op;
  LoopEmitter &emitter;
  ImplicitLocOpBuilder &b;
  ArrayRef<Value> row;
};
} // namespace

// Puts `entry` where it belongs in the heap of `size` below the hole at `root`:
// while a child is worse, the worse child moves up.
void RowSorter::siftDown(Value root, Value size, Entry entry) {
  Value one = emitter.index(1);
  auto leftChild = [&](Value hole) -> Value {
    return arith::AddIOp::create(b, arith::AddIOp::create(b, hole, hole), one);
  };
  Value isTrue = arith::ConstantOp::create(b, b.getBoolAttr(true));
  auto whileOp = scf::WhileOp::create(
      b, TypeRange{b.getIndexType(), b.getI1Type()}, ValueRange{root, isTrue},
      [&](OpBuilder &, Location, ValueRange args) {
        Value hasChild = less(leftChild(args[0]), size);
        Value goesOn = arith::AndIOp::create(b, args[1], hasChild);
        scf::ConditionOp::create(b, goesOn, args);
      },
      [&](OpBuilder &, Location, ValueRange args) {
        Value left = leftChild(args[0]);
        Value right = arith::AddIOp::create(b, left, one);
        // Without a right child the left one competes with itself.
        Value hasRight = less(right, size);
        right = arith::SelectOp::create(b, hasRight, right, left);
        Entry leftEntry = load(left), rightEntry = load(right);
        Value takeRight = isBefore(leftEntry, rightEntry);
        auto pick = [&](Value onTrue, Value onFalse) -> Value {
          return arith::SelectOp::create(b, takeRight, onTrue, onFalse);
        };
        Value child = pick(right, left);
        Entry worse = {pick(rightEntry.value, leftEntry.value),
                       pick(rightEntry.index, leftEntry.index)};
        Value moves = isBefore(entry, worse);
        emitIf(b, moves, [&] { store(args[0], worse); });
        Value hole = arith::SelectOp::create(b, moves, child, args[0]);
        scf::YieldOp::create(b, ValueRange{hole, moves});
      });
  store(whileOp.getResult(0), entry);
}

void RowSorter::emit() {
  Value zero = emitter.index(0), one = emitter.index(1);
  Value size = emitter.size(op.getInput(), op.getAxis());
  Value wanted = emitter.resultSize(0, op.getAxis());
  Value fits =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sle, wanted, size);
  emitter.require(op, fits, Fault::SizeMismatch, wanted, size);
  Value count = arith::MinSIOp::create(b, wanted, size);
  using Carried = SmallVector<Value>;

  emitter.loop(zero, count, {}, [&](Value i, ValueRange) -> Carried {
    store(i, read(i));
    return {};
  });
  Value half = arith::DivUIOp::create(b, count, emitter.index(2));
  emitter.loop(zero, half, {}, [&](Value i, ValueRange) -> Carried {
    Value root =
        arith::SubIOp::create(b, arith::SubIOp::create(b, half, one), i);
    siftDown(root, count, load(root));
    return {};
  });
  // An empty heap has no root to compare with.
  Value isEmpty =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, count, zero);
  Value end = arith::SelectOp::create(b, isEmpty, zero, size);
  emitter.loop(count, end, {}, [&](Value i, ValueRange) -> Carried {
    Entry entry = read(i);
    emitIf(b, isBefore(entry, load(zero)),
           [&] { siftDown(zero, count, entry); });
    return {};
  });
  // The worst goes last, again and again.
  emitter.loop(one, count, {}, [&](Value i, ValueRange) -> Carried {
    Value last = arith::SubIOp::create(b, count, i);
    Entry entry = load(last);
    store(last, load(zero));
    siftDown(zero, last, entry);
    return {};
  });
}

void TopKOp::emitLoops(LoopEmitter &emitter) {
  SmallVector<Value> rows = emitSizes(emitter, getInput());
  rows.erase(rows.begin() + getAxis());
  emitter.parallel(rows, [&](ArrayRef<Value> row) {
    RowSorter(*this, emitter, row).emit();
  });
}

//===----------------------------------------------------------------------===//
// nonzero
//===----------------------------------------------------------------------===//

void NonZeroOp::emitLoops(LoopEmitter &emitter) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = getInput().getType().getElementType();
  emitter.parallel({}, [&](ArrayRef<Value>) {
    Value count = emitter.scalar(getCount());
    SmallVector<Value> sizes = emitSizes(emitter, getInput());
    Value found = emitter.loopNest(
        sizes, emitter.index(0),
        [&](ArrayRef<Value> at, ValueRange carried) -> SmallVector<Value> {
          Value element = emitter.element(getInput(), at);
          Value zero = emitter.constant(getSignlessType(elementType), 0);
          // NaN is not zero either.
          Value isSet = isa<FloatType>(elementType)
                            ? arith::CmpFOp::create(
                                  b, arith::CmpFPredicate::UNE, element, zero)
                                  .getResult()
                            : arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                                    element, zero);
          Value column = carried[0];
          Value fits = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                             column, count);
          emitIf(b, arith::AndIOp::create(b, isSet, fits), [&] {
            for (auto [row, index] : llvm::enumerate(at))
              emitter.store(
                  0, {emitter.index(row), column},
                  arith::IndexCastOp::create(b, b.getI64Type(), index));
          });
          Value step = arith::IndexCastUIOp::create(b, b.getIndexType(), isSet);
          return {arith::AddIOp::create(b, column, step)};
        })[0];
    Value agrees =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, found, count);
    emitter.require(getOperation(), agrees, Fault::SizeMismatch, found, count);
  });
}
