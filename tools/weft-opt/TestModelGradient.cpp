//===- TestModelGradient.cpp - A pass that checks a model's gradient ------===//

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/Pass.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Interfaces/Tangent.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>
#include <random>

using namespace mlir;
using namespace weft;

using Tensors = SmallVector<HostTensor>;

namespace {
/// Computes the only function of a module in f64, differentiates it by each of
/// its float arguments and compares with central differences, at the point that
/// a file gives: a line per argument, a dense attribute each. Prints the error
/// of each such argument in a line. For tests only.
struct TestModelGradientPass
    : PassWrapper<TestModelGradientPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestModelGradientPass)

  TestModelGradientPass() = default;
  TestModelGradientPass(const TestModelGradientPass &other)
      : PassWrapper(other) {}

  StringRef getArgument() const override { return "weft-test-model-gradient"; }
  StringRef getDescription() const override {
    return "Compare a model's gradient with central differences in f64";
  }
  void runOnOperation() override;

  Option<std::string> inputs{*this, "inputs",
                             llvm::cl::desc("File of the arguments' values")};

private:
  FailureOr<Tensors> readInputs(func::FuncOp function);
};
} // namespace

static bool isFloat(Type type) {
  return isa<FloatType>(getElementTypeOrSelf(type));
}

//===----------------------------------------------------------------------===//
// In f64
//===----------------------------------------------------------------------===//

/// f64 for the types in which models compute; those of quantized data stay.
static Type widen(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (!element.isF16() && !element.isBF16() && !element.isF32())
    return type;
  Type wide = Float64Type::get(type.getContext());
  auto shaped = dyn_cast<ShapedType>(type);
  return shaped ? shaped.clone(wide) : wide;
}

/// The elements of a constant in f64.
static LogicalResult widenConstant(ConstantOp op) {
  Type type = op.getType();
  if (widen(type) == type)
    return success();
  FailureOr<Tensors> narrow =
      cast<EvaluableOpInterface>(op.getOperation()).evaluate({});
  if (failed(narrow))
    return failure();
  HostTensor wide(cast<RankedTensorType>(widen(type)));
  for (int64_t i : llvm::seq(wide.getNumElements()))
    wide.setFloat(i, narrow->front().getFloat(i));
  op.setValueAttr(wide.toAttr());
  op.getResult().setType(wide.getType());
  return success();
}

static LogicalResult widenOp(Operation *op) {
  if (auto constant = dyn_cast<ConstantOp>(op))
    return widenConstant(constant);
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    if (auto number = dyn_cast<FloatAttr>(constant.getValue()))
      constant.setValueAttr(
          FloatAttr::get(widen(number.getType()), number.getValueAsDouble()));
  // Random numbers have a type of their own.
  if (auto random = dyn_cast<RandomUniformOp>(op)) {
    OpBuilder b(op->getContext());
    b.setInsertionPointAfter(op);
    Value narrow = random.getResult();
    auto wide =
        CastOp::create(b, op->getLoc(), widen(narrow.getType()), narrow, false);
    narrow.replaceAllUsesExcept(wide, wide);
    return success();
  }
  bool isOfRandom = llvm::any_of(op->getOperands(), [](Value operand) {
    return operand.getDefiningOp<RandomUniformOp>();
  });
  for (Value result : op->getResults())
    if (!isOfRandom || !isa<CastOp>(op))
      result.setType(widen(result.getType()));
  for (Region &region : op->getRegions())
    for (Block &block : region)
      for (BlockArgument argument : block.getArguments())
        argument.setType(widen(argument.getType()));
  return success();
}

static LogicalResult widenFunction(func::FuncOp function) {
  WalkResult walked = function.walk([](Operation *op) {
    return failed(widenOp(op)) ? WalkResult::interrupt()
                               : WalkResult::advance();
  });
  Block &body = function.getBody().front();
  function.setType(FunctionType::get(function.getContext(),
                                     body.getArgumentTypes(),
                                     body.getTerminator()->getOperandTypes()));
  return failure(walked.wasInterrupted() || failed(verify(function)));
}

//===----------------------------------------------------------------------===//
// Gradients and differences
//===----------------------------------------------------------------------===//

/// A function of the arguments and the gradients of all float results that
/// returns the gradient of each float argument.
static FailureOr<OwningOpRef<func::FuncOp>>
differentiate(func::FuncOp forward) {
  OwningOpRef<func::FuncOp> gradient(cast<func::FuncOp>(forward->clone()));
  Block &body = gradient->getBody().front();
  Operation *end = body.getTerminator();
  SmallVector<Value> xs, ys, seeds, grads;
  for (BlockArgument argument : body.getArguments())
    if (isFloat(argument.getType()))
      xs.push_back(argument);
  for (Value result : end->getOperands())
    if (isFloat(result.getType())) {
      ys.push_back(result);
      seeds.push_back(body.addArgument(result.getType(), result.getLoc()));
    }
  OpBuilder b(end);
  if (failed(buildGradients(b, ys, seeds, xs, grads)))
    return failure();
  for (auto [x, grad] : llvm::zip_equal(xs, grads))
    if (!grad)
      grad = TangentInterface::get(b.getContext())
                 .createZero(b, forward.getLoc(), x);
  end->setOperands(grads);
  gradient->setType(
      b.getFunctionType(body.getArgumentTypes(), TypeRange(ValueRange(grads))));
  gradient->setAllResultAttrs(
      SmallVector<DictionaryAttr>(grads.size(), b.getDictionaryAttr({})));
  if (failed(verify(*gradient)))
    return failure();
  return gradient;
}

/// The float results times their weights.
static FailureOr<double> weigh(func::FuncOp function,
                               ArrayRef<HostTensor> inputs,
                               ArrayRef<HostTensor> weights) {
  FailureOr<Tensors> results = evaluateFunction(function, inputs);
  if (failed(results))
    return failure();
  double sum = 0;
  for (const HostTensor &result : *results) {
    if (!isFloat(result.getType()))
      continue;
    if (result.getType() != weights.front().getType())
      return function.emitError("has results of other shapes near the point");
    for (int64_t i : llvm::seq(result.getNumElements()))
      if (double weight = weights.front().getFloat(i))
        sum += result.getFloat(i) * weight;
    weights = weights.drop_front();
  }
  return sum;
}

namespace {
/// A point and the gradients there.
struct Point {
  func::FuncOp function;
  Tensors inputs, weights, grads;
  std::mt19937_64 engine{1};

  double random(double low, double high) {
    return low +
           (high - low) * std::ldexp(static_cast<double>(engine() >> 11), -53);
  }
  LogicalResult computeGradients(func::FuncOp gradient);
  FailureOr<double> compare(size_t input, const HostTensor &grad);
};
} // namespace

LogicalResult Point::computeGradients(func::FuncOp gradient) {
  FailureOr<Tensors> results = evaluateFunction(function, inputs);
  if (failed(results))
    return failure();
  Tensors given(inputs);
  for (const HostTensor &result : *results) {
    if (!isFloat(result.getType()))
      continue;
    HostTensor weight(result.getType());
    // What is infinite has no difference.
    for (int64_t i : llvm::seq(result.getNumElements()))
      weight.setFloat(i,
                      std::isfinite(result.getFloat(i)) ? random(0.5, 1.5) : 0);
    weights.push_back(weight);
    given.push_back(weight);
  }
  FailureOr<Tensors> computed = evaluateFunction(gradient, given);
  if (failed(computed))
    return failure();
  grads = std::move(*computed);
  return success();
}

/// The largest error of a few directions of one input, relative to the size of
/// what is compared.
FailureOr<double> Point::compare(size_t input, const HostTensor &grad) {
  double worst = 0;
  constexpr double h = 1e-5;
  for (int direction = 0; direction < 2; ++direction) {
    const HostTensor &x = inputs[input];
    HostTensor up(x.getType()), down(x.getType());
    double slope = 0, size = 0;
    for (int64_t at : llvm::seq(x.getNumElements())) {
      double along = random(-1, 1), step = grad.getFloat(at) * along;
      slope += step;
      size += std::abs(step);
      up.setFloat(at, x.getFloat(at) + h * along);
      down.setFloat(at, x.getFloat(at) - h * along);
    }
    Tensors above(inputs), below(inputs);
    above[input] = up;
    below[input] = down;
    FailureOr<double> high = weigh(function, above, weights);
    FailureOr<double> low = weigh(function, below, weights);
    if (failed(high) || failed(low))
      return failure();
    double error = std::abs(slope - (*high - *low) / (2 * h));
    error /= std::max(size, 1e-2);
    worst = std::isfinite(error) ? std::max(worst, error) : INFINITY;
  }
  return worst;
}

FailureOr<Tensors> TestModelGradientPass::readInputs(func::FuncOp function) {
  auto file = llvm::MemoryBuffer::getFile(inputs, /*IsText=*/true);
  if (!file)
    return function.emitError("cannot read '")
           << inputs << "': " << file.getError().message();
  Tensors tensors;
  for (StringRef line : llvm::split((*file)->getBuffer().trim(), '\n')) {
    auto value = dyn_cast_or_null<DenseElementsAttr>(
        parseAttribute(line, &getContext()));
    if (!value)
      return function.emitError("not a dense attribute: ")
             << line.take_front(80);
    tensors.push_back(HostTensor::fromAttr(value));
  }
  if (tensors.size() != function.getNumArguments())
    return function.emitError("has ")
           << function.getNumArguments() << " arguments, but '" << inputs
           << "' has " << tensors.size() << " values";
  return tensors;
}

void TestModelGradientPass::runOnOperation() {
  auto functions = getOperation().getOps<func::FuncOp>();
  func::FuncOp function = *functions.begin();
  Point point{function, {}, {}, {}};
  FailureOr<Tensors> inputs = readInputs(function);
  if (failed(inputs) || failed(widenFunction(function)))
    return signalPassFailure();
  point.inputs = std::move(*inputs);
  FailureOr<OwningOpRef<func::FuncOp>> gradient = differentiate(function);
  if (failed(gradient) || failed(point.computeGradients(**gradient)))
    return signalPassFailure();
  ArrayRef<HostTensor> grads = point.grads;
  for (size_t i : llvm::seq(point.inputs.size())) {
    if (!isFloat(function.getArgumentTypes()[i]))
      continue;
    FailureOr<double> error = point.compare(i, grads.front());
    grads = grads.drop_front();
    if (failed(error))
      return signalPassFailure();
    llvm::outs() << "input " << i << " " << llvm::format("%.1e", *error)
                 << "\n";
  }
  llvm::outs().flush();
}

namespace weft {
void registerTestModelGradientPass() {
  PassRegistration<TestModelGradientPass>();
}
} // namespace weft
