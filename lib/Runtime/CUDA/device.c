//===- device.c - A session's side of a GPU -------------------------------===//

#include "device.h"
#include "Core/status.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

//===----------------------------------------------------------------------===//
// What goes wrong
//===----------------------------------------------------------------------===//

bool weft_device_fail(weft_device *device, weft_status status,
                      const char *format, ...) {
  if (device->status)
    return false; // the first one counts
  device->status = status;
  va_list args;
  va_start(args, format);
  vsnprintf(device->message, sizeof(device->message), format, args);
  va_end(args);
  return false;
}

// Errors of kernels, after which no call on the context succeeds.
static bool loses_context(CUresult result) {
  return (result >= CUDA_ERROR_ILLEGAL_ADDRESS &&
          result <= CUDA_ERROR_LAUNCH_FAILED &&
          result != CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES &&
          result != CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED &&
          result != CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED) ||
         result == CUDA_ERROR_ECC_UNCORRECTABLE;
}

static weft_status status_of(CUresult result) {
  if (loses_context(result))
    return WEFT_ERROR_DEVICE_KERNEL;
  switch (result) {
  case CUDA_ERROR_OUT_OF_MEMORY:
    return WEFT_ERROR_DEVICE_MEMORY;
  case CUDA_ERROR_NO_DEVICE:
  case CUDA_ERROR_INVALID_DEVICE:
    return WEFT_ERROR_NO_DEVICE;
  case CUDA_ERROR_INVALID_IMAGE:
  case CUDA_ERROR_NO_BINARY_FOR_GPU:
  case CUDA_ERROR_INVALID_PTX:
  case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    return WEFT_ERROR_DEVICE_CODE;
  default:
    return WEFT_ERROR_DEVICE_CALL;
  }
}

// Says which kernel it was, or between which it may be.
static void describe_launched(const weft_device *device, weft_text *text) {
  const weft_kernel *kernels = device->session->model->program->kernels;
  const weft_launched *launched = &device->launched;
  if (launched->several)
    weft_text_append(text,
                     ", in one of the %lld kernels of this run; "
                     "WEFT_CUDA_CAREFUL=1 in the environment tells in which",
                     (long long)launched->count);
  else if (launched->count)
    weft_run_describe_kernel(&kernels[launched->kernel], text);
}

// What may help.
static const char *advice(weft_status status) {
  switch (status) {
  case WEFT_ERROR_DEVICE_MEMORY:
    return "; take a smaller batch, or free memory of the GPU";
  case WEFT_ERROR_NO_DEVICE:
    return "; `weft doctor` lists the GPUs";
  case WEFT_ERROR_DEVICE_CODE:
    return "; compile with --cuda-arch for this GPU";
  case WEFT_ERROR_DEVICE_KERNEL:
    return "; start the process anew";
  default:
    return "; try again, and see what `weft doctor` says";
  }
}

// Records that `call` has failed; the rest of `text` says of what it was part.
static void fail_call(weft_device *device, CUresult result, const char *call,
                      const weft_text *rest) {
  char reason[600];
  weft_text text = {reason, sizeof(reason), 0};
  weft_driver_describe(device->driver, result, &text);
  if (loses_context(result))
    device->lost = true;
  weft_device_fail(device, status_of(result), "%s failed: %s%s%s", call, reason,
                   rest->data, advice(status_of(result)));
}

bool weft_device_check(weft_device *device, CUresult result, const char *call,
                       const char *what, const char *name) {
  if (!result)
    return true;
  char rest[400] = "";
  weft_text text = {rest, sizeof(rest), 0};
  if (what)
    weft_text_append(&text, ", while %s", what);
  if (what && name)
    weft_text_append(&text, " \"%s\"", name);
  if (loses_context(result))
    describe_launched(device, &text);
  size_t available = 0, total = 0;
  if (result == CUDA_ERROR_OUT_OF_MEMORY && device->context &&
      !device->driver->cuMemGetInfo_v2(&available, &total))
    weft_text_append(&text, "; %zu of the %zu bytes of the GPU are free",
                     available, total);
  fail_call(device, result, call, &text);
  return false;
}

bool weft_device_check_kernel(weft_device *device, CUresult result,
                              const char *call, int32_t kernel) {
  if (!result)
    return true;
  char rest[400] = "";
  weft_text text = {rest, sizeof(rest), 0};
  weft_run_describe_kernel(&device->session->model->program->kernels[kernel],
                           &text);
  fail_call(device, result, call, &text);
  return false;
}

//===----------------------------------------------------------------------===//
// Starting
//===----------------------------------------------------------------------===//

static bool read_attribute(weft_device *device, CUdevice_attribute attribute,
                           int64_t *out) {
  int value = 0;
  if (!WEFT_DEVICE_CALL(device, "asking for the limits of GPU", device->name,
                        cuDeviceGetAttribute, &value, attribute,
                        device->handle))
    return false;
  *out = value;
  return true;
}

static bool find_gpu(weft_device *device) {
  int count = 0;
  int64_t major = 0, minor = 0;
  if (!WEFT_DEVICE_CALL(device, NULL, NULL, cuDeviceGetCount, &count))
    return false;
  if (device->ordinal < 0 || device->ordinal >= count)
    return weft_device_fail(device, WEFT_ERROR_NO_DEVICE,
                            "there is no GPU %d; the driver finds %d%s",
                            device->ordinal, count,
                            advice(WEFT_ERROR_NO_DEVICE));
  if (!WEFT_DEVICE_CALL(device, NULL, NULL, cuDeviceGet, &device->handle,
                        device->ordinal) ||
      !WEFT_DEVICE_CALL(device, NULL, NULL, cuDeviceGetName, device->name,
                        (int)sizeof(device->name), device->handle))
    return false;
  bool ok = read_attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                           &major) &&
            read_attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                           &minor) &&
            read_attribute(device, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X,
                           &device->most_blocks[0]) &&
            read_attribute(device, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y,
                           &device->most_blocks[1]) &&
            read_attribute(device, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z,
                           &device->most_blocks[2]) &&
            read_attribute(
                device, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
                &device->most_shared);
  device->major = (int)major;
  device->minor = (int)minor;
  return ok;
}

static bool load_module(weft_device *device) {
  const weft_device_code *code = device->session->model->program->device;
  char log[500] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, (void *)(uintptr_t)(sizeof(log) - 1)};
  CUresult result = device->driver->cuModuleLoadDataEx(
      &device->module, code->image, 2, options, values);
  if (!result)
    return true;
  device->module = NULL;
  char rest[600] = "";
  weft_text text = {rest, sizeof(rest), 0};
  weft_text_append(&text,
                   ", while loading the program's code on \"%s\" "
                   "(sm_%d%d)%s%s",
                   device->name, device->major, device->minor,
                   log[0] ? ": " : "", log);
  fail_call(device, result, "cuModuleLoadDataEx", &text);
  return false;
}

static bool find_functions(weft_device *device) {
  const weft_device_code *code = device->session->model->program->device;
  device->functions =
      calloc((size_t)code->num_kernels + 1, sizeof(*device->functions));
  if (!device->functions)
    return weft_device_fail(device, WEFT_ERROR_MEMORY,
                            "no memory for %d kernels", code->num_kernels);
  for (int32_t i = 0; i < code->num_kernels; ++i) {
    CUresult result = device->driver->cuModuleGetFunction(
        &device->functions[i].handle, device->module, code->kernels[i].entry);
    if (result == CUDA_ERROR_NOT_FOUND)
      return weft_device_fail(device, WEFT_ERROR_DEVICE_CODE,
                              "the program's code has no kernel \"%s\"",
                              code->kernels[i].entry);
    if (!weft_device_check(device, result, "cuModuleGetFunction",
                           "looking for kernel", code->kernels[i].entry))
      return false;
  }
  return true;
}

static bool make_tables(weft_device *device) {
  const weft_program *program = device->session->model->program;
  device->constants =
      calloc((size_t)program->num_constants + 1, sizeof(*device->constants));
  device->inputs =
      calloc((size_t)program->num_inputs + 1, sizeof(*device->inputs));
  device->outputs =
      calloc((size_t)program->num_outputs + 1, sizeof(*device->outputs));
  if (!device->constants || !device->inputs || !device->outputs)
    return weft_device_fail(device, WEFT_ERROR_MEMORY,
                            "no memory for a session");
  return true;
}

// What needs the context, which is current.
static bool start(weft_device *device) {
  return load_module(device) && find_functions(device) &&
         WEFT_DEVICE_CALL(device, NULL, NULL, cuStreamCreateWithPriority,
                          &device->stream, CU_STREAM_NON_BLOCKING, 0);
}

static bool initialize(weft_device *device) {
  if (!make_tables(device) || !find_gpu(device) ||
      !WEFT_DEVICE_CALL(device, "starting GPU", device->name,
                        cuDevicePrimaryCtxRetain, &device->context,
                        device->handle))
    return false;
  if (!WEFT_DEVICE_CALL(device, NULL, NULL, cuCtxPushCurrent_v2,
                        device->context))
    return false;
  bool ok = start(device);
  CUcontext popped;
  device->driver->cuCtxPopCurrent_v2(&popped);
  return ok;
}

weft_status weft_device_create(weft_session *session, int32_t ordinal,
                               weft_device **out) {
  *out = NULL;
  const weft_driver *driver = NULL;
  weft_status status = weft_driver_get(&driver);
  if (status)
    return status;
  weft_device *device = calloc(1, sizeof(*device));
  if (!device)
    return weft_fail(WEFT_ERROR_MEMORY, "no memory for a session");
  device->session = session;
  device->driver = driver;
  device->ordinal = ordinal;
  const char *careful = getenv("WEFT_CUDA_CAREFUL");
  device->always_careful = careful && *careful && strcmp(careful, "0") != 0;
  if (initialize(device)) {
    *out = device;
    return WEFT_OK;
  }
  status = weft_fail(device->status, "%s", device->message);
  weft_device_destroy(device);
  return status;
}

//===----------------------------------------------------------------------===//
// Ending
//===----------------------------------------------------------------------===//

// Results do not matter any more: what fails here has failed before.
static void stop(weft_device *device) {
  const weft_driver *driver = device->driver;
  if (device->stream)
    driver->cuStreamSynchronize(device->stream);
  weft_graph_free_all(device);
  weft_timing_free(device);
  weft_ahead_free(device);
  weft_device_free_buffers(device);
  if (device->stream)
    driver->cuStreamDestroy_v2(device->stream);
  if (device->module)
    driver->cuModuleUnload(device->module);
}

void weft_device_destroy(weft_device *device) {
  if (!device)
    return;
  const weft_driver *driver = device->driver;
  if (device->context) {
    CUcontext popped;
    bool pushed = !driver->cuCtxPushCurrent_v2(device->context);
    stop(device);
    if (pushed)
      driver->cuCtxPopCurrent_v2(&popped);
    driver->cuDevicePrimaryCtxRelease_v2(device->handle);
  }
  free(device->functions);
  free(device->constants);
  free(device->inputs);
  free(device->outputs);
  free(device->blocks);
  free(device);
}
