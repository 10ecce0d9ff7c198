//===- MatrixTest.cpp - Tensor cores --------------------------------------===//
//
// Fragments are laid out by the tables of the PTX manual, written out here for
// each shape.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <bit>
#include <cmath>
#include <random>

using namespace weft::ptx;
using namespace weft::ptx::test;

namespace {

/// A type of factors: small numbers that it holds exactly, as bits.
struct Number {
  std::string name;
  unsigned bits;
  uint32_t (*encode)(int);
};

uint32_t asHalf(int value) {
  if (!value)
    return 0;
  int exponent = int(std::log2(std::abs(value)));
  auto fraction = uint32_t(std::ldexp(std::abs(value), 10 - exponent)) & 1023;
  return uint32_t(exponent + 15) << 10 | fraction | (value < 0 ? 0x8000 : 0);
}
uint32_t asSingle(int value) { return std::bit_cast<uint32_t>(float(value)); }
uint32_t asBFloat(int value) { return asSingle(value) >> 16; }
uint32_t asE4M3(int value) {
  if (!value)
    return 0;
  int exponent = int(std::log2(std::abs(value)));
  auto fraction = uint32_t(std::ldexp(std::abs(value), 3 - exponent)) & 7;
  return uint32_t(exponent + 7) << 3 | fraction | (value < 0 ? 0x80 : 0);
}
uint32_t asE5M2(int value) { return asHalf(value) >> 8; }
uint32_t asByte(int value) { return uint8_t(value); }

const Number kF16{"f16", 16, asHalf}, kBF16{"bf16", 16, asBFloat},
    kTF32{"tf32", 32, asSingle}, kE4M3{"e4m3", 8, asE4M3},
    kE5M2{"e5m2", 8, asE5M2}, kS8{"s8", 8, asByte};

std::string list(const std::string &prefix, unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i)
    text += (i ? ", %" : "%") + prefix + std::to_string(i);
  return text + "}";
}

struct Shape {
  unsigned m, k;
  Number factor;
  std::string sum;
};

class MmaTest : public EmulatorTest, public testing::WithParamInterface<Shape> {
protected:
  std::vector<int> numbers(size_t count) {
    std::vector<int> values(count);
    for (int &value : values)
      value = int(engine() % 7) - 3;
    return values;
  }
  std::mt19937 engine{3};
};

// Loads registers of 32 bits, a lane's one after the other, and stores d.
std::string mmaText(const std::string &instruction, unsigned a, unsigned b,
                    unsigned c) {
  std::string text =
      ".reg .b64 %p, %q;\n.reg .b32 %t, %o, %a<8>, %b<4>, %c<4>;\n"
      "ld.param.u64 %p, [x];\nld.param.u64 %q, [y];\nmov.u32 %t, %tid.x;\n"
      ".reg .b64 %w;\nmul.wide.u32 %w, %t, 64;\nadd.u64 %p, %p, %w;\n"
      "add.u64 %q, %q, %w;\n";
  auto load = [&](const char *name, unsigned count, unsigned at) {
    for (unsigned i = 0; i < count; ++i)
      text += "ld.global.b32 %" + std::string(name) + std::to_string(i) +
              ", [%p+" + std::to_string(4 * (at + i)) + "];\n";
  };
  load("a", a, 0);
  load("b", b, 8);
  load("c", c, 12);
  text += instruction + " " + list("c", c) + ", " + list("a", a) + ", " +
          list("b", b) + ", " + list("c", c) + ";\n";
  for (unsigned i = 0; i < c; ++i)
    text += "st.global.b32 [%q+" + std::to_string(4 * i) + "], %c" +
            std::to_string(i) + ";\n";
  return kernelText(".param .u64 x, .param .u64 y", text);
}

TEST_P(MmaTest, product) {
  Shape shape = GetParam();
  unsigned per = 32 / shape.factor.bits;
  // Rows of a: the manual's groupID and groupID + 8; columns by fours of
  // threads, each with `per` neighbours, in one or two runs.
  unsigned halves = shape.m / 8, runs = shape.k / (4 * per);
  unsigned aCount = halves * runs, bCount = runs;
  bool narrow = shape.sum == "f16", integer = shape.sum == "s32";
  unsigned cCount = halves * (narrow ? 1 : 2);
  load(mmaText("mma.sync.aligned.m" + std::to_string(shape.m) + "n8k" +
                   std::to_string(shape.k) + ".row.col." + shape.sum + "." +
                   shape.factor.name + "." + shape.factor.name + "." +
                   shape.sum,
               aCount, bCount, cCount));
  std::vector<int> a = numbers(shape.m * shape.k), b = numbers(shape.k * 8),
                   c = numbers(shape.m * 8);
  std::vector<uint32_t> input(32 * 16, 0);
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned group = lane / 4, thread = lane % 4;
    for (unsigned run = 0; run < runs; ++run)
      for (unsigned i = 0; i < per; ++i) {
        unsigned k = run * 4 * per + thread * per + i;
        for (unsigned half = 0; half < halves; ++half)
          input[lane * 16 + run * halves + half] |=
              shape.factor.encode(a[(group + 8 * half) * shape.k + k])
              << (i * shape.factor.bits);
        input[lane * 16 + 8 + run] |= shape.factor.encode(b[k * 8 + group])
                                      << (i * shape.factor.bits);
      }
    for (unsigned i = 0; i < 2 * halves; ++i) {
      int value = c[(group + i / 2 * 8) * 8 + thread * 2 + i % 2];
      if (narrow)
        input[lane * 16 + 12 + i / 2] |= asHalf(value) << (i % 2 * 16);
      else
        input[lane * 16 + 12 + i] = integer ? uint32_t(value) : asSingle(value);
    }
  }
  Buffer<uint32_t> x(memory, input), y(memory, 32 * 16);
  runKernel({1}, {32}, Arguments().add(x).add(y));
  EXPECT_EQ(counters.mma, 1u);
  for (unsigned i = 0; i < shape.m; ++i)
    for (unsigned j = 0; j < 8; ++j) {
      int sum = c[i * 8 + j];
      for (unsigned k = 0; k < shape.k; ++k)
        sum += a[i * shape.k + k] * b[k * 8 + j];
      unsigned lane = i % 8 * 4 + j / 2, at = i / 8 * 2 + j % 2;
      uint32_t got = narrow ? y[lane * 16 + at / 2] >> (at % 2 * 16) & 0xffff
                            : y[lane * 16 + at];
      ASSERT_EQ(got, narrow    ? asHalf(sum)
                     : integer ? uint32_t(sum)
                               : asSingle(sum))
          << i << ", " << j;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, MmaTest,
    testing::Values(Shape{16, 8, kF16, "f32"}, Shape{16, 16, kF16, "f32"},
                    Shape{16, 16, kF16, "f16"}, Shape{16, 8, kBF16, "f32"},
                    Shape{16, 16, kBF16, "f32"}, Shape{16, 4, kTF32, "f32"},
                    Shape{16, 8, kTF32, "f32"}, Shape{16, 32, kE4M3, "f32"},
                    Shape{16, 32, kE5M2, "f32"}, Shape{8, 16, kS8, "s32"},
                    Shape{16, 16, kS8, "s32"}, Shape{16, 32, kS8, "s32"}),
    [](const auto &info) {
      const Shape &shape = info.param;
      return "m" + std::to_string(shape.m) + "k" + std::to_string(shape.k) +
             shape.factor.name + shape.sum;
    });

class MatrixTest : public EmulatorTest {};

// m8n8k4 of f64: one element of a and b, two of c.
TEST_F(MatrixTest, doubles) {
  load(kernelText(
      ".param .u64 x, .param .u64 y",
      ".reg .b64 %p, %q, %w;\n.reg .f64 %a, %b, %c<2>;\n.reg .b32 %t;\n"
      "ld.param.u64 %p, [x];\nld.param.u64 %q, [y];\nmov.u32 %t, %tid.x;\n"
      "mul.wide.u32 %w, %t, 8;\nadd.u64 %p, %p, %w;\n"
      "ld.global.f64 %a, [%p];\nld.global.f64 %b, [%p+256];\n"
      "mov.f64 %c0, 0d3FF0000000000000;\nmov.f64 %c1, %c0;\n"
      "mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%c0,%c1}, {%a}, {%b}, "
      "{%c0,%c1};\nmul.wide.u32 %w, %t, 16;\nadd.u64 %q, %q, %w;\n"
      "st.global.v2.f64 [%q], {%c0,%c1};"));
  std::vector<double> values(64);
  for (int i = 0; i < 64; ++i)
    values[i] = i * 0.125 - 3;
  Buffer<double> x(memory, values), y(memory, 64);
  runKernel({1}, {32}, Arguments().add(x).add(y));
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = 1;
      // a by rows of four; b by columns of four.
      for (int k = 0; k < 4; ++k)
        sum += values[i * 4 + k] * values[32 + j * 4 + k];
      ASSERT_EQ(y[i * 8 + j], sum);
    }
}

// A matrix through shared memory and back, once transposed.
TEST_F(MatrixTest, transfers) {
  load(kernelText(
      ".param .u64 x, .param .u64 y",
      ".shared .align 16 .b8 s[1024];\n.reg .b64 %p, %q, %w;\n"
      ".reg .b32 %t, %o, %r<8>;\nld.param.u64 %p, [x];\nld.param.u64 %q, [y];\n"
      "mov.u32 %t, %tid.x;\nmul.wide.u32 %w, %t, 16;\nadd.u64 %p, %p, %w;\n"
      "add.u64 %q, %q, %w;\nmad.lo.u32 %o, %t, 16, s;\n"
      "ld.global.v4.b32 {%r0,%r1,%r2,%r3}, [%p];\n"
      "st.shared.v4.b32 [%o], {%r0,%r1,%r2,%r3};\nbar.warp.sync -1;\n"
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r0,%r1,%r2,%r3}, [%o];"
      "\nmovmatrix.sync.aligned.m8n8.trans.b16 %r1, %r1;\n"
      "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%o+512], {%r0,%r1,%r2,%r3};\n"
      "bar.warp.sync -1;\nld.shared.v4.b32 {%r4,%r5,%r6,%r7}, [%o+512];\n"
      "st.global.v4.b32 [%q], {%r4,%r5,%r6,%r7};"));
  std::vector<uint16_t> values(256);
  for (int i = 0; i < 256; ++i)
    values[i] = uint16_t(i * 257);
  Buffer<uint16_t> x(memory, values), y(memory, 256);
  options.counters = true;
  runKernel({1}, {32}, Arguments().add(x).add(y));
  for (int matrix = 0; matrix < 4; ++matrix)
    for (int i = 0; i < 8; ++i)
      for (int j = 0; j < 8; ++j) {
        int from = matrix == 1 ? i * 8 + j : j * 8 + i;
        ASSERT_EQ(y[matrix * 64 + i * 8 + j], values[matrix * 64 + from]);
      }
  // Rows side by side: as many wavefronts as there must be, 4 in each of the 4.
  EXPECT_EQ(counters.sharedWavefronts, 16u);
  EXPECT_EQ(counters.idealSharedWavefronts, 16u);
}

//===----------------------------------------------------------------------===//
// wgmma

struct Group {
  unsigned n;
  Number factor;
  std::string sum;
  /// 0 without, 1 to 3 for 128, 64 and 32 bytes.
  unsigned swizzle;
  bool transposeA = false, transposeB = false, leftInRegisters = false;
};

/// Where a factor's element lies in shared memory, by the manual's picture of
/// core matrices; and its descriptor.
class Factor {
public:
  Factor(unsigned rows, unsigned k, const Group &group, bool transposed)
      : bytes(group.factor.bits / 8), k(k), transposed(transposed),
        swizzle(group.swizzle) {
    span = swizzle ? 256 >> swizzle : 16;
    (void)rows;
  }

  size_t place(unsigned row, unsigned column) const {
    if (transposed) {
      // Groups of `span` bytes of neighbouring rows, 8 columns each.
      unsigned per = span / bytes;
      size_t inside = column % 8 * span + row % per * bytes;
      return (row / per * (k / 8) + column / 8) * size_t(8) * span +
             mixed(inside);
    }
    // Groups of 8 rows and `span` bytes along k.
    size_t byte = column * bytes;
    size_t runs = (k * bytes + span - 1) / span;
    size_t inside = row % 8 * span + byte % span;
    return (row / 8 * runs + byte / span) * size_t(8) * span + mixed(inside);
  }

  size_t size(unsigned rows) const {
    unsigned per = span / bytes;
    return transposed ? size_t((rows + per - 1) / per) * per * k * bytes
                      : size_t(rows) * std::max(k * bytes, span);
  }

  uint64_t descriptor(size_t start) const {
    size_t atom = 8 * size_t(span);
    size_t runs = (k * bytes + span - 1) / span;
    size_t leading, stride;
    if (!transposed) {
      leading = atom;
      stride = runs * atom;
    } else if (swizzle) {
      leading = k / 8 * atom;
      stride = atom;
    } else {
      leading = atom;
      stride = k / 8 * atom;
    }
    return start >> 4 | uint64_t(leading >> 4) << 16 |
           uint64_t(stride >> 4) << 32 | uint64_t(swizzle) << 62;
  }

private:
  // Chunks of 16 bytes trade places by the number of their 128 bytes.
  size_t mixed(size_t byte) const {
    if (!swizzle)
      return byte;
    size_t lines = swizzle == 1 ? 8 : swizzle == 2 ? 4 : 2;
    size_t line = byte / 128 % lines;
    return byte ^ line * 16;
  }

  unsigned bytes, k;
  bool transposed;
  unsigned swizzle, span = 0;
};

class WgmmaTest : public EmulatorTest,
                  public testing::WithParamInterface<std::tuple<Mode, Group>> {
};

std::string wgmmaText(const Group &group, unsigned k, size_t bytes,
                      const std::string &left, const std::string &right,
                      unsigned registers) {
  std::string text =
      ".reg .b64 %p, %q, %w, %da, %db;\n.reg .b32 %t, %o, %i, %r<4>, %a<4>;\n"
      ".reg .b32 %d<128>;\n.reg .pred %c, %one;\n"
      ".shared .align 1024 .b8 s[" +
      std::to_string(bytes) +
      "];\n"
      "ld.param.u64 %p, [x];\nld.param.u64 %q, [y];\nmov.u32 %t, %tid.x;\n"
      "mov.u32 %i, %t;\ncopy:\nmul.wide.u32 %w, %i, 4;\nadd.u64 %w, %w, %p;\n"
      "ld.global.b32 %r0, [%w];\nmad.lo.u32 %o, %i, 4, s;\n"
      "st.shared.b32 [%o], %r0;\nadd.u32 %i, %i, 128;\n"
      "setp.lt.u32 %c, %i, " +
      std::to_string(bytes / 4) +
      ";\n@%c bra copy;\n"
      "fence.proxy.async;\nbar.sync 0;\nsetp.eq.u32 %one, 0, 0;\n"
      "mov.u64 %da, " +
      left + ";\nmov.u64 %db, " + right + ";\n";
  if (group.leftInRegisters) {
    text += "mul.wide.u32 %w, %t, 16;\nadd.u64 %w, %w, %p;\n"
            "ld.global.v4.b32 " +
            list("a", 4) + ", [%w+" + std::to_string(bytes) + "];\n";
  }
  for (unsigned i = 0; i < registers; ++i)
    text += "mov.b32 %d" + std::to_string(i) + ", 0;\n";
  std::string tail;
  if (group.sum != "s32") {
    tail = ", 1, -1";
    if (group.factor.bits == 16) {
      if (!group.leftInRegisters)
        tail += group.transposeA ? ", 1" : ", 0";
      tail += group.transposeB ? ", 1" : ", 0";
    }
  }
  std::string product =
      "wgmma.mma_async.sync.aligned.m64n" + std::to_string(group.n) + "k" +
      std::to_string(k) + "." + group.sum + "." + group.factor.name + "." +
      group.factor.name + " " + list("d", registers) + ", " +
      (group.leftInRegisters ? list("a", 4) : "%da") + ", %db, ";
  // Twice: the second adds to the first.
  text += "wgmma.fence.sync.aligned;\n" + product + "!%one" + tail + ";\n" +
          product + "%one" + tail +
          ";\nwgmma.commit_group.sync.aligned;\n"
          "wgmma.wait_group.sync.aligned 0;\n"
          "mul.wide.u32 %w, %t, 512;\nadd.u64 %q, %q, %w;\n";
  for (unsigned i = 0; i < registers; ++i)
    text += "st.global.b32 [%q+" + std::to_string(4 * i) + "], %d" +
            std::to_string(i) + ";\n";
  return kernelText(".param .u64 x, .param .u64 y", text);
}

TEST_P(WgmmaTest, product) {
  auto [mode, group] = GetParam();
  options.mode = mode;
  unsigned k = 256 / group.factor.bits, bytes = group.factor.bits / 8;
  std::mt19937 engine{5};
  auto number = [&] { return int(engine() % 7) - 3; };
  std::vector<int> a(64 * k), b(group.n * k);
  for (int &value : a)
    value = number();
  for (int &value : b)
    value = number();
  Factor left(64, k, group, group.transposeA),
      right(group.n, k, group, group.transposeB);
  size_t second = (left.size(64) + 1023) / 1024 * 1024;
  size_t shared = (second + right.size(group.n) + 511) / 512 * 512;
  std::vector<uint32_t> input(shared / 4 + 128 * 4, 0);
  auto *image = reinterpret_cast<uint8_t *>(input.data());
  for (unsigned row = 0; row < 64; ++row)
    for (unsigned column = 0; column < k; ++column) {
      uint32_t bits = group.factor.encode(a[row * k + column]);
      std::memcpy(image + left.place(row, column), &bits, bytes);
      // In registers: warp, row in it, and the layout of mma.
      unsigned per = 4 / bytes,
               lane = row / 16 * 32 + row % 8 * 4 + column / per % 4;
      unsigned r = column / (4 * per) * 2 + row % 16 / 8;
      std::memcpy(image + shared + lane * 16 + r * 4 + column % per * bytes,
                  &bits, bytes);
    }
  for (unsigned row = 0; row < group.n; ++row)
    for (unsigned column = 0; column < k; ++column) {
      uint32_t bits = group.factor.encode(b[row * k + column]);
      std::memcpy(image + second + right.place(row, column), &bits, bytes);
    }
  // Shared memory begins at 1024.
  bool narrow = group.sum == "f16", integer = group.sum == "s32";
  unsigned registers = narrow ? group.n / 4 : group.n / 2;
  load(wgmmaText(group, k, shared, std::to_string(left.descriptor(1024)),
                 std::to_string(right.descriptor(1024 + second)), registers));
  Buffer<uint32_t> x(memory, input), y(memory, 128 * 128);
  runKernel({1}, {128}, Arguments().add(x).add(y));
  EXPECT_EQ(counters.mma, 8u);
  for (unsigned i = 0; i < 64; ++i)
    for (unsigned j = 0; j < group.n; ++j) {
      int sum = 0;
      for (unsigned l = 0; l < k; ++l)
        sum += a[i * k + l] * b[j * k + l];
      sum *= integer ? 2 : -2;
      unsigned lane = i / 16 * 32 + i % 8 * 4 + j % 8 / 2;
      unsigned at = j / 8 * 4 + i % 16 / 8 * 2 + j % 2;
      uint32_t got = narrow ? y[lane * 128 + at / 2] >> (at % 2 * 16) & 0xffff
                            : y[lane * 128 + at];
      if (sum == 0 && !integer)
        got &= narrow ? 0x7fff : 0x7fffffff;
      ASSERT_EQ(got, narrow    ? asHalf(sum)
                     : integer ? uint32_t(sum)
                               : asSingle(sum))
          << i << ", " << j;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Groups, WgmmaTest,
    testing::Combine(
        testing::Values(Mode::Plain, Mode::Race, Mode::Lazy),
        testing::Values(Group{64, kF16, "f32", 3}, Group{128, kBF16, "f32", 1},
                        Group{32, kF16, "f16", 0}, Group{64, kTF32, "f32", 2},
                        Group{8, kE4M3, "f32", 3}, Group{16, kE5M2, "f16", 1},
                        Group{24, kS8, "s32", 3},
                        Group{256, kF16, "f32", 1, true, true},
                        Group{64, kBF16, "f32", 2, true, false},
                        Group{64, kF16, "f32", 0, true, true},
                        Group{64, kF16, "f32", 1, false, true, true},
                        Group{32, kE4M3, "f32", 3, false, false, true})));

TEST_F(MatrixTest, fences) {
  auto faultOf = [&](const std::string &before, const std::string &after) {
    load(kernelText("", ".shared .align 1024 .b8 s[4096];\n.reg .b64 %d;\n"
                        ".reg .b32 %r<4>;\n.reg .pred %p;\n"
                        "setp.eq.u32 %p, 0, 0;\n.reg .b32 %o, %t;\n"
                        "mov.u32 %t, %tid.x;\nmad.lo.u32 %o, %t, 32, s;\n"
                        "st.shared.v4.b32 [%o], {%t,%t,%t,%t};\n"
                        "st.shared.v4.b32 [%o+16], {%t,%t,%t,%t};\n"
                        "mov.u64 %d, 0x4000000800080040;\nmov.b32 %r0, 0;\n"
                        "mov.b32 %r1, 0;\nmov.b32 %r2, 0;\nmov.b32 %r3, 0;\n" +
                            before +
                            "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 "
                            "{%r0,%r1,%r2,%r3}, %d, %d, %p, 1, 1, 0, 0;\n"
                            "wgmma.commit_group.sync.aligned;\n" +
                            after));
    return failKernel({1}, {128}, {});
  };
  std::string fence = "fence.proxy.async;\nbar.sync 0;\n",
              order = "wgmma.fence.sync.aligned;\n",
              wait = "wgmma.wait_group.sync.aligned 0;\n";
  EXPECT_NE(faultOf(fence, wait).message.find("no wgmma.fence before"),
            std::string::npos);
  EXPECT_NE(faultOf("bar.sync 0;\n" + order, wait)
                .message.find("no fence.proxy.async"),
            std::string::npos);
  options.mode = Mode::Race;
  EXPECT_EQ(faultOf(fence + order, "st.shared.b32 [s], %t;").kind,
            FaultKind::Race);
}

} // namespace
