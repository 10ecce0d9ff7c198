//===- FilterProblem.cpp - weft.conv_filter as a product of matrices ------===//
//
// For each group: rows are output channels, columns the filter's channels and
// taps, and the depth runs over images and output positions. A is the gradient,
// B what the taps meet. It is packed by rows of output positions: along one, a
// tap walks over a row of the input, and what lies before and after that is
// zero.
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

  int64_t depthGranule() override { return rowLength; }
  void packB(RegionEmitter &e, const PanelBlock &block) override;

private:
  SmallVector<Value> depthSizes(RegionEmitter &e);
  SmallVector<Value> splitColumn(RegionEmitter &e, Value n);
  Value positionOf(RegionEmitter &e, int64_t dim, Value place, Value tap);
  void packLine(RegionEmitter &e, const PanelBlock &block,
                ArrayRef<Value> place, Value column, Value firstK, Value panel,
                Value lane);

  ConvFilterOp filter;
  WindowedInput input;
  int64_t groups, groupChannels, spatialRank;
  SmallVector<int64_t> taps;
  int64_t rowLength = 1; ///< positions along the last dimension, if packed so
  bool hasRows = false;
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

  int64_t last = depthShape.back();
  hasRows = spatialRank > 0 && ShapedType::isStatic(last) && last > 0 &&
            op.getInputDilation().back() == 1;
  if (hasRows)
    rowLength = last;
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

/// Packs what `column` meets along one row of positions, at `place` (the image
/// and all positions but the last), as rows of the panel from `firstK` on.
void FilterProblem::packLine(RegionEmitter &e, const PanelBlock &block,
                             ArrayRef<Value> place, Value column, Value firstK,
                             Value panel, Value lane) {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<Value> parts = splitColumn(e, column);
  SmallVector<Value> indices{
      place[0], e.add(e.mul(block.batch[0], e.index(groupChannels)), parts[0])};
  Value inside;
  int64_t last = spatialRank - 1;
  for (int64_t dim : llvm::seq(last))
    indices.push_back(input.indexAt(
        e, dim, positionOf(e, dim, place[dim + 1], parts[dim + 1]), inside));

  // The positions whose element is one of the input's.
  Value zero = e.index(0), length = e.index(rowLength);
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
  Value firstRow = e.add(e.mul(panel, e.index(block.panelDepth)), firstK);
  auto store = [&](Value position, Value value) {
    Value at =
        e.add(e.mul(e.add(firstRow, position), e.index(block.lanes)), lane);
    LLVM::StoreOp::create(b, value,
                          elementAddress(e, block.panels, accumulatorType, at));
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

void FilterProblem::packB(RegionEmitter &e, const PanelBlock &block) {
  if (!hasRows)
    return Contraction::packB(e, block);
  Value length = e.index(rowLength), lanes = e.index(block.lanes);
  Value firstRow = e.div(block.k0, length);
  Value last = e.sub(block.columns, e.index(1));
  SmallVector<Value> sizes = depthSizes(e);
  sizes.pop_back();
  e.loopNest(
      {e.ceilDiv(block.columns, lanes), e.div(block.depth, length), lanes}, {},
      [&](ArrayRef<Value> at, ValueRange) {
        Value j = e.min(e.add(e.mul(at[0], lanes), at[2]), last);
        packLine(e, block, e.delinearize(e.add(firstRow, at[1]), sizes),
                 e.add(block.n0, j), e.mul(at[1], length), at[0], at[2]);
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
