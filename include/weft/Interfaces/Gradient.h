//===- Gradient.h - Ops that have a gradient, and ops that have none ------===//

#ifndef WEFT_INTERFACES_GRADIENT_H
#define WEFT_INTERFACES_GRADIENT_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"

namespace weft {

/// What an op says of its gradient.
enum class GradientRule {
  Formula, ///< it builds one
  Zero,    ///< none flows: the results are steps, or integers
  Source,  ///< none flows: no operand is a number that results depend on
  Pending, ///< there is one, but its rule is not written yet
};

llvm::StringRef getGradientRuleName(GradientRule rule);

namespace detail {
/// Leaves all of `operandGrads` null, or fails after an error if the rule is
/// pending.
llvm::LogicalResult
buildNoGradient(mlir::Operation *op, GradientRule rule,
                llvm::SmallVectorImpl<mlir::Value> &operandGrads);

template <typename OpTy> constexpr GradientRule getGradientRule() {
  if constexpr (requires { OpTy::noGradient; })
    return OpTy::noGradient;
  else
    return GradientRule::Formula;
}
} // namespace detail

/// A trait of ops without a formula, which says why.
template <GradientRule rule> struct NoGradient {
  template <typename OpTy>
  class Impl
      : public mlir::OpTrait::TraitBase<OpTy, NoGradient<rule>::template Impl> {
  public:
    static constexpr GradientRule noGradient = rule;

    llvm::LogicalResult
    buildGradient(mlir::OpBuilder &, mlir::ValueRange,
                  llvm::SmallVectorImpl<mlir::Value> &operandGrads) {
      return detail::buildNoGradient(this->getOperation(), rule, operandGrads);
    }
  };
};

} // namespace weft

#endif // WEFT_INTERFACES_GRADIENT_H
