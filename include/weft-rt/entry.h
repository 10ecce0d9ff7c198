/*===- entry.h - How a program's calls reach the runtime ------------------===*\
|*                                                                            *|
|* A weft_run begins with a pointer to this table, and the weft_rt_*          *|
|* functions of program.h do nothing but call through it. So any copy of them *|
|* serves: the one in the executable, in a shared runtime, or one that was    *|
|* linked into the compiled program (the library weft-rt-entry, which needs   *|
|* nothing else), whichever the loader finds first. Part of the program ABI.  *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef WEFT_RT_ENTRY_H
#define WEFT_RT_ENTRY_H

#include "weft-rt/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/// One function for each weft_rt_* of program.h, with its meaning.
typedef struct weft_run_table {
  int32_t (*launch)(weft_run *run, int32_t kernel, weft_task task,
                    void *const *args, int64_t count);
  const int64_t *(*symbols)(weft_run *run);
  void *(*arena)(weft_run *run);
  const void *(*constant)(weft_run *run, int32_t index);
  const void *(*input)(weft_run *run, int32_t index);
  void *(*output)(weft_run *run, int32_t index, const int64_t *dims);
  void *(*allocate)(weft_run *run, const char *place, int64_t bytes);
  void (*fault)(weft_run *run, const char *place, weft_fault fault,
                int64_t detail, int64_t wanted);
  int32_t (*device_launch)(weft_run *run, int32_t kernel, const int64_t *grid,
                           int64_t shared, void *const *args);
  void *(*device_arena)(weft_run *run);
  const void *(*device_constant)(weft_run *run, int32_t index);
  const void *(*device_input)(weft_run *run, int32_t index);
  void *(*device_output)(weft_run *run, int32_t index, const int64_t *dims);
  void *(*device_allocate)(weft_run *run, const char *place, int64_t bytes);
  int32_t (*device_upload)(weft_run *run, void *to, const void *from,
                           int64_t bytes);
  int32_t (*device_download)(weft_run *run, void *to, const void *from,
                             int64_t bytes);
  int32_t (*device_copy)(weft_run *run, void *to, const void *from,
                         int64_t bytes);
  int32_t (*device_fill)(weft_run *run, void *to, int32_t value, int64_t bytes);
  int32_t (*device_tensor_map)(weft_run *run, const weft_tensor_map *map,
                               const void *address, const int64_t *dims,
                               const int64_t *strides, void *out);
  void *(*device_faults)(weft_run *run);
  int32_t (*device_settle)(weft_run *run);
  int32_t (*device_store)(weft_run *run, void *to, int64_t value,
                          int32_t bytes);
  int32_t (*device_require)(weft_run *run, const char *place, weft_fault fault,
                            const void *found, int64_t wanted);
} weft_run_table;

/// One of the weft_rt_* functions.
typedef struct weft_entry_point {
  const char *name;
  void (*address)(void); ///< to be cast to the function's type
} weft_entry_point;

/// The weft_rt_* functions, for whoever links programs in memory.
const weft_entry_point *weft_entry_points(int32_t *count);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_RT_ENTRY_H */
