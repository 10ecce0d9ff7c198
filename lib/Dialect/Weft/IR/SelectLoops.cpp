//===- SelectLoops.cpp - Loops of scatter, top-k and nonzero --------------===//

#include "SelectIndex.h"
#include "StructuredSupport.h"

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

// Makes the result a copy of `input`.
static void emitCopy(LoopEmitter &emitter, Value input) {
  emitter.parallel(emitSizes(emitter, input), [&](ArrayRef<Value> at) {
    emitter.store(0, at, emitter.element(input, at));
  });
}

// Joins `value` with the result's element at `at`.
static void emitUpdate(LoopEmitter &emitter, ScatterKind kind, Type elementType,
                       ArrayRef<Value> at, Value value) {
  ImplicitLocOpBuilder &b = emitter.builder();
  auto join = [&](ReduceKind reduction) {
    return emitCombine(b, reduction, elementType, emitter.load(0, at), value);
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

void ScatterElementsOp::emitLoops(LoopEmitter &emitter) {
  ImplicitLocOpBuilder &b = emitter.builder();
  int64_t axis = getAxis();
  emitCopy(emitter, getInput());
  // Updates collide only where they differ in nothing but the place along the
  // axis, so that alone runs in order.
  SmallVector<Value> sizes = emitSizes(emitter, getIndices());
  SmallVector<Value> rows(sizes);
  rows.erase(rows.begin() + axis);
  emitter.parallel(rows, [&](ArrayRef<Value> row) {
    Value target = emitter.size(getInput(), axis);
    emitter.loop(emitter.index(0), sizes[axis], {},
                 [&](Value i, ValueRange) -> SmallVector<Value> {
                   SmallVector<Value> at(row);
                   at.insert(at.begin() + axis, i);
                   CheckedIndex checked = emitCheckedIndex(
                       emitter, getOperation(),
                       emitter.element(getIndices(), at), target);
                   emitIf(b, checked.inRange, [&] {
                     Value value = emitter.element(getUpdates(), at);
                     at[axis] = checked.index;
                     emitUpdate(emitter, getKind(), getType().getElementType(),
                                at, value);
                   });
                   return {};
                 });
  });
}

void ScatterNDOp::emitLoops(LoopEmitter &emitter) {
  ImplicitLocOpBuilder &b = emitter.builder();
  int64_t length = getIndices().getType().getShape().back();
  emitCopy(emitter, getInput());
  SmallVector<Value> outer = emitSizes(emitter, getIndices());
  outer.pop_back();
  SmallVector<Value> slice =
      llvm::to_vector(llvm::drop_begin(emitSizes(emitter, getInput()), length));
  // Any two index vectors may be equal, so only a slice's elements are free.
  emitter.parallel(slice, [&](ArrayRef<Value> inner) {
    emitter.loopNest(
        outer, {},
        [&](ArrayRef<Value> vector, ValueRange) -> SmallVector<Value> {
          SmallVector<Value> at(vector), to;
          Value inRange = arith::ConstantOp::create(b, b.getBoolAttr(true));
          at.emplace_back();
          for (int64_t i = 0; i < length; ++i) {
            at.back() = emitter.index(i);
            CheckedIndex checked = emitCheckedIndex(
                emitter, getOperation(), emitter.element(getIndices(), at),
                emitter.size(getInput(), i));
            to.push_back(checked.index);
            inRange = arith::AndIOp::create(b, inRange, checked.inRange);
          }
          emitIf(b, inRange, [&] {
            at.pop_back();
            llvm::append_range(at, inner);
            llvm::append_range(to, inner);
            emitUpdate(emitter, getKind(), getType().getElementType(), to,
                       emitter.element(getUpdates(), at));
          });
          return {};
        });
  });
}

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

namespace {
/// Selects and sorts one row in place, in the room of the results: a heap of
/// the best elements so far whose root is the worst of them. The order is total
/// because equal elements are told apart by their indices, so the unstable heap
/// sort gives the stable order.
class RowSorter {
public:
  RowSorter(TopKOp op, LoopEmitter &emitter, ArrayRef<Value> row)
      : op(op), emitter(emitter), b(emitter.builder()), row(row),
        elementType(op.getInput().getType().getElementType()) {}

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
  Value isBefore(Entry lhs, Entry rhs);
  void siftDown(Value root, Value size, Entry entry);

  TopKOp op;
  LoopEmitter &emitter;
  ImplicitLocOpBuilder &b;
  ArrayRef<Value> row;
  Type elementType;
};
} // namespace

Value RowSorter::isBefore(Entry lhs, Entry rhs) {
  bool largest = op.getLargest();
  Value before =
      emitIsBefore(b, elementType, largest, largest, lhs.value, rhs.value);
  Value after =
      emitIsBefore(b, elementType, largest, largest, rhs.value, lhs.value);
  // Equal elements follow their indices.
  return arith::SelectOp::create(
      b, after, arith::ConstantOp::create(b, b.getBoolAttr(false)),
      arith::OrIOp::create(b, before, less(lhs.index, rhs.index)));
}

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
