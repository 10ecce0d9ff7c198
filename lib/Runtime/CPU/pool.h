//===- pool.h - Threads that run the parts of parallel loops --------------===//

#ifndef WEFT_RUNTIME_CPU_POOL_H
#define WEFT_RUNTIME_CPU_POOL_H

#include "weft-rt/weft.h"

/// A fixed number of threads, the caller's among them. Used by one thread at a
/// time.
typedef struct weft_pool weft_pool;

/// Starts `threads - 1` threads. An idle one waits `spin_microseconds` before
/// it sleeps.
weft_status weft_pool_create(int32_t threads, int32_t spin_microseconds,
                             weft_pool **out);

/// Ends the threads. NULL is let pass.
void weft_pool_destroy(weft_pool *pool);

/// A weft_parallel_for_fn whose `user` is a pool with at least `parts` threads.
/// The caller runs part 0, and the pool's thread number i part i unless the
/// caller is free before that thread has begun.
void weft_pool_parallel_for(void *user, int64_t parts, weft_parallel_body body,
                            void *context);

/// The number of CPUs on which this process may run.
int32_t weft_pool_available_cpus(void);

#endif // WEFT_RUNTIME_CPU_POOL_H
