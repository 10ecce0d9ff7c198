//===- Device.cpp - The device and the context of the fake driver ---------===//

#include "State.h"
#include <algorithm>
#include <cstring>

using namespace weft::ptx;
using namespace weft::ptx::fake;

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

const Model &State::model() const {
  static const Model models[] = {
      {75, 40, 1024, 16, 65536, 65536, size_t(4) << 20},
      {80, 108, 2048, 32, 166912, 167936, size_t(40) << 20},
      {86, 84, 1536, 16, 101376, 102400, size_t(6) << 20},
      {89, 128, 1536, 24, 101376, 102400, size_t(72) << 20},
      {90, 132, 2048, 32, 232448, 233472, size_t(50) << 20},
      {100, 148, 2048, 32, 232448, 233472, size_t(126) << 20},
  };
  const Model *best = models;
  for (const Model &model : models)
    if (model.sm <= config.sm)
      best = &model;
  return *best;
}

//===----------------------------------------------------------------------===//
// The driver
//===----------------------------------------------------------------------===//

CUresult cuInit(unsigned flags) {
  FAKE_BEGIN(cuInit, Needs::Nothing, flags);
  if (flags)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  if (!state.initialized)
    state.openLog();
  state.initialized = true;
  return call.done(CUDA_SUCCESS);
}

CUresult cuDriverGetVersion(int *version) {
  FAKE_BEGIN(cuDriverGetVersion, Needs::Nothing, version);
  if (!version)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  *version = 13000;
  return call.done(CUDA_SUCCESS);
}

namespace {
struct ResultName {
  CUresult number;
  const char *name;
};
} // namespace

static const ResultName resultNames[] = {
#define NAME(name, number) {name, #name},
    CUDA_RESULTS(NAME)
#undef NAME
};

CUresult cuGetErrorName(CUresult error, const char **name) {
  FAKE_BEGIN(cuGetErrorName, Needs::Nothing, static_cast<int>(error), name);
  *name = nullptr;
  for (const ResultName &entry : resultNames)
    if (entry.number == error)
      *name = entry.name;
  return call.done(*name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

// What a kernel did is part of the text, which a real driver can't know.
CUresult cuGetErrorString(CUresult error, const char **text) {
  FAKE_BEGIN(cuGetErrorString, Needs::Nothing, static_cast<int>(error), text);
  *text = nullptr;
  if (error == state.sticky && error)
    *text = state.stickyText.c_str();
  for (const ResultName &entry : resultNames)
    if (!*text && entry.number == error)
      *text =
          error == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory" : "no details";
  return call.done(*text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version,
                             uint64_t flags,
                             CUdriverProcAddressQueryResult *status) {
  FAKE_BEGIN(cuGetProcAddress_v2, Needs::Nothing, symbol, version, flags);
  static const std::pair<const char *, void *> all[] = {
#define WEFT_DRIVER_CALL(name, parameters)                                     \
  {#name, reinterpret_cast<void *>(&name)},
#include "CUDA/driver_table.def"
#define WEFT_DRIVER_CALL(name, parameters)                                     \
  {#name, reinterpret_cast<void *>(&name)},
#include "more_calls.def"
  };
  if (!symbol || !function)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  *function = nullptr;
  // The newest version of a call goes by its plain name.
  for (const char *suffix : {"_v3", "_v2", ""})
    for (auto &[name, address] : all)
      if (!*function && name == std::string(symbol) + suffix)
        *function = address;
  if (status)
    *status = *function ? CU_GET_PROC_ADDRESS_SUCCESS
                        : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  return call.done(*function || status ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND);
}

//===----------------------------------------------------------------------===//
// The device
//===----------------------------------------------------------------------===//

CUresult cuDeviceGetCount(int *count) {
  FAKE_BEGIN(cuDeviceGetCount, Needs::Init, count);
  *count = 1;
  return call.done(CUDA_SUCCESS);
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  FAKE_BEGIN(cuDeviceGet, Needs::Init, device, ordinal);
  if (ordinal != 0)
    return call.done(CUDA_ERROR_INVALID_DEVICE);
  *device = 0;
  return call.done(CUDA_SUCCESS);
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  FAKE_BEGIN(cuDeviceGetName, Needs::Init, static_cast<const void *>(name),
             length, device);
  if (device != 0)
    return call.done(CUDA_ERROR_INVALID_DEVICE);
  if (!name || length <= 0)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  std::snprintf(name, length, "PTX emulator sm_%d", state.config.sm);
  return call.done(CUDA_SUCCESS);
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
  FAKE_BEGIN(cuDeviceGetUuid_v2, Needs::Init, uuid, device);
  if (device != 0)
    return call.done(CUDA_ERROR_INVALID_DEVICE);
  std::memcpy(uuid->bytes, "weft-ptxemulator", sizeof(uuid->bytes));
  return call.done(CUDA_SUCCESS);
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  FAKE_BEGIN(cuDeviceTotalMem_v2, Needs::Init, bytes, device);
  if (device != 0)
    return call.done(CUDA_ERROR_INVALID_DEVICE);
  *bytes = state.config.memory;
  return call.done(CUDA_SUCCESS);
}

// The attributes that depend on the model; -1 for the others.
static long long modelAttribute(const State &state,
                                CUdevice_attribute attribute) {
  const Model &model = state.model();
  bool isHopper = state.config.sm >= 90;
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    return state.config.sm / 10;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    return state.config.sm % 10;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    return model.multiprocessors;
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
    return model.threads;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR:
    return model.blocks;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    return model.sharedPerBlock;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
    return model.sharedPerMultiprocessor;
  case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
    return model.l2;
  case CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH:
  case CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED:
    return isHopper;
  default:
    return -1;
  }
}

static long long fixedAttribute(CUdevice_attribute attribute) {
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y:
    return 1024;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z:
    return 64;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
    return 2147483647;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z:
    return 65535;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
    return 49152;
  case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK:
    return 1024;
  case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
    return 32;
  case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
  case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR:
    return 65536;
  case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
    return 1500000;
  case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE:
    return 2600000;
  case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH:
    return 5120;
  case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT:
    return 2;
  case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
  case CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED:
  case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED:
    return 1;
  default:
    return -1;
  }
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute,
                              CUdevice device) {
  FAKE_BEGIN(cuDeviceGetAttribute, Needs::Init, value,
             static_cast<int>(attribute), device);
  if (device != 0)
    return call.done(CUDA_ERROR_INVALID_DEVICE);
  long long found = modelAttribute(state, attribute);
  if (found < 0)
    found = fixedAttribute(attribute);
  if (!value || found < 0)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  *value = static_cast<int>(found);
  return call.done(CUDA_SUCCESS);
}

//===----------------------------------------------------------------------===//
// The context
//===----------------------------------------------------------------------===//

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  FAKE_BEGIN(cuDevicePrimaryCtxRetain, Needs::Init, context, device);
  if (device != 0)
    return call.done(CUDA_ERROR_INVALID_DEVICE);
  if (state.sticky)
    return call.done(state.sticky);
  ++state.contextUses;
  *context = theContext();
  return call.done(CUDA_SUCCESS);
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  FAKE_BEGIN(cuDevicePrimaryCtxRelease_v2, Needs::Release, device);
  if (device != 0)
    return call.done(CUDA_ERROR_INVALID_DEVICE);
  if (state.contextUses == 0)
    return call.done(CUDA_ERROR_INVALID_CONTEXT);
  --state.contextUses;
  return call.done(CUDA_SUCCESS);
}

static bool isContext(const State &state, CUcontext context) {
  return !context || (context == theContext() && state.contextUses > 0);
}

CUresult cuCtxSetCurrent(CUcontext context) {
  FAKE_BEGIN(cuCtxSetCurrent, Needs::Init, context);
  if (!isContext(state, context))
    return call.done(CUDA_ERROR_INVALID_CONTEXT);
  auto &contexts = currentContexts();
  if (!contexts.empty())
    contexts.pop_back();
  if (context)
    contexts.push_back(context);
  return call.done(CUDA_SUCCESS);
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
  FAKE_BEGIN(cuCtxPushCurrent_v2, Needs::Init, context);
  if (!context || !isContext(state, context))
    return call.done(CUDA_ERROR_INVALID_CONTEXT);
  currentContexts().push_back(context);
  return call.done(CUDA_SUCCESS);
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  FAKE_BEGIN(cuCtxPopCurrent_v2, Needs::Release, context);
  auto &contexts = currentContexts();
  if (contexts.empty())
    return call.done(CUDA_ERROR_INVALID_CONTEXT);
  if (context)
    *context = contexts.back();
  contexts.pop_back();
  return call.done(CUDA_SUCCESS);
}

CUresult cuCtxSynchronize() {
  FAKE_BEGIN(cuCtxSynchronize, Needs::Quiet);
  return call.done(drainAll(state));
}
