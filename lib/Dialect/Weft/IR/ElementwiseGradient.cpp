//===- ElementwiseGradient.cpp - Gradients of elementwise ops -------------===//
//
// One formula per op, with x or a and b its operands, y its result and g the
// gradient of y. Where a function has a kink, the formula's neighbour says what
// is taken for its slope.
//
//===----------------------------------------------------------------------===//

#include "Elementwise.h"
#include "weft/Dialect/Weft/IR/Terms.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::detail;

using Pair = std::pair<Term, Term>;

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

static Term unaryGradient(Operation *op, Term x, Term y, Term g) {
  using Op = Operation *;
  return TypeSwitch<Op, Term>(op)
      // Zero at zero, as the sign is.
      .Case<AbsOp>([&](Op) { return g * apply<SignOp>(x); })
      .Case<AcosOp>([&](Op) { return -(g / squareRoot(1.0 - x * x)); })
      .Case<AcoshOp>([&](Op) { return g / squareRoot(x * x - 1.0); })
      .Case<AsinOp>([&](Op) { return g / squareRoot(1.0 - x * x); })
      .Case<AsinhOp>([&](Op) { return g / squareRoot(x * x + 1.0); })
      .Case<AtanOp>([&](Op) { return g / (x * x + 1.0); })
      .Case<AtanhOp>([&](Op) { return g / (1.0 - x * x); })
      .Case<CosOp>([&](Op) { return -(g * apply<SinOp>(x)); })
      .Case<CoshOp>([&](Op) { return g * apply<SinhOp>(x); })
      .Case<ErfOp>([&](Op) {
        return g * (2 / std::sqrt(M_PI) * apply<ExpOp>(-(x * x)));
      })
      .Case<ExpOp>([&](Op) { return g * y; })
      .Case<LogOp>([&](Op) { return g / x; })
      .Case<LogisticOp>([&](Op) { return g * (y * (1.0 - y)); })
      .Case<NegOp>([&](Op) { return -g; })
      .Case<SinOp>([&](Op) { return g * apply<CosOp>(x); })
      .Case<SinhOp>([&](Op) { return g * apply<CoshOp>(x); })
      .Case<SqrtOp>([&](Op) { return g / (2.0 * y); })
      .Case<TanOp>([&](Op) { return g * (y * y + 1.0); })
      .Case<TanhOp>([&](Op) { return g * (1.0 - y * y); });
}

/// The share of `g` that goes to `a`, which counts where `a how b` holds; equal
/// ones share it evenly.
static Term share(Term g, Term a, Term b, ComparePredicate how) {
  Term whole = choose(compare(how, a, b), g, g.number(0));
  return choose(compare(ComparePredicate::eq, a, b), 0.5 * g, whole);
}

/// d(a^b)/db = y log(a), which tends to zero with y where a does.
static Term powerExponent(Term a, Term y, Term g) {
  Term isZero = compare(ComparePredicate::eq, a, a.number(0));
  return choose(isZero, g.number(0), g * (y * apply<LogOp>(a)));
}

static Pair binaryGradient(Operation *op, Term a, Term b, Term y, Term g) {
  using Op = Operation *;
  auto share = [&](ComparePredicate how) {
    return Pair{::share(g, a, b, how), ::share(g, b, a, how)};
  };
  return TypeSwitch<Op, Pair>(op)
      .Case<AddOp>([&](Op) { return Pair{g, g}; })
      .Case<DivOp>([&](Op) { return Pair{g / b, -(g * y / b)}; })
      .Case<MaxOp>([&](Op) { return share(ComparePredicate::gt); })
      .Case<MinOp>([&](Op) { return share(ComparePredicate::lt); })
      .Case<MulOp>([&](Op) { return Pair{g * b, g * a}; })
      .Case<PowOp>([&](Op) {
        return Pair{g * (b * apply<PowOp>(a, b - 1.0)), powerExponent(a, y, g)};
      })
      // y = a - trunc(a / b) b, so that trunc(a / b) is (a - y) / b.
      .Case<RemOp>([&](Op) { return Pair{g, -(g * ((a - y) / b))}; })
      .Case<SubOp>([&](Op) { return Pair{g, -g}; });
}

/// The condition by which `op` selected. Of a rectifier, `x <= c ? c : x`, it
/// is computed from the result, for which it holds where it does for x: so
/// neither x nor the condition need be kept.
static Term conditionOf(SelectOp op, Term y) {
  auto how = op.getCondition().getDefiningOp<CompareOp>();
  if (how && how.getPredicate() == ComparePredicate::le &&
      how.getLhs() == op.getOnFalse() && how.getRhs() == op.getOnTrue())
    return compare(ComparePredicate::le, y, {y.b, op.getOnTrue()});
  return {y.b, op.getCondition()};
}

LogicalResult
weft::detail::buildElementwiseGradient(Operation *op, OpBuilder &builder,
                                       ValueRange resultGrads,
                                       SmallVectorImpl<Value> &operandGrads) {
  // Nothing flows to integers, nor through them.
  if (!isFloat(op->getResult(0)) || !isFloat(op->getOperands().back())) {
    operandGrads.append(op->getNumOperands(), Value());
    return success();
  }
  ImplicitLocOpBuilder b(op->getLoc(), builder);
  Term g{&b, resultGrads.front()}, y{&b, op->getResult(0)};
  Term first{&b, op->getOperand(0)};
  if (isa<CastOp>(op)) {
    operandGrads.push_back(CastOp::create(b, first.value.getType(), g.value,
                                          /*saturate=*/false));
  } else if (auto select = dyn_cast<SelectOp>(op)) {
    Term zero = g.number(0), condition = conditionOf(select, y);
    operandGrads.append({Value(), choose(condition, g, zero).value,
                         choose(condition, zero, g).value});
  } else if (op->getNumOperands() == 2) {
    Pair grads = binaryGradient(op, first, {&b, op->getOperand(1)}, y, g);
    operandGrads.append({grads.first.value, grads.second.value});
  } else {
    operandGrads.push_back(unaryGradient(op, first, y, g).value);
  }
  return success();
}
