//===- Open.cpp - Data sets of any form -----------------------------------===//

#include "weft/Runtime/Data/Open.h"
#include <filesystem>

using namespace weft::data;

static Result<OpenedData> openFolder(const std::string &path,
                                     std::span<const Want> wants,
                                     const DataOptions &options) {
  if (options.transform.randomShift)
    return {Error::Option, "'" + path +
                               "': images of a folder are not shifted but "
                               "cropped at random"};
  ImageFolderOptions images{.height = options.height,
                            .width = options.width,
                            .shorterSide = options.shorterSide,
                            .randomCrop = options.randomCrop,
                            .randomFlip = options.transform.randomFlip,
                            .mean = options.transform.mean,
                            .deviation = options.transform.deviation,
                            .skipBroken = options.skipBroken,
                            .threads = options.threads,
                            .classes = options.classes};
  Result<ImageFolder> folder = openImageFolder(path, wants, images);
  if (!folder.ok())
    return folder.status();
  return OpenedData{std::move(folder->set), std::move(folder->classes),
                    std::move(folder->skipped)};
}

/// An error if there are options that are for folders of images alone.
static Status checkNoImages(const std::string &path,
                            const DataOptions &options) {
  if (!options.height && !options.width && !options.shorterSide &&
      !options.randomCrop && !options.skipBroken)
    return {};
  return Status(Error::Option,
                "'" + path +
                    "' is no folder of images: sizes to scale to, random "
                    "crops and skipping are for these");
}

Result<OpenedData> weft::data::openData(std::span<const std::string> paths,
                                        std::span<const Want> wants,
                                        const DataOptions &options) {
  if (paths.empty())
    return {Error::Option, "no data are named"};
  auto isFolder = [](const std::string &path) {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored);
  };
  auto isTable = [](const std::string &path) {
    return path.ends_with(".csv") || path.ends_with(".CSV");
  };
  for (const std::string &path : paths)
    if (paths.size() > 1 && (isFolder(path) || isTable(path)))
      return {Error::Option, "'" + path +
                                 "' is named beside other data; a folder or a "
                                 "table is a data set of its own"};
  if (isFolder(paths[0]))
    return openFolder(paths[0], wants, options);
  if (Status status = checkNoImages(paths[0], options); !status.ok())
    return status;

  OpenedData opened;
  std::vector<Array> arrays;
  if (isTable(paths[0])) {
    CsvOptions csv = options.csv;
    csv.findLabel |= wants.size() > 1 && csv.label.empty();
    csv.classes = options.classes;
    Result<CsvTable> table = readCsv(paths[0], csv);
    if (!table.ok())
      return table.status();
    arrays = std::move(table->arrays);
    opened.classes = std::move(table->classes);
  } else {
    Result<std::vector<Array>> found = openArrays(paths);
    if (!found.ok())
      return found.status();
    arrays = found.take();
  }
  Result<std::unique_ptr<DataSet>> set =
      makeArrayDataSet(std::move(arrays), wants);
  if (!set.ok())
    return set.status();
  opened.set = set.take();
  const TransformOptions &changes = options.transform;
  if (!changes.randomFlip && !changes.randomShift && changes.mean.empty() &&
      changes.deviation.empty())
    return opened;
  set = transform(std::move(opened.set), changes);
  if (!set.ok())
    return set.status();
  opened.set = set.take();
  return opened;
}
