//===- CheckTypes.cpp - Whether values have the types operators want ------===//

#include "onnx/defs/data_type_utils.h"
#include "onnx/defs/schema.h"

#include "Model.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::OpSchema;
using ::onnx::TensorProto;
using ::onnx::TypeProto;

namespace {

/// The types of the values that can be used at one place.
struct Scope {
  const Scope *outer = nullptr;
  llvm::StringMap<const TypeProto *> types;
  /// Those of tensors, which have no type in the model.
  std::deque<TypeProto> made;

  const TypeProto *find(StringRef name) const {
    auto it = types.find(name);
    if (it != types.end())
      return it->second;
    return outer ? outer->find(name) : nullptr;
  }
};

class TypeChecker {
public:
  TypeChecker(const Model &model, Report &report) : report(report) {
    for (const auto &import : model.proto.opset_import())
      versions[import.domain()] = import.version();
  }

  void run(const GraphProto &graph, const Scope *outer) {
    Scope scope{outer, {}, {}};
    for (const auto *list :
         {&graph.value_info(), &graph.output(), &graph.input()})
      for (const auto &value : *list)
        if (value.has_type())
          scope.types[value.name()] = &value.type();
    for (const TensorProto &tensor : graph.initializer()) {
      TypeProto &type = scope.made.emplace_back();
      type.mutable_tensor_type()->set_elem_type(tensor.data_type());
      for (int64_t dim : tensor.dims())
        type.mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(
            dim);
      scope.types[tensor.name()] = &type;
    }
    for (const NodeProto &node : graph.node()) {
      check(node, scope);
      for (const AttributeProto &attr : node.attribute())
        if (attr.has_g())
          run(attr.g(), &scope);
    }
  }

private:
  /// "float", "seq(tensor(int64))": as the schemas write it, less `tensor()`.
  static std::string name(const std::string &type) {
    StringRef text(type);
    if (text.consume_front("tensor("))
      text = text.drop_back();
    return text.str();
  }

  /// "; operands: 'x' float[2,3], 'i' int64[N]".
  static std::string describeOperands(const NodeProto &node,
                                      const Scope &scope) {
    std::string text;
    for (const std::string &input : node.input()) {
      const TypeProto *type = input.empty() ? nullptr : scope.find(input);
      if (!type)
        continue;
      text += (text.empty() ? "; operands: '" : ", '") + input + "' " +
              toString(*type);
    }
    return text;
  }

  static std::string toString(const TypeProto &type) {
    std::string text = name(*::onnx::Utils::DataTypeUtils::ToType(type));
    if (!type.tensor_type().has_shape())
      return text;
    std::string dims;
    for (const auto &dim : type.tensor_type().shape().dim())
      dims += (dims.empty() ? "" : ",") +
              (dim.has_dim_value()       ? std::to_string(dim.dim_value())
               : dim.dim_param().empty() ? "?"
                                         : dim.dim_param());
    return text + "[" + dims + "]";
  }

  void check(const NodeProto &node, const Scope &scope) {
    auto version = versions.find(node.domain());
    const OpSchema *schema =
        version == versions.end()
            ? nullptr
            : ::onnx::OpSchemaRegistry::Schema(node.op_type(), version->second,
                                               node.domain());
    if (!schema || schema->inputs().empty())
      return;
    try {
      checkInputs(node, *schema, scope);
    } catch (const std::exception &error) {
      // Types that have no name, such as unknown element types.
      (void)report.error(Code::Type, describe(node) + ": " + error.what());
    }
  }

  void checkInputs(const NodeProto &node, const OpSchema &schema,
                   const Scope &scope) {
    // Parameters of the schema and the first input that has settled each.
    llvm::StringMap<std::pair<int, std::string>> bound;
    for (int i = 0; i < node.input_size(); ++i) {
      const TypeProto *type =
          node.input(i).empty() ? nullptr : scope.find(node.input(i));
      if (!type || type->value_case() == TypeProto::VALUE_NOT_SET)
        continue;
      size_t number = std::min<size_t>(i, schema.inputs().size() - 1);
      const OpSchema::FormalParameter &formal = schema.inputs()[number];
      const auto &allowed = formal.GetTypes();
      std::string found = *::onnx::Utils::DataTypeUtils::ToType(*type);
      auto blame = [&](const Twine &why) {
        (void)report.error(Code::Type, describe(node) + ": operand '" +
                                           node.input(i) + "' has the type " +
                                           name(found) + ", " + why +
                                           describeOperands(node, scope));
      };
      bool isAllowed =
          allowed.empty() || llvm::any_of(allowed, [&](const auto *other) {
            return *other == found;
          });
      if (!isAllowed)
        return blame("which the operator does not take there");
      if (!formal.GetIsHomogeneous())
        continue;
      auto [known, isNew] =
          bound.try_emplace(formal.GetTypeStr(), std::make_pair(i, found));
      if (!isNew && known->second.second != found)
        return blame("wanted " + name(known->second.second) + " like '" +
                     node.input(known->second.first) + "'");
    }
  }

  Report &report;
  llvm::StringMap<int> versions;
};

} // namespace

LogicalResult weft::importer::checkTypes(const Model &model, Report &report) {
  TypeChecker(model, report).run(model.proto.graph(), nullptr);
  return failure(report.hasErrors());
}
