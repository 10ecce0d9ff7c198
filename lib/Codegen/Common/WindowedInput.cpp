//===- WindowedInput.cpp - A tensor that windows slide over ---------------===//

#include "weft/Codegen/Common/WindowedInput.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
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

Value WindowedInput::element(RegionEmitter &e, ArrayRef<Value> indices,
                             Value inside) const {
  const MemoryView *view = e.getMemory(tensor);
  if (inside && zeros && view)
    return elementAt(e, e.offset(*view, indices), inside);
  auto read = [&] {
    return widen(e.builder(), e.element(tensor, indices),
                 cast<RankedTensorType>(tensor.getType()).getElementType(),
                 elementType);
  };
  return inside ? e.choose(inside, read,
                           [&] { return e.constant(elementType, 0); })
                : read();
}

Value WindowedInput::elementAt(RegionEmitter &e, Value position,
                               Value inside) const {
  ImplicitLocOpBuilder &b = e.builder();
  const MemoryView &view = *e.getMemory(tensor);
  Value address = e.address(view, position);
  if (inside)
    address = arith::SelectOp::create(b, inside, address, zeros(e));
  Value stored = LLVM::LoadOp::create(
      b, RegionEmitter::getStorageType(view.elementType), address);
  return widen(b, e.fromStorage(stored, view.elementType), view.elementType,
               elementType);
}
