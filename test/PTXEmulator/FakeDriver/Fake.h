//===- Fake.h - The calls of the fake driver --------------------*- C++ -*-===//

#ifndef WEFT_TEST_PTXEMULATOR_FAKEDRIVER_FAKE_H
#define WEFT_TEST_PTXEMULATOR_FAKEDRIVER_FAKE_H

#include "CUDA/driver_api.h"
#include "weft/PTXEmulator/FakeDriver.h"
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace weft::test {

/// The fake driver, loaded.
struct Fake {
#define WEFT_DRIVER_CALL(name, parameters) CUresult(*name) parameters = nullptr;
#include "CUDA/driver_table.def"
#define WEFT_DRIVER_CALL(name, parameters) CUresult(*name) parameters = nullptr;
#include "more_calls.def"
  decltype(&weft_fake_fail) fail = nullptr;
  decltype(&weft_fake_calls) calls = nullptr;
  decltype(&weft_fake_leaks) leaks = nullptr;
  decltype(&weft_fake_reset) reset = nullptr;
};

/// A context that is current, a stream, and nothing else.
class FakeDriverTest : public testing::Test {
protected:
  static void SetUpTestSuite();
  void SetUp() override;
  /// Nothing may be left.
  void TearDown() override;

  /// PTX of a kernel `increase(values, count)`, which adds 1 to each u32, with
  /// the target, and a variable `limit` of 8 bytes.
  static std::string increase(const std::string &target = "sm_80");
  void load();
  /// Launches it for `count` values.
  CUresult launch(CUdeviceptr values, unsigned count, CUstream stream);
  CUresult launch(CUdeviceptr values, unsigned count) {
    return launch(values, count, stream);
  }
  /// Device memory with these values.
  CUdeviceptr allocate(const std::vector<unsigned> &values);
  std::vector<unsigned> read(CUdeviceptr address, size_t count);

  static Fake fake;
  CUcontext context = nullptr;
  CUstream stream = nullptr;
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  std::vector<CUdeviceptr> memory;
};

/// Fails the test unless a call succeeds.
#define OK(...) ASSERT_EQ(__VA_ARGS__, CUDA_SUCCESS)

} // namespace weft::test

#endif // WEFT_TEST_PTXEMULATOR_FAKEDRIVER_FAKE_H
