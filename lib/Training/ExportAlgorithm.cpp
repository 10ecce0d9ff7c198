//===- ExportAlgorithm.cpp - Training in the terms of ONNX ----------------===//

#include "weft/Training/ExportAlgorithm.h"
#include "ExportLoss.h"
#include "ExportOptimizer.h"
#include "Loss.h"
#include "Optimizer.h"
#include "Ports.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weft/Dialect/ONNX/IR/Node.h"
#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "weft/Training/Parameters.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

namespace {
/// Describes the training of one function.
class AlgorithmWriter {
public:
  AlgorithmWriter(func::FuncOp main, const TrainingOptions &options,
                  double rate);

  FailureOr<TrainingAlgorithm> run();

private:
  LogicalResult findSwitched();
  LogicalResult findOutput();
  LogicalResult findParameters();
  void addLabels(RankedTensorType labelType);
  std::string nameOf(Value value) const;
  void addOutput(const std::string &name, RankedTensorType type);
  void writeGradients(const std::string &loss);
  void writeUpdates();
  void addUpdate(const std::string &initializer, const std::string &value,
                 RankedTensorType type);
  void writeInitialization();

  func::FuncOp main;
  const TrainingOptions &options;
  double defaultRate;
  MLIRContext *context;
  NodeText text;
  TrainingAlgorithm result;
  Value output, scores;
  unsigned outputNumber = 0;
  SmallVector<ParameterChoice> parameters;
  std::vector<std::string> gradients;
  SmallVector<std::string> inputs, outputs;
  std::string labels, rate, count;
};
} // namespace

/// All names of the model, those in nested graphs too.
static llvm::StringSet<> collectNames(func::FuncOp main) {
  llvm::StringSet<> names;
  main.walk([&](Operation *op) {
    for (Value result : op->getResults())
      names.insert(onnx::getValueName(result));
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Value argument : block.getArguments())
          names.insert(onnx::getValueName(argument));
  });
  for (unsigned i : llvm::seq(main.getNumResults()))
    if (auto name = main.getResultAttrOfType<StringAttr>(i, kNameAttr))
      names.insert(name.getValue());
  return names;
}

AlgorithmWriter::AlgorithmWriter(func::FuncOp main,
                                 const TrainingOptions &options, double rate)
    : main(main), options(options), defaultRate(rate),
      context(main.getContext()), text(collectNames(main)) {}

static bool isConstant(Operation *op) {
  return op && op->getName().getStringRef() == "onnx.Constant";
}

/// What the algorithm calls a value of the model.
std::string AlgorithmWriter::nameOf(Value value) const {
  Operation *op = value.getDefiningOp();
  bool isMade = op && !isConstant(op);
  return (isMade ? result.prefix : "") + onnx::getValueName(value);
}

/// Finds the nodes that do something else in training.
LogicalResult AlgorithmWriter::findSwitched() {
  for (Operation &op : main.getBody().front()) {
    if (!isa_and_nonnull<onnx::ONNXDialect>(op.getDialect()) ||
        !Node(&op).getDomain().empty())
      continue;
    Node node(&op);
    std::string name =
        op.getNumResults() ? onnx::getValueName(op.getResult(0)) : "";
    if (node.getOpType() == "Dropout" && options.dropout)
      result.switched.push_back({name, {}});
    if (node.getOpType() != "BatchNormalization" || !options.batchStatistics)
      continue;
    SwitchedNode batchNorm{name, {}};
    for (unsigned i : {3, 4}) {
      Value running = op.getOperand(i);
      if (!isConstant(running.getDefiningOp()) || !running.hasOneUse())
        return op.emitError("WFT2302: node '")
               << node.getName()
               << "' (BatchNormalization): its running statistics are no "
                  "initializers of its own, so that they can't be updated; use "
                  "bn=frozen";
      std::string old = onnx::getValueName(running);
      batchNorm.statistics.push_back(text.unique("training." + old));
      addUpdate(old, batchNorm.statistics.back(),
                cast<RankedTensorType>(running.getType()));
    }
    result.switched.push_back(std::move(batchNorm));
  }
  if (!result.switched.empty())
    result.prefix = "training/";
  return success();
}

/// Finds what the loss is of.
LogicalResult AlgorithmWriter::findOutput() {
  Operation *end = main.getBody().front().getTerminator();
  for (unsigned i : llvm::seq(end->getNumOperands())) {
    auto name = main.getResultAttrOfType<StringAttr>(i, kNameAttr);
    Value value = end->getOperand(i);
    bool isWanted = options.output.empty()
                        ? isa<FloatType>(getElementTypeOrSelf(value))
                        : name && name.getValue() == options.output;
    if (!isWanted)
      continue;
    if (!isa<RankedTensorType>(value.getType()))
      return main.emitError("WFT2305: the loss can't be of output '")
             << (name ? name.getValue() : "") << "', whose rank is not known";
    output = value;
    outputNumber = i;
    scores = findScoresOfNode(output, options);
    return success();
  }
  return main.emitError("WFT2305: there is no output ")
         << (options.output.empty() ? "of floats" : "'" + options.output + "'")
         << " that the loss could be of";
}

/// The trained tensors that the scores depend on.
LogicalResult AlgorithmWriter::findParameters() {
  DenseSet<Operation *> reached;
  SmallVector<Value> open = {scores};
  while (!open.empty()) {
    Operation *op = open.pop_back_val().getDefiningOp();
    if (!op || !reached.insert(op).second)
      continue;
    SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    open.append(used.begin(), used.end());
  }
  for (ParameterChoice &choice : chooseParameters(main, options)) {
    if (!choice.isTrained)
      continue;
    if (reached.contains(choice.constant))
      parameters.push_back(choice);
    else
      emitWarning(choice.constant->getLoc(), "WFT2306: '")
          << choice.name << "' is not trained: the loss does not depend on it";
  }
  if (parameters.empty())
    return main.emitError(
        "WFT2303: the loss depends on no weight of the model");
  return success();
}

/// Labels are an input of the algorithm, with the sizes of the output.
void AlgorithmWriter::addLabels(RankedTensorType labelType) {
  SmallVector<std::string> dims;
  int64_t dropped = options.loss == LossKind::CrossEntropy ? 1 : -1;
  auto names = main.getResultAttrOfType<ArrayAttr>(outputNumber, kDimsAttr);
  int64_t rank = cast<RankedTensorType>(output.getType()).getRank();
  for (int64_t dim : llvm::seq(rank))
    if (dim != dropped)
      dims.push_back(names ? cast<StringAttr>(names[dim]).str() : "");
  labels = text.unique("labels");
  inputs.push_back(NodeText::formatType(labelType, dims) + " " +
                   NodeText::quote(labels));
}

void AlgorithmWriter::addOutput(const std::string &name,
                                RankedTensorType type) {
  outputs.push_back(NodeText::formatType(type) + " " + NodeText::quote(name));
}

void AlgorithmWriter::addUpdate(const std::string &initializer,
                                const std::string &value,
                                RankedTensorType type) {
  result.updates.push_back({initializer, value});
  addOutput(value, type);
}

void AlgorithmWriter::writeGradients(const std::string &loss) {
  std::vector<std::string> xs, zs;
  for (ParameterChoice &parameter : parameters) {
    xs.push_back(parameter.name);
    gradients.push_back(
        text.unique("training." + parameter.name + ".gradient"));
  }
  for (Value argument : main.getArguments())
    zs.push_back(onnx::getValueName(argument));
  if (!labels.empty())
    zs.push_back(labels);
  std::vector<std::string> all = xs;
  llvm::append_range(all, zs);
  text.node("ai.onnx.preview.training.Gradient", all,
            "xs = [" + NodeText::quoteAll(xs) + "], zs = [" +
                NodeText::quoteAll(zs) + "], y = " + NodeText::quote(loss),
            gradients);
}

static RankedTensorType getParameterType(const ParameterChoice &parameter) {
  return cast<RankedTensorType>(parameter.constant->getResult(0).getType());
}

void AlgorithmWriter::writeUpdates() {
  Type f32 = Float32Type::get(context), i64 = IntegerType::get(context, 64);
  std::string next = text.node("Add", {count, text.number(1, i64)});
  addUpdate(count, next, RankedTensorType::get({}, i64));
  // Narrow weights are moved in f32.
  SmallVector<Type> elements;
  for (auto [parameter, gradient] : llvm::zip_equal(parameters, gradients)) {
    Type own = getParameterType(parameter).getElementType();
    elements.push_back(own.isF64() ? own : f32);
    if (own != elements.back())
      gradient = text.cast(gradient, elements.back());
  }
  OptimizerText optimizer(text, options, rate, next);
  optimizer.clip(gradients, elements);
  for (auto [parameter, gradient, element] :
       llvm::zip_equal(parameters, gradients, elements)) {
    RankedTensorType type = getParameterType(parameter);
    bool isNarrow = type.getElementType() != element;
    std::vector<std::string> states;
    for (StringRef state : getOptimizerStates(options)) {
      states.push_back(text.unique(parameter.name + "." + state));
      result.states.push_back({states.back(), type.clone(element)});
    }
    std::string x =
        isNarrow ? text.cast(parameter.name, element) : parameter.name;
    SmallVector<std::string> values =
        optimizer.update(x, gradient, states, element);
    if (isNarrow)
      values[0] = text.cast(values[0], type.getElementType());
    addUpdate(parameter.name, values[0], type);
    for (auto [state, value] :
         llvm::zip_equal(states, ArrayRef(values).drop_front()))
      addUpdate(state, value, type.clone(element));
  }
}

/// What the optimizer remembers starts anew; weights stay.
void AlgorithmWriter::writeInitialization() {
  NodeText nodes((llvm::StringSet<>()));
  SmallVector<std::string> values;
  Type i64 = IntegerType::get(context, 64);
  auto bind = [&](const std::string &initializer, const std::string &value,
                  RankedTensorType type) {
    result.initials.push_back({initializer, value});
    values.push_back(NodeText::formatType(type) + " " + NodeText::quote(value));
  };
  bind(count, nodes.number(0, i64), RankedTensorType::get({}, i64));
  for (const auto &[name, type] : result.states) {
    SmallVector<std::string> sizes;
    for (int64_t size : type.getShape())
      sizes.push_back(std::to_string(size));
    std::string shape =
        nodes.node("Constant", {},
                   "value = int64[" + std::to_string(type.getRank()) + "] {" +
                       llvm::join(sizes, ", ") + "}");
    auto one = RankedTensorType::get({1}, type.getElementType());
    bind(name,
         nodes.node("ConstantOfShape", {shape},
                    "value = " + NodeText::formatType(one) + " {0.0}"),
         type);
  }
  result.initialization = "initialization () => (" + llvm::join(values, ", ") +
                          ") {\n" + nodes.str() + "}";
}

FailureOr<TrainingAlgorithm> AlgorithmWriter::run() {
  if (failed(findOutput()))
    return failure();
  FailureOr<RankedTensorType> labelType = getLabelType(output, options);
  if (failed(labelType) || failed(findParameters()))
    return failure();
  if (*labelType)
    addLabels(*labelType);
  Type f32 = Float32Type::get(context);
  for (StringRef name : {"learning_rate", "lr", "rate"})
    if (rate.empty() && text.unique(name) == name)
      rate = name;
  if (rate.empty())
    return main.emitError("WFT1012: the model has tensors called "
                          "'learning_rate', 'lr' and 'rate', so that no name "
                          "is left for the rate");
  count = text.unique("weft.step");
  inputs.push_back("float " + NodeText::quote(rate));
  if (failed(findSwitched()))
    return failure();

  auto type = cast<RankedTensorType>(scores.getType());
  LossNames names = writeLoss(text, nameOf(scores), type, labels, options);
  Type element = type.getElementType().isF64() ? type.getElementType() : f32;
  addOutput(names.loss, RankedTensorType::get({}, element));
  if (!names.accuracy.empty())
    addOutput(names.accuracy, RankedTensorType::get({}, f32));
  writeGradients(names.loss);
  writeUpdates();
  result.algorithm = "algorithm (" + llvm::join(inputs, ", ") + ") => (" +
                     llvm::join(outputs, ", ") + ") <float " +
                     NodeText::quote(rate) + " = {" +
                     NodeText::format(defaultRate) + "}, int64 " +
                     NodeText::quote(count) + " = {0}> {\n" + text.str() + "}";
  writeInitialization();
  return std::move(result);
}

FailureOr<TrainingAlgorithm>
weft::describeAlgorithm(func::FuncOp main, const TrainingOptions &options,
                        double rate) {
  auto refuse = [&](const Twine &what) {
    return main.emitError("WFT2304: ")
           << what << " can't be written as training info";
  };
  if (options.algorithm || options.initialize || options.evaluate)
    return refuse("the training that the model brings along");
  if (options.optimizer == OptimizerKind::Function)
    return refuse("an optimizer that is a function");
  if (options.accumulate > 1)
    return refuse("an update of several batches");
  if (options.precision != Precision::F32)
    return refuse("another precision than f32");
  if (!options.classWeights.empty() && options.labelSmoothing > 0)
    return refuse("smoothing of labels that have weights");
  return AlgorithmWriter(main, options, rate).run();
}
