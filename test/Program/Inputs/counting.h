/* Counts the memory that a program gets while `counting`: functions that get
   memory are replaced. To be included first, and once. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int counting;
static int64_t mapped, allocated;

void *mmap(void *at, size_t size, int protection, int flags, int file,
           off_t offset) {
  if (counting)
    mapped += (int64_t)size;
  return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}

void *mremap(void *at, size_t from, size_t to, int flags, ...) {
  if (counting)
    mapped += (int64_t)to;
  return (void *)syscall(SYS_mremap, at, from, to, flags, NULL);
}

void *aligned_alloc(size_t alignment, size_t size) {
  void *data = NULL;
  if (counting)
    allocated += (int64_t)size;
  return posix_memalign(&data, alignment, size) ? NULL : data;
}

/* The bytes of the whole pages that an arena of `bytes` takes. */
static int64_t in_pages(int64_t bytes) {
  int64_t page = sysconf(_SC_PAGESIZE);
  return (bytes + (bytes == 0) + page - 1) / page * page;
}
