//===- NodeText.h - Nodes in ONNX's text syntax ---------------------------===//

#ifndef WEFT_LIB_TRAINING_NODETEXT_H
#define WEFT_LIB_TRAINING_NODETEXT_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringSet.h"
#include <string>

namespace weft {

/// Writes nodes one after the other; values are known by their names.
class NodeText {
public:
  /// Names that are not to be taken.
  explicit NodeText(llvm::StringSet<> taken) : taken(std::move(taken)) {}

  /// A name that nothing else has: `wish` if it is free.
  std::string unique(const llvm::Twine &wish);
  /// A node with one output, called `output` if that is given.
  std::string node(llvm::StringRef op, llvm::ArrayRef<std::string> inputs,
                   llvm::StringRef attributes = "",
                   llvm::StringRef output = "");
  void node(llvm::StringRef op, llvm::ArrayRef<std::string> inputs,
            llvm::StringRef attributes, llvm::ArrayRef<std::string> outputs);
  /// A scalar constant of `element`, f32, f64 or i64.
  std::string number(double value, mlir::Type element);
  /// A constant of rank one, f32 or f64.
  std::string numbers(llvm::ArrayRef<double> values, mlir::Type element);
  std::string cast(const std::string &value, mlir::Type element);
  const std::string &str() const { return text; }

  static std::string quote(llvm::StringRef name);
  static std::string quoteAll(llvm::ArrayRef<std::string> names);
  /// With a point or an exponent, as attributes of floats want it.
  static std::string format(double value);
  /// "float[3, N]": `dims` names what `type` does not know.
  static std::string formatType(mlir::RankedTensorType type,
                                llvm::ArrayRef<std::string> dims = {});

private:
  llvm::StringSet<> taken;
  std::string text;
};

} // namespace weft

#endif // WEFT_LIB_TRAINING_NODETEXT_H
