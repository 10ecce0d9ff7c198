//===- ONNXToWeft.cpp - From ONNX nodes to the tensor language ------------===//

#include "weft/Conversion/ONNXToWeft.h"
#include "Lowering.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace weft {
#define GEN_PASS_DEF_CONVERTONNXTOWEFTPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Families
//===----------------------------------------------------------------------===//

static LoweringTable createTable() {
  static constexpr void (*families[])(LoweringTable &) = {
      addElementwiseLowerings,   addActivationLowerings,
      addMovementLowerings,      addPartLowerings,
      addSourceLowerings,        addSelectionLowerings,
      addGatherScatterLowerings, addReductionLowerings,
      addContractionLowerings,   addConvolutionLowerings,
      addPoolingLowerings,       addNormalizationLowerings,
      addAttentionLowerings,     addRecurrentLowerings,
      addControlFlowLowerings,   addLossLowerings,
      addQuantizationLowerings,  addRandomLowerings,
      addImageLowerings,         addSignalLowerings,
      addSequenceLowerings,      addClassicalLowerings,
      addOptimizerLowerings,     addGradientLowerings,
  };
  LoweringTable table;
  for (auto *family : families)
    family(table);
  return table;
}

bool weft::hasLowering(StringRef name) {
  static const LoweringTable table = createTable();
  return table.contains(name);
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// Gives the lowered `value` the declared type `type`; null if it cannot have
/// it.
static Value castTo(OpBuilder &builder, Location loc, Value value, Type type) {
  if (value.getType() == type || isa<UnrankedTensorType>(type))
    return value;
  if (!tensor::CastOp::areCastCompatible(value.getType(), type))
    return {};
  return tensor::CastOp::create(builder, loc, type, value);
}

static std::string getPortName(StringAttr name, unsigned index) {
  return name ? name.str() : std::to_string(index);
}

/// Replaces what the function returns by lowered values. The declared types
/// stay, but for those without a rank.
static LogicalResult lowerReturn(func::FuncOp func, Lowering &lowering) {
  auto returnOp = cast<func::ReturnOp>(func.getBody().back().getTerminator());
  OpBuilder builder(returnOp);
  SmallVector<Type> types(func.getResultTypes());
  for (auto [index, operand] : llvm::enumerate(returnOp->getOpOperands())) {
    Value from = operand.get();
    Value to = lowering.lookup(from);
    // Why it is not there has been reported.
    if (!to)
      continue;
    Value result = castTo(builder, returnOp.getLoc(), to, types[index]);
    if (!result) {
      lowering.hasFailed = true;
      return emitError(func.getLoc())
             << "WFT2002: output '"
             << getPortName(
                    func.getResultAttrOfType<StringAttr>(index, "weft.name"),
                    index)
             << "' has the type " << to.getType() << ", the model declares "
             << types[index];
    }
    types[index] = result.getType();
    operand.set(result);
  }
  func.setFunctionType(
      FunctionType::get(func.getContext(), func.getArgumentTypes(), types));
  return success();
}

/// Erases the nodes of the onnx dialect and what lowering them left behind
/// without a use.
static void eraseDead(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    for (Region &region : op.getRegions())
      for (Block &nested : region)
        if (op.getName().getDialectNamespace() != "onnx")
          eraseDead(nested);
    if (op.getName().getDialectNamespace() == "onnx" || isOpTriviallyDead(&op))
      op.erase();
    else
      op.removeAttr(kSeenAttr);
  }
}

/// Refuses inputs and outputs that no buffer can hold: sequences, optionals,
/// strings, and what has more dimensions or bytes than the runtime can tell.
static void checkSignature(func::FuncOp func, Lowering &lowering) {
  auto check = [&](StringRef kind, unsigned index, Type type, StringAttr name) {
    constexpr int64_t maxRank = 16;
    auto tensor = dyn_cast<TensorType>(type);
    auto ranked = dyn_cast<RankedTensorType>(type);
    bool isSmall = !ranked || (ranked.getRank() <= maxRank &&
                               !Lowering::isTooLarge(ranked));
    if (tensor && tensor.getElementType().isIntOrFloat() && isSmall)
      return;
    std::string text;
    llvm::raw_string_ostream(text)
        << "an " << kind << " of the model can't have the type " << type;
    if (!isSmall)
      text += ranked.getRank() > maxRank
                  ? ": more than " + std::to_string(maxRank) + " dimensions"
                  : ": more than 2^48 bytes";
    lowering.unsupportedNodes.push_back(
        {func.getLoc(), getPortName(name, index), kind.str(), text});
  };
  for (auto [index, type] : llvm::enumerate(func.getArgumentTypes()))
    check("input", index, type,
          func.getArgAttrOfType<StringAttr>(index, "weft.name"));
  for (auto [index, type] : llvm::enumerate(func.getResultTypes()))
    check("output", index, type,
          func.getResultAttrOfType<StringAttr>(index, "weft.name"));
}

static void lowerFunction(func::FuncOp func, Lowering &lowering) {
  checkSignature(func, lowering);
  Block &body = func.getBody().front();
  findIndependents(func, lowering.independents);
  lowering.b.setInsertionPoint(body.getTerminator());
  lowering.b.setLoc(func.getLoc());
  for (BlockArgument argument : body.getArguments())
    lowering.map(argument, argument);
  lowering.lowerBlock(body);
  if (failed(lowerReturn(func, lowering)) || lowering.hasFailed ||
      !lowering.unsupportedNodes.empty())
    return;
  eraseDead(body);
}

/// Names all refused nodes at once.
static void reportUnsupported(ModuleOp module,
                              ArrayRef<Lowering::Unsupported> nodes) {
  if (nodes.empty())
    return;
  module->setAttr(kUnsupportedAttr, UnitAttr::get(module.getContext()));
  InFlightDiagnostic diag = emitError(module.getLoc())
                            << "WFT2003: " << nodes.size()
                            << (nodes.size() == 1 ? " node" : " nodes")
                            << " can't be compiled";
  for (const Lowering::Unsupported &node : nodes)
    diag.attachNote(node.loc) << "node '" << node.name << "' (" << node.opType
                              << "): " << node.message;
}

namespace {
struct ConvertONNXToWeftPass
    : weft::impl::ConvertONNXToWeftPassBase<ConvertONNXToWeftPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    LoweringTable table = createTable();
    bool hasFailed = false;
    SmallVector<Lowering::Unsupported> unsupported;
    for (auto func : module.getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      // What one knows of values means nothing when their ops are gone.
      Lowering lowering(table, module);
      lowerFunction(func, lowering);
      hasFailed |= lowering.hasFailed;
      llvm::append_range(unsupported, lowering.unsupportedNodes);
    }
    reportUnsupported(module, unsupported);
    if (hasFailed || !unsupported.empty())
      signalPassFailure();
  }
};
} // namespace
