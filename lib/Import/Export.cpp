//===- Export.cpp - The onnx dialect to ONNX files ------------------------===//

#include "ExportGraph.h"
#include "Model.h"

#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using llvm::Error;
using llvm::raw_ostream;

// protobuf's own limit on a message.
static constexpr uint64_t maxModelBytes = INT32_MAX;

/// Puts the large tensors into a file of their own beside `path`.
static Error writeExternal(ExportedModel &model, StringRef path) {
  // Pages, so that readers can map single tensors.
  constexpr uint64_t alignment = 4096;
  std::string file = (path + ".data").str();
  std::string location = llvm::sys::path::filename(file).str();
  SmallVector<uint64_t> offsets;
  uint64_t end = 0;
  for (ArrayRef<char> bytes : model.data) {
    offsets.push_back(llvm::alignTo(end, alignment));
    end = offsets.back() + bytes.size();
  }
  auto place = [&](::onnx::TensorProto &tensor) {
    std::optional<uint64_t> ref = getRef(tensor);
    if (!ref)
      return;
    tensor.clear_external_data();
    auto add = [&](const char *key, std::string value) {
      auto *entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(std::move(value));
    };
    add("location", location);
    add("offset", std::to_string(offsets[*ref]));
    add("length", std::to_string(model.data[*ref].size()));
  };
  forEachTensor(*model.proto.mutable_graph(), place);
  for (auto &info : *model.proto.mutable_training_info())
    forEachTensor(*info.mutable_algorithm(), place);
  return llvm::writeToOutput(file, [&](raw_ostream &os) {
    uint64_t position = 0;
    for (auto [offset, bytes] : llvm::zip_equal(offsets, model.data)) {
      os.write_zeros(offset - position);
      os.write(bytes.data(), bytes.size());
      position = offset + bytes.size();
    }
    return Error::success();
  });
}

static Error writeText(ExportedModel &model, StringRef path) {
  if (!model.data.empty()) {
    if (path == "-")
      return llvm::createStringError(
          "a model with large tensors needs a file beside it");
    if (Error error = writeExternal(model, path))
      return error;
  }
  llvm::Expected<std::string> text = printText(model.proto);
  if (!text)
    return text.takeError();
  return llvm::writeToOutput(path, [&](raw_ostream &os) {
    os << *text << "\n";
    return Error::success();
  });
}

static Error writeBinary(ExportedModel &model, StringRef path) {
  uint64_t size = model.proto.ByteSizeLong();
  for (ArrayRef<char> bytes : model.data)
    size += bytes.size();
  // Lengths of messages around a tensor grow a little too.
  bool isExternal = size > maxModelBytes - (64 << 20) && path != "-";
  if (isExternal)
    if (Error error = writeExternal(model, path))
      return error;
  std::string bytes;
  if (!model.proto.SerializeToString(&bytes))
    return llvm::createStringError("the graph is too large for protobuf");
  llvm::Expected<Rope> rope =
      fillTensors(ArrayRef(bytes.data(), bytes.size()), model.data);
  if (!rope)
    return rope.takeError();
  // A file is replaced when it is complete: the module may refer to its bytes.
  return llvm::writeToOutput(path, [&](raw_ostream &os) {
    for (ArrayRef<char> piece : rope->pieces)
      os.write(piece.data(), piece.size());
    return Error::success();
  });
}

Error weft::importer::writeModel(ExportedModel &model, StringRef path) {
  bool isText = path.ends_with(".onnxtxt") || path.ends_with(".txt");
  return isText ? writeText(model, path) : writeBinary(model, path);
}

LogicalResult weft::exportONNX(ModuleOp module, StringRef path) {
  FailureOr<ExportedModel> model = exportModule(module);
  if (failed(model))
    return failure();
  Error error = writeModel(*model, path);
  if (!error)
    return success();
  return module.emitError("WFT")
         << static_cast<int>(Code::Export) << ": can't write '" << path
         << "': " << llvm::toString(std::move(error));
}
