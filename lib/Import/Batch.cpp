//===- Batch.cpp - A fixed batch made a symbol ----------------------------===//
//
// A model that was exported for one size of the batch has that size in the
// types of its inputs, and often in constants.
//
//===----------------------------------------------------------------------===//

#include "Batch.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include <cstring>

using namespace llvm;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TypeProto;
using ::onnx::ValueInfoProto;

//===----------------------------------------------------------------------===//
// What is known of values
//===----------------------------------------------------------------------===//

static std::optional<BatchAnalysis::Shape> getShape(const TypeProto &type) {
  if (!type.tensor_type().has_shape())
    return std::nullopt;
  BatchAnalysis::Shape shape;
  for (const auto &dim : type.tensor_type().shape().dim())
    shape.push_back(dim.has_dim_value() ? dim.dim_value() : -1);
  return shape;
}

/// The values of a small tensor of integers.
static std::optional<BatchAnalysis::Sizes>
getIntegers(const TensorProto &tensor) {
  bool isWide = tensor.data_type() == TensorProto::INT64;
  if ((!isWide && tensor.data_type() != TensorProto::INT32) ||
      tensor.dims_size() > 1 || getRef(tensor))
    return std::nullopt;
  Expected<std::string> raw = getRawData(tensor);
  if (!raw) {
    consumeError(raw.takeError());
    return std::nullopt;
  }
  BatchAnalysis::Sizes values;
  values.isScalar = tensor.dims_size() == 0;
  size_t width = isWide ? 8 : 4;
  for (size_t at = 0; at < raw->size(); at += width) {
    int64_t wide = 0;
    int32_t narrow = 0;
    memcpy(isWide ? static_cast<void *>(&wide) : &narrow, raw->data() + at,
           width);
    values.entries.push_back({isWide ? wide : narrow});
  }
  return values;
}

/// One element of a tensor that has nothing else.
static std::optional<TensorProto> getSplat(const TensorProto &tensor) {
  size_t width = getRawBits(tensor.data_type()) / 8;
  if (getRef(tensor) || width == 0)
    return std::nullopt;
  Expected<std::string> raw = getRawData(tensor);
  if (!raw) {
    consumeError(raw.takeError());
    return std::nullopt;
  }
  // Equal to itself moved by one element.
  if (raw->size() < width ||
      memcmp(raw->data(), raw->data() + width, raw->size() - width) != 0)
    return std::nullopt;
  TensorProto splat;
  splat.set_data_type(tensor.data_type());
  splat.set_raw_data(raw->substr(0, width));
  return splat;
}

static void addNames(const GraphProto &graph, StringSet<> &names) {
  for (const ValueInfoProto &input : graph.input())
    names.insert(input.name());
  for (const TensorProto &tensor : graph.initializer())
    names.insert(tensor.name());
  for (const NodeProto &node : graph.node()) {
    for (const std::string &output : node.output())
      names.insert(output);
    for (const AttributeProto &attr : node.attribute())
      if (attr.has_g())
        addNames(attr.g(), names);
  }
}

BatchAnalysis::BatchAnalysis(GraphProto &graph, const GraphProto &typed,
                             int64_t batch, Choices choices)
    : graph(graph), batch(batch), choices(std::move(choices)) {
  addNames(graph, names);
  for (const auto *list :
       {&typed.value_info(), &typed.input(), &typed.output()})
    for (const ValueInfoProto &value : *list) {
      if (std::optional<Shape> shape = ::getShape(value.type()))
        shapes[value.name()] = *shape;
      elementTypes[value.name()] = value.type().tensor_type().elem_type();
    }
  auto addTensor = [&](StringRef name, const TensorProto &tensor) {
    shapes[name] = Shape(tensor.dims().begin(), tensor.dims().end());
    if (std::optional<Sizes> value = getIntegers(tensor))
      values[name] = *value;
    if (std::optional<TensorProto> splat = getSplat(tensor))
      splats[name] = *splat;
  };
  StringSet<> fixed;
  for (const TensorProto &tensor : graph.initializer()) {
    addTensor(tensor.name(), tensor);
    fixed.insert(tensor.name());
  }
  for (const NodeProto &node : graph.node())
    if (node.op_type() == "Constant" && node.domain().empty())
      for (const AttributeProto &attr : node.attribute()) {
        Sizes &value = values[node.output(0)];
        if (attr.name() == "value_ints")
          for (int64_t number : attr.ints())
            value.entries.push_back({number});
        else if (attr.name() == "value_int")
          value = {{{attr.i()}}, true};
        else
          values.erase(node.output(0));
        if (attr.name() == "value")
          addTensor(node.output(0), attr.t());
      }
  for (const ValueInfoProto &input : graph.input())
    if (auto shape = shapeOf(input.name()); !fixed.contains(input.name()) &&
                                            shape && !shape->empty() &&
                                            shape->front() == batch)
      places[input.name()] = {0};
}

std::optional<BatchPlace> BatchAnalysis::getPlace(StringRef value) const {
  auto it = places.find(value);
  return it == places.end() ? std::nullopt : std::optional(it->second);
}

Error BatchAnalysis::fail(const NodeProto &node, const Twine &why) const {
  return createStringError(describe(node) + ": " + why);
}

std::optional<BatchPlace> BatchAnalysis::placeOf(const NodeProto &node,
                                                 int operand) const {
  return operand >= 0 && operand < node.input_size()
             ? getPlace(node.input(operand))
             : std::nullopt;
}

std::optional<BatchAnalysis::Shape>
BatchAnalysis::shapeOf(StringRef value) const {
  auto it = shapes.find(value);
  return it == shapes.end() ? std::nullopt : std::optional(it->second);
}

Expected<BatchAnalysis::Shape> BatchAnalysis::needShape(const NodeProto &node,
                                                        StringRef value) const {
  if (std::optional<Shape> shape = shapeOf(value))
    return *shape;
  return fail(node, "the number of dimensions of '" + value + "' is not known");
}

std::optional<BatchAnalysis::Sizes>
BatchAnalysis::valueOf(const NodeProto &node, int operand) const {
  if (operand < 0 || operand >= node.input_size())
    return std::nullopt;
  auto it = values.find(node.input(operand));
  return it == values.end() ? std::nullopt : std::optional(it->second);
}

/// A value that is the same for any batch.
std::optional<BatchAnalysis::Shape>
BatchAnalysis::constantOf(const NodeProto &node, int operand) const {
  std::optional<Sizes> value = valueOf(node, operand);
  if (!value)
    return std::nullopt;
  Shape numbers;
  for (Entry entry : value->entries) {
    if (entry.perSample)
      return std::nullopt;
    numbers.push_back(entry.number);
  }
  return numbers;
}

std::optional<BatchAnalysis::Shape>
BatchAnalysis::listOf(const NodeProto &node, int operand,
                      StringRef name) const {
  for (const AttributeProto &attr : node.attribute())
    if (attr.name() == name)
      return Shape(attr.ints().begin(), attr.ints().end());
  return constantOf(node, operand);
}

void BatchAnalysis::place(const NodeProto &node, int result, BatchPlace at) {
  if (result < node.output_size() && !node.output(result).empty())
    places[node.output(result)] = at;
}

void BatchAnalysis::placeAll(const NodeProto &node, BatchPlace at) {
  for (int i = 0; i < node.output_size(); ++i)
    place(node, i, at);
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

std::string BatchAnalysis::makeName(StringRef stem) {
  std::string name = ("weft.batch." + stem).str();
  for (int i = 1; !names.insert(name).second; ++i)
    name = ("weft.batch." + stem + "." + Twine(i)).str();
  return name;
}

std::string BatchAnalysis::addConstant(ArrayRef<int64_t> values) {
  TensorProto &tensor = added.emplace_back();
  tensor.set_name(makeName("sizes"));
  tensor.set_data_type(TensorProto::INT64);
  tensor.add_dims(values.size());
  tensor.set_raw_data(values.data(), values.size() * sizeof(int64_t));
  return tensor.name();
}

void BatchAnalysis::setConstant(NodeProto &node, int operand,
                                ArrayRef<int64_t> values) {
  node.set_input(operand, addConstant(values));
}

/// Gives an operand that has the same entries all along `dim` only one of them.
/// Returns whether it is such a one.
bool BatchAnalysis::shrink(NodeProto &node, int operand, int64_t dim) {
  if (auto it = repeated.find(node.input(operand)); it != repeated.end()) {
    auto shape = shapeOf(it->second), wanted = shapeOf(node.input(operand));
    if (shape && wanted && dim < int64_t(wanted->size())) {
      (*wanted)[dim] = 1;
      if (*shape == *wanted) {
        node.set_input(operand, it->second);
        return true;
      }
    }
  }
  auto splat = splats.find(node.input(operand));
  auto shape = shapeOf(node.input(operand));
  if (splat == splats.end() || !shape)
    return false;
  (*shape)[dim] = 1;
  int64_t elements = 1;
  for (int64_t size : *shape)
    elements *= size;
  constexpr int64_t most = 1 << 20;
  if (elements < 0 || elements > most)
    return false;
  TensorProto &tensor = added.emplace_back(splat->second);
  std::string bytes;
  for (int64_t i = 0; i < elements; ++i)
    bytes += splat->second.raw_data();
  tensor.set_raw_data(bytes);
  for (int64_t size : *shape)
    tensor.add_dims(size);
  tensor.set_name(makeName("splat"));
  node.set_input(operand, tensor.name());
  shapes[tensor.name()] = *shape;
  return true;
}

/// Repeats an operand, whose size along `dim` is 1, for each sample that `like`
/// has along `likeDim`.
void BatchAnalysis::spread(NodeProto &node, int operand, int64_t dim,
                           StringRef like, int64_t likeDim) {
  auto addNode = [&](StringRef type, ArrayRef<std::string> inputs) {
    NodeProto &made = before.emplace_back();
    made.set_op_type(type.str());
    for (const std::string &input : inputs)
      made.add_input(input);
    made.add_output(makeName(type.lower()));
    made.set_name(made.output(0));
    return &made;
  };
  auto addInt = [](NodeProto &made, const char *name, int64_t value) {
    AttributeProto &attr = *made.add_attribute();
    attr.set_name(name);
    attr.set_type(AttributeProto::INT);
    attr.set_i(value);
  };
  NodeProto *count = addNode("Shape", {like.str()});
  addInt(*count, "start", likeDim);
  addInt(*count, "end", likeDim + 1);
  Shape ones(shapeOf(node.input(operand))->size(), 1);
  ArrayRef<int64_t> all(ones);
  SmallVector<std::string> parts = {count->output(0)};
  if (dim > 0)
    parts.insert(parts.begin(), addConstant(all.take_front(dim)));
  if (dim + 1 < int64_t(all.size()))
    parts.push_back(addConstant(all.drop_front(dim + 1)));
  NodeProto *sizes = addNode("Concat", parts);
  addInt(*sizes, "axis", 0);
  std::string target = sizes->output(0);
  node.set_input(operand,
                 addNode("Expand", {node.input(operand), target})->output(0));
}

//===----------------------------------------------------------------------===//
// Walking
//===----------------------------------------------------------------------===//

bool BatchAnalysis::readsBatch(const GraphProto &inner) const {
  return llvm::any_of(
             inner.node(),
             [&](const NodeProto &node) { return readsBatch(node); }) ||
         llvm::any_of(inner.output(), [&](const ValueInfoProto &output) {
           return places.contains(output.name()) ||
                  sizes.contains(output.name());
         });
}

bool BatchAnalysis::readsBatch(const NodeProto &node) const {
  for (const std::string &input : node.input())
    if (places.contains(input) || sizes.contains(input))
      return true;
  for (const AttributeProto &attr : node.attribute())
    if (attr.has_g() && readsBatch(attr.g()))
      return true;
  return false;
}

void BatchAnalysis::noteSplat(const NodeProto &node) {
  if (!node.domain().empty() || node.output_size() != 1)
    return;
  if (node.op_type() == "Expand")
    repeated[node.output(0)] = node.input(0);
  bool keepsElement = node.op_type() == "Expand" ||
                      node.op_type() == "Identity" ||
                      node.op_type() == "Reshape";
  if (keepsElement) {
    if (auto it = splats.find(node.input(0)); it != splats.end()) {
      TensorProto splat = it->second;
      splats[node.output(0)] = splat;
    }
  } else if (node.op_type() == "ConstantOfShape") {
    TensorProto zero;
    zero.set_data_type(TensorProto::FLOAT);
    zero.set_raw_data(std::string(4, 0));
    for (const AttributeProto &attr : node.attribute())
      if (std::optional<TensorProto> splat = getSplat(attr.t()))
        zero = *splat;
    splats[node.output(0)] = zero;
  }
}

Error BatchAnalysis::runNode(NodeProto &node) {
  noteSplat(node);
  if (std::optional<Sizes> value = evaluate(node)) {
    values[node.output(0)] = *value;
    if (llvm::any_of(value->entries,
                     [](Entry entry) { return entry.perSample; }))
      sizes.insert(node.output(0));
    makeConstant(node, *value);
    return Error::success();
  }
  if (!readsBatch(node))
    return Error::success();
  bool hasPlace = llvm::any_of(node.input(), [&](const std::string &input) {
    return places.contains(input);
  });
  bool hasGraph =
      llvm::any_of(node.attribute(),
                   [](const AttributeProto &attr) { return attr.has_g(); });
  bool isFilled =
      node.op_type() == "Expand" || node.op_type() == "ConstantOfShape";
  if (!hasPlace && !isFilled)
    return fail(node, "what it computes with the size of the batch can't be "
                      "followed");
  auto rule = getRules().find(node.op_type());
  if (rule == getRules().end() || !node.domain().empty() || hasGraph)
    return fail(node, "there is no rule for what it does with a batch");
  return (this->*rule->second)(node);
}

bool BatchAnalysis::fold() {
  places.clear();
  bool isChanged = false;
  for (NodeProto &node : *graph.mutable_node()) {
    noteSplat(node);
    if (std::optional<Sizes> value = evaluate(node)) {
      values[node.output(0)] = *value;
      isChanged |= makeConstant(node, *value);
    }
  }
  return isChanged;
}

Error BatchAnalysis::run() {
  google::protobuf::RepeatedPtrField<NodeProto> nodes;
  for (NodeProto &node : *graph.mutable_node()) {
    before.clear();
    if (Error error = runNode(node))
      return error;
    for (NodeProto &one : before)
      *nodes.Add() = std::move(one);
    *nodes.Add() = std::move(node);
  }
  graph.mutable_node()->Swap(&nodes);
  for (const ValueInfoProto &output : graph.output())
    if (auto at = getPlace(output.name()); at && !at->isAlone())
      return createStringError("output '" + output.name() +
                               "' has the samples in a dimension with others");
  for (TensorProto &tensor : added)
    *graph.add_initializer() = std::move(tensor);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// The step of the import
//===----------------------------------------------------------------------===//

/// The size of the batch: the first dimension of the first input that has one;
/// 0 if that is a symbol already.
static int64_t findBatch(const GraphProto &graph) {
  StringSet<> fixed;
  for (const TensorProto &tensor : graph.initializer())
    fixed.insert(tensor.name());
  for (const ValueInfoProto &input : graph.input()) {
    std::optional<BatchAnalysis::Shape> shape = getShape(input.type());
    if (!fixed.contains(input.name()) && shape && !shape->empty())
      return std::max<int64_t>(shape->front(), 0);
  }
  return 0;
}

/// A name that no other symbol has.
static std::string makeSymbol(const GraphProto &graph, StringRef wanted) {
  StringSet<> used;
  for (const auto *list : {&graph.input(), &graph.output()})
    for (const ValueInfoProto &value : *list)
      for (const auto &dim : value.type().tensor_type().shape().dim())
        used.insert(dim.dim_param());
  std::string symbol = wanted.str();
  for (int i = 1; used.contains(symbol); ++i)
    symbol = (wanted + "_" + Twine(i)).str();
  return symbol;
}

static void setSymbols(GraphProto &graph, const BatchAnalysis &analysis,
                       StringRef symbol) {
  for (auto *list : {graph.mutable_input(), graph.mutable_output()})
    for (ValueInfoProto &value : *list)
      if (auto at = analysis.getPlace(value.name())) {
        auto &shape =
            *value.mutable_type()->mutable_tensor_type()->mutable_shape();
        if (at->dim >= shape.dim_size())
          continue;
        shape.mutable_dim(at->dim)->Clear();
        if (at->isAlone())
          shape.mutable_dim(at->dim)->set_dim_param(symbol.str());
      }
  // What has been inferred is of the fixed size.
  graph.clear_value_info();
}

/// What was expected of types and has not come about.
static Error checkTypes(const GraphProto &graph, const BatchAnalysis &analysis,
                        StringRef symbol) {
  StringMap<const TypeProto *> types;
  for (const auto *list : {&graph.value_info(), &graph.output()})
    for (const ValueInfoProto &value : *list)
      types[value.name()] = &value.type();
  for (const BatchAnalysis::Expectation &expected :
       analysis.getExpectations()) {
    const TypeProto *type = types.lookup(expected.value);
    std::optional<BatchAnalysis::Shape> shape =
        type ? getShape(*type) : std::nullopt;
    if (!shape || expected.dim >= int64_t(shape->size()) ||
        type->tensor_type().shape().dim(expected.dim).dim_param() != symbol)
      return createStringError(expected.node +
                               ": its sizes are computed in a way that can't "
                               "be followed");
  }
  return Error::success();
}

/// The model with the types that inference finds when arithmetic on sizes is
/// done ahead.
static Model typeAll(Model model, int64_t batch) {
  constexpr int mostRounds = 8; // each may settle what the next computes with
  for (int i = 0; i < mostRounds; ++i) {
    GraphProto &graph = *model.proto.mutable_graph();
    if (!BatchAnalysis(graph, graph, batch).fold())
      break;
    graph.clear_value_info();
    consumeError(inferShapes(model));
  }
  return model;
}

/// Rewrites the model for the places that `choices` say, which become the next
/// ones to try; none if there are no others.
static Error tryFree(Model &model, const Model &typed, int64_t batch,
                     StringRef wanted, BatchAnalysis::Choices &choices) {
  GraphProto &graph = *model.proto.mutable_graph();
  BatchAnalysis analysis(graph, typed.proto.graph(), batch, choices);
  Error error = analysis.run();
  std::string symbol = makeSymbol(graph, wanted);
  if (!error) {
    setSymbols(graph, analysis, symbol);
    error = inferShapes(model);
  }
  if (!error)
    error = ::checkTypes(model.proto.graph(), analysis, symbol);
  // Counting, the last choice fastest.
  ArrayRef<unsigned> limits = analysis.getNumPlaces();
  choices.resize(limits.size());
  while (!choices.empty() && ++choices.back() >= limits[choices.size() - 1])
    choices.pop_back();
  return error;
}

mlir::LogicalResult weft::importer::freeBatch(Model &model,
                                              const ImportOptions &options,
                                              Report &report) {
  int64_t batch = findBatch(model.proto.graph());
  if (options.batchSymbol.empty() || batch == 0)
    return mlir::success();
  const Model typed = typeAll(model, batch);
  BatchAnalysis::Choices choices;
  Model changed = model;
  Error error = tryFree(changed, typed, batch, options.batchSymbol, choices);
  // Where a place of the samples was a choice, another may go further.
  constexpr int mostTries = 200;
  for (int i = 0; error && !choices.empty() && i < mostTries; ++i) {
    changed = model;
    Error other = tryFree(changed, typed, batch, options.batchSymbol, choices);
    if (other) {
      consumeError(std::move(other)); // the first is of the likeliest places
      continue;
    }
    consumeError(std::move(error));
    error = Error::success();
    break;
  }
  if (!error) {
    model = std::move(changed);
    return mlir::success();
  }
  std::string why = "the model takes batches of " + std::to_string(batch) +
                    " only: " + toString(std::move(error));
  if (!options.keepFixedBatch)
    return report.error(Code::Batch, why);
  mlir::emitWarning(report.getLoc())
      << "WFT" << static_cast<int>(Code::Batch) << ": " << why;
  return mlir::success();
}
