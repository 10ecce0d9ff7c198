//===- ElementKernel.cpp - Kernels that compute element by element --------===//

#include "Kernels.h"
#include "weft/Codegen/Common/IterationSpace.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
/// Results of one shape, which one loop nest computes together.
struct Group {
  SmallVector<unsigned> results;
};
} // namespace

/// Puts results of equal type shapes together.
static SmallVector<Group> groupResults(KernelBuilder &kernel) {
  SmallVector<Group> groups;
  SmallVector<ArrayRef<int64_t>> shapes;
  for (auto [number, value] : llvm::enumerate(kernel.getYields())) {
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(value.getType()).getShape();
    auto it = llvm::find(shapes, shape);
    // Symbolic sizes of equal looks may differ.
    if (it == shapes.end() || ShapedType::isDynamicShape(shape)) {
      shapes.push_back(shape);
      groups.push_back({{static_cast<unsigned>(number)}});
    } else {
      groups[it - shapes.begin()].results.push_back(number);
    }
  }
  return groups;
}

/// Rows (all loops but the last) per iteration of the parallel loop, so that an
/// iteration has at least kGrain elements.
static Value rowsPerIteration(RegionEmitter &e, ValueRange sizes) {
  Value inner = sizes.empty() ? e.index(1) : sizes.back();
  return e.max(e.index(1), e.div(e.index(kGrain), e.max(inner, e.index(1))));
}

namespace {
/// The loops of one group in one function.
struct Nest {
  std::optional<IterationSpace> space;
  SmallVector<Value> sizes;
  SmallVector<MemoryView> views;

  Nest(RegionEmitter &e, KernelBuilder &kernel, const Group &group) {
    SmallVector<Value> roots;
    for (unsigned number : group.results)
      roots.push_back(kernel.getYields()[number]);
    space = IterationSpace::create(
        roots, cast<RankedTensorType>(roots[0].getType()), {}, {}, {});
    MemoryView first = kernel.resultView(group.results[0]);
    sizes = first.sizes;
    if (space)
      sizes = space->bind(e, first.sizes);
    for (unsigned number : group.results) {
      MemoryView view = kernel.resultView(number);
      views.push_back(space ? space->joinFull(e, view) : view);
    }
  }
};
} // namespace

static void storeElements(RegionEmitter &e, KernelBuilder &kernel,
                          const Group &group, const Nest &nest,
                          ArrayRef<Value> indices) {
  // All is read before anything is written, which may be in place.
  SmallVector<Value> elements;
  for (unsigned number : group.results)
    elements.push_back(e.element(kernel.getYields()[number], indices));
  for (auto [view, element] : llvm::zip_equal(nest.views, elements))
    e.store(view, indices, element);
}

namespace {
/// Loops over `sizes`, and what is done at each index.
struct Loops {
  SmallVector<Value> sizes;
  std::function<void(ArrayRef<Value>)> body;
};
} // namespace

/// Adds a task that runs the loops which `make` gives in each function.
static void addLoops(KernelBuilder &kernel,
                     llvm::function_ref<Loops(RegionEmitter &)> make) {
  kernel.addTask(
      [&](RegionEmitter &e) {
        Loops loops = make(e);
        // One loop is cut into pieces, several into groups of rows.
        if (loops.sizes.size() == 1)
          return e.ceilDiv(loops.sizes[0], e.index(kGrain));
        Value rows = loops.sizes.empty()
                         ? e.index(1)
                         : e.product(ValueRange(loops.sizes).drop_back());
        return e.ceilDiv(rows, rowsPerIteration(e, loops.sizes));
      },
      [&](RegionEmitter &e, Value begin, Value end) {
        Loops loops = make(e);
        if (loops.sizes.size() == 1) {
          Value grain = e.index(kGrain);
          Value last = e.min(e.mul(end, grain), loops.sizes[0]);
          e.loop(e.mul(begin, grain), last, {}, [&](Value i, ValueRange) {
            loops.body(i);
            return SmallVector<Value>();
          });
          return;
        }
        ValueRange outer = ValueRange(loops.sizes);
        if (!outer.empty())
          outer = outer.drop_back();
        Value step = rowsPerIteration(e, loops.sizes);
        Value last = e.min(e.mul(end, step), e.product(outer));
        e.loop(e.mul(begin, step), last, {}, [&](Value row, ValueRange) {
          SmallVector<Value> indices = e.delinearize(row, outer);
          if (loops.sizes.empty()) {
            loops.body({});
            return SmallVector<Value>();
          }
          e.loop(e.index(0), loops.sizes.back(), {}, [&](Value i, ValueRange) {
            indices.push_back(i);
            loops.body(indices);
            indices.pop_back();
            return SmallVector<Value>();
          });
          return SmallVector<Value>();
        });
      });
}

static void emitGroup(KernelBuilder &kernel, const Group &group) {
  addLoops(kernel, [&](RegionEmitter &e) {
    auto nest = std::make_shared<Nest>(e, kernel, group);
    return Loops{nest->sizes, [&, nest](ArrayRef<Value> indices) {
                   storeElements(e, kernel, group, *nest, indices);
                 }};
  });
}

bool weft::cpu::emitUpdateKernel(KernelBuilder &kernel) {
  if (kernel.getYields().size() != 1 ||
      kernel.getRegion().getInPlaceInput(0) < 0)
    return false;
  auto op = kernel.getYields()[0].getDefiningOp<UpdateOpInterface>();
  if (!op || !isa<BlockArgument>(op.getUpdated().get()))
    return false;
  addLoops(kernel, [&](RegionEmitter &e) {
    Value updates = op.getUpdates().get();
    return Loops{e.sizes(updates), [&, updates](ArrayRef<Value> indices) {
                   Value element = e.element(updates, indices);
                   e.store(kernel.resultView(0), op.emitTarget(e, indices),
                           element);
                 }};
  });
  return true;
}

void weft::cpu::emitElementKernel(KernelBuilder &kernel) {
  for (const Group &group : groupResults(kernel))
    emitGroup(kernel, group);
}

bool weft::cpu::emitLoopKernel(KernelBuilder &kernel) {
  LoopOpInterface op;
  for (Value value : kernel.getYields())
    if (auto loopOp = value.getDefiningOp<LoopOpInterface>())
      op = loopOp;
  if (!op)
    return false;

  // The op calls parallel() once per loop; each call becomes a task. Since the
  // bodies are emitted one function at a time, the op is asked once per loop
  // and function, and only the loop in question is emitted.
  unsigned numLoops = 1;
  for (unsigned wanted = 0; wanted < numLoops; ++wanted) {
    auto run = [&](RegionEmitter &e, RegionEmitter::ParallelFn take) {
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
      numLoops = std::max(number, 1u);
    };
    kernel.addTask(
        [&](RegionEmitter &e) {
          Value count;
          run(e,
              [&](ArrayRef<Value> sizes, auto) { count = e.product(sizes); });
          return count ? count : e.index(0);
        },
        [&](RegionEmitter &e, Value begin, Value end) {
          run(e, [&](ArrayRef<Value> sizes, auto body) {
            e.loop(begin, end, {}, [&](Value i, ValueRange) {
              body(e.delinearize(i, sizes));
              return SmallVector<Value>();
            });
          });
        });
  }
  return true;
}
