//===- Ports.h - What the arguments and results of a step are for ---------===//

#ifndef WEFT_LIB_TRAINING_PORTS_H
#define WEFT_LIB_TRAINING_PORTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Training/Options.h"

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

/// What the passes have in common: calls `run` with `@main` and what the text
/// `settings` means. Fails, after an error, if it means nothing.
inline llvm::LogicalResult
runOnMain(mlir::ModuleOp module, llvm::StringRef settings,
          llvm::function_ref<llvm::LogicalResult(mlir::func::FuncOp,
                                                 const TrainingOptions &)>
              run) {
  llvm::Expected<TrainingOptions> options = TrainingOptions::parse(settings);
  if (!options)
    return module.emitError("WFT2304: ") << llvm::toString(options.takeError());
  auto main = module.lookupSymbol<mlir::func::FuncOp>("main");
  return main ? run(main, *options) : llvm::failure();
}

} // namespace weft

#endif // WEFT_LIB_TRAINING_PORTS_H
