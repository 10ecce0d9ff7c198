//===- DataSet.h - Samples that a program is trained on -------------------===//

#ifndef WEFT_RUNTIME_DATA_DATASET_H
#define WEFT_RUNTIME_DATA_DATASET_H

#include "weft/Runtime/Data/Files.h"
#include "weft/Runtime/Data/Random.h"
#include "weft/Runtime/Data/Status.h"
#include "weft/Runtime/Data/Types.h"
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weft::data {

/// One tensor of each sample.
struct Field {
  std::string name;
  weft_dtype dtype;
  std::vector<int64_t> dims; ///< without that of the samples
};

/// What a program takes: a field whose sizes may be open (-1).
using Want = Field;

/// The wants of a program's input; its first dimension is that of the samples.
/// A symbolic size is open. Fails for a scalar.
Result<Want> wantOf(const weft_port &port);

/// Which visit of a sample this is; a random choice depends on it alone.
struct Visit {
  uint64_t seed = 0;
  uint32_t epoch = 0;
  bool random = false; ///< whether there are random choices at all
};

/// The fields of one sample, of whatever sizes they have in it.
struct Sample {
  std::vector<weft_tensor> tensors; ///< without a dimension of the samples
  std::vector<Buffer> buffers;      ///< what they lie in

  /// Describes and allocates field `index`, in the memory at hand if it is
  /// enough.
  Status allocate(size_t index, const Field &field);
};

/// A number of samples, each with the same fields.
class DataSet {
public:
  virtual ~DataSet() = default;

  virtual int64_t size() const = 0;
  /// A size of -1 is another one in each sample.
  virtual std::span<const Field> fields() const = 0;
  /// Where no size is -1, writes the fields of sample `index` to `out`, each as
  /// long as its type says. Called by several threads at once.
  virtual Status read(int64_t index, const Visit &visit,
                      std::span<std::byte *const> out) const = 0;
  /// Sets `sample`, whose memory it may use, to sample `index`. Called by
  /// several threads at once.
  virtual Status readWhole(int64_t index, const Visit &visit,
                           Sample &sample) const;
  /// Writes one field of sample `index`, as a visit that is not random gives
  /// it, to `out`; without the others where it is told apart from them.
  virtual Status readField(size_t field, int64_t index, std::byte *out) const;
};

/// Bytes of one sample's field.
int64_t bytesOf(const Field &field);

/// The samples that are put aside for validation, and the others, both in
/// ascending order. A fraction between 0 and 1 puts aside at least one sample
/// and leaves one.
struct Split {
  std::vector<int64_t> training, validation;
};
Result<Split> splitSamples(int64_t samples, double fraction, uint64_t seed);

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_DATASET_H
