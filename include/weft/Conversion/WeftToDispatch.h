//===- WeftToDispatch.h - Group tensor ops into kernels -------------------===//

#ifndef WEFT_CONVERSION_WEFTTODISPATCH_H
#define WEFT_CONVERSION_WEFTTODISPATCH_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace weft {
#define GEN_PASS_DECL_CHOOSEINPLACEPASS
#define GEN_PASS_DECL_FORMDISPATCHESPASS
#define GEN_PASS_DECL_JOINREGIONSPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

#endif // WEFT_CONVERSION_WEFTTODISPATCH_H
