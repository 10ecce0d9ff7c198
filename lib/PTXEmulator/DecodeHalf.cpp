//===- DecodeHalf.cpp - Arithmetic on f16 and bf16 ------------------------===//
//
// Done in double, which holds products and, rounded to odd, sums, and rounded
// once. Pairs are two operations.
//
//===----------------------------------------------------------------------===//

#include "Handlers.h"
#include "Number.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

/// y: bits of these.
enum : uint8_t {
  kFtz = 1,
  kSat = 2,
  kNaN = 4,
  kRelu = 8,
  kXorSign = 16,
  kAbs = 32
};

struct Half {
  static constexpr uint16_t kSmallestNormal = 0x0400;
  static double from(uint16_t bits) { return halfToFloat(bits); }
  static uint16_t to(double value) {
    return uint16_t(toFormat(value, kHalf, Rounding::Nearest));
  }
};

struct BFloat {
  static constexpr uint16_t kSmallestNormal = 0x0080;
  static double from(uint16_t bits) { return bfloatToFloat(bits); }
  static uint16_t to(double value) {
    return uint16_t(toFormat(value, kBFloat, Rounding::Nearest));
  }
};

template <class T> uint16_t flushHalf(uint16_t bits) {
  return (bits & 0x7fff) < T::kSmallestNormal ? bits & 0x8000 : bits;
}

template <class T> double in(const Instr &instr, uint16_t bits) {
  return T::from(instr.y & kFtz ? flushHalf<T>(bits) : bits);
}

template <class T> uint16_t finish(const Instr &instr, double value) {
  if (instr.y & kSat)
    value = value > 0 ? std::min(value, 1.0) : 0.0;
  if (instr.y & kRelu && !(value > 0) && !std::isnan(value))
    value = 0;
  uint16_t bits = T::to(value);
  return instr.y & kFtz ? flushHalf<T>(bits) : bits;
}

struct Add {
  static double apply(const Instr &, double a, double b) {
    return addToOdd(a, b);
  }
};
struct Sub {
  static double apply(const Instr &, double a, double b) {
    return addToOdd(a, -b);
  }
};
struct Mul {
  static double apply(const Instr &, double a, double b) { return a * b; }
};
template <bool Greater> struct Choose {
  static double apply(const Instr &instr, double a, double b) {
    bool negative = std::signbit(a) != std::signbit(b);
    if (instr.y & kAbs)
      a = std::fabs(a), b = std::fabs(b);
    double result;
    if (std::isnan(a) || std::isnan(b))
      result = (std::isnan(a) && std::isnan(b)) || instr.y & kNaN ? NAN
               : std::isnan(a)                                    ? b
                                                                  : a;
    else if (a == b)
      result = std::signbit(a) == Greater ? b : a;
    else
      result = (a < b) == Greater ? b : a;
    return instr.y & kXorSign ? std::copysign(result, negative ? -1.0 : 1.0)
                              : result;
  }
};

// Parts: 1 for a half, 2 for a pair.
template <class T, class Op, unsigned Parts>
void halfBinary(Warp &warp, const Instr &instr, Mask lanes) {
  uint16_t *d = warp.out<uint16_t>(instr.d);
  const uint16_t *a = warp.in<uint16_t>(instr.a);
  const uint16_t *b = warp.in<uint16_t>(instr.b);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    for (unsigned i = lane * Parts; i < (lane + 1) * Parts; ++i)
      d[i] = finish<T>(
          instr, Op::apply(instr, in<T>(instr, a[i]), in<T>(instr, b[i])));
  }
}

template <class T, unsigned Parts>
void halfFma(Warp &warp, const Instr &instr, Mask lanes) {
  uint16_t *d = warp.out<uint16_t>(instr.d);
  const uint16_t *a = warp.in<uint16_t>(instr.a);
  const uint16_t *b = warp.in<uint16_t>(instr.b);
  const uint16_t *c = warp.in<uint16_t>(instr.c);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    for (unsigned i = lane * Parts; i < (lane + 1) * Parts; ++i)
      d[i] = finish<T>(instr, addToOdd(in<T>(instr, a[i]) * in<T>(instr, b[i]),
                                       in<T>(instr, c[i])));
  }
}

// x: negates, else takes the absolute value.
template <class T, unsigned Parts>
void halfSign(Warp &warp, const Instr &instr, Mask lanes) {
  uint16_t *d = warp.out<uint16_t>(instr.d);
  const uint16_t *a = warp.in<uint16_t>(instr.a);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    for (unsigned i = lane * Parts; i < (lane + 1) * Parts; ++i) {
      uint16_t value = instr.y & kFtz ? flushHalf<T>(a[i]) : a[i];
      d[i] = instr.x ? value ^ 0x8000 : value & 0x7fff;
    }
  }
}

template <class T, unsigned Parts> Handler handler(std::string_view name) {
  if (name == "add")
    return halfBinary<T, Add, Parts>;
  if (name == "sub")
    return halfBinary<T, Sub, Parts>;
  if (name == "mul")
    return halfBinary<T, Mul, Parts>;
  if (name == "min")
    return halfBinary<T, Choose<false>, Parts>;
  if (name == "max")
    return halfBinary<T, Choose<true>, Parts>;
  if (name == "fma")
    return halfFma<T, Parts>;
  if (name == "abs" || name == "neg")
    return halfSign<T, Parts>;
  return nullptr;
}

} // namespace

void weft::ptx::decodeHalf(Decoder &decoder) {
  std::string_view name = decoder.name();
  Type type = decoder.takeType();
  Instr &instr = decoder.instr;
  decoder.take("rn");
  instr.y =
      uint8_t(decoder.take("ftz") * kFtz | decoder.take("sat") * kSat |
              decoder.take("NaN") * kNaN | decoder.take("relu") * kRelu |
              decoder.take("xorsign") * kXorSign | decoder.take("abs") * kAbs);
  instr.x = name == "neg";
  bool one = name == "neg" || name == "abs", three = name == "fma";
  size_t wanted = one ? 2 : three ? 4 : 3;
  decoder.expectCount(wanted, wanted);
  instr.d = decoder.target(0, type);
  instr.a = decoder.source(1, type);
  if (!one)
    instr.b = decoder.source(2, type);
  if (three)
    instr.c = decoder.source(3, type);
  switch (type) {
  case Type::F16:
    setHandler(decoder, handler<Half, 1>(name));
    break;
  case Type::F16x2:
    setHandler(decoder, handler<Half, 2>(name));
    break;
  case Type::BF16:
    setHandler(decoder, handler<BFloat, 1>(name));
    break;
  case Type::BF16x2:
    setHandler(decoder, handler<BFloat, 2>(name));
    break;
  default:
    decoder.fail("this type is not supported");
  }
  decoder.emit();
}
