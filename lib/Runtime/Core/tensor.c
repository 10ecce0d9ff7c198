//===- tensor.c - Sizes of tensors ----------------------------------------===//

#include "tensor.h"
#include <stddef.h>

int64_t weft_dtype_bytes(weft_dtype dtype) {
  switch (dtype) {
  case WEFT_U8:
  case WEFT_I8:
  case WEFT_BOOL:
  case WEFT_F8E4M3FN:
  case WEFT_F8E4M3FNUZ:
  case WEFT_F8E5M2:
  case WEFT_F8E5M2FNUZ:
  case WEFT_F8E8M0FNU:
  case WEFT_U4:
  case WEFT_I4:
  case WEFT_F4E2M1FN:
  case WEFT_U2:
  case WEFT_I2:
    return 1;
  case WEFT_U16:
  case WEFT_I16:
  case WEFT_F16:
  case WEFT_BF16:
    return 2;
  case WEFT_F32:
  case WEFT_I32:
  case WEFT_U32:
    return 4;
  case WEFT_F64:
  case WEFT_I64:
  case WEFT_U64:
    return 8;
  case WEFT_STRING:
    return 0;
  }
  return 0;
}

const char *weft_dtype_name(weft_dtype dtype) {
  static const char *const names[] = {
      [WEFT_F32] = "f32",
      [WEFT_U8] = "ui8",
      [WEFT_I8] = "i8",
      [WEFT_U16] = "ui16",
      [WEFT_I16] = "i16",
      [WEFT_I32] = "i32",
      [WEFT_I64] = "i64",
      [WEFT_STRING] = "string",
      [WEFT_BOOL] = "bool",
      [WEFT_F16] = "f16",
      [WEFT_F64] = "f64",
      [WEFT_U32] = "ui32",
      [WEFT_U64] = "ui64",
      [WEFT_BF16] = "bf16",
      [WEFT_F8E4M3FN] = "f8E4M3FN",
      [WEFT_F8E4M3FNUZ] = "f8E4M3FNUZ",
      [WEFT_F8E5M2] = "f8E5M2",
      [WEFT_F8E5M2FNUZ] = "f8E5M2FNUZ",
      [WEFT_U4] = "ui4",
      [WEFT_I4] = "i4",
      [WEFT_F4E2M1FN] = "f4E2M1FN",
      [WEFT_F8E8M0FNU] = "f8E8M0FNU",
      [WEFT_U2] = "ui2",
      [WEFT_I2] = "i2",
  };
  size_t index = (size_t)dtype;
  if (index >= sizeof(names) / sizeof(*names) || !names[index])
    return "no type";
  return names[index];
}

bool weft_tensor_size(weft_dtype dtype, int32_t rank, const int64_t *dims,
                      int64_t *bytes) {
  // No element is no byte, however large the other sizes are.
  for (int32_t axis = 0; axis < rank; ++axis) {
    if (dims[axis] == 0) {
      *bytes = 0;
      return true;
    }
  }
  int64_t product = weft_dtype_bytes(dtype);
  for (int32_t axis = 0; axis < rank; ++axis)
    if (__builtin_mul_overflow(product, dims[axis], &product))
      return false;
  *bytes = product;
  return true;
}

bool weft_tensor_is_aligned(weft_dtype dtype, const void *data) {
  int64_t bytes = weft_dtype_bytes(dtype);
  return data && bytes && (uintptr_t)data % (size_t)bytes == 0;
}
