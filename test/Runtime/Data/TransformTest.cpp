//===- TransformTest.cpp - What is done to samples on their way -----------===//

#include "weft/Runtime/Data/Transform.h"
#include "DataTest.h"
#include <numeric>
#include <set>

using namespace weft::data;

namespace {
/// Each sample is 1, 2, 3... in a [channels, height, width].
class Counting : public DataSet {
public:
  explicit Counting(std::vector<int64_t> dims, weft_dtype dtype = WEFT_F32)
      : described{{"x", dtype, std::move(dims)}} {}
  int64_t size() const override { return 100; }
  std::span<const Field> fields() const override { return described; }
  Status read(int64_t, const Visit &,
              std::span<std::byte *const> out) const override {
    auto *begin = reinterpret_cast<float *>(out[0]);
    std::iota(begin, begin + bytesOf(described[0]) / 4, 1.0f);
    return {};
  }

private:
  std::vector<Field> described;
};

using Values = std::vector<float>;

Result<std::unique_ptr<DataSet>> make(std::vector<int64_t> dims,
                                      const TransformOptions &options) {
  return transform(std::make_unique<Counting>(std::move(dims)), options);
}

Values sample(const DataSet &set, int64_t index, const Visit &visit) {
  Values values(bytesOf(set.fields()[0]) / 4);
  std::byte *out[] = {reinterpret_cast<std::byte *>(values.data())};
  EXPECT_TRUE(set.read(index, visit, out).ok());
  return values;
}
} // namespace

TEST(TransformTest, normalises) {
  auto set = make({2, 2}, {.mean = {1, 2}, .deviation = {0.5, 2}});
  ASSERT_TRUE(set.ok()) << set.status().describe();
  EXPECT_EQ(sample(**set, 0, {}), (Values{0, 2, 0.5, 1}));
  set = make({2, 2}, {.mean = {1}});
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(sample(**set, 0, {}), (Values{0, 1, 2, 3}));
}

TEST(TransformTest, flips) {
  auto set = make({2, 1, 3}, {.randomFlip = true});
  ASSERT_TRUE(set.ok());
  Values plain = {1, 2, 3, 4, 5, 6}, flipped = {3, 2, 1, 6, 5, 4};
  int count = 0;
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(sample(**set, i, {.seed = 1}), plain);
    Values seen = sample(**set, i, {.seed = 1, .random = true});
    EXPECT_TRUE(seen == plain || seen == flipped);
    count += seen == flipped;
  }
  EXPECT_GT(count, 25);
  EXPECT_LT(count, 75);
}

TEST(TransformTest, shifts) {
  auto set = make({1, 3, 3}, {.randomShift = 2});
  ASSERT_TRUE(set.ok());
  auto at = [](int64_t y, int64_t x) {
    return y < 0 || x < 0 || y > 2 || x > 2 ? 0.0f : 3.0f * y + x + 1;
  };
  std::set<Values> allowed, seen;
  for (int down = -2; down <= 2; ++down)
    for (int right = -2; right <= 2; ++right) {
      Values values;
      for (int y = 0; y < 3; ++y)
        for (int x = 0; x < 3; ++x)
          values.push_back(at(y - down, x - right));
      allowed.insert(values);
    }
  for (uint32_t epoch = 0; epoch < 10; ++epoch)
    for (int64_t i = 0; i < 100; ++i)
      seen.insert(
          sample(**set, i, {.seed = 1, .epoch = epoch, .random = true}));
  EXPECT_EQ(seen, allowed);
}

TEST(TransformTest, refusesWhatMeansNothing) {
  EXPECT_ERROR(make({2, 3}, {.randomFlip = true}).status(), Option,
               "f32 [2, 3], can't be flipped or shifted");
  EXPECT_ERROR(make({}, {.mean = {1}}).status(), Option, "normalised");
  EXPECT_ERROR(make({1, 3, 3}, {.randomShift = 3}).status(), Option,
               "shift by 3");
  EXPECT_ERROR(make({1, 3, 3}, {.randomShift = -1}).status(), Option,
               "shift by -1");
  EXPECT_ERROR(make({2, 3}, {.mean = {1, 2, 3}}).status(), Option, "3 means");
  EXPECT_ERROR(
      transform(std::make_unique<Counting>(std::vector<int64_t>{2}, WEFT_I64),
                {.mean = {1}})
          .status(),
      Option, "i64 [2]");
}
