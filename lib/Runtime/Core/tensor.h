//===- tensor.h - Sizes of tensors ----------------------------------------===//

#ifndef WEFT_RUNTIME_CORE_TENSOR_H
#define WEFT_RUNTIME_CORE_TENSOR_H

#include "weft-rt/weft.h"
#include <stdbool.h>

/// Computes the bytes that a tensor takes, none of whose sizes is negative.
/// False if they do not fit.
bool weft_tensor_size(weft_dtype dtype, int32_t rank, const int64_t *dims,
                      int64_t *bytes);

/// True if `data` is an address where elements of `dtype` may lie.
bool weft_tensor_is_aligned(weft_dtype dtype, const void *data);

#endif // WEFT_RUNTIME_CORE_TENSOR_H
