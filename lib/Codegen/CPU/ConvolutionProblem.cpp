//===- ConvolutionProblem.cpp - weft.conv as a product of matrices --------===//
//
// For each image and group: rows are output channels, columns output positions,
// and the depth runs over input channels and filter taps. A is the filter as it
// lies in memory. B is packed in two steps, so that patches never exist as a
// whole: what a block of columns sees of the input is copied, with zeros around
// it, into a slab; then panels are filled from the slab, where the element that
// a tap reads for a column lies at the tap's offset plus the column's.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "Slab.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
class ConvolutionProblem : public Contraction {
public:
  explicit ConvolutionProblem(ConvOp op);

  SmallVector<Value> batchSizes(RegionEmitter &e) override {
    return {e.size(conv.getInput(), 0), e.index(groups)};
  }
  Value rows(RegionEmitter &e) override { return e.index(staticM); }
  Value columns(RegionEmitter &e) override { return e.product(outputSizes(e)); }
  Value depth(RegionEmitter &e) override { return e.index(staticK); }
  SmallVector<Value> resultIndices(RegionEmitter &e, ArrayRef<Value> batch,
                                   Value m, Value n) override;

  bool isContiguousA() override {
    return !conv.getFilter().getDefiningOp() &&
           conv.getFilter().getType().getElementType() == accumulatorType;
  }
  Value rowAddress(RegionEmitter &e, ArrayRef<Value> batch, Value m) override;
  Value elementA(RegionEmitter &e, ArrayRef<Value> batch, Value m,
                 Value k) override;
  Value elementB(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                 Value n) override;
  bool isPlainB() override { return isPointwise; }
  bool isTransposedB() override { return false; }
  Value columnAddress(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                      Value n) override;
  Value depthAddress(RegionEmitter &e, ArrayRef<Value> batch,
                     Value n) override {
    llvm_unreachable("columns of patches are never contiguous");
  }

  int64_t depthGranule() override {
    return hasSlab ? llvm::product_of(taps) : 1;
  }
  int64_t columnPeriod() override { return hasSlab ? rowLength : 1; }
  int64_t packingBytes(int64_t columns, int64_t depth, int64_t lanes) override;
  void packB(RegionEmitter &e, const PanelBlock &block) override;

private:
  SmallVector<Value> outputSizes(RegionEmitter &e);
  Value patchElement(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                     ArrayRef<Value> starts);

  SmallVector<int64_t> slabShape(int64_t columns);
  Slab makeSlab(RegionEmitter &e, const PanelBlock &block);
  void fillColumns(RegionEmitter &e, const PanelBlock &block, const Slab &slab);
  struct Columns;
  void fillSegments(RegionEmitter &e, const PanelBlock &block, Value panel);
  void fillPanelRow(RegionEmitter &e, const PanelBlock &block, Value panel,
                    Value from, Value to);

  ConvOp conv;
  WindowedInput input;
  int64_t groups, spatialRank;
  SmallVector<int64_t> taps;
  bool isPointwise;      ///< each output position reads the same input position
  bool hasSlab = false;  ///< the sizes that a slab's shape depends on are known
  int64_t rowLength = 1; ///< output positions per index of the first dimension
};
} // namespace

ConvolutionProblem::ConvolutionProblem(ConvOp op)
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

  input = {.tensor = op.getInput(),
           .elementType = accumulatorType,
           .dilation = llvm::to_vector(op.getInputDilation()),
           .isPadded = {},
           .fill = cast<TypedAttr>(Builder(op).getZeroAttr(accumulatorType))};
  for (auto [low, high] : llvm::zip_equal(op.getLow(), op.getHigh()))
    input.isPadded.push_back(low > 0 || high > 0);

  auto product = [](ArrayRef<int64_t> sizes) {
    return ShapedType::isDynamicShape(sizes) ? ShapedType::kDynamic
                                             : llvm::product_of(sizes);
  };
  staticBatch = result.isDynamicDim(0) ? ShapedType::kDynamic
                                       : result.getDimSize(0) * groups;
  staticM = filter.getDimSize(0) / groups;
  staticN = product(result.getShape().drop_front(2));
  staticK = product(filter.getShape().drop_front(1));
  for (int64_t dim : llvm::seq<int64_t>(2, result.getRank()))
    columnDims.push_back(dim);

  auto all = [](ArrayRef<int64_t> values, int64_t wanted) {
    return llvm::all_of(values, [&](int64_t v) { return v == wanted; });
  };
  isPointwise = all(taps, 1) && all(op.getStrides(), 1) &&
                all(op.getLow(), 0) && all(op.getHigh(), 0) &&
                all(op.getInputDilation(), 1) &&
                inputType.getElementType() == accumulatorType &&
                !op.getInput().getDefiningOp();
  // Without spatial dimensions there is but one column.
  if (taps.empty())
    return;
  ArrayRef<int64_t> rowShape = result.getShape().drop_front(3);
  hasSlab = !isPointwise && staticK > 0 &&
            !ShapedType::isDynamicShape(rowShape) &&
            !llvm::is_contained(rowShape, 0);
  if (hasSlab)
    rowLength = llvm::product_of(rowShape);
}

SmallVector<Value> ConvolutionProblem::outputSizes(RegionEmitter &e) {
  SmallVector<Value> sizes;
  for (int64_t dim : llvm::seq(spatialRank))
    sizes.push_back(e.size(conv.getResult(), dim + 2));
  return sizes;
}

SmallVector<Value> ConvolutionProblem::resultIndices(RegionEmitter &e,
                                                     ArrayRef<Value> batch,
                                                     Value m, Value n) {
  SmallVector<Value> indices{batch[0],
                             e.add(e.mul(batch[1], e.index(staticM)), m)};
  llvm::append_range(indices, e.delinearize(n, outputSizes(e)));
  return indices;
}

Value ConvolutionProblem::rowAddress(RegionEmitter &e, ArrayRef<Value> batch,
                                     Value m) {
  Value channel = e.add(e.mul(batch[1], e.index(staticM)), m);
  return e.address(*e.getMemory(conv.getFilter()),
                   e.mul(channel, e.index(staticK)));
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
  SmallVector<Value> indices{e.add(e.mul(batch[1], e.index(staticM)), m)};
  llvm::append_range(indices, splitDepth(e, k, taps));
  return widen(e.builder(), e.element(conv.getFilter(), indices),
               conv.getFilter().getType().getElementType(), accumulatorType);
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
  auto load = [&] { return input.element(e, indices); };
  return inside ? e.choose(inside, load,
                           [&] { return e.constant(accumulatorType, 0); })
                : load();
}

Value ConvolutionProblem::elementB(RegionEmitter &e, ArrayRef<Value> batch,
                                   Value k, Value n) {
  SmallVector<Value> starts;
  for (auto [dim, i] : llvm::enumerate(e.delinearize(n, outputSizes(e))))
    starts.push_back(e.sub(e.mul(i, e.index(conv.getStrides()[dim])),
                           e.index(conv.getLow()[dim])));
  return patchElement(e, batch, k, starts);
}

Value ConvolutionProblem::columnAddress(RegionEmitter &e, ArrayRef<Value> batch,
                                        Value k, Value n) {
  const MemoryView &view = *e.getMemory(conv.getInput());
  int64_t groupChannels = conv.getFilter().getType().getDimSize(1);
  Value channel = e.add(e.mul(batch[1], e.index(groupChannels)), k);
  Value position =
      e.add(e.mul(batch[0], view.strides[0]), e.mul(channel, view.strides[1]));
  return e.address(view, e.add(position, n));
}

//===----------------------------------------------------------------------===//
// Slabs
//===----------------------------------------------------------------------===//

/// Sizes of the spatial dimensions of a slab for a block of `columns` columns.
SmallVector<int64_t> ConvolutionProblem::slabShape(int64_t columns) {
  // A block that is not made of whole rows may begin and end within one.
  int64_t rows = columns % rowLength == 0
                     ? columns / rowLength
                     : llvm::divideCeil(columns - 1, rowLength) + 1;
  SmallVector<int64_t> shape{rows};
  llvm::append_range(shape, conv.getType().getShape().drop_front(3));
  for (auto [dim, size] : llvm::enumerate(shape))
    size = (size - 1) * conv.getStrides()[dim] +
           (taps[dim] - 1) * conv.getFilterDilation()[dim] + 1;
  return shape;
}

/// The table of a block's columns: for each panel and lane, where the patch
/// begins in a channel of the slab; then, for each panel, its segments, which
/// are lanes whose patches begin side by side: their number, and for each the
/// first lane and its offset.
struct ConvolutionProblem::Columns {
  MemoryView offsets, counts, lanes, starts;

  Columns(RegionEmitter &e, const PanelBlock &block) {
    Type i64 = e.builder().getI64Type();
    int64_t next = 0;
    for (MemoryView *view : {&offsets, &counts, &lanes, &starts}) {
      Value place = elementAddress(e, block.scratch, i64, e.index(next));
      *view = MemoryView{place, i64, {}, {}};
      next += block.blockColumns;
    }
  }
  static int64_t bytes(int64_t columns) {
    return llvm::alignTo(4 * columns * 8, 64);
  }
};

int64_t ConvolutionProblem::packingBytes(int64_t columns, int64_t depth,
                                         int64_t lanes) {
  if (!hasSlab)
    return 0;
  int64_t channels = depth / llvm::product_of(taps);
  int64_t elements = channels * llvm::product_of(slabShape(columns));
  // The last segment may be read beyond its end.
  elements += lanes;
  return Columns::bytes(columns) +
         elements * accumulatorType.getIntOrFloatBitWidth() / 8;
}

/// The slab that a block's columns see, laid out but not filled.
Slab ConvolutionProblem::makeSlab(RegionEmitter &e, const PanelBlock &block) {
  int64_t tapCount = llvm::product_of(taps);
  int64_t groupChannels = conv.getFilter().getType().getDimSize(1);
  Slab slab;
  slab.image = block.batch[0];
  slab.firstChannel = e.add(e.mul(block.batch[1], e.index(groupChannels)),
                            e.div(block.k0, e.index(tapCount)));
  slab.channels = e.div(block.depth, e.index(tapCount));

  SmallVector<int64_t> shape = slabShape(block.blockColumns);
  slab.view.pointer =
      elementAddress(e, block.scratch, e.builder().getI8Type(),
                     e.index(Columns::bytes(block.blockColumns)));
  slab.view.elementType = accumulatorType;
  slab.view.sizes.push_back(e.index(block.panelDepth / tapCount));
  for (int64_t size : shape)
    slab.view.sizes.push_back(e.index(size));
  slab.view.strides = e.rowMajorStrides(slab.view.sizes);
  slab.extents.assign(slab.view.sizes.begin() + 1, slab.view.sizes.end());

  // Rows from that of the first column to that of the last.
  Value rowColumns = e.index(rowLength);
  Value firstRow = e.div(block.n0, rowColumns);
  Value lastColumn = e.sub(e.add(block.n0, block.columns), e.index(1));
  Value moreRows = e.sub(e.div(lastColumn, rowColumns), firstRow);
  Value stride = e.index(conv.getStrides()[0]);
  int64_t reach = (taps[0] - 1) * conv.getFilterDilation()[0] + 1;
  slab.extents[0] = e.add(e.mul(moreRows, stride), e.index(reach));
  for (int64_t dim : llvm::seq(spatialRank))
    slab.starts.push_back(e.index(-conv.getLow()[dim]));
  slab.starts[0] = e.add(e.mul(firstRow, stride), slab.starts[0]);
  return slab;
}

static Value loadIndex(RegionEmitter &e, const MemoryView &view, Value at) {
  ImplicitLocOpBuilder &b = e.builder();
  return arith::IndexCastOp::create(
      b, b.getIndexType(),
      LLVM::LoadOp::create(b, view.elementType, e.address(view, at)));
}

static void storeIndex(RegionEmitter &e, const MemoryView &view, Value at,
                       Value value) {
  ImplicitLocOpBuilder &b = e.builder();
  LLVM::StoreOp::create(b,
                        arith::IndexCastOp::create(b, view.elementType, value),
                        e.address(view, at));
}

/// Columns of the last panel beyond the block's are those of its last.
void ConvolutionProblem::fillColumns(RegionEmitter &e, const PanelBlock &block,
                                     const Slab &slab) {
  Columns table(e, block);
  SmallVector<Value> sizes = outputSizes(e);
  Value firstRow = e.div(block.n0, e.index(rowLength));
  Value last = e.sub(block.columns, e.index(1));
  Value lanes = e.index(block.lanes);
  Value count = e.mul(e.ceilDiv(block.columns, lanes), lanes);
  e.loop(e.index(0), count, {}, [&](Value j, ValueRange) {
    SmallVector<Value> place =
        e.delinearize(e.add(block.n0, e.min(j, last)), sizes);
    place[0] = e.sub(place[0], firstRow);
    Value offset = e.index(0);
    for (auto [dim, i] : llvm::enumerate(place))
      offset = e.add(offset, e.mul(e.mul(i, e.index(conv.getStrides()[dim])),
                                   slab.view.strides[dim + 1]));
    storeIndex(e, table.offsets, j, offset);
    return SmallVector<Value>();
  });
}

/// Finds the segments of `panel`.
void ConvolutionProblem::fillSegments(RegionEmitter &e, const PanelBlock &block,
                                      Value panel) {
  ImplicitLocOpBuilder &b = e.builder();
  Columns table(e, block);
  Value first = e.mul(panel, e.index(block.lanes)), one = e.index(1);
  Value lastOffset = e.index(-2);
  Value count =
      e.loop(e.index(0), e.index(block.lanes), {e.index(0), lastOffset},
             [&](Value lane, ValueRange carried) {
               Value offset = loadIndex(e, table.offsets, e.add(first, lane));
               Value follows = arith::CmpIOp::create(
                   b, arith::CmpIPredicate::eq, offset, e.add(carried[1], one));
               Value isBeyond =
                   arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                         e.add(first, lane), block.columns);
               Value goesOn = arith::OrIOp::create(b, follows, isBeyond);
               // What is stored without a beginning is stored over.
               Value slot = e.add(first, carried[0]);
               storeIndex(e, table.lanes, slot, lane);
               storeIndex(e, table.starts, slot, offset);
               Value next = arith::SelectOp::create(b, goesOn, carried[0],
                                                    e.add(carried[0], one));
               return SmallVector<Value>{next, offset};
             })[0];
  storeIndex(e, table.counts, panel, count);
}

/// Copies one row of a panel to `to`, from offsets relative to `from`.
void ConvolutionProblem::fillPanelRow(RegionEmitter &e, const PanelBlock &block,
                                      Value panel, Value from, Value to) {
  ImplicitLocOpBuilder &b = e.builder();
  Columns table(e, block);
  unsigned bytes = accumulatorType.getIntOrFloatBitWidth() / 8;
  Value first = e.mul(panel, e.index(block.lanes));
  auto at = [&](Value base, Value position) {
    return elementAddress(e, base, accumulatorType, position);
  };
  if (conv.getStrides().back() != 1) {
    for (int64_t lane : llvm::seq(block.lanes)) {
      Value offset = loadIndex(e, table.offsets, e.add(first, e.index(lane)));
      Value element =
          LLVM::LoadOp::create(b, accumulatorType, at(from, offset));
      LLVM::StoreOp::create(b, element, at(to, e.index(lane)));
    }
    return;
  }
  // Each segment is stored as if it went on to the panel's end and beyond; the
  // next segment, and the next row, go over that.
  auto vectorType = VectorType::get(block.lanes, accumulatorType);
  e.loop(e.index(0), loadIndex(e, table.counts, panel), {},
         [&](Value segment, ValueRange) {
           Value slot = e.add(first, segment);
           Value lane = loadIndex(e, table.lanes, slot);
           Value start = loadIndex(e, table.starts, slot);
           Value values =
               LLVM::LoadOp::create(b, vectorType, at(from, start), bytes);
           LLVM::StoreOp::create(b, values, at(to, lane), bytes);
           return SmallVector<Value>();
         });
}

void ConvolutionProblem::packB(RegionEmitter &e, const PanelBlock &block) {
  if (!hasSlab)
    return Contraction::packB(e, block);
  Slab slab = makeSlab(e, block);
  slab.fill(e, input);
  fillColumns(e, block, slab);
  SmallVector<Value> sizes{e.div(block.depth, e.index(llvm::product_of(taps)))};
  for (int64_t tap : taps)
    sizes.push_back(e.index(tap));
  Value lanes = e.index(block.lanes);
  e.loop(e.index(0), e.ceilDiv(block.columns, lanes), {},
         [&](Value panel, ValueRange) {
           fillSegments(e, block, panel);
           Value first = e.mul(panel, e.index(block.panelDepth));
           e.loopNest(sizes, {}, [&](ArrayRef<Value> place, ValueRange) {
             Value from = e.mul(place[0], slab.view.strides[0]);
             Value k = place[0];
             for (auto [dim, tap] : llvm::enumerate(place.drop_front())) {
               Value step = e.index(conv.getFilterDilation()[dim]);
               from = e.add(
                   from, e.mul(e.mul(tap, step), slab.view.strides[dim + 1]));
               k = e.add(e.mul(k, e.index(taps[dim])), tap);
             }
             Value to = elementAddress(e, block.panels, accumulatorType,
                                       e.mul(e.add(first, k), lanes));
             fillPanelRow(e, block, panel, e.address(slab.view, from), to);
             return SmallVector<Value>();
           });
           return SmallVector<Value>();
         });
}

std::unique_ptr<Contraction> weft::cpu::createConvolutionProblem(ConvOp op) {
  RankedTensorType filter = op.getFilter().getType();
  Type element = op.getType().getElementType();
  bool isSummable = element.isF16() || element.isBF16() || element.isF32() ||
                    element.isF64() || element.isInteger(32) ||
                    element.isInteger(64);
  // One channel per group leaves nothing to multiply matrices of.
  bool isDepthwise =
      filter.getDimSize(1) == 1 &&
      filter.getDimSize(0) / static_cast<int64_t>(op.getGroups()) <= 2;
  if (!isSummable || !filter.hasStaticShape() || isDepthwise)
    return nullptr;
  return std::make_unique<ConvolutionProblem>(op);
}
