//===- DispatchToHost.cpp - From launches on tensors to a host program ----===//

#include "weft/Conversion/DispatchToHost.h"
#include "Converter.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "weft/Dialect/Weft/IR/SizeChecks.h"
#include "weft/Interfaces/Emitter.h"
#include "weft/Interfaces/HostTensor.h"
#include "llvm/ADT/TypeSwitch.h"

namespace weft {
#define GEN_PASS_DEF_CONVERTDISPATCHTOHOSTPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::host;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// isSameSize() for values; `budget` bounds the work.
static bool isSameValue(Value lhs, Value rhs, unsigned &budget) {
  if (lhs == rhs)
    return true;
  auto lhsResult = dyn_cast<OpResult>(lhs), rhsResult = dyn_cast<OpResult>(rhs);
  if (!lhsResult || !rhsResult || budget == 0)
    return false;
  --budget;
  Operation *a = lhsResult.getOwner(), *c = rhsResult.getOwner();
  if (a->getName() != c->getName() ||
      lhsResult.getResultNumber() != rhsResult.getResultNumber() ||
      a->getNumOperands() != c->getNumOperands() || a->getNumRegions() != 0 ||
      !isMemoryEffectFree(a) ||
      a->getAttrDictionary() != c->getAttrDictionary())
    return false;
  return llvm::all_of(
      llvm::zip(a->getOperands(), c->getOperands()), [&](auto pair) {
        return isSameValue(std::get<0>(pair), std::get<1>(pair), budget);
      });
}

bool weft::host::isSameSize(OpFoldResult lhs, OpFoldResult rhs) {
  if (std::optional<int64_t> known = getConstantIntValue(lhs))
    return known == getConstantIntValue(rhs);
  auto lhsValue = dyn_cast<Value>(lhs), rhsValue = dyn_cast<Value>(rhs);
  unsigned budget = 64;
  return lhsValue && rhsValue && isSameValue(lhsValue, rhsValue, budget);
}

Value weft::host::skipCasts(Value value) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  return value;
}

Value Converter::toValue(OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return value;
  return arith::ConstantIndexOp::create(b, *getConstantIntValue(size));
}

SmallVector<Value> Converter::dynamicSizes(Type type, const Buffer &buffer) {
  SmallVector<Value> sizes;
  for (auto [size, given] :
       llvm::zip_equal(cast<RankedTensorType>(type).getShape(), buffer.sizes))
    if (ShapedType::isDynamic(size))
      sizes.push_back(toValue(given));
  return sizes;
}

Value Converter::createBytes(Type elementType, ArrayRef<OpFoldResult> sizes) {
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamic;
  for (OpFoldResult size : sizes) {
    if (std::optional<int64_t> known = getConstantIntValue(size)) {
      shape.push_back(std::max<int64_t>(0, *known));
      continue;
    }
    shape.push_back(ShapedType::kDynamic);
    dynamic.push_back(cast<Value>(size));
  }
  auto type = RankedTensorType::get(shape, elementType);
  return b.createOrFold<SizeOp>(type, dynamic);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Whether `value` depends on nothing but constants and symbols, so that it
/// can be computed before the program starts.
static bool isKnownBeforeRun(Value value, DenseMap<Value, bool> &seen) {
  auto [it, isNew] = seen.try_emplace(value, false);
  if (!isNew)
    return it->second;
  Operation *op = value.getDefiningOp();
  bool known = op && op->getNumRegions() == 0 &&
               (isa<SymbolOp, SizeOp>(op) ||
                (isa<arith::ArithDialect>(op->getDialect()) &&
                 isMemoryEffectFree(op))) &&
               llvm::all_of(op->getOperands(), [&](Value operand) {
                 return isKnownBeforeRun(operand, seen);
               });
  seen[value] = known;
  return known;
}

Value Converter::createMemory(Type elementType, ArrayRef<OpFoldResult> sizes,
                              bool fresh) {
  Value bytes = createBytes(elementType, sizes);
  DenseMap<Value, bool> seen;
  if (!fresh && isKnownBeforeRun(bytes, seen)) {
    StringAttr name;
    if (auto loc = b.getLoc()->findInstanceOf<NameLoc>())
      name = loc.getName();
    return AllocOp::create(b, bytes, name);
  }
  OpBuilder::InsertionGuard guard(b);
  // One buffer serves all iterations of the loops that the size does not
  // depend on, since what the runtime allocates lives until the run ends.
  if (Operation *op = bytes.getDefiningOp(); op && !fresh) {
    while (isa<SizeOp>(op)) {
      Block *block = op->getBlock();
      Operation *parent = block->getParentOp();
      if (!isa<LoopLikeOpInterface, scf::IfOp>(parent) ||
          !llvm::all_of(op->getOperands(), [&](Value operand) {
            return operand.getParentRegion()->isProperAncestor(
                block->getParent());
          }))
        break;
      op->moveBefore(parent);
    }
    if (isa<SizeOp>(op))
      b.setInsertionPointAfter(op);
  }
  return AllocateOp::create(b, bytes);
}

void Converter::require(Value condition, Fault fault, Value detail,
                        Value wanted) {
  if (matchPattern(condition, m_One()))
    return;
  RequireOp::create(b, condition, static_cast<int32_t>(fault), detail, wanted,
                    current ? getWhere(current) : "");
}

void Converter::requireEqual(OpFoldResult size, OpFoldResult wanted) {
  if (isSameSize(size, wanted))
    return;
  Value found = toValue(size), other = toValue(wanted);
  require(b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, found, other),
          Fault::SizeMismatch, found, other);
}

Value Converter::linearize(ValueRange indices, ArrayRef<OpFoldResult> sizes) {
  Value position;
  for (auto [index, size] : llvm::zip_equal(indices, sizes)) {
    Value limit = toValue(size);
    // One comparison covers negative indices as well.
    require(
        b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, index, limit),
        Fault::IndexOutOfRange, index, limit);
    if (!position) {
      position = index;
      continue;
    }
    position = b.createOrFold<arith::MulIOp>(position, limit);
    position = b.createOrFold<arith::AddIOp>(position, index);
  }
  return position ? position : toValue(b.getIndexAttr(0));
}

/// What a kernel would say if it found that `relation` does not hold.
static Fault getFault(SizeRelation relation) {
  switch (relation) {
  case SizeRelation::equal:
  case SizeRelation::oneOr:
  case SizeRelation::atMost:
    return Fault::SizeMismatch;
  case SizeRelation::below:
    return Fault::IndexOutOfRange;
  case SizeRelation::nonNegative:
    return Fault::NegativeSize;
  }
  llvm_unreachable("unknown relation");
}

void Converter::convertRequire(RequireSizesOp op) {
  using Predicate = arith::CmpIPredicate;
  Value found = scalars.lookup(op.getFound());
  Value wanted = scalars.lookup(op.getWanted());
  auto compare = [&](Predicate predicate, Value lhs, Value rhs) {
    return b.createOrFold<arith::CmpIOp>(predicate, lhs, rhs);
  };
  Value condition;
  switch (op.getRelation()) {
  case SizeRelation::equal:
  case SizeRelation::oneOr:
    if (isSameSize(getAsOpFoldResult(found), getAsOpFoldResult(wanted)))
      return;
    condition = compare(Predicate::eq, found, wanted);
    if (op.getRelation() == SizeRelation::oneOr)
      condition = b.createOrFold<arith::OrIOp>(
          condition, compare(Predicate::eq, found, toValue(b.getIndexAttr(1))));
    break;
  case SizeRelation::atMost:
    condition = compare(Predicate::sle, found, wanted);
    break;
  case SizeRelation::below:
    condition = compare(Predicate::ult, found, wanted);
    break;
  case SizeRelation::nonNegative:
    condition = compare(Predicate::sge, found, toValue(b.getIndexAttr(0)));
    break;
  }
  require(condition, getFault(op.getRelation()), found, wanted);
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

Value Converter::chooseMemory(OpResult result, const Buffer &buffer) {
  if (Value memory = placedInMemory.lookup(result))
    return memory;
  if (auto it = placedInOutput.find(result); it != placedInOutput.end())
    return createOutput(it->second, buffer);
  bool isFresh = fresh.contains(result);
  OpOperand *place = findPlace(result);
  if (place && !isFresh && canTakeOver(*place))
    return buffers.at(place->get()).memory;
  Type elementType = cast<RankedTensorType>(result.getType()).getElementType();
  return createMemory(elementType, buffer.sizes, isFresh);
}

LogicalResult Converter::convertLaunch(dispatch::LaunchOp op) {
  SmallVector<Value> reads, writes, words;
  for (Value input : op.getInputs())
    reads.push_back(buffers.at(input).memory);
  SmallVector<Value> resultSizes;
  for (Value size : op.getResultSizes())
    resultSizes.push_back(scalars.lookup(size));

  ValueRange left = resultSizes;
  for (OpResult result : op.getResults()) {
    auto type = cast<RankedTensorType>(result.getType());
    // Loops may be converted more than once.
    Buffer &buffer = buffers[result] = {};
    for (int64_t size : type.getShape()) {
      if (ShapedType::isStatic(size)) {
        buffer.sizes.push_back(b.getIndexAttr(size));
        continue;
      }
      buffer.sizes.push_back(getAsOpFoldResult(left.front()));
      left = left.drop_front();
    }
    buffer.memory = chooseMemory(result, buffer);
    writes.push_back(buffer.memory);
    OpOperand *place = findPlace(result);
    if (!place)
      continue;
    // The kernel finds this operand where it makes the result.
    Value &source = reads[place->getOperandNumber()];
    if (source != buffer.memory)
      CopyOp::create(b, source, buffer.memory,
                     createBytes(type.getElementType(), buffer.sizes));
    source = buffer.memory;
  }

  // What the tasks of a launch on a GPU leave to each other.
  auto kernel = SymbolTable::lookupNearestSymbolFrom<dispatch::KernelOp>(
      op, op.getKernelAttr());
  if (kernel.getDevice() && kernel.getScratchBytes() > 0) {
    OpFoldResult bytes = b.getIndexAttr(kernel.getScratchBytes());
    writes.push_back(createMemory(b.getI8Type(), bytes));
  }
  for (Value scalar : op.getScalars())
    words.push_back(scalars.lookup(scalar));
  for (Value input : op.getInputs())
    llvm::append_range(words, dynamicSizes(input.getType(), buffers.at(input)));
  llvm::append_range(words, resultSizes);
  LaunchOp::create(b, op.getKernelAttr(), reads, writes, words);
  return success();
}

LogicalResult Converter::convertConstant(Value result, TypedAttr value) {
  auto type = cast<RankedTensorType>(value.getType());
  std::string name;
  if (auto loc = b.getLoc()->findInstanceOf<NameLoc>())
    name = loc.getName().str();
  DataOp declared = declareData(value, name);
  Buffer &buffer = buffers[result];
  buffer.memory = ConstantOp::create(b, declared.getSymName());
  buffer.sizes = getAsIndexOpFoldResult(b.getContext(), type.getShape());
  return success();
}

LogicalResult Converter::convertDim(tensor::DimOp op) {
  std::optional<int64_t> dim = op.getConstantIndex();
  const Buffer &buffer = buffers.at(op.getSource());
  if (!dim || *dim < 0 || *dim >= static_cast<int64_t>(buffer.sizes.size()))
    return op.emitOpError("asks for a dimension that is not a constant");
  scalars.map(op.getResult(), toValue(buffer.sizes[*dim]));
  return success();
}

/// The type in which the elements of a tensor are stored.
static Type getStoredType(Type elementType) {
  if (elementType.isIndex())
    return IntegerType::get(elementType.getContext(), 64);
  return elementType;
}

LogicalResult Converter::convertFromElements(tensor::FromElementsOp op) {
  RankedTensorType type = op.getType();
  Type elementType = getStoredType(type.getElementType());
  Buffer &buffer = buffers[op.getResult()];
  buffer.sizes = getAsIndexOpFoldResult(b.getContext(), type.getShape());
  buffer.memory = createMemory(elementType, buffer.sizes);
  for (auto [number, element] : llvm::enumerate(op.getElements())) {
    Value value = scalars.lookup(element);
    if (value.getType().isIndex())
      value = arith::IndexCastOp::create(b, elementType, value);
    StoreOp::create(b, value, buffer.memory, toValue(b.getIndexAttr(number)));
  }
  return success();
}

LogicalResult Converter::convertExtract(tensor::ExtractOp op) {
  const Buffer &buffer = buffers.at(op.getTensor());
  SmallVector<Value> indices;
  for (Value index : op.getIndices())
    indices.push_back(scalars.lookup(index));
  Type elementType = getStoredType(getSignlessType(op.getType()));
  Value value = LoadOp::create(b, elementType, buffer.memory,
                               linearize(indices, buffer.sizes));
  if (op.getType().isIndex())
    value = arith::IndexCastOp::create(b, op.getType(), value);
  scalars.map(op.getResult(), value);
  return success();
}

LogicalResult Converter::convertCast(tensor::CastOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getType());
  if (!type)
    return op.emitOpError("makes a tensor without a rank");
  Buffer buffer = buffers.at(op.getSource());
  for (auto [size, wanted] : llvm::zip_equal(buffer.sizes, type.getShape())) {
    if (ShapedType::isDynamic(wanted))
      continue;
    requireEqual(size, b.getIndexAttr(wanted));
    size = b.getIndexAttr(wanted);
  }
  buffers[op.getResult()] = buffer;
  return success();
}

LogicalResult Converter::convertEmpty(tensor::EmptyOp op) {
  Buffer &buffer = buffers[op.getResult()] = {};
  for (OpFoldResult size : op.getMixedSizes())
    buffer.sizes.push_back(
        isa<Value>(size) ? getAsOpFoldResult(scalars.lookup(cast<Value>(size)))
                         : size);
  buffer.memory = createMemory(op.getType().getElementType(), buffer.sizes);
  return success();
}

LogicalResult Converter::convertReshape(ReshapeOp op) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  Buffer source = buffers.at(op.getInput());
  Buffer buffer{source.memory, {}};
  auto given = op.getSizes().begin();
  for (int64_t size : type.getShape())
    buffer.sizes.push_back(ShapedType::isStatic(size)
                               ? OpFoldResult(b.getIndexAttr(size))
                               : getAsOpFoldResult(scalars.lookup(*given++)));
  // Bytes are elements here, and do not overflow.
  Value found = createBytes(b.getI8Type(), source.sizes);
  Value wanted = createBytes(b.getI8Type(), buffer.sizes);
  requireEqual(getAsOpFoldResult(found), getAsOpFoldResult(wanted));
  buffers[op.getResult()] = buffer;
  return success();
}

LogicalResult Converter::convertSelect(arith::SelectOp op) {
  Value condition = scalars.lookupOrNull(op.getCondition());
  if (!condition)
    return op.emitOpError("chooses between tensors by a tensor");
  Buffer lhs = buffers.at(op.getTrueValue());
  Buffer rhs = buffers.at(op.getFalseValue());
  Buffer buffer;
  buffer.memory = arith::SelectOp::create(b, condition, lhs.memory, rhs.memory);
  for (auto [left, right] : llvm::zip_equal(lhs.sizes, rhs.sizes)) {
    if (isSameSize(left, right)) {
      buffer.sizes.push_back(left);
      continue;
    }
    buffer.sizes.push_back(
        arith::SelectOp::create(b, condition, toValue(left), toValue(right))
            .getResult());
  }
  buffers[op.getResult()] = buffer;
  return success();
}

/// Makes a divisor that may be zero safe: sizes are computed ahead of the code
/// that would find it.
static void guardDivision(ImplicitLocOpBuilder &b, Operation *op) {
  if (!isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
           arith::FloorDivSIOp, arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    return;
  Value divisor = op->getOperand(1);
  if (matchPattern(divisor, m_NonZero()))
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op);
  auto zero = arith::ConstantOp::create(b, b.getZeroAttr(divisor.getType()));
  auto one = arith::ConstantOp::create(b, b.getOneAttr(divisor.getType()));
  auto isZero =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, divisor, zero);
  op->setOperand(1, arith::SelectOp::create(b, isZero, one, divisor));
}

LogicalResult Converter::convertScalarOp(Operation &op) {
  bool isScalar =
      op.getNumRegions() == 0 && isMemoryEffectFree(&op) &&
      llvm::none_of(op.getOperandTypes(), llvm::IsaPred<ShapedType>) &&
      llvm::none_of(op.getResultTypes(), llvm::IsaPred<ShapedType>);
  if (!isScalar)
    return op.emitOpError("is not expected in a program of launches");
  SmallVector<Value> folded;
  Operation *clone = b.clone(op, scalars);
  guardDivision(b, clone);
  return success();
}

LogicalResult Converter::convertOp(Operation &op) {
  b.setLoc(op.getLoc());
  current = &op;
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](dispatch::LaunchOp op) { return convertLaunch(op); })
      .Case([&](weft::ConstantOp op) {
        return convertConstant(op.getResult(), op.getValue());
      })
      .Case([&](arith::ConstantOp op) {
        if (isa<RankedTensorType>(op.getType()))
          return convertConstant(op.getResult(), op.getValue());
        return convertScalarOp(*op);
      })
      .Case([&](tensor::DimOp op) { return convertDim(op); })
      .Case([&](tensor::FromElementsOp op) { return convertFromElements(op); })
      .Case([&](tensor::ExtractOp op) { return convertExtract(op); })
      .Case([&](tensor::CastOp op) { return convertCast(op); })
      .Case([&](tensor::EmptyOp op) { return convertEmpty(op); })
      .Case([&](ReshapeOp op) { return convertReshape(op); })
      .Case([&](RequireSizesOp op) {
        convertRequire(op);
        return success();
      })
      .Case([&](arith::SelectOp op) {
        if (isa<RankedTensorType>(op.getType()))
          return convertSelect(op);
        return convertScalarOp(*op);
      })
      .Case([&](scf::IfOp op) { return convertIf(op); })
      .Case([&](scf::ForOp op) { return convertFor(op); })
      .Case([&](scf::WhileOp op) { return convertWhile(op); })
      .Default([&](Operation *op) { return convertScalarOp(*op); });
}

LogicalResult Converter::convertBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(convertOp(op)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct ConvertDispatchToHostPass
    : weft::impl::ConvertDispatchToHostPassBase<ConvertDispatchToHostPass> {
  using ConvertDispatchToHostPassBase::ConvertDispatchToHostPassBase;

  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>(mainName);
    if (!main || !main.getBody().hasOneBlock()) {
      getOperation().emitError("there is no function '")
          << mainName << "' of one block";
      return signalPassFailure();
    }
    if (failed(Converter(getOperation(), main).convert()))
      signalPassFailure();
  }
};
} // namespace
