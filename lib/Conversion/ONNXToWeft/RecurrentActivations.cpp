//===- RecurrentActivations.cpp - Activations of recurrent cells ----------===//

#include "RecurrentActivations.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace weft {

Value Activation::apply(Terms &terms, Value x) const {
  switch (kind) {
  case ActivationKind::Affine:
    return terms.add(terms.mul(x, alpha), beta);
  case ActivationKind::Elu: {
    Value curve = terms.add(terms.unary<ExpOp>(terms.min(x, 0.0)), -1.0);
    return terms.add(terms.max(x, 0.0), terms.mul(curve, alpha));
  }
  case ActivationKind::HardSigmoid:
    return terms.min(terms.max(terms.add(terms.mul(x, alpha), beta), 0.0), 1.0);
  case ActivationKind::LeakyRelu:
    return terms.select(terms.compare(ComparePredicate::lt, x, 0.0),
                        terms.mul(x, alpha), x);
  case ActivationKind::Relu: {
    Value zero = terms.number(0, x);
    return terms.select(terms.compare(ComparePredicate::le, x, zero), zero, x);
  }
  case ActivationKind::ScaledTanh:
    return terms.mul(terms.unary<TanhOp>(terms.mul(x, beta)), alpha);
  case ActivationKind::Sigmoid:
    return terms.unary<LogisticOp>(x);
  case ActivationKind::Softplus: {
    // log(1 + exp(x)) without overflow.
    Value decay = terms.unary<ExpOp>(terms.unary<NegOp>(terms.unary<AbsOp>(x)));
    return terms.add(terms.max(x, 0.0),
                     terms.unary<LogOp>(terms.add(decay, 1.0)));
  }
  case ActivationKind::Softsign:
    return terms.div(x, terms.add(terms.unary<AbsOp>(x), 1.0));
  case ActivationKind::Tanh:
    return terms.unary<TanhOp>(x);
  case ActivationKind::ThresholdedRelu:
    return terms.select(terms.compare(ComparePredicate::gt, x, alpha), x, 0.0);
  }
  llvm_unreachable("all kinds are handled");
}

namespace {

/// What is known of an activation by its name: which parameters it has, and
/// their defaults.
struct ActivationTraits {
  ActivationKind kind;
  std::optional<double> alpha, beta;
};

} // namespace

static std::optional<ActivationTraits> traitsOf(StringRef name) {
  using Kind = ActivationKind;
  using Result = std::optional<ActivationTraits>;
  return llvm::StringSwitch<Result>(name)
      .CaseLower("affine", ActivationTraits{Kind::Affine, 1.0, 0.0})
      .CaseLower("elu", ActivationTraits{Kind::Elu, 1.0, {}})
      .CaseLower("hardsigmoid", ActivationTraits{Kind::HardSigmoid, 0.2, 0.5})
      .CaseLower("leakyrelu", ActivationTraits{Kind::LeakyRelu, 0.01, {}})
      .CaseLower("relu", ActivationTraits{Kind::Relu, {}, {}})
      .CaseLower("scaledtanh", ActivationTraits{Kind::ScaledTanh, 1.0, 1.0})
      .CaseLower("sigmoid", ActivationTraits{Kind::Sigmoid, {}, {}})
      .CaseLower("softplus", ActivationTraits{Kind::Softplus, {}, {}})
      .CaseLower("softsign", ActivationTraits{Kind::Softsign, {}, {}})
      .CaseLower("tanh", ActivationTraits{Kind::Tanh, {}, {}})
      .CaseLower("thresholdedrelu",
                 ActivationTraits{Kind::ThresholdedRelu, 1.0, {}})
      .Default(std::nullopt);
}

/// The next of the node's parameters if the function takes one and one is left.
static double takeParameter(std::optional<double> otherwise,
                            ArrayRef<float> &given) {
  if (!otherwise)
    return 0.0;
  if (given.empty())
    return *otherwise;
  double taken = given.front();
  given = given.drop_front();
  return taken;
}

FailureOr<SmallVector<Activation>> readActivations(Lowering &lower,
                                                   onnx::Node node,
                                                   ArrayRef<StringRef> defaults,
                                                   int64_t directions) {
  SmallVector<StringRef> names = node.getStrings("activations");
  size_t wanted = defaults.size() * directions;
  if (names.empty())
    for (int64_t i = 0; i < directions; ++i)
      llvm::append_range(names, defaults);
  // A list for both directions may be the schema's default for one.
  if (names.size() > wanted && node.getOpType() == "RNN")
    names.resize(wanted);
  if (names.size() != wanted)
    return lower.fail(node, "'activations' has " + Twine(names.size()) +
                                " entries, wanted " + Twine(wanted));
  SmallVector<float> alphas = node.getFloats("activation_alpha");
  SmallVector<float> betas = node.getFloats("activation_beta");
  ArrayRef<float> alphasLeft = alphas, betasLeft = betas;
  SmallVector<Activation> result;
  for (StringRef name : names) {
    std::optional<ActivationTraits> traits = traitsOf(name);
    if (!traits)
      return lower.fail(node, "unknown activation \"" + name + "\"");
    double alpha = takeParameter(traits->alpha, alphasLeft);
    double beta = takeParameter(traits->beta, betasLeft);
    result.push_back({traits->kind, alpha, beta});
  }
  return result;
}

} // namespace weft
