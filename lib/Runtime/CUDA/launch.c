//===- launch.c - Launches of kernels on a GPU ----------------------------===//

#include "device.h"
#include <stdlib.h>
#include <string.h>

//===----------------------------------------------------------------------===//
// Timing
//===----------------------------------------------------------------------===//

static bool create_event(weft_device *device, CUevent *event) {
  if (WEFT_DEVICE_CALL(device, "timing launches", NULL, cuEventCreate, event,
                       CU_EVENT_DEFAULT))
    return true;
  *event = NULL;
  return false;
}

bool weft_timing_begin(weft_device *device) {
  weft_timing *timing = &device->timing;
  timing->count = 0;
  const char *what = "timing launches";
  if ((!timing->origin && !create_event(device, &timing->origin)) ||
      !WEFT_DEVICE_CALL(device, what, NULL, cuEventRecord, timing->origin,
                        device->stream) ||
      !WEFT_DEVICE_CALL(device, what, NULL, cuEventSynchronize, timing->origin))
    return false;
  timing->start = weft_trace_now();
  return true;
}

static weft_timed_launch *add_launch(weft_device *device) {
  weft_timing *timing = &device->timing;
  if (timing->count == timing->capacity) {
    int64_t capacity = timing->capacity ? timing->capacity * 2 : 64;
    weft_timed_launch *launches =
        realloc(timing->launches, sizeof(*launches) * (size_t)capacity);
    if (!launches) {
      weft_device_fail(device, WEFT_ERROR_MEMORY,
                       "no memory to time %lld launches", (long long)capacity);
      return NULL;
    }
    memset(launches + timing->capacity, 0,
           sizeof(*launches) * (size_t)(capacity - timing->capacity));
    timing->launches = launches;
    timing->capacity = capacity;
  }
  weft_timed_launch *launch = &timing->launches[timing->count];
  if ((!launch->begin && !create_event(device, &launch->begin)) ||
      (!launch->end && !create_event(device, &launch->end)))
    return NULL;
  ++timing->count;
  return launch;
}

// On the clock, given that the origin was at `start`.
static bool time_of(weft_device *device, CUevent event, int64_t *out) {
  float milliseconds = 0;
  if (!WEFT_DEVICE_CALL(device, "timing launches", NULL, cuEventElapsedTime,
                        &milliseconds, device->timing.origin, event))
    return false;
  *out = device->timing.start + (int64_t)((double)milliseconds * 1e6);
  return true;
}

bool weft_timing_end(weft_device *device) {
  weft_timing *timing = &device->timing;
  for (int64_t i = 0; i < timing->count; ++i) {
    weft_timed_launch *launch = &timing->launches[i];
    int64_t begin, end;
    if (!time_of(device, launch->begin, &begin) ||
        !time_of(device, launch->end, &end))
      return false;
    weft_trace_add_span(&device->session->trace, launch->kernel, begin, end,
                        launch->blocks);
  }
  timing->count = 0;
  return true;
}

bool weft_timing_mark(weft_device *device, CUevent *event) {
  return (*event || create_event(device, event)) &&
         WEFT_DEVICE_CALL(device, "timing a run", NULL, cuEventRecord, *event,
                          device->stream);
}

bool weft_timing_measure(weft_device *device) {
  weft_timing *timing = &device->timing;
  float milliseconds = 0;
  if (!WEFT_DEVICE_CALL(device, "timing a run", NULL, cuEventElapsedTime,
                        &milliseconds, timing->run_begin, timing->run_end))
    return false;
  timing->run = (int64_t)((double)milliseconds * 1e6);
  return true;
}

void weft_timing_free(weft_device *device) {
  weft_timing *timing = &device->timing;
  if (timing->run_begin)
    device->driver->cuEventDestroy_v2(timing->run_begin);
  if (timing->run_end)
    device->driver->cuEventDestroy_v2(timing->run_end);
  if (timing->origin)
    device->driver->cuEventDestroy_v2(timing->origin);
  for (int64_t i = 0; i < timing->capacity; ++i) {
    if (timing->launches[i].begin)
      device->driver->cuEventDestroy_v2(timing->launches[i].begin);
    if (timing->launches[i].end)
      device->driver->cuEventDestroy_v2(timing->launches[i].end);
  }
  free(timing->launches);
  *timing = (weft_timing){0};
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

// Records that the launch asks for more than there is.
static bool fail_launch(weft_device *device, const weft_device_kernel *kernel,
                        const char *what) {
  char nodes[400] = "";
  weft_text text = {nodes, sizeof(nodes), 0};
  const weft_program *program = device->session->model->program;
  weft_run_describe_kernel(&program->kernels[kernel->kernel], &text);
  return weft_device_fail(device, WEFT_ERROR_DEVICE_LAUNCH, "%s%s", what,
                          nodes);
}

static bool check_grid(weft_device *device, const weft_device_kernel *kernel,
                       const int64_t *grid) {
  const int64_t *most = device->most_blocks;
  if (grid[0] >= 0 && grid[1] >= 0 && grid[2] >= 0 && grid[0] <= most[0] &&
      grid[1] <= most[1] && grid[2] <= most[2])
    return true;
  char what[200];
  weft_text text = {what, sizeof(what), 0};
  weft_text_append(&text,
                   "a grid of %lld x %lld x %lld blocks does not fit \"%s\", "
                   "which takes %lld x %lld x %lld",
                   (long long)grid[0], (long long)grid[1], (long long)grid[2],
                   device->name, (long long)most[0], (long long)most[1],
                   (long long)most[2]);
  return fail_launch(device, kernel, what);
}

// More dynamic shared memory than usual is to be asked for.
static bool allow_shared(weft_device *device, int32_t number, int64_t shared) {
  const weft_device_kernel *kernel =
      &device->session->model->program->device->kernels[number];
  weft_device_function *function = &device->functions[number];
  if (shared >= 0 && shared <= function->shared)
    return true;
  if (shared < 0 || shared > device->most_shared) {
    char what[200];
    weft_text text = {what, sizeof(what), 0};
    weft_text_append(&text,
                     "%lld bytes of dynamic shared memory do not fit \"%s\", "
                     "whose blocks have %lld",
                     (long long)shared, device->name,
                     (long long)device->most_shared);
    return fail_launch(device, kernel, what);
  }
  CUresult result = device->driver->cuFuncSetAttribute(
      function->handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
      (int)shared);
  if (!weft_device_check_kernel(device, result, "cuFuncSetAttribute",
                                kernel->kernel))
    return false;
  function->shared = shared;
  return true;
}

static void note_launch(weft_device *device, int32_t kernel) {
  weft_launched *launched = &device->launched;
  if (launched->count++ == 0)
    launched->kernel = kernel;
  else
    launched->several |= launched->kernel != kernel;
}

static bool record(weft_device *device, CUevent event, int32_t kernel) {
  return weft_device_check_kernel(
      device, device->driver->cuEventRecord(event, device->stream),
      "cuEventRecord", kernel);
}

bool weft_device_launch(weft_device *device, int32_t number,
                        const int64_t *grid, int64_t shared,
                        void *const *args) {
  const weft_device_kernel *kernel =
      &device->session->model->program->device->kernels[number];
  if (!check_grid(device, kernel, grid))
    return false;
  if (!grid[0] || !grid[1] || !grid[2])
    return true;
  if (!allow_shared(device, number, shared))
    return false;
  CUlaunchAttribute cluster = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION};
  cluster.value.clusterDim.x = (unsigned)kernel->cluster[0];
  cluster.value.clusterDim.y = (unsigned)kernel->cluster[1];
  cluster.value.clusterDim.z = (unsigned)kernel->cluster[2];
  CUlaunchConfig config = {
      .gridDimX = (unsigned)grid[0],
      .gridDimY = (unsigned)grid[1],
      .gridDimZ = (unsigned)grid[2],
      .blockDimX = (unsigned)kernel->block[0],
      .blockDimY = (unsigned)kernel->block[1],
      .blockDimZ = (unsigned)kernel->block[2],
      .sharedMemBytes = (unsigned)shared,
      .hStream = device->stream,
      .attrs = &cluster,
      .numAttrs = kernel->cluster[0] > 0,
  };
  weft_timed_launch *timed = NULL;
  if (device->session->trace.on) {
    timed = add_launch(device);
    if (!timed || !record(device, timed->begin, kernel->kernel))
      return false;
    timed->kernel = kernel->kernel;
    timed->blocks = grid[0] * grid[1] * grid[2];
  }
  note_launch(device, kernel->kernel);
  CUresult result = device->driver->cuLaunchKernelEx(
      &config, device->functions[number].handle, (void **)(uintptr_t)args,
      NULL);
  if (!weft_device_check_kernel(device, result, "cuLaunchKernelEx",
                                kernel->kernel))
    return false;
  if (timed && !record(device, timed->end, kernel->kernel))
    return false;
  return !device->careful ||
         weft_device_check_kernel(
             device, device->driver->cuStreamSynchronize(device->stream),
             "cuStreamSynchronize", kernel->kernel);
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

static bool find_type(weft_dtype dtype, CUtensorMapDataType *out) {
  switch (dtype) {
  case WEFT_F32:
    *out = CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
    return true;
  case WEFT_F64:
    *out = CU_TENSOR_MAP_DATA_TYPE_FLOAT64;
    return true;
  case WEFT_F16:
    *out = CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
    return true;
  case WEFT_BF16:
    *out = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    return true;
  case WEFT_I32:
    *out = CU_TENSOR_MAP_DATA_TYPE_INT32;
    return true;
  case WEFT_I64:
    *out = CU_TENSOR_MAP_DATA_TYPE_INT64;
    return true;
  default:
    break;
  }
  // Of the others only the size matters.
  switch (weft_dtype_bytes(dtype)) {
  case 1:
    *out = CU_TENSOR_MAP_DATA_TYPE_UINT8;
    return true;
  case 2:
    *out = CU_TENSOR_MAP_DATA_TYPE_UINT16;
    return true;
  case 4:
    *out = CU_TENSOR_MAP_DATA_TYPE_UINT32;
    return true;
  case 8:
    *out = CU_TENSOR_MAP_DATA_TYPE_UINT64;
    return true;
  default:
    return false;
  }
}

bool weft_device_tensor_map(weft_device *device, const weft_tensor_map *map,
                            CUdeviceptr address, const int64_t *dims,
                            const int64_t *strides, void *out) {
  enum { MOST_RANK = 5 };
  static const uint32_t ones[MOST_RANK] = {1, 1, 1, 1, 1};
  CUtensorMapDataType type;
  if (map->rank < 1 || map->rank > MOST_RANK || !find_type(map->dtype, &type))
    return weft_device_fail(device, WEFT_ERROR_DEVICE_LAUNCH,
                            "there are no tensor maps of rank %d and type %s",
                            map->rank, weft_dtype_name(map->dtype));
  uint64_t sizes[MOST_RANK] = {0}, steps[MOST_RANK] = {0};
  uint32_t box[MOST_RANK] = {0};
  for (int32_t i = 0; i < map->rank; ++i) {
    sizes[i] = (uint64_t)dims[i];
    box[i] = (uint32_t)map->box[i];
    if (i + 1 < map->rank)
      steps[i] = (uint64_t)strides[i];
  }
  CUtensorMapSwizzle swizzle = map->swizzle == 128  ? CU_TENSOR_MAP_SWIZZLE_128B
                               : map->swizzle == 64 ? CU_TENSOR_MAP_SWIZZLE_64B
                               : map->swizzle == 32
                                   ? CU_TENSOR_MAP_SWIZZLE_32B
                                   : CU_TENSOR_MAP_SWIZZLE_NONE;
  CUtensorMap encoded;
  if (!WEFT_DEVICE_CALL(device, "describing a tensor for a kernel", NULL,
                        cuTensorMapEncodeTiled, &encoded, type,
                        (uint32_t)map->rank, (void *)(uintptr_t)address, sizes,
                        steps, box, ones, CU_TENSOR_MAP_INTERLEAVE_NONE,
                        swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE))
    return false;
  memcpy(out, &encoded, sizeof(encoded));
  return true;
}
