//===- model.c - A program that has been opened ---------------------------===//

#define _GNU_SOURCE // dladdr
#include "model.h"
#include "status.h"
#include "validate.h"
#include "weft-rt/entry.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Programs that do not carry the weft_rt_* functions themselves look for them
// among the global symbols. If this runtime lies in a library that was loaded
// privately, as Python loads its modules, they are not there, so that library
// is opened once more as a public one. An executable is not found by its name,
// and has exported them when it was linked.
static void publish_entry_points(void) {
  int32_t count;
  Dl_info info;
  if (!dladdr(weft_entry_points(&count), &info))
    return;
  void *self = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_GLOBAL);
  if (self)
    dlclose(self);
}

static weft_status wrap(const weft_program *program, const char *folder,
                        void *library, weft_model **out) {
  weft_status status = weft_program_validate(program);
  if (status)
    return status;
  weft_model *model = calloc(1, sizeof(*model));
  if (!model)
    return weft_fail(WEFT_ERROR_MEMORY, "no memory for a model");
  status = weft_constants_load(program, folder, &model->constants);
  if (status) {
    free(model);
    return status;
  }
  atomic_init(&model->references, 1);
  model->program = program;
  model->library = library;
  *out = model;
  return WEFT_OK;
}

// Asks the library at `path` for its program.
static weft_status query(void *library, const char *path,
                         const weft_program **out) {
  void *symbol = dlsym(library, "weft_program_query");
  if (!symbol)
    return weft_fail(WEFT_ERROR_NO_PROGRAM,
                     "\"%s\" does not export weft_program_query", path);
  const weft_program *(*function)(uint32_t);
  memcpy(&function, &symbol, sizeof(symbol)); // C11 has no cast for it
  *out = function(WEFT_PROGRAM_ABI);
  if (!*out)
    return weft_fail(WEFT_ERROR_ABI,
                     "\"%s\" holds a program of another ABI than version %u",
                     path, (unsigned)WEFT_PROGRAM_ABI);
  return WEFT_OK;
}

// Cuts the last component off `path`, which contains a slash.
static void cut_to_folder(char *path) {
  char *slash = strrchr(path, '/');
  slash[slash == path] = '\0';
}

weft_status weft_model_open(const char *path, weft_model **out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the model");
  *out = NULL;
  if (!path)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no path to open");
  // dlopen() searches for names without a slash elsewhere than the user means.
  char *full = realpath(path, NULL);
  if (!full)
    return weft_fail(WEFT_ERROR_LOAD, "cannot open \"%s\": %s", path,
                     strerror(errno));
  publish_entry_points();
  void *library = dlopen(full, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    free(full);
    return weft_fail(WEFT_ERROR_LOAD, "cannot load \"%s\": %s", path,
                     dlerror());
  }
  const weft_program *program = NULL;
  weft_status status = query(library, path, &program);
  cut_to_folder(full);
  if (!status)
    status = wrap(program, full, library, out);
  free(full);
  if (status)
    dlclose(library);
  return status;
}

weft_status weft_model_wrap(const weft_program *program, const char *folder,
                            weft_model **out) {
  if (!out)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no place for the model");
  *out = NULL;
  if (!program)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no program to wrap");
  return wrap(program, folder ? folder : "", NULL, out);
}

void weft_model_retain(weft_model *model) {
  atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
}

void weft_model_release(weft_model *model) {
  if (!model || atomic_fetch_sub(&model->references, 1) != 1)
    return;
  weft_constants_unload(&model->constants);
  if (model->library)
    dlclose(model->library);
  free(model);
}

const weft_program *weft_model_program(const weft_model *model) {
  return model->program;
}

static int32_t find_port(const weft_port *ports, int32_t count,
                         const char *name) {
  for (int32_t i = 0; i < count; ++i)
    if (strcmp(ports[i].name, name) == 0)
      return i;
  return -1;
}

int32_t weft_model_find_input(const weft_model *model, const char *name) {
  return find_port(model->program->inputs, model->program->num_inputs, name);
}

int32_t weft_model_find_output(const weft_model *model, const char *name) {
  return find_port(model->program->outputs, model->program->num_outputs, name);
}
