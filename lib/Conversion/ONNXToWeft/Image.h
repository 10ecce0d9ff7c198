//===- Image.h - Rules of the image family --------------------------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_IMAGE_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_IMAGE_H

#include "Expr.h"

namespace weft {

llvm::LogicalResult lowerResize(Lowering &lower, onnx::Node node,
                                llvm::SmallVectorImpl<mlir::Value> &results);
llvm::LogicalResult
lowerGridSample(Lowering &lower, onnx::Node node,
                llvm::SmallVectorImpl<mlir::Value> &results);
llvm::LogicalResult
lowerDeformConv(Lowering &lower, onnx::Node node,
                llvm::SmallVectorImpl<mlir::Value> &results);
llvm::LogicalResult lowerRoiAlign(Lowering &lower, onnx::Node node,
                                  llvm::SmallVectorImpl<mlir::Value> &results);
llvm::LogicalResult
lowerMaxRoiPool(Lowering &lower, onnx::Node node,
                llvm::SmallVectorImpl<mlir::Value> &results);
llvm::LogicalResult
lowerNonMaxSuppression(Lowering &lower, onnx::Node node,
                       llvm::SmallVectorImpl<mlir::Value> &results);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_IMAGE_H
