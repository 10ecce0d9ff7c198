//===- AttentionBias.cpp - What is known of a bias's elements -------------===//

#include "AttentionBias.h"
#include "mlir/IR/Matchers.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

using namespace mlir;
using namespace weft;

std::optional<double> weft::cuda::getSplat(Value value) {
  if (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getInput();
  DenseFPElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
    return std::nullopt;
  bool losesInfo;
  APFloat number = elements.getSplatValue<APFloat>();
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
  return number.convertToDouble();
}

bool weft::cuda::isMinusInf(Value value) {
  std::optional<double> number = getSplat(value);
  return number && std::isinf(*number) && *number < 0;
}

/// Larger numbers leave weights fewer digits than products of f32 have in any
/// case: 64 * 2^-24 is 4e-6.
static constexpr double kSmall = 64;

static bool isSmallOrMinusInf(const APFloat &element) {
  if (element.isInfinity())
    return element.isNegative();
  bool losesInfo;
  APFloat number = element;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
  return std::abs(number.convertToDouble()) <= kSmall;
}

bool weft::cuda::isSmallOrMinusInf(Value bias) {
  DenseFPElementsAttr elements;
  if (matchPattern(bias, m_Constant(&elements)))
    return llvm::all_of(
        elements.getValues<APFloat>(),
        [](const APFloat &element) { return ::isSmallOrMinusInf(element); });
  Operation *op = bias.getDefiningOp();
  if (auto select = dyn_cast_or_null<SelectOp>(op))
    return isSmallOrMinusInf(select.getOnTrue()) &&
           isSmallOrMinusInf(select.getOnFalse());
  if (isa_and_nonnull<BroadcastOp, CastOp, ReshapeOp, TransposeOp, SliceOp>(
          op) &&
      isa<FloatType>(getElementTypeOrSelf(op->getOperand(0).getType())))
    return isSmallOrMinusInf(op->getOperand(0));
  return false;
}
