//===- Gradient.cpp - Ops that have a gradient, and ops that have none ----===//

#include "weft/Interfaces/Gradient.h"

using namespace mlir;
using namespace weft;

llvm::StringRef weft::getGradientRuleName(GradientRule rule) {
  switch (rule) {
  case GradientRule::Formula:
    return "formula";
  case GradientRule::Zero:
    return "zero";
  case GradientRule::Source:
    return "source";
  case GradientRule::Pending:
    return "pending";
  }
  llvm_unreachable("all rules are named");
}

LogicalResult
weft::detail::buildNoGradient(Operation *op, GradientRule rule,
                              SmallVectorImpl<Value> &operandGrads) {
  if (rule == GradientRule::Pending)
    return op->emitOpError("has a gradient, but no rule for it yet");
  operandGrads.append(op->getNumOperands(), Value());
  return success();
}
