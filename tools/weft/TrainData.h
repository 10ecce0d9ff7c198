//===- TrainData.h - Where the samples of a training come from ------------===//

#ifndef WEFT_TOOLS_WEFT_TRAINDATA_H
#define WEFT_TOOLS_WEFT_TRAINDATA_H

#include "Commands.h"
#include "weft/Runtime/Data/Loader.h"
#include "weft/Runtime/Data/Open.h"

namespace weft::tool {

/// Throws if `status` is an error.
inline void unwrap(const data::Status &status) {
  if (!status.ok())
    throw Exit{1, "error: " + status.describe()};
}
/// The value, unless it throws.
template <typename T> T unwrap(data::Result<T> result) {
  unwrap(result.status());
  return result.take();
}

/// Flags about data.
struct DataFlags {
  std::vector<std::string> training, validation;
  double split = 0;
  int64_t batch = 32;
  int threads = 2;
  bool dropLast = false, inOrder = false;
  /// What is said of tables, folders of images and transformations.
  data::DataOptions form;
  std::vector<int64_t> imageSize; ///< height and width, or both in one
  std::string preprocess;         ///< the file of a graph for samples

  void add(CLI::App &app);
  void addForms(CLI::App &app);
  void addRandom(CLI::App &app);
  bool validates() const { return split > 0 || !validation.empty(); }
};

/// Samples in batches, for training and perhaps for validation.
class TrainData {
public:
  data::Loader &training() { return *trainingLoader; }
  const data::Loader &training() const { return *trainingLoader; }
  data::Loader *validation() { return validationLoader.get(); }
  const data::Loader *validation() const { return validationLoader.get(); }
  /// The names of classes by number; empty where they have none.
  const std::vector<std::string> &classes() const { return classNames; }
  int64_t batch() const { return trainingLoader->options().batch; }
  /// What data have instead of what the program takes, where samples go through
  /// a graph; else nothing.
  std::span<const data::Want> raw() const {
    return graph ? graph->wants() : std::span<const data::Want>();
  }

private:
  friend TrainData openTrainData(const DataFlags &,
                                 const std::vector<data::Want> &,
                                 const weft_program &, uint64_t,
                                 std::unique_ptr<LoadedModel>);

  std::unique_ptr<LoadedModel> graphModel;
  std::unique_ptr<data::Preprocess> graph;
  std::unique_ptr<data::DataSet> trainingSet, validationSet;
  std::unique_ptr<data::Loader> trainingLoader, validationLoader;
  std::vector<std::string> classNames;
};

/// The size of a batch that the program was made for, or -1 for any.
int64_t getFixedBatch(const weft_program &program);

/// What a model that is trained with `data` is to be given in use: names of
/// classes, and what is done to samples but at random, as properties.
std::vector<std::pair<std::string, std::string>>
describeData(const DataFlags &flags, const TrainData &data);

/// Opens what `flags` name for what a sample must hold, behind `graph` if there
/// is one. The batch is that of the program where it is fixed there.
TrainData openTrainData(const DataFlags &flags,
                        const std::vector<data::Want> &wants,
                        const weft_program &program, uint64_t seed,
                        std::unique_ptr<LoadedModel> graph);

} // namespace weft::tool

#endif // WEFT_TOOLS_WEFT_TRAINDATA_H
