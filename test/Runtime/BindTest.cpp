//===- BindTest.cpp - Inputs that do not fit
//-------------------------------===//

#include "SessionTest.h"

using namespace weft::test;

namespace {

class BindTest : public SessionTest {
protected:
  void SetUp() override { start(2); }
  void TearDown() override {
    // A refused run leaves nothing behind.
    Inputs good(4);
    ASSERT_EQ(run(good), WEFT_OK) << weft_last_error();
    expectOutputs(good);
    SessionTest::TearDown();
  }

  Inputs inputs{4};
};

TEST_F(BindTest, wrongNumberOfInputs) {
  EXPECT_EQ(weft_session_run(session, 3, inputs.data(), 4, outputs.data()),
            WEFT_ERROR_INPUT_COUNT);
  EXPECT_STREQ(weft_last_error(), "WFT5201: got 3 inputs, wanted 4");
  EXPECT_EQ(weft_session_run(session, 4, nullptr, 4, outputs.data()),
            WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: the list of inputs is NULL");
}

TEST_F(BindTest, wrongNumberOfOutputs) {
  EXPECT_EQ(weft_session_run(session, 4, inputs.data(), 5, outputs.data()),
            WEFT_ERROR_OUTPUT_COUNT);
  EXPECT_STREQ(weft_last_error(), "WFT5202: got 5 outputs, wanted 4");
  EXPECT_EQ(weft_session_run(session, 4, inputs.data(), 4, nullptr),
            WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: the list of outputs is NULL");
}

TEST_F(BindTest, wrongElementType) {
  inputs.tensors[0].dtype = WEFT_F64;
  expectFailure(inputs, WEFT_ERROR_DTYPE,
                "input \"x\" has element type f64, wanted f32");
}

TEST_F(BindTest, wrongRank) {
  inputs.tensors[1].rank = 2;
  expectFailure(inputs, WEFT_ERROR_RANK, "input \"bias\" has rank 2, wanted 1");
}

TEST_F(BindTest, wrongSize) {
  inputs.tensors[0].dims[1] = 4;
  expectFailure(inputs, WEFT_ERROR_SIZE,
                "input \"x\" dimension 1 is 4, wanted 3");
}

TEST_F(BindTest, negativeSize) {
  inputs.tensors[2].dims[1] = -2;
  expectFailure(inputs, WEFT_ERROR_SIZE,
                "input \"pair\" dimension 1 is -2, wanted 0 or more");
}

TEST_F(BindTest, symbolOutOfRange) {
  inputs.tensors[2].dims[1] = 65;
  expectFailure(inputs, WEFT_ERROR_SYMBOL_RANGE,
                "input \"pair\" dimension 1 gives symbol \"M\" the value 65, "
                "wanted 0 to 64");
}

TEST_F(BindTest, symbolWithTwoValues) {
  inputs.tensors[2].dims[0] = 5;
  expectFailure(inputs, WEFT_ERROR_SYMBOL_CONFLICT,
                "symbol \"N\" is 4 in input \"x\" dimension 0, but 5 in input "
                "\"pair\" dimension 0");
}

TEST_F(BindTest, tooLittleMemory) {
  inputs.tensors[0].bytes = 47;
  expectFailure(inputs, WEFT_ERROR_INPUT_MEMORY,
                "input \"x\" has 47 bytes of memory, wanted 48");
  inputs.tensors[0].data = nullptr;
  expectFailure(inputs, WEFT_ERROR_INPUT_MEMORY,
                "input \"x\" has no memory, wanted 48 bytes");
}

TEST_F(BindTest, bindSymbolsFailsLikeARun) {
  int64_t symbols[] = {7, 7};
  inputs.tensors[0].dims[1] = 4;
  EXPECT_EQ(weft_session_bind_symbols(session, 4, inputs.data(), symbols),
            WEFT_ERROR_SIZE);
  EXPECT_EQ(symbols[0], 0);
  EXPECT_EQ(symbols[1], 0);
  EXPECT_EQ(weft_session_bind_symbols(session, 4, inputs.data(), nullptr),
            WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: there is no place for the symbols");
}

TEST_F(BindTest, arenaOfSymbolsThatDoNotFit) {
  int64_t symbols[] = {4, 65}, bytes = 7;
  EXPECT_EQ(weft_session_arena_bytes(session, 2, symbols, &bytes),
            WEFT_ERROR_SYMBOL_RANGE);
  EXPECT_STREQ(weft_last_error(),
               "WFT5206: symbol \"M\" is 65, wanted 0 to 64");
  EXPECT_EQ(bytes, 0);
  EXPECT_EQ(weft_session_arena_bytes(session, 1, symbols, &bytes),
            WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: got 1 symbols, wanted 2");
  EXPECT_EQ(weft_session_arena_bytes(session, 2, symbols, nullptr),
            WEFT_ERROR_ARGUMENT);
}

TEST_F(BindTest, refusesOptionsThatMakeNoSense) {
  weft_session_options options;
  weft_session_options_init(&options);
  weft_session *refused = nullptr;
  options.threads = -1;
  EXPECT_EQ(weft_session_create(model, &options, &refused),
            WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: -1 threads, wanted 0 to 4096");
  EXPECT_EQ(refused, nullptr);
  options.threads = 1;
  options.spin_microseconds = -1;
  EXPECT_EQ(weft_session_create(model, &options, &refused),
            WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(),
               "WFT5001: -1 microseconds to spin, wanted >= 0");
}

//===----------------------------------------------------------------------===//
// Sizes beyond 64 bits
//===----------------------------------------------------------------------===//

class HugeTest : public SessionTest {
protected:
  void open() {
    program.inputs = &port;
    program.num_inputs = 1;
    program.symbols = &symbol;
    program.num_symbols = 1;
    program.num_outputs = program.num_constants = 0;
    program.run = [](weft_run *) { return 0; };
    ASSERT_EQ(weft_model_wrap(&program, nullptr, &model), WEFT_OK)
        << weft_last_error();
  }

  weft_status runWith(int64_t size) {
    weft_tensor tensor = tensorOf(this, WEFT_I64, {0, 1});
    tensor.dims[0] = size;
    return weft_session_run(session, 1, &tensor, 0, nullptr);
  }

  weft_dim dims[2] = {{0, 0}, {1, -1}};
  weft_port port = {"x", WEFT_I64, 2, dims, WEFT_ROLE_DATA, -1, -1, 0};
  weft_symbol symbol = {"N", 0, INT64_MAX};
  weft_program program = fixture_program;
};

TEST_F(HugeTest, bytesOfAnInput) {
  program.arena_bytes = [](const int64_t *) { return int64_t(0); };
  open();
  ASSERT_EQ(weft_session_create(model, nullptr, &session), WEFT_OK);
  EXPECT_EQ(runWith(INT64_C(1) << 60), WEFT_ERROR_OVERFLOW);
  EXPECT_STREQ(weft_last_error(),
               "WFT5211: the bytes of input \"x\" do not fit into 64 bits");
  // Nothing is no bytes, whatever the other sizes.
  dims[1].size = INT64_MAX;
  weft_tensor tensor = tensorOf(nullptr, WEFT_I64, {0, 0});
  tensor.dims[1] = INT64_MAX;
  EXPECT_EQ(weft_session_run(session, 1, &tensor, 0, nullptr), WEFT_OK);
}

TEST_F(HugeTest, bytesOfTheArena) {
  program.arena_bytes = [](const int64_t *symbols) {
    return symbols[0] == 1 ? INT64_C(-1) : INT64_MAX - 5;
  };
  open();
  ASSERT_EQ(weft_session_create(model, nullptr, &session), WEFT_OK);
  weft_tensor tensor = tensorOf(this, WEFT_I64, {1, 1});
  EXPECT_EQ(weft_session_run(session, 1, &tensor, 0, nullptr),
            WEFT_ERROR_OVERFLOW);
  EXPECT_STREQ(weft_last_error(),
               "WFT5211: the bytes of the arena do not fit into 64 bits");
  tensor.dims[0] = 0;
  EXPECT_EQ(weft_session_run(session, 1, &tensor, 0, nullptr),
            WEFT_ERROR_MEMORY);
  EXPECT_STREQ(weft_last_error(), "WFT5002: no memory for the "
                                  "9223372036854775802 bytes of the arena");
  EXPECT_EQ(weft_session_arena_taken(session), 0);
}

TEST_F(HugeTest, bytesOfScratch) {
  program.arena_bytes = [](const int64_t *) { return int64_t(0); };
  program.scratch_bytes = INT64_MAX / 2;
  open();
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = 3;
  EXPECT_EQ(weft_session_create(model, &options, &session), WEFT_ERROR_MEMORY);
  EXPECT_EQ(session, nullptr);
  EXPECT_STREQ(weft_last_error(),
               "WFT5002: 4611686018427387903 bytes of scratch for each of 3 "
               "threads are too many");
}

} // namespace
