//===- CopyWriter.h - The files of a model's copy -------------------------===//

#ifndef WEFT_LIB_IMPORT_COPYWRITER_H
#define WEFT_LIB_IMPORT_COPYWRITER_H

#include "Wire.h"

#include "weft/Support/OutputFile.h"
#include <optional>

namespace weft::importer {

/// Where a tensor's data is in a file, and the new data, if it is replaced.
struct DataRange {
  std::string tensor;
  uint64_t offset, size;
  std::optional<llvm::ArrayRef<char>> bytes;
};

/// A file with external data, and what the copy calls it if not the same.
struct DataFile {
  std::vector<DataRange> ranges;
  std::string newLocation;
};

/// Writes the files of a copy, none of which appears before all are complete.
class CopyWriter {
public:
  CopyWriter(llvm::StringRef path, llvm::StringRef output)
      : path(path), output(output) {}
  /// Writes the copy of a file that the model at `path` calls `location`, which
  /// may give it another location.
  llvm::Error addData(llvm::StringRef location, DataFile &file);
  /// Writes the model, and lets all files take their places.
  llvm::Error finish(const Rope &model);

private:
  llvm::StringRef path, output;
  std::vector<UnfinishedFile> files;
};

} // namespace weft::importer

#endif // WEFT_LIB_IMPORT_COPYWRITER_H
