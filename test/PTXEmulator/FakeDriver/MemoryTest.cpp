//===- MemoryTest.cpp - Memory of the fake driver -------------------------===//

#include "Fake.h"

using namespace weft::test;

namespace {

using Values = std::vector<unsigned>;

TEST_F(FakeDriverTest, keepsToItsMemory) {
  setenv("WEFT_FAKECUDA_MEMORY", "4096", 1);
  fake.reset();
  unsetenv("WEFT_FAKECUDA_MEMORY");
  OK(fake.cuDevicePrimaryCtxRetain(&context, 0));
  OK(fake.cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, 0));
  size_t available = 0, total = 0;
  OK(fake.cuDeviceTotalMem_v2(&total, 0));
  EXPECT_EQ(total, 4096u);
  CUdeviceptr large = 0, small = 0;
  OK(fake.cuMemAlloc_v2(&large, 4000));
  EXPECT_EQ(large % 256, 0u);
  EXPECT_EQ(fake.cuMemAlloc_v2(&small, 97), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(fake.cuMemAllocAsync(&small, 97, stream), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(fake.cuMemAlloc_v2(&small, 0), CUDA_ERROR_INVALID_VALUE);
  OK(fake.cuMemAllocAsync(&small, 96, stream));
  OK(fake.cuMemGetInfo_v2(&available, &total));
  EXPECT_EQ(available, 0u);
  char text[256];
  EXPECT_EQ(fake.leaks(text, sizeof(text)), 4u);
  EXPECT_STREQ(text, "2 allocations (4096 bytes), 1 stream, 1 use of the "
                     "primary context");
  // Freed when the stream comes to it.
  OK(fake.cuMemFreeAsync(small, stream));
  OK(fake.cuMemGetInfo_v2(&available, &total));
  EXPECT_EQ(available, 0u);
  OK(fake.cuStreamSynchronize(stream));
  OK(fake.cuMemGetInfo_v2(&available, &total));
  EXPECT_EQ(available, 96u);
  OK(fake.cuMemFree_v2(large));
  EXPECT_EQ(fake.cuMemFree_v2(large), CUDA_ERROR_INVALID_VALUE);
  OK(fake.cuMemFree_v2(0));
}

TEST_F(FakeDriverTest, countsWhatPoolsGive) {
  CUmemPoolProps properties = {};
  properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  CUmemoryPool pool, usual;
  OK(fake.cuMemPoolCreate(&pool, &properties));
  OK(fake.cuDeviceGetDefaultMemPool(&usual, 0));
  EXPECT_NE(pool, usual);
  uint64_t value = UINT64_MAX;
  OK(fake.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
                                &value));
  value = 0;
  OK(fake.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
                                &value));
  EXPECT_EQ(value, UINT64_MAX);
  CUdeviceptr address;
  OK(fake.cuMemAllocFromPoolAsync(&address, 1000, pool, stream));
  OK(fake.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
                                &value));
  EXPECT_EQ(value, 1000u);
  OK(fake.cuMemPoolGetAttribute(usual, CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
                                &value));
  EXPECT_EQ(value, 0u);
  OK(fake.cuMemFreeAsync(address, stream));
  OK(fake.cuStreamSynchronize(stream));
  OK(fake.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
                                &value));
  EXPECT_EQ(value, 0u);
  OK(fake.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH, &value));
  EXPECT_EQ(value, 1000u);
  OK(fake.cuMemPoolTrimTo(pool, 0));
  OK(fake.cuMemPoolDestroy(pool));
  EXPECT_EQ(fake.cuMemPoolDestroy(usual), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(FakeDriverTest, pinsMemoryOfTheHost) {
  Values host = {1, 2, 3, 4};
  CUdeviceptr values = allocate({0, 0, 0, 0});
  OK(fake.cuMemHostRegister_v2(host.data(), 16, 0));
  EXPECT_EQ(fake.cuMemHostRegister_v2(host.data() + 1, 4, 0),
            CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  OK(fake.cuMemcpyHtoDAsync_v2(values, host.data(), 16, stream));
  host[3] = 9; // before the stream has come to it
  EXPECT_EQ(read(values, 4), (Values{1, 2, 3, 9}));
  OK(fake.cuMemHostUnregister(host.data()));
  EXPECT_EQ(fake.cuMemHostUnregister(host.data()),
            CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
  EXPECT_EQ(fake.cuMemFreeHost(host.data()), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(FakeDriverTest, refusesCopiesBeyondMemory) {
  CUdeviceptr values = allocate({1, 2, 3, 4}), other = allocate({0, 0, 0, 0});
  Values host(5);
  EXPECT_EQ(fake.cuMemcpyHtoDAsync_v2(values, host.data(), 20, stream),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(fake.cuMemcpyDtoHAsync_v2(host.data(), values + 4, 16, stream),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(fake.cuMemsetD32Async(values, 0, 5, stream),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(fake.cuMemsetD32Async(values + 2, 0, 1, stream),
            CUDA_ERROR_INVALID_VALUE);
  OK(fake.cuMemcpyDtoDAsync_v2(other, values + 4, 12, stream));
  OK(fake.cuMemsetD8Async(other, 0x11, 3, stream));
  EXPECT_EQ(read(other, 4), (Values{0x00111111, 3, 4, 0}));
}

TEST_F(FakeDriverTest, noticesMemoryThatIsFreedTooEarly) {
  testing::internal::CaptureStderr();
  CUdeviceptr values = 0;
  OK(fake.cuMemAlloc_v2(&values, 4));
  CUgraph graph;
  CUgraphExec exec;
  OK(fake.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
  OK(fake.cuMemsetD8Async(values, 0, 4, stream));
  OK(fake.cuStreamEndCapture(stream, &graph));
  OK(fake.cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(fake.cuMemFree_v2(values));
  OK(fake.cuGraphLaunch(exec, stream));
  EXPECT_EQ(fake.cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "fakecuda: a fill touches device memory that was freed"),
            std::string::npos);
  // From then on every call fails, but what is released is gone.
  size_t bytes;
  EXPECT_EQ(fake.cuMemGetInfo_v2(&bytes, &bytes), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(fake.cuGraphExecDestroy(exec), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(fake.cuGraphDestroy(graph), CUDA_ERROR_ILLEGAL_ADDRESS);
}

} // namespace
