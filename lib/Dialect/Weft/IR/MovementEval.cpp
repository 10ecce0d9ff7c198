//===- MovementEval.cpp - Reference evaluation of index maps --------------===//

#include "Movement.h"

using namespace mlir;
using namespace weft;

using Results = FailureOr<SmallVector<HostTensor>>;
using Operands = ArrayRef<HostTensor>;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

FailureOr<RankedTensorType>
weft::detail::resolveSizes(Operation *op, RankedTensorType type,
                           ArrayRef<HostTensor> sizes) {
  SmallVector<int64_t> shape = resolveList(type.getShape(), sizes);
  for (int64_t size : shape)
    if (size < 0)
      return op->emitOpError("size ") << size << " is negative";
  return type.clone(shape);
}

SmallVector<int64_t> weft::detail::resolveList(ArrayRef<int64_t> list,
                                               ArrayRef<HostTensor> &values) {
  SmallVector<int64_t> resolved;
  for (int64_t entry : list) {
    if (!ShapedType::isDynamic(entry)) {
      resolved.push_back(entry);
      continue;
    }
    resolved.push_back(values.front().getInt(0));
    values = values.drop_front();
  }
  return resolved;
}

/// Fills a tensor of `type` with the elements that `locate` finds: it turns an
/// index of the result into one of `input`.
static HostTensor moveElements(
    RankedTensorType type, const HostTensor &input,
    llvm::function_ref<void(ArrayRef<int64_t>, MutableArrayRef<int64_t>)>
        locate) {
  HostTensor result(type);
  SmallVector<int64_t> from(input.getRank());
  int64_t position = 0;
  forEachIndex(type.getShape(), [&](ArrayRef<int64_t> index) {
    locate(index, from);
    result.copyElement(position++, input, linearize(from, input.getShape()));
  });
  return result;
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

Results ReshapeOp::evaluate(Operands operands) {
  FailureOr<RankedTensorType> type =
      detail::resolveSizes(*this, getResult().getType(), operands.drop_front());
  if (failed(type))
    return failure();
  const HostTensor &input = operands.front();
  if (type->getNumElements() != input.getNumElements())
    return emitOpError("makes ") << type->getNumElements() << " elements from "
                                 << input.getNumElements();
  return SmallVector<HostTensor>{input.reshape(type->getShape())};
}

Results TransposeOp::evaluate(Operands operands) {
  const HostTensor &input = operands.front();
  SmallVector<int64_t> shape;
  for (int64_t dim : getPermutation())
    shape.push_back(input.getShape()[dim]);
  return SmallVector<HostTensor>{moveElements(
      input.getType().clone(shape), input,
      [&](ArrayRef<int64_t> index, MutableArrayRef<int64_t> from) {
        for (auto [i, dim] : llvm::zip_equal(index, getPermutation()))
          from[dim] = i;
      })};
}

Results BroadcastOp::evaluate(Operands operands) {
  FailureOr<RankedTensorType> type =
      detail::resolveSizes(*this, getResult().getType(), operands.drop_front());
  if (failed(type))
    return failure();
  const HostTensor &input = operands.front();
  for (auto [size, dim] : llvm::zip_equal(input.getShape(), getDims()))
    if (size != 1 && size != type->getDimSize(dim))
      return emitOpError("input size ")
             << size << " is neither 1 nor the result's "
             << type->getDimSize(dim);
  return SmallVector<HostTensor>{
      moveElements(*type, input,
                   [&](ArrayRef<int64_t> index, MutableArrayRef<int64_t> from) {
                     for (auto [i, dim] : llvm::enumerate(getDims()))
                       from[i] = input.getShape()[i] == 1 ? 0 : index[dim];
                   })};
}

Results SliceOp::evaluate(Operands operands) {
  const HostTensor &input = operands.front();
  Operands rest = operands.drop_front();
  SmallVector<int64_t> offsets = detail::resolveList(getStaticOffsets(), rest);
  SmallVector<int64_t> sizes = detail::resolveList(getStaticSizes(), rest);
  SmallVector<int64_t> strides = detail::resolveList(getStaticStrides(), rest);
  for (auto [dim, offset, size, stride] :
       llvm::enumerate(offsets, sizes, strides)) {
    if (stride == 0 || size < 0)
      return emitOpError("has size ")
             << size << " and stride " << stride << " in dimension " << dim;
    int64_t last = offset + (size - 1) * stride;
    if (size > 0 && (std::min(offset, last) < 0 ||
                     std::max(offset, last) >= input.getShape()[dim]))
      return emitOpError("takes elements ")
             << offset << " to " << last << " of dimension " << dim
             << ", whose size is " << input.getShape()[dim];
  }
  return SmallVector<HostTensor>{
      moveElements(input.getType().clone(sizes), input,
                   [&](ArrayRef<int64_t> index, MutableArrayRef<int64_t> from) {
                     for (size_t dim = 0; dim < index.size(); ++dim)
                       from[dim] = offsets[dim] + index[dim] * strides[dim];
                   })};
}

/// Writes `source` into `dest` with its first element at `offsets` and the
/// others `steps` apart, one if there are none.
static void insert(HostTensor &dest, const HostTensor &source,
                   ArrayRef<int64_t> offsets, ArrayRef<int64_t> steps = {}) {
  SmallVector<int64_t> to(offsets.size());
  int64_t position = 0;
  forEachIndex(source.getShape(), [&](ArrayRef<int64_t> index) {
    for (size_t dim = 0; dim < index.size(); ++dim)
      to[dim] = offsets[dim] + index[dim] * (steps.empty() ? 1 : steps[dim]);
    dest.copyElement(linearize(to, dest.getShape()), source, position++);
  });
}

Results UpdateSliceOp::evaluate(Operands operands) {
  const HostTensor &source = operands[0];
  HostTensor result = operands[1];
  Operands rest = operands.drop_front(2);
  SmallVector<int64_t> offsets = detail::resolveList(getStaticOffsets(), rest);
  for (auto [dim, offset] : llvm::enumerate(offsets)) {
    int64_t end = offset + source.getShape()[dim];
    if (offset < 0 || end > result.getShape()[dim])
      return emitOpError("source lies from ")
             << offset << " to " << end << " in dimension " << dim
             << ", whose size is " << result.getShape()[dim];
  }
  insert(result, source, offsets);
  return SmallVector<HostTensor>{result};
}

Results ConcatOp::evaluate(Operands operands) {
  int64_t axis = getAxis();
  SmallVector<int64_t> shape(operands.front().getShape());
  for (const HostTensor &operand : operands.drop_front()) {
    for (auto [dim, size] : llvm::enumerate(operand.getShape()))
      if (static_cast<int64_t>(dim) != axis && size != shape[dim])
        return emitOpError("joins sizes ")
               << shape[dim] << " and " << size << " of dimension " << dim;
    shape[axis] += operand.getShape()[axis];
  }
  HostTensor result(operands.front().getType().clone(shape));
  SmallVector<int64_t> offsets(shape.size(), 0);
  for (const HostTensor &operand : operands) {
    insert(result, operand, offsets);
    offsets[axis] += operand.getShape()[axis];
  }
  return SmallVector<HostTensor>{result};
}

Results PadOp::evaluate(Operands operands) {
  const HostTensor &input = operands[0], &value = operands[1];
  Operands rest = operands.drop_front(2);
  SmallVector<int64_t> low = detail::resolveList(getStaticLow(), rest);
  SmallVector<int64_t> high = detail::resolveList(getStaticHigh(), rest);
  SmallVector<int64_t> steps = detail::resolveList(getStaticInterior(), rest);
  steps.resize(low.size(), 0);
  SmallVector<int64_t> shape(input.getShape());
  for (auto [size, before, after, step] :
       llvm::zip_equal(shape, low, high, steps)) {
    if (int64_t least = std::min({before, after, step}); least < 0)
      return emitOpError("pads by ") << least << ", which is negative";
    size += before + std::max<int64_t>(size - 1, 0) * step + after;
    ++step;
  }
  HostTensor result(input.getType().clone(shape));
  for (int64_t i = 0, e = result.getNumElements(); i < e; ++i)
    result.copyElement(i, value, 0);
  insert(result, input, low, steps);
  return SmallVector<HostTensor>{result};
}
