//===- Terms.h - Formulas over tensors, with broadcasting -----------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_TERMS_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_TERMS_H

#include "Lowering.h"

namespace weft {

/// Lets a rule write down its formula. Operands are broadcast to a common shape
/// where their types differ; numbers are constants of the other operand's type.
/// If shapes do not fit, an error is reported and isBroken() holds from then
/// on.
class Terms {
public:
  Terms(Lowering &lower, onnx::Node node) : lower(lower), node(node) {}

  bool isBroken() const { return broken; }

  mlir::Value add(mlir::Value a, mlir::Value b) { return binary<AddOp>(a, b); }
  mlir::Value sub(mlir::Value a, mlir::Value b) { return binary<SubOp>(a, b); }
  mlir::Value mul(mlir::Value a, mlir::Value b) { return binary<MulOp>(a, b); }
  mlir::Value div(mlir::Value a, mlir::Value b) { return binary<DivOp>(a, b); }
  mlir::Value rem(mlir::Value a, mlir::Value b) { return binary<RemOp>(a, b); }
  mlir::Value min(mlir::Value a, mlir::Value b) { return binary<MinOp>(a, b); }
  mlir::Value max(mlir::Value a, mlir::Value b) { return binary<MaxOp>(a, b); }
  mlir::Value both(mlir::Value a, mlir::Value b) { return binary<AndOp>(a, b); }

  mlir::Value add(mlir::Value a, double b) { return add(a, number(b, a)); }
  mlir::Value mul(mlir::Value a, double b) { return mul(a, number(b, a)); }
  mlir::Value div(mlir::Value a, double b) { return div(a, number(b, a)); }
  mlir::Value sub(mlir::Value a, double b) { return sub(a, number(b, a)); }
  mlir::Value sub(double a, mlir::Value b) { return sub(number(a, b), b); }
  mlir::Value min(mlir::Value a, double b) { return min(a, number(b, a)); }
  mlir::Value max(mlir::Value a, double b) { return max(a, number(b, a)); }

  template <typename OpTy> mlir::Value unary(mlir::Value a) {
    return lower.make<OpTy>(a);
  }

  mlir::Value compare(ComparePredicate predicate, mlir::Value a,
                      mlir::Value b) {
    llvm::SmallVector<mlir::Value> same = unify({a, b});
    return lower.make<CompareOp>(predicate, same[0], same[1]);
  }
  mlir::Value compare(ComparePredicate predicate, mlir::Value a, double b) {
    return compare(predicate, a, number(b, a));
  }

  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b) {
    llvm::SmallVector<mlir::Value> same = unify({condition, a, b});
    return lower.make<SelectOp>(same[0], same[1], same[2]);
  }
  mlir::Value select(mlir::Value condition, mlir::Value a, double b) {
    return select(condition, a, number(b, a));
  }
  mlir::Value select(mlir::Value condition, double a, mlir::Value b) {
    return select(condition, number(a, b), b);
  }

  /// `value` in the element type and shape of `like`.
  mlir::Value number(double value, mlir::Value like) {
    return lower.splatLike(value, like);
  }

private:
  template <typename OpTy> mlir::Value binary(mlir::Value a, mlir::Value b) {
    llvm::SmallVector<mlir::Value> same = unify({a, b});
    return lower.make<OpTy>(same[0], same[1]);
  }

  llvm::SmallVector<mlir::Value> unify(llvm::ArrayRef<mlir::Value> values) {
    llvm::SmallVector<mlir::Value> result(values);
    // Symbolic sizes that look alike may differ.
    auto shape = Lowering::typeOf(values.front()).getShape();
    if (!mlir::ShapedType::isDynamicShape(shape) &&
        llvm::all_of(values, [&](mlir::Value value) {
          return Lowering::typeOf(value).getShape() == shape;
        }))
      return result;
    llvm::FailureOr<llvm::SmallVector<mlir::Value>> common =
        lower.broadcast(node, values);
    if (succeeded(common))
      return *common;
    broken = true;
    return result;
  }

  Lowering &lower;
  onnx::Node node;
  bool broken = false;
};

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_TERMS_H
