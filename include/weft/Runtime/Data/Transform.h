//===- Transform.h - What is done to samples on their way -----------------===//

#ifndef WEFT_RUNTIME_DATA_TRANSFORM_H
#define WEFT_RUNTIME_DATA_TRANSFORM_H

#include "weft/Runtime/Data/DataSet.h"

namespace weft::data {

/// Per channel (value - mean) / deviation, each a list of numbers that is
/// empty, holds one for all channels, or as many as there are.
class Normalization {
public:
  Normalization() = default;
  /// Fails with Error::Option where the numbers are too few or too many, or a
  /// deviation is not above 0.
  static Result<Normalization> create(std::span<const float> mean,
                                      std::span<const float> deviation,
                                      int64_t channels);
  bool empty() const { return factors.empty(); }
  /// In place, for `channels` planes of `plane` elements.
  void apply(float *values, int64_t plane) const;

private:
  std::vector<float> factors, offsets;
};

struct TransformOptions {
  /// At random visits (see Visit): flip every other sample left to right.
  bool randomFlip = false;
  /// At random visits: shift by at most so many rows and columns; zeros come
  /// in at the other side.
  int64_t randomShift = 0;
  /// See Normalization; applied first, so that what comes in is the mean.
  std::vector<float> mean, deviation;
};

/// The samples of `set`, with their first field changed. It must be f32
/// [channels, height, width], or, to be normalised only, f32 of any sizes (the
/// first of which are the channels).
Result<std::unique_ptr<DataSet>> transform(std::unique_ptr<DataSet> set,
                                           const TransformOptions &options);

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_TRANSFORM_H
