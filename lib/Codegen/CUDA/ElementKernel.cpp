//===- ElementKernel.cpp - Kernels whose threads compute elements ---------===//
//
// Where all is elementwise, a thread computes neighbours along the innermost
// dimension, as many as fill 16 bytes of the widest type, and reads and writes
// them at once.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "WideLoop.h"
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
// Elements
//===----------------------------------------------------------------------===//

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
  if (groups.size() > 1)
    return addPartsTask(kernel, groups);
  if (groups.empty())
    return;
  auto make = [&](RegionEmitter &e) {
    ElementLoop loop(e, kernel, groups.front());
    return ElementWork(loop);
  };
  kernel.addThreads(
      [&](RegionEmitter &e) { return WideLoop(e, make(e)).count(); },
      [&](RegionEmitter &e, Value number) {
        WideLoop(e, make(e)).emit(number);
      });
}
