//===- Describe.cpp - A model as JSON -------------------------------------===//

#include "Session.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/JSON.h"
#include <map>

using namespace mlir;
using namespace weft;

static std::string toString(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// Name, element type and dimensions of an argument or result of `main`.
static llvm::json::Object describePort(Type type, DictionaryAttr attrs) {
  llvm::json::Object port;
  if (attrs)
    if (auto name = attrs.getAs<StringAttr>("weft.name"))
      port["name"] = name.getValue();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor) {
    port["type"] = toString(type);
    return port;
  }
  port["dtype"] = toString(tensor.getElementType());
  auto names = attrs ? attrs.getAs<ArrayAttr>("weft.dims") : ArrayAttr();
  llvm::json::Array dims;
  for (auto [i, size] : llvm::enumerate(tensor.getShape())) {
    if (ShapedType::isStatic(size))
      dims.push_back(size);
    else if (names && i < names.size())
      dims.push_back(cast<StringAttr>(names[i]).getValue());
    else
      dims.push_back("?");
  }
  port["dims"] = std::move(dims);
  return port;
}

std::string weft::describeModel(ModuleOp module) {
  llvm::json::Object model;
  auto main = module.lookupSymbol<func::FuncOp>("main");
  llvm::json::Array inputs, outputs;
  for (auto [i, type] : llvm::enumerate(main.getArgumentTypes()))
    inputs.push_back(describePort(type, main.getArgAttrDict(i)));
  for (auto [i, type] : llvm::enumerate(main.getResultTypes()))
    outputs.push_back(describePort(type, main.getResultAttrDict(i)));
  std::map<std::string, int64_t> operators;
  int64_t parameters = 0, bytes = 0;
  main.walk([&](Operation *op) {
    StringRef name = op->getName().getStringRef();
    if (name == "onnx.Constant") {
      auto value = op->getAttrOfType<TypedAttr>("value");
      auto type = value ? dyn_cast<RankedTensorType>(value.getType()) : nullptr;
      if (type && isa<FloatType>(type.getElementType()) && type.getRank() > 0) {
        parameters += type.getNumElements();
        bytes += type.getNumElements() * type.getElementTypeBitWidth() / 8;
      }
      return;
    }
    if (name.consume_front("onnx.") && name != "none" && name != "yield")
      ++operators[name.str()];
  });
  llvm::json::Object counts;
  for (auto &[name, count] : operators)
    counts[name] = count;
  model["inputs"] = std::move(inputs);
  model["outputs"] = std::move(outputs);
  model["operators"] = std::move(counts);
  model["parameters"] = parameters;
  model["parameter_bytes"] = bytes;
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::formatv("{0:2}", llvm::json::Value(std::move(model)));
  return text;
}
