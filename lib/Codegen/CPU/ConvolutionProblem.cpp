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

  bool isPlainA() override {
    return !conv.getFilter().getDefiningOp() &&
           conv.getFilter().getType().getElementType() == accumulatorType;
  }
  Value rowAddress(RegionEmitter &e, ArrayRef<Value> batch, Value m) override;
  Value depthStride(RegionEmitter &e) override { return e.index(1); }
  bool isContiguousA() override { return isPlainA(); }
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
  int64_t packingBytes(int64_t columns, int64_t depth) override;
  void packB(RegionEmitter &e, const PanelBlock &block) override;

private:
  SmallVector<Value> outputSizes(RegionEmitter &e);
  Value patchElement(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                     ArrayRef<Value> starts);

  SmallVector<int64_t> slabShape(int64_t columns);
  Slab makeSlab(RegionEmitter &e, const PanelBlock &block);
  void fillColumns(RegionEmitter &e, const PanelBlock &block, const Slab &slab);
  void fillPanel(RegionEmitter &e, const PanelBlock &block, const Slab &slab,
                 Value panel, bool isRun);

  ConvOp conv;
  WindowedInput input;
  int64_t groups, spatialRank;
  SmallVector<int64_t> taps;
  bool isPointwise;      ///< each output position reads the same input position
  bool hasSlab;          ///< the sizes that a slab's shape depends on are known
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

int64_t ConvolutionProblem::packingBytes(int64_t columns, int64_t depth) {
  if (!hasSlab)
    return 0;
  int64_t channels = depth / llvm::product_of(taps);
  int64_t elements = channels * llvm::product_of(slabShape(columns));
  return llvm::alignTo(columns * 8, 64) +
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
                     e.index(llvm::alignTo(block.blockColumns * 8, 64)));
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

/// Stores where in a channel of the slab each column's patch begins. Columns
/// of the last panel beyond the block's are those of its last.
void ConvolutionProblem::fillColumns(RegionEmitter &e, const PanelBlock &block,
                                     const Slab &slab) {
  ImplicitLocOpBuilder &b = e.builder();
  MemoryView table{block.scratch, b.getI64Type(), {}, {}};
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
    LLVM::StoreOp::create(b,
                          arith::IndexCastOp::create(b, b.getI64Type(), offset),
                          e.address(table, j));
    return SmallVector<Value>();
  });
}

/// Fills a panel. With `isRun`, its columns lie side by side in the slab.
void ConvolutionProblem::fillPanel(RegionEmitter &e, const PanelBlock &block,
                                   const Slab &slab, Value panel, bool isRun) {
  ImplicitLocOpBuilder &b = e.builder();
  MemoryView panels{block.panels, accumulatorType, {}, {}};
  MemoryView table{block.scratch, b.getI64Type(), {}, {}};
  auto vectorType = VectorType::get(block.lanes, accumulatorType);
  unsigned bytes = accumulatorType.getIntOrFloatBitWidth() / 8;
  Value firstColumn = e.mul(panel, e.index(block.lanes));
  auto columnOffset = [&](int64_t lane) -> Value {
    Value offset = LLVM::LoadOp::create(
        b, b.getI64Type(), e.address(table, e.add(firstColumn, e.index(lane))));
    return arith::IndexCastOp::create(b, b.getIndexType(), offset);
  };
  Value runOffset = isRun ? columnOffset(0) : Value();

  SmallVector<Value> sizes{e.div(block.depth, e.index(llvm::product_of(taps)))};
  for (int64_t tap : taps)
    sizes.push_back(e.index(tap));
  Value firstTarget = e.mul(panel, e.index(block.panelDepth * block.lanes));
  e.loopNest(sizes, {}, [&](ArrayRef<Value> place, ValueRange) {
    Value from = e.mul(place[0], slab.view.strides[0]);
    Value k = place[0];
    for (auto [dim, tap] : llvm::enumerate(place.drop_front())) {
      Value step = e.index(conv.getFilterDilation()[dim]);
      from = e.add(from, e.mul(e.mul(tap, step), slab.view.strides[dim + 1]));
      k = e.add(e.mul(k, e.index(taps[dim])), tap);
    }
    Value to =
        e.address(panels, e.add(firstTarget, e.mul(k, e.index(block.lanes))));
    if (isRun) {
      Value row = LLVM::LoadOp::create(
          b, vectorType, e.address(slab.view, e.add(from, runOffset)), bytes);
      LLVM::StoreOp::create(b, row, to, bytes);
      return SmallVector<Value>();
    }
    MemoryView source{e.address(slab.view, from), accumulatorType, {}, {}};
    MemoryView target{to, accumulatorType, {}, {}};
    for (int64_t lane : llvm::seq(block.lanes)) {
      Value element = LLVM::LoadOp::create(
          b, accumulatorType, e.address(source, columnOffset(lane)));
      LLVM::StoreOp::create(b, element, e.address(target, e.index(lane)));
    }
    return SmallVector<Value>();
  });
}

void ConvolutionProblem::packB(RegionEmitter &e, const PanelBlock &block) {
  if (!hasSlab)
    return Contraction::packB(e, block);
  ImplicitLocOpBuilder &b = e.builder();
  Slab slab = makeSlab(e, block);
  slab.fill(e, input);
  fillColumns(e, block, slab);

  MemoryView table{block.scratch, b.getI64Type(), {}, {}};
  Value lanes = e.index(block.lanes);
  e.loop(
      e.index(0), e.ceilDiv(block.columns, lanes), {},
      [&](Value panel, ValueRange) {
        Value column = e.mul(panel, lanes);
        auto offsetAt = [&](Value j) -> Value {
          return LLVM::LoadOp::create(b, b.getI64Type(), e.address(table, j));
        };
        Value width = arith::SubIOp::create(
            b, offsetAt(e.add(column, e.index(block.lanes - 1))),
            offsetAt(column));
        // Offsets of the block's own columns rise, so that equal ends mean
        // equal steps between.
        Value isFull = arith::CmpIOp::create(
            b, arith::CmpIPredicate::sle, e.add(column, lanes), block.columns);
        Value isStep =
            arith::CmpIOp::create(b, arith::CmpIPredicate::eq, width,
                                  e.constant(b.getI64Type(), block.lanes - 1));
        Value isRun = arith::AndIOp::create(b, isFull, isStep);
        auto ifOp =
            scf::IfOp::create(b, TypeRange(), isRun, /*addThenBlock=*/true,
                              /*addElseBlock=*/true);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(ifOp.thenBlock());
        fillPanel(e, block, slab, panel, /*isRun=*/true);
        scf::YieldOp::create(b);
        b.setInsertionPointToEnd(ifOp.elseBlock());
        fillPanel(e, block, slab, panel, /*isRun=*/false);
        scf::YieldOp::create(b);
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
