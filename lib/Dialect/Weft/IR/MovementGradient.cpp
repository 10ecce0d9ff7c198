//===- MovementGradient.cpp - Gradients of index maps ---------------------===//
//
// Each element of a result is one of an operand, so that an element's gradient
// is the sum of those of the places it went to.
//
//===----------------------------------------------------------------------===//

#include "Movement.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

static Value toIndex(ImplicitLocOpBuilder &b, OpFoldResult value) {
  return getValueOrCreateConstantIndexOp(b, b.getLoc(), value);
}

/// `offset`, or zero where a part of the size `size` is empty: its offset may
/// be anything.
static OpFoldResult settleOffset(ImplicitLocOpBuilder &b, OpFoldResult offset,
                                 OpFoldResult size) {
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return *known == 0 ? b.getIndexAttr(0) : offset;
  if (isConstantIntValue(offset, 0))
    return offset;
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value isEmpty = b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                                toIndex(b, size), zero);
  return getAsOpFoldResult(
      b.createOrFold<arith::SelectOp>(isEmpty, zero, toIndex(b, offset)));
}

/// `source` at `offsets` of `dest`.
static Value updateSlice(ImplicitLocOpBuilder &b, Value source, Value dest,
                         ArrayRef<OpFoldResult> offsets) {
  SmallVector<Value> dynamic;
  SmallVector<int64_t> known;
  dispatchIndexOpFoldResults(offsets, dynamic, known);
  return UpdateSliceOp::create(b, dest.getType(), source, dest, dynamic, known);
}

/// The part of `whole` at `offsets` that has the sizes of `like`.
static Value takePart(ImplicitLocOpBuilder &b, Value whole, Value like,
                      ArrayRef<OpFoldResult> offsets) {
  SmallVector<OpFoldResult> ones(offsets.size(), b.getIndexAttr(1));
  return SliceOp::create(b, whole, offsets, getSizesOf(b, like), ones);
}

//===----------------------------------------------------------------------===//
// Reshape, transpose, broadcast
//===----------------------------------------------------------------------===//

LogicalResult ReshapeOp::buildGradient(OpBuilder &builder,
                                       ValueRange resultGrads,
                                       SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value grad = ReshapeOp::create(b, getInput().getType(), resultGrads.front(),
                                 getSymbolicSizes(b, getInput()));
  return finish(*this, grad, operandGrads);
}

LogicalResult TransposeOp::buildGradient(OpBuilder &builder,
                                         ValueRange resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  SmallVector<int64_t> inverse(getPermutation().size());
  for (auto [i, dim] : llvm::enumerate(getPermutation()))
    inverse[dim] = i;
  return finish(
      *this,
      TransposeOp::create(builder, getLoc(), resultGrads.front(), inverse)
          .getResult(),
      operandGrads);
}

namespace {
/// What a broadcast's gradient sums over. A dimension that the input has in
/// size one, or not at all, is summed. Where only the run tells whether the
/// size is one, the dimension is split into (input's size, what is repeated),
/// the second of which is summed, one element or all of them.
class BroadcastSum {
public:
  BroadcastSum(ImplicitLocOpBuilder &b, BroadcastOp op) : b(b), op(op) {}
  Value build(Value grad);

private:
  void addDim(int64_t dim, std::optional<int64_t> inputDim, OpFoldResult size);
  void splitDim(int64_t inputDim, OpFoldResult size);

  ImplicitLocOpBuilder &b;
  BroadcastOp op;
  /// The sizes after splitting, and the dimensions to sum.
  SmallVector<OpFoldResult> sizes;
  SmallVector<int64_t> summed;
};
} // namespace

void BroadcastSum::splitDim(int64_t inputDim, OpFoldResult size) {
  Value own = tensor::DimOp::create(b, op.getInput(), inputDim);
  // An empty dimension is not repeated, so any divisor will do.
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value divisor = b.createOrFold<arith::MaxSIOp>(own, one);
  sizes.push_back(own);
  summed.push_back(sizes.size());
  sizes.push_back(getAsOpFoldResult(
      b.createOrFold<arith::DivSIOp>(toIndex(b, size), divisor)));
}

void BroadcastSum::addDim(int64_t dim, std::optional<int64_t> inputDim,
                          OpFoldResult size) {
  RankedTensorType from = op.getInput().getType();
  RankedTensorType to = op.getResult().getType();
  auto isSame = [&](int64_t inputDim) {
    return !from.isDynamicDim(inputDim) || to.getDimSize(dim) == 1 ||
           (to.isDynamicDim(dim) &&
            isSizeOf(getSizeOperand(to, op.getSizes(), dim), op.getInput(),
                     inputDim));
  };
  if (!inputDim || (from.getDimSize(*inputDim) == 1 && to.getDimSize(dim) != 1))
    summed.push_back(sizes.size());
  else if (!isSame(*inputDim))
    return splitDim(*inputDim, size);
  sizes.push_back(size);
}

Value BroadcastSum::build(Value grad) {
  for (auto [dim, size] : llvm::enumerate(getSizesOf(b, grad))) {
    const auto *at = llvm::find(op.getDims(), static_cast<int64_t>(dim));
    bool isNew = at == op.getDims().end();
    addDim(dim, isNew ? std::nullopt : std::optional(at - op.getDims().begin()),
           size);
  }
  auto type = cast<RankedTensorType>(grad.getType());
  if (static_cast<int64_t>(sizes.size()) != type.getRank()) {
    SmallVector<Value> dynamic;
    SmallVector<int64_t> known;
    dispatchIndexOpFoldResults(sizes, dynamic, known);
    grad = ReshapeOp::create(b, type.clone(known), grad, dynamic);
  }
  if (!summed.empty())
    grad = ReduceOp::create(b, ReduceKind::sum, grad, summed);
  if (grad.getType() != op.getInput().getType())
    grad = ReshapeOp::create(b, op.getInput().getType(), grad,
                             getSymbolicSizes(b, op.getInput()));
  return grad;
}

LogicalResult BroadcastOp::buildGradient(OpBuilder &builder,
                                         ValueRange resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  return finish(*this, BroadcastSum(b, *this).build(resultGrads.front()),
                operandGrads);
}

//===----------------------------------------------------------------------===//
// Parts of tensors
//===----------------------------------------------------------------------===//

LogicalResult
UpdateSliceOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                             SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value grad = resultGrads.front();
  Value part = takePart(b, grad, getSource(), getMixedOffsets());
  Value rest =
      updateSlice(b, makeSplat(b, getSource(), 0), grad, getMixedOffsets());
  return finish(*this, {part, rest}, operandGrads);
}

LogicalResult ConcatOp::buildGradient(OpBuilder &builder,
                                      ValueRange resultGrads,
                                      SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  SmallVector<OpFoldResult> offsets(getType().getRank(), b.getIndexAttr(0));
  OpFoldResult &offset = offsets[getAxis()];
  for (Value input : getInputs()) {
    operandGrads.push_back(takePart(b, resultGrads.front(), input, offsets));
    OpFoldResult size = getSizesOf(b, input)[getAxis()];
    offset = getAsOpFoldResult(
        b.createOrFold<arith::AddIOp>(toIndex(b, offset), toIndex(b, size)));
  }
  return success();
}

namespace {
/// One dimension of a slice's gradient: the slice's elements lie `step` apart
/// from `low` on, in the order of `first + i * turn` where it is negative.
struct SliceDim {
  OpFoldResult low, step, first, turn;
};
} // namespace

/// A stride whose sign only the run tells is turned around if it is negative.
static SliceDim invertSlice(ImplicitLocOpBuilder &b, OpFoldResult offset,
                            OpFoldResult size, OpFoldResult stride) {
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value by = toIndex(b, stride);
  Value last = b.createOrFold<arith::SubIOp>(toIndex(b, size), one);
  Value end = b.createOrFold<arith::AddIOp>(
      toIndex(b, offset), b.createOrFold<arith::MulIOp>(last, by));
  Value isTurned =
      b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, by, zero);
  auto choose = [&](Value turned, Value straight) {
    return getAsOpFoldResult(
        b.createOrFold<arith::SelectOp>(isTurned, turned, straight));
  };
  SliceDim dim;
  dim.low = settleOffset(b, choose(end, toIndex(b, offset)), size);
  dim.step = choose(b.createOrFold<arith::SubIOp>(zero, by), by);
  dim.first = choose(last, zero);
  dim.turn = choose(arith::ConstantIndexOp::create(b, -1), one);
  return dim;
}

/// Turns `grad` around, spreads it, and puts it where it came from.
LogicalResult SliceOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                                     SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  SmallVector<OpFoldResult> low, first, turn, between, none;
  for (auto [offset, size, stride] :
       llvm::zip_equal(getMixedOffsets(), getMixedSizes(), getMixedStrides())) {
    SliceDim dim = invertSlice(b, offset, size, stride);
    low.push_back(dim.low);
    first.push_back(dim.first);
    turn.push_back(dim.turn);
    between.push_back(getAsOpFoldResult(b.createOrFold<arith::SubIOp>(
        toIndex(b, dim.step), arith::ConstantIndexOp::create(b, 1))));
    none.push_back(b.getIndexAttr(0));
  }
  auto are = [](ArrayRef<OpFoldResult> list, int64_t value) {
    return llvm::all_of(list, [&](OpFoldResult entry) {
      return isConstantIntValue(entry, value);
    });
  };
  Value grad = resultGrads.front();
  if (!are(turn, 1))
    grad = SliceOp::create(b, grad, first, getMixedSizes(), turn);
  if (!are(between, 0))
    grad = PadOp::create(b, grad, makeNumber(b, getType().getElementType(), 0),
                         none, none, between);
  return finish(*this, updateSlice(b, grad, makeSplat(b, getInput(), 0), low),
                operandGrads);
}

/// What was put around the input has one value, whose gradient is the sum of
/// that of all its places.
LogicalResult PadOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                                   SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value grad = resultGrads.front();
  Value one = arith::ConstantIndexOp::create(b, 1);
  SmallVector<OpFoldResult> strides;
  for (OpFoldResult between : getMixedInterior())
    strides.push_back(getAsOpFoldResult(
        b.createOrFold<arith::AddIOp>(toIndex(b, between), one)));
  Value inside = SliceOp::create(b, grad, getMixedLow(),
                                 getSizesOf(b, getInput()), strides);

  Type truth = b.getI1Type();
  Value isOutside = PadOp::create(b, makeSplat(b, getInput(), truth, 0),
                                  makeNumber(b, truth, 1), getMixedLow(),
                                  getMixedHigh(), getMixedInterior());
  Value outside =
      choose({&b, isOutside}, {&b, grad}, {&b, makeSplat(b, grad, 0)}).value;
  auto axes = llvm::to_vector(llvm::seq(getType().getRank()));
  Value sum = axes.empty()
                  ? outside
                  : ReduceOp::create(b, ReduceKind::sum, outside, axes);
  return finish(*this, {inside, sum}, operandGrads);
}
