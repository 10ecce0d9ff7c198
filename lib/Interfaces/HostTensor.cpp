//===- HostTensor.cpp - A tensor's bytes on the host ----------------------===//

#include "weft/Interfaces/HostTensor.h"
#include "mlir/IR/Builders.h"
#include "weft-rt/program.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/TypeSwitch.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace mlir;
using namespace weft;

int64_t weft::getStorageBytes(Type type) {
  if (isa<IndexType>(type))
    return 8;
  return (type.getIntOrFloatBitWidth() + 7) / 8;
}

int32_t weft::getDtype(Type type) {
  if (auto intType = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = intType.isUnsigned();
    switch (intType.getWidth()) {
    case 1:
      return WEFT_BOOL;
    case 2:
      return isUnsigned ? WEFT_U2 : WEFT_I2;
    case 4:
      return isUnsigned ? WEFT_U4 : WEFT_I4;
    case 8:
      return isUnsigned ? WEFT_U8 : WEFT_I8;
    case 16:
      return isUnsigned ? WEFT_U16 : WEFT_I16;
    case 32:
      return isUnsigned ? WEFT_U32 : WEFT_I32;
    case 64:
      return isUnsigned ? WEFT_U64 : WEFT_I64;
    }
    return 0;
  }
  return llvm::TypeSwitch<Type, int32_t>(type)
      .Case<Float32Type>([](Type) { return WEFT_F32; })
      .Case<Float64Type>([](Type) { return WEFT_F64; })
      .Case<Float16Type>([](Type) { return WEFT_F16; })
      .Case<BFloat16Type>([](Type) { return WEFT_BF16; })
      .Case<Float8E4M3FNType>([](Type) { return WEFT_F8E4M3FN; })
      .Case<Float8E4M3FNUZType>([](Type) { return WEFT_F8E4M3FNUZ; })
      .Case<Float8E5M2Type>([](Type) { return WEFT_F8E5M2; })
      .Case<Float8E5M2FNUZType>([](Type) { return WEFT_F8E5M2FNUZ; })
      .Case<Float8E8M0FNUType>([](Type) { return WEFT_F8E8M0FNU; })
      .Case<Float4E2M1FNType>([](Type) { return WEFT_F4E2M1FN; })
      .Default(0);
}

Type weft::getTypeOfDtype(int32_t dtype, MLIRContext *context) {
  Builder b(context);
  auto getUnsigned = [&](unsigned width) {
    return IntegerType::get(context, width, IntegerType::Unsigned);
  };
  const Type types[] = {
      b.getF32Type(),
      b.getF64Type(),
      b.getF16Type(),
      b.getBF16Type(),
      Float8E4M3FNType::get(context),
      Float8E4M3FNUZType::get(context),
      Float8E5M2Type::get(context),
      Float8E5M2FNUZType::get(context),
      Float8E8M0FNUType::get(context),
      Float4E2M1FNType::get(context),
      b.getI1Type(),
      b.getIntegerType(2),
      b.getIntegerType(4),
      b.getI8Type(),
      b.getI16Type(),
      b.getI32Type(),
      b.getI64Type(),
      getUnsigned(2),
      getUnsigned(4),
      getUnsigned(8),
      getUnsigned(16),
      getUnsigned(32),
      getUnsigned(64),
  };
  for (Type type : types)
    if (getDtype(type) == dtype)
      return type;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Bits of one element
//===----------------------------------------------------------------------===//

/// The `width` low bits of the little-endian bytes at `from`.
static uint64_t loadBits(const char *from, unsigned width) {
  uint64_t bits = 0;
  std::memcpy(&bits, from, (width + 7) / 8);
  return width == 64 ? bits : bits & ((uint64_t(1) << width) - 1);
}

static void storeBits(char *to, uint64_t bits, unsigned width) {
  if (width < 64)
    bits &= (uint64_t(1) << width) - 1;
  std::memcpy(to, &bits, (width + 7) / 8);
}

static int64_t extend(uint64_t bits, unsigned width, bool isUnsigned) {
  if (isUnsigned || width == 64)
    return static_cast<int64_t>(bits);
  unsigned shift = 64 - width;
  return static_cast<int64_t>(bits << shift) >> shift;
}

/// i1 is a truth value, not a number that may be -1.
static bool isUnsignedElement(Type type) {
  return type.isUnsignedInteger() || type.isInteger(1);
}

static unsigned getWidth(Type type) {
  return isa<IndexType>(type) ? 64 : type.getIntOrFloatBitWidth();
}

/// Truncation towards zero of what fits; the smallest integer for all else, as
/// the conversion instructions of x86 do.
static int64_t truncateToInt(double value) {
  if (!(value >= -0x1p63 && value < 0x1p63))
    return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

/// The bits of a power of two at or above the magnitude of `value`: this is how
/// ONNX casts to f8E8M0FNU, which has neither sign nor zero.
static uint64_t getScaleBits(double value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(static_cast<float>(value));
  uint32_t exponent = bits >> 23 & 0xff;
  bool hasFraction = (bits & 0x7fffff) != 0;
  return exponent == 0xff ? 0xff : exponent + hasFraction;
}

static uint64_t getFloatBits(FloatType type, double value) {
  if (type.isF32())
    return llvm::bit_cast<uint32_t>(static_cast<float>(value));
  if (type.isF64())
    return llvm::bit_cast<uint64_t>(value);
  if (isa<Float8E8M0FNUType>(type))
    return getScaleBits(value);
  if (isa<Float4E2M1FNType>(type)) {
    // Neither NaN nor infinity exist; NaN becomes -0, as in ml_dtypes.
    value = std::isnan(value) ? -0.0 : std::clamp(value, -6.0, 6.0);
  }
  APFloat rounded(value);
  bool losesInfo;
  rounded.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
  return rounded.bitcastToAPInt().getZExtValue();
}

//===----------------------------------------------------------------------===//
// Construction
//===----------------------------------------------------------------------===//

HostTensor::HostTensor(RankedTensorType type) : type(type) {
  assert(type.hasStaticShape() && "a host tensor has concrete sizes");
  owned = std::make_shared<SmallVector<char, 0>>(
      type.getNumElements() * getStorageBytes(type.getElementType()), 0);
  bytes = *owned;
}

HostTensor HostTensor::borrow(RankedTensorType type, ArrayRef<char> bytes) {
  assert(static_cast<int64_t>(bytes.size()) ==
             type.getNumElements() * getStorageBytes(type.getElementType()) &&
         "the bytes are those of the tensor's elements");
  HostTensor tensor;
  tensor.type = type;
  tensor.bytes = bytes;
  return tensor;
}

HostTensor HostTensor::fromAttr(DenseElementsAttr attr) {
  auto type = cast<RankedTensorType>(attr.getType());
  Type elementType = type.getElementType();
  if (isa<IndexType>(elementType))
    type = type.clone(IntegerType::get(type.getContext(), 64));
  HostTensor tensor(type);
  unsigned width = getWidth(elementType);
  MutableArrayRef<char> to = tensor.getMutableBytes();
  if (!attr.isSplat() && width >= 8) {
    llvm::copy(attr.getRawData(), to.begin());
    return tensor;
  }
  int64_t step = getStorageBytes(elementType), position = 0;
  auto store = [&](const APInt &bits) {
    storeBits(to.data() + position, bits.getZExtValue(), width);
    position += step;
  };
  if (isa<FloatType>(elementType))
    for (APFloat value : attr.getValues<APFloat>())
      store(value.bitcastToAPInt());
  else
    for (APInt value : attr.getValues<APInt>())
      store(value);
  return tensor;
}

HostTensor HostTensor::fromIndex(MLIRContext *context, int64_t value) {
  HostTensor tensor(RankedTensorType::get({}, IntegerType::get(context, 64)));
  tensor.setInt(0, value);
  return tensor;
}

DenseElementsAttr HostTensor::toAttr() const {
  Type elementType = getElementType();
  unsigned width = getWidth(elementType);
  if (width >= 8 && getNumElements() > 1)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  int64_t step = getStorageBytes(elementType);
  auto bitsAt = [&](int64_t index) {
    return APInt(width, loadBits(bytes.data() + index * step, width));
  };
  if (auto floatType = dyn_cast<FloatType>(elementType)) {
    SmallVector<APFloat> values;
    for (int64_t index = 0; index < getNumElements(); ++index)
      values.emplace_back(floatType.getFloatSemantics(), bitsAt(index));
    return DenseElementsAttr::get(type, values);
  }
  SmallVector<APInt> values;
  for (int64_t index = 0; index < getNumElements(); ++index)
    values.push_back(bitsAt(index));
  return DenseElementsAttr::get(type, values);
}

MutableArrayRef<char> HostTensor::getMutableBytes() {
  if (!owned || owned.use_count() > 1) {
    owned = std::make_shared<SmallVector<char, 0>>(bytes.begin(), bytes.end());
    bytes = *owned;
  }
  return *owned;
}

HostTensor HostTensor::reshape(ArrayRef<int64_t> shape) const {
  HostTensor result = *this;
  result.type = type.clone(shape);
  assert(result.getNumElements() == getNumElements() &&
         "a reshape keeps the number of elements");
  return result;
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

double HostTensor::getFloat(int64_t index) const {
  Type elementType = getElementType();
  unsigned width = getWidth(elementType);
  uint64_t bits =
      loadBits(bytes.data() + index * getStorageBytes(elementType), width);
  if (elementType.isF32())
    return llvm::bit_cast<float>(static_cast<uint32_t>(bits));
  if (elementType.isF64())
    return llvm::bit_cast<double>(bits);
  if (auto floatType = dyn_cast<FloatType>(elementType)) {
    APFloat value(floatType.getFloatSemantics(), APInt(width, bits));
    // Not all of these types have a payload that makes a NaN of f64.
    if (value.isNaN())
      return std::numeric_limits<double>::quiet_NaN();
    bool losesInfo;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    return value.convertToDouble();
  }
  if (isUnsignedElement(elementType))
    return static_cast<double>(bits);
  return static_cast<double>(extend(bits, width, /*isUnsigned=*/false));
}

int64_t HostTensor::getInt(int64_t index) const {
  Type elementType = getElementType();
  if (isa<FloatType>(elementType))
    return truncateToInt(getFloat(index));
  unsigned width = getWidth(elementType);
  return extend(
      loadBits(bytes.data() + index * getStorageBytes(elementType), width),
      width, isUnsignedElement(elementType));
}

void HostTensor::setFloat(int64_t index, double value) {
  Type elementType = getElementType();
  auto floatType = dyn_cast<FloatType>(elementType);
  if (!floatType)
    return setInt(index, truncateToInt(value));
  storeBits(getMutableBytes().data() + index * getStorageBytes(elementType),
            getFloatBits(floatType, value), getWidth(elementType));
}

void HostTensor::setInt(int64_t index, int64_t value) {
  Type elementType = getElementType();
  if (isa<FloatType>(elementType))
    return setFloat(index, static_cast<double>(value));
  storeBits(getMutableBytes().data() + index * getStorageBytes(elementType),
            static_cast<uint64_t>(value), getWidth(elementType));
}

void HostTensor::copyElement(int64_t index, const HostTensor &from,
                             int64_t fromIndex) {
  assert(getElementType() == from.getElementType() &&
         "only elements of the same type are copied");
  int64_t step = getStorageBytes(getElementType());
  std::memcpy(getMutableBytes().data() + index * step,
              from.bytes.data() + fromIndex * step, step);
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

void weft::forEachIndex(ArrayRef<int64_t> shape,
                        llvm::function_ref<void(ArrayRef<int64_t>)> visit) {
  if (llvm::is_contained(shape, 0))
    return;
  SmallVector<int64_t> index(shape.size(), 0);
  while (true) {
    visit(index);
    int64_t dim = static_cast<int64_t>(shape.size()) - 1;
    for (; dim >= 0; --dim) {
      if (++index[dim] < shape[dim])
        break;
      index[dim] = 0;
    }
    if (dim < 0)
      return;
  }
}

int64_t weft::linearize(ArrayRef<int64_t> index, ArrayRef<int64_t> shape) {
  int64_t position = 0;
  for (auto [i, size] : llvm::zip_equal(index, shape))
    position = position * size + i;
  return position;
}
