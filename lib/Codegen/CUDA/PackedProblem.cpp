//===- PackedProblem.cpp - Convolutions of what lies channels last --------===//

#include "PackedProblem.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "weft/Codegen/Common/ConvolutionProblem.h"
#include "weft/Codegen/Common/FilterProblem.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

void PackedProblem::addPreparation() { addChannelsLastTask(kernel, tensors); }

Value PackedProblem::patchOrZeros(RegionEmitter &e, ValueRange patch, Value k) {
  Value inside, position = patchPosition(e, patch, k, inside);
  if (inside)
    position = arith::SelectOp::create(e.builder(), inside, position,
                                       e.index(tensors[0].numElements()));
  return tensors[0].address(e, position);
}

static SmallVector<Value> constants(RegionEmitter &e, ArrayRef<int64_t> sizes) {
  return llvm::map_to_vector(sizes,
                             [&](int64_t size) { return e.index(size); });
}

/// The number of the position at `indices`, not all of which need be within
/// `sizes`.
static Value linearize(RegionEmitter &e, ValueRange indices,
                       ArrayRef<int64_t> sizes) {
  Value position = e.index(0);
  for (auto [index, size] : llvm::zip_equal(indices, sizes))
    position = e.add(e.mul(position, e.index(size)), index);
  return position;
}

/// Whether each position of the result meets one element of the input, and
/// none outside of it.
template <typename OpTy>
static bool isPointwise(OpTy op, ArrayRef<int64_t> taps) {
  auto isOne = [](int64_t value) { return value == 1; };
  auto isNoPadding = [](int64_t value) { return value <= 0; };
  return llvm::all_of(taps, isOne) &&
         llvm::all_of(op.getInputDilation(), isOne) &&
         llvm::all_of(op.getLow(), isNoPadding) &&
         llvm::all_of(op.getHigh(), isNoPadding);
}

/// The input of `op`, or of it what the positions of `result` meet if it is
/// pointwise.
template <typename OpTy>
static ChannelsLast packInput(KernelBuilder &kernel, OpTy op, Type type,
                              ArrayRef<int64_t> taps, RankedTensorType result) {
  if (!isPointwise(op, taps))
    return {kernel, op.getInput(), type};
  Sampling sampling{result.getShape().drop_front(2), op.getStrides(),
                    op.getLow()};
  return {kernel, op.getInput(), type, sampling};
}

/// Whether elements are 16 bits or f32, and such numbers of them fill 16 bytes
/// or multiples.
static bool hasChunks(const Contraction &problem, ArrayRef<int64_t> counts) {
  Type type = problem.operandType;
  if (!type.isF16() && !type.isBF16() && !type.isF32())
    return false;
  int64_t inChunk = 128 / type.getIntOrFloatBitWidth();
  return llvm::all_of(counts, [&](int64_t n) { return n % inChunk == 0; });
}

/// Whether the filter has no taps and lies in memory as a matrix whose rows or
/// columns fill 16 bytes or multiples.
static bool hasMatrixA(ConvolutionProblem &problem) {
  bool isTransposed = problem.isTransposedA();
  return llvm::product_of(problem.taps) == 1 &&
         (isTransposed ? hasChunks(problem, problem.staticM)
                       : problem.isContiguousA());
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

namespace {
/// A is the filter as [outputs, taps, channels], or as it lies if that is no
/// different, B the input as [images, positions, channels].
class PackedConvolution : public PackedProblem {
public:
  PackedConvolution(KernelBuilder &kernel,
                    std::unique_ptr<ConvolutionProblem> problem)
      : PackedProblem(kernel, *problem), plain(std::move(problem)),
        sizes(plain->conv.getInput().getType().getShape().drop_front(2)),
        channels(plain->conv.getFilter().getType().getDimSize(1)),
        isPoint(isPointwise(plain->conv, plain->taps)) {
    tensors.push_back(packInput(kernel, plain->conv, operandType, plain->taps,
                                plain->conv.getType()));
    if (!hasMatrixA(*plain))
      tensors.emplace_back(kernel, plain->conv.getFilter(), operandType);
  }

  SmallVector<Value> resultIndices(RegionEmitter &e, ArrayRef<Value> batch,
                                   Value m, Value n) override {
    return plain->resultIndices(e, batch, m, n);
  }

  bool isContiguousA() override { return !isTransposedA(); }
  bool isTransposedA() override {
    return tensors.size() == 1 && plain->isTransposedA();
  }
  Value columnAddressA(RegionEmitter &e, ArrayRef<Value> batch, Value m,
                       Value k) override {
    return plain->columnAddressA(e, batch, m, k);
  }
  Value rowAddress(RegionEmitter &e, ArrayRef<Value> batch, Value m) override {
    if (tensors.size() == 1)
      return plain->rowAddress(e, batch, m);
    Value row = e.add(e.mul(batch.back(), e.index(staticM)), m);
    return tensors[1].address(e, e.mul(row, e.index(staticK)));
  }
  int64_t depthRun() override { return channels; }
  bool isDeepB() override { return true; }
  SmallVector<Value> beginPatch(RegionEmitter &e, ArrayRef<Value> batch,
                                Value n) override;
  Value patchPosition(RegionEmitter &e, ValueRange patch, Value k,
                      Value &inside) override;

private:
  std::unique_ptr<ConvolutionProblem> plain;
  ArrayRef<int64_t> sizes; ///< of an image
  int64_t channels;        ///< of a group
  bool isPoint;            ///< columns follow each other, whole
};
} // namespace

/// With masks, where the patch's first element lies, and the mask if there is
/// padding; else the same of the image's, and the patch's place in it.
SmallVector<Value> PackedConvolution::beginPatch(RegionEmitter &e,
                                                 ArrayRef<Value> batch,
                                                 Value n) {
  Value group = e.mul(batch.back(), e.index(channels));
  if (isPoint)
    return {e.add(e.mul(n, e.index(tensors[0].channels)), group)};
  SmallVector<Value> place = plain->placeOf(e, batch, n);
  SmallVector<Value> starts = plain->startsOf(e, ArrayRef(place).drop_front());
  Value position = e.mul(place[0], e.index(tensors[0].positions));
  bool hasMask = plain->hasTapMasks();
  if (hasMask)
    position = e.add(position, linearize(e, starts, sizes));
  position = e.add(e.mul(position, e.index(tensors[0].channels)), group);
  SmallVector<Value> patch{position};
  if (!hasMask)
    llvm::append_range(patch, starts);
  else if (Value mask = plain->tapMask(e, starts))
    patch.push_back(mask);
  return patch;
}

Value PackedConvolution::patchPosition(RegionEmitter &e, ValueRange patch,
                                       Value k, Value &inside) {
  if (isPoint)
    return e.add(patch[0], k);
  ImplicitLocOpBuilder &b = e.builder();
  Value tap = e.div(k, e.index(channels)),
        channel = e.rem(k, e.index(channels));
  SmallVector<Value> indices = e.delinearize(tap, constants(e, plain->taps));
  for (auto [index, step] :
       llvm::zip_equal(indices, plain->conv.getFilterDilation()))
    index = e.mul(index, e.index(step));
  if (!plain->hasTapMasks())
    for (auto [dim, index] : llvm::enumerate(indices))
      index =
          plain->input.indexAt(e, dim, e.add(patch[dim + 1], index), inside);
  else if (patch.size() > 1)
    inside = ConvolutionProblem::isInMask(
        e, patch[1], arith::IndexCastOp::create(b, b.getI32Type(), tap));
  Value distance =
      e.mul(linearize(e, indices, sizes), e.index(tensors[0].channels));
  return e.add(patch[0], e.add(distance, channel));
}

//===----------------------------------------------------------------------===//
// Gradients of filters
//===----------------------------------------------------------------------===//

namespace {
/// A is the gradient as [images, positions, outputs], B the input as [images,
/// positions, channels]. Columns are ordered by taps, then channels.
class PackedFilter : public PackedProblem {
public:
  PackedFilter(KernelBuilder &kernel, std::unique_ptr<FilterProblem> problem)
      : PackedProblem(kernel, *problem), plain(std::move(problem)),
        sizes(plain->filter.getInput().getType().getShape().drop_front(2)),
        isPoint(isPointwise(plain->filter, plain->taps)) {
    tensors.push_back(packInput(kernel, plain->filter, operandType, plain->taps,
                                plain->filter.getGrad().getType()));
    tensors.emplace_back(kernel, plain->filter.getGrad(), operandType);
  }

  SmallVector<Value> resultIndices(RegionEmitter &e, ArrayRef<Value> batch,
                                   Value m, Value n) override;
  bool hasOrderedColumns() override {
    return llvm::product_of(plain->taps) == 1;
  }

  bool isContiguousA() override { return false; }
  Value rowAddress(RegionEmitter &e, ArrayRef<Value> batch, Value m) override {
    llvm_unreachable("rows of the gradient are never contiguous");
  }
  bool isTransposedA() override { return true; }
  Value columnAddressA(RegionEmitter &e, ArrayRef<Value> batch, Value m,
                       Value k) override {
    Value channel = e.add(e.mul(batch[0], e.index(staticM)), m);
    return tensors[1].address(
        e, e.add(e.mul(k, e.index(tensors[1].channels)), channel));
  }
  int64_t columnRun() override { return plain->groupChannels; }
  SmallVector<Value> beginPatch(RegionEmitter &e, ArrayRef<Value> batch,
                                Value n) override;
  Value patchPosition(RegionEmitter &e, ValueRange patch, Value k,
                      Value &inside) override;

private:
  std::unique_ptr<FilterProblem> plain;
  ArrayRef<int64_t> sizes; ///< of an image
  bool isPoint;            ///< rows follow each other, whole
};
} // namespace

SmallVector<Value> PackedFilter::resultIndices(RegionEmitter &e,
                                               ArrayRef<Value> batch, Value m,
                                               Value n) {
  Value channels = e.index(plain->groupChannels);
  SmallVector<Value> indices{e.add(e.mul(batch[0], e.index(staticM)), m),
                             e.rem(n, channels)};
  llvm::append_range(
      indices, e.delinearize(e.div(n, channels), constants(e, plain->taps)));
  return indices;
}

/// The column's channel, and how far its tap is from where a patch begins.
SmallVector<Value> PackedFilter::beginPatch(RegionEmitter &e,
                                            ArrayRef<Value> batch, Value n) {
  Value channels = e.index(plain->groupChannels);
  SmallVector<Value> patch{
      e.add(e.mul(batch[0], channels), e.rem(n, channels))};
  SmallVector<Value> taps =
      e.delinearize(e.div(n, channels), constants(e, plain->taps));
  for (auto [dim, tap] : llvm::enumerate(taps))
    patch.push_back(plain->positionOf(e, dim, e.index(0), tap));
  return patch;
}

Value PackedFilter::patchPosition(RegionEmitter &e, ValueRange patch, Value k,
                                  Value &inside) {
  if (isPoint)
    return e.add(e.mul(k, e.index(tensors[0].channels)), patch[0]);
  SmallVector<Value> place = e.delinearize(k, plain->depthSizes(e));
  SmallVector<Value> indices;
  for (auto [dim, index] : llvm::enumerate(ArrayRef(place).drop_front())) {
    Value start = e.mul(index, e.index(plain->filter.getStrides()[dim]));
    indices.push_back(
        plain->input.indexAt(e, dim, e.add(start, patch[dim + 1]), inside));
  }
  Value position = e.add(e.mul(place[0], e.index(tensors[0].positions)),
                         linearize(e, indices, sizes));
  return e.add(e.mul(position, e.index(tensors[0].channels)), patch[0]);
}

//===----------------------------------------------------------------------===//
// Which are packed
//===----------------------------------------------------------------------===//

/// The elements that tiles load of an operand with `outer` rows or columns,
/// which is loaded again for each row of tiles along the `other` index.
static double countLoads(const Contraction &problem, int64_t outer,
                         int64_t other) {
  constexpr int64_t kTile = 128;
  return static_cast<double>(problem.staticBatch) * problem.staticK * outer *
         llvm::divideCeil(other, kTile);
}

static double countElements(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getNumElements();
}

/// The elements of the input of `op` that are written.
template <typename OpTy>
static double countInput(OpTy op, ArrayRef<int64_t> taps,
                         RankedTensorType result) {
  double input = countElements(op.getInput());
  if (!isPointwise(op, taps))
    return input;
  ArrayRef<int64_t> met = result.getShape().drop_front(2);
  ArrayRef<int64_t> all = op.getInput().getType().getShape().drop_front(2);
  return input / llvm::product_of(all) * llvm::product_of(met);
}

/// Whether elements are better loaded once, and written to scratch, several
/// neighbours at a time, than `loads` times for tiles.
static bool isWorthIt(double loads, double elements, int64_t least) {
  return loads - elements / 2 >= static_cast<double>(least);
}

static bool canPack(ConvolutionProblem &problem, int64_t least) {
  ConvOp op = problem.conv;
  bool isImageWhole =
      problem.isPointwise && hasChunks(problem, problem.imageColumns);
  if (isImageWhole ||
      !hasChunks(problem, op.getFilter().getType().getDimSize(1)))
    return false;
  double loads = countLoads(problem, problem.staticN, problem.staticM);
  double elements = countInput(op, problem.taps, op.getType());
  if (!hasMatrixA(problem)) {
    elements += countElements(op.getFilter());
    if (!problem.isContiguousA())
      loads += countLoads(problem, problem.staticM, problem.staticN);
  }
  return isWorthIt(loads, elements, least);
}

static bool canPack(FilterProblem &problem, int64_t least) {
  ConvFilterOp op = problem.filter;
  if (!hasChunks(problem, {problem.staticM, problem.groupChannels}))
    return false;
  double loads = countLoads(problem, problem.staticM, problem.staticN) +
                 countLoads(problem, problem.staticN, problem.staticM);
  double elements = countElements(op.getGrad()) +
                    countInput(op, problem.taps, op.getGrad().getType());
  return isWorthIt(loads, elements, least);
}

/// The problem as one whose operands are in scratch, if it can be put so.
template <typename Packed, typename Problem>
static std::unique_ptr<PackedProblem>
pack(KernelBuilder &kernel, std::unique_ptr<Contraction> &problem,
     int64_t least) {
  if (!canPack(static_cast<Problem &>(*problem), least))
    return nullptr;
  std::unique_ptr<Problem> plain(static_cast<Problem *>(problem.release()));
  return std::make_unique<Packed>(kernel, std::move(plain));
}

std::unique_ptr<PackedProblem>
weft::cuda::packProblem(KernelBuilder &kernel,
                        std::unique_ptr<Contraction> &problem, int64_t least) {
  Operation *op = problem->op;
  if (!isa<ConvOp, ConvFilterOp>(op))
    return nullptr;
  int64_t sizes[] = {problem->staticM, problem->staticN, problem->staticK};
  auto isStatic = [](Value value) {
    return cast<RankedTensorType>(value.getType()).hasStaticShape();
  };
  // Neither a symbolic size nor a single row, which is computed in another way.
  if (!llvm::all_of(op->getOperands(), isStatic) ||
      llvm::any_of(sizes, [](int64_t size) { return size <= 1; }))
    return nullptr;
  if (isa<ConvOp>(op))
    return pack<PackedConvolution, ConvolutionProblem>(kernel, problem, least);
  return pack<PackedFilter, FilterProblem>(kernel, problem, least);
}
