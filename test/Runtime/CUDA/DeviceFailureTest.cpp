//===- DeviceFailureTest.cpp - Runs on a GPU that fail --------------------===//

#include "DeviceTest.h"
#include <fstream>
#include <set>
#include <sstream>

using namespace weft::test;

namespace {

//===----------------------------------------------------------------------===//
// Starting
//===----------------------------------------------------------------------===//

class DeviceStartTest : public DeviceTest {
protected:
  void expectNoSession(weft_status status, const std::string &message,
                       const weft_session_options *options = nullptr) {
    EXPECT_EQ(create(options), status);
    EXPECT_EQ(session, nullptr);
    std::string found = weft_last_error();
    EXPECT_NE(found.find(message), std::string::npos)
        << "found:  " << found << "\nwanted: " << message;
  }
};

TEST_F(DeviceStartTest, namesTheGPUThatIsNotThere) {
  weft_session_options options;
  weft_session_options_init(&options);
  options.device = 3;
  expectNoSession(WEFT_ERROR_NO_DEVICE,
                  "WFT5404: there is no GPU 3; the driver finds 1", &options);
}

TEST_F(DeviceStartTest, refusesCodeForOtherGPUs) {
  Environment environment("WEFT_FAKECUDA_SM", "80");
  expectNoSession(WEFT_ERROR_DEVICE_CODE,
                  "WFT5405: cuModuleLoadDataEx failed: "
                  "CUDA_ERROR_NO_BINARY_FOR_GPU (209, no details), while "
                  "loading the program's code on \"PTX emulator sm_80\" "
                  "(sm_80): the image has no PTX for sm_80; it holds machine "
                  "code, PTX for sm_90");
}

TEST_F(DeviceStartTest, tellsWhereThePTXIsWrong) {
  image = makeFatBinary(".version 8.0\n.target sm_80\n.address_size 64\n"
                        ".visible .entry k() {\n  nonsense;\n}\n");
  code.image = image.data();
  expectNoSession(WEFT_ERROR_DEVICE_CODE, "(sm_90): line 5: ");
}

TEST_F(DeviceStartTest, namesTheKernelThatIsNotThere) {
  weft_device_kernel kernel = {"gone", 0, 0, {1, 1, 1}, {0, 0, 0}};
  code.kernels = &kernel;
  code.num_kernels = 1;
  expectNoSession(WEFT_ERROR_DEVICE_CODE,
                  "WFT5405: the program's code has no kernel \"gone\"");
}

//===----------------------------------------------------------------------===//
// Memory and launches
//===----------------------------------------------------------------------===//

TEST_F(DeviceTest, saysWhatDoesNotFitIntoMemory) {
  Environment environment("WEFT_FAKECUDA_MEMORY", "1000000");
  open();
  runAndCheck(1000);
  expectFailure(
      300000, WEFT_ERROR_DEVICE_MEMORY,
      "WFT5406: cuMemAlloc_v2 failed: CUDA_ERROR_OUT_OF_MEMORY (2, "
      "out of memory), while reserving 1200000 bytes for the arena; ");
  EXPECT_NE(std::string(weft_last_error())
                .find(" of the 1000000 bytes of the GPU are free"),
            std::string::npos)
      << weft_last_error();
  expectFailure(100000, WEFT_ERROR_DEVICE_MEMORY,
                "while making room for the output \"y\"; ");
  runAndCheck(1000);
}

TEST_F(DeviceTest, saysWhatIsAllocatedInVain) {
  Environment environment("WEFT_FAKECUDA_MEMORY", "1000000");
  code.replayable = 0;
  body = [](weft_run *run) -> int32_t {
    return !weft_rt_device_allocate(run, "node \"Range_7\" (Range)", 2000000);
  };
  open();
  expectFailure(10, WEFT_ERROR_FAULT_MEMORY,
                "WFT5305: no memory for 2000000 bytes: node \"Range_7\"");
  body = [](weft_run *run) -> int32_t {
    return !weft_rt_device_allocate(run, "node \"Range_7\" (Range)", -1);
  };
  expectFailure(10, WEFT_ERROR_FAULT_NEGATIVE,
                "WFT5304: size -1 is negative: node \"Range_7\"");
}

TEST_F(DeviceTest, refusesLaunchesThatNoGPUTakes) {
  body = [](weft_run *run) -> int32_t {
    int64_t grid[] = {1, 70000, 1};
    return weft_rt_device_launch(run, ADD, grid, 0, nullptr);
  };
  open();
  expectFailure(10, WEFT_ERROR_DEVICE_LAUNCH,
                "WFT5407: a grid of 1 x 70000 x 1 blocks does not fit \"PTX "
                "emulator sm_90\", which takes 2147483647 x 65535 x 65535, in "
                "kernel \"add_1\" of nodes \"Add_1\", \"Add_2\"");
  body = [](weft_run *run) -> int32_t {
    int64_t grid[] = {1, 1, 1};
    return weft_rt_device_launch(run, ADD, grid, 300000, nullptr);
  };
  expectFailure(10, WEFT_ERROR_DEVICE_LAUNCH,
                "WFT5407: 300000 bytes of dynamic shared memory do not fit "
                "\"PTX emulator sm_90\", whose blocks have 232448, in kernel");
  body = [](weft_run *run) -> int32_t {
    int64_t grid[] = {3, 1, 1};
    void *y = weft_rt_device_arena(run), *args[] = {&y};
    return weft_rt_device_launch(run, CLUSTER, grid, 0, args);
  };
  expectFailure(10, WEFT_ERROR_DEVICE_CALL,
                "WFT5409: cuLaunchKernelEx failed: "
                "CUDA_ERROR_INVALID_CLUSTER_SIZE (912, no details), in kernel "
                "\"scale_0\" of nodes \"Mul_0\"");
  body = compute;
  runAndCheck(10);
}

TEST_F(DeviceTest, refusesTensorMapsThatDoNotExist) {
  body = [](weft_run *run) -> int32_t {
    unsigned char bytes[WEFT_TENSOR_MAP_BYTES];
    weft_tensor_map map = {WEFT_F16, 6, {64, 8, 0, 0, 0}, 128};
    return weft_rt_device_tensor_map(run, &map, nullptr, nullptr, nullptr,
                                     bytes);
  };
  open();
  expectFailure(10, WEFT_ERROR_DEVICE_LAUNCH,
                "WFT5407: there are no tensor maps of rank 6 and type f16");
}

TEST_F(DeviceTest, noticesProgramsThatFailWithoutAReason) {
  open();
  body = [](weft_run *) -> int32_t { return 5; };
  expectFailure(10, WEFT_ERROR_NO_REASON,
                "WFT5307: the program returned 5 without reporting a fault");
  body = [](weft_run *) -> int32_t { return 0; };
  expectFailure(10, WEFT_ERROR_NO_OUTPUT,
                "WFT5308: the program did not write output \"y\"");
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

int32_t runWild(weft_run *run) {
  int64_t n = *weft_rt_symbols(run);
  void *y = weft_rt_device_output(run, 0, &n), *args[] = {&y};
  int64_t grid[] = {1, 1, 1};
  return weft_rt_device_launch(run, WILD, grid, 0, args);
}

// The first run with a size waits for each kernel.
TEST_F(DeviceTest, namesTheKernelThatWritesOutOfBounds) {
  open();
  body = [](weft_run *run) -> int32_t { return compute(run) || runWild(run); };
  expectFailure(10, WEFT_ERROR_DEVICE_KERNEL,
                "WFT5408: cuStreamSynchronize failed: "
                "CUDA_ERROR_ILLEGAL_ADDRESS (700, ");
  std::string message = weft_last_error();
  EXPECT_NE(message.find("st.global"), std::string::npos) << message;
  EXPECT_NE(
      message.find("), in kernel \"add_1\" of nodes \"Add_1\", \"Add_2\""),
      std::string::npos)
      << message;
  // Nothing works after that, and says why.
  expectFailure(10, WEFT_ERROR_DEVICE_LOST,
                "WFT5410: the GPU \"PTX emulator sm_90\" was lost in an "
                "earlier run: cuStreamSynchronize failed: "
                "CUDA_ERROR_ILLEGAL_ADDRESS (700, ");
}

// Later ones do not, unless they are asked to.
TEST_F(DeviceTest, saysHowToFindTheKernelOfALaterRun) {
  code.replayable = 0;
  open();
  runAndCheck(10);
  body = [](weft_run *run) -> int32_t { return compute(run) || runWild(run); };
  expectFailure(10, WEFT_ERROR_DEVICE_KERNEL,
                ", while waiting for the run, in one of the 3 kernels of this "
                "run; WEFT_CUDA_CAREFUL=1 in the environment tells in which");
}

TEST_F(DeviceTest, waitsForEachKernelIfAsked) {
  Environment environment("WEFT_CUDA_CAREFUL", "1");
  open();
  runAndCheck(10);
  runAndCheck(10);
  EXPECT_EQ(fakeDriver.calls("cuStreamBeginCapture_v2"), 0);
  body = [](weft_run *run) -> int32_t { return compute(run) || runWild(run); };
  expectFailure(10, WEFT_ERROR_DEVICE_KERNEL,
                "), in kernel \"add_1\" of nodes \"Add_1\", \"Add_2\"");
}

TEST_F(DeviceTest, namesTheKernelIfThereIsButOne) {
  code.replayable = 0;
  body = [](weft_run *run) -> int32_t {
    int64_t n = *weft_rt_symbols(run);
    return !weft_rt_device_output(run, 0, &n);
  };
  open();
  ASSERT_EQ(run(10), WEFT_OK) << weft_last_error();
  body = runWild;
  expectFailure(10, WEFT_ERROR_DEVICE_KERNEL,
                ", while waiting for the run, in kernel \"add_1\" of nodes");
}

//===----------------------------------------------------------------------===//
// Every call of the driver, failing
//===----------------------------------------------------------------------===//

const char *const allCalls[] = {
#define WEFT_DRIVER_CALL(name, parameters) #name,
#include "CUDA/driver_table.def"
};

// What is released is gone even if the driver complains, and a graph that
// cannot be updated is instantiated anew. The others serve to describe errors.
const std::set<std::string> mayFail = {
    "cuCtxPopCurrent_v2",   "cuDevicePrimaryCtxRelease_v2",
    "cuEventDestroy_v2",    "cuGetErrorName",
    "cuGetErrorString",     "cuGraphExecDestroy",
    "cuGraphExecUpdate_v2", "cuMemFreeHost",
    "cuMemFree_v2",         "cuMemGetInfo_v2",
    "cuModuleUnload",       "cuStreamDestroy_v2",
};

// Called once in the life of the process.
const std::set<std::string> atStart = {"cuInit", "cuDriverGetVersion"};

class EveryCallTest : public DeviceTest {
protected:
  /// Starts a session and uses all that there is, until something fails.
  weft_status useAll(bool profile) {
    weft_session_options options;
    weft_session_options_init(&options);
    options.threads = 1;
    options.profile = profile;
    weft_status status = create(&options);
    for (int64_t n : {100, 100, 5000, 5000, 100, 100})
      if (!status) {
        status = run(n, static_cast<float>(n));
        EXPECT_EQ(status == WEFT_OK, output.data != nullptr);
        if (!status)
          EXPECT_TRUE(isRight());
      }
    return status;
  }

  static int32_t useEverything(weft_run *run) {
    alignas(
        WEFT_TENSOR_MAP_ALIGNMENT) unsigned char bytes[WEFT_TENSOR_MAP_BYTES];
    weft_tensor_map map = {WEFT_F32, 1, {32, 0, 0, 0, 0}, 0};
    int64_t size = *weft_rt_symbols(run), n = 128;
    auto count = static_cast<int32_t>(n);
    void *arena = weft_rt_device_arena(run);
    if (weft_rt_device_tensor_map(run, &map, arena, &size, nullptr, bytes))
      return 1;
    const void *x = weft_rt_device_input(run, 0);
    void *y = x ? weft_rt_device_output(run, 0, &size) : nullptr;
    if (!y || !weft_rt_device_faults(run) ||
        weft_rt_device_copy(run, y, x, size * 4) ||
        weft_rt_device_fill(run, y, 0, 4) ||
        weft_rt_device_store(run, y, 1, 8) ||
        weft_rt_device_require(run, "", WEFT_FAULT_INDEX_OUT_OF_RANGE, y, 2))
      return 1;
    if (size >= n && launch(run, REVERSE, n, {&x, &y, &count}, 65536))
      return 1;
    return compute(run);
  }

  static int32_t allocateToo(weft_run *run) {
    char byte = 7;
    void *memory = weft_rt_device_allocate(run, nullptr, 1);
    if (!memory || weft_rt_device_upload(run, memory, &byte, 1) ||
        weft_rt_device_download(run, &byte, memory, 1))
      return 1;
    EXPECT_EQ(byte, 7);
    return useEverything(run);
  }

  /// Makes each call fail in turn. Returns the calls that were made.
  void failEach(bool profile, std::set<std::string> &made) {
    for (const char *name : allCalls) {
      if (atStart.count(name))
        continue;
      for (int nth = 1;; ++nth) {
        fakeDriver.reset();
        int result = nth % 3 == 0 ? CUDA_UNKNOWN : nth % 3;
        fakeDriver.fail(name, nth, result);
        checkOutcome(name, nth, useAll(profile));
        close();
        ASSERT_EQ(leaks(), "") << name << " " << nth;
        if (fakeDriver.calls(name) < nth)
          break;
        made.insert(name);
      }
    }
  }

  enum { CUDA_UNKNOWN = 999 };

  void checkOutcome(const std::string &name, int nth, weft_status status) {
    if (fakeDriver.calls(name.c_str()) < nth || mayFail.count(name)) {
      EXPECT_EQ(status, WEFT_OK) << name << " " << nth << weft_last_error();
      return;
    }
    std::string message = weft_last_error();
    EXPECT_NE(status, WEFT_OK) << name << " " << nth;
    // Memory whose size is data is missed by a node of the model.
    bool isFault = status == WEFT_ERROR_FAULT_MEMORY;
    EXPECT_EQ(isFault, name == "cuMemAllocAsync" && nth % 3 == 2) << message;
    EXPECT_NE(message.find(isFault ? "no memory for 1 bytes"
                                   : name + " failed: CUDA_ERROR_"),
              std::string::npos)
        << name << " " << nth << ": " << message;
    // The next run is as if nothing had been.
    if (session)
      runAndCheck(77);
  }
};

TEST_F(EveryCallTest, givesAClearErrorWhenItFails) {
  std::set<std::string> made;
  body = useEverything;
  failEach(/*profile=*/false, made);
  failEach(/*profile=*/true, made);
  code.replayable = 0;
  body = allocateToo;
  failEach(/*profile=*/false, made);
  std::set<std::string> others = {"cuGetErrorName", "cuGetErrorString",
                                  "cuMemGetInfo_v2", "cuDeviceTotalMem_v2",
                                  // Of training alone: DeviceStateTest.
                                  "cuStreamWaitEvent"};
  for (const char *name : allCalls)
    EXPECT_TRUE(made.count(name) || atStart.count(name) || others.count(name))
        << name << " is never called";
}

// An error that ends the context, wherever it shows.
TEST_F(EveryCallTest, survivesTheLossOfTheGPU) {
  body = useEverything;
  for (const char *name : allCalls) {
    if (atStart.count(name) || mayFail.count(name))
      continue;
    fakeDriver.reset();
    fakeDriver.fail(name, 1, 700);
    weft_status status = useAll(/*profile=*/false);
    if (fakeDriver.calls(name) >= 1) {
      EXPECT_EQ(status, WEFT_ERROR_DEVICE_KERNEL) << name;
      if (session)
        EXPECT_EQ(run(10), WEFT_ERROR_DEVICE_LOST) << weft_last_error();
    }
    close();
    ASSERT_EQ(leaks(), "") << name;
  }
}

//===----------------------------------------------------------------------===//
// What the fake driver writes
//===----------------------------------------------------------------------===//

TEST_F(DeviceTest, canBeSeenInALog) {
  const std::string path = WEFT_TEST_DRIVERS "/calls.log";
  {
    Environment environment("WEFT_FAKECUDA_LOG", path.c_str());
    open();
    runAndCheck(10);
    close();
  }
  fakeDriver.reset();
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find("cuModuleGetFunction(0x"), std::string::npos);
  EXPECT_NE(text.str().find(", \"scale\") = 0\n"), std::string::npos);
  EXPECT_NE(text.str().find("cuDevicePrimaryCtxRelease_v2(0) = 0\n"),
            std::string::npos);
}

} // namespace
