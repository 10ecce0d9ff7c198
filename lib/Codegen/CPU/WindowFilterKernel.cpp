//===- WindowFilterKernel.cpp - Filter gradients of depthwise convolutions ===//
//
// One iteration of the parallel loop takes one output channel, and for each
// image some of its rows. What their windows see of the input is copied, with
// zeros around it, into a slab that fits the first-level cache. The gradient is
// laid out in the same pitch: each element where its window begins, and zeros
// where none does. Then the element that a tap meets lies at the same distance
// from each element of the gradient, so that both are multiplied a vector at a
// time, with one sum per tap in a register. Long lists of taps are cut.
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
/// Emits the gradient of the filter of one output channel.
class WindowFilterEmitter {
public:
  WindowFilterEmitter(KernelBuilder &kernel, ConvFilterOp op,
                      Epilogue &epilogue);

  void emitChannel(RegionEmitter &e, Value channel);

private:
  int64_t spatialRank() const { return taps.size(); }
  unsigned bytes() const {
    return input.elementType.getIntOrFloatBitWidth() / 8;
  }
  VectorType vectorType() const {
    return VectorType::get(lanes, input.elementType);
  }
  Slab makeSlab(RegionEmitter &e, Value channel, Value image, Value firstRow,
                Value rows);
  void layOutGradient(RegionEmitter &e, const Slab &slab, Value channel,
                      Value firstRow, Value rows, Value count);
  SmallVector<Value> addProducts(RegionEmitter &e, const Slab &slab,
                                 ArrayRef<Value> offsets, Value count,
                                 ValueRange sums);
  SmallVector<Value> sumTaps(RegionEmitter &e, Value channel, Value image,
                             ArrayRef<SmallVector<int64_t>> some);
  Value initialSum(RegionEmitter &e, ArrayRef<Value> indices);

  KernelBuilder &kernel;
  ConvFilterOp op;
  Epilogue &epilogue;
  WindowedInput input;
  SmallVector<int64_t> taps, slabShape;
  int64_t lanes, mostSums, rowsAtOnce;
  int64_t slabOffset, gradOffset; ///< in scratch
};
} // namespace

WindowFilterEmitter::WindowFilterEmitter(KernelBuilder &kernel, ConvFilterOp op,
                                         Epilogue &epilogue)
    : kernel(kernel), op(op), epilogue(epilogue) {
  const TargetDescription &target = kernel.getTarget();
  Type element = op.getType().getElementType();
  input.tensor = op.getInput();
  input.elementType = getAccumulatorType(element);
  input.dilation = llvm::to_vector(op.getInputDilation());
  taps = llvm::to_vector(op.getType().getShape().drop_front(2));
  input.isPadded.assign(spatialRank(), true);
  input.fill = cast<TypedAttr>(Builder(op).getZeroAttr(input.elementType));
  lanes = target.vectorBytes / bytes();
  mostSums = std::max<int64_t>(1, target.vectorRegisters - 6);

  ArrayRef<int64_t> positions = op.getGrad().getType().getShape().drop_front(2);
  auto extent = [&](int64_t dim, int64_t size) {
    return (size - 1) * op.getStrides()[dim] +
           (taps[dim] - 1) * op.getFilterDilation()[dim] + 1;
  };
  slabShape.assign(spatialRank(), 0);
  int64_t rowElements = 1;
  for (int64_t dim : llvm::seq<int64_t>(1, spatialRank())) {
    slabShape[dim] = extent(dim, positions[dim]);
    rowElements *= slabShape[dim];
  }
  // Both slabs together fill three quarters of the cache.
  int64_t room = target.l1Bytes * 3 / 8 / bytes() / rowElements;
  int64_t reach = extent(0, 1);
  rowsAtOnce = 1 + std::max<int64_t>(0, room - reach) / op.getStrides()[0];
  if (ShapedType::isStatic(positions[0]) && positions[0] > 0)
    rowsAtOnce = llvm::divideCeil(positions[0],
                                  llvm::divideCeil(positions[0], rowsAtOnce));
  slabShape[0] = extent(0, rowsAtOnce);
  // The last vector may reach beyond what is filled.
  int64_t elements = llvm::product_of(slabShape) + lanes;
  slabOffset = kernel.reserveScratch(elements * bytes());
  gradOffset = kernel.reserveScratch(elements * bytes());
}

Slab WindowFilterEmitter::makeSlab(RegionEmitter &e, Value channel, Value image,
                                   Value firstRow, Value rows) {
  Slab slab;
  int64_t perInput =
      op.getType().getDimSize(0) / static_cast<int64_t>(op.getGroups());
  slab.image = image;
  slab.firstChannel = e.div(channel, e.index(perInput));
  slab.channels = e.index(1);
  slab.view.pointer = kernel.scratchAddress(e, slabOffset);
  slab.view.elementType = input.elementType;
  slab.view.sizes.push_back(e.index(1));
  for (int64_t size : slabShape)
    slab.view.sizes.push_back(e.index(size));
  slab.view.strides = e.rowMajorStrides(slab.view.sizes);
  slab.extents.assign(slab.view.sizes.begin() + 1, slab.view.sizes.end());
  Value stride = e.index(op.getStrides()[0]);
  int64_t reach = (taps[0] - 1) * op.getFilterDilation()[0] + 1;
  slab.extents[0] =
      e.add(e.mul(e.sub(rows, e.index(1)), stride), e.index(reach));
  for (int64_t low : op.getLow())
    slab.starts.push_back(e.index(-low));
  slab.starts[0] = e.add(e.mul(firstRow, stride), slab.starts[0]);
  return slab;
}

/// Lays out `count` elements: those of some rows of the gradient where their
/// windows begin in the slab, and zeros, up to whole vectors.
void WindowFilterEmitter::layOutGradient(RegionEmitter &e, const Slab &slab,
                                         Value channel, Value firstRow,
                                         Value rows, Value count) {
  ImplicitLocOpBuilder &b = e.builder();
  Value to = kernel.scratchAddress(e, gradOffset);
  auto zero = arith::ConstantOp::create(
      b, cast<TypedAttr>(b.getZeroAttr(vectorType())));
  Value step = e.index(lanes);
  e.loop(e.index(0), e.ceilDiv(count, step), {}, [&](Value i, ValueRange) {
    LLVM::StoreOp::create(
        b, zero, elementAddress(e, to, input.elementType, e.mul(i, step)),
        bytes());
    return SmallVector<Value>();
  });
  SmallVector<Value> sizes{rows};
  for (int64_t dim : llvm::seq<int64_t>(1, spatialRank()))
    sizes.push_back(e.size(op.getGrad(), dim + 2));
  Type gradType = op.getGrad().getType().getElementType();
  e.loopNest(sizes, {}, [&](ArrayRef<Value> place, ValueRange) {
    SmallVector<Value> indices{slab.image, channel};
    Value position = e.index(0);
    for (auto [dim, i] : llvm::enumerate(place)) {
      indices.push_back(dim == 0 ? e.add(firstRow, i) : i);
      position = e.add(position, e.mul(e.mul(i, e.index(op.getStrides()[dim])),
                                       slab.view.strides[dim + 1]));
    }
    Value element =
        widen(b, e.element(op.getGrad(), indices), gradType, input.elementType);
    LLVM::StoreOp::create(b, element,
                          elementAddress(e, to, input.elementType, position));
    return SmallVector<Value>();
  });
}

/// Adds the products of `count` elements of the gradient with those that taps
/// meet, which lie at `offsets` from them.
SmallVector<Value> WindowFilterEmitter::addProducts(RegionEmitter &e,
                                                    const Slab &slab,
                                                    ArrayRef<Value> offsets,
                                                    Value count,
                                                    ValueRange sums) {
  ImplicitLocOpBuilder &b = e.builder();
  Value grads = kernel.scratchAddress(e, gradOffset), step = e.index(lanes);
  auto load = [&](Value base, Value position) {
    return LLVM::LoadOp::create(
        b, vectorType(), elementAddress(e, base, input.elementType, position),
        bytes());
  };
  return e.loop(e.index(0), e.ceilDiv(count, step), sums,
                [&](Value i, ValueRange carried) {
                  Value position = e.mul(i, step), grad = load(grads, position);
                  SmallVector<Value> next;
                  for (auto [offset, sum] : llvm::zip_equal(offsets, carried)) {
                    Value x = load(slab.view.pointer, e.add(position, offset));
                    if (isa<FloatType>(input.elementType))
                      next.push_back(vector::FMAOp::create(b, grad, x, sum));
                    else
                      next.push_back(arith::AddIOp::create(
                          b, sum, arith::MulIOp::create(b, grad, x)));
                  }
                  return next;
                });
}

/// The sums of some taps of a channel over the positions of an image.
SmallVector<Value>
WindowFilterEmitter::sumTaps(RegionEmitter &e, Value channel, Value image,
                             ArrayRef<SmallVector<int64_t>> some) {
  ImplicitLocOpBuilder &b = e.builder();
  auto zero = arith::ConstantOp::create(
      b, cast<TypedAttr>(b.getZeroAttr(vectorType())));
  SmallVector<Value> sums(some.size(), zero);
  Value allRows = e.size(op.getGrad(), 2), most = e.index(rowsAtOnce);
  sums = e.loop(
      e.index(0), e.ceilDiv(allRows, most), sums,
      [&](Value part, ValueRange carried) {
        Value firstRow = e.mul(part, most);
        Value rows = e.min(most, e.sub(allRows, firstRow));
        Slab slab = makeSlab(e, channel, image, firstRow, rows);
        slab.fill(e, input);
        // The last vector of zeros of the gradient must not meet a NaN.
        Value filled = e.mul(slab.extents[0], slab.view.strides[1]);
        LLVM::StoreOp::create(b, zero, e.address(slab.view, filled), bytes());
        // Up to the beginning of the last window.
        Value count = e.index(1);
        for (int64_t dim : llvm::seq(spatialRank())) {
          Value last = dim == 0 ? rows : e.size(op.getGrad(), dim + 2);
          last = e.mul(e.sub(last, e.index(1)), e.index(op.getStrides()[dim]));
          count = e.add(count, e.mul(last, slab.view.strides[dim + 1]));
        }
        layOutGradient(e, slab, channel, firstRow, rows, count);
        SmallVector<Value> offsets;
        for (const SmallVector<int64_t> &tap : some) {
          Value offset = e.index(0);
          for (auto [dim, i] : llvm::enumerate(tap))
            offset =
                e.add(offset, e.mul(e.index(i * op.getFilterDilation()[dim]),
                                    slab.view.strides[dim + 1]));
          offsets.push_back(offset);
        }
        return addProducts(e, slab, offsets, count, carried);
      });
  for (Value &sum : sums)
    sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD, sum,
                                      isa<FloatType>(input.elementType)
                                          ? arith::FastMathFlags::reassoc
                                          : arith::FastMathFlags::none);
  return sums;
}

/// What the sum of a tap begins at.
Value WindowFilterEmitter::initialSum(RegionEmitter &e,
                                      ArrayRef<Value> indices) {
  if (!op.getInit())
    return e.constant(input.elementType, 0);
  auto type = cast<RankedTensorType>(op.getInit().getType());
  return widen(e.builder(), e.element(op.getInit(), indices),
               type.getElementType(), input.elementType);
}

void WindowFilterEmitter::emitChannel(RegionEmitter &e, Value channel) {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t count = llvm::product_of(taps);
  int64_t parts = llvm::divideCeil(count, mostSums);
  int64_t size = llvm::divideCeil(count, parts);
  SmallVector<SmallVector<int64_t>> all;
  for (int64_t number : llvm::seq(count)) {
    SmallVector<int64_t> tap(taps.size());
    for (int64_t dim = spatialRank() - 1; dim >= 0; --dim) {
      tap[dim] = number % taps[dim];
      number /= taps[dim];
    }
    all.push_back(tap);
  }
  for (ArrayRef<SmallVector<int64_t>> rest = all; !rest.empty();) {
    ArrayRef<SmallVector<int64_t>> some =
        rest.take_front(std::min<int64_t>(size, rest.size()));
    rest = rest.drop_front(some.size());
    SmallVector<SmallVector<Value>> places;
    SmallVector<Value> sums;
    for (const SmallVector<int64_t> &tap : some) {
      places.push_back({channel, e.index(0)});
      for (int64_t i : tap)
        places.back().push_back(e.index(i));
      sums.push_back(initialSum(e, places.back()));
    }
    // One image after the other, so that any cut between images, where a sum
    // goes on from another, gives the same bits.
    sums =
        e.loop(e.index(0), e.size(op.getGrad(), 0), sums,
               [&](Value image, ValueRange carried) {
                 SmallVector<Value> next = sumTaps(e, channel, image, some);
                 for (auto [sum, before] : llvm::zip_equal(next, carried))
                   sum =
                       isa<FloatType>(input.elementType)
                           ? arith::AddFOp::create(b, before, sum).getResult()
                           : arith::AddIOp::create(b, before, sum).getResult();
                 return next;
               });
    for (auto [place, sum] : llvm::zip_equal(places, sums))
      epilogue.store(e, kernel, place, sum);
  }
}

/// The depthwise filter's gradient that the region computes, if there is one
/// that this kind of kernel is good for.
static ConvFilterOp findFilter(KernelBuilder &kernel) {
  ConvFilterOp found;
  for (Operation &op : kernel.getRegion().getBody().front()) {
    if (isa<ContractOp, ConvOp>(op))
      return nullptr;
    auto filter = dyn_cast<ConvFilterOp>(op);
    if (filter && found)
      return nullptr;
    found = filter ? filter : found;
  }
  if (!found || !found.getType().hasStaticShape())
    return nullptr;
  // A few taps each in registers, and few positions that strides skip.
  constexpr int64_t kMostTaps = 128, kMostStride = 4, kMostOutputs = 2;
  RankedTensorType type = found.getType(), grad = found.getGrad().getType();
  ArrayRef<int64_t> taps = type.getShape().drop_front(2);
  ArrayRef<int64_t> inner = grad.getShape().drop_front(2);
  Type element = type.getElementType();
  bool isSummable = element.isF16() || element.isBF16() || element.isF32() ||
                    element.isF64() || element.isInteger(32) ||
                    element.isInteger(64);
  int64_t outputs =
      type.getDimSize(0) / static_cast<int64_t>(found.getGroups());
  if (!isSummable || taps.empty() || type.getDimSize(1) != 1 ||
      outputs > kMostOutputs || llvm::product_of(taps) > kMostTaps ||
      llvm::product_of(taps) == 0 || found.getStrides().back() > kMostStride ||
      ShapedType::isDynamicShape(inner.drop_front()) ||
      llvm::is_contained(inner, 0))
    return nullptr;
  return found;
}

bool weft::cpu::emitWindowFilterKernel(KernelBuilder &kernel) {
  ConvFilterOp op = findFilter(kernel);
  if (!op)
    return false;
  std::optional<Epilogue> epilogue = Epilogue::create(kernel, op, {});
  if (!epilogue)
    return false;
  WindowFilterEmitter emitter(kernel, op, *epilogue);
  kernel.addTask(
      [&](RegionEmitter &e) { return e.index(op.getType().getDimSize(0)); },
      [&](RegionEmitter &e, Value begin, Value end) {
        epilogue->begin(e, kernel);
        e.loop(begin, end, {}, [&](Value channel, ValueRange) {
          emitter.emitChannel(e, channel);
          return SmallVector<Value>();
        });
      });
  return true;
}
