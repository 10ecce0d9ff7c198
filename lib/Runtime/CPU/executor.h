//===- executor.h - Parallel loops of compiled tasks ----------------------===//

#ifndef WEFT_RUNTIME_CPU_EXECUTOR_H
#define WEFT_RUNTIME_CPU_EXECUTOR_H

#include "weft-rt/weft.h"
#include <stdbool.h>

/// Cuts loops into parts, gives each part its scratch, and runs them on a pool
/// of its own or on the caller's loop. Used by one thread at a time.
typedef struct weft_executor weft_executor;

/// Starts the threads that `options` ask for, each with `scratch_bytes` of
/// scratch.
weft_status weft_executor_create(const weft_session_options *options,
                                 int64_t scratch_bytes, weft_executor **out);

/// Ends the threads. NULL is let pass.
void weft_executor_destroy(weft_executor *executor);

/// The number of parts into which a long enough loop is cut.
int32_t weft_executor_threads(const weft_executor *executor);

/// Runs iterations [0, count) of `task`. False if the caller's loop did not run
/// each part once.
bool weft_executor_launch(weft_executor *executor, weft_run *run,
                          weft_task task, void *const *args, int64_t count);

#endif // WEFT_RUNTIME_CPU_EXECUTOR_H
