//===- DeviceStateTest.cpp - State of training that stays on a GPU --------===//
//
// A step adds x[0] to each of 100 weights, unless one of x is negative, which
// its first kernel reports as a fault. It also gives y = 2 x.
//
//===----------------------------------------------------------------------===//

#include "DeviceTest.h"
#include "weft-rt/train.h"
#include <cstring>
#include <set>

using namespace weft::test;

namespace {

enum { WIDTH = 100 };

const weft_dim symbolic[] = {{0, 0}}, fixed[] = {{WIDTH, -1}};
const weft_port stepInputs[] = {
    {"x", WEFT_F32, 1, symbolic, WEFT_ROLE_DATA, -1, -1, 0},
    {"w", WEFT_F32, 1, fixed, WEFT_ROLE_PARAMETER, 1, -1, 0},
    {"seen", WEFT_F32, 1, fixed, WEFT_ROLE_STATE, 2, -1, 0}};
const weft_port stepOutputs[] = {
    {"y", WEFT_F32, 1, symbolic, WEFT_ROLE_DATA, -1, -1, 0},
    {"w", WEFT_F32, 1, fixed, WEFT_ROLE_PARAMETER, 1, -1, 0},
    // Written while the step can still fail.
    {"seen", WEFT_F32, 1, fixed, WEFT_ROLE_STATE, 2, -1, 1}};
const weft_port readerInputs[] = {
    {"x", WEFT_F32, 1, symbolic, WEFT_ROLE_DATA, -1, -1, 0},
    {"w", WEFT_F32, 1, fixed, WEFT_ROLE_DATA, -1, -1, 0}};

class DeviceStateTest : public DeviceTest {
protected:
  void SetUp() override {
    DeviceTest::SetUp();
    program.inputs = stepInputs;
    program.outputs = stepOutputs;
    program.num_inputs = program.num_outputs = 3;
    body = step;
  }

  void TearDown() override {
    finish();
    DeviceTest::TearDown();
  }

  static int32_t step(weft_run *run) {
    int64_t n = *weft_rt_symbols(run), width = WIDTH;
    auto count = static_cast<int32_t>(n);
    int32_t wide = WIDTH;
    void *faults = weft_rt_device_faults(run);
    const void *x = faults ? weft_rt_device_input(run, 0) : nullptr;
    const void *w = x ? weft_rt_device_input(run, 1) : nullptr;
    const void *seen = w ? weft_rt_device_input(run, 2) : nullptr;
    void *y = seen ? weft_rt_device_output(run, 0, &n) : nullptr;
    void *newSeen = y ? weft_rt_device_output(run, 2, &width) : nullptr;
    if (!newSeen || launch(run, ADD, width, {&seen, &x, &newSeen, &wide}) ||
        launch(run, CHECK, n, {&x, &faults, &count}) ||
        launch(run, SCALE, n, {&x, &y, &count}) || weft_rt_device_settle(run))
      return 1;
    void *newW = weft_rt_device_output(run, 1, &width);
    return !newW || launch(run, ADD, width, {&w, &x, &newW, &wide});
  }

  weft_status begin(bool profile = false) {
    weft_session_options options;
    weft_session_options_init(&options);
    options.threads = 1;
    options.profile = profile;
    weft_status status = weft_model_wrap(&program, nullptr, &model);
    return status ? status : weft_trainer_create(model, &options, &trainer);
  }

  void finish() {
    weft_trainer_release(trainer);
    trainer = nullptr;
    close();
  }

  /// A batch that adds `first`; the others are `rest`.
  static std::vector<float> batch(float first, float rest = 1) {
    std::vector<float> x(200, rest);
    x[0] = first;
    return x;
  }

  static weft_tensor tensorOf(std::vector<float> &x) {
    auto n = static_cast<int64_t>(x.size());
    return {x.data(), n * 4, WEFT_F32, 1, {n}};
  }

  weft_status take(std::vector<float> &x) {
    weft_tensor input = tensorOf(x);
    output = {};
    weft_status status = weft_step(trainer, 1, &input, 0, 0, 1, &output);
    if (!status)
      EXPECT_EQ(static_cast<float *>(output.data)[0], 2 * x[0]);
    return status;
  }

  weft_status take(float first, float rest = 1) {
    std::vector<float> x = batch(first, rest);
    return take(x);
  }

  /// The value of all elements of a state, or -1000 if they differ.
  float stateOf(int32_t number) {
    weft_tensor state = {};
    EXPECT_EQ(weft_trainer_state(trainer, number, &state), WEFT_OK)
        << weft_last_error();
    auto *values = static_cast<const float *>(state.data);
    if (!values || std::set<float>(values, values + WIDTH).size() != 1)
      return -1000;
    return *values;
  }

  void expectState(float wanted) {
    EXPECT_EQ(stateOf(0), wanted);
    EXPECT_EQ(stateOf(1), wanted);
  }

  void setState(float value) {
    for (int32_t i = 0; i < 2; ++i) {
      weft_tensor state = {};
      if (weft_trainer_state(trainer, i, &state))
        state.data = memory[i]; // where it was
      memory[i] = static_cast<float *>(state.data);
      std::fill_n(memory[i], WIDTH, value);
      EXPECT_EQ(weft_trainer_changed(trainer, i), WEFT_OK);
    }
  }

  weft_trainer *trainer = nullptr;
  float *memory[2] = {};
};

TEST_F(DeviceStateTest, staysThereFromStepToStep) {
  ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
  float wanted = 0;
  for (int i = 1; i <= 6; ++i) {
    int uploads = fakeDriver.calls("cuMemcpyHtoDAsync_v2");
    int downloads = fakeDriver.calls("cuMemcpyDtoHAsync_v2");
    ASSERT_EQ(take(static_cast<float>(i)), WEFT_OK) << weft_last_error();
    wanted += static_cast<float>(i);
    // The batch and, at first, the state.
    EXPECT_EQ(fakeDriver.calls("cuMemcpyHtoDAsync_v2") - uploads,
              i == 1 ? 3 : 1);
    // The output, and faults twice; what is recorded counts once.
    EXPECT_EQ(fakeDriver.calls("cuMemcpyDtoHAsync_v2") - downloads,
              i <= 2 ? 3 : 0);
  }
  EXPECT_EQ(fakeDriver.calls("cuStreamBeginCapture_v2"), 2);
  expectState(wanted);
  int downloads = fakeDriver.calls("cuMemcpyDtoHAsync_v2");
  expectState(wanted);
  EXPECT_EQ(fakeDriver.calls("cuMemcpyDtoHAsync_v2"), downloads);
  ASSERT_EQ(take(1), WEFT_OK) << weft_last_error();
  expectState(wanted + 1);
}

TEST_F(DeviceStateTest, takesWhatTheHostHasWritten) {
  ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
  setState(50);
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(take(1), WEFT_OK) << weft_last_error();
    setState(static_cast<float>(10 * i));
    ASSERT_EQ(take(2), WEFT_OK) << weft_last_error();
    expectState(static_cast<float>(10 * i + 2));
  }
  EXPECT_EQ(weft_trainer_changed(trainer, 2), WEFT_ERROR_ARGUMENT);
}

TEST_F(DeviceStateTest, isWholeAfterAFault) {
  for (const char *mode : {"plain", "lazy", "race"}) {
    Environment environment("WEFT_FAKECUDA_MODE", mode);
    ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
    float wanted = 0;
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(take(5, -1), WEFT_ERROR_FAULT_INDEX) << weft_last_error();
      expectState(wanted);
      ASSERT_EQ(take(3), WEFT_OK) << weft_last_error();
      expectState(wanted += 3);
    }
    finish();
  }
}

TEST_F(DeviceStateTest, needsNoReplay) {
  code.replayable = 0;
  ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
  for (int i = 1; i <= 4; ++i) {
    ASSERT_EQ(take(1), WEFT_OK) << weft_last_error();
    EXPECT_EQ(take(1, -1), WEFT_ERROR_FAULT_INDEX);
    expectState(static_cast<float>(i));
  }
}

//===----------------------------------------------------------------------===//
// Batches that are known before
//===----------------------------------------------------------------------===//

// Until the step that takes it, a batch stays as it is; here it does not, to
// show when it was read.
TEST_F(DeviceStateTest, readsTheNextBatchWhileItComputes) {
  ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
  std::vector<float> batches[2] = {batch(1), batch(2)};
  float wanted = 0;
  for (int i = 0; i < 8; ++i) {
    std::vector<float> &present = batches[i % 2], &next = batches[1 - i % 2];
    next[0] = static_cast<float>(i + 2);
    weft_tensor tensor = tensorOf(next);
    weft_trainer_expect(trainer, 1, &tensor);
    float first = present[0];
    if (i)
      present[0] = 77; // too late
    weft_tensor input = tensorOf(present);
    output = {};
    ASSERT_EQ(weft_step(trainer, 1, &input, 0, 0, 1, &output), WEFT_OK)
        << weft_last_error();
    EXPECT_EQ(static_cast<float *>(output.data)[0], 2 * first);
    expectState(wanted += first);
  }
  EXPECT_EQ(fakeDriver.calls("cuStreamWaitEvent"), 7);
  // One recording, of two parts, for each of the two places of the batch.
  EXPECT_EQ(fakeDriver.calls("cuGraphInstantiateWithFlags"), 4);
}

TEST_F(DeviceStateTest, doesNotInsistOnTheNextBatch) {
  ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
  std::vector<float> first = batch(1), second = batch(2), other = batch(4);
  std::vector<float> small(5, 8);
  weft_tensor next = tensorOf(second), wrong = next;
  wrong.dims[0] = -1;
  weft_trainer_expect(trainer, 1, &next);
  ASSERT_EQ(take(first), WEFT_OK) << weft_last_error();
  ASSERT_EQ(take(other), WEFT_OK) << weft_last_error();
  expectState(5);
  weft_trainer_expect(trainer, 1, &wrong);
  ASSERT_EQ(take(first), WEFT_OK) << weft_last_error();
  ASSERT_EQ(take(small), WEFT_OK) << weft_last_error();
  expectState(14);
  weft_trainer_expect(trainer, 2, &next); // too many
  ASSERT_EQ(take(first), WEFT_OK) << weft_last_error();
  ASSERT_EQ(take(second), WEFT_OK) << weft_last_error();
  expectState(17);
  EXPECT_EQ(fakeDriver.calls("cuStreamWaitEvent"), 0);
}

//===----------------------------------------------------------------------===//
// Another session that reads the state
//===----------------------------------------------------------------------===//

TEST_F(DeviceStateTest, isLentToASession) {
  ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
  weft_program reader = program;
  reader.inputs = readerInputs;
  reader.num_inputs = 2;
  reader.num_outputs = 1;
  reader.run = [](weft_run *run) -> int32_t {
    int64_t n = *weft_rt_symbols(run);
    auto count = static_cast<int32_t>(n);
    const void *x = weft_rt_device_input(run, 0);
    const void *w = x ? weft_rt_device_input(run, 1) : nullptr;
    void *y = w ? weft_rt_device_output(run, 0, &n) : nullptr;
    return !y || launch(run, ADD, n, {&x, &w, &y, &count});
  };
  weft_model *readerModel = nullptr;
  weft_session *readerSession = nullptr;
  ASSERT_EQ(weft_model_wrap(&reader, nullptr, &readerModel), WEFT_OK)
      << weft_last_error();
  ASSERT_EQ(weft_session_create(readerModel, nullptr, &readerSession), WEFT_OK);
  weft_tensor state = {};
  EXPECT_EQ(weft_trainer_lend(trainer, 0, readerSession, 0, &state),
            WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: input \"x\" differs in type or "
                                  "sizes from state \"w\"");
  ASSERT_EQ(weft_trainer_lend(trainer, 0, readerSession, 1, &state), WEFT_OK);
  setState(10);
  float wanted = 10;
  for (int i = 0; i < 5; ++i) {
    // Before the first step, the session brings the state to the GPU.
    std::vector<float> x(8, 1);
    weft_tensor inputs[] = {tensorOf(x), state}, y = {};
    int downloads = fakeDriver.calls("cuMemcpyDtoHAsync_v2");
    ASSERT_EQ(weft_session_run(readerSession, 2, inputs, 1, &y), WEFT_OK)
        << weft_last_error();
    EXPECT_EQ(static_cast<float *>(y.data)[7], wanted + 1);
    EXPECT_LE(fakeDriver.calls("cuMemcpyDtoHAsync_v2") - downloads, 1);
    ASSERT_EQ(take(2), WEFT_OK) << weft_last_error();
    wanted += 2;
  }
  expectState(wanted);
  weft_session_release(readerSession);
  weft_model_release(readerModel);
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

TEST_F(DeviceStateTest, isLostWhereAStepFailsInTheMiddle) {
  ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
  code.replayable = 0;
  setState(0);
  ASSERT_EQ(take(1), WEFT_OK) << weft_last_error();
  fakeDriver.fail("cuLaunchKernelEx", 4, 1);
  EXPECT_EQ(take(1), WEFT_ERROR_DEVICE_CALL);
  weft_tensor state = {};
  EXPECT_EQ(weft_trainer_state(trainer, 0, &state), WEFT_ERROR_STATE_LOST);
  EXPECT_STREQ(weft_last_error(),
               "WFT5411: \"w\" and the rest of the training state were lost on "
               "the GPU in a step that failed; go on from a checkpoint");
  EXPECT_EQ(take(1), WEFT_ERROR_STATE_LOST);
  EXPECT_EQ(state.data, nullptr);
  setState(20);
  ASSERT_EQ(take(1), WEFT_OK) << weft_last_error();
  expectState(21);
}

// What the host has is of before that step.
TEST_F(DeviceStateTest, isNotLostIfTheHostHasIt) {
  code.replayable = 0;
  ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
  ASSERT_EQ(take(1), WEFT_OK) << weft_last_error();
  expectState(1);
  fakeDriver.fail("cuLaunchKernelEx", 4, 1);
  EXPECT_EQ(take(1), WEFT_ERROR_DEVICE_CALL);
  expectState(1);
  ASSERT_EQ(take(1), WEFT_OK) << weft_last_error();
  expectState(2);
}

TEST_F(DeviceStateTest, isLostWithTheGPU) {
  ASSERT_EQ(begin(), WEFT_OK) << weft_last_error();
  ASSERT_EQ(take(1), WEFT_OK) << weft_last_error();
  body = [](weft_run *run) -> int32_t {
    int64_t width = WIDTH;
    void *y = weft_rt_device_output(run, 1, &width), *args[] = {&y};
    int64_t grid[] = {1, 1, 1};
    return weft_rt_device_launch(run, WILD, grid, 0, args);
  };
  std::vector<float> other(3, 1);
  EXPECT_EQ(take(other), WEFT_ERROR_DEVICE_KERNEL);
  weft_tensor state = {};
  EXPECT_EQ(weft_trainer_state(trainer, 1, &state), WEFT_ERROR_STATE_LOST);
  EXPECT_EQ(take(1), WEFT_ERROR_DEVICE_LOST);
}

const char *const allCalls[] = {
#define WEFT_DRIVER_CALL(name, parameters) #name,
#include "CUDA/driver_table.def"
};

// Each call of the driver fails in turn: the step says so, or goes on by other
// means, and the state is what it was before or is said to be lost.
TEST_F(DeviceStateTest, isWholeOrLostWhateverFails) {
  for (const char *name : allCalls)
    for (int nth = 1;; ++nth) {
      fakeDriver.reset();
      fakeDriver.fail(name, nth, 1 + nth % 2);
      float wanted = 0;
      std::vector<float> x = batch(1);
      weft_status status = begin();
      for (int i = 0; i < 6 && !status; ++i) {
        weft_tensor next = tensorOf(x);
        weft_trainer_expect(trainer, 1, &next);
        status = take(x);
        wanted += status ? 0 : 1;
      }
      bool failed = status != WEFT_OK;
      for (int32_t i = 0; trainer && i < 2; ++i) {
        weft_tensor state = {};
        weft_status fetched = weft_trainer_state(trainer, i, &state);
        // This may be the call that was to fail.
        if (fetched && fetched != WEFT_ERROR_STATE_LOST)
          fetched = weft_trainer_state(trainer, i, &state);
        if (fetched) {
          EXPECT_EQ(fetched, WEFT_ERROR_STATE_LOST) << name << " " << nth;
          EXPECT_TRUE(failed) << name << " " << nth;
        } else {
          EXPECT_EQ(stateOf(i), wanted) << name << " " << nth;
        }
      }
      finish();
      ASSERT_EQ(leaks(), "") << name << " " << nth;
      if (fakeDriver.calls(name) < nth)
        break;
    }
}

} // namespace
