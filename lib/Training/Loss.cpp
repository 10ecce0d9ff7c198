//===- Loss.cpp - What is minimised ---------------------------------------===//

#include "Loss.h"
#include "weft/Dialect/Weft/IR/Terms.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

FailureOr<RankedTensorType> weft::getLabelType(Value output,
                                               const TrainingOptions &options) {
  auto type = typeOf(output);
  auto refuse = [&](const Twine &wanted) {
    emitError(output.getLoc(), "WFT2305: the loss can't be of an output of ")
        << type << ", wanted " << wanted;
    return failure();
  };
  if (!isa<FloatType>(type.getElementType()))
    return refuse("floats");
  switch (options.loss) {
  case LossKind::CrossEntropy: {
    if (type.getRank() < 2)
      return refuse("[N, classes, ...]");
    if (options.labelSmoothing > 0 && type.isDynamicDim(1))
      return refuse("a number of classes that is known, to smooth the labels");
    int64_t count = options.classWeights.size();
    if (count > 0 && count != type.getDimSize(1))
      return refuse("one of " + Twine(count) +
                    " classes, as there are that many class weights");
    SmallVector<int64_t> shape(type.getShape());
    shape.erase(shape.begin() + 1);
    return RankedTensorType::get(shape,
                                 IntegerType::get(type.getContext(), 64));
  }
  case LossKind::Output:
    if (type.getRank() != 0 &&
        (!type.hasStaticShape() || type.getNumElements() != 1))
      return refuse("a single number");
    return RankedTensorType();
  default:
    return type;
  }
}

Value weft::findScores(Value output, const TrainingOptions &options) {
  while (auto cast = output.getDefiningOp<tensor::CastOp>())
    output = cast.getSource();
  if (options.loss == LossKind::CrossEntropy)
    if (auto softmax = output.getDefiningOp<SoftmaxOp>();
        softmax && softmax.getAxis() == 1)
      return softmax.getInput();
  if (options.loss == LossKind::BinaryCrossEntropy)
    if (auto sigmoid = output.getDefiningOp<LogisticOp>())
      return sigmoid.getOperand();
  return output;
}

namespace {
/// The formulas, on scores `[N, classes, ...]` where there are classes.
class Loss {
public:
  Loss(ImplicitLocOpBuilder &b, Value output, Value labels,
       const TrainingOptions &options)
      : b(b), options(options), output(output), labels(labels) {}

  LossResult run();

private:
  Term term(Value value) { return {&b, value}; }
  Value reduce(ReduceKind kind, Value value, ArrayRef<int64_t> axes);
  Value alongClasses(Value value, Value like);
  void requireClasses(Value counted);
  Value classWeights();
  LossResult countLabels(Value losses, Value weights, Value hits);
  LossResult crossEntropy();
  Value binaryCrossEntropy();
  Value difference();

  ImplicitLocOpBuilder &b;
  const TrainingOptions &options;
  Value output, labels;
};
} // namespace

Value Loss::reduce(ReduceKind kind, Value value, ArrayRef<int64_t> axes) {
  return ReduceOp::create(b, kind, value, axes);
}

/// `value` without the dimension of the classes, spread along it.
Value Loss::alongClasses(Value value, Value like) {
  SmallVector<int64_t> dims = {0};
  for (int64_t dim : llvm::seq<int64_t>(2, typeOf(like).getRank()))
    dims.push_back(dim);
  auto type = RankedTensorType::get(typeOf(like).getShape(),
                                    typeOf(value).getElementType());
  return BroadcastOp::create(b, type, value, getSymbolicSizes(b, like), dims);
}

/// Ends the run where a label that counts is the number of no class.
void Loss::requireClasses(Value counted) {
  // As unsigned numbers, negative ones are the largest.
  auto type = typeOf(counted);
  auto unsignedType =
      type.clone(IntegerType::get(b.getContext(), 64, IntegerType::Unsigned));
  Value highest =
      reduce(ReduceKind::max, BitcastOp::create(b, unsignedType, counted),
             llvm::to_vector(llvm::seq<int64_t>(0, type.getRank())));
  highest = BitcastOp::create(
      b, RankedTensorType::get({}, type.getElementType()), highest);
  Value number = arith::IndexCastOp::create(
      b, b.getIndexType(), tensor::ExtractOp::create(b, highest, ValueRange()));
  RequireSizesOp::create(b, SizeRelation::below, number,
                         tensor::DimOp::create(b, output, 1), "labels");
}

/// The weight of each class, spread over the output; null if they are equal.
Value Loss::classWeights() {
  if (options.classWeights.empty())
    return {};
  int64_t count = options.classWeights.size();
  HostTensor weights(
      RankedTensorType::get({count}, typeOf(output).getElementType()));
  for (auto [i, weight] : llvm::enumerate(options.classWeights))
    weights.setFloat(i, weight);
  return BroadcastOp::create(
      b, typeOf(output), ConstantOp::create(b, weights.toAttr()),
      getSymbolicSizes(b, output), /*dims=*/ArrayRef<int64_t>{1});
}

/// With p the logarithms of the probabilities, w the weights of the classes, e
/// the smoothing and C classes, for each label:
/// `-(1 - e) w[label] p[label] - e / C * sum(w p)`.
/// Where the label is, is told by comparing class numbers: a product of the
/// gradient with it fuses, which a scatter would not.
LossResult Loss::crossEntropy() {
  auto type = typeOf(output);
  Term scores = term(output);
  // Whatever is subtracted here, the result is the same, so that no gradient
  // need flow to it: none flows through bits.
  Value bits = BitcastOp::create(b, type, output);
  Term highest = term(alongClasses(reduce(ReduceKind::max, bits, {1}), output));
  Term shifted = scores - highest;
  Value sum = reduce(ReduceKind::sum, apply<ExpOp>(shifted).value, {1});
  Term logs =
      shifted - term(alongClasses(apply<LogOp>(term(sum)).value, output));

  auto classType = RankedTensorType::get(type.getShape(), b.getI64Type());
  Term classes = term(
      IotaOp::create(b, classType, getSymbolicSizes(b, output), /*axis=*/1));
  Term spread = term(alongClasses(labels, output));
  Term isLabel = compare(ComparePredicate::eq, classes, spread);
  Term zero = logs.number(0);
  Term weighted = logs;
  Value spreadWeights = classWeights(), weights;
  if (spreadWeights) {
    weighted = term(spreadWeights) * logs;
    weights = reduce(ReduceKind::sum,
                     choose(isLabel, term(spreadWeights), zero).value, {1});
  }
  Term picked = choose(isLabel, weighted, zero);
  if (options.labelSmoothing > 0) {
    double rest = options.labelSmoothing / type.getDimSize(1);
    picked = choose(isLabel, (1 - options.labelSmoothing + rest) * weighted,
                    rest * weighted);
  }
  Value losses =
      apply<NegOp>(term(reduce(ReduceKind::sum, picked.value, {1}))).value;
  Value hits = reduce(ReduceKind::max,
                      choose(isLabel, logs, logs.number(-HUGE_VAL)).value, {1});
  // The label has the highest score if its logarithm is that of the highest.
  Term best = term(reduce(ReduceKind::max, logs.value, {1}));
  Term isHit = compare(ComparePredicate::ge, term(hits), best);
  Term one = best.number(1), none = best.number(0);
  return countLabels(losses, weights, choose(isHit, one, none).value);
}

/// The results without the labels that are ignored. The weights may be null.
LossResult Loss::countLabels(Value losses, Value weights, Value hits) {
  if (!options.ignoreIndex) {
    requireClasses(labels);
    return {losses, weights, hits, Value()};
  }
  auto labelType = typeOf(labels);
  HostTensor ignored(RankedTensorType::get({}, labelType.getElementType()));
  ignored.setInt(0, *options.ignoreIndex);
  Value spreadIgnored =
      BroadcastOp::create(b, labelType, ConstantOp::create(b, ignored.toAttr()),
                          getSymbolicSizes(b, labels), ArrayRef<int64_t>());
  Term counts =
      compare(ComparePredicate::ne, term(labels), term(spreadIgnored));
  requireClasses(choose(counts, term(labels), term(labels).number(0)).value);
  Term one = term(losses).number(1), none = one.number(0);
  auto only = [&](Value value) {
    return choose(counts, term(value), none).value;
  };
  Value counted = only(one.value);
  return {only(losses), weights ? only(weights) : counted, only(hits), counted};
}

/// `max(x, 0) - x z + log(1 + exp(-|x|))` of scores x and labels z: no exponent
/// is above zero.
Value Loss::binaryCrossEntropy() {
  Term x = term(output), z = term(labels);
  Term tail = apply<LogOp>(apply<ExpOp>(-apply<AbsOp>(x)) + 1.0);
  return (apply<MaxOp>(x, x.number(0)) - x * z + tail).value;
}

Value Loss::difference() {
  Term distance = term(output) - term(labels);
  if (options.loss == LossKind::MeanSquare)
    return (distance * distance).value;
  Term size = apply<AbsOp>(distance);
  if (options.loss == LossKind::MeanAbsolute)
    return size.value;
  double delta = options.huberDelta;
  Term near = 0.5 * (distance * distance);
  Term far = delta * (size - 0.5 * delta);
  return choose(compare(ComparePredicate::le, size, size.number(delta)), near,
                far)
      .value;
}

LossResult Loss::run() {
  // Sums over a batch are too long for narrow floats.
  auto widen = [&](Value value) -> Value {
    auto narrow = typeOf(value);
    if (!isa<FloatType>(narrow.getElementType()) ||
        narrow.getElementTypeBitWidth() >= 32)
      return value;
    return CastOp::create(b, narrow.clone(b.getF32Type()), value,
                          /*saturate=*/false);
  };
  output = widen(output);
  if (labels)
    labels = widen(labels);
  switch (options.loss) {
  case LossKind::CrossEntropy:
    return crossEntropy();
  case LossKind::BinaryCrossEntropy:
    return {binaryCrossEntropy(), {}, {}, {}};
  case LossKind::Output:
    return {output, {}, {}, {}};
  default:
    return {difference(), {}, {}, {}};
  }
}

LossResult weft::buildLoss(ImplicitLocOpBuilder &b, Value output, Value labels,
                           const TrainingOptions &options) {
  return Loss(b, output, labels, options).run();
}
