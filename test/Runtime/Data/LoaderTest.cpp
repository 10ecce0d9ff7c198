//===- LoaderTest.cpp - Batches, made ahead by threads --------------------===//

#include "weft/Runtime/Data/Loader.h"
#include "DataTest.h"
#include <algorithm>
#include <atomic>
#include <thread>

using namespace weft::data;

namespace {
/// Sample i is i + 1000 * a random number, if there are any.
class FakeSet : public DataSet {
public:
  explicit FakeSet(int64_t count) : count(count) {}
  int64_t size() const override { return count; }
  std::span<const Field> fields() const override { return described; }
  Status read(int64_t index, const Visit &visit,
              std::span<std::byte *const> out) const override {
    ++reads;
    if (slow)
      std::this_thread::sleep_for(std::chrono::microseconds(index % 7 * 50));
    if (index == hungry)
      throw std::bad_alloc();
    if (index == bad)
      return Status(Error::Image, "sample " + std::to_string(index));
    float value = static_cast<float>(index);
    if (visit.random)
      value +=
          1000.f *
          Random(visit.seed, Random::Augment, visit.epoch, index).below(1000);
    float pair[2] = {value, -value};
    memcpy(out[0], pair, sizeof pair);
    memcpy(out[1], &index, sizeof index);
    return {};
  }

  int64_t count;
  int64_t bad = -1, hungry = -1;
  bool slow = false;
  mutable std::atomic<int64_t> reads = 0;
  std::vector<Field> described = {{"x", WEFT_F32, {2}}, {"y", WEFT_I64, {}}};
};

std::unique_ptr<Loader> make(const DataSet &set, LoaderOptions options,
                             std::vector<int64_t> samples = {}) {
  auto loader = Loader::create(set, std::move(samples), options);
  EXPECT_TRUE(loader.ok()) << loader.status().describe();
  return loader.take();
}

/// All of an epoch, from a batch on: per batch its samples' numbers and bytes.
std::string contents(Loader &loader, int64_t epoch, int64_t first = 0) {
  std::string text;
  loader.start(epoch, first);
  int64_t number = first;
  while (true) {
    Result<const Batch *> batch = loader.next();
    EXPECT_TRUE(batch.ok()) << batch.status().describe();
    if (!batch.ok() || !*batch)
      break;
    EXPECT_EQ((*batch)->number, number++);
    text += "|";
    for (const weft_tensor &tensor : (*batch)->tensors) {
      EXPECT_EQ(tensor.dims[0], (*batch)->size());
      text.append(static_cast<const char *>(tensor.data), tensor.bytes);
    }
  }
  EXPECT_EQ(number, loader.batches());
  return text;
}
} // namespace

TEST(LoaderTest, anyNumberOfThreadsGivesTheSame) {
  FakeSet set(101);
  LoaderOptions options{.batch = 8, .seed = 3, .threads = 0};
  auto reference = make(set, options);
  std::string first = contents(*reference, 0), second = contents(*reference, 1);
  EXPECT_NE(first, second);
  set.slow = true;
  for (int threads : {1, 2, 5})
    for (int64_t ahead : {1, 3, 100}) {
      options.threads = threads;
      options.ahead = ahead;
      auto loader = make(set, options);
      EXPECT_EQ(contents(*loader, 1), second);
      EXPECT_EQ(contents(*loader, 0), first);
    }
}

TEST(LoaderTest, startsWithinAnEpoch) {
  FakeSet set(50);
  for (int threads : {0, 2}) {
    auto loader = make(set, {.batch = 8, .seed = 9, .threads = threads});
    std::string all = contents(*loader, 4);
    std::string rest = contents(*loader, 4, 3);
    EXPECT_EQ(all.substr(all.size() - rest.size()), rest);
    EXPECT_EQ(contents(*loader, 4, loader->batches()), "");
    // What was begun may be left.
    loader->start(1, 0);
    ASSERT_TRUE(loader->next().ok());
    EXPECT_EQ(contents(*loader, 4), all);
  }
}

TEST(LoaderTest, servesEachSampleOnce) {
  FakeSet set(23);
  auto loader = make(set, {.batch = 5, .random = false});
  EXPECT_EQ(loader->batches(), 5);
  EXPECT_EQ(loader->samples(), 23);
  loader->start(0, 0);
  std::vector<int64_t> seen;
  while (const Batch *batch = *loader->next()) {
    auto *values = static_cast<const float *>(batch->tensors[0].data);
    for (int64_t i = 0; i < batch->size(); ++i) {
      EXPECT_EQ(values[2 * i], static_cast<float>(batch->samples[i]));
      seen.push_back(batch->samples[i]);
    }
  }
  EXPECT_FALSE(std::is_sorted(seen.begin(), seen.end()));
  std::sort(seen.begin(), seen.end());
  for (int64_t i = 0; i < 23; ++i)
    ASSERT_EQ(seen[i], i);
}

TEST(LoaderTest, leavesOutThePartialBatch) {
  FakeSet set(23);
  auto loader = make(set, {.batch = 5, .shuffle = false, .dropPartial = true});
  EXPECT_EQ(loader->batches(), 4);
  EXPECT_EQ(loader->samples(), 20);
  contents(*loader, 0);
}

TEST(LoaderTest, servesSomeSamples) {
  FakeSet set(10);
  auto loader =
      make(set, {.batch = 2, .shuffle = false, .random = false}, {1, 4, 9});
  loader->start(0, 0);
  EXPECT_EQ((*loader->next())->samples, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ((*loader->next())->samples, (std::vector<int64_t>{9}));
  EXPECT_EQ(*loader->next(), nullptr);
  EXPECT_EQ(*loader->next(), nullptr);
}

TEST(LoaderTest, readsNoFurtherAheadThanAsked) {
  FakeSet set(1000);
  auto loader =
      make(set, {.batch = 10, .shuffle = false, .threads = 4, .ahead = 3});
  loader->start(0, 0);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(loader->next().ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    // Those that are given, and three more.
    EXPECT_LE(set.reads, (i + 1 + 3) * 10);
  }
}

TEST(LoaderTest, showsTheNextBatchBesideThePresentOne) {
  FakeSet set(20);
  for (int threads : {0, 2}) {
    auto loader = make(set, {.batch = 6, .threads = threads, .ahead = 1});
    std::string whole = contents(*loader, 3), shown;
    loader->start(3, 0);
    const Batch *present = nullptr, *upcoming = loader->peek();
    while (true) {
      // Without threads it is made at once.
      while (threads && !upcoming && (!present || present->number < 3))
        upcoming = loader->peek();
      Result<const Batch *> next = loader->next();
      ASSERT_TRUE(next.ok());
      EXPECT_EQ(*next, upcoming);
      if (!*next)
        break;
      present = *next;
      std::vector<char> before(present->tensors[1].bytes);
      memcpy(before.data(), present->tensors[1].data, before.size());
      upcoming = loader->peek();
      EXPECT_EQ(memcmp(before.data(), present->tensors[1].data, before.size()),
                0);
      shown += "|";
      for (const weft_tensor &tensor : present->tensors)
        shown.append(static_cast<const char *>(tensor.data), tensor.bytes);
    }
    EXPECT_EQ(shown, whole);
  }
  set.bad = 7;
  auto loader = make(set, {.batch = 6, .shuffle = false, .threads = 0});
  loader->start(0, 0);
  ASSERT_TRUE(loader->next().ok());
  EXPECT_EQ(loader->peek(), nullptr); // what is wrong, next() tells
  EXPECT_FALSE(loader->next().ok());
}

TEST(LoaderTest, reportsTheFirstBadSampleWhereItIsDue) {
  FakeSet set(40);
  set.bad = 17;
  for (int threads : {0, 3}) {
    auto loader = make(set, {.batch = 8, .shuffle = false, .threads = threads});
    loader->start(0, 0);
    ASSERT_TRUE(loader->next().ok());
    ASSERT_TRUE(loader->next().ok());
    EXPECT_ERROR(loader->next().status(), Image, "sample 17");
    EXPECT_TRUE(loader->next().ok());
  }
}

TEST(LoaderTest, reportsWhereMemoryRunsOut) {
  FakeSet set(40);
  set.hungry = 3;
  for (int threads : {0, 3}) {
    auto loader = make(set, {.batch = 8, .shuffle = false, .threads = threads});
    loader->start(0, 0);
    EXPECT_ERROR(loader->next().status(), Memory,
                 "there is no memory for sample '3'");
  }
}

TEST(LoaderTest, mayBeDroppedAtAnyTime) {
  FakeSet set(1000);
  set.slow = true;
  for (int taken = 0; taken < 4; ++taken) {
    auto loader = make(set, {.batch = 10, .threads = 3});
    if (taken)
      loader->start(0, 0);
    for (int i = 1; i < taken; ++i)
      ASSERT_TRUE(loader->next().ok());
  }
}

TEST(LoaderTest, refusesWhatMeansNothing) {
  FakeSet set(4);
  auto refuse = [&](LoaderOptions options) {
    return Loader::create(set, {}, options).status();
  };
  EXPECT_ERROR(refuse({.batch = 0}), Option, "batch of 0");
  EXPECT_ERROR(refuse({.threads = -1}), Option, "-1 threads");
  EXPECT_ERROR(refuse({.ahead = 0}), Option, "0 batches ahead");
  EXPECT_ERROR(refuse({.batch = 5, .dropPartial = true}), Empty,
               "4 samples, less than one batch of 5");
  set.described[0].dims = {int64_t(1) << 50};
  EXPECT_ERROR(refuse({}), Memory, "a batch of 32 samples of 'x'");
}
