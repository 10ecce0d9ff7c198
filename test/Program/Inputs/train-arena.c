/* Makes steps of training and counts the memory that they take, for a program
   without symbols: train-arena step.so. The caller gives batch and labels, so
   that a trainer must take its states alone beside what each session takes for
   its threads, the first step the planned arena alone, and the second one
   nothing. */
#include "counting.h"
#include "weft-rt/train.h"
#include <stdio.h>

static void check(weft_status status) {
  if (!status)
    return;
  fprintf(stderr, "%s\n", weft_last_error());
  exit(1);
}

static weft_tensor make_tensor(const weft_port *port) {
  weft_tensor tensor = {.dtype = port->dtype, .rank = port->rank};
  tensor.bytes = weft_dtype_bytes(port->dtype);
  for (int i = 0; i < port->rank; ++i) {
    tensor.dims[i] = port->dims[i].size;
    tensor.bytes *= tensor.dims[i];
  }
  tensor.data = calloc((size_t)tensor.bytes + 64, 1);
  return tensor;
}

/* The ports that a caller of steps gives. */
static int make_tensors(const weft_port *ports, int count,
                        weft_tensor *tensors) {
  int made = 0;
  for (int i = 0; i < count; ++i)
    if (ports[i].twin < 0 && ports[i].role != WEFT_ROLE_RATE &&
        ports[i].role != WEFT_ROLE_SEED)
      tensors[made++] = make_tensor(&ports[i]);
  return made;
}

static void report(const char *what, int64_t planned, int64_t measured) {
  printf("%s: planned %lld, measured %lld: %s\n", what, (long long)planned,
         (long long)measured, planned == measured ? "equal" : "DIFFERENT");
  mapped = allocated = 0;
}

/* What the trainer's states take: each is aligned to 64 bytes. */
static int64_t state_bytes(weft_trainer *trainer) {
  int64_t bytes = 0;
  for (int i = 0; i < weft_trainer_num_states(trainer); ++i) {
    weft_tensor state;
    check(weft_trainer_state(trainer, i, &state));
    bytes += (state.bytes + 63) / 64 * 64;
  }
  return bytes;
}

int main(int argc, char **argv) {
  weft_model *model;
  weft_trainer *trainer;
  if (argc != 2)
    return 2;
  check(weft_model_open(argv[1], &model));
  const weft_program *program = weft_model_program(model);
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = 2;
  weft_session *session;
  counting = 1;
  check(weft_session_create(model, &options, &session));
  counting = 0;
  weft_session_release(session);
  /* Threads have stacks, which are mapped; all else is allocated. */
  int64_t for_threads = allocated;
  allocated = 0;
  counting = 1;
  check(weft_trainer_create(model, &options, &trainer));
  counting = 0;
  report("states", state_bytes(trainer), allocated - for_threads);

  weft_tensor inputs[4], outputs[4];
  int num_inputs = make_tensors(program->inputs, program->num_inputs, inputs);
  int num_outputs =
      make_tensors(program->outputs, program->num_outputs, outputs);
  int64_t planned;
  check(weft_session_arena_bytes(weft_trainer_session(trainer), 0, NULL,
                                 &planned));
  const char *names[] = {"first step", "second step"};
  for (int i = 0; i < 2; ++i) {
    counting = 1;
    check(
        weft_step(trainer, num_inputs, inputs, 0.01f, 0, num_outputs, outputs));
    counting = 0;
    report(names[i], i ? 0 : in_pages(planned), mapped + allocated);
  }
  printf("loss %g\n", *(float *)outputs[0].data);
  weft_trainer_release(trainer);
  weft_model_release(model);
  return 0;
}
