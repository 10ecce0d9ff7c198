//===- Files.h - Memory, mapped files, and files that appear whole --------===//

#ifndef WEFT_RUNTIME_DATA_FILES_H
#define WEFT_RUNTIME_DATA_FILES_H

#include "weft/Runtime/Data/Status.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace weft::data {

/// Memory, aligned as programs want it.
class Buffer {
public:
  Buffer() = default;
  /// `what` completes "no memory for the N bytes of ...". The bytes are zeros.
  static Result<Buffer> allocate(int64_t bytes, const std::string &what);

  std::byte *data() const { return memory.get(); }
  int64_t size() const { return bytes; }

private:
  struct Free {
    void operator()(std::byte *pointer) const;
  };
  std::unique_ptr<std::byte, Free> memory;
  int64_t bytes = 0;
};

/// A file that is mapped for reading for as long as the object lives.
class MappedFile {
public:
  /// Fails with Error::Read, also for what is no regular file.
  static Result<MappedFile> open(const std::string &path);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {begin, size}; }
  std::string_view text() const {
    return {reinterpret_cast<const char *>(begin), size};
  }

private:
  MappedFile() = default;
  const std::byte *begin = nullptr;
  size_t size = 0;
};

/// A file that is there whole or not at all: it is written beside `path` and
/// takes the name when it is on the disk. Whatever `path` was before stays
/// until then, and on any failure.
class AtomicFile {
public:
  /// `path` with ".tmp" behind it is written and overwritten.
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;
  /// Removes what was not committed.
  ~AtomicFile();

  /// Each returns 0 or an errno; after a failure the others do nothing.
  int open();
  int write(const void *data, size_t bytes);
  /// Brings the file and its name to the disk.
  int commit();

private:
  std::string path, temporary;
  int descriptor = -1;
  int failure = 0;
};

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_FILES_H
