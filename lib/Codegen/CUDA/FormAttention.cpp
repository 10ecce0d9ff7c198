//===- FormAttention.cpp - Products around a softmax, as one op -----------===//

#include "AttentionBias.h"
#include "AttentionTiles.h"
#include "weft/Codegen/CUDA/Passes.h"
#include "weft/Dialect/Weft/IR/Terms.h"

namespace weft {
#define GEN_PASS_DEF_FORMATTENTIONPASS
#include "weft/Codegen/CUDA/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

//===----------------------------------------------------------------------===//
// Parts of the chain
//===----------------------------------------------------------------------===//

static RankedTensorType getType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

namespace {
/// What is done to scores between the two products.
struct Mask {
  Value bias;              ///< added
  Value condition;         ///< or where scores count, and
  bool isInverted = false; ///< where they don't
};

/// The chain around one softmax.
struct Chain {
  ContractOp scores, output;
  SoftmaxOp softmax;
  double scale = 1;
  SmallVector<Mask> masks;  ///< from the softmax upwards
  Value rowCondition;       ///< rows where it is false are cleared
  bool clearsEmpty = false; ///< that, or rows without a score that counts
  /// Heads that share keys are rows in the products, and apart in between.
  ReshapeOp split, join;
  SmallVector<Operation *> ops; ///< all of them
  StringRef reason;             ///< why it can't be one op

  /// Finds out whether the ops around `softmax` are such a chain.
  bool match(SoftmaxOp op);
  /// Whether the op's gradients are as good as those of the chain.
  bool checkGradients();

private:
  bool fail(StringRef why) {
    reason = why;
    return false;
  }
  bool matchScores(Value value);
  bool matchFactor(Operation *op);
  bool matchSelect(SelectOp op);
  bool matchOutput(Value value);
  bool matchClearing(SelectOp op);
  bool clearsEmptyAlone();
  bool checkProducts();
  bool checkSharedKeys();
};
} // namespace

/// A factor or divisor of the product.
bool Chain::matchFactor(Operation *op) {
  std::optional<double> number = getSplat(op->getOperand(1));
  Value next = op->getOperand(0);
  if (!number && isa<MulOp>(op)) {
    number = getSplat(op->getOperand(0));
    next = op->getOperand(1);
  }
  if (!number)
    return fail("scores are scaled by more than one number");
  if (isa<DivOp>(op) && *number == 0)
    return fail("scores are divided by zero");
  ops.push_back(op);
  scale = isa<MulOp>(op) ? scale * *number : scale / *number;
  return matchScores(next);
}

bool Chain::matchSelect(SelectOp op) {
  bool isInverted = isMinusInf(op.getOnTrue());
  if (!isInverted && !isMinusInf(op.getOnFalse()))
    return fail("masked scores are not -inf");
  if (scale != 1)
    return fail("scores are masked before they are scaled");
  ops.push_back(op);
  masks.push_back({Value(), op.getCondition(), isInverted});
  return matchScores(isInverted ? op.getOnFalse() : op.getOnTrue());
}

/// Goes up from the softmax to the product that makes the scores.
bool Chain::matchScores(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != softmax->getBlock())
    return fail("scores are not a product");
  if (!value.hasOneUse())
    return fail("scores are used elsewhere");
  if (auto contract = dyn_cast<ContractOp>(op)) {
    scores = contract;
    ops.push_back(op);
    return true;
  }
  if (auto cast = dyn_cast<CastOp>(op);
      cast && isa<FloatType>(getType(cast.getInput()).getElementType())) {
    ops.push_back(op);
    return matchScores(cast.getInput());
  }
  if (auto reshape = dyn_cast<ReshapeOp>(op); reshape && !split) {
    ops.push_back(op);
    split = reshape;
    return matchScores(reshape.getInput());
  }
  if (isa<MulOp, DivOp>(op))
    return matchFactor(op);
  if (auto select = dyn_cast<SelectOp>(op))
    return matchSelect(select);
  auto add = dyn_cast<AddOp>(op);
  if (!add)
    return fail("scores are not a product, scaled and masked");
  if (scale != 1)
    return fail("a bias is added before scores are scaled");
  // Either side may be the bias.
  Chain before = *this;
  for (bool biasFirst : {false, true}) {
    *this = before;
    ops.push_back(op);
    masks.push_back({biasFirst ? add.getLhs() : add.getRhs(), Value()});
    if (matchScores(biasFirst ? add.getRhs() : add.getLhs()))
      return true;
  }
  return false;
}

/// Rows that are cleared as wholes.
bool Chain::matchClearing(SelectOp op) {
  auto broadcast = op.getCondition().getDefiningOp<BroadcastOp>();
  std::optional<double> cleared = getSplat(op.getOnFalse());
  if (rowCondition || !broadcast || !cleared || *cleared != 0)
    return fail("probabilities are masked");
  int64_t last = getType(op.getResult()).getRank() - 1;
  for (auto [dim, to] : llvm::enumerate(broadcast.getDims()))
    if (to == last && getType(broadcast.getInput()).getDimSize(dim) != 1)
      return fail("probabilities are masked one by one");
  ops.push_back(op);
  rowCondition = op.getCondition();
  clearsEmpty = true;
  return matchOutput(op.getResult());
}

/// Adds the conditions that hold where `value` does, each as small as it is.
static void addConditions(Value value, llvm::SmallPtrSetImpl<void *> &all) {
  if (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getInput();
  auto both = value.getDefiningOp<AndOp>();
  if (!both) {
    all.insert(value.getAsOpaquePointer());
    return;
  }
  addConditions(both.getLhs(), all);
  addConditions(both.getRhs(), all);
}

/// The comparison that says where `bias` is not -inf.
static Value findCounting(Value bias) {
  while (auto op = bias.getDefiningOp()) {
    if (!isa<BroadcastOp, CastOp>(op))
      break;
    bias = op->getOperand(0);
  }
  for (Operation *user : bias.getUsers())
    if (auto compare = dyn_cast<CompareOp>(user);
        compare && compare.getPredicate() == ComparePredicate::ne &&
        compare.getLhs() == bias && isMinusInf(compare.getRhs()))
      return compare;
  return {};
}

/// Whether the rows that are cleared are those in which all scores are masked,
/// by the very conditions that mask them.
bool Chain::clearsEmptyAlone() {
  Value any = rowCondition.getDefiningOp<BroadcastOp>().getInput();
  if (auto reshape = any.getDefiningOp<ReshapeOp>())
    any = reshape.getInput();
  auto reduce = any.getDefiningOp<ReduceOp>();
  if (!reduce || reduce.getKind() != ReduceKind::any ||
      reduce.getAxes() !=
          ArrayRef<int64_t>(getType(reduce.getInput()).getRank() - 1))
    return false;
  llvm::SmallPtrSet<void *, 4> cleared, masked;
  addConditions(reduce.getInput(), cleared);
  for (const Mask &mask : masks) {
    Value condition = mask.bias ? findCounting(mask.bias) : mask.condition;
    if (!condition || mask.isInverted)
      return false;
    addConditions(condition, masked);
  }
  return cleared == masked;
}

/// Goes down from the softmax to the product with the values.
bool Chain::matchOutput(Value value) {
  if (!value.hasOneUse())
    return fail("probabilities are used elsewhere");
  Operation *op = *value.getUsers().begin();
  if (op->getBlock() != softmax->getBlock())
    return fail("probabilities are used elsewhere");
  if (auto contract = dyn_cast<ContractOp>(op)) {
    if (contract.getLhs() != value)
      return fail("the product with the values is the other way round");
    output = contract;
    ops.push_back(op);
    return true;
  }
  if (auto cast = dyn_cast<CastOp>(op);
      cast && isa<FloatType>(getType(cast.getResult()).getElementType())) {
    ops.push_back(op);
    return matchOutput(cast.getResult());
  }
  if (auto reshape = dyn_cast<ReshapeOp>(op); reshape && !join) {
    ops.push_back(op);
    join = reshape;
    return matchOutput(reshape.getResult());
  }
  if (auto select = dyn_cast<SelectOp>(op);
      select && select.getOnTrue() == value)
    return matchClearing(select);
  return fail("probabilities are not multiplied with values");
}

/// Whether a product is one of matrices, along one dimension, with the batch's
/// dimensions in order.
static bool isMatrixProduct(ContractOp op) {
  int64_t rank = getType(op.getLhs()).getRank();
  SmallVector<int64_t> batch = llvm::to_vector(llvm::seq(rank - 2));
  return !op.getInit() && rank >= 2 && getType(op.getRhs()).getRank() == rank &&
         op.getLhsBatch() == ArrayRef<int64_t>(batch) &&
         op.getRhsBatch() == ArrayRef<int64_t>(batch) &&
         op.getLhsContract().size() == 1;
}

bool Chain::checkProducts() {
  if (!isMatrixProduct(scores) || !isMatrixProduct(output))
    return fail("the products are not of matrices with the same batch");
  int64_t last = getType(output.getLhs()).getRank() - 1;
  if (softmax.getType().getElementType().isF64())
    return fail("the softmax is of f64");
  if (output.getLhsContract()[0] != last ||
      static_cast<int64_t>(softmax.getAxis()) != last)
    return fail("the softmax is not along the keys");
  return true;
}

/// Whether the reshapes are between [batch, groups, heads of one * rows, keys]
/// and [batch, heads, rows, keys].
bool Chain::checkSharedKeys() {
  if (!split && !join)
    return true;
  ArrayRef<int64_t> products = scores.getType().getShape();
  ArrayRef<int64_t> heads = softmax.getType().getShape();
  int64_t rank = heads.size(), row = rank - 2, head = rank - 3;
  if (!split || !join || split.getInput() != scores.getResult() ||
      join.getType().getShape() != products || rank < 3 ||
      products.take_front(head) != heads.take_front(head) ||
      products.back() != heads.back() ||
      ShapedType::isDynamic(products[head]) ||
      ShapedType::isDynamic(heads[head]) || heads[head] % products[head] != 0)
    return fail("scores are reshaped");
  if (ShapedType::isStatic(products[row]) &&
      products[row] * products[head] != heads[row] * heads[head])
    return fail("scores are reshaped");
  if (masks.size() > 1 && ShapedType::isDynamic(heads[row]))
    return fail("heads that share keys have several masks of symbolic size");
  return !rowCondition || fail("rows of heads that share keys are cleared");
}

bool Chain::match(SoftmaxOp op) {
  softmax = op;
  ops.push_back(op);
  if (!matchOutput(op.getResult()) || !matchScores(op.getInput()) ||
      !checkProducts())
    return false;
  if (rowCondition && clearsEmptyAlone())
    rowCondition = Value();
  return checkSharedKeys();
}

bool Chain::checkGradients() {
  return llvm::all_of(masks,
                      [](const Mask &mask) {
                        return !mask.bias || isSmallOrMinusInf(mask.bias);
                      }) ||
         fail("elements of a bias may be too large for the gradients");
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

namespace {
/// Builds the op in place of a chain.
class AttentionBuilder {
public:
  AttentionBuilder(Chain &chain, ImplicitLocOpBuilder &b)
      : chain(chain), b(b) {}

  /// Query, key and value, in the widest of their types; narrower than f64 and
  /// short enough for kernels.
  LogicalResult findOperands();
  void build();

private:
  Value matrix(Value value, int64_t batch, int64_t row, int64_t column);
  Value combineMasks();
  Value asBias(const Mask &mask);
  Value spread(Value value, ArrayRef<int64_t> shape);
  Value spreadOverGroups(Value bias);
  /// Makes heads that share keys a dimension of the batch.
  void splitGroups();
  bool hasGroups() { return chain.split && !chain.masks.empty(); }

  Chain &chain;
  ImplicitLocOpBuilder &b;
  Value query, key, value;
};
} // namespace

/// `value` with its last two dimensions being `row` and `column`.
Value AttentionBuilder::matrix(Value value, int64_t batch, int64_t row,
                               int64_t column) {
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq(batch));
  permutation.push_back(row);
  permutation.push_back(column);
  // A transpose for the product's sake is undone.
  if (auto transpose = value.getDefiningOp<TransposeOp>()) {
    for (int64_t &dim : permutation)
      dim = transpose.getPermutation()[dim];
    value = transpose.getInput();
  }
  if (llvm::is_sorted(permutation))
    return value;
  return TransposeOp::create(b, value, permutation);
}

LogicalResult AttentionBuilder::findOperands() {
  ContractOp scores = chain.scores, output = chain.output;
  int64_t batch = scores.getLhsBatch().size();
  query = matrix(scores.getLhs(), batch, scores.getLhsFree()[0],
                 scores.getLhsContract()[0]);
  key = matrix(scores.getRhs(), batch, scores.getRhsFree()[0],
               scores.getRhsContract()[0]);
  value = matrix(output.getRhs(), batch, output.getRhsContract()[0],
                 output.getRhsFree()[0]);
  // What was widened for the sake of a product need not be.
  if (auto cast = value.getDefiningOp<CastOp>();
      cast && cast.getInput().getType() ==
                  getType(value).clone(getType(key).getElementType()))
    value = cast.getInput();
  Type widest;
  for (Value operand : {query, key, value}) {
    Type type = getType(operand).getElementType();
    if (!widest ||
        type.getIntOrFloatBitWidth() > widest.getIntOrFloatBitWidth())
      widest = type;
    else if (type != widest &&
             type.getIntOrFloatBitWidth() == widest.getIntOrFloatBitWidth())
      widest = b.getF32Type(); // f16 and bf16
  }
  for (Value *operand : {&query, &key, &value})
    if (getType(*operand).getElementType() != widest)
      *operand = CastOp::create(b, getType(*operand).clone(widest), *operand,
                                /*saturate=*/false);
  return success(chooseForwardTiling(query, value) &&
                 chooseBackwardTiling(query, value));
}

/// What is added to scores, or 0 and -inf where a condition says so: as small
/// as what it is made of.
Value AttentionBuilder::asBias(const Mask &mask) {
  if (mask.bias)
    return mask.bias;
  auto broadcast = mask.condition.getDefiningOp<BroadcastOp>();
  Value condition = broadcast ? broadcast.getInput() : mask.condition;
  Type type = b.getF32Type();
  double infinity = std::numeric_limits<double>::infinity();
  Value zero = weft::detail::makeSplat(b, condition, type, 0);
  Value lowest = weft::detail::makeSplat(b, condition, type, -infinity);
  if (mask.isInverted)
    std::swap(zero, lowest);
  Value bias = SelectOp::create(b, zero.getType(), condition, zero, lowest);
  if (!broadcast)
    return bias;
  return BroadcastOp::create(b, getType(mask.condition).clone(type), bias,
                             broadcast.getSizes(), broadcast.getDims());
}

/// If `value` is a broadcast along dimensions of static size one, what it is
/// made of, as a tensor of the same rank.
static Value getSmall(Value value) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return value;
  int64_t rank = getType(value).getRank();
  bool isSame = broadcast.getDims() ==
                ArrayRef<int64_t>(llvm::to_vector(llvm::seq(rank)));
  return isSame ? broadcast.getInput() : value;
}

/// `value` as a tensor of `shape`, whose symbolic sizes are those of the
/// scores.
Value AttentionBuilder::spread(Value value, ArrayRef<int64_t> shape) {
  auto type = getType(value).clone(shape);
  if (type == value.getType() && type.hasStaticShape())
    return value;
  SmallVector<Value> sizes;
  int64_t last = shape.size() - 1;
  for (auto [dim, size] : llvm::enumerate(shape))
    if (ShapedType::isDynamic(size)) {
      bool isKeys = static_cast<int64_t>(dim) == last;
      sizes.push_back(tensor::DimOp::create(b, isKeys ? key : query,
                                            isKeys ? last - 1 : dim));
    }
  SmallVector<int64_t> dims = llvm::to_vector(llvm::seq(last + 1));
  return BroadcastOp::create(b, type, value, sizes, dims);
}

/// All that is added to the scores, in the smallest shape that holds it; null
/// if nothing is.
Value AttentionBuilder::combineMasks() {
  if (chain.masks.empty())
    return {};
  SmallVector<Value> parts;
  for (const Mask &mask : chain.masks)
    parts.push_back(getSmall(asBias(mask)));
  if (parts.size() == 1)
    return parts[0];
  // They are added in f32.
  SmallVector<int64_t> shape(chain.softmax.getType().getRank(), 1);
  for (Value part : parts)
    for (auto [size, own] : llvm::zip_equal(shape, getType(part).getShape()))
      if (own != 1)
        size = ShapedType::isDynamic(size) || size == 1 ? own : size;
  Value sum;
  for (Value part : parts) {
    auto wide = getType(part).clone(b.getF32Type());
    if (wide != part.getType())
      part = CastOp::create(b, wide, part, /*saturate=*/false);
    part = spread(part, shape);
    sum = sum ? AddOp::create(b, sum, part).getResult() : part;
  }
  return sum;
}

/// `bias` of [batch, 1 or heads, rows, keys] for each head of each group.
Value AttentionBuilder::spreadOverGroups(Value bias) {
  ArrayRef<int64_t> wanted = getType(query).getShape();
  int64_t group = wanted.size() - 3;
  SmallVector<int64_t> shape(getType(bias).getShape());
  bool isForAll = shape[group - 1] == 1;
  shape[group - 1] = isForAll ? 1 : wanted[group - 1];
  shape.insert(shape.begin() + group, isForAll ? 1 : wanted[group]);
  auto type = RankedTensorType::get(shape, getType(bias).getElementType());
  Value split =
      ReshapeOp::create(b, type, bias, weft::detail::getSymbolicSizes(b, bias));
  SmallVector<int64_t> whole(wanted);
  whole.back() = getType(key).getDimSize(group + 1);
  return spread(split, whole);
}

void AttentionBuilder::splitGroups() {
  ArrayRef<int64_t> heads = chain.softmax.getType().getShape();
  RankedTensorType type = getType(query);
  int64_t row = type.getRank() - 2;
  int64_t count = heads[row - 1] / type.getDimSize(row - 1);
  auto insertGroup = [&](ArrayRef<int64_t> from) {
    SmallVector<int64_t> shape(from);
    shape.insert(shape.begin() + row, count);
    return shape;
  };
  SmallVector<Value> sizes = weft::detail::getSymbolicSizes(b, query);
  SmallVector<int64_t> shape = insertGroup(type.getShape());
  if (type.isDynamicDim(row)) {
    // The vectors' length is static, so that this is the last symbol.
    Value perGroup = arith::ConstantIndexOp::create(b, count);
    sizes.back() = arith::DivUIOp::create(b, sizes.back(), perGroup);
  } else {
    shape[row + 1] /= count;
  }
  query = ReshapeOp::create(
      b, RankedTensorType::get(shape, type.getElementType()), query, sizes);
  SmallVector<int64_t> dims = llvm::to_vector(llvm::seq(row));
  dims.append({row + 1, row + 2});
  for (Value *side : {&key, &value}) {
    auto spreadType = RankedTensorType::get(
        insertGroup(getType(*side).getShape()), type.getElementType());
    *side = BroadcastOp::create(b, spreadType, *side,
                                weft::detail::getSymbolicSizes(b, *side), dims);
  }
}

void AttentionBuilder::build() {
  Value bias = combineMasks();
  RankedTensorType outputType = chain.output.getType();
  SmallVector<Value> sizes;
  if (hasGroups()) {
    for (int64_t dim : llvm::seq(outputType.getRank()))
      if (outputType.isDynamicDim(dim))
        sizes.push_back(tensor::DimOp::create(b, query, dim));
    splitGroups();
    bias = spreadOverGroups(bias);
  } else if (bias) {
    bias = spread(bias, chain.scores.getType().getShape());
  }
  SmallVector<int64_t> shape(getType(query).getShape());
  auto logarithmType =
      RankedTensorType::get(ArrayRef(shape).drop_back(), b.getF32Type());
  shape.back() = getType(value).getShape().back();
  auto op = AttentionOp::create(
      b, RankedTensorType::get(shape, outputType.getElementType()),
      logarithmType, query, key, value, bias, llvm::APFloat(chain.scale),
      chain.clearsEmpty);
  Value output = op.getOutput();
  if (chain.rowCondition) {
    auto broadcast = chain.rowCondition.getDefiningOp<BroadcastOp>();
    Type type = outputType.clone(b.getI1Type());
    Value condition = BroadcastOp::create(
        b, type, broadcast.getInput(),
        weft::detail::getSymbolicSizes(b, output), broadcast.getDims());
    Value zero = weft::detail::makeSplat(b, output, 0);
    output = SelectOp::create(b, outputType, condition, output, zero);
  }
  if (hasGroups())
    output = ReshapeOp::create(b, outputType, output, sizes);
  else if (output.getType() != outputType)
    output = tensor::CastOp::create(b, outputType, output);
  chain.output.getResult().replaceAllUsesWith(output);
}

namespace {
struct FormAttention : weft::impl::FormAttentionPassBase<FormAttention> {
  using FormAttentionPassBase::FormAttentionPassBase;

  void runOnOperation() override {
    SmallVector<SoftmaxOp> softmaxes;
    getOperation()->walk([&](SoftmaxOp op) { softmaxes.push_back(op); });
    for (SoftmaxOp op : softmaxes) {
      Chain chain;
      bool isFormed = chain.match(op) &&
                      (!gradients || chain.checkGradients()) && form(chain);
      numFormed += isFormed;
      if (explain)
        op.emitRemark(isFormed ? "one op with its products"
                               : "no attention: " + chain.reason.str());
    }
  }

  /// Replaces the chain, if kernels take it.
  bool form(Chain &chain);
};
} // namespace

bool FormAttention::form(Chain &chain) {
  SmallVector<Location> locations;
  for (Operation *op : chain.ops)
    locations.push_back(op->getLoc());
  ImplicitLocOpBuilder b(FusedLoc::get(&getContext(), locations), chain.output);
  AttentionBuilder builder(chain, b);
  Operation *before = chain.output->getPrevNode();
  if (failed(builder.findOperands())) {
    // Nothing is left of the attempt.
    while (chain.output->getPrevNode() != before)
      chain.output->getPrevNode()->erase();
    chain.reason = "vectors are symbolic, too long or of f64";
    return false;
  }
  builder.build();
  // Nothing uses the other ops of the chain any more.
  chain.output.erase();
  return true;
}
