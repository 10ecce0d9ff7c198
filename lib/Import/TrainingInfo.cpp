//===- TrainingInfo.cpp - A model's own training as its graph -------------===//
//
// One iteration of training is the graph of the model followed by that of the
// algorithm, both of which see the same initializers; where there are several
// algorithms, each sees what those before it have assigned.
//
//===----------------------------------------------------------------------===//

#include "Model.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TrainingInfoProto;

static constexpr llvm::StringLiteral kDomain = "ai.onnx.preview.training";

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

namespace {
/// New names of values.
using Names = llvm::StringMap<std::string>;
} // namespace

static void rename(std::string &name, const Names &names) {
  if (auto found = names.find(name); found != names.end())
    name = found->second;
}

static void rename(GraphProto &graph, const Names &names);

void weft::importer::renameValues(NodeProto &node, const Names &names) {
  for (std::string &input : *node.mutable_input())
    rename(input, names);
  for (std::string &output : *node.mutable_output())
    rename(output, names);
  bool isGradient = node.domain() == kDomain && node.op_type() == "Gradient";
  for (AttributeProto &attr : *node.mutable_attribute()) {
    if (attr.has_g())
      rename(*attr.mutable_g(), names);
    for (GraphProto &graph : *attr.mutable_graphs())
      rename(graph, names);
    if (!isGradient)
      continue;
    if (attr.name() == "y")
      rename(*attr.mutable_s(), names);
    for (std::string &name : *attr.mutable_strings())
      rename(name, names);
  }
}

/// Renames what a nested graph uses from outside.
static void rename(GraphProto &graph, const Names &names) {
  Names outer = names;
  auto hide = [&](StringRef name) { outer.erase(name); };
  for (const auto &input : graph.input())
    hide(input.name());
  for (const auto &tensor : graph.initializer())
    hide(tensor.name());
  for (const auto &tensor : graph.sparse_initializer())
    hide(tensor.values().name());
  for (const NodeProto &node : graph.node())
    for (const std::string &output : node.output())
      hide(output);
  for (NodeProto &node : *graph.mutable_node())
    renameValues(node, outer);
  for (auto &output : *graph.mutable_output())
    rename(*output.mutable_name(), outer);
}

//===----------------------------------------------------------------------===//
// Iterations
//===----------------------------------------------------------------------===//

namespace {

/// Makes one graph of a model and its algorithms.
class Combination {
public:
  Combination(Model &model, Report &report)
      : model(model), graph(*model.proto.mutable_graph()), inference(graph),
        report(report) {}

  LogicalResult run();

private:
  LogicalResult add(const TrainingInfoProto &info, unsigned number);
  void addNodes(const GraphProto &from, const Names &names);
  void repeatInference(unsigned number, Names &names);
  void holdApart(NodeProto &node, const Names &names) const;
  LogicalResult addUpdates(const TrainingInfoProto &info, const Names &names);
  bool isWeight(StringRef initializer) const;
  void findRate();
  LogicalResult error(const Twine &message) {
    return report.error(Code::Training, "training info: " + message);
  }

  Model &model;
  GraphProto &graph;
  const GraphProto inference;
  Report &report;
  llvm::StringSet<> initializers; // of the model and its algorithms
  Names current;                  // of initializers that have new values
};

} // namespace

template <typename Visit>
static void forEachInitializer(const GraphProto &graph, Visit visit) {
  for (const TensorProto &tensor : graph.initializer())
    visit(tensor.name());
  for (const auto &tensor : graph.sparse_initializer())
    visit(tensor.values().name());
}

void Combination::addNodes(const GraphProto &from, const Names &names) {
  for (const NodeProto &node : from.node())
    renameValues(*graph.add_node() = node, names);
  for (const auto &value : from.value_info())
    rename(*(*graph.add_value_info() = value).mutable_name(), names);
}

/// What algorithms behind the first one see of the model: its nodes once more,
/// with the new values of initializers.
void Combination::repeatInference(unsigned number, Names &names) {
  std::string prefix = "training." + std::to_string(number) + "/";
  for (const NodeProto &node : inference.node())
    for (const std::string &output : node.output())
      if (!output.empty())
        names[output] = prefix + output;
  for (const auto &entry : current) {
    NodeProto &copy = *graph.add_node();
    copy.set_op_type("Identity");
    copy.add_input(entry.getValue());
    copy.add_output(prefix + entry.getKey().str());
    names[entry.getKey()] = copy.output(0);
  }
  addNodes(inference, names);
}

/// What has been assigned is a variable like others: no gradient of a later
/// algorithm flows through it to what it was made of.
void Combination::holdApart(NodeProto &node, const Names &names) const {
  if (node.domain() != kDomain || node.op_type() != "Gradient")
    return;
  llvm::StringSet<> known;
  AttributeProto *zs = nullptr;
  for (AttributeProto &attr : *node.mutable_attribute()) {
    if (attr.name() == "xs" || attr.name() == "zs")
      for (const std::string &name : attr.strings())
        known.insert(name);
    if (attr.name() == "zs")
      zs = &attr;
  }
  if (!zs) {
    zs = node.add_attribute();
    zs->set_name("zs");
    zs->set_type(AttributeProto::STRINGS);
  }
  for (const auto &entry : current) {
    const std::string &name = names.find(entry.getKey())->second;
    if (known.contains(name))
      continue;
    zs->add_strings(name);
    node.add_input(name);
  }
}

/// Whether the model has it without its algorithms.
bool Combination::isWeight(StringRef initializer) const {
  bool found = false;
  forEachInitializer(inference, [&](const std::string &name) {
    found |= initializer == name;
  });
  return found;
}

LogicalResult Combination::addUpdates(const TrainingInfoProto &info,
                                      const Names &names) {
  llvm::StringSet<> outputs;
  for (const GraphProto *from : {&info.algorithm(), &inference})
    for (const auto &output : from->output())
      outputs.insert(output.name());
  for (const auto &binding : info.update_binding()) {
    const std::string &key = binding.key();
    if (!initializers.contains(key))
      return error("update_binding assigns to '" + key +
                   "', which is no initializer of the graph or the algorithm");
    if (!outputs.contains(binding.value()))
      return error("update_binding assigns '" + binding.value() + "' to '" +
                   key +
                   "', but no output of the graph or the algorithm has this "
                   "name");
    if (current.contains(key))
      return error("update_binding assigns to '" + key + "' twice");
    std::string value = binding.value();
    rename(value, names);
    bool isKnown = llvm::any_of(graph.output(), [&](const auto &output) {
      return output.name() == value;
    });
    if (!isKnown)
      graph.add_output()->set_name(value);
    current[key] = value;
    model.updates.push_back({key, value, isWeight(key)});
  }
  return success();
}

LogicalResult Combination::add(const TrainingInfoProto &info, unsigned number) {
  const GraphProto &algorithm = info.algorithm();
  graph.mutable_initializer()->MergeFrom(algorithm.initializer());
  graph.mutable_sparse_initializer()->MergeFrom(algorithm.sparse_initializer());
  forEachInitializer(
      algorithm, [&](const std::string &name) { initializers.insert(name); });
  for (const auto &input : algorithm.input()) {
    bool isKnown = llvm::any_of(graph.input(), [&](const auto &other) {
      return other.name() == input.name();
    });
    if (!isKnown)
      *graph.add_input() = input;
  }
  Names names = current;
  if (number != 0)
    repeatInference(number, names);
  int first = graph.node_size();
  addNodes(algorithm, names);
  for (int i = first; number != 0 && i < graph.node_size(); ++i)
    holdApart(*graph.mutable_node(i), names);
  for (const auto &output : algorithm.output())
    *graph.add_output() = output;
  return addUpdates(info, names);
}

/// Finds the learning rate: what optimizer nodes take as such, if all that take
/// an input or an initializer take the same, or else what an algorithm calls
/// so. It becomes an input; what it is otherwise is its default.
void Combination::findRate() {
  llvm::StringSet<> known = initializers, rates;
  for (const auto &input : graph.input())
    known.insert(input.name());
  for (const NodeProto &node : graph.node())
    if (node.domain() == kDomain && node.op_type() != "Gradient" &&
        node.input_size() != 0 && known.contains(node.input(0)))
      rates.insert(node.input(0));
  for (const TrainingInfoProto &info : model.proto.training_info())
    for (const auto &input : info.algorithm().input())
      for (StringRef name : {"learning_rate", "lr", "rate"})
        if (rates.empty() && input.name() == name)
          rates.insert(name);
  if (rates.size() != 1)
    return;
  std::string name = rates.begin()->getKey().str();
  auto *tensors = graph.mutable_initializer();
  auto tensor = llvm::find_if(*tensors, [&](const TensorProto &tensor) {
    return tensor.name() == name;
  });
  auto input = llvm::find_if(
      graph.input(), [&](const auto &input) { return input.name() == name; });
  if (tensor == tensors->end()) {
    if (input != graph.input().end())
      model.rate = name;
    return;
  }
  // One that the algorithm changes itself is a state like others.
  if (tensor->data_type() != TensorProto::FLOAT ||
      getNumElements(*tensor) != 1 || current.contains(name))
    return;
  llvm::Expected<std::string> raw = getRawData(*tensor);
  if (!raw || raw->size() != sizeof(float)) {
    llvm::consumeError(raw.takeError());
    return;
  }
  float rate;
  memcpy(&rate, raw->data(), sizeof(float));
  model.rate = name;
  model.defaultRate = rate;
  if (input == graph.input().end()) {
    auto *made = graph.add_input();
    made->set_name(name);
    auto &type = *made->mutable_type()->mutable_tensor_type();
    type.set_elem_type(TensorProto::FLOAT);
    type.mutable_shape();
    for (int64_t dim : tensor->dims())
      type.mutable_shape()->add_dim()->set_dim_value(dim);
  }
  tensors->erase(tensor);
}

LogicalResult Combination::run() {
  // What has none is seen later.
  if (model.proto.training_info_size() == 0)
    return success();
  forEachInitializer(
      inference, [&](const std::string &name) { initializers.insert(name); });
  for (auto [number, info] : llvm::enumerate(model.proto.training_info()))
    if (failed(add(info, number)))
      return failure();
  // What only initialization assigns to is kept with the rest.
  for (const TrainingInfoProto &info : model.proto.training_info())
    for (const auto &binding : info.initialization_binding())
      if (initializers.contains(binding.key()) &&
          current.try_emplace(binding.key(), binding.key()).second)
        model.updates.push_back(
            {binding.key(), binding.key(), isWeight(binding.key())});
  if (model.updates.empty())
    return error("update_binding is empty, so that nothing is trained");
  findRate();
  return success();
}

LogicalResult weft::importer::combineTraining(Model &model, Report &report) {
  return Combination(model, report).run();
}

//===----------------------------------------------------------------------===//
// Initialization
//===----------------------------------------------------------------------===//

/// Checks what one initialization assigns, and notes it.
static LogicalResult addInitialization(Model &model,
                                       const TrainingInfoProto &info,
                                       Names &names, GraphProto &graph,
                                       Report &report) {
  auto error = [&](const Twine &message) {
    return report.error(Code::Training, "training info: " + message);
  };
  llvm::StringSet<> initializers, outputs;
  for (const GraphProto *from : {&model.proto.graph(), &info.algorithm()})
    forEachInitializer(
        *from, [&](const std::string &name) { initializers.insert(name); });
  const GraphProto &from = info.initialization();
  if (from.input_size() > from.initializer_size())
    return error("the initialization graph has inputs, wanted none");
  for (const auto &output : from.output())
    outputs.insert(output.name());
  for (const auto &binding : info.initialization_binding()) {
    if (!initializers.contains(binding.key()))
      return error("initialization_binding assigns to '" + binding.key() +
                   "', which is no initializer of the graph or the algorithm");
    if (!outputs.contains(binding.value()))
      return error("initialization_binding assigns '" + binding.value() +
                   "' to '" + binding.key() +
                   "', but no output of the initialization has this name");
    std::string value = binding.value();
    rename(value, names);
    llvm::erase_if(model.updates, [&](const ValueUpdate &update) {
      return update.initializer == binding.key();
    });
    model.updates.push_back({binding.key(), value, false});
  }
  for (const NodeProto &node : from.node())
    renameValues(*graph.add_node() = node, names);
  for (const TensorProto &tensor : from.initializer())
    rename(*(*graph.add_initializer() = tensor).mutable_name(), names);
  for (const auto &value : from.value_info())
    rename(*(*graph.add_value_info() = value).mutable_name(), names);
  return success();
}

LogicalResult weft::importer::takeInitialization(Model &model, Report &report) {
  GraphProto graph;
  graph.set_name("initialization");
  for (auto [number, info] : llvm::enumerate(model.proto.training_info())) {
    // Graphs of their own, whose names need not differ.
    Names names;
    std::string prefix = "initialization." + std::to_string(number) + "/";
    auto add = [&](const std::string &name) {
      if (number != 0 && !name.empty())
        names[name] = prefix + name;
    };
    forEachInitializer(info.initialization(), add);
    for (const NodeProto &node : info.initialization().node())
      llvm::for_each(node.output(), add);
    if (failed(addInitialization(model, info, names, graph, report)))
      return failure();
  }
  llvm::StringSet<> outputs;
  for (const ValueUpdate &update : model.updates)
    if (outputs.insert(update.value).second)
      graph.add_output()->set_name(update.value);
  *model.proto.mutable_graph() = std::move(graph);
  return success();
}
