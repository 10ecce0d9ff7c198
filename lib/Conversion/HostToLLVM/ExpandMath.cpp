//===- ExpandMath.cpp - Math functions as polynomials ---------------------===//

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "weft/Conversion/HostToLLVM.h"

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
struct ExpandMathPass : weft::impl::ExpandMathPassBase<ExpandMathPass> {
  using ExpandMathPassBase::ExpandMathPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathF32ExpansionPatterns(patterns, isComputedInF32);
    populateMathPolynomialApproximationPatterns(patterns, hasPolynomial);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
