//===- Algorithm.cpp - Training that a model brings along -----------------===//

#include "weft/Training/Algorithm.h"
#include "Ports.h"
#include "weft/Dialect/ONNX/IR/Node.h"
#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "weft/Dialect/Weft/IR/Terms.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;
using onnx::Node;

static constexpr llvm::StringLiteral kUpdatesAttr = "weft.updates";
static constexpr llvm::StringLiteral kCountName = "weft.step";

static StringRef getName(func::FuncOp main, unsigned argument) {
  auto name = main.getArgAttrOfType<StringAttr>(argument, kNameAttr);
  return name ? name.getValue() : "";
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

/// The values of the outermost graph by name.
static llvm::StringMap<Value> collectValues(func::FuncOp main) {
  llvm::StringMap<Value> values;
  for (BlockArgument argument : main.getArguments())
    values.try_emplace(getName(main, argument.getArgNumber()), argument);
  for (Operation &op : main.getBody().front())
    for (Value result : op.getResults())
      if (std::string name = onnx::getValueName(result); !name.empty())
        values.try_emplace(name, result);
  return values;
}

Value weft::findAlgorithmLoss(func::FuncOp main, const TrainingOptions &options,
                              std::string &why) {
  std::string name = options.output;
  for (Operation &op : main.getBody().front())
    if (name.empty() && op.getName().getStringRef() == "onnx.training.Gradient")
      name = Node(&op).getString("y", "").str();
  if (name.empty()) {
    why = "the training info has no Gradient node that would tell what the "
          "loss is; say loss=output:NAME";
    return {};
  }
  Value loss = collectValues(main).lookup(name);
  if (!loss) {
    why = "there is no tensor '" + name + "' that could be the loss";
    return {};
  }
  auto type = dyn_cast<TensorType>(loss.getType());
  bool isNumber =
      type && isa<FloatType>(type.getElementType()) &&
      (!type.hasRank() || llvm::all_of(type.getShape(), [](int64_t size) {
        return size == 1 || ShapedType::isDynamic(size);
      }));
  if (isNumber)
    return loss;
  llvm::raw_string_ostream(why)
      << "'" << name << "' can't be the loss: it is " << loss.getType()
      << ", wanted a single float; say loss=output:NAME";
  return {};
}

namespace {
/// Changes one function of nodes.
class AlgorithmPreparation {
public:
  AlgorithmPreparation(func::FuncOp main, const TrainingOptions &options)
      : main(main), options(options),
        end(main.getBody().front().getTerminator()), b(main.getContext()) {}

  LogicalResult run();

private:
  LogicalResult addUpdate(unsigned result, Operation *constant);
  void addNumber(Value value, StringRef role);

  func::FuncOp main;
  const TrainingOptions &options;
  Operation *end;
  Builder b;
};
} // namespace

static std::string describe(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// Makes an argument of the initializer that result number `result` is assigned
/// to.
LogicalResult AlgorithmPreparation::addUpdate(unsigned result,
                                              Operation *constant) {
  auto name = main.getResultAttrOfType<StringAttr>(result, kNameAttr);
  auto role = main.getResultAttrOfType<StringAttr>(result, kRoleAttr);
  auto from = main.getResultAttrOfType<StringAttr>(result, kUpdatesAttr);
  Value next = end->getOperand(result);
  if (!constant)
    return main.emitError("WFT2307: '")
           << name.getValue() << "', which the training info assigns '"
           << from.getValue() << "' to, is no tensor of numbers";
  auto type = cast<TensorType>(constant->getResult(0).getType());
  auto found = dyn_cast<TensorType>(next.getType());
  bool fits = found && found.getElementType() == type.getElementType() &&
              succeeded(verifyCompatibleShape(found, type));
  if (!fits)
    return main.emitError("WFT2307: the training info assigns '")
           << from.getValue() << "' of " << describe(next.getType()) << " to '"
           << name.getValue() << "' of " << describe(type);
  Value value = constant->getResult(0);
  unsigned number = main.getNumArguments();
  SmallVector<NamedAttribute> attrs = {b.getNamedAttr(kNameAttr, name)};
  if (!options.evaluate) {
    attrs.push_back(b.getNamedAttr(kRoleAttr, role));
    attrs.push_back(
        b.getNamedAttr(kInitialAttr, Node(constant).getTensor("value")));
  }
  (void)main.insertArgument(number, type, b.getDictionaryAttr(attrs),
                            constant->getLoc());
  value.replaceAllUsesWith(main.getArgument(number));
  constant->erase();
  if (!options.evaluate)
    addResult(main, end->getOperand(result),
              {b.getNamedAttr(kNameAttr, name), b.getNamedAttr(kRoleAttr, role),
               b.getNamedAttr(kTwinAttr, b.getI64IntegerAttr(number))});
  return success();
}

void AlgorithmPreparation::addNumber(Value value, StringRef role) {
  StringRef name = role == "loss" ? "loss" : "accuracy";
  addResult(main, value,
            {b.getNamedAttr(kNameAttr, b.getStringAttr(name)),
             b.getNamedAttr(kRoleAttr, b.getStringAttr(role))});
}

LogicalResult AlgorithmPreparation::run() {
  bool isTraining =
      llvm::any_of(llvm::seq(main.getNumResults()), [&](unsigned i) {
        return bool(main.getResultAttr(i, kUpdatesAttr));
      });
  if (!isTraining)
    return main.emitError("WFT2307: the model brings no training info along");
  std::string why;
  Value loss = findAlgorithmLoss(main, options, why);
  if (!loss)
    return main.emitError("WFT2307: ") << why;
  unsigned numDropped = main.getNumResults();
  llvm::StringMap<Value> values = collectValues(main);
  addNumber(loss, "loss");
  for (unsigned i : llvm::seq(numDropped)) {
    auto name = main.getResultAttrOfType<StringAttr>(i, kNameAttr);
    auto type = dyn_cast<RankedTensorType>(end->getOperand(i).getType());
    if (name && name.getValue() == "accuracy" && type &&
        type.getElementType().isF32() && type.getRank() == 0)
      addNumber(end->getOperand(i), "metric");
  }
  for (unsigned i : llvm::seq(numDropped)) {
    if (!main.getResultAttr(i, kUpdatesAttr))
      continue;
    Value old =
        values.lookup(main.getResultAttrOfType<StringAttr>(i, kNameAttr));
    Operation *constant = old ? old.getDefiningOp() : nullptr;
    if (constant && constant->getName().getStringRef() != "onnx.Constant")
      constant = nullptr;
    if (failed(addUpdate(i, constant)))
      return failure();
  }
  llvm::BitVector dropped(main.getNumResults());
  dropped.set(0, numDropped);
  end->eraseOperands(0, numDropped);
  (void)main.eraseResults(dropped);
  return success();
}

LogicalResult weft::prepareAlgorithm(func::FuncOp main,
                                     const TrainingOptions &options) {
  return AlgorithmPreparation(main, options).run();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

namespace {
/// Changes one function of ops.
class AlgorithmBuilder {
public:
  AlgorithmBuilder(func::FuncOp main)
      : main(main), end(main.getBody().front().getTerminator()),
        b(main.getLoc(), end) {}

  LogicalResult run(const TrainingOptions &options);

private:
  BlockArgument addArgument(Type type, StringRef name, StringRef role);
  FailureOr<Value> makeScalar(Value value, StringRef what);
  LogicalResult findNumbers();
  void dropUnused();
  LogicalResult unifyRate();
  Value countUpdates();
  void seedRandomNumbers(Value count);
  void guardStates();

  func::FuncOp main;
  Operation *end;
  ImplicitLocOpBuilder b;
  Value loss;
};
} // namespace

BlockArgument AlgorithmBuilder::addArgument(Type type, StringRef name,
                                            StringRef role) {
  unsigned number = main.getNumArguments();
  (void)main.insertArgument(
      number, type,
      b.getDictionaryAttr({b.getNamedAttr(kNameAttr, b.getStringAttr(name)),
                           b.getNamedAttr(kRoleAttr, b.getStringAttr(role))}),
      main.getLoc());
  return main.getArgument(number);
}

/// A single float as a tensor of f32 of rank 0.
FailureOr<Value> AlgorithmBuilder::makeScalar(Value value, StringRef what) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!type.hasStaticShape() || type.getNumElements() != 1)
    return main.emitError("WFT2307: the ")
           << what << " of the training info is " << describe(type)
           << ", wanted a single float";
  Type element = type.getElementType();
  if (type.getRank() != 0)
    value = ReshapeOp::create(b, RankedTensorType::get({}, element), value,
                              ValueRange());
  if (!element.isF32())
    value = CastOp::create(b, RankedTensorType::get({}, b.getF32Type()), value,
                           /*saturate=*/false);
  return value;
}

LogicalResult AlgorithmBuilder::findNumbers() {
  for (unsigned i : llvm::seq(main.getNumResults())) {
    auto role = main.getResultAttrOfType<StringAttr>(i, kRoleAttr);
    if (!role || role.getValue() != "loss")
      continue;
    FailureOr<Value> scalar = makeScalar(end->getOperand(i), "loss");
    if (failed(scalar))
      return failure();
    loss = *scalar;
    end->setOperand(i, loss);
    SmallVector<Type> types(main.getResultTypes());
    types[i] = loss.getType();
    main.setType(b.getFunctionType(main.getArgumentTypes(), types));
  }
  return success();
}

/// What only evaluates has no use for the rest of the algorithm, and for the
/// inputs of that.
void AlgorithmBuilder::dropUnused() {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(main.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
  llvm::BitVector unused(main.getNumArguments());
  for (BlockArgument argument : main.getArguments())
    if (argument.use_empty())
      unused.set(argument.getArgNumber());
  (void)main.eraseArguments(unused);
}

/// The rate that the step is given is of f32 and rank 0.
LogicalResult AlgorithmBuilder::unifyRate() {
  for (unsigned i : llvm::seq(main.getNumArguments())) {
    auto role = main.getArgAttrOfType<StringAttr>(i, kRoleAttr);
    if (!role || role.getValue() != "rate")
      continue;
    auto type = cast<RankedTensorType>(main.getArgument(i).getType());
    auto wanted = RankedTensorType::get({}, b.getF32Type());
    if (!isa<FloatType>(type.getElementType()) || !type.hasStaticShape() ||
        type.getNumElements() != 1)
      return main.emitError("WFT2307: the learning rate '")
             << getName(main, i) << "' of the training info is "
             << describe(type) << ", wanted a single float";
    Value rate = addArgument(wanted, "rate", "rate");
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&main.getBody().front());
    if (type.getElementType() != b.getF32Type())
      rate = CastOp::create(b, wanted.clone(type.getElementType()), rate,
                            /*saturate=*/false);
    if (type.getRank() != 0)
      rate = ReshapeOp::create(b, type, rate, ValueRange());
    main.getArgument(i).replaceAllUsesWith(rate);
    (void)main.eraseArgument(i);
    // The numbers of what lies behind it.
    for (unsigned result : llvm::seq(main.getNumResults()))
      if (auto twin = main.getResultAttrOfType<IntegerAttr>(result, kTwinAttr);
          twin && twin.getInt() > i)
        main.setResultAttr(result, kTwinAttr,
                           b.getI64IntegerAttr(twin.getInt() - 1));
    return success();
  }
  return success();
}

/// The number of updates so far: the model's own count, if it goes by the name.
Value AlgorithmBuilder::countUpdates() {
  auto type = RankedTensorType::get({}, b.getI64Type());
  for (BlockArgument argument : main.getArguments())
    if (getName(main, argument.getArgNumber()) == kCountName &&
        argument.getType() == type)
      return argument;
  BlockArgument count = addArgument(type, kCountName, "state");
  HostTensor one(type);
  one.setInt(0, 1);
  addResult(
      main, AddOp::create(b, count, ConstantOp::create(b, one.toAttr())),
      {b.getNamedAttr(kNameAttr, b.getStringAttr(kCountName)),
       b.getNamedAttr(kRoleAttr, b.getStringAttr("state")),
       b.getNamedAttr(kTwinAttr, b.getI64IntegerAttr(count.getArgNumber()))});
  return count;
}

/// Each step draws other numbers, by the keys that other training steps have.
void AlgorithmBuilder::seedRandomNumbers(Value count) {
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

/// The old values stay if the loss is infinite or not a number.
void AlgorithmBuilder::guardStates() {
  Term l{&b, loss};
  Value isFinite =
      compare(ComparePredicate::eq, l - l, l.number(0)).value; // no NaN
  SmallVector<Type> types(main.getResultTypes());
  for (unsigned i : llvm::seq(main.getNumResults())) {
    auto twin = main.getResultAttrOfType<IntegerAttr>(i, kTwinAttr);
    if (!twin)
      continue;
    BlockArgument old = main.getArgument(twin.getInt());
    b.setLoc(old.getLoc());
    auto type = cast<RankedTensorType>(old.getType());
    Value next = end->getOperand(i);
    if (next.getType() != type)
      next = tensor::CastOp::create(b, type, next);
    Value condition =
        BroadcastOp::create(b, type.clone(b.getI1Type()), isFinite,
                            getSymbolicSizes(b, old), ArrayRef<int64_t>());
    end->setOperand(i, SelectOp::create(b, type, condition, next, old));
    types[i] = type;
  }
  main.setType(b.getFunctionType(main.getArgumentTypes(), types));
}

LogicalResult AlgorithmBuilder::run(const TrainingOptions &options) {
  if (failed(findNumbers()))
    return failure();
  if (options.evaluate) {
    dropUnused();
    return success();
  }
  if (failed(unifyRate()))
    return failure();
  seedRandomNumbers(countUpdates());
  guardStates();
  return success();
}

LogicalResult weft::buildAlgorithmStep(func::FuncOp main,
                                       const TrainingOptions &options) {
  return AlgorithmBuilder(main).run(options);
}
