//===- TestGradient.cpp - A pass that checks gradients --------------------===//

#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/Pass.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "llvm/Support/Format.h"
#include <cmath>
#include <random>

using namespace mlir;
using namespace weft;

namespace {

using Tensors = SmallVector<HostTensor>;

/// Checks a function of one op, and constants, on f64: the op's gradient along
/// random directions against the central difference of a random weighting of
/// its results. Prints what each op says of its gradient and the largest
/// error, relative to the size of what is compared. For tests only.
struct TestGradientPass
    : PassWrapper<TestGradientPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestGradientPass)

  StringRef getArgument() const override { return "weft-test-gradient"; }
  StringRef getDescription() const override {
    return "Compare gradients with central differences";
  }
  void runOnOperation() override;
};

/// One function and its random inputs.
class Check {
public:
  explicit Check(func::FuncOp function) : function(function) {}
  /// Returns the largest error of all directions, or fails after an error.
  FailureOr<double> run(DifferentiableOpInterface op);

private:
  HostTensor makeTensor(RankedTensorType type, double low, double high);
  FailureOr<func::FuncOp> buildGradient(DifferentiableOpInterface op);
  FailureOr<double> weigh(ArrayRef<HostTensor> inputs,
                          const HostTensor &weights);

  func::FuncOp function;
  std::mt19937_64 engine{1};
};

} // namespace

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

/// A function of the inputs and the result's gradient that returns the gradient
/// of each float among the inputs.
FailureOr<func::FuncOp> Check::buildGradient(DifferentiableOpInterface op) {
  auto gradient = cast<func::FuncOp>(function->clone());
  Block &body = gradient.getBody().front();
  Operation *inner = nullptr;
  for (Operation &candidate : body)
    if (candidate.getName() == op->getName())
      inner = &candidate;
  Value given =
      body.addArgument(inner->getResult(0).getType(), inner->getLoc());
  OpBuilder b(body.getTerminator());
  SmallVector<Value> grads;
  if (failed(cast<DifferentiableOpInterface>(inner).buildGradient(b, given,
                                                                  grads))) {
    gradient->destroy();
    return failure();
  }
  if (grads.size() != inner->getNumOperands()) {
    gradient->destroy();
    return op->emitOpError("gives ") << grads.size() << " gradients of "
                                     << op->getNumOperands() << " operands";
  }
  SmallVector<Value> results;
  for (BlockArgument argument : body.getArguments().drop_back()) {
    if (!isa<FloatType>(getElementTypeOrSelf(argument.getType())))
      continue;
    Value sum;
    for (auto [operand, grad] : llvm::zip_equal(inner->getOperands(), grads))
      if (operand == argument && grad)
        sum = sum ? AddOp::create(b, inner->getLoc(), sum, grad).getResult()
                  : grad;
    if (!sum) {
      gradient->destroy();
      return op->emitOpError("gives no gradient of a float");
    }
    results.push_back(sum);
  }
  body.getTerminator()->setOperands(results);
  gradient.setType(b.getFunctionType(body.getArgumentTypes(),
                                     TypeRange(ValueRange(results))));
  return gradient;
}

FailureOr<double> Check::weigh(ArrayRef<HostTensor> inputs,
                               const HostTensor &weights) {
  FailureOr<Tensors> results = evaluateFunction(function, inputs);
  if (failed(results))
    return failure();
  double sum = 0;
  for (int64_t i : llvm::seq(weights.getNumElements()))
    sum += results->front().getFloat(i) * weights.getFloat(i);
  return sum;
}

FailureOr<double> Check::run(DifferentiableOpInterface op) {
  FailureOr<func::FuncOp> gradient = buildGradient(op);
  if (failed(gradient))
    return failure();
  OwningOpRef<func::FuncOp> owner(*gradient);
  auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
  double worst = 0;
  for (int direction = 0; direction < 3; ++direction) {
    Tensors inputs, directions;
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
      double low = 0.5, high = 2;
      if (auto range = function.getArgAttrOfType<ArrayAttr>(i, "test.range")) {
        low = cast<FloatAttr>(range[0]).getValueAsDouble();
        high = cast<FloatAttr>(range[1]).getValueAsDouble();
      }
      auto tensor = cast<RankedTensorType>(type);
      inputs.push_back(makeTensor(tensor, low, high));
      directions.push_back(makeTensor(tensor, -1, 1));
    }
    HostTensor weights = makeTensor(resultType, 0.5, 1.5);
    Tensors given(inputs);
    given.push_back(weights);
    FailureOr<Tensors> grads = evaluateFunction(*owner, given);
    if (failed(grads))
      return failure();

    // Along the direction: once by the gradient, once by the difference.
    double slope = 0, size = 0;
    size_t next = 0;
    constexpr double h = 1e-5;
    Tensors above(inputs), below(inputs);
    for (size_t i : llvm::seq(inputs.size())) {
      if (!isa<FloatType>(inputs[i].getElementType()))
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
    worst =
        std::max(worst, std::abs(slope - difference) / std::max(size, 1e-30));
  }
  return worst;
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

void TestGradientPass::runOnOperation() {
  for (auto function : getOperation().getOps<func::FuncOp>()) {
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
      FailureOr<double> error = Check(function).run(op);
      if (failed(error))
        return signalPassFailure();
      // Differences with this step are good to about 1e-9.
      llvm::outs() << (*error < 1e-7 ? ", right" : ", WRONG")
                   << llvm::format(" by %.1e", *error);
    } else if (failed(checkNone(op)))
      return signalPassFailure();
    llvm::outs() << "\n";
  }
  llvm::outs().flush();
}

namespace weft {
void registerTestGradientPass() { PassRegistration<TestGradientPass>(); }
} // namespace weft
