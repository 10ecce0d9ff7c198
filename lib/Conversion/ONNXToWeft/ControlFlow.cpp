//===- ControlFlow.cpp - If -----------------------------------------------===//

#include "ControlFlowBody.h"
#include "Loops.h"
#include "Lowering.h"

using namespace mlir;

namespace weft {

/// Takes the branch that a constant condition chooses.
static LogicalResult inlineBranch(Lowering &lower, onnx::Node node,
                                  Region &branch,
                                  SmallVectorImpl<Value> &results) {
  FailureOr<SmallVector<GraphValue>> values =
      lowerNested(lower, node, branch, {});
  if (failed(values))
    return failure();
  for (auto [i, value] : llvm::enumerate(*values)) {
    results.push_back(value.tensor);
    if (value.elements && i < node.getNumResults())
      lower.mapSequence(node.getOperation()->getResult(i), *value.elements);
  }
  return success();
}

/// Appends the tensors of `value`; fails for an optional that is empty.
static LogicalResult flatten(const GraphValue &value,
                             SmallVectorImpl<Value> &tensors) {
  if (!value.elements) {
    tensors.push_back(value.tensor);
    return success();
  }
  llvm::append_range(tensors, *value.elements);
  return success(llvm::all_of(*value.elements, [](Value v) { return !!v; }));
}

/// Checks that both branches yield the same kinds of values, and gives their
/// tensors in one row each.
static LogicalResult flattenBranches(Lowering &lower, onnx::Node node,
                                     ArrayRef<SmallVector<GraphValue>> branches,
                                     SmallVector<Value> (&tensors)[2],
                                     SmallVectorImpl<Type> &types) {
  if (branches[0].size() != branches[1].size())
    return lower.fail(node, "the branches yield " + Twine(branches[0].size()) +
                                " and " + Twine(branches[1].size()) +
                                " values");
  for (size_t i = 0; i < branches[0].size(); ++i) {
    for (unsigned k : {0, 1})
      if (failed(flatten(branches[k][i], tensors[k])))
        return lower.unsupported(node,
                                 "an optional that only one branch fills");
    if (tensors[0].size() != tensors[1].size())
      return lower.unsupported(
          node, "branches that yield sequences of different lengths");
  }
  for (auto [a, b] : llvm::zip_equal(tensors[0], tensors[1])) {
    types.push_back(joinTypes(a.getType(), b.getType()));
    if (Lowering::elementOf(a) != Lowering::elementOf(b)) {
      std::string text;
      llvm::raw_string_ostream(text)
          << "the branches yield elements of " << Lowering::elementOf(a)
          << " and " << Lowering::elementOf(b);
      return lower.fail(node, text);
    }
    if (!types.back())
      return lower.unsupported(
          node, "branches that yield tensors of different ranks");
  }
  return success();
}

/// The values of the node: `flat` grouped as the branch's values are.
static void regroup(Lowering &lower, onnx::Node node,
                    ArrayRef<GraphValue> branch, ValueRange flat,
                    SmallVectorImpl<Value> &results) {
  for (auto [i, value] : llvm::enumerate(branch)) {
    size_t count = value.elements ? value.elements->size() : 1;
    ValueRange own = flat.take_front(count);
    flat = flat.drop_front(count);
    results.push_back(value.elements ? Value() : own.front());
    if (value.elements && i < node.getNumResults())
      lower.mapSequence(node.getOperation()->getResult(i),
                        SmallVector<Value>(own));
  }
}

/// The branches are lowered into an `scf.if` without results; when their types
/// are known their ops move into one that has them.
static LogicalResult emitIf(Lowering &lower, onnx::Node node, Value condition,
                            ArrayRef<Region *> graphs,
                            SmallVectorImpl<Value> &results) {
  ImplicitLocOpBuilder &b = lower.b;
  Value flag = extractScalar(lower, condition);
  auto draft = scf::IfOp::create(b, TypeRange{}, flag, /*withElseRegion=*/true);
  SmallVector<SmallVector<GraphValue>> branches;
  Block *drafts[] = {draft.thenBlock(), draft.elseBlock()};
  for (auto [block, graph] : llvm::zip_equal(drafts, graphs)) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(block->getTerminator());
    FailureOr<SmallVector<GraphValue>> values =
        lowerNested(lower, node, *graph, {});
    if (failed(values))
      return failure();
    branches.push_back(*values);
  }
  SmallVector<Value> tensors[2];
  SmallVector<Type> types;
  if (failed(flattenBranches(lower, node, branches, tensors, types)))
    return failure();

  auto final = scf::IfOp::create(b, types, flag, /*withElseRegion=*/true);
  Block *blocks[] = {final.thenBlock(), final.elseBlock()};
  for (auto [k, block] : llvm::enumerate(blocks)) {
    OpBuilder::InsertionGuard guard(b);
    if (!block->empty())
      block->clear();
    drafts[k]->getTerminator()->moveBefore(drafts[k], drafts[k]->begin());
    block->getOperations().splice(block->end(), drafts[k]->getOperations(),
                                  std::next(drafts[k]->begin()),
                                  drafts[k]->end());
    b.setInsertionPointToEnd(block);
    for (auto [value, type] : llvm::zip_equal(tensors[k], types))
      value = castTo(lower, value, type);
    scf::YieldOp::create(b, tensors[k]);
  }
  draft.erase();
  regroup(lower, node, branches[0], final.getResults(), results);
  return success();
}

static LogicalResult lowerIf(Lowering &lower, onnx::Node node,
                             SmallVectorImpl<Value> &results) {
  Region *thenGraph = node.getGraph("then_branch");
  Region *elseGraph = node.getGraph("else_branch");
  if (!thenGraph || !elseGraph)
    return lower.fail(node, "a branch is missing");
  Value condition = lower.operand(node, 0);
  if (std::optional<HostTensor> value = lower.constantOf(condition)) {
    if (value->getNumElements() != 1)
      return lower.fail(node, "'cond' must have one element");
    return inlineBranch(lower, node, value->getInt(0) ? *thenGraph : *elseGraph,
                        results);
  }
  return emitIf(lower, node, condition, {thenGraph, elseGraph}, results);
}

void addControlFlowLowerings(LoweringTable &table) {
  table["If"] = lowerIf;
  addLoopLowerings(table);
}

} // namespace weft
