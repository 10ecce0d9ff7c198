//===- wait.h - Waiting for a word to take a value ------------------------===//

#ifndef WEFT_RUNTIME_CPU_WAIT_H
#define WEFT_RUNTIME_CPU_WAIT_H

#include <stdatomic.h>
#include <stdint.h>

/// Set in a word while its one waiter sleeps. The waiter sets it; who changes
/// the word clears it or keeps it, and calls weft_wait_wake() if it was set.
#define WEFT_WAIT_ASLEEP UINT32_C(0x80000000)

/// Waits until the word, less WEFT_WAIT_ASLEEP, is `value`: first awake, for
/// `spin_nanoseconds`, then asleep. Acquires what was released with it.
void weft_wait(_Atomic uint32_t *word, uint32_t value,
               int64_t spin_nanoseconds);

/// Wakes the waiter.
void weft_wait_wake(_Atomic uint32_t *word);

#endif // WEFT_RUNTIME_CPU_WAIT_H
