//===- TestEmit.cpp - A pass that applies emission rules ------------------===//

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

using namespace mlir;
using namespace weft;

namespace {

/// Reads operands by tensor.extract. Faults are not reported.
class TensorEmitter : public ElementEmitter {
public:
  explicit TensorEmitter(ImplicitLocOpBuilder &b) : b(b) {}

  ImplicitLocOpBuilder &builder() override { return b; }
  Value element(Value tensor, ArrayRef<Value> indices) override {
    Value value = tensor::ExtractOp::create(b, tensor, indices);
    Type type = getSignlessType(value.getType());
    if (type == value.getType())
      return value;
    return UnrealizedConversionCastOp::create(b, type, value).getResult(0);
  }
  Value size(Value tensor, unsigned dim) override {
    int64_t size = cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
    if (!ShapedType::isDynamic(size))
      return index(size);
    return tensor::DimOp::create(b, tensor, dim);
  }
  Value scalar(Value operand) override { return operand; }
  void require(Operation *, Value, Fault, Value, Value) override {}

private:
  ImplicitLocOpBuilder &b;
};

/// Replaces each op whose elements can be emitted by a tensor.generate of
/// what it emits, which the reference evaluator runs. For tests only.
struct TestEmitPass : PassWrapper<TestEmitPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestEmitPass)

  StringRef getArgument() const override { return "weft-test-emit"; }
  StringRef getDescription() const override {
    return "Replace ops by loops over the elements that they emit";
  }

  void runOnOperation() override {
    SmallVector<IndexedOpInterface> ops;
    getOperation().walk([&](IndexedOpInterface op) {
      // The emitter of a real target reads constants from memory.
      if (!isa<ConstantOp>(op))
        ops.push_back(op);
    });
    for (IndexedOpInterface op : ops)
      if (failed(replace(op)))
        return signalPassFailure();
  }

  static LogicalResult replace(IndexedOpInterface op);
};

} // namespace

LogicalResult TestEmitPass::replace(IndexedOpInterface op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  ReifiedRankedShapedTypeDims shapes;
  auto reify = cast<ReifyRankedShapedTypeOpInterface>(op.getOperation());
  if (failed(reify.reifyResultShapes(b, shapes)))
    return op->emitOpError("does not tell its sizes");
  SmallVector<Value> sizes;
  for (OpFoldResult size : shapes.front())
    if (auto value = dyn_cast<Value>(size))
      sizes.push_back(value);
  Value result = op->getResult(0);
  Type elementType = cast<RankedTensorType>(result.getType()).getElementType();
  bool hasResult = true;
  auto generate = tensor::GenerateOp::create(
      b, result.getType(), sizes,
      [&](OpBuilder &nested, Location loc, ValueRange indices) {
        ImplicitLocOpBuilder inner(loc, nested);
        TensorEmitter emitter(inner);
        Value element = op.emitElement(emitter, SmallVector<Value>(indices));
        hasResult =
            element && element.getType() == getSignlessType(elementType);
        if (!hasResult)
          return;
        if (element.getType() != elementType)
          element =
              UnrealizedConversionCastOp::create(inner, elementType, element)
                  .getResult(0);
        tensor::YieldOp::create(inner, element);
      });
  if (!hasResult)
    return op->emitOpError("does not emit an element of its type");
  result.replaceAllUsesWith(generate);
  op->erase();
  return success();
}

namespace weft {
void registerTestEmitPass() { PassRegistration<TestEmitPass>(); }
} // namespace weft
