//===- Import.cpp - ONNX files to the onnx dialect ------------------------===//

#include "weft/Import/Import.h"
#include "Model.h"

#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Support/DataStore.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Base64.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;

Report::Report(MLIRContext &context, StringRef file)
    : loc(FileLineColLoc::get(&context, file, 0, 0)) {}

LogicalResult Report::error(Code code, const Twine &message) {
  constexpr unsigned maxErrors = 20;
  if (++count > maxErrors)
    return failure();
  // Messages of the ONNX library have several lines.
  std::string text = message.str();
  SmallVector<StringRef> lines;
  llvm::SplitString(text, lines, "\n");
  return emitError(loc) << "WFT" << static_cast<int>(code) << ": "
                        << llvm::join(lines, "; ");
}

std::string weft::importer::describe(const ::onnx::NodeProto &node) {
  std::string text = "node ";
  if (!node.name().empty())
    text += "'" + node.name() + "' ";
  text += "(" + (node.domain().empty() ? "" : node.domain() + ".") +
          node.op_type() + ")";
  if (node.name().empty() && node.output_size() != 0)
    text += " that makes '" + node.output(0) + "'";
  return text;
}

//===----------------------------------------------------------------------===//
// Walking
//===----------------------------------------------------------------------===//

static void
forEachTensor(::onnx::AttributeProto &attr,
              llvm::function_ref<void(::onnx::TensorProto &)> visit) {
  if (attr.has_t())
    visit(*attr.mutable_t());
  for (::onnx::TensorProto &tensor : *attr.mutable_tensors())
    visit(tensor);
  if (attr.has_g())
    weft::importer::forEachTensor(*attr.mutable_g(), visit);
  for (::onnx::GraphProto &graph : *attr.mutable_graphs())
    weft::importer::forEachTensor(graph, visit);
}

void weft::importer::forEachTensor(
    ::onnx::GraphProto &graph,
    llvm::function_ref<void(::onnx::TensorProto &)> visit) {
  for (::onnx::TensorProto &tensor : *graph.mutable_initializer())
    visit(tensor);
  for (::onnx::NodeProto &node : *graph.mutable_node())
    for (::onnx::AttributeProto &attr : *node.mutable_attribute())
      ::forEachTensor(attr, visit);
}

void weft::importer::forEachTensor(
    ::onnx::FunctionProto &function,
    llvm::function_ref<void(::onnx::TensorProto &)> visit) {
  for (::onnx::AttributeProto &attr : *function.mutable_attribute_proto())
    ::forEachTensor(attr, visit);
  for (::onnx::NodeProto &node : *function.mutable_node())
    for (::onnx::AttributeProto &attr : *node.mutable_attribute())
      ::forEachTensor(attr, visit);
}

//===----------------------------------------------------------------------===//
// The whole way
//===----------------------------------------------------------------------===//

bool weft::importer::isText(ArrayRef<char> bytes, StringRef name) {
  if (name.ends_with(".onnxtxt") || name.ends_with(".txt"))
    return true;
  // In a binary model '<' would open a group, which protobuf has no more.
  StringRef text(bytes.data(), std::min<size_t>(bytes.size(), 4096));
  return text.ltrim().starts_with("<");
}

static LogicalResult parseBinary(ArrayRef<char> bytes, StringRef file,
                                 int64_t limit, Model &model, Report &report) {
  llvm::Expected<std::string> stripped =
      stripTensors(bytes, file, limit, model.refs);
  if (!stripped)
    return report.error(Code::Syntax, llvm::toString(stripped.takeError()));
  if (stripped->size() > INT32_MAX)
    return report.error(Code::Syntax, "the graph without its weights is larger "
                                      "than the 2 GiB that protobuf can hold");
  if (!model.proto.ParseFromArray(stripped->data(), stripped->size()))
    return report.error(Code::Syntax, "not an ONNX model, or damaged");
  if (!model.proto.has_graph())
    return report.error(Code::Syntax, "the model has no graph");
  return success();
}

/// Reads a model as far as that its tensors are known.
static LogicalResult readModel(ArrayRef<char> bytes, StringRef file,
                               const ImportOptions &options, Model &model,
                               Report &report) {
  // What protobuf holds and what becomes dense elements is the same.
  int64_t limit = std::max<int64_t>(options.inlineBytes, 0);
  LogicalResult parsed =
      isText(bytes, model.name)
          ? parseText(StringRef(bytes.data(), bytes.size()), model, report)
          : parseBinary(bytes, file, limit, model, report);
  model.numTrainings = model.proto.training_info_size();
  if (succeeded(parsed) && options.part == ModelPart::Training)
    parsed = combineTraining(model, report);
  if (succeeded(parsed) && options.part == ModelPart::Initialization)
    parsed = takeInitialization(model, report);
  model.proto.clear_training_info();
  return success(succeeded(parsed) && succeeded(densify(model, report)) &&
                 succeeded(resolveTensors(model, limit, report)));
}

static llvm::Expected<ArrayRef<char>> mapFile(StringRef path) {
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(path, status))
    return llvm::errorCodeToError(error);
  return DataStore::get(path, 0, status.getSize());
}

static std::string getFolder(StringRef path) {
  StringRef folder = llvm::sys::path::parent_path(path);
  return folder.empty() ? "." : folder.str();
}

/// Reads the file that the optimizer is a function of.
static LogicalResult readOptimizer(const ImportOptions &options, Model &model,
                                   Report &report) {
  StringRef path = options.optimizerFile;
  llvm::Expected<ArrayRef<char>> bytes = mapFile(path);
  if (!bytes)
    return report.error(Code::File, "can't read '" + path + "': " +
                                        llvm::toString(bytes.takeError()));
  model.name = path.str();
  model.folder = getFolder(path);
  ImportOptions plain = options;
  plain.part = ModelPart::Inference;
  return readModel(*bytes, path, plain, model, report);
}

llvm::Expected<std::vector<char>> weft::decodeGraph(StringRef text) {
  std::vector<char> bytes;
  if (llvm::Error error = llvm::decodeBase64(text, bytes))
    return error;
  return bytes;
}

/// Reads the graph of the options and puts it in front of the model.
static LogicalResult addFront(Model &model, const ImportOptions &options,
                              Report &report) {
  llvm::Expected<std::vector<char>> bytes = decodeGraph(options.preprocess);
  if (!bytes)
    return report.error(Code::Preprocess,
                        "the text that holds the graph for samples is "
                        "damaged: " +
                            llvm::toString(bytes.takeError()));
  auto copy = std::make_unique<char[]>(bytes->size());
  llvm::copy(*bytes, copy.get());
  ArrayRef<char> view(copy.get(), bytes->size());
  std::string file = DataStore::add(std::move(copy), bytes->size());
  Model front;
  front.name = "<preprocess>";
  ImportOptions plain = options;
  plain.part = ModelPart::Inference;
  if (failed(readModel(view, file, plain, front, report)))
    return failure();
  return putInFront(front, model, options, report);
}

FailureOr<std::string> weft::encodeGraph(MLIRContext &context, StringRef path) {
  Report report(context, path);
  llvm::Expected<ArrayRef<char>> bytes = mapFile(path);
  if (!bytes)
    return report.error(Code::File, "can't read '" + path + "': " +
                                        llvm::toString(bytes.takeError()));
  Model front;
  front.name = path.str();
  std::string converted;
  ArrayRef<char> binary = *bytes;
  if (isText(binary, path)) {
    Model text;
    if (failed(
            parseText(StringRef(binary.data(), binary.size()), text, report)))
      return failure();
    converted = text.proto.SerializeAsString();
    binary = ArrayRef(converted.data(), converted.size());
  }
  // It has no folder: the text stands alone, and so must what it is made of.
  if (failed(readModel(*bytes, path, {}, front, report)) ||
      failed(checkFront(front, report)))
    return failure();
  return llvm::encodeBase64(StringRef(binary.data(), binary.size()));
}

FailureOr<std::optional<std::string>>
weft::readProperty(MLIRContext &context, StringRef path, StringRef key) {
  Report report(context, path);
  llvm::Expected<ArrayRef<char>> bytes = mapFile(path);
  if (!bytes)
    return report.error(Code::File, "can't read '" + path + "': " +
                                        llvm::toString(bytes.takeError()));
  Model model;
  model.name = path.str();
  model.folder = getFolder(path);
  if (failed(readModel(*bytes, path, {}, model, report)))
    return failure();
  for (const auto &entry : model.proto.metadata_props())
    if (entry.key() == key)
      return std::optional(entry.value());
  return std::optional<std::string>();
}

/// Imports the model that lies under `file` in the data store.
static OwningOpRef<ModuleOp> runImport(MLIRContext &context,
                                       ArrayRef<char> bytes, StringRef file,
                                       StringRef name, StringRef folder,
                                       const ImportOptions &options) {
  DialectRegistry registry;
  registerONNXDialect(registry);
  context.appendDialectRegistry(registry);
  context
      .loadDialect<func::FuncDialect, weft::onnx::ONNXDialect, WeftDialect>();
  Report report(context, name);
  Model model, optimizer;
  model.name = name.str();
  model.folder = folder.str();
  if (failed(readModel(bytes, file, options, model, report)))
    return nullptr;
  if (!options.optimizer.empty() && options.optimizerFile.empty())
    optimizer = model;
  else if (!options.optimizer.empty() &&
           failed(readOptimizer(options, optimizer, report)))
    return nullptr;
  if (failed(inlineFunctions(model, report)) ||
      failed(checkModel(model, report)) ||
      failed(convertToNewest(model, report)) ||
      (!options.preprocess.empty() &&
       failed(addFront(model, options, report))) ||
      failed(inferShapes(model, report)) || failed(checkTypes(model, report)) ||
      failed(freeBatch(model, options, report)))
    return nullptr;
  OwningOpRef<ModuleOp> module = buildModule(model, context, options, report);
  if (module && !options.optimizer.empty() &&
      failed(
          addOptimizer(optimizer, options.optimizer, *module, options, report)))
    return nullptr;
  if (!module || failed(verify(*module)))
    return nullptr;
  return module;
}

OwningOpRef<ModuleOp> weft::importFile(MLIRContext &context, StringRef path,
                                       const ImportOptions &options) {
  llvm::Expected<ArrayRef<char>> bytes = mapFile(path);
  if (!bytes) {
    (void)Report(context, path)
        .error(Code::File, "can't read '" + path +
                               "': " + llvm::toString(bytes.takeError()));
    return nullptr;
  }
  return runImport(context, *bytes, path, path, getFolder(path), options);
}

OwningOpRef<ModuleOp> weft::importBytes(MLIRContext &context,
                                        std::unique_ptr<char[]> bytes,
                                        int64_t size, StringRef name,
                                        StringRef folder,
                                        const ImportOptions &options) {
  ArrayRef<char> view(bytes.get(), size);
  std::string file = DataStore::add(std::move(bytes), size);
  return runImport(context, view, file, name, folder, options);
}
