//===- TestGradient.cpp - A pass that checks gradients --------------------===//

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/Pass.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "llvm/Support/Format.h"
#include <cmath>
#include <random>

using namespace mlir;
using namespace weft;

namespace {

using Tensors = SmallVector<HostTensor>;

/// Checks functions on f64: the gradient that Autodiff builds, along random
/// directions, against the central difference of a random weighting of the
/// results. Prints what the last op says of its gradient and the largest error,
/// relative to the size of what is compared. With `order=2` the gradient is
/// differentiated and checked as well. For tests only.
struct TestGradientPass
    : PassWrapper<TestGradientPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestGradientPass)

  TestGradientPass() = default;
  TestGradientPass(const TestGradientPass &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "weft-test-gradient"; }
  StringRef getDescription() const override {
    return "Compare gradients with central differences";
  }
  void runOnOperation() override;

  Option<int> order{*this, "order", llvm::cl::init(1),
                    llvm::cl::desc("Highest derivative that is checked")};
  Option<bool> cases{*this, "cases", llvm::cl::init(false),
                     llvm::cl::desc("Leave the gradients, as cases of "
                                    "weft-test-kernels, in the module")};
};

/// One function and its random inputs.
class Check {
public:
  explicit Check(func::FuncOp function) : function(function) {}

  /// Returns the largest error of all directions, or fails after an error.
  FailureOr<double> run();
  /// A function of the inputs and the gradients of all float results that
  /// returns the gradient of each float among the inputs.
  FailureOr<OwningOpRef<func::FuncOp>> buildGradient();
  /// The gradient as a case of weft-test-kernels, once the function has been
  /// run: with the sizes and the ranges that are used here.
  FailureOr<func::FuncOp> buildCase();

private:
  std::pair<double, double> getRange(int64_t argument);
  RankedTensorType getConcreteType(int64_t argument);
  HostTensor makeTensor(RankedTensorType type, double low, double high);
  FailureOr<double> weigh(ArrayRef<HostTensor> inputs,
                          ArrayRef<HostTensor> weights);
  FailureOr<double> compare(func::FuncOp gradient);

  func::FuncOp function;
  std::mt19937_64 engine{1};
  /// The shapes of the float results, once the function has been run.
  SmallVector<SmallVector<int64_t>> resultShapes;
};

} // namespace

static bool isFloat(Type type) {
  return isa<FloatType>(getElementTypeOrSelf(type));
}

/// What an argument's elements lie between; those of integers are rounded
/// towards zero.
std::pair<double, double> Check::getRange(int64_t argument) {
  auto range = function.getArgAttrOfType<ArrayAttr>(argument, "test.range");
  if (!range)
    return {0.5, 2};
  return {cast<FloatAttr>(range[0]).getValueAsDouble(),
          cast<FloatAttr>(range[1]).getValueAsDouble()};
}

/// An argument's type with its symbolic sizes taken from `test.shape`, or 3.
RankedTensorType Check::getConcreteType(int64_t argument) {
  auto type = cast<RankedTensorType>(function.getArgumentTypes()[argument]);
  if (auto given =
          function.getArgAttrOfType<DenseI64ArrayAttr>(argument, "test.shape"))
    return type.clone(given.asArrayRef());
  SmallVector<int64_t> shape;
  for (int64_t size : type.getShape())
    shape.push_back(ShapedType::isDynamic(size) ? 3 : size);
  return type.clone(shape);
}

HostTensor Check::makeTensor(RankedTensorType type, double low, double high) {
  HostTensor tensor(type);
  for (int64_t i : llvm::seq(tensor.getNumElements())) {
    double part = std::ldexp(static_cast<double>(engine() >> 11), -53);
    tensor.setFloat(i, type.getElementType().isInteger(1)
                           ? std::round(part)
                           : low + (high - low) * part);
  }
  return tensor;
}

FailureOr<OwningOpRef<func::FuncOp>> Check::buildGradient() {
  auto isActive = [](BlockArgument argument) {
    return isFloat(argument.getType());
  };
  auto made = buildGradientFunction(function, isActive);
  if (failed(made))
    return failure();
  OwningOpRef<func::FuncOp> gradient = std::move(*made);
  Builder b(function.getContext());
  ArrayRef<Type> types = gradient->getResultTypes();
  for (Type type : function.getArgumentTypes()) {
    if (!isFloat(type))
      continue;
    if (types.front() != type)
      return function.emitError("a gradient is of type ") << types.front();
    types = types.drop_front();
  }
  for (auto [i, shape] : llvm::enumerate(resultShapes))
    gradient->setArgAttr(function.getNumArguments() + i, "test.shape",
                         b.getDenseI64ArrayAttr(shape));
  if (failed(verify(*gradient)))
    return failure();
  return gradient;
}

FailureOr<double> Check::weigh(ArrayRef<HostTensor> inputs,
                               ArrayRef<HostTensor> weights) {
  FailureOr<Tensors> results = evaluateFunction(function, inputs);
  if (failed(results))
    return failure();
  double sum = 0;
  for (const HostTensor &result : *results) {
    if (!isFloat(result.getType()))
      continue;
    for (int64_t i : llvm::seq(result.getNumElements()))
      sum += result.getFloat(i) * weights.front().getFloat(i);
    weights = weights.drop_front();
  }
  return sum;
}

/// The error along one random direction.
FailureOr<double> Check::compare(func::FuncOp gradient) {
  Tensors inputs, directions;
  for (int64_t i : llvm::seq(function.getNumArguments())) {
    auto [low, high] = getRange(i);
    RankedTensorType tensor = getConcreteType(i);
    inputs.push_back(makeTensor(tensor, low, high));
    directions.push_back(makeTensor(tensor, -1, 1));
  }
  FailureOr<Tensors> results = evaluateFunction(function, inputs);
  if (failed(results))
    return failure();
  Tensors weights, given(inputs);
  resultShapes.clear();
  for (const HostTensor &result : *results) {
    if (!isFloat(result.getType()))
      continue;
    weights.push_back(makeTensor(result.getType(), 0.5, 1.5));
    resultShapes.emplace_back(result.getShape());
  }
  llvm::append_range(given, weights);
  FailureOr<Tensors> grads = evaluateFunction(gradient, given);
  if (failed(grads))
    return failure();

  // Along the direction: once by the gradient, once by the difference.
  double slope = 0, size = 0;
  size_t next = 0;
  constexpr double h = 1e-5;
  Tensors above(inputs), below(inputs);
  for (size_t i : llvm::seq(inputs.size())) {
    if (!isFloat(inputs[i].getType()))
      continue;
    const HostTensor &grad = (*grads)[next++];
    for (int64_t at : llvm::seq(inputs[i].getNumElements())) {
      double along = directions[i].getFloat(at);
      slope += grad.getFloat(at) * along;
      size += std::abs(grad.getFloat(at) * along);
      above[i].setFloat(at, inputs[i].getFloat(at) + h * along);
      below[i].setFloat(at, inputs[i].getFloat(at) - h * along);
    }
  }
  FailureOr<double> up = weigh(above, weights), down = weigh(below, weights);
  if (failed(up) || failed(down))
    return failure();
  double difference = (*up - *down) / (2 * h);
  // Where nothing flows, the difference itself must vanish.
  return std::abs(slope - difference) / std::max(size, 1e-3);
}

FailureOr<double> Check::run() {
  FailureOr<OwningOpRef<func::FuncOp>> gradient = buildGradient();
  if (failed(gradient))
    return failure();
  double worst = 0;
  for (int direction = 0; direction < 3; ++direction) {
    FailureOr<double> error = compare(**gradient);
    if (failed(error))
      return failure();
    // As a comparison with NaN would let it pass.
    worst = std::isfinite(*error) ? std::max(worst, *error) : INFINITY;
  }
  return worst;
}

FailureOr<func::FuncOp> Check::buildCase() {
  FailureOr<OwningOpRef<func::FuncOp>> gradient = buildGradient();
  if (failed(gradient))
    return failure();
  func::FuncOp result = gradient->release();
  Builder b(result.getContext());
  Check own(result);
  NamedAttrList sizes;
  for (unsigned i : llvm::seq(result.getNumArguments())) {
    auto type = cast<RankedTensorType>(result.getArgumentTypes()[i]);
    SmallVector<Attribute> names;
    for (auto [dim, size] :
         llvm::enumerate(own.getConcreteType(i).getShape())) {
      std::string name = type.isDynamicDim(dim)
                             ? "N" + std::to_string(i) + std::to_string(dim)
                             : "";
      names.push_back(b.getStringAttr(name));
      if (!name.empty())
        sizes.set(name, b.getI64IntegerAttr(size));
    }
    // The ends count there.
    auto [low, high] = own.getRange(i);
    if (type.getElementType().isIntOrIndex()) {
      low = std::trunc(low) + (low < 0);
      high = std::trunc(high) - (high > 0);
    }
    result.setArgAttr(i, "weft.dims", b.getArrayAttr(names));
    result.setArgAttr(i, "test.range", b.getF64ArrayAttr({low, high}));
    result.removeArgAttr(i, "test.shape");
  }
  if (!sizes.empty())
    result->setAttr("test.sizes",
                    b.getArrayAttr(sizes.getDictionary(b.getContext())));
  return result;
}

/// Where there is no formula, nothing flows; a pending rule is an error, which
/// the test expects.
static LogicalResult checkNone(DifferentiableOpInterface op) {
  OpBuilder b(op);
  SmallVector<Value> given, grads;
  for (Value result : op->getResults())
    given.push_back(result);
  LogicalResult built = op.buildGradient(b, given, grads);
  if (op.getGradientRule() == GradientRule::Pending)
    return failure(succeeded(built));
  if (failed(built) || grads.size() != op->getNumOperands() ||
      llvm::any_of(grads, [](Value grad) { return !!grad; }))
    return op->emitOpError("gives a gradient where it has none");
  return success();
}

/// Differences with this step are good to about 1e-9.
static void print(double error) {
  llvm::outs() << (error < 1e-7 ? ", right" : ", WRONG")
               << llvm::format(" by %.1e", error);
}

static LogicalResult replaceByCase(func::FuncOp function, Check &check) {
  FailureOr<func::FuncOp> gradient = check.buildCase();
  if (failed(gradient))
    return failure();
  OpBuilder(function).insert(*gradient);
  function->erase();
  return success();
}

void TestGradientPass::runOnOperation() {
  for (auto function :
       llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
    DifferentiableOpInterface op;
    for (Operation &candidate : function.getBody().front())
      if (auto found = dyn_cast<DifferentiableOpInterface>(candidate);
          found && !isa<ConstantOp>(candidate))
        op = found;
    if (!op)
      continue;
    llvm::outs() << function.getName() << ": "
                 << getGradientRuleName(op.getGradientRule());
    if (op.getGradientRule() == GradientRule::Formula) {
      Check first(function);
      FailureOr<double> error = first.run();
      if (failed(error))
        return signalPassFailure();
      print(*error);
      if (order > 1) {
        auto gradient = first.buildGradient();
        if (failed(gradient) || failed(error = Check(**gradient).run()))
          return signalPassFailure();
        llvm::outs() << ", second";
        print(*error);
      }
      if (cases && failed(replaceByCase(function, first)))
        return signalPassFailure();
    } else if (failed(checkNone(op)))
      return signalPassFailure();
    llvm::outs() << "\n";
  }
  llvm::outs().flush();
}

namespace weft {
void registerTestGradientPass() { PassRegistration<TestGradientPass>(); }
} // namespace weft
