//===- Lanes.cpp - Inner loops for the processor at hand ------------------===//

#include "Number.h"

using namespace weft::ptx;

namespace {

void fmaPortable(float *d, const float *a, const float *b, const float *c) {
  for (int i = 0; i < 32; ++i)
    d[i] = std::fma(a[i], b[i], c[i]);
}

void multiplyPortable(float *c, const float *a, const float *b, unsigned m,
                      unsigned n, unsigned k) {
  for (unsigned i = 0; i < m; ++i)
    for (unsigned l = 0; l < k; ++l)
      for (unsigned j = 0; j < n; ++j)
        c[i * n + j] += a[i * k + l] * b[l * n + j];
}

#if defined(__x86_64__)
// `n` is a multiple of 8.
__attribute__((target("avx2,fma"))) void
multiplyVectors(float *c, const float *a, const float *b, unsigned m,
                unsigned n, unsigned k) {
  for (unsigned i = 0; i < m; ++i)
    for (unsigned first = 0; first < n; first += 8) {
      float sum[8];
      for (unsigned j = 0; j < 8; ++j)
        sum[j] = c[i * n + first + j];
      for (unsigned l = 0; l < k; ++l)
        for (unsigned j = 0; j < 8; ++j)
          sum[j] = __builtin_fmaf(a[i * k + l], b[l * n + first + j], sum[j]);
      for (unsigned j = 0; j < 8; ++j)
        c[i * n + first + j] = sum[j];
    }
}

__attribute__((target("avx2,fma"))) void
fmaVectors(float *d, const float *a, const float *b, const float *c) {
  float result[32];
  for (int i = 0; i < 32; ++i)
    result[i] = __builtin_fmaf(a[i], b[i], c[i]);
  for (int i = 0; i < 32; ++i)
    d[i] = result[i];
}

bool hasFma() {
  static const bool has =
      __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
  return has;
}
#endif

} // namespace

void weft::ptx::fmaLanes(float *d, const float *a, const float *b,
                         const float *c) {
#if defined(__x86_64__)
  if (hasFma())
    return fmaVectors(d, a, b, c);
#endif
  fmaPortable(d, a, b, c);
}

void weft::ptx::multiplyAdd(float *c, const float *a, const float *b,
                            unsigned m, unsigned n, unsigned k) {
#if defined(__x86_64__)
  if (hasFma())
    return multiplyVectors(c, a, b, m, n, k);
#endif
  multiplyPortable(c, a, b, m, n, k);
}
