//===- Tensors.h - Tensors of the C API -----------------------------------===//

#ifndef WEFT_LIB_CAPI_TENSORS_H
#define WEFT_LIB_CAPI_TENSORS_H

#include "Session.h"
#include "weft/Interfaces/HostTensor.h"

namespace weft {

struct Difference;

/// `tensor` as the evaluator takes it; its memory stays the caller's. Fails
/// after an error that begins with `what` if it contradicts itself.
mlir::FailureOr<HostTensor> borrowTensor(CompileSession &session,
                                         const weft_tensor &tensor,
                                         const llvm::Twine &what);

/// The opposite; the memory stays that of `tensor`.
weft_tensor describeTensor(const HostTensor &tensor);

void describeDifference(const Difference &difference, weft_difference *out);

} // namespace weft

#endif // WEFT_LIB_CAPI_TENSORS_H
