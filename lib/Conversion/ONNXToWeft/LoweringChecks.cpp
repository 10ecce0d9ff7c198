//===- LoweringChecks.cpp - What nodes rely on ----------------------------===//

#include "Lowering.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Verifier.h"
#include "weft/Dialect/Weft/IR/SizeChecks.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

std::string Lowering::describeOperands(onnx::Node node) const {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (unsigned i = 0; i < node.getNumOperands(); ++i) {
    Value from = node.getOperand(i);
    if (!from)
      continue;
    // The lowered type may know more.
    Value to = lookup(from);
    bool isTensor = to && isa<TensorType>(to.getType());
    os << (text.empty() ? "'" : ", '") << onnx::getValueName(from) << "' "
       << (isTensor ? to : from).getType();
  }
  return text;
}

std::string Lowering::placeOf(onnx::Node node) const {
  std::string operands = describeOperands(node);
  return "node '" + node.getName() + "' (" + node.getOpType().str() + ")" +
         (operands.empty() ? "" : ", operands " + operands);
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

namespace {

/// Adds `weft.require_sizes` for what the ops of one node rely on.
class NodeChecker : public SizeChecker {
public:
  NodeChecker(Lowering &lower, StringAttr place) : lower(lower), place(place) {}

  OpFoldResult size(Value tensor, int64_t dim) override {
    return lower.size(tensor, dim);
  }
  OpFoldResult times(OpFoldResult size, int64_t by) override {
    return lower.mulSizes(size, lower.index(by));
  }
  void require(SizeRelation relation, OpFoldResult found,
               OpFoldResult wanted) override;
  void requirePart(OpFoldResult offset, OpFoldResult size, OpFoldResult stride,
                   OpFoldResult extent) override;

  /// What is known to be wrong before the run; "" if nothing.
  std::string problem;

private:
  Lowering &lower;
  StringAttr place;
};

} // namespace

static std::string describe(SizeRelation relation, int64_t found,
                            int64_t wanted) {
  std::string size = std::to_string(found), other = std::to_string(wanted);
  switch (relation) {
  case SizeRelation::equal:
    return "size " + size + " does not fit " + other;
  case SizeRelation::oneOr:
    return "size " + size + " is neither 1 nor " + other;
  case SizeRelation::atMost:
    return size + " is more than " + other;
  case SizeRelation::below:
    return "index " + size + " is out of range for size " + other;
  case SizeRelation::nonNegative:
    return "size " + size + " is negative";
  }
  llvm_unreachable("unknown relation");
}

void NodeChecker::require(SizeRelation relation, OpFoldResult found,
                          OpFoldResult wanted) {
  std::optional<int64_t> left = getConstantIntValue(found);
  std::optional<int64_t> right = getConstantIntValue(wanted);
  if (left && right) {
    if (!holds(relation, *left, *right) && problem.empty())
      problem = describe(relation, *left, *right);
    return;
  }
  bool isSame = found == wanted && relation != SizeRelation::nonNegative;
  if (isSame ||
      (relation == SizeRelation::nonNegative && Lowering::isNonNegative(found)))
    return;
  RequireSizesOp::create(lower.b, relation, lower.sizeValue(found),
                         lower.sizeValue(wanted), place);
}

void NodeChecker::requirePart(OpFoldResult offset, OpFoldResult size,
                              OpFoldResult stride, OpFoldResult extent) {
  auto isConstant = [](OpFoldResult value) {
    return getConstantIntValue(value).has_value();
  };
  bool isStatic = isConstant(offset) && isConstant(size) &&
                  isConstant(stride) && isConstant(extent);
  bool isWhole = getConstantIntValue(offset) == 0 && size == extent &&
                 getConstantIntValue(stride) == 1;
  if (isStatic || isWhole)
    return;
  // The first and the last element, unless nothing is taken.
  OpFoldResult zero = lower.index(0), one = lower.index(1);
  auto unlessEmpty = [&](OpFoldResult value, OpFoldResult otherwise) {
    return lower.selectSize(arith::CmpIPredicate::sgt, size, zero, value,
                            otherwise);
  };
  OpFoldResult last =
      lower.addSizes(offset, lower.mulSizes(lower.subSizes(size, one), stride));
  OpFoldResult room = unlessEmpty(extent, one);
  require(SizeRelation::below, unlessEmpty(offset, zero), room);
  if (last != offset)
    require(SizeRelation::below, unlessEmpty(last, zero), room);
}

LogicalResult Lowering::require(onnx::Node node, SizeRelation relation,
                                OpFoldResult found, OpFoldResult wanted) {
  NodeChecker checker(*this, b.getStringAttr(placeOf(node)));
  checker.require(relation, found, wanted);
  return checker.problem.empty() ? success() : fail(node, checker.problem);
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

/// Whether the host program may find that sizes do not fit `op`.
static bool mayMismatch(Operation *op) {
  if (!isa<ReshapeOp, tensor::CastOp, tensor::ExtractOp>(op))
    return false;
  auto isDynamic = [](Value value) {
    auto type = dyn_cast<ShapedType>(value.getType());
    return type && !(type.hasRank() && type.hasStaticShape());
  };
  return llvm::any_of(op->getOperands(), isDynamic) ||
         llvm::any_of(op->getResults(), isDynamic);
}

LogicalResult Lowering::addChecks(onnx::Node node, Operation *root) {
  StringAttr place;
  SmallVector<Operation *> ops;
  root->walk([&](Operation *op) {
    if (!op->hasAttr(kSeenAttr) && !isa<RequireSizesOp>(op))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    op->setAttr(kSeenAttr, b.getUnitAttr());
    bool isWeft = isa<WeftDialect>(op->getDialect());
    if (!isWeft && !isa<tensor::CastOp, tensor::ExtractOp>(op))
      continue;
    if (!place)
      place = b.getStringAttr(placeOf(node));
    if (mayFault(op) || mayMismatch(op))
      op->setAttr(kWhereAttr, place);
    OpBuilder::InsertionGuard guard(b);
    if (op->getBlock() != b.getInsertionBlock()) {
      Operation &end = op->getBlock()->back();
      if (end.hasTrait<OpTrait::IsTerminator>())
        b.setInsertionPoint(&end);
      else
        b.setInsertionPointToEnd(op->getBlock());
    }
    NodeChecker checker(*this, place);
    checkSizes(op, checker);
    if (!checker.problem.empty())
      return fail(node, checker.problem);
  }
  return success();
}

LogicalResult Lowering::checkBehind(onnx::Node node, Block *block,
                                    Operation *last) {
  // Rules may rely on the verifier for what is wrong with a node.
  std::string text;
  auto begin = last ? std::next(last->getIterator()) : block->begin();
  auto end =
      b.getInsertionBlock() == block ? b.getInsertionPoint() : block->end();
  SmallVector<Operation *> ops;
  {
    ScopedDiagnosticHandler handler(b.getContext(), [&](Diagnostic &found) {
      if (text.empty())
        text = found.str();
      return success();
    });
    for (Operation &op : llvm::make_range(begin, end)) {
      if (failed(verify(&op)))
        break;
      ops.push_back(&op);
    }
  }
  if (!text.empty()) {
    // What the message says of the op holds for the node.
    StringRef message(text);
    if (message.consume_front("'"))
      message = message.split("' op ").second;
    return fail(node, message);
  }
  for (Operation *op : ops)
    if (failed(addChecks(node, op)))
      return failure();
  return success();
}
