//===- WindowedInput.cpp - A tensor that windows slide over ---------------===//

#include "weft/Codegen/Common/WindowedInput.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "weft/Codegen/Common/Contraction.h"

using namespace mlir;
using namespace weft;

Value WindowedInput::indexAt(RegionEmitter &e, int64_t dim, Value position,
                             Value &inside) const {
  ImplicitLocOpBuilder &b = e.builder();
  auto both = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    Value next = arith::CmpIOp::create(b, predicate, lhs, rhs);
    inside = inside ? Value(arith::AndIOp::create(b, inside, next)) : next;
  };
  Value size = e.size(tensor, dim + 2);
  if (dilation[dim] > 1) {
    Value step = e.index(dilation[dim]);
    both(arith::CmpIPredicate::sge, position, e.index(0));
    Value rest = arith::RemSIOp::create(b, position, step);
    both(arith::CmpIPredicate::eq, rest, e.index(0));
    position = arith::DivSIOp::create(b, position, step);
    both(arith::CmpIPredicate::slt, position, size);
  } else if (isPadded[dim]) {
    // As unsigned numbers, negative positions lie beyond the end.
    both(arith::CmpIPredicate::ult, position, size);
  }
  return position;
}

Value WindowedInput::element(RegionEmitter &e, ArrayRef<Value> indices) const {
  return widen(e.builder(), e.element(tensor, indices),
               cast<RankedTensorType>(tensor.getType()).getElementType(),
               elementType);
}
