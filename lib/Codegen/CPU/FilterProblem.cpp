//===- FilterProblem.cpp - weft.conv_filter as a product of matrices ------===//
//
// For each group: rows are output channels, columns the filter's channels and
// taps, and the depth runs over images and output positions. A is the gradient,
// whose rows lie in memory in pieces, one per image. B is what the taps meet:
// for some columns at a time it is laid out along the depth, by lines of output
// positions along which a tap walks over the input, with zeros before and after
// it; from there, panels are filled in squares that are transposed in
// registers.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "Slab.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
class FilterProblem : public Contraction {
public:
  explicit FilterProblem(ConvFilterOp op);

  SmallVector<Value> batchSizes(RegionEmitter &e) override {
    return {e.index(groups)};
  }
  Value rows(RegionEmitter &e) override { return e.index(staticM); }
  Value columns(RegionEmitter &e) override { return e.index(staticN); }
  Value depth(RegionEmitter &e) override { return e.product(depthSizes(e)); }
  SmallVector<Value> resultIndices(RegionEmitter &e, ArrayRef<Value> batch,
                                   Value m, Value n) override;

  Value elementA(RegionEmitter &e, ArrayRef<Value> batch, Value m,
                 Value k) override;
  Value elementB(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                 Value n) override;
  bool isContiguousA() override { return false; }
  bool isPlainB() override { return false; }
  bool isTransposedB() override { return false; }
  Value rowAddress(RegionEmitter &e, ArrayRef<Value> batch, Value m) override {
    llvm_unreachable("rows of the gradient are never contiguous");
  }
  Value columnAddress(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                      Value n) override {
    llvm_unreachable("what taps meet is never contiguous");
  }
  Value depthAddress(RegionEmitter &e, ArrayRef<Value> batch,
                     Value n) override {
    llvm_unreachable("what taps meet is never contiguous");
  }

  int64_t depthGranule() override { return hasImages ? 1 : lineLength; }
  int64_t packingBytes(int64_t columns, int64_t depth, int64_t lanes) override {
    return lanes / 2 * stripStride(depth, lanes) * bytes();
  }
  void packA(RegionEmitter &e, const RowBlock &block) override;
  void packB(RegionEmitter &e, const PanelBlock &block) override;

private:
  unsigned bytes() const { return accumulatorType.getIntOrFloatBitWidth() / 8; }
  /// Between the columns of a strip: a whole number of vectors, and one more,
  /// so that they do not drive each other from the cache.
  static int64_t stripStride(int64_t depth, int64_t lanes) {
    return llvm::alignTo(depth, lanes / 2) + lanes / 2;
  }
  Value positions(RegionEmitter &e);
  SmallVector<Value> depthSizes(RegionEmitter &e);
  SmallVector<Value> splitColumn(RegionEmitter &e, Value n);
  Value positionOf(RegionEmitter &e, int64_t dim, Value place, Value tap);
  void layOut(RegionEmitter &e, const PanelBlock &block, Value column,
              Value strip);
  void layOutLine(RegionEmitter &e, ArrayRef<Value> place,
                  ArrayRef<Value> parts, SmallVector<Value> indices, Value to);

  ConvFilterOp filter;
  WindowedInput input;
  int64_t groups, groupChannels, spatialRank;
  SmallVector<int64_t> taps;
  int64_t lineLength = 1; ///< positions along the last dimension
  bool hasLines = false;  ///< lines are known, and B is packed by them
  bool hasImages = false; ///< each position meets the element at its own place
};
} // namespace

FilterProblem::FilterProblem(ConvFilterOp op)
    : filter(op), groups(op.getGroups()) {
  this->op = op;
  init = op.getInit();
  RankedTensorType result = op.getType();
  spatialRank = result.getRank() - 2;
  taps = llvm::to_vector(result.getShape().drop_front(2));
  groupChannels = result.getDimSize(1);
  Type element = result.getElementType();
  accumulatorType = getSignlessType(element);
  if (element.isF16() || element.isBF16())
    accumulatorType = Float32Type::get(op.getContext());
  input = {.tensor = op.getInput(),
           .elementType = accumulatorType,
           .dilation = llvm::to_vector(op.getInputDilation()),
           .isPadded = SmallVector<bool>(spatialRank, true),
           .fill = cast<TypedAttr>(Builder(op).getZeroAttr(accumulatorType))};

  RankedTensorType grad = op.getGrad().getType();
  SmallVector<int64_t> depthShape(grad.getShape());
  depthShape.erase(depthShape.begin() + 1);
  staticBatch = groups;
  staticM = result.getDimSize(0) / groups;
  staticN = groupChannels * llvm::product_of(taps);
  staticK = ShapedType::isDynamicShape(depthShape)
                ? ShapedType::kDynamic
                : llvm::product_of(depthShape);
  for (int64_t dim : llvm::seq<int64_t>(1, result.getRank()))
    columnDims.push_back(dim);

  auto all = [](ArrayRef<int64_t> values, int64_t wanted) {
    return llvm::all_of(values, [&](int64_t value) { return value == wanted; });
  };
  hasImages = all(taps, 1) && all(op.getStrides(), 1) && all(op.getLow(), 0) &&
              all(op.getHigh(), 0) && all(op.getInputDilation(), 1) &&
              op.getInput().getType().getElementType() == accumulatorType &&
              !op.getInput().getDefiningOp();
  int64_t last = depthShape.back();
  hasLines = spatialRank > 0 && ShapedType::isStatic(last) && last > 0 &&
             op.getInputDilation().back() == 1;
  if (hasLines)
    lineLength = last;
}

/// The number of positions in an image.
Value FilterProblem::positions(RegionEmitter &e) {
  return e.product(ArrayRef(depthSizes(e)).drop_front());
}

/// Sizes of the images and of the positions in them.
SmallVector<Value> FilterProblem::depthSizes(RegionEmitter &e) {
  SmallVector<Value> sizes{e.size(filter.getGrad(), 0)};
  for (int64_t dim : llvm::seq(spatialRank))
    sizes.push_back(e.size(filter.getGrad(), dim + 2));
  return sizes;
}

/// The channel and the taps of column `n`.
SmallVector<Value> FilterProblem::splitColumn(RegionEmitter &e, Value n) {
  SmallVector<Value> sizes{e.index(groupChannels)};
  for (int64_t tap : taps)
    sizes.push_back(e.index(tap));
  return e.delinearize(n, sizes);
}

/// Where a tap lies along spatial dimension `dim`, in dilated steps.
Value FilterProblem::positionOf(RegionEmitter &e, int64_t dim, Value place,
                                Value tap) {
  Value start = e.sub(e.mul(tap, e.index(filter.getFilterDilation()[dim])),
                      e.index(filter.getLow()[dim]));
  return e.add(e.mul(place, e.index(filter.getStrides()[dim])), start);
}

SmallVector<Value> FilterProblem::resultIndices(RegionEmitter &e,
                                                ArrayRef<Value> batch, Value m,
                                                Value n) {
  SmallVector<Value> indices{e.add(e.mul(batch[0], e.index(staticM)), m)};
  llvm::append_range(indices, splitColumn(e, n));
  return indices;
}

Value FilterProblem::elementA(RegionEmitter &e, ArrayRef<Value> batch, Value m,
                              Value k) {
  SmallVector<Value> indices = e.delinearize(k, depthSizes(e));
  indices.insert(indices.begin() + 1,
                 e.add(e.mul(batch[0], e.index(staticM)), m));
  return widen(e.builder(), e.element(filter.getGrad(), indices),
               filter.getGrad().getType().getElementType(), accumulatorType);
}

Value FilterProblem::elementB(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                              Value n) {
  SmallVector<Value> place = e.delinearize(k, depthSizes(e));
  SmallVector<Value> parts = splitColumn(e, n);
  SmallVector<Value> indices{
      place[0], e.add(e.mul(batch[0], e.index(groupChannels)), parts[0])};
  Value inside;
  for (int64_t dim : llvm::seq(spatialRank))
    indices.push_back(input.indexAt(
        e, dim, positionOf(e, dim, place[dim + 1], parts[dim + 1]), inside));
  auto load = [&] { return input.element(e, indices); };
  return inside ? e.choose(inside, load,
                           [&] { return e.constant(accumulatorType, 0); })
                : load();
}

/// Copies `length` elements.
static void copyElements(RegionEmitter &e, Type type, Value from, Value to,
                         Value length) {
  e.loop(e.index(0), length, {}, [&](Value i, ValueRange) {
    Value element = LLVM::LoadOp::create(e.builder(), type,
                                         elementAddress(e, from, type, i));
    LLVM::StoreOp::create(e.builder(), element, elementAddress(e, to, type, i));
    return SmallVector<Value>();
  });
}

/// Where position `position` of a channel of an image lies.
static Value placeAddress(RegionEmitter &e, Value tensor, Value image,
                          Value channel, Value position) {
  const MemoryView &view = *e.getMemory(tensor);
  Value start =
      e.add(e.mul(image, view.strides[0]), e.mul(channel, view.strides[1]));
  return e.address(view, e.add(start, position));
}

void FilterProblem::packA(RegionEmitter &e, const RowBlock &block) {
  Value grad = filter.getGrad();
  if (grad.getDefiningOp() ||
      filter.getGrad().getType().getElementType() != accumulatorType)
    return Contraction::packA(e, block);
  Value firstChannel = e.add(e.mul(block.batch[0], e.index(staticM)), block.m0);
  forEachPiece(
      e, block.k0, block.depth, positions(e),
      [&](Value image, Value position, Value firstK, Value length) {
        e.loop(e.index(0), block.rows, {}, [&](Value row, ValueRange) {
          Value at = e.add(e.mul(row, e.index(block.stride)), firstK);
          copyElements(
              e, accumulatorType,
              placeAddress(e, grad, image, e.add(firstChannel, row), position),
              elementAddress(e, block.tile, accumulatorType, at), length);
          return SmallVector<Value>();
        });
      });
}

/// Lays out at `to` what a column, of which `parts` are the channel and the
/// taps, meets along one line of positions, at `place` (the image and all
/// positions but the last). `indices` are the image and channel of the input.
void FilterProblem::layOutLine(RegionEmitter &e, ArrayRef<Value> place,
                               ArrayRef<Value> parts,
                               SmallVector<Value> indices, Value to) {
  ImplicitLocOpBuilder &b = e.builder();
  Value inside;
  int64_t last = spatialRank - 1;
  for (int64_t dim : llvm::seq(last))
    indices.push_back(input.indexAt(
        e, dim, positionOf(e, dim, place[dim + 1], parts[dim + 1]), inside));

  // The positions whose element is one of the input's.
  Value zero = e.index(0), length = e.index(lineLength);
  Value stride = e.index(filter.getStrides()[last]);
  Value start = positionOf(e, last, zero, parts[last + 1]);
  Value size = e.size(filter.getInput(), last + 2);
  Value begin =
      e.min(e.ceilDiv(e.max(e.sub(zero, start), zero), stride), length);
  Value end = e.min(e.ceilDiv(e.max(e.sub(size, start), zero), stride), length);
  end = e.max(begin, end);
  if (inside) {
    begin = arith::SelectOp::create(b, inside, begin, length);
    end = arith::SelectOp::create(b, inside, end, length);
  }
  auto store = [&](Value position, Value value) {
    LLVM::StoreOp::create(b, value,
                          elementAddress(e, to, accumulatorType, position));
    return SmallVector<Value>();
  };
  Value fill = e.constant(accumulatorType, 0);
  e.loop(zero, begin, {}, [&](Value i, ValueRange) { return store(i, fill); });
  indices.push_back(nullptr);
  e.loop(begin, end, {}, [&](Value i, ValueRange) {
    indices.back() = e.add(e.mul(i, stride), start);
    return store(i, input.element(e, indices));
  });
  e.loop(end, length, {}, [&](Value i, ValueRange) { return store(i, fill); });
}

/// Lays out at `strip` what `column` meets along the block's depth.
void FilterProblem::layOut(RegionEmitter &e, const PanelBlock &block,
                           Value column, Value strip) {
  SmallVector<Value> parts = splitColumn(e, column);
  Value channel =
      e.add(e.mul(block.batch[0], e.index(groupChannels)), parts[0]);
  auto at = [&](Value k) {
    return elementAddress(e, strip, accumulatorType, k);
  };
  if (hasImages)
    return forEachPiece(
        e, block.k0, block.depth, positions(e),
        [&](Value image, Value position, Value firstK, Value length) {
          copyElements(
              e, accumulatorType,
              placeAddress(e, filter.getInput(), image, channel, position),
              at(firstK), length);
        });
  Value length = e.index(lineLength), firstLine = e.div(block.k0, length);
  SmallVector<Value> sizes = depthSizes(e);
  sizes.pop_back();
  e.loop(
      e.index(0), e.div(block.depth, length), {}, [&](Value line, ValueRange) {
        SmallVector<Value> place = e.delinearize(e.add(firstLine, line), sizes);
        layOutLine(e, place, parts, {place[0], channel},
                   at(e.mul(line, length)));
        return SmallVector<Value>();
      });
}

void FilterProblem::packB(RegionEmitter &e, const PanelBlock &block) {
  if (!hasLines && !hasImages)
    return Contraction::packB(e, block);
  ImplicitLocOpBuilder &b = e.builder();
  int64_t side = block.lanes / 2,
          stride = stripStride(block.panelDepth, block.lanes);
  auto vectorType = VectorType::get(side, accumulatorType);
  auto stripOf = [&](Value lane) {
    return elementAddress(e, block.scratch, accumulatorType,
                          e.mul(lane, e.index(stride)));
  };
  Value last = e.sub(block.columns, e.index(1));
  Value panels = e.ceilDiv(block.columns, e.index(block.lanes));
  e.loopNest({panels, e.index(2)}, {}, [&](ArrayRef<Value> place, ValueRange) {
    Value firstLane = e.mul(place[1], e.index(side));
    Value first = e.add(e.mul(place[0], e.index(block.lanes)), firstLane);
    e.loop(e.index(0), e.index(side), {}, [&](Value lane, ValueRange) {
      Value column = e.add(block.n0, e.min(e.add(first, lane), last));
      layOut(e, block, column, stripOf(lane));
      return SmallVector<Value>();
    });
    Value firstRow = e.mul(place[0], e.index(block.panelDepth));
    // Rows of the last square that lie beyond the depth go where rows of the
    // next panel follow, or behind all.
    e.loop(e.index(0), e.ceilDiv(block.depth, e.index(side)), {},
           [&](Value square, ValueRange) {
             Value k = e.mul(square, e.index(side));
             SmallVector<Value> rows;
             for (int64_t i : llvm::seq(side))
               rows.push_back(LLVM::LoadOp::create(
                   b, vectorType,
                   elementAddress(e, stripOf(e.index(i)), accumulatorType, k),
                   bytes()));
             transposeSquare(b, rows);
             for (auto [i, row] : llvm::enumerate(rows)) {
               Value to = e.add(firstRow, e.add(k, e.index(i)));
               to = e.add(e.mul(to, e.index(block.lanes)), firstLane);
               LLVM::StoreOp::create(
                   b, row, elementAddress(e, block.panels, accumulatorType, to),
                   bytes());
             }
             return SmallVector<Value>();
           });
    return SmallVector<Value>();
  });
}

std::unique_ptr<Contraction> weft::cpu::createFilterProblem(ConvFilterOp op) {
  Type element = op.getType().getElementType();
  bool isSummable = element.isF16() || element.isBF16() || element.isF32() ||
                    element.isF64() || element.isInteger(32) ||
                    element.isInteger(64);
  if (!isSummable || !op.getType().hasStaticShape())
    return nullptr;
  return std::make_unique<FilterProblem>(op);
}
