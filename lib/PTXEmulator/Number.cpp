//===- Number.cpp - Narrow floating-point types ---------------------------===//

#include "Number.h"

#include <cfenv>

using namespace weft::ptx;

namespace {

/// Runs `body` in a rounding mode of the host. This file is compiled with
/// -frounding-math; `volatile` keeps the operation where it is.
template <class Body> double inMode(Rounding rounding, Body body) {
  int mode = rounding == Rounding::Zero   ? FE_TOWARDZERO
             : rounding == Rounding::Down ? FE_DOWNWARD
             : rounding == Rounding::Up   ? FE_UPWARD
                                          : FE_TONEAREST;
  int before = std::fegetround();
  std::fesetround(mode);
  volatile double result = body();
  std::fesetround(before);
  return result;
}

/// An integer part of a positive number, rounded.
double roundPositive(double value, Rounding rounding, bool negative) {
  double down = std::floor(value), rest = value - down;
  bool up = false;
  switch (rounding) {
  case Rounding::Nearest:
    up = rest > 0.5 || (rest == 0.5 && std::fmod(down, 2) != 0);
    break;
  case Rounding::Away:
    up = rest >= 0.5;
    break;
  case Rounding::Zero:
    break;
  case Rounding::Down:
    up = negative && rest > 0;
    break;
  case Rounding::Up:
    up = !negative && rest > 0;
    break;
  }
  return up ? down + 1 : down;
}

} // namespace

uint32_t weft::ptx::toFormat(double value, const Format &format,
                             Rounding rounding, bool saturate) {
  unsigned bits = format.exponentBits + format.fractionBits;
  uint32_t sign = std::signbit(value) ? 1u << bits : 0;
  int bias = (1 << (format.exponentBits - 1)) - 1;
  uint32_t infinity = ((1u << format.exponentBits) - 1) << format.fractionBits;
  uint32_t largest =
      format.finite ? infinity + (1u << format.fractionBits) - 2 : infinity - 1;
  if (std::isnan(value))
    return (1u << bits) - 1;
  if (format.finite && std::isinf(value))
    return sign | (saturate ? largest : largest + 1);
  if (std::isinf(value))
    return sign | (saturate ? largest : infinity);
  double magnitude = std::fabs(value);
  if (magnitude == 0)
    return sign;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  exponent = std::max(exponent - 1, 1 - bias);
  double scaled = std::ldexp(magnitude, int(format.fractionBits) - exponent);
  double rounded = roundPositive(scaled, rounding, sign != 0);
  // A carry runs into the exponent by itself; subnormals begin at zero.
  uint64_t code = uint64_t(rounded) +
                  (uint64_t(exponent + bias - 1) << format.fractionBits);
  if (code <= largest)
    return sign | uint32_t(code);
  bool toLargest = saturate || rounding == Rounding::Zero ||
                   (rounding == Rounding::Down && !sign) ||
                   (rounding == Rounding::Up && sign);
  return sign | (toLargest ? largest : largest + 1);
}

double weft::ptx::fromFormat(uint32_t bits, const Format &format) {
  unsigned all = format.exponentBits + format.fractionBits;
  uint32_t fractionMask = (1u << format.fractionBits) - 1;
  uint32_t exponentMask = (1u << format.exponentBits) - 1;
  uint32_t fraction = bits & fractionMask;
  uint32_t exponent = bits >> format.fractionBits & exponentMask;
  double sign = bits >> all & 1 ? -1.0 : 1.0;
  int bias = (1 << (format.exponentBits - 1)) - 1;
  if (format.finite) {
    if (exponent == exponentMask && fraction == fractionMask)
      return NAN;
  } else if (exponent == exponentMask) {
    return fraction ? NAN : sign * INFINITY;
  }
  if (exponent)
    fraction |= fractionMask + 1;
  return sign * std::ldexp(double(fraction), std::max(int(exponent), 1) - bias -
                                                 int(format.fractionBits));
}

double weft::ptx::addToOdd(double a, double b) {
  double sum = a + b;
  if (!std::isfinite(sum))
    return sum;
  // What the sum has lost, by Knuth.
  volatile double part = sum - a;
  volatile double lost = (a - (sum - part)) + (b - part);
  uint64_t bits = std::bit_cast<uint64_t>(sum);
  if (lost == 0 || bits & 1)
    return sum;
  return std::nextafter(sum, lost > 0 ? INFINITY : -INFINITY);
}

float weft::ptx::roundToFloat(double value, Rounding rounding) {
  float near = float(value);
  if (rounding == Rounding::Nearest || std::isnan(value) ||
      double(near) == value || std::isinf(value))
    return near;
  bool tooLow = double(near) < value;
  bool wantUp =
      rounding == Rounding::Up || (rounding == Rounding::Zero && value < 0);
  if (tooLow == wantUp)
    return std::nextafter(near, wantUp ? INFINITY : -INFINITY);
  return near;
}

double weft::ptx::addRounded(double a, double b, Rounding rounding) {
  volatile double left = a, right = b;
  return inMode(rounding, [&] { return left + right; });
}

double weft::ptx::mulRounded(double a, double b, Rounding rounding) {
  volatile double left = a, right = b;
  return inMode(rounding, [&] { return left * right; });
}

double weft::ptx::fmaRounded(double a, double b, double c, Rounding rounding) {
  volatile double left = a, right = b, added = c;
  return inMode(rounding, [&] { return std::fma(left, right, added); });
}

double weft::ptx::divRounded(double a, double b, Rounding rounding) {
  volatile double left = a, right = b;
  return inMode(rounding, [&] { return left / right; });
}

double weft::ptx::sqrtRounded(double a, Rounding rounding) {
  volatile double value = a;
  return inMode(rounding, [&] { return std::sqrt(value); });
}
