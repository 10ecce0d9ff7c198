//===- Code.cpp - Modules, kernels and launches of the fake driver --------===//

#include "FatBinary.h"
#include "State.h"
#include "weft/PTXEmulator/TensorMap.h"
#include <algorithm>
#include <cstring>

using namespace weft::ptx;
using namespace weft::ptx::fake;

//===----------------------------------------------------------------------===//
// Modules and libraries
//===----------------------------------------------------------------------===//

// Writes to the buffer that the caller has given for errors, and to stderr.
static void reportLoad(const std::string &text, unsigned count,
                       const CUjit_option *options, void *const *values) {
  std::fprintf(stderr, "fakecuda: %s\n", text.c_str());
  char *buffer = nullptr;
  size_t capacity = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
      buffer = static_cast<char *>(values[i]);
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
      capacity = reinterpret_cast<uintptr_t>(values[i]);
  }
  if (buffer && capacity)
    std::snprintf(buffer, capacity, "%s", text.c_str());
}

static CUresult load(State &state, const void *data, unsigned count,
                     const CUjit_option *options, void *const *values,
                     std::shared_ptr<Image> &out) {
  if (!data)
    return CUDA_ERROR_INVALID_VALUE;
  std::string ptx, reason;
  CUresult result = findPTX(data, state.config.sm, ptx, reason);
  auto image = std::make_shared<Image>();
  if (!result) {
    image->module = Module::parse(ptx, *state.memory, reason);
    if (!image->module)
      result = CUDA_ERROR_INVALID_PTX;
  }
  if (result)
    reportLoad(reason, count, options, values);
  else
    out = image;
  return result;
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *data, unsigned count,
                            CUjit_option *options, void **values) {
  FAKE_BEGIN(cuModuleLoadDataEx, Needs::Quiet, module, data, count,
             static_cast<const void *>(options),
             static_cast<const void *>(values));
  std::shared_ptr<Image> image;
  CUresult result = load(state, data, count, options, values, image);
  if (!result)
    *module = state.images.add<CUmodule>(image);
  return call.done(result);
}

CUresult cuModuleLoadData(CUmodule *module, const void *data) {
  FAKE_BEGIN(cuModuleLoadData, Needs::Quiet, module, data);
  std::shared_ptr<Image> image;
  CUresult result = load(state, data, 0, nullptr, nullptr, image);
  if (!result)
    *module = state.images.add<CUmodule>(image);
  return call.done(result);
}

CUresult cuLibraryLoadData(CUlibrary *library, const void *data,
                           CUjit_option *jitOptions, void **jitValues,
                           unsigned jitCount, CUlibraryOption *options,
                           void **values, unsigned count) {
  FAKE_BEGIN(cuLibraryLoadData, Needs::Init, library, data,
             static_cast<const void *>(jitOptions),
             static_cast<const void *>(jitValues), jitCount,
             static_cast<const void *>(options),
             static_cast<const void *>(values), count);
  std::shared_ptr<Image> image;
  CUresult result = load(state, data, jitCount, jitOptions, jitValues, image);
  if (!result)
    *library = state.images.add<CUlibrary>(image);
  return call.done(result);
}

// Work of streams that uses the code keeps it, so nothing has to be waited for.
static CUresult unload(State &state, const void *handle) {
  std::shared_ptr<Image> image = state.images.find(handle);
  if (!image)
    return CUDA_ERROR_INVALID_HANDLE;
  CUresult result = drainAll(state);
  std::vector<const void *> functions;
  for (auto &[key, function] : state.functions)
    if (function->image == image)
      functions.push_back(key);
  for (const void *key : functions)
    state.functions.remove(key);
  state.images.remove(handle);
  return result;
}

CUresult cuModuleUnload(CUmodule module) {
  FAKE_BEGIN(cuModuleUnload, Needs::Release, module);
  return call.done(unload(state, module));
}

CUresult cuLibraryUnload(CUlibrary library) {
  FAKE_BEGIN(cuLibraryUnload, Needs::Release, library);
  return call.done(unload(state, library));
}

// The same handle whenever a kernel is asked for, as drivers do.
static CUresult getFunction(State &state, const void *image, const char *name,
                            std::shared_ptr<Function> &out) {
  std::shared_ptr<Image> object = state.images.find(image);
  if (!object)
    return CUDA_ERROR_INVALID_HANDLE;
  const KernelInfo *info = name ? object->module->kernel(name) : nullptr;
  if (!info)
    return CUDA_ERROR_NOT_FOUND;
  for (auto &[key, function] : state.functions)
    if (function->info == info)
      out = function;
  if (out)
    return CUDA_SUCCESS;
  out = std::make_shared<Function>();
  out->image = object;
  out->info = info;
  out->maxDynamicShared =
      std::max(0, 49152 - static_cast<int>(info->staticShared));
  state.functions.add<CUfunction>(out);
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module,
                             const char *name) {
  FAKE_BEGIN(cuModuleGetFunction, Needs::Context, function, module, name);
  std::shared_ptr<Function> object;
  CUresult result = getFunction(state, module, name, object);
  if (!result)
    *function = reinterpret_cast<CUfunction>(object.get());
  return call.done(result);
}

CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary library,
                            const char *name) {
  FAKE_BEGIN(cuLibraryGetKernel, Needs::Init, kernel, library, name);
  std::shared_ptr<Function> object;
  CUresult result = getFunction(state, library, name, object);
  if (!result)
    *kernel = reinterpret_cast<CUkernel>(object.get());
  return call.done(result);
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes,
                              CUmodule module, const char *name) {
  FAKE_BEGIN(cuModuleGetGlobal_v2, Needs::Context, address, bytes, module,
             name);
  std::shared_ptr<Image> image = state.images.find(module);
  if (!image || !name)
    return call.done(image ? CUDA_ERROR_INVALID_VALUE
                           : CUDA_ERROR_INVALID_HANDLE);
  size_t size = 0;
  void *variable = image->module->global(name, &size);
  if (!variable)
    return call.done(CUDA_ERROR_NOT_FOUND);
  if (address)
    *address = reinterpret_cast<CUdeviceptr>(variable);
  if (bytes)
    *bytes = size;
  return call.done(CUDA_SUCCESS);
}

//===----------------------------------------------------------------------===//
// Attributes of kernels
//===----------------------------------------------------------------------===//

static CUresult setAttribute(State &state, Function &function,
                             CUfunction_attribute attribute, int value) {
  int most = static_cast<int>(state.model().sharedPerBlock) -
             static_cast<int>(function.info->staticShared);
  switch (attribute) {
  case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
    if (value < 0 || value > most)
      return CUDA_ERROR_INVALID_VALUE;
    function.maxDynamicShared = value;
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
    if (value < -1 || value > 100)
      return CUDA_ERROR_INVALID_VALUE;
    function.carveout = value;
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
    function.largeClusters = value != 0;
    return CUDA_SUCCESS;
  default:
    return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute,
                            int value) {
  FAKE_BEGIN(cuFuncSetAttribute, Needs::Context, handle,
             static_cast<int>(attribute), value);
  std::shared_ptr<Function> function = state.functions.find(handle);
  if (!function)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  return call.done(setAttribute(state, *function, attribute, value));
}

CUresult cuKernelSetAttribute(CUfunction_attribute attribute, int value,
                              CUkernel handle, CUdevice device) {
  FAKE_BEGIN(cuKernelSetAttribute, Needs::Init, static_cast<int>(attribute),
             value, handle, device);
  std::shared_ptr<Function> function = state.functions.find(handle);
  if (!function)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (device != 0)
    return call.done(CUDA_ERROR_INVALID_DEVICE);
  return call.done(setAttribute(state, *function, attribute, value));
}

// The most threads of a block.
static int mostThreads(const KernelInfo &info) {
  uint64_t most = 1024;
  for (auto &limit : {info.requiredThreads, info.maxThreads})
    if (limit[0])
      most =
          std::min<uint64_t>(most, uint64_t(limit[0]) * std::max(limit[1], 1u) *
                                       std::max(limit[2], 1u));
  return static_cast<int>(most);
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute,
                            CUfunction handle) {
  FAKE_BEGIN(cuFuncGetAttribute, Needs::Context, value,
             static_cast<int>(attribute), handle);
  std::shared_ptr<Function> function = state.functions.find(handle);
  if (!function)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  const KernelInfo &info = *function->info;
  switch (attribute) {
  case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    *value = mostThreads(info);
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
    *value = static_cast<int>(info.staticShared);
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
    *value = 0;
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
    *value = static_cast<int>(info.localBytes);
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_PTX_VERSION:
  case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
    *value = static_cast<int>(function->image->module->sm());
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
    *value = function->maxDynamicShared;
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
    *value = function->carveout;
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET:
    *value = 0;
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
  case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
  case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
    *value = static_cast<int>(
        info.requiredCluster[attribute -
                             CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH]);
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
    *value = function->largeClusters;
    return call.done(CUDA_SUCCESS);
  case CU_FUNC_ATTRIBUTE_NUM_REGS:
    break; // PTX does not tell
  }
  return call.done(CUDA_ERROR_INVALID_VALUE);
}

// Registers are the assembler's affair and do not count here.
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks,
                                                     CUfunction handle,
                                                     int threads,
                                                     size_t shared) {
  FAKE_BEGIN(cuOccupancyMaxActiveBlocksPerMultiprocessor, Needs::Context,
             blocks, handle, threads, shared);
  std::shared_ptr<Function> function = state.functions.find(handle);
  if (!function)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (!blocks || threads <= 0)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  const fake::Model &model = state.model();
  size_t used = function->info->staticShared + shared + 1024;
  size_t most = model.blocks;
  most = std::min<size_t>(most, model.threads / ((threads + 31) / 32 * 32));
  most = std::min(most, model.sharedPerMultiprocessor / used);
  bool fits = threads <= mostThreads(*function->info) &&
              shared <= static_cast<size_t>(function->maxDynamicShared);
  *blocks = fits ? static_cast<int>(most) : 0;
  return call.done(CUDA_SUCCESS);
}
