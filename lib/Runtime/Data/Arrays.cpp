//===- Arrays.cpp - Arrays in numpy's formats as a data set ---------------===//

#include "weft/Runtime/Data/Arrays.h"
#include "Convert.h"
#include "Guard.h"
#include "Labels.h"
#include "Zip.h"
#include <algorithm>
#include <filesystem>

using namespace weft::data;

/// Adds the arrays of the archive `file`.
static Status openArchive(const std::string &path,
                          const std::shared_ptr<const MappedFile> &file,
                          std::vector<Array> &arrays) {
  Result<std::vector<ZipEntry>> entries = readZip(path, file->bytes());
  if (!entries.ok())
    return entries.status();
  size_t before = arrays.size();
  for (const ZipEntry &entry : *entries) {
    if (!entry.name.ends_with(".npy"))
      continue;
    Array array;
    array.name = entry.name.substr(0, entry.name.size() - 4);
    array.source = "array '" + array.name + "' of '" + path + "'";
    array.storage = file;
    std::span<const std::byte> bytes = entry.bytes;
    if (entry.deflated) {
      Result<Buffer> buffer = inflate(path, entry);
      if (!buffer.ok())
        return buffer.status();
      auto owned = std::make_shared<Buffer>(buffer.take());
      bytes = {owned->data(), static_cast<size_t>(owned->size())};
      array.storage = std::move(owned);
    }
    if (Status status = parseNpy(bytes, array); !status.ok())
      return status;
    arrays.push_back(std::move(array));
  }
  if (arrays.size() == before)
    return Status(Error::Damaged,
                  "'" + path + "' holds no array; save with numpy.savez");
  return {};
}

Result<std::vector<Array>>
weft::data::openArrays(std::span<const std::string> paths) {
  std::vector<Array> arrays;
  for (const std::string &path : paths) {
    Result<MappedFile> mapped = MappedFile::open(path);
    if (!mapped.ok())
      return mapped.status();
    auto file = std::make_shared<const MappedFile>(mapped.take());
    Status status;
    if (file->text().starts_with("PK")) {
      status = guard("the archive", path,
                     [&] { return openArchive(path, file, arrays); });
    } else {
      Array array;
      array.name = std::filesystem::path(path).stem().string();
      array.source = "'" + path + "'";
      array.storage = file;
      status = parseNpy(file->bytes(), array);
      arrays.push_back(std::move(array));
    }
    if (!status.ok())
      return status;
  }
  for (size_t i = 0; i < arrays.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (arrays[i].name == arrays[j].name)
        return {Error::Mismatch, arrays[i].source + " has the name of " +
                                     arrays[j].source +
                                     "; save one of them by another name"};
  return arrays;
}

bool weft::data::isLabelName(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  for (const char *known :
       {"y", "label", "labels", "target", "targets", "class", "classes"})
    if (name == known || name.starts_with(std::string(known) + "_"))
      return true;
  return false;
}

template <typename T> static std::string listNames(const T &named) {
  std::string text;
  for (const auto &one : named)
    text += (text.empty() ? "'" : ", '") + one.name + "'";
  return text.empty() ? "none" : text;
}

/// Brings `arrays` into the order of `wants` and drops what nothing wants.
static Status match(std::vector<Array> &arrays, std::span<const Want> wants) {
  std::vector<Array *> matched(wants.size());
  // Those called like labels go last: models take their labels behind what they
  // look at.
  std::vector<Array *> others, labels;
  for (Array &array : arrays) {
    auto want = std::find_if(wants.begin(), wants.end(), [&](const Want &one) {
      return one.name == array.name;
    });
    if (want != wants.end())
      matched[want - wants.begin()] = &array;
    else
      (isLabelName(array.name) ? labels : others).push_back(&array);
  }
  auto missing =
      static_cast<size_t>(std::count(matched.begin(), matched.end(), nullptr));
  // A program that takes no labels is given what others are trained with.
  bool takesLabels =
      std::any_of(wants.begin(), wants.end(),
                  [](const Want &want) { return isLabelName(want.name); });
  if (takesLabels || others.size() != missing)
    others.insert(others.end(), labels.begin(), labels.end());
  if (missing != 0 && others.size() != missing)
    return Status(Error::Mismatch,
                  "the program takes " + listNames(wants) +
                      ", but the data set has " + listNames(arrays) +
                      "; save arrays by the names of the program's inputs, or "
                      "just as many, in their order");
  std::vector<Array> result;
  for (size_t i = 0, next = 0; i < wants.size(); ++i)
    result.push_back(std::move(matched[i] ? *matched[i] : *others[next++]));
  arrays = std::move(result);
  return {};
}

/// Whether samples of these sizes can be taken as those that are wanted: they
/// may differ in sizes of 1. `settled` becomes the wanted sizes without open
/// ones.
static bool fit(std::span<const int64_t> have, const Want &want,
                std::vector<int64_t> &settled) {
  settled = want.dims;
  if (std::count(settled.begin(), settled.end(), -1) == 0) {
    std::vector<int64_t> left, right;
    auto skipOnes = [](std::span<const int64_t> from,
                       std::vector<int64_t> &to) {
      std::copy_if(from.begin(), from.end(), std::back_inserter(to),
                   [](int64_t size) { return size != 1; });
    };
    skipOnes(have, left);
    skipOnes(want.dims, right);
    return left == right;
  }
  if (have.size() != settled.size())
    return false;
  for (size_t i = 0; i < have.size(); ++i) {
    if (settled[i] != -1 && settled[i] != have[i])
      return false;
    settled[i] = have[i];
  }
  return true;
}

namespace {
class ArrayDataSet : public DataSet {
public:
  int64_t size() const override { return samples; }
  std::span<const Field> fields() const override { return wanted; }
  Status read(int64_t index, const Visit &visit,
              std::span<std::byte *const> out) const override;
  Status readField(size_t field, int64_t index, std::byte *out) const override;
  /// Adds the array for the next want.
  Status add(Array array, const Want &want);

private:
  struct Column {
    Array array;
    Convert convert;
    int64_t count; ///< elements of a sample
    int64_t bytes; ///< of a sample in the array
  };

  Status explain(const Column &column, const Field &field, int64_t row,
                 int64_t element) const;

  int64_t samples = -1;
  std::vector<Column> columns;
  std::vector<Field> wanted;
};
} // namespace

Status ArrayDataSet::add(Array array, const Want &want) {
  if (array.dims.empty())
    return Status(Error::Samples, array.source +
                                      " is a scalar; its first dimension must "
                                      "be that of the samples");
  if (samples >= 0 && array.dims[0] != samples)
    return Status(Error::Samples,
                  columns[0].array.source + " has " + std::to_string(samples) +
                      " samples (rows of " +
                      describeDims(columns[0].array.dims) + "), but " +
                      array.source + " has " + std::to_string(array.dims[0]) +
                      " (rows of " + describeDims(array.dims) +
                      "); give both as many rows");
  samples = array.dims[0];
  Convert convert = findConversion(array.dtype, want.dtype);
  if (!convert)
    return Status(Error::Mismatch,
                  array.source + " has elements of " + nameOf(array.dtype) +
                      ", but the program's input '" + want.name + "' takes " +
                      nameOf(want.dtype) + "; save it as that type");
  std::span<const int64_t> dims = std::span(array.dims).subspan(1);
  Field field = want;
  if (!fit(dims, want, field.dims))
    return Status(
        Error::Mismatch,
        "samples of " + array.source + " are " + describe(array.dtype, dims) +
            ", but those of the program's input '" + want.name + "' are " +
            describe(want.dtype, want.dims) + "; reshape the array");
  int64_t count = 0, bytes = 0, total = 0;
  if (!multiply(dims, 1, count) ||
      !multiply(dims, bytesOf(array.dtype), bytes) ||
      !multiply(field.dims, bytesOf(field.dtype), total))
    return Status(Error::Mismatch, array.source + " has rows of " +
                                       describeDims(array.dims) +
                                       ", more than any memory holds");
  wanted.push_back(std::move(field));
  columns.push_back({std::move(array), convert, count, bytes});
  return {};
}

Status ArrayDataSet::explain(const Column &column, const Field &field,
                             int64_t row, int64_t element) const {
  const Array &array = column.array;
  std::string place;
  int64_t rest = element;
  for (size_t i = array.dims.size(); i-- > 1;) {
    place = ", " + std::to_string(rest % array.dims[i]) + place;
    rest /= array.dims[i];
  }
  std::string value =
      print(array.dtype, array.bytes.data() + row * column.bytes +
                             element * bytesOf(array.dtype));
  bool nan = value.ends_with("nan");
  return Status(
      Error::Value,
      array.source + " has " + (nan ? "NaN" : value) + " at [" +
          std::to_string(row) + place + "] (row " + std::to_string(row) + ")" +
          (nan ? "; remove or replace such samples"
               : ", which is no " + nameOf(field.dtype) +
                     ", as the program's input '" + field.name + "' takes"));
}

Status ArrayDataSet::readField(size_t field, int64_t index,
                               std::byte *out) const {
  const Column &column = columns[field];
  int64_t bad = column.convert(column.array.bytes.data() + index * column.bytes,
                               out, column.count);
  return bad < 0 ? Status() : explain(column, wanted[field], index, bad);
}

Status ArrayDataSet::read(int64_t index, const Visit &,
                          std::span<std::byte *const> out) const {
  for (size_t i = 0; i < columns.size(); ++i)
    if (Status status = readField(i, index, out[i]); !status.ok())
      return status;
  return {};
}

Result<std::unique_ptr<DataSet>>
weft::data::makeArrayDataSet(std::vector<Array> arrays,
                             std::span<const Want> wants) {
  if (Status status = match(arrays, wants); !status.ok())
    return status;
  auto set = std::make_unique<ArrayDataSet>();
  for (size_t i = 0; i < wants.size(); ++i)
    if (Status status = set->add(std::move(arrays[i]), wants[i]); !status.ok())
      return status;
  if (set->size() < 1)
    return {Error::Empty, "the data set has no samples"};
  return std::unique_ptr<DataSet>(std::move(set));
}
