//===- ExportOptimizer.h - Optimizers as nodes ----------------------------===//

#ifndef WEFT_LIB_TRAINING_EXPORTOPTIMIZER_H
#define WEFT_LIB_TRAINING_EXPORTOPTIMIZER_H

#include "NodeText.h"
#include "weft/Training/Options.h"

namespace weft {

/// Writes the nodes that Optimizer emits ops for; see there.
class OptimizerText {
public:
  /// `rate` is a scalar of f32; `count` one of i64, the number of the step from
  /// 1.
  OptimizerText(NodeText &text, const TrainingOptions &options,
                std::string rate, std::string count);

  /// Changes `gradients`, of these element types, where clipping asks for it.
  void clip(llvm::MutableArrayRef<std::string> gradients,
            llvm::ArrayRef<mlir::Type> elements);

  /// The new value, then those of what is remembered. All have `element`s.
  llvm::SmallVector<std::string> update(const std::string &parameter,
                                        const std::string &gradient,
                                        llvm::ArrayRef<std::string> states,
                                        mlir::Type element);

private:
  std::string correct(double decay, mlir::MLIRContext *context);

  NodeText &text;
  const TrainingOptions &options;
  std::string rate, count;
  std::string firstCorrection, secondCorrection; // scalars of f32
};

} // namespace weft

#endif // WEFT_LIB_TRAINING_EXPORTOPTIMIZER_H
