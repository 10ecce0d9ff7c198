//===- ExportOptimizer.cpp - Optimizers as nodes --------------------------===//
//
// ONNX's own Momentum and Adagrad compute what Weft's do. Its Adam does not: it
// adds epsilon to the root of the squares before their bias is undone, which
// for gradients of 1e-4 is a difference of a thousandth.
//
//===----------------------------------------------------------------------===//

#include "ExportOptimizer.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace weft;

namespace {
/// Formulas on names of tensors of one element type.
struct Formula {
  NodeText *text;
  Type element;
  std::string name;

  Formula with(std::string other) const { return {text, element, other}; }
  Formula number(double value) const {
    return with(text->number(value, element));
  }
};
} // namespace

static Formula apply(StringRef op, Formula a) {
  return a.with(a.text->node(op, {a.name}));
}
static Formula apply(StringRef op, Formula a, Formula b) {
  return a.with(a.text->node(op, {a.name, b.name}));
}
static Formula operator+(Formula a, Formula b) { return apply("Add", a, b); }
static Formula operator-(Formula a, Formula b) { return apply("Sub", a, b); }
static Formula operator*(Formula a, Formula b) { return apply("Mul", a, b); }
static Formula operator/(Formula a, Formula b) { return apply("Div", a, b); }
static Formula operator*(double a, Formula b) { return b.number(a) * b; }
static Formula operator+(Formula a, double b) { return a + a.number(b); }

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

static Type getF32(Type type) { return Float32Type::get(type.getContext()); }

OptimizerText::OptimizerText(NodeText &text, const TrainingOptions &options,
                             std::string rate, std::string count)
    : text(text), options(options), rate(std::move(rate)),
      count(std::move(count)) {}

/// `1 - decay^count`, in f64 on the way.
std::string OptimizerText::correct(double decay, MLIRContext *context) {
  Type f64 = Float64Type::get(context);
  Formula steps{&text, f64, text.cast(count, f64)};
  Formula one = steps.number(1);
  Formula correction = one - apply("Pow", steps.number(decay), steps);
  return text.cast(correction.name, Float32Type::get(context));
}

void OptimizerText::clip(MutableArrayRef<std::string> gradients,
                         ArrayRef<Type> elements) {
  if (options.clipValue > 0)
    for (auto [gradient, element] : llvm::zip_equal(gradients, elements)) {
      Formula g{&text, element, gradient};
      Formula below = apply("Min", g, g.number(options.clipValue));
      gradient = apply("Max", below, g.number(-options.clipValue)).name;
    }
  if (options.clipNorm <= 0 || gradients.empty())
    return;
  Type f32 = getF32(elements.front());
  std::optional<Formula> sum;
  for (auto [gradient, element] : llvm::zip_equal(gradients, elements)) {
    std::string part = text.node("ReduceSumSquare", {gradient}, "keepdims = 0");
    Formula wide{&text, f32, element == f32 ? part : text.cast(part, f32)};
    sum = sum ? *sum + wide : wide;
  }
  Formula norm = apply("Sqrt", *sum);
  Formula scale = norm.number(options.clipNorm) / (norm + 1e-6);
  scale = apply("Min", scale, scale.number(1));
  for (auto [gradient, element] : llvm::zip_equal(gradients, elements)) {
    Formula g{&text, element, gradient};
    std::string own =
        element == f32 ? scale.name : text.cast(scale.name, element);
    gradient = (g * g.with(own)).name;
  }
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

namespace {
struct Step {
  Formula x, g, rate;
  SmallVector<Formula> states;
  Formula first, second; ///< corrections of Adam and LAMB
  const TrainingOptions &options;

  double epsilon(double otherwise) const {
    return options.epsilon.value_or(otherwise);
  }
};
using Names = SmallVector<std::string>;
} // namespace

static std::pair<Formula, Formula> track(const Step &s) {
  double beta1 = s.options.beta1, beta2 = s.options.beta2;
  return {beta1 * s.states[0] + (1 - beta1) * s.g,
          beta2 * s.states[1] + (1 - beta2) * (s.g * s.g)};
}

static Names stepAdam(const Step &s) {
  auto [mean, squares] = track(s);
  Formula x = s.x;
  if (s.options.optimizer == OptimizerKind::AdamW)
    x = x - s.options.weightDecay * (s.rate * x);
  Formula scale =
      apply("Sqrt", squares) / apply("Sqrt", s.second) + s.epsilon(1e-8);
  Formula next = x - s.rate / s.first * (mean / scale);
  return {next.name, mean.name, squares.name};
}

static Formula sumSquares(Formula x) {
  return x.with(x.text->node("ReduceSumSquare", {x.name}, "keepdims = 0"));
}

static Names stepLAMB(const Step &s) {
  auto [mean, squares] = track(s);
  Formula scale = apply("Sqrt", squares / s.second) + s.epsilon(1e-6);
  Formula move = mean / s.first / scale + s.options.weightDecay * s.x;
  Formula size = sumSquares(s.x), length = sumSquares(move);
  Formula none = size.number(0), one = size.number(1);
  auto isAbove = [&](Formula value) { return apply("Greater", value, none); };
  Formula both = apply("And", isAbove(size), isAbove(length));
  Formula quotient = apply("Sqrt", size) / apply("Sqrt", length);
  Formula trust =
      size.with(size.text->node("Where", {both.name, quotient.name, one.name}));
  return {(s.x - s.rate * (trust * move)).name, mean.name, squares.name};
}

static Names stepRMSProp(const Step &s) {
  double decay = s.options.decay;
  Formula squares = decay * s.states[0] + (1 - decay) * (s.g * s.g);
  Formula move = s.g / (apply("Sqrt", squares) + s.epsilon(1e-8));
  if (s.states.size() == 1)
    return {(s.x - s.rate * move).name, squares.name};
  Formula speed = s.options.momentum * s.states[1] + move;
  return {(s.x - s.rate * speed).name, squares.name, speed.name};
}

/// A node of the domain for training, with the inputs R, T, X, G and states.
static Names useNode(const Step &s, const std::string &rate,
                     const std::string &count, StringRef op,
                     const std::string &attributes) {
  std::vector<std::string> inputs = {rate, count, s.x.name, s.g.name};
  Names outputs = {s.x.text->unique("training.x")};
  for (const Formula &state : s.states) {
    inputs.push_back(state.name);
    outputs.push_back(s.x.text->unique("training.state"));
  }
  s.x.text->node(("ai.onnx.preview.training." + op).str(), inputs, attributes,
                 ArrayRef<std::string>(outputs));
  return outputs;
}

SmallVector<std::string> OptimizerText::update(const std::string &parameter,
                                               const std::string &gradient,
                                               ArrayRef<std::string> states,
                                               Type element) {
  Type f32 = getF32(element);
  auto widen = [&](const std::string &scalar) {
    return element == f32 ? scalar : text.cast(scalar, element);
  };
  Formula x{&text, element, parameter}, g = x.with(gradient);
  bool isDecoupled = options.optimizer == OptimizerKind::AdamW ||
                     options.optimizer == OptimizerKind::LAMB;
  double decay = isDecoupled ? 0 : options.weightDecay;
  bool isAdam = isDecoupled || options.optimizer == OptimizerKind::Adam;
  if (isAdam && firstCorrection.empty()) {
    firstCorrection = correct(options.beta1, element.getContext());
    secondCorrection = correct(options.beta2, element.getContext());
  }
  Step step{x, g, x.with(widen(rate)), {}, x, x, options};
  if (isAdam) {
    step.first = x.with(widen(firstCorrection));
    step.second = x.with(widen(secondCorrection));
  }
  for (const std::string &state : states)
    step.states.push_back(x.with(state));
  auto number = [](StringRef name, double value) {
    return (name + " = " + NodeText::format(value)).str();
  };
  std::string norm = number("norm_coefficient", decay);
  auto decayed = [&]() -> const Step & {
    if (decay > 0)
      step.g = step.g + decay * step.x;
    return step;
  };
  switch (options.optimizer) {
  case OptimizerKind::SGD:
    if (states.empty()) {
      decayed();
      return {(step.x - step.rate * step.g).name};
    }
    return useNode(step, rate, count, "Momentum",
                   number("alpha", options.momentum) + ", beta = 1.0, " + norm +
                       ", mode = \"" +
                       (options.nesterov ? "nesterov" : "standard") + "\"");
  case OptimizerKind::Adam:
    return stepAdam(decayed());
  case OptimizerKind::AdamW:
    return stepAdam(step);
  case OptimizerKind::LAMB:
    return stepLAMB(step);
  case OptimizerKind::Adagrad:
    return useNode(step, rate, count, "Adagrad",
                   number("epsilon", step.epsilon(1e-10)) +
                       ", decay_factor = 0.0, " + norm);
  case OptimizerKind::RMSProp:
    return stepRMSProp(decayed());
  case OptimizerKind::Function:
    break;
  }
  llvm_unreachable("all optimizers are known");
}
