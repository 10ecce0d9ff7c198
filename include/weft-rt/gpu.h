/*===- gpu.h - Which GPUs there are ---------------------------------------===*\
|*                                                                            *|
|* What the runtime finds of NVIDIA's driver and of GPUs. Programs without    *|
|* device code need neither. Errors are reported as weft.h says.              *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef WEFT_RT_GPU_H
#define WEFT_RT_GPU_H

#include "weft-rt/weft.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The driver. Versions count as CUDA's do: 12040 is 12.4.
typedef struct weft_gpu_driver {
  int32_t version;       ///< of CUDA, which the driver serves
  int32_t least_version; ///< that will do
  int32_t count;         ///< of GPUs
  char path[512];        ///< of the library, as far as it can be told
} weft_gpu_driver;

/// Loads the driver: `libcuda.so.1`, or what the environment variable
/// WEFT_LIBCUDA names. Fails with an explanation if there is none, or one that
/// will not do, or if it finds no GPU.
WEFT_API weft_status weft_gpu_find_driver(weft_gpu_driver *out);

/// A GPU.
typedef struct weft_gpu {
  char name[128];
  int32_t major, minor; ///< the compute capability: 9, 0 for sm_90
  int32_t multiprocessors;
  int64_t memory_bytes; ///< in all
  int64_t shared_bytes; ///< shared memory that one block can have
} weft_gpu;

/// Describes GPU number `index`.
WEFT_API weft_status weft_gpu_describe(int32_t index, weft_gpu *out);

/// Starts GPU number `index`, as a session would, and tells how many bytes of
/// its memory are free.
WEFT_API weft_status weft_gpu_try(int32_t index, int64_t *out);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_RT_GPU_H */
