/* The most multiply-adds that one core does: chains of independent vectors that
   stay in registers. Compiled for this machine by engines.py. */

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
enum { lanes = 16 };
#else
enum { lanes = 8 };
#endif
enum { chains = 12 };
typedef float vector __attribute__((vector_size(4 * lanes)));

static vector filled(float value) {
  vector result;
  for (int l = 0; l < lanes; ++l)
    result[l] = value;
  return result;
}

#define FMA(v) "vfmadd213ps %13, %12, %" #v "\n"

/* Runs `rounds` of multiply-adds; returns how many operations that were. The
   sums go to `out`, which has room for `lanes` floats. */
double peak_run(int64_t rounds, float *out) {
  vector x = filled(0.999f), y = filled(0.5f);
  vector a = y, b = y, c = y, d = y, e = y, f = y;
  vector g = y, h = y, i = y, j = y, k = y, l = y;
  for (int64_t round = 0; round < rounds; ++round)
    __asm__ volatile(FMA(0) FMA(1) FMA(2) FMA(3) FMA(4) FMA(5) FMA(6) FMA(7)
                         FMA(8) FMA(9) FMA(10) FMA(11)
                     : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f),
                       "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l)
                     : "v"(x), "v"(y));
  a += b + c + d + e + f + g + h + i + j + k + l;
  memcpy(out, &a, sizeof(a));
  return 2.0 * lanes * chains * (double)rounds;
}
