//===- FloatTest.cpp - Instructions on floating-point numbers -------------===//

#include "Scalar.h"

#include <algorithm>
#include <cfenv>
#include <cmath>

using namespace weft::ptx::test;

namespace {

class FloatTest : public ScalarTest {
protected:
  /// As `check`, with numbers. NaNs are equal.
  template <class T>
  void checkReal(const std::string &body, const std::vector<Operands> &cases,
                 const std::function<T(T, T, T)> &expected,
                 double relative = 0) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    auto real = [](uint64_t bits) { return std::bit_cast<T>(Bits(bits)); };
    std::vector<uint64_t> got = evaluate(body, cases);
    for (size_t i = 0; i < cases.size(); ++i) {
      T a = real(cases[i].a), b = real(cases[i].b), c = real(cases[i].c);
      T wanted = expected(a, b, c), result = real(got[i]);
      if (std::isnan(wanted)) {
        ASSERT_TRUE(std::isnan(result))
            << body << ": " << a << ", " << b << ", " << c << ": " << result;
        continue;
      }
      bool close =
          relative != 0 && std::isfinite(wanted) &&
          std::fabs(result - wanted) <= relative * std::fabs(wanted) + 1e-37;
      ASSERT_TRUE(close || Bits(got[i]) == std::bit_cast<Bits>(wanted))
          << body << ": " << a << ", " << b << ", " << c << ": " << result
          << " instead of " << wanted;
    }
  }

  void single(const std::string &body,
              const std::function<float(float, float, float)> &expected,
              double relative = 0) {
    checkReal<float>(body, singles(), expected, relative);
  }
  void twice(const std::string &body,
             const std::function<double(double, double, double)> &expected) {
    checkReal<double>(body, doubles(), expected);
  }
};

/// What the processor gives in one of its rounding modes.
template <class T, class Body> T rounded(int mode, Body body) {
  std::fesetround(mode);
  volatile T result = body();
  std::fesetround(FE_TONEAREST);
  return result;
}

float flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

TEST_F(FloatTest, nearest) {
  single("add.f32 d, a, b;", [](float a, float b, float) { return a + b; });
  single("sub.rn.f32 d, a, b;", [](float a, float b, float) { return a - b; });
  single("mul.f32 d, a, b;", [](float a, float b, float) { return a * b; });
  single("div.rn.f32 d, a, b;", [](float a, float b, float) { return a / b; });
  single("fma.rn.f32 d, a, b, c;",
         [](float a, float b, float c) { return std::fma(a, b, c); });
  single("neg.f32 d, a;", [](float a, float, float) { return -a; });
  single("abs.f32 d, a;", [](float a, float, float) { return std::fabs(a); });
  single("sqrt.rn.f32 d, a;",
         [](float a, float, float) { return std::sqrt(a); });
  single("rcp.rn.f32 d, a;", [](float a, float, float) { return 1 / a; });
  single("copysign.f32 d, a, b;",
         [](float a, float b, float) { return std::copysign(b, a); });
  twice("add.f64 d64, a64, b64;",
        [](double a, double b, double) { return a + b; });
  twice("fma.rn.f64 d64, a64, b64, c64;",
        [](double a, double b, double c) { return std::fma(a, b, c); });
  twice("div.rn.f64 d64, a64, b64;",
        [](double a, double b, double) { return a / b; });
}

TEST_F(FloatTest, otherRoundings) {
  const std::pair<const char *, int> kModes[] = {
      {"rz", FE_TOWARDZERO}, {"rm", FE_DOWNWARD}, {"rp", FE_UPWARD}};
  for (auto [name, mode] : kModes) {
    std::string suffix = "." + std::string(name) + ".f";
    int direction = mode;
    single("add" + suffix + "32 d, a, b;", [=](float a, float b, float) {
      volatile float x = a, y = b;
      return rounded<float>(direction, [&] { return x + y; });
    });
    single("mul" + suffix + "32 d, a, b;", [=](float a, float b, float) {
      volatile float x = a, y = b;
      return rounded<float>(direction, [&] { return x * y; });
    });
    single("div" + suffix + "32 d, a, b;", [=](float a, float b, float) {
      volatile float x = a, y = b;
      return rounded<float>(direction, [&] { return x / y; });
    });
    single("sqrt" + suffix + "32 d, a;", [=](float a, float, float) {
      volatile float x = a;
      return rounded<float>(direction, [&] { return std::sqrt(x); });
    });
    single("fma" + suffix + "32 d, a, b, c;", [=](float a, float b, float c) {
      volatile float x = a, y = b, z = c;
      return rounded<float>(direction, [&] { return std::fma(x, y, z); });
    });
    twice("mul" + suffix + "64 d64, a64, b64;",
          [=](double a, double b, double) {
            volatile double x = a, y = b;
            return rounded<double>(direction, [&] { return x * y; });
          });
  }
}

TEST_F(FloatTest, flushesAndSaturates) {
  single("add.ftz.f32 d, a, b;", [](float a, float b, float) {
    return flushed(flushed(a) + flushed(b));
  });
  single("mul.ftz.f32 d, a, b;", [](float a, float b, float) {
    return flushed(flushed(a) * flushed(b));
  });
  single("add.sat.f32 d, a, b;", [](float a, float b, float) {
    float sum = a + b;
    return std::isnan(sum) ? 0.0f : std::min(std::max(sum, 0.0f), 1.0f) + 0.0f;
  });
  single("fma.rn.ftz.sat.f32 d, a, b, c;", [](float a, float b, float c) {
    float sum = std::fma(flushed(a), flushed(b), flushed(c));
    return std::isnan(sum) || sum < 1.17549435e-38f ? 0.0f
                                                    : std::min(sum, 1.0f);
  });
}

TEST_F(FloatTest, extremes) {
  auto larger = [](float a, float b) {
    if (std::isnan(a) || std::isnan(b))
      return std::isnan(a) ? b : a;
    if (a == 0 && b == 0)
      return std::signbit(a) ? b : a;
    return a > b ? a : b;
  };
  single("max.f32 d, a, b;",
         [=](float a, float b, float) { return larger(a, b); });
  single("min.f32 d, a, b;",
         [=](float a, float b, float) { return -larger(-a, -b); });
  single("max.NaN.f32 d, a, b;", [=](float a, float b, float) {
    return std::isnan(a) || std::isnan(b) ? NAN : larger(a, b);
  });
  single("max.f32 d, a, b, c;",
         [=](float a, float b, float c) { return larger(larger(a, b), c); });
}

TEST_F(FloatTest, approximations) {
  single(
      "ex2.approx.f32 d, a;",
      [](float a, float, float) { return std::exp2(a); }, 1e-6);
  single(
      "lg2.approx.f32 d, a;",
      [](float a, float, float) { return std::log2(a); }, 1e-6);
  single(
      "rsqrt.approx.f32 d, a;",
      [](float a, float, float) { return 1 / std::sqrt(a); }, 1e-6);
  single(
      "rcp.approx.ftz.f32 d, a;",
      [](float a, float, float) { return flushed(1 / flushed(a)); }, 1e-6);
  single(
      "tanh.approx.f32 d, a;",
      [](float a, float, float) { return std::tanh(a); }, 1e-6);
  std::vector<Operands> small;
  for (int i = -50; i < 50; ++i)
    small.push_back({std::bit_cast<uint32_t>(i * 0.07f), 0, 0});
  checkReal<float>(
      "sin.approx.f32 d, a;", small,
      [](float a, float, float) { return std::sin(a); }, 1e-6);
  checkReal<float>(
      "cos.approx.f32 d, a;", small,
      [](float a, float, float) { return std::cos(a); }, 1e-6);
  single(
      "div.full.f32 d, a, b;", [](float a, float b, float) { return a / b; },
      1e-6);
}

TEST_F(FloatTest, comparisons) {
  auto flag = [this](const std::string &name, auto holds) {
    check("setp." + name + ".f32 p, a, b;\nselp.b32 d, 1, 0, p;", singles(),
          [=](uint64_t a, uint64_t b, uint64_t) {
            return uint64_t(holds(std::bit_cast<float>(uint32_t(a)),
                                  std::bit_cast<float>(uint32_t(b))));
          });
  };
  auto unordered = [](float a, float b) {
    return std::isnan(a) || std::isnan(b);
  };
  flag("eq", [=](float a, float b) { return a == b; });
  flag("ne", [=](float a, float b) { return a != b && !unordered(a, b); });
  flag("neu", [=](float a, float b) { return a != b || unordered(a, b); });
  flag("lt", [=](float a, float b) { return a < b; });
  flag("leu", [=](float a, float b) { return a <= b || unordered(a, b); });
  flag("gtu", [=](float a, float b) { return a > b || unordered(a, b); });
  flag("num", [=](float a, float b) { return !unordered(a, b); });
  flag("nan", [=](float a, float b) { return unordered(a, b); });
  check("testp.subnormal.f32 p, a;\nselp.b32 d, 1, 0, p;", singles(),
        [](uint64_t a, uint64_t, uint64_t) {
          return (a >> 23 & 255) == 0 && (a & 0x7fffff) != 0;
        });
  check("set.gt.f32.f32 d, a, b;", singles(),
        [](uint64_t a, uint64_t b, uint64_t) {
          return std::bit_cast<float>(uint32_t(a)) >
                         std::bit_cast<float>(uint32_t(b))
                     ? std::bit_cast<uint32_t>(1.0f)
                     : 0;
        });
}

} // namespace
