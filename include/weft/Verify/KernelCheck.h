//===- KernelCheck.h - Kernels against the reference evaluator ------------===//

#ifndef WEFT_VERIFY_KERNELCHECK_H
#define WEFT_VERIFY_KERNELCHECK_H

#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Verify/Difference.h"
#include "llvm/ADT/StringMap.h"

namespace weft {

/// Compares what kernels of a compiled program compute with what the reference
/// evaluator makes of the regions that they were generated from.
class KernelCheck {
public:
  /// `dispatch` and `kernel` are the same program at those two stages. They
  /// must outlive this object. Fails after an error if they do not belong
  /// together. `scale` is that of getKernelTolerance().
  static mlir::FailureOr<KernelCheck>
  create(mlir::ModuleOp dispatch, mlir::ModuleOp kernel, double scale);

  /// Copies `bytes` of what the words of a launch point at. Returns 0 after a
  /// success.
  using Reader = int32_t(void *to, const void *from, int64_t bytes);
  /// Says how such memory is read; without, it is this process's.
  void readWith(Reader *newReader) { reader = newReader; }

  /// The ONNX nodes that the kernel called `name` computes; null if there is
  /// no such kernel.
  mlir::ArrayAttr getNodes(llvm::StringRef name) const;

  /// Is to be called before each launch of the kernel called `name`, with the
  /// words that its tasks will get. Before the first of its tasks, keeps what
  /// the kernel will write over.
  void announce(llvm::StringRef name, void *const *words);

  /// Is to be called after each launch of the kernel called `name`, with the
  /// words that its tasks got (see dispatch.kernel). After the last of its
  /// tasks, evaluates the region on the kernel's inputs; returns how far each
  /// result is from that. Before, returns an empty list. Fails after an error
  /// if the evaluator finds the inputs illegal.
  mlir::FailureOr<llvm::SmallVector<Difference>> check(llvm::StringRef name,
                                                       void *const *words);

  /// Is to be called after each launch of the kernel called `name` in the place
  /// of check(). If a result is not finite, looks for the first op whose result
  /// is not finite though its operands are, and says which element that is, and
  /// what the op is for; else, and before the last of the kernel's tasks,
  /// returns an empty text. Infinite elements that come from infinite
  /// constants, as in masks, do not count.
  mlir::FailureOr<std::string> findNotFinite(llvm::StringRef name,
                                             void *const *words);

private:
  struct Entry {
    /// Those that share the kernel, in the order of the program.
    llvm::SmallVector<dispatch::RegionOp> regions;
    dispatch::KernelOp kernel;
    size_t launches = 0; ///< of tasks, since the kernel was last checked
    size_t runs = 0;     ///< of the kernel, all its tasks
    /// By input: its bytes, if a result is made in their place.
    llvm::SmallVector<std::vector<char>> kept = {};
  };
  static bool isLastTask(Entry &entry);
  mlir::FailureOr<llvm::SmallVector<HostTensor>>
  takeArguments(const Entry &entry, dispatch::RegionOp region,
                void *const *words,
                llvm::SmallVectorImpl<HostTensor> &results) const;

  llvm::StringMap<Entry> entries;
  Reader *reader = nullptr;
  double scale = 1;
};

} // namespace weft

#endif // WEFT_VERIFY_KERNELCHECK_H
