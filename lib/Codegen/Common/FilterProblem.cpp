//===- FilterProblem.cpp - weft.conv_filter as a product of matrices ------===//

#include "weft/Codegen/Common/FilterProblem.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace weft;

FilterProblem::FilterProblem(ConvFilterOp op, Type wanted)
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
  operandType = wanted ? wanted : accumulatorType;
  input = {.tensor = op.getInput(),
           .elementType = operandType,
           .dilation = llvm::to_vector(op.getInputDilation()),
           .isPadded = SmallVector<bool>(spatialRank, true),
           .fill = cast<TypedAttr>(Builder(op).getZeroAttr(operandType))};

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
  isPointwise = all(taps, 1) && all(op.getStrides(), 1) &&
                all(op.getLow(), 0) && all(op.getHigh(), 0) &&
                all(op.getInputDilation(), 1) &&
                op.getInput().getType().getElementType() == operandType &&
                !op.getInput().getDefiningOp();
  lastLength = depthShape.back();
}

SmallVector<Value> FilterProblem::depthSizes(RegionEmitter &e) {
  SmallVector<Value> sizes{e.size(filter.getGrad(), 0)};
  for (int64_t dim : llvm::seq(spatialRank))
    sizes.push_back(e.size(filter.getGrad(), dim + 2));
  return sizes;
}

SmallVector<Value> FilterProblem::splitColumn(RegionEmitter &e, Value n) {
  SmallVector<Value> sizes{e.index(groupChannels)};
  for (int64_t tap : taps)
    sizes.push_back(e.index(tap));
  return e.delinearize(n, sizes);
}

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
               filter.getGrad().getType().getElementType(), operandType);
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
  return input.element(e, indices, inside);
}

std::unique_ptr<FilterProblem> FilterProblem::create(ConvFilterOp op,
                                                     Type operandType) {
  if (!isSummable(op.getType().getElementType()) ||
      !op.getType().hasStaticShape())
    return nullptr;
  return std::unique_ptr<FilterProblem>(new FilterProblem(op, operandType));
}
