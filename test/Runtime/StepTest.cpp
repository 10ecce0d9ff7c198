//===- StepTest.cpp - A step of training that was compiled ----------------===//
//
// Compiles step.mlir into this process and compares its steps, in place
// and not, with each other and with the same computation in C++.
//
//===----------------------------------------------------------------------===//

#include "weft-c/compiler.h"
#include "weft-rt/train.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <numeric>
#include <vector>

namespace {

/// The state, and what a step tells of it.
struct State {
  std::vector<float> w{1, -0.5f, 0.25f, 2},
      v = std::vector<float>(4), table = std::vector<float>(64, 0.5f);
  int64_t steps = 0;
  float loss = 0, norm = 0;
  std::vector<float> y = std::vector<float>(8);
};

struct Batch {
  std::vector<float> x = std::vector<float>(32);
  std::vector<int64_t> rows = std::vector<int64_t>(8);

  explicit Batch(int seed) {
    for (int i = 0; i < 32; ++i)
      x[i] = float((i * 7 + seed * 5) % 13) / 13 - 0.5f;
    for (int i = 0; i < 8; ++i)
      rows[i] = (i * i + seed) % 16;
  }
};

template <typename T>
weft_tensor tensorOf(std::vector<T> &data, std::vector<int64_t> dims) {
  weft_tensor tensor = {data.data(),
                        int64_t(data.size() * sizeof(T)),
                        sizeof(T) == 4 ? WEFT_F32 : WEFT_I64,
                        int32_t(dims.size()),
                        {}};
  std::copy(dims.begin(), dims.end(), tensor.dims);
  return tensor;
}

template <typename T> weft_tensor scalarOf(T &value) {
  return {&value, sizeof(T), sizeof(T) == 4 ? WEFT_F32 : WEFT_I64, 0, {}};
}

/// The step in C++.
void stepInDouble(State &state, const Batch &batch, float rate) {
  std::vector<double> z(32), y(8), dw(4), dtable(64);
  for (int i = 0; i < 8; ++i)
    for (int k = 0; k < 4; ++k) {
      z[i * 4 + k] = batch.x[i * 4 + k] + state.table[batch.rows[i] * 4 + k];
      y[i] += z[i * 4 + k] * state.w[k];
    }
  state.loss = state.norm = 0;
  for (int k = 0; k < 4; ++k)
    state.norm += state.w[k] * state.w[k];
  for (int i = 0; i < 8; ++i) {
    state.y[i] = float(y[i]);
    state.loss += float(y[i] * y[i] / 8);
    for (int k = 0; k < 4; ++k) {
      dw[k] += z[i * 4 + k] * y[i] / 4;
      dtable[batch.rows[i] * 4 + k] += state.w[k] * y[i] / 4;
    }
  }
  for (int k = 0; k < 4; ++k) {
    state.v[k] = float(0.9 * state.v[k] + dw[k]);
    state.w[k] -= rate * state.v[k];
  }
  for (int k = 0; k < 64; ++k)
    state.table[k] -= float(rate * dtable[k]);
  ++state.steps;
}

class StepTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    weft_compile_options options;
    weft_compile_options_init(&options);
    options.start_at = "tensor";
    char *message = nullptr;
    ASSERT_EQ(weft_compile_file(WEFT_TEST_STEP, &options, &compiled, &message),
              WEFT_OUTCOME_OK)
        << message;
    weft_message_free(message);
    ASSERT_EQ(weft_model_wrap(weft_compiled_program(compiled), nullptr, &model),
              WEFT_OK)
        << weft_last_error();
  }
  static void TearDownTestSuite() {
    weft_model_release(model);
    weft_compiled_release(compiled);
  }

  void SetUp() override {
    ASSERT_EQ(weft_session_create(model, nullptr, &session), WEFT_OK);
  }
  void TearDown() override { weft_session_release(session); }

  /// Runs a step from `from` to `to`, which may be the same.
  weft_status run(State &from, State &to, Batch &batch, float rate) {
    weft_tensor inputs[] = {tensorOf(batch.x, {8, 4}),
                            tensorOf(batch.rows, {8}),
                            tensorOf(from.w, {4}),
                            tensorOf(from.v, {4}),
                            tensorOf(from.table, {16, 4}),
                            scalarOf(from.steps),
                            scalarOf(rate)};
    weft_tensor outputs[] = {scalarOf(to.loss),   tensorOf(to.w, {4}),
                             tensorOf(to.v, {4}), tensorOf(to.table, {16, 4}),
                             scalarOf(to.steps),  scalarOf(to.norm),
                             tensorOf(to.y, {8})};
    return weft_session_run(session, 7, inputs, 7, outputs);
  }

  static weft_compiled *compiled;
  static weft_model *model;
  weft_session *session = nullptr;
};

weft_compiled *StepTest::compiled = nullptr;
weft_model *StepTest::model = nullptr;

bool isSame(const State &lhs, const State &rhs) {
  return lhs.w == rhs.w && lhs.v == rhs.v && lhs.table == rhs.table &&
         lhs.steps == rhs.steps && lhs.loss == rhs.loss &&
         lhs.norm == rhs.norm && lhs.y == rhs.y;
}

void expectNear(const std::vector<float> &got, const std::vector<float> &want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], want[i], 1e-5) << i;
}

TEST_F(StepTest, tellsWhatItsPortsAreFor) {
  const weft_program *program = weft_model_program(model);
  EXPECT_EQ(program->inputs[1].role, WEFT_ROLE_DATA);
  EXPECT_EQ(program->inputs[2].role, WEFT_ROLE_PARAMETER);
  EXPECT_EQ(program->inputs[2].twin, 1);
  EXPECT_STREQ(program->constants[program->inputs[2].initial].name, "w");
  EXPECT_EQ(program->inputs[3].initial, -1);
  EXPECT_EQ(program->inputs[6].role, WEFT_ROLE_RATE);
  EXPECT_EQ(program->outputs[0].role, WEFT_ROLE_LOSS);
  EXPECT_EQ(program->outputs[4].twin, 5);
  // Gathering may fault, but is done before any state is written.
  for (int i = 1; i <= 4; ++i)
    EXPECT_EQ(program->outputs[i].early, 0) << i;
}

TEST_F(StepTest, computesTheSameInPlaceAndNot) {
  State inPlace, wanted;
  for (int i = 0; i < 5; ++i) {
    Batch batch(i);
    State next;
    ASSERT_EQ(run(inPlace, next, batch, 0.1f), WEFT_OK) << weft_last_error();
    ASSERT_EQ(run(inPlace, inPlace, batch, 0.1f), WEFT_OK) << weft_last_error();
    EXPECT_TRUE(isSame(inPlace, next)) << i;
    stepInDouble(wanted, batch, 0.1f);
    expectNear(inPlace.w, wanted.w);
    expectNear(inPlace.v, wanted.v);
    expectNear(inPlace.table, wanted.table);
    expectNear(inPlace.y, wanted.y);
    EXPECT_NEAR(inPlace.loss, wanted.loss, 1e-5);
    EXPECT_NEAR(inPlace.norm, wanted.norm, 1e-4);
    EXPECT_EQ(inPlace.steps, i + 1);
  }
  EXPECT_LT(inPlace.loss, 0.1f);
}

TEST_F(StepTest, aFaultLeavesEverythingAsItWas) {
  State state;
  Batch good(0), bad(1);
  ASSERT_EQ(run(state, state, good, 0.1f), WEFT_OK) << weft_last_error();
  bad.rows[7] = 16;
  State before = state;
  EXPECT_EQ(run(state, state, bad, 0.1f), WEFT_ERROR_FAULT_INDEX);
  EXPECT_TRUE(isSame(state, before));
  State other;
  other.y.assign(8, -1);
  State untouched = other;
  EXPECT_EQ(run(state, other, bad, 0.1f), WEFT_ERROR_FAULT_INDEX);
  EXPECT_TRUE(isSame(other, untouched));
  ASSERT_EQ(run(state, state, good, 0.1f), WEFT_OK) << weft_last_error();
}

TEST_F(StepTest, isWhatTheTrainerDoes) {
  weft_trainer *trainer = nullptr;
  ASSERT_EQ(weft_trainer_create(model, nullptr, &trainer), WEFT_OK);
  State wanted;
  for (int i = 0; i < 3; ++i) {
    Batch batch(i);
    ASSERT_EQ(run(wanted, wanted, batch, 0.05f), WEFT_OK);
    weft_tensor inputs[] = {tensorOf(batch.x, {8, 4}),
                            tensorOf(batch.rows, {8})};
    weft_tensor outputs[3] = {};
    ASSERT_EQ(weft_step(trainer, 2, inputs, 0.05f, 0, 3, outputs), WEFT_OK)
        << weft_last_error();
    EXPECT_EQ(*static_cast<float *>(outputs[0].data), wanted.loss);
    EXPECT_EQ(*static_cast<float *>(outputs[1].data), wanted.norm);
  }
  EXPECT_EQ(weft_trainer_steps(trainer), 3);
  weft_tensor table;
  ASSERT_EQ(weft_trainer_state(
                trainer, weft_trainer_find_state(trainer, "table"), &table),
            WEFT_OK);
  EXPECT_EQ(memcmp(table.data, wanted.table.data(), 256), 0);
  weft_trainer_release(trainer);
}

} // namespace
