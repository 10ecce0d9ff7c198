//===- ImageFolder.cpp - A folder of images per class ---------------------===//

#include "weft/Runtime/Data/ImageFolder.h"
#include "Guard.h"
#include "weft/Runtime/Data/Image.h"
#include "weft/Runtime/Data/Transform.h"
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>

using namespace weft::data;
namespace fs = std::filesystem;

namespace {
struct ImageFile {
  std::string path;
  int64_t label;
};

class ImageFolderSet : public DataSet {
public:
  ImageFolderSet(std::vector<ImageFile> samples, std::vector<Field> fields,
                 const ImageFolderOptions &options)
      : samples(std::move(samples)), described(std::move(fields)),
        options(options) {}

  /// Settles which field is what.
  Status initialize();
  /// Drops the samples that can't be decoded.
  Status skipBroken(std::vector<std::string> &skipped);

  int64_t size() const override { return static_cast<int64_t>(samples.size()); }
  std::span<const Field> fields() const override { return described; }
  Status read(int64_t index, const Visit &visit,
              std::span<std::byte *const> out) const override;
  Status readWhole(int64_t index, const Visit &visit,
                   Sample &sample) const override;
  Status readField(size_t field, int64_t index, std::byte *out) const override;

private:
  Status settleSizes();
  Result<Image> decode(int64_t index) const;
  Window place(const Image &image, int64_t index, const Visit &visit) const;
  Status write(const Image &image, const Window &window, std::byte *out) const;
  void writeLabel(int64_t index, std::byte *out) const;

  std::vector<ImageFile> samples;
  std::vector<Field> described;
  const ImageFolderOptions options;
  size_t imageField = SIZE_MAX, labelField = SIZE_MAX;
  int64_t channels = 0;
  int64_t height = 0, width = 0; ///< -1: those of each image
  bool isBytes = false; ///< u8, channels last, instead of f32, channels first
  Normalization normalization;
};
} // namespace

/// The classes of a folder: its folders but for hidden ones, sorted.
static Status listClasses(const std::string &path,
                          std::vector<std::string> &classes) {
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    std::string name = at->path().filename().string();
    std::error_code ignored;
    if (at->is_directory(ignored) && name[0] != '.')
      classes.push_back(name);
  }
  if (error)
    return Status(Error::Read,
                  "'" + path + "' can't be read: " + error.message());
  if (classes.empty())
    return Status(Error::Empty, "'" + path +
                                    "' has no folders; put the images of each "
                                    "class into a folder of its name");
  std::sort(classes.begin(), classes.end());
  return {};
}

static bool isImageName(const fs::path &path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

/// Adds the images of class `label`.
static Status listImages(const fs::path &folder, int64_t label,
                         std::vector<ImageFile> &samples) {
  std::error_code error;
  size_t before = samples.size();
  for (fs::recursive_directory_iterator at(folder, error), end;
       !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (isImageName(at->path()) && at->is_regular_file(ignored))
      samples.push_back({at->path().string(), label});
  }
  if (error)
    return Status(Error::Read, "'" + folder.string() +
                                   "' can't be read: " + error.message());
  if (samples.size() == before)
    return Status(Error::Empty, "the folder '" + folder.string() +
                                    "' has no .jpg, .jpeg or .png file; "
                                    "remove it, or fill it");
  std::sort(samples.begin() + static_cast<std::ptrdiff_t>(before),
            samples.end(),
            [](auto &left, auto &right) { return left.path < right.path; });
  return {};
}

Status ImageFolderSet::initialize() {
  for (size_t i = 0; i < described.size(); ++i) {
    Field &field = described[i];
    bool isLabel = (field.dtype == WEFT_I64 || field.dtype == WEFT_I32) &&
                   std::all_of(field.dims.begin(), field.dims.end(),
                               [](int64_t size) { return size == 1; });
    bool isImage = (field.dtype == WEFT_F32 || field.dtype == WEFT_U8) &&
                   field.dims.size() == 3;
    size_t &role = isLabel ? labelField : imageField;
    if (role != SIZE_MAX || (!isLabel && !isImage))
      return Status(Error::Mismatch,
                    "the program's input '" + field.name + "' takes " +
                        describe(field.dtype, field.dims) +
                        ", but a folder of images has one image, f32 "
                        "[channels, height, width] or u8 [height, width, "
                        "channels], and one label, i64");
    role = i;
  }
  if (imageField == SIZE_MAX)
    return Status(Error::Mismatch,
                  "the program takes no image, f32 [channels, height, width] "
                  "or u8 [height, width, channels]");
  if (Status status = settleSizes(); !status.ok())
    return status;
  Result<Normalization> made =
      Normalization::create(options.mean, options.deviation, channels);
  if (!made.ok())
    return made.status();
  normalization = made.take();
  if (isBytes && !normalization.empty())
    return Status(Error::Option,
                  "the program takes the images' bytes, which have no mean "
                  "and deviation: leave these to it");
  return {};
}

Status ImageFolderSet::settleSizes() {
  Field &field = described[imageField];
  isBytes = field.dtype == WEFT_U8;
  std::string taken = describeDims(field.dims);
  int64_t &ofChannels = field.dims[isBytes ? 2 : 0];
  int64_t &rows = field.dims[isBytes ? 0 : 1];
  int64_t &columns = field.dims[isBytes ? 1 : 2];
  bool isOpen = rows == -1 && columns == -1 && options.keepSizes &&
                !options.height && !options.width;
  if (ofChannels == -1)
    ofChannels = 3;
  if (rows == -1 && !isOpen)
    rows = options.height;
  if (columns == -1 && !isOpen)
    columns = options.width;
  channels = ofChannels, height = rows, width = columns;
  if (channels != 1 && channels != 3)
    return Status(Error::Mismatch, "the program's images are " + taken +
                                       ", wanted 1 or 3 channels");
  if (isOpen && options.randomCrop)
    return Status(Error::Option,
                  "images keep their sizes, so that there are no crops of "
                  "them; give the height and width that they shall have");
  if (isOpen)
    return {};
  if (height < 1 || width < 1 || height > 65536 || width > 65536)
    return Status(Error::Option,
                  "the program's images are " + taken +
                      "; give the height and width that they shall have");
  if (options.shorterSide && (options.shorterSide < std::max(height, width) ||
                              options.shorterSide > 65536))
    return Status(
        Error::Option,
        "images are scaled to " + std::to_string(options.shorterSide) +
            " at their shorter side, from which no " + std::to_string(height) +
            " x " + std::to_string(width) + " can be cropped; take at least " +
            std::to_string(std::max(height, width)));
  return {};
}

Result<Image> ImageFolderSet::decode(int64_t index) const {
  const std::string &path = samples[index].path;
  Result<MappedFile> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  return decodeImage(path, file->bytes(), static_cast<int>(channels));
}

/// Where the crop lies in the scaled image.
Window ImageFolderSet::place(const Image &image, int64_t index,
                             const Visit &visit) const {
  // The whole image times upper / lower, the sizes rounded down.
  int64_t upper = options.shorterSide;
  int64_t lower = std::min(image.width, image.height);
  bool isOpen = height < 0;
  if (!upper && isOpen) {
    upper = lower;
  } else if (!upper) {
    bool wide = width * image.height >= height * image.width;
    upper = wide ? width : height;
    lower = wide ? image.width : image.height;
  }
  Window window{.width = std::max(image.width * upper / lower, width),
                .height = std::max(image.height * upper / lower, height),
                .x = 0,
                .y = 0,
                .columns = width,
                .rows = height};
  if (isOpen)
    window.columns = window.width, window.rows = window.height;
  window.x = (window.width - window.columns) / 2;
  window.y = (window.height - window.rows) / 2;
  if (!visit.random)
    return window;
  Random random(visit.seed, Random::Augment, visit.epoch, index);
  auto x = random.below(window.width - window.columns + 1);
  auto y = random.below(window.height - window.rows + 1);
  if (options.randomCrop) {
    window.x = static_cast<int64_t>(x);
    window.y = static_cast<int64_t>(y);
  }
  window.flip = random.below(2) && options.randomFlip;
  return window;
}

/// Writes what the window shows, as the program takes it.
Status ImageFolderSet::write(const Image &image, const Window &window,
                             std::byte *out) const {
  if (!isBytes) {
    auto *pixels = reinterpret_cast<float *>(out);
    Status status = resample(image, window, pixels);
    if (status.ok())
      normalization.apply(pixels, window.rows * window.columns);
    return status;
  }
  int64_t plane = window.rows * window.columns;
  bool isWhole = window.rows == image.height && window.columns == image.width &&
                 window.height == image.height && window.width == image.width;
  if (isWhole && !window.flip) {
    memcpy(out, image.pixels.data(), plane * channels);
    return {};
  }
  std::vector<float> pixels(plane * channels);
  if (Status status = resample(image, window, pixels.data()); !status.ok())
    return status;
  for (int64_t i = 0; i < plane; ++i)
    for (int64_t c = 0; c < channels; ++c)
      *out++ = static_cast<std::byte>(
          std::lround(std::clamp(pixels[c * plane + i], 0.0f, 1.0f) * 255));
  return {};
}

void ImageFolderSet::writeLabel(int64_t index, std::byte *out) const {
  int64_t label = samples[index].label;
  // Little-endian: the low bytes are the narrower number.
  memcpy(out, &label, bytesOf(described[labelField].dtype));
}

Status ImageFolderSet::read(int64_t index, const Visit &visit,
                            std::span<std::byte *const> out) const {
  Result<Image> image = decode(index);
  if (!image.ok())
    return image.status();
  if (labelField != SIZE_MAX)
    writeLabel(index, out[labelField]);
  return write(*image, place(*image, index, visit), out[imageField]);
}

Status ImageFolderSet::readWhole(int64_t index, const Visit &visit,
                                 Sample &sample) const {
  if (height >= 0)
    return DataSet::readWhole(index, visit, sample);
  Result<Image> image = decode(index);
  if (!image.ok())
    return image.status();
  Window window = place(*image, index, visit);
  Field field = described[imageField];
  field.dims[isBytes ? 0 : 1] = window.rows;
  field.dims[isBytes ? 1 : 2] = window.columns;
  if (Status status = sample.allocate(imageField, field); !status.ok())
    return status;
  if (labelField != SIZE_MAX) {
    if (Status status = sample.allocate(labelField, described[labelField]);
        !status.ok())
      return status;
    writeLabel(index, sample.buffers[labelField].data());
  }
  return write(*image, window, sample.buffers[imageField].data());
}

Status ImageFolderSet::readField(size_t field, int64_t index,
                                 std::byte *out) const {
  if (field != labelField)
    return DataSet::readField(field, index, out);
  writeLabel(index, out);
  return {};
}

Status ImageFolderSet::skipBroken(std::vector<std::string> &skipped) {
  std::vector<std::string> reasons(samples.size());
  std::atomic<int64_t> next = 0;
  auto work = [&] {
    for (int64_t i = next++; i < size(); i = next++)
      if (Result<Image> image = decode(i); !image.ok())
        reasons[i] = image.status().describe();
  };
  std::vector<std::thread> threads;
  try {
    for (int i = 1; i < options.threads; ++i)
      threads.emplace_back(work);
  } catch (const std::system_error &) {
    // Those that there are do it all.
  }
  work();
  for (std::thread &thread : threads)
    thread.join();
  std::vector<ImageFile> whole;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (reasons[i].empty())
      whole.push_back(std::move(samples[i]));
    else
      skipped.push_back(std::move(reasons[i]));
  }
  samples = std::move(whole);
  if (samples.empty())
    return Status(Error::Empty,
                  "none of " + std::to_string(skipped.size()) +
                      " images can be decoded; the first: " + skipped[0]);
  return {};
}

static Result<ImageFolder> openFolder(const std::string &path,
                                      std::span<const Want> wants,
                                      const ImageFolderOptions &options) {
  ImageFolder result;
  bool hasLabel = wants.size() > 1;
  if (Status status = listClasses(path, result.classes);
      !status.ok() && (hasLabel || !status.is(Error::Empty)))
    return status;
  if (hasLabel && !options.classes.empty() && options.classes != result.classes)
    return {Error::Mismatch,
            "'" + path + "' has " + std::to_string(result.classes.size()) +
                " classes, '" + result.classes.front() + "' to '" +
                result.classes.back() +
                "', other ones than the data for training, which have " +
                std::to_string(options.classes.size()) + ", '" +
                options.classes.front() + "' to '" + options.classes.back() +
                "'"};
  std::vector<ImageFile> samples;
  if (result.classes.empty())
    if (Status status = listImages(path, 0, samples); !status.ok())
      return status;
  for (size_t i = 0; i < result.classes.size(); ++i)
    if (Status status = listImages(fs::path(path) / result.classes[i],
                                   static_cast<int64_t>(i), samples);
        !status.ok())
      return status;
  auto set = std::make_unique<ImageFolderSet>(
      std::move(samples), std::vector<Field>(wants.begin(), wants.end()),
      options);
  if (Status status = set->initialize(); !status.ok())
    return status;
  if (options.skipBroken)
    if (Status status = set->skipBroken(result.skipped); !status.ok())
      return status;
  result.set = std::move(set);
  return result;
}

Result<ImageFolder>
weft::data::openImageFolder(const std::string &path,
                            std::span<const Want> wants,
                            const ImageFolderOptions &options) {
  return guard("the folder", path,
               [&] { return openFolder(path, wants, options); });
}
