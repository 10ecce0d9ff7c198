//===- session.h - The threads and the memory of runs ---------------------===//

#ifndef WEFT_RUNTIME_CORE_SESSION_H
#define WEFT_RUNTIME_CORE_SESSION_H

#include "CPU/executor.h"
#include "bind.h"
#include "memory.h"
#include "model.h"
#include "run.h"
#include "trace.h"
#include <stdatomic.h>

/// An input as the program gets it.
typedef struct weft_input_slot {
  const void *data;
  weft_buffer copy; ///< where the caller's memory is not aligned
} weft_input_slot;

/// An output. The session's memory for it changes place with `spare` when an
/// input of the next run lies in it.
typedef struct weft_output_slot {
  weft_buffer memory, spare;
  weft_buffer copy;      ///< where the caller's memory is not to be written to
                         ///< before the run has succeeded, or is not aligned
  weft_tensor requested; ///< `data` is NULL if the session provides memory
  void *prepared;        ///< where the program is to write, once known
  void *data;            ///< the same, but NULL until it asks
  bool kept;             ///< it stays on a GPU: nothing is written here
  int64_t dims[WEFT_MAX_RANK], bytes;
} weft_output_slot;

/// See CUDA/device.h.
typedef struct weft_device weft_device;

struct weft_session {
  atomic_int references;
  atomic_bool busy;
  weft_model *model;
  weft_executor *executor;
  weft_device *device; ///< NULL if the program has no device code
  weft_run run;
  weft_binding binding;
  weft_arena arena;
  weft_input_slot *inputs;
  weft_output_slot *outputs;
  weft_trace trace;
  int64_t memory_budget; ///< 0: none
  bool reads_ahead;      ///< it is told of batches before their step
  bool time_runs;        ///< on a GPU
  weft_observe_fn announce, observe;
  void *observe_user;
};

/// Plans the arena for bound symbols.
weft_status weft_session_plan(const weft_program *program,
                              const int64_t *symbols, int64_t *out);

#endif // WEFT_RUNTIME_CORE_SESSION_H
