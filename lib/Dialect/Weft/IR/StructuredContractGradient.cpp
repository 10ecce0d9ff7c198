//===- StructuredContractGradient.cpp - Gradients of contractions ---------===//

#include "StructuredGradient.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

//===----------------------------------------------------------------------===//
// contract
//===----------------------------------------------------------------------===//

namespace {
/// One operand of a contraction: its dimensions by what they are for.
struct ContractSide {
  TypedValue<RankedTensorType> value;
  ArrayRef<int64_t> batch, contract;
  SmallVector<int64_t> free;
};
} // namespace

// Where each of `dims` stands among them when they are sorted.
static SmallVector<int64_t> getRanks(ArrayRef<int64_t> dims) {
  return llvm::map_to_vector(dims, [&](int64_t dim) -> int64_t {
    return llvm::count_if(dims, [&](int64_t other) { return other < dim; });
  });
}

// The dimensions of `own` in the order in which a contraction of the result's
// gradient with `other` has them. Those of `own` that were contracted are free
// in `other`, and come in its order.
static SmallVector<int64_t> getGradientDims(const ContractSide &own,
                                            const ContractSide &other,
                                            bool otherFirst) {
  SmallVector<int64_t> contracted(own.contract.size());
  for (auto [rank, dim] :
       llvm::zip_equal(getRanks(other.contract), own.contract))
    contracted[rank] = dim;
  SmallVector<int64_t> dims(own.batch);
  llvm::append_range(dims, otherFirst ? contracted : own.free);
  llvm::append_range(dims, otherFirst ? own.free : contracted);
  return dims;
}

// With y[b, m, n] = sum over k of a[b, m, k] * c[b, k, n] and g the gradient of
// y, that of a[b, m, k] is the sum over n of g[b, m, n] * c[b, k, n], and that
// of c[b, k, n] the sum over m of a[b, m, k] * g[b, m, n]: each is a
// contraction over the other operand's free dimensions. `ownFirst` and
// `otherFirst` are the first dimensions of g that come from the free ones of
// either operand. The gradient may stand on either side: its dimensions must
// come out in the operand's order, if possible.
static Value buildContractGradient(ImplicitLocOpBuilder &b, Value grad,
                                   const ContractSide &own,
                                   const ContractSide &other, int64_t ownFirst,
                                   int64_t otherFirst) {
  auto gradType = cast<RankedTensorType>(grad.getType());
  SmallVector<int64_t> batch =
      llvm::to_vector(llvm::seq<int64_t>(own.batch.size()));
  SmallVector<int64_t> summed = llvm::to_vector(
      llvm::seq<int64_t>(otherFirst, otherFirst + other.free.size()));
  // Dimensions that run together may be named in any order: in that of `own`.
  ContractSide sortedOwn = own;
  SmallVector<int64_t> ownBatch(batch.size()), otherBatch(batch.size()),
      gradBatch(batch.size());
  for (auto [i, rank] : llvm::enumerate(getRanks(own.batch))) {
    ownBatch[rank] = own.batch[i];
    otherBatch[rank] = other.batch[i];
    gradBatch[rank] = i;
  }
  sortedOwn.batch = ownBatch;

  bool isOtherFirst = ownFirst > otherFirst;
  SmallVector<int64_t> dims = getGradientDims(sortedOwn, other, isOtherFirst);
  if (SmallVector<int64_t> swapped =
          getGradientDims(sortedOwn, other, !isOtherFirst);
      !llvm::is_sorted(dims) && llvm::is_sorted(swapped)) {
    dims = swapped;
    isOtherFirst = !isOtherFirst;
  }
  SmallVector<int64_t> shape = llvm::map_to_vector(
      dims, [&](int64_t dim) { return own.value.getType().getDimSize(dim); });
  auto type = RankedTensorType::get(shape, gradType.getElementType());
  Value result =
      isOtherFirst
          ? ContractOp::create(b, type, other.value, grad, Value(), otherBatch,
                               gradBatch, other.free, summed)
          : ContractOp::create(b, type, grad, other.value, Value(), gradBatch,
                               otherBatch, summed, other.free);
  if (!llvm::is_sorted(dims)) {
    SmallVector<int64_t> permutation(dims.size());
    for (auto [position, dim] : llvm::enumerate(dims))
      permutation[dim] = position;
    result = TransposeOp::create(b, result, permutation);
  }
  return convertElements(b, result, own.value);
}

LogicalResult ContractOp::buildGradient(OpBuilder &builder,
                                        ValueRange resultGrads,
                                        SmallVectorImpl<Value> &operandGrads) {
  if (!isa<FloatType>(getType().getElementType())) {
    operandGrads.append(getNumOperands(), Value());
    return success();
  }
  ImplicitLocOpBuilder b(getLoc(), builder);
  ContractSide lhs{getLhs(), getLhsBatch(), getLhsContract(), getLhsFree()};
  ContractSide rhs{getRhs(), getRhsBatch(), getRhsContract(), getRhsFree()};
  int64_t lhsFirst = lhs.batch.size(), rhsFirst = lhsFirst + lhs.free.size();
  Value grad = resultGrads.front();
  operandGrads.push_back(
      buildContractGradient(b, grad, lhs, rhs, lhsFirst, rhsFirst));
  operandGrads.push_back(
      buildContractGradient(b, grad, rhs, lhs, rhsFirst, lhsFirst));
  if (getInit())
    operandGrads.push_back(fitType(b, grad, getInit()));
  return success();
}

//===----------------------------------------------------------------------===//
// det, inverse
//===----------------------------------------------------------------------===//

// Along row i the determinant is the sum of x[i, j] * cofactor[i, j], and the
// matrix of cofactors is det(x) * inverse(x)^T.
LogicalResult DetOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                                   SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(getLoc(), builder);
  SmallVector<int64_t> permutation =
      llvm::to_vector(llvm::seq(getInput().getType().getRank()));
  std::swap(permutation.end()[-1], permutation.end()[-2]);
  Value inverse = InverseOp::create(b, getInput()).getResult();
  Term cofactors{&b, TransposeOp::create(b, inverse, permutation)};
  Term scale = Term{&b, resultGrads.front()} * Term{&b, getResult()};
  Value wide = convertElements(b, scale.value, inverse);
  auto type = cast<RankedTensorType>(cofactors.value.getType());
  Term spread{&b,
              BroadcastOp::create(
                  b, type, wide, getSymbolicSizes(b, cofactors.value),
                  ArrayRef(llvm::to_vector(llvm::seq(type.getRank() - 2))))};
  Value result = (cofactors * spread).value;
  operandGrads.push_back(
      fitType(b, convertElements(b, result, getInput()), getInput()));
  return success();
}

// From x * y = 1 follows dy = -y * dx * y, so that of g * dy the part of dx is
// -y^T * g * y^T.
LogicalResult InverseOp::buildGradient(OpBuilder &builder,
                                       ValueRange resultGrads,
                                       SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(getLoc(), builder);
  int64_t rank = getInput().getType().getRank();
  SmallVector<int64_t> batch = llvm::to_vector(llvm::seq(rank - 2));
  Value inner = ContractOp::create(b, getResult(), resultGrads.front(), batch,
                                   batch, rank - 2, rank - 2);
  Value outer = ContractOp::create(b, inner, getResult(), batch, batch,
                                   rank - 1, rank - 1);
  Value result = NegOp::create(b, outer);
  operandGrads.push_back(
      fitType(b, convertElements(b, result, getInput()), getInput()));
  return success();
}
