//===- KernelBuilder.h - Functions of one CPU kernel ----------------------===//

#ifndef WEFT_LIB_CODEGEN_CPU_KERNELBUILDER_H
#define WEFT_LIB_CODEGEN_CPU_KERNELBUILDER_H

#include "weft/Codegen/CPU/Target.h"
#include "weft/Codegen/Common/RegionKernel.h"

namespace weft::cpu {

/// Makes the functions of the kernel that computes one `dispatch.region`, and
/// the `dispatch.kernel` that names them. A kernel is one task or several, each
/// a parallel loop; the tasks run one after the other.
class KernelBuilder : public RegionKernel {
public:
  KernelBuilder(dispatch::RegionOp region, llvm::StringRef name,
                mlir::ModuleOp module, const TargetDescription &target)
      : RegionKernel(region, name, module), target(target) {}

  const TargetDescription &getTarget() const { return target; }

  using BodyFn = llvm::function_ref<void(RegionEmitter &, mlir::Value begin,
                                         mlir::Value end)>;

  /// Adds a parallel loop. `count` emits its number of iterations (`index`),
  /// `body` the code that runs iterations [begin, end). Each is called once,
  /// with an emitter of its own function in which the region's operands are
  /// bound.
  void addTask(CountFn count, BodyFn body);

  /// Reserves `bytes` of each thread's scratch for the kernel being built, and
  /// returns their offset.
  int64_t reserveScratch(int64_t bytes);
  /// The address of reserved scratch, within a body.
  mlir::Value scratchAddress(RegionEmitter &emitter, int64_t offset);

  /// Creates the `dispatch.kernel`.
  dispatch::KernelOp finish();

private:
  void bindFaults(RegionEmitter &emitter, mlir::Value run);
  mlir::func::FuncOp declareFault();
  /// A global that holds `text` and a zero byte.
  mlir::LLVM::GlobalOp declareText(llvm::StringRef text);

  const TargetDescription &target;
  llvm::SmallVector<mlir::Attribute> tasks, counts;
  int64_t scratchBytes = 0;
  bool canFault = false;
  mlir::Value scratch; // of the body being emitted
};

} // namespace weft::cpu

#endif // WEFT_LIB_CODEGEN_CPU_KERNELBUILDER_H
