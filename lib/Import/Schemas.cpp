//===- Schemas.cpp - ONNX's schema registry as ops of the onnx dialect ----===//

#include "onnx/defs/schema.h"

#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Import/Import.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "llvm/ADT/StringMap.h"
#include <map>

using namespace mlir;
using namespace weft;
using ::onnx::AttributeProto;
using ::onnx::OpSchema;
using ::onnx::OpSchemaRegistry;
using weft::onnx::AttrKind;
using weft::onnx::NodeSchema;

static std::optional<AttrKind> getKind(AttributeProto::AttributeType type) {
  switch (type) {
  case AttributeProto::FLOAT:
    return AttrKind::Float;
  case AttributeProto::INT:
    return AttrKind::Int;
  case AttributeProto::STRING:
    return AttrKind::String;
  case AttributeProto::TENSOR:
    return AttrKind::Tensor;
  case AttributeProto::GRAPH:
    return AttrKind::Graph;
  case AttributeProto::FLOATS:
    return AttrKind::Floats;
  case AttributeProto::INTS:
    return AttrKind::Ints;
  case AttributeProto::STRINGS:
    return AttrKind::Strings;
  case AttributeProto::TENSORS:
    return AttrKind::Tensors;
  case AttributeProto::TYPE_PROTO:
    return AttrKind::Type;
  case AttributeProto::TYPE_PROTOS:
    return AttrKind::Types;
  default:
    return std::nullopt;
  }
}

/// Widens `node` to allow what `schema` does.
static void join(NodeSchema &node, const OpSchema &schema, bool isFirst) {
  auto least = [&](unsigned &to, int value) {
    to = isFirst ? value : std::min<unsigned>(to, value);
  };
  least(node.minOperands, schema.min_input());
  least(node.minResults, schema.min_output());
  node.maxOperands = std::max<unsigned>(node.maxOperands, schema.max_input());
  node.maxResults = std::max<unsigned>(node.maxResults, schema.max_output());
  for (weft::onnx::AttrSchema &attr : node.attributes)
    if (!schema.attributes().count(attr.name))
      attr.required = false;
  for (const auto &[name, attr] : schema.attributes()) {
    std::optional<AttrKind> kind = getKind(attr.type);
    if (!kind)
      continue;
    auto known =
        llvm::find_if(node.attributes, [&](weft::onnx::AttrSchema &other) {
          return other.name == name;
        });
    if (known != node.attributes.end())
      known->required &= attr.required;
    else
      node.attributes.push_back({name, *kind, attr.required && isFirst});
  }
}

/// The main domain in its newest version, since models are converted to it. The
/// others in all versions, since there is no converter for them.
static SmallVector<NodeSchema> collectSchemas() {
  // Ordered by name, then from old to new.
  std::map<std::pair<std::string, std::string>, std::map<int, OpSchema>> all;
  for (OpSchema &schema : OpSchemaRegistry::get_all_schemas_with_history())
    if (!schema.deprecated())
      all[{schema.domain(), schema.Name()}].emplace(schema.since_version(),
                                                    schema);
  SmallVector<NodeSchema> nodes;
  for (const auto &[name, versions] : all) {
    std::optional<StringRef> prefix = weft::onnx::getDomainPrefix(name.first);
    if (!prefix)
      continue;
    NodeSchema node;
    node.name = (*prefix + name.second).str();
    bool isFirst = true;
    for (auto it = versions.rbegin(); it != versions.rend(); ++it) {
      join(node, it->second, isFirst);
      isFirst = false;
      if (prefix->empty())
        break;
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

/// Empty if the registry can't be read.
static ArrayRef<NodeSchema> getSchemas() {
  static const SmallVector<NodeSchema> schemas = [] {
    try {
      return collectSchemas();
    } catch (const std::exception &) {
      return SmallVector<NodeSchema>();
    }
  }();
  return schemas;
}

void weft::registerONNXDialect(DialectRegistry &registry) {
  registry.insert<func::FuncDialect, weft::onnx::ONNXDialect, WeftDialect>();
  registry.addExtension(+[](MLIRContext *, weft::onnx::ONNXDialect *dialect) {
    dialect->registerNodes(getSchemas());
  });
}

int weft::getNewestOpset(StringRef domain) {
  const auto &ranges = OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  auto range = ranges.find(domain.str());
  return range == ranges.end() ? 1 : range->second.second;
}
