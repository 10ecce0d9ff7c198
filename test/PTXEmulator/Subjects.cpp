//===- Subjects.cpp - Kernels that are run as a whole ---------------------===//

#include "Subjects.h"

#include "weft/PTXEmulator/TensorMap.h"

#include <cmath>
#include <fstream>
#include <numeric>
#include <sstream>

using namespace weft::ptx;
using namespace weft::ptx::test;

namespace {

struct Call {
  const char *kernel;
  Dim3 grid, block;
  Arguments arguments;
  Dim3 cluster = {};
  size_t shared = 0;
};

std::string runCall(Memory &memory, const Module &module,
                    const Options &options, const Call &call) {
  Launch launch;
  launch.module = &module;
  launch.kernel = call.kernel;
  launch.grid = call.grid;
  launch.block = call.block;
  launch.cluster = call.cluster;
  launch.dynamicShared = call.shared;
  launch.parameters = call.arguments.bytes;
  Fault fault;
  return run(memory, launch, options, nullptr, fault) ? "" : fault.message;
}

/// Numbers that look random.
float valueAt(size_t i) { return float(i * 2654435761u % 1009) / 256 - 2; }

std::vector<float> values(size_t count) {
  std::vector<float> result(count);
  for (size_t i = 0; i < count; ++i)
    result[i] = valueAt(i);
  return result;
}

bool near(double got, double wanted, double tolerance) {
  return std::fabs(got - wanted) <= tolerance;
}

// The bits of numbers that f16 holds: small multiples of 1/8.
uint16_t halfAt(size_t i, double *value) {
  int eighths = int(i * 2654435761u % 31) - 15;
  *value = eighths / 8.0;
  if (!eighths)
    return 0;
  int exponent = int(std::floor(std::log2(std::fabs(*value))));
  auto fraction = uint16_t(std::ldexp(std::fabs(*value), 10 - exponent)) & 1023;
  return uint16_t((eighths < 0 ? 0x8000 : 0) | (exponent + 15) << 10 |
                  fraction);
}

Buffer<uint16_t> &fillHalves(Buffer<uint16_t> &buffer, size_t seed,
                             std::vector<double> &reals) {
  reals.resize(buffer.size);
  for (size_t i = 0; i < buffer.size; ++i)
    buffer[i] = halfAt(i + seed, &reals[i]);
  buffer.memory.markInitialised(buffer.data, buffer.size * 2);
  return buffer;
}

} // namespace

std::string weft::ptx::test::corpusText() {
  std::ifstream file(WEFT_TEST_CORPUS "/kernels.ptx");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string weft::ptx::test::runSoftmax(Memory &memory, const Module &module,
                                        const Options &options) {
  const int rows = 2, columns = 150;
  std::vector<float> input = values(rows * columns);
  Buffer<float> x(memory, input), y(memory, input.size());
  std::string wrong = runCall(
      memory, module, options,
      {"softmax", {rows}, {64}, Arguments().add(x).add(y).add(columns)});
  for (int row = 0; row < rows && wrong.empty(); ++row) {
    double sum = 0;
    for (int i = 0; i < columns; ++i)
      sum += std::exp(double(input[row * columns + i]));
    for (int i = row * columns; i < (row + 1) * columns; ++i)
      if (!near(y[i], std::exp(double(input[i])) / sum, 1e-7))
        wrong = "wrong result";
  }
  return wrong;
}

std::string weft::ptx::test::runMatmul(Memory &memory, const Module &module,
                                       const Options &options) {
  const int n = 64;
  std::vector<float> left = values(n * n), right = values(n * n);
  Buffer<float> a(memory, left), b(memory, right), c(memory, n * n);
  std::string wrong = runCall(
      memory, module, options,
      {"matmul", {2, 2}, {32, 32}, Arguments().add(a).add(b).add(c).add(n)});
  for (int i = 0; i < n && wrong.empty(); ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int k = 0; k < n; ++k)
        sum += double(left[i * n + k]) * right[k * n + j];
      if (!near(c[i * n + j], sum, 1e-4))
        wrong = "wrong result";
    }
  return wrong;
}

std::string weft::ptx::test::runHistogram(Memory &memory, const Module &module,
                                          const Options &options) {
  std::vector<uint8_t> data(3000);
  std::vector<unsigned> expected(256, 0);
  for (size_t i = 0; i < data.size(); ++i)
    ++expected[data[i] = uint8_t(i * i * 7)];
  Buffer<uint8_t> input(memory, data);
  Buffer<unsigned> bins(memory, std::vector<unsigned>(256, 0));
  std::string wrong =
      runCall(memory, module, options,
              {"histogram",
               {4},
               {128},
               Arguments().add(input).add(bins).add(int(data.size()))});
  return !wrong.empty()              ? wrong
         : bins.values() == expected ? ""
                                     : "wrong result";
}

std::string weft::ptx::test::runSumAll(Memory &memory, const Module &module,
                                       const Options &options) {
  std::vector<float> input(3000);
  std::iota(input.begin(), input.end(), 1.0f);
  Buffer<float> x(memory, input), parts(memory, 7), result(memory, 1);
  std::string wrong =
      runCall(memory, module, options,
              {"sumAll",
               {7},
               {32},
               Arguments().add(x).add(parts).add(result).add(3000)});
  if (wrong.empty() && !near(result[0], 3000.0 * 3001 / 2, 16))
    return "wrong result";
  return wrong;
}

std::string weft::ptx::test::runRotate(Memory &memory, const Module &module,
                                       const Options &options) {
  std::vector<int> input(512);
  std::iota(input.begin(), input.end(), 0);
  Buffer<int> x(memory, input), y(memory, 512);
  std::string wrong =
      runCall(memory, module, options,
              {"rotate", {8}, {64}, Arguments().add(x).add(y), {4}});
  for (int block = 0; block < 8 && wrong.empty(); ++block)
    for (int i = 0; i < 64; ++i)
      if (y[block * 64 + i] != (block / 4 * 4 + (block + 1) % 4) * 64 + 63 - i)
        wrong = "wrong result";
  return wrong;
}

std::string weft::ptx::test::runTensor(Memory &memory, const Module &module,
                                       const Options &options) {
  Buffer<uint16_t> a(memory, 256), b(memory, 128);
  Buffer<float> c(memory, 128);
  std::vector<double> left, right;
  fillHalves(a, 0, left);
  fillHalves(b, 1000, right);
  std::string wrong =
      runCall(memory, module, options,
              {"tensor", {1}, {32}, Arguments().add(a).add(b).add(c)});
  for (int i = 0; i < 16 && wrong.empty(); ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = 0;
      for (int k = 0; k < 16; ++k)
        sum += left[i * 16 + k] * right[k * 8 + j];
      if (!near(c[i * 8 + j], sum, 1e-5))
        wrong = "wrong result";
    }
  return wrong;
}

std::string weft::ptx::test::runStream(Memory &memory, const Module &module,
                                       const Options &options) {
  const int tiles = 7;
  std::vector<float> input = values(tiles * 128);
  Buffer<float> x(memory, input), y(memory, 128);
  std::string wrong =
      runCall(memory, module, options,
              {"stream", {1}, {160}, Arguments().add(x).add(y).add(tiles)});
  for (int i = 0; i < 128 && wrong.empty(); ++i) {
    double sum = 0;
    for (int t = 0; t < tiles; ++t)
      sum += input[t * 128 + 127 - i];
    if (!near(y[i], sum, 1e-5))
      wrong = "wrong result";
  }
  return wrong;
}

std::string weft::ptx::test::runWarpgroup(Memory &memory, const Module &module,
                                          const Options &options) {
  const int tiles = 4, depth = tiles * 64;
  Buffer<uint16_t> a(memory, size_t(64) * depth), b(memory, size_t(64) * depth);
  Buffer<float> c(memory, 64 * 64);
  std::vector<double> left, right;
  fillHalves(a, 0, left);
  fillHalves(b, 777, right);
  TensorMapArguments map;
  map.type = TensorType::Float16;
  map.rank = 2;
  map.size[0] = depth, map.size[1] = 64;
  map.stride[0] = depth * 2;
  map.box[0] = 64, map.box[1] = 64;
  map.swizzle = Swizzle::Bytes128;
  TensorMap maps[2];
  std::string error;
  map.address = a.data;
  if (!encode(map, maps[0], error))
    return error;
  map.address = b.data;
  if (!encode(map, maps[1], error))
    return error;
  std::string wrong =
      runCall(memory, module, options,
              {"warpgroup",
               {1},
               {128},
               Arguments().add(maps[0]).add(maps[1]).add(c).add(tiles),
               {},
               32768});
  for (int i = 0; i < 64 && wrong.empty(); ++i)
    for (int j = 0; j < 64; ++j) {
      double sum = 0;
      for (int k = 0; k < depth; ++k)
        sum += left[i * depth + k] * right[j * depth + k];
      if (!near(c[i * 64 + j], sum, 1e-3))
        wrong = "wrong result";
    }
  return wrong;
}
