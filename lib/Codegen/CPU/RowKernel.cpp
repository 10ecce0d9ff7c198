//===- RowKernel.cpp - Reductions, softmax and normalisations -------------===//
//
// One iteration of the parallel loop takes a few rows, one after the other. A
// row stays in the cache between the sweeps over it.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "weft/Codegen/Common/Rows.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
/// A row in one thread, from the first element to the last.
struct SerialRow : RowLoops {
  SmallVector<Value> reduce(RegionEmitter &e, ValueRange sizes,
                            ValueRange inits, StepFn step, CombineFn) override {
    return e.loopNest(llvm::to_vector(sizes), inits, step);
  }
  void store(RegionEmitter &e, ValueRange sizes, ArrayRef<Value> outer,
             ArrayRef<MemoryView> views, ComputeFn compute) override {
    e.loopNest(llvm::to_vector(sizes), {}, [&](ArrayRef<Value> i, ValueRange) {
      SmallVector<Value> indices(outer);
      llvm::append_range(indices, i);
      // All is read before anything is written, which may be in place.
      for (auto [view, element] : llvm::zip_equal(views, compute(indices)))
        e.store(view, indices, element);
      return SmallVector<Value>();
    });
  }
  void once(RegionEmitter &, llvm::function_ref<void()> body) override {
    body();
  }
};
} // namespace

/// Rows per iteration of the parallel loop.
static Value rowsPerIteration(RegionEmitter &e, ValueRange innerSizes) {
  Value inner = e.max(e.product(innerSizes), e.index(1));
  return e.max(e.index(1), e.div(e.index(kGrain), inner));
}

bool weft::cpu::emitRowKernel(KernelBuilder &kernel) {
  std::optional<RowPlan> plan = RowPlan::create(kernel);
  if (!plan)
    return false;
  kernel.addTask(
      [&](RegionEmitter &e) {
        RowPlan::Sizes sizes = plan->begin(e);
        return e.ceilDiv(e.product(sizes.outer),
                         rowsPerIteration(e, sizes.inner));
      },
      [&](RegionEmitter &e, Value begin, Value end) {
        RowPlan::Sizes sizes = plan->begin(e);
        SerialRow loops;
        Value step = rowsPerIteration(e, sizes.inner);
        Value last = e.min(e.mul(end, step), e.product(sizes.outer));
        e.loop(e.mul(begin, step), last, {}, [&](Value number, ValueRange) {
          plan->emitRow(e, kernel, loops, sizes,
                        e.delinearize(number, sizes.outer));
          return SmallVector<Value>();
        });
      });
  return true;
}
