//===- tensor.h - Sizes of tensors ----------------------------------------===//

#ifndef WEFT_RUNTIME_CORE_TENSOR_H
#define WEFT_RUNTIME_CORE_TENSOR_H

#include "weft-rt/weft.h"
#include <stdbool.h>

/// Computes the bytes that a tensor takes, none of whose sizes is negative.
/// False if they do not fit.
bool weft_tensor_size(weft_dtype dtype, int32_t rank, const int64_t *dims,
                      int64_t *bytes);

#endif // WEFT_RUNTIME_CORE_TENSOR_H
