//===- LaunchCalls.cpp - Launches and tensor maps of the fake driver ------===//

#include "State.h"
#include "weft/PTXEmulator/TensorMap.h"
#include <algorithm>
#include <cstring>

using namespace weft::ptx;
using namespace weft::ptx::fake;

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

static bool checkGrid(const CUlaunchConfig &config) {
  return config.gridDimX > 0 && config.gridDimX <= 2147483647u &&
         config.gridDimY > 0 && config.gridDimY <= 65535 &&
         config.gridDimZ > 0 && config.gridDimZ <= 65535;
}

static bool checkBlock(const CUlaunchConfig &config, const KernelInfo &info) {
  uint32_t block[] = {config.blockDimX, config.blockDimY, config.blockDimZ};
  if (!block[0] || !block[1] || !block[2] || block[0] > 1024 ||
      block[1] > 1024 || block[2] > 64)
    return false;
  uint64_t threads = uint64_t(block[0]) * block[1] * block[2];
  if (threads > 1024)
    return false;
  for (int i = 0; i < 3; ++i)
    if (info.requiredThreads[0] &&
        block[i] != std::max(info.requiredThreads[i], 1u))
      return false;
  uint64_t most = 1;
  for (uint32_t limit : info.maxThreads)
    most *= std::max(limit, 1u);
  return !info.maxThreads[0] || threads <= most;
}

// Attributes that make no difference here are let pass.
static bool checkAttributes(const CUlaunchConfig &config) {
  for (unsigned i = 0; i < config.numAttrs; ++i)
    switch (config.attrs[i].id) {
    case CU_LAUNCH_ATTRIBUTE_IGNORE:
    case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
    case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
    case CU_LAUNCH_ATTRIBUTE_PRIORITY:
      break;
    default:
      return false;
    }
  return true;
}

// The blocks of a cluster, from the launch or the kernel.
static CUresult findCluster(const State &state, const CUlaunchConfig &config,
                            const Function &function, Dim3 &cluster) {
  const uint32_t *required = function.info->requiredCluster;
  bool set = false;
  if (required[0]) {
    cluster = {required[0], std::max(required[1], 1u),
               std::max(required[2], 1u)};
    set = true;
  }
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    if (config.attrs[i].id != CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
      continue;
    auto &dim = config.attrs[i].value.clusterDim;
    Dim3 asked{dim.x, dim.y, dim.z};
    if (set && !(asked == cluster))
      return CUDA_ERROR_INVALID_VALUE;
    cluster = asked;
    set = true;
  }
  if (!set)
    return CUDA_SUCCESS;
  if (state.config.sm < 90)
    return CUDA_ERROR_NOT_SUPPORTED;
  uint64_t most = function.largeClusters ? 16 : 8;
  if (cluster.count() == 0 || cluster.count() > most ||
      config.gridDimX % cluster.x || config.gridDimY % cluster.y ||
      config.gridDimZ % cluster.z)
    return CUDA_ERROR_INVALID_CLUSTER_SIZE;
  return CUDA_SUCCESS;
}

static bool copyParameters(const KernelInfo &info, void **params,
                           std::vector<std::byte> &out) {
  out.assign(info.parameterBytes, std::byte(0));
  if (!info.parameters.empty() && !params)
    return false;
  for (size_t i = 0; i < info.parameters.size(); ++i) {
    const Parameter &parameter = info.parameters[i];
    if (!params[i])
      return false;
    std::memcpy(out.data() + parameter.offset, params[i], parameter.size);
  }
  return true;
}

CUresult weft::ptx::fake::makeLaunch(State &state, const CUlaunchConfig &config,
                                     CUfunction handle, void **params,
                                     void **extra, Work &work) {
  std::shared_ptr<Function> function = state.functions.find(handle);
  if (!function)
    return CUDA_ERROR_INVALID_HANDLE;
  if (extra)
    return CUDA_ERROR_NOT_SUPPORTED;
  if (!checkAttributes(config))
    return CUDA_ERROR_NOT_SUPPORTED;
  Launch launch;
  if (!checkGrid(config) || !checkBlock(config, *function->info) ||
      config.sharedMemBytes > unsigned(function->maxDynamicShared))
    return CUDA_ERROR_INVALID_VALUE;
  if (CUresult result = findCluster(state, config, *function, launch.cluster))
    return result;
  if (!copyParameters(*function->info, params, launch.parameters))
    return CUDA_ERROR_INVALID_VALUE;
  launch.module = function->image->module.get();
  launch.kernel = function->info->name;
  launch.grid = {config.gridDimX, config.gridDimY, config.gridDimZ};
  launch.block = {config.blockDimX, config.blockDimY, config.blockDimZ};
  launch.dynamicShared = config.sharedMemBytes;
  work.kind = Work::Kind::Kernel;
  work.function = function;
  work.launch = std::move(launch);
  return CUDA_SUCCESS;
}

static CUresult launch(State &state, const CUlaunchConfig &config,
                       CUfunction function, void **params, void **extra) {
  std::shared_ptr<Stream> stream = state.stream(config.hStream);
  if (!stream)
    return CUDA_ERROR_INVALID_HANDLE;
  Work work{Work::Kind::Kernel};
  CUresult result = makeLaunch(state, config, function, params, extra, work);
  return result ? result : enqueue(state, stream, std::move(work));
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function,
                          void **params, void **extra) {
  FAKE_BEGIN(cuLaunchKernelEx, Needs::Context, config, function,
             static_cast<const void *>(params),
             static_cast<const void *>(extra));
  if (!config || (config->numAttrs && !config->attrs))
    return call.done(CUDA_ERROR_INVALID_VALUE);
  return call.done(launch(state, *config, function, params, extra));
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY,
                        unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned shared, CUstream stream,
                        void **params, void **extra) {
  FAKE_BEGIN(cuLaunchKernel, Needs::Context, function, gridX, gridY, gridZ,
             blockX, blockY, blockZ, shared, stream,
             static_cast<const void *>(params),
             static_cast<const void *>(extra));
  CUlaunchConfig config = {gridX,  gridY,  gridZ,  blockX,  blockY,
                           blockZ, shared, stream, nullptr, 0};
  return call.done(launch(state, config, function, params, extra));
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

static CUresult writeMap(State &state, const TensorMapArguments &arguments,
                         CUtensorMap *map) {
  if (state.config.sm < 90)
    return CUDA_ERROR_NOT_SUPPORTED;
  TensorMap image;
  std::string error;
  if (!encode(arguments, image, error)) {
    std::fprintf(stderr, "fakecuda: cuTensorMapEncodeTiled: %s\n",
                 error.c_str());
    return CUDA_ERROR_INVALID_VALUE;
  }
  static_assert(sizeof(image) == sizeof(*map));
  std::memcpy(map, &image, sizeof(image));
  return CUDA_SUCCESS;
}

CUresult cuTensorMapEncodeTiled(
    CUtensorMap *map, CUtensorMapDataType type, uint32_t rank, void *address,
    const uint64_t *dims, const uint64_t *strides, const uint32_t *box,
    const uint32_t *elementStrides, CUtensorMapInterleave interleave,
    CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
    CUtensorMapFloatOOBfill fill) {
  FAKE_BEGIN(cuTensorMapEncodeTiled, Needs::Init, map, static_cast<int>(type),
             rank, address, dims, strides, box, elementStrides,
             static_cast<int>(interleave), static_cast<int>(swizzle),
             static_cast<int>(promotion), static_cast<int>(fill));
  if (!map || rank < 1 || rank > 5 || !dims || (rank > 1 && !strides) || !box ||
      !elementStrides)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  TensorMapArguments arguments;
  arguments.type = static_cast<TensorType>(type);
  arguments.rank = rank;
  arguments.address = address;
  std::copy_n(dims, rank, arguments.size);
  std::copy_n(strides, rank - 1, arguments.stride);
  std::copy_n(box, rank, arguments.box);
  std::copy_n(elementStrides, rank, arguments.elementStride);
  arguments.interleave = static_cast<Interleave>(interleave);
  arguments.swizzle = static_cast<Swizzle>(swizzle);
  arguments.promotion = static_cast<L2Promotion>(promotion);
  arguments.fill = static_cast<OutOfBoundsFill>(fill);
  return call.done(writeMap(state, arguments, map));
}

CUresult cuTensorMapReplaceAddress(CUtensorMap *map, void *address) {
  FAKE_BEGIN(cuTensorMapReplaceAddress, Needs::Init, map, address);
  TensorMap image;
  TensorMapArguments arguments;
  if (!map)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  std::memcpy(&image, map, sizeof(image));
  if (!decode(image, arguments))
    return call.done(CUDA_ERROR_INVALID_VALUE);
  arguments.address = address;
  return call.done(writeMap(state, arguments, map));
}
