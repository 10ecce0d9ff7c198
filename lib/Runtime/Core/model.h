//===- model.h - A program that has been opened ---------------------------===//

#ifndef WEFT_RUNTIME_CORE_MODEL_H
#define WEFT_RUNTIME_CORE_MODEL_H

#include "constants.h"
#include "weft-rt/weft.h"
#include <stdatomic.h>

struct weft_model {
  atomic_int references;
  const weft_program *program;
  void *library; ///< of dlopen(), or NULL
  weft_constants constants;
};

#endif // WEFT_RUNTIME_CORE_MODEL_H
