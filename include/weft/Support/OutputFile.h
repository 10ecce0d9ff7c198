//===- OutputFile.h - Files that appear whole or not at all ---------------===//

#ifndef WEFT_SUPPORT_OUTPUTFILE_H
#define WEFT_SUPPORT_OUTPUTFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Error.h"
#include <string>
#include <system_error>

namespace llvm {
class raw_pwrite_stream;
} // namespace llvm

namespace weft {

/// "can't write 'path': reason".
llvm::Error makeWriteError(llvm::StringRef path, std::error_code reason);

/// A new file beside `path`, removed with this object or when a signal ends the
/// process, unless it took its place before.
class UnfinishedFile {
public:
  /// Creates the file, empty and closed.
  static llvm::Expected<UnfinishedFile> create(llvm::StringRef path);
  UnfinishedFile(UnfinishedFile &&other);
  ~UnfinishedFile();

  llvm::StringRef getName() const { return name; }
  /// Fills the file with what `write` writes, and finds a full disk.
  llvm::Error
  fill(llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write);
  /// Renames the file to the path that it was created for. A file that is
  /// there is replaced.
  llvm::Error keep();

private:
  explicit UnfinishedFile(llvm::StringRef path) : path(path) {}

  std::string path;
  llvm::SmallString<128> name; ///< empty when there is nothing to remove
};

/// Writes a file by way of an unfinished one. `-` is standard output; what is
/// no regular file, such as `/dev/null`, is written to as it is.
llvm::Error writeWholeFile(
    llvm::StringRef path,
    llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write);

} // namespace weft

#endif // WEFT_SUPPORT_OUTPUTFILE_H
