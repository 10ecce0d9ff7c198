//===- SizeChecks.cpp - What ops rely on at run time ----------------------===//

#include "weft/Dialect/Weft/IR/SizeChecks.h"
#include "StructuredSupport.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;

std::string weft::getWhere(Operation *op) {
  if (auto check = dyn_cast<RequireSizesOp>(op))
    return check.getPlace().str();
  if (auto where = op->getAttrOfType<StringAttr>(kWhereAttr))
    return where.str();
  if (auto named = op->getLoc()->findInstanceOf<NameLoc>())
    return "node '" + named.getName().str() + "'";
  return "";
}

bool weft::mayFault(Operation *op) {
  return isa<GatherOp, GatherElementsOp, GatherNDOp, ScatterElementsOp,
             ScatterNDOp, TopKOp, NonZeroOp>(op);
}

static int64_t getRank(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getRank();
}

/// The sizes of a result, of which the `?` ones are operands.
static SmallVector<OpFoldResult> getResultSizes(Value result,
                                                ValueRange dynamic) {
  auto type = cast<RankedTensorType>(result.getType());
  Builder builder(type.getContext());
  return getMixedValues(type.getShape(), dynamic, builder);
}

namespace {

/// Asks `checker` for what one op relies on.
class Checks {
public:
  explicit Checks(SizeChecker &checker) : checker(checker) {}

  void equal(Value lhs, int64_t lhsDim, Value rhs, int64_t rhsDim) {
    checker.require(SizeRelation::equal, checker.size(rhs, rhsDim),
                    checker.size(lhs, lhsDim));
  }
  void atMost(Value lhs, int64_t lhsDim, Value rhs, int64_t rhsDim) {
    checker.require(SizeRelation::atMost, checker.size(lhs, lhsDim),
                    checker.size(rhs, rhsDim));
  }
  void nonNegative(ArrayRef<OpFoldResult> sizes) {
    for (OpFoldResult size : sizes)
      if (isa<Value>(size))
        checker.require(SizeRelation::nonNegative, size, size);
  }

  void elementwise(Operation *op) {
    for (Value operand : op->getOperands().drop_front())
      for (int64_t dim : llvm::seq(getRank(operand)))
        equal(op->getOperand(0), dim, operand, dim);
  }
  void broadcast(BroadcastOp op) {
    SmallVector<OpFoldResult> sizes =
        getResultSizes(op.getResult(), op.getSizes());
    nonNegative(sizes);
    for (auto [dim, to] : llvm::enumerate(op.getDims()))
      checker.require(SizeRelation::oneOr, checker.size(op.getInput(), dim),
                      sizes[to]);
  }
  void slice(SliceOp op) {
    nonNegative(op.getMixedSizes());
    for (auto [dim, offset, size, stride] : llvm::enumerate(
             op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides()))
      checker.requirePart(offset, size, stride,
                          checker.size(op.getInput(), dim));
  }
  void concat(ConcatOp op) {
    Value first = op.getInputs().front();
    for (Value input : op.getInputs().drop_front())
      for (int64_t dim : llvm::seq(getRank(input)))
        if (dim != int64_t(op.getAxis()))
          equal(first, dim, input, dim);
  }
  void contract(ContractOp op) {
    for (auto [lhs, rhs] : llvm::zip_equal(op.getLhsBatch(), op.getRhsBatch()))
      equal(op.getLhs(), lhs, op.getRhs(), rhs);
    for (auto [lhs, rhs] :
         llvm::zip_equal(op.getLhsContract(), op.getRhsContract()))
      equal(op.getLhs(), lhs, op.getRhs(), rhs);
    if (!op.getInit())
      return;
    int64_t dim = 0;
    for (int64_t lhs :
         llvm::concat<const int64_t>(op.getLhsBatch(), op.getLhsFree()))
      equal(op.getLhs(), lhs, op.getInit(), dim++);
    for (int64_t rhs : op.getRhsFree())
      equal(op.getRhs(), rhs, op.getInit(), dim++);
  }
  void conv(ConvOp op) {
    checker.require(
        SizeRelation::equal, checker.size(op.getInput(), 1),
        checker.times(checker.size(op.getFilter(), 1), op.getGroups()));
  }
  /// All dimensions but the last one or two are the batch's.
  template <typename OpTy> void attention(OpTy op) {
    int64_t rank = getRank(op.getQuery()), rows = rank - 2, last = rank - 1;
    for (int64_t dim : llvm::seq(rows)) {
      equal(op.getQuery(), dim, op.getKey(), dim);
      equal(op.getQuery(), dim, op.getValue(), dim);
    }
    equal(op.getQuery(), last, op.getKey(), last);
    equal(op.getKey(), rows, op.getValue(), rows);
    if (!op.getBias())
      return;
    for (int64_t dim : llvm::seq(last))
      equal(op.getQuery(), dim, op.getBias(), dim);
    equal(op.getKey(), rows, op.getBias(), last);
  }
  void attentionGradient(AttentionGradientOp op) {
    attention(op);
    int64_t last = getRank(op.getQuery()) - 1;
    for (int64_t dim : llvm::seq(last))
      for (Value rows : {op.getLogarithm(), op.getGrad(), op.getDelta()})
        equal(op.getQuery(), dim, rows, dim);
    equal(op.getValue(), last, op.getGrad(), last);
  }
  /// `indices` has the sizes of `input`, or smaller ones, but for `axis`.
  void indices(Value indices, Value input, int64_t axis) {
    for (int64_t dim : llvm::seq(getRank(indices)))
      if (dim != axis)
        atMost(indices, dim, input, dim);
  }
  void scatterND(ScatterNDOp op) {
    Value indices = op.getIndices(), updates = op.getUpdates();
    int64_t outer = getRank(indices) - 1;
    for (int64_t dim : llvm::seq(outer))
      equal(indices, dim, updates, dim);
    int64_t skipped = getRank(op.getInput()) - (getRank(updates) - outer);
    for (int64_t dim : llvm::seq(outer, getRank(updates)))
      equal(op.getInput(), skipped + dim - outer, updates, dim);
  }
  void topK(TopKOp op) {
    if (!op.getSize())
      return;
    nonNegative(OpFoldResult(op.getSize()));
    checker.require(SizeRelation::atMost, OpFoldResult(op.getSize()),
                    checker.size(op.getInput(), op.getAxis()));
  }

private:
  SizeChecker &checker;
};

} // namespace

void weft::checkSizes(Operation *op, SizeChecker &checker) {
  Checks checks(checker);
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](ScalarOpInterface) { checks.elementwise(op); })
      .Case([&](BroadcastOp op) { checks.broadcast(op); })
      .Case([&](IotaOp op) {
        checks.nonNegative(getResultSizes(op.getResult(), op.getSizes()));
      })
      .Case([&](RandomUniformOp op) {
        checks.nonNegative(getResultSizes(op.getResult(), op.getSizes()));
      })
      .Case([&](SliceOp op) { checks.slice(op); })
      .Case([&](ConcatOp op) { checks.concat(op); })
      .Case([&](ContractOp op) { checks.contract(op); })
      .Case([&](AttentionOp op) { checks.attention(op); })
      .Case([&](AttentionGradientOp op) { checks.attentionGradient(op); })
      .Case([&](ConvOp op) { checks.conv(op); })
      .Case([&](PadOp op) {
        checks.nonNegative(op.getMixedLow());
        checks.nonNegative(op.getMixedHigh());
      })
      .Case([&](GatherElementsOp op) {
        checks.indices(op.getIndices(), op.getInput(), op.getAxis());
      })
      .Case([&](GatherNDOp op) {
        for (int64_t dim : llvm::seq<int64_t>(op.getBatchDims()))
          checks.equal(op.getInput(), dim, op.getIndices(), dim);
      })
      .Case([&](ScatterElementsOp op) {
        checks.indices(op.getIndices(), op.getInput(), op.getAxis());
        for (int64_t dim : llvm::seq(getRank(op.getIndices())))
          checks.equal(op.getIndices(), dim, op.getUpdates(), dim);
      })
      .Case([&](ScatterNDOp op) { checks.scatterND(op); })
      .Case([&](TopKOp op) { checks.topK(op); })
      .Case([&](DetOp op) {
        int64_t rank = getRank(op.getInput());
        checks.equal(op.getInput(), rank - 2, op.getInput(), rank - 1);
      });
}

//===----------------------------------------------------------------------===//
// require_sizes
//===----------------------------------------------------------------------===//

bool weft::holds(SizeRelation relation, int64_t found, int64_t wanted) {
  switch (relation) {
  case SizeRelation::equal:
    return found == wanted;
  case SizeRelation::oneOr:
    return found == 1 || found == wanted;
  case SizeRelation::atMost:
    return found <= wanted;
  case SizeRelation::below:
    return found >= 0 && found < wanted;
  case SizeRelation::nonNegative:
    return found >= 0;
  }
  llvm_unreachable("unknown relation");
}

FailureOr<SmallVector<HostTensor>>
RequireSizesOp::evaluate(ArrayRef<HostTensor> operands) {
  int64_t found = operands[0].getInt(0), wanted = operands[1].getInt(0);
  if (holds(getRelation(), found, wanted))
    return SmallVector<HostTensor>{};
  return emitOpError() << stringifySizeRelation(getRelation()) << " does not "
                       << "hold of " << found << " and " << wanted << ": "
                       << getPlace();
}

LogicalResult RequireSizesOp::canonicalize(RequireSizesOp op,
                                           PatternRewriter &rewriter) {
  std::optional<int64_t> found = getConstantIntValue(op.getFound());
  std::optional<int64_t> wanted = getConstantIntValue(op.getWanted());
  bool isSure = found && wanted && holds(op.getRelation(), *found, *wanted);
  isSure |= op.getFound() == op.getWanted() &&
            (op.getRelation() == SizeRelation::equal ||
             op.getRelation() == SizeRelation::atMost);
  if (!isSure)
    return failure();
  rewriter.eraseOp(op);
  return success();
}
