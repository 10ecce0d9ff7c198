//===- Node.cpp - A view of an op of the onnx dialect ---------------------===//

#include "weft/Dialect/ONNX/IR/Node.h"
#include "weft/Dialect/ONNX/IR/ONNXDialect.h"

using namespace mlir;
using namespace weft::onnx;

StringRef Node::getOpType() const {
  return splitOpName(op->getName().getStringRef()).first;
}

StringRef Node::getDomain() const {
  return splitOpName(op->getName().getStringRef()).second;
}

std::string Node::getName() const {
  if (auto named = op->getLoc()->findInstanceOf<NameLoc>())
    return named.getName().str();
  if (auto outputs = op->getAttrOfType<ArrayAttr>("weft.outputs"))
    for (auto name : outputs.getAsRange<StringAttr>())
      if (!name.empty())
        return name.str();
  return "";
}

bool Node::hasOperand(unsigned index) const {
  return index < op->getNumOperands() &&
         !isa<NoneType>(op->getOperand(index).getType());
}

Value Node::getOperand(unsigned index) const {
  return hasOperand(index) ? op->getOperand(index) : Value();
}

bool Node::hasResult(unsigned index) const {
  return index < op->getNumResults() &&
         !isa<NoneType>(op->getResult(index).getType());
}

std::optional<int64_t> Node::getInt(StringRef name) const {
  if (auto attr = op->getAttrOfType<IntegerAttr>(name))
    return attr.getInt();
  return std::nullopt;
}

std::optional<float> Node::getFloat(StringRef name) const {
  if (auto attr = op->getAttrOfType<FloatAttr>(name))
    return attr.getValue().convertToFloat();
  return std::nullopt;
}

int64_t Node::getInt(StringRef name, int64_t otherwise) const {
  return getInt(name).value_or(otherwise);
}

float Node::getFloat(StringRef name, float otherwise) const {
  return getFloat(name).value_or(otherwise);
}

StringRef Node::getString(StringRef name, StringRef otherwise) const {
  if (auto attr = op->getAttrOfType<StringAttr>(name))
    return attr.getValue();
  return otherwise;
}

SmallVector<int64_t> Node::getInts(StringRef name) const {
  if (auto attr = op->getAttrOfType<DenseI64ArrayAttr>(name))
    return llvm::to_vector(attr.asArrayRef());
  return {};
}

SmallVector<float> Node::getFloats(StringRef name) const {
  if (auto attr = op->getAttrOfType<DenseF32ArrayAttr>(name))
    return llvm::to_vector(attr.asArrayRef());
  return {};
}

SmallVector<StringRef> Node::getStrings(StringRef name) const {
  SmallVector<StringRef> strings;
  if (auto attr = op->getAttrOfType<ArrayAttr>(name))
    for (auto string : attr.getAsRange<StringAttr>())
      strings.push_back(string.getValue());
  return strings;
}

TypedAttr Node::getTensor(StringRef name) const {
  return op->getAttrOfType<TypedAttr>(name);
}

Region *Node::getGraph(StringRef name) const {
  auto graphs = op->getAttrOfType<ArrayAttr>("weft.graphs");
  if (!graphs)
    return nullptr;
  for (auto [graph, region] :
       llvm::zip_equal(graphs.getAsRange<StringAttr>(), op->getRegions()))
    if (graph.getValue() == name)
      return &region;
  return nullptr;
}

std::string weft::onnx::getValueName(Value value) {
  if (auto result = dyn_cast<OpResult>(value)) {
    auto names = result.getOwner()->getAttrOfType<ArrayAttr>("weft.outputs");
    if (names && result.getResultNumber() < names.size())
      return cast<StringAttr>(names[result.getResultNumber()]).str();
    return "";
  }
  if (auto named = value.getLoc()->findInstanceOf<NameLoc>())
    return named.getName().str();
  return "";
}
