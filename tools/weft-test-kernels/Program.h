//===- Program.h - Cases compiled together --------------------------------===//

#ifndef WEFT_TOOLS_WEFT_TEST_KERNELS_PROGRAM_H
#define WEFT_TOOLS_WEFT_TEST_KERNELS_PROGRAM_H

#include "Case.h"
#include "weft-rt/weft.h"
#include "weft/Pipelines/Pipelines.h"
#include "weft/Target/Target.h"

namespace weft::test {

/// Memory that ends where no access is allowed, or as near to it as alignment
/// permits; what lies between holds a pattern.
class GuardedMemory {
public:
  explicit GuardedMemory(int64_t bytes);
  GuardedMemory(GuardedMemory &&other);
  ~GuardedMemory();

  char *data() const { return start; }
  /// Makes the memory read-only.
  void protect();
  /// Whether the bytes around are as they were.
  bool isIntact() const;

private:
  char *base;
  int64_t mapped; ///< bytes from `base` up to the forbidden page
  char *start;
  int64_t bytes;
};

/// Several cases as one program in this process: compiling costs less for all
/// at once than for each.
class Program {
public:
  /// Compiles `cases`. Fails after an error.
  static llvm::FailureOr<std::unique_ptr<Program>>
  create(llvm::ArrayRef<Case> cases, const PipelineOptions &options);
  ~Program();

  /// The PTX of `cases` for the GPU that `options` name. Fails after an error.
  static llvm::FailureOr<std::string> makePTX(llvm::ArrayRef<Case> cases,
                                              const PipelineOptions &options);

  /// Runs all cases on `inputs`, those of one case after the other's, with
  /// `threads` threads. `types` are what the results should be. Returns the
  /// error or "", and the results in `results`.
  std::string run(int threads, llvm::ArrayRef<HostTensor> inputs,
                  llvm::ArrayRef<mlir::RankedTensorType> types,
                  llvm::SmallVectorImpl<HostTensor> &results);

  /// The fastest of `runs` runs of each kernel, in microseconds, printed.
  void printTimes(int threads, int runs, llvm::ArrayRef<HostTensor> inputs);

private:
  Program() = default;
  weft_session *createSession(int threads, bool profile);

  std::unique_ptr<JITProgram> code;
  weft_model *model = nullptr;
};

/// Compiles cases as one program to the shared library `path`; returns what
/// went wrong, or "".
std::string emitProgram(llvm::ArrayRef<Case> cases,
                        const PipelineOptions &options, llvm::StringRef path);

} // namespace weft::test

#endif // WEFT_TOOLS_WEFT_TEST_KERNELS_PROGRAM_H
