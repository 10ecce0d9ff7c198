//===- BuildIR.cpp - Models as modules of the onnx dialect ----------------===//

#include "Model.h"

#include "weft/Dialect/ONNX/IR/ONNXDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorShapeProto;
using ::onnx::TypeProto;

namespace {

/// The values that can be used at one place of a graph.
struct Scope {
  const Scope *outer = nullptr;
  llvm::StringMap<Value> values;
  /// The types of the graph's values, as far as they are known.
  llvm::StringMap<const TypeProto *> types;

  Value find(StringRef name) const {
    auto it = values.find(name);
    if (it != values.end())
      return it->second;
    return outer ? outer->find(name) : Value();
  }
};

class ModuleBuilder {
public:
  ModuleBuilder(const Model &model, MLIRContext &context,
                const ImportOptions &options, Report &report)
      : model(model), context(context), options(options), report(report),
        b(&context) {}

  OwningOpRef<ModuleOp> run();

private:
  // Types.
  Type convertType(const TypeProto &type);
  Type convertTensorType(const TypeProto::Tensor &type);
  ArrayAttr getDimNames(const TypeProto &type);
  DictionaryAttr getValueAttrs(const ::onnx::ValueInfoProto &value);
  DictionaryAttr getInputAttrs(const ::onnx::ValueInfoProto &value);

  // Attributes.
  Attribute convertAttr(const NodeProto &node, const AttributeProto &attr);
  TypedAttr convertTensor(const ::onnx::TensorProto &tensor,
                          const Twine &owner);
  TypedAttr convertConstant(const NodeProto &node);
  ArrayAttr getStrings(ArrayRef<StringRef> strings) {
    return b.getStrArrayAttr(strings);
  }
  template <typename Entries>
  DictionaryAttr getDictionary(const Entries &entries);
  DictionaryAttr getModelAttr();

  // Graphs.
  void addTypes(const GraphProto &graph, Scope &scope);
  LogicalResult buildBody(const GraphProto &graph, Scope &scope);
  LogicalResult buildNode(const NodeProto &node, Scope &scope);
  LogicalResult buildGraphs(const NodeProto &node, Scope &scope,
                            OperationState &state);
  FailureOr<Type> getResultType(const NodeProto &node, StringRef name,
                                Scope &scope);
  LogicalResult addUpdates(Scope &scope, SmallVectorImpl<Value> &outputs,
                           SmallVectorImpl<Attribute> &attrs);
  LogicalResult getOutputs(const GraphProto &graph, Scope &scope,
                           SmallVectorImpl<Value> &values);
  Value buildConstant(StringRef name, TypedAttr value, Location loc);
  Value getNone();
  Location getLoc(StringRef name) {
    return NameLoc::get(b.getStringAttr(name));
  }

  const Model &model;
  MLIRContext &context;
  const ImportOptions &options;
  Report &report;
  OpBuilder b;
  func::FuncOp function;
  Value none;
};

} // namespace

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type ModuleBuilder::convertTensorType(const TypeProto::Tensor &type) {
  Type element = getElementType(type.elem_type(), &context);
  if (!element)
    return {};
  if (!type.has_shape())
    return UnrankedTensorType::get(element);
  SmallVector<int64_t> shape;
  for (const auto &dim : type.shape().dim())
    // Some exporters write -1 for a size that they don't know.
    shape.push_back(dim.has_dim_value() && dim.dim_value() >= 0
                        ? dim.dim_value()
                        : ShapedType::kDynamic);
  return RankedTensorType::get(shape, element);
}

/// Null if the type is incomplete or of a kind that has no counterpart.
Type ModuleBuilder::convertType(const TypeProto &type) {
  switch (type.value_case()) {
  case TypeProto::kTensorType:
    return convertTensorType(type.tensor_type());
  case TypeProto::kSequenceType:
    if (Type element = convertType(type.sequence_type().elem_type()))
      return weft::onnx::SeqType::get(&context, element);
    return {};
  case TypeProto::kOptionalType:
    if (Type element = convertType(type.optional_type().elem_type()))
      return weft::onnx::OptionalType::get(&context, element);
    return {};
  case TypeProto::kMapType: {
    Type key = getElementType(type.map_type().key_type(), &context);
    Type value = convertType(type.map_type().value_type());
    if (key && value)
      return weft::onnx::MapType::get(&context, key, value);
    return {};
  }
  default:
    return {};
  }
}

/// The symbolic sizes of a ranked tensor, "" for those that have no name.
ArrayAttr ModuleBuilder::getDimNames(const TypeProto &type) {
  if (!type.tensor_type().has_shape())
    return {};
  SmallVector<StringRef> names;
  for (const auto &dim : type.tensor_type().shape().dim())
    names.push_back(dim.dim_param());
  return getStrings(names);
}

DictionaryAttr
ModuleBuilder::getValueAttrs(const ::onnx::ValueInfoProto &value) {
  SmallVector<NamedAttribute> attrs = {
      b.getNamedAttr("weft.name", b.getStringAttr(value.name()))};
  if (ArrayAttr dims = getDimNames(value.type()))
    attrs.push_back(b.getNamedAttr("weft.dims", dims));
  return b.getDictionaryAttr(attrs);
}

/// Those of an input of the model.
DictionaryAttr
ModuleBuilder::getInputAttrs(const ::onnx::ValueInfoProto &value) {
  NamedAttrList attrs(getValueAttrs(value));
  if (value.name() == model.rate) {
    attrs.set("weft.role", b.getStringAttr("rate"));
    if (model.defaultRate)
      attrs.set("weft.default", b.getF32FloatAttr(*model.defaultRate));
  }
  return attrs.getDictionary(&context);
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

TypedAttr ModuleBuilder::convertTensor(const ::onnx::TensorProto &tensor,
                                       const Twine &owner) {
  llvm::Expected<TypedAttr> attr =
      toAttr(tensor, model.refs, &context, options);
  if (attr)
    return *attr;
  (void)report.error(Code::Tensor,
                     owner + ": " + llvm::toString(attr.takeError()));
  return {};
}

/// Null, with an error, if the attribute can't be converted.
Attribute ModuleBuilder::convertAttr(const NodeProto &node,
                                     const AttributeProto &attr) {
  auto describeAttr = [&] {
    return describe(node) + ": attribute '" + attr.name() + "'";
  };
  switch (attr.type()) {
  case AttributeProto::FLOAT:
    return b.getF32FloatAttr(attr.f());
  case AttributeProto::INT:
    return b.getI64IntegerAttr(attr.i());
  case AttributeProto::STRING:
    return b.getStringAttr(attr.s());
  case AttributeProto::TENSOR:
    return convertTensor(attr.t(), describeAttr());
  case AttributeProto::FLOATS:
    return b.getDenseF32ArrayAttr(
        ArrayRef(attr.floats().data(), attr.floats_size()));
  case AttributeProto::INTS:
    return b.getDenseI64ArrayAttr(
        ArrayRef(attr.ints().data(), attr.ints_size()));
  case AttributeProto::STRINGS:
    return getStrings(
        SmallVector<StringRef>(attr.strings().begin(), attr.strings().end()));
  case AttributeProto::TENSORS: {
    SmallVector<Attribute> tensors;
    for (const auto &tensor : attr.tensors()) {
      tensors.push_back(convertTensor(tensor, describeAttr()));
      if (!tensors.back())
        return {};
    }
    return b.getArrayAttr(tensors);
  }
  case AttributeProto::TYPE_PROTO:
    if (Type type = convertType(attr.tp()))
      return TypeAttr::get(type);
    [[fallthrough]];
  default:
    (void)report.error(Code::Unsupported,
                       describeAttr() + " has a kind of value that is not "
                                        "supported");
    return {};
  }
}

template <typename T>
static TypedAttr toTensor(ArrayRef<T> values, bool isScalar, Type element) {
  SmallVector<int64_t> shape;
  if (!isScalar)
    shape.push_back(values.size());
  return DenseElementsAttr::get(RankedTensorType::get(shape, element), values);
}

/// The value of a Constant in any of its forms as a tensor.
TypedAttr ModuleBuilder::convertConstant(const NodeProto &node) {
  Type string = weft::onnx::StringType::get(&context);
  for (const AttributeProto &attr : node.attribute()) {
    StringRef name = attr.name();
    if (name == "value")
      return convertTensor(attr.t(), describe(node));
    if (name == "value_int")
      return toTensor<int64_t>(attr.i(), true, b.getI64Type());
    if (name == "value_float")
      return toTensor<float>(attr.f(), true, b.getF32Type());
    if (name == "value_string")
      return toTensor<StringRef>(StringRef(attr.s()), true, string);
    if (name == "value_ints")
      return toTensor(ArrayRef<int64_t>(attr.ints().data(), attr.ints_size()),
                      false, b.getI64Type());
    if (name == "value_floats")
      return toTensor(ArrayRef<float>(attr.floats().data(), attr.floats_size()),
                      false, b.getF32Type());
    if (name == "value_strings") {
      SmallVector<StringRef> strings(attr.strings().begin(),
                                     attr.strings().end());
      return toTensor<StringRef>(strings, false, string);
    }
  }
  (void)report.error(Code::Schema, describe(node) + ": has no value");
  return {};
}

template <typename Entries>
DictionaryAttr ModuleBuilder::getDictionary(const Entries &entries) {
  NamedAttrList attrs;
  for (const auto &entry : entries)
    if (!entry.key().empty())
      attrs.set(entry.key(), b.getStringAttr(entry.value()));
  return attrs.getDictionary(&context);
}

/// What the file says of itself.
DictionaryAttr ModuleBuilder::getModelAttr() {
  const ::onnx::ModelProto &proto = model.proto;
  NamedAttrList attrs, opsets;
  for (const auto &import : proto.opset_import())
    opsets.set(import.domain().empty() ? "ai.onnx" : import.domain(),
               b.getI64IntegerAttr(import.version()));
  attrs.set("opset", opsets.getDictionary(&context));
  if (model.sourceOpset != 0)
    attrs.set("source_opset", b.getI64IntegerAttr(model.sourceOpset));
  attrs.set("ir_version", b.getI64IntegerAttr(proto.ir_version()));
  auto setString = [&](StringRef name, StringRef value) {
    if (!value.empty())
      attrs.set(name, b.getStringAttr(value));
  };
  setString("producer", proto.producer_name());
  setString("producer_version", proto.producer_version());
  setString("domain", proto.domain());
  setString("doc", proto.doc_string());
  setString("graph", proto.graph().name());
  if (proto.has_model_version())
    attrs.set("model_version", b.getI64IntegerAttr(proto.model_version()));
  if (proto.metadata_props_size() != 0)
    attrs.set("metadata", getDictionary(proto.metadata_props()));
  if (model.numTrainings != 0)
    attrs.set("training_info", b.getI64IntegerAttr(model.numTrainings));
  return attrs.getDictionary(&context);
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

void ModuleBuilder::addTypes(const GraphProto &graph, Scope &scope) {
  for (const auto *list :
       {&graph.value_info(), &graph.input(), &graph.output()})
    for (const auto &value : *list)
      if (value.has_type())
        scope.types[value.name()] = &value.type();
}

Value ModuleBuilder::getNone() {
  if (none)
    return none;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  none = weft::onnx::NoneOp::create(b, function.getLoc(), b.getNoneType());
  return none;
}

Value ModuleBuilder::buildConstant(StringRef name, TypedAttr value,
                                   Location loc) {
  OperationState state(loc, "onnx.Constant");
  state.addAttribute("value", value);
  state.addAttribute("weft.outputs", getStrings(name));
  state.addTypes(value.getType());
  return b.create(state)->getResult(0);
}

FailureOr<Type> ModuleBuilder::getResultType(const NodeProto &node,
                                             StringRef name, Scope &scope) {
  if (name.empty())
    return Type(b.getNoneType());
  auto known = scope.types.find(name);
  if (known != scope.types.end())
    if (Type type = convertType(*known->second))
      return type;
  std::string why = explainInference(model);
  return report.error(Code::Inference,
                      describe(node) + ": the type of output '" + name +
                          "' is unknown" +
                          (why.empty() ? "" : "; inference says: " + why));
}

LogicalResult ModuleBuilder::buildGraphs(const NodeProto &node, Scope &scope,
                                         OperationState &state) {
  SmallVector<StringRef> names;
  for (const AttributeProto &attr : node.attribute()) {
    if (attr.type() != AttributeProto::GRAPH)
      continue;
    names.push_back(attr.name());
    Scope inner{&scope, {}, {}};
    addTypes(attr.g(), inner);
    Region *region = state.addRegion();
    OpBuilder::InsertionGuard guard(b);
    Block *block = b.createBlock(region);
    for (const auto &input : attr.g().input()) {
      FailureOr<Type> type = getResultType(node, input.name(), inner);
      if (failed(type))
        return failure();
      inner.values[input.name()] =
          block->addArgument(*type, getLoc(input.name()));
    }
    SmallVector<Value> outputs;
    if (failed(buildBody(attr.g(), inner)) ||
        failed(getOutputs(attr.g(), inner, outputs)))
      return failure();
    weft::onnx::YieldOp::create(b, state.location, outputs);
  }
  if (!names.empty())
    state.addAttribute("weft.graphs", getStrings(names));
  return success();
}

LogicalResult ModuleBuilder::buildNode(const NodeProto &node, Scope &scope) {
  std::string label = node.name();
  for (const std::string &output : node.output())
    if (label.empty())
      label = output;
  Location loc = getLoc(label);
  if (node.domain().empty() && node.op_type() == "Constant") {
    TypedAttr value = convertConstant(node);
    if (!value)
      return failure();
    scope.values[node.output(0)] = buildConstant(node.output(0), value, loc);
    return success();
  }

  StringRef prefix = *weft::onnx::getDomainPrefix(node.domain());
  OperationState state(loc, ("onnx." + prefix + node.op_type()).str());
  int numInputs = node.input_size();
  while (numInputs != 0 && node.input(numInputs - 1).empty())
    --numInputs;
  for (const std::string &input : llvm::make_range(
           node.input().begin(), node.input().begin() + numInputs)) {
    Value value = input.empty() ? getNone() : scope.find(input);
    if (!value)
      return report.error(Code::Graph, describe(node) + ": input '" + input +
                                           "' has no value");
    state.addOperands(value);
  }
  for (const AttributeProto &attr : node.attribute()) {
    if (attr.type() == AttributeProto::GRAPH)
      continue;
    Attribute value = convertAttr(node, attr);
    if (!value)
      return failure();
    state.addAttribute(attr.name(), value);
  }
  if (node.metadata_props_size() != 0)
    state.addAttribute("weft.metadata", getDictionary(node.metadata_props()));
  if (failed(buildGraphs(node, scope, state)))
    return failure();
  SmallVector<StringRef> outputs(node.output().begin(), node.output().end());
  for (StringRef output : outputs) {
    FailureOr<Type> type = getResultType(node, output, scope);
    if (failed(type))
      return failure();
    state.addTypes(*type);
  }
  state.addAttribute("weft.outputs", getStrings(outputs));
  Operation *op = b.create(state);
  for (auto [output, result] : llvm::zip_equal(outputs, op->getResults()))
    if (!output.empty())
      scope.values[output] = result;
  return success();
}

LogicalResult ModuleBuilder::buildBody(const GraphProto &graph, Scope &scope) {
  for (const auto &tensor : graph.initializer()) {
    TypedAttr value =
        convertTensor(tensor, "tensor '" + Twine(tensor.name()) + "'");
    if (!value)
      return failure();
    scope.values[tensor.name()] =
        buildConstant(tensor.name(), value, getLoc(tensor.name()));
  }
  for (const NodeProto &node : graph.node())
    if (failed(buildNode(node, scope)))
      return failure();
  return success();
}

LogicalResult ModuleBuilder::getOutputs(const GraphProto &graph, Scope &scope,
                                        SmallVectorImpl<Value> &values) {
  for (const auto &output : graph.output()) {
    values.push_back(scope.find(output.name()));
    if (!values.back())
      return report.error(Code::Graph,
                          "output '" + Twine(output.name()) + "' has no value");
  }
  return success();
}

/// What is assigned to initializers leaves the function under their names. An
/// initialization returns nothing else.
LogicalResult ModuleBuilder::addUpdates(Scope &scope,
                                        SmallVectorImpl<Value> &outputs,
                                        SmallVectorImpl<Attribute> &attrs) {
  bool isTraining = options.part == ModelPart::Training;
  if (options.part == ModelPart::Initialization) {
    outputs.clear();
    attrs.clear();
  }
  for (const ValueUpdate &update : model.updates) {
    NamedAttrList entries;
    entries.set("weft.name", b.getStringAttr(update.initializer));
    if (isTraining) {
      entries.set("weft.role",
                  b.getStringAttr(update.isWeight ? "parameter" : "state"));
      entries.set("weft.updates", b.getStringAttr(update.value));
    }
    attrs.push_back(entries.getDictionary(&context));
    outputs.push_back(scope.find(update.value));
    if (!outputs.back())
      return report.error(Code::Graph,
                          "output '" + Twine(update.value) + "' has no value");
  }
  return success();
}

OwningOpRef<ModuleOp> ModuleBuilder::run() {
  const GraphProto &graph = model.proto.graph();
  OwningOpRef<ModuleOp> module = ModuleOp::create(report.getLoc());
  module.get()->setAttr("weft.onnx", getModelAttr());
  b.setInsertionPointToEnd(module->getBody());
  function = func::FuncOp::create(b, report.getLoc(), "main",
                                  b.getFunctionType({}, {}));
  Block *block = function.addEntryBlock();
  b.setInsertionPointToStart(block);

  Scope scope;
  addTypes(graph, scope);
  llvm::StringSet<> constants;
  for (const auto &tensor : graph.initializer())
    constants.insert(tensor.name());
  SmallVector<Attribute> inputAttrs, outputAttrs;
  for (const auto &input : graph.input()) {
    // Values that a caller might override are constants here.
    if (constants.contains(input.name()))
      continue;
    Type type = convertType(input.type());
    if (!type) {
      (void)report.error(Code::Unsupported,
                         "input '" + Twine(input.name()) +
                             "' has no type or one that is not supported");
      return nullptr;
    }
    scope.values[input.name()] = block->addArgument(type, getLoc(input.name()));
    inputAttrs.push_back(getInputAttrs(input));
  }
  SmallVector<Value> outputs;
  if (failed(buildBody(graph, scope)) ||
      failed(getOutputs(graph, scope, outputs)))
    return nullptr;
  for (const auto &output : graph.output())
    outputAttrs.push_back(getValueAttrs(output));
  if (failed(addUpdates(scope, outputs, outputAttrs)))
    return nullptr;
  func::ReturnOp::create(b, report.getLoc(), outputs);
  function.setType(b.getFunctionType(block->getArgumentTypes(),
                                     TypeRange(ValueRange(outputs))));
  function.setArgAttrsAttr(b.getArrayAttr(inputAttrs));
  function.setResAttrsAttr(b.getArrayAttr(outputAttrs));
  return module;
}

OwningOpRef<ModuleOp> weft::importer::buildModule(const Model &model,
                                                  MLIRContext &context,
                                                  const ImportOptions &options,
                                                  Report &report) {
  return ModuleBuilder(model, context, options, report).run();
}
