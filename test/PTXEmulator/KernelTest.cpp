//===- KernelTest.cpp - Small kernels as a whole --------------------------===//

#include "Harness.h"

using namespace weft::ptx;
using namespace weft::ptx::test;

namespace {

const char *kVectorAdd = R"(
.version 7.0
.target sm_80
.address_size 64
.visible .entry add(.param .u64 a, .param .u64 b, .param .u64 c, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .f32 %f<4>;
  .reg .b32 %r<6>;
  .reg .b64 %rd<11>;
  ld.param.u64 %rd1, [a];
  ld.param.u64 %rd2, [b];
  ld.param.u64 %rd3, [c];
  ld.param.u32 %r2, [n];
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %ntid.x;
  mov.u32 %r5, %tid.x;
  mad.lo.s32 %r1, %r3, %r4, %r5;
  setp.ge.s32 %p1, %r1, %r2;
  @%p1 bra $L__BB0_2;
  cvta.to.global.u64 %rd4, %rd1;
  mul.wide.s32 %rd5, %r1, 4;
  add.s64 %rd6, %rd4, %rd5;
  cvta.to.global.u64 %rd7, %rd2;
  add.s64 %rd8, %rd7, %rd5;
  ld.global.f32 %f1, [%rd8];
  ld.global.f32 %f2, [%rd6];
  add.f32 %f3, %f2, %f1;
  cvta.to.global.u64 %rd9, %rd3;
  add.s64 %rd10, %rd9, %rd5;
  st.global.f32 [%rd10], %f3;
$L__BB0_2:
  ret;
}
)";

class KernelTest : public EmulatorTest {};

TEST_F(KernelTest, addsVectors) {
  load(kVectorAdd);
  std::vector<float> x(1000), y(1000);
  for (int i = 0; i < 1000; ++i)
    x[i] = float(i), y[i] = float(i * i) / 8;
  Buffer<float> a(memory, x), b(memory, y), c(memory, 1000);
  options.counters = true;
  runKernel({4}, {256}, Arguments().add(a).add(b).add(c).add(1000));
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(c[i], x[i] + y[i]) << i;
  EXPECT_TRUE(memory.initialised(c.data, 4000));
  EXPECT_EQ(counters.blocks, 4u);
  // 32 lanes of four bytes are four sectors; the last warp has eight lanes.
  EXPECT_EQ(counters.globalRequests, 3u * 32);
  EXPECT_EQ(counters.globalSectors, 3u * (31 * 4 + 1));
  EXPECT_EQ(counters.divergentBranches, 1u);
}

} // namespace
