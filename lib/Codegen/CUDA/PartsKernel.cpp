//===- PartsKernel.cpp - Many results in one launch -----------------------===//
//
// Groups of results that have nothing to do with each other, such as those of
// updates of many parameters, are computed in one launch, each by blocks of its
// own. Groups that compute the same from different tensors share the code: a
// block looks up the addresses and the size of its group.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Shuffle.h"
#include "WideLoop.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
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
  int64_t size = 0;          ///< elements of each result

  Part(KernelBuilder &kernel, ArrayRef<unsigned> results);

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
  void emit(Value block) { emitForms(block, 0, forms.size()); }

private:
  /// What a form computes. If parts share it, `words` are the addresses of one
  /// of them, and `size` the number of elements.
  ElementWork getWork(RegionEmitter &own, const Form &form, ValueRange words,
                      Value size);
  SmallVector<Value> getWords(const Part &part);
  SmallVector<Value> chooseWords(Value block, size_t form, size_t begin,
                                 size_t end);
  void emitForms(Value block, size_t begin, size_t end);
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
  if (!describe(roots)) {
    form.clear();
    inputs.clear();
  }
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
static SmallVector<Form> findForms(KernelBuilder &kernel,
                                   ArrayRef<SmallVector<unsigned>> groups) {
  SmallVector<Form> forms;
  llvm::StringMap<size_t> numbers;
  for (ArrayRef<unsigned> group : groups) {
    Part part(kernel, group);
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
  auto makeView = [&](Type type, Value pointer) {
    auto tensor = cast<RankedTensorType>(type);
    MemoryView view{pointer, tensor.getElementType(), {}, {}};
    if (tensor.getRank() > 0) {
      view.sizes = {size};
      view.strides = {e.index(1)};
    }
    return view;
  };
  for (auto [input, pointer] : llvm::zip(part.inputs, words)) {
    own.bindMemory(input, makeView(input.getType(), pointer));
    work.leaves.push_back(input);
  }
  words = words.drop_front(part.inputs.size());
  for (auto [number, pointer] : llvm::zip(part.results, words)) {
    work.roots.push_back(kernel.getYields()[number]);
    work.views.push_back(makeView(work.roots.back().getType(), pointer));
  }
  return work;
}

/// The addresses, the size and the first block of the one of parts `begin` to
/// `end` that `block` belongs to.
SmallVector<Value> PartsEmitter::chooseWords(Value block, size_t form,
                                             size_t begin, size_t end) {
  const Part &part = forms[form][begin];
  SmallVector<Value> words = getWords(part);
  words.push_back(e.index(part.size));
  words.push_back(firsts[form][begin]);
  if (end - begin == 1)
    return words;
  ImplicitLocOpBuilder &b = e.builder();
  size_t middle = (begin + end) / 2;
  Value isBefore = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, block,
                                         firsts[form][middle]);
  auto ifOp = scf::IfOp::create(b, TypeRange(ValueRange(words)), isBefore,
                                /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  auto fill = [&](Block *to, size_t from, size_t until) {
    b.setInsertionPointToEnd(to);
    SmallVector<Value> chosen = chooseWords(block, form, from, until);
    scf::YieldOp::create(b, chosen);
  };
  fill(ifOp.thenBlock(), begin, middle);
  fill(ifOp.elseBlock(), middle, end);
  return ifOp.getResults();
}

void PartsEmitter::emitForm(Value block, size_t form) {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<Value> words = chooseWords(block, form, 0, forms[form].size());
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

void PartsEmitter::emitForms(Value block, size_t begin, size_t end) {
  if (end - begin == 1)
    return emitForm(block, begin);
  ImplicitLocOpBuilder &b = e.builder();
  size_t middle = (begin + end) / 2;
  Value isBefore = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, block,
                                         firsts[middle].front());
  auto ifOp = scf::IfOp::create(b, isBefore, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  emitForms(block, begin, middle);
  b.setInsertionPointToStart(ifOp.elseBlock());
  emitForms(block, middle, end);
}

void weft::cuda::addPartsTask(KernelBuilder &kernel,
                              ArrayRef<SmallVector<unsigned>> groups) {
  SmallVector<Form> forms = findForms(kernel, groups);
  kernel.addBlocks(
      kThreads,
      [&](RegionEmitter &e) { return PartsEmitter(e, kernel, forms).count(); },
      [&](RegionEmitter &e, Value block) {
        PartsEmitter(e, kernel, forms).emit(block);
      });
}
