//===- RunTest.cpp - Runs that succeed
//-------------------------------------===//

#include "SessionTest.h"
#include <algorithm>
#include <cstring>
#include <thread>

using namespace weft::test;

namespace {

class RunTest : public SessionTest {};

TEST_F(RunTest, computesForEverySizeAndNumberOfThreads) {
  for (int threads = 1; threads <= 4; ++threads) {
    start(threads);
    EXPECT_EQ(weft_session_threads(session), threads);
    for (int64_t n : {0, 1, 2, 3, 4, 5, 7, 64, 1001}) {
      Inputs inputs(n, n % 5);
      ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
      expectOutputs(inputs);
    }
  }
}

// Part i of p has count / p iterations, and one more if i < count % p.
TEST_F(RunTest, cutsLoopsIntoTheSamePartsEveryTime) {
  for (int threads = 1; threads <= 4; ++threads) {
    start(threads);
    for (int64_t n : {1, 2, 3, 4, 5, 6, 7, 8, 97}) {
      Inputs inputs(n);
      for (int repeat = 0; repeat < 20; ++repeat) {
        ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
        auto *first = static_cast<const int64_t *>(outputs[1].data);
        int64_t parts = std::min<int64_t>(threads, n), begin = 0;
        for (int64_t part = 0; part < parts; ++part) {
          int64_t end = begin + n / parts + (part < n % parts);
          for (int64_t i = begin; i < end; ++i)
            ASSERT_EQ(first[i], begin) << threads << " threads, n = " << n;
          begin = end;
        }
        ASSERT_EQ(begin, n);
      }
    }
  }
}

TEST_F(RunTest, givesEachThreadItsScratch) {
  for (int threads = 1; threads <= 4; ++threads) {
    start(threads);
    Inputs inputs(4, 2, FIXTURE_USES_SCRATCH);
    ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  }
}

TEST_F(RunTest, launchesThousandsOfTinyLoops) {
  for (int spin : {0, 50}) {
    for (int threads = 1; threads <= 4; ++threads) {
      weft_session_options options;
      weft_session_options_init(&options);
      options.threads = threads;
      options.spin_microseconds = spin;
      start(options);
      Inputs inputs(4, 2, FIXTURE_LAUNCHES_OFTEN);
      ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
    }
  }
}

// Workers have gone to sleep in between.
TEST_F(RunTest, wakesThreadsThatSleep) {
  start(3);
  Inputs inputs(30);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
    expectOutputs(inputs);
  }
}

TEST_F(RunTest, writesToMemoryOfTheCaller) {
  start(2);
  for (size_t offset : {0, 8, 56}) {
    Inputs inputs(6, 2, FIXTURE_WELL, offset);
    Aligned<float> y(6 * 3 + 1, -1, offset);
    outputs[0] = tensorOf(y.data(), WEFT_F32, {6, 3});
    ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
    EXPECT_EQ(outputs[0].data, y.data());
    EXPECT_EQ(y[18], -1);
    expectOutputs(inputs);
  }
}

TEST_F(RunTest, copiesWhatIsNotAligned) {
  start(2);
  Inputs inputs(6);
  std::vector<char> x(6 * 3 * sizeof(float) + 1), y(x.size());
  memcpy(x.data() + 1, inputs.tensors[0].data, x.size() - 1);
  inputs.tensors[0].data = x.data() + 1;
  outputs[0] = nowhere();
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  std::vector<char> wanted(x.size() - 1);
  memcpy(wanted.data(), outputs[0].data, wanted.size());
  outputs[0] = {y.data() + 1, int64_t(wanted.size()), WEFT_F32, 0, {}};
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  EXPECT_EQ(outputs[0].data, y.data() + 1);
  EXPECT_EQ(memcmp(y.data() + 1, wanted.data(), wanted.size()), 0);
}

TEST_F(RunTest, givesOutputsAway) {
  start(2);
  Inputs inputs(6);
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  void *told = outputs[0].data, *taken = nullptr, *again = told;
  ASSERT_EQ(weft_session_take_output(session, 0, &taken), WEFT_OK);
  EXPECT_EQ(taken, told);
  float first = *static_cast<float *>(taken);
  EXPECT_EQ(weft_session_take_output(session, 0, &again), WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(),
               "WFT5001: the session holds no memory of output \"y\"");
  EXPECT_EQ(again, nullptr);
  EXPECT_EQ(weft_session_take_output(session, 4, &again), WEFT_ERROR_ARGUMENT);
  outputs.assign(4, nowhere());
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  EXPECT_NE(outputs[0].data, taken);
  EXPECT_EQ(*static_cast<float *>(taken), first);
  weft_output_free(taken);
}

TEST_F(RunTest, givesNothingAwayAfterAFailure) {
  start(2);
  Inputs inputs(6);
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  inputs.tensors[0].rank = 1;
  ASSERT_NE(run(inputs), WEFT_OK);
  void *taken = nullptr;
  EXPECT_EQ(weft_session_take_output(session, 0, &taken), WEFT_ERROR_ARGUMENT);
  EXPECT_EQ(taken, nullptr);
}

TEST_F(RunTest, refusesTooLittleMemoryForAnOutput) {
  start(2);
  Inputs inputs(6);
  Aligned<float> y(17);
  outputs[0] = tensorOf(y.data(), WEFT_F32, {17});
  EXPECT_EQ(run(inputs), WEFT_ERROR_OUTPUT_MEMORY);
  EXPECT_STREQ(weft_last_error(),
               "WFT5209: output \"y\" has 68 bytes of memory, wanted 72");
  EXPECT_EQ(outputs[0].data, y.data());
}

TEST_F(RunTest, takesOutputsOfTheLastRunAsInputs) {
  start(2);
  Inputs inputs(5);
  for (int64_t i = 0; i < 3; ++i)
    inputs.bias[i] = 0;
  std::vector<float> expected(15);
  for (int64_t i = 0; i < 15; ++i)
    expected[i] = inputs.x[i];
  const float shift[] = {10, 20, 30};
  for (int step = 0; step < 4; ++step) {
    ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
    for (int64_t i = 0; i < 15; ++i) {
      expected[i] = 2 * expected[i] + shift[i % 3];
      ASSERT_EQ(static_cast<float *>(outputs[0].data)[i], expected[i]);
    }
    inputs.tensors[0].data = outputs[0].data;
  }
}

TEST_F(RunTest, takesTheArenaThatWasPlanned) {
  start(2);
  EXPECT_EQ(weft_session_arena_taken(session), 0);
  for (int64_t n : {0, 5, 100000, 3, 1000, 1000}) {
    Inputs inputs(n);
    int64_t symbols[2] = {-1, -1}, planned = -1;
    ASSERT_EQ(weft_session_bind_symbols(session, 4, inputs.data(), symbols),
              WEFT_OK)
        << weft_last_error();
    EXPECT_EQ(symbols[0], n);
    EXPECT_EQ(symbols[1], 2);
    ASSERT_EQ(weft_session_arena_bytes(session, 2, symbols, &planned), WEFT_OK);
    EXPECT_EQ(planned, n * 12);
    ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
    EXPECT_EQ(weft_session_arena_taken(session), planned);
    expectOutputs(inputs);
  }
}

TEST_F(RunTest, zeroSizedInputsNeedNoMemory) {
  start(3);
  Inputs inputs(0, 0);
  inputs.tensors[0].data = nullptr;
  inputs.tensors[2].data = nullptr;
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  expectOutputs(inputs);
}

TEST_F(RunTest, sessionsAreIndependent) {
  start(2);
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([&, number] {
      weft_session_options options;
      weft_session_options_init(&options);
      options.threads = 1 + number % 3;
      weft_session *own = nullptr;
      ASSERT_EQ(weft_session_create(model, &options, &own), WEFT_OK);
      for (int repeat = 0; repeat < 50; ++repeat) {
        bool fails = repeat % 5 == number;
        Inputs inputs(10 + number, 2, fails ? 1 : 0);
        std::vector<weft_tensor> results(4);
        weft_status status =
            weft_session_run(own, 4, inputs.data(), 4, results.data());
        if (fails) {
          ASSERT_EQ(status, WEFT_ERROR_FAULT_INDEX);
          continue;
        }
        ASSERT_EQ(status, WEFT_OK) << weft_last_error();
        auto *y = static_cast<const float *>(results[0].data);
        ASSERT_EQ(y[3], 2 * inputs.x[3] + 10);
        ASSERT_EQ(results[0].dims[0], 10 + number);
      }
      weft_session_release(own);
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST_F(RunTest, tasksMayAllocate) {
  static weft_program program = fixture_program;
  program.num_inputs = program.num_outputs = program.num_symbols = 0;
  program.arena_bytes = [](const int64_t *) { return int64_t(0); };
  program.run = [](weft_run *run) {
    return weft_rt_launch(
        run, 2,
        [](weft_run *inner, void *const *, int64_t begin, int64_t end, void *) {
          for (int64_t i = begin; i < end; ++i) {
            void *memory = weft_rt_allocate(inner, nullptr, i);
            if (!memory || reinterpret_cast<uintptr_t>(memory) % 64)
              weft_rt_fault(inner, nullptr, WEFT_FAULT_SIZE_MISMATCH, i, 0);
            else
              memset(memory, 1, i);
          }
        },
        nullptr, 500);
  };
  ASSERT_EQ(weft_model_wrap(&program, WEFT_TEST_FOLDER, &model), WEFT_OK);
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = 4;
  ASSERT_EQ(weft_session_create(model, &options, &session), WEFT_OK);
  for (int repeat = 0; repeat < 5; ++repeat)
    ASSERT_EQ(weft_session_run(session, 0, nullptr, 0, nullptr), WEFT_OK)
        << weft_last_error();
}

TEST_F(RunTest, usesAllProcessorsByDefault) {
  weft_model *own = nullptr;
  ASSERT_EQ(weft_model_wrap(&fixture_program, WEFT_TEST_FOLDER, &own), WEFT_OK);
  ASSERT_EQ(weft_session_create(own, nullptr, &session), WEFT_OK);
  EXPECT_GE(weft_session_threads(session), 1);
  // The session keeps its model.
  weft_model_release(own);
  Inputs inputs(9);
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  expectOutputs(inputs);
}

TEST_F(RunTest, countsReferencesOfSessionsAndModels) {
  start(2);
  weft_session_retain(session);
  weft_session_release(session);
  weft_model_retain(model);
  weft_model_release(model);
  Inputs inputs(9);
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
}

//===----------------------------------------------------------------------===//
// The caller's parallel loop
//===----------------------------------------------------------------------===//

struct Loop {
  int64_t calls = 0, parts = 0;
  int skip = 0, repeat = 0, beyond = 0;
};

void runLoop(void *user, int64_t parts, weft_parallel_body body,
             void *context) {
  auto *loop = static_cast<Loop *>(user);
  ++loop->calls;
  loop->parts = parts;
  std::vector<std::thread> threads;
  for (int64_t part = parts - 1; part >= loop->skip; --part)
    threads.emplace_back(body, context, part);
  for (std::thread &thread : threads)
    thread.join();
  for (int i = 0; i < loop->repeat; ++i)
    body(context, 0);
  if (loop->beyond)
    body(context, parts);
}

TEST_F(RunTest, runsOnTheLoopOfTheCaller) {
  Loop loop;
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = 3;
  options.parallel_for = runLoop;
  options.parallel_for_user = &loop;
  start(options);
  Inputs inputs(100);
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  expectOutputs(inputs);
  EXPECT_EQ(loop.calls, 2);
  EXPECT_EQ(loop.parts, 3);
  EXPECT_EQ(static_cast<int64_t *>(outputs[1].data)[99], 67);
}

TEST_F(RunTest, noticesLoopsThatDoNotRunEachPartOnce) {
  for (Loop loop :
       {Loop{0, 0, 1, 0, 0}, Loop{0, 0, 0, 1, 0}, Loop{0, 0, 0, 0, 1}}) {
    weft_session_options options;
    weft_session_options_init(&options);
    options.threads = 3;
    options.parallel_for = runLoop;
    options.parallel_for_user = &loop;
    start(options);
    Inputs inputs(100);
    expectFailure(inputs, WEFT_ERROR_PARALLEL_FOR,
                  "the caller's parallel loop did not run each of its parts "
                  "once");
  }
}

} // namespace
