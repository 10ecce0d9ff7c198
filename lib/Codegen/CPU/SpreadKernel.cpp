//===- SpreadKernel.cpp - The gradient of pooling by positions ------------===//
//
// Each window gives its gradient to one element, whose position is known. One
// iteration of the parallel loop takes some rows of one channel: it clears them
// in scratch, walks once over all windows that reach into them, in order, and
// adds each to its element. So no element looks for its windows.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "weft/Dialect/Weft/IR/Reduction.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
class SpreadEmitter {
public:
  SpreadEmitter(KernelBuilder &kernel, SpreadWindowOp op, Epilogue &epilogue);

  SmallVector<Value> gridSizes(RegionEmitter &e);
  void emitIteration(RegionEmitter &e, ArrayRef<Value> grid);

private:
  int64_t rank() { return op.getType().getRank() - 2; }
  Value sumAddress(RegionEmitter &e, Value position) {
    return elementAddress(e, kernel.scratchAddress(e, sumOffset), type,
                          position);
  }
  void clear(RegionEmitter &e, Value count);
  std::pair<Value, Value> findWindows(RegionEmitter &e);
  void addWindows(RegionEmitter &e, Value count);

  KernelBuilder &kernel;
  SpreadWindowOp op;
  Epilogue &epilogue;
  Type type;           ///< of the sums
  int64_t rowElements; ///< of the result
  int64_t mostRows;    ///< of an iteration
  int64_t sumOffset;   ///< in scratch
  // Of the iteration that is being emitted.
  Value image, channel, firstRow, rows;
};
} // namespace

/// Elements that are summed at a time, so that they stay in the first-level
/// cache beside what is added.
static int64_t countSums(KernelBuilder &kernel, Type type) {
  return kernel.getTarget().l1Bytes / 2 / (type.getIntOrFloatBitWidth() / 8);
}

SpreadEmitter::SpreadEmitter(KernelBuilder &kernel, SpreadWindowOp op,
                             Epilogue &epilogue)
    : kernel(kernel), op(op), epilogue(epilogue),
      type(getAccumulatorType(op.getType().getElementType())) {
  ArrayRef<int64_t> shape = op.getType().getShape();
  rowElements = llvm::product_of(shape.drop_front(3));
  mostRows = std::max<int64_t>(1, countSums(kernel, type) / rowElements);
  if (!ShapedType::isDynamic(shape[2])) {
    int64_t parts = llvm::divideCeil(shape[2], mostRows);
    mostRows = llvm::divideCeil(shape[2], parts);
  }
  // One more for what is not in the rows.
  sumOffset = kernel.reserveScratch((mostRows * rowElements + 1) *
                                    type.getIntOrFloatBitWidth() / 8);
}

SmallVector<Value> SpreadEmitter::gridSizes(RegionEmitter &e) {
  Value result = op.getResult();
  return {e.size(result, 0), e.size(result, 1),
          e.ceilDiv(e.size(result, 2), e.index(mostRows))};
}

void SpreadEmitter::clear(RegionEmitter &e, Value count) {
  Value zero = e.constant(type, 0);
  e.loop(e.index(0), count, {}, [&](Value i, ValueRange) {
    LLVM::StoreOp::create(e.builder(), zero, sumAddress(e, i));
    return SmallVector<Value>();
  });
}

/// The rows of windows that reach into the rows of the iteration: from the
/// first to one behind the last.
std::pair<Value, Value> SpreadEmitter::findWindows(RegionEmitter &e) {
  int64_t stride = op.getStrides()[2], low = op.getLow()[2];
  int64_t reach = (op.getWindow()[2] - 1) * op.getDilations()[2];
  // One whose last tap lies before the first row does not.
  Value distance =
      e.max(e.sub(e.add(firstRow, e.index(low)), e.index(reach)), e.index(0));
  Value first = e.ceilDiv(distance, e.index(stride));
  Value last = e.add(e.add(firstRow, rows), e.index(low - 1));
  Value end = e.add(e.div(last, e.index(stride)), e.index(1));
  end = e.min(end, e.size(op.getGrad(), 2));
  return {first, e.max(first, end)};
}

void SpreadEmitter::addWindows(RegionEmitter &e, Value count) {
  ImplicitLocOpBuilder &b = e.builder();
  Value result = op.getResult(), grad = op.getGrad();
  Value plane = e.add(e.mul(image, e.size(result, 1)), channel);
  Value before = e.mul(e.add(e.mul(plane, e.size(result, 2)), firstRow),
                       e.index(rowElements));
  auto [first, end] = findWindows(e);
  SmallVector<Value> sizes{e.sub(end, first)};
  for (int64_t dim : llvm::seq<int64_t>(3, rank() + 2))
    sizes.push_back(e.size(grad, dim));
  e.loopNest(sizes, {}, [&, first = first](ArrayRef<Value> window, ValueRange) {
    SmallVector<Value> place{image, channel};
    llvm::append_range(place, window);
    place[2] = e.add(first, window[0]);
    Value position = arith::IndexCastOp::create(
        b, b.getIndexType(), e.element(op.getPositions(), place));
    Value at = arith::SubIOp::create(b, position, before);
    // Of other rows, or of no element at all (-1): into what nobody reads.
    Value isInside =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, at, count);
    at = arith::SelectOp::create(b, isInside, at, count);
    Value address = sumAddress(e, at);
    Value sum = LLVM::LoadOp::create(b, type, address);
    Value more =
        widen(b, e.element(grad, place), op.getType().getElementType(), type);
    LLVM::StoreOp::create(b, arith::AddFOp::create(b, sum, more), address);
    return SmallVector<Value>();
  });
}

void SpreadEmitter::emitIteration(RegionEmitter &e, ArrayRef<Value> grid) {
  Value result = op.getResult();
  image = grid[0];
  channel = grid[1];
  firstRow = e.mul(grid[2], e.index(mostRows));
  rows = e.min(e.index(mostRows), e.sub(e.size(result, 2), firstRow));
  Value count = e.mul(rows, e.index(rowElements));
  clear(e, e.add(count, e.index(1)));
  addWindows(e, count);
  SmallVector<Value> sizes{rows};
  for (int64_t dim : llvm::seq<int64_t>(3, rank() + 2))
    sizes.push_back(e.size(result, dim));
  SmallVector<Value> strides = e.rowMajorStrides(sizes);
  e.loopNest(sizes, {}, [&](ArrayRef<Value> place, ValueRange) {
    Value position = e.index(0);
    for (auto [index, stride] : llvm::zip_equal(place, strides))
      position = e.add(position, e.mul(index, stride));
    Value sum =
        LLVM::LoadOp::create(e.builder(), type, sumAddress(e, position));
    SmallVector<Value> indices{image, channel};
    llvm::append_range(indices, place);
    indices[2] = e.add(firstRow, indices[2]);
    epilogue.store(e, kernel, indices, sum);
    return SmallVector<Value>();
  });
}

/// The gradient that the region computes, if there is one that this kind of
/// kernel is good for.
static SpreadWindowOp findSpread(KernelBuilder &kernel) {
  SpreadWindowOp found;
  for (Operation &op : kernel.getRegion().getBody().front()) {
    if (isa<ContractOp, ConvOp, ReduceWindowOp, ArgReduceWindowOp>(op))
      return nullptr;
    auto spread = dyn_cast<SpreadWindowOp>(op);
    if (spread && found)
      return nullptr;
    found = spread ? spread : found;
  }
  if (!found || !found.getPositions() || found.getType().getRank() < 3)
    return nullptr;
  auto isPooled = [&](int64_t dim) {
    return found.getWindow()[dim] != 1 || found.getStrides()[dim] != 1 ||
           found.getLow()[dim] != 0 || found.getHigh()[dim] != 0;
  };
  ArrayRef<int64_t> inner = found.getType().getShape().drop_front(3);
  Type type = getAccumulatorType(found.getType().getElementType());
  if (isPooled(0) || isPooled(1) || found.getLow()[2] < 0 ||
      ShapedType::isDynamicShape(inner) || llvm::is_contained(inner, 0) ||
      llvm::product_of(inner) > 4 * countSums(kernel, type))
    return nullptr;
  return found;
}

bool weft::cpu::emitSpreadKernel(KernelBuilder &kernel) {
  SpreadWindowOp op = findSpread(kernel);
  if (!op)
    return false;
  SmallVector<int64_t> spatialDims;
  for (int64_t dim : llvm::seq<int64_t>(2, op.getType().getRank()))
    spatialDims.push_back(dim);
  std::optional<Epilogue> epilogue = Epilogue::create(kernel, op, spatialDims);
  if (!epilogue)
    return false;
  SpreadEmitter emitter(kernel, op, *epilogue);
  kernel.addTask(
      [&](RegionEmitter &e) { return e.product(emitter.gridSizes(e)); },
      [&](RegionEmitter &e, Value begin, Value end) {
        epilogue->begin(e, kernel);
        SmallVector<Value> sizes = emitter.gridSizes(e);
        e.loop(begin, end, {}, [&](Value number, ValueRange) {
          emitter.emitIteration(e, e.delinearize(number, sizes));
          return SmallVector<Value>();
        });
      });
  return true;
}
