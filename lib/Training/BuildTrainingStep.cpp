//===- BuildTrainingStep.cpp - Loss, gradients and optimizer --------------===//

#include "Accumulate.h"
#include "FunctionOptimizer.h"
#include "Loss.h"
#include "Numbers.h"
#include "Optimizer.h"
#include "Ports.h"
#include "Precision.h"
#include "mlir/IR/BuiltinOps.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Dialect/Weft/IR/ModuleAttrs.h"
#include "weft/Dialect/Weft/IR/Terms.h"
#include "weft/Training/Algorithm.h"
#include "weft/Training/Passes.h"
#include "llvm/Support/Regex.h"

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
        end(main.getBody().front().getTerminator()), b(main.getLoc(), end) {
    b.setLoc(part(main.getLoc(), kLossPart));
  }

  LogicalResult run();

private:
  /// A location that says what an op is part of.
  static Location part(Location loc, StringRef name) {
    return FusedLoc::get({loc}, StringAttr::get(loc.getContext(), name),
                         loc.getContext());
  }
  FailureOr<Value> findOutput(unsigned &number);
  FailureOr<Value> addLabels(Value output, unsigned number);
  BlockArgument addArgument(Type type, StringRef name, StringRef role);
  void dropResults();
  Value sumUp(RankedTensorType type, const Twine &name,
              llvm::function_ref<Value(Value)> addOnto);
  Value sumLabels(Value value, Value like, StringRef name);
  void addNumber(Value value, StringRef name, StringRef role);
  void sumLosses(const LossResult &result);
  void addNumbers();
  void addLossScale();
  LogicalResult differentiate(Value losses);
  void countBatches();
  void findMeans();
  Term areFinite();
  Value countSteps();
  LogicalResult addUpdates();
  void decide();
  void changeScale(Term isOver);
  LogicalResult returnGradients(Value losses);
  void seedRandomNumbers();
  Value convert(Value value, Type type);
  void addResultFor(BlockArgument state, Value next);
  void addStateResults();

  func::FuncOp main;
  const TrainingOptions &options;
  Operation *end;
  ImplicitLocOpBuilder b;
  SmallVector<BlockArgument> parameters;
  SmallVector<Value> gradients, gradientSums;
  using States = SmallVector<std::pair<BlockArgument, Value>>;
  States states;  ///< what an update changes, and its new value
  States running; ///< what each batch changes
  States sums;    ///< sums over the batches of an update, and their new value
  /// Sums over the labels of the update so far, f64; the latter two may be
  /// null.
  Value loss, weight, hits, labels;
  BlockArgument count; ///< of the updates so far
  /// Of the batches of the update before this one, and whether this one is the
  /// last; null if it is the only one.
  BlockArgument batches;
  Value isLast;
  /// With f16: what gradients are multiplied by, and the number of updates
  /// since it was changed.
  BlockArgument scale, goodUpdates;
  /// Truth values; null if they do not matter. If gradients are not sound, a
  /// smaller scale would not help.
  Value gradientsAreFinite, gradientsAreSound;
  Value isSound, isUpdate;
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
      running.push_back({main.getArgument(twin.getInt()), end->getOperand(i)});
  (void)main.eraseResults(all);
  end->setOperands(ValueRange());
}

/// The sum over the batches of an update up to this one. `addOnto` adds what
/// there is of this one; where there are several, the sum is kept as the state
/// `name`.
Value StepBuilder::sumUp(RankedTensorType type, const Twine &name,
                         llvm::function_ref<Value(Value)> addOnto) {
  if (!isLast) {
    SmallVector<OpFoldResult> sizes =
        getAsIndexOpFoldResult(b.getContext(), type.getShape());
    return addOnto(makeSplat(b, sizes, type.getElementType(), 0));
  }
  BlockArgument state = addArgument(type, name.str(), "state");
  Value sum = addOnto(state);
  sums.push_back({state, sum});
  return sum;
}

/// The sum over all elements of `value` or, if that is null, of as many ones as
/// `like` has elements.
Value StepBuilder::sumLabels(Value value, Value like, StringRef name) {
  auto type = RankedTensorType::get({}, b.getF64Type());
  return sumUp(type, name, [&](Value init) -> Value {
    if (value)
      return addElementsOnto(b, init, value);
    Value count = arith::ConstantIndexOp::create(b, 1);
    for (OpFoldResult size : getSizesOf(b, like))
      count = arith::MulIOp::create(
          b, count, getValueOrCreateConstantIndexOp(b, b.getLoc(), size));
    Value number = tensor::FromElementsOp::create(
        b, type.clone(b.getI64Type()),
        arith::IndexCastOp::create(b, b.getI64Type(), count).getResult());
    return AddOp::create(b, init, castScalar(b, number, b.getF64Type()));
  });
}

void StepBuilder::addNumber(Value value, StringRef name, StringRef role) {
  addResult(main, castScalar(b, value, b.getF32Type()),
            {b.getNamedAttr(kNameAttr, b.getStringAttr(name)),
             b.getNamedAttr(kRoleAttr, b.getStringAttr(role))});
}

/// Sums over the labels of the update so far.
void StepBuilder::sumLosses(const LossResult &result) {
  loss = sumLabels(result.losses, Value(), "weft.loss");
  weight = sumLabels(result.weights, result.losses, "weft.weight");
  if (!result.hits)
    return;
  hits = sumLabels(result.hits, Value(), "weft.hits");
  labels = sumLabels(result.counts, result.losses, "weft.labels");
}

/// Their means leave the function. There may be no label that counts yet.
void StepBuilder::addNumbers() {
  auto mean = [&](Value sum, Value total) -> Term {
    Term s{&b, sum}, t{&b, total};
    if (isLast)
      t = choose({&b, isLast}, t, apply<MaxOp>(t, t.number(1e-300)));
    return s / t;
  };
  Term meanLoss = mean(loss, weight);
  if (gradientsAreSound)
    meanLoss = choose({&b, gradientsAreSound}, meanLoss, meanLoss.number(NAN));
  addNumber(meanLoss.value, "loss", "loss");
  if (hits)
    addNumber(mean(hits, labels).value, "accuracy", "metric");
}

/// Micikevicius et al., "Mixed Precision Training", 2018, section 3.2; the
/// numbers are those of torch.amp.GradScaler.
void StepBuilder::addLossScale() {
  if (options.precision != Precision::F16)
    return;
  auto type = RankedTensorType::get({}, b.getF32Type());
  scale = addArgument(type, "weft.scale", "state");
  HostTensor initial(type);
  initial.setFloat(0, options.lossScale);
  main.setArgAttr(scale.getArgNumber(), kInitialAttr, initial.toAttr());
  goodUpdates =
      addArgument(type.clone(b.getI64Type()), "weft.good_updates", "state");
}

/// Finds the gradient of each parameter. One that the losses do not depend on
/// becomes a constant again.
LogicalResult StepBuilder::differentiate(Value losses) {
  SmallVector<Value> xs, grads;
  for (unsigned i : llvm::seq(main.getNumArguments()))
    if (StringAttr role = getRole(main, i); role && role == "parameter")
      xs.push_back(main.getArgument(i));
  Value seeds = makeSplat(b, losses, 1);
  if (scale)
    seeds = spread(scale, {&b, losses}).value;
  Operation *before = &*std::prev(b.getInsertionPoint());
  if (failed(buildGradients(b, losses, seeds, xs, grads)))
    return failure();
  for (Operation *op = before->getNextNode(); op != end; op = op->getNextNode())
    op->walk([](Operation *nested) {
      nested->setLoc(part(nested->getLoc(), kGradientPart));
    });
  if (options.precision == Precision::BF16)
    narrowProducts(main, b.getBF16Type());
  if (options.precision == Precision::F16)
    narrowProducts(main, b.getF16Type());
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

/// Counts the batches of an update, if there are several.
void StepBuilder::countBatches() {
  if (options.accumulate == 1 || options.evaluate)
    return;
  auto type = RankedTensorType::get({}, b.getI64Type());
  batches = addArgument(type, "weft.batches", "state");
  HostTensor one(type), wanted(type);
  one.setInt(0, 1);
  wanted.setInt(0, options.accumulate);
  Value number = AddOp::create(b, batches, ConstantOp::create(b, one.toAttr()));
  isLast = CompareOp::create(b, ComparePredicate::ge, number,
                             ConstantOp::create(b, wanted.toAttr()));
  sums.push_back({batches, number});
}

/// `value` as a tensor of `type`, which differs at most in what it knows of
/// sizes, and in its floats.
Value StepBuilder::convert(Value value, Type type) {
  auto wanted = cast<RankedTensorType>(type);
  auto found = cast<RankedTensorType>(value.getType());
  if (found.getElementType() != wanted.getElementType())
    value = CastOp::create(b, found.clone(wanted.getElementType()), value,
                           /*saturate=*/false);
  if (value.getType() != type)
    value = tensor::CastOp::create(b, type, value);
  return value;
}

/// The gradients of the mean loss are those of the sum of the losses, divided
/// by the sum of their weights. They are of f32, or f64 as their parameter is.
void StepBuilder::findMeans() {
  Term total{&b, weight};
  if (scale)
    total = total * Term{&b, castScalar(b, scale, b.getF64Type())};
  Value inverse = (total.number(1) / total).value;
  DenseSet<Value> fixed(parameters.begin(), parameters.end());
  for (auto [parameter, gradient] : llvm::zip_equal(parameters, gradients)) {
    b.setLoc(part(parameter.getLoc(), kParameterPart));
    auto type = cast<RankedTensorType>(parameter.getType());
    if (!type.getElementType().isF64())
      type = type.clone(b.getF32Type());
    std::string name =
        (getName(main, parameter.getArgNumber()) + ".gradient").str();
    int numParts = 0;
    auto sumPart = [&](RankedTensorType part,
                       llvm::function_ref<Value(Value)> addOnto) {
      std::string suffix = numParts ? "." + std::to_string(numParts) : "";
      ++numParts;
      return sumUp(part, name + suffix, addOnto);
    };
    Value whole =
        sumOverBatches(b, gradient, type.getElementType(), fixed, sumPart);
    Term sum{&b, convert(whole, type)};
    gradientSums.push_back(sum.value);
    gradient = (sum * spread(inverse, sum)).value;
  }
  b.setLoc(part(main.getLoc(), kLossPart));
}

/// Whether all elements of all gradients are finite. The largest is NaN if one
/// is.
Term StepBuilder::areFinite() {
  Term result{&b, nullptr};
  for (Value sum : gradientSums) {
    Value largest = AbsOp::create(b, sum);
    int64_t rank = cast<RankedTensorType>(sum.getType()).getRank();
    // In two steps: the first one has many rows.
    if (rank > 1)
      largest = ReduceOp::create(b, ReduceKind::max, largest,
                                 llvm::to_vector(llvm::seq<int64_t>(1, rank)));
    if (rank > 0)
      largest =
          ReduceOp::create(b, ReduceKind::max, largest, ArrayRef<int64_t>{0});
    Term most{&b, largest};
    Term isFinite = compare(ComparePredicate::eq, most - most, most.number(0));
    result = result.value ? apply<AndOp>(result, isFinite) : isFinite;
  }
  return result;
}

/// The number of this step, from one.
Value StepBuilder::countSteps() {
  count = addArgument(RankedTensorType::get({}, b.getI64Type()), "weft.step",
                      "state");
  Value number = AddOp::create(b, count, makeSplat(b, count, 1));
  states.push_back({count, number});
  return number;
}

LogicalResult StepBuilder::addUpdates() {
  Value number = countSteps();
  Value rate =
      addArgument(RankedTensorType::get({}, b.getF32Type()), "rate", "rate");
  findMeans();
  if (scale || options.checkGradients)
    gradientsAreFinite = gradientsAreSound = areFinite().value;
  if (scale) {
    Term factor{&b, scale};
    Term canFall = compare(ComparePredicate::gt, factor, factor.number(1));
    gradientsAreSound = apply<OrOp>({&b, gradientsAreFinite}, canFall).value;
  }
  Optimizer optimizer(b, options, rate, number);
  optimizer.clip(gradients);
  for (auto [parameter, gradient] : llvm::zip_equal(parameters, gradients)) {
    StringRef name = getName(main, parameter.getArgNumber());
    b.setLoc(part(parameter.getLoc(), kParameterPart));
    SmallVector<Value> old;
    for (StringRef state : optimizer.getStates(gradient.getType()))
      old.push_back(
          addArgument(gradient.getType(), (name + "." + state).str(), "state"));
    Value wide = convert(parameter, gradient.getType());
    FailureOr<Optimizer::Update> next = optimizer.update(wide, gradient, old);
    if (failed(next))
      return failure();
    states.push_back({parameter, next->parameter});
    for (auto [state, value] : llvm::zip_equal(old, next->states))
      states.push_back({cast<BlockArgument>(state), value});
  }
  b.setLoc(part(main.getLoc(), kLossPart));
  eraseOptimizers(main->getParentOfType<ModuleOp>());
  return success();
}

/// Each batch draws other numbers: the key of a draw is made of the seed, the
/// number of updates so far, and that of batches of the next one. The factors
/// are odd, so that no two seeds give the same keys at the same step.
void StepBuilder::seedRandomNumbers() {
  auto type = RankedTensorType::get({}, b.getI64Type());
  Value seed = addArgument(type, "seed", "seed");
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&main.getBody().front());
  auto times = [&](Value value, uint64_t number) -> Value {
    HostTensor factor(type);
    factor.setInt(0, static_cast<int64_t>(number));
    return MulOp::create(b, value, ConstantOp::create(b, factor.toAttr()));
  };
  Value key = AddOp::create(b, times(seed, 0x9E3779B97F4A7C15), count);
  if (isLast)
    key = AddOp::create(b, key, times(batches, 0xD1342543DE82EF95));
  main.walk([&](RandomUniformOp op) { op.getSeedMutable().assign(key); });
}

void StepBuilder::addResultFor(BlockArgument state, Value next) {
  unsigned number = state.getArgNumber();
  addResult(main, next,
            {b.getNamedAttr(kNameAttr, b.getStringAttr(getName(main, number))),
             b.getNamedAttr(kRoleAttr, getRole(main, number)),
             b.getNamedAttr(kTwinAttr, b.getI64IntegerAttr(number))});
}

/// Whether what is computed from this batch is sound (if not, nothing changes),
/// and whether an update is made.
void StepBuilder::decide() {
  Term l{&b, loss}, w{&b, weight};
  Term sound = compare(ComparePredicate::eq, l - l, l.number(0)); // no NaN
  Term counts = compare(ComparePredicate::ne, w, w.number(0));
  if (isLast)
    counts = apply<OrOp>(counts, apply<NotOp>(Term{&b, isLast}));
  sound = apply<AndOp>(sound, counts);
  if (gradientsAreSound)
    sound = apply<AndOp>(sound, {&b, gradientsAreSound});
  Term moves = sound;
  if (isLast)
    moves = apply<AndOp>(moves, {&b, isLast});
  isSound = sound.value;
  isUpdate = moves.value;
  if (scale)
    isUpdate = apply<AndOp>(moves, {&b, gradientsAreFinite}).value;
  if (scale)
    changeScale(moves);
}

/// After an update, made or left out: fewer or more.
void StepBuilder::changeScale(Term isOver) {
  Term factor{&b, scale}, good{&b, goodUpdates};
  auto whole = [&](int64_t number) -> Term {
    HostTensor value(cast<RankedTensorType>(goodUpdates.getType()));
    value.setInt(0, number);
    return {&b, ConstantOp::create(b, value.toAttr())};
  };
  Term next = good + whole(1);
  Term isDue =
      compare(ComparePredicate::ge, next, whole(options.lossScaleInterval));
  Term larger = apply<MinOp>(factor + factor, factor.number(kMostLossScale));
  Term smaller = apply<MaxOp>(0.5 * factor, factor.number(1));
  Term isFinite{&b, gradientsAreFinite};
  Term nextFactor = choose(isFinite, choose(isDue, larger, factor), smaller);
  Term nextGood = choose(isFinite, choose(isDue, whole(0), next), whole(0));
  addResultFor(scale, choose(isOver, nextFactor, factor).value);
  addResultFor(goodUpdates, choose(isOver, nextGood, good).value);
}

/// The new values leave the function, or the old ones. Before the last batch of
/// an update only sums change; after it they begin anew.
void StepBuilder::addStateResults() {
  auto pick = [&](Value condition, Value yes, Value no) {
    Term like{&b, no};
    return choose(spread(condition, like), {&b, yes}, like).value;
  };
  for (auto [old, next] : states) {
    b.setLoc(part(old.getLoc(), kParameterPart));
    addResultFor(old, pick(isUpdate, convert(next, old.getType()), old));
  }
  for (auto [old, next] : running) {
    b.setLoc(part(old.getLoc(), kParameterPart));
    addResultFor(old, pick(isSound, convert(next, old.getType()), old));
  }
  for (auto [old, next] : sums) {
    b.setLoc(part(old.getLoc(), kParameterPart));
    Value begun = pick(isLast, makeSplat(b, next, 0), next);
    addResultFor(old, pick(isSound, begun, old));
  }
  b.setLoc(part(main.getLoc(), kLossPart));
}

/// Gradients leave the function; parameters stay what they are.
LogicalResult StepBuilder::returnGradients(Value losses) {
  llvm::Regex pattern(options.gradients);
  SmallVector<Value> xs, grads;
  for (BlockArgument argument : main.getArguments()) {
    unsigned number = argument.getArgNumber();
    if (StringAttr role = getRole(main, number); role && role == "parameter")
      states.push_back({argument, argument});
    if (isa<FloatType>(getElementTypeOrSelf(argument.getType())) &&
        pattern.match(getName(main, number)))
      xs.push_back(argument);
  }
  if (xs.empty())
    return main.emitError("WFT2303: no input or trained tensor of floats is '")
           << options.gradients << "'";
  if (failed(buildGradients(b, losses, makeSplat(b, losses, 1), xs, grads)))
    return failure();
  Term total{&b, weight};
  Value inverse = (total.number(1) / total).value;
  for (auto [x, grad] : llvm::zip_equal(xs, grads)) {
    unsigned number = cast<BlockArgument>(x).getArgNumber();
    auto type = cast<RankedTensorType>(x.getType());
    if (!type.getElementType().isF64())
      type = type.clone(b.getF32Type());
    Term sum{&b, convert(grad ? grad : makeSplat(b, x, 0), type)};
    auto name = b.getStringAttr(getName(main, number) + ".gradient");
    addResult(main, convert((sum * spread(inverse, sum)).value, x.getType()),
              {b.getNamedAttr(kNameAttr, name)});
  }
  (void)countSteps();
  return success();
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
  countBatches();
  sumLosses(result);
  if (options.evaluate) {
    addNumbers();
    return success();
  }
  if (!options.gradients.empty()) {
    if (failed(returnGradients(result.losses)))
      return failure();
  } else {
    addLossScale();
    if (failed(differentiate(result.losses)) || failed(addUpdates()))
      return failure();
  }
  seedRandomNumbers();
  addNumbers();
  decide();
  addStateResults();
  return success();
}

void BuildTrainingStepPass::runOnOperation() {
  getOperation()->setAttr(kOrderedAttr, UnitAttr::get(&getContext()));
  if (failed(runOnMain(getOperation(), settings,
                       [](func::FuncOp main, const TrainingOptions &options) {
                         if (options.algorithm)
                           return buildAlgorithmStep(main, options);
                         return StepBuilder(main, options).run();
                       })))
    signalPassFailure();
}
