//===- trace.h - Timed launches -------------------------------------------===//

#ifndef WEFT_RUNTIME_CORE_TRACE_H
#define WEFT_RUNTIME_CORE_TRACE_H

#include "weft-rt/weft.h"
#include <stdbool.h>

/// The launches of a session.
typedef struct weft_trace {
  bool on;
  int32_t run;   ///< number of the current one
  int64_t start; ///< of the session, on the clock
  weft_launch_record *records;
  int64_t count, capacity;
  int64_t lost; ///< launches for which there was no memory
} weft_trace;

/// Nanoseconds on a clock that never jumps.
int64_t weft_trace_now(void);

/// Keeps a launch that began at `begin` and ends now.
void weft_trace_add(weft_trace *trace, int32_t kernel, int64_t begin,
                    int64_t count);

/// Keeps a launch that began and ended then.
void weft_trace_add_span(weft_trace *trace, int32_t kernel, int64_t begin,
                         int64_t end, int64_t count);

/// Writes all launches to a file.
weft_status weft_trace_write(const weft_trace *trace,
                             const weft_program *program, const char *path);

#endif // WEFT_RUNTIME_CORE_TRACE_H
