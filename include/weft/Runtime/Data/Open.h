//===- Open.h - Data sets of any form -------------------------------------===//

#ifndef WEFT_RUNTIME_DATA_OPEN_H
#define WEFT_RUNTIME_DATA_OPEN_H

#include "weft/Runtime/Data/Csv.h"
#include "weft/Runtime/Data/ImageFolder.h"
#include "weft/Runtime/Data/Preprocess.h"
#include "weft/Runtime/Data/Transform.h"

namespace weft::data {

/// What each form takes is said at its own options.
struct DataOptions {
  /// For images in arrays and in folders, and, but for the flips, for CSV.
  TransformOptions transform;
  CsvOptions csv;
  // For folders of images.
  int64_t height = 0, width = 0, shorterSide = 0;
  bool randomCrop = false, skipBroken = false;
  int threads = 2;
  /// The classes of other data that these must have the same as, in order;
  /// empty: whatever there are.
  std::vector<std::string> classes;
  /// What samples go through: images of folders behind crops and flips, all
  /// else in front of flips and shifts. There is no mean and deviation then.
  const Preprocess *graph = nullptr;
};

struct OpenedData {
  std::unique_ptr<DataSet> set;
  std::vector<std::string> classes; ///< by number; empty where none have names
  std::vector<std::string> skipped; ///< why, one per image left out
};

/// Opens a folder of images, a `.csv` file, or `.npz` and `.npy` files for what
/// a program takes, or, where the options have a graph that is made for the
/// same program, for what that wants instead. Where it takes two inputs and no
/// column of a table is said to be the label, that is the one called like a
/// label.
Result<OpenedData> openData(std::span<const std::string> paths,
                            std::span<const Want> wants,
                            const DataOptions &options);

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_OPEN_H
