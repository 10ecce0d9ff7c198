//===- CodeTest.cpp - Modules, kernels and devices of the fake driver -----===//

#include "Fake.h"
#include "FatBinary.h"
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace weft::test;
using weft::ptx::fake::findPTX;

namespace {

using Values = std::vector<unsigned>;

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

struct Entry {
  uint16_t kind;
  std::string bytes;
  uint32_t compressed = 0;
};

std::string fatbin(const std::vector<Entry> &entries) {
  std::string body;
  for (const Entry &entry : entries) {
    std::string head(64, '\0');
    uint32_t headBytes = 64;
    uint64_t bytes = entry.bytes.size();
    memcpy(&head[0], &entry.kind, 2);
    memcpy(&head[4], &headBytes, 4);
    memcpy(&head[8], &bytes, 8);
    memcpy(&head[16], &entry.compressed, 4);
    body += head + entry.bytes;
  }
  std::string head(16, '\0');
  uint32_t magic = 0xba55ed50;
  uint16_t version = 1, headBytes = 16;
  uint64_t bytes = body.size();
  memcpy(&head[0], &magic, 4);
  memcpy(&head[4], &version, 2);
  memcpy(&head[6], &headBytes, 2);
  memcpy(&head[8], &bytes, 8);
  return head + body;
}

std::string targeting(const std::string &target) {
  return ".version 8.0\n.target " + target + ", texmode_independent\n";
}

TEST(FatBinaryTest, choosesThePTXThatFitsBest) {
  std::string image = fatbin({{2, "machine code"},
                              {1, targeting("sm_80")},
                              {1, targeting("sm_90")},
                              {1, targeting("sm_90a")},
                              {1, targeting("sm_75")}});
  auto choose = [&](int sm) {
    std::string ptx, reason;
    EXPECT_EQ(findPTX(image.data(), sm, ptx, reason), CUDA_SUCCESS) << reason;
    return ptx;
  };
  EXPECT_EQ(choose(75), targeting("sm_75"));
  EXPECT_EQ(choose(89), targeting("sm_80"));
  EXPECT_EQ(choose(90), targeting("sm_90a"));
  // sm_90a is for sm_90 alone.
  EXPECT_EQ(choose(100), targeting("sm_90"));
}

TEST(FatBinaryTest, saysWhatIsWrong) {
  auto expect = [](const std::string &image, CUresult result,
                   const std::string &reason) {
    std::string ptx, found;
    EXPECT_EQ(findPTX(image.data(), 80, ptx, found), result);
    EXPECT_EQ(found, reason);
  };
  expect(fatbin({{2, "machine code"}, {1, targeting("sm_90a")}, {1, "?"}}),
         CUDA_ERROR_NO_BINARY_FOR_GPU,
         "the image has no PTX for sm_80; it holds machine code, PTX for "
         "sm_90a, PTX without a target");
  expect(fatbin({{1, "(\xb5/\xfd", 100}, {64, "?"}}),
         CUDA_ERROR_NO_BINARY_FOR_GPU,
         "the image has no PTX for sm_80; it holds compressed PTX, something "
         "else");
  expect(fatbin({}), CUDA_ERROR_NO_BINARY_FOR_GPU,
         "the image has no PTX for sm_80; it holds nothing");
  expect("\x7f"
         "ELF machine code",
         CUDA_ERROR_NO_BINARY_FOR_GPU,
         "the image is machine code, which the emulator does not run");
  expect("something", CUDA_ERROR_INVALID_IMAGE,
         "the image is neither a fatbin nor PTX");
  // The head says that there is more than there is in the entry.
  std::string cut = fatbin({{1, targeting("sm_80")}});
  uint64_t bytes = 1000;
  memcpy(&cut[16 + 8], &bytes, 8);
  expect(cut, CUDA_ERROR_INVALID_IMAGE, "the fatbin is cut off or damaged");
}

TEST_F(FakeDriverTest, explainsPTXThatIsWrong) {
  testing::internal::CaptureStderr();
  std::string ptx = increase() + "nonsense\n";
  char log[200] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log))};
  EXPECT_EQ(fake.cuModuleLoadDataEx(&module, ptx.c_str(), 2, options, values),
            CUDA_ERROR_INVALID_PTX);
  EXPECT_EQ(strncmp(log, "line ", 5), 0) << log;
  EXPECT_NE(testing::internal::GetCapturedStderr().find("fakecuda: line "),
            std::string::npos);
  EXPECT_EQ(fake.cuModuleLoadData(&module, increase("sm_120").c_str()),
            CUDA_ERROR_NO_BINARY_FOR_GPU);
  module = nullptr;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

TEST_F(FakeDriverTest, loadsLibrariesWithoutAContext) {
  OK(fake.cuCtxSetCurrent(nullptr));
  CUlibrary library;
  CUkernel kernel;
  std::string ptx = increase();
  OK(fake.cuLibraryLoadData(&library, ptx.c_str(), nullptr, nullptr, 0, nullptr,
                            nullptr, 0));
  OK(fake.cuLibraryGetKernel(&kernel, library, "increase"));
  OK(fake.cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                               100000, kernel, 0));
  EXPECT_EQ(fake.cuStreamSynchronize(stream), CUDA_ERROR_INVALID_CONTEXT);
  OK(fake.cuCtxSetCurrent(context));
  // A kernel of a library is launched as a function.
  function = reinterpret_cast<CUfunction>(kernel);
  CUdeviceptr values = allocate({41});
  OK(launch(values, 1));
  EXPECT_EQ(read(values, 1), Values{42});
  OK(fake.cuLibraryUnload(library));
  EXPECT_EQ(launch(values, 1), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(FakeDriverTest, findsFunctionsAndVariables) {
  load();
  CUfunction again, none;
  OK(fake.cuModuleGetFunction(&again, module, "increase"));
  EXPECT_EQ(again, function);
  EXPECT_EQ(fake.cuModuleGetFunction(&none, module, "decrease"),
            CUDA_ERROR_NOT_FOUND);
  CUdeviceptr variable = 0;
  size_t bytes = 0;
  OK(fake.cuModuleGetGlobal_v2(&variable, &bytes, module, "limit"));
  EXPECT_EQ(bytes, 8u);
  OK(fake.cuMemsetD32Async(variable, 5, 2, stream));
  EXPECT_EQ(read(variable, 2), (Values{5, 5}));
  EXPECT_EQ(fake.cuModuleGetGlobal_v2(&variable, &bytes, module, "none"),
            CUDA_ERROR_NOT_FOUND);
}

TEST_F(FakeDriverTest, tellsAndSetsAttributesOfKernels) {
  load();
  auto get = [&](CUfunction_attribute attribute) {
    int value = -1;
    EXPECT_EQ(fake.cuFuncGetAttribute(&value, attribute, function),
              CUDA_SUCCESS);
    return value;
  };
  EXPECT_EQ(get(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 1024);
  EXPECT_EQ(get(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), 0);
  EXPECT_EQ(get(CU_FUNC_ATTRIBUTE_PTX_VERSION), 80);
  EXPECT_EQ(get(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES), 49152);
  auto set = [&](int value) {
    return fake.cuFuncSetAttribute(
        function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, value);
  };
  EXPECT_EQ(set(232449), CUDA_ERROR_INVALID_VALUE);
  int blocks = -1;
  auto occupy = [&](int threads, size_t shared) {
    EXPECT_EQ(fake.cuOccupancyMaxActiveBlocksPerMultiprocessor(
                  &blocks, function, threads, shared),
              CUDA_SUCCESS);
    return blocks;
  };
  EXPECT_EQ(occupy(32, 0), 32);
  EXPECT_EQ(occupy(250, 0), 8);
  EXPECT_EQ(occupy(32, 100000), 0); // has not been asked for
  OK(set(232448));
  EXPECT_EQ(get(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES), 232448);
  EXPECT_EQ(occupy(32, 100000), 2);
  EXPECT_EQ(occupy(2000, 0), 0);
}

TEST_F(FakeDriverTest, refusesLaunchesAsDriversDo) {
  load();
  CUdeviceptr values = allocate({1});
  unsigned count = 1;
  void *params[] = {&values, &count};
  auto start = [&](unsigned x, unsigned y, unsigned threads, unsigned shared,
                   void **args) {
    return fake.cuLaunchKernel(function, x, y, 1, threads, 1, 1, shared, stream,
                               args, nullptr);
  };
  EXPECT_EQ(start(0, 1, 32, 0, params), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(start(1, 65536, 32, 0, params), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(start(1, 1, 1025, 0, params), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(start(1, 1, 32, 49153, params), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(start(1, 1, 32, 0, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(fake.cuLaunchKernel(nullptr, 1, 1, 1, 32, 1, 1, 0, stream, params,
                                nullptr),
            CUDA_ERROR_INVALID_HANDLE);
  CUlaunchAttribute cluster = {};
  cluster.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  CUlaunchConfig config = {3, 1, 1, 32, 1, 1, 0, stream, &cluster, 1};
  auto clustered = [&](unsigned x) {
    cluster.value.clusterDim.x = x;
    cluster.value.clusterDim.y = cluster.value.clusterDim.z = 1;
    return fake.cuLaunchKernelEx(&config, function, params, nullptr);
  };
  EXPECT_EQ(clustered(2), CUDA_ERROR_INVALID_CLUSTER_SIZE);
  config.gridDimX = 16;
  EXPECT_EQ(clustered(16), CUDA_ERROR_INVALID_CLUSTER_SIZE);
  cluster.id = static_cast<CUlaunchAttributeID>(2); // cooperative
  EXPECT_EQ(fake.cuLaunchKernelEx(&config, function, params, nullptr),
            CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(read(values, 1), Values{1}); // nothing was launched
}

TEST_F(FakeDriverTest, endsTheContextWithAKernelThatFails) {
  load();
  testing::internal::CaptureStderr();
  CUdeviceptr values = allocate({1, 2});
  OK(launch(values, 3)); // one too many
  EXPECT_EQ(fake.cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  std::string told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("fakecuda: "), std::string::npos);
  EXPECT_NE(told.find("ld.global.u32"), std::string::npos) << told;
  const char *text = nullptr, *name = nullptr;
  OK(fake.cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &name));
  EXPECT_STREQ(name, "CUDA_ERROR_ILLEGAL_ADDRESS");
  OK(fake.cuGetErrorString(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
  EXPECT_EQ("fakecuda: " + std::string(text) + "\n", told);
  EXPECT_EQ(launch(values, 1), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(fake.cuGetErrorName(static_cast<CUresult>(12345), &name),
            CUDA_ERROR_INVALID_VALUE);
}

//===----------------------------------------------------------------------===//
// Devices, tensor maps and names
//===----------------------------------------------------------------------===//

TEST_F(FakeDriverTest, isTheGPUThatTheEnvironmentSays) {
  auto get = [&](CUdevice_attribute attribute) {
    int value = -1;
    EXPECT_EQ(fake.cuDeviceGetAttribute(&value, attribute, 0), CUDA_SUCCESS);
    return value;
  };
  EXPECT_EQ(get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR), 9);
  EXPECT_EQ(get(CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH), 1);
  EXPECT_EQ(get(CU_DEVICE_ATTRIBUTE_WARP_SIZE), 32);
  int value;
  EXPECT_EQ(fake.cuDeviceGetAttribute(&value,
                                      static_cast<CUdevice_attribute>(5000), 0),
            CUDA_ERROR_INVALID_VALUE);
  CUdevice device;
  EXPECT_EQ(fake.cuDeviceGet(&device, 1), CUDA_ERROR_INVALID_DEVICE);
  CUuuid uuid;
  OK(fake.cuDeviceGetUuid_v2(&uuid, 0));
  setenv("WEFT_FAKECUDA_SM", "86", 1);
  fake.reset();
  unsetenv("WEFT_FAKECUDA_SM");
  EXPECT_EQ(get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR), 6);
  EXPECT_EQ(get(CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH), 0);
  EXPECT_EQ(get(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN), 101376);
  // Restored for the end of the test.
  OK(fake.cuDevicePrimaryCtxRetain(&context, 0));
  OK(fake.cuStreamCreateWithPriority(&stream, 0, 0));
}

TEST_F(FakeDriverTest, encodesTensorMaps) {
  CUdeviceptr values = allocate(Values(256));
  CUtensorMap map = {}, other = {};
  uint64_t sizes[] = {16, 16}, strides[] = {64};
  uint32_t box[] = {8, 8}, ones[] = {1, 1};
  auto encode = [&](CUdeviceptr address) {
    return fake.cuTensorMapEncodeTiled(
        &map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 2,
        reinterpret_cast<void *>(address), sizes, strides, box, ones,
        CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_32B,
        CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  };
  OK(encode(values));
  other = map;
  OK(fake.cuTensorMapReplaceAddress(&map,
                                    reinterpret_cast<void *>(values + 512)));
  EXPECT_NE(memcmp(&map, &other, sizeof(map)), 0);
  OK(encode(values));
  EXPECT_EQ(memcmp(&map, &other, sizeof(map)), 0);
  testing::internal::CaptureStderr();
  EXPECT_EQ(encode(values + 4), CUDA_ERROR_INVALID_VALUE); // not aligned
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "fakecuda: cuTensorMapEncodeTiled: "),
            std::string::npos);
}

TEST_F(FakeDriverTest, findsCallsByName) {
  void *address = nullptr;
  CUdriverProcAddressQueryResult status;
  OK(fake.cuGetProcAddress_v2("cuMemAlloc", &address, 12000, 0, &status));
  EXPECT_EQ(address, reinterpret_cast<void *>(fake.cuMemAlloc_v2));
  OK(fake.cuGetProcAddress_v2("cuStreamGetCaptureInfo", &address, 13000, 0,
                              &status));
  EXPECT_EQ(address, reinterpret_cast<void *>(fake.cuStreamGetCaptureInfo_v3));
  OK(fake.cuGetProcAddress_v2("cuNothing", &address, 12000, 0, &status));
  EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
  EXPECT_EQ(address, nullptr);
}

//===----------------------------------------------------------------------===//
// The environment
//===----------------------------------------------------------------------===//

TEST_F(FakeDriverTest, failsWhatTheEnvironmentSays) {
  setenv("WEFT_FAKECUDA_FAIL", "cuMemAlloc_v2:2=2,cuEventCreate:1=999", 1);
  fake.reset();
  unsetenv("WEFT_FAKECUDA_FAIL");
  OK(fake.cuDevicePrimaryCtxRetain(&context, 0));
  OK(fake.cuStreamCreateWithPriority(&stream, 0, 0));
  CUdeviceptr first = 0, second = 0;
  CUevent event;
  OK(fake.cuMemAlloc_v2(&first, 4));
  EXPECT_EQ(fake.cuMemAlloc_v2(&second, 4), CUDA_ERROR_OUT_OF_MEMORY);
  OK(fake.cuMemAlloc_v2(&second, 4));
  EXPECT_EQ(fake.cuEventCreate(&event, 0), CUDA_ERROR_UNKNOWN);
  EXPECT_EQ(fake.calls("cuMemAlloc_v2"), 3);
  // What releases something does so all the same.
  fake.fail("cuMemFree_v2", 1, 999);
  EXPECT_EQ(fake.cuMemFree_v2(first), CUDA_ERROR_UNKNOWN);
  EXPECT_EQ(fake.cuMemFree_v2(first), CUDA_ERROR_INVALID_VALUE);
  OK(fake.cuMemFree_v2(second));
}

// In a process of its own, as it reports at its end.
TEST_F(FakeDriverTest, reportsLeaksAndCountersAtTheEnd) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const std::string path = testing::TempDir() + "/counters.json";
  auto leakAndCount = [&] {
    setenv("WEFT_FAKECUDA_COUNTERS", path.c_str(), 1);
    fake.reset();
    fake.cuDevicePrimaryCtxRetain(&context, 0);
    stream = nullptr;
    load();
    CUdeviceptr values = allocate({1, 2, 3});
    launch(values, 3);
    fake.cuStreamSynchronize(nullptr);
    std::exit(0);
  };
  EXPECT_EXIT(
      leakAndCount(), testing::ExitedWithCode(0),
      "fakecuda: leaked 1 allocation \\(12 bytes\\), 1 module, 1 use of "
      "the primary context");
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_NE(text.str().find("\"increase\": {\"blocks\": 1, \"instructions\": "),
            std::string::npos)
      << text.str();
  std::remove(path.c_str());
}

TEST_F(FakeDriverTest, needsAContextAndAStart) {
  OK(fake.cuCtxSetCurrent(nullptr));
  CUdeviceptr address;
  EXPECT_EQ(fake.cuMemAlloc_v2(&address, 4), CUDA_ERROR_INVALID_CONTEXT);
  CUcontext popped = nullptr;
  EXPECT_EQ(fake.cuCtxPopCurrent_v2(&popped), CUDA_ERROR_INVALID_CONTEXT);
  OK(fake.cuCtxPushCurrent_v2(context));
  OK(fake.cuCtxPushCurrent_v2(context));
  OK(fake.cuCtxPopCurrent_v2(&popped));
  EXPECT_EQ(popped, context);
  OK(fake.cuMemAlloc_v2(&address, 4));
  OK(fake.cuMemFree_v2(address));
  EXPECT_EQ(fake.cuInit(1), CUDA_ERROR_INVALID_VALUE);
}

} // namespace
