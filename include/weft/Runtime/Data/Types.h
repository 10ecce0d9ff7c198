//===- Types.h - Element types, their names and sizes ---------------------===//

#ifndef WEFT_RUNTIME_DATA_TYPES_H
#define WEFT_RUNTIME_DATA_TYPES_H

#include "weft-rt/program.h"
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weft::data {

/// Bytes of one element in memory, 0 for a type of no fixed size.
int64_t bytesOf(weft_dtype dtype);
/// Weft's name: "f32".
std::string nameOf(weft_dtype dtype);
/// The name in safetensors files, "F32", or an empty one.
std::string_view safetensorsName(weft_dtype dtype);
/// False where safetensors files have no such type, or Weft has none.
bool parseSafetensorsName(std::string_view name, weft_dtype &dtype);
/// Numpy's name without byte order: "f4".
bool parseNumpyName(std::string_view name, weft_dtype &dtype);
bool isFloat(weft_dtype dtype);

/// "[2, 3]"; an open size (-1) is "?".
std::string describeDims(std::span<const int64_t> dims);
/// "f32 [2, 3]".
std::string describe(weft_dtype dtype, std::span<const int64_t> dims);

/// The product of the sizes, all at least 0, and `factor`. False if it does not
/// fit into 63 bits.
bool multiply(std::span<const int64_t> dims, int64_t factor, int64_t &product);

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_TYPES_H
