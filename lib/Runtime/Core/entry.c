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

WEFT_API int32_t weft_rt_device_launch(weft_run *run, int32_t kernel,
                                       const int64_t *grid, int64_t shared,
                                       void *const *args) {
  return table_of(run)->device_launch(run, kernel, grid, shared, args);
}

WEFT_API void *weft_rt_device_arena(weft_run *run) {
  return table_of(run)->device_arena(run);
}

WEFT_API const void *weft_rt_device_constant(weft_run *run, int32_t index) {
  return table_of(run)->device_constant(run, index);
}

WEFT_API const void *weft_rt_device_input(weft_run *run, int32_t index) {
  return table_of(run)->device_input(run, index);
}

WEFT_API void *weft_rt_device_output(weft_run *run, int32_t index,
                                     const int64_t *dims) {
  return table_of(run)->device_output(run, index, dims);
}

WEFT_API void *weft_rt_device_allocate(weft_run *run, const char *place,
                                       int64_t bytes) {
  return table_of(run)->device_allocate(run, place, bytes);
}

WEFT_API int32_t weft_rt_device_upload(weft_run *run, void *to,
                                       const void *from, int64_t bytes) {
  return table_of(run)->device_upload(run, to, from, bytes);
}

WEFT_API int32_t weft_rt_device_download(weft_run *run, void *to,
                                         const void *from, int64_t bytes) {
  return table_of(run)->device_download(run, to, from, bytes);
}

WEFT_API int32_t weft_rt_device_copy(weft_run *run, void *to, const void *from,
                                     int64_t bytes) {
  return table_of(run)->device_copy(run, to, from, bytes);
}

WEFT_API int32_t weft_rt_device_fill(weft_run *run, void *to, int32_t value,
                                     int64_t bytes) {
  return table_of(run)->device_fill(run, to, value, bytes);
}

WEFT_API int32_t weft_rt_device_tensor_map(weft_run *run,
                                           const weft_tensor_map *map,
                                           const void *address,
                                           const int64_t *dims,
                                           const int64_t *strides, void *out) {
  return table_of(run)->device_tensor_map(run, map, address, dims, strides,
                                          out);
}

WEFT_API void *weft_rt_device_faults(weft_run *run) {
  return table_of(run)->device_faults(run);
}

WEFT_API int32_t weft_rt_device_settle(weft_run *run) {
  return table_of(run)->device_settle(run);
}

WEFT_API int32_t weft_rt_device_store(weft_run *run, void *to, int64_t value,
                                      int32_t bytes) {
  return table_of(run)->device_store(run, to, value, bytes);
}

WEFT_API int32_t weft_rt_device_require(weft_run *run, const char *place,
                                        weft_fault fault, const void *found,
                                        int64_t wanted) {
  return table_of(run)->device_require(run, place, fault, found, wanted);
}

WEFT_API const weft_entry_point *weft_entry_points(int32_t *count) {
#define ENTRY(name)                                                            \
  {                                                                            \
    #name, (void (*)(void))name                                                \
  }
  static const weft_entry_point points[] = {
      ENTRY(weft_rt_launch),
      ENTRY(weft_rt_symbols),
      ENTRY(weft_rt_arena),
      ENTRY(weft_rt_constant),
      ENTRY(weft_rt_input),
      ENTRY(weft_rt_output),
      ENTRY(weft_rt_allocate),
      ENTRY(weft_rt_fault),
      ENTRY(weft_rt_device_launch),
      ENTRY(weft_rt_device_arena),
      ENTRY(weft_rt_device_constant),
      ENTRY(weft_rt_device_input),
      ENTRY(weft_rt_device_output),
      ENTRY(weft_rt_device_allocate),
      ENTRY(weft_rt_device_upload),
      ENTRY(weft_rt_device_download),
      ENTRY(weft_rt_device_copy),
      ENTRY(weft_rt_device_fill),
      ENTRY(weft_rt_device_tensor_map),
      ENTRY(weft_rt_device_faults),
      ENTRY(weft_rt_device_settle),
      ENTRY(weft_rt_device_store),
      ENTRY(weft_rt_device_require),
  };
#undef ENTRY
  *count = sizeof(points) / sizeof(*points);
  return points;
}
