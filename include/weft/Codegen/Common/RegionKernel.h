//===- RegionKernel.h - What kernels of all processors share --------------===//

#ifndef WEFT_CODEGEN_COMMON_REGIONKERNEL_H
#define WEFT_CODEGEN_COMMON_REGIONKERNEL_H

#include "weft/Codegen/Common/RegionEmitter.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft {

/// The functions of the kernel that computes one `dispatch.region`. A
/// processor's builder adds what its tasks look like.
class RegionKernel {
public:
  /// The functions go to the end of `module`, under names that begin with
  /// `name`.
  RegionKernel(dispatch::RegionOp region, llvm::StringRef name,
               mlir::ModuleOp module);

  virtual ~RegionKernel() = default;

  dispatch::RegionOp getRegion() { return region; }
  /// What the region yields, by result.
  mlir::OperandRange getYields() { return region.getYield().getResults(); }

  /// The memory of result `index` in the function that is being emitted.
  const MemoryView &resultView(unsigned index) const {
    return resultViews[index];
  }

protected:
  using CountFn = llvm::function_ref<mlir::Value(RegionEmitter &)>;

  mlir::func::FuncOp createFunction(llvm::StringRef suffix,
                                    mlir::TypeRange types);
  /// A function of the host that takes the address of a launch's words and
  /// returns what `count` emits, as i64.
  mlir::func::FuncOp createCount(llvm::StringRef suffix, CountFn count);
  /// Whether the words of a launch have the address of scratch after those of
  /// the results.
  virtual bool hasScratchWord() const { return false; }
  /// The types of a launch's words: addresses, then numbers, as `index`.
  llvm::SmallVector<mlir::Type> wordTypes();
  /// Loads the words from where they lie one behind the other.
  llvm::SmallVector<mlir::Value> loadWords(mlir::ImplicitLocOpBuilder &b,
                                           mlir::Value address);
  /// Binds the region's operands and results, in the function that `emitter`
  /// emits, to the words of a launch.
  void bindOperands(RegionEmitter &emitter, mlir::ValueRange words);

  dispatch::RegionOp region;
  std::string name;
  mlir::ModuleOp module;
  mlir::OpBuilder moduleBuilder;

private:
  llvm::SmallVector<MemoryView> resultViews;
};

/// The names of the ONNX nodes that `region` computes, after those in `known`.
mlir::ArrayAttr getNodes(dispatch::RegionOp region, mlir::ArrayAttr known = {});

/// Replaces each `dispatch.region` of `module` by a launch of the kernel that
/// `make` generates for it under the name it is given. Regions that are equal
/// but for their operands share a kernel. Returns how many kernels there are,
/// and how many regions use one that was there.
struct KernelCounts {
  unsigned kernels = 0, shared = 0;
};
KernelCounts generateKernels(
    mlir::ModuleOp module,
    llvm::function_ref<dispatch::KernelOp(dispatch::RegionOp, llvm::StringRef)>
        make);

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_REGIONKERNEL_H
