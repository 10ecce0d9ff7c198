//===- Epilogue.cpp - What follows a product or window --------------------===//

#include "weft/Codegen/Common/Epilogue.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace weft;

/// Skips transposes, which only change where the element is stored.
static Value skipTranspose(Value value) {
  auto transpose = value.getDefiningOp<TransposeOp>();
  return transpose ? transpose.getInput() : value;
}

/// Whether `value` depends on `root` through elementwise ops alone, if at all.
static bool isElementwiseOf(Value value, Operation *root,
                            ArrayRef<int64_t> shape) {
  Operation *op = value.getDefiningOp();
  if (!op || op == root)
    return true;
  if (isa<ScalarOpInterface>(op))
    return llvm::all_of(op->getOperands(), [&](Value operand) {
      return isElementwiseOf(operand, root, shape);
    });
  llvm::SetVector<Operation *> slice;
  SmallVector<Value> worklist(op->getOperands());
  while (!worklist.empty()) {
    Operation *source = worklist.pop_back_val().getDefiningOp();
    if (source == root)
      return false;
    if (source && slice.insert(source))
      llvm::append_range(worklist, source->getOperands());
  }
  return true;
}

/// Adds the arguments of the region that `value` depends on, but for what it
/// gets through `root`.
static void collectArguments(Value value, Operation *root,
                             llvm::DenseSet<Value> &arguments) {
  SmallVector<Value> worklist{value};
  llvm::DenseSet<Value> seen;
  while (!worklist.empty()) {
    Value next = worklist.pop_back_val();
    Operation *op = next.getDefiningOp();
    if (!op)
      arguments.insert(next);
    else if (op != root && seen.insert(next).second)
      llvm::append_range(worklist, op->getOperands());
  }
}

/// Whether what follows `root` reads a tensor that `root` reads as well.
static bool sharesTensors(Operation *root, ValueRange yields) {
  llvm::DenseSet<Value> before, after;
  for (Value operand : root->getOperands())
    collectArguments(operand, nullptr, before);
  for (Value yield : yields)
    collectArguments(yield, root, after);
  return llvm::any_of(after, [&](Value value) {
    return isa<RankedTensorType>(value.getType()) && before.contains(value);
  });
}

std::optional<Epilogue> Epilogue::create(RegionKernel &kernel, Operation *root,
                                         ArrayRef<int64_t> innerDims) {
  Epilogue epilogue;
  epilogue.root = root;
  auto shape = cast<RankedTensorType>(root->getResult(0).getType());
  SmallVector<Value> roots;
  for (Value value : kernel.getYields()) {
    Value stored = skipTranspose(value);
    if (cast<RankedTensorType>(stored.getType()).getShape() !=
            shape.getShape() ||
        !isElementwiseOf(stored, root, shape.getShape()))
      return std::nullopt;
    roots.push_back(stored);
  }
  // A tensor has one view, which the root needs with all its dimensions.
  if (llvm::equal(roots, kernel.getYields()) &&
      !sharesTensors(root, kernel.getYields()))
    epilogue.space =
        IterationSpace::create(roots, shape, innerDims, {}, {}, root);
  return epilogue;
}

void Epilogue::begin(RegionEmitter &e, RegionKernel &kernel) {
  Value result = root->getResult(0);
  // The root's own sizes are those of a result, if need be of a transposed one.
  MemoryView view = kernel.resultView(0);
  sizes = view.sizes;
  if (auto transpose = kernel.getYields()[0].getDefiningOp<TransposeOp>())
    for (auto [dim, source] : llvm::enumerate(transpose.getPermutation()))
      sizes[source] = view.sizes[dim];
  for (auto [dim, size] : llvm::enumerate(sizes))
    e.bindSize(result, dim, size);
  if (space)
    joinedSizes = space->bind(e, sizes);
}

SmallVector<Value> Epilogue::position(RegionEmitter &e,
                                      ArrayRef<Value> indices) {
  return space ? space->joinIndices(e, indices, sizes)
               : SmallVector<Value>(indices);
}

MemoryView Epilogue::view(RegionEmitter &e, RegionKernel &kernel,
                          unsigned number) {
  MemoryView view = kernel.resultView(number);
  return space ? space->joinFull(e, view) : view;
}

SmallVector<Value> Epilogue::compute(RegionEmitter &e, RegionKernel &kernel,
                                     ArrayRef<Value> position, Value value) {
  ImplicitLocOpBuilder &b = e.builder();
  Value result = root->getResult(0);
  Type type = getSignlessType(
      cast<RankedTensorType>(result.getType()).getElementType());
  if (type != value.getType() && isa<FloatType>(type))
    value = arith::TruncFOp::create(b, type, value);
  else if (type != value.getType())
    value = arith::TruncIOp::create(b, type, value);
  e.bind(result, [value](ArrayRef<Value>) { return value; });
  SmallVector<Value> elements;
  for (Value yield : kernel.getYields())
    elements.push_back(e.element(skipTranspose(yield), position));
  return elements;
}

void Epilogue::store(RegionEmitter &e, RegionKernel &kernel,
                     ArrayRef<Value> indices, Value value) {
  SmallVector<Value> at = position(e, indices);
  // All is read before anything is written, which may be in place.
  SmallVector<Value> elements = compute(e, kernel, at, value);
  for (auto [number, yield] : llvm::enumerate(kernel.getYields())) {
    SmallVector<Value> target = at;
    if (auto transpose = yield.getDefiningOp<TransposeOp>())
      for (auto [dim, source] : llvm::enumerate(transpose.getPermutation()))
        target[dim] = at[source];
    e.store(view(e, kernel, number), target, elements[number]);
  }
}

void Epilogue::fetch(RegionEmitter &e, RegionKernel &kernel,
                     ArrayRef<Value> indices) {
  auto ask = [&](const MemoryView &view, ArrayRef<Value> at) {
    LLVM::Prefetch::create(e.builder(), e.address(view, e.offset(view, at)),
                           /*rw=*/0, /*hint=*/2, /*cache=*/1);
  };
  auto shape = cast<RankedTensorType>(root->getResult(0).getType()).getShape();
  SmallVector<Value> position(indices);
  if (space)
    position = space->joinIndices(e, indices, sizes);
  llvm::DenseSet<Value> read;
  for (Value yield : kernel.getYields())
    collectArguments(yield, root, read);
  for (BlockArgument input :
       kernel.getRegion().getBody().front().getArguments()) {
    auto type = dyn_cast<RankedTensorType>(input.getType());
    const MemoryView *view = type ? e.getMemory(input) : nullptr;
    if (view && read.contains(input) && type.getShape() == shape &&
        view->sizes.size() == position.size())
      ask(*view, position);
  }
  for (auto [number, yield] : llvm::enumerate(kernel.getYields())) {
    SmallVector<Value> at(indices);
    if (auto transpose = yield.getDefiningOp<TransposeOp>())
      for (auto [dim, source] : llvm::enumerate(transpose.getPermutation()))
        at[dim] = indices[source];
    ask(kernel.resultView(number), at);
  }
}
