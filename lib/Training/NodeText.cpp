//===- NodeText.cpp - Nodes in ONNX's text syntax -------------------------===//

#include "NodeText.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace weft;

std::string NodeText::unique(const Twine &wish) {
  std::string name = wish.str();
  for (unsigned i = 1; !taken.insert(name).second; ++i)
    name = (wish + "." + Twine(i)).str();
  return name;
}

std::string NodeText::quote(StringRef name) {
  std::string text = "\"";
  for (char c : name) {
    if (c == '"' || c == '\\')
      text += '\\';
    text += c;
  }
  return text + '"';
}

std::string NodeText::quoteAll(ArrayRef<std::string> names) {
  return llvm::join(
      llvm::map_range(names, [](StringRef name) { return quote(name); }), ", ");
}

std::string NodeText::format(double value) {
  char text[32];
  snprintf(text, sizeof(text), "%.17g", value);
  if (StringRef(text).find_first_of(".e") == StringRef::npos)
    return std::string(text) + ".0";
  return text;
}

/// What ONNX calls an element type, and its number.
static std::pair<StringRef, int> getElement(Type type) {
  if (type.isF16())
    return {"float16", 10};
  if (type.isBF16())
    return {"bfloat16", 16};
  if (type.isF64())
    return {"double", 11};
  if (type.isInteger(64))
    return {"int64", 7};
  if (type.isInteger(1))
    return {"bool", 9};
  return {"float", 1};
}

std::string NodeText::formatType(RankedTensorType type,
                                 ArrayRef<std::string> dims) {
  std::string text = getElement(type.getElementType()).first.str();
  if (type.getRank() == 0)
    return text;
  SmallVector<std::string> sizes;
  for (auto [i, size] : llvm::enumerate(type.getShape())) {
    bool isNamed = i < dims.size() && !dims[i].empty();
    sizes.push_back(!ShapedType::isDynamic(size) ? std::to_string(size)
                    : isNamed                    ? quote(dims[i])
                                                 : "?");
  }
  return text + "[" + llvm::join(sizes, ",") + "]";
}

void NodeText::node(StringRef op, ArrayRef<std::string> inputs,
                    StringRef attributes, ArrayRef<std::string> outputs) {
  text += "  " + quoteAll(outputs) + " = " + op.str();
  if (!attributes.empty())
    text += " <" + attributes.str() + ">";
  text += " (" + quoteAll(inputs) + ")\n";
}

std::string NodeText::node(StringRef op, ArrayRef<std::string> inputs,
                           StringRef attributes, StringRef output) {
  std::string name =
      unique(output.empty() ? "training." + op.str() : output.str());
  node(op, inputs, attributes, ArrayRef<std::string>(name));
  return name;
}

std::string NodeText::number(double value, Type element) {
  std::string text = element.isInteger(64)
                         ? std::to_string(static_cast<int64_t>(value))
                         : format(value);
  return node("Constant", {},
              "value = " + getElement(element).first.str() + " {" + text + "}");
}

std::string NodeText::numbers(ArrayRef<double> values, Type element) {
  auto type = RankedTensorType::get({int64_t(values.size())}, element);
  return node("Constant", {},
              "value = " + formatType(type) + " {" +
                  llvm::join(llvm::map_range(values, format), ", ") + "}");
}

std::string NodeText::cast(const std::string &value, Type element) {
  return node("Cast", {value},
              "to = " + std::to_string(getElement(element).second));
}
