//===- guard.c - Finds what reads or writes outside the runtime's memory --===//
//
// LD_PRELOAD=weft-guard.so COMMAND: every buffer that the runtime allocates
// ends where a page begins that nobody may touch, and is gone for good when it
// is freed; what lies in front of it is checked then. Generated code, which
// sanitizers do not see, is checked in this way.
//
//===----------------------------------------------------------------------===//

#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void __libc_free(void *memory);
void *__libc_memalign(size_t alignment, size_t size);

// What the runtime aligns buffers to (WEFT_BUFFER_ALIGNMENT).
enum { ALIGNMENT = 64, PAGE = 4096, PATTERN = 0xa5 };
static const size_t ROOM = (size_t)1 << 44;

// Addresses are given out once each.
static char *room;
static atomic_size_t used;

// Lies on the page in front of the first one of a block.
typedef struct head {
  size_t bytes;
} head;

__attribute__((constructor)) static void reserve(void) {
  void *memory = mmap(NULL, ROOM, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  room = memory == MAP_FAILED ? NULL : memory;
}

static void say(const char *text) {
  ssize_t written = write(2, text, strlen(text));
  (void)written;
}

void *aligned_alloc(size_t alignment, size_t size) {
  if (alignment != ALIGNMENT || !room || size > ROOM / 4)
    return __libc_memalign(alignment, size);
  size_t whole = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  size_t bytes = (whole + PAGE - 1) / PAGE * PAGE + PAGE;
  size_t offset = atomic_fetch_add(&used, bytes + PAGE);
  if (offset + bytes + PAGE > ROOM ||
      mprotect(room + offset, bytes, PROT_READ | PROT_WRITE) != 0)
    return NULL;
  // What a kernel reads without having written it shows in its results, too.
  memset(room + offset + PAGE, PATTERN, bytes - PAGE);
  *(head *)(void *)(room + offset) = (head){bytes};
  return room + offset + bytes - whole;
}

void free(void *memory) {
  char *block = memory;
  if (!room || block < room || block >= room + ROOM) {
    __libc_free(memory);
    return;
  }
  char *page = (char *)((uintptr_t)block & ~(uintptr_t)(PAGE - 1));
  // The head is on the page before the block's first one.
  head *found = (head *)(void *)(page - PAGE);
  for (char *at = page; at < block; ++at)
    if ((unsigned char)*at != PATTERN) {
      say("weft-guard: a buffer was written before its beginning\n");
      _exit(99);
    }
  size_t bytes = found->bytes;
  madvise(found, bytes, MADV_DONTNEED);
  mprotect(found, bytes, PROT_NONE);
}
