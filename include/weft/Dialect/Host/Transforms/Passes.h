//===- Passes.h - Passes on the host dialect ------------------------------===//

#ifndef WEFT_DIALECT_HOST_TRANSFORMS_PASSES_H
#define WEFT_DIALECT_HOST_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace weft::host {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "weft/Dialect/Host/Transforms/Passes.h.inc"

} // namespace weft::host

#endif // WEFT_DIALECT_HOST_TRANSFORMS_PASSES_H
