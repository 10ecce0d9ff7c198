//===- DeviceRunTest.cpp - Runs on a GPU that succeed ---------------------===//

#include "DeviceTest.h"
#include <algorithm>
#include <thread>

using namespace weft::test;

namespace {

TEST_F(DeviceTest, runsDirectlyThenRecordsThenReplays) {
  open();
  int launches = 0;
  for (int i = 0; i < 4; ++i) {
    runAndCheck(1000, static_cast<float>(i));
    // The first run does not come from a graph, and only the second is recorded
    // anew.
    launches = fakeDriver.calls("cuGraphLaunch");
    EXPECT_EQ(launches, i);
  }
  EXPECT_EQ(fakeDriver.calls("cuStreamBeginCapture_v2"), 1);
  EXPECT_EQ(fakeDriver.calls("cuGraphInstantiateWithFlags"), 1);
  // Two kernels each in the direct and the recorded run.
  EXPECT_EQ(fakeDriver.calls("cuLaunchKernelEx"), 4);
}

TEST_F(DeviceTest, uploadsConstantsOnce) {
  open();
  runAndCheck(100);
  int uploads = fakeDriver.calls("cuMemcpyHtoDAsync_v2");
  EXPECT_EQ(uploads, 2); // the constant and the input
  runAndCheck(101);
  EXPECT_EQ(fakeDriver.calls("cuMemcpyHtoDAsync_v2"), 3);
}

TEST_F(DeviceTest, keepsGraphsOfSeveralSizes) {
  open();
  for (int round = 0; round < 3; ++round)
    for (int64_t n : {300, 200, 100, 1})
      runAndCheck(n, static_cast<float>(round));
  // Memory was large enough from the first size on, so no graph became stale.
  EXPECT_EQ(fakeDriver.calls("cuGraphInstantiateWithFlags"), 4);
  EXPECT_EQ(fakeDriver.calls("cuGraphExecUpdate_v2"), 0);
}

TEST_F(DeviceTest, updatesGraphsWhenMemoryMoves) {
  open();
  for (int64_t n : {100, 100, 5000, 5000, 100, 100, 5000})
    runAndCheck(n, static_cast<float>(n));
  EXPECT_EQ(fakeDriver.calls("cuGraphExecUpdate_v2"), 1);
  EXPECT_EQ(fakeDriver.calls("cuGraphInstantiateWithFlags"), 2);
}

TEST_F(DeviceTest, forgetsGraphsOfSizesThatAreLongGone) {
  open();
  for (int64_t n = 40; n > 0; --n) {
    runAndCheck(n);
    runAndCheck(n);
  }
  runAndCheck(40);
  EXPECT_EQ(fakeDriver.calls("cuGraphInstantiateWithFlags"), 40);
  EXPECT_EQ(fakeDriver.calls("cuGraphExecDestroy"), 25);
}

TEST_F(DeviceTest, tellsOfItsArena) {
  open();
  EXPECT_EQ(weft_session_arena_taken(session), 0);
  int64_t n = 300, bytes = 0;
  ASSERT_EQ(weft_session_arena_bytes(session, 1, &n, &bytes), WEFT_OK);
  EXPECT_EQ(bytes, 1200);
  runAndCheck(300);
  EXPECT_EQ(weft_session_arena_taken(session), 1200);
  runAndCheck(2);
  EXPECT_EQ(weft_session_arena_taken(session), 8);
}

TEST_F(DeviceTest, runsWithoutElements) {
  open();
  for (int i = 0; i < 3; ++i)
    runAndCheck(0);
  EXPECT_EQ(fakeDriver.calls("cuLaunchKernelEx"), 0);
  runAndCheck(5);
}

TEST_F(DeviceTest, doesNotReplayWhatIsNotReplayable) {
  code.replayable = 0;
  open();
  for (int i = 0; i < 3; ++i)
    runAndCheck(100, static_cast<float>(i));
  EXPECT_EQ(fakeDriver.calls("cuStreamBeginCapture_v2"), 0);
}

TEST_F(DeviceTest, writesToMemoryOfTheCaller) {
  open();
  std::vector<float> x(10, 3), y(10, -1);
  for (int i = 0; i < 3; ++i) {
    weft_tensor input = {x.data(), 40, WEFT_F32, 1, {10}};
    weft_tensor own = {y.data(), 40, WEFT_F32, 1, {}};
    ASSERT_EQ(weft_session_run(session, 1, &input, 1, &own), WEFT_OK)
        << weft_last_error();
    EXPECT_EQ(own.data, y.data());
    EXPECT_EQ(y, std::vector<float>(10, 7));
    std::fill(y.begin(), y.end(), -1);
  }
}

TEST_F(DeviceTest, runsInAllModesOfTheEmulator) {
  for (const char *mode : {"plain", "race", "lazy"}) {
    Environment environment("WEFT_FAKECUDA_MODE", mode);
    open();
    for (int i = 0; i < 3; ++i)
      runAndCheck(300, static_cast<float>(i));
    close();
    EXPECT_EQ(leaks(), "");
  }
}

TEST_F(DeviceTest, servesSeveralSessionsAndThreads) {
  open();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      weft_session *own = nullptr;
      ASSERT_EQ(weft_session_create(model, nullptr, &own), WEFT_OK);
      for (int repeat = 0; repeat < 4; ++repeat) {
        std::vector<float> values(50 + i, static_cast<float>(repeat));
        weft_tensor input = {
            values.data(), int64_t(values.size()) * 4, WEFT_F32, 1, {50 + i}};
        weft_tensor result = {};
        ASSERT_EQ(weft_session_run(own, 1, &input, 1, &result), WEFT_OK)
            << weft_last_error();
        auto *y = static_cast<const float *>(result.data);
        EXPECT_EQ(std::count(y, y + values.size(),
                             2 * static_cast<float>(repeat) + 1),
                  static_cast<long>(values.size()));
      }
      weft_session_release(own);
    });
  for (std::thread &thread : threads)
    thread.join();
  // The session moves to another thread.
  std::thread([&] { runAndCheck(20); }).join();
  runAndCheck(20);
}

//===----------------------------------------------------------------------===//
// What programs may ask for
//===----------------------------------------------------------------------===//

TEST_F(DeviceTest, copiesAndFills) {
  code.replayable = 0;
  const int64_t large = 11 << 20; // several times the staging memory
  body = [](weft_run *run) -> int32_t {
    int64_t n = *weft_rt_symbols(run);
    auto *memory =
        static_cast<char *>(weft_rt_device_allocate(run, "here", large));
    auto *other =
        static_cast<char *>(weft_rt_device_allocate(run, "there", large));
    if (!memory || !other)
      return 1;
    std::vector<char> bytes(large), back(large);
    for (int64_t i = 0; i < large; ++i)
      bytes[i] = static_cast<char>(i * 7 + i / 1000);
    if (weft_rt_device_upload(run, memory, bytes.data(), large))
      return 1;
    std::vector<char> before = bytes;
    std::fill(bytes.begin(), bytes.end(), 'x'); // may be changed at once
    if (weft_rt_device_copy(run, other, memory, large) ||
        weft_rt_device_fill(run, other + 10, 0x1234, 5) ||
        weft_rt_device_fill(run, other, 0, 0) ||
        weft_rt_device_copy(run, other, memory, 0) ||
        weft_rt_device_download(run, back.data(), other, large))
      return 1;
    std::fill_n(before.begin() + 10, 5, 0x34);
    EXPECT_TRUE(back == before);
    // The outputs.
    const void *x = weft_rt_device_input(run, 0);
    void *y = weft_rt_device_output(run, 0, &n);
    return weft_rt_device_copy(run, y, x, n * 4);
  };
  open();
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(run(8), WEFT_OK) << weft_last_error();
    EXPECT_EQ(static_cast<float *>(output.data)[7], 7.5f);
  }
}

TEST_F(DeviceTest, mayMakeOutputsOnTheHost) {
  code.replayable = 0;
  body = [](weft_run *run) -> int32_t {
    int64_t n = *weft_rt_symbols(run);
    auto *x = static_cast<const float *>(weft_rt_input(run, 0));
    auto *y = static_cast<float *>(weft_rt_output(run, 0, &n));
    for (int64_t i = 0; i < n; ++i)
      y[i] = 2 * x[i] + 1;
    return 0;
  };
  open();
  runAndCheck(10);
}

TEST_F(DeviceTest, asksForMuchSharedMemory) {
  body = [](weft_run *run) -> int32_t {
    int64_t n = 128;
    auto count = static_cast<int32_t>(n);
    const void *x = weft_rt_device_input(run, 0);
    void *y = weft_rt_device_output(run, 0, &n);
    return launch(run, REVERSE, n, {&x, &y, &count}, 65536);
  };
  open();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(run(128, static_cast<float>(i)), WEFT_OK) << weft_last_error();
    auto *y = static_cast<const float *>(output.data);
    EXPECT_TRUE(std::equal(x.rbegin(), x.rend(), y));
  }
  EXPECT_EQ(fakeDriver.calls("cuFuncSetAttribute"), 1);
}

TEST_F(DeviceTest, launchesClusters) {
  body = [](weft_run *run) -> int32_t {
    int64_t n = *weft_rt_symbols(run);
    void *y = weft_rt_device_output(run, 0, &n);
    void *args[] = {&y};
    int64_t grid[] = {n, 1, 1};
    return weft_rt_device_launch(run, CLUSTER, grid, 0, args);
  };
  open();
  ASSERT_EQ(run(6), WEFT_OK) << weft_last_error();
  auto *y = static_cast<const float *>(output.data);
  EXPECT_EQ(std::vector<float>(y, y + 6),
            (std::vector<float>{0, 1, 0, 1, 0, 1}));
}

TEST_F(DeviceTest, reportsFaultsOfKernels) {
  body = [](weft_run *run) -> int32_t {
    int64_t n = *weft_rt_symbols(run);
    auto count = static_cast<int32_t>(n);
    void *faults = weft_rt_device_faults(run);
    if (!faults || faults != weft_rt_device_faults(run))
      return 1;
    const void *x = weft_rt_device_input(run, 0);
    if (launch(run, CHECK, n, {&x, &faults, &count}))
      return 1;
    return compute(run);
  };
  open();
  for (int i = 0; i < 3; ++i) {
    runAndCheck(200);
    EXPECT_EQ(run(200, -1), WEFT_ERROR_FAULT_INDEX);
    EXPECT_STREQ(weft_last_error(),
                 "WFT5301: index 0 is out of range for size 200: node "
                 "\"Gather_3\" (Gather)");
    EXPECT_EQ(output.data, nullptr);
  }
  EXPECT_EQ(fakeDriver.calls("cuStreamBeginCapture_v2"), 1);
}

TEST_F(DeviceTest, storesNumbers) {
  body = [](weft_run *run) -> int32_t {
    int64_t n = *weft_rt_symbols(run);
    auto *y = static_cast<char *>(weft_rt_device_output(run, 0, &n));
    return !y || weft_rt_device_fill(run, y, 0, n * 4) ||
           weft_rt_device_store(run, y, 0x3f800000, 4) ||
           weft_rt_device_store(run, y + 8, 0x4040000040000000, 8) ||
           weft_rt_device_store(run, y + 18, 0x3f80, 2) ||
           weft_rt_device_store(run, y + 23, 0x40, 1);
  };
  open();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(run(6), WEFT_OK) << weft_last_error();
    auto *y = static_cast<const float *>(output.data);
    EXPECT_EQ(std::vector<float>(y, y + 6),
              (std::vector<float>{1, 0, 2, 3, 1, 2}));
  }
  EXPECT_EQ(fakeDriver.calls("cuGraphLaunch"), 2);
}

// The first two elements of x are the number: with 0 and 1 it is small enough.
TEST_F(DeviceTest, requiresNumbersWithoutWaiting) {
  static int times;
  body = [](weft_run *run) -> int32_t {
    const void *x = weft_rt_device_input(run, 0);
    for (int i = 0; x && i < times; ++i)
      if (weft_rt_device_require(run, "node \"Pick_1\"",
                                 WEFT_FAULT_INDEX_OUT_OF_RANGE, x,
                                 0x3f80000000000001))
        return 1;
    return !x || compute(run);
  };
  for (int count : {1, 16, 17}) {
    times = count;
    open();
    for (int i = 0; i < 4; ++i) {
      runAndCheck(200, -0.5f);
      EXPECT_EQ(run(200), WEFT_ERROR_FAULT_INDEX);
      EXPECT_STREQ(weft_last_error(),
                   "WFT5301: index 4593671620974870528 is out of range for "
                   "size 4575657221408423937: node \"Pick_1\"");
    }
    EXPECT_EQ(fakeDriver.calls("cuGraphLaunch") > 0, count <= 16);
    close();
    fakeDriver.reset();
  }
}

TEST_F(DeviceTest, encodesTensorMaps) {
  body = [](weft_run *run) -> int32_t {
    alignas(WEFT_TENSOR_MAP_ALIGNMENT) unsigned char
        bytes[WEFT_TENSOR_MAP_BYTES] = {};
    weft_tensor_map map = {WEFT_F16, 2, {64, 8, 0, 0, 0}, 128};
    int64_t sizes[] = {64, 4}, strides[] = {128};
    void *arena = weft_rt_device_arena(run);
    if (weft_rt_device_tensor_map(run, &map, arena, sizes, strides, bytes))
      return 1;
    EXPECT_NE(std::count(bytes, bytes + sizeof(bytes), 0),
              WEFT_TENSOR_MAP_BYTES);
    return compute(run);
  };
  open();
  runAndCheck(1000);
}

//===----------------------------------------------------------------------===//
// Profiles
//===----------------------------------------------------------------------===//

TEST_F(DeviceTest, timesKernels) {
  weft_session_options options;
  weft_session_options_init(&options);
  options.profile = 1;
  open(&options);
  for (int i = 0; i < 3; ++i)
    runAndCheck(1000);
  const weft_launch_record *records = nullptr;
  int64_t count = 0;
  weft_session_profile(session, &records, &count);
  ASSERT_EQ(count, 6);
  for (int64_t i = 0; i < count; ++i) {
    EXPECT_EQ(records[i].kernel, i % 2);
    EXPECT_EQ(records[i].run, i / 2);
    EXPECT_EQ(records[i].count, 8);
    EXPECT_LE(records[i].begin, records[i].end);
    // Times of the GPU come as floats, so they are not exact.
    EXPECT_GE(records[i].begin + 1000, i ? records[i - 1].end : 0);
  }
}

TEST_F(DeviceTest, timesWhatIsReplayed) {
  weft_session_options options;
  weft_session_options_init(&options);
  options.time_runs = 1;
  open(&options);
  for (int i = 0; i < 5; ++i) {
    runAndCheck(100000, static_cast<float>(i));
    EXPECT_EQ(weft_session_device_time(session) > 0, i > 1) << i;
  }
  runAndCheck(50);
  EXPECT_EQ(weft_session_device_time(session), 0);
}

//===----------------------------------------------------------------------===//
// Programs without device code
//===----------------------------------------------------------------------===//

TEST_F(DeviceTest, needsNoDriverForTheCPU) {
  program.device = nullptr;
  body = [](weft_run *run) -> int32_t {
    int64_t n = *weft_rt_symbols(run);
    return !weft_rt_output(run, 0, &n);
  };
  open();
  ASSERT_EQ(run(3), WEFT_OK) << weft_last_error();
  for (const char *call : {"cuInit", "cuDriverGetVersion", "cuDeviceGetCount",
                           "cuDevicePrimaryCtxRetain", "cuModuleLoadDataEx"})
    EXPECT_EQ(fakeDriver.calls(call), 0) << call;
}

} // namespace
