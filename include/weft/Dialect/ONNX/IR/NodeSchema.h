//===- NodeSchema.h - What the onnx dialect knows of an operator ----------===//

#ifndef WEFT_DIALECT_ONNX_IR_NODESCHEMA_H
#define WEFT_DIALECT_ONNX_IR_NODESCHEMA_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace weft::onnx {

/// What kind of value an attribute has.
enum class AttrKind {
  Float,
  Int,
  String,
  Tensor,
  Graph,
  Floats,
  Ints,
  Strings,
  Tensors,
  Type,
  Types,
};

/// One attribute of an operator.
struct AttrSchema {
  std::string name;
  AttrKind kind;
  bool required;
};

/// One operator: what the verifier of its op checks. Where several versions of
/// an operator can reach the dialect this is the union of them.
struct NodeSchema {
  /// The op's name without the dialect, such as "Conv" or "ml.TreeEnsemble".
  std::string name;
  unsigned minOperands = 0, maxOperands = 0;
  unsigned minResults = 0, maxResults = 0;
  llvm::SmallVector<AttrSchema, 4> attributes;

  const AttrSchema *findAttribute(llvm::StringRef attribute) const {
    for (const AttrSchema &schema : attributes)
      if (schema.name == attribute)
        return &schema;
    return nullptr;
  }
};

} // namespace weft::onnx

#endif // WEFT_DIALECT_ONNX_IR_NODESCHEMA_H
