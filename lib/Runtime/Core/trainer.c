//===- trainer.c - Steps of training, and the state between them ----------===//

#include "CUDA/device.h"
#include "memory.h"
#include "model.h"
#include "session.h"
#include "status.h"
#include "tensor.h"
#include "weft-rt/train.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct weft_trainer {
  atomic_int references;
  atomic_bool busy;
  weft_session *session;
  const weft_program *program;
  int32_t num_states;
  int32_t *states;      ///< the input of each state
  weft_tensor *inputs;  ///< of the program; those that are state are complete
  weft_tensor *outputs; ///< of the program
  weft_tensor *ahead;   ///< inputs of the step after the next
  float rate;
  int64_t seed;
};

static bool is_state(const weft_port *port) { return port->twin >= 0; }

static bool enter(weft_trainer *trainer) {
  return !atomic_exchange_explicit(&trainer->busy, true, memory_order_acquire);
}

static void leave(weft_trainer *trainer) {
  atomic_store_explicit(&trainer->busy, false, memory_order_release);
}

//===----------------------------------------------------------------------===//
// The state
//===----------------------------------------------------------------------===//

static void destroy(weft_trainer *trainer) {
  for (int32_t i = 0; i < trainer->num_states; ++i)
    free(trainer->inputs[trainer->states[i]].data);
  free(trainer->states);
  free(trainer->inputs);
  free(trainer->outputs);
  free(trainer->ahead);
  weft_session_release(trainer->session);
  free(trainer);
}

// The tensor that `port`, whose sizes are fixed, stands for, without memory.
static weft_tensor describe(const weft_port *port) {
  weft_tensor tensor = {.dtype = port->dtype, .rank = port->rank};
  for (int32_t axis = 0; axis < port->rank; ++axis)
    tensor.dims[axis] = port->dims[axis].size;
  return tensor;
}

// Gives the next state, which is `input`, memory and its initial value.
static weft_status add_state(weft_trainer *trainer, int32_t input) {
  const weft_port *port = &trainer->program->inputs[input];
  weft_tensor *state = &trainer->inputs[input];
  *state = describe(port);
  if (!weft_tensor_size(port->dtype, port->rank, state->dims, &state->bytes))
    return weft_fail(WEFT_ERROR_OVERFLOW,
                     "the bytes of state \"%s\" do not fit into 64 bits",
                     port->name);
  state->data = weft_memory_allocate(state->bytes);
  if (!state->data)
    return weft_fail(WEFT_ERROR_MEMORY,
                     "no memory for the %lld bytes of state \"%s\"",
                     (long long)state->bytes, port->name);
  trainer->states[trainer->num_states++] = input;
  if (trainer->session->device)
    weft_device_keep(trainer->session->device, input, state->data);
  if (!state->bytes)
    return WEFT_OK;
  if (port->initial < 0)
    memset(state->data, 0, (size_t)state->bytes);
  else
    memcpy(state->data, trainer->session->model->constants.data[port->initial],
           (size_t)state->bytes);
  return WEFT_OK;
}

static weft_status initialize(weft_trainer *trainer, weft_model *model,
                              const weft_session_options *options) {
  const weft_program *program = model->program;
  trainer->program = program;
  weft_status status = weft_session_create(model, options, &trainer->session);
  if (status)
    return status;
  trainer->session->reads_ahead = true;
  size_t inputs = (size_t)program->num_inputs + 1;
  trainer->states = calloc(inputs, sizeof(*trainer->states));
  trainer->inputs = calloc(inputs, sizeof(*trainer->inputs));
  trainer->outputs =
      calloc((size_t)program->num_outputs + 1, sizeof(*trainer->outputs));
  trainer->ahead = calloc(inputs, sizeof(*trainer->ahead));
  if (!trainer->states || !trainer->inputs || !trainer->outputs ||
      !trainer->ahead)
    return weft_fail(WEFT_ERROR_MEMORY, "no memory for a trainer");
  for (int32_t i = 0; !status && i < program->num_inputs; ++i)
    if (is_state(&program->inputs[i]))
      status = add_state(trainer, i);
  if (!status && !trainer->num_states)
    status = weft_fail(WEFT_ERROR_ARGUMENT,
                       "program \"%s\" has no parameters and no state; it was "
                       "not compiled for training",
                       program->name);
  return status;
}

weft_status weft_trainer_create(weft_model *model,
                                const weft_session_options *options,
                                weft_trainer **out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the trainer");
  *out = NULL;
  if (!model)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no model to train");
  weft_trainer *trainer = calloc(1, sizeof(*trainer));
  if (!trainer)
    return weft_fail(WEFT_ERROR_MEMORY, "no memory for a trainer");
  atomic_init(&trainer->references, 1);
  weft_status status = initialize(trainer, model, options);
  if (status) {
    destroy(trainer);
    return status;
  }
  *out = trainer;
  return WEFT_OK;
}

void weft_trainer_retain(weft_trainer *trainer) {
  atomic_fetch_add_explicit(&trainer->references, 1, memory_order_relaxed);
}

void weft_trainer_release(weft_trainer *trainer) {
  if (trainer && atomic_fetch_sub(&trainer->references, 1) == 1)
    destroy(trainer);
}

int32_t weft_trainer_num_states(const weft_trainer *trainer) {
  return trainer->num_states;
}

int32_t weft_trainer_find_state(const weft_trainer *trainer, const char *name) {
  for (int32_t i = 0; i < trainer->num_states; ++i)
    if (strcmp(trainer->program->inputs[trainer->states[i]].name, name) == 0)
      return i;
  return -1;
}

const weft_port *weft_trainer_state_port(const weft_trainer *trainer,
                                         int32_t number) {
  if (number < 0 || number >= trainer->num_states)
    return NULL;
  return &trainer->program->inputs[trainer->states[number]];
}

static weft_status fail_number(const weft_trainer *trainer, int32_t number) {
  return weft_fail(WEFT_ERROR_ARGUMENT, "state %d of %d does not exist", number,
                   trainer->num_states);
}

static weft_status fail_busy(void) {
  return weft_fail(WEFT_ERROR_BUSY, "the trainer is already in a step");
}

weft_status weft_trainer_state(weft_trainer *trainer, int32_t number,
                               weft_tensor *out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the state");
  *out = (weft_tensor){0};
  if (number < 0 || number >= trainer->num_states)
    return fail_number(trainer, number);
  int32_t input = trainer->states[number];
  if (trainer->session->device) {
    if (!enter(trainer))
      return fail_busy();
    weft_status status =
        weft_device_state_fetch(trainer->session->device, input);
    leave(trainer);
    if (status)
      return status;
  }
  *out = trainer->inputs[input];
  return WEFT_OK;
}

weft_status weft_trainer_changed(weft_trainer *trainer, int32_t number) {
  if (number < 0 || number >= trainer->num_states)
    return fail_number(trainer, number);
  if (!trainer->session->device)
    return WEFT_OK;
  if (!enter(trainer))
    return fail_busy();
  weft_device_state_changed(trainer->session->device, trainer->states[number]);
  leave(trainer);
  return WEFT_OK;
}

// True if the two are of one type, with the same sizes.
static bool are_alike(const weft_port *port, const weft_port *other) {
  if (port->dtype != other->dtype || port->rank != other->rank)
    return false;
  for (int32_t axis = 0; axis < port->rank; ++axis)
    if (port->dims[axis].symbol != -1 || other->dims[axis].symbol != -1 ||
        port->dims[axis].size != other->dims[axis].size)
      return false;
  return true;
}

weft_status weft_trainer_lend(weft_trainer *trainer, int32_t number,
                              weft_session *session, int32_t input,
                              weft_tensor *out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the state");
  *out = (weft_tensor){0};
  const weft_program *program = session->model->program;
  const weft_port *state = weft_trainer_state_port(trainer, number);
  if (!state)
    return fail_number(trainer, number);
  if (input < 0 || input >= program->num_inputs)
    return weft_fail(WEFT_ERROR_ARGUMENT, "input %d of %d does not exist",
                     input, program->num_inputs);
  if (!are_alike(&program->inputs[input], state))
    return weft_fail(WEFT_ERROR_ARGUMENT,
                     "input \"%s\" differs in type or sizes from state \"%s\"",
                     program->inputs[input].name, state->name);
  weft_device *device = trainer->session->device;
  if (!device != !session->device)
    return weft_fail(WEFT_ERROR_ARGUMENT,
                     "state \"%s\" is %s, and the session %s", state->name,
                     device ? "on a GPU" : "on the CPU",
                     device ? "on the CPU" : "on a GPU");
  weft_status status = WEFT_OK;
  if (device)
    status = weft_device_lend(session->device, input, device,
                              trainer->states[number]);
  if (!status)
    *out = trainer->inputs[trainer->states[number]];
  return status;
}

int64_t weft_trainer_steps(weft_trainer *trainer) {
  int32_t number = weft_trainer_find_state(trainer, WEFT_STEP_NAME);
  weft_tensor steps;
  if (number < 0 || weft_trainer_state(trainer, number, &steps) ||
      steps.dtype != WEFT_I64 || steps.rank != 0)
    return 0;
  return *(const int64_t *)steps.data;
}

weft_session *weft_trainer_session(const weft_trainer *trainer) {
  return trainer->session;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

// The number of ports that the caller of a step provides.
static int32_t count_ports(const weft_port *ports, int32_t count) {
  int32_t result = 0;
  for (int32_t i = 0; i < count; ++i)
    result += !is_state(&ports[i]) && ports[i].role != WEFT_ROLE_RATE &&
              ports[i].role != WEFT_ROLE_SEED;
  return result;
}

static weft_status check_counts(const weft_program *program, int32_t num_inputs,
                                const weft_tensor *inputs, int32_t num_outputs,
                                const weft_tensor *outputs) {
  int32_t wanted = count_ports(program->inputs, program->num_inputs);
  if (num_inputs != wanted)
    return weft_fail(WEFT_ERROR_INPUT_COUNT, "got %d inputs of data, wanted %d",
                     num_inputs, wanted);
  wanted = count_ports(program->outputs, program->num_outputs);
  if (num_outputs != wanted)
    return weft_fail(WEFT_ERROR_OUTPUT_COUNT,
                     "got %d outputs other than state, wanted %d", num_outputs,
                     wanted);
  if ((num_inputs && !inputs) || (num_outputs && !outputs))
    return weft_fail(WEFT_ERROR_ARGUMENT,
                     "the list of inputs or outputs is NULL");
  return WEFT_OK;
}

static void set_inputs(weft_trainer *trainer, const weft_tensor *inputs) {
  const weft_program *program = trainer->program;
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    const weft_port *port = &program->inputs[i];
    weft_tensor *input = &trainer->inputs[i];
    if (is_state(port))
      continue;
    if (port->role != WEFT_ROLE_RATE && port->role != WEFT_ROLE_SEED) {
      *input = *inputs++;
      continue;
    }
    bool is_rate = port->role == WEFT_ROLE_RATE;
    *input = describe(port);
    input->data = is_rate ? (void *)&trainer->rate : (void *)&trainer->seed;
    input->bytes = weft_dtype_bytes(port->dtype);
  }
}

// A state's new value goes where the old one is.
static void set_outputs(weft_trainer *trainer, const weft_tensor *outputs) {
  const weft_program *program = trainer->program;
  for (int32_t i = 0; i < program->num_outputs; ++i) {
    const weft_port *port = &program->outputs[i];
    trainer->outputs[i] =
        is_state(port) ? trainer->inputs[port->twin] : *outputs++;
  }
}

static void get_outputs(const weft_trainer *trainer, weft_tensor *outputs) {
  const weft_program *program = trainer->program;
  for (int32_t i = 0; i < program->num_outputs; ++i)
    if (!is_state(&program->outputs[i]))
      *outputs++ = trainer->outputs[i];
}

weft_status weft_step(weft_trainer *trainer, int32_t num_inputs,
                      const weft_tensor *inputs, float rate, int64_t seed,
                      int32_t num_outputs, weft_tensor *outputs) {
  const weft_program *program = trainer->program;
  weft_status status =
      check_counts(program, num_inputs, inputs, num_outputs, outputs);
  if (status)
    return status;
  if (!enter(trainer))
    return fail_busy();
  trainer->rate = rate;
  trainer->seed = seed;
  set_inputs(trainer, inputs);
  set_outputs(trainer, outputs);
  status =
      weft_session_run(trainer->session, program->num_inputs, trainer->inputs,
                       program->num_outputs, trainer->outputs);
  get_outputs(trainer, outputs);
  leave(trainer);
  return status;
}

void weft_trainer_expect(weft_trainer *trainer, int32_t num_inputs,
                         const weft_tensor *inputs) {
  const weft_program *program = trainer->program;
  weft_device *device = trainer->session->device;
  int32_t wanted = count_ports(program->inputs, program->num_inputs);
  if (!device || num_inputs != wanted || !inputs || !enter(trainer))
    return;
  for (int32_t i = 0; i < program->num_inputs; ++i) {
    const weft_port *port = &program->inputs[i];
    bool is_data = !is_state(port) && port->role != WEFT_ROLE_RATE &&
                   port->role != WEFT_ROLE_SEED;
    trainer->ahead[i] = is_data ? *inputs++ : (weft_tensor){0};
  }
  weft_device_expect(device, trainer->ahead);
  leave(trainer);
}
