//===- SessionTest.cpp - Sessions of the hand-written program
//--------------===//

#include "SessionTest.h"
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace weft::test {

weft_tensor tensorOf(const void *data, weft_dtype dtype,
                     std::vector<int64_t> dims) {
  weft_tensor tensor{};
  tensor.data = const_cast<void *>(data);
  tensor.dtype = dtype;
  tensor.rank = dims.size();
  tensor.bytes = weft_dtype_bytes(dtype);
  for (size_t i = 0; i < dims.size(); ++i) {
    tensor.dims[i] = dims[i];
    tensor.bytes *= dims[i];
  }
  return tensor;
}

Inputs::Inputs(int64_t n, int64_t m, int64_t mode, size_t offset)
    : x(n * 3, 0, offset), bias(3, 0, offset), pair(n * m, 0, offset),
      mode(1, mode, offset) {
  for (int64_t i = 0; i < n * 3; ++i)
    x[i] = i;
  for (int64_t i = 0; i < 3; ++i)
    bias[i] = i * 0.5f;
  tensors = {tensorOf(x.data(), WEFT_F32, {n, 3}),
             tensorOf(bias.data(), WEFT_F32, {3}),
             tensorOf(pair.data(), WEFT_I64, {n, m}),
             tensorOf(this->mode.data(), WEFT_I64, {})};
}

std::string messageOf(weft_status status, const std::string &text) {
  std::string message = "WFT";
  message += std::to_string(status);
  message += ": ";
  return message + text;
}

// Tests that run at the same time write the same files, and read them.
void writeFile(const std::string &path, const std::string &bytes) {
  std::string beside = path + "." + std::to_string(getpid());
  std::ofstream(beside, std::ios::binary) << bytes;
  ASSERT_EQ(rename(beside.c_str(), path.c_str()), 0) << path;
}

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::string constantBytes() {
  const float shift[] = {10, 20, 30};
  std::string bytes(64 + sizeof(shift), 'z');
  memcpy(&bytes[64], shift, sizeof(shift));
  return bytes;
}

void SessionTest::SetUpTestSuite() {
  writeFile(WEFT_TEST_FOLDER "/fixture.bin", constantBytes());
}

void SessionTest::TearDown() {
  weft_session_release(session);
  weft_model_release(model);
}

void SessionTest::start(const weft_session_options &options) {
  weft_session_release(session);
  weft_model_release(model);
  outputs.assign(4, nowhere());
  ASSERT_EQ(weft_model_wrap(&fixture_program, WEFT_TEST_FOLDER, &model),
            WEFT_OK)
      << weft_last_error();
  ASSERT_EQ(weft_session_create(model, &options, &session), WEFT_OK)
      << weft_last_error();
}

void SessionTest::start(int threads, bool profile) {
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = threads;
  options.profile = profile;
  start(options);
}

weft_status SessionTest::run(const Inputs &inputs) {
  return weft_session_run(session, 4, inputs.data(), 4, outputs.data());
}

void SessionTest::expectFailure(const Inputs &inputs, weft_status status,
                                const std::string &message) {
  EXPECT_EQ(run(inputs), status);
  EXPECT_EQ(weft_last_error(), messageOf(status, message));
  for (const weft_tensor &output : outputs)
    EXPECT_EQ(output.data, nullptr);
}

void SessionTest::expectOutputs(Inputs &inputs) {
  int64_t n = inputs.tensors[0].dims[0], m = inputs.tensors[2].dims[1];
  EXPECT_EQ(outputs[0].dtype, WEFT_F32);
  EXPECT_EQ(outputs[0].rank, 2);
  EXPECT_EQ(outputs[0].dims[0], n);
  EXPECT_EQ(outputs[0].dims[1], 3);
  const float shift[] = {10, 20, 30};
  auto *y = static_cast<const float *>(outputs[0].data);
  for (int64_t i = 0; i < n * 3; ++i)
    ASSERT_EQ(y[i], 2 * inputs.x[i] + inputs.bias[i % 3] + shift[i % 3]) << i;
  EXPECT_EQ(outputs[2].rank, 1);
  EXPECT_EQ(outputs[2].dims[0], m);
  for (int64_t i = 0; i < m; ++i)
    EXPECT_EQ(static_cast<const int64_t *>(outputs[2].data)[i], i);
  const unsigned char codes[] = {1, 2, 3, 15, 14, 0, 1, 2};
  EXPECT_EQ(memcmp(outputs[3].data, codes, sizeof(codes)), 0);
}

} // namespace weft::test
