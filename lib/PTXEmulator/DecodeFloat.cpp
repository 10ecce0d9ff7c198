//===- DecodeFloat.cpp - Arithmetic on f32 and f64 ------------------------===//

#include "Handlers.h"
#include "Number.h"

using namespace weft::ptx;

namespace {

/// x: rounding, y: bits of these.
enum : uint8_t { kFtz = 1, kSat = 2, kNaN = 4, kXorSign = 8, kAbs = 16 };

Rounding roundingOf(const Instr &instr) { return Rounding(instr.x); }

float in(const Instr &instr, float value) {
  return instr.y & kFtz ? flush(value) : value;
}
double in(const Instr &, double value) { return value; }

// Saturation makes NaN and -0 zero.
float finish(const Instr &instr, float value) {
  if (instr.y & kFtz)
    value = flush(value);
  if (instr.y & kSat)
    value = value > 0 ? (value > 1 ? 1.0f : value) : 0.0f;
  return value;
}
double finish(const Instr &, double value) { return value; }

//===----------------------------------------------------------------------===//
// Rounded operations, for both types

// Whether a sum of zero is -0 depends on the mode.
float addToFloat(Rounding rounding, double a, double b) {
  double sum = addToOdd(a, b);
  return sum == 0 ? float(addRounded(a, b, rounding))
                  : roundToFloat(sum, rounding);
}
float add(Rounding rounding, float a, float b) {
  return addToFloat(rounding, a, b);
}
double add(Rounding rounding, double a, double b) {
  return addRounded(a, b, rounding);
}
float mul(Rounding rounding, float a, float b) {
  return roundToFloat(double(a) * b, rounding);
}
double mul(Rounding rounding, double a, double b) {
  return mulRounded(a, b, rounding);
}
float fma(Rounding rounding, float a, float b, float c) {
  if (rounding == Rounding::Nearest)
    return std::fma(a, b, c);
  return addToFloat(rounding, double(a) * b, c);
}
double fma(Rounding rounding, double a, double b, double c) {
  return fmaRounded(a, b, c, rounding);
}
float div(Rounding rounding, float a, float b) {
  return rounding == Rounding::Nearest ? a / b
                                       : roundToFloat(double(a) / b, rounding);
}
double div(Rounding rounding, double a, double b) {
  return divRounded(a, b, rounding);
}

constexpr auto kAdd = [](const Instr &instr, auto a, auto b) {
  return finish(instr, add(roundingOf(instr), in(instr, a), in(instr, b)));
};
constexpr auto kSub = [](const Instr &instr, auto a, auto b) {
  return finish(instr, add(roundingOf(instr), in(instr, a), -in(instr, b)));
};
constexpr auto kMul = [](const Instr &instr, auto a, auto b) {
  return finish(instr, mul(roundingOf(instr), in(instr, a), in(instr, b)));
};
constexpr auto kDiv = [](const Instr &instr, auto a, auto b) {
  return finish(instr, div(roundingOf(instr), in(instr, a), in(instr, b)));
};
constexpr auto kFma = [](const Instr &instr, auto a, auto b, auto c) {
  return finish(
      instr, fma(roundingOf(instr), in(instr, a), in(instr, b), in(instr, c)));
};

// The number if one of the two is none; -0 is below +0.
template <bool Greater, class T> T choose(const Instr &instr, T a, T b) {
  a = in(instr, a), b = in(instr, b);
  if (instr.y & kAbs)
    a = std::fabs(a), b = std::fabs(b);
  T result;
  if (std::isnan(a) || std::isnan(b)) {
    bool both = std::isnan(a) && std::isnan(b);
    result = both || instr.y & kNaN ? T(NAN) : std::isnan(a) ? b : a;
  } else if (a == b) {
    result = std::signbit(a) == Greater ? b : a;
  } else {
    result = (a < b) == Greater ? b : a;
  }
  return finish(instr, result);
}
constexpr auto kMin = [](const Instr &instr, auto a, auto b) {
  auto result = choose<false>(instr, a, b);
  if (instr.y & kXorSign)
    result = std::copysign(result, std::signbit(a) != std::signbit(b) ? -1 : 1);
  return result;
};
constexpr auto kMax = [](const Instr &instr, auto a, auto b) {
  auto result = choose<true>(instr, a, b);
  if (instr.y & kXorSign)
    result = std::copysign(result, std::signbit(a) != std::signbit(b) ? -1 : 1);
  return result;
};

//===----------------------------------------------------------------------===//
// What most kernels use: rounded to nearest, and nothing else

constexpr auto kPlainAdd = [](auto a, auto b) { return a + b; };
constexpr auto kPlainSub = [](auto a, auto b) { return a - b; };
constexpr auto kPlainMul = [](auto a, auto b) { return a * b; };
constexpr auto kPlainDiv = [](auto a, auto b) { return a / b; };
constexpr auto kPlainFma = [](double a, double b, double c) {
  return std::fma(a, b, c);
};
constexpr auto kNegate = [](auto a) { return -a; };
constexpr auto kAbsolute = [](auto a) { return std::fabs(a); };

void fmaSingle(Warp &warp, const Instr &instr, Mask lanes) {
  float *d = warp.out<float>(instr.d);
  const float *a = warp.in<float>(instr.a), *b = warp.in<float>(instr.b),
              *c = warp.in<float>(instr.c);
  if (lanes == kAllLanes)
    return fmaLanes(d, a, b, c);
  float result[kLanes];
  fmaLanes(result, a, b, c);
  forLanes(lanes, [&](unsigned lane) { d[lane] = result[lane]; });
}

template <class T> Handler plainHandler(std::string_view name) {
  if (name == "add")
    return binary<kPlainAdd, T, T>;
  if (name == "sub")
    return binary<kPlainSub, T, T>;
  if (name == "mul")
    return binary<kPlainMul, T, T>;
  if (name == "div")
    return binary<kPlainDiv, T, T>;
  return nullptr;
}

template <class T> Handler handler(std::string_view name, bool plain) {
  if (Handler fast = plain ? plainHandler<T>(name) : nullptr)
    return fast;
  if (name == "add")
    return binaryWith<kAdd, T, T>;
  if (name == "sub")
    return binaryWith<kSub, T, T>;
  if (name == "mul")
    return binaryWith<kMul, T, T>;
  if (name == "div")
    return binaryWith<kDiv, T, T>;
  if (name == "min")
    return binaryWith<kMin, T, T>;
  if (name == "max")
    return binaryWith<kMax, T, T>;
  return nullptr;
}

void decodeUnary(Decoder &decoder, Type type) {
  bool negate = decoder.name() == "neg";
  decoder.expectCount(2, 2);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  if (decoder.instr.y & kFtz)
    decoder.instr.run =
        negate
            ? unary<[](float a) { return -flush(a); }, float, float>
            : unary<[](float a) { return std::fabs(flush(a)); }, float, float>;
  else if (type == Type::F32)
    decoder.instr.run =
        negate ? unary<kNegate, float, float> : unary<kAbsolute, float, float>;
  else
    decoder.instr.run = negate ? unary<kNegate, double, double>
                               : unary<kAbsolute, double, double>;
  decoder.emit();
}

} // namespace

void weft::ptx::decodeFloat(Decoder &decoder) {
  std::string_view name = decoder.name();
  Type type = decoder.takeType();
  Instr &instr = decoder.instr;
  instr.x = uint8_t(decoder.takeOneOf({"rn", "rz", "rm", "rp"}, 0));
  // Divisions that need not be exact are.
  decoder.take("approx");
  decoder.take("full");
  instr.y =
      uint8_t(decoder.take("ftz") * kFtz | decoder.take("sat") * kSat |
              decoder.take("NaN") * kNaN | decoder.take("xorsign") * kXorSign |
              decoder.take("abs") * kAbs);
  if (type == Type::F64 && instr.y & (kFtz | kSat))
    decoder.fail("'.ftz' and '.sat' are only for .f32");
  if (name == "abs" || name == "neg")
    return decodeUnary(decoder, type);
  bool three = name == "fma" || name == "mad";
  decoder.expectCount(3 + three, 4);
  instr.d = decoder.target(0, type);
  instr.a = decoder.source(1, type);
  instr.b = decoder.source(2, type);
  bool plain = instr.x == 0 && instr.y == 0;
  if (three) {
    instr.c = decoder.source(3, type);
    if (type == Type::F32)
      instr.run = plain ? fmaSingle : ternaryWith<kFma, float, float>;
    else
      instr.run = plain ? ternary<kPlainFma, double, double>
                        : ternaryWith<kFma, double, double>;
  } else {
    setHandler(decoder, type == Type::F32 ? handler<float>(name, plain)
                                          : handler<double>(name, plain));
  }
  decoder.emit();
  // min and max of three.
  if (!three && decoder.count() == 4) {
    if (name != "min" && name != "max")
      decoder.fail("has too many operands");
    instr.a = instr.d;
    instr.b = decoder.source(3, type);
    decoder.emit();
  }
}
