//===- Wire.h - Models as protobuf bytes ----------------------------------===//
//
// Takes the bytes of large tensors out of a serialized model before protobuf
// parses it, and puts them back behind protobuf's back when a model is written.
// In between, such a tensor has an entry `weft.ref` in `external_data` that
// holds an index.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_LIB_IMPORT_WIRE_H
#define WEFT_LIB_IMPORT_WIRE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <deque>
#include <string>
#include <vector>

namespace weft::importer {

inline constexpr llvm::StringLiteral refKey = "weft.ref";

/// Where the bytes of a tensor are: a name for the DataStore and a range.
struct DataRef {
  std::string file;
  int64_t offset;
  int64_t size;
};

/// Copies the serialized model `bytes` without the data of tensors of more than
/// `limit` bytes. Those are appended to `refs` as ranges of `file`. One-
/// dimensional integers keep their data too if they are not very large, because
/// shape inference reads them. Fails if the bytes are not well formed.
llvm::Expected<std::string> stripTensors(llvm::ArrayRef<char> bytes,
                                         llvm::StringRef file, int64_t limit,
                                         std::vector<DataRef> &refs);

/// Bytes as pieces that lie elsewhere or in `owned`.
struct Rope {
  std::vector<llvm::ArrayRef<char>> pieces;
  std::deque<std::string> owned;
  uint64_t size = 0;

  void append(llvm::ArrayRef<char> piece);
  void appendOwned(std::string piece);
  void append(Rope &&other);
};

/// The opposite: puts `data[i]` as raw data in place of reference `i` of the
/// serialized model `bytes`, which must outlive the result.
llvm::Expected<Rope> fillTensors(llvm::ArrayRef<char> bytes,
                                 llvm::ArrayRef<llvm::ArrayRef<char>> data);

} // namespace weft::importer

#endif // WEFT_LIB_IMPORT_WIRE_H
