//===- ExportGraph.cpp - Modules of the onnx dialect as models ------------===//

#include "ExportGraph.h"
#include "Model.h"

#include "weft/Dialect/ONNX/IR/Node.h"
#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Support/DataStore.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TypeProto;

namespace {

class Exporter {
public:
  explicit Exporter(ModuleOp module) : module(module) {}

  FailureOr<ExportedModel> run();

private:
  InFlightDiagnostic error(Operation *op) {
    return op->emitError("WFT") << static_cast<int>(Code::Export) << ": ";
  }

  // Types and attributes.
  LogicalResult convertType(Operation *op, Type type, TypeProto &proto);
  LogicalResult addValueInfo(Operation *op, Value value, StringRef name,
                             ArrayAttr dims, ::onnx::ValueInfoProto &info);
  LogicalResult convertTensor(Operation *op, Attribute attr,
                              TensorProto &tensor);
  LogicalResult convertAttr(Operation *op, NamedAttribute attr,
                            AttributeProto &proto);
  LogicalResult convertArray(Operation *op, ArrayAttr array,
                             AttributeProto &proto);
  void convertModelAttr();

  // Graphs.
  std::string makeUnique(StringRef name);
  std::string nameResult(OpResult result);
  LogicalResult convertBody(Block &block, GraphProto &graph);
  LogicalResult convertNode(Operation *op, GraphProto &graph);
  LogicalResult convertOutputs(Operation *terminator, ArrayRef<StringRef> names,
                               ArrayRef<ArrayAttr> dims, GraphProto &graph);
  void importDomain(StringRef domain);

  ModuleOp module;
  ExportedModel model;
  DenseMap<Value, std::string> names;
  llvm::StringSet<> used;
};

} // namespace

//===----------------------------------------------------------------------===//
// Types and attributes
//===----------------------------------------------------------------------===//

LogicalResult Exporter::convertType(Operation *op, Type type,
                                    TypeProto &proto) {
  if (auto seq = dyn_cast<weft::onnx::SeqType>(type))
    return convertType(op, seq.getElement(),
                       *proto.mutable_sequence_type()->mutable_elem_type());
  if (auto optional = dyn_cast<weft::onnx::OptionalType>(type))
    return convertType(op, optional.getElement(),
                       *proto.mutable_optional_type()->mutable_elem_type());
  if (auto map = dyn_cast<weft::onnx::MapType>(type)) {
    proto.mutable_map_type()->set_key_type(getDataType(map.getKey()));
    return convertType(op, map.getValue(),
                       *proto.mutable_map_type()->mutable_value_type());
  }
  auto tensor = dyn_cast<TensorType>(type);
  int32_t dataType = tensor ? getDataType(tensor.getElementType()) : 0;
  if (dataType == 0)
    return error(op) << "ONNX has no type like " << type;
  proto.mutable_tensor_type()->set_elem_type(dataType);
  if (!tensor.hasRank())
    return success();
  auto *shape = proto.mutable_tensor_type()->mutable_shape();
  for (int64_t size : tensor.getShape()) {
    auto *dim = shape->add_dim();
    if (!ShapedType::isDynamic(size))
      dim->set_dim_value(size);
  }
  return success();
}

LogicalResult Exporter::addValueInfo(Operation *op, Value value, StringRef name,
                                     ArrayAttr dims,
                                     ::onnx::ValueInfoProto &info) {
  info.set_name(name.str());
  if (failed(convertType(op, value.getType(), *info.mutable_type())))
    return failure();
  if (!dims || !info.type().tensor_type().has_shape())
    return success();
  auto &shape = *info.mutable_type()->mutable_tensor_type()->mutable_shape();
  if (shape.dim_size() != int(dims.size()))
    return success();
  for (auto [dim, dimName] :
       llvm::zip_equal(*shape.mutable_dim(), dims.getAsRange<StringAttr>()))
    if (!dim.has_dim_value() && !dimName.empty())
      dim.set_dim_param(dimName.str());
  return success();
}

/// The opposite of unpacking: elements of `width` bits, one in each byte.
static std::string pack(ArrayRef<char> bytes, unsigned width) {
  std::string raw(llvm::divideCeil(bytes.size() * width, 8), 0);
  for (auto [index, byte] : llvm::enumerate(bytes))
    for (unsigned bit = 0; bit < width; ++bit) {
      size_t to = index * width + bit;
      raw[to / 8] |= ((byte >> bit) & 1) << (to % 8);
    }
  return raw;
}

static std::string toRaw(DenseElementsAttr dense, unsigned width) {
  std::string raw;
  if (dense.getElementType().isInteger(1)) {
    for (bool value : dense.getValues<bool>())
      raw += char(value);
    return raw;
  }
  ArrayRef<char> bytes = dense.getRawData();
  for (int64_t i = 0, e = dense.isSplat() ? dense.getNumElements() : 1; i < e;
       ++i)
    raw.append(bytes.data(), bytes.size());
  return width < 8 ? pack(ArrayRef(raw.data(), raw.size()), width) : raw;
}

LogicalResult Exporter::convertTensor(Operation *op, Attribute attr,
                                      TensorProto &tensor) {
  auto typed = cast<TypedAttr>(attr);
  auto type = cast<RankedTensorType>(typed.getType());
  int32_t dataType = getDataType(type.getElementType());
  if (dataType == 0)
    return error(op) << "ONNX has no type like " << type;
  tensor.set_data_type(dataType);
  for (int64_t dim : type.getShape())
    tensor.add_dims(dim);
  unsigned width = getRawBits(dataType);
  if (auto strings = dyn_cast<DenseStringElementsAttr>(attr)) {
    for (StringRef string : strings.getValues<StringRef>())
      tensor.add_string_data(string.str());
    return success();
  }
  if (auto dense = dyn_cast<DenseElementsAttr>(attr)) {
    tensor.set_raw_data(toRaw(dense, width));
    return success();
  }
  auto outside = dyn_cast<ExternAttr>(attr);
  if (!outside)
    return error(op) << "can't write a tensor held as " << attr;
  llvm::Expected<ArrayRef<char>> bytes =
      DataStore::get(outside.getFile(), outside.getOffset(), outside.getSize());
  if (!bytes)
    return error(op) << llvm::toString(bytes.takeError());
  if (width < 8 && !outside.getPacked()) {
    tensor.set_raw_data(pack(*bytes, width));
    return success();
  }
  auto *entry = tensor.add_external_data();
  entry->set_key(refKey.str());
  entry->set_value(std::to_string(model.data.size()));
  tensor.set_data_location(TensorProto::EXTERNAL);
  model.data.push_back(*bytes);
  return success();
}

LogicalResult Exporter::convertArray(Operation *op, ArrayAttr array,
                                     AttributeProto &proto) {
  // Empty ones are strings: the others are not written without a reason.
  proto.set_type(AttributeProto::STRINGS);
  for (Attribute element : array) {
    if (auto string = dyn_cast<StringAttr>(element)) {
      proto.add_strings(string.str());
    } else if (auto type = dyn_cast<TypeAttr>(element)) {
      proto.set_type(AttributeProto::TYPE_PROTOS);
      if (failed(convertType(op, type.getValue(), *proto.add_type_protos())))
        return failure();
    } else {
      proto.set_type(AttributeProto::TENSORS);
      if (failed(convertTensor(op, element, *proto.add_tensors())))
        return failure();
    }
  }
  return success();
}

LogicalResult Exporter::convertAttr(Operation *op, NamedAttribute attr,
                                    AttributeProto &proto) {
  proto.set_name(attr.getName().str());
  Attribute value = attr.getValue();
  if (auto number = dyn_cast<IntegerAttr>(value)) {
    proto.set_type(AttributeProto::INT);
    proto.set_i(number.getInt());
  } else if (auto number = dyn_cast<FloatAttr>(value)) {
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(number.getValue().convertToFloat());
  } else if (auto string = dyn_cast<StringAttr>(value)) {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(string.str());
  } else if (auto ints = dyn_cast<DenseI64ArrayAttr>(value)) {
    proto.set_type(AttributeProto::INTS);
    proto.mutable_ints()->Add(ints.asArrayRef().begin(),
                              ints.asArrayRef().end());
  } else if (auto floats = dyn_cast<DenseF32ArrayAttr>(value)) {
    proto.set_type(AttributeProto::FLOATS);
    proto.mutable_floats()->Add(floats.asArrayRef().begin(),
                                floats.asArrayRef().end());
  } else if (auto type = dyn_cast<TypeAttr>(value)) {
    proto.set_type(AttributeProto::TYPE_PROTO);
    return convertType(op, type.getValue(), *proto.mutable_tp());
  } else if (auto array = dyn_cast<ArrayAttr>(value)) {
    return convertArray(op, array, proto);
  } else {
    proto.set_type(AttributeProto::TENSOR);
    return convertTensor(op, value, *proto.mutable_t());
  }
  return success();
}

template <typename Entries>
static void addEntries(DictionaryAttr from, Entries *to) {
  for (NamedAttribute attr : from)
    if (auto value = dyn_cast<StringAttr>(attr.getValue())) {
      auto *entry = to->Add();
      entry->set_key(attr.getName().str());
      entry->set_value(value.str());
    }
}

void Exporter::convertModelAttr() {
  ::onnx::ModelProto &proto = model.proto;
  proto.set_ir_version(::onnx::Version::IR_VERSION);
  proto.mutable_graph()->set_name("main");
  auto attr = module->getAttrOfType<DictionaryAttr>("weft.onnx");
  if (!attr)
    return;
  if (auto name = attr.getAs<StringAttr>("graph"))
    proto.mutable_graph()->set_name(name.str());
  if (auto name = attr.getAs<StringAttr>("producer"))
    proto.set_producer_name(name.str());
  if (auto version = attr.getAs<StringAttr>("producer_version"))
    proto.set_producer_version(version.str());
  if (auto domain = attr.getAs<StringAttr>("domain"))
    proto.set_domain(domain.str());
  if (auto doc = attr.getAs<StringAttr>("doc"))
    proto.set_doc_string(doc.str());
  if (auto version = attr.getAs<IntegerAttr>("model_version"))
    proto.set_model_version(version.getInt());
  if (auto metadata = attr.getAs<DictionaryAttr>("metadata"))
    addEntries(metadata, proto.mutable_metadata_props());
  auto opsets = attr.getAs<DictionaryAttr>("opset");
  if (!opsets)
    return;
  for (NamedAttribute opset : opsets) {
    auto version = dyn_cast<IntegerAttr>(opset.getValue());
    if (!version)
      continue;
    auto *import = proto.add_opset_import();
    StringRef domain = opset.getName();
    import->set_domain(domain == "ai.onnx" ? "" : domain.str());
    import->set_version(version.getInt());
  }
}

void Exporter::importDomain(StringRef domain) {
  for (const auto &import : model.proto.opset_import())
    if (import.domain() == domain)
      return;
  auto *import = model.proto.add_opset_import();
  import->set_domain(domain.str());
  import->set_version(getNewestOpset(domain));
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

std::string Exporter::makeUnique(StringRef name) {
  std::string unique = name.empty() ? "value" : name.str();
  for (unsigned i = 1; !used.insert(unique).second; ++i)
    unique = (name.empty() ? "value" : name.str()) + "_" + std::to_string(i);
  return unique;
}

/// The name of `result`, made at the first call; "" if the node leaves it out.
std::string Exporter::nameResult(OpResult result) {
  if (isa<NoneType>(result.getType()))
    return "";
  auto [it, isNew] = names.try_emplace(result);
  if (!isNew)
    return it->second;
  auto outputs = result.getOwner()->getAttrOfType<ArrayAttr>("weft.outputs");
  StringRef wish;
  if (outputs && result.getResultNumber() < outputs.size())
    wish = cast<StringAttr>(outputs[result.getResultNumber()]);
  return it->second = makeUnique(wish);
}

LogicalResult Exporter::convertNode(Operation *op, GraphProto &graph) {
  if (isa<weft::onnx::NoneOp>(op))
    return success();
  if (!isa<weft::onnx::ONNXDialect>(op->getDialect()))
    return error(op) << "'" << op->getName() << "' is no node of ONNX";
  weft::onnx::Node node(op);
  if (node.getOpType() == "Constant" && node.getTensor("value")) {
    TensorProto &tensor = *graph.add_initializer();
    tensor.set_name(nameResult(op->getResult(0)));
    return convertTensor(op, node.getTensor("value"), tensor);
  }
  NodeProto &proto = *graph.add_node();
  proto.set_op_type(node.getOpType().str());
  proto.set_domain(node.getDomain().str());
  importDomain(node.getDomain());
  for (Value operand : op->getOperands())
    proto.add_input(isa<NoneType>(operand.getType()) ? ""
                                                     : names.lookup(operand));
  // Named before the graphs inside, which must not take these names.
  for (OpResult result : op->getResults())
    proto.add_output(nameResult(result));
  std::string name = node.getName();
  if (proto.output_size() == 0 || name != proto.output(0))
    proto.set_name(name);

  for (NamedAttribute attr : op->getAttrs()) {
    if (attr.getName() == "weft.metadata")
      addEntries(cast<DictionaryAttr>(attr.getValue()),
                 proto.mutable_metadata_props());
    if (!attr.getName().strref().contains('.') &&
        failed(convertAttr(op, attr, *proto.add_attribute())))
      return failure();
  }
  auto graphs = op->getAttrOfType<ArrayAttr>("weft.graphs");
  for (Region &region : op->getRegions()) {
    AttributeProto &attr = *proto.add_attribute();
    StringRef name = cast<StringAttr>(graphs[region.getRegionNumber()]);
    attr.set_name(name.str());
    attr.set_type(AttributeProto::GRAPH);
    attr.mutable_g()->set_name(name.str());
    if (failed(convertBody(region.front(), *attr.mutable_g())))
      return failure();
  }
  for (OpResult result : op->getResults())
    if (!isa<NoneType>(result.getType()) &&
        failed(addValueInfo(op, result, names.lookup(result), {},
                            *graph.add_value_info())))
      return failure();
  return success();
}

/// Declares the operands of `terminator` as the graph's outputs, under `names`
/// if given. What can't be an output as it is goes through an Identity.
LogicalResult Exporter::convertOutputs(Operation *terminator,
                                       ArrayRef<StringRef> outputNames,
                                       ArrayRef<ArrayAttr> dims,
                                       GraphProto &graph) {
  llvm::StringSet<> seen;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    std::string name = names.lookup(value);
    std::string wish =
        outputNames.empty() ? name : std::string(outputNames[index]);
    bool isOwn = value.getParentBlock() == terminator->getBlock();
    bool isTwice = outputNames.empty() && seen.contains(name);
    if (name != wish || !isOwn || isTwice) {
      NodeProto &identity = *graph.add_node();
      identity.set_op_type("Identity");
      importDomain("");
      identity.add_input(name);
      if (outputNames.empty())
        wish = makeUnique(name);
      identity.add_output(wish);
    }
    seen.insert(wish);
    if (failed(addValueInfo(terminator, value, wish,
                            dims.empty() ? ArrayAttr() : dims[index],
                            *graph.add_output())))
      return failure();
  }
  // What an output says need not be said twice.
  auto &infos = *graph.mutable_value_info();
  for (int i = infos.size() - 1; i >= 0; --i)
    if (seen.contains(infos[i].name()))
      infos.DeleteSubrange(i, 1);
  return success();
}

/// A graph inside a node.
LogicalResult Exporter::convertBody(Block &block, GraphProto &graph) {
  for (BlockArgument argument : block.getArguments()) {
    auto loc = argument.getLoc()->findInstanceOf<NameLoc>();
    std::string name = makeUnique(loc ? loc.getName().getValue() : "input");
    names[argument] = name;
    if (failed(addValueInfo(block.getParentOp(), argument, name, {},
                            *graph.add_input())))
      return failure();
  }
  for (Operation &op : block.without_terminator())
    if (failed(convertNode(&op, graph)))
      return failure();
  return convertOutputs(block.getTerminator(), {}, {}, graph);
}

FailureOr<ExportedModel> Exporter::run() {
  auto function = module.lookupSymbol<func::FuncOp>("main");
  if (!function || function.isExternal())
    return error(module) << "the module has no function 'main' with a body";
  convertModelAttr();
  GraphProto &graph = *model.proto.mutable_graph();
  Block &block = function.getBody().front();
  for (BlockArgument argument : block.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto name = function.getArgAttrOfType<StringAttr>(index, "weft.name");
    auto dims = function.getArgAttrOfType<ArrayAttr>(index, "weft.dims");
    names[argument] = makeUnique(name ? name.getValue() : "input");
    if (failed(addValueInfo(function, argument, names[argument], dims,
                            *graph.add_input())))
      return failure();
  }

  // The outputs' names are part of the interface, so they go first.
  Operation *terminator = block.getTerminator();
  SmallVector<std::string> owned;
  SmallVector<ArrayAttr> dims;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    auto name = function.getResultAttrOfType<StringAttr>(index, "weft.name");
    dims.push_back(function.getResultAttrOfType<ArrayAttr>(index, "weft.dims"));
    StringRef wish = name ? name.getValue() : "output";
    // A value that is returned twice, or an input, keeps its name if it may.
    if (names.lookup(value) == wish) {
      owned.push_back(wish.str());
      continue;
    }
    owned.push_back(makeUnique(wish));
    if (!isa<BlockArgument>(value))
      names.try_emplace(value, owned.back());
  }
  for (Operation &op : block.without_terminator())
    if (failed(convertNode(&op, graph)))
      return failure();
  SmallVector<StringRef> outputNames(owned.begin(), owned.end());
  if (failed(convertOutputs(terminator, outputNames, dims, graph)))
    return failure();
  if (model.proto.opset_import_size() == 0)
    importDomain("");
  return std::move(model);
}

FailureOr<ExportedModel> weft::importer::exportModule(ModuleOp module) {
  return Exporter(module).run();
}
