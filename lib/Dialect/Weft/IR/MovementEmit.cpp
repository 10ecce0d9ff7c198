//===- MovementEmit.cpp - Elements of index maps --------------------------===//

#include "Movement.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

static Value getIndex(ElementEmitter &emitter, OpFoldResult value) {
  if (auto operand = dyn_cast<Value>(value))
    return emitter.scalar(operand);
  return emitter.index(*getConstantIntValue(value));
}

static Value add(ElementEmitter &emitter, Value lhs, Value rhs) {
  return emitter.builder().createOrFold<arith::AddIOp>(lhs, rhs);
}

static Value sub(ElementEmitter &emitter, Value lhs, Value rhs) {
  return emitter.builder().createOrFold<arith::SubIOp>(lhs, rhs);
}

static Value mul(ElementEmitter &emitter, Value lhs, Value rhs) {
  return emitter.builder().createOrFold<arith::MulIOp>(lhs, rhs);
}

static Value both(ElementEmitter &emitter, Value lhs, Value rhs) {
  return lhs ? arith::AndIOp::create(emitter.builder(), lhs, rhs) : rhs;
}

/// Where `source`, put at `offsets` in a larger tensor, covers the element at
/// `indices`: the indices within it, and the condition, null if it always does.
/// `gaps` are what lies between its elements; none is the same as zeros.
static std::pair<SmallVector<Value>, Value>
findInside(ElementEmitter &emitter, Value source, RankedTensorType whole,
           ArrayRef<OpFoldResult> offsets, ArrayRef<Value> indices,
           ArrayRef<OpFoldResult> gaps = {}) {
  ImplicitLocOpBuilder &b = emitter.builder();
  auto part = cast<RankedTensorType>(source.getType());
  SmallVector<Value> inside;
  Value condition;
  for (auto [dim, offset] : llvm::enumerate(offsets)) {
    int64_t size = part.getDimSize(dim);
    if (!ShapedType::isDynamic(size) && size == whole.getDimSize(dim)) {
      inside.push_back(indices[dim]);
      continue;
    }
    Value shifted = sub(emitter, indices[dim], getIndex(emitter, offset));
    if (!gaps.empty() && !isConstantIntValue(gaps[dim], 0)) {
      Value step = add(emitter, getIndex(emitter, gaps[dim]), emitter.index(1));
      Value rest = arith::RemUIOp::create(b, shifted, step);
      shifted = arith::DivUIOp::create(b, shifted, step);
      condition = both(emitter, condition,
                       arith::CmpIOp::create(b, arith::CmpIPredicate::eq, rest,
                                             emitter.index(0)));
    }
    inside.push_back(shifted);
    // Indices before the part wrap to large unsigned numbers.
    condition = both(emitter, condition,
                     arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                           shifted, emitter.size(source, dim)));
  }
  return {inside, condition};
}

//===----------------------------------------------------------------------===//
// ReshapeOp
//===----------------------------------------------------------------------===//

namespace {

/// Dimensions of the input and of the result that hold the same elements.
struct ReshapeGroup {
  SmallVector<int64_t> from;
  SmallVector<int64_t> to;
};

/// Splits a reshape into the smallest groups of dimensions whose sizes have
/// provably equal products. Only groups of several dimensions need index
/// arithmetic.
class ReshapeGroups {
public:
  explicit ReshapeGroups(ReshapeOp op)
      : op(op), from(op.getInput().getType()), to(op.getResult().getType()),
        fromEnd(from.getRank()), toEnd(to.getRank()) {}

  SmallVector<ReshapeGroup> find();

private:
  bool isSameSize(int64_t fromDim, int64_t toDim);
  bool matchFront();
  bool matchBack();
  void findSingleSymbol();

  ReshapeOp op;
  RankedTensorType from, to;
  int64_t fromBegin = 0, toBegin = 0, fromEnd, toEnd;
  /// A pair of symbolic dimensions that the number of elements makes equal.
  std::optional<std::pair<int64_t, int64_t>> equalSymbols;
  SmallVector<ReshapeGroup> groups;
};

} // namespace

/// If each side has one symbolic size and the others have equal products, the
/// symbolic ones are equal.
void ReshapeGroups::findSingleSymbol() {
  if (from.getNumDynamicDims() != 1 || to.getNumDynamicDims() != 1)
    return;
  auto summarize = [](RankedTensorType type) {
    int64_t symbol = 0, product = 1;
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      if (ShapedType::isDynamic(size))
        symbol = dim;
      else
        product *= size;
    return std::pair(symbol, product);
  };
  auto [fromSymbol, fromProduct] = summarize(from);
  auto [toSymbol, toProduct] = summarize(to);
  if (fromProduct == toProduct)
    equalSymbols = {fromSymbol, toSymbol};
}

bool ReshapeGroups::isSameSize(int64_t fromDim, int64_t toDim) {
  int64_t fromSize = from.getDimSize(fromDim), toSize = to.getDimSize(toDim);
  if (!ShapedType::isDynamic(fromSize) || !ShapedType::isDynamic(toSize))
    return fromSize == toSize;
  if (equalSymbols == std::pair(fromDim, toDim))
    return true;
  return weft::detail::isSizeOf(
      weft::detail::getSizeOperand(to, op.getSizes(), toDim), op.getInput(),
      fromDim);
}

/// Takes one group off the front of what is left, if sizes known to be equal,
/// or static ones with equal products, stand there.
bool ReshapeGroups::matchFront() {
  ReshapeGroup group;
  int64_t f = fromBegin, t = toBegin;
  if (isSameSize(f, t)) {
    groups.push_back({{fromBegin++}, {toBegin++}});
    return true;
  }
  int64_t fromProduct = from.getDimSize(f), toProduct = to.getDimSize(t);
  if (ShapedType::isDynamic(fromProduct) || ShapedType::isDynamic(toProduct))
    return false;
  group.from.push_back(f++);
  group.to.push_back(t++);
  while (fromProduct != toProduct) {
    bool growsFrom = fromProduct < toProduct;
    int64_t &dim = growsFrom ? f : t;
    RankedTensorType type = growsFrom ? from : to;
    if (dim == (growsFrom ? fromEnd : toEnd) || type.isDynamicDim(dim))
      return false;
    (growsFrom ? fromProduct : toProduct) *= type.getDimSize(dim);
    (growsFrom ? group.from : group.to).push_back(dim++);
  }
  fromBegin = f;
  toBegin = t;
  groups.push_back(std::move(group));
  return true;
}

bool ReshapeGroups::matchBack() {
  if (!isSameSize(fromEnd - 1, toEnd - 1))
    return false;
  groups.push_back({{--fromEnd}, {--toEnd}});
  return true;
}

SmallVector<ReshapeGroup> ReshapeGroups::find() {
  findSingleSymbol();
  auto isLeft = [&] { return fromBegin < fromEnd && toBegin < toEnd; };
  // Products that hold a zero prove nothing; such tensors have no elements.
  bool isEmpty = llvm::is_contained(from.getShape(), 0) ||
                 llvm::is_contained(to.getShape(), 0);
  while (!isEmpty && isLeft() && matchFront())
    ;
  while (!isEmpty && isLeft() && matchBack())
    ;
  ReshapeGroup middle;
  llvm::append_range(middle.from, llvm::seq(fromBegin, fromEnd));
  llvm::append_range(middle.to, llvm::seq(toBegin, toEnd));
  groups.push_back(std::move(middle));
  return groups;
}

/// The size of dimension `dim` of the reshape's result.
static Value getResultSize(ElementEmitter &emitter, ReshapeOp op, int64_t dim) {
  RankedTensorType type = op.getResult().getType();
  if (!type.isDynamicDim(dim))
    return emitter.index(type.getDimSize(dim));
  return emitter.scalar(weft::detail::getSizeOperand(type, op.getSizes(), dim));
}

/// Computes the input's indices in the dimensions of one group.
static void emitGroup(ElementEmitter &emitter, ReshapeOp op,
                      const ReshapeGroup &group, ArrayRef<Value> indices,
                      MutableArrayRef<Value> result) {
  ImplicitLocOpBuilder &b = emitter.builder();
  RankedTensorType from = op.getInput().getType();
  RankedTensorType to = op.getResult().getType();
  Value position;
  for (int64_t dim : group.to) {
    // The index in a dimension of size one is zero.
    if (to.getDimSize(dim) == 1)
      continue;
    if (position)
      position =
          add(emitter, mul(emitter, position, getResultSize(emitter, op, dim)),
              indices[dim]);
    else
      position = indices[dim];
  }
  SmallVector<int64_t> dims;
  for (int64_t dim : group.from) {
    if (from.getDimSize(dim) == 1)
      result[dim] = emitter.index(0);
    else
      dims.push_back(dim);
  }
  if (!position)
    position = emitter.index(0);
  for (int64_t dim : llvm::reverse(dims)) {
    if (dim == dims.front()) {
      result[dim] = position;
      break;
    }
    Value size = emitter.size(op.getInput(), dim);
    result[dim] = b.createOrFold<arith::RemUIOp>(position, size);
    position = b.createOrFold<arith::DivUIOp>(position, size);
  }
}

Value ReshapeOp::emitElement(ElementEmitter &emitter, ArrayRef<Value> indices) {
  SmallVector<Value> from(getInput().getType().getRank());
  for (const ReshapeGroup &group : ReshapeGroups(*this).find())
    emitGroup(emitter, *this, group, indices, from);
  return emitter.element(getInput(), from);
}

//===----------------------------------------------------------------------===//
// Other ops
//===----------------------------------------------------------------------===//

Value TransposeOp::emitElement(ElementEmitter &emitter,
                               ArrayRef<Value> indices) {
  SmallVector<Value> from(indices.size());
  for (auto [index, dim] : llvm::zip_equal(indices, getPermutation()))
    from[dim] = index;
  return emitter.element(getInput(), from);
}

Value BroadcastOp::emitElement(ElementEmitter &emitter,
                               ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  RankedTensorType type = getInput().getType();
  RankedTensorType resultType = getResult().getType();
  SmallVector<Value> from;
  for (auto [i, dim] : llvm::enumerate(getDims())) {
    int64_t size = type.getDimSize(i);
    if (size == 1) {
      from.push_back(emitter.index(0));
      continue;
    }
    bool isSame =
        !ShapedType::isDynamic(size) || resultType.getDimSize(dim) == 1 ||
        (resultType.isDynamicDim(dim) &&
         weft::detail::isSizeOf(
             weft::detail::getSizeOperand(resultType, getSizes(), dim),
             getInput(), i));
    if (isSame) {
      from.push_back(indices[dim]);
      continue;
    }
    Value isOne =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                              emitter.size(getInput(), i), emitter.index(1));
    from.push_back(
        arith::SelectOp::create(b, isOne, emitter.index(0), indices[dim]));
  }
  return emitter.element(getInput(), from);
}

Value SliceOp::emitElement(ElementEmitter &emitter, ArrayRef<Value> indices) {
  SmallVector<Value> from;
  for (auto [index, offset, stride] :
       llvm::zip_equal(indices, getMixedOffsets(), getMixedStrides()))
    from.push_back(add(emitter, mul(emitter, index, getIndex(emitter, stride)),
                       getIndex(emitter, offset)));
  return emitter.element(getInput(), from);
}

Value UpdateSliceOp::emitElement(ElementEmitter &emitter,
                                 ArrayRef<Value> indices) {
  auto [inside, condition] = findInside(
      emitter, getSource(), getDest().getType(), getMixedOffsets(), indices);
  if (!condition)
    return emitter.element(getSource(), inside);
  return emitter.choose(
      condition, [&] { return emitter.element(getSource(), inside); },
      [&] { return emitter.element(getDest(), indices); });
}

OpOperand &UpdateSliceOp::getUpdated() { return getDestMutable(); }

OpOperand &UpdateSliceOp::getUpdates() { return getSourceMutable(); }

SmallVector<Value> UpdateSliceOp::emitTarget(ElementEmitter &emitter,
                                             ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  SmallVector<Value> target;
  for (auto [dim, index, offset] :
       llvm::enumerate(indices, getMixedOffsets())) {
    Value at = add(emitter, index, getIndex(emitter, offset));
    bool isChecked = !isa<Value>(offset) &&
                     !getSource().getType().isDynamicDim(dim) &&
                     !getDest().getType().isDynamicDim(dim);
    // The verifier has not seen sizes and offsets that are data.
    if (!isChecked) {
      Value last = arith::SubIOp::create(b, emitter.size(getDest(), dim),
                                         emitter.index(1));
      at = arith::MaxSIOp::create(b, at, emitter.index(0));
      at = arith::MinSIOp::create(b, at, last);
    }
    target.push_back(at);
  }
  return target;
}

/// Chooses among `inputs`, the first of which starts at `offset` along the
/// axis.
static Value emitConcat(ElementEmitter &emitter, ValueRange inputs,
                        int64_t axis, Value offset, ArrayRef<Value> indices) {
  Value input = inputs.front();
  auto emitInput = [&] {
    SmallVector<Value> from(indices);
    from[axis] = sub(emitter, indices[axis], offset);
    return emitter.element(input, from);
  };
  if (inputs.size() == 1)
    return emitInput();
  Value end = add(emitter, offset, emitter.size(input, axis));
  Value isBefore = arith::CmpIOp::create(
      emitter.builder(), arith::CmpIPredicate::ult, indices[axis], end);
  return emitter.choose(isBefore, emitInput, [&] {
    return emitConcat(emitter, inputs.drop_front(), axis, end, indices);
  });
}

Value ConcatOp::emitElement(ElementEmitter &emitter, ArrayRef<Value> indices) {
  return emitConcat(emitter, getInputs(), getAxis(), emitter.index(0), indices);
}

Value PadOp::emitElement(ElementEmitter &emitter, ArrayRef<Value> indices) {
  auto [inside, condition] =
      findInside(emitter, getInput(), getResult().getType(), getMixedLow(),
                 indices, getMixedInterior());
  if (!condition)
    return emitter.element(getInput(), inside);
  return emitter.choose(
      condition, [&] { return emitter.element(getInput(), inside); },
      [&] { return emitter.element(getValue(), {}); });
}
