//===- DataStore.h - Bytes of large constants, outside the IR -------------===//

#ifndef WEFT_SUPPORT_DATASTORE_H
#define WEFT_SUPPORT_DATASTORE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace weft {

/// Maps the files that `#weft.extern` attributes name, each once per process,
/// and holds bytes that have no file under names of the form `memory:N`.
/// Thread-safe. Files are opened read-only and stay mapped until the process
/// ends or releaseAll() is called.
namespace DataStore {

/// `size` bytes at `offset` of `file`. Fails if the file can't be mapped or is
/// too short.
llvm::Expected<llvm::ArrayRef<char>> get(llvm::StringRef file, int64_t offset,
                                         int64_t size);

/// All bytes of `file`.
llvm::Expected<llvm::ArrayRef<char>> getAll(llvm::StringRef file);

/// Takes ownership of `bytes`; returns the name under which get() finds them.
std::string add(std::unique_ptr<char[]> bytes, int64_t size);

/// Unmaps and frees everything. No result of get() may be used afterwards.
void releaseAll();

} // namespace DataStore
} // namespace weft

#endif // WEFT_SUPPORT_DATASTORE_H
