//===- AttentionMask.h - Which keys a query may attend to -----------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_ATTENTIONMASK_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_ATTENTIONMASK_H

#include "Lowering.h"
#include "Terms.h"

namespace weft {

/// The mask of one Attention node. Its tensors have rank 4, for batch, head,
/// query and key; each size is the whole one or 1.
struct AttentionMask {
  /// i1: whether the query may attend to the key. Null if always.
  mlir::Value allowed;
  /// Is added to the scores. Null if there is none.
  mlir::Value bias;
  /// Whether some query may have no key at all, so that its softmax is
  /// undefined and its result is zero.
  bool rowsMayBeEmpty = false;

  /// The scores with the bias added, -inf where attention is not allowed.
  mlir::Value apply(Terms &terms, mlir::Value scores) const;
  /// The probabilities, zero for the queries that have no key.
  mlir::Value clearEmptyRows(Lowering &lower, Terms &terms,
                             mlir::Value probabilities) const;
};

/// Sizes that the mask depends on.
struct AttentionExtent {
  mlir::OpFoldResult queries, keys, pastKeys;
  mlir::Type elementType;
};

/// Builds the mask from the node's operands `attn_mask` and `nonpad_kv_seqlen`
/// and its attributes.
llvm::FailureOr<AttentionMask>
buildAttentionMask(Lowering &lower, Terms &terms, onnx::Node node,
                   const AttentionExtent &extent);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_ATTENTIONMASK_H
