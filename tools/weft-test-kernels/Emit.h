//===- Emit.h - Cases to be run on another machine ------------------------===//

#ifndef WEFT_TOOLS_WEFT_TEST_KERNELS_EMIT_H
#define WEFT_TOOLS_WEFT_TEST_KERNELS_EMIT_H

#include "Case.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace weft::test {

/// Writes what runs of a batch were given and came to: the bytes of tensors to
/// `<file>.bin`, one behind the other, and to `<file>.json` an array with an
/// object per run, "inputs" and "results", of objects with "type" (weft_dtype),
/// "dims" and, of results, "case", "bound" and "magnitude" (see compare()). Of
/// large inputs there are the numbers "low" and "high", and instead of the
/// bytes the words of a RandomSource's state.
class RunRecorder {
public:
  explicit RunRecorder(const std::string &file);
  void add(llvm::ArrayRef<Case> cases, llvm::ArrayRef<Reference> references,
           llvm::ArrayRef<HostTensor> inputs,
           llvm::ArrayRef<HostTensor> results, int64_t run, uint64_t seed);
  /// Ends the files; returns what went wrong, or "".
  std::string finish();

private:
  llvm::json::Object describe(const HostTensor &tensor,
                              const std::optional<RandomSource> &source = {});

  std::string file;
  std::error_code error;
  llvm::raw_fd_ostream bytes;
  llvm::json::Array runs;
};

} // namespace weft::test

#endif // WEFT_TOOLS_WEFT_TEST_KERNELS_EMIT_H
