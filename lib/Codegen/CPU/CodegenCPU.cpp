//===- CodegenCPU.cpp - From regions to CPU kernels -----------------------===//

#include "Kernels.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/OperationSupport.h"
#include "weft/Codegen/CPU/Passes.h"
#include "llvm/ADT/StringSet.h"

namespace weft {
#define GEN_PASS_DEF_GENERATECPUKERNELSPASS
#include "weft/Codegen/CPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

/// A name that tells what the region computes: its heaviest op, or how many.
static std::string chooseName(dispatch::RegionOp region) {
  StringRef best;
  for (Operation &op : region.getBody().front().without_terminator()) {
    if (isa<ConstantOp, BroadcastOp>(op))
      continue;
    auto indexed = dyn_cast<IndexedOpInterface>(op);
    if (!indexed || !indexed.isCheap())
      return op.getName().stripDialect().str();
    if (best.empty() || isa<ScalarOpInterface>(op))
      best = op.getName().stripDialect();
  }
  return best.empty() ? "copy" : best.str();
}

namespace {
/// Regions that can share a kernel compare equal here.
struct RegionInfo : llvm::DenseMapInfo<Operation *> {
  static unsigned getHashValue(const Operation *op) {
    return OperationEquivalence::computeHash(
        const_cast<Operation *>(op), OperationEquivalence::ignoreHashValue,
        OperationEquivalence::ignoreHashValue,
        OperationEquivalence::IgnoreLocations);
  }
  static bool isEqual(const Operation *lhs, const Operation *rhs) {
    if (lhs == rhs)
      return true;
    if (lhs == getTombstoneKey() || lhs == getEmptyKey() ||
        rhs == getTombstoneKey() || rhs == getEmptyKey())
      return false;
    auto one = cast<dispatch::RegionOp>(const_cast<Operation *>(lhs));
    auto two = cast<dispatch::RegionOp>(const_cast<Operation *>(rhs));
    return one.getResultTypes() == two.getResultTypes() &&
           one.getInPlace() == two.getInPlace() &&
           OperationEquivalence::isRegionEquivalentTo(
               &one.getBody(), &two.getBody(),
               OperationEquivalence::IgnoreLocations);
  }
};

struct GenerateCPUKernels
    : weft::impl::GenerateCPUKernelsPassBase<GenerateCPUKernels> {
  void runOnOperation() override;

private:
  dispatch::KernelOp getKernel(dispatch::RegionOp region);

  TargetDescription target;
  llvm::DenseMap<Operation *, dispatch::KernelOp, RegionInfo> kernels;
  llvm::StringMap<unsigned> names;
};
} // namespace

dispatch::KernelOp GenerateCPUKernels::getKernel(dispatch::RegionOp region) {
  dispatch::KernelOp &kernel = kernels[region];
  if (kernel) {
    ++numShared;
    kernel.setNodesAttr(getNodes(region, kernel.getNodes()));
    return kernel;
  }
  ++numKernels;
  std::string name = chooseName(region);
  name += "_" + std::to_string(names[name]++);
  KernelBuilder builder(region, name, getOperation(), target);
  if (!emitUpdateKernel(builder) && !emitLoopKernel(builder) &&
      !emitContractionKernel(builder) && !emitWindowKernel(builder) &&
      !emitRowKernel(builder))
    emitElementKernel(builder);
  return kernel = builder.finish();
}

void GenerateCPUKernels::runOnOperation() {
  target = TargetDescription::get(getOperation());
  kernels.clear();
  names.clear();
  SmallVector<dispatch::RegionOp> regions;
  getOperation().walk([&](dispatch::RegionOp op) { regions.push_back(op); });
  SmallVector<dispatch::RegionOp> done;
  for (dispatch::RegionOp region : regions) {
    dispatch::KernelOp kernel = getKernel(region);
    OpBuilder b(region);
    auto launch = dispatch::LaunchOp::create(
        b, region.getLoc(), region.getResultTypes(),
        FlatSymbolRefAttr::get(kernel.getSymNameAttr()), region.getInputs(),
        region.getScalars(), region.getResultSizes());
    region.replaceAllUsesWith(launch.getResults());
    done.push_back(region);
  }
  kernels.clear();
  for (dispatch::RegionOp region : done)
    region.erase();
}
