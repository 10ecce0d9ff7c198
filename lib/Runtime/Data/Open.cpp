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
                            .keepSizes = options.graph != nullptr,
                            .skipBroken = options.skipBroken,
                            .threads = options.threads,
                            .classes = options.classes};
  Result<ImageFolder> folder = openImageFolder(
      path, options.graph ? options.graph->wants() : wants, images);
  if (!folder.ok())
    return folder.status();
  if (options.graph) {
    Result<std::unique_ptr<DataSet>> made =
        options.graph->apply(std::move(folder->set));
    if (!made.ok())
      return made.status();
    folder->set = made.take();
  }
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

static bool isFolder(const std::string &path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

static bool isTable(const std::string &path) {
  return path.ends_with(".csv") || path.ends_with(".CSV");
}

/// Opens arrays, or a table, for `wants`.
static Result<OpenedData> openArraySet(std::span<const std::string> paths,
                                       std::span<const Want> wants,
                                       const DataOptions &options) {
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
  return opened;
}

Result<OpenedData> weft::data::openData(std::span<const std::string> paths,
                                        std::span<const Want> wants,
                                        const DataOptions &options) {
  if (paths.empty())
    return {Error::Option, "no data are named"};
  for (const std::string &path : paths)
    if (paths.size() > 1 && (isFolder(path) || isTable(path)))
      return {Error::Option, "'" + path +
                                 "' is named beside other data; a folder or a "
                                 "table is a data set of its own"};
  const TransformOptions &changes = options.transform;
  bool isNormalized = !changes.mean.empty() || !changes.deviation.empty();
  if (options.graph && isNormalized)
    return {Error::Option, "samples go through a graph; put their mean and "
                           "deviation into it as well"};
  if (isFolder(paths[0]))
    return openFolder(paths[0], wants, options);
  if (Status status = checkNoImages(paths[0], options); !status.ok())
    return status;
  Result<OpenedData> opened = openArraySet(
      paths, options.graph ? options.graph->wants() : wants, options);
  if (!opened.ok())
    return opened.status();
  Result<std::unique_ptr<DataSet>> set = std::move(opened->set);
  if (options.graph)
    set = options.graph->apply(set.take());
  if (set.ok() && (changes.randomFlip || changes.randomShift || isNormalized))
    set = transform(set.take(), changes);
  if (!set.ok())
    return set.status();
  opened->set = set.take();
  return opened;
}
