//===- Zip.h - What is in a ZIP archive -----------------------------------===//

#ifndef WEFT_LIB_RUNTIME_DATA_ZIP_H
#define WEFT_LIB_RUNTIME_DATA_ZIP_H

#include "weft/Runtime/Data/Files.h"
#include <vector>

namespace weft::data {

/// A file in an archive.
struct ZipEntry {
  std::string name;
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t size = 0;                ///< when decompressed
  std::span<const std::byte> bytes; ///< as in the archive
};

/// The directory of the archive `bytes`, each entry checked to lie within it.
/// `path` is for messages.
Result<std::vector<ZipEntry>> readZip(const std::string &path,
                                      std::span<const std::byte> bytes);

/// Decompresses an entry and compares it with its sum.
Result<Buffer> inflate(const std::string &path, const ZipEntry &entry);

} // namespace weft::data

#endif // WEFT_LIB_RUNTIME_DATA_ZIP_H
