//===- Slab.cpp - A part of a tensor with what surrounds it ---------------===//

#include "Slab.h"
#include "Contraction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

/// Stores the fill element at [begin, end) from `line`.
static void fillElements(RegionEmitter &e, const WindowedInput &input,
                         Value line, Value begin, Value end) {
  Value fill = arith::ConstantOp::create(e.builder(), input.fill);
  e.loop(begin, end, {}, [&](Value i, ValueRange) {
    LLVM::StoreOp::create(e.builder(), fill,
                          elementAddress(e, line, input.elementType, i));
    return SmallVector<Value>();
  });
}

/// Fills the line at `place`: all of the slab's indices but the last. `indices`
/// are those of the tensor, but for the last; `inside` tells whether they are
/// any, and is null if they always are.
void Slab::fillLine(RegionEmitter &e, const WindowedInput &input,
                    ArrayRef<Value> place, SmallVector<Value> indices,
                    Value inside) const {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<Value> first(place);
  first.push_back(e.index(0));
  Value line = e.address(view, e.offset(view, first));
  Value zero = e.index(0), start = starts.back(), length = extents.back();
  int64_t dilation = input.dilation.back();
  Value step = e.index(dilation);
  // The tensor's elements that lie in the line.
  Value begin = e.ceilDiv(e.max(start, zero), step);
  Value end = e.min(e.size(input.tensor, input.spatialRank() + 1),
                    e.ceilDiv(e.max(e.add(length, start), zero), step));
  end = e.max(begin, end);
  auto copy = [&] {
    if (dilation == 1)
      fillElements(e, input, line, zero, e.min(e.sub(begin, start), length));
    else
      fillElements(e, input, line, zero, length);
    indices.push_back(nullptr);
    e.loop(begin, end, {}, [&](Value i, ValueRange) {
      indices.back() = i;
      Value to = elementAddress(e, line, input.elementType,
                                e.sub(e.mul(i, step), start));
      LLVM::StoreOp::create(b, input.element(e, indices), to);
      return SmallVector<Value>();
    });
    if (dilation == 1)
      fillElements(e, input, line, e.sub(end, start), length);
  };
  if (!inside)
    return copy();
  auto ifOp = scf::IfOp::create(b, TypeRange(), inside, /*addThenBlock=*/true,
                                /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(ifOp.thenBlock());
  copy();
  scf::YieldOp::create(b);
  b.setInsertionPointToEnd(ifOp.elseBlock());
  fillElements(e, input, line, zero, length);
  scf::YieldOp::create(b);
}

void Slab::fill(RegionEmitter &e, const WindowedInput &input) const {
  SmallVector<Value> sizes{channels};
  llvm::append_range(sizes, ArrayRef(extents).drop_back());
  e.loopNest(sizes, {}, [&](ArrayRef<Value> place, ValueRange) {
    SmallVector<Value> indices{image, e.add(firstChannel, place[0])};
    Value inside;
    for (auto [dim, i] : llvm::enumerate(place.drop_front()))
      indices.push_back(input.indexAt(e, dim, e.add(starts[dim], i), inside));
    fillLine(e, input, place, indices, inside);
    return SmallVector<Value>();
  });
}
