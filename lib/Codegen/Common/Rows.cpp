//===- Rows.cpp - Reductions, softmax and normalisations ------------------===//

#include "weft/Codegen/Common/Rows.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "weft/Dialect/Weft/IR/Reduction.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

/// The axes that a reducing op reduces over, and whether it is one.
static std::optional<SmallVector<int64_t>> getReducedAxes(Operation *op) {
  using Axes = std::optional<SmallVector<int64_t>>;
  return TypeSwitch<Operation *, Axes>(op)
      .Case([](ReduceOp op) { return llvm::to_vector(op.getAxes()); })
      .Case([](NormalizeOp op) { return llvm::to_vector(op.getAxes()); })
      .Case([](SoftmaxOp op) {
        return SmallVector<int64_t>{static_cast<int64_t>(op.getAxis())};
      })
      .Case([](ArgReduceOp op) {
        return SmallVector<int64_t>{static_cast<int64_t>(op.getAxis())};
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// Finds the values of the outer space: results of reductions, and whatever
/// meets them elementwise.
void RowPlan::findOuterValues(Block &block) {
  bool changed = true;
  auto mark = [&](Value value) { changed |= outerValues.insert(value).second; };
  for (Operation *op : rowOps)
    if (isa<ReduceOp, ArgReduceOp>(op))
      mark(op->getResult(0));
  while (changed) {
    changed = false;
    for (Operation &op : block.without_terminator()) {
      if (!isa<ScalarOpInterface>(op))
        continue;
      auto isOuter = [&](Value v) { return outerValues.contains(v); };
      if (!isOuter(op.getResult(0)) && llvm::none_of(op.getOperands(), isOuter))
        continue;
      mark(op.getResult(0));
      for (Value operand : op.getOperands())
        mark(operand);
    }
  }
}

bool RowPlan::findRowOps(Block &block) {
  for (Operation &op : block.without_terminator()) {
    std::optional<SmallVector<int64_t>> reduced = getReducedAxes(&op);
    if (!reduced)
      continue;
    auto type = cast<RankedTensorType>(op.getOperand(0).getType());
    if (rowOps.empty()) {
      shape = type;
      axes = *reduced;
    }
    if (type.getShape() != shape.getShape() || *reduced != axes)
      return false;
    rowOps.push_back(&op);
    rowOpSet.insert(&op);
  }
  return !rowOps.empty() && !axes.empty();
}

std::optional<RowPlan> RowPlan::create(RegionKernel &kernel) {
  RowPlan plan;
  Block &block = kernel.getRegion().getBody().front();
  if (!plan.findRowOps(block))
    return std::nullopt;
  plan.findOuterValues(block);
  SmallVector<Value> roots(kernel.getYields());
  plan.space = IterationSpace::create(roots, plan.shape, plan.axes,
                                      plan.rowOpSet, plan.outerValues);
  if (!plan.space)
    return std::nullopt;
  return plan;
}

int64_t RowPlan::getStaticRowSize() const {
  int64_t size = 1;
  for (int64_t axis : axes) {
    if (shape.isDynamicDim(axis))
      return ShapedType::kDynamic;
    size *= shape.getDimSize(axis);
  }
  return size;
}

int64_t RowPlan::getStaticNumRows() const {
  int64_t count = 1;
  for (auto [dim, size] : llvm::enumerate(shape.getShape())) {
    if (llvm::is_contained(axes, static_cast<int64_t>(dim)))
      continue;
    if (ShapedType::isDynamic(size))
      return ShapedType::kDynamic;
    count *= size;
  }
  return count;
}

bool RowPlan::isRowContiguous() const {
  for (int64_t dim = shape.getRank(); dim-- > 0;)
    if (shape.getDimSize(dim) != 1)
      return llvm::is_contained(axes, dim);
  return true;
}

unsigned RowPlan::countReductions() const {
  unsigned count = 0;
  for (Operation *op : rowOps) {
    auto normalize = dyn_cast<NormalizeOp>(op);
    bool isTwice = isa<SoftmaxOp>(op) || (normalize && !normalize.getRms());
    count += isTwice ? 2 : 1;
  }
  return count;
}

bool RowPlan::hasArgReduce() const {
  return llvm::any_of(rowOps, llvm::IsaPred<ArgReduceOp>);
}

bool RowPlan::hasFullResults(RegionKernel &kernel) const {
  return llvm::any_of(kernel.getYields(), [&](Value value) {
    return !outerValues.contains(value);
  });
}

SmallVector<Value> RowPlan::getLeaves(RegionEmitter &e) const {
  return llvm::filter_to_vector(space->getLeaves(), [&](Value leaf) {
    return e.getMemory(leaf)->strides.size() == space->getNumLoops();
  });
}

RowPlan::Sizes RowPlan::begin(RegionEmitter &e) {
  SmallVector<Value> loops =
      space->bind(e, e.sizes(rowOps.front()->getOperand(0)));
  ArrayRef<Value> all(loops);
  unsigned numOuter = space->getNumOuter();
  return {llvm::to_vector(all.take_front(numOuter)),
          llvm::to_vector(all.drop_front(numOuter))};
}

//===----------------------------------------------------------------------===//
// One row
//===----------------------------------------------------------------------===//

namespace {
/// Emits the reducing ops for a row.
struct RowEmitter {
  RegionEmitter &e;
  RowLoops &loops;
  const RowPlan::Sizes &sizes;
  ArrayRef<Value> outer; ///< indices of the row

  ImplicitLocOpBuilder &builder() { return e.builder(); }

  /// `step` gets the indices of an element.
  SmallVector<Value> reduce(ValueRange inits, RowLoops::StepFn step,
                            RowLoops::CombineFn combine);
  Value reduceBy(ReduceKind kind, Type elementType, Value tensor);
  Value sum(Type type, llvm::function_ref<Value(ArrayRef<Value>)> term);
  Value computed(Value tensor, ArrayRef<Value> indices);
  Value rowSize(Type type);

  void emit(ReduceOp op);
  void emit(ArgReduceOp op);
  void emit(SoftmaxOp op);
  void emit(NormalizeOp op);
};
} // namespace

SmallVector<Value> RowEmitter::reduce(ValueRange inits, RowLoops::StepFn step,
                                      RowLoops::CombineFn combine) {
  auto withOuter = [&](ArrayRef<Value> inner, ValueRange carried) {
    SmallVector<Value> indices(outer);
    llvm::append_range(indices, inner);
    return step(indices, carried);
  };
  return loops.reduce(e, sizes.inner, inits, withOuter, combine);
}

/// Sums may be reordered within a row: the order is fixed when the kernel is
/// compiled, so that any number of threads gives the same bits.
static constexpr auto kReorder =
    arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;

Value RowEmitter::sum(Type type,
                      llvm::function_ref<Value(ArrayRef<Value>)> term) {
  auto add = [&](Value lhs, Value rhs) {
    Value next = arith::AddFOp::create(builder(), lhs, rhs, kReorder);
    return SmallVector<Value>{next};
  };
  return reduce(
      e.constant(type, 0),
      [&](ArrayRef<Value> indices, ValueRange carried) {
        return add(carried[0], term(indices));
      },
      [&](ValueRange lhs, ValueRange rhs) { return add(lhs[0], rhs[0]); })[0];
}

static Value extend(ImplicitLocOpBuilder &b, Value value) {
  Type wanted = getAccumulatorType(value.getType());
  return wanted == value.getType() ? value
                                   : arith::ExtFOp::create(b, wanted, value);
}

static Value truncate(ImplicitLocOpBuilder &b, Value value, Type type) {
  return value.getType() == type ? value
                                 : arith::TruncFOp::create(b, type, value);
}

/// An element in the type in which the row is computed.
Value RowEmitter::computed(Value tensor, ArrayRef<Value> indices) {
  return extend(builder(), e.element(tensor, indices));
}

/// The number of elements of a row, as a float.
Value RowEmitter::rowSize(Type type) {
  Value size = arith::IndexCastOp::create(builder(), builder().getI64Type(),
                                          e.product(sizes.inner));
  return arith::SIToFPOp::create(builder(), type, size);
}

/// The elements of a row of `tensor`, combined.
Value RowEmitter::reduceBy(ReduceKind kind, Type elementType, Value tensor) {
  bool isExtremum = kind == ReduceKind::max || kind == ReduceKind::min;
  auto flags = isExtremum ? arith::FastMathFlags::none : kReorder;
  auto combine = [&](Value lhs, Value rhs) {
    return SmallVector<Value>{
        emitCombine(builder(), kind, elementType, lhs, rhs, flags)};
  };
  return reduce(
      emitIdentity(builder(), kind, elementType),
      [&](ArrayRef<Value> indices, ValueRange carried) {
        return combine(carried[0], computed(tensor, indices));
      },
      [&](ValueRange lhs, ValueRange rhs) {
        return combine(lhs[0], rhs[0]);
      })[0];
}

//===----------------------------------------------------------------------===//
// The reducing ops
//===----------------------------------------------------------------------===//

void RowEmitter::emit(ReduceOp op) {
  Type elementType = op.getInput().getType().getElementType();
  Value total = reduceBy(op.getKind(), elementType, op.getInput());
  total = truncate(builder(), total, getSignlessType(elementType));
  e.bind(op.getResult(), [total](ArrayRef<Value>) { return total; });
}

void RowEmitter::emit(ArgReduceOp op) {
  Type elementType = op.getInput().getType().getElementType();
  ImplicitLocOpBuilder &b = builder();
  bool isMax = op.getKind() == ReduceKind::max;
  // NaN counts as the extreme, as in numpy; the first one stays.
  auto isBetter = [&](Value candidate, Value best) -> Value {
    if (isa<FloatType>(candidate.getType())) {
      auto better =
          isMax ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
      if (op.getLast())
        better = isMax ? arith::CmpFPredicate::OGE : arith::CmpFPredicate::OLE;
      Value wins = arith::CmpFOp::create(b, better, candidate, best);
      Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO,
                                          candidate, candidate);
      Value wasNan =
          arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, best, best);
      Value newNan = arith::AndIOp::create(
          b, isNan,
          arith::XOrIOp::create(b, wasNan, e.constant(b.getI1Type(), 1)));
      return arith::OrIOp::create(b, wins, newNan);
    }
    bool isUnsigned =
        elementType.isUnsignedInteger() || elementType.isInteger(1);
    using P = arith::CmpIPredicate;
    P strict =
        isMax ? (isUnsigned ? P::ugt : P::sgt) : (isUnsigned ? P::ult : P::slt);
    P loose =
        isMax ? (isUnsigned ? P::uge : P::sge) : (isUnsigned ? P::ule : P::sle);
    return arith::CmpIOp::create(b, op.getLast() ? loose : strict, candidate,
                                 best);
  };
  auto choose = [&](Value condition, ValueRange lhs, ValueRange rhs) {
    return SmallVector<Value>{
        arith::SelectOp::create(b, condition, lhs[0], rhs[0]),
        arith::SelectOp::create(b, condition, lhs[1], rhs[1])};
  };
  // Of two parts, the one that holds the wanted element; of equals, the first
  // or last.
  auto combine = [&](ValueRange lhs, ValueRange rhs) {
    auto order =
        op.getLast() ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::slt;
    Value isBefore = arith::CmpIOp::create(b, order, lhs[1], rhs[1]);
    Value isLeft = isBetter(lhs[0], rhs[0]), isRight = isBetter(rhs[0], lhs[0]);
    Value isTie =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, isLeft, isRight);
    Value wins = arith::SelectOp::create(b, isTie, isBefore, isLeft);
    return choose(wins, lhs, rhs);
  };
  // The first element starts, so that a row of nothing but the identity gets
  // its own index too.
  SmallVector<Value> first(outer);
  first.append(sizes.inner.size(), e.index(0));
  Value zero = e.constant(b.getI64Type(), 0);
  Value best = reduce(
      {computed(op.getInput(), first), zero},
      [&](ArrayRef<Value> indices, ValueRange carried) {
        Value candidate = computed(op.getInput(), indices);
        Value position = arith::IndexCastOp::create(
            b, b.getI64Type(),
            sizes.inner.empty() ? e.index(0) : indices.back());
        return choose(isBetter(candidate, carried[0]), {candidate, position},
                      carried);
      },
      combine)[1];
  e.bind(op.getResult(), [best](ArrayRef<Value>) { return best; });
}

void RowEmitter::emit(SoftmaxOp op) {
  Value input = op.getInput();
  Type elementType = op.getInput().getType().getElementType();
  Type type = getAccumulatorType(elementType);
  Value largest = reduceBy(ReduceKind::max, elementType, input);
  auto exponential = [=, this](ArrayRef<Value> indices) -> Value {
    Value shifted =
        arith::SubFOp::create(builder(), computed(input, indices), largest);
    return math::ExpOp::create(builder(), shifted);
  };
  Value total = sum(type, exponential);
  Value scale = arith::DivFOp::create(builder(), e.constant(type, 1.0), total);
  e.bind(op.getResult(), [=, this](ArrayRef<Value> indices) {
    Value scaled =
        arith::MulFOp::create(builder(), exponential(indices), scale);
    return truncate(builder(), scaled, elementType);
  });
}

void RowEmitter::emit(NormalizeOp op) {
  Value input = op.getInput();
  Type elementType = op.getInput().getType().getElementType();
  Type type = getAccumulatorType(elementType);
  ImplicitLocOpBuilder &b = builder();
  Value count = rowSize(type);
  Value mean = e.constant(type, 0);
  if (!op.getRms())
    mean = arith::DivFOp::create(
        b, sum(type, [&](ArrayRef<Value> i) { return computed(input, i); }),
        count);
  bool rms = op.getRms();
  auto centred = [=, this](ArrayRef<Value> indices) -> Value {
    Value x = computed(input, indices);
    return rms ? x : arith::SubFOp::create(builder(), x, mean);
  };
  Value squares = sum(type, [&](ArrayRef<Value> indices) -> Value {
    Value x = centred(indices);
    return arith::MulFOp::create(b, x, x, kReorder);
  });
  Value variance = arith::DivFOp::create(b, squares, count);
  Value epsilon = e.constant(type, op.getEpsilon().convertToDouble());
  Value deviation =
      math::SqrtOp::create(b, arith::AddFOp::create(b, variance, epsilon));
  Value scale = arith::DivFOp::create(b, e.constant(type, 1.0), deviation);
  e.bind(op.getResult(), [=, this](ArrayRef<Value> indices) {
    Value scaled = arith::MulFOp::create(builder(), centred(indices), scale);
    return truncate(builder(), scaled, elementType);
  });
}

//===----------------------------------------------------------------------===//
// All of a row
//===----------------------------------------------------------------------===//

void RowPlan::emitRow(RegionEmitter &e, RegionKernel &kernel, RowLoops &loops,
                      const Sizes &sizes, ArrayRef<Value> outer) {
  RowEmitter row{e, loops, sizes, outer};
  for (Operation *op : rowOps) {
    e.builder().setLoc(op->getLoc());
    TypeSwitch<Operation *>(op)
        .Case<ReduceOp, ArgReduceOp, SoftmaxOp, NormalizeOp>(
            [&](auto rowOp) { row.emit(rowOp); });
  }
  SmallVector<unsigned> fullResults, outerResults;
  for (auto [number, value] : llvm::enumerate(kernel.getYields()))
    (outerValues.contains(value) ? outerResults : fullResults)
        .push_back(number);
  auto compute = [&](ArrayRef<unsigned> results, ArrayRef<Value> indices) {
    SmallVector<Value> elements;
    for (unsigned number : results)
      elements.push_back(e.element(kernel.getYields()[number], indices));
    return elements;
  };
  if (!outerResults.empty())
    loops.once(e, [&] {
      // All is read before anything is written, which may be in place.
      SmallVector<Value> elements = compute(outerResults, outer);
      for (auto [number, element] : llvm::zip_equal(outerResults, elements))
        e.store(space->joinOuter(e, kernel.resultView(number)), outer, element);
    });
  if (fullResults.empty())
    return;
  SmallVector<MemoryView> views;
  for (unsigned number : fullResults)
    views.push_back(space->joinFull(e, kernel.resultView(number)));
  loops.store(e, sizes.inner, outer, views, [&](ArrayRef<Value> indices) {
    return compute(fullResults, indices);
  });
}
