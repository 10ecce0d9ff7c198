//===- SizeChecks.h - What ops rely on at run time ------------------------===//

#ifndef WEFT_DIALECT_WEFT_IR_SIZECHECKS_H
#define WEFT_DIALECT_WEFT_IR_SIZECHECKS_H

#include "mlir/IR/Builders.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft {

/// The name of the attribute of ops that find faults at run time which says
/// where in the model that is, for people.
constexpr llvm::StringLiteral kWhereAttr = "weft.where";

/// The place in the model that `op` comes from: its kWhereAttr, or else the
/// node's name.
std::string getWhere(mlir::Operation *op);

/// Whether a kernel that holds `op` may report a fault.
bool mayFault(mlir::Operation *op);

/// Takes what an op relies on.
class SizeChecker {
public:
  virtual ~SizeChecker() = default;
  /// The size of dimension `dim` of `tensor`.
  virtual mlir::OpFoldResult size(mlir::Value tensor, int64_t dim) = 0;
  /// Two sizes, or a size and a result's, stand in `relation`.
  virtual void require(SizeRelation relation, mlir::OpFoldResult found,
                       mlir::OpFoldResult wanted) = 0;
  /// The part of `size` elements from `offset` on lies within `extent`.
  virtual void requirePart(mlir::OpFoldResult offset, mlir::OpFoldResult size,
                           mlir::OpFoldResult stride,
                           mlir::OpFoldResult extent) = 0;
  /// The product of a size and a number.
  virtual mlir::OpFoldResult times(mlir::OpFoldResult size, int64_t by) = 0;
};

/// Tells `checker` which relations between the symbolic sizes of its operands
/// the weft op `op` relies on without looking at them; the static ones are the
/// verifier's.
void checkSizes(mlir::Operation *op, SizeChecker &checker);

} // namespace weft

#endif // WEFT_DIALECT_WEFT_IR_SIZECHECKS_H
