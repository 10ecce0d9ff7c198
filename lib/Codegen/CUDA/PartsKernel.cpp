//===- PartsKernel.cpp - Many results in one launch -----------------------===//
//
// Groups of results that have nothing to do with each other, such as those of
// updates of many parameters, are computed in one launch, each by blocks of its
// own. Groups that compute the same from different tensors share the code: a
// block looks up the addresses and the size of its group. So are reductions of
// many tensors to numbers, such as those that tell whether all gradients are
// finite.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Shuffle.h"
#include "WideLoop.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weft/Dialect/Weft/IR/Reduction.h"
#include "weft/Dialect/Weft/IR/Totals.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Threads of a block.
static constexpr int32_t kThreads = 256;

namespace {
/// A group of results, and what it computes if that can be shared.
struct Part {
  SmallVector<unsigned> results;
  SmallVector<Value> inputs; ///< in the order in which the form has them
  std::string form;          ///< empty: this part alone
  int64_t size = 0;          ///< elements of each result, or of what is reduced
  ReduceOp reduction;        ///< instead of results

  Part(KernelBuilder &kernel, ArrayRef<unsigned> results);
  /// What a reduction reads.
  explicit Part(ReduceOp op);

private:
  bool describe(ArrayRef<Value> roots);
};

/// Parts of one form, which follow each other.
using Form = SmallVector<Part>;

/// Emits the work of a block.
class PartsEmitter {
public:
  PartsEmitter(RegionEmitter &e, KernelBuilder &kernel, ArrayRef<Form> forms);

  Value count() { return firsts.back().back(); }
  void emit(Value block);

private:
  /// What a form computes. If parts share it, `words` are the addresses of one
  /// of them, and `size` the number of elements.
  ElementWork getWork(RegionEmitter &own, const Form &form, ValueRange words,
                      Value size);
  SmallVector<Value> getWords(const Part &part);
  void emitForm(Value block, size_t form);

  RegionEmitter &e;
  KernelBuilder &kernel;
  ArrayRef<Form> forms;
  /// The first block of each part of each form, and the one after the last.
  SmallVector<SmallVector<Value>> firsts;
};
} // namespace

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

Part::Part(KernelBuilder &kernel, ArrayRef<unsigned> results)
    : results(results) {
  SmallVector<Value> roots;
  for (unsigned number : results)
    roots.push_back(kernel.getYields()[number]);
  // A single number shares its code with nothing.
  bool isNumber =
      cast<RankedTensorType>(roots.front().getType()).getRank() == 0;
  if (isNumber || !describe(roots)) {
    form.clear();
    inputs.clear();
  }
}

Part::Part(ReduceOp op) : reduction(op) {
  bool isKnown = describe(op.getInput());
  assert(isKnown && "totals are made of such as can be described");
  (void)isKnown;
  form += stringifyReduceKind(op.getKind());
}

/// Whether a result of `op` can be computed at the indices of tensors joined
/// into one dimension.
static bool isPlain(Operation *op) {
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    return dense && dense.isSplat();
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return broadcast.getInput().getType().getRank() == 0;
  return isa<ScalarOpInterface>(op);
}

/// Says what `roots` are computed from and how, but for shapes and which
/// tensors these are.
bool Part::describe(ArrayRef<Value> roots) {
  auto shape = cast<RankedTensorType>(roots.front().getType());
  if (!shape.hasStaticShape())
    return false;
  size = shape.getNumElements();
  llvm::SetVector<Value> seen(roots.begin(), roots.end());
  for (size_t i = 0; i < seen.size(); ++i)
    if (Operation *op = seen[i].getDefiningOp())
      seen.insert(op->operand_begin(), op->operand_end());
  llvm::DenseMap<Value, size_t> numbers;
  for (auto [number, value] : llvm::enumerate(seen))
    numbers[value] = number;
  llvm::raw_string_ostream os(form);
  for (Value value : seen) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || (type.getRank() > 0 && type.getShape() != shape.getShape()))
      return false;
    os << type.getElementType() << (type.getRank() > 0 ? " tensor" : " number");
    Operation *op = value.getDefiningOp();
    if (!op) {
      inputs.push_back(value);
      os << " input\n";
      continue;
    }
    if (!isPlain(op))
      return false;
    os << " " << op->getName();
    for (Value operand : op->getOperands())
      os << " " << numbers.lookup(operand);
    if (auto constant = dyn_cast<ConstantOp>(op))
      os << " "
         << cast<DenseElementsAttr>(constant.getValue())
                .getSplatValue<Attribute>();
    else
      os << " " << op->getAttrDictionary();
    os << "\n";
  }
  return true;
}

/// Puts parts of one form together.
static SmallVector<Form> findForms(SmallVector<Part> parts) {
  SmallVector<Form> forms;
  llvm::StringMap<size_t> numbers;
  for (Part &part : parts) {
    auto [it, isNew] = numbers.try_emplace(part.form, forms.size());
    if (isNew || part.form.empty()) {
      it->second = forms.size();
      forms.emplace_back();
    }
    forms[it->second].push_back(std::move(part));
  }
  return forms;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

/// A tensor in memory, whose dimensions are joined into one.
static MemoryView makeView(RegionEmitter &e, Type type, Value pointer,
                           Value size) {
  auto tensor = cast<RankedTensorType>(type);
  MemoryView view{pointer, tensor.getElementType(), {}, {}};
  if (tensor.getRank() > 0) {
    view.sizes = {size};
    view.strides = {e.index(1)};
  }
  return view;
}

/// Binds what `part` reads to the first of `words`; returns the others.
static ValueRange bindInputs(RegionEmitter &e, const Part &part,
                             ValueRange words, Value size) {
  for (auto [input, pointer] : llvm::zip(part.inputs, words))
    e.bindMemory(input, makeView(e, input.getType(), pointer, size));
  return words.drop_front(part.inputs.size());
}

/// Emits what differs between the blocks before number `middle` and others.
static scf::IfOp emitWhether(RegionEmitter &e, Value block, Value middle,
                             TypeRange types) {
  ImplicitLocOpBuilder &b = e.builder();
  Value isBefore =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, block, middle);
  return scf::IfOp::create(b, types, isBefore, /*withElseRegion=*/true);
}

/// Of `words`, a list for each part, those of the part to which `block`
/// belongs; the blocks of part i begin with `firsts[i]`.
static SmallVector<Value> chooseWords(RegionEmitter &e, Value block,
                                      ArrayRef<Value> firsts,
                                      ArrayRef<SmallVector<Value>> words) {
  if (words.size() == 1)
    return words.front();
  ImplicitLocOpBuilder &b = e.builder();
  size_t middle = words.size() / 2;
  scf::IfOp ifOp = emitWhether(e, block, firsts[middle],
                               TypeRange(ValueRange(words.front())));
  OpBuilder::InsertionGuard guard(b);
  auto fill = [&](Block *to, size_t from, size_t count) {
    b.setInsertionPointToEnd(to);
    scf::YieldOp::create(b, chooseWords(e, block, firsts.slice(from, count),
                                        words.slice(from, count)));
  };
  fill(ifOp.thenBlock(), 0, middle);
  fill(ifOp.elseBlock(), middle, words.size() - middle);
  return ifOp.getResults();
}

/// Emits `body` for each form, of which a block takes its own; the blocks of
/// form `number` begin with the first of `firsts`.
static void forForm(RegionEmitter &e, Value block, ArrayRef<Value> firsts,
                    size_t number, llvm::function_ref<void(size_t)> body) {
  if (firsts.size() == 1)
    return body(number);
  ImplicitLocOpBuilder &b = e.builder();
  size_t middle = firsts.size() / 2;
  scf::IfOp ifOp = emitWhether(e, block, firsts[middle], {});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  forForm(e, block, firsts.take_front(middle), number, body);
  b.setInsertionPointToStart(ifOp.elseBlock());
  forForm(e, block, firsts.drop_front(middle), number + middle, body);
}

PartsEmitter::PartsEmitter(RegionEmitter &e, KernelBuilder &kernel,
                           ArrayRef<Form> forms)
    : e(e), kernel(kernel), forms(forms) {
  Value first = e.index(0);
  for (const Form &form : forms) {
    SmallVector<Value> &own = firsts.emplace_back();
    own.push_back(first);
    for (const Part &part : form) {
      // Each part has its own view of what it reads.
      RegionEmitter view(e);
      WideLoop loop(view,
                    getWork(view, form, getWords(part), e.index(part.size)));
      first = e.add(first, e.ceilDiv(loop.count(), e.index(kThreads)));
      own.push_back(first);
    }
  }
}

SmallVector<Value> PartsEmitter::getWords(const Part &part) {
  SmallVector<Value> words;
  for (Value input : part.inputs)
    words.push_back(e.getMemory(input)->pointer);
  for (unsigned number : part.results)
    words.push_back(kernel.resultView(number).pointer);
  return words;
}

ElementWork PartsEmitter::getWork(RegionEmitter &own, const Form &form,
                                  ValueRange words, Value size) {
  const Part &part = form.front();
  if (form.size() == 1)
    return ElementWork(ElementLoop(own, kernel, part.results));
  ElementWork work;
  work.isElementwise = true;
  work.sizes = {size};
  words = bindInputs(own, part, words, size);
  work.leaves = part.inputs;
  for (auto [number, pointer] : llvm::zip(part.results, words)) {
    work.roots.push_back(kernel.getYields()[number]);
    work.views.push_back(
        makeView(own, work.roots.back().getType(), pointer, size));
  }
  return work;
}

void PartsEmitter::emitForm(Value block, size_t form) {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<SmallVector<Value>> all;
  for (auto [part, first] : llvm::zip(forms[form], firsts[form])) {
    all.push_back(getWords(part));
    all.back().append({e.index(part.size), first});
  }
  SmallVector<Value> words = chooseWords(e, block, firsts[form], all);
  Value first = words.pop_back_val(), size = words.pop_back_val();
  RegionEmitter own(e);
  WideLoop loop(own, getWork(own, forms[form], words, size));
  Value thread =
      e.add(e.mul(e.sub(block, first), e.index(kThreads)), emitThread(e));
  Value exists =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, thread, loop.count());
  auto ifOp = scf::IfOp::create(b, exists, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  loop.emit(thread);
}

void PartsEmitter::emit(Value block) {
  SmallVector<Value> starts;
  for (ArrayRef<Value> own : firsts)
    starts.push_back(own.front());
  forForm(e, block, starts, 0, [&](size_t form) { emitForm(block, form); });
}

void weft::cuda::addPartsTask(KernelBuilder &kernel,
                              ArrayRef<SmallVector<unsigned>> groups) {
  SmallVector<Part> parts;
  for (ArrayRef<unsigned> group : groups)
    parts.emplace_back(kernel, group);
  SmallVector<Form> forms = findForms(std::move(parts));
  kernel.addBlocks(
      kThreads,
      [&](RegionEmitter &e) { return PartsEmitter(e, kernel, forms).count(); },
      [&](RegionEmitter &e, Value block) {
        PartsEmitter(e, kernel, forms).emit(block);
      });
}

//===----------------------------------------------------------------------===//
// Totals
//===----------------------------------------------------------------------===//

namespace {
/// Numbers that are made of several reductions of whole tensors. A block makes
/// each of these; one thread does the rest.
class TotalsEmitter {
public:
  TotalsEmitter(KernelBuilder &kernel, ArrayRef<ReduceOp> reductions);

  void addTasks();

private:
  void emitBlock(RegionEmitter &e, Value block);
  void emitForm(RegionEmitter &e, Value block, size_t first, const Form &form);
  Value reduce(RegionEmitter &e, ReduceOp op, Value size);
  Value combineThreads(RegionEmitter &e, ReduceOp op, Value value);
  void emitRest(RegionEmitter &e);
  Value place(RegionEmitter &e, Value number);

  KernelBuilder &kernel;
  SmallVector<Form> forms;
  unsigned numReductions;
  int64_t scratch = 0;
};
} // namespace

/// Bytes between results of reductions in scratch.
static constexpr int64_t kTotalStep = 8;

static Type getTotalType(ReduceOp op) {
  return getAccumulatorType(op.getType().getElementType());
}

static Value emitJoin(RegionEmitter &e, ReduceOp op, Value lhs, Value rhs) {
  return emitCombine(e.builder(), op.getKind(), op.getType().getElementType(),
                     lhs, rhs);
}

TotalsEmitter::TotalsEmitter(KernelBuilder &kernel,
                             ArrayRef<ReduceOp> reductions)
    : kernel(kernel), forms(findForms(llvm::map_to_vector(
                          reductions, [](ReduceOp op) { return Part(op); }))),
      numReductions(reductions.size()) {}

Value TotalsEmitter::place(RegionEmitter &e, Value number) {
  MemoryView view{
      kernel.scratchAddress(e, scratch), e.builder().getI64Type(), {}, {}};
  return e.address(view, number);
}

/// What the threads of a block make of a tensor, in the first of them.
Value TotalsEmitter::reduce(RegionEmitter &e, ReduceOp op, Value size) {
  ImplicitLocOpBuilder &b = e.builder();
  Value init = emitIdentity(b, op.getKind(), op.getType().getElementType());
  auto loop = scf::ForOp::create(b, emitThread(e), size, e.index(kThreads),
                                 ValueRange{init});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value element = e.element(op.getInput(), loop.getInductionVar());
  if (element.getType() != init.getType())
    element = arith::ExtFOp::create(b, init.getType(), element);
  Value next = emitJoin(e, op, loop.getRegionIterArg(0), element);
  scf::YieldOp::create(b, next);
  return loop.getResult(0);
}

Value TotalsEmitter::combineThreads(RegionEmitter &e, ReduceOp op,
                                    Value value) {
  ImplicitLocOpBuilder &b = e.builder();
  for (int32_t mask = kWarp / 2; mask >= 1; mask /= 2)
    value = emitJoin(e, op, value, emitExchange(e, value, mask));
  Type type = value.getType();
  Value thread = emitThread(e);
  MemoryView shared{
      kernel.sharedMemory(e, type, kThreads / kWarp), type, {}, {}};
  // All lanes of a warp have the same value.
  LLVM::StoreOp::create(b, value,
                        e.address(shared, e.div(thread, e.index(kWarp))));
  NVVM::Barrier0Op::create(b);
  for (int32_t warp : llvm::seq(kThreads / kWarp)) {
    Value other =
        LLVM::LoadOp::create(b, type, e.address(shared, e.index(warp)));
    value = warp == 0 ? other : emitJoin(e, op, value, other);
  }
  return value;
}

void TotalsEmitter::emitForm(RegionEmitter &e, Value block, size_t first,
                             const Form &form) {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<SmallVector<Value>> all;
  SmallVector<Value> firsts;
  for (auto [number, part] : llvm::enumerate(form)) {
    firsts.push_back(e.index(first + number));
    all.push_back(llvm::map_to_vector(
        part.inputs, [&](Value input) { return e.getMemory(input)->pointer; }));
    all.back().push_back(e.index(part.size));
  }
  SmallVector<Value> words = chooseWords(e, block, firsts, all);
  Value size = words.pop_back_val();
  RegionEmitter own(e);
  bindInputs(own, form.front(), words, size);
  ReduceOp op = form.front().reduction;
  Value total = combineThreads(own, op, reduce(own, op, size));
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        emitThread(e), e.index(0));
  auto ifOp = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  LLVM::StoreOp::create(b, total, place(e, block));
}

void TotalsEmitter::emitBlock(RegionEmitter &e, Value block) {
  SmallVector<Value> firsts;
  SmallVector<size_t> numbers;
  size_t first = 0;
  for (const Form &form : forms) {
    numbers.push_back(first);
    firsts.push_back(e.index(first));
    first += form.size();
  }
  forForm(e, block, firsts, 0,
          [&](size_t form) { emitForm(e, block, numbers[form], forms[form]); });
}

void TotalsEmitter::emitRest(RegionEmitter &e) {
  ImplicitLocOpBuilder &b = e.builder();
  size_t number = 0;
  for (const Form &form : forms)
    for (const Part &part : form) {
      ReduceOp op = part.reduction;
      Value total = LLVM::LoadOp::create(b, getTotalType(op),
                                         place(e, e.index(number++)));
      Type type = op.getType().getElementType();
      if (total.getType() != type)
        total = arith::TruncFOp::create(b, type, total);
      e.bind(op.getResult(), [total](ArrayRef<Value>) { return total; });
    }
  // All is read before anything is written, which may be in place.
  SmallVector<Value> elements = llvm::map_to_vector(
      kernel.getYields(), [&](Value yield) { return e.element(yield, {}); });
  for (auto [result, element] : llvm::enumerate(elements))
    e.store(kernel.resultView(result), {}, element);
}

void TotalsEmitter::addTasks() {
  scratch = kernel.reserveScratch(numReductions * kTotalStep);
  kernel.addBlocks(
      kThreads, [&](RegionEmitter &e) { return e.index(numReductions); },
      [&](RegionEmitter &e, Value block) { emitBlock(e, block); });
  kernel.addThreads([&](RegionEmitter &e) { return e.index(1); },
                    [&](RegionEmitter &e, Value) { emitRest(e); });
}

bool weft::cuda::emitTotalsKernel(KernelBuilder &kernel) {
  SmallVector<ReduceOp> reductions;
  for (Operation &op : kernel.getRegion().getBody().front())
    if (auto reduction = dyn_cast<ReduceOp>(op))
      reductions.push_back(reduction);
  constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
  if (reductions.size() < 2 ||
      !isTotals(kernel.getRegion().getBody().front(), kAny))
    return false;
  TotalsEmitter(kernel, reductions).addTasks();
  return true;
}
