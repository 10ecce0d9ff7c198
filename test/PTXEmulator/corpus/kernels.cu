// Kernels as a foreign compiler writes them, for CorpusTest.cpp. kernels.ptx was made
// from this file: nvcc -arch=sm_90a -O3 -ptx kernels.cu (13.0.88), comments removed.

#include <cooperative_groups.h>
#include <cstdint>
#include <cstdio>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace cg = cooperative_groups;

// Rows of softmax: shuffles, shared memory, approximations.
extern "C" __global__ void softmax(const float *x, float *y, int columns) {
  __shared__ float parts[32];
  const float *row = x + size_t(blockIdx.x) * columns;
  float most = -INFINITY;
  for (int i = threadIdx.x; i < columns; i += blockDim.x)
    most = fmaxf(most, row[i]);
  auto reduce = [&](float value, bool isMax) {
    for (int step = 16; step; step /= 2) {
      float other = __shfl_xor_sync(~0u, value, step);
      value = isMax ? fmaxf(value, other) : value + other;
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0)
      parts[threadIdx.x / 32] = value;
    __syncthreads();
    value = isMax ? -INFINITY : 0;
    for (int i = 0; i < blockDim.x / 32; ++i)
      value = isMax ? fmaxf(value, parts[i]) : value + parts[i];
    return value;
  };
  most = reduce(most, true);
  float sum = 0;
  for (int i = threadIdx.x; i < columns; i += blockDim.x)
    sum += __expf(row[i] - most);
  sum = reduce(sum, false);
  for (int i = threadIdx.x; i < columns; i += blockDim.x)
    y[size_t(blockIdx.x) * columns + i] = __expf(row[i] - most) / sum;
}

// Tiles of 32 x 32 in shared memory, unrolled.
extern "C" __global__ void matmul(const float *a, const float *b, float *c,
                                  int n) {
  __shared__ float left[32][33], right[32][33];
  int row = blockIdx.y * 32 + threadIdx.y, column = blockIdx.x * 32 + threadIdx.x;
  float sum = 0;
  for (int at = 0; at < n; at += 32) {
    left[threadIdx.y][threadIdx.x] = a[row * n + at + threadIdx.x];
    right[threadIdx.y][threadIdx.x] = b[(at + threadIdx.y) * n + column];
    __syncthreads();
    for (int k = 0; k < 32; ++k)
      sum += left[threadIdx.y][k] * right[k][threadIdx.x];
    __syncthreads();
  }
  c[row * n + column] = sum;
}

// Atomics on shared and on global memory.
extern "C" __global__ void histogram(const uint8_t *data, unsigned *bins,
                                     int n) {
  __shared__ unsigned own[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    own[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n;
       i += gridDim.x * blockDim.x)
    atomicAdd(&own[data[i]], 1u);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    if (own[i])
      atomicAdd(&bins[i], own[i]);
}

// The block that ends last adds up what all have left.
__device__ unsigned ticket;
extern "C" __global__ void sumAll(const float *x, float *parts, float *result,
                                  int n) {
  __shared__ bool last;
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n;
       i += gridDim.x * blockDim.x)
    sum += x[i];
  for (int step = 16; step; step /= 2)
    sum += __shfl_down_sync(~0u, sum, step);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = sum;
    __threadfence();
    last = atomicInc(&ticket, gridDim.x - 1) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float all = 0;
    for (int i = 0; i < gridDim.x; ++i)
      all += parts[i];
    *result = all;
  }
}

// Pairs of halves, and conversions.
extern "C" __global__ void halves(const __half2 *x, const __nv_bfloat162 *y,
                                  __half2 *z, float *w, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  __half2 product = __hfma2(x[i], x[i], __float2half2_rn(0.5f));
  z[i] = __hmax2(product, __float2half2_rn(1.0f));
  float2 wide = __bfloat1622float2(__hmul2(y[i], y[i]));
  w[i] = wide.x - wide.y;
}

// Divisions of 64 bits are loops; a switch is a table of targets.
extern "C" __global__ void integers(const int64_t *x, const int64_t *y,
                                    int64_t *z, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  int64_t a = x[i], b = y[i], result = 0;
  switch (i % 9) {
  case 0: result = a / b; break;
  case 1: result = a % b; break;
  case 2: result = __clzll(a) * 100 + __popcll(b); break;
  case 3: result = int64_t(uint64_t(a) / uint64_t(b | 1)); break;
  case 4: result = __mul64hi(a, b); break;
  case 5: result = __brevll(a) ^ (b << (a & 31)); break;
  case 6: result = __byte_perm(uint32_t(a), uint32_t(b), 0x3715); break;
  case 7: result = __dp4a(int(a), int(b), 7); break;
  default: result = __funnelshift_l(uint32_t(a), uint32_t(b), 13); break;
  }
  z[i] = result;
}

__noinline__ __device__ double power(double base, int exponent) {
  double result = 1;
  for (int i = 0; i < exponent; ++i)
    result *= base;
  return result;
}
__noinline__ __device__ double series(double x, int terms) {
  double sum = 0;
  for (int i = 0; i < terms; ++i)
    sum += power(x, i) / (i + 1);
  return sum;
}
typedef double (*Function)(double, int);
__device__ Function functions[2] = {power, series};
// Calls, also through pointers, and an array that is indexed in local memory.
extern "C" __global__ void calls(const double *x, double *y, const int *order,
                                 int n, int which) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  double local[8];
  for (int k = 0; k < 8; ++k)
    local[k] = i < n ? functions[which](x[i], k) : 0;
  double sum = 0;
  for (int k = 0; k < 8; ++k)
    sum = sum * 2 + local[order[k]];
  if (i < n)
    y[i] = sum + series(x[i], i % 5);
}

// A lock that lanes of one warp fight for.
extern "C" __global__ void locked(int *lock, int *count) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      __threadfence();
      *(volatile int *)count = *(volatile int *)count + 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}

// Lanes that part, meet in groups, and vote.
extern "C" __global__ void groups(const int *x, int *y) {
  int i = threadIdx.x, value = x[i], result = 0;
  auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  auto eight = cg::tiled_partition<8>(warp);
  if (value > 0) {
    auto active = cg::coalesced_threads();
    result = active.size() * 1000 + active.thread_rank();
  } else if (value < 0) {
    result = -int(__popc(__activemask()));
  }
  result += eight.shfl_xor(value, 3) * 7;
  result += __popc(__match_any_sync(~0u, value)) * 100000;
  result += __reduce_add_sync(~0u, value) * 13;
  if (warp.any(value == 5))
    result ^= 1;
  y[i] = result;
}

// A cluster of blocks that read each other's shared memory.
extern "C" __global__ void __cluster_dims__(4, 1, 1)
    rotate(const int *x, int *y) {
  __shared__ int own[64];
  auto cluster = cg::this_cluster();
  own[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  cluster.sync();
  int *other = cluster.map_shared_rank(own, (cluster.block_rank() + 1) % 4);
  y[blockIdx.x * 64 + threadIdx.x] = other[63 - threadIdx.x];
  cluster.sync();
}

// Text, and a claim.
extern "C" __global__ void talk(int n, float x) {
  if (threadIdx.x < n)
    printf("thread %d of %u: %5.2f %s|%lld%%\n", threadIdx.x, blockDim.x, x,
           "text", 1ll << 40);
  if (n > 100)
    __trap();
}

// An approximation of the error function, in single and double precision.
extern "C" __global__ void functionsOf(const float *x, float *y, double *z,
                                       int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float v = x[i];
  y[i] = erff(v) + tanhf(v) + log1pf(v * v) + powf(fabsf(v) + 0.5f, 1.7f) +
         sinf(v) * cosf(v);
  z[i] = exp(double(v)) + log(fabs(double(v)) + 1) + sin(double(v)) +
         cbrt(double(v));
}

// A product of 16 x 8 x 16 on tensor cores, with copies that are asynchronous.
extern "C" __global__ void tensor(const __half *a, const __half *b, float *c) {
  __shared__ __align__(16) __half left[16 * 16], right[16 * 8];
  int lane = threadIdx.x;
  unsigned to = unsigned(__cvta_generic_to_shared(left + lane * 8));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to),
               "l"(a + lane * 8));
  if (lane < 16) {
    to = unsigned(__cvta_generic_to_shared(right + lane * 8));
    asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(to),
                 "l"(b + lane * 8));
  }
  asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;" ::: "memory");
  __syncwarp();
  unsigned r[4], s[2];
  unsigned from = unsigned(
      __cvta_generic_to_shared(left + (lane % 16) * 16 + lane / 16 * 8));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from));
  from = unsigned(__cvta_generic_to_shared(right + (lane % 16) * 8));
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
               : "=r"(s[0]), "=r"(s[1])
               : "r"(from));
  float d[4] = {};
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]), "r"(s[0]),
                 "r"(s[1]));
  for (int i = 0; i < 4; ++i)
    c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}

__device__ unsigned sharedOf(const void *pointer) {
  return unsigned(__cvta_generic_to_shared(pointer));
}
__device__ void init(uint64_t *barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(
                   sharedOf(barrier)),
               "r"(count)
               : "memory");
}
__device__ void expect(uint64_t *barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                   sharedOf(barrier)),
               "r"(bytes)
               : "memory");
}
__device__ void arrive(uint64_t *barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(
                   sharedOf(barrier))
               : "memory");
}
__device__ void wait(uint64_t *barrier, int parity) {
  asm volatile("{\n.reg .pred p;\nagain:\n"
               "mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
               "@!p bra again;\n}" ::"r"(sharedOf(barrier)),
               "r"(parity)
               : "memory");
}

// A warp that copies ahead, and four that add up what it brings.
extern "C" __global__ void stream(const float *x, float *y, int tiles) {
  __shared__ __align__(128) float stage[2][128];
  __shared__ __align__(8) uint64_t full[2], empty[2];
  if (threadIdx.x == 0)
    for (int i = 0; i < 2; ++i) {
      init(full + i, 1);
      init(empty + i, 128);
    }
  __syncthreads();
  if (threadIdx.x == 128)
#pragma unroll 1
    for (int t = 0; t < tiles; ++t) {
      int s = t % 2;
      wait(empty + s, (t / 2 & 1) ^ 1);
      expect(full + s, 512);
      asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
                   "bytes [%0], [%1], 512, [%2];" ::"r"(sharedOf(stage[s])),
                   "l"(x + t * 128), "r"(sharedOf(full + s))
                   : "memory");
    }
  if (threadIdx.x >= 128)
    return;
  float sum = 0;
#pragma unroll 1
  for (int t = 0; t < tiles; ++t) {
    int s = t % 2;
    wait(full + s, t / 2 & 1);
    sum += stage[s][127 - threadIdx.x];
    arrive(empty + s);
  }
  y[threadIdx.x] = sum;
}

struct alignas(64) Map {
  char bytes[128];
};

__device__ void copyTile(void *to, const Map *map, int x, int y,
                         uint64_t *barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::"
               "complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
                   sharedOf(to)),
               "l"(map), "r"(x), "r"(y), "r"(sharedOf(barrier))
               : "memory");
}

// Rows of 128 bytes, swizzled; 8 rows are 1024 bytes.
__device__ uint64_t describe(const void *tile) {
  return (sharedOf(tile) & 0x3ffff) >> 4 | uint64_t(1) << 16 |
         uint64_t(64) << 32 | uint64_t(1) << 62;
}

#define FOUR(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])

// c (64 x 64) = a (64 x 64 * tiles) times the transpose of b, in two stages.
extern "C" __global__ void __launch_bounds__(128)
    warpgroup(const __grid_constant__ Map a, const __grid_constant__ Map b,
              float *c, int tiles) {
  extern __shared__ __align__(1024) uint8_t stages[];
  __shared__ __align__(8) uint64_t full[2];
  if (threadIdx.x == 0) {
    init(full, 1);
    init(full + 1, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  auto copy = [&](int t) {
    uint8_t *stage = stages + t % 2 * 16384;
    expect(full + t % 2, 16384);
    copyTile(stage, &a, t * 64, 0, full + t % 2);
    copyTile(stage + 8192, &b, t * 64, 0, full + t % 2);
  };
  if (threadIdx.x == 0)
    copy(0);
  float d[32] = {};
#pragma unroll 1
  for (int t = 0; t < tiles; ++t) {
    if (threadIdx.x == 0 && t + 1 < tiles)
      copy(t + 1);
    uint8_t *stage = stages + t % 2 * 16384;
    wait(full + t % 2, t / 2 & 1);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    for (int k = 0; k < 4; ++k)
      asm volatile(
          "{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\n"
          "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
          "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,"
          "%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, %32, %33, p, "
          "1, 1, 0, 0;\n}"
          : FOUR(0), FOUR(4), FOUR(8), FOUR(12), FOUR(16), FOUR(20), FOUR(24),
            FOUR(28)
          : "l"(describe(stage + k * 32)), "l"(describe(stage + 8192 + k * 32)));
    asm volatile("wgmma.commit_group.sync.aligned;\n"
                 "wgmma.wait_group.sync.aligned 0;" ::
                     : "memory");
    __syncthreads();
  }
  int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
  for (int i = 0; i < 32; ++i)
    c[(row + i / 2 % 2 * 8) * 64 + i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2] =
        d[i];
}
