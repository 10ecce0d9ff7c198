//===- ExportTraining.h - Models that bring their training along ----------===//

#ifndef WEFT_IMPORT_EXPORTTRAINING_H
#define WEFT_IMPORT_EXPORTTRAINING_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringRef.h"
#include <string>
#include <vector>

namespace weft {

/// A node of a model that does something else while it is trained.
struct SwitchedNode {
  std::string output; ///< its first one
  /// Of a BatchNormalization, what its new running statistics are called; empty
  /// of a Dropout.
  std::vector<std::string> statistics;
};

/// How a model is trained, as its training info is to say. Graphs are in ONNX's
/// text syntax.
struct TrainingAlgorithm {
  std::string algorithm, initialization;
  /// What becomes the value of which initializer: its name first.
  std::vector<std::pair<std::string, std::string>> updates, initials;
  /// Initializers of the algorithm besides those in the text, which start as
  /// zeros.
  std::vector<std::pair<std::string, mlir::RankedTensorType>> states;
  /// If there are any, the algorithm begins with the nodes of the model once
  /// more, these switched; what they make gets `prefix` before its name.
  std::vector<SwitchedNode> switched;
  std::string prefix;
};

/// Writes a module of the `onnx` dialect as an ONNX model with training info;
/// see exportONNX(). Fails after an error.
mlir::LogicalResult exportTraining(mlir::ModuleOp module,
                                   const TrainingAlgorithm &algorithm,
                                   llvm::StringRef path);

} // namespace weft

#endif // WEFT_IMPORT_EXPORTTRAINING_H
