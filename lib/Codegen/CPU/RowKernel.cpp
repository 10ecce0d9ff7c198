//===- RowKernel.cpp - Reductions, softmax and normalisations -------------===//
//
// All ops that reduce do so over the same axes of the same shape. One iteration
// of the parallel loop takes a few rows, a row being one index of the outer
// space: for each reducing op in turn it sweeps over the row and keeps a scalar
// or two; then one more sweep stores what the region yields. What goes before
// and after is computed within the sweeps. A row stays in the cache between
// them.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "weft/Codegen/Common/IterationSpace.h"
#include "weft/Dialect/Weft/IR/Reduction.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
/// What is to be done, as far as it does not depend on the function.
struct RowPlan {
  RankedTensorType shape;          ///< of what is reduced
  SmallVector<int64_t> axes;       ///< reduced, rising
  SmallVector<Operation *> rowOps; ///< in order
  llvm::DenseSet<Operation *> rowOpSet;
  llvm::DenseSet<Value> outerValues;
};

/// The state of one function's emission.
struct RowEmitter {
  RegionEmitter &e;
  const RowPlan &plan;
  IterationSpace space;
  SmallVector<Value> loopSizes;
  SmallVector<Value> outer; ///< indices of the row

  ImplicitLocOpBuilder &builder() { return e.builder(); }
  ValueRange outerSizes() {
    return ValueRange(loopSizes).take_front(space.getNumOuter());
  }
  ValueRange innerSizes() {
    return ValueRange(loopSizes).drop_front(space.getNumOuter());
  }

  SmallVector<Value> sweep(
      ValueRange inits,
      llvm::function_ref<SmallVector<Value>(ArrayRef<Value>, ValueRange)> body);
  Value sweepSum(Type type, llvm::function_ref<Value(ArrayRef<Value>)> term);
  Value computed(Value tensor, ArrayRef<Value> indices);
  Value rowSize(Type type);

  void emit(ReduceOp op);
  void emit(ArgReduceOp op);
  void emit(SoftmaxOp op);
  void emit(NormalizeOp op);
};
} // namespace

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
static void findOuterValues(Block &block, RowPlan &plan) {
  bool changed = true;
  auto mark = [&](Value value) {
    changed |= plan.outerValues.insert(value).second;
  };
  for (Operation *op : plan.rowOps)
    if (isa<ReduceOp, ArgReduceOp>(op))
      mark(op->getResult(0));
  while (changed) {
    changed = false;
    for (Operation &op : block.without_terminator()) {
      if (!isa<ScalarOpInterface>(op))
        continue;
      auto isOuter = [&](Value v) { return plan.outerValues.contains(v); };
      if (!isOuter(op.getResult(0)) && llvm::none_of(op.getOperands(), isOuter))
        continue;
      mark(op.getResult(0));
      for (Value operand : op.getOperands())
        mark(operand);
    }
  }
}

static std::optional<RowPlan> planRows(KernelBuilder &kernel) {
  RowPlan plan;
  Block &block = kernel.getRegion().getBody().front();
  for (Operation &op : block.without_terminator()) {
    std::optional<SmallVector<int64_t>> axes = getReducedAxes(&op);
    if (!axes)
      continue;
    auto type = cast<RankedTensorType>(op.getOperand(0).getType());
    if (plan.rowOps.empty()) {
      plan.shape = type;
      plan.axes = *axes;
    }
    if (type.getShape() != plan.shape.getShape() || *axes != plan.axes)
      return std::nullopt;
    plan.rowOps.push_back(&op);
    plan.rowOpSet.insert(&op);
  }
  if (plan.rowOps.empty() || plan.axes.empty())
    return std::nullopt;
  findOuterValues(block, plan);
  return plan;
}

//===----------------------------------------------------------------------===//
// Sweeps
//===----------------------------------------------------------------------===//

SmallVector<Value> RowEmitter::sweep(
    ValueRange inits,
    llvm::function_ref<SmallVector<Value>(ArrayRef<Value>, ValueRange)> body) {
  return e.loopNest(llvm::to_vector(innerSizes()), inits,
                    [&](ArrayRef<Value> inner, ValueRange carried) {
                      SmallVector<Value> indices = outer;
                      llvm::append_range(indices, inner);
                      return body(indices, carried);
                    });
}

/// Sums may be reordered within a row: the order is fixed when the kernel is
/// compiled, so that any number of threads gives the same bits.
static constexpr auto kReorder =
    arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;

Value RowEmitter::sweepSum(Type type,
                           llvm::function_ref<Value(ArrayRef<Value>)> term) {
  return sweep(e.constant(type, 0),
               [&](ArrayRef<Value> indices, ValueRange carried) {
                 Value next = arith::AddFOp::create(builder(), carried[0],
                                                    term(indices), kReorder);
                 return SmallVector<Value>{next};
               })[0];
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
                                          e.product(innerSizes()));
  return arith::SIToFPOp::create(builder(), type, size);
}

//===----------------------------------------------------------------------===//
// The reducing ops
//===----------------------------------------------------------------------===//

void RowEmitter::emit(ReduceOp op) {
  Type elementType = op.getInput().getType().getElementType();
  bool isExtremum =
      op.getKind() == ReduceKind::max || op.getKind() == ReduceKind::min;
  auto flags = isExtremum ? arith::FastMathFlags::none : kReorder;
  Value total = sweep(emitIdentity(builder(), op.getKind(), elementType),
                      [&](ArrayRef<Value> indices, ValueRange carried) {
                        return SmallVector<Value>{emitCombine(
                            builder(), op.getKind(), elementType, carried[0],
                            computed(op.getInput(), indices), flags)};
                      })[0];
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
  // The first element starts, so that a row of nothing but the identity gets
  // its own index too.
  SmallVector<Value> first = outer;
  first.append(innerSizes().size(), e.index(0));
  Value zero = e.constant(b.getI64Type(), 0);
  Value best =
      sweep({computed(op.getInput(), first), zero},
            [&](ArrayRef<Value> indices, ValueRange carried) {
              Value candidate = computed(op.getInput(), indices);
              Value better = isBetter(candidate, carried[0]);
              Value position = arith::IndexCastOp::create(
                  b, b.getI64Type(),
                  innerSizes().empty() ? e.index(0) : indices.back());
              return SmallVector<Value>{
                  arith::SelectOp::create(b, better, candidate, carried[0]),
                  arith::SelectOp::create(b, better, position, carried[1])};
            })[1];
  e.bind(op.getResult(), [best](ArrayRef<Value>) { return best; });
}

void RowEmitter::emit(SoftmaxOp op) {
  Value input = op.getInput();
  Type elementType = op.getInput().getType().getElementType();
  Type type = getAccumulatorType(elementType);
  Value largest = sweep(emitIdentity(builder(), ReduceKind::max, elementType),
                        [&](ArrayRef<Value> indices, ValueRange carried) {
                          return SmallVector<Value>{emitCombine(
                              builder(), ReduceKind::max, elementType,
                              carried[0], computed(input, indices))};
                        })[0];
  auto exponential = [=, this](ArrayRef<Value> indices) -> Value {
    Value shifted =
        arith::SubFOp::create(builder(), computed(input, indices), largest);
    return math::ExpOp::create(builder(), shifted);
  };
  Value sum = sweepSum(type, exponential);
  Value scale = arith::DivFOp::create(builder(), e.constant(type, 1.0), sum);
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
        b,
        sweepSum(type, [&](ArrayRef<Value> i) { return computed(input, i); }),
        count);
  bool rms = op.getRms();
  auto centred = [=, this](ArrayRef<Value> indices) -> Value {
    Value x = computed(input, indices);
    return rms ? x : arith::SubFOp::create(builder(), x, mean);
  };
  Value squares = sweepSum(type, [&](ArrayRef<Value> indices) -> Value {
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
// The kernel
//===----------------------------------------------------------------------===//

/// Rows per iteration of the parallel loop.
static Value rowsPerIteration(RegionEmitter &e, ValueRange innerSizes) {
  Value inner = e.max(e.product(innerSizes), e.index(1));
  return e.max(e.index(1), e.div(e.index(kGrain), inner));
}

static void emitRow(RowEmitter &row, KernelBuilder &kernel) {
  for (Operation *op : row.plan.rowOps) {
    row.builder().setLoc(op->getLoc());
    TypeSwitch<Operation *>(op)
        .Case<ReduceOp, ArgReduceOp, SoftmaxOp, NormalizeOp>(
            [&](auto rowOp) { row.emit(rowOp); });
  }
  SmallVector<unsigned> full, outer;
  for (auto [number, value] : llvm::enumerate(kernel.getYields()))
    (row.plan.outerValues.contains(value) ? outer : full).push_back(number);
  // All is read before anything is written, which may be in place.
  RegionEmitter &e = row.e;
  auto store = [&](ArrayRef<unsigned> results, ArrayRef<Value> indices,
                   auto join) {
    SmallVector<Value> elements;
    for (unsigned number : results)
      elements.push_back(e.element(kernel.getYields()[number], indices));
    for (auto [number, element] : llvm::zip_equal(results, elements))
      e.store(join(kernel.resultView(number)), indices, element);
  };
  store(outer, row.outer,
        [&](const MemoryView &view) { return row.space.joinOuter(e, view); });
  if (full.empty())
    return;
  row.sweep({}, [&](ArrayRef<Value> indices, ValueRange) {
    store(full, indices,
          [&](const MemoryView &view) { return row.space.joinFull(e, view); });
    return SmallVector<Value>();
  });
}

bool weft::cpu::emitRowKernel(KernelBuilder &kernel) {
  std::optional<RowPlan> plan = planRows(kernel);
  if (!plan)
    return false;
  SmallVector<Value> roots(kernel.getYields());
  std::optional<IterationSpace> space = IterationSpace::create(
      roots, plan->shape, plan->axes, plan->rowOpSet, plan->outerValues);
  if (!space)
    return false;

  auto start = [&](RegionEmitter &e) {
    RowEmitter row{e, *plan, *space, {}, {}};
    Value reduced = plan->rowOps.front()->getOperand(0);
    row.loopSizes = row.space.bind(e, e.sizes(reduced));
    return row;
  };
  kernel.addTask(
      [&](RegionEmitter &e) {
        RowEmitter row = start(e);
        return e.ceilDiv(e.product(row.outerSizes()),
                         rowsPerIteration(e, row.innerSizes()));
      },
      [&](RegionEmitter &e, Value begin, Value end) {
        RowEmitter row = start(e);
        Value step = rowsPerIteration(e, row.innerSizes());
        Value last = e.min(e.mul(end, step), e.product(row.outerSizes()));
        e.loop(e.mul(begin, step), last, {}, [&](Value number, ValueRange) {
          row.outer = e.delinearize(number, row.outerSizes());
          emitRow(row, kernel);
          return SmallVector<Value>();
        });
      });
  return true;
}
