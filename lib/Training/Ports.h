//===- Ports.h - What the arguments and results of a step are for ---------===//

#ifndef WEFT_LIB_TRAINING_PORTS_H
#define WEFT_LIB_TRAINING_PORTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft {

inline constexpr llvm::StringLiteral kNameAttr = "weft.name";
inline constexpr llvm::StringLiteral kDimsAttr = "weft.dims";

/// Makes `value` a further result of `function`.
inline void addResult(mlir::func::FuncOp function, mlir::Value value,
                      llvm::ArrayRef<mlir::NamedAttribute> attrs) {
  mlir::Operation *end = function.getBody().back().getTerminator();
  unsigned number = end->getNumOperands();
  end->insertOperands(number, value);
  (void)function.insertResult(
      number, value.getType(),
      mlir::DictionaryAttr::get(function.getContext(), attrs));
}

} // namespace weft

#endif // WEFT_LIB_TRAINING_PORTS_H
