//===- TestSharding.cpp - A pass that splits ops and joins the parts ------===//

#include "mlir/Pass/Pass.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include <random>

using namespace mlir;
using namespace weft;

namespace {

/// Splits the op of each function along each dimension that it offers, computes
/// the two parts by themselves, joins them and compares with the whole. Prints
/// the dimensions. Elements are small integers, so that sums are exact. For
/// tests only.
struct TestShardingPass
    : PassWrapper<TestShardingPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestShardingPass)

  StringRef getArgument() const override { return "weft-test-sharding"; }
  StringRef getDescription() const override {
    return "Split ops, compute the parts and join them";
  }
  void runOnOperation() override;
};

} // namespace

/// Elements [begin, end) of `tensor` along `dim`.
static HostTensor takePart(const HostTensor &tensor, int64_t dim, int64_t begin,
                           int64_t end) {
  SmallVector<int64_t> shape(tensor.getShape());
  shape[dim] = end - begin;
  HostTensor part(tensor.getType().clone(shape));
  int64_t position = 0;
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> from(index);
    from[dim] += begin;
    part.copyElement(position++, tensor, linearize(from, tensor.getShape()));
  });
  return part;
}

/// Runs `op` with operands of the sizes of `operands`.
static FailureOr<HostTensor> runPart(Operation *op,
                                     ArrayRef<HostTensor> operands,
                                     RankedTensorType resultType) {
  OpBuilder b(op->getContext());
  SmallVector<Type> types;
  for (const HostTensor &operand : operands)
    types.push_back(operand.getType());
  OwningOpRef<func::FuncOp> function = func::FuncOp::create(
      b, op->getLoc(), "part", b.getFunctionType(types, TypeRange(resultType)));
  Block *body = function->addEntryBlock();
  b.setInsertionPointToStart(body);
  Operation *part = b.clone(*op);
  part->setOperands(body->getArguments());
  part->getResult(0).setType(resultType);
  func::ReturnOp::create(b, op->getLoc(), part->getResults());
  auto results = evaluateFunction(*function, operands);
  if (failed(results))
    return failure();
  return results->front();
}

/// Puts the two parts together.
static HostTensor join(ArrayRef<HostTensor> parts, const SplitDim &split,
                       RankedTensorType type) {
  HostTensor whole(type);
  if (split.combine == Combine::Sum) {
    for (int64_t i : llvm::seq(whole.getNumElements()))
      whole.setFloat(i, parts[0].getFloat(i) + parts[1].getFloat(i));
    return whole;
  }
  int64_t dim = *split.results[0], position = 0;
  int64_t first = parts[0].getShape()[dim];
  forEachIndex(type.getShape(), [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> from(index);
    bool isSecond = from[dim] >= first;
    if (isSecond)
      from[dim] -= first;
    const HostTensor &part = parts[isSecond];
    whole.copyElement(position++, part, linearize(from, part.getShape()));
  });
  return whole;
}

/// Whether the parts of `op` along `split` are the whole.
static FailureOr<bool> checkSplit(Operation *op, const SplitDim &split,
                                  ArrayRef<HostTensor> operands) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  int64_t size = 0;
  for (auto [operand, dim] : llvm::zip_equal(operands, split.operands))
    if (dim)
      size = operand.getShape()[*dim];
  SmallVector<HostTensor> parts;
  for (auto [begin, end] :
       {std::make_pair<int64_t>(0, size / 3), std::make_pair(size / 3, size)}) {
    SmallVector<HostTensor> own;
    for (auto [operand, dim] : llvm::zip_equal(operands, split.operands))
      own.push_back(dim ? takePart(operand, *dim, begin, end) : operand);
    SmallVector<int64_t> shape(type.getShape());
    if (split.results[0])
      shape[*split.results[0]] = end - begin;
    FailureOr<HostTensor> part = runPart(op, own, type.clone(shape));
    if (failed(part))
      return failure();
    parts.push_back(*part);
  }
  FailureOr<HostTensor> whole = runPart(op, operands, type);
  if (failed(whole))
    return failure();
  return join(parts, split, type).getBytes() == whole->getBytes();
}

static void print(const SplitDim &split) {
  auto printDims = [](ArrayRef<std::optional<int64_t>> dims) {
    llvm::interleaveComma(dims, llvm::outs(), [](std::optional<int64_t> dim) {
      dim ? llvm::outs() << *dim : llvm::outs() << "whole";
    });
  };
  llvm::outs() << "  (";
  printDims(split.operands);
  llvm::outs() << ") -> ";
  split.combine == Combine::Sum ? (void)(llvm::outs() << "sum")
                                : printDims(split.results);
}

void TestShardingPass::runOnOperation() {
  getOperation().walk([&](ShardableOpInterface op) {
    llvm::outs() << op->getName() << ":\n";
    std::mt19937_64 engine(1);
    SmallVector<HostTensor> operands;
    for (Value operand : op->getOperands()) {
      HostTensor tensor(cast<RankedTensorType>(operand.getType()));
      for (int64_t i : llvm::seq(tensor.getNumElements()))
        tensor.setInt(i, static_cast<int64_t>(engine() % 7) - 3);
      operands.push_back(tensor);
    }
    SmallVector<SplitDim> dims;
    op.getSplitDims(dims);
    for (const SplitDim &split : dims) {
      print(split);
      FailureOr<bool> isRight = checkSplit(op, split, operands);
      if (failed(isRight))
        return signalPassFailure();
      llvm::outs() << (*isRight ? ": right\n" : ": WRONG\n");
    }
  });
  llvm::outs().flush();
}

namespace weft {
void registerTestShardingPass() { PassRegistration<TestShardingPass>(); }
} // namespace weft
