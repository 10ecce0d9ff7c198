//===- Lanes.cpp - Inner loops for the processor at hand ------------------===//

#include "Number.h"

using namespace weft::ptx;

namespace {

void fmaPortable(float *d, const float *a, const float *b, const float *c) {
  for (int i = 0; i < 32; ++i)
    d[i] = std::fma(a[i], b[i], c[i]);
}

#if defined(__x86_64__)
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
