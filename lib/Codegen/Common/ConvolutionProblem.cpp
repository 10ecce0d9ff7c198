//===- ConvolutionProblem.cpp - weft.conv as a product of matrices --------===//

#include "weft/Codegen/Common/ConvolutionProblem.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;

ConvolutionProblem::ConvolutionProblem(ConvOp op, Type wanted)
    : conv(op), groups(op.getGroups()) {
  this->op = op;
  RankedTensorType inputType = op.getInput().getType();
  RankedTensorType filter = op.getFilter().getType();
  RankedTensorType result = op.getType();
  spatialRank = result.getRank() - 2;
  taps = llvm::to_vector(filter.getShape().drop_front(2));
  Type element = result.getElementType();
  accumulatorType = getSignlessType(element);
  if (element.isF16() || element.isBF16())
    accumulatorType = Float32Type::get(op.getContext());
  operandType = wanted ? wanted : accumulatorType;

  input = {.tensor = op.getInput(),
           .elementType = operandType,
           .dilation = llvm::to_vector(op.getInputDilation()),
           .isPadded = {},
           .fill = cast<TypedAttr>(Builder(op).getZeroAttr(operandType))};
  for (auto [low, high] : llvm::zip_equal(op.getLow(), op.getHigh()))
    input.isPadded.push_back(low > 0 || high > 0);

  auto product = [](ArrayRef<int64_t> sizes) {
    return ShapedType::isDynamicShape(sizes) ? ShapedType::kDynamic
                                             : llvm::product_of(sizes);
  };
  staticBatch = result.isDynamicDim(0) ? ShapedType::kDynamic
                                       : result.getDimSize(0) * groups;
  staticM = filter.getDimSize(0) / groups;
  staticN = imageColumns = product(result.getShape().drop_front(2));
  staticK = product(filter.getShape().drop_front(1));
  for (int64_t dim : llvm::seq<int64_t>(2, result.getRank()))
    columnDims.push_back(dim);

  auto all = [](ArrayRef<int64_t> values, int64_t wanted) {
    return llvm::all_of(values, [&](int64_t v) { return v == wanted; });
  };
  isPointwise = all(taps, 1) && all(op.getStrides(), 1) &&
                all(op.getLow(), 0) && all(op.getHigh(), 0) &&
                all(op.getInputDilation(), 1) &&
                inputType.getElementType() == operandType &&
                !op.getInput().getDefiningOp();
}

void ConvolutionProblem::joinImages() {
  int64_t images = conv.getType().getDimSize(0);
  bool isKnown = ShapedType::isStatic(images) && ShapedType::isStatic(staticN);
  hasJoinedImages = true;
  staticBatch = groups;
  staticN = isKnown ? staticN * images : ShapedType::kDynamic;
}

SmallVector<Value> ConvolutionProblem::outputSizes(RegionEmitter &e) {
  SmallVector<Value> sizes;
  for (int64_t dim : llvm::seq(spatialRank))
    sizes.push_back(e.size(conv.getResult(), dim + 2));
  return sizes;
}

SmallVector<Value> ConvolutionProblem::columnSizes(RegionEmitter &e) {
  SmallVector<Value> sizes = outputSizes(e);
  if (hasJoinedImages)
    sizes.insert(sizes.begin(), e.size(conv.getInput(), 0));
  return sizes;
}

SmallVector<Value> ConvolutionProblem::placeOf(RegionEmitter &e,
                                               ArrayRef<Value> batch, Value n) {
  SmallVector<Value> place = e.delinearize(n, columnSizes(e));
  if (!hasJoinedImages)
    place.insert(place.begin(), batch[0]);
  return place;
}

SmallVector<Value> ConvolutionProblem::resultIndices(RegionEmitter &e,
                                                     ArrayRef<Value> batch,
                                                     Value m, Value n) {
  Value channel = e.add(e.mul(batch.back(), e.index(staticM)), m);
  if (hasJoinedImages && batch.size() == 1) {
    SmallVector<Value> place = placeOf(e, batch, n);
    place.insert(place.begin() + 1, channel);
    return place;
  }
  SmallVector<Value> indices{batch[0], channel};
  llvm::append_range(indices, e.delinearize(n, outputSizes(e)));
  return indices;
}

void ConvolutionProblem::forEachRun(RegionEmitter &e, ArrayRef<Value> batch,
                                    Value n0, Value columns, RunFn body) {
  if (!hasJoinedImages)
    return Contraction::forEachRun(e, batch, n0, columns, body);
  Value size = e.product(outputSizes(e));
  forEachPiece(e, n0, columns, size,
               [&](Value image, Value position, Value first, Value length) {
                 body({image, batch[0]}, position, first, length);
               });
}

Value ConvolutionProblem::rowAddress(RegionEmitter &e, ArrayRef<Value> batch,
                                     Value m) {
  Value channel = e.add(e.mul(batch.back(), e.index(staticM)), m);
  return e.address(*e.getMemory(conv.getFilter()),
                   e.mul(channel, e.index(staticK)));
}

/// Whether the filter is one without taps whose outputs and channels were
/// exchanged, as in gradients.
bool ConvolutionProblem::isTransposedA() {
  auto transpose = conv.getFilter().getDefiningOp<TransposeOp>();
  return transpose && !transpose.getInput().getDefiningOp() && groups == 1 &&
         llvm::all_of(taps, [](int64_t count) { return count == 1; }) &&
         transpose.getPermutation().take_front(2) == ArrayRef<int64_t>{1, 0} &&
         conv.getFilter().getType().getElementType() == operandType;
}

Value ConvolutionProblem::columnAddressA(RegionEmitter &e,
                                         ArrayRef<Value> batch, Value m,
                                         Value k) {
  auto transpose = conv.getFilter().getDefiningOp<TransposeOp>();
  return e.address(*e.getMemory(transpose.getInput()),
                   e.add(e.mul(k, e.index(staticM)), m));
}

/// Indices into [channels, taps...] of depth `k`.
static SmallVector<Value> splitDepth(RegionEmitter &e, Value k,
                                     ArrayRef<int64_t> taps) {
  SmallVector<Value> sizes{e.index(1)};
  for (int64_t tap : taps)
    sizes.push_back(e.index(tap));
  return e.delinearize(k, sizes);
}

Value ConvolutionProblem::elementA(RegionEmitter &e, ArrayRef<Value> batch,
                                   Value m, Value k) {
  SmallVector<Value> indices{e.add(e.mul(batch.back(), e.index(staticM)), m)};
  llvm::append_range(indices, splitDepth(e, k, taps));
  return widen(e.builder(), e.element(conv.getFilter(), indices),
               conv.getFilter().getType().getElementType(), operandType);
}

Value ConvolutionProblem::patchElement(RegionEmitter &e, ArrayRef<Value> batch,
                                       Value k, ArrayRef<Value> starts) {
  int64_t groupChannels = conv.getFilter().getType().getDimSize(1);
  SmallVector<Value> parts = splitDepth(e, k, taps);
  SmallVector<Value> indices{
      batch[0], e.add(e.mul(batch[1], e.index(groupChannels)), parts[0])};
  Value inside;
  for (int64_t dim : llvm::seq(spatialRank))
    indices.push_back(input.indexAt(
        e, dim,
        e.add(starts[dim],
              e.mul(parts[dim + 1], e.index(conv.getFilterDilation()[dim]))),
        inside));
  return input.element(e, indices, inside);
}

/// Whether the distances between elements of a patch are known, and fit a word.
bool ConvolutionProblem::hasShortDistances() {
  constexpr int64_t kMostStep = 1 << 20, kMost = INT32_MAX;
  ArrayRef<int64_t> sizes = conv.getInput().getType().getShape().drop_front();
  if (ShapedType::isDynamicShape(sizes) || llvm::is_contained(sizes, 0))
    return false;
  int64_t reach = 0, stride = 1;
  for (int64_t dim = spatialRank; dim-- > 0;) {
    int64_t step = conv.getFilterDilation()[dim];
    if (step > kMostStep || stride > kMost)
      return false;
    reach += (taps[dim] - 1) * step * stride;
    stride *= sizes[dim + 1];
  }
  if (stride <= kMost)
    reach += (conv.getFilter().getType().getDimSize(1) - 1) * stride;
  return stride <= kMost && reach <= kMost;
}

bool ConvolutionProblem::hasTapMasks() {
  constexpr int64_t kMostTaps = 32;
  return llvm::product_of(taps) <= kMostTaps &&
         llvm::all_of(conv.getInputDilation(),
                      [](int64_t step) { return step == 1; });
}

void ConvolutionProblem::lookUpDepth(TableFn fn) {
  constexpr int64_t kMostDepth = 1 << 13;
  if (staticK <= kMostDepth && hasTapMasks() && hasShortDistances())
    table = std::move(fn);
}

Value ConvolutionProblem::tapMask(RegionEmitter &e, ArrayRef<Value> starts) {
  if (!llvm::is_contained(input.isPadded, true))
    return nullptr;
  ImplicitLocOpBuilder &b = e.builder();
  Type i32 = b.getI32Type();
  SmallVector<SmallVector<Value>> meets(spatialRank);
  for (int64_t dim : llvm::seq(spatialRank))
    for (int64_t tap : llvm::seq(taps[dim])) {
      Value inside;
      Value distance = e.index(tap * conv.getFilterDilation()[dim]);
      input.indexAt(e, dim, e.add(starts[dim], distance), inside);
      meets[dim].push_back(inside);
    }
  Value mask = e.constant(i32, 0);
  for (int64_t tap : llvm::seq(llvm::product_of(taps))) {
    Value inside;
    int64_t rest = tap;
    for (int64_t dim = spatialRank; dim-- > 0; rest /= taps[dim])
      if (Value meet = meets[dim][rest % taps[dim]])
        inside = inside ? Value(arith::AndIOp::create(b, inside, meet)) : meet;
    Value bit = arith::ExtUIOp::create(b, i32, inside);
    bit = arith::ShLIOp::create(b, bit, e.constant(i32, tap));
    mask = arith::OrIOp::create(b, mask, bit);
  }
  return mask;
}

Value ConvolutionProblem::isInMask(RegionEmitter &e, Value mask, Value tap) {
  ImplicitLocOpBuilder &b = e.builder();
  Value bit = arith::ShRUIOp::create(b, mask, tap);
  return arith::TruncIOp::create(b, b.getI1Type(), bit);
}

/// An element of a patch that begins at `starts`: a table has for each depth
/// how far it lies from the patch's first element, and the number of its tap; a
/// mask of the column's has the taps that meet the input.
Value ConvolutionProblem::lookedUpElement(RegionEmitter &e,
                                          ArrayRef<Value> batch, Value k,
                                          ArrayRef<Value> starts) {
  ImplicitLocOpBuilder &b = e.builder();
  Type i32 = b.getI32Type();
  const MemoryView &view = *e.getMemory(conv.getInput());
  ArrayRef<int64_t> sizes = conv.getInput().getType().getShape().drop_front(2);
  ArrayRef<int64_t> steps = conv.getFilterDilation();
  int64_t numTaps = llvm::product_of(taps), image = llvm::product_of(sizes);
  int64_t groupChannels = conv.getFilter().getType().getDimSize(1);

  SmallVector<int32_t> words;
  for (int64_t depth : llvm::seq(staticK)) {
    int64_t tap = depth % numTaps, rest = tap, distance = 0, stride = 1;
    for (int64_t dim = spatialRank; dim-- > 0; rest /= taps[dim]) {
      distance += rest % taps[dim] * steps[dim] * stride;
      stride *= sizes[dim];
    }
    words.push_back(static_cast<int32_t>(depth / numTaps * image + distance));
    words.push_back(static_cast<int32_t>(tap));
  }
  Value mask = tapMask(e, starts);
  Value position = e.mul(batch[0], view.strides[0]);
  position = e.add(position, e.mul(batch[1], e.index(groupChannels * image)));
  for (int64_t dim : llvm::seq(spatialRank))
    position = e.add(position, e.mul(starts[dim], view.strides[dim + 2]));

  auto pair = VectorType::get(2, i32);
  Value entry = LLVM::LoadOp::create(b, pair,
                                     e.address({.pointer = table(e, words),
                                                .elementType = b.getI64Type(),
                                                .sizes = {},
                                                .strides = {}},
                                               k),
                                     /*alignment=*/8, /*isVolatile=*/false,
                                     /*isNonTemporal=*/false,
                                     /*isInvariant=*/true);
  auto word = [&](int64_t number) -> Value {
    return vector::ExtractOp::create(b, entry, number);
  };
  position =
      e.add(position, arith::IndexCastOp::create(b, b.getIndexType(), word(0)));
  Value inside = mask ? isInMask(e, mask, word(1)) : Value();
  return input.elementAt(e, position, inside);
}

SmallVector<Value> ConvolutionProblem::startsOf(RegionEmitter &e,
                                                ArrayRef<Value> positions) {
  SmallVector<Value> starts;
  for (auto [dim, i] : llvm::enumerate(positions))
    starts.push_back(e.sub(e.mul(i, e.index(conv.getStrides()[dim])),
                           e.index(conv.getLow()[dim])));
  return starts;
}

Value ConvolutionProblem::elementB(RegionEmitter &e, ArrayRef<Value> batch,
                                   Value k, Value n) {
  SmallVector<Value> place = placeOf(e, batch, n);
  SmallVector<Value> starts = startsOf(e, ArrayRef(place).drop_front());
  SmallVector<Value> image{place[0], batch.back()};
  return table && e.getMemory(conv.getInput())
             ? lookedUpElement(e, image, k, starts)
             : patchElement(e, image, k, starts);
}

Value ConvolutionProblem::columnAddress(RegionEmitter &e, ArrayRef<Value> batch,
                                        Value k, Value n) {
  const MemoryView &view = *e.getMemory(conv.getInput());
  int64_t groupChannels = conv.getFilter().getType().getDimSize(1);
  Value image = batch[0];
  if (hasJoinedImages) {
    Value size = e.product(outputSizes(e));
    image = e.div(n, size);
    n = e.rem(n, size);
  }
  Value channel = e.add(e.mul(batch.back(), e.index(groupChannels)), k);
  Value position =
      e.add(e.mul(image, view.strides[0]), e.mul(channel, view.strides[1]));
  return e.address(view, e.add(position, n));
}

std::unique_ptr<ConvolutionProblem>
ConvolutionProblem::create(ConvOp op, Type operandType) {
  RankedTensorType filter = op.getFilter().getType();
  // One channel per group leaves nothing to multiply matrices of.
  bool isDepthwise =
      filter.getDimSize(1) == 1 &&
      filter.getDimSize(0) / static_cast<int64_t>(op.getGroups()) <= 2;
  if (!isSummable(op.getType().getElementType()) || !filter.hasStaticShape() ||
      isDepthwise)
    return nullptr;
  return std::unique_ptr<ConvolutionProblem>(
      new ConvolutionProblem(op, operandType));
}
