//===- fixture.c - A program written by hand ------------------------------===//

#include "fixture.h"
#include <string.h>

void (*fixture_callback)(void);

static const weft_dim x_dims[] = {{0, 0}, {3, -1}};
static const weft_dim bias_dims[] = {{3, -1}};
static const weft_dim pair_dims[] = {{0, 0}, {0, 1}};
static const weft_dim first_dims[] = {{0, 0}};
static const weft_dim some_dims[] = {{0, -2}};
static const weft_dim codes_dims[] = {{8, -1}};

static const weft_port inputs[] = {
    {"x", WEFT_F32, 2, x_dims, WEFT_ROLE_DATA, -1, -1, 0},
    {"bias", WEFT_F32, 1, bias_dims, WEFT_ROLE_DATA, -1, -1, 0},
    {"pair", WEFT_I64, 2, pair_dims, WEFT_ROLE_DATA, -1, -1, 0},
    {"mode", WEFT_I64, 0, NULL, WEFT_ROLE_DATA, -1, -1, 0},
};
// "first" is written while the run can still fail.
static const weft_port outputs[] = {
    {"y", WEFT_F32, 2, x_dims, WEFT_ROLE_DATA, -1, -1, 0},
    {"first", WEFT_I64, 1, first_dims, WEFT_ROLE_DATA, -1, -1, 1},
    {"some", WEFT_I64, 1, some_dims, WEFT_ROLE_DATA, -1, -1, 0},
    {"codes", WEFT_U8, 1, codes_dims, WEFT_ROLE_DATA, -1, -1, 0},
};
static const weft_symbol symbols[] = {{"N", 0, 1000000}, {"M", 0, 64}};

static const unsigned char nibbles[] = {0x21, 0xf3, 0x0e};
static const unsigned char crumbs[] = {0xe4};
static const weft_constant constants[] = {
    {"shift", WEFT_CONSTANT_FILE, NULL, "fixture.bin", 64, 12, 0, 3},
    {"nibbles", WEFT_CONSTANT_EMBEDDED, nibbles, NULL, 0, 3, 4, 5},
    {"crumbs", WEFT_CONSTANT_EMBEDDED, crumbs, NULL, 0, 1, 2, 3},
    {"unaligned", WEFT_CONSTANT_FILE, NULL, "fixture.bin", 65, 11, 0, 11},
};
static const weft_kernel kernels[] = {
    {"double", "Mul_0\nAdd \"b\"\nAdd_2\nAdd_3\nAdd_4\n"},
    {"scratch", "Conv\\1\x01\xff\xc3\xa9"},
    {"tiny", ""},
};

static int64_t arena_bytes(const int64_t *values) {
  return values[0] * 3 * (int64_t)sizeof(float);
}

// x and mode in, 2 * x in the arena and first out.
static void double_task(weft_run *run, void *const *args, int64_t begin,
                        int64_t end, void *scratch) {
  const float *x = args[0];
  float *twice = args[1];
  int64_t *first = args[2];
  const int64_t *mode = args[3];
  (void)scratch;
  for (int64_t i = begin; i < end; ++i) {
    if (*mode >= 1 && *mode <= 6 && i == 7)
      weft_rt_fault(run, NULL, (weft_fault)*mode, 700 + i, 9);
    for (int64_t j = 0; j < 3; ++j)
      twice[i * 3 + j] = 2 * x[i * 3 + j];
    first[i] = begin;
  }
}

// Adds bias and shift to what is in the arena.
static void add_task(weft_run *run, void *const *args, int64_t begin,
                     int64_t end, void *scratch) {
  const float *twice = args[0], *bias = args[1], *shift = args[2];
  float *y = args[3];
  (void)run;
  (void)scratch;
  for (int64_t i = begin; i < end; ++i)
    for (int64_t j = 0; j < 3; ++j)
      y[i * 3 + j] = twice[i * 3 + j] + bias[j] + shift[j];
}

static void scratch_task(weft_run *run, void *const *args, int64_t begin,
                         int64_t end, void *scratch) {
  unsigned char *bytes = scratch;
  (void)args;
  for (int64_t i = begin; i < end; ++i) {
    memset(bytes, (int)(i % 251), FIXTURE_SCRATCH);
    for (int64_t k = 0; k < FIXTURE_SCRATCH; ++k)
      if (bytes[k] != i % 251)
        weft_rt_fault(run, NULL, WEFT_FAULT_SIZE_MISMATCH, bytes[k], i);
  }
}

static void count_task(weft_run *run, void *const *args, int64_t begin,
                       int64_t end, void *scratch) {
  int64_t *counts = args[0];
  (void)run;
  (void)scratch;
  for (int64_t i = begin; i < end; ++i)
    ++counts[i * 8];
}

static int32_t run_often(weft_run *run) {
  enum { LAUNCHES = 1000, MOST_ITERATIONS = 8 };
  int64_t *counts = weft_rt_allocate(run, NULL, MOST_ITERATIONS * 64);
  if (!counts)
    return 1;
  memset(counts, 0, MOST_ITERATIONS * 64);
  void *args[] = {counts};
  for (int i = 0; i < LAUNCHES; ++i)
    if (weft_rt_launch(run, 2, count_task, args, 1 + i % MOST_ITERATIONS))
      return 1;
  for (int64_t i = 0; i < MOST_ITERATIONS; ++i)
    if (counts[i * 8] != LAUNCHES / MOST_ITERATIONS * (MOST_ITERATIONS - i))
      weft_rt_fault(run, NULL, WEFT_FAULT_SIZE_MISMATCH, counts[i * 8], i);
  return 0;
}

// What the mode asks for before anything is computed; non-zero ends the run.
static int32_t misbehave(weft_run *run, int64_t mode) {
  switch (mode) {
  case FIXTURE_NO_REASON:
    return 42;
  case FIXTURE_NEGATIVE_ALLOCATION:
    return !weft_rt_allocate(run, NULL, -5);
  case FIXTURE_HUGE_ALLOCATION:
    return !weft_rt_allocate(run, NULL, INT64_MAX);
  case FIXTURE_HUGE_OUTPUT: {
    int64_t huge = INT64_C(1) << 62;
    return !weft_rt_output(run, 2, &huge);
  }
  case FIXTURE_WRONG_OUTPUT_SIZE: {
    int64_t sizes[] = {weft_rt_symbols(run)[0], 4};
    return !weft_rt_output(run, 0, sizes);
  }
  case FIXTURE_NEGATIVE_OUTPUT_SIZE: {
    int64_t negative = -1;
    return !weft_rt_output(run, 2, &negative);
  }
  case FIXTURE_FAULT_OF_HOST:
    weft_rt_fault(run, "node 'n' (Div)", WEFT_FAULT_DIVISION_BY_ZERO, 9, 0);
    return 1;
  case FIXTURE_USES_SCRATCH:
    return weft_rt_launch(run, 1, scratch_task, NULL, 400);
  case FIXTURE_LAUNCHES_OFTEN:
    return run_often(run);
  case FIXTURE_WAITS:
    if (fixture_callback)
      fixture_callback();
    return 0;
  default:
    return 0;
  }
}

static int32_t write_small_outputs(weft_run *run) {
  int64_t limit = weft_rt_symbols(run)[1];
  int64_t *some = weft_rt_output(run, 2, &limit);
  if (!some)
    return 1;
  for (int64_t i = 0; i < limit; ++i)
    some[i] = i;
  int64_t eight = 8;
  unsigned char *codes = weft_rt_output(run, 3, &eight);
  if (!codes)
    return 1;
  memcpy(codes, weft_rt_constant(run, 1), 5);
  memcpy(codes + 5, weft_rt_constant(run, 2), 3);
  return 0;
}

static int32_t run_program(weft_run *run) {
  int64_t mode = *(const int64_t *)weft_rt_input(run, 3);
  int32_t stop = misbehave(run, mode);
  if (stop)
    return stop;
  int64_t n = weft_rt_symbols(run)[0];
  int64_t sizes[] = {n, 3};
  float *y = weft_rt_output(run, 0, sizes);
  int64_t *first = y ? weft_rt_output(run, 1, &n) : NULL;
  if (!first)
    return 1;
  void *twice = weft_rt_arena(run);
  void *double_args[] = {(void *)weft_rt_input(run, 0), twice, first,
                         (void *)weft_rt_input(run, 3)};
  if (weft_rt_launch(run, 0, double_task, double_args, n))
    return 1;
  void *add_args[] = {twice, (void *)weft_rt_input(run, 1),
                      (void *)weft_rt_constant(run, 0), y};
  if (weft_rt_launch(run, 0, add_task, add_args, n))
    return 1;
  return mode == FIXTURE_LEAVES_OUTPUT_OUT ? 0 : write_small_outputs(run);
}

const weft_program fixture_program = {
    .abi = WEFT_PROGRAM_ABI,
    .name = "fixture",
    .producer = "hand",
    .target = "cpu",
    .num_inputs = 4,
    .num_outputs = 4,
    .num_symbols = 2,
    .num_constants = 4,
    .num_kernels = 3,
    .inputs = inputs,
    .outputs = outputs,
    .symbols = symbols,
    .constants = constants,
    .kernels = kernels,
    .scratch_bytes = FIXTURE_SCRATCH,
    .arena_bytes = arena_bytes,
    .run = run_program,
};

const weft_program *weft_program_query(uint32_t abi) {
  return abi == WEFT_PROGRAM_ABI ? &fixture_program : NULL;
}
