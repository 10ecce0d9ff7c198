//===- ElementKernel.cpp - Kernels whose threads compute elements ---------===//
//
// Where all is elementwise, a thread computes neighbours along the innermost
// dimension, as many as fill 16 bytes of the widest type, and reads and writes
// them at once.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Neighbours.h"
#include "Shuffle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "weft/Codegen/Common/RegionLoops.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"
#include <algorithm>

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

//===----------------------------------------------------------------------===//
// One iteration per thread
//===----------------------------------------------------------------------===//

/// Adds a task whose threads are the iterations of a loop.
static auto addLoopTask(KernelBuilder &kernel) {
  return [&kernel](LoopFn loop) {
    kernel.addThreads(
        [&](RegionEmitter &e) {
          Value count;
          loop(e,
               [&](ArrayRef<Value> sizes, auto) { count = e.product(sizes); });
          return count ? count : e.index(0);
        },
        [&](RegionEmitter &e, Value number) {
          loop(e, [&](ArrayRef<Value> sizes, auto body) {
            body(e.delinearize(number, sizes));
          });
        });
  };
}

bool weft::cuda::emitUpdateKernel(KernelBuilder &kernel) {
  return addUpdateLoop(kernel, addLoopTask(kernel));
}

bool weft::cuda::emitLoopKernel(KernelBuilder &kernel) {
  return addOwnLoops(kernel, addLoopTask(kernel));
}

//===----------------------------------------------------------------------===//
// Neighbours
//===----------------------------------------------------------------------===//

namespace {
/// A loop whose threads take neighbours. Where their number does not divide the
/// loop, the last thread takes what is left one by one.
class WideLoop {
public:
  WideLoop(RegionEmitter &e, const ElementLoop &loop);

  Value count() { return e.product(sizes); }
  void emit(Value thread);

private:
  bool hasRest() const;
  void emitNeighbours(ArrayRef<Value> outer, Value first);

  RegionEmitter &e;
  const ElementLoop &loop;
  SmallVector<Value> sizes; ///< in groups of neighbours
  Neighbours neighbours;
};
} // namespace

/// What neighbours read: nothing where an element may depend on any other.
static SmallVector<Value> getLeaves(const ElementLoop &loop) {
  return loop.isElementwise() ? loop.getLeaves() : SmallVector<Value>();
}

WideLoop::WideLoop(RegionEmitter &e, const ElementLoop &loop)
    : e(e), loop(loop), sizes(loop.getSizes()),
      neighbours(e, getLeaves(loop), loop.getViews(),
                 loop.isElementwise() ? sizes.size() : 0) {
  // The rows of several loops have to begin at a multiple.
  auto isShort = [&](Value size) {
    std::optional<int64_t> known = getConstantIntValue(size);
    return known && *known < neighbours.getCount();
  };
  if (sizes.size() > 1 || (sizes.size() == 1 && isShort(sizes.back())))
    neighbours.divide(sizes.back());
  neighbours.limitRegisters();
  if (neighbours.getCount() > 1)
    sizes.back() = e.ceilDiv(sizes.back(), e.index(neighbours.getCount()));
}

bool WideLoop::hasRest() const {
  std::optional<int64_t> size = getConstantIntValue(loop.getSizes().back());
  return !size || *size % neighbours.getCount() != 0;
}

void WideLoop::emitNeighbours(ArrayRef<Value> outer, Value first) {
  SmallVector<SmallVector<Value>> indices = neighbours.getIndices(outer, first);
  neighbours.load(indices);
  neighbours.store(indices, [&](ArrayRef<Value> at) {
    return llvm::map_to_vector(loop.getRoots(),
                               [&](Value root) { return e.element(root, at); });
  });
}

void WideLoop::emit(Value thread) {
  SmallVector<Value> indices = e.delinearize(thread, sizes);
  int64_t count = neighbours.getCount();
  if (count == 1)
    return loop.emit(indices);
  ImplicitLocOpBuilder &b = e.builder();
  Value first = e.mul(indices.pop_back_val(), e.index(count));
  if (!hasRest())
    return emitNeighbours(indices, first);
  Value end = loop.getSizes().back();
  Value isWhole = arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                                        e.add(first, e.index(count)), end);
  auto ifOp = scf::IfOp::create(b, isWhole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  emitNeighbours(indices, first);
  b.setInsertionPointToStart(ifOp.elseBlock());
  e.loop(first, end, {}, [&](Value i, ValueRange) {
    SmallVector<Value> at(indices);
    at.push_back(i);
    loop.emit(at);
    return SmallVector<Value>();
  });
}

//===----------------------------------------------------------------------===//
// Results of several shapes
//===----------------------------------------------------------------------===//

/// Threads of a block.
static constexpr int32_t kThreads = 256;

namespace {
/// Groups of results that one launch computes, in blocks of their own.
class BlockRanges {
public:
  using Groups = ArrayRef<SmallVector<unsigned>>;

  BlockRanges(RegionEmitter &e, KernelBuilder &kernel, Groups groups);

  Value count() { return ends.back(); }
  void emit(Value block) { emitSome(block, 0, groups.size()); }

private:
  /// Those of groups `begin` to `end` that `block` belongs to.
  void emitSome(Value block, size_t begin, size_t end);
  void emitOne(Value block, size_t number);

  RegionEmitter &e;
  KernelBuilder &kernel;
  Groups groups;
  SmallVector<Value> ends; ///< of the groups' blocks
};
} // namespace

BlockRanges::BlockRanges(RegionEmitter &e, KernelBuilder &kernel, Groups groups)
    : e(e), kernel(kernel), groups(groups) {
  Value end = e.index(0);
  for (ArrayRef<unsigned> group : groups) {
    // Each group has its own view of what it reads.
    RegionEmitter own(e);
    ElementLoop loop(own, kernel, group);
    Value count = WideLoop(own, loop).count();
    end = e.add(end, e.ceilDiv(count, e.index(kThreads)));
    ends.push_back(end);
  }
}

void BlockRanges::emitOne(Value block, size_t number) {
  ImplicitLocOpBuilder &b = e.builder();
  Value first = number == 0 ? e.index(0) : ends[number - 1];
  Value thread =
      e.add(e.mul(e.sub(block, first), e.index(kThreads)), emitThread(e));
  RegionEmitter own(e);
  ElementLoop loop(own, kernel, groups[number]);
  WideLoop wide(own, loop);
  Value exists =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, thread, wide.count());
  auto ifOp = scf::IfOp::create(b, exists, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  wide.emit(thread);
}

void BlockRanges::emitSome(Value block, size_t begin, size_t end) {
  if (end - begin == 1)
    return emitOne(block, begin);
  ImplicitLocOpBuilder &b = e.builder();
  size_t middle = (begin + end) / 2;
  Value isBefore = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, block,
                                         ends[middle - 1]);
  auto ifOp = scf::IfOp::create(b, isBefore, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  emitSome(block, begin, middle);
  b.setInsertionPointToStart(ifOp.elseBlock());
  emitSome(block, middle, end);
}

/// The region's inputs that `root` is computed from, but for numbers.
static llvm::SmallDenseSet<Value> findInputs(Value root) {
  llvm::SmallDenseSet<Value> inputs;
  llvm::SetVector<Value> seen;
  seen.insert(root);
  for (size_t i = 0; i < seen.size(); ++i) {
    Value value = seen[i];
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (Operation *op = value.getDefiningOp())
      seen.insert(op->operand_begin(), op->operand_end());
    else if (type && type.getRank() > 0)
      inputs.insert(value);
  }
  return inputs;
}

/// Takes results of one shape apart that are computed from different inputs,
/// since no thread gains from computing them together.
static void splitGroup(KernelBuilder &kernel, ArrayRef<unsigned> group,
                       SmallVectorImpl<SmallVector<unsigned>> &parts) {
  struct Part {
    SmallVector<unsigned> results;
    llvm::SmallDenseSet<Value> inputs;
  };
  SmallVector<Part> found;
  for (unsigned number : group) {
    Part part{{number}, findInputs(kernel.getYields()[number])};
    auto isApart = [&](const Part &other) {
      return llvm::none_of(other.inputs, [&](Value input) {
        return part.inputs.contains(input);
      });
    };
    // Those that share an input with it join it.
    auto joined = std::stable_partition(found.begin(), found.end(), isApart);
    for (Part &other : llvm::make_range(joined, found.end())) {
      part.results.append(other.results);
      part.inputs.insert_range(other.inputs);
    }
    found.erase(joined, found.end());
    llvm::sort(part.results);
    found.push_back(std::move(part));
  }
  for (Part &part : found)
    parts.push_back(std::move(part.results));
}

void weft::cuda::emitElementKernel(KernelBuilder &kernel) {
  SmallVector<SmallVector<unsigned>> groups;
  for (ArrayRef<unsigned> group : groupResults(kernel))
    if (!addTransposeTask(kernel, group))
      splitGroup(kernel, group, groups);
  if (groups.size() == 1)
    return kernel.addThreads(
        [&](RegionEmitter &e) {
          ElementLoop loop(e, kernel, groups.front());
          return WideLoop(e, loop).count();
        },
        [&](RegionEmitter &e, Value number) {
          ElementLoop loop(e, kernel, groups.front());
          WideLoop(e, loop).emit(number);
        });
  if (groups.empty())
    return;
  kernel.addBlocks(
      kThreads,
      [&](RegionEmitter &e) { return BlockRanges(e, kernel, groups).count(); },
      [&](RegionEmitter &e, Value block) {
        BlockRanges(e, kernel, groups).emit(block);
      });
}
