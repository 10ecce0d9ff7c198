//===- run.c - The state of a run, and what it offers to the program ------===//

#include "run.h"
#include "CUDA/device.h"
#include "output.h"
#include "session.h"
#include "status.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

//===----------------------------------------------------------------------===//
// What goes wrong
//===----------------------------------------------------------------------===//

// True for the one who may say what went wrong.
static bool fails_first(weft_run *run) {
  bool before = false;
  return atomic_compare_exchange_strong(&run->failed, &before, true);
}

void weft_run_fail(weft_run *run, weft_status status, const char *format, ...) {
  if (!fails_first(run))
    return;
  run->status = status;
  va_list args;
  va_start(args, format);
  vsnprintf(run->message, sizeof(run->message), format, args);
  va_end(args);
}

static void run_fault(weft_run *run, const char *place, weft_fault fault,
                      int64_t detail, int64_t wanted) {
  if (!fails_first(run))
    return;
  run->status = WEFT_OK;
  run->place = place;
  run->fault = fault;
  run->detail = detail;
  run->wanted = wanted;
}

static weft_status describe_fault(const weft_run *run, weft_text *text) {
  long long detail = run->detail, wanted = run->wanted;
  switch (run->fault) {
  case WEFT_FAULT_INDEX_OUT_OF_RANGE:
    weft_text_append(text, "index %lld is out of range for size %lld", detail,
                     wanted);
    return WEFT_ERROR_FAULT_INDEX;
  case WEFT_FAULT_DIVISION_BY_ZERO:
    weft_text_append(text, "integer division by zero, value %lld", detail);
    return WEFT_ERROR_FAULT_DIVISION;
  case WEFT_FAULT_SIZE_MISMATCH:
    weft_text_append(text, "size %lld does not fit %lld", detail, wanted);
    return WEFT_ERROR_FAULT_MISMATCH;
  case WEFT_FAULT_NEGATIVE_SIZE:
    weft_text_append(text, "size %lld is negative", detail);
    return WEFT_ERROR_FAULT_NEGATIVE;
  case WEFT_FAULT_OUT_OF_MEMORY:
    weft_text_append(text, "no memory for %lld bytes", detail);
    return WEFT_ERROR_FAULT_MEMORY;
  }
  weft_text_append(text, "unknown fault %d with the value %lld",
                   (int)run->fault, detail);
  return WEFT_ERROR_FAULT_UNKNOWN;
}

// Names the kernel and the first few of its nodes, which come one per line.
void weft_run_describe_kernel(const weft_kernel *kernel, weft_text *text) {
  enum { MOST_NODES = 4 };
  weft_text_append(text, ", in kernel \"%s\"", kernel->name);
  const char *node = kernel->nodes;
  int count = 0;
  while (*node) {
    size_t length = strcspn(node, "\n");
    if (count < MOST_NODES)
      weft_text_append(text, "%s\"%.*s\"", count ? ", " : " of nodes ",
                       (int)length, node);
    ++count;
    node += length + (node[length] == '\n');
  }
  if (count > MOST_NODES)
    weft_text_append(text, " and %d more", count - MOST_NODES);
}

weft_status weft_run_report(const weft_run *run) {
  if (run->status)
    return weft_fail(run->status, "%s", run->message);
  char message[1024];
  weft_text text = {message, sizeof(message), 0};
  weft_status status = describe_fault(run, &text);
  const weft_program *program = run->session->model->program;
  if (run->place && *run->place)
    weft_text_append(&text, ": %s", run->place);
  else if (run->kernel >= 0 && run->kernel < program->num_kernels)
    weft_run_describe_kernel(&program->kernels[run->kernel], &text);
  return weft_fail(status, "%s", message);
}

//===----------------------------------------------------------------------===//
// Memory of unplanned size
//===----------------------------------------------------------------------===//

// Comes before the memory that the program sees.
typedef struct weft_block {
  _Alignas(WEFT_BUFFER_ALIGNMENT) struct weft_block *next;
} weft_block;

static void *run_allocate(weft_run *run, const char *place, int64_t bytes) {
  if (bytes < 0) {
    run_fault(run, place, WEFT_FAULT_NEGATIVE_SIZE, bytes, 0);
    return NULL;
  }
  weft_block *block = NULL;
  if (bytes <= INT64_MAX - (int64_t)sizeof(*block))
    block = weft_memory_allocate(bytes + (int64_t)sizeof(*block));
  if (!block) {
    run_fault(run, place, WEFT_FAULT_OUT_OF_MEMORY, bytes, 0);
    return NULL;
  }
  block->next = atomic_load(&run->blocks);
  while (!atomic_compare_exchange_weak(&run->blocks, &block->next, block))
    ;
  return block + 1;
}

void weft_run_free_blocks(weft_run *run) {
  weft_block *block = atomic_exchange(&run->blocks, NULL);
  while (block) {
    weft_block *next = block->next;
    free(block);
    block = next;
  }
}

//===----------------------------------------------------------------------===//
// Launches and addresses
//===----------------------------------------------------------------------===//

static int32_t run_launch(weft_run *run, int32_t kernel, weft_task task,
                          void *const *args, int64_t count) {
  if (atomic_load_explicit(&run->failed, memory_order_acquire))
    return 1;
  weft_session *session = run->session;
  if (session->announce)
    session->announce(session->observe_user, kernel, args);
  bool timed = session->trace.on;
  int64_t begin = timed ? weft_trace_now() : 0;
  run->kernel = kernel;
  if (!weft_executor_launch(session->executor, run, task, args, count))
    weft_run_fail(run, WEFT_ERROR_PARALLEL_FOR,
                  "the caller's parallel loop did not run each of its parts "
                  "once");
  if (timed)
    weft_trace_add(&session->trace, kernel, begin, count);
  if (atomic_load_explicit(&run->failed, memory_order_acquire))
    return 1;
  run->kernel = -1;
  if (session->observe)
    session->observe(session->observe_user, kernel, args);
  return 0;
}

static const int64_t *run_symbols(weft_run *run) {
  return run->session->binding.values;
}

static void *run_arena(weft_run *run) { return run->session->arena.data; }

static const void *run_constant(weft_run *run, int32_t index) {
  return run->session->model->constants.data[index];
}

static const void *run_input(weft_run *run, int32_t index) {
  return run->session->inputs[index].data;
}

const weft_run_table weft_run_functions = {
    .launch = run_launch,
    .symbols = run_symbols,
    .arena = run_arena,
    .constant = run_constant,
    .input = run_input,
    .output = weft_run_output,
    .allocate = run_allocate,
    .fault = run_fault,
    .device_launch = weft_run_device_launch,
    .device_arena = weft_run_device_arena,
    .device_constant = weft_run_device_constant,
    .device_input = weft_run_device_input,
    .device_output = weft_run_device_output,
    .device_allocate = weft_run_device_allocate,
    .device_upload = weft_run_device_upload,
    .device_download = weft_run_device_download,
    .device_copy = weft_run_device_copy,
    .device_fill = weft_run_device_fill,
    .device_tensor_map = weft_run_device_tensor_map,
    .device_faults = weft_run_device_faults,
    .device_settle = weft_run_device_settle,
    .device_store = weft_run_device_store,
    .device_require = weft_run_device_require,
};
