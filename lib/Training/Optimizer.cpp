//===- Optimizer.cpp - How parameters are moved ---------------------------===//
//
// The formulas are those of torch.optim (LAMB: You et al., "Large Batch
// Optimization for Deep Learning", 2020, algorithm 2), in f32 or, where
// parameters are wider, in their type.
//
//===----------------------------------------------------------------------===//

#include "Optimizer.h"
#include "FunctionOptimizer.h"
#include "Numbers.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

SmallVector<llvm::StringRef>
weft::getOptimizerStates(const TrainingOptions &options) {
  switch (options.optimizer) {
  case OptimizerKind::SGD:
    if (options.momentum == 0)
      return {};
    return {"momentum"};
  case OptimizerKind::Adam:
  case OptimizerKind::AdamW:
  case OptimizerKind::LAMB:
    return {"mean", "squares"};
  case OptimizerKind::Adagrad:
    return {"squares"};
  case OptimizerKind::RMSProp:
    if (options.momentum == 0)
      return {"squares"};
    return {"squares", "momentum"};
  case OptimizerKind::Function:
    break;
  }
  llvm_unreachable("all optimizers are known");
}

static ModuleOp getModule(OpBuilder &b) {
  return b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// `1 - decay^count`, which undoes that a mean starts from zero. In f32 the
/// difference would be off by 6e-5 in the first steps of a decay of 0.999.
Value Optimizer::correct(double decay) {
  Type f64 = b.getF64Type();
  Term steps{&b, castScalar(b, count, f64)};
  Term power = apply<PowOp>(steps.number(decay), steps);
  return castScalar(b, (1.0 - power).value, b.getF32Type());
}

Optimizer::Optimizer(ImplicitLocOpBuilder &b, const TrainingOptions &options,
                     Value rate, Value count)
    : b(b), options(options), rate(rate), count(count) {
  firstCorrection = correct(options.beta1);
  secondCorrection = correct(options.beta2);
}

//===----------------------------------------------------------------------===//
// Clipping
//===----------------------------------------------------------------------===//

/// The sum of the squares of a tensor, as a number of f32 or wider.
static Value sumSquares(ImplicitLocOpBuilder &b, Value value) {
  Term x{&b, value};
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(0, typeOf(value).getRank()));
  return ReduceOp::create(b, ReduceKind::sum, (x * x).value, axes);
}

void Optimizer::clip(MutableArrayRef<Value> gradients) {
  if (options.clipValue > 0)
    for (Value &gradient : gradients) {
      Term g{&b, gradient};
      Term below = apply<MinOp>(g, g.number(options.clipValue));
      gradient = apply<MaxOp>(below, g.number(-options.clipValue)).value;
    }
  if (options.clipNorm <= 0 || gradients.empty())
    return;
  Type f32 = b.getF32Type();
  Value sum;
  for (Value gradient : gradients) {
    Value part = castScalar(b, sumSquares(b, gradient), f32);
    sum = sum ? AddOp::create(b, sum, part).getResult() : part;
  }
  Term norm = squareRoot({&b, sum});
  // The small number is torch's, for gradients of zero.
  Term scale = norm.number(options.clipNorm) / (norm + 1e-6);
  scale = apply<MinOp>(scale, scale.number(1));
  for (Value &gradient : gradients) {
    Term g{&b, gradient};
    gradient = (g * spread(scale.value, g)).value;
  }
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

namespace {
/// The terms of one parameter's step.
struct Step {
  Term x, g, rate;
  SmallVector<Term> states;
  const TrainingOptions &options;

  double epsilon(double otherwise) const {
    return options.epsilon.value_or(otherwise);
  }
};
using Result = std::pair<Term, SmallVector<Term>>;
} // namespace

static Result stepSGD(const Step &s) {
  if (s.states.empty())
    return {s.x - s.rate * s.g, {}};
  double momentum = s.options.momentum;
  Term speed = momentum * s.states[0] + s.g;
  Term direction = s.options.nesterov ? s.g + momentum * speed : speed;
  return {s.x - s.rate * direction, {speed}};
}

/// The means of the gradient and of its square.
static std::pair<Term, Term> track(const Step &s) {
  double beta1 = s.options.beta1, beta2 = s.options.beta2;
  return {beta1 * s.states[0] + (1 - beta1) * s.g,
          beta2 * s.states[1] + (1 - beta2) * (s.g * s.g)};
}

/// `pace` is the rate over the correction of the mean, `root` the square root
/// of that of the squares: numbers, which are computed once for all parameters.
static Result stepAdam(const Step &s, Term pace, Term root) {
  auto [mean, squares] = track(s);
  Term x = s.x;
  if (s.options.optimizer == OptimizerKind::AdamW)
    x = x - s.options.weightDecay * (s.rate * x);
  Term scale = squareRoot(squares) / root + s.epsilon(1e-8);
  return {x - pace * (mean / scale), {mean, squares}};
}

static Result stepLAMB(const Step &s, Term first, Term second) {
  auto [mean, squares] = track(s);
  Term scale = squareRoot(squares / second) + s.epsilon(1e-6);
  Term move = mean / first / scale + s.options.weightDecay * s.x;
  ImplicitLocOpBuilder &b = *s.x.b;
  Term size{&b, sumSquares(b, s.x.value)},
      length{&b, sumSquares(b, move.value)};
  Term none = size.number(0), one = size.number(1);
  Term trust = choose(compare(ComparePredicate::gt, size, none),
                      choose(compare(ComparePredicate::gt, length, none),
                             squareRoot(size) / squareRoot(length), one),
                      one);
  return {s.x - s.rate * (spread(trust.value, s.x) * move), {mean, squares}};
}

static Result stepAdagrad(const Step &s) {
  Term squares = s.states[0] + s.g * s.g;
  return {s.x - s.rate * (s.g / (squareRoot(squares) + s.epsilon(1e-10))),
          {squares}};
}

static Result stepRMSProp(const Step &s) {
  double decay = s.options.decay;
  Term squares = decay * s.states[0] + (1 - decay) * (s.g * s.g);
  Term move = s.g / (squareRoot(squares) + s.epsilon(1e-8));
  if (s.states.size() == 1)
    return {s.x - s.rate * move, {squares}};
  Term speed = s.options.momentum * s.states[1] + move;
  return {s.x - s.rate * speed, {squares, speed}};
}

SmallVector<llvm::StringRef> Optimizer::getStates(Type gradient) const {
  if (options.optimizer != OptimizerKind::Function)
    return getOptimizerStates(options);
  func::FuncOp function = findOptimizer(getModule(b), gradient);
  return function ? getFunctionStates(function)
                  : SmallVector<llvm::StringRef>();
}

FailureOr<Optimizer::Update> Optimizer::update(Value parameter, Value gradient,
                                               ValueRange states) {
  Term x{&b, parameter}, g{&b, gradient};
  bool isDecoupled = options.optimizer == OptimizerKind::AdamW ||
                     options.optimizer == OptimizerKind::LAMB;
  if (options.weightDecay > 0 && !isDecoupled)
    g = g + options.weightDecay * x;
  Step step{x, g, spread(rate, x), {}, options};
  for (Value state : states)
    step.states.push_back({&b, state});
  if (options.optimizer == OptimizerKind::Function) {
    func::FuncOp function = findOptimizer(getModule(b), gradient.getType());
    if (!function)
      return emitError(b.getLoc(), "WFT2308: there is no function '")
             << options.function << "' for gradients of " << gradient.getType();
    SmallVector<Value> inputs = {rate, count, parameter, g.value};
    llvm::append_range(inputs, states);
    auto values = callOptimizer(b, function, inputs);
    if (failed(values))
      return failure();
    return Update{values->front(),
                  SmallVector<Value>(llvm::drop_begin(*values))};
  }
  auto next = [&]() -> Result {
    switch (options.optimizer) {
    case OptimizerKind::SGD:
      return stepSGD(step);
    case OptimizerKind::Adam:
    case OptimizerKind::AdamW:
      return stepAdam(
          step, spread((Term{&b, rate} / Term{&b, firstCorrection}).value, x),
          spread(squareRoot(Term{&b, secondCorrection}).value, x));
    case OptimizerKind::LAMB:
      return stepLAMB(step, spread(firstCorrection, x),
                      spread(secondCorrection, x));
    case OptimizerKind::Adagrad:
      return stepAdagrad(step);
    case OptimizerKind::RMSProp:
      return stepRMSProp(step);
    case OptimizerKind::Function:
      break;
    }
    llvm_unreachable("all optimizers are known");
  }();
  Update update{next.first.value, {}};
  for (Term state : next.second)
    update.states.push_back(state.value);
  return update;
}
