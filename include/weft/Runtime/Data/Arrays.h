//===- Arrays.h - Arrays in numpy's formats as a data set -----------------===//

#ifndef WEFT_RUNTIME_DATA_ARRAYS_H
#define WEFT_RUNTIME_DATA_ARRAYS_H

#include "weft/Runtime/Data/DataSet.h"
#include "weft/Runtime/Data/Files.h"

namespace weft::data {

/// A dense row-major array, in a mapped file or in memory of its own. Its
/// elements may be unaligned.
struct Array {
  std::string name;   ///< in its file; of a .npy file, the file's stem
  std::string source; ///< as messages call it: "array 'x' of 'data.npz'"
  weft_dtype dtype = WEFT_F32;
  std::vector<int64_t> dims;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> storage; ///< what `bytes` lie in
};

/// The array that `bytes` hold in numpy's .npy format, which must be as long as
/// it says. `array` has its name, source and storage.
Status parseNpy(std::span<const std::byte> bytes, Array &array);

/// The arrays of `.npy` and `.npz` files, in the order of the files and of what
/// is in them. Those that are stored without compression are not read but
/// mapped; others are decompressed, and checked against their sums.
Result<std::vector<Array>> openArrays(std::span<const std::string> paths);

/// What `arrays` hold for `wants`, as a data set. An array belongs to the want
/// of its name. Where there are as many arrays as wants, those whose names do
/// not fit are taken in order, the ones that are called like labels (y, labels,
/// targets...) after the others. Where there are more, those that nothing wants
/// are left out, also those called like labels where no want is.
///
/// Elements become those of the want where no value changes by it: integers
/// and whole floats become integers, f64 becomes f32 by rounding. Sizes of 1
/// may be more or fewer than wanted. The first dimension of each array is that
/// of the samples, and all must agree on it. A NaN is an error when its sample
/// is read.
Result<std::unique_ptr<DataSet>> makeArrayDataSet(std::vector<Array> arrays,
                                                  std::span<const Want> wants);

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_ARRAYS_H
