//===- Terms.h - The language that gradients are written in ---------------===//
//
// Formulas on tensors of equal type: `g * (1.0 - y * y)` emits the ops that
// compute it.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECT_WEFT_IR_TERMS_H
#define WEFT_DIALECT_WEFT_IR_TERMS_H

#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft::detail {

/// A tensor in a formula, and where to put what is computed of it. Numbers take
/// the shape and type of what they meet.
struct Term {
  mlir::ImplicitLocOpBuilder *b;
  mlir::Value value;

  /// A tensor of the type and sizes of this one, filled with `constant`.
  Term number(double constant) const;
};

template <typename OpTy> Term apply(Term x) {
  return {x.b, OpTy::create(*x.b, x.value).getResult()};
}
template <typename OpTy> Term apply(Term a, Term b) {
  return {a.b, OpTy::create(*a.b, a.value, b.value).getResult()};
}

inline Term operator+(Term a, Term b) { return apply<AddOp>(a, b); }
inline Term operator-(Term a, Term b) { return apply<SubOp>(a, b); }
inline Term operator*(Term a, Term b) { return apply<MulOp>(a, b); }
inline Term operator/(Term a, Term b) { return apply<DivOp>(a, b); }
inline Term operator-(Term a) { return apply<NegOp>(a); }
inline Term operator+(Term a, double b) { return a + a.number(b); }
inline Term operator-(Term a, double b) { return a - a.number(b); }
inline Term operator-(double a, Term b) { return b.number(a) - b; }
inline Term operator*(double a, Term b) { return b.number(a) * b; }
inline Term squareRoot(Term x) { return apply<SqrtOp>(x); }

/// A tensor of i1: where `a how b` holds.
inline Term compare(ComparePredicate how, Term a, Term b) {
  return {a.b, CompareOp::create(*a.b, how, a.value, b.value).getResult()};
}

/// `yes` where `condition` (of i1) holds, `no` elsewhere.
inline Term choose(Term condition, Term yes, Term no) {
  return {yes.b, SelectOp::create(*yes.b, yes.value.getType(), condition.value,
                                  yes.value, no.value)};
}

/// Whether `value` is a tensor of floats, of which there may be a gradient.
bool isFloat(mlir::Value value);

/// The sizes of `tensor`: attributes where its type knows them.
llvm::SmallVector<mlir::OpFoldResult> getSizesOf(mlir::ImplicitLocOpBuilder &b,
                                                 mlir::Value tensor);

/// The symbolic sizes of `tensor` in order.
llvm::SmallVector<mlir::Value> getSymbolicSizes(mlir::ImplicitLocOpBuilder &b,
                                                mlir::Value tensor);

/// A single element.
mlir::Value makeNumber(mlir::ImplicitLocOpBuilder &b, mlir::Type elementType,
                       double constant);

/// A tensor of `sizes` filled with `constant`.
mlir::Value makeSplat(mlir::ImplicitLocOpBuilder &b,
                      llvm::ArrayRef<mlir::OpFoldResult> sizes,
                      mlir::Type elementType, double constant);

/// A tensor of the type and sizes of `like`, filled with `constant`.
mlir::Value makeSplat(mlir::ImplicitLocOpBuilder &b, mlir::Value like,
                      double constant);

/// A tensor of the sizes of `like` and elements of `elementType`, filled with
/// `constant`.
mlir::Value makeSplat(mlir::ImplicitLocOpBuilder &b, mlir::Value like,
                      mlir::Type elementType, double constant);

/// Gives no operand a gradient, for a result that has none.
llvm::LogicalResult leaveOut(mlir::Operation *op,
                             llvm::SmallVectorImpl<mlir::Value> &grads);

/// Gives the first operands the gradients `first`, and the others none.
llvm::LogicalResult finish(mlir::Operation *op,
                           llvm::ArrayRef<mlir::Value> first,
                           llvm::SmallVectorImpl<mlir::Value> &grads);

} // namespace weft::detail

#endif // WEFT_DIALECT_WEFT_IR_TERMS_H
