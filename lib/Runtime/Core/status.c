//===- status.c - Failing with a message ----------------------------------===//

#include "status.h"
#include <stdarg.h>
#include <stdio.h>

// Failing must not need memory, so the text has a fixed place.
static _Thread_local char last_error[2048];

weft_status weft_fail(weft_status status, const char *format, ...) {
  char message[sizeof(last_error)];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);

  // Printed here first: `format` may take its arguments from the last error.
  weft_text text = {last_error, sizeof(last_error), 0};
  weft_text_append(&text, "WFT%04d: ", (int)status);
  weft_text_append(&text, "%s", message);
  return status;
}

const char *weft_last_error(void) { return last_error; }

const char *weft_status_meaning(weft_status status) {
  switch (status) {
#define MEANING(name, number, meaning)                                         \
  case name:                                                                   \
    return meaning;
    WEFT_STATUS_TABLE(MEANING)
#undef MEANING
  }
  return "no status of the runtime";
}

void weft_text_append(weft_text *text, const char *format, ...) {
  if (text->length + 1 >= text->capacity)
    return;
  size_t room = text->capacity - text->length;
  va_list args;
  va_start(args, format);
  int printed = vsnprintf(text->data + text->length, room, format, args);
  va_end(args);
  if (printed < 0)
    return;
  text->length += (size_t)printed < room ? (size_t)printed : room - 1;
}
