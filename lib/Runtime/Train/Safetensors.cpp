//===- Safetensors.cpp - Files of named tensors ---------------------------===//

#include "weft/Runtime/Train/Safetensors.h"
#include "Data/Guard.h"
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <zlib.h>

using namespace weft::data;
using namespace weft::train;
using json = nlohmann::json;

static constexpr const char *sumName = "weft.crc32";
/// A longer header is refused, as other readers do.
static constexpr uint64_t mostHeader = 100'000'000;

static uLong addToSum(uLong sum, const std::byte *bytes, size_t count) {
  // Of no memory at all, crc32_z would begin a new sum.
  return count ? crc32_z(sum, reinterpret_cast<const Bytef *>(bytes), count)
               : sum;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// The tensors in the order of their bytes: wider elements first, so that each
/// is aligned.
static std::vector<const NamedTensor *>
arrange(std::span<const NamedTensor> tensors) {
  std::vector<const NamedTensor *> order;
  for (const NamedTensor &tensor : tensors)
    order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](auto *left, auto *right) {
    int64_t a = bytesOf(left->dtype), b = bytesOf(right->dtype);
    return a != b ? a > b : left < right;
  });
  return order;
}

Status weft::train::writeSafetensors(const std::string &path,
                                     std::span<const NamedTensor> tensors,
                                     Metadata metadata) {
  std::vector<const NamedTensor *> order = arrange(tensors);
  json header = json::object();
  int64_t end = 0;
  uLong sum = 0;
  for (const NamedTensor *tensor : order) {
    std::string_view type = safetensorsName(tensor->dtype);
    if (type.empty())
      return Status(Error::CheckpointWrite,
                    "'" + path + "' can't be written: tensor '" + tensor->name +
                        "' has elements of " + nameOf(tensor->dtype) +
                        ", which safetensors files do not have");
    int64_t begin = end;
    end += tensor->bytes;
    header[tensor->name] = {{"dtype", type},
                            {"shape", tensor->dims},
                            {"data_offsets", {begin, end}}};
    sum = addToSum(sum, tensor->data, tensor->bytes);
  }
  metadata[sumName] = std::to_string(sum);
  header["__metadata__"] = metadata;
  std::string text =
      header.dump(-1, ' ', false, json::error_handler_t::replace);
  uint64_t length = text.size();
  // So that what follows is aligned.
  text.append((64 - (sizeof length + text.size()) % 64) % 64, ' ');
  length = text.size();

  AtomicFile file(path);
  int error = file.open();
  if (!error)
    error = file.write(&length, sizeof length);
  if (!error)
    error = file.write(text.data(), text.size());
  for (const NamedTensor *tensor : order)
    if (!error)
      error = file.write(tensor->data, tensor->bytes);
  if (!error)
    error = file.commit();
  if (error)
    return Status(Error::CheckpointWrite,
                  "'" + path + "' can't be written (" +
                      std::to_string(end + length) +
                      " bytes): " + strerror(error) +
                      "; make room, or choose another folder");
  return {};
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static Status damaged(const std::string &path, const std::string &why) {
  return Status(Error::CheckpointDamaged,
                "'" + path + "' is no whole safetensors file: " + why);
}

/// Parses the header; discarded if it is no JSON object, or names something
/// twice.
static json parseHeader(std::string_view text) {
  std::set<std::string> seen;
  bool twice = false;
  json header = json::parse(
      text,
      [&](int depth, json::parse_event_t event, json &parsed) {
        if (depth == 1 && event == json::parse_event_t::key)
          twice |= !seen.insert(parsed.get<std::string>()).second;
        return true;
      },
      /*allow_exceptions=*/false);
  return twice || !header.is_object() ? json(json::value_t::discarded) : header;
}

/// Reads one tensor's description. False if it is not one.
static bool parseEntry(const json &value, Safetensors::Entry &entry,
                       uint64_t &begin, uint64_t &end) {
  if (!value.is_object() || value.size() != 3)
    return false;
  auto dtype = value.find("dtype");
  auto shape = value.find("shape");
  auto offsets = value.find("data_offsets");
  if (dtype == value.end() || shape == value.end() || offsets == value.end() ||
      !dtype->is_string() || !shape->is_array() || !offsets->is_array() ||
      offsets->size() != 2 || !(*offsets)[0].is_number_unsigned() ||
      !(*offsets)[1].is_number_unsigned() ||
      !parseSafetensorsName(dtype->get_ref<const std::string &>(), entry.dtype))
    return false;
  for (const json &size : *shape) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX)
      return false;
    entry.dims.push_back(static_cast<int64_t>(size.get<uint64_t>()));
  }
  begin = (*offsets)[0].get<uint64_t>();
  end = (*offsets)[1].get<uint64_t>();
  return true;
}

Status Safetensors::parse() {
  std::string_view text = file.text();
  uint64_t length = 0;
  if (text.size() < sizeof length)
    return damaged(name, "it has " + std::to_string(text.size()) + " bytes");
  memcpy(&length, text.data(), sizeof length);
  if (length > text.size() - sizeof length || length > mostHeader)
    return damaged(name, "its header claims " + std::to_string(length) +
                             " bytes, the file has " +
                             std::to_string(text.size()));
  json header = parseHeader(text.substr(sizeof length, length));
  if (header.is_discarded())
    return damaged(name, "its header is no JSON object of different names");
  content = file.bytes().subspan(sizeof length + length);

  std::vector<std::pair<uint64_t, Entry>> found;
  for (auto &[key, value] : header.items()) {
    if (key == "__metadata__") {
      if (!value.is_object())
        return damaged(name, "its metadata are no object of strings");
      for (auto &[label, string] : value.items()) {
        if (!string.is_string())
          return damaged(name, "its metadata '" + label + "' are no string");
        strings[label] = string.get<std::string>();
      }
      continue;
    }
    Entry entry{key, WEFT_F32, {}, {}};
    uint64_t begin = 0, end = 0;
    int64_t bytes = 0;
    if (!parseEntry(value, entry, begin, end))
      return damaged(name, "tensor '" + key +
                               "' has no dtype that Weft takes, shape and "
                               "data_offsets");
    if (begin > end || end > content.size() ||
        !multiply(entry.dims, bytesOf(entry.dtype), bytes) ||
        end - begin != static_cast<uint64_t>(bytes))
      return damaged(
          name, "tensor '" + key + "', " + describe(entry.dtype, entry.dims) +
                    ", does not fit into bytes " + std::to_string(begin) +
                    " to " + std::to_string(end) + " of " +
                    std::to_string(content.size()));
    entry.bytes = content.subspan(begin, end - begin);
    found.emplace_back(begin, std::move(entry));
  }
  // Those without bytes go before what begins at the same place.
  std::sort(found.begin(), found.end(), [](auto &left, auto &right) {
    return std::tuple(left.first, left.second.bytes.size(), left.second.name) <
           std::tuple(right.first, right.second.bytes.size(),
                      right.second.name);
  });
  uint64_t end = 0;
  for (auto &[begin, entry] : found) {
    if (begin != end)
      return damaged(name, "tensor '" + entry.name + "' begins at byte " +
                               std::to_string(begin) + ", wanted " +
                               std::to_string(end));
    end = begin + entry.bytes.size();
    byName[entry.name] = tensors.size();
    tensors.push_back(std::move(entry));
  }
  if (end != content.size())
    return damaged(name, "it has " + std::to_string(content.size()) +
                             " bytes of tensors, and they take " +
                             std::to_string(end));
  return {};
}

Result<Safetensors> Safetensors::open(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file.ok())
    return {Error::CheckpointRead, file.status().text()};
  Safetensors result(path, file.take());
  if (Status status =
          guard("the header of", path, [&] { return result.parse(); });
      !status.ok())
    return status;
  return result;
}

Status Safetensors::checkSum() const {
  auto wanted = strings.find(sumName);
  if (wanted == strings.end())
    return {};
  uLong sum = addToSum(0, content.data(), content.size());
  if (wanted->second != std::to_string(sum))
    return damaged(name, "its tensors do not have the sum that was written");
  return {};
}

const Safetensors::Entry *Safetensors::find(std::string_view wanted) const {
  auto found = byName.find(wanted);
  return found == byName.end() ? nullptr : &tensors[found->second];
}
