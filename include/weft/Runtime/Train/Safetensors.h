//===- Safetensors.h - Files of named tensors -----------------------------===//
//
// The format: 8 bytes with the length of a header, the header (JSON: per tensor
// its type, shape and place), and the tensors' bytes, without gaps.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_TRAIN_SAFETENSORS_H
#define WEFT_RUNTIME_TRAIN_SAFETENSORS_H

#include "weft/Runtime/Data/Files.h"
#include "weft/Runtime/Data/Types.h"
#include <map>
#include <vector>

namespace weft::train {

/// A tensor in memory that belongs to someone else.
struct NamedTensor {
  std::string name;
  weft_dtype dtype = WEFT_F32;
  std::vector<int64_t> dims;
  std::byte *data = nullptr;
  int64_t bytes = 0;
};

/// Strings by name that go with the tensors.
using Metadata = std::map<std::string, std::string>;

/// Writes a file whole or not at all, and with it a sum of its tensors
/// (metadata `weft.crc32`). Names must differ. Fails with CheckpointWrite;
/// what was at `path` before is then still there.
data::Status writeSafetensors(const std::string &path,
                              std::span<const NamedTensor> tensors,
                              Metadata metadata);

/// A file that is open for reading. Everything in its header has been checked.
class Safetensors {
public:
  struct Entry {
    std::string name;
    weft_dtype dtype;
    std::vector<int64_t> dims;
    std::span<const std::byte> bytes; ///< may be unaligned
  };

  /// Fails with CheckpointRead or CheckpointDamaged.
  static data::Result<Safetensors> open(const std::string &path);

  /// Compares the tensors with the sum that Weft writes; reads all of them.
  /// Files of others have none, which is success.
  data::Status checkSum() const;

  const std::string &path() const { return name; }
  std::span<const Entry> entries() const { return tensors; }
  /// Null if there is none.
  const Entry *find(std::string_view wanted) const;
  const Metadata &metadata() const { return strings; }

private:
  Safetensors(std::string path, data::MappedFile file)
      : name(std::move(path)), file(std::move(file)) {}
  data::Status parse();

  std::string name;
  data::MappedFile file;
  std::span<const std::byte> content; ///< of all tensors
  std::vector<Entry> tensors;         ///< in the order of their bytes
  std::map<std::string, size_t, std::less<>> byName;
  Metadata strings;
};

} // namespace weft::train

#endif // WEFT_RUNTIME_TRAIN_SAFETENSORS_H
