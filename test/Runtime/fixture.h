//===- fixture.h - A program written by hand ------------------------------===//
//
// What the compiler would make of a model with the inputs
//
//   x    : f32 [N, 3]
//   bias : f32 [3]
//   pair : i64 [N, M]
//   mode : i64 []           what to do wrong (fixture_mode)
//
// and the outputs
//
//   y     : f32 [N, 3]      2 * x + bias + the constant `shift`
//   first : i64 [N]         the first iteration of the part that wrote it
//   some  : i64 [?]         the numbers below M
//   codes : ui8 [8]         the constants `nibbles` and `crumbs`, unpacked
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_RUNTIME_FIXTURE_H
#define WEFT_TEST_RUNTIME_FIXTURE_H

#include "weft-rt/program.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FIXTURE_SCRATCH = 1000 };

typedef enum fixture_mode {
  FIXTURE_WELL = 0,
  // 1 to 5, and 6 which is none: the fault of that number, at iteration 7 of
  // the kernel "double".
  FIXTURE_NO_REASON = 10,
  FIXTURE_LEAVES_OUTPUT_OUT = 11,
  FIXTURE_WRONG_OUTPUT_SIZE = 12,
  FIXTURE_NEGATIVE_OUTPUT_SIZE = 13,
  FIXTURE_NEGATIVE_ALLOCATION = 14,
  FIXTURE_HUGE_ALLOCATION = 15,
  FIXTURE_HUGE_OUTPUT = 16,
  FIXTURE_FAULT_OF_HOST = 17,
  // Tasks fill their scratch and look whether it stays as it was.
  FIXTURE_USES_SCRATCH = 18,
  // 1000 launches of one iteration per thread.
  FIXTURE_LAUNCHES_OFTEN = 19,
  FIXTURE_WAITS = 20,
} fixture_mode;

/// The program; tests copy and break it.
extern const weft_program fixture_program;

/// In mode FIXTURE_WAITS, calls this, if not NULL, from the run.
extern void (*fixture_callback)(void);

#ifdef __cplusplus
}
#endif

#endif // WEFT_TEST_RUNTIME_FIXTURE_H
