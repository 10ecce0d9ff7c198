//===- run.c - Runs on a GPU, and what they offer to the program ----------===//

#include "Core/run.h"
#include "Core/output.h"
#include "Core/tensor.h"
#include "device.h"
#include <string.h>

bool weft_device_pass_on(weft_device *device) {
  if (device->status)
    weft_run_fail(&device->session->run, device->status, "%s", device->message);
  return false;
}

static bool has_failed(const weft_device *device) {
  return atomic_load(&device->session->run.failed);
}

//===----------------------------------------------------------------------===//
// Inputs, outputs and faults
//===----------------------------------------------------------------------===//

// The bytes of an input, whose sizes are bound.
static int64_t input_bytes(const weft_session *session, int32_t index) {
  const weft_port *port = &session->model->program->inputs[index];
  int64_t dims[WEFT_MAX_RANK], bytes = 0;
  for (int32_t axis = 0; axis < port->rank; ++axis) {
    weft_dim dim = port->dims[axis];
    dims[axis] =
        dim.symbol < 0 ? dim.size : session->binding.values[dim.symbol];
  }
  weft_tensor_size(port->dtype, port->rank, dims, &bytes); // checked before
  return bytes;
}

// Puts an input, for which there is room, where the GPU takes it from.
static void stage_input(weft_device *device, int32_t index) {
  weft_device_port *port = &device->inputs[index];
  port->bytes = input_bytes(device->session, index);
  if (port->bytes)
    memcpy(port->pinned.data, device->session->inputs[index].data,
           (size_t)port->bytes);
  port->used = true;
}

bool weft_device_send_input(weft_device *device, int32_t index) {
  weft_device_port *port = &device->inputs[index];
  if (port->used || port->kept)
    return true;
  const char *name = device->session->model->program->inputs[index].name;
  const char *what = "copying to the GPU the input";
  if (!weft_device_reserve_port(
          device, port, input_bytes(device->session, index), what, name))
    return false;
  stage_input(device, index);
  return !port->bytes ||
         WEFT_DEVICE_CALL(device, what, name, cuMemcpyHtoDAsync_v2,
                          port->memory.address, port->pinned.data,
                          (size_t)port->bytes, device->stream);
}

bool weft_device_prepare_faults(weft_device *device) {
  const char *what = "preparing for faults";
  const int64_t bytes = sizeof(weft_device_fault);
  if (device->faults_used)
    return true;
  device->faults_used = true;
  return weft_device_reserve(device, &device->faults, bytes, what, NULL) &&
         weft_pinned_reserve(device, &device->fault_copy, bytes, what, NULL) &&
         WEFT_DEVICE_CALL(device, what, NULL, cuMemsetD8Async,
                          device->faults.address, 0, (size_t)bytes,
                          device->stream);
}

bool weft_device_fetch_faults(weft_device *device) {
  return !device->faults_used ||
         WEFT_DEVICE_CALL(device, "looking for faults", NULL,
                          cuMemcpyDtoHAsync_v2, device->fault_copy.data,
                          device->faults.address, sizeof(weft_device_fault),
                          device->stream);
}

// Sends for what the kernels have made.
static bool fetch_results(weft_device *device) {
  const weft_program *program = device->session->model->program;
  for (int32_t i = 0; i < program->num_outputs; ++i) {
    weft_device_port *port = &device->outputs[i];
    if (port->used && port->bytes &&
        !WEFT_DEVICE_CALL(device, "copying from the GPU the output",
                          program->outputs[i].name, cuMemcpyDtoHAsync_v2,
                          port->pinned.data, port->memory.address,
                          (size_t)port->bytes, device->stream))
      return false;
  }
  return weft_device_fetch_faults(device);
}

bool weft_device_require(weft_device *device, const char *place,
                         weft_fault fault, CUdeviceptr found, int64_t wanted) {
  weft_requirements *all = &device->requirements;
  const char *what = "looking at a number";
  if (!weft_pinned_reserve(device, &device->required_copy,
                           (int64_t)sizeof(int64_t) * WEFT_MOST_REQUIREMENTS,
                           what, NULL))
    return false;
  all->too_many |= all->count == WEFT_MOST_REQUIREMENTS;
  if (all->too_many) {
    int64_t number = 0;
    if (!weft_device_download(device, &number, found, sizeof(number), what,
                              NULL))
      return false;
    if ((uint64_t)number >= (uint64_t)wanted)
      weft_run_functions.fault(&device->session->run, place, fault, number,
                               wanted);
    return true;
  }
  int64_t *copy = (int64_t *)device->required_copy.data + all->count;
  all->list[all->count++] = (weft_requirement){place, fault, wanted};
  return WEFT_DEVICE_CALL(device, what, NULL, cuMemcpyDtoHAsync_v2, copy, found,
                          sizeof(*copy), device->stream);
}

static bool check_requirements(weft_device *device) {
  const int64_t *numbers = device->required_copy.data;
  for (int32_t i = 0; i < device->requirements.count; ++i) {
    const weft_requirement *one = &device->requirements.list[i];
    if ((uint64_t)numbers[i] < (uint64_t)one->wanted)
      continue;
    weft_run_functions.fault(&device->session->run, one->place, one->fault,
                             numbers[i], one->wanted);
    return false;
  }
  return true;
}

bool weft_device_check_faults(weft_device *device) {
  if (!check_requirements(device))
    return false;
  if (!device->faults_used)
    return true;
  const weft_device_fault *fault = device->fault_copy.data;
  if (!fault->taken)
    return true;
  const weft_program *program = device->session->model->program;
  const weft_device_code *code = program->device;
  const char *place = NULL;
  if (fault->place >= 0 && fault->place < code->num_places)
    place = code->places[fault->place];
  weft_run *run = &device->session->run;
  run->kernel = fault->kernel;
  weft_run_functions.fault(run, place, (weft_fault)fault->fault, fault->detail,
                           fault->wanted);
  return false;
}

static void deliver_outputs(weft_device *device) {
  weft_session *session = device->session;
  for (int32_t i = 0; i < session->model->program->num_outputs; ++i) {
    const weft_device_port *port = &device->outputs[i];
    if (port->used && port->bytes)
      memcpy(session->outputs[i].data, port->pinned.data, (size_t)port->bytes);
  }
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

// Waits for the GPU and takes what it has made.
static bool complete(weft_device *device) {
  weft_ahead_send(device);
  if (!WEFT_DEVICE_CALL(device, "waiting for the run", NULL,
                        cuStreamSynchronize, device->stream))
    return weft_device_pass_on(device);
  if (device->session->trace.on && !weft_timing_end(device))
    return weft_device_pass_on(device);
  if (!weft_device_check_faults(device) || !weft_device_commit_states(device))
    return false;
  deliver_outputs(device);
  return true;
}

static int32_t run_directly(weft_device *device) {
  weft_session *session = device->session;
  if (session->trace.on && !weft_timing_begin(device)) {
    weft_device_pass_on(device);
    return 1;
  }
  int32_t result = session->model->program->run(&session->run);
  bool ok = !result && !has_failed(device);
  ok = ok && (fetch_results(device) || weft_device_pass_on(device));
  if (!weft_device_free_blocks(device))
    ok = weft_device_pass_on(device);
  if (ok)
    return !complete(device);
  // Nothing of this run may still be under way in the next one.
  device->driver->cuStreamSynchronize(device->stream);
  return result ? result : 1;
}

static int32_t run_and_record(weft_device *device, weft_graph *graph) {
  weft_session *session = device->session;
  graph->num_parts = 0;
  if (!weft_graph_begin(device, graph)) {
    weft_device_pass_on(device);
    return 1;
  }
  int32_t result = session->model->program->run(&session->run);
  bool ok = !result && !has_failed(device);
  // What is timed is what computes.
  bool apart = session->time_runs;
  ok = ok && (apart || fetch_results(device)) &&
       weft_graph_end(device, graph) && (!apart || fetch_results(device));
  if (ok) {
    weft_graph_note(device, graph);
    return !complete(device);
  }
  weft_device_pass_on(device);
  weft_graph_drop(device);
  graph->num_parts = 0;
  // A first part may be under way.
  device->driver->cuStreamSynchronize(device->stream);
  return result ? result : 1;
}

// Copies the inputs that the run of `graph` uses.
static bool send_inputs(weft_device *device, const weft_graph *graph) {
  const weft_program *program = device->session->model->program;
  for (int32_t i = 0; i < program->num_inputs; ++i)
    if (graph->inputs[i] && !weft_device_send_input(device, i))
      return weft_device_pass_on(device);
  return true;
}

// Launches all parts of a recorded run.
static bool launch_parts(weft_device *device, const weft_graph *graph) {
  weft_timing *timing = &device->timing;
  bool timed = device->session->time_runs;
  if (timed && !weft_timing_mark(device, &timing->run_begin))
    return weft_device_pass_on(device);
  for (int32_t part = 0; part < graph->num_parts; ++part) {
    if (part > 0 && !weft_device_settle_replayed(device))
      return false;
    if (!weft_graph_launch(device, graph, part))
      return weft_device_pass_on(device);
  }
  if (timed &&
      (!weft_timing_mark(device, &timing->run_end) || !fetch_results(device)))
    return weft_device_pass_on(device);
  return true;
}

static int32_t replay(weft_device *device, const weft_graph *graph) {
  weft_session *session = device->session;
  const weft_program *program = session->model->program;
  for (int32_t i = 0; i < program->num_outputs; ++i) {
    weft_output_slot *slot = &session->outputs[i];
    bool kept = device->outputs[i].kept;
    if (!graph->outputs[i] && !kept)
      continue;
    device->outputs[i].used = !kept;
    device->outputs[i].bytes = slot->bytes;
    if (!weft_run_output(&session->run, i, slot->dims))
      return 1;
  }
  device->faults_used = graph->faults;
  device->requirements = graph->requirements;
  device->launched = graph->launched;
  device->writes_state = graph->writes_state && graph->num_parts == 1;
  if (!launch_parts(device, graph) || !complete(device))
    return 1;
  if (session->time_runs && !weft_timing_measure(device)) {
    weft_device_pass_on(device);
    return 1;
  }
  return 0;
}

static void forget_last_run(weft_device *device) {
  const weft_program *program = device->session->model->program;
  for (int32_t i = 0; i < program->num_inputs; ++i)
    device->inputs[i].used = false;
  for (int32_t i = 0; i < program->num_outputs; ++i)
    device->outputs[i].used = false;
  device->faults_used = device->settled = device->writes_state = false;
  device->requirements = (weft_requirements){0};
  device->launched = (weft_launched){0};
  device->timing.run = 0;
  device->status = WEFT_OK;
}

static bool reserve_arena(weft_device *device) {
  const weft_session *session = device->session;
  const weft_device_code *code = session->model->program->device;
  int64_t bytes = code->arena_bytes(session->binding.values);
  if (bytes < 0)
    return weft_device_fail(device, WEFT_ERROR_OVERFLOW,
                            "the bytes of the arena on the GPU do not fit into "
                            "64 bits");
  char what[64];
  weft_text text = {what, sizeof(what), 0};
  weft_text_append(&text, "reserving %lld bytes for the arena",
                   (long long)bytes);
  if (!weft_device_reserve(device, &device->arena, bytes, what, NULL))
    return false;
  device->arena_planned = bytes;
  return true;
}

// With the context current.
static int32_t run_entered(weft_device *device) {
  weft_session *session = device->session;
  bool first = device->runs++ == 0;
  if (!reserve_arena(device) || !weft_device_refresh_states(device) ||
      !weft_ahead_take(device)) {
    weft_device_pass_on(device);
    return 1;
  }
  bool is_watched = session->announce || session->observe;
  if (!session->model->program->device->replayable || session->trace.on ||
      device->always_careful || is_watched) {
    device->careful = first || device->always_careful || is_watched;
    return run_directly(device);
  }
  weft_graph *graph = weft_graph_find(device);
  if (!graph) {
    weft_device_pass_on(device);
    return 1;
  }
  // The first run with these sizes names the kernel if one fails, and may
  // allocate, which a recording may not.
  device->careful = !graph->proven;
  if (!graph->proven || graph->requirements.too_many) {
    int32_t result = run_directly(device);
    graph->proven = !result;
    weft_graph_note(device, graph);
    graph->num_parts = 0;
    return result;
  }
  if (!send_inputs(device, graph))
    return 1;
  if (graph->num_parts && graph->generation == device->generation)
    return replay(device, graph);
  return run_and_record(device, graph);
}

int32_t weft_device_run(weft_device *device) {
  weft_run *run = &device->session->run;
  if (device->lost) {
    weft_run_fail(run, WEFT_ERROR_DEVICE_LOST,
                  "the GPU \"%s\" was lost in an earlier run: %s", device->name,
                  device->message);
    return 1;
  }
  forget_last_run(device);
  if (!WEFT_DEVICE_CALL(device, "starting a run", NULL, cuCtxPushCurrent_v2,
                        device->context)) {
    weft_device_pass_on(device);
    return 1;
  }
  int32_t result = run_entered(device);
  if (result || has_failed(device))
    weft_device_doubt_states(device);
  CUcontext popped;
  device->driver->cuCtxPopCurrent_v2(&popped);
  return result;
}
