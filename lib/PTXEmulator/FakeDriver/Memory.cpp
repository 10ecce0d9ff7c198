//===- Memory.cpp - Memory and copies of the fake driver ------------------===//

#include "State.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace weft::ptx;
using namespace weft::ptx::fake;

static void *toPointer(CUdeviceptr address) {
  return reinterpret_cast<void *>(address);
}

//===----------------------------------------------------------------------===//
// Device memory
//===----------------------------------------------------------------------===//

static CUresult allocate(State &state, CUdeviceptr *address, size_t bytes,
                         std::shared_ptr<Pool> pool) {
  if (!address || bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (bytes > state.config.memory - state.used)
    return CUDA_ERROR_OUT_OF_MEMORY;
  void *pointer = state.memory->allocate(bytes);
  if (!pointer)
    return CUDA_ERROR_OUT_OF_MEMORY;
  state.used += bytes;
  if (pool) {
    pool->used += bytes;
    pool->usedHigh = std::max(pool->usedHigh, pool->used);
  }
  state.allocations[pointer] = {bytes, std::move(pool)};
  *address = reinterpret_cast<CUdeviceptr>(pointer);
  return CUDA_SUCCESS;
}

CUresult weft::ptx::fake::release(State &state, void *pointer) {
  auto it = state.allocations.find(pointer);
  if (it == state.allocations.end())
    return CUDA_ERROR_INVALID_VALUE;
  state.used -= it->second.bytes;
  if (it->second.pool)
    it->second.pool->used -= it->second.bytes;
  state.allocations.erase(it);
  state.memory->free(pointer);
  return CUDA_SUCCESS;
}

CUresult cuMemGetInfo_v2(size_t *available, size_t *total) {
  FAKE_BEGIN(cuMemGetInfo_v2, Needs::Context, available, total);
  *available = state.config.memory - state.used;
  *total = state.config.memory;
  return call.done(CUDA_SUCCESS);
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  FAKE_BEGIN(cuMemAlloc_v2, Needs::Quiet, address, bytes);
  return call.done(allocate(state, address, bytes, nullptr));
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  FAKE_BEGIN(cuMemFree_v2, Needs::Release, address);
  if (!address)
    return call.done(CUDA_SUCCESS);
  // Work that uses the memory comes first.
  CUresult result = drainAll(state);
  CUresult released = release(state, toPointer(address));
  return call.done(released ? released : result);
}

//===----------------------------------------------------------------------===//
// Pools
//===----------------------------------------------------------------------===//

static CUmemoryPool defaultPool(State &state) {
  if (!state.defaultPool) {
    state.defaultPool = std::make_shared<Pool>();
    state.defaultPool->isDefault = true;
    state.pools.add<CUmemoryPool>(state.defaultPool);
  }
  return reinterpret_cast<CUmemoryPool>(state.defaultPool.get());
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device) {
  FAKE_BEGIN(cuDeviceGetDefaultMemPool, Needs::Init, pool, device);
  if (device != 0)
    return call.done(CUDA_ERROR_INVALID_DEVICE);
  *pool = defaultPool(state);
  return call.done(CUDA_SUCCESS);
}

CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *properties) {
  FAKE_BEGIN(cuMemPoolCreate, Needs::Context, pool, properties);
  if (!pool || !properties ||
      properties->allocType != CU_MEM_ALLOCATION_TYPE_PINNED ||
      properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
      properties->location.id != 0)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  *pool = state.pools.add<CUmemoryPool>(std::make_shared<Pool>());
  return call.done(CUDA_SUCCESS);
}

CUresult cuMemPoolDestroy(CUmemoryPool pool) {
  FAKE_BEGIN(cuMemPoolDestroy, Needs::Release, pool);
  std::shared_ptr<Pool> object = state.pools.find(pool);
  if (!object || object->isDefault)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  state.pools.remove(pool);
  return call.done(CUDA_SUCCESS);
}

CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t bytes) {
  FAKE_BEGIN(cuMemPoolTrimTo, Needs::Context, pool, bytes);
  return call.done(state.pools.find(pool) ? CUDA_SUCCESS
                                          : CUDA_ERROR_INVALID_VALUE);
}

CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute,
                               void *value) {
  FAKE_BEGIN(cuMemPoolSetAttribute, Needs::Context, pool,
             static_cast<int>(attribute), value);
  std::shared_ptr<Pool> object = state.pools.find(pool);
  if (!object || !value)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  switch (attribute) {
  case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
  case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
  case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
    object->reuse[attribute - 1] = *static_cast<const int *>(value);
    return call.done(CUDA_SUCCESS);
  case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
    object->threshold = *static_cast<const uint64_t *>(value);
    return call.done(CUDA_SUCCESS);
  case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
  case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
    // Only to start anew.
    if (*static_cast<const uint64_t *>(value) != 0)
      return call.done(CUDA_ERROR_INVALID_VALUE);
    object->usedHigh = object->used;
    return call.done(CUDA_SUCCESS);
  default:
    return call.done(CUDA_ERROR_INVALID_VALUE);
  }
}

CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute,
                               void *value) {
  FAKE_BEGIN(cuMemPoolGetAttribute, Needs::Context, pool,
             static_cast<int>(attribute), value);
  std::shared_ptr<Pool> object = state.pools.find(pool);
  if (!object || !value)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  switch (attribute) {
  case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
  case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
  case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
    *static_cast<int *>(value) = object->reuse[attribute - 1];
    return call.done(CUDA_SUCCESS);
  case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
    *static_cast<uint64_t *>(value) = object->threshold;
    return call.done(CUDA_SUCCESS);
  case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
  case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
    *static_cast<uint64_t *>(value) = object->used;
    return call.done(CUDA_SUCCESS);
  case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
  case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
    *static_cast<uint64_t *>(value) = object->usedHigh;
    return call.done(CUDA_SUCCESS);
  }
  return call.done(CUDA_ERROR_INVALID_VALUE);
}

// Graphs could own memory; recorded runs have addresses of their own, so that
// is not needed.
static CUresult allocateFrom(State &state, CUdeviceptr *address, size_t bytes,
                             CUmemoryPool pool, CUstream handle) {
  std::shared_ptr<Pool> object = state.pools.find(pool);
  std::shared_ptr<Stream> stream = state.stream(handle);
  if (!object)
    return CUDA_ERROR_INVALID_VALUE;
  if (!stream)
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture) {
    stream->capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return allocate(state, address, bytes, object);
}

CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream) {
  FAKE_BEGIN(cuMemAllocAsync, Needs::Context, address, bytes, stream);
  return call.done(
      allocateFrom(state, address, bytes, defaultPool(state), stream));
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr *address, size_t bytes,
                                 CUmemoryPool pool, CUstream stream) {
  FAKE_BEGIN(cuMemAllocFromPoolAsync, Needs::Context, address, bytes, pool,
             stream);
  return call.done(allocateFrom(state, address, bytes, pool, stream));
}

CUresult cuMemFreeAsync(CUdeviceptr address, CUstream handle) {
  FAKE_BEGIN(cuMemFreeAsync, Needs::Release, address, handle);
  std::shared_ptr<Stream> stream = state.stream(handle);
  if (!stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (!state.allocations.count(toPointer(address)))
    return call.done(CUDA_ERROR_INVALID_VALUE);
  if (stream->capture) {
    stream->capture->invalid = true;
    return call.done(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  }
  Work work{Work::Kind::Free};
  work.to = toPointer(address);
  // After an error of a kernel nothing is worked off any more.
  if (state.sticky)
    return call.done(release(state, work.to));
  return call.done(enqueue(state, stream, std::move(work)));
}

//===----------------------------------------------------------------------===//
// Memory of the host
//===----------------------------------------------------------------------===//

CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
  FAKE_BEGIN(cuMemHostAlloc, Needs::Quiet, memory, bytes, flags);
  if (!memory || bytes == 0)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  *memory = std::malloc(bytes);
  if (!*memory)
    return call.done(CUDA_ERROR_OUT_OF_MEMORY);
  std::memset(*memory, 0xcb, bytes); // what is never copied shows
  state.hostRanges[*memory] = {bytes, false};
  return call.done(CUDA_SUCCESS);
}

static CUresult forget(State &state, void *memory, bool registered) {
  auto it = state.hostRanges.find(memory);
  if (it == state.hostRanges.end() || it->second.registered != registered)
    return registered ? CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED
                      : CUDA_ERROR_INVALID_VALUE;
  // Work that uses the memory comes first.
  CUresult result = drainAll(state);
  state.hostRanges.erase(it);
  return result;
}

CUresult cuMemFreeHost(void *memory) {
  FAKE_BEGIN(cuMemFreeHost, Needs::Release, memory);
  if (!memory)
    return call.done(CUDA_SUCCESS);
  CUresult result = forget(state, memory, false);
  if (result != CUDA_ERROR_INVALID_VALUE)
    std::free(memory);
  return call.done(result);
}

CUresult cuMemHostRegister_v2(void *memory, size_t bytes, unsigned flags) {
  FAKE_BEGIN(cuMemHostRegister_v2, Needs::Quiet, memory, bytes, flags);
  if (!memory || bytes == 0)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  if (state.isPinned(memory, 1))
    return call.done(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  state.hostRanges[memory] = {bytes, true};
  return call.done(CUDA_SUCCESS);
}

CUresult cuMemHostUnregister(void *memory) {
  FAKE_BEGIN(cuMemHostUnregister, Needs::Release, memory);
  return call.done(forget(state, memory, true));
}

//===----------------------------------------------------------------------===//
// Copies and fills
//===----------------------------------------------------------------------===//

static CUresult copy(State &state, void *to, const void *from, size_t bytes,
                     bool toDevice, bool fromDevice, CUstream handle) {
  std::shared_ptr<Stream> stream = state.stream(handle);
  if (!stream)
    return CUDA_ERROR_INVALID_HANDLE;
  if (bytes == 0)
    return CUDA_SUCCESS;
  if ((toDevice ? !state.memory->contains(to, bytes) : !to) ||
      (fromDevice ? !state.memory->contains(from, bytes) : !from))
    return CUDA_ERROR_INVALID_VALUE;
  Work work{Work::Kind::Copy};
  work.to = to;
  work.from = from;
  work.bytes = bytes;
  work.toDevice = toDevice;
  work.fromDevice = fromDevice;
  // The driver takes what is not pinned at once, but not into graphs.
  if (!fromDevice && !stream->capture && !state.isPinned(from, bytes)) {
    auto *begin = static_cast<const std::byte *>(from);
    work.snapshot =
        std::make_shared<std::vector<std::byte>>(begin, begin + bytes);
  }
  return enqueue(state, stream, std::move(work));
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes,
                              CUstream stream) {
  FAKE_BEGIN(cuMemcpyHtoDAsync_v2, Needs::Context, to, from, bytes, stream);
  return call.done(
      copy(state, toPointer(to), from, bytes, true, false, stream));
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  FAKE_BEGIN(cuMemcpyDtoHAsync_v2, Needs::Context, to, from, bytes, stream);
  return call.done(
      copy(state, to, toPointer(from), bytes, false, true, stream));
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  FAKE_BEGIN(cuMemcpyDtoDAsync_v2, Needs::Context, to, from, bytes, stream);
  return call.done(
      copy(state, toPointer(to), toPointer(from), bytes, true, true, stream));
}

static CUresult set(State &state, CUdeviceptr to, uint32_t value,
                    unsigned width, size_t count, CUstream handle) {
  std::shared_ptr<Stream> stream = state.stream(handle);
  if (!stream)
    return CUDA_ERROR_INVALID_HANDLE;
  if (count == 0)
    return CUDA_SUCCESS;
  if (to % width || count > SIZE_MAX / width ||
      !state.memory->contains(toPointer(to), count * width))
    return CUDA_ERROR_INVALID_VALUE;
  Work work{Work::Kind::Set};
  work.to = toPointer(to);
  work.bytes = count * width;
  work.value = value;
  work.width = width;
  return enqueue(state, stream, std::move(work));
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count,
                         CUstream stream) {
  FAKE_BEGIN(cuMemsetD8Async, Needs::Context, to, value, count, stream);
  return call.done(set(state, to, value, 1, count, stream));
}

CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count,
                          CUstream stream) {
  FAKE_BEGIN(cuMemsetD32Async, Needs::Context, to, value, count, stream);
  return call.done(set(state, to, value, 4, count, stream));
}
