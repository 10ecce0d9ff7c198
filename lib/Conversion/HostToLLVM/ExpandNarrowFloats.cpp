//===- ExpandNarrowFloats.cpp - Floats of 8 and 4 bits by integers --------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
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

namespace {

struct ExpandExtF : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Format> format = getFormat(op.getIn().getType());
    bool scale = isScale(op.getIn().getType());
    if (!format && !scale)
      return rewriter.notifyMatchFailure(op, "not a narrow float");
    Arithmetic a(op.getLoc(), rewriter, op.getType());
    Value wide = scale ? extendScale(a, op.getIn())
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
    bool scale = isScale(op.getType());
    if (!format && !scale)
      return rewriter.notifyMatchFailure(op, "not a narrow float");
    Arithmetic a(op.getLoc(), rewriter, op.getType());
    Value wide = op.getIn();
    unsigned width =
        getElementTypeOrSelf(wide.getType()).getIntOrFloatBitWidth();
    if (width > 32)
      wide = arith::TruncFOp::create(a.b, a.f32(), wide);
    else if (width < 32)
      wide = arith::ExtFOp::create(a.b, a.f32(), wide);
    rewriter.replaceOp(op,
                       scale ? truncateToScale(a, wide, op.getType())
                             : truncateFromF32(a, wide, op.getType(), *format));
    return success();
  }
};

struct ExpandNarrowFloatsPass
    : weft::impl::ExpandNarrowFloatsPassBase<ExpandNarrowFloatsPass> {
  using ExpandNarrowFloatsPassBase::ExpandNarrowFloatsPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExtF, ExpandTruncF>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
