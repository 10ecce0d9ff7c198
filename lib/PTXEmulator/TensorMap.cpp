//===- TensorMap.cpp - Descriptions of tensors for copies -----------------===//

#include "weft/PTXEmulator/TensorMap.h"

#include <cstring>

using namespace weft::ptx;

namespace {

constexpr uint64_t kMagic = 0x70616d5478657457; // begins no real map
constexpr uint32_t kMostRank = 5, kMostBox = 256, kMostElementStride = 8;

struct Image {
  uint64_t magic, address;
  uint64_t size[5], stride[4];
  uint16_t box[5];
  uint8_t elementStride[5];
  uint8_t type, rank, interleave, swizzle, promotion, fill;
};
static_assert(sizeof(Image) <= sizeof(TensorMap));

std::string at(const char *name, uint32_t i, uint64_t value) {
  return std::string(name) + "[" + std::to_string(i) +
         "] = " + std::to_string(value) + " ";
}

std::string checkSizes(const TensorMapArguments &map, uint64_t granule) {
  for (uint32_t i = 0; i < map.rank; ++i)
    if (!map.size[i] || map.size[i] > uint64_t(1) << 32)
      return at("globalDim", i, map.size[i]) + "is not in 1 .. 2^32";
  for (uint32_t i = 0; i + 1 < map.rank; ++i) {
    if (map.stride[i] % granule)
      return at("globalStrides", i, map.stride[i]) + "is no multiple of " +
             std::to_string(granule);
    if (map.stride[i] >= uint64_t(1) << 40)
      return at("globalStrides", i, map.stride[i]) + "is not below 2^40";
    if (!map.stride[i])
      return at("globalStrides", i, map.stride[i]) + "is zero";
  }
  return "";
}

std::string checkBox(const TensorMapArguments &map) {
  for (uint32_t i = 0; i < map.rank; ++i) {
    if (!map.box[i] || map.box[i] > kMostBox)
      return at("boxDim", i, map.box[i]) + "is not in 1 .. 256";
    if (!map.elementStride[i] || map.elementStride[i] > kMostElementStride)
      return at("elementStrides", i, map.elementStride[i]) + "is not in 1 .. 8";
  }
  uint64_t inner = uint64_t(map.box[0]) * bytesOf(map.type);
  if (map.interleave == Interleave::None && inner % 16)
    return "boxDim[0] is " + std::to_string(inner) +
           " bytes, which is no multiple of 16";
  uint64_t most = map.swizzle == Swizzle::Bytes32    ? 32
                  : map.swizzle == Swizzle::Bytes64  ? 64
                  : map.swizzle == Swizzle::Bytes128 ? 128
                                                     : UINT64_MAX;
  if (map.interleave == Interleave::None && inner > most)
    return "boxDim[0] is " + std::to_string(inner) +
           " bytes, which is more than the swizzle's " + std::to_string(most);
  return "";
}

bool isFloat(TensorType type) {
  return type == TensorType::Float16 || type == TensorType::Float32 ||
         type == TensorType::Float64 || type == TensorType::BFloat16 ||
         type == TensorType::Float32Ftz || type == TensorType::TFloat32 ||
         type == TensorType::TFloat32Ftz;
}

std::string check(const TensorMapArguments &map) {
  if (uint32_t(map.type) > uint32_t(TensorType::TFloat32Ftz))
    return "tensorDataType is none";
  if (uint32_t(map.interleave) > 2 || uint32_t(map.swizzle) > 3 ||
      uint32_t(map.promotion) > 3 || uint32_t(map.fill) > 1)
    return "an enumeration has no such value";
  if (!map.rank || map.rank > kMostRank)
    return "tensorRank = " + std::to_string(map.rank) + " is not in 1 .. 5";
  if (map.interleave != Interleave::None && map.rank < 3)
    return "an interleaved layout has at least 3 dimensions";
  bool wide = map.interleave == Interleave::Bytes32;
  uint64_t granule = wide ? 32 : 16;
  if (!map.address || reinterpret_cast<uint64_t>(map.address) % granule)
    return "globalAddress is no multiple of " + std::to_string(granule);
  if (wide && map.swizzle != Swizzle::Bytes32)
    return "an interleave of 32 bytes wants a swizzle of 32 bytes";
  if (map.fill == OutOfBoundsFill::NaNs && !isFloat(map.type))
    return "oobFill with NaN wants a floating-point type";
  std::string error = checkSizes(map, granule);
  return error.empty() ? checkBox(map) : error;
}

} // namespace

size_t weft::ptx::bytesOf(TensorType type) {
  switch (type) {
  case TensorType::UInt8:
    return 1;
  case TensorType::UInt16:
  case TensorType::Float16:
  case TensorType::BFloat16:
    return 2;
  case TensorType::UInt64:
  case TensorType::Int64:
  case TensorType::Float64:
    return 8;
  default:
    return 4;
  }
}

bool weft::ptx::encode(const TensorMapArguments &arguments, TensorMap &map,
                       std::string &error) {
  error = check(arguments);
  if (!error.empty())
    return false;
  Image image = {};
  image.magic = kMagic;
  image.address = reinterpret_cast<uint64_t>(arguments.address);
  for (uint32_t i = 0; i < kMostRank; ++i) {
    bool used = i < arguments.rank;
    image.size[i] = used ? arguments.size[i] : 1;
    image.box[i] = uint16_t(used ? arguments.box[i] : 1);
    image.elementStride[i] = uint8_t(used ? arguments.elementStride[i] : 1);
    if (i + 1 < arguments.rank)
      image.stride[i] = arguments.stride[i];
  }
  image.type = uint8_t(arguments.type);
  image.rank = uint8_t(arguments.rank);
  image.interleave = uint8_t(arguments.interleave);
  image.swizzle = uint8_t(arguments.swizzle);
  image.promotion = uint8_t(arguments.promotion);
  image.fill = uint8_t(arguments.fill);
  std::memset(map.bytes, 0, sizeof map.bytes);
  std::memcpy(map.bytes, &image, sizeof image);
  return true;
}

bool weft::ptx::decode(const TensorMap &map, TensorMapArguments &arguments) {
  Image image;
  std::memcpy(&image, map.bytes, sizeof image);
  if (image.magic != kMagic)
    return false;
  arguments = {};
  arguments.address = reinterpret_cast<void *>(image.address);
  for (uint32_t i = 0; i < kMostRank; ++i) {
    arguments.size[i] = image.size[i];
    arguments.box[i] = image.box[i];
    arguments.elementStride[i] = image.elementStride[i];
    if (i < 4)
      arguments.stride[i] = image.stride[i];
  }
  arguments.type = TensorType(image.type);
  arguments.rank = image.rank;
  arguments.interleave = Interleave(image.interleave);
  arguments.swizzle = Swizzle(image.swizzle);
  arguments.promotion = L2Promotion(image.promotion);
  arguments.fill = OutOfBoundsFill(image.fill);
  return true;
}
