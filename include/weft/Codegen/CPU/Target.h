//===- Target.h - What code generation knows of a processor ---------------===//

#ifndef WEFT_CODEGEN_CPU_TARGET_H
#define WEFT_CODEGEN_CPU_TARGET_H

#include "mlir/IR/BuiltinOps.h"

namespace weft::cpu {

/// The sizes from which tiles are chosen. It stands in the IR as the module's
/// attribute `weft.cpu`, a dictionary with these names.
struct TargetDescription {
  int64_t vectorBytes = 32;     ///< of one vector register
  int64_t vectorRegisters = 16; ///< that code may use
  int64_t l1Bytes = 32 * 1024;  ///< of data cache per core
  int64_t l2Bytes = 512 * 1024; ///< of cache per core
  int64_t cores = 4;            ///< that are likely to share the work

  /// Reads `weft.cpu` of `module`; what is absent keeps its default.
  static TargetDescription get(mlir::ModuleOp module);
  /// Writes it.
  void set(mlir::ModuleOp module) const;
};

} // namespace weft::cpu

#endif // WEFT_CODEGEN_CPU_TARGET_H
