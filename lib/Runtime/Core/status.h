//===- status.h - Failing with a message ----------------------------------===//

#ifndef WEFT_RUNTIME_CORE_STATUS_H
#define WEFT_RUNTIME_CORE_STATUS_H

#include "weft-rt/weft.h"
#include <stddef.h>

/// Makes `status` with the formatted text the last error of this thread, and
/// returns it.
__attribute__((format(printf, 2, 3))) weft_status weft_fail(weft_status status,
                                                            const char *format,
                                                            ...);

/// A text of bounded length that is put together piece by piece; what does not
/// fit is cut off.
typedef struct weft_text {
  char *data;
  size_t capacity, length;
} weft_text;

/// Appends formatted text.
__attribute__((format(printf, 2, 3))) void
weft_text_append(weft_text *text, const char *format, ...);

#endif // WEFT_RUNTIME_CORE_STATUS_H
