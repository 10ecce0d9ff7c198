//===- AsyncTest.cpp - Asynchronous copies and mbarriers ------------------===//

#include "weft/PTXEmulator/TensorMap.h"

#include "Harness.h"

#include <algorithm>
#include <numeric>

using namespace weft::ptx;
using namespace weft::ptx::test;

namespace {

class AsyncTest : public EmulatorTest,
                  public testing::WithParamInterface<Mode> {
protected:
  void SetUp() override { options.mode = GetParam(); }

  std::vector<int> iota(size_t count) {
    std::vector<int> values(count);
    std::iota(values.begin(), values.end(), 1);
    return values;
  }
};

const char *kRegisters = ".reg .b64 %p, %q, %m, %d<10>;\n"
                         ".reg .b32 %t, %s, %b, %r<20>;\n.reg .pred %c<6>;\n"
                         "ld.param.u64 %p, [x];\nld.param.u64 %q, [y];\n"
                         "mov.u32 %t, %tid.x;\n";

// Two stages of four bytes for each thread; the second copies only part.
TEST_P(AsyncTest, groups) {
  load(kernelText(
      ".param .u64 x, .param .u64 y",
      std::string(".shared .align 16 .b8 buffer[1024];\n") + kRegisters +
          "mul.wide.u32 %d0, %t, 16;\nadd.u64 %p, %p, %d0;\n"
          "mad.lo.u32 %s, %t, 16, buffer;\n"
          "cp.async.cg.shared.global [%s], [%p], 16;\n"
          "cp.async.commit_group;\n"
          "cp.async.ca.shared.global [%s+512], [%p+512], 16, 8;\n"
          "cp.async.commit_group;\n"
          "cp.async.wait_group 1;\n"
          "ld.shared.v4.b32 {%r0,%r1,%r2,%r3}, [%s];\n"
          "cp.async.wait_all;\n"
          "ld.shared.v4.b32 {%r4,%r5,%r6,%r7}, [%s+512];\n"
          "add.u64 %q, %q, %d0;\nst.global.v4.b32 [%q], {%r0,%r1,%r2,%r3};\n"
          "st.global.v4.b32 [%q+512], {%r4,%r5,%r6,%r7};"));
  std::vector<int> values = iota(256);
  Buffer<int> x(memory, values), y(memory, 256);
  runKernel({1}, {32}, Arguments().add(x).add(y));
  for (int i = 0; i < 256; ++i)
    ASSERT_EQ(y[i], i >= 128 && i % 4 >= 2 ? 0 : values[i]) << i;
}

// A bulk copy in, and one out: lane 0 does it all, the others look at it.
const std::string kBulk =
    std::string(".shared .align 128 .b8 buffer[256];\n"
                ".shared .align 8 .b64 barrier;\n") +
    kRegisters +
    "mov.u32 %s, buffer;\nmov.u32 %b, barrier;\nsetp.eq.u32 %c0, %t, 0;\n"
    "@%c0 mbarrier.init.shared::cta.b64 [%b], 1;\nbar.sync 0;\n"
    "@%c0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%b], 256;\n"
    "@%c0 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
    "[%s], [%p], 256, [%b];\n"
    "wait:\nmbarrier.try_wait.parity.shared::cta.b64 %c1, [%b], 0;\n"
    "@!%c1 bra wait;\n"
    "mad.lo.u32 %r0, %t, 4, %s;\nld.shared.b32 %r1, [%r0];\n"
    "add.u32 %r1, %r1, %r1;\nst.shared.b32 [%r0], %r1;\n"
    "fence.proxy.async.shared::cta;\nbar.sync 0;\n"
    "@%c0 cp.async.bulk.global.shared::cta.bulk_group [%q], [%s], 256;\n"
    "@%c0 cp.async.bulk.commit_group;\n"
    "@%c0 cp.async.bulk.wait_group.read 0;\n";

TEST_P(AsyncTest, bulk) {
  load(kernelText(".param .u64 x, .param .u64 y", kBulk));
  std::vector<int> values = iota(64);
  Buffer<int> x(memory, values), y(memory, 64);
  runKernel({1}, {64}, Arguments().add(x).add(y));
  for (int i = 0; i < 64; ++i)
    ASSERT_EQ(y[i], 2 * values[i]);
  EXPECT_EQ(counters.bulkBytes, 512u);
}

// Arrivals of copies that are not bulk.
TEST_P(AsyncTest, arrivalsOfCopies) {
  load(kernelText(
      ".param .u64 x, .param .u64 y",
      std::string(".shared .align 16 .b8 buffer[512];\n"
                  ".shared .align 8 .b64 barrier;\n") +
          kRegisters +
          "mov.u32 %b, barrier;\nsetp.eq.u32 %c0, %t, 0;\n"
          "@%c0 mbarrier.init.shared.b64 [%b], 32;\nbar.sync 0;\n"
          "mul.wide.u32 %d0, %t, 4;\nadd.u64 %p, %p, %d0;\nadd.u64 %q, %q, %d0;"
          "\nmov.u32 %s, buffer;\nmad.lo.u32 %r0, %t, 4, %s;\n"
          "cp.async.ca.shared.global [%r0], [%p], 4;\n"
          "cp.async.mbarrier.arrive.noinc.shared.b64 [%b];\n"
          "wait:\nmbarrier.test_wait.parity.shared.b64 %c1, [%b], 0;\n"
          "@!%c1 bra wait;\nxor.b32 %r1, %t, 31;\n"
          "mad.lo.u32 %r1, %r1, 4, %s;\nld.shared.b32 %r2, [%r1];\n"
          "st.global.b32 [%q], %r2;"));
  Buffer<int> x(memory, iota(32)), y(memory, 32);
  runKernel({1}, {32}, Arguments().add(x).add(y));
  for (int i = 0; i < 32; ++i)
    ASSERT_EQ(y[i], 32 - i);
}

// Phases: two warps hand a value to and fro.
TEST_P(AsyncTest, phases) {
  load(kernelText(
      ".param .u64 x, .param .u64 y",
      std::string(".shared .align 8 .b64 full, empty;\n"
                  ".shared .align 4 .b32 slot;\n") +
          kRegisters +
          ".reg .b32 %f, %e, %i, %n;\nmov.u32 %f, full;\nmov.u32 %e, empty;\n"
          "mov.u32 %i, 0;\nshr.u32 %n, %t, 5;\nsetp.eq.u32 %c0, %t, 0;\n"
          "setp.eq.u32 %c2, %n, 0;\n"
          "@%c0 mbarrier.init.shared.b64 [%f], 1;\n"
          "@%c0 mbarrier.init.shared.b64 [%e], 32;\nbar.sync 0;\n"
          "@!%c2 bra consumer;\n"
          "produce:\nand.b32 %r1, %i, 1;\nxor.b32 %r1, %r1, 1;\n"
          "w0:\nmbarrier.try_wait.parity.shared.b64 %c1, [%e], %r1;\n"
          "@!%c1 bra w0;\nmul.lo.u32 %r2, %i, %i;\n"
          "@%c0 st.shared.b32 [slot], %r2;\n"
          "@%c0 mbarrier.arrive.shared.b64 _, [%f];\n"
          "add.u32 %i, %i, 1;\nsetp.lt.u32 %c3, %i, 8;\n@%c3 bra produce;\n"
          "bra done;\n"
          "consumer:\nand.b32 %r1, %i, 1;\n"
          "w1:\nmbarrier.try_wait.parity.shared.b64 %c1, [%f], %r1;\n"
          "@!%c1 bra w1;\nld.shared.b32 %r2, [slot];\n"
          "mul.wide.u32 %d0, %i, 4;\nadd.u64 %d0, %d0, %q;\n"
          "setp.eq.u32 %c4, %t, 32;\n@%c4 st.global.b32 [%d0], %r2;\n"
          "mbarrier.arrive.shared.b64 _, [%e];\n"
          "add.u32 %i, %i, 1;\nsetp.lt.u32 %c3, %i, 8;\n@%c3 bra consumer;\n"
          "done:"));
  Buffer<int> x(memory, iota(1)), y(memory, 8);
  runKernel({1}, {64}, Arguments().add(x).add(y));
  for (int i = 0; i < 8; ++i)
    ASSERT_EQ(y[i], i * i);
}

//===----------------------------------------------------------------------===//
// Tiles of tensors

std::string tensorText(unsigned rank, const std::string &coordinates,
                       size_t bytes) {
  std::string dims = std::to_string(rank) + "d", size = std::to_string(bytes);
  return kernelText(
      ".param .align 64 .b8 map[128], .param .align 64 .b8 to[128], "
      ".param .u64 y",
      ".shared .align 1024 .b8 buffer[" + size +
          "];\n.shared .align 8 .b64 barrier;\n"
          ".reg .b64 %q, %m, %n, %d<4>;\n.reg .b32 %t, %s, %b, %r<9>;\n"
          ".reg .pred %c<6>;\nld.param.u64 %q, [y];\nmov.b64 %m, map;\n"
          "mov.b64 %n, to;\nmov.u32 %t, %tid.x;\nmov.u32 %s, buffer;\n"
          "mov.u32 %b, barrier;\nsetp.eq.u32 %c0, %t, 0;\n"
          "@%c0 mbarrier.init.shared::cta.b64 [%b], 1;\nbar.sync 0;\n"
          "@%c0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%b], " +
          size + ";\n@%c0 cp.async.bulk.tensor." + dims +
          ".shared::cluster.global.tile.mbarrier::complete_tx::bytes [%s], "
          "[%m, {" +
          coordinates +
          "}], [%b];\n"
          "wait:\nmbarrier.try_wait.parity.shared::cta.b64 %c1, [%b], 0;\n"
          "@!%c1 bra wait;\nmov.u32 %r0, %t;\n"
          "again:\nmad.lo.u32 %r1, %r0, 4, %s;\nld.shared.b32 %r2, [%r1];\n"
          "mul.wide.u32 %d0, %r0, 4;\nadd.u64 %d0, %d0, %q;\n"
          "st.global.b32 [%d0], %r2;\nadd.u32 %r0, %r0, 32;\n"
          "setp.lt.u32 %c2, %r0, " +
          std::to_string(bytes / 4) +
          ";\n@%c2 bra again;\nbar.sync 0;\n"
          "@%c0 cp.async.bulk.tensor." +
          dims + ".global.shared::cta.tile.bulk_group [%n, {" + coordinates +
          "}], [%s];\n@%c0 cp.async.bulk.commit_group;\n"
          "@%c0 cp.async.bulk.wait_group 0;");
}

struct TensorCase {
  std::vector<uint64_t> size;
  std::vector<uint32_t> box;
  std::vector<int> at;
  Swizzle swizzle;
  std::vector<uint32_t> step = {};
};

class TensorTest
    : public EmulatorTest,
      public testing::WithParamInterface<std::tuple<Mode, TensorCase>> {};

// Where an element of a tile lies: 16 bytes of each row of 128 (in rows of 32
// or 64, each second or fourth) change places.
size_t placeOf(size_t byte, Swizzle swizzle) {
  size_t chunk = byte / 16, row = byte / 128;
  switch (swizzle) {
  case Swizzle::None:
    return byte;
  case Swizzle::Bytes32:
    return (chunk ^ row % 2) * 16 + byte % 16;
  case Swizzle::Bytes64:
    return (chunk ^ row % 4) * 16 + byte % 16;
  default:
    return (chunk ^ row % 8) * 16 + byte % 16;
  }
}

TEST_P(TensorTest, loadsAndStores) {
  auto [mode, tensor] = GetParam();
  options.mode = mode;
  auto rank = uint32_t(tensor.size.size());
  // Rows have some elements more than they need.
  TensorMapArguments map;
  map.type = TensorType::Float32;
  map.rank = rank;
  map.swizzle = tensor.swizzle;
  uint64_t stride = (tensor.size[0] + 7) / 4 * 4, elements = 1;
  std::vector<uint64_t> strides = {1};
  for (uint32_t i = 0; i < rank; ++i) {
    map.size[i] = tensor.size[i];
    map.box[i] = tensor.box[i];
    if (i < tensor.step.size())
      map.elementStride[i] = tensor.step[i];
    elements *=
        (tensor.box[i] + map.elementStride[i] - 1) / map.elementStride[i];
    if (i + 1 == rank)
      break;
    map.stride[i] = stride * 4;
    strides.push_back(stride);
    stride *= tensor.size[i + 1];
  }
  size_t total = strides.back() * tensor.size.back();
  std::vector<int> values(total);
  std::iota(values.begin(), values.end(), 1);
  Buffer<int> x(memory, values), z(memory, std::vector<int>(total, -1)),
      y(memory, elements);
  TensorMap from, to;
  std::string error;
  map.address = x.data;
  ASSERT_TRUE(encode(map, from, error)) << error;
  map.address = z.data;
  ASSERT_TRUE(encode(map, to, error)) << error;
  std::string coordinates;
  for (int at : tensor.at)
    coordinates += (coordinates.empty() ? "" : ", ") + std::to_string(at);
  load(tensorText(rank, coordinates, elements * 4));
  runKernel({1}, {32}, Arguments().add(from).add(to).add(y));

  std::vector<int> written(total, -1);
  for (size_t i = 0; i < elements; ++i) {
    size_t left = i, offset = 0;
    bool inside = true;
    for (uint32_t dim = 0; dim < rank; ++dim) {
      uint32_t step = map.elementStride[dim];
      size_t count = (tensor.box[dim] + step - 1) / step;
      int64_t at = tensor.at[dim] + int64_t(left % count) * step;
      left /= count;
      inside &= at >= 0 && at < int64_t(tensor.size[dim]);
      offset += size_t(at) * strides[dim];
    }
    int wanted = inside ? values[offset] : 0;
    ASSERT_EQ(y[placeOf(i * 4, tensor.swizzle) / 4], wanted) << i;
    if (inside)
      written[offset] = wanted;
  }
  EXPECT_EQ(z.values(), written);
}

INSTANTIATE_TEST_SUITE_P(
    Tensors, TensorTest,
    testing::Combine(
        testing::Values(Mode::Plain, Mode::Race, Mode::Lazy),
        testing::Values(
            TensorCase{{100}, {32}, {84}, Swizzle::None},
            TensorCase{{40, 20}, {32, 16}, {16, -3}, Swizzle::Bytes128},
            TensorCase{{40, 20}, {16, 16}, {-4, 10}, Swizzle::Bytes64},
            TensorCase{{40, 20}, {8, 32}, {36, 2}, Swizzle::Bytes32},
            TensorCase{{12, 9, 5}, {8, 4, 3}, {6, 7, 3}, Swizzle::None},
            TensorCase{
                {12, 9, 5}, {8, 5, 3}, {2, 1, -1}, Swizzle::None, {1, 2, 1}},
            TensorCase{
                {8, 5, 4, 3}, {8, 2, 2, 2}, {0, 4, 3, 2}, Swizzle::Bytes32},
            TensorCase{{8, 4, 3, 3, 3},
                       {4, 2, 2, 2, 2},
                       {5, 3, 2, 1, -1},
                       Swizzle::None})));

TEST(TensorMapTest, checks) {
  TensorMapArguments good;
  alignas(64) static float data[1024];
  good.address = data;
  good.rank = 2;
  good.size[0] = 32, good.size[1] = 16;
  good.stride[0] = 128;
  good.box[0] = 32, good.box[1] = 8;
  TensorMap map;
  std::string error;
  ASSERT_TRUE(encode(good, map, error)) << error;
  TensorMapArguments back;
  ASSERT_TRUE(decode(map, back));
  EXPECT_EQ(back.box[1], 8u);
  EXPECT_EQ(back.address, data);
  EXPECT_FALSE(decode(TensorMap{}, back));
  auto refuse = [&](auto change, const std::string &part) {
    TensorMapArguments bad = good;
    change(bad);
    EXPECT_FALSE(encode(bad, map, error));
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  using A = TensorMapArguments &;
  refuse([](A a) { a.rank = 6; }, "tensorRank = 6");
  refuse([](A a) { a.address = reinterpret_cast<char *>(data) + 8; },
         "globalAddress");
  refuse([](A a) { a.size[1] = 0; }, "globalDim[1] = 0");
  refuse([](A a) { a.stride[0] = 120; }, "no multiple of 16");
  refuse([](A a) { a.stride[0] = uint64_t(1) << 40; }, "below 2^40");
  refuse([](A a) { a.box[1] = 257; }, "boxDim[1] = 257");
  refuse([](A a) { a.box[0] = 3; }, "12 bytes, which is no multiple");
  refuse([](A a) { a.swizzle = Swizzle::Bytes64; },
         "more than the swizzle's 64");
  refuse([](A a) { a.elementStride[0] = 9; }, "elementStrides[0] = 9");
  refuse([](A a) { a.interleave = Interleave::Bytes16; }, "3 dimensions");
  refuse(
      [](A a) { a.type = TensorType::Int32, a.fill = OutOfBoundsFill::NaNs; },
      "oobFill");
}

//===----------------------------------------------------------------------===//
// Clusters: one block copies for both, and each adds to the other's barrier

TEST_P(AsyncTest, multicast) {
  load(kernelText(
      ".param .u64 x, .param .u64 y",
      std::string(".shared .align 128 .b8 buffer[128];\n"
                  ".shared .align 8 .b64 barrier;\n") +
          kRegisters +
          ".reg .b16 %h;\nmov.u32 %s, buffer;\nmov.u32 %b, barrier;\n"
          "setp.eq.u32 %c0, %t, 0;\nmov.u32 %r5, %cluster_ctarank;\n"
          "setp.eq.and.u32 %c3, %r5, 0, %c0;\n"
          "@%c0 mbarrier.init.shared::cta.b64 [%b], 1;\n"
          "barrier.cluster.arrive.release.aligned;\n"
          "barrier.cluster.wait.acquire.aligned;\n"
          "@%c0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%b], 128;\n"
          "mov.u16 %h, 3;\n"
          "@%c3 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
          "bytes.multicast::cluster [%s], [%p], 128, [%b], %h;\n"
          // Who has not expected its bytes yet must not be arrived at.
          "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n"
          "wait:\nmbarrier.try_wait.parity.shared::cta.b64 %c1, [%b], 0;\n"
          "@!%c1 bra wait;\nmad.lo.u32 %r0, %t, 4, %s;\n"
          "ld.shared.b32 %r1, [%r0];\nmad.lo.u32 %r2, %r5, 32, %t;\n"
          "mul.wide.u32 %d0, %r2, 4;\nadd.u64 %d0, %d0, %q;\n"
          "st.global.b32 [%d0], %r1;\n"
          // The other block's barrier, once its first phase is over, and its
          // memory.
          "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n"
          "xor.b32 %r6, %r5, 1;\nmapa.shared::cluster.u32 %r7, %b, %r6;\n"
          "@%c0 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r7];\n"
          "w1:\nmbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %c1, "
          "[%b], 1;\n@!%c1 bra w1;\n"
          "mapa.shared::cluster.u32 %r8, %r0, %r6;\n"
          "ld.shared::cluster.b32 %r9, [%r8];\nadd.u32 %r9, %r9, 100;\n"
          "st.global.b32 [%d0+256], %r9;\n"
          "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;"));
  std::vector<int> values = iota(32);
  Buffer<int> x(memory, values), y(memory, 128);
  Launch launch = launchOf({2}, {32}, Arguments().add(x).add(y));
  launch.cluster = {2};
  Fault fault;
  ASSERT_TRUE(run(memory, launch, options, &counters, fault)) << fault.message;
  for (int i = 0; i < 128; ++i)
    ASSERT_EQ(y[i], values[i % 32] + (i >= 64 ? 100 : 0)) << i;
}

// Each thread stores two words into the other block, whose barrier counts them.
TEST_P(AsyncTest, remoteStores) {
  load(kernelText(
      ".param .u64 x, .param .u64 y",
      std::string(".shared .align 16 .b8 buffer[256];\n"
                  ".shared .align 8 .b64 barrier;\n") +
          kRegisters +
          "mov.u32 %b, barrier;\nsetp.eq.u32 %c0, %t, 0;\n"
          "mov.u32 %r5, %cluster_ctarank;\nxor.b32 %r6, %r5, 1;\n"
          "@%c0 mbarrier.init.shared::cta.b64 [%b], 1;\n"
          "@%c0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%b], 256;\n"
          "barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;\n"
          "mad.lo.u32 %s, %t, 8, buffer;\n"
          "mapa.shared::cluster.u32 %r7, %s, %r6;\n"
          "mapa.shared::cluster.u32 %r8, %b, %r6;\n"
          "mad.lo.u32 %r1, %r5, 1000, %t;\n"
          "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%r7], "
          "{%r1, %t}, [%r8];\n"
          "wait:\nmbarrier.try_wait.parity.shared::cta.b64 %c1, [%b], 0;\n"
          "@!%c1 bra wait;\nld.shared.v2.b32 {%r2, %r3}, [%s];\n"
          "mad.lo.u32 %r4, %r5, 32, %t;\nmul.wide.u32 %d0, %r4, 8;\n"
          "add.u64 %q, %q, %d0;\nst.global.v2.b32 [%q], {%r2, %r3};\n"
          "barrier.cluster.arrive;\nbarrier.cluster.wait;"));
  Buffer<int> x(memory, iota(1)), y(memory, 128);
  Launch launch = launchOf({2}, {32}, Arguments().add(x).add(y));
  launch.cluster = {2};
  Fault fault;
  ASSERT_TRUE(run(memory, launch, options, &counters, fault)) << fault.message;
  for (int i = 0; i < 64; ++i) {
    ASSERT_EQ(y[2 * i], (1 - i / 32) * 1000 + i % 32);
    ASSERT_EQ(y[2 * i + 1], i % 32);
  }
}

std::string modeName(const testing::TestParamInfo<Mode> &info) {
  return info.param == Mode::Plain  ? "plain"
         : info.param == Mode::Race ? "race"
                                    : "lazy";
}

INSTANTIATE_TEST_SUITE_P(Modes, AsyncTest,
                         testing::Values(Mode::Plain, Mode::Race, Mode::Lazy),
                         modeName);

//===----------------------------------------------------------------------===//
// What goes wrong only when copies are late, or in the order of accesses

class AsyncFaultTest : public EmulatorTest {
protected:
  Fault bulkWithout(const std::string &part, Mode mode,
                    const std::string &instead = "") {
    std::string body = kBulk;
    size_t at = body.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    body.replace(at, part.size(), instead);
    load(kernelText(".param .u64 x, .param .u64 y", body));
    options.mode = mode;
    std::vector<int> values(64, 1);
    Buffer<int> x(memory, values), y(memory, 64);
    return failKernel({1}, {64}, Arguments().add(x).add(y));
  }
};

TEST_F(AsyncFaultTest, bulk) {
  const std::string wait = "@!%c1 bra wait;\n";
  EXPECT_EQ(bulkWithout(wait, Mode::Lazy).kind, FaultKind::Uninitialised);
  // The second warp reads before the first has issued the copy.
  EXPECT_EQ(bulkWithout("wait:\nmbarrier.try_wait.parity.shared::cta.b64 %c1, "
                        "[%b], 0;\n" +
                            wait,
                        Mode::Race)
                .kind,
            FaultKind::Uninitialised);
  Fault fault = bulkWithout("fence.proxy.async.shared::cta;\n", Mode::Plain);
  EXPECT_EQ(fault.kind, FaultKind::Race);
  EXPECT_NE(fault.message.find("no fence.proxy.async"), std::string::npos)
      << fault.message;
  fault = bulkWithout("@%c0 cp.async.bulk.wait_group.read 0;\n", Mode::Plain);
  EXPECT_EQ(fault.kind, FaultKind::Race);
  EXPECT_NE(fault.message.find("was waited for"), std::string::npos)
      << fault.message;
  EXPECT_EQ(bulkWithout("_, [%b], 256", Mode::Plain, "_, [%b], 272").kind,
            FaultKind::Deadlock);
  EXPECT_EQ(bulkWithout("[%s], [%p], 256", Mode::Plain, "[%s], [%p], 250").kind,
            FaultKind::Misaligned);
  EXPECT_EQ(
      bulkWithout("@%c0 mbarrier.init.shared::cta.b64 [%b], 1;\n", Mode::Plain)
          .kind,
      FaultKind::BadBarrier);
  // The barrier behind the initialisation, and the one before the copy out.
  EXPECT_EQ(bulkWithout("bar.sync 0;\n", Mode::Race).kind, FaultKind::Race);
  EXPECT_EQ(bulkWithout("\nbar.sync 0;\n@%c0 cp", Mode::Race, "\n@%c0 cp").kind,
            FaultKind::Race);
}

TEST_F(AsyncFaultTest, tensorMaps) {
  load(tensorText(2, "0, 0", 256));
  Buffer<int> x(memory, std::vector<int>(256, 1)), y(memory, 64);
  TensorMap none = {}, other;
  Arguments arguments;
  Fault fault = failKernel({1}, {32}, arguments.add(none).add(none).add(y));
  EXPECT_EQ(fault.kind, FaultKind::BadDescriptor) << fault.message;
  TensorMapArguments map;
  map.rank = 1;
  map.address = x.data;
  map.size[0] = 256;
  map.box[0] = 64;
  std::string error;
  ASSERT_TRUE(encode(map, other, error)) << error;
  fault = failKernel({1}, {32}, Arguments().add(other).add(none).add(y));
  EXPECT_EQ(fault.kind, FaultKind::BadDescriptor) << fault.message;
  EXPECT_NE(fault.message.find("1 dimensions instead of 2"), std::string::npos)
      << fault.message;
}

} // namespace
