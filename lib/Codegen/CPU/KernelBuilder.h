//===- KernelBuilder.h - Functions of one CPU kernel ----------------------===//

#ifndef WEFT_LIB_CODEGEN_CPU_KERNELBUILDER_H
#define WEFT_LIB_CODEGEN_CPU_KERNELBUILDER_H

#include "weft/Codegen/CPU/Target.h"
#include "weft/Codegen/Common/RegionEmitter.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft::cpu {

/// Makes the functions of the kernel that computes one `dispatch.region`, and
/// the `dispatch.kernel` that names them. A kernel is one task or several, each
/// a parallel loop; the tasks run one after the other.
class KernelBuilder {
public:
  /// The functions go to the end of `module`, under names that begin with
  /// `name`.
  KernelBuilder(dispatch::RegionOp region, llvm::StringRef name,
                mlir::ModuleOp module, const TargetDescription &target);

  dispatch::RegionOp getRegion() { return region; }
  const TargetDescription &getTarget() const { return target; }
  /// What the region yields, by result.
  mlir::OperandRange getYields() { return region.getYield().getResults(); }

  using CountFn = llvm::function_ref<mlir::Value(RegionEmitter &)>;
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

  /// The memory of result `index` in the function that `emitter` emits.
  MemoryView resultView(RegionEmitter &emitter, unsigned index);

  /// Creates the `dispatch.kernel`.
  dispatch::KernelOp finish();

private:
  mlir::func::FuncOp createFunction(llvm::StringRef suffix,
                                    mlir::TypeRange types);
  llvm::SmallVector<mlir::Value> loadWords(mlir::ImplicitLocOpBuilder &b,
                                           mlir::Value args);
  void bindOperands(RegionEmitter &emitter, mlir::ValueRange words);
  void bindFaults(RegionEmitter &emitter, mlir::Value run);
  mlir::func::FuncOp declareFault();
  /// A global that holds `text` and a zero byte.
  mlir::LLVM::GlobalOp declareText(llvm::StringRef text);

  dispatch::RegionOp region;
  std::string name;
  mlir::ModuleOp module;
  const TargetDescription &target;
  mlir::OpBuilder moduleBuilder;
  llvm::SmallVector<mlir::Attribute> tasks, counts;
  int64_t scratchBytes = 0;
  bool canFault = false;
  mlir::Value scratch;                       // of the body being emitted
  llvm::SmallVector<MemoryView> resultViews; // likewise
};

/// The names of the ONNX nodes that `region` computes, after those in `known`.
mlir::ArrayAttr getNodes(dispatch::RegionOp region, mlir::ArrayAttr known = {});

} // namespace weft::cpu

#endif // WEFT_LIB_CODEGEN_CPU_KERNELBUILDER_H
