//===- buffers.c - Memory of a GPU, and copies to and from it -------------===//

#include "device.h"
#include <stdlib.h>
#include <string.h>

//===----------------------------------------------------------------------===//
// Memory that grows
//===----------------------------------------------------------------------===//

// Drivers give no memory for 0 bytes.
static size_t at_least_one(int64_t bytes) {
  return bytes > 0 ? (size_t)bytes : 1;
}

static void free_device(weft_device *device, weft_device_buffer *buffer) {
  if (buffer->address)
    device->driver->cuMemFree_v2(buffer->address);
  *buffer = (weft_device_buffer){0};
}

static void free_pinned(weft_device *device, weft_pinned_buffer *buffer) {
  if (buffer->data)
    device->driver->cuMemFreeHost(buffer->data);
  *buffer = (weft_pinned_buffer){0};
}

bool weft_device_reserve(weft_device *device, weft_device_buffer *buffer,
                         int64_t bytes, const char *what, const char *name) {
  if (buffer->address && buffer->capacity >= bytes)
    return true;
  // Freeing waits for what uses the memory.
  free_device(device, buffer);
  ++device->generation;
  if (!WEFT_DEVICE_CALL(device, what, name, cuMemAlloc_v2, &buffer->address,
                        at_least_one(bytes))) {
    buffer->address = 0;
    weft_graph_doubt_all(device);
    return false;
  }
  buffer->capacity = bytes;
  return true;
}

bool weft_pinned_reserve(weft_device *device, weft_pinned_buffer *buffer,
                         int64_t bytes, const char *what, const char *name) {
  if (buffer->data && buffer->capacity >= bytes)
    return true;
  free_pinned(device, buffer);
  ++device->generation;
  if (!WEFT_DEVICE_CALL(device, what, name, cuMemHostAlloc, &buffer->data,
                        at_least_one(bytes), CU_MEMHOSTALLOC_PORTABLE)) {
    buffer->data = NULL;
    weft_graph_doubt_all(device);
    return false;
  }
  buffer->capacity = bytes;
  return true;
}

bool weft_device_reserve_port(weft_device *device, weft_device_port *port,
                              int64_t bytes, const char *what,
                              const char *name) {
  port->bytes = bytes;
  return weft_device_reserve(device, &port->memory, bytes, what, name) &&
         weft_pinned_reserve(device, &port->pinned, bytes, what, name);
}

//===----------------------------------------------------------------------===//
// Copies by way of pinned memory
//===----------------------------------------------------------------------===//

enum { HALF = 4 << 20 };

static bool prepare_staging(weft_device *device) {
  weft_staging *staging = &device->staging;
  const char *what = "making room for copies";
  if (!weft_pinned_reserve(device, &staging->memory, 2 * (int64_t)HALF, what,
                           NULL))
    return false;
  for (int i = 0; i < 2; ++i) {
    if (staging->free[i])
      continue;
    if (!WEFT_DEVICE_CALL(device, what, NULL, cuEventCreate, &staging->free[i],
                          CU_EVENT_DISABLE_TIMING)) {
      staging->free[i] = NULL;
      return false;
    }
  }
  return true;
}

// The next half, when nothing reads it any more.
static char *take_half(weft_device *device, const char *what, const char *name,
                       CUevent *event) {
  weft_staging *staging = &device->staging;
  int half = staging->next;
  staging->next = !half;
  *event = staging->free[half];
  if (!WEFT_DEVICE_CALL(device, what, name, cuEventSynchronize, *event))
    return NULL;
  return (char *)staging->memory.data + (size_t)half * HALF;
}

bool weft_device_upload(weft_device *device, CUdeviceptr to, const void *from,
                        int64_t bytes, const char *what, const char *name) {
  if (!prepare_staging(device))
    return false;
  for (int64_t at = 0; at < bytes; at += HALF) {
    size_t size = (size_t)(bytes - at < HALF ? bytes - at : HALF);
    CUevent event;
    char *half = take_half(device, what, name, &event);
    if (!half)
      return false;
    memcpy(half, (const char *)from + at, size);
    if (!WEFT_DEVICE_CALL(device, what, name, cuMemcpyHtoDAsync_v2,
                          to + (uint64_t)at, half, size, device->stream) ||
        !WEFT_DEVICE_CALL(device, what, name, cuEventRecord, event,
                          device->stream))
      return false;
  }
  return true;
}

// Sends for the next half of a download, if there is one.
static bool send_for(weft_device *device, CUdeviceptr from, int64_t at,
                     int64_t bytes, const char *what, const char *name,
                     char **half, CUevent *event) {
  if (at >= bytes)
    return true;
  size_t size = (size_t)(bytes - at < HALF ? bytes - at : HALF);
  *half = take_half(device, what, name, event);
  return *half &&
         WEFT_DEVICE_CALL(device, what, name, cuMemcpyDtoHAsync_v2, *half,
                          from + (uint64_t)at, size, device->stream) &&
         WEFT_DEVICE_CALL(device, what, name, cuEventRecord, *event,
                          device->stream);
}

bool weft_device_download(weft_device *device, void *to, CUdeviceptr from,
                          int64_t bytes, const char *what, const char *name) {
  char *half = NULL, *next = NULL;
  CUevent event = NULL, next_event = NULL;
  if (!prepare_staging(device) ||
      !send_for(device, from, 0, bytes, what, name, &half, &event))
    return false;
  for (int64_t at = 0; at < bytes; at += HALF) {
    if (!send_for(device, from, at + HALF, bytes, what, name, &next,
                  &next_event) ||
        !WEFT_DEVICE_CALL(device, what, name, cuEventSynchronize, event))
      return false;
    memcpy((char *)to + at, half,
           (size_t)(bytes - at < HALF ? bytes - at : HALF));
    half = next;
    event = next_event;
  }
  return true;
}

bool weft_device_copy(weft_device *device, CUdeviceptr to, CUdeviceptr from,
                      int64_t bytes, const char *what, const char *name) {
  return !bytes || WEFT_DEVICE_CALL(device, what, name, cuMemcpyDtoDAsync_v2,
                                    to, from, (size_t)bytes, device->stream);
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

CUdeviceptr weft_device_constant(weft_device *device, int32_t index) {
  weft_device_buffer *buffer = &device->constants[index];
  if (buffer->address)
    return buffer->address;
  const weft_model *model = device->session->model;
  const weft_constant *constant = &model->program->constants[index];
  // Unpacked, each element takes a byte.
  int64_t bytes = constant->packed ? constant->count : constant->size;
  const char *what = "copying to the GPU the constant";
  if (!weft_device_reserve(device, buffer, bytes, what, constant->name))
    return 0;
  if (weft_device_upload(device, buffer->address, model->constants.data[index],
                         bytes, what, constant->name))
    return buffer->address;
  free_device(device, buffer); // it does not hold the constant
  return 0;
}

//===----------------------------------------------------------------------===//
// Memory of one run
//===----------------------------------------------------------------------===//

static bool reserve_block(weft_device *device) {
  if (device->num_blocks < device->blocks_capacity)
    return true;
  int64_t capacity = device->blocks_capacity ? 2 * device->blocks_capacity : 16;
  CUdeviceptr *blocks =
      realloc(device->blocks, sizeof(*blocks) * (size_t)capacity);
  if (!blocks)
    return weft_device_fail(device, WEFT_ERROR_MEMORY,
                            "no memory for %lld allocations",
                            (long long)capacity);
  device->blocks = blocks;
  device->blocks_capacity = capacity;
  return true;
}

CUdeviceptr weft_device_allocate(weft_device *device, int64_t bytes) {
  CUdeviceptr address = 0;
  if (!reserve_block(device) ||
      !WEFT_DEVICE_CALL(device, "allocating memory whose size is data", NULL,
                        cuMemAllocAsync, &address, at_least_one(bytes),
                        device->stream))
    return 0;
  device->blocks[device->num_blocks++] = address;
  return address;
}

bool weft_device_free_blocks(weft_device *device) {
  bool ok = true;
  while (device->num_blocks > 0) {
    CUdeviceptr block = device->blocks[--device->num_blocks];
    ok &= WEFT_DEVICE_CALL(device, "freeing memory of the run", NULL,
                           cuMemFreeAsync, block, device->stream);
  }
  return ok;
}

//===----------------------------------------------------------------------===//
// The end
//===----------------------------------------------------------------------===//

static void free_ports(weft_device *device, weft_device_port *ports,
                       int32_t count) {
  for (int32_t i = 0; ports && i < count; ++i) {
    if (!ports[i].lender)
      free_device(device, &ports[i].memory);
    free_pinned(device, &ports[i].pinned);
    free_device(device, &ports[i].ahead_memory);
    free_pinned(device, &ports[i].ahead_pinned);
  }
}

void weft_device_free_buffers(weft_device *device) {
  const weft_program *program = device->session->model->program;
  free_device(device, &device->arena);
  free_device(device, &device->faults);
  free_pinned(device, &device->fault_copy);
  free_pinned(device, &device->required_copy);
  for (int32_t i = 0; device->constants && i < program->num_constants; ++i)
    free_device(device, &device->constants[i]);
  free_ports(device, device->inputs, program->num_inputs);
  free_ports(device, device->outputs, program->num_outputs);
  free_pinned(device, &device->staging.memory);
  for (int i = 0; i < 2; ++i)
    if (device->staging.free[i])
      device->driver->cuEventDestroy_v2(device->staging.free[i]);
}
