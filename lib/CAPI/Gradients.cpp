//===- Gradients.cpp - Gradients of a model against differences -----------===//

#include "Tensors.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Interfaces/Interfaces.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <cstring>
#include <random>

using namespace mlir;
using namespace weft;

using Tensors = SmallVector<HostTensor>;

//===----------------------------------------------------------------------===//
// A model in f64
//===----------------------------------------------------------------------===//

static bool isNarrow(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

static bool isFloat(Type type) {
  return isa<FloatType>(getElementTypeOrSelf(type));
}

static HostTensor widen(const HostTensor &tensor) {
  if (!isNarrow(tensor.getElementType()))
    return tensor;
  HostTensor wide(
      tensor.getType().clone(Float64Type::get(tensor.getType().getContext())));
  for (int64_t i : llvm::seq(tensor.getNumElements()))
    wide.setFloat(i, tensor.getFloat(i));
  return wide;
}

/// The tensor that a constant makes.
static FailureOr<HostTensor> load(TypedAttr attr) {
  OpBuilder b(attr.getContext());
  OwningOpRef<ConstantOp> op = ConstantOp::create(b, b.getUnknownLoc(), attr);
  auto values = cast<EvaluableOpInterface>(op->getOperation()).evaluate({});
  if (failed(values))
    return failure();
  return values->front();
}

/// Makes all floats f64, in types and constants. Fails if ops do not take them.
static LogicalResult widen(ModuleOp module) {
  AttrTypeReplacer replacer;
  bool isGood = true;
  replacer.addReplacement([](FloatType type) -> std::optional<Type> {
    if (isNarrow(type))
      return Float64Type::get(type.getContext());
    return std::nullopt;
  });
  auto replaceTensor = [&](TypedAttr attr) -> std::optional<Attribute> {
    if (!isNarrow(getElementTypeOrSelf(attr.getType())))
      return std::nullopt;
    FailureOr<HostTensor> tensor = load(attr);
    isGood &= succeeded(tensor);
    return isGood ? Attribute(widen(*tensor).toAttr()) : Attribute(attr);
  };
  replacer.addReplacement([=](DenseElementsAttr attr) {
    return replaceTensor(cast<TypedAttr>(Attribute(attr)));
  });
  replacer.addReplacement([=](ExternAttr attr) {
    return replaceTensor(cast<TypedAttr>(Attribute(attr)));
  });
  replacer.addReplacement([](FloatAttr attr) -> std::optional<Attribute> {
    if (!isNarrow(attr.getType()))
      return std::nullopt;
    return FloatAttr::get(Float64Type::get(attr.getContext()),
                          attr.getValueAsDouble());
  });
  replacer.recursivelyReplaceElementsIn(module, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
  return success(isGood && succeeded(verify(module)));
}

//===----------------------------------------------------------------------===//
// Differences
//===----------------------------------------------------------------------===//

namespace {
/// A function and the gradient that Autodiff builds of it.
class Slope {
public:
  /// `isActive` says of each argument whether its gradient is looked at.
  Slope(func::FuncOp function, SmallVector<bool> isActive)
      : function(function), isActive(std::move(isActive)) {}

  /// Fails after an error.
  LogicalResult prepare(ArrayRef<HostTensor> inputs, std::mt19937_64 &engine);
  /// How far the gradient is from the difference along a random direction, by
  /// the size of what is added up; only argument `only` is moved, if that is
  /// not negative.
  FailureOr<double> compare(int only, std::mt19937_64 &engine);

private:
  LogicalResult buildGradient();
  FailureOr<double> weigh(ArrayRef<HostTensor> inputs);

  func::FuncOp function;
  SmallVector<bool> isActive;
  Tensors inputs, weights, gradients;
  SmallVector<int> numbers; ///< of the arguments that `gradients` are of
  OwningOpRef<func::FuncOp> gradient;
  double magnitude = 0;
};
} // namespace

static HostTensor makeRandom(RankedTensorType type, double low, double high,
                             std::mt19937_64 &engine) {
  HostTensor tensor(type);
  for (int64_t i : llvm::seq(tensor.getNumElements()))
    tensor.setFloat(i, low + (high - low) *
                                 std::ldexp(double(engine() >> 11), -53));
  return tensor;
}

LogicalResult Slope::buildGradient() {
  auto made = buildGradientFunction(function, [&](BlockArgument argument) {
    return isActive[argument.getArgNumber()];
  });
  if (failed(made))
    return failure();
  gradient = std::move(*made);
  for (auto [number, active] : llvm::enumerate(isActive))
    if (active)
      numbers.push_back(number);
  gradient->removeArgAttrsAttr();
  gradient->removeResAttrsAttr();
  return success();
}

FailureOr<double> Slope::weigh(ArrayRef<HostTensor> given) {
  FailureOr<Tensors> results = evaluateFunction(function, given);
  if (failed(results))
    return failure();
  double sum = 0;
  size_t next = 0;
  for (const HostTensor &result : *results) {
    if (!isFloat(result.getType()))
      continue;
    if (next == weights.size())
      return failure();
    const HostTensor &weight = weights[next++];
    if (weight.getNumElements() != result.getNumElements())
      return function.emitError("sizes depend on the values of floats, so that "
                                "there is no difference");
    for (int64_t i : llvm::seq(result.getNumElements()))
      sum += result.getFloat(i) * weight.getFloat(i);
  }
  return sum;
}

LogicalResult Slope::prepare(ArrayRef<HostTensor> given,
                             std::mt19937_64 &engine) {
  inputs.assign(given.begin(), given.end());
  if (failed(buildGradient()))
    return failure();
  FailureOr<Tensors> results = evaluateFunction(function, inputs);
  if (failed(results))
    return failure();
  Tensors all(inputs);
  for (const HostTensor &result : *results) {
    if (!isFloat(result.getType()))
      continue;
    weights.push_back(makeRandom(result.getType(), 0.5, 1.5, engine));
    for (int64_t i : llvm::seq(result.getNumElements()))
      magnitude += std::abs(result.getFloat(i));
  }
  llvm::append_range(all, weights);
  FailureOr<Tensors> values = evaluateFunction(*gradient, all);
  if (failed(values))
    return failure();
  gradients = std::move(*values);
  return success();
}

FailureOr<double> Slope::compare(int only, std::mt19937_64 &engine) {
  // Of the difference 1e-10 is rounding, and as much of its square is cut off.
  constexpr double h = 1e-6;
  double slope = 0, size = 0;
  Tensors above(inputs), below(inputs);
  for (auto [number, grad] : llvm::zip_equal(numbers, gradients)) {
    if (only >= 0 && number != only)
      continue;
    for (int64_t at : llvm::seq(inputs[number].getNumElements())) {
      double along = std::ldexp(double(engine() >> 11), -52) - 1;
      slope += grad.getFloat(at) * along;
      size += std::abs(grad.getFloat(at) * along);
      above[number].setFloat(at, inputs[number].getFloat(at) + h * along);
      below[number].setFloat(at, inputs[number].getFloat(at) - h * along);
    }
  }
  FailureOr<double> up = weigh(above), down = weigh(below);
  if (failed(up) || failed(down))
    return failure();
  double difference = (*up - *down) / (2 * h);
  double error =
      std::abs(slope - difference) / std::max({size, 1e-4 * magnitude, 1e-100});
  return std::isfinite(error) ? error : HUGE_VAL;
}

//===----------------------------------------------------------------------===//
// Whole models
//===----------------------------------------------------------------------===//

namespace {
struct TensorCheck {
  std::string name;
  bool isParameter;
  double error;
};

class GradientCheck {
public:
  GradientCheck(CompileSession &session, double tolerance)
      : session(session), tolerance(tolerance) {}

  LogicalResult run(const char *path, ArrayRef<weft_tensor> given);
  std::string describe(const char *path) const;

private:
  LogicalResult addInputs(ArrayRef<weft_tensor> given);
  LogicalResult findBad();
  FailureOr<double>
  checkNode(ArrayRef<Operation *> ops, ArrayRef<Value> results,
            const llvm::SmallDenseMap<Value, HostTensor> &values,
            const llvm::SmallDenseSet<Value> &active);
  FailureOr<llvm::SmallDenseMap<Value, HostTensor>> evaluateAll();

  CompileSession &session;
  double tolerance;
  std::mt19937_64 engine{1};
  func::FuncOp main;
  Tensors inputs;
  SmallVector<TensorCheck> checks;
  double worst = 0;
  std::string badNode, badOp;
  double badError = 0;
};
} // namespace

/// Model inputs are the caller's; parameters start where the model has them, a
/// little off, so that those of a fresh model lie at no kink.
LogicalResult GradientCheck::addInputs(ArrayRef<weft_tensor> given) {
  for (unsigned i : llvm::seq(main.getNumArguments())) {
    auto initial = main.getArgAttrOfType<TypedAttr>(i, kInitialAttr);
    auto name = main.getArgAttrOfType<StringAttr>(i, "weft.name");
    FailureOr<HostTensor> tensor = failure();
    if (initial) {
      tensor = load(initial);
    } else {
      if (given.empty())
        return session.fail(Problem::Input, "there are too few inputs");
      tensor =
          borrowTensor(session, given.front(),
                       "input '" + Twine(name ? name.getValue() : "") + "'");
      given = given.drop_front();
    }
    if (failed(tensor))
      return failure();
    HostTensor wide = widen(*tensor);
    if (initial) {
      HostTensor noise = makeRandom(wide.getType(), -0.01, 0.01, engine);
      for (int64_t at : llvm::seq(wide.getNumElements()))
        noise.setFloat(at, wide.getFloat(at) + noise.getFloat(at));
      wide = noise;
    }
    inputs.push_back(wide);
    if (isFloat(main.getArgumentTypes()[i]))
      checks.push_back({name ? name.str() : "", bool(initial), 0});
  }
  return success();
}

LogicalResult GradientCheck::run(const char *path,
                                 ArrayRef<weft_tensor> given) {
  session.readFile(path);
  if (!session.module || failed(session.runTo(Stage::Tensor)))
    return failure();
  main = session.module->lookupSymbol<func::FuncOp>("main");
  if (!main || failed(widen(*session.module)))
    return session.fail(Problem::Invalid,
                        "the model can't be computed in f64, in which "
                        "differences are taken");
  if (failed(addInputs(given)))
    return failure();
  SmallVector<bool> isActive = llvm::map_to_vector(
      main.getArgumentTypes(), [](Type type) { return isFloat(type); });
  Slope slope(main, isActive);
  if (failed(slope.prepare(inputs, engine)))
    return failure();
  size_t next = 0;
  for (unsigned i : llvm::seq(main.getNumArguments())) {
    if (!isActive[i])
      continue;
    FailureOr<double> error = slope.compare(i, engine);
    if (failed(error))
      return failure();
    checks[next++].error = *error;
    worst = std::max(worst, *error);
  }
  FailureOr<double> all = slope.compare(-1, engine);
  if (failed(all))
    return failure();
  worst = std::max(worst, *all);
  return worst > tolerance ? findBad() : success();
}

/// What the ops of a node use that others make.
static llvm::SetVector<Value> getOperands(ArrayRef<Operation *> ops) {
  llvm::SetVector<Value> used, operands;
  llvm::SmallPtrSet<Operation *, 8> own(ops.begin(), ops.end());
  for (Operation *op : ops) {
    used.insert(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
  }
  for (Value value : used)
    if (!value.getDefiningOp() || !own.contains(value.getDefiningOp()))
      operands.insert(value);
  return operands;
}

/// The results of a node that others use.
static SmallVector<Value> getResults(ArrayRef<Operation *> ops) {
  llvm::SmallPtrSet<Operation *, 8> own(ops.begin(), ops.end());
  SmallVector<Value> results;
  for (Operation *op : ops)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            Operation *outer = op->getBlock()->findAncestorOpInBlock(*user);
            return !own.contains(outer);
          }))
        results.push_back(result);
  return results;
}

/// The error of the gradient of one node, on the values that it has.
FailureOr<double>
GradientCheck::checkNode(ArrayRef<Operation *> ops, ArrayRef<Value> results,
                         const llvm::SmallDenseMap<Value, HostTensor> &values,
                         const llvm::SmallDenseSet<Value> &active) {
  llvm::SetVector<Value> operands = getOperands(ops);
  Tensors given;
  SmallVector<bool> isActive;
  for (Value operand : operands) {
    given.push_back(values.lookup(operand));
    isActive.push_back(active.contains(operand));
  }
  OpBuilder b(main);
  Location loc = ops.front()->getLoc();
  auto function = func::FuncOp::create(
      b, loc, "weft.checked",
      b.getFunctionType(TypeRange(ValueRange(operands.getArrayRef())),
                        TypeRange(ValueRange(results))));
  Block *body = function.addEntryBlock();
  IRMapping mapping;
  mapping.map(operands.getArrayRef(), body->getArguments());
  b.setInsertionPointToEnd(body);
  for (Operation *op : ops)
    b.clone(*op, mapping);
  func::ReturnOp::create(b, loc, llvm::map_to_vector(results, [&](Value v) {
                           return mapping.lookup(v);
                         }));
  Slope slope(function, isActive);
  FailureOr<double> error = failure();
  if (succeeded(slope.prepare(given, engine)))
    error = slope.compare(-1, engine);
  function.erase();
  return error;
}

/// The ops of each node, in the order in which nodes begin; ops without a name
/// are nodes of their own.
static SmallVector<SmallVector<Operation *>> groupByNode(Block &body) {
  SmallVector<SmallVector<Operation *>> groups;
  llvm::StringMap<size_t> known;
  for (Operation &op : body.without_terminator()) {
    auto name = op.getLoc()->findInstanceOf<NameLoc>();
    if (name) {
      auto [it, isNew] = known.try_emplace(name.getName(), groups.size());
      if (!isNew) {
        groups[it->second].push_back(&op);
        continue;
      }
    }
    groups.push_back({&op});
  }
  return groups;
}

/// The values of all ops.
FailureOr<llvm::SmallDenseMap<Value, HostTensor>> GradientCheck::evaluateAll() {
  Block &body = main.getBody().front();
  SmallVector<Value> values(body.getArguments());
  for (Operation &op : body.without_terminator())
    llvm::append_range(values, op.getResults());
  Operation *end = body.getTerminator();
  SmallVector<Value> results(end->getOperands());
  end->setOperands(values);
  FailureOr<Tensors> tensors = evaluateBlock(body, inputs);
  end->setOperands(results);
  if (failed(tensors))
    return failure();
  llvm::SmallDenseMap<Value, HostTensor> all;
  for (auto [value, tensor] : llvm::zip_equal(values, *tensors))
    all[value] = tensor;
  return all;
}

/// Finds the first node whose own gradient is off.
LogicalResult GradientCheck::findBad() {
  auto values = evaluateAll();
  if (failed(values))
    return failure();
  Block &body = main.getBody().front();
  llvm::SmallDenseSet<Value> active;
  for (BlockArgument argument : body.getArguments())
    if (isFloat(argument.getType()))
      active.insert(argument);
  // Ops of later nodes may stand before those of earlier ones.
  for (Operation &op : body.without_terminator())
    if (llvm::any_of(getOperands({&op}),
                     [&](Value v) { return active.contains(v); }))
      for (Value result : op.getResults())
        if (isFloat(result.getType()))
          active.insert(result);
  for (ArrayRef<Operation *> ops : groupByNode(body)) {
    SmallVector<Value> results = getResults(ops);
    bool isReached = llvm::any_of(getOperands(ops),
                                  [&](Value v) { return active.contains(v); });
    if (!isReached ||
        llvm::none_of(results, [](Value v) { return isFloat(v.getType()); }))
      continue;
    FailureOr<double> error = checkNode(ops, results, *values, active);
    if (failed(error))
      return failure();
    if (*error <= tolerance)
      continue;
    auto name = ops.front()->getLoc()->findInstanceOf<NameLoc>();
    badNode = name ? name.getName().str() : "";
    badOp = ops.front()->getName().getStringRef().str();
    badError = *error;
    return success();
  }
  return success();
}

std::string GradientCheck::describe(const char *path) const {
  llvm::json::Array tensors;
  for (const TensorCheck &check : checks)
    tensors.push_back(
        llvm::json::Object{{"name", check.name},
                           {"kind", check.isParameter ? "parameter" : "input"},
                           {"right", check.error <= tolerance},
                           {"error", std::min(check.error, 1e300)}});
  llvm::json::Object result{{"model", path},
                            {"right", worst <= tolerance},
                            {"error", std::min(worst, 1e300)},
                            {"tolerance", tolerance},
                            {"tensors", std::move(tensors)},
                            {"first_bad", nullptr}};
  if (!badOp.empty())
    result["first_bad"] = llvm::json::Object{
        {"node", badNode}, {"op", badOp}, {"error", std::min(badError, 1e300)}};
  return llvm::formatv("{0:2}", llvm::json::Value(std::move(result))).str();
}

extern "C" weft_outcome
weft_verify_gradients(const char *path, const weft_compile_options *options,
                      double tolerance, int32_t num_inputs,
                      const weft_tensor *inputs, char **json, char **message) {
  *json = nullptr;
  CompileSession session(options);
  // What is drawn at random differs between two runs; and a model may have
  // inputs alone.
  std::string settings = session.pipeline.training.value_or("");
  session.pipeline.training = settings + " dropout=false gradients=.";
  GradientCheck check(session, tolerance);
  bool hasFailed = failed(check.run(path, ArrayRef(inputs, num_inputs)));
  if (!hasFailed)
    *json = strdup(check.describe(path).c_str());
  return session.finish(hasFailed, message);
}
