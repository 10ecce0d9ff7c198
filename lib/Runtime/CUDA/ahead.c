//===- ahead.c - Inputs that are copied while the run before computes -----===//
//
// They go through a stream of their own into memory of their own, which changes
// places with that of the input when the run comes that wants them. So a
// recorded run is of one of two places.
//
//===----------------------------------------------------------------------===//

#include "Core/tensor.h"
#include "device.h"
#include <stdlib.h>
#include <string.h>

void weft_device_expect(weft_device *device, const weft_tensor *inputs) {
  weft_ahead *ahead = &device->ahead;
  const weft_program *program = device->session->model->program;
  size_t size = sizeof(*inputs) * (size_t)program->num_inputs;
  ahead->wanted = false;
  if (!ahead->inputs)
    ahead->inputs = calloc(1, size + 1);
  if (!ahead->next)
    ahead->next = calloc(1, size + 1);
  if (!ahead->inputs || !ahead->next)
    return; // it is but a hint
  memcpy(ahead->next, inputs, size);
  ahead->wanted = true;
}

// Waits until the GPU reads none of the memory any more.
static bool await_last(weft_device *device) {
  weft_ahead *ahead = &device->ahead;
  const char *what = "copying inputs ahead";
  if (!ahead->stream &&
      !WEFT_DEVICE_CALL(device, what, NULL, cuStreamCreateWithPriority,
                        &ahead->stream, CU_STREAM_NON_BLOCKING, 0)) {
    ahead->stream = NULL;
    return false;
  }
  if (!ahead->done &&
      !WEFT_DEVICE_CALL(device, what, NULL, cuEventCreate, &ahead->done,
                        CU_EVENT_DISABLE_TIMING)) {
    ahead->done = NULL;
    return false;
  }
  return WEFT_DEVICE_CALL(device, what, NULL, cuStreamSynchronize,
                          ahead->stream);
}

// Whether a run would take the tensor; if not, it says why.
static bool fits(const weft_port *port, const weft_tensor *tensor,
                 int64_t *bytes) {
  if (tensor->dtype != port->dtype || tensor->rank != port->rank)
    return false;
  for (int32_t axis = 0; axis < port->rank; ++axis) {
    weft_dim dim = port->dims[axis];
    if (dim.symbol < 0 ? tensor->dims[axis] != dim.size
                       : tensor->dims[axis] < 0)
      return false;
  }
  return weft_tensor_size(tensor->dtype, tensor->rank, tensor->dims, bytes) &&
         tensor->bytes >= *bytes;
}

static bool send(weft_device *device, int32_t index) {
  const weft_tensor *tensor = &device->ahead.inputs[index];
  const weft_port *input = &device->session->model->program->inputs[index];
  weft_device_port *port = &device->inputs[index];
  const char *name = input->name;
  const char *what = "copying to the GPU ahead the input";
  int64_t bytes = 0;
  if (!tensor->data || port->kept)
    return true;
  if (!fits(input, tensor, &bytes))
    return false;
  if (!weft_device_reserve(device, &port->ahead_memory, bytes, what, name) ||
      !weft_pinned_reserve(device, &port->ahead_pinned, bytes, what, name))
    return false;
  if (!bytes)
    return true;
  memcpy(port->ahead_pinned.data, tensor->data, (size_t)bytes);
  return WEFT_DEVICE_CALL(device, what, name, cuMemcpyHtoDAsync_v2,
                          port->ahead_memory.address, port->ahead_pinned.data,
                          (size_t)bytes, device->ahead.stream);
}

void weft_ahead_send(weft_device *device) {
  weft_ahead *ahead = &device->ahead;
  if (!ahead->wanted || device->status)
    return;
  ahead->wanted = ahead->sent = false;
  weft_tensor *inputs = ahead->inputs;
  ahead->inputs = ahead->next;
  ahead->next = inputs;
  const weft_program *program = device->session->model->program;
  bool ok = await_last(device);
  for (int32_t i = 0; ok && i < program->num_inputs; ++i)
    ok = send(device, i);
  ahead->sent =
      ok && WEFT_DEVICE_CALL(device, "copying inputs ahead", NULL,
                             cuEventRecord, ahead->done, ahead->stream);
  // The run that is under way has not failed by that.
  if (!device->lost)
    device->status = WEFT_OK;
}

// Whether this run is given what was expected.
static bool is_expected(const weft_device *device) {
  const weft_session *session = device->session;
  const weft_program *program = session->model->program;
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    const weft_tensor *tensor = &device->ahead.inputs[i];
    const weft_port *port = &program->inputs[i];
    if (!tensor->data || device->inputs[i].kept)
      continue;
    if (tensor->data != session->inputs[i].data)
      return false;
    for (int32_t axis = 0; axis < port->rank; ++axis) {
      weft_dim dim = port->dims[axis];
      int64_t wanted =
          dim.symbol < 0 ? dim.size : session->binding.values[dim.symbol];
      if (tensor->dims[axis] != wanted)
        return false;
    }
  }
  return true;
}

bool weft_ahead_take(weft_device *device) {
  weft_ahead *ahead = &device->ahead;
  if (!ahead->sent)
    return true;
  ahead->sent = false;
  if (!is_expected(device))
    return true;
  if (!WEFT_DEVICE_CALL(device, "waiting for inputs", NULL, cuStreamWaitEvent,
                        device->stream, ahead->done, 0))
    return false;
  const weft_program *program = device->session->model->program;
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    const weft_tensor *tensor = &ahead->inputs[i];
    weft_device_port *port = &device->inputs[i];
    if (!tensor->data || port->kept)
      continue;
    weft_device_buffer memory = port->memory;
    weft_pinned_buffer pinned = port->pinned;
    port->memory = port->ahead_memory;
    port->pinned = port->ahead_pinned;
    port->ahead_memory = memory;
    port->ahead_pinned = pinned;
    port->used = true;
  }
  ahead->odd = !ahead->odd;
  return true;
}

void weft_ahead_free(weft_device *device) {
  weft_ahead *ahead = &device->ahead;
  if (ahead->stream) {
    device->driver->cuStreamSynchronize(ahead->stream);
    device->driver->cuStreamDestroy_v2(ahead->stream);
  }
  if (ahead->done)
    device->driver->cuEventDestroy_v2(ahead->done);
  free(ahead->inputs);
  free(ahead->next);
  *ahead = (weft_ahead){0};
}
