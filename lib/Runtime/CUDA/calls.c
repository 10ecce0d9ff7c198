//===- calls.c - What runs on a GPU offer to the program ------------------===//

#include "Core/output.h"
#include "device.h"
#include <stdlib.h>
#include <string.h>

// The device, unless the run has failed already, or NULL.
static weft_device *enter(const weft_run *run) {
  if (atomic_load_explicit(&run->failed, memory_order_acquire))
    return NULL;
  return run->session->device;
}

// What a call returns that was a success if `ok`.
static int32_t leave(weft_device *device, bool ok) {
  return ok ? 0 : !weft_device_pass_on(device);
}

static void *to_pointer(CUdeviceptr address) {
  return (void *)(uintptr_t)address;
}

static CUdeviceptr to_address(const void *pointer) {
  return (CUdeviceptr)(uintptr_t)pointer;
}

static _Thread_local weft_device *observed;

weft_device *weft_device_observed(void) { return observed; }

// Tells `function` of a launch. The arguments are words, of which what lies
// behind those of weft_observe_fn is of no interest.
static bool tell(weft_device *device, weft_observe_fn function,
                 const weft_device_kernel *kernel, void *const *args) {
  void *few[64];
  void **words = few;
  if (!function)
    return true;
  if (kernel->num_args > 64)
    words = malloc(sizeof(*words) * (size_t)kernel->num_args);
  if (!words)
    return weft_device_fail(device, WEFT_ERROR_MEMORY,
                            "no memory to tell of a launch");
  for (int32_t i = 0; i < kernel->num_args; ++i)
    memcpy(&words[i], args[i], sizeof(*words));
  observed = device;
  function(device->session->observe_user, kernel->kernel, words);
  observed = NULL;
  if (words != few)
    free(words);
  return device->status == WEFT_OK;
}

int32_t weft_run_device_launch(weft_run *run, int32_t kernel,
                               const int64_t *grid, int64_t shared,
                               void *const *args) {
  weft_device *device = enter(run);
  if (!device)
    return 1;
  const weft_session *session = run->session;
  const weft_device_kernel *entry =
      &session->model->program->device->kernels[kernel];
  return leave(device,
               tell(device, session->announce, entry, args) &&
                   weft_device_launch(device, kernel, grid, shared, args) &&
                   tell(device, session->observe, entry, args));
}

void *weft_run_device_arena(weft_run *run) {
  return to_pointer(run->session->device->arena.address);
}

const void *weft_run_device_constant(weft_run *run, int32_t index) {
  weft_device *device = enter(run);
  CUdeviceptr address = device ? weft_device_constant(device, index) : 0;
  if (device && !address)
    weft_device_pass_on(device);
  return to_pointer(address);
}

const void *weft_run_device_input(weft_run *run, int32_t index) {
  weft_device *device = enter(run);
  if (!device || leave(device, weft_device_send_input(device, index)))
    return NULL;
  return to_pointer(device->inputs[index].memory.address);
}

void *weft_run_device_output(weft_run *run, int32_t index,
                             const int64_t *dims) {
  weft_device *device = enter(run);
  if (!device || !weft_run_output(run, index, dims))
    return NULL;
  const weft_session *session = run->session;
  weft_device_port *port = &device->outputs[index];
  const weft_port *output = &session->model->program->outputs[index];
  if (port->kept && !output->early)
    return to_pointer(device->inputs[output->twin].memory.address);
  port->used = !port->kept;
  if (leave(device, weft_device_reserve_port(
                        device, port, session->outputs[index].bytes,
                        "making room for the output", output->name)))
    return NULL;
  return to_pointer(port->memory.address);
}

void *weft_run_device_allocate(weft_run *run, const char *place,
                               int64_t bytes) {
  weft_device *device = enter(run);
  if (!device)
    return NULL;
  if (bytes < 0) {
    weft_run_functions.fault(run, place, WEFT_FAULT_NEGATIVE_SIZE, bytes, 0);
    return NULL;
  }
  CUdeviceptr address = weft_device_allocate(device, bytes);
  if (address)
    return to_pointer(address);
  if (device->status == WEFT_ERROR_DEVICE_MEMORY)
    weft_run_functions.fault(run, place, WEFT_FAULT_OUT_OF_MEMORY, bytes, 0);
  else
    weft_device_pass_on(device);
  return NULL;
}

int32_t weft_run_device_upload(weft_run *run, void *to, const void *from,
                               int64_t bytes) {
  weft_device *device = enter(run);
  return !device ||
         leave(device, weft_device_upload(device, to_address(to), from, bytes,
                                          "copying to the GPU", NULL));
}

int32_t weft_run_device_download(weft_run *run, void *to, const void *from,
                                 int64_t bytes) {
  weft_device *device = enter(run);
  return !device ||
         leave(device, weft_device_download(device, to, to_address(from), bytes,
                                            "copying from the GPU", NULL));
}

int32_t weft_run_device_copy(weft_run *run, void *to, const void *from,
                             int64_t bytes) {
  weft_device *device = enter(run);
  if (!device || bytes == 0)
    return !device;
  return leave(device, WEFT_DEVICE_CALL(device, "copying on the GPU", NULL,
                                        cuMemcpyDtoDAsync_v2, to_address(to),
                                        to_address(from), (size_t)bytes,
                                        device->stream));
}

int32_t weft_run_device_fill(weft_run *run, void *to, int32_t value,
                             int64_t bytes) {
  weft_device *device = enter(run);
  if (!device || bytes == 0)
    return !device;
  return leave(device, WEFT_DEVICE_CALL(device, "filling memory of the GPU",
                                        NULL, cuMemsetD8Async, to_address(to),
                                        (unsigned char)value, (size_t)bytes,
                                        device->stream));
}

int32_t weft_run_device_tensor_map(weft_run *run, const weft_tensor_map *map,
                                   const void *address, const int64_t *dims,
                                   const int64_t *strides, void *out) {
  weft_device *device = enter(run);
  return !device ||
         leave(device, weft_device_tensor_map(device, map, to_address(address),
                                              dims, strides, out));
}

void *weft_run_device_faults(weft_run *run) {
  weft_device *device = enter(run);
  if (!device || leave(device, weft_device_prepare_faults(device)))
    return NULL;
  return to_pointer(device->faults.address);
}

int32_t weft_run_device_store(weft_run *run, void *to, int64_t value,
                              int32_t bytes) {
  weft_device *device = enter(run);
  CUdeviceptr address = to_address(to);
  bool ok = device;
  // Words where they fit, else bytes.
  for (int32_t at = 0; ok && at < bytes;) {
    uint64_t rest = (uint64_t)value >> (8 * at);
    bool is_word = bytes - at >= 4;
    ok = is_word ? WEFT_DEVICE_CALL(device, "storing a number", NULL,
                                    cuMemsetD32Async, address + (uint64_t)at,
                                    (unsigned)rest, 1, device->stream)
                 : WEFT_DEVICE_CALL(device, "storing a number", NULL,
                                    cuMemsetD8Async, address + (uint64_t)at,
                                    (unsigned char)rest, 1, device->stream);
    at += is_word ? 4 : 1;
  }
  return !device || leave(device, ok);
}

int32_t weft_run_device_require(weft_run *run, const char *place,
                                weft_fault fault, const void *found,
                                int64_t wanted) {
  weft_device *device = enter(run);
  return !device ||
         leave(device, weft_device_require(device, place, fault,
                                           to_address(found), wanted)) ||
         atomic_load_explicit(&run->failed, memory_order_acquire);
}

int32_t weft_run_device_settle(weft_run *run) {
  weft_device *device = enter(run);
  return !device || leave(device, weft_device_settle(device));
}
