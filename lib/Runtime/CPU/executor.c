//===- executor.c - Parallel loops of compiled tasks ----------------------===//

#include "executor.h"
#include "Core/memory.h"
#include "Core/status.h"
#include "pool.h"
#include <stdatomic.h>
#include <stdlib.h>

struct weft_executor {
  int32_t threads;
  weft_pool *pool; ///< NULL with a loop of the caller's, or for one thread
  weft_parallel_for_fn parallel_for;
  void *user;
  unsigned char *scratch;
  int64_t scratch_stride;
};

typedef struct loop {
  const weft_executor *executor;
  weft_run *run;
  weft_task task;
  void *const *args;
  int64_t count, parts;
  atomic_llong done; ///< parts, counted only on a loop of the caller's
} loop;

// The scratch of all threads, each on pages of its own: threads that write to
// neighbouring lines slow each other down, and the one that first touches a
// page decides where it lies.
static weft_status create_scratch(weft_executor *executor, int64_t bytes) {
  enum { PAGE = 4096 };
  if (bytes == 0)
    bytes = 1; // tasks get an address in any case
  int64_t total;
  if (bytes > INT64_MAX - PAGE ||
      __builtin_mul_overflow((bytes + PAGE - 1) / PAGE * PAGE,
                             (int64_t)executor->threads, &total))
    return weft_fail(WEFT_ERROR_MEMORY,
                     "%lld bytes of scratch for each of %d threads are too "
                     "many",
                     (long long)bytes, executor->threads);
  executor->scratch_stride = total / executor->threads;
  executor->scratch = weft_memory_allocate(total);
  if (!executor->scratch)
    return weft_fail(WEFT_ERROR_MEMORY,
                     "no memory for %lld bytes of scratch for %d threads",
                     (long long)total, executor->threads);
  return WEFT_OK;
}

weft_status weft_executor_create(const weft_session_options *options,
                                 int64_t scratch_bytes, weft_executor **out) {
  enum { MOST_THREADS = 4096 };
  *out = NULL;
  if (options->threads < 0 || options->threads > MOST_THREADS)
    return weft_fail(WEFT_ERROR_ARGUMENT, "%d threads, wanted 0 to %d",
                     options->threads, MOST_THREADS);
  if (options->spin_microseconds < 0)
    return weft_fail(WEFT_ERROR_ARGUMENT,
                     "%d microseconds to spin, wanted >= 0",
                     options->spin_microseconds);
  weft_executor *executor = calloc(1, sizeof(*executor));
  if (!executor)
    return weft_fail(WEFT_ERROR_MEMORY, "no memory for a session");
  executor->threads =
      options->threads ? options->threads : weft_pool_available_cpus();
  executor->parallel_for = options->parallel_for;
  executor->user = options->parallel_for_user;
  weft_status status = create_scratch(executor, scratch_bytes);
  if (!status && !executor->parallel_for && executor->threads > 1)
    status = weft_pool_create(executor->threads, options->spin_microseconds,
                              &executor->pool);
  if (status) {
    weft_executor_destroy(executor);
    return status;
  }
  *out = executor;
  return WEFT_OK;
}

void weft_executor_destroy(weft_executor *executor) {
  if (!executor)
    return;
  weft_pool_destroy(executor->pool);
  free(executor->scratch);
  free(executor);
}

int32_t weft_executor_threads(const weft_executor *executor) {
  return executor->threads;
}

// Runs the part with number `part`. The first `count % parts` parts are one
// iteration longer than the others.
static void run_part(void *context, int64_t part) {
  loop *self = context;
  int64_t length = self->count / self->parts, rest = self->count % self->parts;
  int64_t begin = part * length + (part < rest ? part : rest);
  int64_t end = begin + length + (part < rest);
  const weft_executor *executor = self->executor;
  self->task(self->run, self->args, begin, end,
             executor->scratch + part * executor->scratch_stride);
}

// The same for loops that are not ours, which are not trusted to keep to
// [0, parts).
static void run_foreign_part(void *context, int64_t part) {
  loop *self = context;
  if (part < 0 || part >= self->parts) {
    atomic_fetch_add(&self->done, self->parts + 1);
    return;
  }
  run_part(context, part);
  atomic_fetch_add(&self->done, 1);
}

bool weft_executor_launch(weft_executor *executor, weft_run *run,
                          weft_task task, void *const *args, int64_t count) {
  if (count <= 0)
    return true;
  loop self = {.executor = executor,
               .run = run,
               .task = task,
               .args = args,
               .count = count};
  self.parts = count < executor->threads ? count : executor->threads;
  if (self.parts == 1) {
    run_part(&self, 0);
    return true;
  }
  if (executor->pool) {
    weft_pool_parallel_for(executor->pool, self.parts, run_part, &self);
    return true;
  }
  atomic_init(&self.done, 0);
  executor->parallel_for(executor->user, self.parts, run_foreign_part, &self);
  return atomic_load(&self.done) == self.parts;
}
