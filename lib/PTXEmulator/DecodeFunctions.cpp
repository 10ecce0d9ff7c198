//===- DecodeFunctions.cpp - Roots, powers and the like -------------------===//
//
// Approximations are computed as exactly as the host's library does.
//
//===----------------------------------------------------------------------===//

#include "Handlers.h"
#include "Number.h"

using namespace weft::ptx;

namespace {

/// y: flush to zero.
float in(const Instr &instr, float value) {
  return instr.y ? flush(value) : value;
}
float out(const Instr &instr, double value) {
  return instr.y ? flush(float(value)) : float(value);
}

float finishRounded(const Instr &instr, double value) {
  float result = roundToFloat(value, Rounding(instr.x));
  return instr.y ? flush(result) : result;
}

constexpr auto kEx2 = [](const Instr &instr, float a) {
  return out(instr, std::exp2(double(in(instr, a))));
};
constexpr auto kLg2 = [](const Instr &instr, float a) {
  return out(instr, std::log2(double(in(instr, a))));
};
constexpr auto kSin = [](const Instr &instr, float a) {
  return out(instr, std::sin(double(in(instr, a))));
};
constexpr auto kCos = [](const Instr &instr, float a) {
  return out(instr, std::cos(double(in(instr, a))));
};
constexpr auto kTanh = [](const Instr &instr, float a) {
  return out(instr, std::tanh(double(in(instr, a))));
};
constexpr auto kRsqrt = [](const Instr &instr, float a) {
  return out(instr, 1 / std::sqrt(double(in(instr, a))));
};
constexpr auto kRcp = [](const Instr &instr, float a) {
  return finishRounded(instr, 1 / double(in(instr, a)));
};
constexpr auto kSqrt = [](const Instr &instr, float a) {
  return finishRounded(instr, std::sqrt(double(in(instr, a))));
};
constexpr auto kRsqrt64 = [](double a) { return 1 / std::sqrt(a); };
constexpr auto kRcp64 = [](const Instr &instr, double a) {
  return divRounded(1, a, Rounding(instr.x));
};
constexpr auto kSqrt64 = [](const Instr &instr, double a) {
  return sqrtRounded(a, Rounding(instr.x));
};

// x: ex2, else tanh. Parts: 1 for a half, 2 for a pair.
template <bool BFloat16, unsigned Parts>
void halfFunction(Warp &warp, const Instr &instr, Mask lanes) {
  uint16_t *d = warp.out<uint16_t>(instr.d);
  const uint16_t *a = warp.in<uint16_t>(instr.a);
  const Format &format = BFloat16 ? kBFloat : kHalf;
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    for (unsigned i = lane * Parts; i < (lane + 1) * Parts; ++i) {
      double value = fromFormat(a[i], format);
      value = instr.x ? std::exp2(value) : std::tanh(value);
      d[i] = uint16_t(toFormat(value, format, Rounding::Nearest));
    }
  }
}

bool decodeHalfFunction(Decoder &decoder, Type type) {
  Handler handler = nullptr;
  if (type == Type::F16)
    handler = halfFunction<false, 1>;
  else if (type == Type::F16x2)
    handler = halfFunction<false, 2>;
  else if (type == Type::BF16)
    handler = halfFunction<true, 1>;
  else if (type == Type::BF16x2)
    handler = halfFunction<true, 2>;
  else
    return false;
  decoder.instr.x = decoder.name() == "ex2";
  decoder.instr.run = handler;
  return true;
}

void decodeSingle(Decoder &decoder) {
  std::string_view name = decoder.name();
  if (name == "ex2")
    decoder.instr.run = unaryWith<kEx2, float, float>;
  else if (name == "lg2")
    decoder.instr.run = unaryWith<kLg2, float, float>;
  else if (name == "sin")
    decoder.instr.run = unaryWith<kSin, float, float>;
  else if (name == "cos")
    decoder.instr.run = unaryWith<kCos, float, float>;
  else if (name == "tanh")
    decoder.instr.run = unaryWith<kTanh, float, float>;
  else if (name == "rsqrt")
    decoder.instr.run = unaryWith<kRsqrt, float, float>;
  else if (name == "rcp")
    decoder.instr.run = unaryWith<kRcp, float, float>;
  else
    decoder.instr.run = unaryWith<kSqrt, float, float>;
}

void decodeFunction(Decoder &decoder) {
  std::string_view name = decoder.name();
  Type type = decoder.takeType();
  decoder.take("approx");
  decoder.instr.x = uint8_t(decoder.takeOneOf({"rn", "rz", "rm", "rp"}, 0));
  decoder.instr.y = decoder.take("ftz");
  decoder.expectCount(2, 2);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  if (type == Type::F32) {
    decodeSingle(decoder);
  } else if (type == Type::F64) {
    if (name == "rsqrt")
      decoder.instr.run = unary<kRsqrt64, double, double>;
    else if (name == "rcp")
      decoder.instr.run = unaryWith<kRcp64, double, double>;
    else if (name == "sqrt")
      decoder.instr.run = unaryWith<kSqrt64, double, double>;
    else
      decoder.fail("this type is not supported");
  } else if ((name != "ex2" && name != "tanh") ||
             !decodeHalfFunction(decoder, type)) {
    decoder.fail("this type is not supported");
  }
  decoder.emit();
}

void decodeCopySign(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  constexpr auto op = [](auto a, auto b) { return std::copysign(b, a); };
  decoder.instr.run = type == Type::F64 ? Handler(binary<op, double, double>)
                                        : Handler(binary<op, float, float>);
  decoder.emit();
}

enum Property : uint8_t {
  kFinite,
  kInfinite,
  kNumber,
  kNotANumber,
  kNormal,
  kSubnormal
};

template <class T>
void testProperty(Warp &warp, const Instr &instr, Mask lanes) {
  const T *a = warp.in<T>(instr.a);
  Mask value = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    int kind = std::fpclassify(a[lane]);
    bool holds = instr.x == kFinite       ? std::isfinite(a[lane])
                 : instr.x == kInfinite   ? kind == FP_INFINITE
                 : instr.x == kNumber     ? kind != FP_NAN
                 : instr.x == kNotANumber ? kind == FP_NAN
                 : instr.x == kNormal     ? kind == FP_NORMAL || kind == FP_ZERO
                                          : kind == FP_SUBNORMAL;
    value |= Mask(holds) << lane;
  }
  warp.setPredicate(instr.d, lanes, value);
}

void decodeTestProperty(Decoder &decoder) {
  int property = decoder.takeOneOf(
      {"finite", "infinite", "number", "notanumber", "normal", "subnormal"},
      -1);
  if (property < 0)
    decoder.fail("a property is missing");
  decoder.instr.x = uint8_t(property);
  Type type = decoder.takeType();
  decoder.expectCount(2, 2);
  decoder.instr.d = decoder.target(0, Type::Pred);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.run =
      type == Type::F64 ? testProperty<double> : testProperty<float>;
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::functionTable() {
  return {{"rcp", decodeFunction},      {"sqrt", decodeFunction},
          {"rsqrt", decodeFunction},    {"ex2", decodeFunction},
          {"lg2", decodeFunction},      {"sin", decodeFunction},
          {"cos", decodeFunction},      {"tanh", decodeFunction},
          {"copysign", decodeCopySign}, {"testp", decodeTestProperty}};
}
