//===- MutationTest.cpp - Planted bugs ------------------------------------===//
//
// Each case changes one instruction of a kernel that is right; one of the modes
// has to notice, by a fault or by results. `sees` says which ones must.
//
//===----------------------------------------------------------------------===//

#include "Subjects.h"

using namespace weft::ptx;
using namespace weft::ptx::test;

namespace {

enum : unsigned { kPlain = 1, kRace = 2, kLazy = 4, kAll = 7 };

struct Mutant {
  const char *name;
  const char *kernel;
  Subject subject;
  /// The occurrence of `find` in the kernel, from 0, that is replaced. A
  /// replacement that ends in `;` replaces the rest of the instruction, too.
  const char *find;
  unsigned which;
  const char *replacement;
  unsigned sees;
};

const Mutant kMutants[] = {
    {"softmaxFirstBarrier", "softmax", runSoftmax, "bar.sync", 1, ";", kRace},
    {"softmaxReuseBarrier", "softmax", runSoftmax, "bar.sync", 2, ";", kRace},
    {"softmaxLastBarrier", "softmax", runSoftmax, "bar.sync", 3, ";", kRace},
    {"softmaxShuffleStep", "softmax", runSoftmax, "shfl.sync.bfly.b32", 9,
     "shfl.sync.up.b32", kAll},
    {"softmaxSlot", "softmax", runSoftmax, "st.shared.f32 \t[%r6]", 1,
     "st.shared.f32 [%r6+4]", kAll},
    {"matmulFirstBarrier", "matmul", runMatmul, "bar.sync", 0, ";", kAll},
    {"matmulSecondBarrier", "matmul", runMatmul, "bar.sync", 1, ";", kAll},
    {"matmulOneBarrierOfTwoWarps", "matmul", runMatmul, "bar.sync \t0", 1,
     "bar.sync 0, 64", kAll},
    {"matmulColumn", "matmul", runMatmul, "[%r8+132]", 0, "[%r8+128]", kAll},
    {"histogramClear", "histogram", runHistogram, "bar.sync", 0, ";", kAll},
    {"histogramEnd", "histogram", runHistogram, "bar.sync", 1, ";", kAll},
    {"histogramAtomic", "histogram", runHistogram, "atom.global.add.u32", 0,
     "atom.global.exch.b32", kAll},
    {"sumFence", "sumAll", runSumAll, "membar.gl", 0, ";", kRace},
    {"sumSecondFence", "sumAll", runSumAll, "membar.gl", 1, ";", kRace},
    {"sumCount", "sumAll", runSumAll, "atom.global.inc.u32", 0,
     "atom.global.add.u32", kAll},
    {"rotateArrival", "rotate", runRotate, "barrier.cluster.arrive", 0, ";",
     kAll},
    {"rotateWait", "rotate", runRotate, "barrier.cluster.wait", 0, ";", kAll},
    {"tensorWait", "tensor", runTensor, "cp.async.wait_group 0", 0,
     "cp.async.wait_group 1;", kLazy},
    {"tensorCommit", "tensor", runTensor, "cp.async.commit_group", 0, ";",
     kLazy},
    {"tensorTransposed", "tensor", runTensor, "x2.trans", 0, "x2", kAll},
    {"tensorPart", "tensor", runTensor, "[%rd4], 16", 0, "[%rd4], 8", kAll},
    {"streamInit", "stream", runStream, "mbarrier.init.shared::cta.b64", 2, ";",
     kAll},
    {"streamInitBarrier", "stream", runStream, "bar.sync", 0, ";", kRace},
    {"streamCount", "stream", runStream, "[%r12], %r17", 0, "[%r12], %r15",
     kAll},
    {"streamBytes", "stream", runStream,
     "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r", 0,
     "mbarrier.arrive.shared::cta.b64 _, [%r", kAll},
    {"streamWaitFull", "stream", runStream, "@!p bra again", 1, ";", kLazy},
    {"streamWaitEmpty", "stream", runStream, "@!p bra again", 0, ";", kRace},
    {"streamArrive", "stream", runStream, "mbarrier.arrive.shared::cta", 0, ";",
     kAll},
    {"groupFence", "warpgroup", runWarpgroup, "wgmma.fence.sync.aligned", 0,
     ";", kAll},
    {"groupWait", "warpgroup", runWarpgroup, "wgmma.wait_group.sync.aligned 0",
     0, "wgmma.wait_group.sync.aligned 1;", kRace | kLazy},
    {"groupCommit", "warpgroup", runWarpgroup,
     "wgmma.commit_group.sync.aligned", 0, ";", kRace | kLazy},
    {"groupBarrier", "warpgroup", runWarpgroup, "bar.sync", 1, ";", kRace},
    {"groupWaitFull", "warpgroup", runWarpgroup, "@!p bra again", 0, ";",
     kLazy},
    {"groupBytes", "warpgroup", runWarpgroup, "[%r11], %r12", 0,
     "[%r11], 16400", kAll},
    {"groupTranspose", "warpgroup", runWarpgroup, "1, 1, 0, 0", 0, "1, 1, 0, 1",
     kAll},
    {"groupSign", "warpgroup", runWarpgroup, "1, 1, 0, 0", 2, "1, -1, 0, 0",
     kAll},
};

/// The text with the change; empty if there is nothing to change.
std::string mutated(const std::string &text, const Mutant &mutant) {
  size_t at = text.find(".entry " + std::string(mutant.kernel) + "(");
  size_t end = std::min(text.find(".entry ", at + 1), text.size());
  for (unsigned i = 0; i <= mutant.which; ++i) {
    at = text.find(mutant.find, at + 1);
    if (at >= end)
      return "";
  }
  std::string replacement = mutant.replacement;
  size_t stop = at + std::string(mutant.find).size();
  if (replacement.ends_with(';'))
    stop = text.find(';', at) + 1;
  return text.substr(0, at) + replacement + text.substr(stop);
}

class MutationTest : public testing::TestWithParam<Mutant> {};

TEST_P(MutationTest, isNoticed) {
  const Mutant &mutant = GetParam();
  static const std::string original = corpusText();
  std::string text = mutated(original, mutant);
  ASSERT_FALSE(text.empty()) << "'" << mutant.find << "' is not there";
  unsigned saw = 0;
  const std::pair<Mode, unsigned> kModes[] = {
      {Mode::Plain, kPlain}, {Mode::Race, kRace}, {Mode::Lazy, kLazy}};
  for (auto [mode, bit] : kModes) {
    Memory memory;
    std::string error;
    auto module = Module::parse(text, memory, error);
    ASSERT_TRUE(module) << error;
    Options options;
    options.mode = mode;
    options.maxInstructions = 10000000;
    std::string wrong = mutant.subject(memory, *module, options);
    if (!wrong.empty())
      saw |= bit;
    else if (mutant.sees & bit)
      ADD_FAILURE() << "not noticed in mode " << bit;
  }
  EXPECT_NE(saw, 0u);
}

INSTANTIATE_TEST_SUITE_P(Bugs, MutationTest, testing::ValuesIn(kMutants),
                         [](const auto &info) {
                           return std::string(info.param.name);
                         });

// Without a change, nothing is noticed; with threads of the host, too.
TEST(SubjectTest, areRight) {
  Memory memory;
  std::string error;
  auto module = Module::parse(corpusText(), memory, error);
  ASSERT_TRUE(module) << error;
  for (Mode mode : {Mode::Plain, Mode::Race, Mode::Lazy})
    for (unsigned threads : {1u, 3u}) {
      Options options;
      options.mode = mode;
      options.threads = threads;
      for (Subject subject : {runSoftmax, runMatmul, runHistogram, runSumAll,
                              runRotate, runTensor, runStream, runWarpgroup})
        EXPECT_EQ(subject(memory, *module, options), "");
    }
  EXPECT_EQ(memory.allocations(), 0u);
}

} // namespace
