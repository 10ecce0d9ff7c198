//===- FaultTest.cpp - What kernels must not do ---------------------------===//

#include "Harness.h"

using namespace weft::ptx;
using namespace weft::ptx::test;

namespace {

class FaultTest : public EmulatorTest {
protected:
  /// Runs a body that finds the address of `buffer` in %p and the number of its
  /// thread in %t, and has registers %r0 to %r9, %d0 to %d9 and %q0 to %q3.
  Fault faultOf(const std::string &body, Buffer<float> &buffer,
                Dim3 block = {32}, Dim3 grid = {1}) {
    std::string error;
    module = Module::parse(
        kernelText(".param .u64 x",
                   ".reg .b64 %p, %d<10>;\n.reg .b32 %t, %r<10>;\n"
                   ".reg .pred %q<4>;\n.shared .align 16 .b8 s[1024];\n"
                   ".local .align 8 .b8 l[64];\n"
                   "ld.param.u64 %p, [x];\nmov.u32 %t, %tid.x;\n" +
                       body),
        memory, error);
    EXPECT_TRUE(module) << error;
    return failKernel(grid, block, Arguments().add(buffer));
  }

  void expect(const Fault &fault, FaultKind kind, const std::string &part) {
    EXPECT_EQ(nameOf(fault.kind), nameOf(kind)) << fault.message;
    EXPECT_NE(fault.message.find(part), std::string::npos) << fault.message;
  }

  Buffer<float> buffer{memory, std::vector<float>(64, 1.0f)};
};

TEST_F(FaultTest, outOfBounds) {
  Fault fault = faultOf("mul.wide.u32 %d0, %t, 16;\nadd.u64 %d0, %d0, %p;\n"
                        "ld.global.v4.b32 {%r0,%r1,%r2,%r3}, [%d0];",
                        buffer);
  expect(fault, FaultKind::IllegalAddress,
         "0 bytes behind the end of an allocation of 256 bytes");
  EXPECT_EQ(fault.kernel, "k");
  EXPECT_EQ(fault.thread, (Dim3{16, 0, 0}));
  EXPECT_NE(fault.message.find("line 16: ld.global.v4.b32"), std::string::npos)
      << fault.message;
  EXPECT_EQ(fault.line, 16u);
}

TEST_F(FaultTest, otherAddresses) {
  expect(faultOf("ld.global.b32 %r0, [%p+-8];", buffer),
         FaultKind::IllegalAddress, "8 bytes before the begin");
  expect(faultOf("mov.u64 %d0, 16;\nst.global.b32 [%d0], %t;", buffer),
         FaultKind::IllegalAddress, "a null pointer");
  expect(faultOf("ld.shared.b32 %r0, [s+1024];", buffer),
         FaultKind::IllegalAddress, "of shared memory, which has 1024 bytes");
  expect(faultOf("mov.u32 %r1, 0;\nst.shared.b32 [%r1], %t;", buffer),
         FaultKind::IllegalAddress, "of shared memory");
  expect(faultOf("st.local.b32 [l+64], %t;", buffer), FaultKind::IllegalAddress,
         "local memory");
  float *gone = static_cast<float *>(memory.allocate(64));
  memory.free(gone);
  load(kernelText(".param .u64 x", ".reg .b64 p;\n.reg .b32 r;\n"
                                   "ld.param.u64 p, [x];\n"
                                   "ld.global.b32 r, [p+4];"));
  expect(failKernel({1}, {1}, Arguments().add(uint64_t(gone))),
         FaultKind::IllegalAddress, "freed: 4 bytes into 64 bytes");
}

TEST_F(FaultTest, boundsCanBeIgnored) {
  options.bounds = false;
  load(kernelText(".param .u64 x", ".reg .b64 p;\n.reg .b32 r;\n"
                                   "ld.param.u64 p, [x];\n"
                                   "ld.global.b32 r, [p+256];"));
  runKernel({1}, {1}, Arguments().add(buffer));
}

TEST_F(FaultTest, misaligned) {
  expect(faultOf("ld.global.b64 %d1, [%p+4];", buffer), FaultKind::Misaligned,
         "no multiple of 8");
  expect(faultOf("st.shared.v2.b32 [s+4], {%t, %t};", buffer),
         FaultKind::Misaligned, "no multiple of 8");
}

TEST_F(FaultTest, uninitialised) {
  Buffer<float> fresh(memory, 64);
  expect(faultOf("ld.global.b32 %r0, [%p+12];", fresh),
         FaultKind::Uninitialised, "12 bytes into an allocation of 256 bytes");
  expect(faultOf("ld.shared.b16 %r0, [s+2];", buffer), FaultKind::Uninitialised,
         "of shared memory");
  expect(faultOf("ld.local.b32 %r0, [l];", buffer), FaultKind::Uninitialised,
         "of local memory");
  options.uninitialised = false;
  load(kernelText(".param .u64 x", ".reg .b64 p;\n.reg .b32 r;\n"
                                   "ld.param.u64 p, [x];\n"
                                   "ld.global.b32 r, [p];"));
  runKernel({1}, {1}, Arguments().add(fresh));
}

TEST_F(FaultTest, races) {
  options.mode = Mode::Race;
  // A warp reads what another wrote, with and without a barrier.
  std::string store = "mul.lo.u32 %r0, %t, 4;\nmov.u32 %r1, s;\n"
                      "add.u32 %r2, %r0, %r1;\nst.shared.b32 [%r2], %t;\n";
  std::string loadOther = "xor.b32 %r3, %t, 32;\nmad.lo.u32 %r3, %r3, 4, %r1;\n"
                          "ld.shared.b32 %r4, [%r3];";
  // The second warp runs later.
  std::string late =
      "setp.lt.u32 %q0, %t, 32;\n@%q0 bra end;\n" + loadOther + "\nend:\n";
  expect(faultOf(store + late, buffer, {64}), FaultKind::Race,
         "which warp 0 of this block writes");
  load(kernelText(".param .u64 x",
                  ".reg .b32 %t, %r<9>;\n.reg .pred %q0;\n.shared .align 16 "
                  ".b8 s[1024];\nmov.u32 %t, %tid.x;\n" +
                      store + "bar.sync 0;\n" + late));
  runKernel({1}, {64}, Arguments().add(buffer));
  // Blocks write one place.
  expect(faultOf("st.global.b32 [%p], %t;", buffer, {1}, {2}), FaultKind::Race,
         "of block 0 writes");
  // Writing what another warp still reads.
  expect(faultOf("@%q1 bra end;\nend:\nld.global.b32 %r0, [%p];\n"
                 "setp.lt.u32 %q0, %t, 32;\n@!%q0 st.global.b32 [%p], %t;",
                 buffer, {64}),
         FaultKind::Race, "which warp 0 of this block reads");
}

TEST_F(FaultTest, atomicsDoNotRace) {
  options.mode = Mode::Race;
  load(kernelText(".param .u64 x",
                  ".reg .b64 p;\n.reg .b32 r;\nld.param.u64 p, [x];\n"
                  "red.global.add.u32 [p], 1;\n"
                  "ld.relaxed.gpu.global.u32 r, [p];"));
  Buffer<uint32_t> count(memory, std::vector<uint32_t>{0});
  runKernel({3}, {64}, Arguments().add(count));
  EXPECT_EQ(count[0], 192u);
}

TEST_F(FaultTest, deadlocks) {
  expect(faultOf("setp.lt.u32 %q0, %t, 32;\n@%q0 bra a;\nbar.sync 1;\nbra b;\n"
                 "a:\nbar.sync 2;\nb:\n",
                 buffer, {64}),
         FaultKind::Deadlock, "waits at barrier 2");
  // Half a warp never comes.
  expect(faultOf("setp.lt.u32 %q0, %t, 16;\n@%q0 bra a;\nbar.sync 0;\nbra b;\n"
                 "a:\nbar.sync 0;\nb:\n",
                 buffer),
         FaultKind::BadBarrier, "waits for other lanes of its warp");
  expect(faultOf("setp.lt.u32 %q0, %t, 16;\n@%q0 bra a;\n"
                 "shfl.sync.idx.b32 %r0, %t, 0, 31, -1;\nbra b;\n"
                 "a:\nshfl.sync.idx.b32 %r0, %t, 1, 31, -1;\nb:\n",
                 buffer),
         FaultKind::Deadlock, "waits for other lanes");
  expect(faultOf(".reg .b64 %s;\nmov.u32 %r1, s;\nsetp.ne.u32 %q0, %t, 0;\n"
                 "@!%q0 mbarrier.init.shared.b64 [%r1], 2;\nbar.sync 0;\n"
                 "@!%q0 mbarrier.arrive.shared.b64 %s, [%r1];\n"
                 "wait:\nmbarrier.try_wait.parity.shared.b64 %q1, [%r1], 0;\n"
                 "@!%q1 bra wait;",
                 buffer),
         FaultKind::Deadlock, "waits for an mbarrier");
}

TEST_F(FaultTest, barriers) {
  expect(faultOf("bar.sync 16;", buffer), FaultKind::BadBarrier,
         "no barrier 16");
  expect(faultOf("bar.sync 1, 48;", buffer), FaultKind::BadBarrier,
         "no whole warps");
  expect(faultOf("setp.lt.u32 %q0, %t, 32;\nselp.u32 %r0, 64, 32, %q0;\n"
                 "bar.sync 1, %r0;",
                 buffer, {64}),
         FaultKind::BadBarrier, "others for");
  expect(faultOf("mov.u32 %r1, s;\nst.shared.b64 [s], 0;\n"
                 "mbarrier.inval.shared.b64 [%r1];",
                 buffer),
         FaultKind::BadBarrier, "no mbarrier.init");
  expect(faultOf("mov.u32 %r1, s;\nmbarrier.init.shared.b64 [%r1], 1;\n"
                 "st.shared.b32 [s+4], %t;",
                 buffer, {1}),
         FaultKind::BadBarrier, "where an mbarrier is");
  expect(faultOf("mov.u32 %r1, s;\nmbarrier.init.shared.b64 [%r1], 1;\n"
                 "mbarrier.arrive.shared.b64 _, [%r1], 2;",
                 buffer, {1}),
         FaultKind::BadBarrier, "2 arrivals at an mbarrier that waits for 1");
  expect(faultOf("mov.u32 %r0, 1;\nshfl.sync.idx.b32 %r1, %t, 0, 31, %r0;",
                 buffer),
         FaultKind::BadBarrier, "not in its own member mask");
}

TEST_F(FaultTest, ends) {
  expect(faultOf("setp.eq.u32 %q0, %t, 5;\n@%q0 trap;", buffer),
         FaultKind::Trap, "thread (5, 0, 0)");
  options.maxInstructions = 10000;
  expect(faultOf("again:\nadd.u32 %t, %t, 1;\nbra again;", buffer),
         FaultKind::TooLong, "has not ended");
}

TEST_F(FaultTest, launches) {
  load(kernelText(".param .u64 x", ""));
  auto refuse = [&](Launch launch, const std::string &part) {
    Fault fault;
    EXPECT_FALSE(run(memory, launch, options, nullptr, fault));
    expect(fault, FaultKind::BadLaunch, part);
  };
  Launch good = launchOf({1}, {32}, Arguments().add(buffer));
  Launch launch = good;
  launch.kernel = "other";
  refuse(launch, "no such kernel");
  launch = good;
  launch.block = {1025};
  refuse(launch, "1025 threads");
  launch = good;
  launch.grid = {0};
  refuse(launch, "is empty");
  launch = good;
  launch.parameters.resize(4);
  refuse(launch, "4 bytes instead of 8");
  launch = good;
  launch.cluster = {2};
  refuse(launch, "does not consist of clusters");
  launch = good;
  launch.dynamicShared = 240 << 10;
  refuse(launch, "over the 232448 of sm_90");
  std::string error;
  module = Module::parse(".version 8.0\n.target sm_80\n.address_size 64\n"
                         ".entry k() .reqntid 64 { ret; }",
                         memory, error);
  ASSERT_TRUE(module) << error;
  refuse(launchOf({1}, {32}, {}), ".reqntid");
  launch = launchOf({2}, {64}, {});
  launch.cluster = {2};
  refuse(launch, "need sm_90");
}

TEST_F(FaultTest, texts) {
  auto refuse = [&](const std::string &body, const std::string &part) {
    std::string error;
    EXPECT_FALSE(Module::parse(
        kernelText("", ".reg .b32 a, b;\n.reg .b64 c;\n.reg .pred p;\n" + body),
        memory, error));
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  refuse("frobnicate.u32 a, b;", "line 10: 'frobnicate.u32': unknown");
  refuse("add.u32.odd a, b, b;", "modifier '.odd' is not supported");
  refuse("add.u32 a, b, c;", "'c' has 64 bits instead of 32");
  refuse("add.u32 a, b;", "has 2 operands instead of 3");
  refuse("add.u32 a, b, %x;", "unknown register '%x'");
  refuse("bra nowhere;", "unknown label 'nowhere'");
  refuse("ld.global.u32 a, [y];", "'y' is no address");
  refuse("mov.u32 p, 1;", "no register that can be written");
  refuse("@a bra l;\nl:", "'a' is no predicate");
  refuse("mov.u32 a, 1", "expected ';'");
  refuse("l:\nl:", "label 'l' is defined twice");
  refuse(".reg .u32 a;", "'a' is declared twice");
  std::string error;
  EXPECT_FALSE(Module::parse("", memory, error));
  EXPECT_EQ(error, "line 1: expected '.version' instead of 'end of text'");
  EXPECT_FALSE(Module::parse(
      ".version 8.0\n.target sm_80\n.address_size 64\n.func f()\n{\ncall f, "
      "();\nret;\n}",
      memory, error));
  EXPECT_NE(error.find("'f' calls itself"), std::string::npos) << error;
}

} // namespace
