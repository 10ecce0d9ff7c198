//===- run.h - The state of a run -----------------------------------------===//

#ifndef WEFT_RUNTIME_CORE_RUN_H
#define WEFT_RUNTIME_CORE_RUN_H

#include "status.h"
#include "weft-rt/entry.h"
#include "weft-rt/weft.h"
#include <stdatomic.h>
#include <stdbool.h>

struct weft_run {
  const weft_run_table *table; ///< first: see entry.h
  weft_session *session;
  /// Blocks of weft_rt_allocate(), the last one first.
  _Atomic(struct weft_block *) blocks;
  /// What went wrong first. Who sets `failed` may write the others; they are
  /// read when all parts of the launch are done.
  atomic_bool failed;
  weft_status status; ///< WEFT_OK: it is a fault that a kernel reported
  int32_t kernel;     ///< that is running, or -1; stays after a fault
  const char *place;
  weft_fault fault;
  int64_t detail, wanted;
  char message[1024]; ///< unless it is a fault
};

/// The functions behind weft_rt_*.
extern const weft_run_table weft_run_functions;

/// Records an error that is not a fault of a kernel; the first one counts.
__attribute__((format(printf, 3, 4))) void
weft_run_fail(weft_run *run, weft_status status, const char *format, ...);

/// Makes what was recorded the last error of this thread.
weft_status weft_run_report(const weft_run *run);

/// Appends ", in kernel "k" of nodes "a", "b"".
void weft_run_describe_kernel(const weft_kernel *kernel, weft_text *text);

/// Frees what the run has allocated.
void weft_run_free_blocks(weft_run *run);

#endif // WEFT_RUNTIME_CORE_RUN_H
