//===- Types.cpp - Element types, their names and sizes -------------------===//

#include "weft/Runtime/Data/Types.h"

using namespace weft::data;

namespace {
struct Type {
  weft_dtype dtype;
  int64_t bytes;
  const char *name;
  std::string_view safetensors;
  std::string_view numpy;
};
} // namespace

static constexpr Type types[] = {
    {WEFT_F32, 4, "f32", "F32", "f4"},
    {WEFT_F64, 8, "f64", "F64", "f8"},
    {WEFT_F16, 2, "f16", "F16", "f2"},
    {WEFT_BF16, 2, "bf16", "BF16", ""},
    {WEFT_I8, 1, "i8", "I8", "i1"},
    {WEFT_I16, 2, "i16", "I16", "i2"},
    {WEFT_I32, 4, "i32", "I32", "i4"},
    {WEFT_I64, 8, "i64", "I64", "i8"},
    {WEFT_U8, 1, "u8", "U8", "u1"},
    {WEFT_U16, 2, "u16", "U16", "u2"},
    {WEFT_U32, 4, "u32", "U32", "u4"},
    {WEFT_U64, 8, "u64", "U64", "u8"},
    {WEFT_BOOL, 1, "bool", "BOOL", "b1"},
    {WEFT_F8E4M3FN, 1, "f8E4M3FN", "F8_E4M3", ""},
    {WEFT_F8E5M2, 1, "f8E5M2", "F8_E5M2", ""},
};

static const Type *find(weft_dtype dtype) {
  for (const Type &type : types)
    if (type.dtype == dtype)
      return &type;
  return nullptr;
}

int64_t weft::data::bytesOf(weft_dtype dtype) {
  const Type *type = find(dtype);
  return type ? type->bytes : 0;
}

std::string weft::data::nameOf(weft_dtype dtype) {
  const Type *type = find(dtype);
  return type ? type->name : "type " + std::to_string(dtype);
}

std::string_view weft::data::safetensorsName(weft_dtype dtype) {
  const Type *type = find(dtype);
  return type ? type->safetensors : "";
}

bool weft::data::parseSafetensorsName(std::string_view name,
                                      weft_dtype &dtype) {
  for (const Type &type : types)
    if (type.safetensors == name) {
      dtype = type.dtype;
      return true;
    }
  return false;
}

bool weft::data::parseNumpyName(std::string_view name, weft_dtype &dtype) {
  for (const Type &type : types)
    if (!name.empty() && type.numpy == name) {
      dtype = type.dtype;
      return true;
    }
  return false;
}

bool weft::data::isFloat(weft_dtype dtype) {
  return dtype == WEFT_F32 || dtype == WEFT_F64 || dtype == WEFT_F16 ||
         dtype == WEFT_BF16;
}

std::string weft::data::describeDims(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i)
    text += (i ? ", " : "") + (dims[i] < 0 ? "?" : std::to_string(dims[i]));
  return text + "]";
}

std::string weft::data::describe(weft_dtype dtype,
                                 std::span<const int64_t> dims) {
  return nameOf(dtype) + " " + describeDims(dims);
}

bool weft::data::multiply(std::span<const int64_t> dims, int64_t factor,
                          int64_t &product) {
  product = factor;
  // Sizes of zero count last: what overflows beside one is still wrong.
  bool empty = factor == 0;
  for (int64_t size : dims) {
    empty |= size == 0;
    if (size > 1 && __builtin_mul_overflow(product, size, &product))
      return false;
  }
  if (empty)
    product = 0;
  return true;
}
