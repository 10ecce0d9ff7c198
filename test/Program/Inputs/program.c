/* Runs a compiled model: program model.so 1 2 3 4 ... (rows of 4 numbers) */
#include "weft-rt/weft.h"
#include <stdio.h>
#include <stdlib.h>

static void check(weft_status status) {
  if (!status)
    return;
  fprintf(stderr, "%s\n", weft_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  float x[64];
  int count = argc - 2;
  for (int i = 0; i < count && i < 64; ++i)
    x[i] = strtof(argv[i + 2], NULL);
  weft_tensor input = {.data = x, .bytes = sizeof(x), .dtype = WEFT_F32};
  input.rank = 2;
  input.dims[0] = count / 4;
  input.dims[1] = 4;

  weft_model *model;
  weft_session *session;
  weft_tensor output = {0}; /* the session provides the memory */
  check(weft_model_open(argv[1], &model));
  check(weft_session_create(model, NULL, &session));
  check(weft_session_run(session, 1, &input, 1, &output));
  for (int i = 0; i < output.dims[0] * output.dims[1]; ++i)
    printf("%g ", ((float *)output.data)[i]);
  printf("\n");
  weft_session_release(session);
  weft_model_release(model);
  return 0;
}
