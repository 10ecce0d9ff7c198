//===- BuildTrainingStep.cpp - Loss, gradients and optimizer --------------===//

#include "Loss.h"
#include "Optimizer.h"
#include "Ports.h"
#include "mlir/IR/BuiltinOps.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Dialect/Weft/IR/Terms.h"
#include "weft/Training/Algorithm.h"
#include "weft/Training/Passes.h"

namespace weft {
#define GEN_PASS_DEF_BUILDTRAININGSTEPPASS
#include "weft/Training/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::detail;

namespace {
struct BuildTrainingStepPass
    : weft::impl::BuildTrainingStepPassBase<BuildTrainingStepPass> {
  using BuildTrainingStepPassBase::BuildTrainingStepPassBase;

  void runOnOperation() override;
};

/// Rewrites one function.
class StepBuilder {
public:
  StepBuilder(func::FuncOp main, const TrainingOptions &options)
      : main(main), options(options),
        end(main.getBody().front().getTerminator()), b(main.getLoc(), end) {}

  LogicalResult run();

private:
  FailureOr<Value> findOutput(unsigned &number);
  FailureOr<Value> addLabels(Value output, unsigned number);
  BlockArgument addArgument(Type type, StringRef name, StringRef role);
  void dropResults();
  LogicalResult differentiate(Value loss);
  void addUpdates();
  void seedRandomNumbers();
  void addStateResults(Value loss);

  func::FuncOp main;
  const TrainingOptions &options;
  Operation *end;
  ImplicitLocOpBuilder b;
  SmallVector<BlockArgument> parameters;
  SmallVector<Value> gradients;
  /// What is remembered, and its new value.
  SmallVector<std::pair<BlockArgument, Value>> states;
  BlockArgument count; // of the updates so far
};
} // namespace

static StringAttr getRole(func::FuncOp main, unsigned argument) {
  return main.getArgAttrOfType<StringAttr>(argument, kRoleAttr);
}

static StringRef getName(func::FuncOp main, unsigned argument) {
  auto name = main.getArgAttrOfType<StringAttr>(argument, kNameAttr);
  return name ? name.getValue() : "";
}

/// The output that the loss is of. Running statistics are results, too.
FailureOr<Value> StepBuilder::findOutput(unsigned &number) {
  std::string known;
  for (unsigned i : llvm::seq(end->getNumOperands())) {
    auto name = main.getResultAttrOfType<StringAttr>(i, kNameAttr);
    if (main.getResultAttr(i, kRoleAttr))
      continue;
    bool isFloat = isa<FloatType>(getElementTypeOrSelf(end->getOperand(i)));
    number = i;
    if (options.output.empty() ? isFloat
                               : name && name.getValue() == options.output)
      return end->getOperand(i);
    if (name)
      known += (known.empty() ? "'" : ", '") + name.str() + "'";
  }
  if (options.output.empty())
    return main.emitError("WFT2305: the model has no output of floats that a "
                          "loss could be of");
  return main.emitError("WFT2305: there is no output '")
         << options.output << "' that the loss could be of; the outputs are "
         << known;
}

BlockArgument StepBuilder::addArgument(Type type, StringRef name,
                                       StringRef role) {
  unsigned number = main.getNumArguments();
  SmallVector<NamedAttribute> attrs = {
      b.getNamedAttr(kNameAttr, b.getStringAttr(name))};
  if (!role.empty())
    attrs.push_back(b.getNamedAttr(kRoleAttr, b.getStringAttr(role)));
  (void)main.insertArgument(number, type, b.getDictionaryAttr(attrs),
                            main.getLoc());
  return main.getArgument(number);
}

/// Labels are an input like the others. Their sizes are those of the output.
FailureOr<Value> StepBuilder::addLabels(Value output, unsigned number) {
  FailureOr<RankedTensorType> type = getLabelType(output, options);
  if (failed(type))
    return failure();
  if (!*type)
    return Value();
  Value labels = addArgument(*type, "labels", "");
  int64_t dropped = options.loss == LossKind::CrossEntropy ? 1 : -1;
  auto names = main.getResultAttrOfType<ArrayAttr>(number, kDimsAttr);
  SmallVector<Attribute> dims;
  int64_t rank = cast<RankedTensorType>(output.getType()).getRank();
  for (int64_t dim : llvm::seq(rank)) {
    if (dim == dropped)
      continue;
    dims.push_back(names ? names[dim] : b.getStringAttr(""));
    Value wanted = tensor::DimOp::create(b, output, dim);
    Value found = tensor::DimOp::create(b, labels, int64_t(dims.size()) - 1);
    RequireSizesOp::create(b, SizeRelation::equal, found, wanted, "labels");
  }
  if (names)
    main.setArgAttr(main.getNumArguments() - 1, kDimsAttr,
                    b.getArrayAttr(dims));
  return labels;
}

/// Drops what the model returns, but keeps in mind what is state.
void StepBuilder::dropResults() {
  llvm::BitVector all(main.getNumResults(), true);
  for (unsigned i : llvm::seq(main.getNumResults()))
    if (auto twin = main.getResultAttrOfType<IntegerAttr>(i, kTwinAttr))
      states.push_back({main.getArgument(twin.getInt()), end->getOperand(i)});
  (void)main.eraseResults(all);
  end->setOperands(ValueRange());
}

/// Finds the gradient of each parameter. One that the loss does not depend on
/// becomes a constant again.
LogicalResult StepBuilder::differentiate(Value loss) {
  SmallVector<Value> xs, grads;
  for (unsigned i : llvm::seq(main.getNumArguments()))
    if (StringAttr role = getRole(main, i); role && role == "parameter")
      xs.push_back(main.getArgument(i));
  if (failed(buildGradients(b, loss, makeSplat(b, loss, 1), xs, grads)))
    return failure();
  llvm::BitVector unused(main.getNumArguments());
  for (auto [x, grad] : llvm::zip_equal(xs, grads)) {
    auto argument = cast<BlockArgument>(x);
    unsigned number = argument.getArgNumber();
    if (grad) {
      parameters.push_back(argument);
      gradients.push_back(grad);
      continue;
    }
    emitWarning(argument.getLoc(), "WFT2306: '")
        << getName(main, number)
        << "' is not trained: the loss does not depend on it";
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&main.getBody().front());
    argument.replaceAllUsesWith(ConstantOp::create(
        b, main.getArgAttrOfType<TypedAttr>(number, kInitialAttr)));
    unused.set(number);
  }
  (void)main.eraseArguments(unused);
  if (parameters.empty())
    return main.emitError(
        "WFT2303: the loss depends on no weight of the model");
  return success();
}

void StepBuilder::addUpdates() {
  Type f32 = b.getF32Type();
  auto countType = RankedTensorType::get({}, b.getI64Type());
  count = addArgument(countType, "weft.step", "state");
  Value rate = addArgument(RankedTensorType::get({}, f32), "rate", "rate");
  HostTensor one(countType);
  one.setInt(0, 1);
  Value number = AddOp::create(b, count, ConstantOp::create(b, one.toAttr()));
  states.push_back({count, number});

  Optimizer optimizer(b, options, rate, number);
  optimizer.clip(gradients);
  for (auto [parameter, gradient] : llvm::zip_equal(parameters, gradients)) {
    StringRef name = getName(main, parameter.getArgNumber());
    b.setLoc(parameter.getLoc());
    SmallVector<Value> old;
    for (StringRef state : getOptimizerStates(options))
      old.push_back(addArgument(parameter.getType(), (name + "." + state).str(),
                                "state"));
    Optimizer::Update next = optimizer.update(parameter, gradient, old);
    states.push_back({parameter, next.parameter});
    for (auto [state, value] : llvm::zip_equal(old, next.states))
      states.push_back({cast<BlockArgument>(state), value});
  }
  b.setLoc(main.getLoc());
}

/// Each step draws other numbers: the key of a draw is made of the seed and the
/// number of updates so far. The factor is odd, so that no two seeds give the
/// same keys at the same step.
void StepBuilder::seedRandomNumbers() {
  auto type = RankedTensorType::get({}, b.getI64Type());
  Value seed = addArgument(type, "seed", "seed");
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&main.getBody().front());
  HostTensor factor(type);
  factor.setInt(0, static_cast<int64_t>(0x9E3779B97F4A7C15));
  Value key = MulOp::create(b, seed, ConstantOp::create(b, factor.toAttr()));
  key = AddOp::create(b, key, count);
  main.walk([&](RandomUniformOp op) { op.getSeedMutable().assign(key); });
}

/// The new values leave the function, or the old ones if the loss is infinite
/// or not a number.
void StepBuilder::addStateResults(Value loss) {
  Term l{&b, loss};
  Value isFinite =
      compare(ComparePredicate::eq, l - l, l.number(0)).value; // no NaN
  for (auto [old, next] : states) {
    unsigned number = old.getArgNumber();
    b.setLoc(old.getLoc());
    auto type = cast<RankedTensorType>(old.getType());
    Value condition =
        BroadcastOp::create(b, type.clone(b.getI1Type()), isFinite,
                            getSymbolicSizes(b, old), ArrayRef<int64_t>());
    if (next.getType() != type)
      next = tensor::CastOp::create(b, type, next);
    Value kept = SelectOp::create(b, type, condition, next, old);
    addResult(
        main, kept,
        {b.getNamedAttr(kNameAttr, b.getStringAttr(getName(main, number))),
         b.getNamedAttr(kRoleAttr, getRole(main, number)),
         b.getNamedAttr(kTwinAttr, b.getI64IntegerAttr(number))});
  }
}

LogicalResult StepBuilder::run() {
  unsigned number = 0;
  FailureOr<Value> output = findOutput(number);
  if (failed(output))
    return failure();
  FailureOr<Value> labels = addLabels(*output, number);
  if (failed(labels))
    return failure();
  LossResult result =
      buildLoss(b, findScores(*output, options), *labels, options);
  dropResults();
  auto addNumber = [&](Value value, StringRef name, StringRef role) {
    addResult(main, value,
              {b.getNamedAttr(kNameAttr, b.getStringAttr(name)),
               b.getNamedAttr(kRoleAttr, b.getStringAttr(role))});
  };
  addNumber(result.loss, "loss", "loss");
  if (result.accuracy)
    addNumber(result.accuracy, "accuracy", "metric");
  if (options.evaluate)
    return success();
  if (failed(differentiate(result.loss)))
    return failure();
  addUpdates();
  seedRandomNumbers();
  addStateResults(result.loss);
  return success();
}

void BuildTrainingStepPass::runOnOperation() {
  if (failed(runOnMain(getOperation(), settings,
                       [](func::FuncOp main, const TrainingOptions &options) {
                         if (options.algorithm)
                           return buildAlgorithmStep(main, options);
                         return StepBuilder(main, options).run();
                       })))
    signalPassFailure();
}
