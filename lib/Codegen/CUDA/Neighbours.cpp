//===- Neighbours.cpp - Elements that a thread reads and writes at once ---===//

#include "Neighbours.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/SetVector.h"
#include <map>
#include <memory>

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Bytes that a thread can read or write at once.
static constexpr int64_t kWideBytes = 16;
/// Registers that may hold what a thread has yet to write.
static constexpr int64_t kMostRegisters = 64;

static int64_t getBytes(const MemoryView &view) {
  Type storage = RegionEmitter::getStorageType(view.elementType);
  return storage.getIntOrFloatBitWidth() / 8;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// The type of what is moved for `count` elements. LLVM takes vectors of bytes
/// apart through the stack, so they are moved as words.
static Type getMovedType(Type element, int64_t count) {
  if (!element.isInteger(8))
    return VectorType::get(count, element);
  if (count <= 4)
    return IntegerType::get(element.getContext(), 8 * count);
  return VectorType::get(count / 4, IntegerType::get(element.getContext(), 32));
}

/// The elements of what was loaded for `count` neighbours.
static SmallVector<Value> takeApart(RegionEmitter &e, Value all, Type element,
                                    int64_t count) {
  ImplicitLocOpBuilder &b = e.builder();
  Type type = all.getType();
  SmallVector<Value> elements;
  for (int64_t number : llvm::seq(count)) {
    if (!element.isInteger(8)) {
      elements.push_back(vector::ExtractOp::create(b, all, number));
      continue;
    }
    Value word = all;
    if (isa<VectorType>(type))
      word = vector::ExtractOp::create(b, all, number / 4);
    if (int64_t inWord = number % 4)
      word = arith::ShRUIOp::create(b, word,
                                    e.constant(word.getType(), 8 * inWord));
    elements.push_back(arith::TruncIOp::create(b, element, word));
  }
  return elements;
}

void weft::cuda::emitWideStore(RegionEmitter &e, Value address,
                               ArrayRef<Value> elements) {
  ImplicitLocOpBuilder &b = e.builder();
  Type element = elements.front().getType();
  int64_t count = elements.size();
  Type type = getMovedType(element, count);
  SmallVector<Value> parts(elements);
  if (element.isInteger(8)) {
    Type wordType = getElementTypeOrSelf(type);
    parts.clear();
    for (auto [number, value] : llvm::enumerate(elements)) {
      Value word = arith::ExtUIOp::create(b, wordType, value);
      if (number % 4 == 0) {
        parts.push_back(word);
        continue;
      }
      Value place = e.constant(wordType, 8 * (number % 4));
      word = arith::ShLIOp::create(b, word, place);
      parts.back() = arith::OrIOp::create(b, parts.back(), word);
    }
  }
  Value all = parts.front();
  if (auto vectorType = dyn_cast<VectorType>(type))
    all = vector::FromElementsOp::create(b, vectorType, parts);
  LLVM::StoreOp::create(b, all, address,
                        count * element.getIntOrFloatBitWidth() / 8);
}

//===----------------------------------------------------------------------===//
// Neighbours
//===----------------------------------------------------------------------===//

/// Whether elements that are neighbours in the last loop are so in memory.
static bool isDense(const MemoryView &view) {
  return getConstantIntValue(view.strides.back()) == 1;
}

Neighbours::Neighbours(RegionEmitter &e, ArrayRef<Value> allLeaves,
                       ArrayRef<MemoryView> views, unsigned numLoops)
    : e(e), views(views) {
  if (numLoops == 0)
    return;
  int64_t widest = 1;
  for (const MemoryView &view : views)
    widest = std::max(widest, getBytes(view));
  for (Value leaf : allLeaves) {
    const MemoryView &view = *e.getMemory(leaf);
    if (view.strides.size() != numLoops || !isDense(view))
      continue;
    leaves.push_back(leaf);
    widest = std::max(widest, getBytes(view));
  }
  count = std::max<int64_t>(kWideBytes / widest, 1);
}

void Neighbours::divide(Value size) {
  std::optional<int64_t> known = getConstantIntValue(size);
  while (count > 1 && !(known && *known % count == 0))
    count /= 2;
}

void Neighbours::limitRegisters() {
  int64_t each = 0;
  for (const MemoryView &view : views)
    each += llvm::divideCeilSigned(getBytes(view), 4);
  while (count > 1 && count * each > kMostRegisters)
    count /= 2;
}

SmallVector<SmallVector<Value>> Neighbours::getIndices(ArrayRef<Value> outer,
                                                       Value first) {
  SmallVector<SmallVector<Value>> indices;
  for (int64_t number : llvm::seq(count)) {
    indices.emplace_back(outer);
    indices.back().push_back(e.add(first, e.index(number)));
  }
  return indices;
}

SmallVector<Type> Neighbours::types() const {
  SmallVector<Type> types;
  for (Value leaf : ArrayRef(leaves).take_front(count == 1 ? 0 : leaves.size()))
    types.push_back(getMovedType(
        RegionEmitter::getStorageType(e.getMemory(leaf)->elementType), count));
  return types;
}

SmallVector<Value> Neighbours::read(ArrayRef<SmallVector<Value>> indices) {
  SmallVector<Value> values;
  for (auto [leaf, type] : llvm::zip(leaves, types())) {
    MemoryView view = *e.getMemory(leaf);
    // The address is a multiple of the size.
    values.push_back(LLVM::LoadOp::create(
        e.builder(), type, e.address(view, e.offset(view, indices.front())),
        count * getBytes(view)));
  }
  return values;
}

void Neighbours::bind(ArrayRef<SmallVector<Value>> indices, ValueRange values) {
  for (auto [leaf, value] : llvm::zip(leaves, values)) {
    MemoryView view = *e.getMemory(leaf);
    SmallVector<Value> stored = takeApart(
        e, value, RegionEmitter::getStorageType(view.elementType), count);
    llvm::DenseMap<Value, Value> elements;
    for (auto [at, element] : llvm::zip_equal(indices, stored))
      elements[at.back()] = e.fromStorage(element, view.elementType);
    // What is read one by one, too, is not among them.
    e.bind(leaf, [&e = e, view, elements](ArrayRef<Value> at) -> Value {
      Value known = elements.lookup(at.back());
      return known ? known : e.load(view, at);
    });
  }
}

void Neighbours::store(
    ArrayRef<SmallVector<Value>> indices,
    llvm::function_ref<SmallVector<Value>(ArrayRef<Value>)> compute) {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<SmallVector<Value>> stored(views.size());
  for (ArrayRef<Value> at : indices)
    for (auto [number, element] : llvm::enumerate(compute(at)))
      stored[number].push_back(e.toStorage(element, views[number].elementType));
  for (auto [view, elements] : llvm::zip_equal(views, stored)) {
    auto addressOf = [&](ArrayRef<Value> at) {
      return e.address(view, e.offset(view, at));
    };
    if (count > 1 && isDense(view)) {
      emitWideStore(e, addressOf(indices.front()), elements);
      continue;
    }
    for (auto [at, element] : llvm::zip_equal(indices, elements))
      LLVM::StoreOp::create(b, element, addressOf(at));
  }
}

//===----------------------------------------------------------------------===//
// Neighbours in a row
//===----------------------------------------------------------------------===//

/// The tensors in memory that `tensor` is computed from.
static SmallVector<Value> findMemory(RegionEmitter &e, Value tensor) {
  llvm::SetVector<Value> seen;
  seen.insert(tensor);
  SmallVector<Value> found;
  for (size_t i = 0; i < seen.size(); ++i) {
    Value value = seen[i];
    if (e.getMemory(value))
      found.push_back(value);
    else if (Operation *op = value.getDefiningOp())
      seen.insert(op->operand_begin(), op->operand_end());
  }
  return found;
}

namespace {
/// Neighbours of a tensor in memory, which are read when the first of them is
/// asked for.
class WideRow {
public:
  WideRow(RegionEmitter &e, const MemoryView &view, ArrayRef<Value> columns)
      : e(e), view(view), columns(columns),
        each(std::min<int64_t>(columns.size(), kWideBytes / getBytes(view))) {}

  Value get(ArrayRef<Value> at) {
    const auto *column = llvm::find(columns, at.back());
    if (column == columns.end())
      return e.load(view, at);
    int64_t number = column - columns.begin(), part = number / each;
    SmallVector<Value> first(at);
    first.back() = columns[part * each];
    std::vector<void *> key;
    for (Value index : first)
      key.push_back(index.getAsOpaquePointer());
    SmallVector<Value> &elements = read[key];
    if (elements.empty())
      elements = readAt(first);
    return elements[number % each];
  }

private:
  SmallVector<Value> readAt(ArrayRef<Value> first) {
    Type stored = RegionEmitter::getStorageType(view.elementType);
    Value all = LLVM::LoadOp::create(e.builder(), getMovedType(stored, each),
                                     e.address(view, e.offset(view, first)),
                                     each * getBytes(view));
    SmallVector<Value> elements = takeApart(e, all, stored, each);
    for (Value &element : elements)
      element = e.fromStorage(element, view.elementType);
    return elements;
  }

  RegionEmitter &e;
  MemoryView view;
  SmallVector<Value> columns;
  int64_t each;
  std::map<std::vector<void *>, SmallVector<Value>> read;
};
} // namespace

SmallVector<Value> weft::cuda::readNeighbours(RegionEmitter &e, Value tensor,
                                              ArrayRef<Value> outer,
                                              ArrayRef<Value> columns) {
  auto count = static_cast<int64_t>(columns.size());
  SmallVector<Value> wide;
  for (Value leaf : findMemory(e, tensor)) {
    const MemoryView &view = *e.getMemory(leaf);
    if (count == 1 || view.sizes.empty() || !isDense(view))
      continue;
    std::optional<int64_t> size = getConstantIntValue(view.sizes.back());
    if (!size || *size % count != 0)
      continue;
    auto row = std::make_shared<WideRow>(e, view, columns);
    e.bind(leaf, [row](ArrayRef<Value> at) { return row->get(at); });
    wide.push_back(leaf);
  }
  SmallVector<Value> elements;
  for (Value column : columns) {
    SmallVector<Value> at(outer);
    at.push_back(column);
    elements.push_back(e.element(tensor, at));
  }
  for (Value leaf : wide) {
    MemoryView view = *e.getMemory(leaf);
    e.bind(leaf, [&e, view](ArrayRef<Value> at) { return e.load(view, at); });
  }
  return elements;
}
