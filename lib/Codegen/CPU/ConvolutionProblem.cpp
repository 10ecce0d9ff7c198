//===- ConvolutionProblem.cpp - weft.conv as a product of matrices --------===//
//
// For each image and group: rows are output channels, columns output positions,
// and the depth runs over input channels and filter taps. A is the filter as it
// lies in memory; B is gathered from the input while it is packed, so that
// patches never exist as a whole.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
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
  Value elementA(RegionEmitter &e, ArrayRef<Value> batch, Value m,
                 Value k) override;
  Value elementB(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                 Value n) override;
  bool isPlainB() override { return isPointwise; }
  bool isTransposedB() override { return false; }
  Value columnAddress(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                      Value n) override;

  int64_t tableBytes(int64_t columns) override {
    return isPointwise ? 0 : spatialRank * columns * 8;
  }
  void prepareBlock(RegionEmitter &e, Value table, ArrayRef<Value> batch,
                    Value n0, Value count) override;
  Run findRun(RegionEmitter &e, Value table, ArrayRef<Value> batch, Value k,
              Value j, int64_t count) override;
  Value blockElementB(RegionEmitter &e, Value table, ArrayRef<Value> batch,
                      Value k, Value n0, Value j) override;

private:
  SmallVector<Value> outputSizes(RegionEmitter &e);
  Value tableEntry(RegionEmitter &e, Value table, int64_t dim, Value j);
  Value loadStart(RegionEmitter &e, Value table, int64_t dim, Value j);
  Value patchElement(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                     ArrayRef<Value> starts);
  Value inputIndex(RegionEmitter &e, int64_t dim, Value start, Value tap,
                   Value &inside);

  ConvOp conv;
  int64_t groups, spatialRank;
  SmallVector<int64_t> taps;
  bool isPointwise; ///< each output position reads the same input position
};
} // namespace

ConvolutionProblem::ConvolutionProblem(ConvOp op)
    : conv(op), groups(op.getGroups()) {
  this->op = op;
  RankedTensorType input = op.getInput().getType();
  RankedTensorType filter = op.getFilter().getType();
  RankedTensorType result = op.getType();
  spatialRank = result.getRank() - 2;
  taps = llvm::to_vector(filter.getShape().drop_front(2));
  Type element = result.getElementType();
  accumulatorType = getSignlessType(element);
  if (element.isF16() || element.isBF16())
    accumulatorType = Float32Type::get(op.getContext());

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
                input.getElementType() == accumulatorType &&
                !op.getInput().getDefiningOp();
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

Value ConvolutionProblem::inputIndex(RegionEmitter &e, int64_t dim, Value start,
                                     Value tap, Value &inside) {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t dilation = conv.getInputDilation()[dim];
  Value position =
      e.add(start, e.mul(tap, e.index(conv.getFilterDilation()[dim])));
  auto both = [&](Value condition) {
    inside =
        inside ? Value(arith::AndIOp::create(b, inside, condition)) : condition;
  };
  Value size = e.size(conv.getInput(), dim + 2);
  if (dilation > 1) {
    // Between the input's elements there are zeros.
    Value step = e.index(dilation);
    both(arith::CmpIOp::create(b, arith::CmpIPredicate::sge, position,
                               e.index(0)));
    Value rest = arith::RemSIOp::create(b, position, step);
    both(arith::CmpIOp::create(b, arith::CmpIPredicate::eq, rest, e.index(0)));
    position = arith::DivSIOp::create(b, position, step);
    both(arith::CmpIOp::create(b, arith::CmpIPredicate::slt, position, size));
  } else if (conv.getLow()[dim] > 0 || conv.getHigh()[dim] > 0) {
    // As unsigned numbers, negative positions lie beyond the end.
    both(arith::CmpIOp::create(b, arith::CmpIPredicate::ult, position, size));
  }
  return position;
}

Value ConvolutionProblem::patchElement(RegionEmitter &e, ArrayRef<Value> batch,
                                       Value k, ArrayRef<Value> starts) {
  int64_t groupChannels = conv.getFilter().getType().getDimSize(1);
  SmallVector<Value> parts = splitDepth(e, k, taps);
  SmallVector<Value> indices{
      batch[0], e.add(e.mul(batch[1], e.index(groupChannels)), parts[0])};
  Value inside;
  for (int64_t dim : llvm::seq(spatialRank))
    indices.push_back(inputIndex(e, dim, starts[dim], parts[dim + 1], inside));
  auto load = [&] {
    return widen(e.builder(), e.element(conv.getInput(), indices),
                 conv.getInput().getType().getElementType(), accumulatorType);
  };
  if (!inside)
    return load();
  Value zero = e.constant(accumulatorType, 0);
  RankedTensorType input = conv.getInput().getType();
  if (ShapedType::isDynamicShape(input.getShape()) ||
      llvm::is_contained(input.getShape(), 0))
    return e.choose(inside, load, [&] { return zero; });
  // Reading the first position instead of none at all spares the branch.
  ImplicitLocOpBuilder &b = e.builder();
  for (Value &index : MutableArrayRef(indices).drop_front(2))
    index = arith::SelectOp::create(b, inside, index, e.index(0));
  return arith::SelectOp::create(b, inside, load(), zero);
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
// The table of a block: where each column's patch starts
//===----------------------------------------------------------------------===//

/// The address of entry `j` of dimension `dim`, an i64.
Value ConvolutionProblem::tableEntry(RegionEmitter &e, Value table, int64_t dim,
                                     Value j) {
  MemoryView view{table, e.builder().getI64Type(), {}, {}};
  return e.address(view, e.add(e.mul(j, e.index(spatialRank)), e.index(dim)));
}

void ConvolutionProblem::prepareBlock(RegionEmitter &e, Value table,
                                      ArrayRef<Value> batch, Value n0,
                                      Value count) {
  if (isPointwise)
    return;
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<Value> sizes = outputSizes(e);
  e.loop(e.index(0), count, {}, [&](Value j, ValueRange) {
    SmallVector<Value> indices = e.delinearize(e.add(n0, j), sizes);
    for (auto [dim, i] : llvm::enumerate(indices)) {
      Value start = e.sub(e.mul(i, e.index(conv.getStrides()[dim])),
                          e.index(conv.getLow()[dim]));
      LLVM::StoreOp::create(
          b, arith::IndexCastOp::create(b, b.getI64Type(), start),
          tableEntry(e, table, dim, j));
    }
    return SmallVector<Value>();
  });
}

Value ConvolutionProblem::loadStart(RegionEmitter &e, Value table, int64_t dim,
                                    Value j) {
  ImplicitLocOpBuilder &b = e.builder();
  return arith::IndexCastOp::create(
      b, b.getIndexType(),
      LLVM::LoadOp::create(b, b.getI64Type(), tableEntry(e, table, dim, j)));
}

Contraction::Run ConvolutionProblem::findRun(RegionEmitter &e, Value table,
                                             ArrayRef<Value> batch, Value k,
                                             Value j, int64_t count) {
  ImplicitLocOpBuilder &b = e.builder();
  bool isDense = conv.getStrides().back() == 1 && spatialRank > 0 &&
                 llvm::all_of(conv.getInputDilation(),
                              [](int64_t dilation) { return dilation == 1; });
  const MemoryView *memory = e.getMemory(conv.getInput());
  if (isPointwise || !isDense || !memory ||
      conv.getInput().getType().getElementType() != accumulatorType)
    return {};
  // The first and the last column must belong to the same row of the output,
  // and what the tap reads for them must lie within the input.
  Value last = e.add(j, e.index(count - 1));
  Value condition;
  auto both = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    Value next = arith::CmpIOp::create(b, predicate, lhs, rhs);
    condition =
        condition ? Value(arith::AndIOp::create(b, condition, next)) : next;
  };
  SmallVector<Value> parts = splitDepth(e, k, taps);
  int64_t groupChannels = conv.getFilter().getType().getDimSize(1);
  SmallVector<Value> indices{
      batch[0], e.add(e.mul(batch[1], e.index(groupChannels)), parts[0])};
  for (int64_t dim : llvm::seq(spatialRank)) {
    bool isInnermost = dim == spatialRank - 1;
    Value begin = loadStart(e, table, dim, j);
    Value end = loadStart(e, table, dim, last);
    both(arith::CmpIPredicate::eq, end,
         isInnermost ? e.add(begin, e.index(count - 1)) : begin);
    Value shift = e.mul(parts[dim + 1], e.index(conv.getFilterDilation()[dim]));
    Value size = e.size(conv.getInput(), dim + 2);
    both(arith::CmpIPredicate::ult, e.add(begin, shift), size);
    if (isInnermost)
      both(arith::CmpIPredicate::ult, e.add(end, shift), size);
    indices.push_back(e.add(begin, shift));
  }
  return {condition, e.address(*memory, e.offset(*memory, indices))};
}

Value ConvolutionProblem::blockElementB(RegionEmitter &e, Value table,
                                        ArrayRef<Value> batch, Value k,
                                        Value n0, Value j) {
  if (isPointwise)
    return elementB(e, batch, k, e.add(n0, j));
  SmallVector<Value> starts;
  for (int64_t dim : llvm::seq(spatialRank))
    starts.push_back(loadStart(e, table, dim, j));
  return patchElement(e, batch, k, starts);
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
