//===- TrainerTest.cpp - Steps of training, and the state between them ----===//

#include "SessionTest.h"
#include "weft-rt/train.h"

using namespace weft::test;

namespace {

//===----------------------------------------------------------------------===//
// A step written by hand
//===----------------------------------------------------------------------===//

// w' = w - rate * x, v' = v + w, and a count; the loss is x[0], the metric the
// seed. x[0] < 0 is a fault, which comes after the first output is asked for.
constexpr weft_dim three[] = {{3, -1}};

struct Step {
  weft_port inputs[6] = {
      {"x", WEFT_F32, 1, three, WEFT_ROLE_DATA, -1, -1, 0},
      {"w", WEFT_F32, 1, three, WEFT_ROLE_PARAMETER, 2, 0, 0},
      {"rate", WEFT_F32, 0, nullptr, WEFT_ROLE_RATE, -1, -1, 0},
      {"v", WEFT_F32, 1, three, WEFT_ROLE_STATE, 1, -1, 0},
      {"seed", WEFT_I64, 0, nullptr, WEFT_ROLE_SEED, -1, -1, 0},
      {WEFT_STEP_NAME, WEFT_I64, 0, nullptr, WEFT_ROLE_STATE, 4, 1, 0},
  };
  weft_port outputs[5] = {
      {"loss", WEFT_F32, 0, nullptr, WEFT_ROLE_LOSS, -1, -1, 0},
      {"v'", WEFT_F32, 1, three, WEFT_ROLE_STATE, 3, -1, 1},
      {"w'", WEFT_F32, 1, three, WEFT_ROLE_PARAMETER, 1, -1, 0},
      {"noise", WEFT_I64, 0, nullptr, WEFT_ROLE_METRIC, -1, -1, 0},
      {"step'", WEFT_I64, 0, nullptr, WEFT_ROLE_STATE, 5, -1, 0},
  };
  float start[3] = {10, 20, 30};
  int64_t seven = 7;
  weft_constant constants[2] = {
      {"w", WEFT_CONSTANT_EMBEDDED, start, nullptr, 0, 12, 0, 3},
      {"step", WEFT_CONSTANT_EMBEDDED, &seven, nullptr, 0, 8, 0, 1},
  };
  weft_program program = {
      .abi = WEFT_PROGRAM_ABI,
      .name = "step",
      .producer = "hand",
      .target = "cpu",
      .num_inputs = 6,
      .num_outputs = 5,
      .num_symbols = 0,
      .num_constants = 2,
      .num_kernels = 0,
      .inputs = inputs,
      .outputs = outputs,
      .symbols = nullptr,
      .constants = constants,
      .kernels = nullptr,
      .scratch_bytes = 0,
      .arena_bytes = [](const int64_t *) { return int64_t(0); },
      .run = run,
      .device = nullptr,
  };

  /// Makes the program that of this object, which was copied from another.
  void link() {
    program.inputs = inputs;
    program.outputs = outputs;
    program.constants = constants;
    constants[0].data = start;
    constants[1].data = &seven;
  }

  static int32_t run(weft_run *run) {
    auto *x = static_cast<const float *>(weft_rt_input(run, 0));
    auto *w = static_cast<const float *>(weft_rt_input(run, 1));
    float rate = *static_cast<const float *>(weft_rt_input(run, 2));
    auto *v = static_cast<const float *>(weft_rt_input(run, 3));
    const int64_t size = 3;
    auto *newV = static_cast<float *>(weft_rt_output(run, 1, &size));
    for (int i = 0; newV && i < 3; ++i)
      newV[i] = v[i] + w[i];
    if (!newV || x[0] < 0) {
      weft_rt_fault(run, nullptr, WEFT_FAULT_INDEX_OUT_OF_RANGE, -1, 3);
      return 1;
    }
    auto *loss = static_cast<float *>(weft_rt_output(run, 0, nullptr));
    auto *newW = static_cast<float *>(weft_rt_output(run, 2, &size));
    auto *noise = static_cast<int64_t *>(weft_rt_output(run, 3, nullptr));
    auto *step = static_cast<int64_t *>(weft_rt_output(run, 4, nullptr));
    if (!loss || !newW || !noise || !step)
      return 1;
    *loss = x[0];
    for (int i = 0; i < 3; ++i)
      newW[i] = w[i] - rate * x[i];
    *noise = *static_cast<const int64_t *>(weft_rt_input(run, 4));
    *step = *static_cast<const int64_t *>(weft_rt_input(run, 5)) + 1;
    return 0;
  }
};

class TrainerTest : public testing::Test {
protected:
  void TearDown() override {
    weft_trainer_release(trainer);
    weft_model_release(model);
  }

  void start() {
    ASSERT_EQ(weft_model_wrap(&step.program, nullptr, &model), WEFT_OK)
        << weft_last_error();
    ASSERT_EQ(weft_trainer_create(model, nullptr, &trainer), WEFT_OK)
        << weft_last_error();
  }

  /// One step; the outputs are the loss and the noise.
  weft_status make(float rate, int64_t seed) {
    weft_tensor input = tensorOf(x, WEFT_F32, {3});
    return weft_step(trainer, 1, &input, rate, seed, 2, outputs);
  }

  /// The elements of the state of this name.
  float *stateOf(const char *name) {
    weft_tensor state;
    EXPECT_EQ(weft_trainer_state(
                  trainer, weft_trainer_find_state(trainer, name), &state),
              WEFT_OK);
    EXPECT_EQ(state.bytes, 12);
    return static_cast<float *>(state.data);
  }

  void expectRefused(const std::string &message) {
    EXPECT_EQ(weft_model_wrap(&step.program, nullptr, &model),
              WEFT_ERROR_PROGRAM);
    EXPECT_EQ(weft_last_error(), messageOf(WEFT_ERROR_PROGRAM, message));
    step = Step();
    step.link();
  }

  Step step;
  float x[3] = {1, 2, 3};
  weft_tensor outputs[2] = {};
  weft_model *model = nullptr;
  weft_trainer *trainer = nullptr;
};

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

TEST_F(TrainerTest, startsFromConstantsAndZeros) {
  start();
  EXPECT_EQ(weft_trainer_num_states(trainer), 3);
  EXPECT_STREQ(weft_trainer_state_port(trainer, 0)->name, "w");
  EXPECT_EQ(weft_trainer_state_port(trainer, 1)->role, WEFT_ROLE_STATE);
  EXPECT_EQ(weft_trainer_state_port(trainer, 3), nullptr);
  EXPECT_EQ(weft_trainer_find_state(trainer, "x"), -1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(stateOf("w")[i], step.start[i]);
    EXPECT_EQ(stateOf("v")[i], 0);
  }
  EXPECT_EQ(weft_trainer_steps(trainer), 7);
}

TEST_F(TrainerTest, updatesInPlace) {
  start();
  float *w = stateOf("w"), *v = stateOf("v");
  ASSERT_EQ(make(0.5f, 11), WEFT_OK) << weft_last_error();
  EXPECT_EQ(*static_cast<float *>(outputs[0].data), 1);
  EXPECT_EQ(*static_cast<int64_t *>(outputs[1].data), 11);
  ASSERT_EQ(make(2, 12), WEFT_OK) << weft_last_error();
  EXPECT_EQ(*static_cast<int64_t *>(outputs[1].data), 12);
  EXPECT_EQ(stateOf("w"), w);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(w[i], step.start[i] - 2.5f * x[i]);
    EXPECT_EQ(v[i], 2 * step.start[i] - 0.5f * x[i]);
  }
  EXPECT_EQ(weft_trainer_steps(trainer), 9);
}

TEST_F(TrainerTest, writesOutputsToMemoryOfTheCaller) {
  start();
  float loss = 0;
  outputs[0] = tensorOf(&loss, WEFT_F32, {});
  ASSERT_EQ(make(1, 0), WEFT_OK) << weft_last_error();
  EXPECT_EQ(loss, 1);
  void *noise = nullptr;
  ASSERT_EQ(weft_session_take_output(weft_trainer_session(trainer), 3, &noise),
            WEFT_OK);
  EXPECT_EQ(noise, outputs[1].data);
  weft_output_free(noise);
}

TEST_F(TrainerTest, goesOnFromAStateThatWasWritten) {
  start();
  stateOf("w")[1] = -4;
  ASSERT_EQ(make(1, 0), WEFT_OK) << weft_last_error();
  EXPECT_EQ(stateOf("w")[1], -6);
}

TEST_F(TrainerTest, aFaultLeavesTheState) {
  start();
  ASSERT_EQ(make(1, 0), WEFT_OK) << weft_last_error();
  std::vector<float> w(stateOf("w"), stateOf("w") + 3);
  std::vector<float> v(stateOf("v"), stateOf("v") + 3);
  x[0] = -1;
  EXPECT_EQ(make(1, 0), WEFT_ERROR_FAULT_INDEX);
  EXPECT_EQ(outputs[0].data, nullptr);
  EXPECT_EQ(std::vector<float>(stateOf("w"), stateOf("w") + 3), w);
  EXPECT_EQ(std::vector<float>(stateOf("v"), stateOf("v") + 3), v);
  EXPECT_EQ(weft_trainer_steps(trainer), 8);
  x[0] = 1;
  EXPECT_EQ(make(1, 0), WEFT_OK) << weft_last_error();
  EXPECT_EQ(weft_trainer_steps(trainer), 9);
}

// Of a state, the same memory may be given twice, but at one address.
TEST_F(TrainerTest, aStateLiesInPlaceOrElsewhere) {
  start();
  weft_session *session = weft_trainer_session(trainer);
  float rate = 1, w[6] = {1, 2, 3}, v[3] = {}, loss = 0;
  int64_t seed = 0, steps = 0, noise = 0;
  weft_tensor inputs[] = {
      tensorOf(x, WEFT_F32, {3}),    tensorOf(w, WEFT_F32, {3}),
      tensorOf(&rate, WEFT_F32, {}), tensorOf(v, WEFT_F32, {3}),
      tensorOf(&seed, WEFT_I64, {}), tensorOf(&steps, WEFT_I64, {})};
  weft_tensor places[] = {
      tensorOf(&loss, WEFT_F32, {}), tensorOf(v, WEFT_F32, {3}),
      tensorOf(w, WEFT_F32, {3}), tensorOf(&noise, WEFT_I64, {}),
      tensorOf(&steps, WEFT_I64, {})};
  ASSERT_EQ(weft_session_run(session, 6, inputs, 5, places), WEFT_OK)
      << weft_last_error();
  EXPECT_EQ(w[2], 0);
  places[2].data = w + 1;
  EXPECT_EQ(weft_session_run(session, 6, inputs, 5, places),
            WEFT_ERROR_OVERLAP);
  EXPECT_STREQ(weft_last_error(), "WFT5212: the memory of output \"w'\" "
                                  "overlaps that of input \"w\"");
  places[2].data = w + 3;
  EXPECT_EQ(weft_session_run(session, 6, inputs, 5, places), WEFT_OK);
  places[2].data = v;
  EXPECT_EQ(weft_session_run(session, 6, inputs, 5, places),
            WEFT_ERROR_OVERLAP);
  EXPECT_EQ(steps, 2);
}

TEST_F(TrainerTest, countsReferences) {
  start();
  weft_trainer_retain(trainer);
  weft_trainer_release(trainer);
  weft_model_release(model);
  model = nullptr;
  EXPECT_EQ(make(1, 0), WEFT_OK) << weft_last_error();
}

TEST_F(TrainerTest, refusesWrongArguments) {
  start();
  weft_tensor input = tensorOf(x, WEFT_F32, {3});
  EXPECT_EQ(weft_step(trainer, 2, &input, 1, 0, 2, outputs),
            WEFT_ERROR_INPUT_COUNT);
  EXPECT_STREQ(weft_last_error(), "WFT5201: got 2 inputs of data, wanted 1");
  EXPECT_EQ(weft_step(trainer, 1, &input, 1, 0, 5, outputs),
            WEFT_ERROR_OUTPUT_COUNT);
  EXPECT_STREQ(weft_last_error(),
               "WFT5202: got 5 outputs other than state, wanted 2");
  EXPECT_EQ(weft_step(trainer, 1, nullptr, 1, 0, 2, outputs),
            WEFT_ERROR_ARGUMENT);
  input.rank = 0;
  EXPECT_EQ(weft_step(trainer, 1, &input, 1, 0, 2, outputs), WEFT_ERROR_RANK);
  weft_tensor state = input;
  EXPECT_EQ(weft_trainer_state(trainer, 3, &state), WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: state 3 of 3 does not exist");
  EXPECT_EQ(state.data, nullptr);
  EXPECT_EQ(weft_trainer_steps(trainer), 7);
}

TEST_F(TrainerTest, refusesAProgramThatIsNoStep) {
  ASSERT_EQ(weft_model_wrap(&fixture_program, WEFT_TEST_FOLDER, &model),
            WEFT_OK);
  EXPECT_EQ(weft_trainer_create(model, nullptr, &trainer), WEFT_ERROR_ARGUMENT);
  EXPECT_EQ(trainer, nullptr);
  EXPECT_STREQ(
      weft_last_error(),
      "WFT5001: program \"fixture\" has no parameters and no state; it "
      "was not compiled for training");
  EXPECT_EQ(weft_trainer_create(nullptr, nullptr, &trainer),
            WEFT_ERROR_ARGUMENT);
  EXPECT_EQ(weft_trainer_create(model, nullptr, nullptr), WEFT_ERROR_ARGUMENT);
}

// A program that is run from within a step makes another step of the trainer.
TEST_F(TrainerTest, refusesAStepWithinAStep) {
  static weft_trainer *inner;
  static weft_status status;
  step.program.run = [](weft_run *run) {
    status = weft_step(inner, 1, nullptr, 1, 0, 2, nullptr);
    return Step::run(run);
  };
  start();
  inner = trainer;
  ASSERT_EQ(make(1, 0), WEFT_OK) << weft_last_error();
  EXPECT_EQ(status, WEFT_ERROR_ARGUMENT);
  step.program.run = [](weft_run *run) {
    weft_tensor input = {}, output[2] = {};
    status = weft_step(inner, 1, &input, 1, 0, 2, output);
    return Step::run(run);
  };
  ASSERT_EQ(make(1, 0), WEFT_OK) << weft_last_error();
  EXPECT_EQ(status, WEFT_ERROR_BUSY);
}

//===----------------------------------------------------------------------===//
// Programs whose roles contradict each other
//===----------------------------------------------------------------------===//

TEST_F(TrainerTest, refusesTwinsThatAreNone) {
  step.inputs[1].twin = -1;
  expectRefused("input \"w\" has the twin -1, which is not its twin");
  step.inputs[1].twin = 5;
  expectRefused("input \"w\" has the twin 5, which is not its twin");
  step.inputs[1].twin = 4;
  expectRefused("input \"w\" has the twin 4, which is not its twin");
  step.outputs[3].twin = 0;
  expectRefused("output \"noise\" is no state, but has the twin 0");
  const char *unlike = "input \"w\" and its twin \"w'\" differ in type or "
                       "role, or have sizes that are not fixed";
  step.outputs[2].dtype = WEFT_I32;
  expectRefused(unlike);
  step.outputs[2].role = WEFT_ROLE_STATE;
  expectRefused(unlike);
  static const weft_dim computed[] = {{0, -2}}, four[] = {{4, -1}};
  step.outputs[2].dims = computed;
  expectRefused(unlike);
  step.outputs[2].dims = four;
  expectRefused(unlike);
}

TEST_F(TrainerTest, refusesRolesWhereTheyCannotBe) {
  step.inputs[2].dtype = WEFT_F64;
  expectRefused("input \"rate\" of type f64 and rank 0 has the role 3, which "
                "it cannot have");
  step.inputs[2].role = WEFT_ROLE_LOSS;
  expectRefused("input \"rate\" of type f32 and rank 0 has the role 5, which "
                "it cannot have");
  step.inputs[0].role = static_cast<weft_role>(7);
  expectRefused("input \"x\" of type f32 and rank 1 has the role 7, which it "
                "cannot have");
  step.inputs[0] = step.inputs[2];
  expectRefused("input \"rate\" is the second of the role 3");
  step.inputs[0].early = 1;
  expectRefused("input \"x\" is marked as written early");
}

TEST_F(TrainerTest, refusesInitialValuesThatAreNone) {
  step.inputs[1].initial = 2;
  expectRefused("\"w\" starts from constant 2, but there are 2 constants, and "
                "only inputs that are state start from one");
  step.inputs[0].initial = 0;
  expectRefused("\"x\" starts from constant 0, but there are 2 constants, and "
                "only inputs that are state start from one");
  step.outputs[2].initial = 0;
  expectRefused("\"w'\" starts from constant 0, but there are 2 constants, and "
                "only inputs that are state start from one");
  step.inputs[1].initial = 1;
  expectRefused("\"w\" starts from constant \"step\" of 8 bytes, wanted 12");
}

} // namespace
