//===- Evaluate.cpp - Reference evaluation of whole functions -------------===//

#include "weft/Dialect/Weft/IR/Evaluate.h"
#include "mlir/IR/SymbolTable.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

using namespace mlir;
using namespace weft;

using Results = FailureOr<SmallVector<HostTensor>>;

/// Nested calls beyond this depth are taken for endless recursion.
static constexpr int maxCallDepth = 64;

namespace {

/// Runs one function. Values stay until the function ends, except those of a
/// region that runs again, which are replaced.
class Evaluation {
public:
  explicit Evaluation(int depth, WatchFn watch = nullptr)
      : watch(watch), depth(depth) {}

  Results runBlock(Block &block, ArrayRef<HostTensor> arguments);

private:
  Results run(Operation *op);
  Results runIf(scf::IfOp op);
  Results runFor(scf::ForOp op);
  Results runWhile(scf::WhileOp op);
  Results runCall(func::CallOp op);
  Results runDim(tensor::DimOp op);
  Results runExtract(tensor::ExtractOp op);
  Results runFromElements(tensor::FromElementsOp op);
  Results runGenerate(tensor::GenerateOp op);
  Results runCast(tensor::CastOp op);
  Results runEmpty(tensor::EmptyOp op);
  Results runSelect(arith::SelectOp op);
  Results runSignCast(UnrealizedConversionCastOp op);
  Results runTruncate(arith::TruncFOp op);
  Results runFold(Operation *op);

  SmallVector<HostTensor> get(ValueRange range) const {
    return llvm::map_to_vector(range,
                               [&](Value value) { return values.at(value); });
  }
  int64_t getInt(Value value) const { return values.at(value).getInt(0); }

  DenseMap<Value, HostTensor> values;
  WatchFn watch;
  int depth;
};

} // namespace

/// The tensor of rank 0 that holds a scalar of `type`.
static RankedTensorType getScalarTensor(Type type) {
  if (isa<IndexType>(type))
    type = IntegerType::get(type.getContext(), 64);
  return RankedTensorType::get({}, type);
}

/// Runs the ops of `block` up to its terminator and returns the terminator's
/// operands.
Results Evaluation::runBlock(Block &block, ArrayRef<HostTensor> arguments) {
  for (auto [argument, value] :
       llvm::zip_equal(block.getArguments(), arguments))
    values.insert_or_assign(argument, value);
  for (Operation &op : block.without_terminator()) {
    Results results = run(&op);
    if (failed(results))
      return failure();
    if (watch)
      watch(&op, get(op.getOperands()), *results);
    for (auto [result, value] : llvm::zip_equal(op.getResults(), *results))
      values.insert_or_assign(result, value);
  }
  return get(block.getTerminator()->getOperands());
}

Results Evaluation::run(Operation *op) {
  if (auto evaluable = dyn_cast<EvaluableOpInterface>(op))
    return evaluable.evaluate(get(op->getOperands()));
  return TypeSwitch<Operation *, Results>(op)
      .Case([&](scf::IfOp ifOp) { return runIf(ifOp); })
      .Case([&](scf::ForOp forOp) { return runFor(forOp); })
      .Case([&](scf::WhileOp whileOp) { return runWhile(whileOp); })
      .Case([&](func::CallOp call) { return runCall(call); })
      .Case([&](tensor::DimOp dim) { return runDim(dim); })
      .Case([&](tensor::ExtractOp extract) { return runExtract(extract); })
      .Case([&](tensor::FromElementsOp from) { return runFromElements(from); })
      .Case([&](tensor::GenerateOp generate) { return runGenerate(generate); })
      .Case([&](tensor::CastOp cast) { return runCast(cast); })
      .Case([&](tensor::EmptyOp empty) { return runEmpty(empty); })
      .Case([&](arith::SelectOp select) { return runSelect(select); })
      .Case([&](UnrealizedConversionCastOp cast) { return runSignCast(cast); })
      .Case([&](arith::TruncFOp truncate) { return runTruncate(truncate); })
      .Default([&](Operation *other) { return runFold(other); });
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

Results Evaluation::runIf(scf::IfOp op) {
  Region &region =
      getInt(op.getCondition()) ? op.getThenRegion() : op.getElseRegion();
  if (region.empty())
    return SmallVector<HostTensor>{};
  return runBlock(region.front(), {});
}

Results Evaluation::runFor(scf::ForOp op) {
  int64_t upper = getInt(op.getUpperBound()), step = getInt(op.getStep());
  if (step <= 0)
    return op.emitOpError("step ") << step << " is not positive";
  SmallVector<HostTensor> carried = get(op.getInitArgs());
  Type type = op.getInductionVar().getType();
  for (int64_t iv = getInt(op.getLowerBound()); iv < upper; iv += step) {
    HostTensor index(getScalarTensor(type));
    index.setInt(0, iv);
    SmallVector<HostTensor> arguments{index};
    llvm::append_range(arguments, carried);
    Results next = runBlock(*op.getBody(), arguments);
    if (failed(next))
      return failure();
    carried = std::move(*next);
  }
  return carried;
}

Results Evaluation::runWhile(scf::WhileOp op) {
  SmallVector<HostTensor> carried = get(op.getInits());
  while (true) {
    Results before = runBlock(*op.getBeforeBody(), carried);
    if (failed(before))
      return failure();
    // The first operand of scf.condition is the condition.
    bool goesOn = before->front().getInt(0) != 0;
    before->erase(before->begin());
    if (!goesOn)
      return before;
    Results after = runBlock(*op.getAfterBody(), *before);
    if (failed(after))
      return failure();
    carried = std::move(*after);
  }
}

Results Evaluation::runCall(func::CallOp op) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      op, op.getCalleeAttr());
  if (!callee || callee.isExternal())
    return op.emitOpError("callee '") << op.getCallee() << "' has no body";
  if (depth == maxCallDepth)
    return op.emitOpError("is nested more than ") << maxCallDepth << " deep";
  return Evaluation(depth + 1).runBlock(callee.getBody().front(),
                                        get(op.getOperands()));
}

//===----------------------------------------------------------------------===//
// Scalars and tensors
//===----------------------------------------------------------------------===//

Results Evaluation::runDim(tensor::DimOp op) {
  const HostTensor &source = values.at(op.getSource());
  int64_t dim = getInt(op.getIndex());
  if (dim < 0 || dim >= source.getRank())
    return op.emitOpError("dimension ")
           << dim << " is outside the rank " << source.getRank();
  return SmallVector<HostTensor>{
      HostTensor::fromIndex(op.getContext(), source.getShape()[dim])};
}

Results Evaluation::runExtract(tensor::ExtractOp op) {
  const HostTensor &source = values.at(op.getTensor());
  SmallVector<int64_t> indices;
  for (auto [index, size] :
       llvm::zip_equal(op.getIndices(), source.getShape())) {
    indices.push_back(getInt(index));
    if (indices.back() < 0 || indices.back() >= size)
      return op.emitOpError("index ")
             << indices.back() << " is outside the size " << size;
  }
  HostTensor result(RankedTensorType::get({}, source.getElementType()));
  result.copyElement(0, source, linearize(indices, source.getShape()));
  return SmallVector<HostTensor>{result};
}

Results Evaluation::runFromElements(tensor::FromElementsOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  if (type.getElementType().isIndex())
    type = type.clone(IntegerType::get(op.getContext(), 64));
  HostTensor result(type);
  for (auto [i, element] : llvm::enumerate(op.getElements()))
    result.copyElement(i, values.at(element), 0);
  return SmallVector<HostTensor>{result};
}

Results Evaluation::runCast(tensor::CastOp op) {
  const HostTensor &source = values.at(op.getSource());
  if (failed(verifyCompatibleShape(source.getType(), op.getType())))
    return op.emitOpError("casts ")
           << source.getType() << " to " << op.getType();
  return SmallVector<HostTensor>{source};
}

/// Zeros, though any values would do.
Results Evaluation::runEmpty(tensor::EmptyOp op) {
  SmallVector<int64_t> shape(op.getType().getShape());
  auto extent = op.getDynamicSizes().begin();
  for (int64_t &size : shape) {
    if (ShapedType::isDynamic(size))
      size = getInt(*extent++);
    if (size < 0)
      return op.emitOpError("size ") << size << " is negative";
  }
  return SmallVector<HostTensor>{HostTensor(op.getType().clone(shape))};
}

/// Of tensors as well, by one truth value.
Results Evaluation::runSelect(arith::SelectOp op) {
  if (isa<ShapedType>(op.getCondition().getType()))
    return runFold(op);
  Value chosen =
      getInt(op.getCondition()) ? op.getTrueValue() : op.getFalseValue();
  return SmallVector<HostTensor>{values.at(chosen)};
}

Results Evaluation::runGenerate(tensor::GenerateOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  SmallVector<int64_t> shape(type.getShape());
  auto extent = op.getDynamicExtents().begin();
  for (int64_t &size : shape) {
    if (ShapedType::isDynamic(size))
      size = getInt(*extent++);
    if (size < 0)
      return op.emitOpError("size ") << size << " is negative";
  }
  HostTensor result(type.clone(shape));
  int64_t position = 0;
  bool isValid = true;
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    if (!isValid)
      return;
    SmallVector<HostTensor> arguments;
    for (int64_t i : index)
      arguments.push_back(HostTensor::fromIndex(op.getContext(), i));
    Results element = runBlock(op.getBody().front(), arguments);
    isValid = succeeded(element);
    if (isValid)
      result.copyElement(position++, element->front(), 0);
  });
  if (!isValid)
    return failure();
  return SmallVector<HostTensor>{result};
}

Results Evaluation::runSignCast(UnrealizedConversionCastOp op) {
  if (op.getNumOperands() != 1 || op.getNumResults() != 1)
    return op.emitOpError("can't be evaluated");
  Type from = op.getOperand(0).getType(), to = op.getResult(0).getType();
  if (!isa<IntegerType>(from) || !isa<IntegerType>(to) ||
      from.getIntOrFloatBitWidth() != to.getIntOrFloatBitWidth())
    return op.emitOpError("can't be evaluated");
  HostTensor result(RankedTensorType::get({}, to));
  result.setInt(0, values.at(op.getOperand(0)).getInt(0));
  return SmallVector<HostTensor>{result};
}

/// Its folder only takes values that lose nothing.
Results Evaluation::runTruncate(arith::TruncFOp op) {
  if (isa<ShapedType>(op.getType()))
    return op.emitOpError("can't be evaluated");
  HostTensor result(getScalarTensor(op.getType()));
  result.setFloat(0, values.at(op.getIn()).getFloat(0));
  return SmallVector<HostTensor>{result};
}

/// The attribute that stands for a constant operand of type `type`.
static Attribute getAttr(Type type, const HostTensor &value) {
  if (isa<ShapedType>(type))
    return value.toAttr();
  if (isa<FloatType>(type))
    return value.toAttr().getSplatValue<FloatAttr>();
  if (isa<IntegerType>(type))
    return value.toAttr().getSplatValue<IntegerAttr>();
  return IntegerAttr::get(type, value.getInt(0));
}

/// The value of an attribute that an op folded to; none for attributes that
/// are not of numbers.
static std::optional<HostTensor> getValue(Attribute attr) {
  if (auto dense = dyn_cast<DenseElementsAttr>(attr))
    return HostTensor::fromAttr(dense);
  auto typed = dyn_cast<TypedAttr>(attr);
  if (!typed || !typed.getType().isIntOrIndexOrFloat())
    return std::nullopt;
  if (isa<IndexType>(typed.getType()))
    return HostTensor::fromIndex(attr.getContext(),
                                 cast<IntegerAttr>(attr).getInt());
  return HostTensor::fromAttr(
      DenseElementsAttr::get(getScalarTensor(typed.getType()), attr));
}

/// Asks the op to fold with all operands constant.
Results Evaluation::runFold(Operation *op) {
  SmallVector<Attribute> operands;
  for (Value operand : op->getOperands())
    operands.push_back(getAttr(operand.getType(), values.at(operand)));
  SmallVector<OpFoldResult> folded;
  // An op may fold in place any number of times, which says nothing here, and
  // must not change the program.
  Operation *clone = op->clone();
  LogicalResult folds = clone->fold(operands, folded);
  SmallVector<HostTensor> results;
  if (succeeded(folds))
    for (OpFoldResult fold : folded) {
      if (auto value = dyn_cast<Value>(fold)) {
        results.push_back(values.at(value));
      } else if (std::optional<HostTensor> constant =
                     getValue(cast<Attribute>(fold))) {
        results.push_back(*constant);
      }
    }
  clone->destroy();
  if (results.size() != op->getNumResults())
    return op->emitOpError("can't be evaluated");
  return results;
}

FailureOr<SmallVector<HostTensor>>
weft::evaluateFunction(func::FuncOp function, ArrayRef<HostTensor> inputs) {
  if (function.isExternal())
    return function.emitOpError("has no body");
  if (!function.getBody().hasOneBlock())
    return function.emitOpError("has more than one block");
  if (inputs.size() != function.getNumArguments())
    return function.emitOpError("takes ")
           << function.getNumArguments() << " inputs, but is given "
           << inputs.size();
  return Evaluation(/*depth=*/0).runBlock(function.getBody().front(), inputs);
}

FailureOr<SmallVector<HostTensor>>
weft::evaluateBlock(Block &block, ArrayRef<HostTensor> arguments,
                    WatchFn watch) {
  assert(block.getNumArguments() == arguments.size() &&
         "there is a tensor for each argument");
  return Evaluation(/*depth=*/0, watch).runBlock(block, arguments);
}
