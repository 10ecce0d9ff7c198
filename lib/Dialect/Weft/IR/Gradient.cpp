//===- Gradient.cpp - Gradients that a model asks for ---------------------===//

#include "weft/Dialect/Weft/IR/WeftDialect.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// independent
//===----------------------------------------------------------------------===//

LogicalResult
IndependentOp::reifyResultShapes(OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getInput()));
  return success();
}

LogicalResult IndependentOp::buildGradient(OpBuilder &, ValueRange resultGrads,
                                           SmallVectorImpl<Value> &grads) {
  grads.push_back(resultGrads.front());
  return success();
}

//===----------------------------------------------------------------------===//
// gradient
//===----------------------------------------------------------------------===//

LogicalResult GradientOp::inferReturnTypes(MLIRContext *,
                                           std::optional<Location>,
                                           ValueRange operands, DictionaryAttr,
                                           OpaqueProperties, RegionRange,
                                           SmallVectorImpl<Type> &types) {
  llvm::append_range(types, operands.drop_front().getTypes());
  return success();
}

LogicalResult
GradientOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  for (Value x : getXs())
    shapes.push_back(tensor::getMixedSizes(builder, getLoc(), x));
  return success();
}

LogicalResult GradientOp::buildGradient(OpBuilder &, ValueRange,
                                        SmallVectorImpl<Value> &) {
  return emitOpError("WFT2301: a gradient can only be differentiated when "
                     "'expand-gradients' has put its ops in its place");
}
