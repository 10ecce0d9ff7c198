//===- ExportTraining.cpp - Models that bring their training along --------===//

#include "weft/Import/ExportTraining.h"

#include "ExportGraph.h"
#include "Model.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using llvm::Error;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

static constexpr llvm::StringLiteral kTrainingFlag = "weft.training";

/// Switches a node to training.
static void switchNode(NodeProto &node, const SwitchedNode &how) {
  if (node.op_type() == "Dropout") {
    while (node.input_size() < 3)
      node.add_input("");
    node.set_input(2, kTrainingFlag.str());
    return;
  }
  auto *attributes = node.mutable_attribute();
  for (int i = attributes->size() - 1; i >= 0; --i)
    if (attributes->Get(i).name() == "training_mode")
      attributes->DeleteSubrange(i, 1);
  AttributeProto &mode = *node.add_attribute();
  mode.set_name("training_mode");
  mode.set_type(AttributeProto::INT);
  mode.set_i(1);
  while (node.output_size() > 1)
    node.mutable_output()->RemoveLast();
  for (const std::string &name : how.statistics)
    node.add_output(name);
}

/// The nodes of `model` as they are while it is trained, in front of those of
/// `algorithm`.
static void repeatModel(const GraphProto &model, const TrainingAlgorithm &how,
                        GraphProto &algorithm) {
  llvm::StringMap<const SwitchedNode *> switched;
  for (const SwitchedNode &node : how.switched)
    switched[node.output] = &node;
  llvm::StringMap<std::string> names;
  for (const NodeProto &node : model.node())
    for (const std::string &output : node.output())
      if (!output.empty())
        names[output] = how.prefix + output;
  GraphProto whole;
  for (const NodeProto &node : model.node()) {
    NodeProto &copy = *whole.add_node() = node;
    if (!copy.name().empty())
      copy.set_name(how.prefix + copy.name());
    renameValues(copy, names);
    if (const SwitchedNode *how = switched.lookup(node.output(0)))
      switchNode(copy, *how);
  }
  whole.mutable_node()->MergeFrom(algorithm.node());
  algorithm.mutable_node()->Swap(whole.mutable_node());
  TensorProto &flag = *algorithm.add_initializer();
  flag.set_name(kTrainingFlag.str());
  flag.set_data_type(TensorProto::BOOL);
  flag.add_int32_data(1);
}

/// The states are zeros of a buffer that they share.
static void addStates(ExportedModel &model, const TrainingAlgorithm &how,
                      GraphProto &algorithm, std::vector<char> &zeros) {
  auto getBytes = [](RankedTensorType type) {
    return type.getNumElements() * (type.getElementTypeBitWidth() / 8);
  };
  int64_t largest = 0;
  for (const auto &[name, type] : how.states)
    largest = std::max(largest, getBytes(type));
  zeros.resize(largest);
  for (const auto &[name, type] : how.states) {
    TensorProto &tensor = *algorithm.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(getDataType(type.getElementType()));
    for (int64_t size : type.getShape())
      tensor.add_dims(size);
    auto *entry = tensor.add_external_data();
    entry->set_key(refKey.str());
    entry->set_value(std::to_string(model.data.size()));
    tensor.set_data_location(TensorProto::EXTERNAL);
    model.data.push_back(ArrayRef(zeros).take_front(getBytes(type)));
  }
}

static void importTrainingDomain(::onnx::ModelProto &proto) {
  constexpr llvm::StringLiteral domain = "ai.onnx.preview.training";
  for (const auto &import : proto.opset_import())
    if (import.domain() == domain)
      return;
  auto *import = proto.add_opset_import();
  import->set_domain(domain.str());
  import->set_version(getNewestOpset(domain));
}

LogicalResult weft::exportTraining(ModuleOp module,
                                   const TrainingAlgorithm &algorithm,
                                   StringRef path) {
  FailureOr<ExportedModel> model = exportModule(module);
  if (failed(model))
    return failure();
  ::onnx::ModelProto &proto = model->proto;
  auto &info = *proto.add_training_info();
  auto fail = [&](Error error) {
    return module.emitError("WFT")
           << static_cast<int>(Code::Export) << ": can't write '" << path
           << "': " << llvm::toString(std::move(error));
  };
  if (path.ends_with(".onnxtxt") || path.ends_with(".txt"))
    return fail(llvm::createStringError(
        "ONNX's text syntax has no training info; write a .onnx"));
  if (Error error = parseGraph(algorithm.algorithm, *info.mutable_algorithm()))
    return fail(std::move(error));
  if (Error error =
          parseGraph(algorithm.initialization, *info.mutable_initialization()))
    return fail(std::move(error));
  if (!algorithm.switched.empty())
    repeatModel(proto.graph(), algorithm, *info.mutable_algorithm());
  std::vector<char> zeros;
  addStates(*model, algorithm, *info.mutable_algorithm(), zeros);
  auto bind = [](const auto &pairs, auto *bindings) {
    for (const auto &[initializer, value] : pairs) {
      auto *binding = bindings->Add();
      binding->set_key(initializer);
      binding->set_value(value);
    }
  };
  bind(algorithm.updates, info.mutable_update_binding());
  bind(algorithm.initials, info.mutable_initialization_binding());
  importTrainingDomain(proto);
  if (Error error = writeModel(*model, path))
    return fail(std::move(error));
  return success();
}
