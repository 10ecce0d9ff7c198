//===- Passes.h - From regions to CPU kernels -----------------------------===//

#ifndef WEFT_CODEGEN_CPU_PASSES_H
#define WEFT_CODEGEN_CPU_PASSES_H

#include "mlir/Pass/Pass.h"

namespace weft {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "weft/Codegen/CPU/Passes.h.inc"
} // namespace weft

#endif // WEFT_CODEGEN_CPU_PASSES_H
