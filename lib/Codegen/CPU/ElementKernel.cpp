//===- ElementKernel.cpp - Kernels that compute element by element --------===//

#include "Kernels.h"
#include "weft/Codegen/Common/RegionLoops.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

/// Rows (all loops but the last) per iteration of the parallel loop, so that an
/// iteration has at least kGrain elements.
static Value rowsPerIteration(RegionEmitter &e, ValueRange sizes) {
  Value inner = sizes.empty() ? e.index(1) : sizes.back();
  return e.max(e.index(1), e.div(e.index(kGrain), e.max(inner, e.index(1))));
}

/// The iterations of a loop: one loop is cut into pieces, several into groups
/// of rows.
static Value countIterations(RegionEmitter &e, ArrayRef<Value> sizes) {
  if (sizes.size() == 1)
    return e.ceilDiv(sizes[0], e.index(kGrain));
  Value rows = sizes.empty() ? e.index(1) : e.product(sizes.drop_back());
  return e.ceilDiv(rows, rowsPerIteration(e, sizes));
}

/// Runs iterations [begin, end).
static void emitIterations(RegionEmitter &e, ArrayRef<Value> sizes,
                           llvm::function_ref<void(ArrayRef<Value>)> body,
                           Value begin, Value end) {
  auto loop = [&](Value from, Value to, llvm::function_ref<void(Value)> work) {
    e.loop(from, to, {}, [&](Value i, ValueRange) {
      work(i);
      return SmallVector<Value>();
    });
  };
  if (sizes.size() == 1) {
    Value grain = e.index(kGrain);
    Value last = e.min(e.mul(end, grain), sizes[0]);
    return loop(e.mul(begin, grain), last, [&](Value i) { body(i); });
  }
  ArrayRef<Value> outer = sizes.empty() ? sizes : sizes.drop_back();
  Value step = rowsPerIteration(e, sizes);
  Value last = e.min(e.mul(end, step), e.product(outer));
  loop(e.mul(begin, step), last, [&](Value row) {
    SmallVector<Value> indices = e.delinearize(row, outer);
    if (sizes.empty())
      return body({});
    loop(e.index(0), sizes.back(), [&](Value i) {
      indices.push_back(i);
      body(indices);
      indices.pop_back();
    });
  });
}

/// Adds a task for a loop whose iterations are elements.
static auto addElementTask(KernelBuilder &kernel) {
  return [&kernel](LoopFn loop) {
    kernel.addTask(
        [&](RegionEmitter &e) {
          Value count;
          loop(e, [&](ArrayRef<Value> sizes, auto) {
            count = countIterations(e, sizes);
          });
          return count;
        },
        [&](RegionEmitter &e, Value begin, Value end) {
          loop(e, [&](ArrayRef<Value> sizes, auto body) {
            emitIterations(e, sizes, body, begin, end);
          });
        });
  };
}

bool weft::cpu::emitUpdateKernel(KernelBuilder &kernel) {
  return addUpdateLoop(kernel, addElementTask(kernel));
}

void weft::cpu::emitElementKernel(KernelBuilder &kernel) {
  addElementLoops(kernel, addElementTask(kernel));
}

bool weft::cpu::emitLoopKernel(KernelBuilder &kernel) {
  return addOwnLoops(kernel, [&](LoopFn loop) {
    kernel.addTask(
        [&](RegionEmitter &e) {
          Value count;
          loop(e,
               [&](ArrayRef<Value> sizes, auto) { count = e.product(sizes); });
          return count ? count : e.index(0);
        },
        [&](RegionEmitter &e, Value begin, Value end) {
          loop(e, [&](ArrayRef<Value> sizes, auto body) {
            e.loop(begin, end, {}, [&](Value i, ValueRange) {
              body(e.delinearize(i, sizes));
              return SmallVector<Value>();
            });
          });
        });
  });
}
