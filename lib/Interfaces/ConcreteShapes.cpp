//===- ConcreteShapes.cpp - Sizes once the symbols are known --------------===//

#include "weft/Interfaces/ConcreteShapes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "weft/Interfaces/Interfaces.h"
#include <cmath>

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

std::optional<ConcreteShapes::Shape> ConcreteShapes::getShape(Value value) {
  auto type = dyn_cast<ShapedType>(value.getType());
  if (!type)
    return Shape();
  if (type.hasStaticShape())
    return Shape(type.getShape());
  if (auto it = shapes.find(value); it != shapes.end())
    return it->second;
  std::optional<Shape> shape;
  if (auto result = dyn_cast<OpResult>(value))
    shape = reify(result);
  return shapes[value] = shape;
}

std::optional<ConcreteShapes::Shape> ConcreteShapes::reify(OpResult value) {
  Operation *op = value.getOwner();
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return getShape(cast.getSource());
  // A loop carries what it starts with, if that keeps its type.
  if (auto loop = dyn_cast<LoopLikeOpInterface>(op))
    if (OpOperand *init = loop.getTiedLoopInit(value))
      return getShape(init->get());
  auto reifiable = dyn_cast<ReifyRankedShapedTypeOpInterface>(op);
  if (!reifiable)
    return std::nullopt;
  Block scratch;
  OpBuilder b(op->getContext());
  b.setInsertionPointToStart(&scratch);
  ReifiedRankedShapedTypeDims reified;
  std::optional<Shape> shape;
  if (succeeded(reifiable.reifyResultShapes(b, reified))) {
    shape = Shape();
    for (OpFoldResult size : reified[value.getResultNumber()]) {
      std::optional<int64_t> known;
      if (auto attr = dyn_cast<Attribute>(size))
        known = cast<IntegerAttr>(attr).getInt();
      else
        known = getInteger(cast<Value>(size));
      if (!known) {
        shape = std::nullopt;
        break;
      }
      shape->push_back(*known);
    }
  }
  // The values of this block are gone when it is.
  for (Operation &step : scratch)
    for (Value result : step.getResults())
      integers.erase(result);
  scratch.dropAllReferences();
  return shape;
}

std::optional<int64_t> ConcreteShapes::getInteger(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  if (auto it = integers.find(value); it != integers.end())
    return it->second;
  std::optional<int64_t> known;
  if (auto result = dyn_cast<OpResult>(value))
    known = fold(result.getOwner(), result.getResultNumber());
  return integers[value] = known;
}

std::optional<int64_t> ConcreteShapes::fold(Operation *op, unsigned result) {
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<Shape> shape = getShape(dim.getSource());
    std::optional<int64_t> index = getInteger(dim.getIndex());
    if (!shape || !index || *index < 0 ||
        *index >= static_cast<int64_t>(shape->size()))
      return std::nullopt;
    return (*shape)[*index];
  }
  if (op->getNumRegions() != 0)
    return std::nullopt;
  SmallVector<Attribute> operands;
  for (Value operand : op->getOperands()) {
    std::optional<int64_t> known;
    if (operand.getType().isIntOrIndex())
      known = getInteger(operand);
    if (!known)
      return std::nullopt;
    operands.push_back(IntegerAttr::get(operand.getType(), *known));
  }
  // Folding in place must not change the program.
  Operation *clone = op->clone();
  SmallVector<OpFoldResult> folded;
  std::optional<int64_t> known;
  if (succeeded(clone->fold(operands, folded)) && result < folded.size()) {
    if (auto attr = dyn_cast<Attribute>(folded[result])) {
      if (auto integer = dyn_cast<IntegerAttr>(attr))
        known = integer.getInt();
    } else {
      known = getInteger(cast<Value>(folded[result]));
    }
  }
  clone->destroy();
  return known;
}

std::optional<OpShapes> ConcreteShapes::getShapes(Operation *op) {
  OpShapes all;
  for (Value operand : op->getOperands()) {
    std::optional<Shape> shape = getShape(operand);
    if (!shape)
      return std::nullopt;
    all.operands.push_back(*shape);
  }
  for (Value result : op->getResults()) {
    std::optional<Shape> shape = getShape(result);
    if (!shape)
      return std::nullopt;
    all.results.push_back(*shape);
  }
  return all;
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

/// How often the body of `op` runs; none if data decides.
static std::optional<double> countTrips(Operation *op, ConcreteShapes &shapes) {
  auto loop = dyn_cast<scf::ForOp>(op);
  if (!loop)
    return std::nullopt;
  std::optional<int64_t> low = shapes.getInteger(loop.getLowerBound());
  std::optional<int64_t> high = shapes.getInteger(loop.getUpperBound());
  std::optional<int64_t> step = shapes.getInteger(loop.getStep());
  if (!low || !high || !step || *step <= 0)
    return std::nullopt;
  return *high <= *low ? 0.0 : std::ceil(double(*high - *low) / double(*step));
}

/// Says that what a loop's body is given has the sizes that the loop is given.
static void enterLoop(LoopLikeOpInterface loop, ConcreteShapes &shapes) {
  for (auto [argument, init] :
       llvm::zip(loop.getRegionIterArgs(), loop.getInits()))
    if (auto shape = shapes.getShape(init))
      shapes.set(argument, *shape);
}

bool weft::visitCosts(
    Region &region, ConcreteShapes &shapes,
    llvm::function_ref<void(Operation *, const Cost &)> visit) {
  bool isComplete = true;
  for (Operation &op : region.getOps()) {
    if (auto costed = dyn_cast<CostOpInterface>(op)) {
      std::optional<OpShapes> sizes = shapes.getShapes(&op);
      if (sizes)
        visit(&op, costed.getCost(*sizes));
      isComplete &= sizes.has_value();
      continue;
    }
    if (op.getNumRegions() == 0)
      continue;
    if (auto loop = dyn_cast<LoopLikeOpInterface>(op))
      enterLoop(loop, shapes);
    // Of the sides of a branch, too, only one runs.
    std::optional<double> trips = countTrips(&op, shapes);
    isComplete &= trips.has_value();
    for (Region &inner : op.getRegions())
      isComplete &=
          visitCosts(inner, shapes, [&](Operation *nested, const Cost &cost) {
            visit(nested, cost * trips.value_or(1));
          });
  }
  return isComplete;
}
