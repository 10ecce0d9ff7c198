//===- IterationSpace.cpp - Loops over a shape, with dimensions joined ----===//

#include "weft/Codegen/Common/IterationSpace.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace weft;

std::optional<IterationSpace> IterationSpace::create(
    ArrayRef<Value> roots, RankedTensorType shape, ArrayRef<int64_t> inner,
    const llvm::DenseSet<Operation *> &rowOps,
    const llvm::DenseSet<Value> &outerValues, Operation *opaque) {
  IterationSpace space;
  space.opaque = opaque;
  space.shape = shape;
  for (Operation *op : rowOps)
    space.rowOps[op] = true;
  space.outerValues = outerValues;
  for (int64_t dim : llvm::seq(shape.getRank()))
    (llvm::is_contained(inner, dim) ? space.innerDims : space.outerDims)
        .push_back(dim);
  for (Value root : roots)
    if (!space.visit(root, outerValues.contains(root)))
      return std::nullopt;
  space.joinDims();
  return space;
}

bool IterationSpace::visit(Value tensor, bool isOuter) {
  if (!visited.insert(tensor).second)
    return true;
  // One tensor can't be seen in both spaces, since it has one view only.
  if (isOuter != outerValues.contains(tensor))
    return false;
  Operation *op = tensor.getDefiningOp();
  if (!op) {
    (isOuter ? outerLeaves : fullLeaves).push_back(tensor);
    return true;
  }
  if (op == opaque)
    return true;
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    return dense && dense.isSplat();
  }
  if (rowOps.contains(op))
    return llvm::all_of(op->getOperands(),
                        [&](Value operand) { return visit(operand, false); });
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return visitBroadcast(broadcast, isOuter);
  if (!isa<ScalarOpInterface>(op))
    return false;
  return llvm::all_of(op->getOperands(),
                      [&](Value operand) { return visit(operand, isOuter); });
}

bool IterationSpace::visitBroadcast(BroadcastOp op, bool isOuter) {
  Value source = op.getInput();
  ArrayRef<int64_t> dims = op.getDims();
  if (auto constant = source.getDefiningOp<ConstantOp>()) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    splats.push_back({op.getResult(), source});
    return dense && dense.isSplat();
  }
  if (!isOuter && outerValues.contains(source)) {
    if (dims != ArrayRef<int64_t>(outerDims))
      return false;
    spreads.push_back({op.getResult(), source});
    return visit(source, true);
  }
  if (source.getDefiningOp())
    return false;
  Broadcast broadcast{op.getResult(), source, {}};
  broadcast.sourceDims.assign(shape.getRank(), -1);
  for (auto [sourceDim, dim] : llvm::enumerate(dims))
    broadcast.sourceDims[isOuter ? outerDims[dim] : dim] = sourceDim;
  broadcasts.push_back(std::move(broadcast));
  return true;
}

/// Whether `source` of a broadcast runs along with a result's dimension of
/// `size`, repeats, or does either, as only the run can tell.
enum class Along { Runs, Repeats, Unknown };
static Along classify(RankedTensorType source, int64_t sourceDim,
                      int64_t size) {
  if (sourceDim < 0)
    return Along::Repeats;
  int64_t sourceSize = source.getDimSize(sourceDim);
  if (ShapedType::isDynamic(sourceSize))
    return Along::Unknown;
  if (sourceSize == 1 && size != 1)
    return Along::Repeats;
  return Along::Runs;
}

bool IterationSpace::canJoin(int64_t first, int64_t second) const {
  // Only dimensions of size one may lie between the two.
  for (int64_t dim : llvm::seq(std::min(first + 1, second), second))
    if (shape.getDimSize(dim) != 1)
      return false;
  if (second < first)
    return false;
  return llvm::all_of(broadcasts, [&](const Broadcast &broadcast) {
    auto source = cast<RankedTensorType>(broadcast.source.getType());
    Along one =
        classify(source, broadcast.sourceDims[first], shape.getDimSize(first));
    Along two = classify(source, broadcast.sourceDims[second],
                         shape.getDimSize(second));
    return one == two && one != Along::Unknown;
  });
}

void IterationSpace::joinDims() {
  auto join = [&](ArrayRef<int64_t> dims) {
    size_t begin = loops.size();
    for (int64_t dim : dims) {
      if (shape.getDimSize(dim) == 1)
        continue;
      if (loops.size() > begin && canJoin(loops.back().back(), dim))
        loops.back().push_back(dim);
      else
        loops.push_back({dim});
    }
  };
  join(outerDims);
  numOuter = loops.size();
  join(innerDims);
}

SmallVector<Value> IterationSpace::getLeaves() const {
  SmallVector<Value> leaves(fullLeaves);
  llvm::append_range(leaves, outerLeaves);
  for (const Broadcast &broadcast : broadcasts)
    leaves.push_back(broadcast.result);
  return leaves;
}

MemoryView IterationSpace::joinFull(RegionEmitter &emitter,
                                    const MemoryView &view) {
  MemoryView joined{view.pointer, view.elementType, {}, {}};
  for (ArrayRef<int64_t> dims : loops) {
    Value size = emitter.index(1);
    for (int64_t dim : dims)
      size = emitter.mul(size, view.sizes[dim]);
    joined.sizes.push_back(size);
    joined.strides.push_back(view.strides[dims.back()]);
  }
  return joined;
}

MemoryView IterationSpace::joinOuter(RegionEmitter &emitter,
                                     const MemoryView &view) {
  MemoryView joined{view.pointer, view.elementType, {}, {}};
  for (ArrayRef<int64_t> dims : ArrayRef(loops).take_front(numOuter)) {
    Value size = emitter.index(1);
    for (int64_t dim : dims)
      size = emitter.mul(
          size, view.sizes[llvm::find(outerDims, dim) - outerDims.begin()]);
    joined.sizes.push_back(size);
    int64_t last = llvm::find(outerDims, dims.back()) - outerDims.begin();
    joined.strides.push_back(view.strides[last]);
  }
  return joined;
}

SmallVector<Value> IterationSpace::joinIndices(RegionEmitter &emitter,
                                               ValueRange indices,
                                               ValueRange sizes) {
  SmallVector<Value> joined;
  for (ArrayRef<int64_t> dims : loops) {
    Value position = emitter.index(0);
    for (int64_t dim : dims)
      position = emitter.add(emitter.mul(position, sizes[dim]), indices[dim]);
    joined.push_back(position);
  }
  return joined;
}

SmallVector<Value> IterationSpace::bind(RegionEmitter &emitter,
                                        ValueRange sizes) {
  SmallVector<Value> loopSizes;
  for (ArrayRef<int64_t> dims : loops) {
    Value size = emitter.index(1);
    for (int64_t dim : dims)
      size = emitter.mul(size, sizes[dim]);
    loopSizes.push_back(size);
  }

  // Views of broadcasts first: they need the sources' own views.
  ImplicitLocOpBuilder &b = emitter.builder();
  for (const Broadcast &broadcast : broadcasts) {
    const MemoryView &source = *emitter.getMemory(broadcast.source);
    auto sourceType = cast<RankedTensorType>(broadcast.source.getType());
    MemoryView view{source.pointer, source.elementType, loopSizes, {}};
    for (ArrayRef<int64_t> dims : loops) {
      int64_t sourceDim = broadcast.sourceDims[dims.back()];
      Along along =
          classify(sourceType, sourceDim, shape.getDimSize(dims.back()));
      Value stride = emitter.index(0);
      if (along == Along::Runs)
        stride = source.strides[sourceDim];
      if (along == Along::Unknown) {
        Value isOne =
            arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                  source.sizes[sourceDim], emitter.index(1));
        stride = arith::SelectOp::create(b, isOne, stride,
                                         source.strides[sourceDim]);
      }
      view.strides.push_back(stride);
    }
    // An outer broadcast is asked with the outer indices alone.
    if (outerValues.contains(broadcast.result)) {
      view.sizes.truncate(numOuter);
      view.strides.truncate(numOuter);
    }
    emitter.bindMemory(broadcast.result, view);
  }
  for (Value leaf : fullLeaves)
    emitter.bindMemory(leaf, joinFull(emitter, *emitter.getMemory(leaf)));
  for (Value leaf : outerLeaves)
    emitter.bindMemory(leaf, joinOuter(emitter, *emitter.getMemory(leaf)));
  for (auto [result, source] : splats)
    emitter.bind(result, [&emitter, source](ArrayRef<Value>) {
      return emitter.element(source, {});
    });
  for (auto [result, source] : spreads)
    emitter.bind(result, [this, &emitter, source](ArrayRef<Value> indices) {
      return emitter.element(source, indices.take_front(numOuter));
    });
  return loopSizes;
}
