//===- LoweringSizes.cpp - Symbolic sizes and where they come from --------===//

#include "Lowering.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

bool Lowering::isVisible(Value value) const {
  Block *block = value.getParentBlock();
  Block *here = b.getInsertionBlock();
  Block::iterator point = b.getInsertionPoint();
  while (here && here != block) {
    Operation *parent = here->getParentOp();
    here = parent ? parent->getBlock() : nullptr;
    if (here)
      point = parent->getIterator();
  }
  if (!here)
    return false;
  Operation *producer = value.getDefiningOp();
  return !producer || point == block->end() ||
         producer->isBeforeInBlock(&*point);
}

Value Lowering::visible(const Term &term) const {
  auto it = arithmetic.find(term);
  if (it != arithmetic.end())
    for (Value value : it->second)
      if (isVisible(value))
        return value;
  return {};
}

/// Constants come as attributes, so that equal sizes compare equal.
static OpFoldResult normalized(OpFoldResult size) {
  if (std::optional<int64_t> constant = getConstantIntValue(size)) {
    MLIRContext *context = isa<Attribute>(size)
                               ? cast<Attribute>(size).getContext()
                               : cast<Value>(size).getContext();
    return IntegerAttr::get(IndexType::get(context), *constant);
  }
  return size;
}

static int64_t apply(StringRef name, int64_t lhs, int64_t rhs) {
  if (name == "add")
    return lhs + rhs;
  if (name == "sub")
    return lhs - rhs;
  if (name == "mul")
    return lhs * rhs;
  if (name == "div")
    return rhs == 0 ? 0 : lhs / rhs;
  if (name == "max")
    return std::max(lhs, rhs);
  return std::min(lhs, rhs);
}

static Value createArith(ImplicitLocOpBuilder &b, StringRef name, Value lhs,
                         Value rhs) {
  if (name == "add")
    return arith::AddIOp::create(b, lhs, rhs);
  if (name == "mul")
    return arith::MulIOp::create(b, lhs, rhs);
  if (name == "div")
    return arith::DivSIOp::create(b, lhs, rhs);
  if (name == "max")
    return arith::MaxSIOp::create(b, lhs, rhs);
  if (name == "min")
    return arith::MinSIOp::create(b, lhs, rhs);
  return arith::SubIOp::create(b, lhs, rhs);
}

OpFoldResult Lowering::binary(StringRef name, OpFoldResult lhs,
                              OpFoldResult rhs) {
  lhs = normalized(lhs);
  rhs = normalized(rhs);
  std::optional<int64_t> left = getConstantIntValue(lhs);
  std::optional<int64_t> right = getConstantIntValue(rhs);
  if (left && right && !(name == "div" && *right == 0))
    return index(apply(name, *left, *right));
  if (Value known = visible(term(name, lhs, rhs)))
    return known;
  bool commutes = name != "sub" && name != "div";
  if (commutes)
    if (Value known = visible(term(name, rhs, lhs)))
      return known;
  Value value = createArith(b, name, sizeValue(lhs), sizeValue(rhs));
  arithmetic[term(name, lhs, rhs)].push_back(value);
  return value;
}

/// Splits `size` into a symbolic part and a constant added to it.
static std::pair<OpFoldResult, int64_t> splitOffset(OpFoldResult size) {
  auto value = dyn_cast<Value>(size);
  auto sum = value ? value.getDefiningOp<arith::AddIOp>() : nullptr;
  if (!sum)
    return {size, 0};
  if (std::optional<int64_t> offset = getConstantIntValue(sum.getRhs()))
    return {sum.getLhs(), *offset};
  return {size, 0};
}

OpFoldResult Lowering::addSizes(OpFoldResult lhs, OpFoldResult rhs) {
  lhs = normalized(lhs);
  rhs = normalized(rhs);
  std::optional<int64_t> left = getConstantIntValue(lhs);
  std::optional<int64_t> right = getConstantIntValue(rhs);
  if (left && right)
    return index(*left + *right);
  if (left)
    return addSizes(rhs, lhs);
  if (!right)
    return binary("add", lhs, rhs);
  auto [symbol, offset] = splitOffset(lhs);
  offset += *right;
  return offset == 0 ? symbol : binary("add", symbol, index(offset));
}

OpFoldResult Lowering::subSizes(OpFoldResult lhs, OpFoldResult rhs) {
  lhs = normalized(lhs);
  rhs = normalized(rhs);
  if (std::optional<int64_t> right = getConstantIntValue(rhs))
    return addSizes(lhs, index(-*right));
  auto [leftSymbol, leftOffset] = splitOffset(lhs);
  auto [rightSymbol, rightOffset] = splitOffset(rhs);
  if (leftSymbol == rightSymbol)
    return index(leftOffset - rightOffset);
  return binary("sub", lhs, rhs);
}

/// Splits `size` into a constant and symbolic factors.
static int64_t splitFactors(OpFoldResult size,
                            SmallVectorImpl<Value> &symbols) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return *constant;
  Value value = cast<Value>(size);
  if (auto product = value.getDefiningOp<arith::MulIOp>())
    return splitFactors(product.getLhs(), symbols) *
           splitFactors(product.getRhs(), symbols);
  symbols.push_back(value);
  return 1;
}

OpFoldResult Lowering::mulSizes(OpFoldResult lhs, OpFoldResult rhs) {
  SmallVector<Value> symbols;
  int64_t left = splitFactors(normalized(lhs), symbols);
  int64_t right = splitFactors(normalized(rhs), symbols);
  // What does not fit is too large for a tensor in any case.
  int64_t constant;
  if (llvm::MulOverflow(left, right, constant))
    constant = std::numeric_limits<int64_t>::max() - 1;
  if (constant == 0 || symbols.empty())
    return index(constant);
  OpFoldResult product = symbols.front();
  for (Value symbol : ArrayRef(symbols).drop_front())
    product = binary("mul", product, symbol);
  return constant == 1 ? product : binary("mul", product, index(constant));
}

OpFoldResult Lowering::divSizes(OpFoldResult lhs, OpFoldResult rhs) {
  SmallVector<Value> above, below;
  int64_t numerator = splitFactors(normalized(lhs), above);
  int64_t denominator = splitFactors(normalized(rhs), below);
  // A symbol that stands on both sides goes away. If it is zero at run time the
  // quotient is not defined anyhow.
  for (Value *it = below.begin(); it != below.end();) {
    auto same = llvm::find(above, *it);
    if (same == above.end()) {
      ++it;
      continue;
    }
    above.erase(same);
    it = below.erase(it);
  }
  if (denominator == 0)
    return index(0);
  if (numerator % denominator == 0) {
    numerator /= denominator;
    denominator = 1;
  }
  OpFoldResult top = index(numerator), bottom = index(denominator);
  for (Value symbol : above)
    top = mulSizes(top, symbol);
  for (Value symbol : below)
    bottom = mulSizes(bottom, symbol);
  if (getConstantIntValue(bottom) == 1)
    return top;
  // Whatever a quotient by zero means, it must not stop the program.
  if (isa<Value>(bottom))
    bottom = maxSizes(bottom, index(1));
  return binary("div", top, bottom);
}

OpFoldResult Lowering::maxSizes(OpFoldResult lhs, OpFoldResult rhs) {
  lhs = normalized(lhs);
  rhs = normalized(rhs);
  return lhs == rhs ? lhs : binary("max", lhs, rhs);
}

OpFoldResult Lowering::minSizes(OpFoldResult lhs, OpFoldResult rhs) {
  lhs = normalized(lhs);
  rhs = normalized(rhs);
  return lhs == rhs ? lhs : binary("min", lhs, rhs);
}

OpFoldResult Lowering::broadcastSizes(OpFoldResult lhs, OpFoldResult rhs) {
  lhs = normalized(lhs);
  rhs = normalized(rhs);
  if (lhs == rhs || getConstantIntValue(rhs) == 1)
    return lhs;
  if (getConstantIntValue(lhs) == 1)
    return rhs;
  if (isa<Attribute>(lhs))
    return lhs;
  if (isa<Attribute>(rhs))
    return rhs;
  if (Value known = visible(term("broadcast", lhs, rhs)))
    return known;
  // Unlike the maximum this is right for a size of zero, too.
  Value isOne = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                      cast<Value>(lhs), sizeValue(index(1)));
  Value size =
      arith::SelectOp::create(b, isOne, cast<Value>(rhs), cast<Value>(lhs));
  arithmetic[term("broadcast", lhs, rhs)].push_back(size);
  return size;
}

OpFoldResult Lowering::ceilDivSizes(OpFoldResult lhs, OpFoldResult rhs) {
  lhs = normalized(lhs);
  rhs = normalized(rhs);
  std::optional<int64_t> left = getConstantIntValue(lhs);
  std::optional<int64_t> right = getConstantIntValue(rhs);
  if (left && right && *right != 0)
    return index(llvm::divideCeilSigned(*left, *right));
  if (right == 1)
    return lhs;
  // A step of zero is the model's mistake, but must not stop the program.
  rhs = selectSize(arith::CmpIPredicate::eq, rhs, index(0), index(1), rhs);
  return arith::CeilDivSIOp::create(b, sizeValue(lhs), sizeValue(rhs))
      .getResult();
}

OpFoldResult Lowering::selectSize(arith::CmpIPredicate predicate,
                                  OpFoldResult lhs, OpFoldResult rhs,
                                  OpFoldResult yes, OpFoldResult no) {
  yes = normalized(yes);
  no = normalized(no);
  if (yes == no)
    return yes;
  std::optional<int64_t> left = getConstantIntValue(lhs);
  std::optional<int64_t> right = getConstantIntValue(rhs);
  if (left && right)
    return arith::applyCmpPredicate(predicate, APInt(64, *left, true),
                                    APInt(64, *right, true))
               ? yes
               : no;
  Value condition =
      arith::CmpIOp::create(b, predicate, sizeValue(lhs), sizeValue(rhs));
  return arith::SelectOp::create(b, condition, sizeValue(yes), sizeValue(no))
      .getResult();
}

bool Lowering::isNonNegative(OpFoldResult size) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return *constant >= 0;
  Operation *op = cast<Value>(size).getDefiningOp();
  if (isa_and_nonnull<tensor::DimOp>(op))
    return true;
  if (isa_and_nonnull<arith::AddIOp, arith::MulIOp, arith::DivSIOp,
                      arith::MinSIOp>(op))
    return isNonNegative(op->getOperand(0)) && isNonNegative(op->getOperand(1));
  if (isa_and_nonnull<arith::MaxSIOp>(op))
    return isNonNegative(op->getOperand(0)) || isNonNegative(op->getOperand(1));
  if (isa_and_nonnull<arith::SelectOp>(op))
    return isNonNegative(op->getOperand(1)) && isNonNegative(op->getOperand(2));
  return false;
}

OpFoldResult Lowering::productOf(ArrayRef<OpFoldResult> sizes) {
  OpFoldResult product = index(1);
  for (OpFoldResult size : sizes)
    product = mulSizes(product, size);
  return product;
}

Value Lowering::sizeTensor(OpFoldResult size) {
  return fromScalars({fromIndex(normalized(size), b.getI64Type())},
                     RankedTensorType::get({}, b.getI64Type()));
}

Value Lowering::sizeValue(OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return value;
  return arith::ConstantIndexOp::create(b, *getConstantIntValue(size));
}

//===----------------------------------------------------------------------===//
// Where sizes come from
//===----------------------------------------------------------------------===//

OpFoldResult Lowering::size(Value value, int64_t dim) {
  RankedTensorType type = typeOf(value);
  if (!type.isDynamicDim(dim))
    return index(type.getDimSize(dim));
  auto it = sizeCache.find({value, dim});
  if (it != sizeCache.end())
    return it->second;
  OpFoldResult traced = normalized(traceSize(value, dim));
  sizeCache[{value, dim}] = traced;
  return traced;
}

SmallVector<OpFoldResult> Lowering::sizes(Value value) {
  SmallVector<OpFoldResult> all;
  for (int64_t dim = 0; dim < rankOf(value); ++dim)
    all.push_back(size(value, dim));
  return all;
}

OpFoldResult Lowering::traceSize(Value value, int64_t dim) {
  Operation *producer = value.getDefiningOp();
  if (auto castOp = dyn_cast_or_null<tensor::CastOp>(producer))
    return size(castOp.getSource(), dim);
  if (producer && isa<ReifyRankedShapedTypeOpInterface>(producer)) {
    reifySizes(producer);
    auto it = sizeCache.find({value, dim});
    if (it != sizeCache.end())
      return it->second;
  }
  // Right behind the definition, where it is of use to everyone.
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(value);
  return tensor::DimOp::create(b, value, dim).getResult();
}

void Lowering::reifySizes(Operation *op) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfter(op);
  Operation *next = op->getNextNode();
  ReifiedRankedShapedTypeDims shapes;
  if (failed(cast<ReifyRankedShapedTypeOpInterface>(op).reifyResultShapes(
          b, shapes)))
    return;
  SmallVector<Operation *> steps;
  for (Operation *step = op->getNextNode(); step != next;
       step = step->getNextNode())
    steps.push_back(step);
  DenseSet<Value> kept;
  for (auto [result, shape] : llvm::zip(op->getResults(), shapes)) {
    for (auto [dim, size] : llvm::enumerate(shape)) {
      OpFoldResult known = traced(size);
      sizeCache[{result, int64_t(dim)}] = known;
      if (auto value = dyn_cast<Value>(known))
        kept.insert(value);
    }
  }
  // What was only a step on the way goes.
  for (Operation *step : llvm::reverse(steps))
    if (isOpTriviallyDead(step) && !kept.contains(step->getResult(0)))
      step->erase();
}

/// `size` rebuilt from the sizes that its tensor.dims stand for.
OpFoldResult Lowering::traced(OpFoldResult size) {
  auto value = dyn_cast<Value>(size);
  if (!value)
    return normalized(size);
  Operation *op = value.getDefiningOp();
  if (auto dim = dyn_cast_or_null<tensor::DimOp>(op))
    if (std::optional<int64_t> position = dim.getConstantIndex())
      if (isa<RankedTensorType>(dim.getSource().getType()))
        return this->size(dim.getSource(), *position);
  if (isa_and_nonnull<arith::AddIOp>(op))
    return addSizes(traced(op->getOperand(0)), traced(op->getOperand(1)));
  if (isa_and_nonnull<arith::SubIOp>(op))
    return subSizes(traced(op->getOperand(0)), traced(op->getOperand(1)));
  if (isa_and_nonnull<arith::MulIOp>(op))
    return mulSizes(traced(op->getOperand(0)), traced(op->getOperand(1)));
  if (isa_and_nonnull<arith::DivSIOp, arith::DivUIOp>(op))
    return divSizes(traced(op->getOperand(0)), traced(op->getOperand(1)));
  return normalized(size);
}

//===----------------------------------------------------------------------===//
// Tensors that hold sizes
//===----------------------------------------------------------------------===//

SmallVector<OpFoldResult> Lowering::indexValues(Value value) {
  if (std::optional<Scalars> scalars = scalarsOf(value))
    return llvm::map_to_vector(*scalars,
                               [&](OpFoldResult it) { return toIndex(it); });
  auto it = extracted.find(value);
  if (it != extracted.end())
    return it->second;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(value);
  RankedTensorType type = typeOf(value);
  Value source = value;
  if (!type.getElementType().isSignlessInteger())
    source = CastOp::create(b, type.clone(b.getI64Type()), value);
  Scalars elements;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    SmallVector<Value> position;
    if (type.getRank() == 1)
      position.push_back(arith::ConstantIndexOp::create(b, i));
    Value element = tensor::ExtractOp::create(b, source, position);
    elements.push_back(
        arith::IndexCastOp::create(b, b.getIndexType(), element).getResult());
  }
  extracted[value] = elements;
  return elements;
}

std::optional<SmallVector<int64_t>> Lowering::constantInts(Value value) {
  SmallVector<int64_t> ints;
  if (typeOf(value).hasStaticShape() && typeOf(value).getNumElements() == 0)
    return ints;
  if (std::optional<HostTensor> tensor = constantOf(value)) {
    for (int64_t i = 0; i < tensor->getNumElements(); ++i)
      ints.push_back(tensor->getInt(i));
    return ints;
  }
  std::optional<Scalars> scalars = scalarsOf(value);
  if (!scalars)
    return std::nullopt;
  for (OpFoldResult scalar : *scalars) {
    std::optional<int64_t> constant = getConstantIntValue(toIndex(scalar));
    if (!constant)
      return std::nullopt;
    ints.push_back(*constant);
  }
  return ints;
}

OpFoldResult Lowering::toIndex(OpFoldResult scalar) {
  if (std::optional<int64_t> constant = getConstantIntValue(scalar))
    return index(*constant);
  Value value = cast<Value>(scalar);
  if (isa<IndexType>(value.getType()))
    return scalar;
  // Sizes never reach the limits of the types that they pass through.
  if (auto castOp = value.getDefiningOp<arith::IndexCastOp>())
    return normalized(castOp.getIn());
  if (Value known = visible(term("index", scalar)))
    return known;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(value);
  Value result = arith::IndexCastOp::create(b, b.getIndexType(), value);
  arithmetic[term("index", scalar)].push_back(result);
  return result;
}

OpFoldResult Lowering::fromIndex(OpFoldResult index, Type type) {
  if (std::optional<int64_t> constant = getConstantIntValue(index))
    return b.getIntegerAttr(type, *constant);
  return arith::IndexCastOp::create(b, type, cast<Value>(index)).getResult();
}

Value Lowering::sizesTensor(ArrayRef<OpFoldResult> sizes) {
  Scalars scalars;
  for (OpFoldResult size : sizes)
    scalars.push_back(fromIndex(normalized(size), b.getI64Type()));
  auto type = RankedTensorType::get({int64_t(sizes.size())}, b.getI64Type());
  return fromScalars(scalars, type);
}
