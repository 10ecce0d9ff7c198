//===- Node.h - A view of an op of the onnx dialect -----------------------===//

#ifndef WEFT_DIALECT_ONNX_IR_NODE_H
#define WEFT_DIALECT_ONNX_IR_NODE_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"
#include <optional>

namespace weft::onnx {

/// Reads an op of the dynamic `onnx` dialect as the ONNX node that it stands
/// for. Cheap to copy; valid as long as the op is.
class Node {
public:
  explicit Node(mlir::Operation *op) : op(op) {}

  mlir::Operation *getOperation() const { return op; }
  mlir::Location getLoc() const { return op->getLoc(); }

  /// "Conv" of `onnx.Conv`; "TreeEnsemble" of `onnx.ml.TreeEnsemble`.
  llvm::StringRef getOpType() const;
  /// "" for the main domain, else such as "ai.onnx.ml".
  llvm::StringRef getDomain() const;
  /// The node's name in the model, or its first output's name.
  std::string getName() const;

  /// Number of operands written, omitted ones in between included.
  unsigned getNumOperands() const { return op->getNumOperands(); }
  /// Whether operand `index` is there and is not omitted.
  bool hasOperand(unsigned index) const;
  /// Operand `index`, or null if it is not there or is omitted.
  mlir::Value getOperand(unsigned index) const;
  unsigned getNumResults() const { return op->getNumResults(); }
  /// Whether result `index` is there and has a name in the model.
  bool hasResult(unsigned index) const;

  bool hasAttr(llvm::StringRef name) const { return op->hasAttr(name); }
  int64_t getInt(llvm::StringRef name, int64_t otherwise) const;
  float getFloat(llvm::StringRef name, float otherwise) const;
  llvm::StringRef getString(llvm::StringRef name,
                            llvm::StringRef otherwise) const;
  std::optional<int64_t> getInt(llvm::StringRef name) const;
  std::optional<float> getFloat(llvm::StringRef name) const;
  /// Empty if the attribute is absent.
  llvm::SmallVector<int64_t> getInts(llvm::StringRef name) const;
  llvm::SmallVector<float> getFloats(llvm::StringRef name) const;
  llvm::SmallVector<llvm::StringRef> getStrings(llvm::StringRef name) const;
  /// A tensor attribute: dense elements or `#weft.extern`; null if absent.
  mlir::TypedAttr getTensor(llvm::StringRef name) const;
  /// The sub-graph that is the value of graph attribute `name`, or null.
  mlir::Region *getGraph(llvm::StringRef name) const;

private:
  mlir::Operation *op;
};

/// What the model calls `value`, an argument of a graph or a result of a node;
/// "" if nothing.
std::string getValueName(mlir::Value value);

} // namespace weft::onnx

#endif // WEFT_DIALECT_ONNX_IR_NODE_H
