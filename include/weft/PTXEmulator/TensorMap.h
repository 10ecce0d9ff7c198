//===- TensorMap.h - Descriptions of tensors for copies ----------*- C++
//-*-===//
//
// What cuTensorMapEncodeTiled writes and tensor copies read. The bytes of the
// real thing are not public; these are the emulator's own.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_TENSORMAP_H
#define WEFT_PTXEMULATOR_TENSORMAP_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace weft::ptx {

/// The values are those of CUtensorMapDataType.
enum class TensorType : uint32_t {
  UInt8 = 0,
  UInt16,
  UInt32,
  Int32,
  UInt64,
  Int64,
  Float16,
  Float32,
  Float64,
  BFloat16,
  Float32Ftz,
  TFloat32,
  TFloat32Ftz,
};

/// The values are those of CUtensorMapInterleave.
enum class Interleave : uint32_t { None = 0, Bytes16, Bytes32 };

/// The values are those of CUtensorMapSwizzle.
enum class Swizzle : uint32_t { None = 0, Bytes32, Bytes64, Bytes128 };

/// The values are those of CUtensorMapL2promotion.
enum class L2Promotion : uint32_t { None = 0, Bytes64, Bytes128, Bytes256 };

/// The values are those of CUtensorMapFloatOOBfill.
enum class OutOfBoundsFill : uint32_t { Zeros = 0, NaNs };

/// The arguments of cuTensorMapEncodeTiled; the first dimension is the one that
/// is contiguous.
struct TensorMapArguments {
  TensorType type = TensorType::Float32;
  uint32_t rank = 0;
  void *address = nullptr;
  uint64_t size[5] = {};
  /// In bytes, of all dimensions but the first.
  uint64_t stride[4] = {};
  uint32_t box[5] = {};
  uint32_t elementStride[5] = {1, 1, 1, 1, 1};
  Interleave interleave = Interleave::None;
  Swizzle swizzle = Swizzle::None;
  L2Promotion promotion = L2Promotion::None;
  OutOfBoundsFill fill = OutOfBoundsFill::Zeros;
};

/// 128 bytes, as CUtensorMap.
struct alignas(64) TensorMap {
  uint8_t bytes[128];
};

size_t bytesOf(TensorType type);

/// Checks all that the driver's documentation asks of the arguments, and writes
/// the image. Returns false and fills `error` if they are wrong.
bool encode(const TensorMapArguments &arguments, TensorMap &map,
            std::string &error);

/// Reads an image back; false if `map` is none.
bool decode(const TensorMap &map, TensorMapArguments &arguments);

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_TENSORMAP_H
