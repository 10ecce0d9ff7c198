//===- constants.c - Where a program's constants lie in memory ------------===//

#define _GNU_SOURCE // madvise
#include "constants.h"
#include "memory.h"
#include "status.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// `file` as seen from `folder`, for free(); NULL if there is no memory.
static char *resolve_path(const char *folder, const char *file) {
  if (file[0] == '/' || folder[0] == '\0')
    return strdup(file);
  size_t size = strlen(folder) + strlen(file) + 2;
  char *path = malloc(size);
  if (!path)
    return NULL;
  weft_text text = {path, size, 0};
  weft_text_append(&text, "%s/%s", folder, file);
  return path;
}

static weft_status map_descriptor(int descriptor, weft_mapping *mapping) {
  struct stat info;
  if (fstat(descriptor, &info) != 0)
    return weft_fail(WEFT_ERROR_CONSTANT_FILE, "cannot read \"%s\": %s",
                     mapping->path, strerror(errno));
  if (!S_ISREG(info.st_mode))
    return weft_fail(WEFT_ERROR_CONSTANT_FILE, "\"%s\" is no regular file",
                     mapping->path);
  mapping->size = (size_t)info.st_size;
  if (!mapping->size)
    return WEFT_OK; // mmap refuses empty files
  void *data = mmap(NULL, mapping->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED)
    return weft_fail(WEFT_ERROR_CONSTANT_FILE, "cannot map \"%s\": %s",
                     mapping->path, strerror(errno));
  mapping->data = data;
  return WEFT_OK;
}

// The mapping of `file`, which is made if no constant before has needed it.
static weft_status find_mapping(weft_constants *constants, const char *folder,
                                const char *file, const weft_mapping **out) {
  char *path = resolve_path(folder, file);
  if (!path)
    return weft_fail(WEFT_ERROR_MEMORY, "no memory to open \"%s\"", file);
  for (int32_t i = 0; i < constants->num_mappings; ++i) {
    if (strcmp(constants->mappings[i].path, path) == 0) {
      free(path);
      *out = &constants->mappings[i];
      return WEFT_OK;
    }
  }
  // There is room for one per constant; from here on unload() frees `path`.
  weft_mapping *mapping = &constants->mappings[constants->num_mappings++];
  *mapping = (weft_mapping){path, NULL, 0};
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return weft_fail(WEFT_ERROR_CONSTANT_FILE, "cannot open \"%s\": %s", path,
                     strerror(errno));
  weft_status status = map_descriptor(descriptor, mapping);
  close(descriptor);
  *out = mapping;
  return status;
}

// The bytes of a constant as stored.
static weft_status find_bytes(weft_constants *constants, const char *folder,
                              const weft_constant *constant,
                              const unsigned char **out) {
  if (constant->source == WEFT_CONSTANT_EMBEDDED) {
    *out = constant->data;
    return WEFT_OK;
  }
  const weft_mapping *mapping = NULL;
  weft_status status =
      find_mapping(constants, folder, constant->file, &mapping);
  if (status)
    return status;
  uint64_t offset = (uint64_t)constant->offset, size = (uint64_t)constant->size;
  if (offset > mapping->size || size > mapping->size - offset)
    return weft_fail(WEFT_ERROR_CONSTANT_BOUNDS,
                     "constant \"%s\" is %lld bytes at offset %lld of \"%s\", "
                     "which has %zu bytes",
                     constant->name, (long long)size, (long long)offset,
                     mapping->path, mapping->size);
  // An empty constant may lie in an empty file, which has no address.
  *out = mapping->data ? (const unsigned char *)mapping->data + offset : NULL;
  return WEFT_OK;
}

// Spreads `count` elements of `bits` bits each, low bits first, to one byte
// each. The upper bits become 0.
static void unpack(const unsigned char *from, int32_t bits, int64_t count,
                   unsigned char *to) {
  int64_t per_byte = 8 / bits;
  unsigned mask = (1u << bits) - 1;
  for (int64_t i = 0; i < count; ++i)
    to[i] = (unsigned char)(from[i / per_byte] >> (i % per_byte * bits) & mask);
}

// Gives back the pages that hold nothing but the `size` bytes at `bytes`, which
// have been copied; who touches them again reads them from the file again.
static void drop_pages(const unsigned char *bytes, int64_t size) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t begin = ((uintptr_t)bytes + page - 1) & ~(page - 1);
  uintptr_t end = ((uintptr_t)bytes + (size_t)size) & ~(page - 1);
  if (begin < end)
    madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static weft_status load_constant(weft_constants *constants, const char *folder,
                                 const weft_constant *constant, int32_t index) {
  const unsigned char *bytes = NULL;
  weft_status status = find_bytes(constants, folder, constant, &bytes);
  if (status)
    return status;
  bool aligned = bytes && (uintptr_t)bytes % WEFT_BUFFER_ALIGNMENT == 0;
  if (aligned && !constant->packed) {
    constants->data[index] = bytes;
    return WEFT_OK;
  }
  int64_t size = constant->packed ? constant->count : constant->size;
  void *copy = weft_memory_allocate(size);
  if (!copy)
    return weft_fail(WEFT_ERROR_MEMORY,
                     "no memory for the %lld bytes of constant \"%s\"",
                     (long long)size, constant->name);
  if (constant->packed)
    unpack(bytes, constant->packed, size, copy);
  else if (size)
    memcpy(copy, bytes, (size_t)size);
  if (bytes && constant->source == WEFT_CONSTANT_FILE)
    drop_pages(bytes, constant->size);
  constants->data[index] = constants->owned[index] = copy;
  return WEFT_OK;
}

weft_status weft_constants_load(const weft_program *program, const char *folder,
                                weft_constants *out) {
  size_t count = (size_t)program->num_constants;
  *out = (weft_constants){.count = program->num_constants};
  if (!count)
    return WEFT_OK;
  out->data = calloc(count, sizeof(*out->data));
  out->owned = calloc(count, sizeof(*out->owned));
  out->mappings = calloc(count, sizeof(*out->mappings));
  weft_status status = WEFT_OK;
  if (!out->data || !out->owned || !out->mappings)
    status = weft_fail(WEFT_ERROR_MEMORY, "no memory for %zu constants", count);
  for (int32_t i = 0; !status && i < out->count; ++i)
    status = load_constant(out, folder, &program->constants[i], i);
  if (status)
    weft_constants_unload(out);
  return status;
}

void weft_constants_unload(weft_constants *constants) {
  for (int32_t i = 0; constants->owned && i < constants->count; ++i)
    free(constants->owned[i]);
  for (int32_t i = 0; i < constants->num_mappings; ++i) {
    if (constants->mappings[i].data)
      munmap(constants->mappings[i].data, constants->mappings[i].size);
    free(constants->mappings[i].path);
  }
  free(constants->data);
  free(constants->owned);
  free(constants->mappings);
  *constants = (weft_constants){0};
}
