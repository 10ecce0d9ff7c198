//===- StructuredWindowGradient.cpp - Gradients of windows ----------------===//

#include "StructuredGradient.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

// Each window gives its gradient to all elements that it covers, or to the one
// that was chosen.
LogicalResult
ReduceWindowOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                              SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getInput())) {
    operandGrads.push_back(Value());
    return success();
  }
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value positions;
  if (getKind() != ReduceKind::sum)
    positions = ArgReduceWindowOp::create(b, getKind(), getInput(), getWindow(),
                                          getStrides(), getLow(), getHigh(),
                                          getDilations());
  operandGrads.push_back(SpreadWindowOp::create(
      b, getInput().getType(), resultGrads.front(), positions,
      getSymbolicSizes(b, getInput()), getWindow(), getStrides(), getLow(),
      getHigh(), getDilations()));
  return success();
}

// Each element has gone to the sums of those that its window covers: so the
// gradient is the sum of theirs, or that of the chosen one. A window that lies
// in the padding, with a position of -1, has none.
LogicalResult
SpreadWindowOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                              SmallVectorImpl<Value> &operandGrads) {
  ImplicitLocOpBuilder b(getLoc(), builder);
  operandGrads.append(getNumOperands(), Value());
  Value grad = resultGrads.front();
  if (!getPositions()) {
    Value sums = ReduceWindowOp::create(b, ReduceKind::sum, grad, getWindow(),
                                        getStrides(), getLow(), getHigh(),
                                        getDilations());
    operandGrads[0] = fitType(b, sums, getGrad());
    return success();
  }
  OpFoldResult count = b.getIndexAttr(1);
  for (OpFoldResult size : getSizesOf(b, grad))
    count = multiplySizes(b, count, size);
  Term chosen{&b, GatherOp::create(b, reshapeTo(b, grad, count), getPositions(),
                                   /*axis=*/0)};
  Term positions{&b, getPositions()};
  Term isThere = compare(ComparePredicate::ge, positions, positions.number(0));
  operandGrads[0] =
      fitType(b, choose(isThere, chosen, chosen.number(0)).value, getGrad());
  return success();
}
