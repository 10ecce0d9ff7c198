//===- Parameters.cpp - Which tensors of a model are trained --------------===//

#include "weft/Training/Parameters.h"
#include "weft/Dialect/ONNX/IR/Node.h"
#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Regex.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

//===----------------------------------------------------------------------===//
// Where operators take weights
//===----------------------------------------------------------------------===//

/// The operands that are weights, by operator.
static ArrayRef<unsigned> getWeightSlots(StringRef opType) {
  static const llvm::StringMap<SmallVector<unsigned>> table = {
      {"Add", {0, 1}},
      {"BatchNormalization", {1, 2}},
      {"Conv", {1, 2}},
      {"ConvTranspose", {1, 2}},
      {"DeformConv", {1, 3}},
      {"Div", {0, 1}},
      {"Einsum", {0, 1, 2, 3}},
      {"GRU", {1, 2, 3}},
      {"Gather", {0}},
      {"Gemm", {0, 1, 2}},
      {"GroupNormalization", {1, 2}},
      {"InstanceNormalization", {1, 2}},
      {"LSTM", {1, 2, 3, 7}},
      {"LayerNormalization", {1, 2}},
      {"MatMul", {0, 1}},
      {"Mul", {0, 1}},
      {"PRelu", {1}},
      {"RMSNormalization", {1}},
      {"RNN", {1, 2, 3}},
      {"Sub", {0, 1}},
      {"Sum", {0, 1, 2, 3}},
  };
  auto found = table.find(opType);
  return found == table.end() ? ArrayRef<unsigned>() : found->second;
}

/// Whether a weight stays one when a node of this operator has changed its
/// form.
static bool passesWeightsOn(StringRef opType) {
  static const llvm::StringSet<> table = {
      "Cast",  "Concat",  "Expand", "Flatten",   "Identity",  "Reshape",
      "Slice", "Squeeze", "Split",  "Transpose", "Unsqueeze",
  };
  return table.contains(opType);
}

/// A scale is a number per channel: along one dimension. Others are tables, of
/// rotations say, which are multiplied with but not learnt.
static bool isScale(RankedTensorType type) {
  return llvm::count_if(type.getShape(), [](int64_t n) { return n != 1; }) <= 1;
}

/// Whether a node uses a constant of `type` at `use` as a weight.
static bool isWeightAt(OpOperand &use, RankedTensorType type) {
  Node node(use.getOwner());
  if (!node.getDomain().empty())
    return false;
  StringRef opType = node.getOpType();
  if (!llvm::is_contained(getWeightSlots(opType), use.getOperandNumber()))
    return false;
  // A weight meets data. What meets a constant is folded.
  bool scales = opType == "Mul" || opType == "Div";
  return !scales || isScale(type);
}

//===----------------------------------------------------------------------===//
// Decisions
//===----------------------------------------------------------------------===//

static std::string describeNode(Node node) {
  return "node '" + node.getName() + "' (" + node.getOpType().str() + ")";
}

namespace {
/// Follows a constant to where it is used.
class Uses {
public:
  explicit Uses(RankedTensorType type) : type(type) {}

  void follow(Value value) {
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (!isa_and_nonnull<onnx::ONNXDialect>(user->getDialect()) ||
          !seen.insert(user).second)
        continue;
      if (isWeightAt(use, type)) {
        weightOf = weightOf ? weightOf : user;
      } else if (passesWeightsOn(Node(user).getOpType())) {
        for (Value result : user->getResults())
          follow(result);
      } else {
        other = other ? other : user;
      }
    }
  }

  Operation *weightOf = nullptr, *other = nullptr;

private:
  RankedTensorType type;
  DenseSet<Operation *> seen;
};
} // namespace

static bool matches(StringRef pattern, StringRef name) {
  return !pattern.empty() && llvm::Regex(pattern).match(name);
}

/// Fills in whether the constant is trained, and why.
static void decide(ParameterChoice &choice, const TrainingOptions &options) {
  auto say = [&](bool isTrained, const Twine &reason) {
    choice.isTrained = isTrained;
    choice.reason = reason.str();
  };
  auto type =
      dyn_cast<RankedTensorType>(choice.constant->getResult(0).getType());
  if (!type || !isa<FloatType>(type.getElementType()) ||
      type.getElementTypeBitWidth() < 16)
    return say(false, "its elements are not f16, bf16, f32 or f64");
  if (matches(options.freeze, choice.name))
    return say(false, "matches freeze");
  if (matches(options.train, choice.name))
    return say(true, "matches train");
  if (type.getRank() == 0)
    return say(false, "a single number");
  Uses uses(type);
  uses.follow(choice.constant->getResult(0));
  if (uses.weightOf)
    return say(true, "weight of " + describeNode(Node(uses.weightOf)));
  if (uses.other)
    return say(false, "no weight where " + describeNode(Node(uses.other)) +
                          " uses it");
  return say(false, "nothing uses it");
}

SmallVector<ParameterChoice>
weft::chooseParameters(func::FuncOp main, const TrainingOptions &options) {
  SmallVector<ParameterChoice> choices;
  for (Operation &op : main.getBody().front()) {
    if (!isa_and_nonnull<onnx::ONNXDialect>(op.getDialect()) ||
        Node(&op).getOpType() != "Constant" || !Node(&op).getDomain().empty())
      continue;
    ParameterChoice choice{&op, onnx::getValueName(op.getResult(0)), false, ""};
    if (choice.name.empty())
      continue;
    decide(choice, options);
    choices.push_back(std::move(choice));
  }
  return choices;
}
