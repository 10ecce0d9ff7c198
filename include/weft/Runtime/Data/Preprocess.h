//===- Preprocess.h - Samples that go through a program -------------------===//

#ifndef WEFT_RUNTIME_DATA_PREPROCESS_H
#define WEFT_RUNTIME_DATA_PREPROCESS_H

#include "weft-rt/weft.h"
#include "weft/Runtime/Data/DataSet.h"

namespace weft::data {

/// A compiled graph with one output that makes, of a sample, what a program
/// takes of it. It is run for one sample at a time, so that a batch holds the
/// same whatever else is in it.
class Preprocess {
public:
  virtual ~Preprocess() = default;

  /// The graph's output is for the want of its name, or else for the only one
  /// that it fits. `model` must outlive this, and the data sets of it.
  static Result<std::unique_ptr<Preprocess>>
  create(weft_model *model, std::span<const Want> wants);

  /// What data must have instead of the wants.
  virtual std::span<const Want> wants() const = 0;

  /// The samples of `set`, which has the fields that this wants, as they were
  /// wanted. The first sample is made at once, to see that it fits.
  virtual Result<std::unique_ptr<DataSet>>
  apply(std::unique_ptr<DataSet> set) const = 0;
};

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_PREPROCESS_H
