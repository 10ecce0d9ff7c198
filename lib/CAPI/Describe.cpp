//===- Describe.cpp - A model as JSON -------------------------------------===//

#include "Session.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "weft/Interfaces/ConcreteShapes.h"
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

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

/// The operators of the nodes, by the location that their lowering keeps.
using Operators = llvm::DenseMap<Location, StringRef>;

static Operators findOperators(func::FuncOp main) {
  Operators operators;
  main.walk([&](Operation *op) {
    StringRef name = op->getName().getStringRef();
    if (name.consume_front("onnx."))
      operators.try_emplace(op->getLoc(), name);
  });
  return operators;
}

/// The operator that an op at `loc` was lowered from; "other" if none.
static std::string findOperator(const Operators &operators, Location loc) {
  if (StringRef name = operators.lookup(loc); !name.empty())
    return name.str();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (StringRef name = operators.lookup(part); !name.empty())
        return name.str();
  return "other";
}

/// Gives each argument of `main` its sizes, symbolic ones being one. Returns
/// the names of these.
static llvm::json::Array assumeSizes(func::FuncOp main,
                                     ConcreteShapes &shapes) {
  llvm::SetVector<StringRef> assumed;
  for (BlockArgument argument : main.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    auto names =
        main.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "weft.dims");
    SmallVector<int64_t> shape(type.getShape());
    for (auto [i, size] : llvm::enumerate(shape)) {
      if (!ShapedType::isDynamic(size))
        continue;
      size = 1;
      StringRef name = names && i < names.size()
                           ? cast<StringAttr>(names[i]).getValue()
                           : "";
      assumed.insert(name.empty() ? "?" : name);
    }
    shapes.set(argument, shape);
  }
  return llvm::json::Array(assumed.getArrayRef());
}

llvm::json::Object weft::describeCosts(ModuleOp imported, ModuleOp lowered) {
  Operators operators =
      findOperators(imported.lookupSymbol<func::FuncOp>("main"));
  auto main = lowered.lookupSymbol<func::FuncOp>("main");
  ConcreteShapes shapes;
  llvm::json::Object costs;
  llvm::json::Array assumed = assumeSizes(main, shapes);
  Cost total;
  std::map<std::string, double> flops;
  bool isComplete =
      visitCosts(main.getBody(), shapes, [&](Operation *op, const Cost &cost) {
        total += cost;
        if (cost.flops > 0)
          flops[findOperator(operators, op->getLoc())] += cost.flops;
      });
  llvm::json::Object byOperator;
  for (auto &[name, count] : flops)
    byOperator[name] = static_cast<int64_t>(count);
  costs["total"] = static_cast<int64_t>(total.flops);
  costs["by_operator"] = std::move(byOperator);
  costs["bytes_read"] = static_cast<int64_t>(total.bytesRead);
  costs["bytes_written"] = static_cast<int64_t>(total.bytesWritten);
  costs["sizes_taken_as_one"] = std::move(assumed);
  costs["is_complete"] = isComplete;
  return costs;
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

llvm::json::Object weft::describeModel(ModuleOp module) {
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
  return model;
}
