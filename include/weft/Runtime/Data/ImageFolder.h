//===- ImageFolder.h - A folder of images per class -----------------------===//

#ifndef WEFT_RUNTIME_DATA_IMAGEFOLDER_H
#define WEFT_RUNTIME_DATA_IMAGEFOLDER_H

#include "weft/Runtime/Data/DataSet.h"

namespace weft::data {

struct ImageFolderOptions {
  /// Height and width where the program leaves them open.
  int64_t height = 0, width = 0;
  /// The length of the shorter side before the crop; 0: just as long as the
  /// crop needs.
  int64_t shorterSide = 0;
  /// At random visits (see Visit): crop anywhere, not in the middle; and flip
  /// every other image, left to right.
  bool randomCrop = false, randomFlip = false;
  /// Per channel: pixels, from 0 to 1, become (pixel - mean) / deviation. Both
  /// empty, of one number for all channels, or as many as channels.
  std::vector<float> mean, deviation;
  /// Where neither the program nor the options give height and width, images
  /// keep theirs, or are just scaled to `shorterSide`.
  bool keepSizes = false;
  /// Leave out what can't be decoded, for which all are decoded once by
  /// `threads` threads when the folder is opened.
  bool skipBroken = false;
  int threads = 2;
  /// The classes that there must be, in order; empty: whatever there are.
  std::vector<std::string> classes;
};

struct ImageFolder {
  std::unique_ptr<DataSet> set;
  std::vector<std::string> classes; ///< by their numbers
  std::vector<std::string> skipped; ///< why, one per file
};

/// Opens a folder with one folder per class, whose names, sorted, are the
/// classes; `.jpg`, `.jpeg` and `.png` files at any depth in it are its
/// samples, sorted by path. `wants` are the image, f32 [channels, height,
/// width] from 0 to 1, or u8 [height, width, channels] from 0 to 255, with 1 or
/// 3 channels, and perhaps the label, an integer: in any order. Without a label
/// the images may lie in the folder itself.
Result<ImageFolder> openImageFolder(const std::string &path,
                                    std::span<const Want> wants,
                                    const ImageFolderOptions &options);

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_IMAGEFOLDER_H
