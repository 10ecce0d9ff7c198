//===- wait.c - Waiting for a word to take a value ------------------------===//

#define _GNU_SOURCE // syscall
#include "wait.h"
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline void pause_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static bool is_over(uint32_t word, uint32_t value) {
  return (word & ~WEFT_WAIT_ASLEEP) == value;
}

// True if the wait was over before the time was.
static bool spin(_Atomic uint32_t *word, uint32_t value, int64_t nanoseconds) {
  if (nanoseconds <= 0)
    return false;
  int64_t end = now() + nanoseconds;
  do {
    // Reading the clock takes about as long as this many pauses.
    for (int i = 0; i < 16; ++i) {
      if (is_over(atomic_load_explicit(word, memory_order_acquire), value))
        return true;
      pause_cpu();
    }
  } while (now() < end);
  return false;
}

void weft_wait(_Atomic uint32_t *word, uint32_t value,
               int64_t spin_nanoseconds) {
  uint32_t seen = atomic_load_explicit(word, memory_order_acquire);
  if (is_over(seen, value) || spin(word, value, spin_nanoseconds))
    return;
  seen = atomic_load_explicit(word, memory_order_acquire);
  while (!is_over(seen, value)) {
    // Say that a wake is needed; if the word changed meanwhile, look again.
    uint32_t asleep = seen | WEFT_WAIT_ASLEEP;
    if (seen == asleep ||
        atomic_compare_exchange_strong_explicit(
            word, &seen, asleep, memory_order_acquire, memory_order_acquire)) {
      // Returns at once if the word is not `asleep` any more.
      syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, asleep, NULL, NULL, 0);
      seen = atomic_load_explicit(word, memory_order_acquire);
    }
  }
}

void weft_wait_wake(_Atomic uint32_t *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
