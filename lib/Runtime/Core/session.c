//===- session.c - The threads and the memory of runs ---------------------===//

#include "session.h"
#include "CUDA/device.h"
#include "output.h"
#include "plan.h"
#include "status.h"
#include "tensor.h"
#include <stdlib.h>
#include <string.h>

void weft_session_options_init(weft_session_options *options) {
  *options = (weft_session_options){.spin_microseconds = 50};
}

static void destroy(weft_session *session) {
  const weft_program *program = session->model->program;
  weft_executor_destroy(session->executor);
  weft_device_destroy(session->device);
  weft_binding_destroy(&session->binding);
  weft_arena_free(&session->arena);
  for (int32_t i = 0; session->inputs && i < program->num_inputs; ++i)
    weft_buffer_free(&session->inputs[i].copy);
  for (int32_t i = 0; session->outputs && i < program->num_outputs; ++i) {
    weft_buffer_free(&session->outputs[i].memory);
    weft_buffer_free(&session->outputs[i].spare);
    weft_buffer_free(&session->outputs[i].copy);
  }
  free(session->inputs);
  free(session->outputs);
  free(session->trace.records);
  weft_model_release(session->model);
  free(session);
}

static weft_status initialize(weft_session *session,
                              const weft_session_options *options) {
  const weft_program *program = session->model->program;
  session->run.table = &weft_run_functions;
  session->run.session = session;
  session->announce = options->announce;
  session->observe = options->observe;
  session->observe_user = options->observe_user;
  session->trace.on = options->profile != 0;
  session->time_runs = options->time_runs != 0;
  session->memory_budget =
      options->memory_budget ? options->memory_budget : program->memory_budget;
  session->trace.run = -1;
  session->trace.start = weft_trace_now();
  session->inputs =
      calloc((size_t)program->num_inputs + 1, sizeof(*session->inputs));
  session->outputs =
      calloc((size_t)program->num_outputs + 1, sizeof(*session->outputs));
  if (!session->inputs || !session->outputs)
    return weft_fail(WEFT_ERROR_MEMORY, "no memory for a session");
  weft_status status = weft_binding_create(program, &session->binding);
  if (status)
    return status;
  status =
      weft_executor_create(options, program->scratch_bytes, &session->executor);
  if (!status && program->device)
    status = weft_device_create(session, options->device, &session->device);
  return status;
}

weft_status weft_session_create(weft_model *model,
                                const weft_session_options *options,
                                weft_session **out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the session");
  *out = NULL;
  if (!model)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no model to run");
  weft_session_options defaults;
  weft_session_options_init(&defaults);
  weft_session *session = calloc(1, sizeof(*session));
  if (!session)
    return weft_fail(WEFT_ERROR_MEMORY, "no memory for a session");
  atomic_init(&session->references, 1);
  weft_model_retain(model);
  session->model = model;
  weft_status status = initialize(session, options ? options : &defaults);
  if (status) {
    destroy(session);
    return status;
  }
  *out = session;
  return WEFT_OK;
}

void weft_session_retain(weft_session *session) {
  atomic_fetch_add_explicit(&session->references, 1, memory_order_relaxed);
}

void weft_session_release(weft_session *session) {
  if (session && atomic_fetch_sub(&session->references, 1) == 1)
    destroy(session);
}

int32_t weft_session_threads(const weft_session *session) {
  return weft_executor_threads(session->executor);
}

//===----------------------------------------------------------------------===//
// The arena
//===----------------------------------------------------------------------===//

weft_status weft_session_plan(const weft_program *program,
                              const int64_t *symbols, int64_t *out) {
  *out = program->arena_bytes(symbols);
  if (*out >= 0)
    return WEFT_OK;
  *out = 0;
  return weft_fail(WEFT_ERROR_OVERFLOW,
                   "the bytes of the arena do not fit into 64 bits");
}

weft_status weft_session_arena_bytes(const weft_session *session,
                                     int32_t num_symbols,
                                     const int64_t *symbols, int64_t *out) {
  const weft_program *program = session->model->program;
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the bytes");
  *out = 0;
  if (num_symbols != program->num_symbols || (num_symbols && !symbols))
    return weft_fail(WEFT_ERROR_ARGUMENT, "got %d symbols, wanted %d",
                     symbols ? num_symbols : 0, program->num_symbols);
  for (int32_t i = 0; i < num_symbols; ++i) {
    weft_status status = weft_symbol_check(&program->symbols[i], symbols[i]);
    if (status)
      return status;
  }
  weft_status status = weft_session_plan(program, symbols, out);
  if (!status && program->device) {
    int64_t more = program->device->arena_bytes(symbols);
    if (more < 0 || __builtin_add_overflow(*out, more, out)) {
      *out = 0;
      return weft_fail(WEFT_ERROR_OVERFLOW,
                       "the bytes of the arena do not fit into 64 bits");
    }
  }
  return status;
}

int64_t weft_session_arena_taken(const weft_session *session) {
  int64_t more = session->device ? session->device->arena_planned : 0;
  return session->arena.bytes + more;
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

// Programs get inputs that are aligned to their elements; others are copied.
static weft_status align_inputs(weft_session *session,
                                const weft_tensor *inputs) {
  const weft_program *program = session->model->program;
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    weft_input_slot *slot = &session->inputs[i];
    slot->data = inputs[i].data;
    if (weft_tensor_is_aligned(inputs[i].dtype, slot->data))
      continue;
    int64_t bytes = 0; // fits: the binding has checked it
    weft_tensor_size(inputs[i].dtype, inputs[i].rank, inputs[i].dims, &bytes);
    if (!weft_buffer_reserve(&slot->copy, bytes))
      return weft_fail(WEFT_ERROR_MEMORY,
                       "no memory to align the %lld bytes of input \"%s\"",
                       (long long)bytes, program->inputs[i].name);
    if (bytes)
      memcpy(slot->copy.data, inputs[i].data, (size_t)bytes);
    slot->data = slot->copy.data;
  }
  return WEFT_OK;
}

static weft_status run_program(weft_session *session, const weft_tensor *inputs,
                               weft_tensor *outputs) {
  weft_run *run = &session->run;
  atomic_store(&run->failed, false);
  run->kernel = -1;
  if (!weft_outputs_begin(session, inputs, outputs))
    return weft_run_report(run);
  ++session->trace.run;
  int32_t result = session->device ? weft_device_run(session->device)
                                   : session->model->program->run(run);
  weft_run_free_blocks(run);
  if (atomic_load(&run->failed))
    return weft_run_report(run);
  if (result)
    return weft_fail(WEFT_ERROR_NO_REASON,
                     "the program returned %d without reporting a fault",
                     result);
  return weft_outputs_finish(session, outputs);
}

static weft_status run_session(weft_session *session, int32_t num_inputs,
                               const weft_tensor *inputs, int32_t num_outputs,
                               weft_tensor *outputs) {
  const weft_program *program = session->model->program;
  if (num_outputs != program->num_outputs)
    return weft_fail(WEFT_ERROR_OUTPUT_COUNT, "got %d outputs, wanted %d",
                     num_outputs, program->num_outputs);
  if (num_outputs && !outputs)
    return weft_fail(WEFT_ERROR_ARGUMENT, "the list of outputs is NULL");
  int64_t bytes = 0;
  weft_status status =
      weft_binding_bind(&session->binding, program, num_inputs, inputs);
  if (!status)
    status = weft_plan_check(session, session->binding.values);
  if (!status)
    status = weft_session_plan(program, session->binding.values, &bytes);
  if (!status && !weft_arena_resize(&session->arena, bytes))
    status = weft_fail(WEFT_ERROR_MEMORY,
                       "no memory for the %lld bytes of the arena",
                       (long long)bytes);
  if (!status)
    status = align_inputs(session, inputs);
  if (!status)
    status = run_program(session, inputs, outputs);
  if (status)
    weft_outputs_drop(session, outputs);
  return status;
}

int64_t weft_session_device_time(const weft_session *session) {
  return session->device ? session->device->timing.run : 0;
}

int32_t weft_launch_read(void *to, const void *from, int64_t bytes) {
  weft_device *device = weft_device_observed();
  if (!device) {
    memcpy(to, from, (size_t)bytes);
    return WEFT_OK;
  }
  return weft_device_download(device, to, (CUdeviceptr)(uintptr_t)from, bytes,
                              "copying from the GPU to look at", NULL)
             ? WEFT_OK
             : (int32_t)device->status;
}

static bool enter(weft_session *session) {
  return !atomic_exchange_explicit(&session->busy, true, memory_order_acquire);
}

static void leave(weft_session *session) {
  atomic_store_explicit(&session->busy, false, memory_order_release);
}

static weft_status fail_busy(void) {
  return weft_fail(WEFT_ERROR_BUSY, "the session is already running");
}

weft_status weft_session_run(weft_session *session, int32_t num_inputs,
                             const weft_tensor *inputs, int32_t num_outputs,
                             weft_tensor *outputs) {
  if (!enter(session))
    return fail_busy();
  weft_status status =
      run_session(session, num_inputs, inputs, num_outputs, outputs);
  leave(session);
  return status;
}

weft_status weft_session_take_output(weft_session *session, int32_t index,
                                     void **out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the output");
  *out = NULL;
  if (!enter(session))
    return fail_busy();
  weft_status status = weft_outputs_take(session, index, out);
  leave(session);
  return status;
}

weft_status weft_session_bind_symbols(weft_session *session, int32_t num_inputs,
                                      const weft_tensor *inputs,
                                      int64_t *symbols) {
  const weft_program *program = session->model->program;
  if (!symbols && program->num_symbols)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the symbols");
  if (!enter(session))
    return fail_busy();
  weft_status status =
      weft_binding_bind(&session->binding, program, num_inputs, inputs);
  for (int32_t i = 0; i < program->num_symbols; ++i)
    symbols[i] = status ? 0 : session->binding.values[i];
  leave(session);
  return status;
}
