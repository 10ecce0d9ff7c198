//===- KernelBuilder.h - Functions of one CUDA kernel ---------------------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_KERNELBUILDER_H
#define WEFT_LIB_CODEGEN_CUDA_KERNELBUILDER_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "weft/Codegen/Common/RegionKernel.h"
#include <map>

namespace weft::cuda {

/// Makes the functions of the kernel that computes one `dispatch.region`, and
/// the `dispatch.kernel` that names them. A kernel is one task or several, each
/// a grid of blocks; the tasks run one after the other.
class KernelBuilder : public RegionKernel {
public:
  using RegionKernel::RegionKernel;

  using BodyFn =
      llvm::function_ref<void(RegionEmitter &, mlir::Value iteration)>;

  /// Adds a task whose iterations are threads. `count` emits their number
  /// (`index`), `body` the work of one. Each is called once, with an emitter of
  /// its own function in which the region's operands are bound.
  void addThreads(CountFn count, BodyFn body);

  /// Adds a task whose iterations are blocks of `threads` threads, all of which
  /// run `body`. Threads have as many registers as there are if `together`
  /// blocks are to fit a multiprocessor.
  void addBlocks(int32_t threads, CountFn count, BodyFn body,
                 int32_t together = 1);

  /// Shared memory for `count` elements, which nothing else uses; its address
  /// in the function that is being emitted. More than 48 KiB are dynamic, of
  /// which a task has one piece.
  mlir::Value sharedMemory(RegionEmitter &emitter, mlir::Type type,
                           int64_t count, unsigned alignment = 16);

  /// The address of a tensor map (dispatch.tensor_map) of `tensor`, an input of
  /// the region, in the task that is being emitted.
  mlir::Value tensorMap(mlir::BlockArgument tensor,
                        llvm::ArrayRef<int64_t> sizes,
                        llvm::ArrayRef<int64_t> strides,
                        llvm::ArrayRef<int64_t> box, int64_t swizzle);

  /// The address of constant words in device memory.
  mlir::Value constantWords(RegionEmitter &emitter,
                            llvm::ArrayRef<int32_t> words);
  /// Reserves `bytes` of device memory that the tasks of a launch share, and
  /// returns their offset. All is reserved before the first task is added.
  int64_t reserveScratch(int64_t bytes);
  /// The address of reserved scratch in the task that is being emitted.
  mlir::Value scratchAddress(RegionEmitter &emitter, int64_t offset);

  /// Creates the `dispatch.kernel`.
  dispatch::KernelOp finish();

private:
  bool hasScratchWord() const override { return scratchBytes > 0; }
  void addTask(int32_t threads, int64_t iterations, CountFn count, BodyFn body);
  void bindFaults(RegionEmitter &emitter, mlir::Value record);
  /// The number of a place in the model that faults name.
  int32_t getPlace(mlir::Operation *op);

  llvm::SmallVector<mlir::Attribute> tasks, counts, device;
  unsigned numShared = 0;
  std::map<std::vector<int32_t>, mlir::LLVM::GlobalOp> constants;
  int64_t scratchBytes = 0, dynamicShared = 0;
  // Of the task that is being emitted.
  mlir::func::FuncOp task;
  mlir::Value scratch;
  llvm::SmallVector<mlir::Attribute> maps;
  bool canFault = false, taskCanFault = false;
};

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_KERNELBUILDER_H
