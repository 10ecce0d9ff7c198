//===- MovementGradient.cpp - Gradients of index maps ---------------------===//
//
// Each element of a result is one of an operand, so that an element's gradient
// is the sum of those of the places it went to.
//
//===----------------------------------------------------------------------===//

#include "Movement.h"
#include "Terms.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// Leaves all operands without a gradient, for a result that has none.
static LogicalResult leaveOut(Operation *op, SmallVectorImpl<Value> &grads) {
  grads.append(op->getNumOperands(), Value());
  return success();
}

/// `first` are the gradients of the first operands; the others are sizes.
static LogicalResult finish(Operation *op, ArrayRef<Value> first,
                            SmallVectorImpl<Value> &grads) {
  grads.append(first.begin(), first.end());
  grads.append(op->getNumOperands() - first.size(), Value());
  return success();
}

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
