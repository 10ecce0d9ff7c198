//===- Precision.cpp - Products of narrow floats --------------------------===//

#include "Precision.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;

namespace {
class Narrowing {
public:
  explicit Narrowing(FloatType type) : type(type) {}

  void run(func::FuncOp function);

private:
  Value narrow(Value value);
  Value create(OpBuilder &b, Value value);

  FloatType type;
  DenseMap<Value, Value> narrowed;
};
} // namespace

/// `value`, rounded. What only moves elements moves the rounded ones, so that
/// products find them in memory.
Value Narrowing::create(OpBuilder &b, Value value) {
  auto wanted = cast<RankedTensorType>(value.getType()).clone(type);
  Location loc = value.getLoc();
  Operation *op = value.getDefiningOp();
  if (auto transpose = dyn_cast_or_null<TransposeOp>(op))
    return TransposeOp::create(b, loc, narrow(transpose.getInput()),
                               transpose.getPermutation());
  if (auto reshape = dyn_cast_or_null<ReshapeOp>(op))
    return ReshapeOp::create(b, loc, wanted, narrow(reshape.getInput()),
                             reshape.getSizes());
  return CastOp::create(b, loc, wanted, value, /*saturate=*/false);
}

Value Narrowing::narrow(Value value) {
  Value &known = narrowed[value];
  if (known)
    return known;
  OpBuilder b(value.getContext());
  b.setInsertionPointAfterValue(value);
  Value result = create(b, value);
  return narrowed[value] = result;
}

/// The numbers of the operands that `op` multiplies with others.
static ArrayRef<unsigned> getFactors(Operation *op) {
  static constexpr unsigned factors[] = {0, 1, 2, 4};
  if (isa<ContractOp, ConvOp, ConvFilterOp>(op))
    return ArrayRef(factors).take_front(2);
  if (isa<AttentionOp>(op))
    return ArrayRef(factors).take_front(3);
  return isa<AttentionGradientOp>(op) ? ArrayRef(factors)
                                      : ArrayRef<unsigned>();
}

void Narrowing::run(func::FuncOp function) {
  SmallVector<Operation *> products;
  function.walk([&](Operation *op) {
    if (!getFactors(op).empty() &&
        getElementTypeOrSelf(op->getResult(0).getType()).isF32())
      products.push_back(op);
  });
  for (Operation *op : products)
    for (unsigned i : getFactors(op))
      if (getElementTypeOrSelf(op->getOperand(i).getType()).isF32())
        op->setOperand(i, narrow(op->getOperand(i)));
}

void weft::narrowProducts(func::FuncOp function, FloatType type) {
  Narrowing(type).run(function);
}
