/* Runs a model for several sizes and counts the memory that each first run
   takes: arena model.so 1 3 64. The caller gives all inputs and outputs, so
   that it must be the planned arena alone. Functions that get memory are
   replaced. */
#include "counting.h"
#include "weft-rt/weft.h"
#include <stdio.h>

static void check(weft_status status) {
  if (!status)
    return;
  fprintf(stderr, "%s\n", weft_last_error());
  exit(1);
}

static weft_tensor make_tensor(const weft_port *port, int64_t n) {
  weft_tensor tensor = {.dtype = port->dtype, .rank = port->rank};
  tensor.bytes = weft_dtype_bytes(port->dtype);
  for (int i = 0; i < port->rank; ++i) {
    tensor.dims[i] = port->dims[i].symbol == -1 ? port->dims[i].size : n;
    tensor.bytes *= tensor.dims[i];
  }
  tensor.data = aligned_alloc(64, (size_t)(tensor.bytes + 63) / 64 * 64);
  for (int64_t i = 0; i < tensor.bytes; ++i)
    ((char *)tensor.data)[i] = 0;
  return tensor;
}

static void run(weft_model *model, int64_t n) {
  const weft_program *program = weft_model_program(model);
  weft_session *session;
  check(weft_session_create(model, NULL, &session));
  weft_tensor inputs[8], outputs[8];
  int64_t symbols[8], planned;
  for (int i = 0; i < program->num_inputs; ++i)
    inputs[i] = make_tensor(&program->inputs[i], n);
  for (int i = 0; i < program->num_outputs; ++i)
    outputs[i] = make_tensor(&program->outputs[i], n);
  check(
      weft_session_bind_symbols(session, program->num_inputs, inputs, symbols));
  check(weft_session_arena_bytes(session, program->num_symbols, symbols,
                                 &planned));
  mapped = allocated = 0;
  counting = 1;
  check(weft_session_run(session, program->num_inputs, inputs,
                         program->num_outputs, outputs));
  counting = 0;
  int64_t pages = in_pages(planned);
  printf("%lld: planned %lld, in whole pages %lld, mapped %lld, allocated "
         "%lld: %s\n",
         (long long)n, (long long)planned, (long long)pages, (long long)mapped,
         (long long)allocated,
         pages == mapped && allocated == 0 &&
                 planned == weft_session_arena_taken(session)
             ? "equal"
             : "DIFFERENT");
  weft_session_release(session);
}

int main(int argc, char **argv) {
  weft_model *model;
  check(weft_model_open(argv[1], &model));
  for (int i = 2; i < argc; ++i)
    run(model, atoll(argv[i]));
  weft_model_release(model);
  return 0;
}
