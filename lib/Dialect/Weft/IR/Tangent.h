//===- Tangent.h - The arithmetic of gradients in the tensor language -----===//

#ifndef WEFT_LIB_DIALECT_WEFT_IR_TANGENT_H
#define WEFT_LIB_DIALECT_WEFT_IR_TANGENT_H

namespace weft {
class WeftDialect;
namespace detail {
void addTangentInterface(WeftDialect &dialect);
} // namespace detail
} // namespace weft

#endif // WEFT_LIB_DIALECT_WEFT_IR_TANGENT_H
