//===- RegionLoops.cpp - The parallel loops that compute a region ---------===//

#include "weft/Codegen/Common/RegionLoops.h"
#include "weft/Codegen/Common/IterationSpace.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

SmallVector<SmallVector<unsigned>> weft::groupResults(RegionKernel &kernel) {
  SmallVector<SmallVector<unsigned>> groups;
  SmallVector<ArrayRef<int64_t>> shapes;
  for (auto [number, value] : llvm::enumerate(kernel.getYields())) {
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(value.getType()).getShape();
    auto it = llvm::find(shapes, shape);
    // Symbolic sizes of equal looks may differ.
    if (it == shapes.end() || ShapedType::isDynamicShape(shape)) {
      shapes.push_back(shape);
      groups.push_back({static_cast<unsigned>(number)});
    } else {
      groups[it - shapes.begin()].push_back(number);
    }
  }
  return groups;
}

ElementLoop::ElementLoop(RegionEmitter &e, RegionKernel &kernel,
                         ArrayRef<unsigned> results)
    : e(e) {
  for (unsigned number : results)
    roots.push_back(kernel.getYields()[number]);
  space = IterationSpace::create(
      roots, cast<RankedTensorType>(roots[0].getType()), {}, {}, {});
  sizes = kernel.resultView(results[0]).sizes;
  if (space)
    sizes = space->bind(e, sizes);
  for (unsigned number : results) {
    const MemoryView &view = kernel.resultView(number);
    views.push_back(space ? space->joinFull(e, view) : view);
  }
}

void ElementLoop::emit(ArrayRef<Value> indices) const {
  // All is read before anything is written, which may be in place.
  SmallVector<Value> elements;
  for (Value root : roots)
    elements.push_back(e.element(root, indices));
  for (auto [view, element] : llvm::zip_equal(views, elements))
    e.store(view, indices, element);
}

void weft::addElementLoops(RegionKernel &kernel, AddLoopFn add) {
  for (const SmallVector<unsigned> &group : groupResults(kernel))
    add([&](RegionEmitter &e, TakeLoopFn take) {
      ElementLoop loop(e, kernel, group);
      take(loop.getSizes(),
           [&](ArrayRef<Value> indices) { loop.emit(indices); });
    });
}

//===----------------------------------------------------------------------===//
// Ops with loops of their own
//===----------------------------------------------------------------------===//

bool weft::addUpdateLoop(RegionKernel &kernel, AddLoopFn add) {
  if (kernel.getYields().size() != 1 ||
      kernel.getRegion().getInPlaceInput(0) < 0)
    return false;
  auto op = kernel.getYields()[0].getDefiningOp<UpdateOpInterface>();
  if (!op || !isa<BlockArgument>(op.getUpdated().get()))
    return false;
  add([&](RegionEmitter &e, TakeLoopFn take) {
    Value updates = op.getUpdates().get();
    take(e.sizes(updates), [&](ArrayRef<Value> indices) {
      Value element = e.element(updates, indices);
      e.store(kernel.resultView(0), op.emitTarget(e, indices), element);
    });
  });
  return true;
}

/// Emits loop number `wanted` of those that `op` has, and counts them.
static unsigned emitOwnLoop(RegionEmitter &e, RegionKernel &kernel,
                            LoopOpInterface op, unsigned wanted,
                            TakeLoopFn take) {
  SmallVector<MemoryView> views;
  for (OpResult result : op->getResults()) {
    auto it = llvm::find(kernel.getYields(), Value(result));
    views.push_back(
        kernel.resultView(std::distance(kernel.getYields().begin(), it)));
  }
  unsigned number = 0;
  e.setLoopTarget(views, [&](ArrayRef<Value> sizes, auto body) {
    if (number++ == wanted)
      take(sizes, body);
  });
  op.emitLoops(e);
  return number;
}

bool weft::addOwnLoops(RegionKernel &kernel, AddLoopFn add) {
  LoopOpInterface op;
  for (Value value : kernel.getYields())
    if (auto loopOp = value.getDefiningOp<LoopOpInterface>())
      op = loopOp;
  if (!op)
    return false;
  // The op calls parallel() once per loop; each call becomes a loop of the
  // kernel. Since bodies are emitted one function at a time, the op is asked
  // once per loop and function, and only the loop in question is emitted.
  unsigned numLoops = 1;
  for (unsigned wanted = 0; wanted < numLoops; ++wanted)
    add([&](RegionEmitter &e, TakeLoopFn take) {
      numLoops = std::max(emitOwnLoop(e, kernel, op, wanted, take), 1u);
    });
  return true;
}
