//===- CorpusTest.cpp - Kernels of a foreign compiler ---------------------===//
//
// Each kernel of corpus/kernels.ptx against what it is meant to compute, in
// every mode.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>

using namespace weft::ptx;
using namespace weft::ptx::test;

namespace {

class CorpusTest : public EmulatorTest,
                   public testing::WithParamInterface<Mode> {
protected:
  void SetUp() override {
    std::ifstream file(WEFT_TEST_CORPUS "/kernels.ptx");
    std::stringstream text;
    text << file.rdbuf();
    load(text.str());
    options.mode = GetParam();
  }

  void runNamed(const char *name, Dim3 grid, Dim3 block,
                const Arguments &arguments, Dim3 cluster = {}) {
    ASSERT_TRUE(module);
    Launch launch = launchOf(grid, block, arguments);
    launch.kernel = name;
    launch.cluster = cluster;
    Fault fault;
    ASSERT_TRUE(run(memory, launch, options, &counters, fault))
        << fault.message;
  }

  std::vector<float> random(size_t count, float low = -2, float high = 2) {
    std::uniform_real_distribution<float> distribution(low, high);
    std::vector<float> values(count);
    for (float &value : values)
      value = distribution(engine);
    return values;
  }

  std::mt19937 engine{7};
};

TEST_P(CorpusTest, softmax) {
  const int rows = 3, columns = 150;
  std::vector<float> input = random(rows * columns);
  Buffer<float> x(memory, input), y(memory, input.size());
  runNamed("softmax", {rows}, {64}, Arguments().add(x).add(y).add(columns));
  for (int row = 0; row < rows; ++row) {
    double sum = 0;
    for (int i = 0; i < columns; ++i)
      sum += std::exp(double(input[row * columns + i]));
    for (int i = 0; i < columns; ++i)
      ASSERT_NEAR(y[row * columns + i],
                  std::exp(double(input[row * columns + i])) / sum, 1e-7);
  }
}

TEST_P(CorpusTest, matmul) {
  const int n = 64;
  std::vector<float> left = random(n * n), right = random(n * n);
  Buffer<float> a(memory, left), b(memory, right), c(memory, n * n);
  options.counters = true;
  runNamed("matmul", {2, 2}, {32, 32}, Arguments().add(a).add(b).add(c).add(n));
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int k = 0; k < n; ++k)
        sum += double(left[i * n + k]) * right[k * n + j];
      ASSERT_NEAR(c[i * n + j], sum, 1e-4);
    }
  // Rows of 33 floats: no two lanes meet in a bank.
  EXPECT_EQ(counters.sharedWavefronts, counters.idealSharedWavefronts);
  EXPECT_EQ(counters.barriers, 4u * 32 * 4);
}

TEST_P(CorpusTest, histogram) {
  std::vector<uint8_t> data(5000);
  std::vector<unsigned> expected(256, 0);
  for (uint8_t &value : data)
    ++expected[value = uint8_t(engine() % 256)];
  Buffer<uint8_t> input(memory, data);
  Buffer<unsigned> bins(memory, std::vector<unsigned>(256, 0));
  runNamed("histogram", {4}, {128},
           Arguments().add(input).add(bins).add(int(data.size())));
  EXPECT_EQ(bins.values(), expected);
}

TEST_P(CorpusTest, sumAll) {
  std::vector<float> values(3000);
  std::iota(values.begin(), values.end(), 1.0f);
  Buffer<float> x(memory, values), parts(memory, 7), result(memory, 1);
  runNamed("sumAll", {7}, {32},
           Arguments().add(x).add(parts).add(result).add(3000));
  EXPECT_NEAR(result[0], 3000.0 * 3001 / 2, 16);
}

TEST_P(CorpusTest, halves) {
  const int n = 100;
  Buffer<uint16_t> x(memory, n * 2), y(memory, n * 2), z(memory, n * 2);
  Buffer<float> w(memory, n);
  for (int i = 0; i < 2 * n; ++i) {
    x[i] = uint16_t(0x3c00 + i);      // 1 + i / 1024
    y[i] = uint16_t(0x3f80 + i % 64); // 1 + i / 128
  }
  memory.markInitialised(x.data, n * 4);
  memory.markInitialised(y.data, n * 4);
  runNamed("halves", {4}, {32}, Arguments().add(x).add(y).add(z).add(w).add(n));
  auto rounded = [](double value, int bits) {
    int exponent;
    std::frexp(value, &exponent);
    double unit = std::ldexp(1.0, exponent - bits);
    return std::nearbyint(value / unit) * unit;
  };
  for (int i = 0; i < 2 * n; ++i) {
    double value = 1 + i / 1024.0;
    double expected = std::max(1.0, rounded(value * value + 0.5, 11));
    double got = 1 + (z[i] & 0x3ff) / 1024.0;
    got *= std::ldexp(1.0, (z[i] >> 10) - 15);
    ASSERT_EQ(got, expected) << i;
  }
  for (int i = 0; i < n; ++i) {
    double low = 1 + (2 * i) % 64 / 128.0, high = 1 + (2 * i + 1) % 64 / 128.0;
    ASSERT_EQ(w[i], rounded(low * low, 8) - rounded(high * high, 8)) << i;
  }
}

int64_t expectedInteger(int i, int64_t a, int64_t b) {
  switch (i % 9) {
  case 0:
    return a / b;
  case 1:
    return a % b;
  case 2:
    return __builtin_clzll(uint64_t(a)) * 100 +
           __builtin_popcountll(uint64_t(b));
  case 3:
    return int64_t(uint64_t(a) / uint64_t(b | 1));
  case 4:
    return int64_t((__extension__(__int128) a * b) >> 64);
  case 5: {
    uint64_t reversed = 0;
    for (int bit = 0; bit < 64; ++bit)
      reversed |= (uint64_t(a) >> bit & 1) << (63 - bit);
    return int64_t(reversed ^ (uint64_t(b) << (a & 31)));
  }
  case 6: {
    // The selector 0x3715, from the lowest byte: 5, 1, 7, 3.
    auto byteOf = [&](int k) {
      return uint32_t(k < 4 ? uint32_t(a) >> (8 * k)
                            : uint32_t(b) >> (8 * (k - 4))) &
             0xff;
    };
    return byteOf(5) | byteOf(1) << 8 | byteOf(7) << 16 | byteOf(3) << 24;
  }
  case 7: {
    int sum = 7;
    for (int k = 0; k < 4; ++k)
      sum += int(int8_t(a >> (8 * k))) * int8_t(b >> (8 * k));
    return sum;
  }
  default:
    return uint32_t(b) << 13 | uint32_t(a) >> 19;
  }
}

TEST_P(CorpusTest, integers) {
  const int n = 200;
  std::vector<int64_t> left(n), right(n);
  for (int i = 0; i < n; ++i) {
    left[i] = int64_t(uint64_t(engine()) << 32 | engine());
    right[i] = int64_t(uint64_t(engine()) << 32 | engine()) >> (i % 50);
    right[i] = right[i] ? right[i] : 3;
  }
  Buffer<int64_t> x(memory, left), y(memory, right), z(memory, n);
  runNamed("integers", {4}, {64}, Arguments().add(x).add(y).add(z).add(n));
  for (int i = 0; i < n; ++i)
    ASSERT_EQ(z[i], expectedInteger(i, left[i], right[i]))
        << i << ": " << left[i] << ", " << right[i];
}

double seriesOf(double x, int terms) {
  double sum = 0;
  for (int i = 0; i < terms; ++i)
    sum += std::pow(x, i) / (i + 1);
  return sum;
}

TEST_P(CorpusTest, calls) {
  const int n = 50;
  std::vector<double> input(n);
  for (int i = 0; i < n; ++i)
    input[i] = 0.5 + i / 64.0;
  std::vector<int> permutation = {3, 1, 4, 0, 5, 2, 7, 6};
  Buffer<double> x(memory, input), y(memory, n);
  Buffer<int> order(memory, permutation);
  for (int which : {0, 1}) {
    runNamed("calls", {2}, {32},
             Arguments().add(x).add(y).add(order).add(n).add(which));
    for (int i = 0; i < n; ++i) {
      double sum = 0;
      for (int k : permutation)
        sum = sum * 2 + (which ? seriesOf(input[i], k) : std::pow(input[i], k));
      ASSERT_NEAR(y[i], sum + seriesOf(input[i], i % 5), 1e-9);
    }
  }
}

TEST_P(CorpusTest, locked) {
  Buffer<int> lock(memory, std::vector<int>{0}),
      count(memory, std::vector<int>{0});
  runNamed("locked", {3}, {96}, Arguments().add(lock).add(count));
  EXPECT_EQ(count[0], 3 * 96);
}

TEST_P(CorpusTest, groups) {
  std::vector<int> input(32);
  for (int i = 0; i < 32; ++i)
    input[i] = i % 7 - 2;
  Buffer<int> x(memory, input), y(memory, 32);
  runNamed("groups", {1}, {32}, Arguments().add(x).add(y));
  int sum = std::accumulate(input.begin(), input.end(), 0), positive = 0;
  int negative = int(std::count_if(input.begin(), input.end(),
                                   [](int value) { return value < 0; }));
  int all = int(std::count_if(input.begin(), input.end(),
                              [](int value) { return value > 0; }));
  for (int i = 0; i < 32; ++i) {
    int expected = input[i] > 0   ? all * 1000 + positive++
                   : input[i] < 0 ? -negative
                                  : 0;
    expected += input[i ^ 3] * 7 + sum * 13;
    expected += int(std::count(input.begin(), input.end(), input[i])) * 100000;
    bool five = std::count(input.begin(), input.end(), 5) != 0;
    ASSERT_EQ(y[i], five ? expected ^ 1 : expected) << i;
  }
}

TEST_P(CorpusTest, rotate) {
  std::vector<int> input(512);
  std::iota(input.begin(), input.end(), 0);
  Buffer<int> x(memory, input), y(memory, 512);
  runNamed("rotate", {8}, {64}, Arguments().add(x).add(y), {4});
  for (int block = 0; block < 8; ++block)
    for (int i = 0; i < 64; ++i) {
      int other = block / 4 * 4 + (block + 1) % 4;
      ASSERT_EQ(y[block * 64 + i], other * 64 + 63 - i);
    }
}

TEST_P(CorpusTest, talk) {
  std::string said;
  options.print = [&](std::string_view text) { said += text; };
  runNamed("talk", {1}, {32}, Arguments().add(2).add(3.25f));
  EXPECT_EQ(said, "thread 0 of 32:  3.25 text|1099511627776%\n"
                  "thread 1 of 32:  3.25 text|1099511627776%\n");
  Launch launch = launchOf({1}, {32}, Arguments().add(101).add(1.0f));
  launch.kernel = "talk";
  Fault fault;
  EXPECT_FALSE(run(memory, launch, options, nullptr, fault));
  EXPECT_EQ(fault.kind, FaultKind::Trap);
}

TEST_P(CorpusTest, functionsOf) {
  std::vector<float> input = random(128, -3, 3);
  Buffer<float> x(memory, input), y(memory, 128);
  Buffer<double> z(memory, 128);
  runNamed("functionsOf", {2}, {64}, Arguments().add(x).add(y).add(z).add(128));
  for (int i = 0; i < 128; ++i) {
    double v = input[i];
    ASSERT_NEAR(y[i],
                std::erf(v) + std::tanh(v) + std::log1p(v * v) +
                    std::pow(std::fabs(v) + 0.5, 1.7) +
                    std::sin(v) * std::cos(v),
                3e-6);
    ASSERT_NEAR(z[i],
                std::exp(v) + std::log(std::fabs(v) + 1) + std::sin(v) +
                    std::cbrt(v),
                1e-13);
  }
}

TEST_P(CorpusTest, tensor) {
  Buffer<uint16_t> a(memory, 256), b(memory, 128);
  Buffer<float> c(memory, 128);
  auto half = [](int i) { // 1 + i / 1024
    return uint16_t(0x3c00 + i);
  };
  for (int i = 0; i < 256; ++i)
    a[i] = half(i * 37 % 256);
  for (int i = 0; i < 128; ++i)
    b[i] = half(i * 29 % 128);
  memory.markInitialised(a.data, 512);
  memory.markInitialised(b.data, 256);
  runNamed("tensor", {1}, {32}, Arguments().add(a).add(b).add(c));
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = 0;
      for (int k = 0; k < 16; ++k)
        sum += (1 + (i * 16 + k) * 37 % 256 / 1024.0) *
               (1 + (k * 8 + j) * 29 % 128 / 1024.0);
      ASSERT_NEAR(c[i * 8 + j], sum, 1e-5);
    }
}

std::string modeName(const testing::TestParamInfo<Mode> &info) {
  return info.param == Mode::Plain  ? "plain"
         : info.param == Mode::Race ? "race"
                                    : "lazy";
}

INSTANTIATE_TEST_SUITE_P(Modes, CorpusTest,
                         testing::Values(Mode::Plain, Mode::Race, Mode::Lazy),
                         modeName);

} // namespace
