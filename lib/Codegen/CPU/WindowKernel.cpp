//===- WindowKernel.cpp - Depthwise convolutions and pooling --------------===//
//
// One iteration of the parallel loop takes some rows of one channel. What their
// windows see is copied, with the fill element around it, into a slab that
// fits the first-level cache. There, the elements that one tap meets for
// neighbouring windows lie side by side, also from one row to the next where
// the stride between rows is one: so windows are computed a vector at a time,
// as if they started at every position, and those that the strides skip, or
// that straddle two rows, are thrown away. Where the places of extreme elements
// are wanted, their distances from the windows' first elements are kept beside
// them.
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
  ArgReduceWindowOp places; ///< `op`, if it tells where elements lie, else null
  ReduceWindowOp extremes;  ///< beside that, what the elements are; or null

  RankedTensorType resultType() const {
    return cast<RankedTensorType>(op->getResult(0).getType());
  }
  /// Of what the elements are combined to.
  Type elementType() const {
    Type type = places ? input.tensor.getType() : op->getResult(0).getType();
    return cast<RankedTensorType>(type).getElementType();
  }
  int64_t rank() const { return taps.size(); }
};

/// How the work is cut.
struct WindowTiling {
  int64_t rows;  ///< of the result, per iteration
  int64_t lanes; ///< windows at a time
  SmallVector<int64_t> slabShape;
  int64_t firstFlat; ///< dimensions from here on are walked as one
  int64_t slabOffset, sumOffset, distanceOffset; ///< in scratch
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
  SmallVector<Value> windowsAt(RegionEmitter &e, const Slab &slab,
                               Value position);
  Value distanceOf(RegionEmitter &e, ArrayRef<Value> tap);
  Value placeOf(RegionEmitter &e, ArrayRef<Value> indices, Value distance);
  void bindExtreme(RegionEmitter &e, Value element);
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

template <typename OpTy> static std::optional<Window> describePool(OpTy op) {
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

/// Whether both slide the same window over the same tensor.
static bool isSameWindow(ReduceWindowOp lhs, ArgReduceWindowOp rhs) {
  return lhs.getInput() == rhs.getInput() && lhs.getKind() == rhs.getKind() &&
         lhs.getWindow() == rhs.getWindow() &&
         lhs.getStrides() == rhs.getStrides() && lhs.getLow() == rhs.getLow() &&
         lhs.getHigh() == rhs.getHigh() &&
         lhs.getDilations() == rhs.getDilations();
}

/// Whether the distances between elements of a window have 32 bits.
static bool areDistancesSmall(ArgReduceWindowOp op) {
  ArrayRef<int64_t> inner = op.getInput().getType().getShape().drop_front(3);
  double distance = (op.getWindow()[2] - 1.0) * op.getDilations()[2] + 1;
  for (int64_t size : inner)
    distance *= size;
  return !ShapedType::isDynamicShape(inner) && distance < 0x1p31;
}

/// The op of the region that slides a window; for extreme elements and their
/// places the op that tells the latter. Null if there is none, or several.
static Operation *findWindowOp(KernelBuilder &kernel,
                               ReduceWindowOp &extremes) {
  SmallVector<Operation *> found;
  for (Operation &op : kernel.getRegion().getBody().front())
    if (isa<ConvOp, ReduceWindowOp, ArgReduceWindowOp>(op))
      found.push_back(&op);
  if (found.size() == 1)
    return found.front();
  if (found.size() != 2)
    return nullptr;
  if (isa<ReduceWindowOp>(found[1]))
    std::swap(found[0], found[1]);
  extremes = dyn_cast<ReduceWindowOp>(found[0]);
  auto places = dyn_cast<ArgReduceWindowOp>(found[1]);
  return extremes && places && isSameWindow(extremes, places) ? found[1]
                                                              : nullptr;
}

/// The window that the region applies, if there is one that this kind of
/// kernel is good for.
static std::optional<Window> findWindow(KernelBuilder &kernel) {
  ReduceWindowOp extremes;
  Operation *op = findWindowOp(kernel, extremes);
  std::optional<Window> window;
  if (auto conv = dyn_cast_or_null<ConvOp>(op))
    window = describe(conv);
  else if (auto reduce = dyn_cast_or_null<ReduceWindowOp>(op))
    window = describePool(reduce);
  else if (auto places = dyn_cast_or_null<ArgReduceWindowOp>(op)) {
    window = describePool(places);
    if (window && !areDistancesSmall(places))
      return std::nullopt;
    if (window) {
      window->places = places;
      window->extremes = extremes;
    }
  }
  if (!window || window->rank() == 0)
    return std::nullopt;
  // Windows at every position are too many if few are wanted.
  constexpr int64_t kMostStride = 4;
  ArrayRef<int64_t> inner = window->resultType().getShape().drop_front(3);
  Type elementType = window->elementType();
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
    return emitCombine(b, window.kind, window.elementType(), sum, element);
  weight = vector::BroadcastOp::create(b, vectorType(), weight);
  if (isa<FloatType>(window.input.elementType))
    return vector::FMAOp::create(b, element, weight, sum);
  return arith::AddIOp::create(b, sum,
                               arith::MulIOp::create(b, element, weight));
}

/// How far an element is behind the first of its window, in elements of the
/// input, for lanes of i32.
Value WindowEmitter::distanceOf(RegionEmitter &e, ArrayRef<Value> tap) {
  ImplicitLocOpBuilder &b = e.builder();
  Value distance = e.index(0);
  for (auto [dim, i] : llvm::enumerate(tap)) {
    if (dim != 0)
      distance = e.mul(distance, e.size(window.input.tensor, dim + 2));
    distance = e.add(distance, e.mul(i, e.index(window.dilation[dim])));
  }
  Value narrow = arith::IndexCastOp::create(b, b.getI32Type(), distance);
  return vector::BroadcastOp::create(
      b, VectorType::get(tiling.lanes, b.getI32Type()), narrow);
}

/// Where the extreme element of the window at `indices` lies within the input,
/// given its distance; -1 stands for the first element that is in the input.
Value WindowEmitter::placeOf(RegionEmitter &e, ArrayRef<Value> indices,
                             Value distance) {
  ImplicitLocOpBuilder &b = e.builder();
  Value input = window.input.tensor, zero = e.index(0);
  Value plane = e.add(e.mul(image, e.size(input, 1)), channel);
  Value start = plane, first = plane, isThere;
  for (auto [i, index] : llvm::enumerate(indices.drop_front(2))) {
    Value size = e.size(input, i + 2), dilation = e.index(window.dilation[i]);
    Value base =
        e.sub(e.mul(index, e.index(window.strides[i])), e.index(window.low[i]));
    Value tap = e.ceilDiv(e.max(e.sub(zero, base), zero), dilation);
    Value at = e.add(base, e.mul(tap, dilation));
    start = e.add(e.mul(start, size), base);
    first = e.add(e.mul(first, size), at);
    auto isLess = [&](Value lhs, Value rhs) {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, lhs, rhs);
    };
    Value isAlong = arith::AndIOp::create(b, isLess(at, size),
                                          isLess(tap, e.index(window.taps[i])));
    isThere = isThere ? arith::AndIOp::create(b, isThere, isAlong).getResult()
                      : isAlong;
  }
  first = arith::SelectOp::create(b, isThere, first, e.index(-1));
  distance = arith::IndexCastOp::create(b, b.getIndexType(), distance);
  Value isKnown =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sge, distance, zero);
  Value place = arith::SelectOp::create(
      b, isKnown, arith::AddIOp::create(b, start, distance), first);
  return arith::IndexCastOp::create(b, b.getI64Type(), place);
}

/// The results of the windows that start at `position` and after, and perhaps
/// how far behind their first elements they lie.
SmallVector<Value> WindowEmitter::windowsAt(RegionEmitter &e, const Slab &slab,
                                            Value position) {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<Value> sizes;
  for (int64_t tap : window.taps)
    sizes.push_back(e.index(tap));
  Value start = arith::ConstantOp::create(
      b, DenseElementsAttr::get(vectorType(), Attribute(window.input.fill)));
  SmallVector<Value> starts{start};
  if (window.places)
    starts.push_back(arith::ConstantOp::create(
        b, DenseElementsAttr::get(VectorType::get(tiling.lanes, b.getI32Type()),
                                  int32_t(-1))));
  unsigned bytes = window.input.elementType.getIntOrFloatBitWidth() / 8;
  return e.loopNest(sizes, starts, [&](ArrayRef<Value> tap, ValueRange sum) {
    Value offset = position;
    for (auto [dim, i] : llvm::enumerate(tap))
      offset = e.add(offset, e.mul(e.mul(i, e.index(window.dilation[dim])),
                                   slab.view.strides[dim + 1]));
    Value element = LLVM::LoadOp::create(b, vectorType(),
                                         e.address(slab.view, offset), bytes);
    if (window.places) {
      Value isBetter =
          emitIsBefore(b, window.elementType(), window.kind == ReduceKind::max,
                       true, element, sum[0]);
      return SmallVector<Value>{
          arith::SelectOp::create(b, isBetter, element, sum[0]),
          arith::SelectOp::create(b, isBetter, distanceOf(e, tap), sum[1])};
    }
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
  });
}

/// The windows at indices `outer` of the dimensions that are not flat.
void WindowEmitter::emitLine(RegionEmitter &e, const Slab &slab,
                             ArrayRef<Value> outer) {
  ImplicitLocOpBuilder &b = e.builder();
  Type type = window.input.elementType;
  Value sums = kernel.scratchAddress(e, tiling.sumOffset), distances;
  if (window.places)
    distances = kernel.scratchAddress(e, tiling.distanceOffset);
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
    SmallVector<Value> found = windowsAt(e, slab, e.add(base, first));
    LLVM::StoreOp::create(b, found[0], elementAddress(e, sums, type, first),
                          type.getIntOrFloatBitWidth() / 8);
    if (window.places)
      LLVM::StoreOp::create(
          b, found[1], elementAddress(e, distances, b.getI32Type(), first), 4);
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
    if (window.places) {
      Value distance = LLVM::LoadOp::create(
          b, b.getI32Type(),
          elementAddress(e, distances, b.getI32Type(), position));
      if (window.extremes)
        bindExtreme(e, sum);
      sum = placeOf(e, indices, distance);
    }
    epilogue.store(e, kernel, indices, sum);
    return SmallVector<Value>();
  });
}

/// What the epilogue takes the extreme element to be, of the same window.
void WindowEmitter::bindExtreme(RegionEmitter &e, Value element) {
  Type type = getSignlessType(window.elementType());
  if (type != element.getType())
    element = arith::TruncFOp::create(e.builder(), type, element);
  ReduceWindowOp extremes = window.extremes;
  e.bind(extremes.getResult(), [element](ArrayRef<Value>) { return element; });
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
  if (window->places)
    tiling.distanceOffset = kernel.reserveScratch(elements * 4);
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
