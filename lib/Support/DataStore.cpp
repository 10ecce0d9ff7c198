//===- DataStore.cpp - Bytes of large constants, outside the IR -----------===//

#include "weft/Support/DataStore.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include <mutex>

using namespace llvm;

namespace {

/// One named piece of memory: a mapped file or owned bytes.
struct Entry {
  std::unique_ptr<sys::fs::mapped_file_region> file;
  std::unique_ptr<char[]> owned;
  ArrayRef<char> bytes;
};

struct Store {
  std::mutex mutex;
  StringMap<Entry> entries;
  // Never reset, so that a name never comes to mean other bytes.
  uint64_t nextMemory = 0;
};

Store &getStore() {
  static Store store;
  return store;
}

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

Expected<Entry> mapFile(StringRef name) {
  // Pipes would make this wait for somebody to write to them.
  sys::fs::file_status kind;
  if (!sys::fs::status(name, kind) &&
      kind.type() != sys::fs::file_type::regular_file)
    return fail("'" + name + "' is no regular file");
  Expected<sys::fs::file_t> file = sys::fs::openNativeFileForRead(name);
  if (!file)
    return fail("can't open '" + name + "': " + toString(file.takeError()));
  sys::fs::file_status status;
  std::error_code error = sys::fs::status(*file, status);
  if (!error && status.type() != sys::fs::file_type::regular_file)
    error = std::make_error_code(std::errc::not_supported);
  Entry entry;
  if (!error && status.getSize() != 0) {
    entry.file = std::make_unique<sys::fs::mapped_file_region>(
        *file, sys::fs::mapped_file_region::readonly, status.getSize(), 0,
        error);
    entry.bytes = ArrayRef(entry.file->const_data(), entry.file->size());
  }
  sys::fs::closeFile(*file);
  if (error)
    return fail("can't map '" + name + "': " + error.message());
  return entry;
}

} // namespace

Expected<ArrayRef<char>> weft::DataStore::getAll(StringRef file) {
  Store &store = getStore();
  std::lock_guard lock(store.mutex);
  auto it = store.entries.find(file);
  if (it == store.entries.end()) {
    if (file.starts_with("memory:"))
      return fail("no bytes named '" + file + "' in this process");
    Expected<Entry> entry = mapFile(file);
    if (!entry)
      return entry.takeError();
    it = store.entries.try_emplace(file, std::move(*entry)).first;
  }
  return it->second.bytes;
}

Expected<ArrayRef<char>> weft::DataStore::get(StringRef file, int64_t offset,
                                              int64_t size) {
  Expected<ArrayRef<char>> bytes = getAll(file);
  if (!bytes)
    return bytes.takeError();
  int64_t total = bytes->size();
  if (offset < 0 || size < 0 || offset > total || size > total - offset)
    return fail("'" + file + "' has " + Twine(total) + " bytes, wanted " +
                Twine(size) + " at offset " + Twine(offset));
  return bytes->slice(offset, size);
}

std::string weft::DataStore::add(std::unique_ptr<char[]> bytes, int64_t size) {
  Store &store = getStore();
  std::lock_guard lock(store.mutex);
  std::string name = "memory:" + std::to_string(store.nextMemory++);
  Entry entry;
  entry.bytes = ArrayRef(bytes.get(), size);
  entry.owned = std::move(bytes);
  store.entries.try_emplace(name, std::move(entry));
  return name;
}

void weft::DataStore::releaseAll() {
  Store &store = getStore();
  std::lock_guard lock(store.mutex);
  store.entries.clear();
}
