//===- probe.c - Which GPUs there are -------------------------------------===//

#define _GNU_SOURCE // dladdr
#include "Core/status.h"
#include "driver_table.h"
#include "weft-rt/gpu.h"
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

// Fails if `call` did, which was made about GPU `index`.
static weft_status check(const weft_driver *driver, CUresult result,
                         const char *call, int32_t index) {
  if (!result)
    return WEFT_OK;
  char reason[512];
  weft_text text = {reason, sizeof(reason), 0};
  weft_driver_describe(driver, result, &text);
  return weft_fail(WEFT_ERROR_DEVICE_CALL, "%s failed for GPU %d: %s", call,
                   index, reason);
}

#define CHECK(call, ...)                                                       \
  status = check(driver, driver->call(__VA_ARGS__), #call, index);             \
  if (status)                                                                  \
  return status

// The driver, and how many GPUs it has.
static weft_status start(const weft_driver **out, int32_t *count) {
  int found = 0;
  weft_status status = weft_driver_get(out);
  if (status)
    return status;
  const weft_driver *driver = *out;
  status =
      check(driver, driver->cuDeviceGetCount(&found), "cuDeviceGetCount", 0);
  *count = found;
  return status;
}

static weft_status find(int32_t index, const weft_driver **out,
                        CUdevice *device) {
  int32_t count = 0;
  weft_status status = start(out, &count);
  if (status)
    return status;
  if (index < 0 || index >= count)
    return weft_fail(WEFT_ERROR_NO_DEVICE,
                     "there is no GPU %d; the driver finds %d", index, count);
  const weft_driver *driver = *out;
  return check(driver, driver->cuDeviceGet(device, index), "cuDeviceGet",
               index);
}

// The file that the driver was loaded from.
static void find_path(const weft_driver *driver, char *path, size_t size) {
  Dl_info info;
  void *address;
  memcpy(&address, &driver->cuDriverGetVersion, sizeof(address));
  weft_text text = {path, size, 0};
  if (dladdr(address, &info) && info.dli_fname)
    weft_text_append(&text, "%s", info.dli_fname);
}

weft_status weft_gpu_find_driver(weft_gpu_driver *out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the driver");
  *out = (weft_gpu_driver){.least_version = WEFT_DRIVER_LEAST_VERSION};
  const weft_driver *driver = NULL;
  int32_t count = 0;
  weft_status status = start(&driver, &count);
  if (status)
    return status;
  out->version = driver->version;
  out->count = count;
  find_path(driver, out->path, sizeof(out->path));
  if (count == 0)
    return weft_fail(WEFT_ERROR_NO_DEVICE, "the CUDA driver finds no GPU");
  return WEFT_OK;
}

static weft_status describe(const weft_driver *driver, CUdevice device,
                            int32_t index, weft_gpu *out) {
  weft_status status;
  size_t bytes = 0;
  int major = 0, minor = 0, multiprocessors = 0, shared = 0;
  CHECK(cuDeviceGetName, out->name, (int)sizeof(out->name), device);
  CHECK(cuDeviceTotalMem_v2, &bytes, device);
  CHECK(cuDeviceGetAttribute, &major,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
  CHECK(cuDeviceGetAttribute, &minor,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
  CHECK(cuDeviceGetAttribute, &multiprocessors,
        CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
  CHECK(cuDeviceGetAttribute, &shared,
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, device);
  out->major = major;
  out->minor = minor;
  out->multiprocessors = multiprocessors;
  out->memory_bytes = (int64_t)bytes;
  out->shared_bytes = shared;
  return WEFT_OK;
}

weft_status weft_gpu_describe(int32_t index, weft_gpu *out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the GPU");
  *out = (weft_gpu){0};
  const weft_driver *driver = NULL;
  CUdevice device = 0;
  weft_status status = find(index, &driver, &device);
  if (!status)
    status = describe(driver, device, index, out);
  if (status)
    *out = (weft_gpu){0};
  return status;
}

// With the primary context held.
static weft_status try_context(const weft_driver *driver, CUcontext context,
                               int32_t index, int64_t *out) {
  weft_status status;
  size_t available = 0, total = 0;
  CHECK(cuCtxPushCurrent_v2, context);
  CUresult result = driver->cuMemGetInfo_v2(&available, &total);
  CUcontext popped;
  driver->cuCtxPopCurrent_v2(&popped);
  *out = (int64_t)available;
  return check(driver, result, "cuMemGetInfo_v2", index);
}

weft_status weft_gpu_try(int32_t index, int64_t *out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the bytes");
  *out = 0;
  const weft_driver *driver = NULL;
  CUdevice device = 0;
  CUcontext context = NULL;
  weft_status status = find(index, &driver, &device);
  if (status)
    return status;
  CHECK(cuDevicePrimaryCtxRetain, &context, device);
  status = try_context(driver, context, index, out);
  driver->cuDevicePrimaryCtxRelease_v2(device);
  return status;
}
