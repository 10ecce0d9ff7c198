//===- Seams.cpp - Sums of parts that lie side by side --------------------===//
//
// The gradient of a tensor that was cut into pieces is a sum of pieces, each
// with zeros around it. Two of them that touch are one piece, and in the end
// the whole.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

using namespace mlir;
using namespace weft;

/// Whether all elements of `value` are known to be zero.
static bool isZeros(Value value) {
  if (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getInput();
  return matchPattern(value, m_Zero()) || matchPattern(value, m_AnyZeroFloat());
}

/// Whether a value is zeros but for a part, whose size and place are static.
static UpdateSliceOp getPart(Value value) {
  auto part = value.getDefiningOp<UpdateSliceOp>();
  if (!part || !part.getOffsets().empty() ||
      !part.getSource().getType().hasStaticShape() || !isZeros(part.getDest()))
    return nullptr;
  return part;
}

/// The dimension along which `second` begins where `first` ends, while in all
/// others they lie at the same place.
static std::optional<int64_t> findSeam(UpdateSliceOp first,
                                       UpdateSliceOp second) {
  std::optional<int64_t> seam;
  RankedTensorType from = first.getSource().getType();
  RankedTensorType to = second.getSource().getType();
  for (auto [dim, begin, next] :
       llvm::enumerate(first.getStaticOffsets(), second.getStaticOffsets())) {
    int64_t size = from.getDimSize(dim);
    if (begin == next && size == to.getDimSize(dim))
      continue;
    if (seam || next != begin + size)
      return std::nullopt;
    seam = dim;
  }
  return seam;
}

LogicalResult AddOp::canonicalize(AddOp op, PatternRewriter &rewriter) {
  UpdateSliceOp lhs = getPart(op.getLhs()), rhs = getPart(op.getRhs());
  if (!lhs || !rhs)
    return failure();
  for (auto [first, second] : {std::pair(lhs, rhs), std::pair(rhs, lhs)}) {
    std::optional<int64_t> seam = findSeam(first, second);
    if (!seam)
      continue;
    Value joined = ConcatOp::create(
        rewriter, op.getLoc(),
        ValueRange{first.getSource(), second.getSource()}, *seam);
    rewriter.replaceOpWithNewOp<UpdateSliceOp>(op, op.getType(), joined,
                                               first.getDest(), ValueRange(),
                                               first.getStaticOffsets());
    return success();
  }
  return failure();
}
