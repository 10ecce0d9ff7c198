//===- ModelTest.cpp - Opening programs
//------------------------------------===//

#include "SessionTest.h"
#include "weft-rt/entry.h"
#include <cstdio>
#include <cstring>
#include <functional>
#include <unistd.h>

using namespace weft::test;

namespace {

class ModelTest : public SessionTest {
protected:
  /// Fails the test unless `program` is refused so.
  void expectRefused(const weft_program &program, weft_status status,
                     const std::string &message) {
    weft_model *broken = nullptr;
    EXPECT_EQ(weft_model_wrap(&program, WEFT_TEST_FOLDER, &broken), status);
    EXPECT_EQ(broken, nullptr);
    EXPECT_EQ(weft_last_error(), messageOf(status, message));
    weft_model_release(broken);
  }

  /// Fails the test unless the library at `path` is refused; returns why.
  std::string expectNotOpened(const char *path, weft_status status) {
    EXPECT_EQ(weft_model_open(path, &model), status);
    EXPECT_EQ(model, nullptr);
    return weft_last_error();
  }

  weft_program program = fixture_program;
};

TEST_F(ModelTest, opensLibraries) {
  for (const char *path : {WEFT_TEST_FOLDER "/weft-fixture.so",
                           WEFT_TEST_FOLDER "/weft-fixture-alone.so"}) {
    ASSERT_EQ(weft_model_open(path, &model), WEFT_OK) << weft_last_error();
    ASSERT_EQ(weft_session_create(model, nullptr, &session), WEFT_OK);
    Inputs inputs(12);
    ASSERT_EQ(run(inputs), WEFT_OK) << weft_last_error();
    expectOutputs(inputs);
    weft_session_release(session);
    weft_model_release(model);
    session = nullptr;
    model = nullptr;
    outputs.assign(4, nowhere());
  }
}

TEST_F(ModelTest, opensLibrariesInTheWorkingDirectory) {
  ASSERT_EQ(chdir(WEFT_TEST_FOLDER), 0);
  ASSERT_EQ(weft_model_open("weft-fixture.so", &model), WEFT_OK)
      << weft_last_error();
}

TEST_F(ModelTest, describesThePrograms) {
  start(1);
  const weft_program *described = weft_model_program(model);
  EXPECT_EQ(described->num_inputs, 4);
  EXPECT_STREQ(described->inputs[2].name, "pair");
  EXPECT_STREQ(described->symbols[1].name, "M");
  EXPECT_STREQ(described->kernels[0].name, "double");
  EXPECT_EQ(weft_model_find_input(model, "mode"), 3);
  EXPECT_EQ(weft_model_find_input(model, "some"), -1);
  EXPECT_EQ(weft_model_find_output(model, "some"), 2);
  EXPECT_EQ(weft_model_find_output(model, ""), -1);
}

TEST_F(ModelTest, listsTheEntryPoints) {
  int32_t count = 0;
  const weft_entry_point *points = weft_entry_points(&count);
  ASSERT_EQ(count, 23);
  EXPECT_STREQ(points[7].name, "weft_rt_fault");
  EXPECT_EQ(points[7].address, reinterpret_cast<void (*)()>(weft_rt_fault));
}

//===----------------------------------------------------------------------===//
// What is no program
//===----------------------------------------------------------------------===//

TEST_F(ModelTest, refusesLibrariesThatAreNotThere) {
  EXPECT_EQ(expectNotOpened("/no/such.so", WEFT_ERROR_LOAD),
            "WFT5101: cannot open \"/no/such.so\": No such file or directory");
}

TEST_F(ModelTest, refusesFilesThatAreNoLibraries) {
  writeFile(WEFT_TEST_FOLDER "/text.so", "text");
  std::string message =
      expectNotOpened(WEFT_TEST_FOLDER "/text.so", WEFT_ERROR_LOAD);
  EXPECT_EQ(
      message.find("WFT5101: cannot load \"" WEFT_TEST_FOLDER "/text.so\": "),
      0u)
      << message;
}

TEST_F(ModelTest, refusesLibrariesWithoutAProgram) {
  EXPECT_EQ(expectNotOpened(WEFT_TEST_FOLDER "/weft-not-a-program.so",
                            WEFT_ERROR_NO_PROGRAM),
            "WFT5102: \"" WEFT_TEST_FOLDER "/weft-not-a-program.so\" does not "
            "export weft_program_query");
}

TEST_F(ModelTest, refusesProgramsOfAnotherABI) {
  EXPECT_EQ(
      expectNotOpened(WEFT_TEST_FOLDER "/weft-other-abi.so", WEFT_ERROR_ABI),
      "WFT5103: \"" WEFT_TEST_FOLDER "/weft-other-abi.so\" holds a program of "
      "another ABI than version 5");
  program.abi = 99;
  expectRefused(program, WEFT_ERROR_ABI,
                "the program has ABI version 99, wanted 5");
}

TEST_F(ModelTest, refusesMissingArguments) {
  EXPECT_EQ(weft_model_open(nullptr, &model), WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: there is no path to open");
  EXPECT_EQ(weft_model_open("x", nullptr), WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: there is no place for the model");
  EXPECT_EQ(weft_model_wrap(nullptr, nullptr, &model), WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: there is no program to wrap");
  EXPECT_EQ(weft_model_wrap(&program, nullptr, nullptr), WEFT_ERROR_ARGUMENT);
  EXPECT_EQ(weft_session_create(nullptr, nullptr, &session),
            WEFT_ERROR_ARGUMENT);
  EXPECT_STREQ(weft_last_error(), "WFT5001: there is no model to run");
}

//===----------------------------------------------------------------------===//
// Programs that contradict themselves
//===----------------------------------------------------------------------===//

TEST_F(ModelTest, refusesBrokenHeads) {
  const std::string broken = "the program's head is broken";
  for (auto &&spoil : std::initializer_list<std::function<void()>>{
           [&] { program.name = nullptr; }, [&] { program.target = nullptr; },
           [&] { program.producer = nullptr; }, [&] { program.run = nullptr; },
           [&] { program.arena_bytes = nullptr; },
           [&] { program.scratch_bytes = -1; }}) {
    program = fixture_program;
    spoil();
    expectRefused(program, WEFT_ERROR_PROGRAM, broken);
  }
}

TEST_F(ModelTest, refusesBrokenLists) {
  for (auto &&spoil : std::initializer_list<std::function<void()>>{
           [&] { program.symbols = nullptr; },
           [&] { program.num_symbols = -1; },
           [&] { program.constants = nullptr; },
           [&] { program.num_kernels = -1; }}) {
    program = fixture_program;
    spoil();
    expectRefused(program, WEFT_ERROR_PROGRAM,
                  "the list of symbols, constants or kernels is broken");
  }
  program = fixture_program;
  program.inputs = nullptr;
  expectRefused(program, WEFT_ERROR_PROGRAM, "the list of inputs is broken");
  program = fixture_program;
  program.num_outputs = -1;
  expectRefused(program, WEFT_ERROR_PROGRAM, "the list of outputs is broken");
}

TEST_F(ModelTest, refusesBrokenPorts) {
  weft_dim dim = {4, -1};
  weft_port port = {"p", WEFT_F32, 1, &dim, WEFT_ROLE_DATA, -1, -1, 0};
  program.outputs = &port;
  program.num_outputs = 1;
  port.name = nullptr;
  expectRefused(program, WEFT_ERROR_PROGRAM, "output 0 has no name");
  port.name = "p";
  port.dtype = WEFT_STRING;
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "output \"p\" has the type string (8), which programs cannot "
                "exchange");
  port.dtype = static_cast<weft_dtype>(14);
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "output \"p\" has the type no type (14), which programs cannot "
                "exchange");
  port.dtype = WEFT_F32;
  port.rank = 17;
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "output \"p\" has rank 17, wanted 0 to 16");
  port.rank = 1;
  dim = {-3, -1};
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "output \"p\" dimension 0 has the negative size -3");
  dim = {0, 2};
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "output \"p\" dimension 0 mentions symbol 2, but there are 2 "
                "symbols");
  dim = {0, -3};
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "output \"p\" dimension 0 mentions symbol -3, but there are 2 "
                "symbols");
  // Sizes that the run finds are for outputs only.
  dim = {0, -2};
  program.num_outputs = 0;
  program.inputs = &port;
  program.num_inputs = 1;
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "input \"p\" dimension 0 mentions symbol -2, but there are 2 "
                "symbols");
}

TEST_F(ModelTest, refusesBrokenSymbolsAndKernels) {
  weft_symbol symbols[] = {{"N", 3, 2}, {"M", 0, 1}};
  program.symbols = symbols;
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "symbol \"N\" has the range 3 to 2");
  symbols[0] = {"N", -1, 2};
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "symbol \"N\" has the range -1 to 2");
  symbols[0] = {nullptr, 0, 2};
  expectRefused(program, WEFT_ERROR_PROGRAM, "symbol 0 has no name");
  symbols[0] = {"N", 0, 2};
  program.num_inputs = 2;
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "symbol \"M\" is the size of no input");
  program = fixture_program;
  weft_kernel kernel = {"k", nullptr};
  program.kernels = &kernel;
  program.num_kernels = 1;
  expectRefused(program, WEFT_ERROR_PROGRAM, "kernel 0 has no name or nodes");
}

TEST_F(ModelTest, refusesBrokenDeviceCode) {
  const char *place = nullptr;
  weft_device_kernel kernel = {"add", 0, 1, {32, 1, 1}, {0, 0, 0}};
  const weft_device_code whole = {
      "image", 5, 1, 0, &kernel, nullptr, program.arena_bytes, 0};
  weft_device_code code = whole;
  program.device = &code;
  for (auto &&spoil : std::initializer_list<std::function<void()>>{
           [&] { code.image = nullptr; }, [&] { code.image_bytes = 0; },
           [&] { code.kernels = nullptr; }, [&] { code.num_kernels = -1; },
           [&] { code.num_places = 1; }, [&] { code.arena_bytes = nullptr; }}) {
    code = whole;
    spoil();
    expectRefused(program, WEFT_ERROR_PROGRAM,
                  "the program's device code is broken");
  }
  code = whole;
  code.num_places = 1;
  code.places = &place;
  expectRefused(program, WEFT_ERROR_PROGRAM, "place 0 has no text");
  code = whole;
  kernel.kernel = 3;
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "device kernel \"add\" belongs to kernel 3, but there are 3 "
                "kernels");
  kernel = {"add", 0, 1, {32, 0, 1}, {0, 0, 0}};
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "device kernel \"add\" has 1 arguments, blocks of 32 x 0 x 1 "
                "threads and clusters of 0 x 0 x 0 blocks");
  kernel = {"add", 0, 1, {32, 1, 1}, {2, 0, 0}};
  expectRefused(program, WEFT_ERROR_PROGRAM,
                "device kernel \"add\" has 1 arguments, blocks of 32 x 1 x 1 "
                "threads and clusters of 2 x 0 x 0 blocks");
  kernel.entry = nullptr;
  expectRefused(program, WEFT_ERROR_PROGRAM, "device kernel 0 has no name");
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

class ConstantTest : public ModelTest {
protected:
  void SetUp() override {
    program.constants = &constant;
    program.num_constants = 1;
  }

  void expectBroken(const std::string &message) {
    expectRefused(program, WEFT_ERROR_PROGRAM, message);
  }

  weft_constant constant = {
      "c", WEFT_CONSTANT_FILE, nullptr, "fixture.bin", 0, 76, 0, 19};
};

TEST_F(ConstantTest, liesInItsFile) {
  weft_model *opened = nullptr;
  ASSERT_EQ(weft_model_wrap(&program, WEFT_TEST_FOLDER, &opened), WEFT_OK)
      << weft_last_error();
  weft_model_release(opened);
  // A name that is not relative counts from nowhere else.
  constant.file = WEFT_TEST_FOLDER "/fixture.bin";
  ASSERT_EQ(weft_model_wrap(&program, "/no/where", &opened), WEFT_OK)
      << weft_last_error();
  weft_model_release(opened);
}

TEST_F(ConstantTest, mayBeEmpty) {
  writeFile(WEFT_TEST_FOLDER "/empty.bin", "");
  constant.file = "empty.bin";
  constant.size = constant.count = 0;
  weft_model *opened = nullptr;
  ASSERT_EQ(weft_model_wrap(&program, WEFT_TEST_FOLDER, &opened), WEFT_OK)
      << weft_last_error();
  weft_model_release(opened);
  constant.packed = 4;
  ASSERT_EQ(weft_model_wrap(&program, WEFT_TEST_FOLDER, &opened), WEFT_OK)
      << weft_last_error();
  weft_model_release(opened);
}

TEST_F(ConstantTest, mustLieInItsFile) {
  constant.offset = 1;
  expectRefused(program, WEFT_ERROR_CONSTANT_BOUNDS,
                "constant \"c\" is 76 bytes at offset 1 of \"" WEFT_TEST_FOLDER
                "/fixture.bin\", which has 76 bytes");
  constant.offset = INT64_MAX;
  constant.size = INT64_MAX;
  expectRefused(program, WEFT_ERROR_CONSTANT_BOUNDS,
                "constant \"c\" is 9223372036854775807 bytes at offset "
                "9223372036854775807 of \"" WEFT_TEST_FOLDER
                "/fixture.bin\", which has 76 bytes");
}

TEST_F(ConstantTest, mustHaveAFile) {
  constant.file = "missing.bin";
  expectRefused(program, WEFT_ERROR_CONSTANT_FILE,
                "cannot open \"" WEFT_TEST_FOLDER
                "/missing.bin\": No such file or directory");
  constant.file = ".";
  expectRefused(program, WEFT_ERROR_CONSTANT_FILE,
                "\"" WEFT_TEST_FOLDER "/.\" is no regular file");
  constant.file = nullptr;
  expectBroken("constant \"c\" has no bytes");
  constant.source = WEFT_CONSTANT_EMBEDDED;
  expectBroken("constant \"c\" has no bytes");
  constant.source = static_cast<weft_constant_source>(7);
  expectBroken("constant \"c\" comes from the unknown source 7");
}

TEST_F(ConstantTest, mustHaveAllItsElements) {
  constant.offset = -1;
  expectBroken("constant \"c\" has a negative size, offset or count");
  constant.offset = 0;
  constant.count = 77;
  expectBroken("constant \"c\" has 77 elements in 76 bytes");
  constant.packed = 4;
  constant.count = 153;
  expectBroken("constant \"c\" has 153 elements in 76 bytes");
  constant.packed = 2;
  constant.count = INT64_MAX;
  expectBroken("constant \"c\" has 9223372036854775807 elements in 76 bytes");
  constant.packed = 3;
  expectBroken("constant \"c\" is packed to 3 bits, wanted 2 or 4");
  constant.name = nullptr;
  expectBroken("constant 0 has no name");
}

// The pages between the first and the last of an unaligned constant are given
// back to the file once they have been copied.
TEST_F(ConstantTest, mayBeLargeAndUnaligned) {
  std::string bytes(100003, '\0');
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(i * 7 + i / 256);
  writeFile(WEFT_TEST_FOLDER "/large.bin", bytes);
  static const void *address;
  const weft_constant constants[] = {
      {"first", WEFT_CONSTANT_FILE, nullptr, "large.bin", 1, 100001, 0, 100001},
      {"again", WEFT_CONSTANT_FILE, nullptr, "large.bin", 3, 100000, 0, 100000},
  };
  program = fixture_program;
  program.num_inputs = program.num_outputs = program.num_symbols = 0;
  program.arena_bytes = [](const int64_t *) { return int64_t(0); };
  program.constants = constants;
  program.num_constants = 2;
  program.run = [](weft_run *run) {
    address = weft_rt_constant(run, 1);
    return 0;
  };
  ASSERT_EQ(weft_model_wrap(&program, WEFT_TEST_FOLDER, &model), WEFT_OK);
  ASSERT_EQ(weft_session_create(model, nullptr, &session), WEFT_OK);
  ASSERT_EQ(weft_session_run(session, 0, nullptr, 0, nullptr), WEFT_OK);
  EXPECT_EQ(memcmp(address, &bytes[3], 100000), 0);
}

// What the program gets, as its address tells.
const void *lastConstants[4];

int32_t lookAtConstants(weft_run *run) {
  for (int32_t i = 0; i < 4; ++i)
    lastConstants[i] = weft_rt_constant(run, i);
  return 0;
}

TEST_F(ConstantTest, isAlignedAndCopiedOnlyIfNeedBe) {
  alignas(64) static const char bytes[128] = {1, 2, 3};
  const weft_constant constants[] = {
      {"in place", WEFT_CONSTANT_EMBEDDED, bytes, nullptr, 0, 128, 0, 128},
      {"moved", WEFT_CONSTANT_EMBEDDED, bytes + 1, nullptr, 0, 2, 0, 2},
      {"file", WEFT_CONSTANT_FILE, nullptr, "fixture.bin", 64, 12, 0, 3},
      {"odd", WEFT_CONSTANT_FILE, nullptr, "fixture.bin", 65, 11, 0, 11},
  };
  program = fixture_program;
  program.num_inputs = program.num_outputs = program.num_symbols = 0;
  program.arena_bytes = [](const int64_t *) { return int64_t(0); };
  program.constants = constants;
  program.run = lookAtConstants;
  ASSERT_EQ(weft_model_wrap(&program, WEFT_TEST_FOLDER, &model), WEFT_OK);
  ASSERT_EQ(weft_session_create(model, nullptr, &session), WEFT_OK);
  ASSERT_EQ(weft_session_run(session, 0, nullptr, 0, nullptr), WEFT_OK);
  for (const void *address : lastConstants)
    EXPECT_EQ(reinterpret_cast<uintptr_t>(address) % 64, 0u);
  EXPECT_EQ(lastConstants[0], bytes);
  EXPECT_EQ(memcmp(lastConstants[1], bytes + 1, 2), 0);
  std::string file = constantBytes();
  EXPECT_EQ(memcmp(lastConstants[2], &file[64], 12), 0);
  EXPECT_EQ(memcmp(lastConstants[3], &file[65], 11), 0);
}

} // namespace
