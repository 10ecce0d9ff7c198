//===- ElementKernel.cpp - Kernels whose threads compute elements ---------===//
//
// Where all is elementwise, a thread computes neighbours along the innermost
// dimension, as many as fill 16 bytes of the widest type, and reads and writes
// them at once.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Neighbours.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "weft/Codegen/Common/RegionLoops.h"

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

void weft::cuda::emitElementKernel(KernelBuilder &kernel) {
  for (const SmallVector<unsigned> &group : groupResults(kernel)) {
    if (addTransposeTask(kernel, group))
      continue;
    kernel.addThreads(
        [&](RegionEmitter &e) {
          ElementLoop loop(e, kernel, group);
          return WideLoop(e, loop).count();
        },
        [&](RegionEmitter &e, Value number) {
          ElementLoop loop(e, kernel, group);
          WideLoop(e, loop).emit(number);
        });
  }
}
