//===- ExpandMath.cpp - Math functions as polynomials ---------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "weft/Conversion/HostToLLVM.h"
#include <cmath>
#include <limits>

namespace weft {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

using namespace mlir;

/// Functions that have an accurate polynomial. The others of upstream are left
/// to libm: its reduction of large angles is not exact, and the inverse
/// functions lose digits.
static bool hasPolynomial(StringRef name) {
  return llvm::is_contained({"math.exp", "math.expm1", "math.log", "math.log1p",
                             "math.log2", "math.tanh", "math.erf"},
                            name);
}

/// Functions that f16 and bf16 have no instructions for.
static bool isComputedInF32(StringRef name) {
  return !llvm::is_contained({"math.absf", "math.fma", "math.copysign",
                              "math.isnan", "math.isinf", "math.isfinite",
                              "math.isnormal", "math.fpowi"},
                             name);
}

namespace {

/// Brings numbers below the normal range into it before the polynomial, which
/// takes exponents apart: log(x) = log(x * 2^24) - 24 log(2).
template <typename OpT> struct ScaleTinyLogarithm : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  static constexpr StringLiteral doneAttr = "weft.normal";

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32() || op->hasAttr(doneAttr))
      return rewriter.notifyMatchFailure(op, "not f32, or done");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto constant = [&](double value) -> Value {
      TypedAttr attr = b.getF32FloatAttr(value);
      if (auto shaped = dyn_cast<VectorType>(type))
        attr = DenseElementsAttr::get(shaped, Attribute(attr));
      return arith::ConstantOp::create(b, attr);
    };
    bool isBinary = std::is_same_v<OpT, math::Log2Op>;
    double step = 24 * (isBinary ? 1.0 : std::log(2.0));
    Value x = op.getOperand();
    Value limit = constant(std::numeric_limits<float>::min());
    Value isTiny =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, limit);
    Value scaled = arith::MulFOp::create(b, x, constant(std::ldexp(1.0, 24)));
    auto log = OpT::create(
        b, arith::SelectOp::create(b, isTiny, scaled, x).getResult(),
        op.getFastmathAttr());
    log->setAttr(doneAttr, b.getUnitAttr());
    Value shifted = arith::SubFOp::create(b, log, constant(step));
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, isTiny, shifted, log);
    return success();
  }
};

struct ExpandMathPass : weft::impl::ExpandMathPassBase<ExpandMathPass> {
  using ExpandMathPassBase::ExpandMathPassBase;

  void runOnOperation() override {
    RewritePatternSet scaling(&getContext());
    if (polynomials)
      scaling.add<ScaleTinyLogarithm<math::LogOp>,
                  ScaleTinyLogarithm<math::Log2Op>>(&getContext());
    populateMathF32ExpansionPatterns(scaling, isComputedInF32);
    if (failed(applyPatternsGreedily(getOperation(), std::move(scaling))))
      return signalPassFailure();
    if (!polynomials)
      return;

    RewritePatternSet patterns(&getContext());
    populateMathPolynomialApproximationPatterns(patterns, hasPolynomial);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
