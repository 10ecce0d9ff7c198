//===- ConvolutionPanels.cpp - Packing what filters see -------------------===//
//
// B is packed in two steps, so that patches never exist as a whole: what a
// block of columns sees of the input is copied, with zeros around it, into
// slabs, one per image; then panels are filled from them, where the element
// that a tap reads for a column lies at the tap's offset plus the column's.
// Without taps, panels are filled from the input.
//
//===----------------------------------------------------------------------===//

#include "ConvolutionPacking.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

ConvolutionPacking::ConvolutionPacking(ConvolutionProblem &problem)
    : Packing(problem), problem(problem) {
  // Without spatial dimensions there is but one column.
  if (problem.taps.empty())
    return;
  ArrayRef<int64_t> rowShape = problem.conv.getType().getShape().drop_front(3);
  hasSlab = !problem.isPointwise && problem.staticK > 0 &&
            !ShapedType::isDynamicShape(rowShape) &&
            !llvm::is_contained(rowShape, 0);
  if (hasSlab)
    rowLength = llvm::product_of(rowShape);
  if (canJoinImages())
    problem.joinImages();
}

/// Whether images are small, so that vectors would be filled badly by the
/// positions of one, and the filter would be read for few of them.
bool ConvolutionPacking::canJoinImages() {
  // Packing by images takes a little longer, which taps make up for.
  constexpr int64_t kMostPerPosition = 8;
  int64_t fewPositions = problem.isPointwise ? 64 : 512;
  int64_t positions = problem.staticN;
  ArrayRef<int64_t> shape = problem.conv.getType().getShape();
  if (ShapedType::isDynamicShape(shape) || shape[0] <= 1 || positions == 0 ||
      positions > fewPositions || problem.staticK == 0 ||
      (!hasSlab && !problem.isPointwise))
    return false;
  // A slab has room for what all of an image's windows see.
  return problem.isPointwise || llvm::product_of(slabShape(positions)) <=
                                    kMostPerPosition * (positions + 32);
}

PackedProduct weft::cpu::createConvolution(ConvOp op) {
  std::unique_ptr<ConvolutionProblem> problem = ConvolutionProblem::create(op);
  if (!problem)
    return {};
  auto packing = std::make_unique<ConvolutionPacking>(*problem);
  return {std::move(problem), std::move(packing)};
}

/// Sizes of the spatial dimensions of a slab for a block of `columns` columns.
SmallVector<int64_t> ConvolutionPacking::slabShape(int64_t columns) {
  if (problem.hasJoinedImages)
    columns = llvm::product_of(problem.conv.getType().getShape().drop_front(2));
  // A block that is not made of whole rows may begin and end within one.
  int64_t rows = columns % rowLength == 0
                     ? columns / rowLength
                     : llvm::divideCeil(columns - 1, rowLength) + 1;
  SmallVector<int64_t> shape{rows};
  llvm::append_range(shape, problem.conv.getType().getShape().drop_front(3));
  for (auto [dim, size] : llvm::enumerate(shape))
    size = (size - 1) * problem.conv.getStrides()[dim] +
           (problem.taps[dim] - 1) * problem.conv.getFilterDilation()[dim] + 1;
  return shape;
}

/// The table of a block's columns: for each panel and lane, where the patch
/// begins in a channel of the slab; then, for each panel, its segments, which
/// are lanes whose patches begin side by side: their number, and for each the
/// first lane and its offset.
struct ConvolutionPacking::Columns {
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

/// The most images that a block of `columns` columns meets.
int64_t ConvolutionPacking::slabImages(int64_t columns) {
  ArrayRef<int64_t> shape = problem.conv.getType().getShape();
  if (!problem.hasJoinedImages)
    return 1;
  int64_t positions = llvm::product_of(shape.drop_front(2));
  // It may begin and end within one.
  return std::min<int64_t>(shape[0],
                           llvm::divideCeil(columns - 1, positions) + 1);
}

/// The size of one image's slab.
int64_t ConvolutionPacking::slabElements(int64_t columns, int64_t depth) {
  return depth / llvm::product_of(problem.taps) *
         llvm::product_of(slabShape(columns));
}

int64_t ConvolutionPacking::packingBytes(int64_t columns, int64_t depth,
                                         int64_t lanes) {
  if (!hasSlab && !problem.hasJoinedImages)
    return 0;
  int64_t elements = 0;
  // The last segment may be read beyond its end.
  if (hasSlab)
    elements = slabImages(columns) * slabElements(columns, depth) + lanes;
  return Columns::bytes(columns) + elements * bytes();
}

/// The slab that a block's columns see of its first image, laid out but not
/// filled.
Slab ConvolutionPacking::makeSlab(RegionEmitter &e, const PanelBlock &block) {
  int64_t tapCount = llvm::product_of(problem.taps);
  int64_t groupChannels = problem.conv.getFilter().getType().getDimSize(1);
  Slab slab;
  slab.image = problem.placeOf(e, block.batch, block.n0)[0];
  slab.firstChannel = e.add(e.mul(block.batch.back(), e.index(groupChannels)),
                            e.div(block.k0, e.index(tapCount)));
  slab.channels = e.div(block.depth, e.index(tapCount));

  SmallVector<int64_t> shape = slabShape(block.blockColumns);
  slab.view.pointer =
      elementAddress(e, block.scratch, e.builder().getI8Type(),
                     e.index(Columns::bytes(block.blockColumns)));
  slab.view.elementType = type();
  slab.view.sizes.push_back(e.index(block.panelDepth / tapCount));
  for (int64_t size : shape)
    slab.view.sizes.push_back(e.index(size));
  slab.view.strides = e.rowMajorStrides(slab.view.sizes);
  slab.extents.assign(slab.view.sizes.begin() + 1, slab.view.sizes.end());
  for (int64_t dim : llvm::seq(problem.spatialRank))
    slab.starts.push_back(e.index(-problem.conv.getLow()[dim]));
  if (problem.hasJoinedImages)
    return slab;

  // Rows from that of the first column to that of the last.
  Value rowColumns = e.index(rowLength);
  Value firstRow = e.div(block.n0, rowColumns);
  Value lastColumn = e.sub(e.add(block.n0, block.columns), e.index(1));
  Value moreRows = e.sub(e.div(lastColumn, rowColumns), firstRow);
  Value stride = e.index(problem.conv.getStrides()[0]);
  int64_t reach =
      (problem.taps[0] - 1) * problem.conv.getFilterDilation()[0] + 1;
  slab.extents[0] = e.add(e.mul(moreRows, stride), e.index(reach));
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

/// Fills the slabs of all images that the block's columns see; `slab` is that
/// of the first.
void ConvolutionPacking::fillSlabs(RegionEmitter &e, const PanelBlock &block,
                                   const Slab &slab) {
  if (!problem.hasJoinedImages)
    return slab.fill(e, problem.input);
  Value lastColumn = e.sub(e.add(block.n0, block.columns), e.index(1));
  Value last = problem.placeOf(e, block.batch, lastColumn)[0];
  Value size = e.index(slabElements(block.blockColumns, block.panelDepth));
  e.loop(slab.image, e.add(last, e.index(1)), {}, [&](Value image, ValueRange) {
    Slab next = slab;
    next.image = image;
    next.view.pointer =
        e.address(slab.view, e.mul(e.sub(image, slab.image), size));
    next.fill(e, problem.input);
    return SmallVector<Value>();
  });
}

/// Fills the table of where columns' patches begin, given the distances of
/// images and of positions along each spatial dimension. Columns of the last
/// panel beyond the block's are those of its last.
void ConvolutionPacking::fillColumns(RegionEmitter &e, const PanelBlock &block,
                                     ArrayRef<Value> strides) {
  Columns table(e, block);
  SmallVector<Value> first = problem.placeOf(e, block.batch, block.n0);
  Value last = e.sub(block.columns, e.index(1));
  Value lanes = e.index(block.lanes);
  Value count = e.mul(e.ceilDiv(block.columns, lanes), lanes);
  e.loop(e.index(0), count, {}, [&](Value j, ValueRange) {
    SmallVector<Value> place =
        problem.placeOf(e, block.batch, e.add(block.n0, e.min(j, last)));
    // Slabs begin with the first image, and with the first row if there is one
    // slab.
    if (problem.hasJoinedImages)
      place[0] = problem.isPointwise ? place[0] : e.sub(place[0], first[0]);
    else
      place[1] = e.sub(place[1], first[1]);
    Value offset =
        problem.hasJoinedImages ? e.mul(place[0], strides[0]) : e.index(0);
    for (auto [dim, i] : llvm::enumerate(ArrayRef(place).drop_front()))
      offset =
          e.add(offset, e.mul(e.mul(i, e.index(problem.conv.getStrides()[dim])),
                              strides[dim + 1]));
    storeIndex(e, table.offsets, j, offset);
    return SmallVector<Value>();
  });
}

/// Finds the segments of `panel`.
void ConvolutionPacking::fillSegments(RegionEmitter &e, const PanelBlock &block,
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
void ConvolutionPacking::fillPanelRow(RegionEmitter &e, const PanelBlock &block,
                                      Value panel, Value from, Value to) {
  ImplicitLocOpBuilder &b = e.builder();
  Columns table(e, block);
  Value first = e.mul(panel, e.index(block.lanes));
  auto at = [&](Value base, Value position) {
    return elementAddress(e, base, type(), position);
  };
  if (problem.conv.getStrides().back() != 1) {
    for (int64_t lane : llvm::seq(block.lanes)) {
      Value offset = loadIndex(e, table.offsets, e.add(first, e.index(lane)));
      Value element = LLVM::LoadOp::create(b, type(), at(from, offset));
      LLVM::StoreOp::create(b, element, at(to, e.index(lane)));
    }
    return;
  }
  // Each segment is stored as if it went on to the panel's end and beyond; the
  // next segment, and the next row, go over that. The input, unlike a
  // slab, may end with the segment.
  auto vectorType = VectorType::get(block.lanes, type());
  auto zero =
      arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(vectorType)));
  Value count = loadIndex(e, table.counts, panel), one = e.index(1);
  e.loop(e.index(0), count, {}, [&](Value segment, ValueRange) {
    Value slot = e.add(first, segment);
    Value lane = loadIndex(e, table.lanes, slot);
    Value start = at(from, loadIndex(e, table.starts, slot));
    Value values;
    if (problem.isPointwise) {
      Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                           e.add(segment, one), count);
      Value end =
          arith::SelectOp::create(b, isLast, e.sub(block.columns, first),
                                  loadIndex(e, table.lanes, e.add(slot, one)));
      Value mask = maskBelow(b, block.lanes, e.sub(end, lane));
      values = LLVM::MaskedLoadOp::create(b, vectorType, start, mask, zero,
                                          b.getI32IntegerAttr(bytes()),
                                          /*nontemporal=*/nullptr);
    } else {
      values = LLVM::LoadOp::create(b, vectorType, start, bytes());
    }
    LLVM::StoreOp::create(b, values, at(to, lane), bytes());
    return SmallVector<Value>();
  });
}

/// Fills the panels from where `view` has the channels, from `firstChannel` on,
/// and the elements of a channel.
void ConvolutionPacking::fillPanels(RegionEmitter &e, const PanelBlock &block,
                                    const MemoryView &view, Value firstChannel,
                                    Value channelStride,
                                    ArrayRef<Value> strides) {
  SmallVector<Value> sizes{
      e.div(block.depth, e.index(llvm::product_of(problem.taps)))};
  for (int64_t tap : problem.taps)
    sizes.push_back(e.index(tap));
  Value lanes = e.index(block.lanes);
  e.loop(e.index(0), e.ceilDiv(block.columns, lanes), {},
         [&](Value panel, ValueRange) {
           fillSegments(e, block, panel);
           Value first = e.mul(panel, e.index(block.panelDepth));
           e.loopNest(sizes, {}, [&](ArrayRef<Value> place, ValueRange) {
             Value from = e.mul(e.add(firstChannel, place[0]), channelStride);
             Value k = place[0];
             for (auto [dim, tap] : llvm::enumerate(place.drop_front())) {
               Value step = e.index(problem.conv.getFilterDilation()[dim]);
               from = e.add(from, e.mul(e.mul(tap, step), strides[dim]));
               k = e.add(e.mul(k, e.index(problem.taps[dim])), tap);
             }
             Value to = elementAddress(e, block.panels, type(),
                                       e.mul(e.add(first, k), lanes));
             fillPanelRow(e, block, panel, e.address(view, from), to);
             return SmallVector<Value>();
           });
           return SmallVector<Value>();
         });
}

void ConvolutionPacking::packB(RegionEmitter &e, const PanelBlock &block) {
  if (problem.isPointwise && problem.hasJoinedImages) {
    const MemoryView &view = *e.getMemory(problem.conv.getInput());
    SmallVector<Value> strides(view.strides);
    Value channelStride = strides[1];
    strides.erase(strides.begin() + 1);
    fillColumns(e, block, strides);
    int64_t groupChannels = problem.conv.getFilter().getType().getDimSize(1);
    Value firstChannel =
        e.add(e.mul(block.batch.back(), e.index(groupChannels)), block.k0);
    return fillPanels(e, block, view, firstChannel, channelStride,
                      ArrayRef(strides).drop_front());
  }
  if (!hasSlab)
    return Packing::packB(e, block);
  Slab slab = makeSlab(e, block);
  fillSlabs(e, block, slab);
  SmallVector<Value> strides(slab.view.strides);
  strides[0] = e.index(slabElements(block.blockColumns, block.panelDepth));
  fillColumns(e, block, strides);
  fillPanels(e, block, slab.view, e.index(0), slab.view.strides[0],
             ArrayRef(strides).drop_front());
}
