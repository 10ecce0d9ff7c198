//===- pool.c - Threads that run the parts of parallel loops --------------===//
//
// Each worker waits for its own word to say that it is called, so a loop of two
// parts disturbs one worker only. It must claim its part, for the caller takes
// the parts back that nobody has claimed when it is done with its own: a small
// loop does not wait for threads that sleep or that have no CPU. Only who has
// claimed a part reads the loop's description, and for those the caller waits.
//
//===----------------------------------------------------------------------===//

#define _GNU_SOURCE // pthread_setname_np, sched_getaffinity
#include "pool.h"
#include "Core/status.h"
#include "wait.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

// What a worker's word says, but for WEFT_WAIT_ASLEEP.
enum { IDLE = 0, CALLED = 1 };

typedef struct worker {
  _Alignas(CACHE_LINE) _Atomic uint32_t call;
  int32_t index;
  pthread_t thread;
  weft_pool *pool;
} worker;

struct weft_pool {
  // The loop: written before workers are called.
  weft_parallel_body body; ///< NULL: end
  void *context;
  int64_t spin_nanoseconds;
  int32_t threads; ///< those that have been started, and the caller
  worker *workers; ///< [0] is unused: the caller
  // The parts, but the first, that are not finished.
  _Alignas(CACHE_LINE) _Atomic uint32_t pending;
};

// True for the one who shall run the worker's part.
static bool claim(worker *self) {
  uint32_t called = CALLED;
  return atomic_compare_exchange_strong_explicit(
      &self->call, &called, IDLE, memory_order_acquire, memory_order_relaxed);
}

static void *work(void *argument) {
  worker *self = argument;
  weft_pool *pool = self->pool;
  for (;;) {
    weft_wait(&self->call, CALLED, pool->spin_nanoseconds);
    if (!claim(self))
      continue;
    weft_parallel_body body = pool->body;
    if (!body)
      return NULL;
    body(pool->context, self->index);
    uint32_t left =
        atomic_fetch_sub_explicit(&pool->pending, 1, memory_order_acq_rel);
    if (left == (WEFT_WAIT_ASLEEP | 1))
      weft_wait_wake(&pool->pending);
  }
}

// Makes the worker look at the loop.
static void call_worker(worker *self) {
  uint32_t before =
      atomic_exchange_explicit(&self->call, CALLED, memory_order_acq_rel);
  if (before & WEFT_WAIT_ASLEEP)
    weft_wait_wake(&self->call);
}

// Signals are for the application's threads: workers start with all blocked.
static int start_worker(worker *self) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&self->thread, NULL, work, self);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!error) {
    char name[16];
    snprintf(name, sizeof(name), "weft-%d", (int)(self->index % 10000));
    pthread_setname_np(self->thread, name);
  }
  return error;
}

weft_status weft_pool_create(int32_t threads, int32_t spin_microseconds,
                             weft_pool **out) {
  *out = NULL;
  weft_pool *pool = aligned_alloc(CACHE_LINE, sizeof(*pool));
  worker *workers =
      aligned_alloc(CACHE_LINE, sizeof(*workers) * (size_t)threads);
  if (!pool || !workers) {
    free(pool);
    free(workers);
    return weft_fail(WEFT_ERROR_MEMORY, "no memory for %d threads", threads);
  }
  *pool = (weft_pool){.spin_nanoseconds = spin_microseconds * INT64_C(1000),
                      .threads = 1,
                      .workers = workers};
  // With more threads than CPUs, one that spins may keep another from working.
  if (threads > weft_pool_available_cpus())
    pool->spin_nanoseconds = 0;
  atomic_init(&pool->pending, 0);
  for (int32_t i = 1; i < threads; ++i) {
    worker *self = &workers[i];
    *self = (worker){.index = i, .pool = pool};
    atomic_init(&self->call, IDLE);
    int error = start_worker(self);
    if (error) {
      weft_pool_destroy(pool);
      return weft_fail(WEFT_ERROR_THREAD, "cannot start thread %d of %d: %s", i,
                       threads, strerror(error));
    }
    pool->threads = i + 1;
  }
  *out = pool;
  return WEFT_OK;
}

void weft_pool_destroy(weft_pool *pool) {
  if (!pool)
    return;
  pool->body = NULL;
  for (int32_t i = 1; i < pool->threads; ++i)
    call_worker(&pool->workers[i]);
  for (int32_t i = 1; i < pool->threads; ++i)
    pthread_join(pool->workers[i].thread, NULL);
  free(pool->workers);
  free(pool);
}

void weft_pool_parallel_for(void *user, int64_t parts, weft_parallel_body body,
                            void *context) {
  weft_pool *pool = user;
  pool->body = body;
  pool->context = context;
  atomic_store_explicit(&pool->pending, (uint32_t)parts - 1,
                        memory_order_relaxed);
  for (int64_t i = 1; i < parts; ++i)
    call_worker(&pool->workers[i]);
  body(context, 0);
  // Those called last are the least likely to have begun.
  for (int64_t i = parts - 1; i > 0; --i) {
    if (!claim(&pool->workers[i]))
      continue;
    body(context, i);
    atomic_fetch_sub_explicit(&pool->pending, 1, memory_order_relaxed);
  }
  weft_wait(&pool->pending, 0, pool->spin_nanoseconds);
}

int32_t weft_pool_available_cpus(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0)
    return 1; // more CPUs than the set has room for, or no such call
  int count = CPU_COUNT(&set);
  return count > 0 ? count : 1;
}
