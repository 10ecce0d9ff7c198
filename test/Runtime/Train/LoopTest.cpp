//===- LoopTest.cpp - Epochs of updates, with checkpoints and logs --------===//

#include "DataTest.h"
#include "FakeStep.h"
#include <csignal>

using namespace weft::data;
using namespace weft::test;
using namespace weft::train;

namespace {
class LoopTest : public FolderTest {
protected:
  void SetUp() override {
    FolderTest::SetUp();
    options.epochs = 3;
    options.schedule = {.shape = Schedule::Shape::Cosine,
                        .rate = 0.5,
                        .warmup = 5,
                        .total = 36};
    options.seed = 11;
    options.logUpdates = 1;
  }

  std::unique_ptr<Loader> load(LoaderOptions wanted = {.batch = 9, .seed = 4},
                               std::vector<int64_t> samples = {}) {
    auto loader = Loader::create(points, std::move(samples), wanted);
    EXPECT_TRUE(loader.ok()) << loader.status().describe();
    return loader.take();
  }

  Result<LoopResult> go(FakeStep &step) {
    auto training = load();
    auto validation = load({.batch = 16, .shuffle = false, .random = false});
    return train(step, *training, validation.get(), options);
  }

  /// The state after a run without a stop.
  std::string reference() {
    LoopOptions before = options;
    options.checkpoints = options.csv = "";
    options.resume = false;
    FakeStep step;
    EXPECT_TRUE(go(step).ok());
    options = before;
    return step.fingerprint();
  }

  Points points{100};
  LoopOptions options;
};
} // namespace

TEST_F(LoopTest, trains) {
  std::vector<EpochReport> reports;
  options.epochs = 20;
  options.onEpoch = [&](const EpochReport &one) { reports.push_back(one); };
  FakeStep step;
  auto result = go(step);
  ASSERT_TRUE(result.ok()) << result.status().describe();
  EXPECT_EQ(result->updates, 240);
  EXPECT_EQ(step.updates, 240);
  EXPECT_EQ(step.evaluations, 20 * 7);
  ASSERT_EQ(reports.size(), 20u);
  EXPECT_EQ(reports[4].epoch, 5);
  EXPECT_EQ(reports[4].update, 60);
  EXPECT_LT(reports[19].loss, reports[0].loss / 2);
  EXPECT_GT(reports[19].validation.accuracy, 0.9);
  EXPECT_EQ(result->last.validation.loss, reports[19].validation.loss);
  for (size_t i = 0; i < step.rates.size(); ++i)
    EXPECT_EQ(step.rates[i], static_cast<float>(options.schedule.at(i)));
}

TEST_F(LoopTest, writesCheckpointsAndLogs) {
  options.checkpoints = path("c");
  options.keep = 2;
  options.saveUpdates = 10;
  options.csv = path("log.csv");
  options.events = path("events");
  FakeStep step;
  auto result = go(step);
  ASSERT_TRUE(result.ok()) << result.status().describe();
  CheckpointFolder checkpoints(path("c"), 2);
  EXPECT_EQ(checkpoints.list(), (std::vector<int64_t>{30, 36}));
  EXPECT_EQ(result->checkpoint, checkpoints.pathOf(36));
  std::string csv = read("log.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 36 + 3);
  EXPECT_FALSE(std::filesystem::is_empty(path("events")));

  FakeStep again;
  EXPECT_ERROR(go(again).status(), Option, "checkpoints of another run");
  EXPECT_EQ(again.updates, 0);
}

// Ends after each update once, goes on, and must come out the same.
TEST_F(LoopTest, resumesBitByBit) {
  std::string wanted = reference();
  for (int64_t stop = 1; stop < 36; stop += 5) {
    std::filesystem::remove_all(path("c"));
    options.checkpoints = path("c");
    options.csv = path("log.csv");
    options.resume = false;
    FakeStep first;
    first.onUpdate = [&](FakeStep &step) {
      if (step.updates == stop)
        raise(SIGINT);
    };
    auto stopped = go(first);
    ASSERT_TRUE(stopped.ok()) << stopped.status().describe();
    EXPECT_TRUE(stopped->stopped);
    EXPECT_EQ(stopped->updates, stop);

    FakeStep second;
    options.resume = true;
    auto result = go(second);
    ASSERT_TRUE(result.ok()) << result.status().describe();
    EXPECT_FALSE(result->stopped);
    EXPECT_EQ(result->updates, 36);
    EXPECT_EQ(second.fingerprint(), wanted) << "stopped after " << stop;
  }
  // The logs say nothing of the stop but in their times.
  std::string csv = read("log.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 36 + 3);

  // More epochs may follow.
  options.epochs = 4;
  FakeStep third;
  auto more = go(third);
  ASSERT_TRUE(more.ok()) << more.status().describe();
  EXPECT_EQ(more->updates, 48);
}

TEST_F(LoopTest, tellsOfUpdatesThatAreLeftOut) {
  FakeStep step;
  step.skippedUpdate = 4;
  options.csv = path("log.csv");
  options.progress = std::fopen(path("out").c_str(), "w");
  auto result = go(step);
  std::fclose(options.progress);
  ASSERT_TRUE(result.ok()) << result.status().describe();
  EXPECT_EQ(result->updates, 36);
  EXPECT_EQ(result->skipped, 1);
  EXPECT_NE(read("out").find("update 4 is left out: a gradient overflowed with "
                             "the loss scale 8\n"),
            std::string::npos);
  std::string csv = read("log.csv");
  EXPECT_NE(csv.find(",8\n"), std::string::npos);
}

// 12 batches are updates of 5, 5 and 2.
TEST_F(LoopTest, takesSeveralBatchesForAnUpdate) {
  options.accumulate = 5;
  options.csv = path("log.csv");
  FakeStep step;
  auto result = go(step);
  ASSERT_TRUE(result.ok()) << result.status().describe();
  EXPECT_EQ(result->updates, 9);
  EXPECT_EQ(step.updates, 9);
  ASSERT_EQ(step.rates.size(), 36u);
  EXPECT_EQ(step.rates[0], step.rates[4]);
  EXPECT_NE(step.rates[4], step.rates[5]);
  EXPECT_NE(step.rates[9], step.rates[10]);
  EXPECT_EQ(step.rates[10], step.rates[11]);
  EXPECT_NE(step.rates[11], step.rates[12]);
  std::string csv = read("log.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 9 + 3);
}

// Ends amidst an update, goes on, and must come out the same.
TEST_F(LoopTest, resumesAmidstAnUpdate) {
  options.accumulate = 5;
  std::string wanted = reference();
  std::vector<EpochReport> whole, reports;
  options.onEpoch = [&](const EpochReport &one) { whole.push_back(one); };
  FakeStep reported;
  ASSERT_TRUE(go(reported).ok());
  for (size_t stop = 1; stop < 36; stop += 3) {
    std::filesystem::remove_all(path("c"));
    options.checkpoints = path("c");
    options.saveUpdates = 2;
    options.resume = false;
    FakeStep first;
    reports.clear();
    options.onEpoch = [&](const EpochReport &one) { reports.push_back(one); };
    first.onUpdate = [&](FakeStep &step) {
      if (step.rates.size() == stop)
        raise(SIGINT);
    };
    auto stopped = go(first);
    ASSERT_TRUE(stopped.ok()) << stopped.status().describe();
    EXPECT_EQ(first.rates.size(), stop);

    FakeStep second;
    options.resume = true;
    auto result = go(second);
    ASSERT_TRUE(result.ok()) << result.status().describe();
    EXPECT_EQ(result->updates, 9);
    EXPECT_EQ(second.fingerprint(), wanted) << "stopped after " << stop;
    EXPECT_EQ(second.rates.size(), 36 - stop);
    ASSERT_EQ(reports.size(), whole.size());
    for (auto [one, other] :
         {std::pair(reports[0], whole[0]), std::pair(reports[2], whole[2])})
      EXPECT_EQ(one.loss, other.loss) << "stopped after " << stop;
  }
  options.accumulate = 4;
  FakeStep third;
  EXPECT_ERROR(go(third).status(), CheckpointMismatch,
               "was made with weft.accumulate 5, this run has 4");
}

// A stop while the epoch is evaluated evaluates it when the run goes on.
TEST_F(LoopTest, resumesWithinAnEvaluation) {
  class StopsInEvaluation : public FakeStep {
  public:
    Result<Evaluation> evaluate(const Batch &batch) override {
      if (evaluations == 2)
        raise(SIGTERM);
      return FakeStep::evaluate(batch);
    }
  };
  std::string wanted = reference();
  options.checkpoints = path("c");
  StopsInEvaluation first;
  auto stopped = go(first);
  ASSERT_TRUE(stopped.ok());
  EXPECT_TRUE(stopped->stopped);
  EXPECT_EQ(stopped->updates, 12);
  EXPECT_EQ(stopped->last.epoch, 0);
  std::vector<EpochReport> reports;
  options.onEpoch = [&](const EpochReport &one) { reports.push_back(one); };
  options.resume = true;
  FakeStep second;
  ASSERT_TRUE(go(second).ok());
  ASSERT_EQ(reports.size(), 3u);
  EXPECT_EQ(reports[0].epoch, 1);
  EXPECT_EQ(reports[0].update, 12);
  EXPECT_GT(reports[0].loss, 0);
  EXPECT_EQ(second.fingerprint(), wanted);
}

TEST_F(LoopTest, goesBackToTheLastWholeCheckpoint) {
  std::string wanted = reference();
  options.checkpoints = path("c");
  options.saveUpdates = 5;
  FakeStep first;
  ASSERT_TRUE(go(first).ok());
  CheckpointFolder checkpoints(path("c"), 3);
  std::filesystem::resize_file(checkpoints.pathOf(36), 100);
  options.resume = true;
  FakeStep second;
  auto result = go(second);
  ASSERT_TRUE(result.ok()) << result.status().describe();
  EXPECT_EQ(second.rates.size(), 1u);
  EXPECT_EQ(second.fingerprint(), wanted);
}

// A checkpoint at an epoch's last update is of before its evaluation.
TEST_F(LoopTest, evaluatesOnceMoreWhereThatIsLost) {
  std::string wanted = reference();
  options.checkpoints = path("c");
  options.csv = path("log.csv");
  options.saveUpdates = 12;
  options.saveEpochs = 0;
  FakeStep first;
  ASSERT_TRUE(go(first).ok());
  CheckpointFolder checkpoints(path("c"), 3);
  ASSERT_EQ(checkpoints.list(), (std::vector<int64_t>{12, 24, 36}));
  std::filesystem::remove(checkpoints.pathOf(24));
  std::filesystem::remove(checkpoints.pathOf(36));
  options.resume = true;
  FakeStep second;
  ASSERT_TRUE(go(second).ok());
  EXPECT_EQ(second.evaluations, 3 * 7);
  EXPECT_EQ(second.fingerprint(), wanted);
  std::string csv = read("log.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 36 + 3);
}

TEST_F(LoopTest, refusesAnotherRunsCheckpoint) {
  options.checkpoints = path("c");
  FakeStep first;
  ASSERT_TRUE(go(first).ok());
  options.resume = true;
  options.seed = 12;
  FakeStep second;
  EXPECT_ERROR(go(second).status(), CheckpointMismatch,
               "was made with weft.seed 11, this run has 12");
  options.seed = 11;
  auto training = load({.batch = 10, .seed = 4});
  EXPECT_ERROR(train(second, *training, nullptr, options).status(),
               CheckpointMismatch, "weft.batch_size 9, this run has 10");

  class Larger : public FakeStep {
  public:
    Result<std::vector<NamedTensor>> state() override {
      auto result = FakeStep::state();
      (*result)[0].name = "kernel";
      return result;
    }
  } larger;
  EXPECT_ERROR(go(larger).status(), CheckpointMismatch,
               "has no tensor 'kernel'");
  std::filesystem::remove_all(path("c"));
  EXPECT_ERROR(go(second).status(), NoCheckpoint, path("c"));
}

TEST_F(LoopTest, stopsWhereTheLossIsNotFinite) {
  options.checkpoints = path("c");
  FakeStep step;
  step.poisonedUpdate = 15;
  auto result = go(step);
  EXPECT_ERROR(result.status(), NotFinite,
               "the loss of update 15 (epoch 2, batch 3) is nan");
  EXPECT_ERROR(result.status(), NotFinite, "the last checkpoint is");
  EXPECT_EQ(CheckpointFolder(path("c"), 3).list(), std::vector<int64_t>{12});
}

TEST_F(LoopTest, refusesWhatMeansNothing) {
  FakeStep step;
  auto refuse = [&](auto change) {
    LoopOptions before = options;
    change(options);
    auto result = go(step);
    options = before;
    return result.status();
  };
  EXPECT_ERROR(refuse([](LoopOptions &one) { one.epochs = 0; }), Option,
               "epochs is 0");
  EXPECT_ERROR(refuse([](LoopOptions &one) { one.keep = 0; }), Option, "keep");
  EXPECT_ERROR(refuse([](LoopOptions &one) { one.accumulate = 0; }), Option,
               "batches of an update");
  EXPECT_ERROR(refuse([](LoopOptions &one) { one.saveEpochs = -1; }), Option,
               "-1");
  EXPECT_ERROR(refuse([](LoopOptions &one) { one.logUpdates = 0; }), Option,
               "records");
  EXPECT_ERROR(refuse([](LoopOptions &one) { one.resume = true; }), Option,
               "folder of checkpoints");
  EXPECT_ERROR(refuse([](LoopOptions &one) { one.schedule.rate = -1; }), Option,
               "rate");
  EXPECT_ERROR(refuse([](LoopOptions &one) { one.checkpoints = "/proc/x"; }),
               CheckpointWrite, "/proc/x");
  EXPECT_ERROR(refuse([](LoopOptions &one) { one.csv = "/proc/x"; }), Log,
               "/proc/x");
  EXPECT_EQ(step.updates, 0);
}
