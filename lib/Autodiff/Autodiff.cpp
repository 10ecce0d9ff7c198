//===- Autodiff.cpp - Backward functions from forward ones ----------------===//

#include "weft/Autodiff/Autodiff.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weft/Interfaces/Interfaces.h"
#include "weft/Interfaces/Tangent.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;

SmallVector<Value> weft::getGradientOperands(Operation *op) {
  SmallVector<Value> operands(op->getOperands());
  SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  llvm::append_range(operands, captured);
  return operands;
}

static bool isFloat(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return (type && isa<FloatType>(type.getElementType())) ||
         isa<FloatType>(value.getType());
}

namespace {
/// One backward pass over a block.
class Backward {
public:
  Backward(OpBuilder &builder, ValueRange xs)
      : builder(builder), tangent(TangentInterface::get(builder.getContext())) {
    varied.insert_range(xs);
    independent.insert_range(xs);
  }

  void recordTape();
  void add(Value value, Value grad);
  LogicalResult run();
  Value lookup(Value value) const { return grads.lookup(value); }

private:
  /// The gradient of a result that flows on to operands.
  Value getFlowing(Value result) const {
    return independent.contains(result) ? Value() : grads.lookup(result);
  }
  LogicalResult visit(Operation *op);
  LogicalResult refuse(Operation *op, const Twine &reason);

  OpBuilder &builder;
  const TangentInterface &tangent;
  DenseSet<Value> independent;   // what is differentiated by
  DenseSet<Value> varied;        // floats that depend on these
  SmallVector<Operation *> tape; // the ops that make them, in order
  DenseMap<Value, Value> grads;
  llvm::StringSet<> refused;
};
} // namespace

/// Notes the ops in front of the insertion point that pass a dependence on.
void Backward::recordTape() {
  Block *block = builder.getInsertionBlock();
  for (auto it = block->begin(); it != builder.getInsertionPoint(); ++it) {
    if (!llvm::any_of(getGradientOperands(&*it),
                      [&](Value value) { return varied.contains(value); }))
      continue;
    SmallVector<Value> results;
    llvm::copy_if(it->getResults(), std::back_inserter(results), isFloat);
    if (results.empty())
      continue;
    varied.insert_range(results);
    tape.push_back(&*it);
  }
}

void Backward::add(Value value, Value grad) {
  if (!grad || !varied.contains(value))
    return;
  if (grad.getType() != value.getType())
    grad =
        tensor::CastOp::create(builder, grad.getLoc(), value.getType(), grad);
  Value &sum = grads[value];
  sum = sum ? tangent.createSum(builder, grad.getLoc(), sum, grad) : grad;
}

LogicalResult Backward::refuse(Operation *op, const Twine &reason) {
  // One message per kind of op.
  if (refused.insert(op->getName().getStringRef()).second)
    op->emitError("WFT2301: no gradient can flow through '")
        << op->getName() << "': " << reason;
  return failure();
}

LogicalResult Backward::visit(Operation *op) {
  bool isReached = llvm::any_of(op->getResults(), [&](Value result) {
    return getFlowing(result) != Value();
  });
  if (!isReached)
    return success();
  auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
  if (!differentiable)
    return refuse(op, "it is no op of the tensor language");
  if (differentiable.getGradientRule() == GradientRule::Pending)
    return refuse(op, "its rule is not written yet");
  SmallVector<Value> given, flowing;
  for (Value result : op->getResults()) {
    if (!isFloat(result)) {
      given.push_back({});
      continue;
    }
    Value grad = getFlowing(result);
    given.push_back(grad ? grad
                         : tangent.createZero(builder, op->getLoc(), result));
  }
  // The rule may put another op in the place of this one.
  SmallVector<Value> operands = getGradientOperands(op);
  if (failed(differentiable.buildGradient(builder, given, flowing)))
    return failure();
  assert(flowing.size() == operands.size() && "one entry per operand");
  for (auto [operand, grad] : llvm::zip_equal(operands, flowing))
    add(operand, grad);
  return success();
}

LogicalResult Backward::run() {
  LogicalResult result = success();
  for (Operation *op : llvm::reverse(tape))
    if (failed(visit(op)))
      result = failure();
  return result;
}

LogicalResult weft::buildGradients(OpBuilder &builder, ValueRange ys,
                                   ValueRange seeds, ValueRange xs,
                                   SmallVectorImpl<Value> &grads) {
  Backward backward(builder, xs);
  backward.recordTape();
  for (auto [y, seed] : llvm::zip_equal(ys, seeds))
    backward.add(y, seed);
  if (failed(backward.run()))
    return failure();
  for (Value x : xs)
    grads.push_back(backward.lookup(x));
  return success();
}

FailureOr<OwningOpRef<func::FuncOp>>
weft::buildGradientFunction(func::FuncOp function,
                            llvm::function_ref<bool(BlockArgument)> isActive) {
  OwningOpRef<func::FuncOp> gradient(cast<func::FuncOp>(function->clone()));
  Block &body = gradient->getBody().front();
  Operation *end = body.getTerminator();
  SmallVector<Value> xs, ys, seeds, grads;
  for (BlockArgument argument : body.getArguments())
    if (isActive(argument))
      xs.push_back(argument);
  for (Value result : end->getOperands()) {
    if (!isa<FloatType>(getElementTypeOrSelf(result.getType())))
      continue;
    ys.push_back(result);
    seeds.push_back(body.addArgument(result.getType(), result.getLoc()));
  }
  OpBuilder b(end);
  if (failed(buildGradients(b, ys, seeds, xs, grads)))
    return failure();
  const auto &tangent = TangentInterface::get(b.getContext());
  for (auto [x, grad] : llvm::zip_equal(xs, grads))
    if (!grad)
      grad = tangent.createZero(b, function.getLoc(), x);
  end->setOperands(grads);
  gradient->setType(
      b.getFunctionType(body.getArgumentTypes(), TypeRange(ValueRange(grads))));
  // Attributes of results have nothing to be of.
  gradient->setAllResultAttrs(
      SmallVector<DictionaryAttr>(grads.size(), b.getDictionaryAttr({})));
  return gradient;
}
