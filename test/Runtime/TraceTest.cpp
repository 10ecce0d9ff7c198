//===- TraceTest.cpp - Profiles -------------------------------------------===//

#include "SessionTest.h"
#include <dirent.h>

using namespace weft::test;

namespace {

class TraceTest : public SessionTest {
protected:
  int64_t countRecords() {
    const weft_launch_record *records = nullptr;
    int64_t count = -1;
    weft_session_profile(session, &records, &count);
    return count;
  }

  std::string path = WEFT_TEST_FOLDER "/trace.json";
};

// The trace with each number after "ts", "dur" replaced by T.
std::string withoutTimes(std::string text) {
  for (std::string key : {"\"ts\":", "\"dur\":"})
    for (size_t at = text.find(key); at != std::string::npos;
         at = text.find(key, at + 1)) {
      size_t begin = at + key.size();
      size_t end = text.find_first_not_of("0123456789.", begin);
      text.replace(begin, end - begin, 1, 'T');
    }
  return text;
}

TEST_F(TraceTest, timesLaunches) {
  start(2, /*profile=*/true);
  Inputs inputs(10);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  const weft_launch_record *records = nullptr;
  int64_t count = 0;
  weft_session_profile(session, &records, &count);
  ASSERT_EQ(count, 6);
  for (int64_t i = 0; i < count; ++i) {
    EXPECT_EQ(records[i].kernel, 0);
    EXPECT_EQ(records[i].run, i / 2);
    EXPECT_EQ(records[i].count, 10);
    EXPECT_LE(records[i].begin, records[i].end);
    EXPECT_GE(records[i].begin, i ? records[i - 1].end : 0);
  }
  weft_session_clear_profile(session);
  EXPECT_EQ(countRecords(), 0);
}

TEST_F(TraceTest, tellsOfLaunches) {
  struct Seen {
    std::vector<int32_t> announced, kernels;
    std::vector<const void *> firstWords;
    float twice = 0;
  } seen;
  weft_session_options options;
  weft_session_options_init(&options);
  options.observe_user = &seen;
  options.announce = [](void *user, int32_t kernel, void *const *) {
    auto *seen = static_cast<Seen *>(user);
    // What is announced has not been seen.
    EXPECT_EQ(seen->announced.size(), seen->kernels.size());
    seen->announced.push_back(kernel);
  };
  options.observe = [](void *user, int32_t kernel, void *const *words) {
    auto *seen = static_cast<Seen *>(user);
    seen->kernels.push_back(kernel);
    seen->firstWords.push_back(words[0]);
    if (seen->kernels.size() == 1)
      seen->twice = static_cast<const float *>(words[1])[4];
  };
  start(options);
  Inputs inputs(10);
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  EXPECT_EQ(seen.kernels, (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(seen.firstWords[0], inputs.x.data());
  EXPECT_NE(seen.firstWords[1], inputs.x.data());
  EXPECT_EQ(seen.twice, 2 * inputs.x[4]);
  EXPECT_EQ(seen.announced, seen.kernels);
  // A launch that failed is none.
  Inputs faulty(10, 2, WEFT_FAULT_DIVISION_BY_ZERO);
  seen = {};
  EXPECT_NE(run(faulty), WEFT_OK);
  EXPECT_TRUE(seen.kernels.empty());
  EXPECT_EQ(seen.announced, std::vector<int32_t>{0});
}

TEST_F(TraceTest, keepsThousandsOfLaunches) {
  start(1, /*profile=*/true);
  Inputs inputs(4, 2, FIXTURE_LAUNCHES_OFTEN);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  EXPECT_EQ(countRecords(), 3 * 1002);
}

TEST_F(TraceTest, isOffUnlessAskedFor) {
  start(2);
  Inputs inputs(10);
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  EXPECT_EQ(countRecords(), 0);
}

TEST_F(TraceTest, writesChromeTraces) {
  start(1, /*profile=*/true);
  Inputs inputs(4, 2, FIXTURE_USES_SCRATCH);
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  ASSERT_EQ(weft_session_write_trace(session, path.c_str()), WEFT_OK)
      << weft_last_error();
  const std::string doubled =
      R"({"name":"double","ph":"X","pid":0,"tid":0,"ts":T,"dur":T,)"
      R"("args":{"run":0,"count":4,"nodes":["Mul_0","Add \"b\"","Add_2",)"
      R"("Add_3","Add_4"]}})";
  EXPECT_EQ(withoutTimes(readFile(path)),
            R"({"displayTimeUnit":"ns","otherData":{"producer":"hand",)"
            R"("target":"cpu","lost":0},)"
            "\n\"traceEvents\":[\n"
            R"({"name":"process_name","ph":"M","pid":0,"tid":0,)"
            R"("args":{"name":"fixture"}},)"
            "\n"
            R"({"name":"scratch","ph":"X","pid":0,"tid":0,"ts":T,"dur":T,)"
            R"("args":{"run":0,"count":400,)"
            R"("nodes":["Conv\\1\u0001\ufffd)"
            "\xc3\xa9\"]}},\n" +
                doubled + ",\n" + doubled + "\n]}\n");
}

TEST_F(TraceTest, leavesNothingBehindIfItCannotWrite) {
  start(1, /*profile=*/true);
  EXPECT_EQ(weft_session_write_trace(session, "/no/where/trace.json"),
            WEFT_ERROR_WRITE);
  EXPECT_STREQ(weft_last_error(), "WFT5004: cannot write "
                                  "\"/no/where/trace.json\": No such file or "
                                  "directory");
  EXPECT_EQ(weft_session_write_trace(session, nullptr), WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: there is no path to write to");
  // A folder is in the place of the file.
  EXPECT_EQ(weft_session_write_trace(session, WEFT_TEST_FOLDER),
            WEFT_ERROR_WRITE);
  DIR *folder = opendir(WEFT_TEST_FOLDER "/..");
  ASSERT_NE(folder, nullptr);
  while (dirent *entry = readdir(folder))
    EXPECT_EQ(std::string(entry->d_name).find(".tmp"), std::string::npos)
        << entry->d_name;
  closedir(folder);
}

} // namespace
