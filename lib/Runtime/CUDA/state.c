//===- state.c - State of training that stays on the GPU ------------------===//
//
// The values of a kept state are on the host, on the GPU, or on both: after a
// step the GPU alone has them, until the host asks for them. A run writes new
// values over the old ones, so it must not fail from then on for a reason that
// lies in its data: weft_rt_device_settle() comes in between. What a program
// writes earlier is made elsewhere and copied after a success (`early`).
//
//===----------------------------------------------------------------------===//

#include "Core/run.h"
#include "Core/status.h"
#include "Core/tensor.h"
#include "device.h"

static const weft_port *input_of(const weft_device *device, int32_t index) {
  return &device->session->model->program->inputs[index];
}

static int64_t bytes_of(const weft_port *port) {
  int64_t dims[WEFT_MAX_RANK], bytes = 0;
  for (int32_t axis = 0; axis < port->rank; ++axis)
    dims[axis] = port->dims[axis].size; // a state's sizes are fixed
  weft_tensor_size(port->dtype, port->rank, dims, &bytes);
  return bytes;
}

//===----------------------------------------------------------------------===//
// Between runs
//===----------------------------------------------------------------------===//

void weft_device_keep(weft_device *device, int32_t index, void *host) {
  const weft_port *port = input_of(device, index);
  weft_device_port *input = &device->inputs[index];
  input->kept = input->host_newer = true;
  input->host = host;
  input->bytes = bytes_of(port);
  device->outputs[port->twin].kept = true;
  device->session->outputs[port->twin].kept = true;
  ++device->num_kept;
}

weft_status weft_device_lend(weft_device *device, int32_t index,
                             weft_device *lender, int32_t lent) {
  const weft_port *port = input_of(device, index);
  if (device->context != lender->context)
    return weft_fail(WEFT_ERROR_ARGUMENT,
                     "state \"%s\" is on another GPU than the session",
                     port->name);
  weft_device_port *input = &device->inputs[index];
  if (!input->kept)
    ++device->num_kept;
  input->kept = true;
  input->lender = &lender->inputs[lent];
  return WEFT_OK;
}

void weft_device_state_changed(weft_device *device, int32_t index) {
  weft_device_port *input = &device->inputs[index];
  input->host_newer = true;
  input->device_newer = false;
}

static weft_status fail_lost(const char *name) {
  return weft_fail(WEFT_ERROR_STATE_LOST,
                   "\"%s\" and the rest of the training state were lost on the "
                   "GPU in a step that failed; go on from a checkpoint",
                   name);
}

// With the context current.
static bool download(weft_device *device, int32_t index) {
  weft_device_port *input = &device->inputs[index];
  const char *what = "copying from the GPU the state";
  if (weft_device_download(device, input->host, input->memory.address,
                           input->bytes, what, input_of(device, index)->name))
    return true;
  device->driver->cuStreamSynchronize(device->stream);
  return false;
}

weft_status weft_device_state_fetch(weft_device *device, int32_t index) {
  weft_device_port *input = &device->inputs[index];
  const char *name = input_of(device, index)->name;
  if (!input->device_newer)
    return WEFT_OK;
  if (device->state_lost || device->lost)
    return fail_lost(name);
  device->status = WEFT_OK;
  CUcontext popped;
  if (WEFT_DEVICE_CALL(device, "copying from the GPU the state", name,
                       cuCtxPushCurrent_v2, device->context)) {
    if (download(device, index))
      input->device_newer = false;
    device->driver->cuCtxPopCurrent_v2(&popped);
  }
  return device->status ? weft_fail(device->status, "%s", device->message)
                        : WEFT_OK;
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

// Once the host has changed all states, what was lost is forgotten.
static bool check_lost(weft_device *device) {
  if (!device->state_lost)
    return true;
  const weft_program *program = device->session->model->program;
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    const weft_device_port *input = &device->inputs[i];
    if (input->kept && !input->lender && !input->host_newer)
      return weft_device_fail(
          device, WEFT_ERROR_STATE_LOST,
          "the training state was lost on the GPU in a step that failed; go "
          "on from a checkpoint");
  }
  device->state_lost = false;
  return true;
}

bool weft_device_refresh_states(weft_device *device) {
  const weft_program *program = device->session->model->program;
  if (!device->num_kept)
    return true;
  if (!check_lost(device))
    return false;
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    weft_device_port *port = &device->inputs[i];
    if (!port->kept)
      continue;
    weft_device_port *input = port->lender ? port->lender : port;
    const char *what = "copying to the GPU the state";
    const char *name = program->inputs[i].name;
    if (input->host_newer) {
      if (!weft_device_reserve(device, &input->memory, input->bytes, what,
                               name) ||
          !weft_device_upload(device, input->memory.address, input->host,
                              input->bytes, what, name))
        return false;
      input->host_newer = false;
    }
    port->memory.address = input->memory.address;
  }
  return true;
}

// Waits for the record of faults, which was sent for.
static bool await_faults(weft_device *device) {
  weft_ahead_send(device);
  if (!WEFT_DEVICE_CALL(device, "waiting for faults", NULL, cuStreamSynchronize,
                        device->stream))
    return weft_device_pass_on(device);
  return weft_device_check_faults(device);
}

bool weft_device_settle(weft_device *device) {
  if (device->settled || !device->num_kept)
    return true;
  device->settled = true;
  weft_graph *graph = device->recording;
  if (device->faults_used || device->requirements.count) {
    if (!weft_device_fetch_faults(device) ||
        (graph && !weft_graph_end(device, graph)) || !await_faults(device) ||
        (graph && !weft_graph_begin(device, graph)))
      return weft_device_pass_on(device);
  }
  device->writes_state = true;
  return true;
}

bool weft_device_settle_replayed(weft_device *device) {
  if (!await_faults(device))
    return false;
  device->writes_state = true;
  return true;
}

bool weft_device_commit_states(weft_device *device) {
  const weft_program *program = device->session->model->program;
  bool copies = false;
  for (int32_t i = 0; device->num_kept && i < program->num_inputs; ++i) {
    const weft_port *port = &program->inputs[i];
    weft_device_port *input = &device->inputs[i];
    if (!input->kept || input->lender)
      continue;
    if (!program->outputs[port->twin].early)
      continue;
    copies = device->writes_state = true;
    if (!weft_device_copy(device, input->memory.address,
                          device->outputs[port->twin].memory.address,
                          input->bytes, "keeping the state", port->name))
      return weft_device_pass_on(device);
  }
  if (copies && !WEFT_DEVICE_CALL(device, "keeping the state", NULL,
                                  cuStreamSynchronize, device->stream))
    return weft_device_pass_on(device);
  for (int32_t i = 0; device->num_kept && i < program->num_inputs; ++i)
    if (device->inputs[i].kept && !device->inputs[i].lender)
      device->inputs[i].device_newer = true;
  return true;
}

void weft_device_doubt_states(weft_device *device) {
  if (!device->num_kept || !(device->writes_state || device->lost))
    return;
  const weft_program *program = device->session->model->program;
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    weft_device_port *input = &device->inputs[i];
    if (!input->kept || input->lender)
      continue;
    // What the host has is of before the run.
    if (input->device_newer)
      device->state_lost = true;
    else
      input->host_newer = true;
  }
}
