/* Two models linked into one program, on a loop of the caller's. */
#include "first.h"
#include "second.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 4096 };

static float x[ROWS * 4];

static void check(weft_status status) {
  if (!status)
    return;
  fprintf(stderr, "%s\n", weft_last_error());
  exit(1);
}

/* Runs the parts one after the other, the last one first. */
static void run_backwards(void *user, int64_t parts, weft_parallel_body body,
                          void *context) {
  while (parts-- > 0) {
    body(context, parts);
    ++*(int *)user;
  }
}

/* Leaves the last part out. */
static void run_carelessly(void *user, int64_t parts, weft_parallel_body body,
                           void *context) {
  (void)user;
  for (int64_t part = 0; part + 1 < parts; ++part)
    body(context, part);
}

static weft_status run(weft_model *model, weft_parallel_for_fn loop, void *user,
                       float *result) {
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = 3;
  options.parallel_for = loop;
  options.parallel_for_user = user;
  weft_session *session;
  check(weft_session_create(model, &options, &session));
  weft_tensor inputs[FIRST_NUM_INPUTS] = {
      {.data = x, .bytes = sizeof(x), .dtype = WEFT_F32, .rank = 2}};
  inputs[FIRST_INPUT_X].dims[0] = ROWS;
  inputs[FIRST_INPUT_X].dims[1] = 4;
  weft_tensor outputs[FIRST_NUM_OUTPUTS] = {{0}};
  weft_status status = weft_session_run(session, FIRST_NUM_INPUTS, inputs,
                                        FIRST_NUM_OUTPUTS, outputs);
  if (!status)
    memcpy(result, outputs[FIRST_OUTPUT_Y].data, ROWS * 3 * sizeof(float));
  weft_session_release(session);
  return status;
}

static float own[ROWS * 3], foreign[ROWS * 3], other[ROWS * 3];

int main(void) {
  weft_model *first, *second;
  check(first_open(&first));
  check(second_open(&second));
  printf("names: %s %s\n", weft_model_program(first)->name,
         weft_model_program(second)->name);
  for (int i = 0; i < ROWS * 4; ++i)
    x[i] = (float)(i % 7) - 3;

  int parts = 0;
  check(run(first, NULL, NULL, own));
  check(run(first, run_backwards, &parts, foreign));
  printf("the same bits: %d, parts at least 2: %d\n",
         !memcmp(own, foreign, sizeof(own)), parts >= 2);
  check(run(second, run_backwards, &parts, other));
  printf("row 1: %g %g %g and %g %g %g\n", own[3], own[4], own[5], other[3],
         other[4], other[5]);
  weft_status status = run(first, run_carelessly, NULL, foreign);
  printf("careless: %d %s\n", status, weft_last_error());
  weft_model_release(first);
  weft_model_release(second);
  return 0;
}
