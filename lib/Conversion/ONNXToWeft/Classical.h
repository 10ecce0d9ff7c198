//===- Classical.h - Rules of ai.onnx.ml ----------------------------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_CLASSICAL_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_CLASSICAL_H

#include "Expr.h"

namespace weft {

/// What turns the scores of a model into its result.
enum class PostTransform { none, softmax, logistic, softmaxZero, probit };

/// Reads attribute `post_transform`, a name or a number.
llvm::FailureOr<PostTransform> readPostTransform(Lowering &lower,
                                                 onnx::Node node);

/// Applies it to scores [N, classes].
Expr applyPostTransform(Expr scores, PostTransform transform);

/// Fails if the node's classes are named by strings.
llvm::LogicalResult checkNumericLabels(Lowering &lower, onnx::Node node);

/// The labels of classes given by their numbers: i64.
Expr lookUpLabels(Expr classes, llvm::ArrayRef<int64_t> labels);

/// The number of the class with the highest score.
Expr bestClass(Expr scores);

/// The input [N, features] as floats; one row if it has rank one.
Expr readFeatures(Lowering &lower, onnx::Node node);

llvm::LogicalResult
lowerTfIdfVectorizer(Lowering &lower, onnx::Node node,
                     llvm::SmallVectorImpl<mlir::Value> &results);

void addSvmLowerings(LoweringTable &table);
void addTreeLowerings(LoweringTable &table);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_CLASSICAL_H
