//===- Passes.h - Code for GPUs -------------------------------------------===//

#ifndef WEFT_TARGET_PASSES_H
#define WEFT_TARGET_PASSES_H

#include "mlir/Pass/Pass.h"

namespace weft {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "weft/Target/Passes.h.inc"
} // namespace weft

#endif // WEFT_TARGET_PASSES_H
