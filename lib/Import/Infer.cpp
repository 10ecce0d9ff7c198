//===- Infer.cpp - The types of intermediate values -----------------------===//
//
// Calls ONNX's shape inference. It throws; nothing leaves this file that way.
//
//===----------------------------------------------------------------------===//

#include "onnx/shape_inference/implementation.h"

#include "Model.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::OpSchema;
using ::onnx::TypeProto;

namespace {

/// The schema registry with the types of gradients and with careful data
/// propagation: ONNX's makes one message for each element of a vector, and
/// throws away a node's types if the vector is one whose data has been taken
/// out.
class CarefulRegistry : public ::onnx::ISchemaRegistry {
public:
  const OpSchema *GetSchema(const std::string &name, int version,
                            const std::string &domain) const override {
    const OpSchema *schema =
        ::onnx::OpSchemaRegistry::Schema(name, version, domain);
    bool isGradient = schema && schema->Name() == "Gradient" &&
                      schema->domain() == "ai.onnx.preview.training";
    if (!schema || !(schema->has_data_propagation_function() || isGradient))
      return schema;
    auto [it, isNew] = schemas.try_emplace(schema);
    if (isNew) {
      it->second = std::make_unique<OpSchema>(*schema);
      if (isGradient)
        it->second->TypeAndShapeInferenceFunction(inferGradient);
      else
        it->second->PartialDataPropagationFunction(
            [schema](::onnx::DataPropagationContext &context) {
              propagate(*schema, context);
            });
    }
    return it->second.get();
  }

private:
  /// A gradient is like the tensor that it is of; ONNX says nothing of it.
  static void inferGradient(::onnx::InferenceContext &context) {
    size_t count = std::min(context.getNumInputs(), context.getNumOutputs());
    for (size_t i = 0; i < count; ++i)
      if (const TypeProto *type = context.getInputType(i))
        *context.getOutputType(i) = *type;
  }

  static void propagate(const OpSchema &schema,
                        ::onnx::DataPropagationContext &context) {
    constexpr int64_t maxElements = 4096;
    for (size_t i = 0; i < context.getNumInputs(); ++i) {
      const TypeProto *type = context.getInputType(i);
      if (!type || !type->tensor_type().has_shape())
        continue;
      const auto &shape = type->tensor_type().shape();
      if (shape.dim_size() == 1 && shape.dim(0).dim_value() > maxElements)
        return;
    }
    try {
      schema.GetDataPropagationFunction()(context);
    } catch (const std::exception &) {
      // Nothing is known of the value then.
    }
  }

  mutable std::unordered_map<const OpSchema *, std::unique_ptr<OpSchema>>
      schemas;
};

} // namespace

namespace {

using Types = llvm::StringMap<TypeProto>;

/// Infers the graphs that the inference of their nodes leaves out, such as
/// those of FlexAttention.
class GraphInference {
public:
  GraphInference(const ModelProto &proto,
                 const ::onnx::ISchemaRegistry &registry,
                 const ::onnx::ShapeInferenceOptions &options)
      : registry(registry), options(options) {
    for (const auto &import : proto.opset_import())
      opsets[import.domain()] = import.version();
  }

  /// `outer` holds the types of the values around `graph`.
  void run(GraphProto &graph, const Types &outer) {
    Types types = outer;
    addTypes(graph, types);
    for (NodeProto &node : *graph.mutable_node())
      for (AttributeProto &attr : *node.mutable_attribute()) {
        if (!attr.has_g())
          continue;
        if (!isComplete(attr.g()))
          infer(*attr.mutable_g(), types);
        run(*attr.mutable_g(), types);
      }
  }

private:
  static void addTypes(const GraphProto &graph, Types &types) {
    for (const auto *list :
         {&graph.value_info(), &graph.input(), &graph.output()})
      for (const auto &value : *list)
        types[value.name()] = value.type();
    for (const auto &tensor : graph.initializer()) {
      auto &type = *types[tensor.name()].mutable_tensor_type();
      type.set_elem_type(tensor.data_type());
      type.clear_shape();
      for (int64_t dim : tensor.dims())
        type.mutable_shape()->add_dim()->set_dim_value(dim);
    }
  }

  static bool isComplete(const GraphProto &graph) {
    Types types;
    addTypes(graph, types);
    for (const NodeProto &node : graph.node())
      for (const std::string &output : node.output())
        if (!output.empty() && !types.contains(output))
          return false;
    return true;
  }

  // What the graph takes from outside is made known as inputs for the time.
  void infer(GraphProto &graph, const Types &outer) {
    GraphProto copy = graph;
    Types inner;
    addTypes(graph, inner);
    for (const auto &entry : outer) {
      if (inner.contains(entry.getKey()))
        continue;
      auto *input = copy.add_input();
      input->set_name(entry.getKey().str());
      *input->mutable_type() = entry.getValue();
    }
    ::onnx::shape_inference::InferShapes(&copy, opsets, &registry, options);
    while (copy.input_size() > graph.input_size())
      copy.mutable_input()->RemoveLast();
    graph = std::move(copy);
  }

  const ::onnx::ISchemaRegistry &registry;
  const ::onnx::ShapeInferenceOptions &options;
  std::unordered_map<std::string, int> opsets;
};

} // namespace

static void runInference(ModelProto &proto, bool isStrict) {
  CarefulRegistry registry;
  ::onnx::shape_inference::DataValueMap values;
  ::onnx::ShapeInferenceOptions options(/*check_type=*/false,
                                        /*strict_mode=*/isStrict,
                                        /*data_prop=*/true);
  ::onnx::shape_inference::InferShapes(proto, &registry, options, &values);
  GraphInference(proto, registry, options).run(*proto.mutable_graph(), {});
}

llvm::Error weft::importer::inferShapes(Model &model) {
  ModelProto inferred = model.proto;
  try {
    runInference(inferred, /*isStrict=*/false);
  } catch (...) {
    return llvm::createStringError("the types of the graph do not fit: " +
                                   getExceptionMessage());
  }
  model.proto = std::move(inferred);
  return llvm::Error::success();
}

LogicalResult weft::importer::inferShapes(Model &model, Report &report) {
  if (llvm::Error error = inferShapes(model))
    return report.error(Code::Inference, llvm::toString(std::move(error)));
  return success();
}

std::string weft::importer::explainInference(const Model &model) {
  ModelProto copy = model.proto;
  try {
    runInference(copy, /*isStrict=*/true);
  } catch (...) {
    return getExceptionMessage();
  }
  return "";
}
