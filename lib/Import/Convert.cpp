//===- Convert.cpp - Functions and versions -------------------------------===//
//
// Calls ONNX's inliner and version converter. They throw; nothing leaves this
// file that way.
//
//===----------------------------------------------------------------------===//

#include "onnx/version_converter/convert.h"
#include "onnx/checker.h"
#include "onnx/inliner/inliner.h"

#include "Model.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TypeProto;

std::string weft::importer::getExceptionMessage() {
  try {
    throw;
  } catch (const std::exception &error) {
    return error.what();
  } catch (...) {
    return "unknown error";
  }
}

//===----------------------------------------------------------------------===//
// Operator sets
//===----------------------------------------------------------------------===//

/// Writes the main domain as "", which it has two names for.
template <typename Nodes> static void normalizeDomains(Nodes &nodes) {
  for (NodeProto &node : nodes) {
    if (node.domain() == "ai.onnx")
      node.clear_domain();
    for (AttributeProto &attr : *node.mutable_attribute()) {
      if (attr.has_g())
        normalizeDomains(*attr.mutable_g()->mutable_node());
      for (GraphProto &graph : *attr.mutable_graphs())
        normalizeDomains(*graph.mutable_node());
    }
  }
}

static LogicalResult checkOpsets(Model &model, Report &report) {
  ModelProto &proto = model.proto;
  if (proto.ir_version() > ::onnx::Version::IR_VERSION)
    return report.error(Code::Operator,
                        "the file has version " + Twine(proto.ir_version()) +
                            " of ONNX's format, this importer knows up to " +
                            Twine(int(::onnx::Version::IR_VERSION)));
  llvm::StringSet<> seen;
  const auto &known =
      ::onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  for (auto &import : *proto.mutable_opset_import()) {
    if (import.domain() == "ai.onnx")
      import.clear_domain();
    std::string name = import.domain().empty() ? "ai.onnx" : import.domain();
    if (!seen.insert(name).second)
      return report.error(Code::Operator,
                          "the operator set '" + name + "' is imported twice");
    auto range = known.find(import.domain());
    if (range == known.end())
      continue;
    auto [least, most] = range->second;
    if (import.version() < least || import.version() > most)
      return report.error(Code::Operator,
                          "the model uses version " + Twine(import.version()) +
                              " of the operator set '" + name +
                              "', supported are " + Twine(least) + " to " +
                              Twine(most));
    if (import.domain().empty())
      model.sourceOpset = import.version();
  }
  if (seen.empty())
    return report.error(Code::Operator, "the model imports no operator set");
  return success();
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

namespace {

/// Counts the nodes that a model has when its functions are inlined.
class InlinedSize {
public:
  explicit InlinedSize(const ModelProto &model) {
    for (const FunctionProto &function : model.functions())
      functions[getKey(function.domain(), function.name())] = &function;
  }

  template <typename Nodes> uint64_t count(const Nodes &nodes) {
    uint64_t sum = 0;
    for (const NodeProto &node : nodes) {
      sum = llvm::SaturatingAdd(sum, countCall(node));
      for (const AttributeProto &attr : node.attribute()) {
        if (attr.has_g())
          sum = llvm::SaturatingAdd(sum, count(attr.g().node()));
        for (const GraphProto &graph : attr.graphs())
          sum = llvm::SaturatingAdd(sum, count(graph.node()));
      }
    }
    return sum;
  }

private:
  static std::string getKey(StringRef domain, StringRef name) {
    return (domain + "\n" + name).str();
  }

  uint64_t countCall(const NodeProto &node) {
    std::string key = getKey(node.domain(), node.op_type());
    auto function = functions.find(key);
    if (function == functions.end())
      return 1;
    auto [known, isNew] = sizes.try_emplace(key, 1);
    if (isNew) {
      uint64_t size = count(function->second->node());
      sizes[key] = size;
      return size;
    }
    return known->second;
  }

  llvm::StringMap<const FunctionProto *> functions;
  llvm::StringMap<uint64_t> sizes;
};

} // namespace

/// Calls `visit` for each Gradient node, those of subgraphs included.
template <typename Nodes, typename Visit>
static void forEachGradient(Nodes &nodes, Visit visit) {
  for (NodeProto &node : nodes) {
    if (node.op_type() == "Gradient" &&
        node.domain() == "ai.onnx.preview.training")
      visit(node);
    for (AttributeProto &attr : *node.mutable_attribute()) {
      if (attr.has_g())
        forEachGradient(*attr.mutable_g()->mutable_node(), visit);
      for (GraphProto &graph : *attr.mutable_graphs())
        forEachGradient(*graph.mutable_node(), visit);
    }
  }
}

/// The values that a Gradient node names in its attributes.
static SmallVector<std::string *> getNamed(NodeProto &node) {
  SmallVector<std::string *> names;
  for (AttributeProto &attr : *node.mutable_attribute()) {
    if (attr.name() == "y")
      names.push_back(attr.mutable_s());
    if (attr.name() == "xs" || attr.name() == "zs")
      for (std::string &name : *attr.mutable_strings())
        names.push_back(&name);
  }
  return names;
}

/// The inliner gives values new names, but for those in attributes: so these
/// become inputs before it, and the other way round after it.
static constexpr llvm::StringLiteral kNamedMark = "weft.named";

static void nameByInputs(NodeProto &node) {
  AttributeProto mark;
  mark.set_name(kNamedMark.str());
  mark.set_type(AttributeProto::INT);
  mark.set_i(node.input_size());
  for (std::string *name : getNamed(node))
    node.add_input(*name);
  *node.add_attribute() = mark;
}

static void nameByAttributes(NodeProto &node) {
  auto mark = llvm::find_if(node.attribute(), [](const AttributeProto &attr) {
    return attr.name() == kNamedMark;
  });
  if (mark == node.attribute().end())
    return;
  int count = mark->i();
  node.mutable_attribute()->erase(mark);
  for (auto [i, name] : llvm::enumerate(getNamed(node)))
    if (count + static_cast<int>(i) < node.input_size())
      *name = node.input(count + i);
  while (node.input_size() > count)
    node.mutable_input()->RemoveLast();
}

LogicalResult weft::importer::inlineFunctions(Model &model, Report &report) {
  ModelProto &proto = model.proto;
  normalizeDomains(*proto.mutable_graph()->mutable_node());
  for (FunctionProto &function : *proto.mutable_functions())
    normalizeDomains(*function.mutable_node());
  if (failed(checkOpsets(model, report)))
    return failure();
  if (proto.functions().empty())
    return success();
  try {
    ::onnx::checker::check_function_call_cycles(proto);
    constexpr uint64_t maxNodes = 10'000'000;
    uint64_t size = InlinedSize(proto).count(proto.graph().node());
    if (size > maxNodes)
      return report.error(Code::Function, "the model has more than " +
                                              Twine(maxNodes) +
                                              " nodes when its functions are "
                                              "inlined");
    for (FunctionProto &function : *proto.mutable_functions())
      forEachGradient(*function.mutable_node(), nameByInputs);
    ::onnx::inliner::InlineLocalFunctions(proto, /*convert_version=*/true);
    forEachGradient(*proto.mutable_graph()->mutable_node(), nameByAttributes);
  } catch (...) {
    return report.error(Code::Function, "can't inline the model's functions: " +
                                            getExceptionMessage());
  }
  // Calls that are left have no schema, and are reported as such.
  proto.clear_functions();
  normalizeDomains(*proto.mutable_graph()->mutable_node());
  return success();
}

//===----------------------------------------------------------------------===//
// Versions
//===----------------------------------------------------------------------===//

namespace {

/// A model of one node, to find out which one the converter fails for.
class NodeModel {
public:
  explicit NodeModel(const ModelProto &model) : model(model) {
    addTypes(model.graph());
  }

  /// Why the converter fails for `node`; nothing if it does not.
  std::optional<std::string> explain(const NodeProto &node) {
    ModelProto single;
    single.set_ir_version(model.ir_version());
    *single.mutable_opset_import() = model.opset_import();
    GraphProto &graph = *single.mutable_graph();
    graph.set_name("node");
    *graph.add_node() = node;
    llvm::StringSet<> seen;
    addInputs(node, graph, seen);
    for (const std::string &name : node.output())
      if (!name.empty())
        graph.add_output()->set_name(name);
    try {
      ::onnx::version_conversion::ConvertVersion(single, getNewestOpset());
      return std::nullopt;
    } catch (...) {
      return getExceptionMessage();
    }
  }

private:
  void addTypes(const GraphProto &graph) {
    for (const auto *list :
         {&graph.input(), &graph.output(), &graph.value_info()})
      for (const auto &value : *list)
        types[value.name()] = &value.type();
    for (const auto &tensor : graph.initializer())
      tensors[tensor.name()] = &tensor;
  }

  void addInputs(const NodeProto &node, GraphProto &graph,
                 llvm::StringSet<> &seen) {
    for (const std::string &name : node.input()) {
      if (name.empty() || !seen.insert(name).second)
        continue;
      if (auto tensor = tensors.find(name); tensor != tensors.end()) {
        *graph.add_initializer() = *tensor->second;
        continue;
      }
      auto *input = graph.add_input();
      input->set_name(name);
      if (auto type = types.find(name); type != types.end())
        *input->mutable_type() = *type->second;
    }
    for (const AttributeProto &attr : node.attribute())
      for (const NodeProto &inner : attr.g().node())
        addInputs(inner, graph, seen);
  }

  const ModelProto &model;
  llvm::StringMap<const TypeProto *> types;
  llvm::StringMap<const ::onnx::TensorProto *> tensors;
};

/// The metadata of nodes, which the converter drops, by their first outputs.
using Metadata = llvm::StringMap<NodeProto>;

} // namespace

static void saveMetadata(const GraphProto &graph, Metadata &metadata) {
  for (const NodeProto &node : graph.node()) {
    if (node.metadata_props_size() != 0 && node.output_size() != 0)
      *metadata[node.output(0)].mutable_metadata_props() =
          node.metadata_props();
    for (const AttributeProto &attr : node.attribute())
      saveMetadata(attr.g(), metadata);
  }
}

static void restoreMetadata(GraphProto &graph, const Metadata &metadata) {
  for (NodeProto &node : *graph.mutable_node()) {
    auto it = node.output_size() != 0 ? metadata.find(node.output(0))
                                      : metadata.end();
    if (it != metadata.end())
      *node.mutable_metadata_props() = it->second.metadata_props();
    for (AttributeProto &attr : *node.mutable_attribute())
      if (attr.has_g())
        restoreMetadata(*attr.mutable_g(), metadata);
  }
}

LogicalResult weft::importer::convertToNewest(Model &model, Report &report) {
  int newest = getNewestOpset();
  if (model.sourceOpset == 0 || model.sourceOpset == newest)
    return success();
  try {
    Metadata metadata;
    saveMetadata(model.proto.graph(), metadata);
    ModelProto converted =
        ::onnx::version_conversion::ConvertVersion(model.proto, newest);
    restoreMetadata(*converted.mutable_graph(), metadata);
    model.proto = std::move(converted);
    return success();
  } catch (...) {
    std::string message = getExceptionMessage();
    NodeModel single(model.proto);
    for (const NodeProto &node : model.proto.graph().node())
      if (std::optional<std::string> why = single.explain(node))
        return report.error(
            Code::Conversion,
            describe(node) + ": can't be converted from version " +
                Twine(model.sourceOpset) + " to " + Twine(newest) +
                " of the operator set: " + *why);
    return report.error(Code::Conversion,
                        "can't be converted from version " +
                            Twine(model.sourceOpset) + " to " + Twine(newest) +
                            " of the operator set: " + message);
  }
}
