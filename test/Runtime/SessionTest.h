//===- SessionTest.h - Sessions of the hand-written program
//----------------===//

#ifndef WEFT_TEST_RUNTIME_SESSIONTEST_H
#define WEFT_TEST_RUNTIME_SESSIONTEST_H

#include "fixture.h"
#include "weft-rt/weft.h"
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

namespace weft::test {

/// A tensor that owns nothing.
weft_tensor tensorOf(const void *data, weft_dtype dtype,
                     std::vector<int64_t> dims);

/// An output that the session provides.
inline weft_tensor nowhere() { return weft_tensor{}; }

/// Elements at an address that is a multiple of 64, or `offset` bytes after.
template <typename T> class Aligned {
public:
  explicit Aligned(int64_t count, T value = T(), size_t offset = 0)
      : storage(count * sizeof(T) + 64 + offset), size(count) {
    auto address = reinterpret_cast<uintptr_t>(storage.data());
    start = (64 - address % 64) % 64 + offset;
    for (int64_t i = 0; i < count; ++i)
      data()[i] = value;
  }
  Aligned(const Aligned &) = delete;

  T *data() { return reinterpret_cast<T *>(storage.data() + start); }
  T &operator[](int64_t i) { return data()[i]; }
  int64_t bytes() const { return size * sizeof(T); }

private:
  std::vector<char> storage;
  int64_t size;
  size_t start;
};

/// The inputs of a run with N = `n` and M = `m`.
struct Inputs {
  explicit Inputs(int64_t n, int64_t m = 2, int64_t mode = FIXTURE_WELL,
                  size_t offset = 0);
  const weft_tensor *data() const { return tensors.data(); }

  Aligned<float> x, bias;
  Aligned<int64_t> pair, mode;
  std::vector<weft_tensor> tensors;
};

/// The hand-written program, opened, and a session of it.
class SessionTest : public testing::Test {
protected:
  /// Writes the file of constants.
  static void SetUpTestSuite();
  void TearDown() override;

  /// Opens the model, in the process, and starts a session.
  void start(int threads, bool profile = false);
  void start(const weft_session_options &options);
  /// Runs with outputs of the session's.
  weft_status run(const Inputs &inputs);
  /// Fails the test unless the run fails so.
  void expectFailure(const Inputs &inputs, weft_status status,
                     const std::string &message);
  /// Checks all outputs of a run with these inputs.
  void expectOutputs(Inputs &inputs);

  weft_model *model = nullptr;
  weft_session *session = nullptr;
  std::vector<weft_tensor> outputs = std::vector<weft_tensor>(4);
};

/// The message of an error, with its code before it.
std::string messageOf(weft_status status, const std::string &text);

/// Writes `bytes` to a file.
void writeFile(const std::string &path, const std::string &bytes);

/// All of a file; fails the test if there is none.
std::string readFile(const std::string &path);

/// The file of constants, as it should be.
std::string constantBytes();

} // namespace weft::test

#endif // WEFT_TEST_RUNTIME_SESSIONTEST_H
