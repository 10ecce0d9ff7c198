//===- Preprocess.cpp - A graph in front of a model -----------------------===//
//
// What is done to samples before a model sees them can be an ONNX graph with
// one output. Models carry it as text in a property; in front of a model its
// values and nodes are called after it.
//
//===----------------------------------------------------------------------===//

#include "Model.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TensorShapeProto;
using ::onnx::TypeProto;
using ::onnx::ValueInfoProto;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// "tensor(float) [N, 3, ?]".
static std::string describeType(const TypeProto &type) {
  if (!type.has_tensor_type())
    return "no tensor";
  std::string text = ::onnx::TensorProto_DataType_Name(
      static_cast<TensorProto::DataType>(type.tensor_type().elem_type()));
  if (!type.tensor_type().has_shape())
    return text + " of unknown rank";
  text += " [";
  for (auto [i, dim] : llvm::enumerate(type.tensor_type().shape().dim()))
    text +=
        (i ? ", " : "") + (dim.has_dim_value() ? std::to_string(dim.dim_value())
                           : dim.has_dim_param() ? dim.dim_param()
                                                 : std::string("?"));
  return text + "]";
}

/// Whether a value of type `have` can be given where `want` is, as far as that
/// is known: sizes that are no numbers fit any.
static bool fits(const TypeProto &have, const TypeProto &want) {
  if (!have.has_tensor_type() || !want.has_tensor_type())
    return false;
  const auto &from = have.tensor_type(), &to = want.tensor_type();
  if (from.elem_type() != to.elem_type() || !from.has_shape())
    return false;
  if (!to.has_shape())
    return true;
  return from.shape().dim_size() == to.shape().dim_size() &&
         llvm::all_of(llvm::zip(from.shape().dim(), to.shape().dim()),
                      [](auto pair) {
                        auto &[one, other] = pair;
                        return !one.has_dim_value() || !other.has_dim_value() ||
                               one.dim_value() == other.dim_value();
                      });
}

/// The symbols in the sizes of a graph's inputs.
static llvm::StringSet<> getSymbols(const GraphProto &graph) {
  llvm::StringSet<> symbols;
  for (const ValueInfoProto &input : graph.input())
    for (const auto &dim : input.type().tensor_type().shape().dim())
      symbols.insert(dim.dim_param());
  return symbols;
}

/// What a symbol, of a graph's inputs, stands for.
using Sizes = llvm::StringMap<TensorShapeProto::Dimension>;

static void replaceSizes(GraphProto &graph, const Sizes &sizes) {
  for (auto *list : {graph.mutable_input(), graph.mutable_output(),
                     graph.mutable_value_info()})
    for (ValueInfoProto &value : *list) {
      if (!value.type().tensor_type().has_shape())
        continue;
      auto &shape =
          *value.mutable_type()->mutable_tensor_type()->mutable_shape();
      for (auto &dim : *shape.mutable_dim())
        if (auto found = sizes.find(dim.dim_param());
            dim.has_dim_param() && found != sizes.end())
          dim = found->second;
    }
}

//===----------------------------------------------------------------------===//
// Connection
//===----------------------------------------------------------------------===//

namespace {

/// Puts a graph in front of a model.
class Connection {
public:
  Connection(Model &prep, Model &model, Report &report)
      : prep(prep), model(model), front(*prep.proto.mutable_graph()),
        graph(*model.proto.mutable_graph()), report(report) {}

  LogicalResult run();

private:
  LogicalResult findTarget();
  LogicalResult mergeOperatorSets();
  void unifySizes();
  void keepSymbolsApart();
  void chooseNames();
  void moveTensors();
  std::string addShape(const std::string &value);
  void connect();
  LogicalResult error(const Twine &message) {
    return report.error(Code::Preprocess, "the graph for samples: " + message);
  }

  Model &prep, &model;
  GraphProto &front, &graph;
  Report &report;
  int target = -1; ///< the input of the model that the graph makes
  llvm::StringMap<std::string> names; ///< of the graph's values, new ones
};

} // namespace

static constexpr llvm::StringLiteral kPrefix = "preprocess/";

/// Whether the model is given what `graph` calls an input.
static bool isGiven(const GraphProto &graph, const std::string &name) {
  return llvm::none_of(graph.initializer(), [&](const TensorProto &tensor) {
    return tensor.name() == name;
  });
}

LogicalResult Connection::findTarget() {
  if (front.output_size() != 1)
    return error("the graph has " + Twine(front.output_size()) +
                 " outputs, wanted one, which becomes the model's input");
  const ValueInfoProto &output = front.output(0);
  SmallVector<int> fitting;
  std::string inputs;
  for (auto [i, input] : llvm::enumerate(graph.input())) {
    if (!isGiven(graph, input.name()))
      continue;
    inputs += (inputs.empty() ? "'" : ", '") + input.name() + "', " +
              describeType(input.type());
    if (input.name() == output.name())
      target = i;
    if (fits(output.type(), input.type()))
      fitting.push_back(i);
  }
  if (target < 0 && fitting.size() == 1)
    target = fitting.front();
  if (target >= 0 && llvm::is_contained(fitting, target))
    return success();
  return error("its output '" + output.name() + "', " +
               describeType(output.type()) +
               (fitting.size() > 1
                    ? ", fits several inputs of the model, and none has its "
                      "name: "
                    : ", fits no input of the model: ") +
               (inputs.empty() ? "there are none" : inputs) +
               "; give it the name, the element type and the sizes of one");
}

LogicalResult Connection::mergeOperatorSets() {
  auto &known = *model.proto.mutable_opset_import();
  for (const auto &import : prep.proto.opset_import()) {
    auto same = llvm::find_if(known, [&](const auto &other) {
      return other.domain() == import.domain();
    });
    if (same == known.end())
      *known.Add() = import;
    else if (same->version() != import.version())
      return error("version " + Twine(import.version()) +
                   " of the operator set '" + import.domain() +
                   "' stands against " + Twine(same->version()) +
                   " of the model; export both with the same");
  }
  return success();
}

/// Sizes of the output and of the input that it becomes are the same: a symbol
/// of one is what the other has.
void Connection::unifySizes() {
  const auto &want = graph.input(target).type().tensor_type();
  if (!want.has_shape())
    return;
  llvm::StringSet<> symbols = getSymbols(front);
  Sizes ofFront, ofModel;
  for (auto [have, wanted] :
       llvm::zip(front.output(0).type().tensor_type().shape().dim(),
                 want.shape().dim())) {
    if (symbols.contains(have.dim_param()) && have.has_dim_param() &&
        (wanted.has_dim_value() || wanted.has_dim_param()))
      ofFront[have.dim_param()] = wanted;
    else if (have.has_dim_value() && wanted.has_dim_param())
      ofModel[wanted.dim_param()] = have;
  }
  keepSymbolsApart();
  replaceSizes(front, ofFront);
  replaceSizes(graph, ofModel);
}

/// Symbols of the graph that the model has for something else get new names.
void Connection::keepSymbolsApart() {
  llvm::StringSet<> taken = getSymbols(graph), shared;
  for (const auto &dim : front.output(0).type().tensor_type().shape().dim())
    shared.insert(dim.dim_param());
  Sizes renamed;
  for (const ValueInfoProto &input : front.input())
    for (const auto &dim : input.type().tensor_type().shape().dim())
      if (dim.has_dim_param() && taken.contains(dim.dim_param()) &&
          !shared.contains(dim.dim_param()))
        renamed[dim.dim_param()].set_dim_param(kPrefix.str() + dim.dim_param());
  replaceSizes(front, renamed);
}

/// Values of the graph are called after it, but for its inputs, whose names
/// those that give samples know; unless the model has such a name.
void Connection::chooseNames() {
  llvm::StringSet<> taken;
  for (auto [i, input] : llvm::enumerate(graph.input()))
    if (static_cast<int>(i) != target)
      taken.insert(input.name());
  for (const TensorProto &tensor : graph.initializer())
    taken.insert(tensor.name());
  for (const NodeProto &node : graph.node())
    for (const std::string &output : node.output())
      taken.insert(output);
  for (const ValueInfoProto &output : graph.output())
    taken.insert(output.name());
  auto add = [&](const std::string &name) {
    if (!name.empty())
      names[name] = kPrefix.str() + name;
  };
  for (const ValueInfoProto &input : front.input())
    if (taken.contains(input.name()) || !isGiven(front, input.name()))
      add(input.name());
  for (const TensorProto &tensor : front.initializer())
    add(tensor.name());
  for (const NodeProto &node : front.node())
    llvm::for_each(node.output(), add);
}

/// Moves the graph's tensors; references to data count behind the model's.
void Connection::moveTensors() {
  uint64_t offset = model.refs.size();
  forEachTensor(front, [&](TensorProto &tensor) {
    for (auto &entry : *tensor.mutable_external_data()) {
      uint64_t index;
      if (entry.key() == refKey &&
          !StringRef(entry.value()).getAsInteger(10, index))
        entry.set_value(std::to_string(index + offset));
    }
  });
  llvm::append_range(model.refs, prep.refs);
  for (TensorProto &tensor : *front.mutable_initializer()) {
    tensor.set_name(names[tensor.name()]);
    *graph.add_initializer() = std::move(tensor);
  }
}

/// Where sizes that the model knows are not known of `value`, has them checked
/// in a run. Returns what goes on.
std::string Connection::addShape(const std::string &value) {
  const auto &want = graph.input(target).type().tensor_type().shape();
  const auto &have = front.output(0).type().tensor_type().shape();
  bool isKnown = true;
  TensorProto shape;
  shape.set_name(kPrefix.str() + "shape");
  shape.set_data_type(TensorProto::INT64);
  shape.add_dims(want.dim_size());
  for (auto [from, to] : llvm::zip(have.dim(), want.dim())) {
    isKnown &= !to.has_dim_value() || from.has_dim_value();
    shape.add_int64_data(to.has_dim_value() ? to.dim_value() : 0);
  }
  if (isKnown)
    return value;
  NodeProto &node = *graph.add_node();
  node.set_op_type("Reshape");
  node.set_name(kPrefix.str() + "sizes");
  node.add_input(value);
  node.add_input(shape.name());
  node.add_output(kPrefix.str() + "sized");
  *graph.add_initializer() = std::move(shape);
  return node.output(0);
}

void Connection::connect() {
  auto rename = [&](const std::string &name) {
    auto found = names.find(name);
    return found == names.end() ? name : found->second;
  };
  auto later = std::move(*graph.mutable_node());
  graph.clear_node();
  for (const NodeProto &node : front.node()) {
    NodeProto &copy = *graph.add_node();
    copy = node;
    renameValues(copy, names);
    if (!copy.name().empty())
      copy.set_name(kPrefix.str() + copy.name());
  }
  std::string made = addShape(rename(front.output(0).name()));
  llvm::StringMap<std::string> replaced;
  std::string name = graph.input(target).name();
  replaced[name] = made;
  for (NodeProto &node : later) {
    renameValues(node, replaced);
    *graph.add_node() = std::move(node);
  }
  for (const ValueInfoProto &output : graph.output())
    if (output.name() == name && made != name) {
      NodeProto &copy = *graph.add_node();
      copy.set_op_type("Identity");
      copy.add_input(made);
      copy.add_output(name);
    }
  // Where the input was, so that the others keep their places.
  auto inputs = std::move(*graph.mutable_input());
  graph.clear_input();
  for (auto [i, input] : llvm::enumerate(inputs)) {
    if (static_cast<int>(i) != target) {
      *graph.add_input() = std::move(input);
      continue;
    }
    for (const ValueInfoProto &raw : front.input())
      if (isGiven(front, raw.name())) {
        *graph.add_input() = raw;
        graph.mutable_input()->rbegin()->set_name(rename(raw.name()));
      }
  }
}

LogicalResult Connection::run() {
  if (failed(findTarget()) || failed(mergeOperatorSets()))
    return failure();
  unifySizes();
  chooseNames();
  // The names of default inputs are those of initializers, which move.
  connect();
  moveTensors();
  return success();
}

/// Brings a graph to where its types are known.
static LogicalResult prepare(Model &prep, Report &report) {
  return success(succeeded(inlineFunctions(prep, report)) &&
                 succeeded(checkModel(prep, report)) &&
                 succeeded(convertToNewest(prep, report)) &&
                 succeeded(inferShapes(prep, report)));
}

LogicalResult weft::importer::putInFront(Model &prep, Model &model,
                                         const ImportOptions &options,
                                         Report &report) {
  if (failed(prepare(prep, report)))
    return failure();
  // Before the batch of one fixes that of the other.
  if (!options.batchSymbol.empty() &&
      (failed(inferShapes(model, report)) ||
       failed(freeBatch(model, options, report)) ||
       failed(freeBatch(prep, options, report)) ||
       failed(inferShapes(prep, report))))
    return failure();
  if (failed(Connection(prep, model, report).run()))
    return failure();
  // In front of the model it is no longer beside it.
  auto &properties = *model.proto.mutable_metadata_props();
  auto own = llvm::find_if(properties, [](const auto &entry) {
    return entry.key() == kPreprocessProperty;
  });
  if (own != properties.end())
    properties.erase(own);
  return success();
}

LogicalResult weft::importer::checkFront(Model &prep, Report &report) {
  auto error = [&](const Twine &message) {
    return report.error(Code::Preprocess,
                        "'" + Twine(prep.name) + "': " + message);
  };
  const GraphProto &graph = prep.proto.graph();
  if (graph.output_size() != 1)
    return error("a graph for samples has one output, which becomes the "
                 "model's input; this has " +
                 Twine(graph.output_size()));
  bool hasInput = llvm::any_of(graph.input(), [&](const auto &input) {
    return isGiven(graph, input.name());
  });
  if (!hasInput)
    return error("the graph takes no input, wanted the samples");
  if (failed(prepare(prep, report)))
    return failure();
  const TypeProto &type = prep.proto.graph().output(0).type();
  if (!type.tensor_type().has_shape() ||
      type.tensor_type().shape().dim_size() == 0)
    return error("its output '" + graph.output(0).name() + "' is " +
                 describeType(type) +
                 ", wanted a tensor whose first dimension counts samples");
  return success();
}
