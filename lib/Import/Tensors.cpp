//===- Tensors.cpp - ONNX tensors as attributes ---------------------------===//

#include "Model.h"

#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Support/DataStore.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::TensorProto;

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

Type weft::importer::getElementType(int32_t dataType, MLIRContext *context) {
  Builder b(context);
  auto getUnsigned = [&](unsigned width) {
    return IntegerType::get(context, width, IntegerType::Unsigned);
  };
  switch (dataType) {
  case TensorProto::FLOAT:
    return b.getF32Type();
  case TensorProto::UINT8:
    return getUnsigned(8);
  case TensorProto::INT8:
    return b.getI8Type();
  case TensorProto::UINT16:
    return getUnsigned(16);
  case TensorProto::INT16:
    return b.getI16Type();
  case TensorProto::INT32:
    return b.getI32Type();
  case TensorProto::INT64:
    return b.getI64Type();
  case TensorProto::STRING:
    return weft::onnx::StringType::get(context);
  case TensorProto::BOOL:
    return b.getI1Type();
  case TensorProto::FLOAT16:
    return b.getF16Type();
  case TensorProto::DOUBLE:
    return b.getF64Type();
  case TensorProto::UINT32:
    return getUnsigned(32);
  case TensorProto::UINT64:
    return getUnsigned(64);
  case TensorProto::COMPLEX64:
    return ComplexType::get(b.getF32Type());
  case TensorProto::COMPLEX128:
    return ComplexType::get(b.getF64Type());
  case TensorProto::BFLOAT16:
    return b.getBF16Type();
  case TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(context);
  case TensorProto::FLOAT8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(context);
  case TensorProto::FLOAT8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case TensorProto::UINT4:
    return getUnsigned(4);
  case TensorProto::INT4:
    return b.getIntegerType(4);
  case TensorProto::FLOAT4E2M1:
    return Float4E2M1FNType::get(context);
  case TensorProto::FLOAT8E8M0:
    return Float8E8M0FNUType::get(context);
  case TensorProto::UINT2:
    return getUnsigned(2);
  case TensorProto::INT2:
    return b.getIntegerType(2);
  case TensorProto::FLOAT6E2M3:
    return Float6E2M3FNType::get(context);
  case TensorProto::FLOAT6E3M2:
    return Float6E3M2FNType::get(context);
  default:
    return {};
  }
}

int32_t weft::importer::getDataType(Type type) {
  // Types are unique, so the table above serves for both directions.
  for (int32_t dataType = 1; dataType < TensorProto::DataType_ARRAYSIZE;
       ++dataType)
    if (getElementType(dataType, type.getContext()) == type)
      return dataType;
  return TensorProto::UNDEFINED;
}

unsigned weft::importer::getRawBits(int32_t dataType) {
  switch (dataType) {
  case TensorProto::UINT2:
  case TensorProto::INT2:
    return 2;
  case TensorProto::UINT4:
  case TensorProto::INT4:
  case TensorProto::FLOAT4E2M1:
    return 4;
  case TensorProto::FLOAT6E2M3:
  case TensorProto::FLOAT6E3M2:
    return 6;
  case TensorProto::UINT8:
  case TensorProto::INT8:
  case TensorProto::BOOL:
  case TensorProto::FLOAT8E4M3FN:
  case TensorProto::FLOAT8E4M3FNUZ:
  case TensorProto::FLOAT8E5M2:
  case TensorProto::FLOAT8E5M2FNUZ:
  case TensorProto::FLOAT8E8M0:
    return 8;
  case TensorProto::UINT16:
  case TensorProto::INT16:
  case TensorProto::FLOAT16:
  case TensorProto::BFLOAT16:
    return 16;
  case TensorProto::FLOAT:
  case TensorProto::INT32:
  case TensorProto::UINT32:
    return 32;
  case TensorProto::DOUBLE:
  case TensorProto::INT64:
  case TensorProto::UINT64:
  case TensorProto::COMPLEX64:
    return 64;
  case TensorProto::COMPLEX128:
    return 128;
  default:
    return 0;
  }
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

std::optional<int64_t>
weft::importer::getNumElements(const TensorProto &tensor) {
  int64_t count = 1;
  for (int64_t dim : tensor.dims())
    // A zero does not excuse its neighbours: they are types' sizes all the
    // same.
    if (dim < 0 || (dim > 1 && llvm::MulOverflow(count, dim, count)))
      return std::nullopt;
  if (llvm::is_contained(tensor.dims(), 0))
    return 0;
  return count;
}

std::optional<int64_t> weft::importer::getRawSize(const TensorProto &tensor) {
  std::optional<int64_t> count = getNumElements(tensor);
  int64_t bits;
  if (!count ||
      llvm::MulOverflow<int64_t>(*count, getRawBits(tensor.data_type()), bits))
    return std::nullopt;
  return llvm::divideCeil(bits, 8);
}

std::optional<uint64_t> weft::importer::getRef(const TensorProto &tensor) {
  uint64_t index;
  for (const auto &entry : tensor.external_data())
    if (entry.key() == refKey &&
        !StringRef(entry.value()).getAsInteger(10, index))
      return index;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Data inside the message
//===----------------------------------------------------------------------===//

template <typename T, typename Field>
static void appendAs(std::string &raw, const Field &values) {
  for (auto value : values) {
    T element = static_cast<T>(value);
    raw.append(reinterpret_cast<const char *>(&element), sizeof(T));
  }
}

/// Six bits each, as raw data packs them.
static std::string
packSixBits(const google::protobuf::RepeatedField<int32_t> &values) {
  std::string raw(llvm::divideCeil(6 * values.size(), 8), 0);
  for (auto [index, value] : llvm::enumerate(values))
    for (unsigned bit = 0; bit < 6; ++bit)
      raw[(6 * index + bit) / 8] |= ((value >> bit) & 1)
                                    << ((6 * index + bit) % 8);
  return raw;
}

/// The typed fields of `tensor` in the form of raw data.
static std::string packFields(const TensorProto &tensor) {
  std::string raw;
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
  case TensorProto::COMPLEX64:
    appendAs<float>(raw, tensor.float_data());
    return raw;
  case TensorProto::DOUBLE:
  case TensorProto::COMPLEX128:
    appendAs<double>(raw, tensor.double_data());
    return raw;
  case TensorProto::INT64:
    appendAs<int64_t>(raw, tensor.int64_data());
    return raw;
  case TensorProto::UINT64:
    appendAs<uint64_t>(raw, tensor.uint64_data());
    return raw;
  case TensorProto::UINT32:
    appendAs<uint32_t>(raw, tensor.uint64_data());
    return raw;
  case TensorProto::FLOAT6E2M3:
  case TensorProto::FLOAT6E3M2:
    return packSixBits(tensor.int32_data());
  }
  switch (getRawBits(tensor.data_type())) {
  case 16:
    appendAs<uint16_t>(raw, tensor.int32_data());
    break;
  case 32:
    appendAs<uint32_t>(raw, tensor.int32_data());
    break;
  default:
    // One byte holds one element or several.
    appendAs<uint8_t>(raw, tensor.int32_data());
    break;
  }
  return raw;
}

llvm::Expected<std::string>
weft::importer::getRawData(const TensorProto &tensor) {
  std::optional<int64_t> size = getRawSize(tensor);
  if (!size)
    return llvm::createStringError("the shape is negative or too large");
  std::string raw =
      tensor.has_raw_data() ? tensor.raw_data() : packFields(tensor);
  if (int64_t(raw.size()) != *size)
    return llvm::createStringError(
        llvm::Twine("the shape wants ") + llvm::Twine(*size) +
        " bytes of data, found " + llvm::Twine(raw.size()));
  return raw;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

/// The bits of elements narrower than a byte, each in a byte of its own.
static SmallVector<char> unpack(StringRef raw, unsigned width, int64_t count) {
  SmallVector<char> bytes(count, 0);
  for (int64_t i = 0; i < count; ++i)
    for (unsigned bit = 0; bit < width; ++bit) {
      int64_t from = i * width + bit;
      bytes[i] |= ((raw[from / 8] >> (from % 8)) & 1) << bit;
    }
  return bytes;
}

static DenseElementsAttr toDense(RankedTensorType type, StringRef raw,
                                 unsigned width) {
  if (type.getElementType().isInteger(1)) {
    SmallVector<bool> values;
    for (char byte : raw)
      values.push_back(byte != 0);
    return DenseElementsAttr::get(type, values);
  }
  if (width < 8) {
    SmallVector<char> bytes = unpack(raw, width, type.getNumElements());
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  }
  return DenseElementsAttr::getFromRawBuffer(type,
                                             ArrayRef(raw.data(), raw.size()));
}

static llvm::Expected<TypedAttr> toStrings(const TensorProto &tensor,
                                           RankedTensorType type) {
  if (tensor.string_data_size() != type.getNumElements())
    return llvm::createStringError(
        llvm::Twine("the shape wants ") + llvm::Twine(type.getNumElements()) +
        " strings, found " + llvm::Twine(tensor.string_data_size()));
  SmallVector<StringRef> strings(tensor.string_data().begin(),
                                 tensor.string_data().end());
  return cast<TypedAttr>(DenseElementsAttr::get(type, strings));
}

llvm::Expected<TypedAttr> weft::importer::toAttr(const TensorProto &tensor,
                                                 ArrayRef<DataRef> refs,
                                                 MLIRContext *context,
                                                 const ImportOptions &options) {
  Type element = getElementType(tensor.data_type(), context);
  if (!element)
    return llvm::createStringError("unknown element type " +
                                   llvm::Twine(tensor.data_type()));
  std::optional<int64_t> size = getRawSize(tensor);
  if (!size)
    return llvm::createStringError("the shape is negative or too large");
  auto type = RankedTensorType::get(
      ArrayRef(tensor.dims().data(), tensor.dims_size()), element);
  if (tensor.data_type() == TensorProto::STRING)
    return toStrings(tensor, type);

  unsigned width = getRawBits(tensor.data_type());
  bool isPacked = width < 8;
  if (std::optional<uint64_t> ref = getRef(tensor)) {
    if (*ref >= refs.size() || refs[*ref].size != *size)
      return llvm::createStringError("its data is damaged");
    const DataRef &data = refs[*ref];
    return cast<TypedAttr>(ExternAttr::get(context, type, data.file,
                                           data.offset, data.size, isPacked));
  }
  llvm::Expected<std::string> raw = getRawData(tensor);
  if (!raw)
    return raw.takeError();
  if (*size <= options.inlineBytes || options.inlineMemory)
    return cast<TypedAttr>(toDense(type, *raw, width));
  auto bytes = std::make_unique<char[]>(raw->size());
  llvm::copy(*raw, bytes.get());
  std::string name = DataStore::add(std::move(bytes), raw->size());
  return cast<TypedAttr>(
      ExternAttr::get(context, type, name, 0, *size, isPacked));
}
