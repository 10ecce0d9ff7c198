//===- CumulativeGradient.cpp - Gradients of running sums and products ----===//

#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

namespace {
/// `scan` goes along the axis as the op does, `scanBack` the other way: it sums
/// what an element adds to all those that count it.
struct Scans {
  CumulativeOp op;

  Term scan(ReduceKind kind, Term x, bool exclusive) {
    return {x.b, CumulativeOp::create(*x.b, kind, x.value, op.getAxis(),
                                      exclusive, op.getReverse())};
  }
  Term scanBack(Term x) {
    return {x.b,
            CumulativeOp::create(*x.b, ReduceKind::sum, x.value, op.getAxis(),
                                 op.getExclusive(), !op.getReverse())};
  }
};
} // namespace

/// A product leaves out one of its factors by a division, unless that is zero.
/// The products that count a zero are all zero without that one, too, if
/// another zero came before; so the first alone has a gradient, that of the
/// products with a one in its place. (As to second derivatives, zeros count as
/// constants.)
static Term productGradient(Scans scans, Term x, Term y, Term g) {
  Term zero = x.number(0), one = x.number(1);
  Term isZero = compare(ComparePredicate::eq, x, zero);
  Term zeros = scans.scan(ReduceKind::sum, choose(isZero, one, zero),
                          /*exclusive=*/false);
  Term isFirst =
      apply<AndOp>(isZero, compare(ComparePredicate::eq, zeros, one));
  Term without = scans.scan(ReduceKind::prod, choose(isFirst, one, x),
                            scans.op.getExclusive());
  Term ifFirst = scans.scanBack(g * without);
  Term unlessZero = scans.scanBack(g * y) / choose(isZero, one, x);
  return choose(isFirst, ifFirst, choose(isZero, zero, unlessZero));
}

LogicalResult
CumulativeOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                            SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  Term x{&b, getInput()}, y{&b, getResult()}, g{&b, resultGrads.front()};
  Scans scans{*this};
  operandGrads.push_back(getKind() == ReduceKind::sum
                             ? scans.scanBack(g).value
                             : productGradient(scans, x, y, g).value);
  return success();
}
