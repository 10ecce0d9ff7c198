//===- Convert.h - Elements of one type as those of another ---------------===//

#ifndef WEFT_LIB_RUNTIME_DATA_CONVERT_H
#define WEFT_LIB_RUNTIME_DATA_CONVERT_H

#include "weft/Runtime/Data/Types.h"
#include <cstddef>

namespace weft::data {

/// Converts `count` elements, which may be unaligned, and returns -1; or the
/// number of the first that is a NaN, or whose value the other type does not
/// have (f64 is rounded to f32, as long as that is finite).
using Convert = int64_t (*)(const std::byte *from, std::byte *to,
                            int64_t count);

/// Null where no conversion is harmless.
Convert findConversion(weft_dtype from, weft_dtype to);

/// The element as text.
std::string print(weft_dtype dtype, const std::byte *element);

} // namespace weft::data

#endif // WEFT_LIB_RUNTIME_DATA_CONVERT_H
