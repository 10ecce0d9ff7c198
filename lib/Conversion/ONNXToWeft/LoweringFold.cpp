//===- LoweringFold.cpp - What is computed while lowering -----------------===//
//
// Two kinds of values are worked out at once: small results of constants, by
// the reference evaluator, and small tensors that are made of sizes, which are
// kept as lists of scalars (tensor.from_elements).
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace weft;

/// Results beyond this stay computations.
static constexpr int64_t kLargestFolded = 64 * 1024;
/// Operands beyond this are not read for the sake of folding.
static constexpr int64_t kLargestOperand = 4 * 1024 * 1024;
/// Tensors of sizes are no longer than this.
static constexpr int64_t kMostScalars = 64;

/// What does not fit into 64 bits is just more than any limit.
static int64_t bytesOf(RankedTensorType type) {
  int64_t bytes = getStorageBytes(type.getElementType());
  for (int64_t size : type.getShape())
    if (llvm::MulOverflow(bytes, size, bytes))
      return std::numeric_limits<int64_t>::max();
  return bytes;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static std::optional<HostTensor> evaluate(Operation *op,
                                          ArrayRef<HostTensor> operands) {
  // Whether what is wrong here is ever executed is not known.
  ScopedDiagnosticHandler quiet(op->getContext(),
                                [](Diagnostic &) { return success(); });
  FailureOr<SmallVector<HostTensor>> results =
      cast<EvaluableOpInterface>(op).evaluate(operands);
  if (failed(results))
    return std::nullopt;
  return results->front();
}

std::optional<HostTensor> Lowering::constantOf(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (isa<ConstantOp>(op))
    return evaluate(op, {});
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape())
    return std::nullopt;
  // These are left as they are because they are cheap to compute anywhere, but
  // are constants none the less.
  if (auto castOp = dyn_cast<tensor::CastOp>(op))
    return constantOf(castOp.getSource());
  if (!isa<BroadcastOp, IotaOp>(op) || bytesOf(type) > kLargestFolded)
    return std::nullopt;
  SmallVector<HostTensor> operands;
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    std::optional<HostTensor> input = constantOf(broadcast.getInput());
    if (!input)
      return std::nullopt;
    operands.push_back(*input);
  }
  return evaluate(op, operands);
}

static bool isSplat(const HostTensor &tensor) {
  ArrayRef<char> bytes = tensor.getBytes();
  int64_t width = getStorageBytes(tensor.getElementType());
  return tensor.getNumElements() > 1 &&
         bytes.drop_front(width) == bytes.drop_back(width);
}

Value Lowering::constant(const HostTensor &tensor) {
  if (!isSplat(tensor))
    return ConstantOp::create(b, tensor.toAttr());
  HostTensor first(RankedTensorType::get({}, tensor.getElementType()));
  first.copyElement(0, tensor, 0);
  auto element = first.toAttr().getSplatValue<Attribute>();
  return ConstantOp::create(b,
                            DenseElementsAttr::get(tensor.getType(), element));
}

/// Whether computing the op now is worth its result's bytes.
static bool isWorthwhile(Operation *op, RankedTensorType type) {
  if (isa<BroadcastOp, IotaOp, PadOp>(op))
    return type.getRank() <= 1 && type.getNumElements() <= kMostScalars;
  return bytesOf(type) <= kLargestFolded;
}

Value Lowering::evaluated(Operation *op) {
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!isa<EvaluableOpInterface>(op) || !type || !type.hasStaticShape() ||
      !isWorthwhile(op, type))
    return {};
  SmallVector<HostTensor> operands;
  for (Value operand : op->getOperands()) {
    if (isa<IndexType>(operand.getType())) {
      std::optional<int64_t> size = getConstantIntValue(operand);
      if (!size)
        return {};
      operands.push_back(HostTensor::fromIndex(op->getContext(), *size));
      continue;
    }
    auto operandType = dyn_cast<RankedTensorType>(operand.getType());
    if (!operandType || !operandType.hasStaticShape() ||
        bytesOf(operandType) > kLargestOperand)
      return {};
    std::optional<HostTensor> tensor = constantOf(operand);
    if (!tensor)
      return {};
    operands.push_back(*tensor);
  }
  std::optional<HostTensor> result = evaluate(op, operands);
  return result && result->getType() == type ? constant(*result) : Value();
}

Value Lowering::folded(Operation *op) {
  Value result = op->getResult(0);
  if (isa<ConstantOp>(op))
    return result;
  Value better;
  SmallVector<Value, 1> values;
  if (succeeded(b.tryFold(op, values)) && values.size() == 1 &&
      values[0].getType() == result.getType() && values[0] != result)
    better = values[0];
  if (!better)
    better = evaluated(op);
  if (!better)
    better = scalarised(op);
  if (!better)
    return result;
  op->erase();
  return better;
}

//===----------------------------------------------------------------------===//
// Tensors of scalars
//===----------------------------------------------------------------------===//

static bool isSmall(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() &&
         tensor.getNumElements() <= kMostScalars &&
         tensor.getElementType().isIntOrFloat();
}

std::optional<Lowering::Scalars> Lowering::scalarsOf(Value value) {
  if (!isSmall(value.getType()))
    return std::nullopt;
  Operation *op = value.getDefiningOp();
  if (auto castOp = dyn_cast_or_null<tensor::CastOp>(op))
    return scalarsOf(castOp.getSource());
  Type element = getSignlessType(elementOf(value));
  if (auto list = dyn_cast_or_null<tensor::FromElementsOp>(op)) {
    Scalars scalars;
    for (Value scalar : list.getElements()) {
      Attribute constant;
      if (matchPattern(scalar, m_Constant(&constant)))
        scalars.push_back(constant);
      else
        scalars.push_back(scalar);
    }
    return scalars;
  }
  std::optional<HostTensor> tensor = constantOf(value);
  if (!tensor)
    return std::nullopt;
  Scalars scalars;
  for (int64_t i = 0; i < tensor->getNumElements(); ++i) {
    if (isa<FloatType>(element))
      scalars.push_back(b.getFloatAttr(element, tensor->getFloat(i)));
    else
      scalars.push_back(IntegerAttr::get(
          element, APInt(element.getIntOrFloatBitWidth(), tensor->getInt(i),
                         /*isSigned=*/true, /*implicitTrunc=*/true)));
  }
  return scalars;
}

Value Lowering::fromScalars(ArrayRef<OpFoldResult> scalars,
                            RankedTensorType type) {
  Type element = type.getElementType();
  if (llvm::all_of(scalars,
                   [](OpFoldResult it) { return isa<Attribute>(it); })) {
    HostTensor tensor(type);
    for (auto [i, scalar] : llvm::enumerate(scalars)) {
      if (auto number = dyn_cast<FloatAttr>(cast<Attribute>(scalar)))
        tensor.setFloat(i, number.getValueAsDouble());
      else
        tensor.setInt(i, *getConstantIntValue(scalar));
    }
    return constant(tensor);
  }
  SmallVector<Value> values;
  for (OpFoldResult scalar : scalars) {
    if (auto value = dyn_cast<Value>(scalar))
      values.push_back(value);
    else
      values.push_back(arith::ConstantOp::create(
          b, cast<TypedAttr>(cast<Attribute>(scalar))));
  }
  auto signless = type.clone(getSignlessType(element));
  return tensor::FromElementsOp::create(b, signless, values);
}

/// Whether elements of the result are copies of elements of the operands, at
/// places that no operand's elements decide, but for indices of gathers.
static bool isMove(Operation *op) {
  return isa<ReshapeOp, TransposeOp, BroadcastOp, SliceOp, ConcatOp, GatherOp,
             GatherElementsOp, GatherNDOp, PadOp, UpdateSliceOp>(op);
}

Value Lowering::scalarised(Operation *op) {
  if (op->getNumResults() != 1 || !isSmall(op->getResult(0).getType()))
    return {};
  // Unsigned and boolean lists would lose their element type.
  Type element = elementOf(op->getResult(0));
  if (getSignlessType(element) != element)
    return {};
  bool hasList = false;
  for (Value operand : op->getOperands()) {
    if (isa<IndexType>(operand.getType()))
      continue;
    if (!isSmall(operand.getType()))
      return {};
    hasList |= !!operand.getDefiningOp<tensor::FromElementsOp>();
  }
  if (!hasList)
    return {};
  if (isMove(op))
    return scalarisedMove(op);
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return scalarisedReduce(reduce);
  if (isa<ScalarOpInterface>(op))
    return scalarisedElementwise(op);
  return {};
}

// The op is run on tensors of labels, one for each scalar, which then tell
// where each element of the result came from.
Value Lowering::scalarisedMove(Operation *op) {
  Scalars pool;
  SmallVector<HostTensor> labels;
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = operand.get();
    bool isIndices = isa<GatherOp, GatherElementsOp, GatherNDOp>(op) &&
                     operand.getOperandNumber() == 1;
    if (isa<IndexType>(value.getType())) {
      std::optional<int64_t> size = getConstantIntValue(value);
      if (!size)
        return {};
      labels.push_back(HostTensor::fromIndex(op->getContext(), *size));
      continue;
    }
    std::optional<HostTensor> tensor = constantOf(value);
    std::optional<Scalars> scalars = scalarsOf(value);
    if (isIndices ? !tensor : !scalars)
      return {};
    if (!isIndices) {
      tensor = HostTensor(typeOf(value));
      for (auto [i, scalar] : llvm::enumerate(*scalars)) {
        if (isa<FloatType>(elementOf(value)))
          tensor->setFloat(i, pool.size());
        else
          tensor->setInt(i, pool.size());
        pool.push_back(scalar);
      }
    }
    labels.push_back(*tensor);
  }
  // Wider label sets would not fit into the narrowest types.
  if (pool.size() > 127 || elementOf(op->getResult(0)).isInteger(1))
    return {};
  std::optional<HostTensor> moved = evaluate(op, labels);
  if (!moved)
    return {};
  Scalars result;
  for (int64_t i = 0; i < moved->getNumElements(); ++i)
    result.push_back(pool[int64_t(moved->getFloat(i))]);
  return fromScalars(result, typeOf(op->getResult(0)));
}

Value Lowering::scalarisedReduce(ReduceOp op) {
  std::optional<Scalars> scalars = scalarsOf(op.getInput());
  RankedTensorType type = typeOf(op.getResult());
  if (!scalars || !type.getElementType().isSignlessInteger() ||
      type.getRank() != 0)
    return {};
  OpFoldResult total;
  for (OpFoldResult scalar : *scalars) {
    OpFoldResult size = toIndex(scalar);
    if (!total)
      total = size;
    else if (op.getKind() == ReduceKind::sum)
      total = addSizes(total, size);
    else if (op.getKind() == ReduceKind::prod)
      total = mulSizes(total, size);
    else if (op.getKind() == ReduceKind::max)
      total = maxSizes(total, size);
    else if (op.getKind() == ReduceKind::min)
      total = minSizes(total, size);
    else
      return {};
  }
  if (!total)
    return {};
  return fromScalars({fromIndex(total, type.getElementType())}, type);
}

Value Lowering::scalarisedElementwise(Operation *op) {
  SmallVector<Scalars> operands;
  for (Value operand : op->getOperands()) {
    std::optional<Scalars> scalars = scalarsOf(operand);
    if (!scalars)
      return {};
    operands.push_back(std::move(*scalars));
  }
  RankedTensorType type = typeOf(op->getResult(0));
  Scalars results;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    Scalars elements;
    for (const Scalars &operand : operands)
      elements.push_back(operand[i]);
    results.push_back(scalarOf(op, elements, type.getElementType()));
  }
  return fromScalars(results, type);
}

OpFoldResult Lowering::scalarOf(Operation *op, ArrayRef<OpFoldResult> elements,
                                Type type) {
  // Integers go through the arithmetic on sizes, so that equal sizes stay equal
  // values.
  bool isInteger = type.isSignlessInteger() && !type.isInteger(1) &&
                   elementOf(op->getOperand(0)).isSignlessInteger();
  if (isInteger && isa<AddOp, SubOp, MulOp, MaxOp, MinOp, CastOp>(op)) {
    OpFoldResult lhs = toIndex(elements.front());
    OpFoldResult rhs = toIndex(elements.back());
    OpFoldResult result = lhs;
    if (isa<AddOp>(op))
      result = addSizes(lhs, rhs);
    else if (isa<SubOp>(op))
      result = subSizes(lhs, rhs);
    else if (isa<MulOp>(op))
      result = mulSizes(lhs, rhs);
    else if (isa<MaxOp>(op))
      result = maxSizes(lhs, rhs);
    else if (isa<MinOp>(op))
      result = minSizes(lhs, rhs);
    return fromIndex(result, type);
  }
  if (isInteger && isa<DivOp>(op)) {
    std::optional<int64_t> divisor = getConstantIntValue(elements[1]);
    if (divisor && *divisor > 0)
      return fromIndex(divSizes(toIndex(elements[0]), index(*divisor)), type);
  }
  SmallVector<Value> values;
  for (OpFoldResult element : elements) {
    if (auto value = dyn_cast<Value>(element))
      values.push_back(value);
    else
      values.push_back(arith::ConstantOp::create(
          b, cast<TypedAttr>(cast<Attribute>(element))));
  }
  Value result =
      cast<ScalarOpInterface>(op).buildScalar(b, op->getLoc(), values);
  Attribute constant;
  if (matchPattern(result, m_Constant(&constant)))
    return constant;
  if (Operation *producer = result.getDefiningOp()) {
    SmallVector<Value, 1> simpler;
    if (succeeded(b.tryFold(producer, simpler)) && simpler.size() == 1)
      result = simpler[0];
  }
  if (matchPattern(result, m_Constant(&constant)))
    return constant;
  return result;
}
