//===- ExpandNarrowFloats.cpp - Floats of few bits by integers ------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "weft/Conversion/HostToLLVM.h"
#include <cmath>

namespace weft {
#define GEN_PASS_DEF_EXPANDNARROWFLOATSPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

using namespace mlir;

namespace {

/// How a narrow type encodes numbers. A code without its sign bit is its
/// magnitude.
struct Format {
  unsigned width, mantissa;
  int bias;
  int32_t largest;  ///< magnitude of the largest finite number
  int32_t infinite; ///< magnitude that infinity turns into
  int32_t nan;      ///< code that NaN turns into
  /// One NaN, in the place of negative zero.
  bool unsignedZero;
};

/// Integer arithmetic on values or vectors of values.
class Arithmetic {
public:
  Arithmetic(Location loc, OpBuilder &builder, Type shapedLike)
      : b(loc, builder), like(dyn_cast<VectorType>(shapedLike)) {}

  Type shaped(Type element) {
    return like ? Type(like.clone(element)) : element;
  }
  Type i32() { return shaped(b.getI32Type()); }
  Type f32() { return shaped(b.getF32Type()); }
  Value constant(TypedAttr value) {
    if (!like)
      return arith::ConstantOp::create(b, value);
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(like.clone(value.getType()),
                                  ArrayRef<Attribute>(value)));
  }
  Value integer(int32_t value) { return constant(b.getI32IntegerAttr(value)); }
  Value real(double value) { return constant(b.getF32FloatAttr(value)); }
  Value add(Value lhs, Value rhs) { return arith::AddIOp::create(b, lhs, rhs); }
  Value sub(Value lhs, Value rhs) { return arith::SubIOp::create(b, lhs, rhs); }
  Value andBits(Value lhs, int32_t mask) {
    return arith::AndIOp::create(b, lhs, integer(mask));
  }
  Value orBits(Value lhs, Value rhs) {
    return arith::OrIOp::create(b, lhs, rhs);
  }
  Value left(Value value, unsigned by) {
    return arith::ShLIOp::create(b, value, integer(by));
  }
  Value right(Value value, unsigned by) {
    return arith::ShRUIOp::create(b, value, integer(by));
  }
  Value is(arith::CmpIPredicate predicate, Value lhs, int32_t rhs) {
    return arith::CmpIOp::create(b, predicate, lhs, integer(rhs));
  }
  Value select(Value condition, Value yes, Value no) {
    return arith::SelectOp::create(b, condition, yes, no);
  }
  Value bits(Type type, Value value) {
    return arith::BitcastOp::create(b, type, value);
  }

  ImplicitLocOpBuilder b;

private:
  VectorType like;
};

} // namespace

static std::optional<Format> getFormat(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (isa<Float8E4M3FNType>(element))
    return Format{8, 3, 7, 0x7e, 0x7f, 0x7f, false};
  if (isa<Float8E4M3FNUZType>(element))
    return Format{8, 3, 8, 0x7f, 0x80, 0x80, true};
  if (isa<Float8E5M2Type>(element))
    return Format{8, 2, 15, 0x7b, 0x7c, 0x7f, false};
  if (isa<Float8E5M2FNUZType>(element))
    return Format{8, 2, 16, 0x7f, 0x80, 0x80, true};
  if (isa<Float4E2M1FNType>(element))
    return Format{4, 1, 1, 0x7, 0x7, 0x8, false};
  return std::nullopt;
}

/// Whether values of `type` are powers of two without a sign, encoded as f32
/// encodes its exponent.
static bool isScale(Type type) {
  return isa<Float8E8M0FNUType>(getElementTypeOrSelf(type));
}

static bool isBF16(Type type) { return getElementTypeOrSelf(type).isBF16(); }

/// The f32 whose upper half a bf16 is.
static Value extendBF16(Arithmetic &a, Value value) {
  Type narrowInt = a.shaped(a.b.getI16Type());
  Value code = arith::ExtUIOp::create(a.b, a.i32(), a.bits(narrowInt, value));
  return a.bits(a.f32(), a.left(code, 16));
}

/// The bf16 nearest to an f32, of two as near the even one: what is added
/// carries into the upper half where rounding goes up.
static Value truncateToBF16(Arithmetic &a, Value value, Type type) {
  Value bits = a.bits(a.i32(), value);
  Value upper = a.right(bits, 16);
  Value rounded =
      a.right(a.add(a.add(bits, a.integer(0x7fff)), a.andBits(upper, 1)), 16);
  Value isNan =
      a.is(arith::CmpIPredicate::ugt, a.andBits(bits, 0x7fffffff), 0x7f800000);
  // A quiet NaN, which keeps its sign.
  Value code = a.select(isNan, a.orBits(upper, a.integer(0x40)), rounded);
  Type narrowInt = a.shaped(a.b.getI16Type());
  return a.bits(type, arith::TruncIOp::create(a.b, narrowInt, code));
}

/// The f32 that a scale stands for; the least, 2^-127, has no exponent there.
static Value extendScale(Arithmetic &a, Value value) {
  Type narrowInt = a.shaped(a.b.getIntegerType(8));
  Value code = arith::ExtUIOp::create(a.b, a.i32(), a.bits(narrowInt, value));
  Value bits = a.left(code, 23);
  bits = a.select(a.is(arith::CmpIPredicate::eq, code, 0),
                  a.integer(0x00400000), bits);
  bits = a.select(a.is(arith::CmpIPredicate::eq, code, 0xff),
                  a.integer(0x7fc00000), bits);
  return a.bits(a.f32(), bits);
}

/// The least scale that is not below the magnitude of an f32, as ONNX casts.
static Value truncateToScale(Arithmetic &a, Value value, Type type) {
  Value bits = a.bits(a.i32(), value);
  Value exponent = a.andBits(a.right(bits, 23), 0xff);
  Value hasFraction =
      a.is(arith::CmpIPredicate::ne, a.andBits(bits, 0x7fffff), 0);
  Value up = arith::ExtUIOp::create(a.b, a.i32(), hasFraction);
  Value code = a.select(a.is(arith::CmpIPredicate::eq, exponent, 0xff),
                        exponent, a.add(exponent, up));
  Type narrowInt = a.shaped(a.b.getIntegerType(8));
  return a.bits(type, arith::TruncIOp::create(a.b, narrowInt, code));
}

static double powerOfTwo(int exponent) { return std::ldexp(1.0, exponent); }

/// The f32 that `value` of a narrow type stands for.
static Value extendToF32(Arithmetic &a, Value value, const Format &format) {
  Type narrowInt = a.shaped(a.b.getIntegerType(format.width));
  Value code = arith::ExtUIOp::create(a.b, a.i32(), a.bits(narrowInt, value));
  int32_t signBit = 1 << (format.width - 1);
  Value sign = a.left(a.right(code, format.width - 1), 31);
  Value magnitude = a.andBits(code, signBit - 1);

  Value normal = a.add(a.left(magnitude, 23 - format.mantissa),
                       a.integer((127 - format.bias) << 23));
  Value mantissa = arith::UIToFPOp::create(a.b, a.f32(), magnitude);
  Value tiny = arith::MulFOp::create(
      a.b, mantissa, a.real(powerOfTwo(1 - format.bias - format.mantissa)));
  Value bits =
      a.select(a.is(arith::CmpIPredicate::ult, magnitude, 1 << format.mantissa),
               a.bits(a.i32(), tiny), normal);

  Value nan = a.integer(0x7fc00000);
  if (format.unsignedZero) {
    bits =
        a.select(a.is(arith::CmpIPredicate::eq, code, format.nan), nan, bits);
  } else if (format.width == 8) {
    // Above the largest number there may be infinity, then NaN.
    if (format.infinite != format.nan)
      bits =
          a.select(a.is(arith::CmpIPredicate::eq, magnitude, format.infinite),
                   a.integer(0x7f800000), bits);
    int32_t first =
        format.infinite != format.nan ? format.infinite + 1 : format.nan;
    bits =
        a.select(a.is(arith::CmpIPredicate::uge, magnitude, first), nan, bits);
  }
  return a.bits(a.f32(), a.orBits(bits, sign));
}

/// The narrow value that an f32 is rounded to.
static Value truncateFromF32(Arithmetic &a, Value value, Type type,
                             const Format &format) {
  Value bits = a.bits(a.i32(), value);
  Value sign = a.left(a.right(bits, 31), format.width - 1);
  Value wide = a.andBits(bits, 0x7fffffff);

  // Adding just less than half of the last place, and one more if that place
  // is odd, carries where rounding goes up.
  unsigned shift = 23 - format.mantissa;
  Value odd = a.andBits(a.right(wide, shift), 1);
  Value rounded = a.right(
      a.add(a.add(wide, a.integer((1 << (shift - 1)) - 1)), odd), shift);
  Value normal =
      a.sub(rounded, a.integer((127 - format.bias) << format.mantissa));
  // In the sum with this number, the last place is that of the narrow type.
  double aligned = powerOfTwo(23 + 1 - format.bias - format.mantissa);
  Value absolute = a.bits(a.f32(), wide);
  Value sum = arith::AddFOp::create(a.b, absolute, a.real(aligned));
  Value tiny =
      a.sub(a.bits(a.i32(), sum),
            a.integer(llvm::bit_cast<int32_t>(static_cast<float>(aligned))));
  int32_t firstNormal = (128 - format.bias) << 23;
  Value code = a.select(a.is(arith::CmpIPredicate::ult, wide, firstNormal),
                        tiny, normal);

  code = a.select(a.is(arith::CmpIPredicate::sgt, code, format.largest),
                  a.integer(format.infinite), code);
  Value isZero = a.is(arith::CmpIPredicate::eq, code, 0);
  code = a.orBits(code, sign);
  if (format.unsignedZero)
    code = a.select(isZero, a.integer(0), code);
  Value nan = a.integer(format.nan);
  if (!format.unsignedZero)
    nan = a.orBits(nan, sign);
  code = a.select(a.is(arith::CmpIPredicate::ugt, wide, 0x7f800000), nan, code);
  Type narrowInt = a.shaped(a.b.getIntegerType(format.width));
  return a.bits(type, arith::TruncIOp::create(a.b, narrowInt, code));
}

/// The integer that holds a bf16, or a vector of them; other types as they are.
static Type replaceBF16(Type type) {
  if (!isBF16(type) || !isa<FloatType, VectorType>(type))
    return type;
  Type bits = IntegerType::get(type.getContext(), 16);
  auto vector = dyn_cast<VectorType>(type);
  return vector ? Type(vector.clone(bits)) : bits;
}

static TypedAttr replaceBF16(TypedAttr attr) {
  Type type = replaceBF16(attr.getType());
  if (type == attr.getType())
    return attr;
  if (auto number = dyn_cast<FloatAttr>(attr))
    return IntegerAttr::get(type, number.getValue().bitcastToAPInt());
  return cast<DenseElementsAttr>(attr).bitcast(getElementTypeOrSelf(type));
}

/// Makes integers of what is left of bf16, which is only stored, chosen and
/// carried around: LLVM would choose between two by way of f32, and leave the
/// way back to a library.
static void replaceBF16(Operation *root) {
  auto replaceAll = [](TypeRange types) {
    return llvm::map_to_vector(types,
                               [](Type type) { return replaceBF16(type); });
  };
  root->walk([&](Operation *op) {
    if (auto function = dyn_cast<func::FuncOp>(op))
      function.setType(FunctionType::get(
          op->getContext(), replaceAll(function.getArgumentTypes()),
          replaceAll(function.getResultTypes())));
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        argument.setType(replaceBF16(argument.getType()));
    for (OpResult result : op->getResults())
      result.setType(replaceBF16(result.getType()));
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      constant.setValueAttr(replaceBF16(constant.getValue()));
  });
  root->walk([](arith::BitcastOp op) {
    if (op.getIn().getType() != op.getType())
      return;
    op.replaceAllUsesWith(op.getIn());
    op.erase();
  });
}

namespace {

struct ExpandExtF : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Format> format = getFormat(op.getIn().getType());
    bool scale = isScale(op.getIn().getType());
    bool brain = isBF16(op.getIn().getType());
    if (!format && !scale && !brain)
      return rewriter.notifyMatchFailure(op, "not a narrow float");
    Arithmetic a(op.getLoc(), rewriter, op.getType());
    Value wide = brain   ? extendBF16(a, op.getIn())
                 : scale ? extendScale(a, op.getIn())
                         : extendToF32(a, op.getIn(), *format);
    unsigned width = getElementTypeOrSelf(op.getType()).getIntOrFloatBitWidth();
    if (width > 32)
      wide = arith::ExtFOp::create(a.b, op.getType(), wide);
    else if (width < 32)
      wide = arith::TruncFOp::create(a.b, op.getType(), wide);
    rewriter.replaceOp(op, wide);
    return success();
  }
};

struct ExpandTruncF : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Format> format = getFormat(op.getType());
    bool scale = isScale(op.getType()), brain = isBF16(op.getType());
    if (!format && !scale && !brain)
      return rewriter.notifyMatchFailure(op, "not a narrow float");
    Arithmetic a(op.getLoc(), rewriter, op.getType());
    Value wide = op.getIn();
    unsigned width =
        getElementTypeOrSelf(wide.getType()).getIntOrFloatBitWidth();
    if (width > 32)
      wide = arith::TruncFOp::create(a.b, a.f32(), wide);
    else if (width < 32)
      wide = arith::ExtFOp::create(a.b, a.f32(), wide);
    Type type = op.getType();
    rewriter.replaceOp(op, brain   ? truncateToBF16(a, wide, type)
                           : scale ? truncateToScale(a, wide, type)
                                   : truncateFromF32(a, wide, type, *format));
    return success();
  }
};

static bool isNarrow(Type type) {
  return getFormat(type) || isScale(type) || isBF16(type);
}

/// What reads narrow floats reads the numbers that they stand for: comparisons,
/// and conversions to integers that others were folded into.
template <typename OpTy> struct WidenOperands : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Type type = op->getOperand(0).getType();
    if (!isNarrow(type))
      return rewriter.notifyMatchFailure(op, "not a narrow float");
    Arithmetic a(op.getLoc(), rewriter, type);
    rewriter.modifyOpInPlace(op, [&] {
      for (OpOperand &operand : op->getOpOperands())
        operand.set(arith::ExtFOp::create(a.b, a.f32(), operand.get()));
    });
    return success();
  }
};

/// Integers become narrow floats by way of f32.
template <typename OpTy> struct WidenResult : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!isNarrow(op.getType()))
      return rewriter.notifyMatchFailure(op, "not a narrow float");
    Arithmetic a(op.getLoc(), rewriter, op.getType());
    Value wide = OpTy::create(a.b, a.f32(), op.getIn());
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, op.getType(), wide);
    return success();
  }
};

struct ExpandNarrowFloatsPass
    : weft::impl::ExpandNarrowFloatsPassBase<ExpandNarrowFloatsPass> {
  using ExpandNarrowFloatsPassBase::ExpandNarrowFloatsPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExtF, ExpandTruncF, WidenOperands<arith::CmpFOp>,
                 WidenOperands<arith::FPToSIOp>, WidenOperands<arith::FPToUIOp>,
                 WidenResult<arith::SIToFPOp>, WidenResult<arith::UIToFPOp>>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    replaceBF16(getOperation());
  }
};

} // namespace
