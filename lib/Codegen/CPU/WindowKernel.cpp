//===- WindowKernel.cpp - Depthwise convolutions and pooling --------------===//
//
// One iteration of the parallel loop takes some rows of one channel. What their
// windows see is copied, with the fill element around it, into a slab that
// fits the first-level cache. There, the elements that one tap meets for
// neighbouring windows lie side by side, also from one row to the next where
// the stride between rows is one: so windows are computed a vector at a time,
// as if they started at every position, and those that the strides skip, or
// that straddle two rows, are thrown away.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "Slab.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weft/Dialect/Weft/IR/Reduction.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
/// What slides over each channel; lists have an entry per spatial dimension.
struct Window {
  Operation *op;
  WindowedInput input;
  SmallVector<int64_t> taps, strides, low, dilation;
  int64_t channelsPerInput = 1;      ///< results per channel of the input
  Value filter;                      ///< [channels, 1, taps...], or null
  ReduceKind kind = ReduceKind::sum; ///< how elements are combined

  RankedTensorType resultType() const {
    return cast<RankedTensorType>(op->getResult(0).getType());
  }
  int64_t rank() const { return taps.size(); }
};

/// How the work is cut.
struct WindowTiling {
  int64_t rows;  ///< of the result, per iteration
  int64_t lanes; ///< windows at a time
  SmallVector<int64_t> slabShape;
  int64_t firstFlat;             ///< dimensions from here on are walked as one
  int64_t slabOffset, sumOffset; ///< in scratch
};

/// Emits the windows of one iteration.
class WindowEmitter {
public:
  WindowEmitter(KernelBuilder &kernel, const Window &window, Epilogue &epilogue,
                const WindowTiling &tiling)
      : kernel(kernel), window(window), epilogue(epilogue), tiling(tiling) {}

  SmallVector<Value> gridSizes(RegionEmitter &e);
  void emitIteration(RegionEmitter &e, ArrayRef<Value> grid);

private:
  VectorType vectorType() const {
    return VectorType::get(tiling.lanes, window.input.elementType);
  }
  Slab makeSlab(RegionEmitter &e);
  Value slabPosition(RegionEmitter &e, const Slab &slab, int64_t firstDim,
                     ValueRange indices);
  Value combine(RegionEmitter &e, Value sum, Value element, Value weight);
  Value windowsAt(RegionEmitter &e, const Slab &slab, Value position);
  void emitLine(RegionEmitter &e, const Slab &slab, ArrayRef<Value> outer);

  KernelBuilder &kernel;
  const Window &window;
  Epilogue &epilogue;
  const WindowTiling &tiling;
  // Of the iteration that is being emitted.
  Value image, channel, firstRow, rows;
};
} // namespace

//===----------------------------------------------------------------------===//
// Finding the window
//===----------------------------------------------------------------------===//

static std::optional<Window> describe(ConvOp op) {
  RankedTensorType filter = op.getFilter().getType();
  if (!filter.hasStaticShape() || filter.getDimSize(1) != 1)
    return std::nullopt;
  Window window;
  window.op = op;
  window.input.tensor = op.getInput();
  window.input.dilation = llvm::to_vector(op.getInputDilation());
  for (auto [low, high] : llvm::zip_equal(op.getLow(), op.getHigh()))
    window.input.isPadded.push_back(low > 0 || high > 0);
  window.taps = llvm::to_vector(filter.getShape().drop_front(2));
  window.strides = llvm::to_vector(op.getStrides());
  window.low = llvm::to_vector(op.getLow());
  window.dilation = llvm::to_vector(op.getFilterDilation());
  window.channelsPerInput =
      filter.getDimSize(0) / static_cast<int64_t>(op.getGroups());
  window.filter = op.getFilter();
  return window;
}

static std::optional<Window> describe(ReduceWindowOp op) {
  auto isPooled = [&](int64_t dim) {
    return op.getWindow()[dim] != 1 || op.getStrides()[dim] != 1 ||
           op.getLow()[dim] != 0 || op.getHigh()[dim] != 0;
  };
  int64_t rank = op.getInput().getType().getRank();
  if (rank < 3 || isPooled(0) || isPooled(1))
    return std::nullopt;
  Window window;
  window.op = op;
  window.input.tensor = op.getInput();
  window.input.dilation.assign(rank - 2, 1);
  for (int64_t dim : llvm::seq<int64_t>(2, rank))
    window.input.isPadded.push_back(op.getLow()[dim] > 0 ||
                                    op.getHigh()[dim] > 0);
  window.taps = llvm::to_vector(op.getWindow().drop_front(2));
  window.strides = llvm::to_vector(op.getStrides().drop_front(2));
  window.low = llvm::to_vector(op.getLow().drop_front(2));
  window.dilation = llvm::to_vector(op.getDilations().drop_front(2));
  window.kind = op.getKind();
  return window;
}

/// The window that the region applies, if there is one that this kind of
/// kernel is good for.
static std::optional<Window> findWindow(KernelBuilder &kernel) {
  std::optional<Window> window;
  for (Operation &op : kernel.getRegion().getBody().front()) {
    if (!isa<ConvOp, ReduceWindowOp>(op))
      continue;
    if (window)
      return std::nullopt;
    auto conv = dyn_cast<ConvOp>(op);
    window = conv ? describe(conv) : describe(cast<ReduceWindowOp>(op));
    if (!window)
      return std::nullopt;
  }
  if (!window || window->rank() == 0)
    return std::nullopt;
  // Windows at every position are too many if few are wanted.
  constexpr int64_t kMostStride = 4;
  RankedTensorType type = window->resultType();
  ArrayRef<int64_t> inner = type.getShape().drop_front(3);
  Type elementType = type.getElementType();
  bool isSummable = elementType.isF16() || elementType.isBF16() ||
                    elementType.isF32() || elementType.isF64() ||
                    elementType.isInteger(32) || elementType.isInteger(64);
  if (!isSummable || window->strides.back() > kMostStride ||
      ShapedType::isDynamicShape(inner) || llvm::is_contained(inner, 0) ||
      llvm::is_contained(window->taps, 0))
    return std::nullopt;
  window->input.elementType = getAccumulatorType(elementType);
  window->input.fill = getIdentity(window->kind, elementType);
  return window;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

static WindowTiling chooseWindowTiling(const Window &window,
                                       const TargetDescription &target) {
  WindowTiling tiling;
  int64_t bytes = window.input.elementType.getIntOrFloatBitWidth() / 8;
  tiling.lanes = 2 * target.vectorBytes / bytes;
  ArrayRef<int64_t> result = window.resultType().getShape().drop_front(2);
  auto extent = [&](int64_t dim, int64_t size) {
    return (size - 1) * window.strides[dim] +
           (window.taps[dim] - 1) * window.dilation[dim] + 1;
  };
  tiling.slabShape.assign(window.rank(), 0);
  int64_t rowBytes = bytes;
  for (int64_t dim : llvm::seq<int64_t>(1, window.rank())) {
    tiling.slabShape[dim] = extent(dim, result[dim]);
    rowBytes *= tiling.slabShape[dim];
  }
  // Rows of the slab that fill half of the cache.
  int64_t room = std::max<int64_t>(1, target.l1Bytes / 2 / rowBytes);
  int64_t reach = extent(0, 1);
  tiling.rows = 1 + std::max<int64_t>(0, room - reach) / window.strides[0];
  if (ShapedType::isStatic(result[0]) && result[0] > 0) {
    int64_t parts = llvm::divideCeil(result[0], tiling.rows);
    tiling.rows = llvm::divideCeil(result[0], parts);
  }
  tiling.slabShape[0] = extent(0, tiling.rows);
  tiling.firstFlat = window.rank() - 1;
  while (tiling.firstFlat > 0 && window.strides[tiling.firstFlat - 1] == 1)
    --tiling.firstFlat;
  return tiling;
}

SmallVector<Value> WindowEmitter::gridSizes(RegionEmitter &e) {
  Value result = window.op->getResult(0);
  return {e.size(result, 0), e.size(result, 1),
          e.ceilDiv(e.size(result, 2), e.index(tiling.rows))};
}

Slab WindowEmitter::makeSlab(RegionEmitter &e) {
  Slab slab;
  slab.image = image;
  slab.firstChannel = e.div(channel, e.index(window.channelsPerInput));
  slab.channels = e.index(1);
  slab.view.pointer = kernel.scratchAddress(e, tiling.slabOffset);
  slab.view.elementType = window.input.elementType;
  slab.view.sizes.push_back(e.index(1));
  for (int64_t size : tiling.slabShape)
    slab.view.sizes.push_back(e.index(size));
  slab.view.strides = e.rowMajorStrides(slab.view.sizes);
  slab.extents.assign(slab.view.sizes.begin() + 1, slab.view.sizes.end());
  Value stride = e.index(window.strides[0]);
  int64_t reach = (window.taps[0] - 1) * window.dilation[0] + 1;
  slab.extents[0] =
      e.add(e.mul(e.sub(rows, e.index(1)), stride), e.index(reach));
  for (int64_t low : window.low)
    slab.starts.push_back(e.index(-low));
  slab.starts[0] = e.add(e.mul(firstRow, stride), slab.starts[0]);
  return slab;
}

/// Where in the slab the window of the result's element at `indices` starts;
/// those of dimensions from `firstDim` on are given.
Value WindowEmitter::slabPosition(RegionEmitter &e, const Slab &slab,
                                  int64_t firstDim, ValueRange indices) {
  Value position = e.index(0);
  for (auto [i, index] : llvm::enumerate(indices)) {
    int64_t dim = firstDim + i;
    Value start = e.mul(index, e.index(window.strides[dim]));
    position = e.add(position, e.mul(start, slab.view.strides[dim + 1]));
  }
  return position;
}

Value WindowEmitter::combine(RegionEmitter &e, Value sum, Value element,
                             Value weight) {
  ImplicitLocOpBuilder &b = e.builder();
  if (!weight)
    return emitCombine(b, window.kind, window.resultType().getElementType(),
                       sum, element);
  weight = vector::BroadcastOp::create(b, vectorType(), weight);
  if (isa<FloatType>(window.input.elementType))
    return vector::FMAOp::create(b, element, weight, sum);
  return arith::AddIOp::create(b, sum,
                               arith::MulIOp::create(b, element, weight));
}

/// The results of the windows that start at `position` and after.
Value WindowEmitter::windowsAt(RegionEmitter &e, const Slab &slab,
                               Value position) {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<Value> sizes;
  for (int64_t tap : window.taps)
    sizes.push_back(e.index(tap));
  Value start = arith::ConstantOp::create(
      b, DenseElementsAttr::get(vectorType(), Attribute(window.input.fill)));
  unsigned bytes = window.input.elementType.getIntOrFloatBitWidth() / 8;
  return e.loopNest(sizes, start, [&](ArrayRef<Value> tap, ValueRange sum) {
    Value offset = position;
    for (auto [dim, i] : llvm::enumerate(tap))
      offset = e.add(offset, e.mul(e.mul(i, e.index(window.dilation[dim])),
                                   slab.view.strides[dim + 1]));
    Value element = LLVM::LoadOp::create(b, vectorType(),
                                         e.address(slab.view, offset), bytes);
    Value weight;
    if (window.filter) {
      SmallVector<Value> at{channel, e.index(0)};
      llvm::append_range(at, tap);
      weight = widen(
          b, e.element(window.filter, at),
          cast<RankedTensorType>(window.filter.getType()).getElementType(),
          window.input.elementType);
    }
    return SmallVector<Value>{combine(e, sum[0], element, weight)};
  })[0];
}

/// The windows at indices `outer` of the dimensions that are not flat.
void WindowEmitter::emitLine(RegionEmitter &e, const Slab &slab,
                             ArrayRef<Value> outer) {
  ImplicitLocOpBuilder &b = e.builder();
  Type type = window.input.elementType;
  Value sums = kernel.scratchAddress(e, tiling.sumOffset);
  SmallVector<Value> sizes, lastIndices;
  for (int64_t dim : llvm::seq(tiling.firstFlat, window.rank())) {
    sizes.push_back(dim == 0 ? rows : e.size(window.op->getResult(0), dim + 2));
    lastIndices.push_back(e.sub(sizes.back(), e.index(1)));
  }
  Value base = slabPosition(e, slab, 0, outer);
  Value count =
      e.add(slabPosition(e, slab, tiling.firstFlat, lastIndices), e.index(1));
  Value lanes = e.index(tiling.lanes);
  e.loop(e.index(0), e.ceilDiv(count, lanes), {}, [&](Value i, ValueRange) {
    Value first = e.mul(i, lanes);
    Value sum = windowsAt(e, slab, e.add(base, first));
    LLVM::StoreOp::create(b, sum, elementAddress(e, sums, type, first),
                          type.getIntOrFloatBitWidth() / 8);
    return SmallVector<Value>();
  });
  e.loopNest(sizes, {}, [&](ArrayRef<Value> place, ValueRange) {
    Value position = slabPosition(e, slab, tiling.firstFlat, place);
    Value sum =
        LLVM::LoadOp::create(b, type, elementAddress(e, sums, type, position));
    SmallVector<Value> indices{image, channel};
    llvm::append_range(indices, outer);
    llvm::append_range(indices, place);
    indices[2] = e.add(firstRow, indices[2]);
    epilogue.store(e, kernel, indices, sum);
    return SmallVector<Value>();
  });
}

void WindowEmitter::emitIteration(RegionEmitter &e, ArrayRef<Value> grid) {
  image = grid[0];
  channel = grid[1];
  firstRow = e.mul(grid[2], e.index(tiling.rows));
  rows = e.min(e.index(tiling.rows),
               e.sub(e.size(window.op->getResult(0), 2), firstRow));
  Slab slab = makeSlab(e);
  slab.fill(e, window.input);
  SmallVector<Value> outer;
  for (int64_t dim : llvm::seq(tiling.firstFlat))
    outer.push_back(dim == 0 ? rows : e.size(window.op->getResult(0), dim + 2));
  e.loopNest(outer, {}, [&](ArrayRef<Value> place, ValueRange) {
    emitLine(e, slab, place);
    return SmallVector<Value>();
  });
}

bool weft::cpu::emitWindowKernel(KernelBuilder &kernel) {
  std::optional<Window> window = findWindow(kernel);
  if (!window)
    return false;
  SmallVector<int64_t> spatialDims;
  for (int64_t dim : llvm::seq(window->rank()))
    spatialDims.push_back(dim + 2);
  std::optional<Epilogue> epilogue =
      Epilogue::create(kernel, window->op, spatialDims);
  if (!epilogue)
    return false;
  WindowTiling tiling = chooseWindowTiling(*window, kernel.getTarget());
  int64_t bytes = window->input.elementType.getIntOrFloatBitWidth() / 8;
  // The last vector may reach beyond what is filled.
  int64_t elements = llvm::product_of(tiling.slabShape) + tiling.lanes;
  tiling.slabOffset = kernel.reserveScratch(elements * bytes);
  tiling.sumOffset = kernel.reserveScratch(elements * bytes);
  WindowEmitter emitter(kernel, *window, *epilogue, tiling);
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
