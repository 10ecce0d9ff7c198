//===- Tangent.h - The arithmetic of gradients ----------------------------===//

#ifndef WEFT_INTERFACES_TANGENT_H
#define WEFT_INTERFACES_TANGENT_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectInterface.h"

namespace weft {

/// What a differentiable language offers to those who differentiate without
/// knowing its ops: sums of gradients, and the store of values that a loop
/// keeps for its backward pass.
class TangentInterface : public mlir::DialectInterface::Base<TangentInterface> {
public:
  explicit TangentInterface(mlir::Dialect *dialect) : Base(dialect) {}

  /// A tensor of zeros of the type and sizes of `like`.
  virtual mlir::Value createZero(mlir::OpBuilder &builder, mlir::Location loc,
                                 mlir::Value like) const = 0;

  /// The sum of two tensors of the same type.
  virtual mlir::Value createSum(mlir::OpBuilder &builder, mlir::Location loc,
                                mlir::Value lhs, mlir::Value rhs) const = 0;

  /// `value` stored as entry `index` of `history`, whose first dimension counts
  /// the entries.
  virtual mlir::Value createStore(mlir::OpBuilder &builder, mlir::Location loc,
                                  mlir::Value value, mlir::Value history,
                                  mlir::Value index) const = 0;

  /// Entry `index` of `history`, a tensor of `type`.
  virtual mlir::Value createLoad(mlir::OpBuilder &builder, mlir::Location loc,
                                 mlir::RankedTensorType type,
                                 mlir::Value history,
                                 mlir::Value index) const = 0;

  /// The interface of the one loaded dialect that has it.
  static const TangentInterface &get(mlir::MLIRContext *context);
};

} // namespace weft

#endif // WEFT_INTERFACES_TANGENT_H
