//===- DeviceTest.h - Sessions of a program with device code ----*- C++ -*-===//
//
// The model has the inputs x : f32 [N] and the outputs y : f32 [N], and two
// constants, "one" and "weights" : f32 [4]. What its program does is written in
// each test, against the functions that a compiled one calls. It runs on the
// fake driver.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_RUNTIME_CUDA_DEVICETEST_H
#define WEFT_TEST_RUNTIME_CUDA_DEVICETEST_H

#include "weft-rt/weft.h"
#include "weft/PTXEmulator/FakeDriver.h"
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace weft::test {

/// The kernels of the program, in the order of the table.
enum DeviceKernel {
  SCALE,   ///< (x, y, n): y = 2 x
  ADD,     ///< (x, c, y, n): y = x + c[0]
  WILD,    ///< (y): writes far behind y
  CHECK,   ///< (x, faults, n): reports the first x below 0 as a fault
  REVERSE, ///< (x, y, n): reverses 128 elements by way of dynamic shared memory
  CLUSTER, ///< (y): y[block] = the number of the block in its cluster of two
};

/// A fatbin with an entry of machine code that no GPU takes, and one of PTX.
std::string makeFatBinary(const std::string &ptx);

/// The PTX of the kernels, for `target`.
std::string kernelsFor(const std::string &target);

class DeviceTest : public testing::Test {
protected:
  /// Loads the fake driver, as the runtime does.
  static void SetUpTestSuite();
  void SetUp() override;
  /// Ends the session, after which nothing may be left on the device.
  void TearDown() override;

  /// Opens the model.
  void open(const weft_session_options *options = nullptr);
  weft_status create(const weft_session_options *options = nullptr);
  void close();
  /// Runs with x = 0.5, 1.5 and so on, `n` of them, plus `offset`.
  weft_status run(int64_t n, float offset = 0);
  /// Runs, and checks that y = 2 x + 1.
  void runAndCheck(int64_t n, float offset = 0);
  /// Whether y = 2 x + 1 after the last run.
  bool isRight() const;
  /// Fails the test unless a run fails so.
  void expectFailure(int64_t n, weft_status status, const std::string &message);

  /// Launches with blocks of 128 threads, enough for `n`.
  static int32_t launch(weft_run *run, DeviceKernel kernel, int64_t n,
                        std::vector<void *> args, int64_t shared = 0);
  /// y = 2 x + 1 by way of the arena.
  static int32_t compute(weft_run *run);

  /// What the program does.
  static std::function<int32_t(weft_run *)> body;

  weft_device_code code;
  weft_program program;
  std::string image;
  weft_model *model = nullptr;
  weft_session *session = nullptr;
  std::vector<float> x;
  weft_tensor output = {};
};

/// Sets a variable of the environment while it lives, and restarts the fake
/// driver.
class Environment {
public:
  Environment(const char *name, const char *value);
  ~Environment();

private:
  const char *name;
};

/// The controls of the fake driver.
struct FakeDriver {
  void (*fail)(const char *, int, int) = nullptr;
  int (*calls)(const char *) = nullptr;
  size_t (*leaks)(char *, size_t) = nullptr;
  void (*reset)() = nullptr;
};
extern FakeDriver fakeDriver;

/// What is alive on the device.
std::string leaks();

} // namespace weft::test

#endif // WEFT_TEST_RUNTIME_CUDA_DEVICETEST_H
