//===- constants.h - Where a program's constants lie in memory ------------===//

#ifndef WEFT_RUNTIME_CORE_CONSTANTS_H
#define WEFT_RUNTIME_CORE_CONSTANTS_H

#include "weft-rt/weft.h"
#include <stddef.h>

/// A file, mapped read-only.
typedef struct weft_mapping {
  char *path;
  void *data; ///< NULL if the file is empty
  size_t size;
} weft_mapping;

/// The constants of one program in storage format, aligned.
typedef struct weft_constants {
  int32_t count;
  const void **data; ///< one for each constant
  void **owned;      ///< the copy at `data`, or NULL where there is none
  weft_mapping *mappings;
  int32_t num_mappings;
} weft_constants;

/// Maps, unpacks and aligns the constants of `program`. Constants that lie
/// aligned in their file or in the program are not copied. Relative names of
/// files count from `folder`. On failure `out` holds nothing.
weft_status weft_constants_load(const weft_program *program, const char *folder,
                                weft_constants *out);

/// Unmaps and frees everything.
void weft_constants_unload(weft_constants *constants);

#endif // WEFT_RUNTIME_CORE_CONSTANTS_H
