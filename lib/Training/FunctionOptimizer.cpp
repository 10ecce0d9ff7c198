//===- FunctionOptimizer.cpp - Optimizers that are ONNX functions ---------===//

#include "FunctionOptimizer.h"
#include "Ports.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace weft;

static constexpr llvm::StringLiteral kOptimizerAttr = "weft.optimizer";
/// The number of the argument that is the gradient; states follow.
static constexpr unsigned kGradient = 3;

static SmallVector<func::FuncOp> getOptimizers(ModuleOp module) {
  return llvm::filter_to_vector(
      module.getOps<func::FuncOp>(),
      [](func::FuncOp function) { return function->hasAttr(kOptimizerAttr); });
}

static RankedTensorType getGradientType(BlockArgument parameter) {
  auto type = cast<RankedTensorType>(parameter.getType());
  if (type.getElementType().isF64())
    return type;
  return type.clone(Float32Type::get(type.getContext()));
}

void weft::specializeOptimizers(func::FuncOp main) {
  auto module = main->getParentOfType<ModuleOp>();
  SmallVector<func::FuncOp> generic = getOptimizers(module);
  llvm::SetVector<Type> types;
  for (BlockArgument argument : main.getArguments()) {
    auto role =
        main.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kRoleAttr);
    if (role && role.getValue() == "parameter")
      types.insert(getGradientType(argument));
  }
  for (auto [number, type] : llvm::enumerate(types))
    for (func::FuncOp function : generic) {
      if (getElementTypeOrSelf(function.getArgument(kGradient)) !=
          getElementTypeOrSelf(type))
        continue;
      func::FuncOp copy = function.clone();
      copy.setName("optimizer." + std::to_string(number));
      for (BlockArgument argument : copy.getArguments().drop_front(2))
        argument.setType(type);
      copy.setFunctionType(FunctionType::get(
          copy.getContext(), copy.getBody().front().getArgumentTypes(),
          copy.getResultTypes()));
      module.push_back(copy);
    }
  for (func::FuncOp function : generic)
    function.erase();
}

func::FuncOp weft::findOptimizer(ModuleOp module, Type type) {
  for (func::FuncOp function : getOptimizers(module))
    if (function.getArgument(kGradient).getType() == type)
      return function;
  return {};
}

SmallVector<StringRef> weft::getFunctionStates(func::FuncOp optimizer) {
  SmallVector<StringRef> names;
  for (unsigned i = kGradient + 1; i < optimizer.getNumArguments(); ++i)
    names.push_back(
        optimizer.getArgAttrOfType<StringAttr>(i, kNameAttr).getValue());
  return names;
}

FailureOr<SmallVector<Value>> weft::callOptimizer(ImplicitLocOpBuilder &b,
                                                  func::FuncOp optimizer,
                                                  ValueRange inputs) {
  Type wanted = optimizer.getArgument(kGradient).getType();
  Block &body = optimizer.getBody().front();
  IRMapping mapping;
  mapping.map(body.getArguments(), inputs);
  for (Operation &op : body.without_terminator())
    b.clone(op, mapping);
  SmallVector<Value> results;
  for (auto [i, from] : llvm::enumerate(body.getTerminator()->getOperands())) {
    Value value = mapping.lookupOrDefault(from);
    if (!tensor::CastOp::areCastCompatible(value.getType(), wanted)) {
      std::string found, text;
      llvm::raw_string_ostream(found) << value.getType();
      llvm::raw_string_ostream(text) << wanted;
      return optimizer.emitError("WFT2308: output ")
             << i << " of the optimizer is " << found << " for a weight of "
             << text << ", wanted the same type";
    }
    if (value.getType() != wanted)
      value = tensor::CastOp::create(b, wanted, value);
    results.push_back(value);
  }
  return results;
}

void weft::eraseOptimizers(ModuleOp module) {
  for (func::FuncOp function : getOptimizers(module))
    function.erase();
}
