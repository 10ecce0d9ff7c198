//===- FaultTest.cpp - Runs that fail
//--------------------------------------===//

#include "SessionTest.h"
#include <algorithm>
#include <thread>

using namespace weft::test;

namespace {

const std::string inDouble = ", in kernel \"double\" of nodes \"Mul_0\", "
                             "\"Add \"b\"\", \"Add_2\", \"Add_3\" and 1 more";

class FaultTest : public SessionTest {
protected:
  void SetUp() override { start(3); }
  void TearDown() override {
    // The session can run again.
    Inputs good(20);
    ASSERT_EQ(run(good), WEFT_OK) << weft_last_error();
    expectOutputs(good);
    SessionTest::TearDown();
  }

  void expectFault(int64_t mode, weft_status status,
                   const std::string &message) {
    expectFailure(Inputs(20, 2, mode), status, message);
  }
};

TEST_F(FaultTest, namesTheFaultTheKernelAndTheNodes) {
  expectFault(1, WEFT_ERROR_FAULT_INDEX,
              "index 707 is out of range for size 9" + inDouble);
  expectFault(2, WEFT_ERROR_FAULT_DIVISION,
              "integer division by zero, value 707" + inDouble);
  expectFault(3, WEFT_ERROR_FAULT_MISMATCH,
              "size 707 does not fit 9" + inDouble);
  expectFault(4, WEFT_ERROR_FAULT_NEGATIVE, "size 707 is negative" + inDouble);
  expectFault(5, WEFT_ERROR_FAULT_MEMORY, "no memory for 707 bytes" + inDouble);
  expectFault(6, WEFT_ERROR_FAULT_UNKNOWN,
              "unknown fault 6 with the value 707" + inDouble);
}

TEST_F(FaultTest, mayComeFromOutsideAKernel) {
  expectFault(FIXTURE_FAULT_OF_HOST, WEFT_ERROR_FAULT_DIVISION,
              "integer division by zero, value 9: node 'n' (Div)");
}

TEST_F(FaultTest, failuresNeedNoFault) {
  expectFault(FIXTURE_NO_REASON, WEFT_ERROR_NO_REASON,
              "the program returned 42 without reporting a fault");
}

TEST_F(FaultTest, outputsMustBeWritten) {
  expectFault(FIXTURE_LEAVES_OUTPUT_OUT, WEFT_ERROR_NO_OUTPUT,
              "the program did not write output \"some\"");
}

TEST_F(FaultTest, outputsMustHaveTheirSizes) {
  expectFault(FIXTURE_WRONG_OUTPUT_SIZE, WEFT_ERROR_OUTPUT_SIZE,
              "output \"y\" dimension 1 came out as 4, wanted 3");
  expectFault(FIXTURE_NEGATIVE_OUTPUT_SIZE, WEFT_ERROR_OUTPUT_SIZE,
              "output \"some\" dimension 0 came out as -1, wanted 0 or more");
  expectFault(FIXTURE_HUGE_OUTPUT, WEFT_ERROR_OVERFLOW,
              "the bytes of output \"some\" do not fit into 64 bits");
}

TEST_F(FaultTest, memoryOfARunIsLimited) {
  expectFault(FIXTURE_NEGATIVE_ALLOCATION, WEFT_ERROR_FAULT_NEGATIVE,
              "size -5 is negative");
  expectFault(FIXTURE_HUGE_ALLOCATION, WEFT_ERROR_FAULT_MEMORY,
              "no memory for 9223372036854775807 bytes");
}

TEST_F(FaultTest, dropsOutputsOfTheSessionOnly) {
  Inputs good(20), bad(20, 2, 1);
  Aligned<float> y(60);
  outputs[0] = tensorOf(y.data(), WEFT_F32, {20, 3});
  ASSERT_EQ(run(good), WEFT_OK) << weft_last_error();
  EXPECT_NE(outputs[1].data, nullptr);
  EXPECT_EQ(run(bad), WEFT_ERROR_FAULT_INDEX);
  EXPECT_EQ(outputs[0].data, y.data());
  EXPECT_EQ(outputs[1].data, nullptr);
  EXPECT_EQ(outputs[3].data, nullptr);
  outputs[0] = nowhere();
}

// "first" is written by the kernel that faults, and marked so.
TEST_F(FaultTest, leavesMemoryOfTheCallerAsItWas) {
  Inputs bad(20, 2, 1);
  Aligned<float> y(60, -3);
  Aligned<int64_t> first(20, -4), some(2, -5);
  Aligned<unsigned char> codes(8, 6);
  outputs[0] = tensorOf(y.data(), WEFT_F32, {20, 3});
  outputs[1] = tensorOf(first.data(), WEFT_I64, {20});
  outputs[2] = tensorOf(some.data(), WEFT_I64, {2});
  outputs[3] = tensorOf(codes.data(), WEFT_U8, {8});
  EXPECT_EQ(run(bad), WEFT_ERROR_FAULT_INDEX);
  for (int i = 0; i < 60; ++i)
    EXPECT_EQ(y[i], -3);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(first[i], -4);
  EXPECT_EQ(some[0], -5);
  EXPECT_EQ(codes[7], 6);
  Inputs good(20);
  ASSERT_EQ(run(good), WEFT_OK) << weft_last_error();
  EXPECT_EQ(outputs[1].data, first.data());
  expectOutputs(good);
  outputs.assign(4, nowhere());
}

// What can be known of outputs is checked before the program runs.
TEST_F(FaultTest, writesNothingIfALaterOutputDoesNotFit) {
  Inputs good(20);
  Aligned<float> y(60, -3);
  Aligned<unsigned char> codes(7);
  outputs[0] = tensorOf(y.data(), WEFT_F32, {20, 3});
  outputs[3] = tensorOf(codes.data(), WEFT_U8, {7});
  EXPECT_EQ(run(good), WEFT_ERROR_OUTPUT_MEMORY);
  EXPECT_STREQ(weft_last_error(),
               "WFT5209: output \"codes\" has 7 bytes of memory, wanted 8");
  for (int i = 0; i < 60; ++i)
    EXPECT_EQ(y[i], -3);
  outputs.assign(4, nowhere());
}

TEST_F(FaultTest, outputsMustNotOverlap) {
  Inputs good(20);
  outputs[0] = good.tensors[0];
  EXPECT_EQ(run(good), WEFT_ERROR_OVERLAP);
  EXPECT_STREQ(weft_last_error(), "WFT5212: the memory of output \"y\" "
                                  "overlaps that of input \"x\"");
  Aligned<int64_t> both(60);
  outputs[0] = tensorOf(both.data(), WEFT_F32, {20, 3});
  outputs[1] = tensorOf(&both[29], WEFT_I64, {20});
  EXPECT_EQ(run(good), WEFT_ERROR_OVERLAP);
  EXPECT_STREQ(weft_last_error(), "WFT5212: the memory of output \"first\" "
                                  "overlaps that of output \"y\"");
  outputs[1] = tensorOf(&both[30], WEFT_I64, {20});
  EXPECT_EQ(run(good), WEFT_OK) << weft_last_error();
  outputs.assign(4, nowhere());
}

// A place says more than the kernel that is running.
TEST_F(FaultTest, namesThePlace) {
  weft_program program = fixture_program;
  program.run = [](weft_run *run) {
    return weft_rt_launch(
        run, 1,
        [](weft_run *inner, void *const *, int64_t, int64_t, void *) {
          weft_rt_fault(inner, "node 'g' (Gather)",
                        WEFT_FAULT_INDEX_OUT_OF_RANGE, -5, 4);
        },
        nullptr, 1);
  };
  weft_model *faulty = nullptr;
  ASSERT_EQ(weft_model_wrap(&program, WEFT_TEST_FOLDER, &faulty), WEFT_OK);
  weft_session *own = nullptr;
  ASSERT_EQ(weft_session_create(faulty, nullptr, &own), WEFT_OK);
  Inputs inputs(1);
  ASSERT_EQ(weft_session_run(own, 4, inputs.data(), 4, outputs.data()),
            WEFT_ERROR_FAULT_INDEX);
  EXPECT_STREQ(weft_last_error(), "WFT5301: index -5 is out of range for size "
                                  "4: node 'g' (Gather)");
  weft_session_release(own);
  weft_model_release(faulty);
}

// Any of the iterations, but one of them, and not a mixture.
TEST_F(FaultTest, reportsOneOfManyAtOnce) {
  weft_program program = fixture_program;
  program.run = [](weft_run *run) {
    return weft_rt_launch(
        run, 1,
        [](weft_run *inner, void *const *, int64_t begin, int64_t end, void *) {
          for (int64_t i = begin; i < end; ++i)
            weft_rt_fault(inner, nullptr, static_cast<weft_fault>(i % 3 + 1), i,
                          0);
        },
        nullptr, 300);
  };
  weft_model *faulty = nullptr;
  ASSERT_EQ(weft_model_wrap(&program, WEFT_TEST_FOLDER, &faulty), WEFT_OK);
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = 4;
  weft_session *own = nullptr;
  ASSERT_EQ(weft_session_create(faulty, &options, &own), WEFT_OK);
  for (int repeat = 0; repeat < 50; ++repeat) {
    Inputs inputs(1);
    // Parts start at 0, 75, 150 and 225, all of them multiples of 3.
    ASSERT_EQ(weft_session_run(own, 4, inputs.data(), 4, outputs.data()),
              WEFT_ERROR_FAULT_INDEX);
    ASSERT_EQ(std::string(weft_last_error()).find("WFT5301: index "), 0u);
  }
  weft_session_release(own);
  weft_model_release(faulty);
}

// Errors belong to the thread whose call failed.
TEST_F(FaultTest, messagesAreOfTheThread) {
  expectFault(1, WEFT_ERROR_FAULT_INDEX,
              "index 707 is out of range for size 9" + inDouble);
  std::thread([] { EXPECT_STREQ(weft_last_error(), ""); }).join();
}

weft_session *busySession;
weft_status busyStatus;
std::string busyMessage;

TEST_F(FaultTest, sessionsServeOneThreadAtATime) {
  busySession = session;
  fixture_callback = [] {
    std::thread([] {
      Inputs inputs(2);
      std::vector<weft_tensor> results(4);
      busyStatus =
          weft_session_run(busySession, 4, inputs.data(), 4, results.data());
      busyMessage = weft_last_error();
    }).join();
  };
  Inputs inputs(20, 2, FIXTURE_WAITS);
  ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
  fixture_callback = nullptr;
  EXPECT_EQ(busyStatus, WEFT_ERROR_BUSY);
  EXPECT_EQ(busyMessage, "WFT5005: the session is already running");
}

TEST(StatusTest, everyStatusHasAMeaningAndANumberOfItsOwn) {
  std::vector<int> numbers;
#define CHECK_STATUS(name, number, meaning)                                    \
  numbers.push_back(number);                                                   \
  EXPECT_STREQ(weft_status_meaning(name), meaning);
  WEFT_STATUS_TABLE(CHECK_STATUS)
#undef CHECK_STATUS
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(std::adjacent_find(numbers.begin(), numbers.end()), numbers.end());
  EXPECT_GE(numbers[1], 5000);
  EXPECT_LE(numbers.back(), 5999);
  EXPECT_STREQ(weft_status_meaning(static_cast<weft_status>(1)),
               "no status of the runtime");
}

} // namespace
