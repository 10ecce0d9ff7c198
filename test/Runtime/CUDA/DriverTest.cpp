//===- DriverTest.cpp - Finding the CUDA driver ---------------------------===//

#include <gtest/gtest.h>
#include <string>

extern "C" {
#include "CUDA/driver_table.h"
}

namespace {

std::string pathOf(const std::string &driver) {
  return WEFT_TEST_DRIVERS "/" + driver + ".so";
}

void expectFailure(const std::string &path, weft_status status,
                   const std::string &message) {
  weft_driver driver;
  EXPECT_EQ(weft_driver_load(path.c_str(), &driver), status);
  EXPECT_EQ(driver.library, nullptr);
  std::string found = weft_last_error();
  EXPECT_EQ(found.substr(0, 9), "WFT" + std::to_string(status) + ": ");
  EXPECT_NE(found.find(message), std::string::npos) << found;
}

TEST(DriverTest, saysThatThereIsNone) {
  expectFailure("libno-such-cuda.so.1", WEFT_ERROR_DRIVER_MISSING,
                "there is no CUDA driver: libno-such-cuda.so.1: cannot open");
  expectFailure(WEFT_TEST_DRIVERS "/CTestTestfile.cmake",
                WEFT_ERROR_DRIVER_MISSING, "there is no CUDA driver");
}

TEST(DriverTest, saysThatItIsTooOld) {
  expectFailure(pathOf("driver-old"), WEFT_ERROR_DRIVER_OLD,
                "driver-old.so\" is too old: it serves CUDA 11.4, needed is "
                "12.0 or newer");
}

TEST(DriverTest, namesTheCallThatIsMissing) {
  expectFailure(pathOf("driver-incomplete"), WEFT_ERROR_DRIVER_SYMBOL,
                "driver-incomplete.so\" of CUDA 13.0 lacks cuGraphLaunch");
  expectFailure("libm.so.6", WEFT_ERROR_DRIVER_SYMBOL,
                "\"libm.so.6\" lacks cuDriverGetVersion: it is no CUDA driver, "
                "or a broken one");
}

TEST(DriverTest, saysThatThereIsNoGPU) {
  expectFailure(pathOf("driver-no-gpu"), WEFT_ERROR_NO_DEVICE,
                "driver-no-gpu.so\" finds no GPU: ");
}

TEST(DriverTest, saysThatItIsAStub) {
  expectFailure(pathOf("driver-stub"), WEFT_ERROR_DRIVER_MISSING,
                "driver-stub.so\" is a stub to link with, not a driver: ");
}

TEST(DriverTest, saysThatItDoesNotStart) {
  expectFailure(pathOf("driver-mismatch"), WEFT_ERROR_DEVICE_CALL,
                "driver-mismatch.so\" does not start: an unknown error (803) "
                "from cuInit");
}

TEST(DriverTest, findsAllCalls) {
  weft_driver driver;
  ASSERT_EQ(weft_driver_load(pathOf("driver-whole").c_str(), &driver), WEFT_OK)
      << weft_last_error();
  EXPECT_EQ(driver.version, 13000);
  EXPECT_EQ(driver.cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
  weft_driver_unload(&driver);
  EXPECT_EQ(driver.library, nullptr);
}

} // namespace
