//===- memory.c - Aligned memory that is kept between runs ----------------===//

#define _GNU_SOURCE // mremap
#include "memory.h"
#include "weft-rt/program.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *weft_memory_allocate(int64_t bytes) {
  if (bytes > PTRDIFF_MAX - WEFT_BUFFER_ALIGNMENT)
    return NULL;
  if (bytes == 0)
    bytes = 1;
  size_t mask = WEFT_BUFFER_ALIGNMENT - 1;
  return aligned_alloc(WEFT_BUFFER_ALIGNMENT, ((size_t)bytes + mask) & ~mask);
}

bool weft_buffer_reserve(weft_buffer *buffer, int64_t bytes) {
  if (buffer->data && buffer->capacity >= bytes)
    return true;
  weft_buffer_free(buffer);
  buffer->data = weft_memory_allocate(bytes);
  if (!buffer->data)
    return false;
  buffer->capacity = bytes;
  return true;
}

bool weft_buffer_contains(const weft_buffer *buffer, const void *address) {
  uintptr_t begin = (uintptr_t)buffer->data, at = (uintptr_t)address;
  if (!buffer->data)
    return false;
  return at == begin || (at > begin && at - begin < (size_t)buffer->capacity);
}

void weft_buffer_free(weft_buffer *buffer) {
  free(buffer->data);
  buffer->data = NULL;
  buffer->capacity = 0;
}

// The bytes of the pages that hold `bytes`; at least one page, so that an empty
// arena has an address too. 0 if there are too many.
static size_t whole_pages(int64_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (bytes > PTRDIFF_MAX - (int64_t)page)
    return 0;
  size_t needed = bytes ? (size_t)bytes : 1;
  return (needed + page - 1) & ~(page - 1);
}

bool weft_arena_resize(weft_arena *arena, int64_t bytes) {
  if (arena->data && arena->bytes == bytes)
    return true;
  size_t size = whole_pages(bytes);
  if (!size) {
    weft_arena_free(arena);
    return false;
  }
  void *data;
  if (arena->data)
    data = mremap(arena->data, whole_pages(arena->bytes), size, MREMAP_MAYMOVE);
  else
    data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
  if (data == MAP_FAILED) {
    weft_arena_free(arena);
    return false;
  }
  arena->data = data;
  arena->bytes = bytes;
  return true;
}

void weft_arena_free(weft_arena *arena) {
  if (arena->data)
    munmap(arena->data, whole_pages(arena->bytes));
  arena->data = NULL;
  arena->bytes = 0;
}
