//===- Expr.h - Tensors as the terms of a formula -------------------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_EXPR_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_EXPR_H

#include "Lowering.h"

namespace weft {

/// A lowered value in a formula. Operators build weft ops, broadcast their
/// operands as numpy does and take a number for a constant of the other
/// operand's element type. Shapes are the caller's promise: of two symbolic
/// sizes the first counts.
class Expr {
public:
  Expr() = default;
  Expr(Lowering &lower, mlir::Value value) : lower(&lower), value(value) {}

  operator mlir::Value() const { return value; }
  explicit operator bool() const { return bool(value); }
  Lowering &getLowering() const { return *lower; }
  int64_t rank() const { return Lowering::rankOf(value); }
  mlir::Type element() const { return Lowering::elementOf(value); }
  mlir::OpFoldResult size(int64_t dim) const { return lower->size(value, dim); }
  llvm::SmallVector<mlir::OpFoldResult> sizes() const {
    return lower->sizes(value);
  }

  /// A rank-0 constant of this term's element type.
  Expr number(double number) const {
    return {*lower, lower->splat(number, element())};
  }
  Expr cast(mlir::Type type) const {
    return {*lower, lower->cast(value, type)};
  }
  /// The conversion that clamps floats to the range of the new type.
  Expr castSaturated(mlir::Type type) const;
  Expr reshape(llvm::ArrayRef<mlir::OpFoldResult> shape) const {
    return {*lower, lower->reshape(value, shape)};
  }
  Expr reshape(llvm::ArrayRef<int64_t> shape) const;
  /// With dimensions of size one that will stand at `axes` (rising).
  Expr unsqueeze(llvm::ArrayRef<int64_t> axes) const;
  Expr transpose(llvm::ArrayRef<int64_t> permutation) const {
    return {*lower, lower->transpose(value, permutation)};
  }
  Expr broadcast(llvm::ArrayRef<mlir::OpFoldResult> shape) const {
    return {*lower, lower->broadcastTo(value, shape)};
  }
  Expr reduce(ReduceKind kind, llvm::ArrayRef<int64_t> axes,
              bool keepDims = false) const {
    return {*lower, lower->reduce(kind, value, axes, keepDims)};
  }
  Expr sum(llvm::ArrayRef<int64_t> axes, bool keepDims = false) const {
    return reduce(ReduceKind::sum, axes, keepDims);
  }
  Expr gather(Expr indices, int64_t axis) const {
    return {*lower, lower->make<GatherOp>(value, indices.value, axis)};
  }
  Expr gatherND(Expr indices, int64_t batchDims) const {
    return {*lower, lower->make<GatherNDOp>(value, indices.value, batchDims)};
  }
  /// The part `[offset, offset + size)` of one dimension.
  Expr narrow(int64_t axis, mlir::OpFoldResult offset,
              mlir::OpFoldResult size) const;
  /// Element `index` of a dimension, which vanishes.
  Expr at(int64_t axis, int64_t index) const;

private:
  Lowering *lower = nullptr;
  mlir::Value value;
};

/// The shape that terms broadcast to.
llvm::SmallVector<mlir::OpFoldResult> commonShape(llvm::ArrayRef<Expr> terms);
/// The terms, all of that shape.
llvm::SmallVector<Expr> unify(llvm::ArrayRef<Expr> terms);

template <typename OpTy> Expr unaryExpr(Expr a) {
  Lowering &lower = a.getLowering();
  return {lower, lower.make<OpTy>(mlir::Value(a))};
}
template <typename OpTy> Expr binaryExpr(Expr a, Expr b) {
  llvm::SmallVector<Expr> both = unify({a, b});
  Lowering &lower = a.getLowering();
  return {lower, lower.make<OpTy>(mlir::Value(both[0]), mlir::Value(both[1]))};
}
Expr compareExpr(ComparePredicate predicate, Expr a, Expr b);

inline Expr operator+(Expr a, Expr b) { return binaryExpr<AddOp>(a, b); }
inline Expr operator-(Expr a, Expr b) { return binaryExpr<SubOp>(a, b); }
inline Expr operator*(Expr a, Expr b) { return binaryExpr<MulOp>(a, b); }
inline Expr operator/(Expr a, Expr b) { return binaryExpr<DivOp>(a, b); }
inline Expr operator%(Expr a, Expr b) { return binaryExpr<RemOp>(a, b); }
inline Expr operator&(Expr a, Expr b) { return binaryExpr<AndOp>(a, b); }
inline Expr operator|(Expr a, Expr b) { return binaryExpr<OrOp>(a, b); }
inline Expr operator+(Expr a, double b) { return a + a.number(b); }
inline Expr operator-(Expr a, double b) { return a - a.number(b); }
inline Expr operator*(Expr a, double b) { return a * a.number(b); }
inline Expr operator/(Expr a, double b) { return a / a.number(b); }
inline Expr operator%(Expr a, double b) { return a % a.number(b); }
inline Expr operator+(double a, Expr b) { return b.number(a) + b; }
inline Expr operator-(double a, Expr b) { return b.number(a) - b; }
inline Expr operator*(double a, Expr b) { return b.number(a) * b; }
inline Expr operator/(double a, Expr b) { return b.number(a) / b; }
inline Expr operator-(Expr a) { return unaryExpr<NegOp>(a); }

inline Expr operator<(Expr a, Expr b) {
  return compareExpr(ComparePredicate::lt, a, b);
}
inline Expr operator<=(Expr a, Expr b) {
  return compareExpr(ComparePredicate::le, a, b);
}
inline Expr operator>(Expr a, Expr b) {
  return compareExpr(ComparePredicate::gt, a, b);
}
inline Expr operator>=(Expr a, Expr b) {
  return compareExpr(ComparePredicate::ge, a, b);
}
inline Expr operator<(Expr a, double b) { return a < a.number(b); }
inline Expr operator<=(Expr a, double b) { return a <= a.number(b); }
inline Expr operator>(Expr a, double b) { return a > a.number(b); }
inline Expr operator>=(Expr a, double b) { return a >= a.number(b); }

inline Expr equal(Expr a, Expr b) {
  return compareExpr(ComparePredicate::eq, a, b);
}
inline Expr equal(Expr a, double b) { return equal(a, a.number(b)); }
inline Expr unequal(Expr a, Expr b) {
  return compareExpr(ComparePredicate::ne, a, b);
}

inline Expr min(Expr a, Expr b) { return binaryExpr<MinOp>(a, b); }
inline Expr max(Expr a, Expr b) { return binaryExpr<MaxOp>(a, b); }
inline Expr min(Expr a, double b) { return min(a, a.number(b)); }
inline Expr max(Expr a, double b) { return max(a, a.number(b)); }
inline Expr clamp(Expr a, double low, double high) {
  return min(max(a, low), high);
}
inline Expr abs(Expr a) { return unaryExpr<AbsOp>(a); }
inline Expr ceil(Expr a) { return unaryExpr<CeilOp>(a); }
inline Expr cos(Expr a) { return unaryExpr<CosOp>(a); }
inline Expr exp(Expr a) { return unaryExpr<ExpOp>(a); }
inline Expr floor(Expr a) { return unaryExpr<FloorOp>(a); }
inline Expr inverted(Expr a) { return unaryExpr<NotOp>(a); }
inline Expr isNan(Expr a) { return unaryExpr<IsNanOp>(a); }
inline Expr log(Expr a) { return unaryExpr<LogOp>(a); }
inline Expr logistic(Expr a) { return unaryExpr<LogisticOp>(a); }
inline Expr round(Expr a) { return unaryExpr<RoundOp>(a); }
inline Expr sin(Expr a) { return unaryExpr<SinOp>(a); }
inline Expr sqrt(Expr a) { return unaryExpr<SqrtOp>(a); }
inline Expr tanh(Expr a) { return unaryExpr<TanhOp>(a); }
inline Expr pow(Expr a, Expr b) { return binaryExpr<PowOp>(a, b); }

Expr select(Expr condition, Expr a, Expr b);
inline Expr select(Expr condition, Expr a, double b) {
  return select(condition, a, a.number(b));
}
inline Expr select(Expr condition, double a, Expr b) {
  return select(condition, b.number(a), b);
}

/// Sum of products; the arguments are those of weft.contract.
Expr contract(Expr lhs, Expr rhs, llvm::ArrayRef<int64_t> lhsBatch,
              llvm::ArrayRef<int64_t> rhsBatch,
              llvm::ArrayRef<int64_t> lhsContract,
              llvm::ArrayRef<int64_t> rhsContract, mlir::Type type = {});

/// Terms stacked along a new last dimension.
Expr stackLast(llvm::ArrayRef<Expr> terms);
Expr concat(llvm::ArrayRef<Expr> terms, int64_t axis);

/// 0, 1, 2, ...: a tensor of rank one.
Expr iota(Lowering &lower, mlir::Type type, mlir::OpFoldResult size);
/// A tensor with one value everywhere.
Expr full(Lowering &lower, double value, mlir::Type type,
          llvm::ArrayRef<mlir::OpFoldResult> shape);
/// A size as a rank-0 term.
Expr sizeTerm(Lowering &lower, mlir::OpFoldResult size, mlir::Type type);
/// The only element of a term as a size.
mlir::OpFoldResult sizeOf(Expr term);
/// Constants.
Expr table(Lowering &lower, llvm::ArrayRef<double> values, mlir::Type type,
           llvm::ArrayRef<int64_t> shape);
Expr table(Lowering &lower, llvm::ArrayRef<int64_t> values, mlir::Type type,
           llvm::ArrayRef<int64_t> shape);
Expr table(Lowering &lower, llvm::ArrayRef<float> values, mlir::Type type,
           llvm::ArrayRef<int64_t> shape);

/// Emits a loop of `trips` iterations; `step` gets the iteration's number and
/// the carried terms and returns the next ones.
llvm::SmallVector<Expr>
loop(Lowering &lower, mlir::OpFoldResult trips, llvm::ArrayRef<Expr> inits,
     llvm::function_ref<llvm::SmallVector<Expr>(mlir::Value,
                                                llvm::ArrayRef<Expr>)>
         step);

/// The element type that the model declares for a result.
mlir::Type declaredElement(onnx::Node node, unsigned result = 0);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_EXPR_H
