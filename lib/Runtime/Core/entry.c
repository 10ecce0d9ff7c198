//===- entry.c - What the runtime offers to programs ----------------------===//
//
// Compiled alone, this file is the library weft-rt-entry: it needs nothing.
//
//===----------------------------------------------------------------------===//

#include "weft-rt/entry.h"
#include "weft-rt/weft.h"

static const weft_run_table *table_of(weft_run *run) {
  return *(const weft_run_table *const *)(const void *)run;
}

WEFT_API int32_t weft_rt_launch(weft_run *run, int32_t kernel, weft_task task,
                                void *const *args, int64_t count) {
  return table_of(run)->launch(run, kernel, task, args, count);
}

WEFT_API const int64_t *weft_rt_symbols(weft_run *run) {
  return table_of(run)->symbols(run);
}

WEFT_API void *weft_rt_arena(weft_run *run) {
  return table_of(run)->arena(run);
}

WEFT_API const void *weft_rt_constant(weft_run *run, int32_t index) {
  return table_of(run)->constant(run, index);
}

WEFT_API const void *weft_rt_input(weft_run *run, int32_t index) {
  return table_of(run)->input(run, index);
}

WEFT_API void *weft_rt_output(weft_run *run, int32_t index,
                              const int64_t *dims) {
  return table_of(run)->output(run, index, dims);
}

WEFT_API void *weft_rt_allocate(weft_run *run, const char *place,
                                int64_t bytes) {
  return table_of(run)->allocate(run, place, bytes);
}

WEFT_API void weft_rt_fault(weft_run *run, const char *place, weft_fault fault,
                            int64_t detail, int64_t wanted) {
  table_of(run)->fault(run, place, fault, detail, wanted);
}

WEFT_API const weft_entry_point *weft_entry_points(int32_t *count) {
#define ENTRY(name)                                                            \
  {                                                                            \
    #name, (void (*)(void))name                                                \
  }
  static const weft_entry_point points[] = {
      ENTRY(weft_rt_launch),   ENTRY(weft_rt_symbols), ENTRY(weft_rt_arena),
      ENTRY(weft_rt_constant), ENTRY(weft_rt_input),   ENTRY(weft_rt_output),
      ENTRY(weft_rt_allocate), ENTRY(weft_rt_fault),
  };
#undef ENTRY
  *count = sizeof(points) / sizeof(*points);
  return points;
}
