//===- RegionEmitter.cpp - Elements of a region's tensors, as code --------===//

#include "weft/Codegen/Common/RegionEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Bindings
//===----------------------------------------------------------------------===//

void RegionEmitter::bind(Value tensor, ElementFn fn) {
  bound[tensor] = std::move(fn);
}

void RegionEmitter::bindMemory(Value tensor, MemoryView view) {
  memory[tensor] = std::move(view);
}

const MemoryView *RegionEmitter::getMemory(Value tensor) const {
  auto it = memory.find(tensor);
  return it == memory.end() ? nullptr : &it->second;
}

void RegionEmitter::bindScalar(Value argument, Value value) {
  scalars[argument] = value;
}

void RegionEmitter::bindSize(Value tensor, unsigned dim, Value size) {
  boundSizes[{tensor.getAsOpaquePointer(), dim}] = size;
}

//===----------------------------------------------------------------------===//
// Constants and index arithmetic
//===----------------------------------------------------------------------===//

Value RegionEmitter::emitConstantOp(Attribute value) {
  Value &known = constants[value];
  if (known)
    return known;
  // Constants go to the top of the function, so that they dominate all uses.
  Operation *parent = b.getInsertionBlock()->getParentOp();
  while (parent && !isa<FunctionOpInterface>(parent))
    parent = parent->getParentOp();
  auto typed = cast<TypedAttr>(value);
  if (!parent)
    return constants.erase(value), arith::ConstantOp::create(b, typed);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&parent->getRegion(0).front());
  Value created = arith::ConstantOp::create(b, typed);
  return constants[value] = created;
}

Value RegionEmitter::index(int64_t value) {
  return emitConstantOp(b.getIndexAttr(value));
}

Value RegionEmitter::constant(Type type, double value) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return emitConstantOp(b.getFloatAttr(floatType, value));
  return emitConstantOp(b.getIntegerAttr(type, static_cast<int64_t>(value)));
}

/// The value of `value` if it is a constant index.
static std::optional<int64_t> constantOf(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  return std::nullopt;
}

static constexpr auto kNoWrap = arith::IntegerOverflowFlags::nsw;

Value RegionEmitter::add(Value lhs, Value rhs) {
  std::optional<int64_t> left = constantOf(lhs), right = constantOf(rhs);
  if (left && right)
    return index(*left + *right);
  if (left == 0)
    return rhs;
  if (right == 0)
    return lhs;
  return arith::AddIOp::create(b, lhs, rhs, kNoWrap);
}

Value RegionEmitter::sub(Value lhs, Value rhs) {
  std::optional<int64_t> left = constantOf(lhs), right = constantOf(rhs);
  if (left && right)
    return index(*left - *right);
  if (right == 0)
    return lhs;
  return arith::SubIOp::create(b, lhs, rhs, kNoWrap);
}

Value RegionEmitter::mul(Value lhs, Value rhs) {
  std::optional<int64_t> left = constantOf(lhs), right = constantOf(rhs);
  if (left && right)
    return index(*left * *right);
  if (left == 0 || right == 1)
    return lhs;
  if (right == 0 || left == 1)
    return rhs;
  return arith::MulIOp::create(b, lhs, rhs, kNoWrap);
}

Value RegionEmitter::div(Value lhs, Value rhs) {
  std::optional<int64_t> left = constantOf(lhs), right = constantOf(rhs);
  if (left && right && *right > 0)
    return index(*left / *right);
  if (right == 1)
    return lhs;
  return arith::DivUIOp::create(b, lhs, rhs);
}

Value RegionEmitter::rem(Value lhs, Value rhs) {
  std::optional<int64_t> left = constantOf(lhs), right = constantOf(rhs);
  if (left && right && *right > 0)
    return index(*left % *right);
  if (right == 1)
    return index(0);
  return arith::RemUIOp::create(b, lhs, rhs);
}

Value RegionEmitter::ceilDiv(Value lhs, Value rhs) {
  return div(add(lhs, sub(rhs, index(1))), rhs);
}

Value RegionEmitter::min(Value lhs, Value rhs) {
  std::optional<int64_t> left = constantOf(lhs), right = constantOf(rhs);
  if (left && right)
    return index(std::min(*left, *right));
  return lhs == rhs ? lhs : arith::MinSIOp::create(b, lhs, rhs);
}

Value RegionEmitter::max(Value lhs, Value rhs) {
  std::optional<int64_t> left = constantOf(lhs), right = constantOf(rhs);
  if (left && right)
    return index(std::max(*left, *right));
  return lhs == rhs ? lhs : arith::MaxSIOp::create(b, lhs, rhs);
}

Value RegionEmitter::product(ValueRange values) {
  Value result = index(1);
  for (Value value : values)
    result = mul(result, value);
  return result;
}

SmallVector<Value> RegionEmitter::delinearize(Value position,
                                              ValueRange sizes) {
  SmallVector<Value> indices(sizes.size());
  for (size_t dim = sizes.size(); dim-- > 1;) {
    indices[dim] = rem(position, sizes[dim]);
    position = div(position, sizes[dim]);
  }
  if (!sizes.empty())
    indices[0] = position;
  return indices;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Type RegionEmitter::getStorageType(Type elementType) {
  if (elementType.isIntOrFloat() && elementType.getIntOrFloatBitWidth() < 8)
    return IntegerType::get(elementType.getContext(), 8);
  if (isa<FloatType>(elementType) && elementType.getIntOrFloatBitWidth() == 8)
    return IntegerType::get(elementType.getContext(), 8);
  return getSignlessType(elementType);
}

SmallVector<Value> RegionEmitter::rowMajorStrides(ValueRange sizes) {
  SmallVector<Value> strides(sizes.size());
  Value stride = index(1);
  for (size_t dim = sizes.size(); dim-- > 0;) {
    strides[dim] = stride;
    if (dim > 0)
      stride = mul(stride, sizes[dim]);
  }
  return strides;
}

Value RegionEmitter::offset(const MemoryView &view, ArrayRef<Value> indices) {
  Value position = index(0);
  for (auto [i, stride] : llvm::zip_equal(indices, view.strides))
    position = add(position, mul(i, stride));
  return position;
}

Value RegionEmitter::address(const MemoryView &view, Value position) {
  Type storage = getStorageType(view.elementType);
  Value word = arith::IndexCastOp::create(b, b.getI64Type(), position);
  return LLVM::GEPOp::create(b, view.pointer.getType(), storage, view.pointer,
                             ValueRange{word}, LLVM::GEPNoWrapFlags::inbounds);
}

Value RegionEmitter::load(const MemoryView &view, ArrayRef<Value> indices) {
  Value stored = LLVM::LoadOp::create(b, getStorageType(view.elementType),
                                      address(view, offset(view, indices)));
  return fromStorage(stored, view.elementType);
}

Value RegionEmitter::fromStorage(Value stored, Type elementType) {
  Type storage = stored.getType();
  Type wanted = getSignlessType(elementType);
  if (wanted == storage)
    return stored;
  if (wanted.isInteger(1))
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, stored,
                                 constant(storage, 0));
  if (isa<IntegerType>(wanted))
    return arith::TruncIOp::create(b, wanted, stored);
  if (wanted.getIntOrFloatBitWidth() == 8)
    return arith::BitcastOp::create(b, wanted, stored);
  Type bits = b.getIntegerType(wanted.getIntOrFloatBitWidth());
  return arith::BitcastOp::create(b, wanted,
                                  arith::TruncIOp::create(b, bits, stored));
}

Value RegionEmitter::toStorage(Value element, Type elementType) {
  Type storage = getStorageType(elementType);
  if (isa<FloatType>(element.getType()) && isa<IntegerType>(storage))
    element = arith::BitcastOp::create(
        b, b.getIntegerType(element.getType().getIntOrFloatBitWidth()),
        element);
  if (element.getType() != storage) {
    auto intType = dyn_cast<IntegerType>(elementType);
    bool isSigned = intType && intType.isSignless() && intType.getWidth() > 1;
    element = isSigned ? Value(arith::ExtSIOp::create(b, storage, element))
                       : Value(arith::ExtUIOp::create(b, storage, element));
  }
  return element;
}

void RegionEmitter::store(const MemoryView &view, ArrayRef<Value> indices,
                          Value element) {
  element = toStorage(element, view.elementType);
  LLVM::StoreOp::create(b, element, address(view, offset(view, indices)));
}

//===----------------------------------------------------------------------===//
// Elements and sizes
//===----------------------------------------------------------------------===//

bool RegionEmitter::dominatesHere(Value value) const {
  Block *defined = value.getParentBlock();
  for (Block *here = b.getInsertionBlock(); here;) {
    if (here == defined)
      return true;
    Operation *parent = here->getParentOp();
    here = parent ? parent->getBlock() : nullptr;
  }
  return false;
}

Value RegionEmitter::element(Value tensor, ArrayRef<Value> indices) {
  Key key{tensor.getAsOpaquePointer(), {}};
  for (Value i : indices)
    key.second.push_back(i.getAsOpaquePointer());
  auto known = emitted.find(key);
  if (known != emitted.end() && dominatesHere(known->second))
    return known->second;

  Value result;
  if (auto it = bound.find(tensor); it != bound.end()) {
    result = it->second(indices);
  } else if (const MemoryView *view = getMemory(tensor)) {
    result = load(*view, indices);
  } else {
    auto op = tensor.getDefiningOp<IndexedOpInterface>();
    assert(op && "every unbound tensor of a region has an emission rule");
    Location outer = b.getLoc();
    b.setLoc(op->getLoc());
    result = op.emitElement(*this, indices);
    b.setLoc(outer);
  }
  emitted[key] = result;
  return result;
}

Value RegionEmitter::reifySize(Value tensor, unsigned dim) {
  auto op = tensor.getDefiningOp<ReifyRankedShapedTypeOpInterface>();
  assert(op && "a symbolic size comes from an op that can tell it");
  // The op tells its sizes in terms of `tensor.dim` of its operands and of the
  // region's scalars; both are replaced by what they are in this function.
  Block scratch;
  OpBuilder inner(b.getContext());
  inner.setInsertionPointToStart(&scratch);
  ReifiedRankedShapedTypeDims reified;
  if (failed(op.reifyResultShapes(inner, reified)))
    return {};
  OpFoldResult wanted = reified[cast<OpResult>(tensor).getResultNumber()][dim];
  if (auto attr = dyn_cast<Attribute>(wanted))
    return index(cast<IntegerAttr>(attr).getInt());

  IRMapping mapping;
  auto resolve = [&](Value value) -> Value {
    if (Value known = mapping.lookupOrNull(value))
      return known;
    return scalar(value);
  };
  for (Operation &step : scratch) {
    if (auto dimOp = dyn_cast<tensor::DimOp>(step)) {
      mapping.map(dimOp.getResult(),
                  size(dimOp.getSource(), *dimOp.getConstantIndex()));
      continue;
    }
    for (Value operand : step.getOperands())
      if (!mapping.contains(operand))
        mapping.map(operand, resolve(operand));
    b.clone(step, mapping);
  }
  Value result = resolve(cast<Value>(wanted));
  scratch.dropAllReferences();
  return result;
}

Value RegionEmitter::size(Value tensor, unsigned dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return index(type.getDimSize(dim));
  auto key = std::make_pair(tensor.getAsOpaquePointer(), dim);
  auto known = boundSizes.find(key);
  if (known != boundSizes.end() && dominatesHere(known->second))
    return known->second;
  return boundSizes[key] = reifySize(tensor, dim);
}

SmallVector<Value> RegionEmitter::sizes(Value tensor) {
  SmallVector<Value> result;
  for (int64_t dim :
       llvm::seq(cast<RankedTensorType>(tensor.getType()).getRank()))
    result.push_back(size(tensor, dim));
  return result;
}

Value RegionEmitter::scalar(Value operand) {
  auto it = scalars.find(operand);
  if (it != scalars.end())
    return it->second;
  // A constant of the region.
  Attribute value;
  bool isConstant = matchPattern(operand, m_Constant(&value));
  assert(isConstant && "a region's scalars are arguments or constants");
  (void)isConstant;
  return emitConstantOp(value);
}

void RegionEmitter::require(Operation *op, Value condition, Fault fault,
                            Value found, Value wanted) {
  if (faultHandler)
    faultHandler(op, condition, fault, found, wanted);
}

//===----------------------------------------------------------------------===//
// Whole results
//===----------------------------------------------------------------------===//

void RegionEmitter::store(unsigned result, ArrayRef<Value> indices,
                          Value element) {
  store(resultViews[result], indices, element);
}

Value RegionEmitter::load(unsigned result, ArrayRef<Value> indices) {
  return load(resultViews[result], indices);
}

Value RegionEmitter::resultSize(unsigned result, unsigned dim) {
  return resultViews[result].sizes[dim];
}

void RegionEmitter::parallel(ArrayRef<Value> sizes,
                             llvm::function_ref<void(ArrayRef<Value>)> body) {
  onParallel(sizes, body);
}
