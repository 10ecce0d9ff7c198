//===- Number.h - Narrow floating-point types ---------------------*- C++
//-*-===//
//
// Conversions between float and the types that C++ does not have, and
// arithmetic in the rounding modes that it does not use.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_NUMBER_H
#define WEFT_PTXEMULATOR_NUMBER_H

#include <bit>
#include <cmath>
#include <cstdint>

namespace weft::ptx {

enum class Rounding : uint8_t {
  Nearest,
  Zero,
  Down,
  Up,
  /// Ties away from zero.
  Away,
};

/// A format of at most 32 bits: sign, exponent, fraction.
struct Format {
  unsigned exponentBits, fractionBits;
  /// E4M3: no infinity, and one NaN per sign.
  bool finite = false;
};

constexpr Format kHalf{5, 10}, kBFloat{8, 7}, kTFloat{8, 10}, kSingle{8, 23},
    kE4M3{4, 3, true}, kE5M2{5, 2};

/// Rounds to a format; the result is its bits. With `saturate`, what is too
/// large becomes the largest finite value.
uint32_t toFormat(double value, const Format &format, Rounding rounding,
                  bool saturate = false);
double fromFormat(uint32_t bits, const Format &format);

inline float halfToFloat(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16, rest = bits & 0x7fff;
  uint32_t shifted = rest << 13;
  float value = std::bit_cast<float>(shifted) * 0x1p112f;
  uint32_t special = shifted | 0x7f800000;
  uint32_t result = rest >= 0x7c00 ? special : std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>(result | sign);
}

inline uint16_t floatToHalf(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t sign = bits >> 16 & 0x8000;
  bits &= 0x7fffffff;
  if (bits > 0x7f800000)
    return 0x7fff;
  if (bits >= 0x477ff000) // rounds to 2^16
    return uint16_t(sign | 0x7c00);
  if (bits < 0x38800000) { // below 2^-14: add what aligns the last bit
    float rounded = std::bit_cast<float>(bits) + 0.5f;
    return uint16_t(sign | (std::bit_cast<uint32_t>(rounded) - 0x3f000000));
  }
  uint32_t odd = bits >> 13 & 1;
  return uint16_t(sign | (bits - 0x38000000 + 0xfff + odd) >> 13);
}

inline float bfloatToFloat(uint16_t bits) {
  return std::bit_cast<float>(uint32_t(bits) << 16);
}

inline uint16_t floatToBFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return 0x7fff;
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// What tensor cores read of a register that holds tf32.
inline float tfloatToFloat(uint32_t bits) {
  return std::bit_cast<float>(bits & 0xffffe000);
}

inline float flush(float value) {
  return std::fabs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value;
}

/// The sum with its last bit set if it is not exact, so that rounding it again
/// to fewer bits is right.
double addToOdd(double a, double b);

float roundToFloat(double value, Rounding rounding);

double addRounded(double a, double b, Rounding rounding);
double mulRounded(double a, double b, Rounding rounding);
double fmaRounded(double a, double b, double c, Rounding rounding);
double divRounded(double a, double b, Rounding rounding);
double sqrtRounded(double a, Rounding rounding);

/// d[i] = a[i] * b[i] + c[i], rounded once, for 32 lanes.
void fmaLanes(float *d, const float *a, const float *b, const float *c);

/// c[i][j] += sum over l of a[i][l] * b[l][j], of m x n and k; products are
/// exact in float, so that it does not matter whether they are fused.
void multiplyAdd(float *c, const float *a, const float *b, unsigned m,
                 unsigned n, unsigned k);

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_NUMBER_H
