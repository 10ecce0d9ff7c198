//===- ExportUpdated.cpp - A model file with other weights ----------------===//

#include "Model.h"
#include "weft/Support/DataStore.h"
#include "weft/Support/OutputFile.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using llvm::Error;
using llvm::StringMap;
using ::onnx::TensorProto;

namespace {
/// New bytes for a part of a file.
struct Patch {
  uint64_t offset;
  ArrayRef<char> bytes;
};

/// Changes one model on its way from file to file.
class Update {
public:
  Update(StringRef path, StringRef output, Report &report)
      : path(path), output(output), folder(llvm::sys::path::parent_path(path)),
        report(report) {}

  LogicalResult read();
  LogicalResult replace(const TensorUpdate &update);
  void setProperty(StringRef key, StringRef value);
  LogicalResult write();

private:
  LogicalResult fail(const Twine &message) {
    return report.error(Code::Export, message);
  }
  LogicalResult fail(Error error) {
    return fail(llvm::toString(std::move(error)));
  }
  void renameExternal();
  llvm::Expected<std::vector<UnfinishedFile>> writeExternal();

  StringRef path, output, folder;
  Report &report;
  Model model;
  StringMap<TensorProto *> tensors;
  std::vector<ArrayRef<char>> data;      ///< by reference
  StringMap<SmallVector<Patch>> patches; ///< by location of external data
  StringMap<std::string> names;          ///< new ones, by location
};
} // namespace

static StringRef getLocation(const TensorProto &tensor) {
  for (const auto &entry : tensor.external_data())
    if (entry.key() == "location")
      return entry.value();
  return "";
}

LogicalResult Update::read() {
  llvm::Expected<ArrayRef<char>> bytes = DataStore::getAll(path);
  if (!bytes)
    return fail(bytes.takeError());
  if (path.ends_with(".onnxtxt") || path.ends_with(".txt")) {
    if (failed(
            parseText(StringRef(bytes->data(), bytes->size()), model, report)))
      return failure();
  } else {
    llvm::Expected<std::string> stripped =
        stripTensors(*bytes, path, /*limit=*/0, model.refs);
    if (!stripped)
      return fail(stripped.takeError());
    if (!model.proto.ParseFromString(*stripped))
      return fail("'" + path + "' is no ONNX model, or damaged");
  }
  for (const DataRef &ref : model.refs) {
    llvm::Expected<ArrayRef<char>> range =
        DataStore::get(ref.file, ref.offset, ref.size);
    if (!range)
      return fail(range.takeError());
    data.push_back(*range);
  }
  ::onnx::GraphProto &graph = *model.proto.mutable_graph();
  for (TensorProto &tensor : *graph.mutable_initializer())
    tensors[tensor.name()] = &tensor;
  for (::onnx::NodeProto &node : *graph.mutable_node())
    if (node.op_type() == "Constant" && node.output_size() == 1)
      for (::onnx::AttributeProto &attr : *node.mutable_attribute())
        if (attr.name() == "value" && attr.has_t())
          tensors[node.output(0)] = attr.mutable_t();
  return success();
}

LogicalResult Update::replace(const TensorUpdate &update) {
  TensorProto *tensor = tensors.lookup(update.name);
  if (!tensor)
    return fail("'" + path + "' has no tensor '" + update.name +
                "' whose values are in an initializer or in the 'value' of a "
                "Constant node");
  std::optional<int64_t> size = getRawSize(*tensor);
  if (!size || *size != static_cast<int64_t>(update.bytes.size()))
    return fail("tensor '" + update.name + "' takes " +
                (size ? Twine(*size) : Twine("an unknown number of")) +
                " bytes, found " + Twine(update.bytes.size()));
  if (std::optional<uint64_t> ref = getRef(*tensor)) {
    data[*ref] = update.bytes;
    return success();
  }
  if (tensor->data_location() == TensorProto::EXTERNAL) {
    uint64_t offset = 0;
    for (const auto &entry : tensor->external_data())
      if (entry.key() == "offset")
        (void)StringRef(entry.value()).getAsInteger(10, offset);
    patches[getLocation(*tensor)].push_back({offset, update.bytes});
    return success();
  }
  tensor->clear_float_data();
  tensor->clear_double_data();
  tensor->clear_int32_data();
  tensor->set_raw_data(std::string(update.bytes.begin(), update.bytes.end()));
  return success();
}

void Update::setProperty(StringRef key, StringRef value) {
  for (auto &entry : *model.proto.mutable_metadata_props())
    if (entry.key() == key)
      return entry.set_value(value.str());
  auto *entry = model.proto.add_metadata_props();
  entry->set_key(key.str());
  entry->set_value(value.str());
}

/// Files that hold new values get names after the output; those that hold none
/// keep theirs, and stay where they are if the output lies beside them.
void Update::renameExternal() {
  llvm::SmallString<128> from, to;
  StringRef target = llvm::sys::path::parent_path(output);
  (void)llvm::sys::fs::real_path(folder.empty() ? "." : folder, from);
  (void)llvm::sys::fs::real_path(target.empty() ? "." : target, to);
  forEachTensor(*model.proto.mutable_graph(), [&](TensorProto &tensor) {
    StringRef location = getLocation(tensor);
    if (location.empty() || (from == to && !patches.contains(location)))
      return;
    auto [name, isNew] = names.try_emplace(location, "");
    if (isNew) {
      name->second = (llvm::sys::path::filename(output) + ".data").str();
      if (names.size() > 1)
        name->second += "." + std::to_string(names.size() - 1);
    }
    for (auto &entry : *tensor.mutable_external_data())
      if (entry.key() == "location")
        entry.set_value(name->second);
  });
}

/// Copies the files of external data, with the new values.
llvm::Expected<std::vector<UnfinishedFile>> Update::writeExternal() {
  std::vector<UnfinishedFile> files;
  for (auto &entry : names) {
    llvm::SmallString<128> source(folder),
        target(llvm::sys::path::parent_path(output));
    llvm::sys::path::append(source, entry.first());
    llvm::sys::path::append(target, entry.second);
    llvm::Expected<ArrayRef<char>> bytes = DataStore::getAll(source);
    if (!bytes)
      return bytes.takeError();
    SmallVector<Patch> &changes = patches[entry.first()];
    llvm::sort(changes, [](const Patch &a, const Patch &b) {
      return a.offset < b.offset;
    });
    auto file = UnfinishedFile::create(target);
    if (!file)
      return file.takeError();
    Error error = file->fill([&](llvm::raw_pwrite_stream &os) -> Error {
      uint64_t position = 0;
      for (const Patch &patch : changes) {
        if (patch.offset < position ||
            patch.offset + patch.bytes.size() > bytes->size())
          return llvm::createStringError("tensors in the external data '" +
                                         entry.first() +
                                         "' overlap or lie outside of it");
        os.write(bytes->data() + position, patch.offset - position);
        os.write(patch.bytes.data(), patch.bytes.size());
        position = patch.offset + patch.bytes.size();
      }
      os.write(bytes->data() + position, bytes->size() - position);
      return Error::success();
    });
    if (error)
      return error;
    files.push_back(std::move(*file));
  }
  return files;
}

LogicalResult Update::write() {
  renameExternal();
  std::string bytes;
  if (!model.proto.SerializeToString(&bytes))
    return fail("the model is too large for protobuf");
  auto filled = fillTensors(bytes, data);
  if (!filled)
    return fail(filled.takeError());
  if (filled->size > INT32_MAX)
    return fail("the model is larger than the 2 GiB that protobuf can hold");
  auto files = writeExternal();
  if (!files)
    return fail(files.takeError());
  auto file = UnfinishedFile::create(output);
  if (!file)
    return fail(file.takeError());
  if (Error error = file->fill([&](llvm::raw_pwrite_stream &os) {
        for (ArrayRef<char> piece : filled->pieces)
          os.write(piece.data(), piece.size());
        return Error::success();
      }))
    return fail(std::move(error));
  files->push_back(std::move(*file));
  for (UnfinishedFile &complete : *files)
    if (Error error = complete.keep())
      return fail(std::move(error));
  return success();
}

LogicalResult
weft::exportUpdated(MLIRContext &context, StringRef path, StringRef output,
                    ArrayRef<TensorUpdate> updates,
                    ArrayRef<std::pair<std::string, std::string>> metadata) {
  Report report(context, path);
  Update update(path, output, report);
  if (failed(update.read()))
    return failure();
  for (const TensorUpdate &change : updates)
    if (failed(update.replace(change)))
      return failure();
  for (const auto &[key, value] : metadata)
    update.setProperty(key, value);
  return update.write();
}
