//===- Reduction.cpp - How elements are combined --------------------------===//

#include "weft/Dialect/Weft/IR/Reduction.h"

using namespace mlir;
using namespace weft;

bool weft::isUnsignedElement(Type type) {
  return type.isUnsignedInteger() || type.isInteger(1);
}

Type weft::getAccumulatorType(Type type) {
  if (type.isF16() || type.isBF16())
    return Float32Type::get(type.getContext());
  return getSignlessType(type);
}

TypedAttr weft::getIdentity(ReduceKind kind, Type elementType) {
  Builder b(elementType.getContext());
  Type type = getAccumulatorType(elementType);
  if (auto floatType = dyn_cast<FloatType>(type)) {
    double value = 0;
    if (kind == ReduceKind::prod)
      value = 1;
    else if (kind == ReduceKind::max)
      value = -std::numeric_limits<double>::infinity();
    else if (kind == ReduceKind::min)
      value = std::numeric_limits<double>::infinity();
    return b.getFloatAttr(floatType, value);
  }
  unsigned width = type.getIntOrFloatBitWidth();
  bool isUnsigned = isUnsignedElement(elementType);
  APInt value(width, 0);
  switch (kind) {
  case ReduceKind::sum:
  case ReduceKind::any:
    break;
  case ReduceKind::prod:
  case ReduceKind::all:
    value = APInt(width, 1);
    break;
  case ReduceKind::max:
    if (!isUnsigned)
      value = APInt::getSignedMinValue(width);
    break;
  case ReduceKind::min:
    value = isUnsigned ? APInt::getMaxValue(width)
                       : APInt::getSignedMaxValue(width);
    break;
  }
  return b.getIntegerAttr(type, value);
}

Value weft::emitIdentity(ImplicitLocOpBuilder &b, ReduceKind kind,
                         Type elementType) {
  return arith::ConstantOp::create(b, getIdentity(kind, elementType));
}

static Value emitCombineFloat(ImplicitLocOpBuilder &b, ReduceKind kind,
                              Value lhs, Value rhs,
                              arith::FastMathFlags flags) {
  switch (kind) {
  case ReduceKind::sum:
    return arith::AddFOp::create(b, lhs, rhs, flags);
  case ReduceKind::prod:
    return arith::MulFOp::create(b, lhs, rhs, flags);
  case ReduceKind::max:
    return arith::MaximumFOp::create(b, lhs, rhs, flags);
  case ReduceKind::min:
    return arith::MinimumFOp::create(b, lhs, rhs, flags);
  case ReduceKind::all:
  case ReduceKind::any:
    break;
  }
  llvm_unreachable("the verifier keeps all and any from floats");
}

Value weft::emitCombine(ImplicitLocOpBuilder &b, ReduceKind kind,
                        Type elementType, Value lhs, Value rhs,
                        arith::FastMathFlags flags) {
  if (isa<FloatType>(elementType))
    return emitCombineFloat(b, kind, lhs, rhs, flags);
  bool isUnsigned = isUnsignedElement(elementType);
  switch (kind) {
  case ReduceKind::sum:
    return arith::AddIOp::create(b, lhs, rhs);
  case ReduceKind::prod:
    return arith::MulIOp::create(b, lhs, rhs);
  case ReduceKind::max:
    return isUnsigned ? arith::MaxUIOp::create(b, lhs, rhs).getResult()
                      : arith::MaxSIOp::create(b, lhs, rhs);
  case ReduceKind::min:
    return isUnsigned ? arith::MinUIOp::create(b, lhs, rhs).getResult()
                      : arith::MinSIOp::create(b, lhs, rhs);
  case ReduceKind::all:
    return arith::AndIOp::create(b, lhs, rhs);
  case ReduceKind::any:
    return arith::OrIOp::create(b, lhs, rhs);
  }
  llvm_unreachable("unknown kind of reduction");
}
