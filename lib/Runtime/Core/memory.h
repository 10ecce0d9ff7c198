//===- memory.h - Aligned memory that is kept between runs ----------------===//

#ifndef WEFT_RUNTIME_CORE_MEMORY_H
#define WEFT_RUNTIME_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// `bytes` of memory aligned to WEFT_BUFFER_ALIGNMENT, for free(). Never NULL
/// but when memory is exhausted, nor for 0 bytes.
void *weft_memory_allocate(int64_t bytes);

/// Memory that only grows. Zeros are an empty one.
typedef struct weft_buffer {
  void *data;
  int64_t capacity;
} weft_buffer;

/// Makes room for `bytes`, whose contents are undefined. False if there is no
/// memory; the buffer is then empty.
bool weft_buffer_reserve(weft_buffer *buffer, int64_t bytes);

/// True if `address` lies in the buffer.
bool weft_buffer_contains(const weft_buffer *buffer, const void *address);

/// Frees the memory.
void weft_buffer_free(weft_buffer *buffer);

/// Memory of exactly the planned size. Pages that remain when the size changes
/// keep their place, so a run of another size does not touch all of them anew.
/// Zeros are an empty one.
typedef struct weft_arena {
  void *data;
  int64_t bytes;
} weft_arena;

/// Gives the arena another size; contents are undefined. False if there is no
/// memory; the arena is then empty.
bool weft_arena_resize(weft_arena *arena, int64_t bytes);

/// Frees the memory.
void weft_arena_free(weft_arena *arena);

#endif // WEFT_RUNTIME_CORE_MEMORY_H
