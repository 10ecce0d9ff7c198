//===- AttentionRules.h - The attention family's other files --------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_ATTENTIONRULES_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_ATTENTIONRULES_H

#include "Lowering.h"

namespace weft {

/// Adds LinearAttention, RotaryEmbedding and CausalConvWithState.
void addAttentionPartLowerings(LoweringTable &table);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_ATTENTIONRULES_H
