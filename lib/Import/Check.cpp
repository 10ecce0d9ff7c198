//===- Check.cpp - What a model must be like ------------------------------===//
//
// ONNX's own checker can't be used: it wants the data of the tensors that have
// been taken out, and stops at the first problem.
//
//===----------------------------------------------------------------------===//

#include "onnx/defs/schema.h"

#include "Model.h"
#include "weft/Dialect/ONNX/IR/ONNXDialect.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

namespace {

/// The names that can be used at one place: those of a graph and of the graphs
/// around it.
struct Scope {
  const Scope *outer = nullptr;
  llvm::StringSet<> names;
  // Names that nodes further down will make.
  llvm::StringSet<> later;

  bool has(StringRef name) const {
    return names.contains(name) || (outer && outer->has(name));
  }
};

class Checker {
public:
  Checker(const Model &model, Report &report) : report(report) {
    for (const auto &import : model.proto.opset_import())
      versions[import.domain()] = import.version();
  }

  void run(const GraphProto &graph, const Scope *outer, StringRef where) {
    Scope scope{outer, {}, {}};
    for (const auto &tensor : graph.initializer())
      define(scope, tensor.name(), where, "initializer");
    for (const auto &input : graph.input())
      // An initializer of the same name is the input's default.
      if (!scope.names.contains(input.name()))
        define(scope, input.name(), where, "input");
    llvm::StringSet<> inputs;
    for (const auto &input : graph.input())
      if (!inputs.insert(input.name()).second)
        (void)report.error(Code::Graph, "input '" + Twine(input.name()) +
                                            "' of " + where +
                                            " is there twice");
    for (const NodeProto &node : graph.node())
      for (const std::string &name : node.output())
        if (!name.empty())
          scope.later.insert(name);
    for (const NodeProto &node : graph.node())
      runNode(node, scope, where);
    for (const auto &output : graph.output())
      if (!scope.has(output.name()))
        (void)report.error(Code::Graph, "output '" + Twine(output.name()) +
                                            "' of " + where +
                                            " is made by no node");
  }

private:
  void define(Scope &scope, StringRef name, StringRef where, StringRef what) {
    if (name.empty())
      (void)report.error(Code::Graph,
                         "an " + what + " of " + where + " has no name");
    else if (!scope.names.insert(name).second)
      (void)report.error(Code::Graph, "two values of " + where +
                                          " have the name '" + name + "'");
  }

  void runNode(const NodeProto &node, Scope &scope, StringRef where) {
    for (auto [index, name] : llvm::enumerate(node.input())) {
      if (name.empty() || scope.has(name))
        continue;
      const char *why = scope.later.contains(name)
                            ? "which is made later: the graph has a cycle or "
                              "is not sorted"
                            : "which nothing makes";
      (void)report.error(Code::Graph, describe(node) + ": input #" +
                                          Twine(index) + " is '" + name +
                                          "', " + why);
    }
    checkSchema(node);
    for (const AttributeProto &attr : node.attribute()) {
      if (!attr.ref_attr_name().empty())
        (void)report.error(Code::Graph,
                           describe(node) + ": attribute '" + attr.name() +
                               "' refers to one of a function, but the node "
                               "is in none");
      std::string inner = "graph '" + attr.name() + "' of " + describe(node);
      if (attr.has_g())
        run(attr.g(), &scope, inner);
      for (const GraphProto &graph : attr.graphs())
        run(graph, &scope, inner);
    }
    for (const std::string &name : node.output())
      if (!name.empty())
        define(scope, name, where, "output");
  }

  void checkSchema(const NodeProto &node) {
    auto version = versions.find(node.domain());
    if (version == versions.end()) {
      (void)report.error(Code::Operator,
                         describe(node) +
                             ": the model imports no version of "
                             "the operator set '" +
                             node.domain() + "'");
      return;
    }
    const ::onnx::OpSchema *schema = ::onnx::OpSchemaRegistry::Schema(
        node.op_type(), version->second, node.domain());
    if (!schema || !weft::onnx::getDomainPrefix(node.domain())) {
      (void)report.error(
          Code::Operator,
          describe(node) +
              ": there is no such operator in "
              "version " +
              Twine(version->second) + " of the operator set '" +
              (node.domain().empty() ? "ai.onnx" : node.domain()) +
              "' and no function of this name");
      return;
    }
    // Exporters for ai.onnx.ml still write what it has deprecated.
    if (schema->deprecated() && !node.domain().empty())
      return;
    // Some schemas let pass what they don't know, which then means nothing.
    for (const AttributeProto &attr : node.attribute())
      if (!schema->attributes().count(attr.name())) {
        (void)report.error(Code::Schema, describe(node) +
                                             ": there is no attribute '" +
                                             attr.name() + "'");
        return;
      }
    if (failed(checkElementTypes(node)))
      return;
    try {
      schema->Verify(node);
    } catch (const std::exception &error) {
      (void)report.error(Code::Schema, describe(node) + ": " + error.what());
    }
  }

  /// Attributes that are element types, which schemas take for any number.
  LogicalResult checkElementTypes(const NodeProto &node) {
    for (const AttributeProto &attr : node.attribute()) {
      StringRef name = attr.name();
      if (name != "to" && name != "dtype" && name != "output_dtype" &&
          name != "output_datatype")
        continue;
      // 0 stands for the default.
      bool isKnown =
          attr.type() != AttributeProto::INT || attr.i() == 0 ||
          attr.i() == ::onnx::TensorProto::STRING ||
          (attr.i() > 0 && attr.i() <= INT32_MAX && getRawBits(attr.i()) != 0);
      if (!isKnown)
        return report.error(Code::Schema, describe(node) + ": attribute '" +
                                              name + "' is " + Twine(attr.i()) +
                                              ", which is no element type");
    }
    return success();
  }

  Report &report;
  llvm::StringMap<int> versions;
};

} // namespace

LogicalResult weft::importer::checkModel(const Model &model, Report &report) {
  Checker(model, report).run(model.proto.graph(), nullptr, "the graph");
  return failure(report.hasErrors());
}
