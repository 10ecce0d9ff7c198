//===- Sharding.cpp - How the ops' work is split --------------------------===//

#include "Elementwise.h"

using namespace mlir;
using namespace weft;

void weft::detail::getElementwiseSplits(Operation *op,
                                        SmallVectorImpl<SplitDim> &dims) {
  int64_t rank = cast<RankedTensorType>(op->getResult(0).getType()).getRank();
  for (int64_t dim : llvm::seq(rank)) {
    SplitDim split;
    split.operands.append(op->getNumOperands(), dim);
    split.results.push_back(dim);
    dims.push_back(split);
  }
}

/// Batch dimensions split both operands, free ones split theirs. The parts of a
/// summed dimension give sums that are to be added up, which they can't be if
/// each of them begins at `init`.
void ContractOp::getSplitDims(SmallVectorImpl<SplitDim> &dims) {
  using Dim = std::optional<int64_t>;
  int64_t result = 0;
  auto add = [&](Dim lhs, Dim rhs) {
    SplitDim split{{lhs, rhs}, {result}, Combine::Concatenate};
    if (getInit())
      split.operands.push_back(result);
    dims.push_back(split);
    ++result;
  };
  for (auto [lhs, rhs] : llvm::zip_equal(getLhsBatch(), getRhsBatch()))
    add(lhs, rhs);
  for (int64_t lhs : getLhsFree())
    add(lhs, std::nullopt);
  for (int64_t rhs : getRhsFree())
    add(std::nullopt, rhs);
  if (getInit())
    return;
  for (auto [lhs, rhs] : llvm::zip_equal(getLhsContract(), getRhsContract()))
    dims.push_back({{lhs, rhs}, {std::nullopt}, Combine::Sum});
}

/// The batch's dimensions split everything, the query's rows what has them. The
/// keys' are summed over, with logarithms that parts don't know.
void AttentionOp::getSplitDims(SmallVectorImpl<SplitDim> &dims) {
  int64_t rows = getQuery().getType().getRank() - 2;
  for (int64_t dim : llvm::seq(rows + 1)) {
    std::optional<int64_t> ofKeys;
    if (dim < rows)
      ofKeys = dim;
    SplitDim split{{dim, ofKeys, ofKeys}, {dim, dim}, Combine::Concatenate};
    if (getBias())
      split.operands.push_back(dim);
    dims.push_back(split);
  }
}
