//===- ExportLoss.cpp - Losses as nodes -----------------------------------===//

#include "ExportLoss.h"
#include "weft/Dialect/ONNX/IR/Node.h"
#include "weft/Dialect/ONNX/IR/ONNXDialect.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

Value weft::findScoresOfNode(Value output, const TrainingOptions &options) {
  Operation *op = output.getDefiningOp();
  if (!op || !isa_and_nonnull<onnx::ONNXDialect>(op->getDialect()) ||
      !Node(op).getDomain().empty())
    return output;
  Node node(op);
  int64_t rank = cast<RankedTensorType>(output.getType()).getRank();
  int64_t axis = node.getInt("axis", -1);
  bool isSoftmax = node.getOpType() == "Softmax" &&
                   (axis < 0 ? axis + rank : axis) == 1 &&
                   options.loss == LossKind::CrossEntropy;
  bool isSigmoid = node.getOpType() == "Sigmoid" &&
                   options.loss == LossKind::BinaryCrossEntropy;
  return isSoftmax || isSigmoid ? node.getOperand(0) : output;
}

namespace {
class LossWriter {
public:
  LossWriter(NodeText &text, std::string scores, RankedTensorType type,
             std::string labels, const TrainingOptions &options)
      : text(text), options(options), type(type), scores(std::move(scores)),
        labels(std::move(labels)) {}

  LossNames run();

private:
  using Name = std::string;
  Name number(double value) { return text.number(value, element); }
  Name node(StringRef op, ArrayRef<Name> inputs, StringRef attributes = "") {
    return text.node(op, inputs, attributes);
  }
  Name finish(StringRef op, const Name &value, StringRef attributes = "") {
    return text.node(op, {value}, attributes, "loss");
  }
  std::string getIgnored() const;
  Name countsOf();
  LossNames crossEntropy();
  Name smoothed(const Name &counts);
  Name accuracy(const Name &counts);
  Name perElement();

  NodeText &text;
  const TrainingOptions &options;
  RankedTensorType type;
  Name scores, labels;
  Type element; ///< f32 or f64
};
} // namespace

std::string LossWriter::getIgnored() const {
  return options.ignoreIndex
             ? ", ignore_index = " + std::to_string(*options.ignoreIndex)
             : "";
}

/// One for each label that counts, zero for others; empty if all count.
std::string LossWriter::countsOf() {
  if (!options.ignoreIndex)
    return "";
  Type i64 = IntegerType::get(type.getContext(), 64);
  Name ignored =
      node("Equal", {labels, text.number(*options.ignoreIndex, i64)});
  return text.cast(node("Not", {ignored}), element);
}

/// `-(1 - e) p[label] - e / C * sum(p)`, the mean over the labels that count.
std::string LossWriter::smoothed(const Name &counts) {
  double part = options.labelSmoothing;
  Name logs = node("LogSoftmax", {scores}, "axis = 1");
  Name picked = node("NegativeLogLikelihoodLoss", {logs, labels},
                     "reduction = \"none\"" + getIgnored());
  Name axes = node("Constant", {}, "value = int64[1] {1}");
  Name sum = node("ReduceSum", {logs, axes}, "keepdims = 0");
  Name losses =
      node("Sub", {node("Mul", {picked, number(1 - part)}),
                   node("Mul", {sum, number(part / type.getDimSize(1))})});
  if (counts.empty())
    return finish("ReduceMean", losses, "keepdims = 0");
  Name total =
      node("ReduceSum", {node("Mul", {losses, counts})}, "keepdims = 0");
  Name count = node("ReduceSum", {counts}, "keepdims = 0");
  return text.node("Div", {total, count}, "", "loss");
}

std::string LossWriter::accuracy(const Name &counts) {
  Type f32 = Float32Type::get(type.getContext());
  Name best = node("ArgMax", {scores}, "axis = 1, keepdims = 0");
  Name hits = text.cast(node("Equal", {best, labels}), f32);
  if (counts.empty())
    return text.node("ReduceMean", {hits}, "keepdims = 0", "accuracy");
  Name own = element == f32 ? counts : text.cast(counts, f32);
  Name total = node("ReduceSum", {node("Mul", {hits, own})}, "keepdims = 0");
  Name count = node("ReduceSum", {own}, "keepdims = 0");
  return text.node("Div", {total, count}, "", "accuracy");
}

LossNames LossWriter::crossEntropy() {
  Name counts = countsOf();
  if (options.labelSmoothing > 0)
    return {smoothed(counts), accuracy(counts)};
  SmallVector<Name> inputs = {scores, labels};
  if (!options.classWeights.empty())
    inputs.push_back(text.numbers(options.classWeights, element));
  Name loss = text.node("SoftmaxCrossEntropyLoss", inputs,
                        "reduction = \"mean\"" + getIgnored(), "loss");
  return {loss, accuracy(counts)};
}

std::string LossWriter::perElement() {
  if (options.loss == LossKind::BinaryCrossEntropy) {
    // max(x, 0) - x z + log(1 + exp(-|x|))
    Name tail =
        node("Log",
             {node("Add", {node("Exp", {node("Neg", {node("Abs", {scores})})}),
                           number(1)})});
    Name above = node("Max", {scores, number(0)});
    Name product = node("Mul", {scores, labels});
    return node("Add", {node("Sub", {above, product}), tail});
  }
  Name distance = node("Sub", {scores, labels});
  if (options.loss == LossKind::MeanSquare)
    return node("Mul", {distance, distance});
  Name size = node("Abs", {distance});
  if (options.loss == LossKind::MeanAbsolute)
    return size;
  double delta = options.huberDelta;
  Name near = node("Mul", {node("Mul", {distance, distance}), number(0.5)});
  Name far =
      node("Mul", {node("Sub", {size, number(0.5 * delta)}), number(delta)});
  Name isNear = node("LessOrEqual", {size, number(delta)});
  return node("Where", {isNear, near, far});
}

LossNames LossWriter::run() {
  element = type.getElementType();
  if (!element.isF64() && !element.isF32()) {
    element = Float32Type::get(type.getContext());
    scores = text.cast(scores, element);
    if (!labels.empty() && options.loss != LossKind::CrossEntropy)
      labels = text.cast(labels, element);
  }
  if (options.loss == LossKind::CrossEntropy)
    return crossEntropy();
  if (options.loss == LossKind::Output)
    return {type.getRank() == 0 ? finish("Identity", scores)
                                : finish("Squeeze", scores),
            ""};
  return {finish("ReduceMean", perElement(), "keepdims = 0"), ""};
}

LossNames weft::writeLoss(NodeText &text, const std::string &scores,
                          RankedTensorType type, const std::string &labels,
                          const TrainingOptions &options) {
  return LossWriter(text, scores, type, labels, options).run();
}
