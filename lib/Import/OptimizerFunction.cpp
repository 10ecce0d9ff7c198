//===- OptimizerFunction.cpp - Optimizers that are ONNX functions ---------===//

#include "Model.h"

#include "weft/Support/DataStore.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::FunctionProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

static std::string getFullName(const FunctionProto &function) {
  return (function.domain().empty() ? "" : function.domain() + ".") +
         function.name();
}

/// Finds the function and checks what it takes and gives.
static const FunctionProto *findFunction(const Model &model, StringRef name,
                                         Report &report) {
  std::string known;
  const FunctionProto *found = nullptr;
  for (const FunctionProto &function : model.proto.functions()) {
    if (getFullName(function) == name)
      found = &function;
    known += (known.empty() ? "'" : ", '") + getFullName(function) + "'";
  }
  if (!found) {
    (void)report.error(
        Code::Function,
        "there is no function '" + name + "' that could be the optimizer; " +
            (known.empty() ? "the file has none" : "the file has " + known));
    return nullptr;
  }
  int inputs = found->input_size(), outputs = found->output_size();
  if (inputs >= 4 && outputs == inputs - 3)
    return found;
  (void)report.error(
      Code::Function,
      "the function '" + name + "' has " + Twine(inputs) + " inputs and " +
          Twine(outputs) +
          " outputs; an optimizer takes rate, step, parameter, gradient and "
          "states, and gives the new parameter and the new states");
  return nullptr;
}

/// A model whose graph calls the function once, with tensors of `dataType`
/// whose shapes are left open.
static ModelProto makeCaller(const ModelProto &source,
                             const FunctionProto &function, int32_t dataType) {
  ModelProto proto;
  proto.set_ir_version(source.ir_version());
  *proto.mutable_opset_import() = source.opset_import();
  auto import = [&](const std::string &domain, int64_t version) {
    for (const auto &other : proto.opset_import())
      if (other.domain() == domain)
        return;
    auto *added = proto.add_opset_import();
    added->set_domain(domain);
    added->set_version(version);
  };
  import(function.domain(), 1);
  for (const auto &other : function.opset_import())
    import(other.domain(), other.version());
  *proto.mutable_functions() = source.functions();
  auto &graph = *proto.mutable_graph();
  graph.set_name("optimizer");
  NodeProto &call = *graph.add_node();
  call.set_op_type(function.name());
  call.set_domain(function.domain());
  for (int i = 0; i < function.input_size(); ++i) {
    auto *input = graph.add_input();
    input->set_name(function.input(i));
    auto &type = *input->mutable_type()->mutable_tensor_type();
    type.set_elem_type(i == 0   ? TensorProto::FLOAT
                       : i == 1 ? TensorProto::INT64
                                : dataType);
    if (i < 2)
      type.mutable_shape();
    call.add_input(function.input(i));
  }
  // The inliner does not look at defaults.
  *call.mutable_attribute() = function.attribute_proto();
  for (const std::string &name : function.output()) {
    graph.add_output()->set_name("new." + name);
    call.add_output("new." + name);
  }
  return proto;
}

LogicalResult weft::importer::addOptimizer(const Model &source, StringRef name,
                                           ModuleOp module,
                                           const ImportOptions &options,
                                           Report &report) {
  const FunctionProto *function = findFunction(source, name, report);
  if (!function)
    return failure();
  for (auto [dataType, suffix] :
       {std::pair(TensorProto::FLOAT, "f32"), {TensorProto::DOUBLE, "f64"}}) {
    Model model;
    model.name = source.name;
    model.refs = source.refs;
    model.proto = makeCaller(source.proto, *function, dataType);
    if (failed(inlineFunctions(model, report)) ||
        failed(checkModel(model, report)) ||
        failed(convertToNewest(model, report)) ||
        failed(inferShapes(model, report)) || failed(checkTypes(model, report)))
      return failure();
    ImportOptions plain = options;
    plain.part = ModelPart::Inference;
    OwningOpRef<ModuleOp> built =
        buildModule(model, *module.getContext(), plain, report);
    if (!built)
      return failure();
    auto main = built->lookupSymbol<func::FuncOp>("main");
    main.setName((Twine("optimizer.") + suffix).str());
    main.setPrivate();
    main->setAttr("weft.optimizer", UnitAttr::get(module.getContext()));
    main->remove();
    module.push_back(main);
  }
  return success();
}
