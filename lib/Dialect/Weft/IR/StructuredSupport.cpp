//===- StructuredSupport.cpp - What reducing and selecting ops share ------===//

#include "StructuredSupport.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Verification and shapes
//===----------------------------------------------------------------------===//

LogicalResult weft::checkAxis(const Complaint &complain, StringRef what,
                              int64_t axis, StringRef of, int64_t rank) {
  if (axis < 0 || axis >= rank)
    return complain(what, " ", axis, " is outside the ", of, "'s rank ", rank);
  return success();
}

LogicalResult weft::checkRisingAxes(const Complaint &complain, StringRef what,
                                    ArrayRef<int64_t> axes, StringRef of,
                                    int64_t rank) {
  for (int64_t axis : axes)
    if (failed(checkAxis(complain, what, axis, of, rank)))
      return failure();
  for (size_t i = 1; i < axes.size(); ++i)
    if (axes[i] <= axes[i - 1])
      return complain(what, " ", axes[i], " must not follow ", axes[i - 1],
                      ": axes must rise");
  return success();
}

LogicalResult weft::checkList(const Complaint &complain, StringRef what,
                              ArrayRef<int64_t> list, int64_t expected,
                              int64_t least) {
  if (static_cast<int64_t>(list.size()) != expected)
    return complain("'", what, "' has ", list.size(), " entries, not ",
                    expected);
  for (int64_t entry : list)
    if (entry < least)
      return complain("'", what, "' holds ", entry, ", which is below ", least);
  return success();
}

LogicalResult weft::checkReduction(const Complaint &complain, ReduceKind kind,
                                   Type elementType) {
  bool isBool = elementType.isInteger(1);
  bool isLogical = kind == ReduceKind::all || kind == ReduceKind::any;
  bool isArithmetic = kind == ReduceKind::sum || kind == ReduceKind::prod;
  if ((isLogical && !isBool) || (isArithmetic && isBool))
    return complain("kind '", stringifyReduceKind(kind),
                    "' cannot combine elements of type ", elementType);
  return success();
}

LogicalResult weft::checkExtremum(const Complaint &complain, ReduceKind kind) {
  if (kind != ReduceKind::max && kind != ReduceKind::min)
    return complain("kind must be 'max' or 'min', not '",
                    stringifyReduceKind(kind), "'");
  return success();
}

bool weft::mayAgree(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

LogicalResult weft::checkSquare(const Complaint &complain,
                                RankedTensorType input) {
  ArrayRef<int64_t> shape = input.getShape();
  if (shape.size() < 2 ||
      !mayAgree(shape[shape.size() - 1], shape[shape.size() - 2]))
    return complain("input of shape ", formatShape(shape),
                    " does not hold square matrices");
  return success();
}

std::string weft::formatShape(ArrayRef<int64_t> shape) {
  return "[" +
         llvm::join(llvm::map_range(shape,
                                    [](int64_t size) {
                                      return ShapedType::isDynamic(size)
                                                 ? std::string("?")
                                                 : std::to_string(size);
                                    }),
                    ", ") +
         "]";
}

LogicalResult weft::checkShape(const Complaint &complain, StringRef what,
                               ArrayRef<int64_t> found,
                               ArrayRef<int64_t> wanted) {
  if (found.size() != wanted.size() ||
      !llvm::all_of_zip(found, wanted, mayAgree))
    return complain("shape ", formatShape(found), " of ", what, " must be ",
                    formatShape(wanted));
  return success();
}

int64_t WindowDim::getResultSize(int64_t size) const {
  if (ShapedType::isDynamic(size))
    return size;
  int64_t spread = size == 0 ? 0 : (size - 1) * inputDilation + 1;
  int64_t room = spread + low + high - dilation * (window - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

OpFoldResult WindowDim::getResultSize(OpBuilder &builder, Location loc,
                                      OpFoldResult size) const {
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return builder.getIndexAttr(getResultSize(*known));
  ImplicitLocOpBuilder b(loc, builder);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  Value spread = cast<Value>(size);
  if (inputDilation != 1) {
    Value last = arith::SubIOp::create(b, spread, constant(1));
    Value scaled = arith::MulIOp::create(b, last, constant(inputDilation));
    // Nothing stays nothing: (0 - 1) * d + 1 is at most zero.
    spread = arith::MaxSIOp::create(
        b, arith::AddIOp::create(b, scaled, constant(1)), constant(0));
  }
  // Adding the stride before the division spares both the `+ 1` and the
  // rounding of negative numbers.
  int64_t offset = low + high - dilation * (window - 1) - 1 + stride;
  Value room = arith::AddIOp::create(b, spread, constant(offset));
  room = arith::MaxSIOp::create(b, room, constant(0));
  if (stride == 1)
    return room;
  return arith::DivUIOp::create(b, room, constant(stride)).getResult();
}

void weft::reifyDims(ReifiedRankedShapedTypeDims &reified, OpBuilder &builder,
                     Type type,
                     llvm::function_ref<OpFoldResult(int64_t)> size) {
  SmallVector<OpFoldResult> &dims = reified.emplace_back();
  for (auto [dim, known] :
       llvm::enumerate(cast<RankedTensorType>(type).getShape()))
    dims.push_back(ShapedType::isDynamic(known)
                       ? size(dim)
                       : OpFoldResult(builder.getIndexAttr(known)));
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

Value weft::emitConvert(ImplicitLocOpBuilder &b, Value value, Type from,
                        Type to) {
  unsigned fromWidth = from.getIntOrFloatBitWidth();
  unsigned toWidth = to.getIntOrFloatBitWidth();
  if (fromWidth == toWidth)
    return value;
  if (isa<FloatType>(from))
    return fromWidth < toWidth ? arith::ExtFOp::create(b, to, value).getResult()
                               : arith::TruncFOp::create(b, to, value);
  if (fromWidth > toWidth)
    return arith::TruncIOp::create(b, to, value);
  return isUnsignedElement(from)
             ? arith::ExtUIOp::create(b, to, value).getResult()
             : arith::ExtSIOp::create(b, to, value);
}

Value weft::emitIsBefore(ImplicitLocOpBuilder &b, Type elementType,
                         bool falling, bool nanFirst, Value lhs, Value rhs) {
  using arith::CmpFPredicate;
  using arith::CmpIPredicate;
  if (!isa<FloatType>(elementType)) {
    bool isUnsigned = isUnsignedElement(elementType);
    auto predicate =
        falling ? (isUnsigned ? CmpIPredicate::ugt : CmpIPredicate::sgt)
                : (isUnsigned ? CmpIPredicate::ult : CmpIPredicate::slt);
    return arith::CmpIOp::create(b, predicate, lhs, rhs);
  }
  // The comparison holds if either is NaN; then the one that must not be NaN is
  // asked.
  Value before = arith::CmpFOp::create(
      b, falling ? CmpFPredicate::UGT : CmpFPredicate::ULT, lhs, rhs);
  Value other = nanFirst ? rhs : lhs;
  Value ordered = arith::CmpFOp::create(b, CmpFPredicate::ORD, other, other);
  return arith::AndIOp::create(b, before, ordered);
}

SmallVector<Value> weft::emitNest(
    ElementEmitter &emitter, ArrayRef<Value> lower, ArrayRef<Value> upper,
    ValueRange inits,
    llvm::function_ref<SmallVector<Value>(ArrayRef<Value>, ValueRange)> body) {
  SmallVector<Value> indices;
  std::function<SmallVector<Value>(ValueRange)> nest =
      [&](ValueRange carried) -> SmallVector<Value> {
    size_t depth = indices.size();
    if (depth == lower.size())
      return body(indices, carried);
    return emitter.loop(lower[depth], upper[depth], carried,
                        [&](Value iv, ValueRange inner) {
                          indices.push_back(iv);
                          SmallVector<Value> next = nest(inner);
                          indices.pop_back();
                          return next;
                        });
  };
  return nest(inits);
}

void weft::emitIf(ImplicitLocOpBuilder &b, Value condition,
                  llvm::function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  body();
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

HostTensor weft::makeHost(ArrayRef<int64_t> shape, Type elementType) {
  return HostTensor(RankedTensorType::get(shape, elementType));
}

HostReduction::HostReduction(ReduceKind kind, Type elementType)
    : kind(kind), elementType(elementType) {
  if (isa<FloatType>(elementType)) {
    double infinity = std::numeric_limits<double>::infinity();
    real = kind == ReduceKind::prod  ? 1
           : kind == ReduceKind::max ? -infinity
           : kind == ReduceKind::min ? infinity
                                     : 0;
    return;
  }
  unsigned width = elementType.getIntOrFloatBitWidth();
  bool isUnsigned = isUnsignedElement(elementType);
  if (kind == ReduceKind::prod || kind == ReduceKind::all)
    whole = 1;
  else if (kind == ReduceKind::max && !isUnsigned)
    whole = APInt::getSignedMinValue(width).getSExtValue();
  else if (kind == ReduceKind::min)
    whole = isUnsigned ? APInt::getMaxValue(width).getZExtValue()
                       : APInt::getSignedMaxValue(width).getZExtValue();
}

void HostReduction::add(const HostTensor &tensor, int64_t position) {
  if (isa<FloatType>(elementType)) {
    double x = tensor.getFloat(position);
    if (kind == ReduceKind::sum)
      real += x;
    else if (kind == ReduceKind::prod)
      real *= x;
    else if (std::isnan(x) || (kind == ReduceKind::max ? x > real : x < real))
      real = x;
    return;
  }
  int64_t x = tensor.getInt(position);
  auto asUnsigned = [](int64_t value) { return static_cast<uint64_t>(value); };
  bool isLess = isUnsignedElement(elementType)
                    ? asUnsigned(x) < asUnsigned(whole)
                    : x < whole;
  switch (kind) {
  case ReduceKind::sum:
    whole = asUnsigned(whole) + asUnsigned(x);
    break;
  case ReduceKind::prod:
    whole = asUnsigned(whole) * asUnsigned(x);
    break;
  case ReduceKind::max:
    whole = isLess ? whole : x;
    break;
  case ReduceKind::min:
    whole = isLess ? x : whole;
    break;
  case ReduceKind::all:
    whole &= x;
    break;
  case ReduceKind::any:
    whole |= x;
    break;
  }
}

void HostReduction::store(HostTensor &tensor, int64_t position) const {
  if (isa<FloatType>(elementType))
    tensor.setFloat(position, real);
  else
    tensor.setInt(position, whole);
}

bool weft::isBefore(const HostTensor &tensor, int64_t lhs, int64_t rhs,
                    bool falling, bool nanFirst) {
  Type type = tensor.getElementType();
  if (isa<FloatType>(type)) {
    double x = tensor.getFloat(lhs), y = tensor.getFloat(rhs);
    if (std::isnan(x) || std::isnan(y))
      return nanFirst ? !std::isnan(y) : !std::isnan(x);
    return falling ? x > y : x < y;
  }
  int64_t x = tensor.getInt(lhs), y = tensor.getInt(rhs);
  if (falling)
    std::swap(x, y);
  return isUnsignedElement(type)
             ? static_cast<uint64_t>(x) < static_cast<uint64_t>(y)
             : x < y;
}
