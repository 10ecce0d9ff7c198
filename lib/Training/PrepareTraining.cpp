//===- PrepareTraining.cpp - From a model for inference to one to train ---===//

#include "FunctionOptimizer.h"
#include "Ports.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "weft/Dialect/ONNX/IR/Node.h"
#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "weft/Training/Algorithm.h"
#include "weft/Training/Parameters.h"
#include "weft/Training/Passes.h"

namespace weft {
#define GEN_PASS_DEF_PREPARETRAININGPASS
#include "weft/Training/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using onnx::Node;

namespace {
struct PrepareTrainingPass
    : weft::impl::PrepareTrainingPassBase<PrepareTrainingPass> {
  using PrepareTrainingPassBase::PrepareTrainingPassBase;

  void runOnOperation() override;
};

/// Changes one function.
class Preparation {
public:
  Preparation(func::FuncOp main, const TrainingOptions &options)
      : main(main), options(options), b(main.getBody()) {}

  LogicalResult run();

private:
  void makeArgument(Operation *constant, StringRef name, StringRef role);
  void switchDropout(Operation *op);
  LogicalResult switchBatchNorm(Operation *op);

  func::FuncOp main;
  const TrainingOptions &options;
  OpBuilder b;
};
} // namespace

/// An argument in the place of a constant, which it starts from. Where nothing
/// is trained it is an input like others.
void Preparation::makeArgument(Operation *constant, StringRef name,
                               StringRef role) {
  Value value = constant->getResult(0);
  unsigned number = main.getNumArguments();
  SmallVector<NamedAttribute> attrs = {
      b.getNamedAttr(kNameAttr, b.getStringAttr(name))};
  if (!options.evaluate) {
    attrs.push_back(b.getNamedAttr(kRoleAttr, b.getStringAttr(role)));
    attrs.push_back(
        b.getNamedAttr(kInitialAttr, Node(constant).getTensor("value")));
  }
  (void)main.insertArgument(number, value.getType(), b.getDictionaryAttr(attrs),
                            constant->getLoc());
  value.replaceAllUsesWith(main.getArgument(number));
  constant->erase();
}

/// Operand 2 says whether it is in training.
void Preparation::switchDropout(Operation *op) {
  b.setInsertionPoint(op);
  OperationState yes(op->getLoc(), "onnx.Constant");
  auto type = RankedTensorType::get({}, b.getI1Type());
  yes.addTypes(type);
  yes.addAttribute("value", DenseElementsAttr::get(type, true));
  Value flag = b.create(yes)->getResult(0);
  SmallVector<Value> operands(op->getOperands().take_front(2));
  if (operands.size() < 2)
    operands.push_back(
        onnx::NoneOp::create(b, op->getLoc(), b.getNoneType()).getResult());
  operands.push_back(flag);
  op->setOperands(operands);
}

/// The running statistics become state, whose new values leave the function.
LogicalResult Preparation::switchBatchNorm(Operation *op) {
  Operation *constants[2];
  std::string names[2];
  for (unsigned i : {0, 1}) {
    Value running = op->getOperand(3 + i);
    constants[i] = running.getDefiningOp();
    names[i] = onnx::getValueName(running);
    if (!constants[i] || Node(constants[i]).getOpType() != "Constant" ||
        !running.hasOneUse() || names[i].empty())
      return op->emitError("WFT2302: node '")
             << Node(op).getName()
             << "' (BatchNormalization): its running statistics are no "
                "initializers of its own, so that they can't be updated; use "
                "bn=frozen";
  }
  if (options.evaluate) {
    makeArgument(constants[0], names[0], "");
    makeArgument(constants[1], names[1], "");
    return success();
  }
  b.setInsertionPoint(op);
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(op->getOperands());
  state.addAttributes(op->getAttrs());
  state.addTypes({op->getResult(0).getType(), op->getOperand(3).getType(),
                  op->getOperand(4).getType()});
  Operation *trained = b.create(state);
  trained->setAttr("training_mode", b.getI64IntegerAttr(1));
  trained->setAttr("weft.outputs",
                   b.getStrArrayAttr({onnx::getValueName(op->getResult(0)),
                                      names[0] + ".next", names[1] + ".next"}));
  op->getResult(0).replaceAllUsesWith(trained->getResult(0));
  op->erase();
  for (unsigned i : {0, 1}) {
    unsigned number = main.getNumArguments();
    makeArgument(constants[i], names[i], "state");
    addResult(main, trained->getResult(1 + i),
              {b.getNamedAttr(kNameAttr, b.getStringAttr(names[i])),
               b.getNamedAttr(kRoleAttr, b.getStringAttr("state")),
               b.getNamedAttr(kTwinAttr, b.getI64IntegerAttr(number))});
  }
  return success();
}

LogicalResult Preparation::run() {
  unsigned numTrained = 0;
  for (ParameterChoice &choice : chooseParameters(main, options)) {
    if (!choice.isTrained)
      continue;
    makeArgument(choice.constant, choice.name, "parameter");
    ++numTrained;
  }
  if (numTrained == 0 && options.gradients.empty())
    return main.emitError(
        "WFT2303: the model has no weight to train; 'weft inspect --trainable' "
        "tells why not, and train=REGEX names some");
  if (options.optimizer == OptimizerKind::Function && !options.evaluate)
    specializeOptimizers(main);
  for (Operation &op : llvm::make_early_inc_range(main.getBody().front())) {
    if (!isa_and_nonnull<onnx::ONNXDialect>(op.getDialect()) ||
        !Node(&op).getDomain().empty())
      continue;
    StringRef opType = Node(&op).getOpType();
    if (opType == "Dropout" && options.dropout && !options.evaluate)
      switchDropout(&op);
    if (opType == "BatchNormalization" && options.batchStatistics &&
        failed(switchBatchNorm(&op)))
      return failure();
  }
  return success();
}

void PrepareTrainingPass::runOnOperation() {
  if (failed(runOnMain(getOperation(), settings,
                       [](func::FuncOp main, const TrainingOptions &options) {
                         if (options.algorithm)
                           return prepareAlgorithm(main, options);
                         return Preparation(main, options).run();
                       })))
    signalPassFailure();
}
