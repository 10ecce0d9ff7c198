//===- ConvertTest.cpp - Conversions, and arithmetic on narrow numbers ----===//
//
// The reference for narrow types rounds by searching all values of the type.
//
//===----------------------------------------------------------------------===//

#include "Scalar.h"

#include <algorithm>
#include <cmath>

using namespace weft::ptx::test;

namespace {

/// All values of a format with `exponent` and `fraction` bits, by their bits
/// without the sign.
class Values {
public:
  Values(int exponent, int fraction, bool finite) {
    int bias = (1 << (exponent - 1)) - 1;
    uint32_t end = finite ? (1u << (exponent + fraction)) - 1
                          : ((1u << exponent) - 1) << fraction;
    for (uint32_t bits = 0; bits < end; ++bits) {
      int field = int(bits >> fraction);
      double part = std::ldexp(bits & ((1u << fraction) - 1), -fraction);
      values.push_back(field ? std::ldexp(1 + part, field - bias)
                             : std::ldexp(part, 1 - bias));
    }
    // Rounding sees one value more.
    values.push_back(2 * values[end - 1] - values[end - 2]);
  }

  double at(uint32_t bits) const { return values[bits]; }

  /// To nearest, ties to even.
  uint32_t nearest(double value) const {
    auto above = std::lower_bound(values.begin(), values.end(), value);
    if (above == values.end())
      return uint32_t(values.size() - 1);
    auto index = uint32_t(above - values.begin());
    if (*above == value || index == 0)
      return index;
    double up = *above - value, down = value - values[index - 1];
    if (up == down)
      return index % 2 ? index - 1 : index;
    return up < down ? index : index - 1;
  }
  uint32_t below(double value) const {
    auto above = std::upper_bound(values.begin(), values.end(), value);
    return uint32_t(above - values.begin()) - 1;
  }

private:
  std::vector<double> values;
};

const Values &halves() {
  static const Values values(5, 10, false);
  return values;
}
const Values &bfloats() {
  static const Values values(8, 7, false);
  return values;
}

double halfValue(uint64_t bits) {
  double value = halves().at(bits & 0x7fff);
  return bits & 0x8000 ? -value : value;
}

uint64_t toHalf(double value) {
  return halves().nearest(std::fabs(value)) |
         (std::signbit(value) ? 0x8000u : 0u);
}

class ConvertTest : public ScalarTest {
protected:
  std::vector<Operands> finiteHalves() {
    std::vector<Operands> cases;
    for (uint32_t bits : {0u, 0x8000u, 1u, 0x3ffu, 0x400u, 0x3c00u, 0xbc01u,
                          0x7bffu, 0x3555u, 0x5640u})
      for (uint32_t other :
           {0u, 1u, 0x401u, 0x3c01u, 0xc123u, 0x7bffu, 0x1400u})
        cases.push_back({bits, other, 0x3800});
    for (int i = 0; i < 300; ++i) {
      auto next = [&] {
        uint64_t bits = engine() & 0xffff;
        return (bits & 0x7c00) == 0x7c00 ? bits & 0xbfff : bits;
      };
      cases.push_back({next(), next(), next()});
    }
    return cases;
  }

  std::vector<Operands> singlesNear(double scale) {
    std::vector<Operands> cases;
    std::uniform_real_distribution<double> exponent(-scale, scale);
    for (int i = 0; i < 400; ++i) {
      auto value = float(std::exp2(exponent(engine)));
      uint32_t bits = std::bit_cast<uint32_t>(value);
      // Many of them ties.
      if (i % 3 == 0)
        bits = (bits & 0xffffe000) | 0x1000;
      if (i % 3 == 1)
        bits = (bits & 0xffff0000) | 0x8000;
      cases.push_back(
          {bits | uint64_t(i % 2) << 31, std::bit_cast<uint32_t>(float(i)), 0});
    }
    return cases;
  }
};

float real(uint64_t bits) { return std::bit_cast<float>(uint32_t(bits)); }

TEST_F(ConvertTest, singleToHalf) {
  check("cvt.rn.f16.f32 dh, a;", singlesNear(30), [](auto a, auto, auto) {
    return std::fabs(real(a)) >= 65520 ? (a >> 31 << 15 | 0x7c00)
                                       : toHalf(real(a));
  });
  check("cvt.rz.f16.f32 dh, a;", singlesNear(14), [](auto a, auto, auto) {
    return halves().below(std::fabs(real(a))) | a >> 31 << 15;
  });
  check("cvt.rn.bf16.f32 dh, a;", singlesNear(100), [](auto a, auto, auto) {
    return bfloats().nearest(std::fabs(real(a))) | a >> 31 << 15;
  });
  check("cvt.rn.relu.f16.f32 dh, a;", singlesNear(14),
        [](auto a, auto, auto) { return a >> 31 ? 0 : toHalf(real(a)); });
  check("cvt.rn.f16x2.f32 d, a, b;", singlesNear(14), [](auto a, auto b, auto) {
    return toHalf(real(a)) << 16 | toHalf(real(b));
  });
  check("cvt.rn.bf16x2.f32 d, a, b;", singlesNear(14),
        [](auto a, auto b, auto) {
          return (bfloats().nearest(std::fabs(real(a))) | a >> 31 << 15) << 16 |
                 bfloats().nearest(std::fabs(real(b)));
        });
  check("cvt.rna.tf32.f32 d, a;", singlesNear(60), [](auto a, auto, auto) {
    // Ten bits of fraction, ties away from zero.
    return (a + 0x1000) & 0xffffe000;
  });
}

TEST_F(ConvertTest, halfToSingle) {
  check("cvt.f32.f16 d, ah;", finiteHalves(), [](auto a, auto, auto) {
    return std::bit_cast<uint32_t>(float(halfValue(a)));
  });
  check("cvt.f32.bf16 d, ah;", integers(16),
        [](auto a, auto, auto) { return a << 16; });
  check("cvt.rzi.s32.f16 d, ah;", finiteHalves(),
        [](auto a, auto, auto) { return uint32_t(int32_t(halfValue(a))); });
}

TEST_F(ConvertTest, bytes) {
  static const Values e4m3(4, 3, true), e5m2(5, 2, false);
  check("cvt.rn.satfinite.e4m3x2.f32 dh, a, b;", singlesNear(12),
        [](auto a, auto b, auto) {
          auto one = [](uint64_t bits) {
            double value = std::fabs(real(bits));
            return (value > 448 ? 0x7eu : e4m3.nearest(value)) |
                   bits >> 31 << 7;
          };
          return one(a) << 8 | one(b);
        });
  check("cvt.rn.satfinite.e5m2x2.f32 dh, a, b;", singlesNear(18),
        [](auto a, auto b, auto) {
          auto one = [](uint64_t bits) {
            double value = std::fabs(real(bits));
            return (value > 57344 ? 0x7bu : e5m2.nearest(value)) |
                   bits >> 31 << 7;
          };
          return one(a) << 8 | one(b);
        });
  std::vector<Operands> codes;
  for (uint64_t i = 0; i < 0x7f; ++i)
    codes.push_back({i << 8 | (0x7e - i), 0, 0});
  check("cvt.rn.f16x2.e4m3x2 d, ah;", codes, [](auto a, auto, auto) {
    return toHalf(e4m3.at(a >> 8)) << 16 | toHalf(e4m3.at(a & 0xff));
  });
}

TEST_F(ConvertTest, integers) {
  check("cvt.s64.s32 d64, a;", ScalarTest::integers(32),
        [](auto a, auto, auto) { return uint64_t(int64_t(int32_t(a))); });
  check("cvt.s32.s8 d, a;", ScalarTest::integers(32),
        [](auto a, auto, auto) { return uint32_t(int8_t(a)); });
  check("cvt.u16.u32 dh, a;", ScalarTest::integers(32),
        [](auto a, auto, auto) { return a & 0xffff; });
  check("cvt.sat.s8.s32 d, a;", ScalarTest::integers(32),
        [](auto a, auto, auto) {
          return uint32_t(std::clamp(int32_t(a), -128, 127));
        });
  check("cvt.sat.u8.s32 d, a;", ScalarTest::integers(32),
        [](auto a, auto, auto) {
          return uint32_t(std::clamp(int32_t(a), 0, 255));
        });
  check("cvt.rn.f32.u64 d, a64;", ScalarTest::integers(64),
        [](auto a, auto, auto) { return std::bit_cast<uint32_t>(float(a)); });
  check("cvt.rn.f32.s64 d, a64;", ScalarTest::integers(64),
        [](auto a, auto, auto) {
          return std::bit_cast<uint32_t>(float(int64_t(a)));
        });
  check("cvt.rn.f64.s64 d64, a64;", ScalarTest::integers(64),
        [](auto a, auto, auto) {
          return std::bit_cast<uint64_t>(double(int64_t(a)));
        });
  check("cvt.rn.f16.s32 dh, a;", ScalarTest::integers(11),
        [](auto a, auto, auto) { return toHalf(double(a)); });
}

TEST_F(ConvertTest, toIntegers) {
  auto clamped = [](double value, double low, double high) {
    return std::isnan(value) ? 0 : std::min(std::max(value, low), high);
  };
  check("cvt.rzi.s32.f32 d, a;", singles(), [=](auto a, auto, auto) {
    return uint32_t(int32_t(clamped(std::trunc(real(a)), -0x1p31, 0x7fffffff)));
  });
  check("cvt.rni.u32.f32 d, a;", singles(), [=](auto a, auto, auto) {
    return uint32_t(clamped(std::nearbyint(real(a)), 0, 0xffffffff));
  });
  check("cvt.rmi.s32.f32 d, a;", singles(), [=](auto a, auto, auto) {
    return uint32_t(int32_t(clamped(std::floor(real(a)), -0x1p31, 0x7fffffff)));
  });
  check("cvt.rpi.f32.f32 d, a;", singles(), [](auto a, auto, auto) {
    float value = std::ceil(real(a));
    return std::isnan(value) ? 0x7fffffff : std::bit_cast<uint32_t>(value);
  });
  check("cvt.sat.f32.f32 d, a;", singles(), [](auto a, auto, auto) {
    float value = real(a);
    return std::bit_cast<uint32_t>(
        std::isnan(value) || value <= 0 ? 0.0f : std::min(value, 1.0f));
  });
  check("cvt.rm.f32.f64 d, a64;", doubles(), [](auto a, auto, auto) {
    auto value = std::bit_cast<double>(a);
    if (std::isnan(value))
      return 0x7fffffffu;
    float near = float(value);
    if (double(near) > value)
      near = std::nextafter(near, -INFINITY);
    return std::bit_cast<uint32_t>(near);
  });
}

TEST_F(ConvertTest, halfArithmetic) {
  auto finite = [](double value) { return std::fabs(value) < 65520; };
  std::vector<Operands> cases;
  for (Operands each : finiteHalves())
    if (finite(halfValue(each.a) * halfValue(each.b) + halfValue(each.c)) &&
        finite(halfValue(each.a) * halfValue(each.b)) &&
        finite(halfValue(each.a) + halfValue(each.b)))
      cases.push_back(each);
  check("add.f16 dh, ah, bh;", cases, [](auto a, auto b, auto) {
    return toHalf(halfValue(a) + halfValue(b));
  });
  check("mul.f16 dh, ah, bh;", cases, [](auto a, auto b, auto) {
    return toHalf(halfValue(a) * halfValue(b));
  });
  check("fma.rn.f16 dh, ah, bh, ch;", cases, [](auto a, auto b, auto c) {
    // Products have 22 bits and sums fit into long double.
    long double sum = (long double)(halfValue(a) * halfValue(b)) + halfValue(c);
    return toHalf(double(sum));
  });
  check("mov.b32 t, {ah, bh};\nmov.b32 u, {bh, ch};\nadd.f16x2 d, t, u;", cases,
        [=](auto a, auto b, auto c) {
          double high = halfValue(b) + halfValue(c);
          uint64_t upper =
              finite(high) ? toHalf(high) : 0x7c00 | (high < 0 ? 0x8000 : 0);
          return upper << 16 | toHalf(halfValue(a) + halfValue(b));
        });
  check("neg.f16 dh, ah;", cases,
        [](auto a, auto, auto) { return a ^ 0x8000; });
  check("max.f16 dh, ah, bh;", cases, [](auto a, auto b, auto) {
    if (halfValue(a) == halfValue(b))
      return a & 0x8000 ? b : a;
    return halfValue(a) > halfValue(b) ? a : b;
  });
  check("setp.lt.f16 p, ah, bh;\nselp.b32 d, 1, 0, p;", cases,
        [](auto a, auto b, auto) { return halfValue(a) < halfValue(b); });
  std::vector<Operands> wide;
  for (int i = 0; i < 300; ++i)
    wide.push_back({0x3f00 + (engine() & 0xff), 0x4000 + (engine() & 0xff),
                    0xbf80 + (engine() & 0x7f)});
  check("fma.rn.bf16 dh, ah, bh, ch;", wide, [](auto a, auto b, auto c) {
    double sum = double(real(a << 16)) * real(b << 16) + real(c << 16);
    return bfloats().nearest(std::fabs(sum)) | (sum < 0 ? 0x8000u : 0u);
  });
}

} // namespace
