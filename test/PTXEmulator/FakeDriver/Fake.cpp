//===- Fake.cpp - The calls of the fake driver ----------------------------===//

#include "Fake.h"
#include <dlfcn.h>
#include <type_traits>

namespace weft::test {

Fake FakeDriverTest::fake;

void FakeDriverTest::SetUpTestSuite() {
  void *library = dlopen(WEFT_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  auto find = [&](auto &call, const char *name) {
    call = reinterpret_cast<std::remove_reference_t<decltype(call)>>(
        dlsym(library, name));
    ASSERT_NE(call, nullptr) << name;
  };
#define WEFT_DRIVER_CALL(name, parameters) find(fake.name, #name);
#include "CUDA/driver_table.def"
#define WEFT_DRIVER_CALL(name, parameters) find(fake.name, #name);
#include "more_calls.def"
  find(fake.fail, "weft_fake_fail");
  find(fake.calls, "weft_fake_calls");
  find(fake.leaks, "weft_fake_leaks");
  find(fake.reset, "weft_fake_reset");
}

void FakeDriverTest::SetUp() {
  fake.reset();
  OK(fake.cuInit(0));
  OK(fake.cuDevicePrimaryCtxRetain(&context, 0));
  OK(fake.cuCtxSetCurrent(context));
  OK(fake.cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, 0));
}

void FakeDriverTest::TearDown() {
  for (CUdeviceptr address : memory)
    fake.cuMemFree_v2(address);
  if (module)
    fake.cuModuleUnload(module);
  fake.cuStreamDestroy_v2(stream);
  fake.cuCtxSetCurrent(nullptr);
  fake.cuDevicePrimaryCtxRelease_v2(0);
  char text[256];
  EXPECT_EQ(fake.leaks(text, sizeof(text)), 0u) << text;
}

std::string FakeDriverTest::increase(const std::string &target) {
  return ".version 8.0\n.target " + target + R"(
.address_size 64
.visible .global .align 8 .b64 limit;
.visible .entry increase(.param .u64 values, .param .u32 count)
{
  .reg .b64 %a<4>;
  .reg .b32 %i<8>;
  .reg .pred %p;
  ld.param.u64 %a1, [values];
  ld.param.u32 %i1, [count];
  mov.u32 %i2, %ctaid.x;
  mov.u32 %i3, %ntid.x;
  mov.u32 %i4, %tid.x;
  mad.lo.s32 %i5, %i2, %i3, %i4;
  setp.ge.u32 %p, %i5, %i1;
  @%p bra done;
  mul.wide.u32 %a2, %i5, 4;
  add.s64 %a3, %a1, %a2;
  ld.global.u32 %i6, [%a3];
  add.s32 %i7, %i6, 1;
  st.global.u32 [%a3], %i7;
done:
  ret;
}
)";
}

void FakeDriverTest::load() {
  OK(fake.cuModuleLoadData(&module, increase().c_str()));
  OK(fake.cuModuleGetFunction(&function, module, "increase"));
}

CUresult FakeDriverTest::launch(CUdeviceptr values, unsigned count,
                                CUstream onto) {
  void *params[] = {&values, &count};
  return fake.cuLaunchKernel(function, (count + 31) / 32, 1, 1, 32, 1, 1, 0,
                             onto, params, nullptr);
}

CUdeviceptr FakeDriverTest::allocate(const std::vector<unsigned> &values) {
  CUdeviceptr address = 0;
  size_t bytes = values.size() * sizeof(unsigned);
  EXPECT_EQ(fake.cuMemAlloc_v2(&address, bytes), CUDA_SUCCESS);
  EXPECT_EQ(fake.cuMemcpyHtoDAsync_v2(address, values.data(), bytes, nullptr),
            CUDA_SUCCESS);
  EXPECT_EQ(fake.cuStreamSynchronize(nullptr), CUDA_SUCCESS);
  memory.push_back(address);
  return address;
}

std::vector<unsigned> FakeDriverTest::read(CUdeviceptr address, size_t count) {
  std::vector<unsigned> values(count);
  EXPECT_EQ(fake.cuMemcpyDtoHAsync_v2(values.data(), address,
                                      count * sizeof(unsigned), stream),
            CUDA_SUCCESS);
  EXPECT_EQ(fake.cuStreamSynchronize(stream), CUDA_SUCCESS);
  return values;
}

} // namespace weft::test
