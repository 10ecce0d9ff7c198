//===- Passes.h - From a model to a training step -------------------------===//

#ifndef WEFT_TRAINING_PASSES_H
#define WEFT_TRAINING_PASSES_H

#include "mlir/Pass/Pass.h"

namespace weft {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "weft/Training/Passes.h.inc"

} // namespace weft

#endif // WEFT_TRAINING_PASSES_H
