//===- DeviceTest.cpp - Sessions of a program with device code ------------===//

#include "DeviceTest.h"
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <sstream>

namespace weft::test {

FakeDriver fakeDriver;
std::function<int32_t(weft_run *)> DeviceTest::body;

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

namespace {
struct FatBinaryHead {
  uint32_t magic = 0xba55ed50;
  uint16_t version = 1, headBytes = 16;
  uint64_t bodyBytes = 0;
};
struct FatBinaryEntry {
  uint16_t kind, version = 0x101;
  uint32_t headBytes = 64;
  uint64_t bytes;
  uint32_t compressedBytes = 0, optionsOffset = 0, unknown = 0x10008, sm;
  uint64_t name = 0, flags = 0x11, rest[2] = {0, 0};
};
static_assert(sizeof(FatBinaryEntry) == 64);
} // namespace

std::string makeFatBinary(const std::string &ptx) {
  std::string body;
  auto add = [&](uint16_t kind, uint32_t sm, std::string bytes) {
    bytes.resize((bytes.size() + 8) / 8 * 8); // ends with a zero
    FatBinaryEntry entry;
    entry.kind = kind;
    entry.bytes = bytes.size();
    entry.sm = sm;
    body.append(reinterpret_cast<char *>(&entry), sizeof(entry));
    body += bytes;
  };
  add(2, 80,
      "\x7f"
      "ELF, but not of a GPU");
  add(1, 80, ptx);
  FatBinaryHead head;
  head.bodyBytes = body.size();
  return std::string(reinterpret_cast<char *>(&head), sizeof(head)) + body;
}

std::string kernelsFor(const std::string &target) {
  std::ifstream file(WEFT_TEST_KERNELS);
  std::stringstream text;
  text << file.rdbuf();
  std::string ptx = text.str();
  const std::string mark = "@TARGET@";
  size_t at = ptx.find(mark);
  EXPECT_NE(at, std::string::npos) << "cannot read " WEFT_TEST_KERNELS;
  return at == std::string::npos ? ptx : ptx.replace(at, mark.size(), target);
}

//===----------------------------------------------------------------------===//
// The program
//===----------------------------------------------------------------------===//

static const weft_dim dims[] = {{0, 0}};
static const weft_port inputs[] = {
    {"x", WEFT_F32, 1, dims, WEFT_ROLE_DATA, -1, -1, 0}};
static const weft_port outputs[] = {
    {"y", WEFT_F32, 1, dims, WEFT_ROLE_DATA, -1, -1, 0}};
static const weft_symbol symbols[] = {{"N", 0, 1 << 28}};
static const float one[] = {1};
static const float weights[] = {1, 2, 3, 4};
static const weft_constant constants[] = {
    {"one", WEFT_CONSTANT_EMBEDDED, one, nullptr, 0, sizeof(one), 0, 1},
    {"weights", WEFT_CONSTANT_EMBEDDED, weights, nullptr, 0, sizeof(weights), 0,
     4}};
static const weft_kernel kernels[] = {
    {"scale_0", "Mul_0"},
    {"add_1", "Add_1\nAdd_2"},
    {"check_2", "Gather_3"},
};
static const char *const places[] = {"node \"Gather_3\" (Gather)"};
static const weft_device_kernel deviceKernels[] = {
    {"scale", 0, 3, {128, 1, 1}, {0, 0, 0}},
    {"add", 1, 4, {128, 1, 1}, {0, 0, 0}},
    {"wild", 1, 1, {1, 1, 1}, {0, 0, 0}},
    {"check", 2, 3, {128, 1, 1}, {0, 0, 0}},
    {"reverse", 0, 3, {128, 1, 1}, {0, 0, 0}},
    {"cluster", 0, 1, {32, 1, 1}, {2, 1, 1}},
};

static int64_t arenaBytes(const int64_t *values) {
  return values[0] * static_cast<int64_t>(sizeof(float));
}

int32_t DeviceTest::launch(weft_run *run, DeviceKernel kernel, int64_t n,
                           std::vector<void *> args, int64_t shared) {
  int64_t grid[] = {(n + 127) / 128, 1, 1};
  return weft_rt_device_launch(run, kernel, grid, shared, args.data());
}

int32_t DeviceTest::compute(weft_run *run) {
  int64_t n = *weft_rt_symbols(run);
  auto count = static_cast<int32_t>(n);
  void *twice = weft_rt_device_arena(run);
  const void *x = weft_rt_device_input(run, 0);
  const void *c = x ? weft_rt_device_constant(run, 0) : nullptr;
  void *y = c ? weft_rt_device_output(run, 0, &n) : nullptr;
  if (!y)
    return 1;
  if (launch(run, SCALE, n, {&x, &twice, &count}))
    return 1;
  return launch(run, ADD, n, {&twice, &c, &y, &count});
}

//===----------------------------------------------------------------------===//
// The fixture
//===----------------------------------------------------------------------===//

void DeviceTest::SetUpTestSuite() {
  setenv("WEFT_LIBCUDA", WEFT_FAKE_CUDA, 1);
  void *library = dlopen(WEFT_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  auto find = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
        dlsym(library, name));
    ASSERT_NE(function, nullptr) << name;
  };
  find(fakeDriver.fail, "weft_fake_fail");
  find(fakeDriver.calls, "weft_fake_calls");
  find(fakeDriver.leaks, "weft_fake_leaks");
  find(fakeDriver.reset, "weft_fake_reset");
}

void DeviceTest::SetUp() {
  fakeDriver.reset();
  body = compute;
  image = makeFatBinary(kernelsFor("sm_90"));
  code = {image.data(),
          static_cast<int64_t>(image.size()),
          std::size(deviceKernels),
          std::size(places),
          deviceKernels,
          places,
          arenaBytes,
          /*replayable=*/1};
  program = {};
  program.abi = WEFT_PROGRAM_ABI;
  program.name = "device";
  program.producer = "hand";
  program.target = "cuda sm_90";
  program.num_inputs = program.num_outputs = program.num_symbols = 1;
  program.num_constants = std::size(constants);
  program.num_kernels = std::size(kernels);
  program.inputs = inputs;
  program.outputs = outputs;
  program.symbols = symbols;
  program.constants = constants;
  program.kernels = kernels;
  program.arena_bytes = [](const int64_t *) { return int64_t(0); };
  program.run = [](weft_run *run) { return body(run); };
  program.device = &code;
}

void DeviceTest::TearDown() {
  close();
  EXPECT_EQ(leaks(), "");
}

void DeviceTest::close() {
  weft_session_release(session);
  weft_model_release(model);
  session = nullptr;
  model = nullptr;
}

weft_status DeviceTest::create(const weft_session_options *options) {
  weft_session_options few;
  weft_session_options_init(&few);
  few.threads = 1;
  weft_status status = weft_model_wrap(&program, nullptr, &model);
  return status
             ? status
             : weft_session_create(model, options ? options : &few, &session);
}

void DeviceTest::open(const weft_session_options *options) {
  ASSERT_EQ(create(options), WEFT_OK) << weft_last_error();
}

weft_status DeviceTest::run(int64_t n, float offset) {
  x.resize(n);
  for (int64_t i = 0; i < n; ++i)
    x[i] = static_cast<float>(i) + 0.5f + offset;
  float empty = 0;
  weft_tensor input = {n ? x.data() : &empty, n * 4, WEFT_F32, 1, {n}};
  output = {};
  return weft_session_run(session, 1, &input, 1, &output);
}

bool DeviceTest::isRight() const {
  auto *y = static_cast<const float *>(output.data);
  if (output.dims[0] != static_cast<int64_t>(x.size()))
    return false;
  for (size_t i = 0; i < x.size(); ++i)
    if (y[i] != 2 * x[i] + 1)
      return false;
  return true;
}

void DeviceTest::runAndCheck(int64_t n, float offset) {
  ASSERT_EQ(run(n, offset), WEFT_OK) << weft_last_error();
  EXPECT_TRUE(isRight()) << n << " elements, offset " << offset;
}

void DeviceTest::expectFailure(int64_t n, weft_status status,
                               const std::string &message) {
  EXPECT_EQ(run(n), status);
  EXPECT_EQ(output.data, nullptr);
  std::string found = weft_last_error();
  EXPECT_NE(found.find(message), std::string::npos)
      << "found:  " << found << "\nwanted: " << message;
}

Environment::Environment(const char *name, const char *value) : name(name) {
  setenv(name, value, 1);
  fakeDriver.reset();
}

Environment::~Environment() { unsetenv(name); }

std::string leaks() {
  char text[512];
  fakeDriver.leaks(text, sizeof(text));
  return text;
}

} // namespace weft::test
