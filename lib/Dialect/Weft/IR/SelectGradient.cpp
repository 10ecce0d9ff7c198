//===- SelectGradient.cpp - Gradients of gather, scatter, top-k -----------===//
//
// What was read from a place adds to the gradient of the place; what was
// written to a place reads the gradient there. `at` are the indices, `u` the
// updates, `x` the input, `y` the result and `g` its gradient.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

/// The indices of a gather along `axis`, for each index of the dimensions of
/// `input` before it, as vectors of one.
static Value makeIndexVectors(ImplicitLocOpBuilder &b, Value input,
                              Value indices, int64_t axis) {
  auto type = cast<RankedTensorType>(indices.getType());
  SmallVector<OpFoldResult> sizes = getSizesOf(b, input);
  sizes.truncate(axis);
  llvm::append_range(sizes, getSizesOf(b, indices));
  sizes.push_back(b.getIndexAttr(1));
  SmallVector<Value> dynamic;
  SmallVector<int64_t> known;
  dispatchIndexOpFoldResults(sizes, dynamic, known);
  auto dims = llvm::to_vector(llvm::seq(axis, axis + type.getRank()));
  return BroadcastOp::create(b, type.clone(known), indices, dynamic, dims);
}

LogicalResult GatherOp::buildGradient(OpBuilder &builder,
                                      ValueRange resultGrads,
                                      SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value vectors = makeIndexVectors(b, getInput(), getIndices(), getAxis());
  Value grad =
      ScatterNDOp::create(b, ScatterKind::add, makeSplat(b, getInput(), 0),
                          vectors, resultGrads.front(), getAxis());
  return finish(*this, grad, operandGrads);
}

LogicalResult
GatherElementsOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                                SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value grad = ScatterElementsOp::create(
      b, ScatterKind::add, makeSplat(b, getInput(), 0), getIndices(),
      resultGrads.front(), getAxis());
  return finish(*this, grad, operandGrads);
}

LogicalResult GatherNDOp::buildGradient(OpBuilder &builder,
                                        ValueRange resultGrads,
                                        SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getResult()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value grad =
      ScatterNDOp::create(b, ScatterKind::add, makeSplat(b, getInput(), 0),
                          getIndices(), resultGrads.front(), getBatchDims());
  return finish(*this, grad, operandGrads);
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

namespace {
/// The formulas of scatter_elements and scatter_nd, in terms of writing to the
/// places of the updates and reading from them.
template <typename OpTy> class ScatterGradient {
public:
  ScatterGradient(ImplicitLocOpBuilder &b, OpTy op, Value grad)
      : b(b), op(op), x{&b, op.getInput()}, u{&b, op.getUpdates()},
        y{&b, op.getResult()}, g{&b, grad} {}

  /// The gradients of the input and of the updates.
  std::pair<Term, Term> build();

private:
  Term write(ScatterKind kind, Term input, Term updates);
  Term read(Term tensor);
  Term isLast();
  std::pair<Term, Term> buildMul();
  std::pair<Term, Term> buildExtremum();

  ImplicitLocOpBuilder &b;
  OpTy op;
  Term x, u, y, g;
};
} // namespace

template <typename OpTy>
Term ScatterGradient<OpTy>::write(ScatterKind kind, Term input, Term updates) {
  Value indices = op.getIndices();
  if constexpr (std::is_same_v<OpTy, ScatterNDOp>)
    return {&b, OpTy::create(b, kind, input.value, indices, updates.value,
                             op.getBatchDims())};
  else
    return {&b, OpTy::create(b, kind, input.value, indices, updates.value,
                             op.getAxis())};
}

/// `value` with what `type` knows of its sizes.
static Value retype(ImplicitLocOpBuilder &b, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(b, type, value);
}

template <typename OpTy> Term ScatterGradient<OpTy>::read(Term tensor) {
  Value part;
  if constexpr (std::is_same_v<OpTy, ScatterNDOp>)
    part =
        GatherNDOp::create(b, tensor.value, op.getIndices(), op.getBatchDims());
  else
    part = GatherElementsOp::create(b, tensor.value, op.getIndices(),
                                    op.getAxis());
  return {&b, retype(b, part, op.getUpdates().getType())};
}

/// Where an update is the last at its place: the places are told the number of
/// the update that they get, and it is compared with what they hold at the end.
/// Only updates with different indices along the axis can meet.
template <> Term ScatterGradient<ScatterElementsOp>::isLast() {
  Type number = b.getI64Type();
  RankedTensorType type = op.getUpdates().getType().clone(number);
  Value own = IotaOp::create(b, type, getSymbolicSizes(b, op.getUpdates()),
                             op.getAxis());
  Value places = makeSplat(b, op.getInput(), number, 0);
  places = ScatterElementsOp::create(b, ScatterKind::set, places,
                                     op.getIndices(), own, op.getAxis());
  Value held = retype(
      b, GatherElementsOp::create(b, places, op.getIndices(), op.getAxis()),
      type);
  return compare(ComparePredicate::eq, {&b, held}, {&b, own});
}

/// The numbers of index vectors in row-major order.
static Value numberVectors(ImplicitLocOpBuilder &b, Value indices) {
  SmallVector<OpFoldResult> sizes = getSizesOf(b, indices);
  sizes.pop_back();
  Value count = arith::ConstantIndexOp::create(b, 1);
  for (OpFoldResult size : sizes)
    count = b.createOrFold<arith::MulIOp>(
        count, getValueOrCreateConstantIndexOp(b, b.getLoc(), size));
  Value flat = IotaOp::create(
      b, RankedTensorType::get(ShapedType::kDynamic, b.getI64Type()), count, 0);
  SmallVector<Value> dynamic;
  SmallVector<int64_t> known;
  dispatchIndexOpFoldResults(sizes, dynamic, known);
  return ReshapeOp::create(b, RankedTensorType::get(known, b.getI64Type()),
                           flat, dynamic);
}

/// As above, with one number for a slice.
template <> Term ScatterGradient<ScatterNDOp>::isLast() {
  Value own = numberVectors(b, op.getIndices());
  Type type = own.getType();
  int64_t batch = op.getBatchDims();
  int64_t chosen = batch + op.getIndices().getType().getShape().back();
  SmallVector<OpFoldResult> sizes = getSizesOf(b, op.getInput());
  sizes.truncate(chosen);
  Value places = makeSplat(b, sizes, b.getI64Type(), 0);
  places = ScatterNDOp::create(b, ScatterKind::set, places, op.getIndices(),
                               own, batch);
  Value held =
      retype(b, GatherNDOp::create(b, places, op.getIndices(), batch), type);
  Value last = CompareOp::create(b, ComparePredicate::eq, held, own);
  auto dims = llvm::to_vector(llvm::seq(cast<ShapedType>(type).getRank()));
  return {&b, BroadcastOp::create(
                  b, op.getUpdates().getType().clone(b.getI1Type()), last,
                  getSymbolicSizes(b, op.getUpdates()), dims)};
}

/// The product of a place leaves out one of its factors by a division, unless
/// that is zero: the others' product is zero if another one is, too, and else
/// that of all that are not. (As to second derivatives, zeros count as
/// constants.)
template <typename OpTy>
std::pair<Term, Term> ScatterGradient<OpTy>::buildMul() {
  Term isZero = compare(ComparePredicate::eq, u, u.number(0));
  Term factors = choose(isZero, u.number(1), u);
  Term product = write(ScatterKind::mul, x.number(1), factors);
  Term zeros = write(ScatterKind::add, x.number(0),
                     choose(isZero, u.number(1), u.number(0)));
  Term hasNone = compare(ComparePredicate::eq, zeros, x.number(0));
  Term hasOne = compare(ComparePredicate::eq, zeros, x.number(1));
  Term each = g * product, none = x.number(0);
  Term unlessZero = read(choose(hasNone, each * x, none)) / factors;
  Term ifZero = read(choose(hasOne, each * x, none));
  return {choose(hasNone, each, none), choose(isZero, ifZero, unlessZero)};
}

/// All that equal the result share the gradient evenly.
template <typename OpTy>
std::pair<Term, Term> ScatterGradient<OpTy>::buildExtremum() {
  Term isOld = compare(ComparePredicate::eq, x, y);
  Term isNew = compare(ComparePredicate::eq, u, read(y));
  Term count = write(ScatterKind::add, choose(isOld, x.number(1), x.number(0)),
                     choose(isNew, u.number(1), u.number(0)));
  Term part = g / count;
  return {choose(isOld, part, x.number(0)),
          choose(isNew, read(part), u.number(0))};
}

template <typename OpTy> std::pair<Term, Term> ScatterGradient<OpTy>::build() {
  switch (op.getKind()) {
  case ScatterKind::set:
    return {write(ScatterKind::set, g, u.number(0)),
            choose(isLast(), read(g), u.number(0))};
  case ScatterKind::add:
    return {g, read(g)};
  case ScatterKind::mul:
    return buildMul();
  case ScatterKind::max:
  case ScatterKind::min:
    return buildExtremum();
  }
  llvm_unreachable("all kinds have a rule");
}

template <typename OpTy>
static LogicalResult buildScatter(OpTy op, OpBuilder &builder,
                                  ValueRange resultGrads,
                                  SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(op.getResult()))
    return leaveOut(op, operandGrads);
  ImplicitLocOpBuilder b(op.getLoc(), builder);
  auto [input, updates] =
      ScatterGradient<OpTy>(b, op, resultGrads.front()).build();
  operandGrads.append({input.value, Value(), updates.value});
  return success();
}

LogicalResult
ScatterElementsOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                                 SmallVectorImpl<Value> &operandGrads) {
  return buildScatter(*this, builder, resultGrads, operandGrads);
}

LogicalResult ScatterNDOp::buildGradient(OpBuilder &builder,
                                         ValueRange resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  return buildScatter(*this, builder, resultGrads, operandGrads);
}

//===----------------------------------------------------------------------===//
// Top-k
//===----------------------------------------------------------------------===//

/// No two of the chosen are the same, so they might be set as well; but sums
/// are simpler to differentiate once more.
LogicalResult TopKOp::buildGradient(OpBuilder &builder, ValueRange resultGrads,
                                    SmallVectorImpl<Value> &operandGrads) {
  if (!isFloat(getInput()))
    return leaveOut(*this, operandGrads);
  ImplicitLocOpBuilder b(getLoc(), builder);
  Value grad = ScatterElementsOp::create(
      b, ScatterKind::add, makeSplat(b, getInput(), 0), getIndices(),
      resultGrads.front(), getAxis());
  return finish(*this, grad, operandGrads);
}
