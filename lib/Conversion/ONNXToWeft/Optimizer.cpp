//===- Optimizer.cpp - Steps of ai.onnx.preview.training ------------------===//

#include "Expr.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

namespace {
/// One optimized tensor with its gradient and states; R and T are shared.
struct Step {
  Expr rate, count, x, gradient;
  SmallVector<Expr> states;
};
} // namespace

/// New value of the tensor, then new states.
using StepRule = function_ref<SmallVector<Expr>(Step)>;

/// Applies a rule to each optimized tensor. Operands are R, T, all tensors, all
/// gradients, then all of each state; results are grouped the same way.
static LogicalResult lowerSteps(Lowering &lower, Node node, unsigned numStates,
                                SmallVectorImpl<Value> &results,
                                StepRule rule) {
  unsigned groups = 2 + numStates;
  if (node.getNumOperands() < 2 || (node.getNumOperands() - 2) % groups != 0)
    return lower.fail(node, "it has " + Twine(node.getNumOperands()) +
                                " inputs, wanted 2 and a multiple of " +
                                Twine(groups));
  unsigned tensors = (node.getNumOperands() - 2) / groups;
  results.resize(tensors * (1 + numStates));
  auto operand = [&](unsigned index) {
    return Expr(lower, lower.operand(node, index));
  };
  for (unsigned i = 0; i < tensors; ++i) {
    Step step;
    step.x = operand(2 + i);
    step.rate = operand(0).cast(step.x.element());
    step.count = operand(1).cast(step.x.element());
    step.gradient = operand(2 + tensors + i);
    for (unsigned state = 0; state < numStates; ++state)
      step.states.push_back(operand(2 + (2 + state) * tensors + i));
    for (auto [group, value] : llvm::enumerate(rule(step)))
      results[group * tensors + i] = value;
  }
  return success();
}

static Expr regularized(const Step &step, double coefficient) {
  return coefficient == 0 ? step.gradient
                          : step.x * coefficient + step.gradient;
}

static LogicalResult lowerAdagrad(Lowering &lower, Node node,
                                  SmallVectorImpl<Value> &results) {
  double decay = node.getFloat("decay_factor", 0);
  double epsilon = node.getFloat("epsilon", 1e-6f);
  double norm = node.getFloat("norm_coefficient", 0);
  return lowerSteps(lower, node, 1, results, [&](Step step) {
    Expr rate = step.rate / (step.count * decay + 1.0);
    Expr gradient = regularized(step, norm);
    Expr squares = step.states[0] + gradient * gradient;
    Expr x = step.x - rate * gradient / (sqrt(squares) + epsilon);
    return SmallVector<Expr>{x, squares};
  });
}

static LogicalResult lowerAdam(Lowering &lower, Node node,
                               SmallVectorImpl<Value> &results) {
  double alpha = node.getFloat("alpha", 0.9f);
  double beta = node.getFloat("beta", 0.999f);
  double epsilon = node.getFloat("epsilon", 1e-6f);
  double norm = node.getFloat("norm_coefficient", 0);
  double normPost = node.getFloat("norm_coefficient_post", 0);
  return lowerSteps(lower, node, 2, results, [&](Step step) {
    Expr gradient = regularized(step, norm);
    Expr mean = step.states[0] * alpha + gradient * (1 - alpha);
    Expr squares = step.states[1] * beta + gradient * gradient * (1 - beta);
    // The corrections undo the bias of starting from zero.
    Expr first = 1.0 - pow(step.count.number(alpha), step.count);
    Expr second = 1.0 - pow(step.count.number(beta), step.count);
    // Chosen before the rate comes in, so that no gradient meets 0 / 0.
    Expr correction =
        select(step.count > 0.0, sqrt(second) / first, step.count.number(1));
    Expr rate = step.rate * correction;
    Expr x = step.x - rate * (mean / (sqrt(squares) + epsilon));
    return SmallVector<Expr>{x * (1 - normPost), mean, squares};
  });
}

static LogicalResult lowerMomentum(Lowering &lower, Node node,
                                   SmallVectorImpl<Value> &results) {
  double alpha = node.getFloat("alpha", 0), beta = node.getFloat("beta", 0);
  double norm = node.getFloat("norm_coefficient", 0);
  StringRef mode = node.getString("mode", "standard");
  if (mode != "standard" && mode != "nesterov")
    return lower.fail(node, "'mode' is '" + mode +
                                "', wanted 'standard' or 'nesterov'");
  return lowerSteps(lower, node, 1, results, [&](Step step) {
    Expr gradient = regularized(step, norm);
    // In the first step the gradient counts in full.
    Expr factor =
        select(step.count > 0.0, step.count.number(beta), step.count.number(1));
    Expr momentum = step.states[0] * alpha + factor * gradient;
    Expr direction =
        mode == "nesterov" ? gradient + momentum * alpha : momentum;
    return SmallVector<Expr>{step.x - step.rate * direction, momentum};
  });
}

void weft::addOptimizerLowerings(LoweringTable &table) {
  table["training.Adagrad"] = lowerAdagrad;
  table["training.Adam"] = lowerAdam;
  table["training.Momentum"] = lowerMomentum;
}
