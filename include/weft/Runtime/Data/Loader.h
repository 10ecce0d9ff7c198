//===- Loader.h - Batches, made ahead by threads --------------------------===//

#ifndef WEFT_RUNTIME_DATA_LOADER_H
#define WEFT_RUNTIME_DATA_LOADER_H

#include "weft/Runtime/Data/DataSet.h"
#include <memory>

namespace weft::data {

struct LoaderOptions {
  int64_t batch = 32;
  bool shuffle = true;
  /// Whether a last batch with fewer samples is left out.
  bool dropPartial = false;
  /// Whether samples see random choices (see Visit).
  bool random = true;
  uint64_t seed = 0;
  /// Threads that make batches; with 0 they are made when asked for.
  int threads = 2;
  /// Batches that may be ready and not asked for yet, at least 1.
  int64_t ahead = 4;
};

/// Some samples, side by side.
struct Batch {
  int64_t number = 0;           ///< in the epoch
  std::vector<int64_t> samples; ///< numbers in the data set
  /// One per field, the first dimension that of the samples.
  std::vector<weft_tensor> tensors;

  int64_t size() const { return static_cast<int64_t>(samples.size()); }
};

/// Walks over samples in epochs. What an epoch's batches hold depends on the
/// seed and the epoch alone: not on threads, nor on epochs before. One thread
/// calls; the data set must outlive the loader.
class Loader {
public:
  /// Serves `samples` of the data set, or all if there are none.
  static Result<std::unique_ptr<Loader>> create(const DataSet &set,
                                                std::vector<int64_t> samples,
                                                const LoaderOptions &options);
  virtual ~Loader() = default;

  /// Samples and batches of an epoch.
  virtual int64_t samples() const = 0;
  virtual int64_t batches() const = 0;
  virtual const DataSet &dataSet() const = 0;
  virtual const LoaderOptions &options() const = 0;

  /// Starts an epoch at a batch; what was started before is dropped.
  virtual void start(int64_t epoch, int64_t firstBatch) = 0;
  /// The next batch, valid until the next call; null at the end of the epoch.
  /// A sample that can't be read is an error where its batch is due.
  virtual Result<const Batch *> next() = 0;
  /// The batch that next() will give, if it is ready, else null; valid until
  /// the call after that one. Does not wait for threads.
  virtual const Batch *peek() = 0;
};

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_LOADER_H
