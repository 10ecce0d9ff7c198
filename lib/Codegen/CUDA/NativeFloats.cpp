//===- NativeFloats.cpp - Floats by the instructions of GPUs --------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "weft/Codegen/CUDA/Passes.h"

namespace weft {
#define GEN_PASS_DEF_NATIVEFLOATSPASS
#include "weft/Codegen/CUDA/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {

/// Rounds f32 to bf16. Text, since LLVM's own type would need its arithmetic,
/// and a pair, since the instruction for one is a slow one.
struct RoundToBF16 : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getIn().getType().isF32() || !op.getType().isBF16())
      return rewriter.notifyMatchFailure(op, "not from f32 to bf16");
    Location loc = op.getLoc();
    auto pair = LLVM::InlineAsmOp::create(
        rewriter, loc, rewriter.getI32Type(), op.getIn(),
        "cvt.rn.bf16x2.f32 $0, 0f00000000, $1;", "=r,f",
        /*has_side_effects=*/false, /*is_align_stack=*/false,
        LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
    Value low = arith::TruncIOp::create(rewriter, loc, rewriter.getI16Type(),
                                        pair.getResult(0));
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), low);
    return success();
  }
};

/// Keeps the larger or smaller of two from becoming comparisons.
template <typename From, typename To>
struct KeepExtreme : OpRewritePattern<From> {
  using OpRewritePattern<From>::OpRewritePattern;

  LogicalResult matchAndRewrite(From op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32() && !op.getType().isF16())
      return rewriter.notifyMatchFailure(op, "no instruction for the type");
    rewriter.replaceOpWithNewOp<To>(op, op.getLhs(), op.getRhs());
    return success();
  }
};

struct NativeFloats : weft::impl::NativeFloatsPassBase<NativeFloats> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<RoundToBF16, KeepExtreme<arith::MaximumFOp, LLVM::MaximumOp>,
                 KeepExtreme<arith::MinimumFOp, LLVM::MinimumOp>>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
