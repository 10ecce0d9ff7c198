//===- private.c - A runtime that was loaded privately
//---------------------===//
//
// Loads the shared runtime without publishing its symbols, as Python does with
// its modules, and opens a program that looks for weft_rt_* in the process.
//
// usage: weft-runtime-private RUNTIME PROGRAM
//
//===----------------------------------------------------------------------===//

#include "weft-rt/weft.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3)
    return fail("usage", "weft-runtime-private RUNTIME PROGRAM");
  void *runtime = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!runtime)
    return fail(argv[1], dlerror());
  void *symbols[] = {dlsym(runtime, "weft_model_open"),
                     dlsym(runtime, "weft_model_release"),
                     dlsym(runtime, "weft_last_error")};
  weft_status (*open_model)(const char *, weft_model **);
  void (*release_model)(weft_model *);
  const char *(*last_error)(void);
  for (int i = 0; i < 3; ++i)
    if (!symbols[i])
      return fail(argv[1], "a function is missing");
  memcpy(&open_model, &symbols[0], sizeof(open_model));
  memcpy(&release_model, &symbols[1], sizeof(release_model));
  memcpy(&last_error, &symbols[2], sizeof(last_error));

  weft_model *model = NULL;
  if (open_model(argv[2], &model) != WEFT_OK)
    return fail(argv[2], last_error());
  release_model(model);
  return 0;
}
