//===- FakeDriver.h - Controls of the fake CUDA driver ----------*- C++ -*-===//
//
// The fake `libcuda.so.1` exports these beside the calls of a driver, for tests
// that have loaded it: they find them with dlsym() under the names below. They
// say the same as its environment variables (docs/FakeDriver.md), at any time.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_FAKEDRIVER_H
#define WEFT_PTXEMULATOR_FAKEDRIVER_H

#include <cstddef>

extern "C" {

/// Makes call number `nth` of `name` from now on, counted from 1, return
/// `result`; only one call is ever planned to fail. A null `name` plans none.
void weft_fake_fail(const char *name, int nth, int result);

/// How often `name` was called since the last reset.
int weft_fake_calls(const char *name);

/// Writes what is alive, such as "2 allocations (96 bytes), 1 stream", to
/// `text`, and returns how many things that are.
size_t weft_fake_leaks(char *text, size_t capacity);

/// Forgets everything that is alive and every failure, and reads the
/// environment anew. The driver stays initialized.
void weft_fake_reset(void);
}

#endif // WEFT_PTXEMULATOR_FAKEDRIVER_H
