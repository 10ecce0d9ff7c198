//===- trace.c - Timed launches -------------------------------------------===//

#define _GNU_SOURCE // getpid
#include "trace.h"
#include "session.h"
#include "status.h"
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t weft_trace_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static bool reserve(weft_trace *trace) {
  if (trace->count < trace->capacity)
    return true;
  int64_t capacity = trace->capacity ? trace->capacity * 2 : 1024;
  weft_launch_record *records =
      realloc(trace->records, sizeof(*records) * (size_t)capacity);
  if (!records)
    return false;
  trace->records = records;
  trace->capacity = capacity;
  return true;
}

void weft_trace_add(weft_trace *trace, int32_t kernel, int64_t begin,
                    int64_t count) {
  weft_trace_add_span(trace, kernel, begin, weft_trace_now(), count);
}

void weft_trace_add_span(weft_trace *trace, int32_t kernel, int64_t begin,
                         int64_t end, int64_t count) {
  if (!reserve(trace)) {
    ++trace->lost;
    return;
  }
  trace->records[trace->count++] =
      (weft_launch_record){.kernel = kernel,
                           .run = trace->run,
                           .begin = begin - trace->start,
                           .end = end - trace->start,
                           .count = count};
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

// The length of the UTF-8 sequence at `text`, 0 if it is none.
static size_t sequence_length(const unsigned char *text) {
  size_t length = text[0] < 0x80                       ? 1
                  : text[0] >= 0xc2 && text[0] <= 0xdf ? 2
                  : text[0] >= 0xe0 && text[0] <= 0xef ? 3
                  : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
                                                       : 0;
  for (size_t i = 1; i < length; ++i)
    if ((text[i] & 0xc0) != 0x80)
      return 0;
  // Too long for what they say, surrogates, and what lies beyond Unicode.
  if ((text[0] == 0xe0 && text[1] < 0xa0) ||
      (text[0] == 0xed && text[1] > 0x9f) ||
      (text[0] == 0xf0 && text[1] < 0x90) ||
      (text[0] == 0xf4 && text[1] > 0x8f))
    return 0;
  return length;
}

// A JSON string of the first `length` bytes. What is not UTF-8 becomes the
// replacement character.
static void write_string(FILE *file, const char *string, size_t length) {
  const unsigned char *at = (const unsigned char *)string;
  const unsigned char *end = at + length;
  fputc('"', file);
  while (at < end) {
    size_t sequence = sequence_length(at);
    if (sequence == 0 || sequence > (size_t)(end - at)) {
      fputs("\\ufffd", file);
      ++at;
      continue;
    }
    if (*at == '"' || *at == '\\')
      fprintf(file, "\\%c", *at);
    else if (*at < 0x20 || *at == 0x7f)
      fprintf(file, "\\u%04x", *at);
    else
      fwrite(at, 1, sequence, file);
    at += sequence;
  }
  fputc('"', file);
}

// The names, one per line, as a list.
static void write_nodes(FILE *file, const char *nodes) {
  fputc('[', file);
  for (bool first = true; *nodes; first = false) {
    size_t length = strcspn(nodes, "\n");
    if (!first)
      fputc(',', file);
    write_string(file, nodes, length);
    nodes += length + (nodes[length] == '\n');
  }
  fputc(']', file);
}

// The format counts in microseconds.
static void write_time(FILE *file, const char *key, int64_t nanoseconds) {
  fprintf(file, "\"%s\":%" PRId64 ".%03d", key, nanoseconds / 1000,
          (int)(nanoseconds % 1000));
}

static void write_record(FILE *file, const weft_program *program,
                         const weft_launch_record *record) {
  const weft_kernel *kernel = NULL;
  if (record->kernel >= 0 && record->kernel < program->num_kernels)
    kernel = &program->kernels[record->kernel];
  const char *name = kernel ? kernel->name : "?";
  fputs(",\n{\"name\":", file);
  write_string(file, name, strlen(name));
  fputs(",\"ph\":\"X\",\"pid\":0,\"tid\":0,", file);
  write_time(file, "ts", record->begin);
  fputc(',', file);
  write_time(file, "dur", record->end - record->begin);
  fprintf(file,
          ",\"args\":{\"run\":%d,\"count\":%" PRId64 ",\"nodes\":", record->run,
          record->count);
  write_nodes(file, kernel ? kernel->nodes : "");
  fputs("}}", file);
}

static void write_trace(FILE *file, const weft_trace *trace,
                        const weft_program *program) {
  fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"producer\":", file);
  write_string(file, program->producer, strlen(program->producer));
  fputs(",\"target\":", file);
  write_string(file, program->target, strlen(program->target));
  fprintf(file, ",\"lost\":%" PRId64 "},\n\"traceEvents\":[\n", trace->lost);
  fputs("{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":0,\"tid\":0,"
        "\"args\":{\"name\":",
        file);
  write_string(file, program->name, strlen(program->name));
  fputs("}}", file);
  for (int64_t i = 0; i < trace->count; ++i)
    write_record(file, program, &trace->records[i]);
  fputs("\n]}\n", file);
}

// Writes beside `path` and moves the file there when it is complete.
static int write_file(const weft_trace *trace, const weft_program *program,
                      const char *path, char *temporary) {
  FILE *file = fopen(temporary, "wx");
  if (!file)
    return errno;
  write_trace(file, trace, program);
  bool failed = ferror(file) != 0;
  failed |= fclose(file) != 0;
  failed = failed || rename(temporary, path) != 0;
  if (!failed)
    return 0;
  int error = errno;
  unlink(temporary);
  return error;
}

weft_status weft_trace_write(const weft_trace *trace,
                             const weft_program *program, const char *path) {
  static atomic_uint number;
  if (!path)
    return weft_fail(WEFT_ERROR_ARGUMENT, "there is no path to write to");
  size_t size = strlen(path) + 64;
  char *temporary = malloc(size);
  if (!temporary)
    return weft_fail(WEFT_ERROR_MEMORY, "no memory to write \"%s\"", path);
  weft_text text = {temporary, size, 0};
  weft_text_append(&text, "%s.%ld.%u.tmp", path, (long)getpid(),
                   atomic_fetch_add(&number, 1));
  int error = write_file(trace, program, path, temporary);
  free(temporary);
  if (error)
    return weft_fail(WEFT_ERROR_WRITE, "cannot write \"%s\": %s", path,
                     strerror(error));
  return WEFT_OK;
}

//===----------------------------------------------------------------------===//
// The public face
//===----------------------------------------------------------------------===//

void weft_session_profile(const weft_session *session,
                          const weft_launch_record **records, int64_t *count) {
  *records = session->trace.records;
  *count = session->trace.count;
}

void weft_session_clear_profile(weft_session *session) {
  session->trace.count = session->trace.lost = 0;
}

weft_status weft_session_write_trace(const weft_session *session,
                                     const char *path) {
  return weft_trace_write(&session->trace, session->model->program, path);
}
