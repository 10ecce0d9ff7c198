//===- Contraction.cpp - Products of matrices -----------------------------===//

#include "Terms.h"

using namespace mlir;
using namespace weft;

static LogicalResult lowerMatMul(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  Value lhs = lower.operand(node, 0), rhs = lower.operand(node, 1);
  int64_t lhsRank = Lowering::rankOf(lhs), rhsRank = Lowering::rankOf(rhs);
  if (lhsRank == 0 || rhsRank == 0)
    return lower.fail(node, "an operand is a scalar");
  if (lhsRank > 1 && rhsRank > 1) {
    results.push_back(lower.matmul(lhs, rhs));
    return success();
  }
  // A vector is summed over with no more ado.
  SmallVector<int64_t> lhsAxis = {lhsRank - 1};
  SmallVector<int64_t> rhsAxis = {std::max<int64_t>(rhsRank - 2, 0)};
  ArrayRef<int64_t> none;
  results.push_back(lower.make<ContractOp>(
      lhs, rhs, none, none, ArrayRef(lhsAxis), ArrayRef(rhsAxis)));
  return success();
}

static LogicalResult lowerGemm(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  Value lhs = lower.operand(node, 0), rhs = lower.operand(node, 1);
  if (Lowering::rankOf(lhs) != 2 || Lowering::rankOf(rhs) != 2)
    return lower.fail(node, "A and B must be matrices");
  SmallVector<int64_t> lhsAxis = {node.getInt("transA", 0) ? 0 : 1};
  SmallVector<int64_t> rhsAxis = {node.getInt("transB", 0) ? 1 : 0};
  ArrayRef<int64_t> none;
  Value y = lower.make<ContractOp>(lhs, rhs, none, none, ArrayRef(lhsAxis),
                                   ArrayRef(rhsAxis));
  Terms f(lower, node);
  float alpha = node.getFloat("alpha", 1.0f), beta = node.getFloat("beta", 1);
  if (alpha != 1.0f)
    y = f.mul(y, alpha);
  Value c = lower.operand(node, 2);
  if (c && beta != 0.0f) {
    if (beta != 1.0f)
      c = f.mul(c, beta);
    y = f.add(y, c);
  }
  results.push_back(y);
  return f.isBroken() ? failure() : success();
}

static LogicalResult lowerDet(Lowering &lower, onnx::Node node,
                              SmallVectorImpl<Value> &results) {
  results.push_back(lower.make<DetOp>(lower.operand(node, 0)));
  return success();
}

void weft::addContractionLowerings(LoweringTable &table) {
  table["Det"] = lowerDet;
  table["Gemm"] = lowerGemm;
  table["MatMul"] = lowerMatMul;
  addEinsumLowerings(table);
}
