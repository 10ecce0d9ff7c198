//===- WideLoop.cpp - Elements of tensors in the threads of a GPU ---------===//

#include "WideLoop.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

ElementWork::ElementWork(const ElementLoop &loop)
    : sizes(loop.getSizes()), roots(loop.getRoots()), views(loop.getViews()),
      isElementwise(loop.isElementwise()) {
  if (isElementwise)
    leaves = loop.getLeaves();
}

WideLoop::WideLoop(RegionEmitter &e, ElementWork given)
    : e(e), work(std::move(given)), sizes(work.sizes),
      neighbours(e, work.leaves, work.views,
                 work.isElementwise ? sizes.size() : 0) {
  // The rows of several loops have to begin at a multiple.
  auto isShort = [&](Value size) {
    std::optional<int64_t> known = getConstantIntValue(size);
    return known && *known < neighbours.getCount();
  };
  if (sizes.size() > 1 || (sizes.size() == 1 && isShort(sizes.back())))
    neighbours.divide(sizes.back());
  neighbours.limitRegisters();
  if (neighbours.getCount() > 1)
    sizes.back() = e.ceilDiv(sizes.back(), e.index(neighbours.getCount()));
}

SmallVector<Value> WideLoop::compute(ArrayRef<Value> indices) {
  return llvm::map_to_vector(
      work.roots, [&](Value root) { return e.element(root, indices); });
}

void WideLoop::emitOne(ArrayRef<Value> indices) {
  // All is read before anything is written, which may be in place.
  for (auto [view, element] : llvm::zip_equal(work.views, compute(indices)))
    e.store(view, indices, element);
}

bool WideLoop::hasRest() const {
  std::optional<int64_t> size = getConstantIntValue(work.sizes.back());
  return !size || *size % neighbours.getCount() != 0;
}

void WideLoop::emitNeighbours(ArrayRef<Value> outer, Value first) {
  SmallVector<SmallVector<Value>> indices = neighbours.getIndices(outer, first);
  neighbours.load(indices);
  neighbours.store(indices, [&](ArrayRef<Value> at) { return compute(at); });
}

void WideLoop::emit(Value thread) {
  SmallVector<Value> indices = e.delinearize(thread, sizes);
  int64_t count = neighbours.getCount();
  if (count == 1)
    return emitOne(indices);
  ImplicitLocOpBuilder &b = e.builder();
  Value first = e.mul(indices.pop_back_val(), e.index(count));
  if (!hasRest())
    return emitNeighbours(indices, first);
  Value end = work.sizes.back();
  Value isWhole = arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                                        e.add(first, e.index(count)), end);
  auto ifOp = scf::IfOp::create(b, isWhole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  emitNeighbours(indices, first);
  b.setInsertionPointToStart(ifOp.elseBlock());
  e.loop(first, end, {}, [&](Value i, ValueRange) {
    SmallVector<Value> at(indices);
    at.push_back(i);
    emitOne(at);
    return SmallVector<Value>();
  });
}
