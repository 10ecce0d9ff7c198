//===- Gradient.cpp - Gradients that a model asks for ---------------------===//
//
// A Gradient node names the tensors of its graph: `y`, the `xs` that it is
// differentiated by, and the `zs` that count as independent of these. Its
// operands are the values of `xs` and `zs` at which that is to happen; where
// they are not the tensors of these names, the nodes from them to `y` are
// lowered once more.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

static constexpr llvm::StringLiteral kGradient = "onnx.training.Gradient";

/// The values of the onnx dialect that `op` can use, by name.
static llvm::StringMap<Value> collectNames(Operation *op) {
  llvm::StringMap<Value> names;
  for (Operation *here = op; here && here->getBlock();
       here = here->getParentOp()) {
    auto add = [&](Value value) {
      if (std::string name = onnx::getValueName(value); !name.empty())
        names.try_emplace(name, value);
    };
    for (Operation &other :
         llvm::make_range(here->getBlock()->begin(), here->getIterator()))
      llvm::for_each(other.getResults(), add);
    llvm::for_each(here->getBlock()->getArguments(), add);
    if (isa<func::FuncOp>(here))
      break;
  }
  return names;
}

namespace {
/// Lowers one Gradient node.
class GradientLowering {
public:
  GradientLowering(Lowering &lower, Node node) : lower(lower), node(node) {}

  LogicalResult run(SmallVectorImpl<Value> &results);

private:
  LogicalResult findTensors();
  LogicalResult checkFloats(Value value, StringRef name);
  SmallVector<Operation *> findPath();
  LogicalResult repeat();

  Lowering &lower;
  Node node;
  unsigned numXs = 0;
  SmallVector<StringRef> names; // of xs, then zs
  SmallVector<Value> tensors;   // of the onnx dialect, that have these names
  Value y;                      // likewise
  SmallVector<Value> variables; // lowered xs, then zs of floats
};
} // namespace

/// Finds what the attributes name.
LogicalResult GradientLowering::findTensors() {
  names = node.getStrings("xs");
  numXs = names.size();
  llvm::append_range(names, node.getStrings("zs"));
  if (names.size() != node.getNumOperands())
    return lower.fail(node, "it has " + Twine(node.getNumOperands()) +
                                " inputs, wanted " + Twine(names.size()) +
                                ", one per name in 'xs' and 'zs'");
  if (node.getNumResults() > numXs)
    return lower.fail(node, "it has " + Twine(node.getNumResults()) +
                                " outputs, wanted at most " + Twine(numXs) +
                                ", one per name in 'xs'");
  llvm::StringMap<Value> known = collectNames(node.getOperation());
  for (StringRef name : names)
    tensors.push_back(known.lookup(name));
  y = known.lookup(node.getString("y", ""));
  for (auto [name, tensor] : llvm::zip_equal(names, tensors))
    if (!tensor)
      return lower.fail(node, "there is no tensor '" + name +
                                  "' in front of the node, which 'xs' or 'zs' "
                                  "names");
  if (!y)
    return lower.fail(node, "there is no tensor '" + node.getString("y", "") +
                                "' in front of the node, which 'y' names");
  return success();
}

/// Whether `value`, of the onnx dialect, may depend on another one.
static bool isComputed(Value value) {
  Operation *op = value.getDefiningOp();
  return op && op->getName().getStringRef() != "onnx.Constant";
}

static bool isDifferentiable(Value value) {
  auto type = value ? dyn_cast<RankedTensorType>(value.getType()) : nullptr;
  return type && isa<FloatType>(type.getElementType()) &&
         type.getElementTypeBitWidth() >= 16;
}

LogicalResult GradientLowering::checkFloats(Value value, StringRef name) {
  if (isDifferentiable(value))
    return success();
  std::string text;
  llvm::raw_string_ostream(text)
      << "tensor '" << name << "' has no gradient: it is ";
  if (value)
    llvm::raw_string_ostream(text) << value.getType();
  else
    text += "no tensor";
  return lower.fail(node, text + ", wanted f16, bf16, f32 or f64");
}

/// The nodes of the block that compute `y` from the named tensors, in order.
SmallVector<Operation *> GradientLowering::findPath() {
  Block *block = node.getOperation()->getBlock();
  DenseSet<Value> from(tensors.begin(), tensors.end()), wanted = {y};
  SmallVector<Operation *> path;
  auto begin = std::next(Block::reverse_iterator(node.getOperation()));
  for (Operation &op : llvm::make_range(begin, block->rend())) {
    if (!llvm::any_of(op.getResults(), [&](Value result) {
          return wanted.contains(result) && !from.contains(result);
        }))
      continue;
    path.push_back(&op);
    SetVector<Value> used(op.operand_begin(), op.operand_end());
    getUsedValuesDefinedAbove(op.getRegions(), used);
    wanted.insert_range(used);
  }
  std::reverse(path.begin(), path.end());
  return path;
}

/// Lowers the nodes between the named tensors and `y` for the operands.
LogicalResult GradientLowering::repeat() {
  IRMapping mapping;
  DenseSet<Value> varied;
  variables.clear();
  for (auto [i, tensor] : llvm::enumerate(tensors)) {
    Value value = lower.operand(node, i);
    if (isDifferentiable(value)) {
      value = IndependentOp::create(lower.b, value, names[i]);
      variables.push_back(value);
    }
    mapping.map(tensor, value);
    varied.insert(tensor);
  }
  OpBuilder nodes(node.getOperation());
  for (Operation *op : findPath()) {
    SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    if (!llvm::any_of(used,
                      [&](Value value) { return varied.contains(value); }))
      continue;
    varied.insert_range(op->getResults());
    lower.lowerNode(Node(nodes.clone(*op, mapping)));
  }
  y = mapping.lookupOrDefault(y);
  return success();
}

LogicalResult GradientLowering::run(SmallVectorImpl<Value> &results) {
  if (failed(findTensors()))
    return failure();
  for (unsigned i : llvm::seq(names.size())) {
    if (i < numXs && failed(checkFloats(lower.operand(node, i), names[i])))
      return failure();
    Value variable = lower.lookup(tensors[i]);
    if (i < numXs || (isDifferentiable(variable) && isComputed(tensors[i])))
      variables.push_back(variable);
  }
  bool isElsewhere = false;
  for (auto [i, tensor] : llvm::enumerate(tensors))
    isElsewhere |= tensor != node.getOperand(i);
  if (isElsewhere && failed(repeat()))
    return failure();
  Value lowered = lower.lookup(y);
  // Why it is not there has been reported.
  if (!lowered || llvm::is_contained(variables, Value()))
    return failure();
  if (failed(checkFloats(lowered, node.getString("y", ""))))
    return failure();
  results = lower.makeAll<GradientOp>(lowered, variables);
  results.truncate(numXs);
  return success();
}

static LogicalResult lowerGradient(Lowering &lower, Node node,
                                   SmallVectorImpl<Value> &results) {
  return GradientLowering(lower, node).run(results);
}

void weft::findIndependents(Operation *root, DenseSet<Value> &independents) {
  root->walk([&](Operation *op) {
    if (op->getName().getStringRef() != kGradient)
      return;
    llvm::StringMap<Value> names = collectNames(op);
    for (StringRef attr : {"xs", "zs"})
      for (StringRef name : Node(op).getStrings(attr))
        if (Value value = names.lookup(name))
          if (attr == "xs" || isComputed(value))
            independents.insert(value);
  });
}

void weft::addGradientLowerings(LoweringTable &table) {
  table["training.Gradient"] = lowerGradient;
}
