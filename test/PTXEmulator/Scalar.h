//===- Scalar.h - One instruction on many values ------------------*- C++
//-*-===//

#ifndef WEFT_TEST_PTXEMULATOR_SCALAR_H
#define WEFT_TEST_PTXEMULATOR_SCALAR_H

#include "Harness.h"

#include <bit>
#include <functional>
#include <random>

namespace weft::ptx::test {

/// Bits of three operands.
struct Operands {
  uint64_t a, b, c;
};

/// Runs `body` once per thread. It finds its operands in the registers ah, bh,
/// ch (16 bits), a, b, c (32) and a64, b64, c64, and leaves a result in dh, d
/// or d64; p and q are predicates, t, u, v and w more registers of 32 bits.
class ScalarTest : public EmulatorTest {
protected:
  std::vector<uint64_t> evaluate(const std::string &body,
                                 const std::vector<Operands> &cases) {
    std::string text = kernelText(
        ".param .u64 x, .param .u64 y",
        ".reg .pred p, q;\n.reg .b16 ah, bh, ch, dh;\n"
        ".reg .b32 a, b, c, d, i, t, u, v, w;\n"
        ".reg .b64 a64, b64, c64, d64, x0, y0, o, z0, z1;\n"
        "ld.param.u64 x0, [x];\nld.param.u64 y0, [y];\n"
        "mov.u32 i, %tid.x;\nmov.u32 t, %ctaid.x;\nmad.lo.u32 i, t, 64, i;\n"
        "mul.wide.u32 o, i, 24;\nadd.u64 x0, x0, o;\n"
        "mul.wide.u32 o, i, 8;\nadd.u64 y0, y0, o;\n"
        "ld.global.u64 a64, [x0];\nld.global.u64 b64, [x0+8];\n"
        "ld.global.u64 c64, [x0+16];\n"
        "cvt.u32.u64 a, a64;\ncvt.u32.u64 b, b64;\ncvt.u32.u64 c, c64;\n"
        "cvt.u16.u64 ah, a64;\ncvt.u16.u64 bh, b64;\ncvt.u16.u64 ch, c64;\n"
        "mov.u64 d64, 0;\nmov.u32 d, 0;\nmov.u16 dh, 0;\n" +
            body + "\ncvt.u64.u16 z0, dh;\ncvt.u64.u32 z1, d;\n" +
            "or.b64 z0, z0, z1;\nor.b64 z0, z0, d64;\nst.global.u64 [y0], z0;");
    load(text);
    std::vector<Operands> padded = cases;
    padded.resize((cases.size() + 63) / 64 * 64, cases.front());
    Buffer<Operands> x(memory, padded);
    Buffer<uint64_t> y(memory, padded.size());
    runKernel({uint32_t(padded.size() / 64)}, {64}, Arguments().add(x).add(y));
    std::vector<uint64_t> result = y.values();
    result.resize(cases.size());
    return result;
  }

  /// Compares with `expected`, which is told the bits of the operands.
  void
  check(const std::string &body, const std::vector<Operands> &cases,
        const std::function<uint64_t(uint64_t, uint64_t, uint64_t)> &expected) {
    std::vector<uint64_t> got = evaluate(body, cases);
    for (size_t i = 0; i < cases.size(); ++i) {
      uint64_t wanted = expected(cases[i].a, cases[i].b, cases[i].c);
      ASSERT_EQ(got[i], wanted)
          << body << std::hex << ": a = 0x" << cases[i].a << ", b = 0x"
          << cases[i].b << ", c = 0x" << cases[i].c;
    }
  }

  /// Corners of `bits` bits against each other, and random values.
  std::vector<Operands> integers(unsigned bits) {
    uint64_t ones = bits == 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1;
    std::vector<uint64_t> corners = {
        0,        1,          2, 3, 31, 33, ones, ones >> 1, (ones >> 1) + 1,
        ones - 1, 0x55555555, 7};
    return combine(corners, ones);
  }

  /// The same for numbers of f32 and f64.
  std::vector<Operands> singles() {
    std::vector<uint64_t> corners;
    for (float value : {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 3.0f, 1e-40f, -1e-40f,
                        3.4e38f, 1.17549435e-38f, 16777216.0f, 1e-8f, -2.5f})
      corners.push_back(std::bit_cast<uint32_t>(value));
    corners.push_back(0x7f800000);
    corners.push_back(0xff800000);
    corners.push_back(0x7fffffff);
    std::vector<Operands> cases = combine(corners, 0xffffffff);
    std::uniform_real_distribution<float> near(-8, 8);
    for (int i = 0; i < 200; ++i)
      cases.push_back({std::bit_cast<uint32_t>(near(engine)),
                       std::bit_cast<uint32_t>(near(engine)),
                       std::bit_cast<uint32_t>(near(engine))});
    return cases;
  }

  std::vector<Operands> doubles() {
    std::vector<uint64_t> corners;
    for (double value : {0.0, -0.0, 1.0, -1.0, 0.1, 1e300, 1e-310, 3.0})
      corners.push_back(std::bit_cast<uint64_t>(value));
    corners.push_back(0x7ff0000000000000);
    corners.push_back(0x7fffffffffffffff);
    std::vector<Operands> cases = combine(corners, ~uint64_t(0));
    std::uniform_real_distribution<double> near(-8, 8);
    for (int i = 0; i < 200; ++i)
      cases.push_back({std::bit_cast<uint64_t>(near(engine)),
                       std::bit_cast<uint64_t>(near(engine)),
                       std::bit_cast<uint64_t>(near(engine))});
    return cases;
  }

  std::vector<Operands> combine(const std::vector<uint64_t> &corners,
                                uint64_t ones) {
    std::vector<Operands> cases;
    for (uint64_t a : corners)
      for (uint64_t b : corners)
        cases.push_back({a & ones, b & ones,
                         corners[cases.size() * 7 % corners.size()] & ones});
    for (int i = 0; i < 100; ++i)
      cases.push_back({engine() & ones, engine() & ones, engine() & ones});
    return cases;
  }

  std::mt19937_64 engine{11};
};

} // namespace weft::ptx::test

#endif // WEFT_TEST_PTXEMULATOR_SCALAR_H
