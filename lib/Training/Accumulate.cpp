//===- Accumulate.cpp - Sums over several batches -------------------------===//

#include "Accumulate.h"
#include "mlir/IR/Matchers.h"
#include "weft/Dialect/Weft/IR/Terms.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static Value convert(ImplicitLocOpBuilder &b, Value value, Type elementType) {
  if (typeOf(value).getElementType() == elementType)
    return value;
  return CastOp::create(b, typeOf(value).clone(elementType), value,
                        /*saturate=*/false);
}

/// `value`, whose sizes are those of `like`, with what that type knows of them.
static Value retype(ImplicitLocOpBuilder &b, Value value, Value like) {
  auto type = typeOf(like).clone(typeOf(value).getElementType());
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(b, type, value);
}

/// Whether all elements of `tensor` are the constant zero.
static bool isZero(Value tensor) {
  if (auto broadcast = tensor.getDefiningOp<BroadcastOp>())
    tensor = broadcast.getInput();
  auto constant = tensor.getDefiningOp<ConstantOp>();
  return constant && matchPattern(constant.getValue(), m_PosZeroFloat());
}

/// A sum over some dimensions as a contraction with ones, which goes through
/// them in order. The last dimensions are summed beforehand, in any order: they
/// belong to one sample.
static Value addReduction(ImplicitLocOpBuilder &b, Value init, Value input,
                          ArrayRef<int64_t> axes) {
  int64_t rank = typeOf(input).getRank(), last = rank;
  while (last > 1 && llvm::is_contained(axes, last - 1) &&
         axes.front() < last - 1)
    --last;
  Type element = typeOf(init).getElementType();
  if (last < rank)
    input = ReduceOp::create(b, ReduceKind::sum, input,
                             llvm::to_vector(llvm::seq(last, rank)));
  SmallVector<int64_t> own, along;
  SmallVector<OpFoldResult> sizes, all = getSizesOf(b, input);
  for (int64_t axis : axes)
    if (axis < last) {
      along.push_back(own.size());
      own.push_back(axis);
      sizes.push_back(all[axis]);
    }
  Value ones = makeSplat(b, sizes, typeOf(input).getElementType(), 1);
  SmallVector<int64_t> shape;
  for (int64_t dim : llvm::seq(last))
    if (!llvm::is_contained(own, dim))
      shape.push_back(typeOf(input).getDimSize(dim));
  return ContractOp::create(b, RankedTensorType::get(shape, element), ones,
                            input, init, ArrayRef<int64_t>(),
                            ArrayRef<int64_t>(), along, own);
}

/// `init + sum` in the type of `init`, which has the shape of `sum`.
static Value addOnto(ImplicitLocOpBuilder &b, Value init, Value sum);

/// `init + op` where `op` is one of the sums that can begin at `init`; else
/// null. Then `op` itself is computed no more, unless something else needs it.
static Value addSum(ImplicitLocOpBuilder &b, Value init, Operation *op) {
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](AddOp op) {
        return addOnto(b, addOnto(b, init, op.getLhs()), op.getRhs());
      })
      .Case([&](ContractOp op) -> Value {
        if (op.getInit())
          return {};
        return ContractOp::create(b, init.getType(), op.getLhs(), op.getRhs(),
                                  init, op.getLhsBatch(), op.getRhsBatch(),
                                  op.getLhsContract(), op.getRhsContract());
      })
      .Case([&](ConvFilterOp op) -> Value {
        if (op.getInit() || !op.getSizes().empty())
          return {};
        return ConvFilterOp::create(
            b, init.getType(), op.getInput(), op.getGrad(), ValueRange(), init,
            op.getStrides(), op.getLow(), op.getHigh(), op.getInputDilation(),
            op.getFilterDilation(), op.getGroups());
      })
      .Case([&](ReduceOp op) -> Value {
        if (op.getKind() != ReduceKind::sum || op.getAxes().empty())
          return {};
        return addReduction(b, init, op.getInput(), op.getAxes());
      })
      .Case([&](ScatterNDOp op) -> Value {
        if (op.getKind() != ScatterKind::add || !isZero(op.getInput()))
          return {};
        Value updates =
            convert(b, op.getUpdates(), typeOf(init).getElementType());
        return ScatterNDOp::create(b, ScatterKind::add, init, op.getIndices(),
                                   updates, op.getBatchDims());
      })
      .Default([](Operation *) { return Value(); });
}

static Value addOnto(ImplicitLocOpBuilder &b, Value init, Value sum) {
  if (Operation *op = sum.getDefiningOp())
    if (Value result = addSum(b, init, op))
      return result;
  sum = convert(b, retype(b, sum, init), typeOf(init).getElementType());
  return AddOp::create(b, init, sum);
}

namespace {
/// Finds what is to be summed of a gradient.
class BatchSum {
public:
  BatchSum(ImplicitLocOpBuilder &b, Type elementType,
           const DenseSet<Value> &parameters, SumFn sumUp)
      : b(b), elementType(elementType), sumUp(sumUp) {
    for (Value parameter : parameters)
      isFixed[parameter] = true;
  }

  Value sum(Value gradient);

private:
  /// Whether `value` is the same for all batches.
  bool isSame(Value value);
  Value wide(Value value) { return convert(b, value, elementType); }
  Value sumThrough(Operation *op);
  Value sumProduct(MulOp op);

  ImplicitLocOpBuilder &b;
  Type elementType;
  SumFn sumUp;
  DenseMap<Value, bool> isFixed;
};
} // namespace

bool BatchSum::isSame(Value value) {
  auto it = isFixed.find(value);
  if (it != isFixed.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  bool result = op && op->getNumRegions() == 0 && !isa<RandomUniformOp>(op) &&
                llvm::all_of(op->getOperands(),
                             [&](Value operand) { return isSame(operand); });
  return isFixed[value] = result;
}

Value BatchSum::sumProduct(MulOp op) {
  if (isSame(op.getRhs()))
    return MulOp::create(b, sum(op.getLhs()), wide(op.getRhs()));
  if (isSame(op.getLhs()))
    return MulOp::create(b, wide(op.getLhs()), sum(op.getRhs()));
  return {};
}

/// The sum of `op` as that of its operands, if it is linear in them.
Value BatchSum::sumThrough(Operation *op) {
  auto isStatic = [](Value value) { return typeOf(value).hasStaticShape(); };
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](MulOp op) { return sumProduct(op); })
      .Case([&](DivOp op) -> Value {
        if (!isSame(op.getRhs()))
          return {};
        return DivOp::create(b, sum(op.getLhs()), wide(op.getRhs()));
      })
      .Case([&](NegOp op) -> Value {
        return NegOp::create(b, sum(op.getOperand()));
      })
      .Case([&](AddOp op) -> Value {
        // Each of the two takes memory of its own.
        if (op.getType().getRank() > 1)
          return {};
        return AddOp::create(b, sum(op.getLhs()), sum(op.getRhs()));
      })
      .Case([&](TransposeOp op) -> Value {
        return TransposeOp::create(b, sum(op.getInput()), op.getPermutation());
      })
      .Case([&](ReshapeOp op) -> Value {
        if (!isStatic(op.getInput()) || !isStatic(op.getResult()))
          return {};
        return ReshapeOp::create(b, op.getType().clone(elementType),
                                 sum(op.getInput()), ValueRange());
      })
      .Case([&](CastOp op) -> Value {
        return isFloat(op.getInput()) ? sum(op.getInput()) : Value();
      })
      .Case([&](tensor::CastOp op) -> Value {
        if (!isStatic(op.getSource()))
          return {};
        return retype(b, sum(op.getSource()), op.getResult());
      })
      .Default([](Operation *) { return Value(); });
}

Value BatchSum::sum(Value gradient) {
  if (Operation *op = gradient.getDefiningOp())
    if (Value result = sumThrough(op))
      return result;
  return sumUp(typeOf(gradient).clone(elementType),
               [&](Value init) { return addOnto(b, init, gradient); });
}

Value weft::sumOverBatches(ImplicitLocOpBuilder &b, Value gradient,
                           Type elementType, const DenseSet<Value> &parameters,
                           SumFn sumUp) {
  return BatchSum(b, elementType, parameters, sumUp).sum(gradient);
}

Value weft::addElementsOnto(ImplicitLocOpBuilder &b, Value init, Value tensor) {
  int64_t rank = typeOf(tensor).getRank();
  tensor = convert(b, tensor, typeOf(init).getElementType());
  if (rank == 0)
    return AddOp::create(b, init, tensor);
  return addReduction(b, init, tensor, llvm::to_vector(llvm::seq(rank)));
}
