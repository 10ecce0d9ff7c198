//===- Totals.cpp - Numbers that whole tensors are reduced to -------------===//

#include "weft/Dialect/Weft/IR/Totals.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace weft;

static RankedTensorType getType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

static bool isNumber(Value value) {
  RankedTensorType type = getType(value);
  return type && type.getRank() == 0;
}

/// Whether `op` reduces all of a tensor with up to `most` elements.
static bool isTotal(ReduceOp op, int64_t most) {
  RankedTensorType type = op.getInput().getType();
  return isNumber(op.getResult()) && type.getRank() > 0 &&
         type.hasStaticShape() && type.getNumElements() <= most &&
         isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(
             type.getElementType());
}

/// Whether each element of the result of `op` needs no more than those at the
/// same indices of tensors of its shape, and numbers.
static bool isByElement(Operation &op) {
  RankedTensorType result = getType(op.getResult(0));
  auto isFitting = [&](Value operand) {
    RankedTensorType type = getType(operand);
    return type &&
           (type.getRank() == 0 || type.getShape() == result.getShape());
  };
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    return dense && dense.isSplat();
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return isNumber(broadcast.getInput());
  return isa<ScalarOpInterface>(op) &&
         llvm::all_of(op.getOperands(), isFitting);
}

bool weft::isTotals(Block &body, int64_t mostElements) {
  // What depends on a reduction.
  llvm::DenseSet<Value> totals;
  for (Operation &op : body.without_terminator()) {
    bool isLater = llvm::any_of(op.getOperands(), [&](Value operand) {
      return totals.contains(operand);
    });
    if (auto reduce = dyn_cast<ReduceOp>(op)) {
      if (isLater || !isTotal(reduce, mostElements))
        return false;
      totals.insert(reduce.getResult());
    } else if (!isByElement(op)) {
      return false;
    } else if (isLater) {
      if (!isNumber(op.getResult(0)))
        return false;
      totals.insert(op.getResult(0));
    }
  }
  return !totals.empty() &&
         llvm::all_of(body.getTerminator()->getOperands(), isNumber);
}
