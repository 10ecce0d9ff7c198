//===- WeftOps.td - All ops of the tensor language ------------------------===//

#ifndef WEFT_DIALECT_WEFT_IR_WEFTOPS
#define WEFT_DIALECT_WEFT_IR_WEFTOPS

include "weft/Dialect/Weft/IR/WeftAttention.td"
include "weft/Dialect/Weft/IR/WeftElementwise.td"
include "weft/Dialect/Weft/IR/WeftGradient.td"
include "weft/Dialect/Weft/IR/WeftMovement.td"
include "weft/Dialect/Weft/IR/WeftStructured.td"

#endif // WEFT_DIALECT_WEFT_IR_WEFTOPS
