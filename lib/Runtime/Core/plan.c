//===- plan.c - The memory that a run is planned to take ------------------===//

#include "plan.h"
#include "CUDA/device.h"
#include "status.h"
#include "tensor.h"

//===----------------------------------------------------------------------===//
// Totals
//===----------------------------------------------------------------------===//

// The bytes of a port; 0 if only the run settles its sizes.
static int64_t port_bytes(const weft_port *port, const int64_t *symbols) {
  int64_t dims[WEFT_MAX_RANK], bytes = 0;
  for (int32_t axis = 0; axis < port->rank; ++axis) {
    weft_dim dim = port->dims[axis];
    if (dim.symbol == -2)
      return 0;
    dims[axis] = dim.symbol < 0 ? dim.size : symbols[dim.symbol];
  }
  if (!weft_tensor_size(port->dtype, port->rank, dims, &bytes))
    return INT64_MAX;
  return bytes;
}

static void add(int64_t *sum, int64_t bytes) {
  if (__builtin_add_overflow(*sum, bytes, sum))
    *sum = INT64_MAX;
}

// What a state starts from is read once, from where it lies.
static bool is_only_initial(const weft_program *program, int32_t constant) {
  for (int32_t i = 0; i < program->num_inputs; ++i)
    if (program->inputs[i].initial == constant)
      return true;
  return false;
}

static int64_t constant_bytes(const weft_program *program, int32_t index) {
  const weft_constant *constant = &program->constants[index];
  if (is_only_initial(program, index))
    return 0;
  return constant->packed ? constant->count : constant->size;
}

// The bytes of an input, how often it is there, and whether it is a state.
static int64_t input_bytes(const weft_session *session, int32_t index,
                           const int64_t *symbols, bool *is_state) {
  const weft_program *program = session->model->program;
  const weft_port *port = &program->inputs[index];
  int64_t bytes = port_bytes(port, symbols), result = 0;
  *is_state = port->twin >= 0;
  if (session->device && session->device->inputs[index].lender)
    return 0; // it is in another session's plan
  add(&result, bytes);
  // A new value that may be in vain, or the next batch.
  if (*is_state ? program->outputs[port->twin].early
                : session->device && session->reads_ahead &&
                      port->role == WEFT_ROLE_DATA)
    add(&result, bytes);
  return result;
}

static weft_status make_plan(const weft_session *session,
                             const int64_t *symbols, weft_memory_plan *out) {
  const weft_program *program = session->model->program;
  weft_status status = weft_session_arena_bytes(session, program->num_symbols,
                                                symbols, &out->arena);
  if (status)
    return status;
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    bool is_state;
    int64_t bytes = input_bytes(session, i, symbols, &is_state);
    add(is_state ? &out->state : &out->ports, bytes);
  }
  for (int32_t i = 0; i < program->num_outputs; ++i)
    if (program->outputs[i].twin < 0)
      add(&out->ports, port_bytes(&program->outputs[i], symbols));
  for (int32_t i = 0; i < program->num_constants; ++i)
    add(&out->constants, constant_bytes(program, i));
  add(&out->total, out->arena);
  add(&out->total, out->state);
  add(&out->total, out->ports);
  add(&out->total, out->constants);
  return WEFT_OK;
}

weft_status weft_session_plan_memory(const weft_session *session,
                                     int32_t num_symbols,
                                     const int64_t *symbols,
                                     weft_memory_plan *out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the plan");
  *out = (weft_memory_plan){0};
  if (num_symbols != session->model->program->num_symbols)
    return weft_fail(WEFT_ERROR_ARGUMENT, "got %d symbols, wanted %d",
                     num_symbols, session->model->program->num_symbols);
  weft_memory_plan plan = {0};
  weft_status status = make_plan(session, symbols, &plan);
  if (!status)
    *out = plan;
  return status;
}

//===----------------------------------------------------------------------===//
// What takes most
//===----------------------------------------------------------------------===//

typedef struct part {
  const char *kind, *name;
  int64_t bytes;
} part;

enum { MOST_PARTS = 5 };

// Puts `one` among the largest.
static void note(part *largest, part one) {
  for (int i = 0; i < MOST_PARTS; ++i)
    if (one.bytes > largest[i].bytes) {
      part smaller = largest[i];
      largest[i] = one;
      one = smaller;
    }
}

static int64_t buffer_bytes(const weft_planned_buffer *buffer,
                            const int64_t *symbols) {
  int64_t bytes = buffer->bytes;
  for (int32_t i = 0; i < buffer->num_symbols; ++i)
    if (__builtin_mul_overflow(bytes, symbols[buffer->symbols[i]], &bytes))
      return INT64_MAX;
  return bytes;
}

static bool is_alive(const weft_planned_buffer *buffer, int32_t time) {
  return buffer->first <= time && time <= buffer->last;
}

// When most bytes of the arena are needed.
static int32_t find_peak(const weft_program *program, const int64_t *symbols) {
  int32_t peak = 0;
  int64_t most = -1;
  for (int32_t i = 0; i < program->num_buffers; ++i) {
    int32_t time = program->buffers[i].first;
    int64_t sum = 0;
    for (int32_t j = 0; j < program->num_buffers; ++j)
      if (is_alive(&program->buffers[j], time))
        add(&sum, buffer_bytes(&program->buffers[j], symbols));
    if (sum > most) {
      most = sum;
      peak = time;
    }
  }
  return peak;
}

static void find_largest(const weft_session *session, const int64_t *symbols,
                         part *largest) {
  const weft_program *program = session->model->program;
  int32_t peak = find_peak(program, symbols);
  for (int32_t i = 0; i < program->num_buffers; ++i)
    if (is_alive(&program->buffers[i], peak))
      note(largest, (part){"in the arena for", program->buffers[i].name,
                           buffer_bytes(&program->buffers[i], symbols)});
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    bool is_state;
    int64_t bytes = input_bytes(session, i, symbols, &is_state);
    bool is_parameter = program->inputs[i].role == WEFT_ROLE_PARAMETER;
    note(largest, (part){is_parameter ? "of the parameter"
                         : is_state   ? "of the state"
                                      : "of the input",
                         program->inputs[i].name, bytes});
  }
  for (int32_t i = 0; i < program->num_outputs; ++i)
    if (program->outputs[i].twin < 0)
      note(largest, (part){"of the output", program->outputs[i].name,
                           port_bytes(&program->outputs[i], symbols)});
  for (int32_t i = 0; i < program->num_constants; ++i)
    note(largest, (part){"of the constant", program->constants[i].name,
                         constant_bytes(program, i)});
}

//===----------------------------------------------------------------------===//
// The budget
//===----------------------------------------------------------------------===//

static void append_bytes(weft_text *text, int64_t bytes) {
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes;
  int unit = -1;
  while (value >= 1024 && unit < 3) {
    value /= 1024;
    ++unit;
  }
  if (unit < 0)
    weft_text_append(text, "%lld bytes", (long long)bytes);
  else
    weft_text_append(text, "%.4g %s", value, units[unit]);
}

static void describe(const weft_session *session, const int64_t *symbols,
                     const weft_memory_plan *plan, weft_text *text) {
  const weft_program *program = session->model->program;
  const char *names[] = {"arena", "parameters and state", "constants",
                         "inputs and outputs"};
  int64_t bytes[] = {plan->arena, plan->state, plan->constants, plan->ports};
  for (int i = 0; i < 4; ++i) {
    weft_text_append(text, "%s%s ", i ? ", " : "", names[i]);
    append_bytes(text, bytes[i]);
  }
  weft_text_append(text, "; largest are ");
  part largest[MOST_PARTS] = {0};
  find_largest(session, symbols, largest);
  for (int i = 0; i < MOST_PARTS && largest[i].bytes > 0; ++i) {
    if (i)
      weft_text_append(text, ", ");
    append_bytes(text, largest[i].bytes);
    weft_text_append(text, " %s \"%s\"", largest[i].kind, largest[i].name);
  }
  weft_text_append(text, plan->state
                             ? "; take a smaller batch, or several for an "
                               "update (accumulate), or a larger budget"
                             : "; take smaller inputs, such as a smaller "
                               "batch, or a larger budget");
  for (int32_t i = 0; i < program->num_symbols; ++i)
    weft_text_append(text, "%s%s = %lld", i ? ", " : " (now ",
                     program->symbols[i].name, (long long)symbols[i]);
  if (program->num_symbols)
    weft_text_append(text, ")");
}

weft_status weft_plan_check(const weft_session *session,
                            const int64_t *symbols) {
  int64_t budget = session->memory_budget;
  if (!budget)
    return WEFT_OK;
  weft_memory_plan plan = {0};
  weft_status status = make_plan(session, symbols, &plan);
  if (status || plan.total <= budget)
    return status;
  char message[1600];
  weft_text text = {message, sizeof(message), 0};
  weft_text_append(&text, "the run is planned to take ");
  append_bytes(&text, plan.total);
  weft_text_append(&text, " of memory%s (%lld bytes), and the budget is ",
                   session->device ? " of the GPU" : "", (long long)plan.total);
  append_bytes(&text, budget);
  weft_text_append(&text, ": ");
  describe(session, symbols, &plan, &text);
  return weft_fail(WEFT_ERROR_BUDGET, "%s", message);
}
