//===- ElementKernel.cpp - Kernels whose threads compute elements ---------===//

#include "Kernels.h"
#include "weft/Codegen/Common/RegionLoops.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

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

void weft::cuda::emitElementKernel(KernelBuilder &kernel) {
  addElementLoops(kernel, addLoopTask(kernel));
}
