//===- Checkpoint.cpp - A folder of the states of a run -------------------===//

#include "weft/Runtime/Train/Checkpoint.h"
#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

using namespace weft::data;
using namespace weft::train;
namespace fs = std::filesystem;

static constexpr std::string_view prefix = "update-", suffix = ".safetensors";

std::string CheckpointFolder::pathOf(int64_t update) const {
  std::string digits = std::to_string(update);
  if (digits.size() < 12)
    digits.insert(0, 12 - digits.size(), '0');
  return (fs::path(folder) /
          (std::string(prefix) + digits + std::string(suffix)))
      .string();
}

/// The number in a checkpoint's name, or -1.
static int64_t parseName(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix))
    return -1;
  name.remove_prefix(prefix.size());
  name.remove_suffix(suffix.size());
  int64_t update = -1;
  auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), update);
  return error == std::errc() && end == name.data() + name.size() ? update : -1;
}

std::vector<int64_t> CheckpointFolder::list() const {
  std::vector<int64_t> updates;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    int64_t update = parseName(at->path().filename().string());
    // The name must be the one that we would give.
    if (update >= 0 && at->path() == fs::path(pathOf(update)))
      updates.push_back(update);
  }
  std::sort(updates.begin(), updates.end());
  return updates;
}

Status CheckpointFolder::prepare() const {
  std::error_code error;
  fs::create_directories(folder, error);
  AtomicFile probe((fs::path(folder) / "probe").string());
  if (int number = error ? error.value() : probe.open())
    return Status(Error::CheckpointWrite,
                  "checkpoints can't be written into the folder '" + folder +
                      "': " + strerror(number) + "; choose another folder");
  return {};
}

Status CheckpointFolder::save(int64_t update,
                              std::span<const NamedTensor> tensors,
                              const Metadata &metadata) const {
  std::vector<int64_t> before = list();
  std::error_code ignored;
  // What a run that was killed has left half written.
  for (fs::directory_iterator at(folder, ignored), end; !ignored && at != end;
       at.increment(ignored)) {
    std::string name = at->path().filename().string();
    if (name.ends_with(".tmp") &&
        parseName(std::string_view(name).substr(0, name.size() - 4)) >= 0)
      fs::remove(at->path(), ignored);
  }
  if (Status status = writeSafetensors(pathOf(update), tensors, metadata);
      !status.ok())
    return status;
  std::erase(before, update);
  for (size_t i = 0; i + keep < before.size() + 1; ++i)
    fs::remove(pathOf(before[i]), ignored);
  return {};
}

Result<Safetensors>
CheckpointFolder::latest(std::vector<std::string> &skipped) const {
  std::vector<int64_t> updates = list();
  for (size_t i = updates.size(); i-- > 0;) {
    Result<Safetensors> file = Safetensors::open(pathOf(updates[i]));
    if (!file.ok()) {
      skipped.push_back(file.status().describe());
      continue;
    }
    if (Status status = file->checkSum(); !status.ok()) {
      skipped.push_back(status.describe());
      continue;
    }
    return file;
  }
  return {Error::NoCheckpoint, "there is no whole checkpoint in the folder '" +
                                   folder + "' (" +
                                   std::to_string(updates.size()) +
                                   " that are not); start without one"};
}

Status weft::train::restore(const Safetensors &from,
                            std::span<const NamedTensor> state) {
  auto refuse = [&](const std::string &why) {
    return Status(Error::CheckpointMismatch,
                  "'" + from.path() + "' is of another program: " + why);
  };
  for (const NamedTensor &tensor : state) {
    const Safetensors::Entry *entry = from.find(tensor.name);
    if (!entry)
      return refuse("it has no tensor '" + tensor.name + "', " +
                    describe(tensor.dtype, tensor.dims));
    if (entry->dtype != tensor.dtype || entry->dims != tensor.dims)
      return refuse("tensor '" + tensor.name + "' is " +
                    describe(entry->dtype, entry->dims) + " in it, wanted " +
                    describe(tensor.dtype, tensor.dims));
  }
  if (from.entries().size() != state.size())
    for (const Safetensors::Entry &entry : from.entries())
      if (std::none_of(state.begin(), state.end(),
                       [&](auto &one) { return one.name == entry.name; }))
        return refuse("it has a tensor '" + entry.name +
                      "', which this program does not");
  for (const NamedTensor &tensor : state)
    if (tensor.bytes)
      memcpy(tensor.data, from.find(tensor.name)->bytes.data(), tensor.bytes);
  return {};
}
