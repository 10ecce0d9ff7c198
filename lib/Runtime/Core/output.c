//===- output.c - The memory of outputs -----------------------------------===//

#include "output.h"
#include "status.h"
#include "tensor.h"
#include <stdlib.h>
#include <string.h>

// True if `data` is memory that the session gave out for this output in an
// earlier run.
static bool is_own(const weft_output_slot *slot, const void *data) {
  return data && (data == slot->memory.data || data == slot->spare.data);
}

static bool is_used(const weft_buffer *buffer, int32_t count,
                    const weft_tensor *inputs) {
  for (int32_t i = 0; i < count; ++i)
    if (weft_buffer_contains(buffer, inputs[i].data))
      return true;
  return false;
}

static bool check_dims(weft_run *run, const weft_port *port,
                       const int64_t *dims) {
  const int64_t *symbols = run->session->binding.values;
  for (int32_t axis = 0; axis < port->rank; ++axis) {
    weft_dim dim = port->dims[axis];
    int64_t found = dims[axis];
    bool is_free = dim.symbol == -2;
    int64_t wanted = dim.symbol >= 0 ? symbols[dim.symbol] : dim.size;
    if (is_free ? found >= 0 : found == wanted)
      continue;
    weft_run_fail(run, WEFT_ERROR_OUTPUT_SIZE,
                  "output \"%s\" dimension %d came out as %lld, wanted %lld%s",
                  port->name, axis, (long long)found,
                  is_free ? 0LL : (long long)wanted, is_free ? " or more" : "");
    return false;
  }
  return true;
}

// Memory of the session's.
static void *provide(weft_run *run, const weft_port *port, weft_buffer *buffer,
                     int64_t bytes) {
  if (weft_buffer_reserve(buffer, bytes))
    return buffer->data;
  weft_run_fail(run, WEFT_ERROR_MEMORY,
                "no memory for the %lld bytes of output \"%s\"",
                (long long)bytes, port->name);
  return NULL;
}

// Finds the memory of an output whose sizes are known. False after a failure.
static bool prepare(weft_run *run, const weft_port *port,
                    weft_output_slot *slot, const int64_t *dims) {
  if (!weft_tensor_size(port->dtype, port->rank, dims, &slot->bytes)) {
    weft_run_fail(run, WEFT_ERROR_OVERFLOW,
                  "the bytes of output \"%s\" do not fit into 64 bits",
                  port->name);
    return false;
  }
  if (port->rank)
    memcpy(slot->dims, dims, sizeof(*dims) * (size_t)port->rank);
  void *data = slot->requested.data;
  if (data && slot->requested.bytes < slot->bytes) {
    weft_run_fail(run, WEFT_ERROR_OUTPUT_MEMORY,
                  "output \"%s\" has %lld bytes of memory, wanted %lld",
                  port->name, (long long)slot->requested.bytes,
                  (long long)slot->bytes);
    return false;
  }
  if (!data)
    data = provide(run, port, &slot->memory, slot->bytes);
  else if (!slot->kept &&
           (port->early || !weft_tensor_is_aligned(port->dtype, data)))
    data = provide(run, port, &slot->copy, slot->bytes);
  slot->prepared = data;
  return data;
}

// The sizes of an output, if they follow from the inputs.
static bool find_dims(const weft_session *session, const weft_port *port,
                      int64_t *dims) {
  for (int32_t axis = 0; axis < port->rank; ++axis) {
    weft_dim dim = port->dims[axis];
    if (dim.symbol == -2)
      return false;
    dims[axis] =
        dim.symbol < 0 ? dim.size : session->binding.values[dim.symbol];
  }
  return true;
}

static bool overlap(const void *lhs, int64_t lhs_bytes, const void *rhs,
                    int64_t rhs_bytes) {
  uintptr_t left = (uintptr_t)lhs, right = (uintptr_t)rhs;
  return lhs && rhs && left < right + (uintptr_t)rhs_bytes &&
         right < left + (uintptr_t)lhs_bytes && lhs_bytes && rhs_bytes;
}

// Fails if the caller's memory for output `index` is that of another tensor as
// well, but for the state whose new value it is.
static bool check_overlaps(weft_run *run, int32_t index,
                           const weft_tensor *inputs) {
  const weft_program *program = run->session->model->program;
  const weft_port *port = &program->outputs[index];
  const weft_output_slot *slots = run->session->outputs, *slot = &slots[index];
  const void *data = slot->requested.data;
  for (int32_t i = 0; data && i < program->num_inputs; ++i) {
    int64_t bytes = 0; // fits: the binding has checked it
    weft_tensor_size(inputs[i].dtype, inputs[i].rank, inputs[i].dims, &bytes);
    if (i == port->twin && data == inputs[i].data)
      continue;
    if (!overlap(data, slot->bytes, inputs[i].data, bytes))
      continue;
    weft_run_fail(run, WEFT_ERROR_OVERLAP,
                  "the memory of output \"%s\" overlaps that of input \"%s\"",
                  port->name, program->inputs[i].name);
    return false;
  }
  for (int32_t i = 0; data && i < index; ++i) {
    if (!overlap(data, slot->bytes, slots[i].requested.data, slots[i].bytes))
      continue;
    weft_run_fail(run, WEFT_ERROR_OVERLAP,
                  "the memory of output \"%s\" overlaps that of output \"%s\"",
                  port->name, program->outputs[i].name);
    return false;
  }
  return true;
}

bool weft_outputs_begin(weft_session *session, const weft_tensor *inputs,
                        const weft_tensor *outputs) {
  weft_run *run = &session->run;
  const weft_program *program = session->model->program;
  for (int32_t i = 0; i < program->num_outputs; ++i) {
    weft_output_slot *slot = &session->outputs[i];
    slot->data = slot->prepared = NULL;
    slot->bytes = 0;
    slot->requested = outputs[i];
    if (is_own(slot, outputs[i].data))
      slot->requested.data = NULL;
    if (is_used(&slot->memory, program->num_inputs, inputs)) {
      weft_buffer used = slot->memory;
      slot->memory = slot->spare;
      slot->spare = used;
    }
    int64_t dims[WEFT_MAX_RANK];
    if (find_dims(session, &program->outputs[i], dims) &&
        !(prepare(run, &program->outputs[i], slot, dims) &&
          check_overlaps(run, i, inputs)))
      return false;
  }
  return true;
}

void *weft_run_output(weft_run *run, int32_t index, const int64_t *dims) {
  weft_session *session = run->session;
  const weft_port *port = &session->model->program->outputs[index];
  weft_output_slot *slot = &session->outputs[index];
  if (!check_dims(run, port, dims) ||
      (!slot->prepared && !prepare(run, port, slot, dims)))
    return NULL;
  return slot->data = slot->prepared;
}

static void describe(const weft_port *port, const weft_output_slot *slot,
                     weft_tensor *output) {
  if (!slot->requested.data) {
    output->data = slot->data;
    output->bytes = slot->bytes;
  } else if (slot->data != slot->requested.data && slot->bytes) {
    memcpy(slot->requested.data, slot->data, (size_t)slot->bytes);
  }
  output->dtype = port->dtype;
  output->rank = port->rank;
  memset(output->dims, 0, sizeof(output->dims));
  memcpy(output->dims, slot->dims, sizeof(*slot->dims) * (size_t)port->rank);
}

weft_status weft_outputs_finish(weft_session *session, weft_tensor *outputs) {
  const weft_program *program = session->model->program;
  for (int32_t i = 0; i < program->num_outputs; ++i)
    if (!session->outputs[i].data)
      return weft_fail(WEFT_ERROR_NO_OUTPUT,
                       "the program did not write output \"%s\"",
                       program->outputs[i].name);
  for (int32_t i = 0; i < program->num_outputs; ++i)
    describe(&program->outputs[i], &session->outputs[i], &outputs[i]);
  return WEFT_OK;
}

weft_status weft_outputs_take(weft_session *session, int32_t index,
                              void **out) {
  const weft_program *program = session->model->program;
  if (index < 0 || index >= program->num_outputs)
    return weft_fail(WEFT_ERROR_ARGUMENT, "output %d of %d does not exist",
                     index, program->num_outputs);
  weft_output_slot *slot = &session->outputs[index];
  if (!slot->data || slot->data != slot->memory.data)
    return weft_fail(WEFT_ERROR_ARGUMENT,
                     "the session holds no memory of output \"%s\"",
                     program->outputs[index].name);
  *out = slot->memory.data;
  slot->memory = (weft_buffer){0};
  slot->data = NULL;
  return WEFT_OK;
}

void weft_output_free(void *data) { free(data); }

void weft_outputs_drop(weft_session *session, weft_tensor *outputs) {
  for (int32_t i = 0; i < session->model->program->num_outputs; ++i) {
    if (is_own(&session->outputs[i], outputs[i].data))
      outputs[i].data = NULL;
    session->outputs[i].data = NULL;
  }
}
