//===- RandomTest.cpp - Random numbers by counting ------------------------===//

#include "DataTest.h"
#include "weft/Runtime/Data/DataSet.h"
#include <algorithm>

using namespace weft::data;

using Block = std::array<uint32_t, 4>;

// The known answers that the authors of Philox publish.
TEST(RandomTest, philoxGivesKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                   {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomTest, streamsDiffer) {
  auto first = [](uint64_t seed, Random::Purpose purpose, uint32_t epoch,
                  uint64_t item) {
    return Random(seed, purpose, epoch, item).next64();
  };
  uint64_t base = first(1, Random::Order, 2, 3);
  EXPECT_EQ(base, first(1, Random::Order, 2, 3));
  EXPECT_NE(base, first(2, Random::Order, 2, 3));
  EXPECT_NE(base, first(1, Random::Augment, 2, 3));
  EXPECT_NE(base, first(1, Random::Order, 3, 3));
  EXPECT_NE(base, first(1, Random::Order, 2, 4));
  EXPECT_NE(base, first(1, Random::Order, 2, 3 + (uint64_t(1) << 32)));
}

TEST(RandomTest, staysBelowAndIsEven) {
  Random random(7, Random::Augment, 0, 0);
  std::vector<int> seen(7);
  for (int i = 0; i < 70000; ++i)
    ++seen[random.below(7)];
  for (int count : seen)
    EXPECT_NEAR(count, 10000, 500);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    float value = random.uniform();
    ASSERT_TRUE(value >= 0 && value < 1);
    sum += value;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.02);
}

TEST(RandomTest, splits) {
  Result<Split> split = splitSamples(100, 0.25, 5);
  ASSERT_TRUE(split.ok());
  EXPECT_EQ(split->training.size(), 75u);
  EXPECT_EQ(split->validation.size(), 25u);
  EXPECT_TRUE(
      std::is_sorted(split->validation.begin(), split->validation.end()));
  std::vector<int64_t> all = split->training;
  all.insert(all.end(), split->validation.begin(), split->validation.end());
  std::sort(all.begin(), all.end());
  for (int64_t i = 0; i < 100; ++i)
    ASSERT_EQ(all[i], i);
  EXPECT_EQ(split->validation, splitSamples(100, 0.25, 5)->validation);
  EXPECT_NE(split->validation, splitSamples(100, 0.25, 6)->validation);
  EXPECT_EQ(splitSamples(3, 0.001, 0)->validation.size(), 1u);
  EXPECT_EQ(splitSamples(3, 0.999, 0)->training.size(), 1u);
  EXPECT_TRUE(splitSamples(3, 0, 0)->validation.empty());
  EXPECT_ERROR(splitSamples(3, 1, 0).status(), Option, "fraction");
  EXPECT_ERROR(splitSamples(1, 0.5, 0).status(), Empty, "1 samples");
}
