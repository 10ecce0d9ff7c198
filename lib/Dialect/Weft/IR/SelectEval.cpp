//===- SelectEval.cpp - Reference gather, scatter, top-k, random ----------===//

#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

using Results = FailureOr<SmallVector<HostTensor>>;

static Results makeResults(HostTensor tensor) {
  SmallVector<HostTensor> results;
  results.push_back(std::move(tensor));
  return results;
}

// Reads element `position` of `indices` as an index into a dimension of `size`,
// or complains and returns nothing.
static std::optional<int64_t> readIndex(const Complaint &complain,
                                        const HostTensor &indices,
                                        int64_t position, int64_t size) {
  int64_t index = indices.getInt(position);
  if (index >= -size && index < size)
    return index < 0 ? index + size : index;
  (void)complain("index ", index, " is outside a dimension of size ", size);
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

Results GatherOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0], &indices = operands[1];
  int64_t axis = getAxis();
  SmallVector<int64_t> shape(input.getShape().take_front(axis));
  llvm::append_range(shape, indices.getShape());
  llvm::append_range(shape, input.getShape().drop_front(axis + 1));
  HostTensor result = makeHost(shape, input.getElementType());

  bool valid = true;
  int64_t count = 0;
  forEachIndex(shape, [&](ArrayRef<int64_t> at) {
    if (!valid)
      return;
    int64_t chosen =
        linearize(at.slice(axis, indices.getRank()), indices.getShape());
    std::optional<int64_t> index =
        readIndex(getOperation(), indices, chosen, input.getShape()[axis]);
    if (!(valid = index.has_value()))
      return;
    SmallVector<int64_t> from(at.take_front(axis));
    from.push_back(*index);
    llvm::append_range(from, at.drop_front(axis + indices.getRank()));
    result.copyElement(count++, input, linearize(from, input.getShape()));
  });
  if (!valid)
    return failure();
  return makeResults(std::move(result));
}

Results GatherElementsOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0], &indices = operands[1];
  int64_t axis = getAxis();
  HostTensor result = makeHost(indices.getShape(), input.getElementType());
  bool valid = true;
  int64_t count = 0;
  forEachIndex(indices.getShape(), [&](ArrayRef<int64_t> at) {
    if (!valid)
      return;
    std::optional<int64_t> index =
        readIndex(getOperation(), indices, count, input.getShape()[axis]);
    if (!(valid = index.has_value()))
      return;
    SmallVector<int64_t> from(at);
    from[axis] = *index;
    result.copyElement(count++, input, linearize(from, input.getShape()));
  });
  if (!valid)
    return failure();
  return makeResults(std::move(result));
}

Results GatherNDOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0], &indices = operands[1];
  int64_t batch = getBatchDims();
  int64_t length = indices.getShape().back();
  int64_t outer = indices.getRank() - 1;
  SmallVector<int64_t> shape(indices.getShape().drop_back());
  llvm::append_range(shape, input.getShape().drop_front(batch + length));
  HostTensor result = makeHost(shape, input.getElementType());

  bool valid = true;
  int64_t count = 0;
  forEachIndex(shape, [&](ArrayRef<int64_t> at) {
    int64_t vector =
        linearize(at.take_front(outer), indices.getShape().drop_back());
    SmallVector<int64_t> from(at.take_front(batch));
    for (int64_t i = 0; i < length && valid; ++i) {
      std::optional<int64_t> index =
          readIndex(getOperation(), indices, vector * length + i,
                    input.getShape()[batch + i]);
      valid = index.has_value();
      from.push_back(index.value_or(0));
    }
    if (!valid)
      return;
    llvm::append_range(from, at.drop_front(outer));
    result.copyElement(count++, input, linearize(from, input.getShape()));
  });
  if (!valid)
    return failure();
  return makeResults(std::move(result));
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

// Joins one element of `updates` with one of `result`.
static void update(HostTensor &result, int64_t to, const HostTensor &updates,
                   int64_t from, ScatterKind kind) {
  if (kind == ScatterKind::set) {
    result.copyElement(to, updates, from);
    return;
  }
  ReduceKind reduction = kind == ScatterKind::add   ? ReduceKind::sum
                         : kind == ScatterKind::mul ? ReduceKind::prod
                         : kind == ScatterKind::max ? ReduceKind::max
                                                    : ReduceKind::min;
  HostReduction join(reduction, result.getElementType());
  join.add(result, to);
  join.add(updates, from);
  join.store(result, to);
}

Results ScatterElementsOp::evaluate(ArrayRef<HostTensor> operands) {
  HostTensor result = operands[0];
  const HostTensor &indices = operands[1], &updates = operands[2];
  int64_t axis = getAxis();
  bool valid = true;
  int64_t count = 0;
  forEachIndex(indices.getShape(), [&](ArrayRef<int64_t> at) {
    if (!valid)
      return;
    std::optional<int64_t> index =
        readIndex(getOperation(), indices, count, result.getShape()[axis]);
    if (!(valid = index.has_value()))
      return;
    SmallVector<int64_t> to(at);
    to[axis] = *index;
    update(result, linearize(to, result.getShape()), updates, count++,
           getKind());
  });
  if (!valid)
    return failure();
  return makeResults(std::move(result));
}

Results ScatterNDOp::evaluate(ArrayRef<HostTensor> operands) {
  HostTensor result = operands[0];
  const HostTensor &indices = operands[1], &updates = operands[2];
  int64_t batch = getBatchDims();
  int64_t length = indices.getShape().back();
  int64_t outer = indices.getRank() - 1;
  bool valid = true;
  int64_t count = 0;
  forEachIndex(updates.getShape(), [&](ArrayRef<int64_t> at) {
    int64_t vector =
        linearize(at.take_front(outer), indices.getShape().drop_back());
    SmallVector<int64_t> to(at.take_front(batch));
    for (int64_t i = 0; i < length && valid; ++i) {
      std::optional<int64_t> index =
          readIndex(getOperation(), indices, vector * length + i,
                    result.getShape()[batch + i]);
      valid = index.has_value();
      to.push_back(index.value_or(0));
    }
    if (!valid)
      return;
    llvm::append_range(to, at.drop_front(outer));
    update(result, linearize(to, result.getShape()), updates, count++,
           getKind());
  });
  if (!valid)
    return failure();
  return makeResults(std::move(result));
}

//===----------------------------------------------------------------------===//
// top_k, nonzero
//===----------------------------------------------------------------------===//

Results TopKOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  int64_t axis = getAxis();
  int64_t size = input.getShape()[axis];
  int64_t count = getSize() ? operands[1].getInt(0)
                            : getValues().getType().getDimSize(axis);
  if (count < 0 || count > size)
    return emitOpError("cannot take ") << count << " elements from " << size;
  SmallVector<int64_t> shape(input.getShape());
  shape[axis] = count;
  HostTensor values = makeHost(shape, input.getElementType());
  HostTensor indices = makeHost(shape, getIndices().getType().getElementType());

  SmallVector<int64_t> rows(shape);
  rows[axis] = 1;
  forEachIndex(rows, [&](ArrayRef<int64_t> row) {
    SmallVector<int64_t> at(row);
    auto find = [&](int64_t i, ArrayRef<int64_t> sizes) {
      at[axis] = i;
      return linearize(at, sizes);
    };
    SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(size));
    // Equal elements follow their indices.
    llvm::sort(order, [&](int64_t a, int64_t b) {
      int64_t lhs = find(a, input.getShape()), rhs = find(b, input.getShape());
      if (isBefore(input, lhs, rhs, getLargest(), getLargest()))
        return true;
      return a < b && !isBefore(input, rhs, lhs, getLargest(), getLargest());
    });
    for (int64_t i = 0; i < count; ++i) {
      int64_t to = find(i, shape);
      values.copyElement(to, input, find(order[i], input.getShape()));
      indices.setInt(to, order[i]);
    }
  });
  SmallVector<HostTensor> results;
  results.push_back(std::move(values));
  results.push_back(std::move(indices));
  return results;
}

Results NonZeroOp::evaluate(ArrayRef<HostTensor> operands) {
  const HostTensor &input = operands[0];
  int64_t wanted = operands[1].getInt(0);
  bool isFloat = isa<FloatType>(input.getElementType());
  SmallVector<SmallVector<int64_t>> found;
  int64_t position = 0;
  forEachIndex(input.getShape(), [&](ArrayRef<int64_t> at) {
    if (isFloat ? input.getFloat(position) != 0 : input.getInt(position) != 0)
      found.emplace_back(at);
    ++position;
  });
  int64_t count = found.size();
  if (count != wanted)
    return emitOpError("count is ")
           << wanted << ", but " << count << " elements are not zero";
  HostTensor result =
      makeHost({input.getRank(), count}, getType().getElementType());
  for (int64_t column = 0; column < count; ++column)
    for (int64_t row = 0; row < input.getRank(); ++row)
      result.setInt(row * count + column, found[column][row]);
  return makeResults(std::move(result));
}

//===----------------------------------------------------------------------===//
// Philox-4x32-10
//===----------------------------------------------------------------------===//

// One block of four random words (Salmon et al., SC11).
static std::array<uint32_t, 4> philox(uint64_t block, uint64_t stream,
                                      uint64_t seed) {
  std::array<uint32_t, 4> c = {
      static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
      static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  uint32_t k0 = static_cast<uint32_t>(seed);
  uint32_t k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = uint64_t{0xD2511F53} * c[0];
    uint64_t product1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ k0,
         static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ k1,
         static_cast<uint32_t>(product0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

Results RandomUniformOp::evaluate(ArrayRef<HostTensor> operands) {
  SmallVector<int64_t> shape(getType().getShape());
  ArrayRef<HostTensor> sizes = operands.drop_front();
  for (int64_t &size : shape) {
    if (!ShapedType::isDynamic(size))
      continue;
    size = sizes.front().getInt(0);
    sizes = sizes.drop_front();
    if (size < 0)
      return emitOpError("size ") << size << " is negative";
  }
  HostTensor result = makeHost(shape, getType().getElementType());
  uint64_t seed = operands[0].getInt(0);
  for (int64_t i = 0; i < result.getNumElements(); ++i) {
    uint32_t word = philox(i / 4, getStream(), seed)[i % 4];
    result.setFloat(i, (word >> 8) * 0x1p-24);
  }
  return makeResults(std::move(result));
}
