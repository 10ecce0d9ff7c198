//===- Classical.cpp - Feature ops and linear models of ai.onnx.ml --------===//

#include "Classical.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

//===----------------------------------------------------------------------===//
// What classifiers share
//===----------------------------------------------------------------------===//

FailureOr<PostTransform> weft::readPostTransform(Lowering &lower, Node node) {
  Attribute attr = node.getOperation()->getAttr("post_transform");
  if (auto number = dyn_cast_or_null<IntegerAttr>(attr)) {
    if (number.getInt() < 0 || number.getInt() > 4)
      return lower.fail(node, "'post_transform' is " + Twine(number.getInt()));
    return PostTransform(number.getInt());
  }
  StringRef name = node.getString("post_transform", "NONE");
  auto known = llvm::StringSwitch<std::optional<PostTransform>>(name)
                   .Case("NONE", PostTransform::none)
                   .Case("SOFTMAX", PostTransform::softmax)
                   .Case("LOGISTIC", PostTransform::logistic)
                   .Case("SOFTMAX_ZERO", PostTransform::softmaxZero)
                   .Case("PROBIT", PostTransform::probit)
                   .Default(std::nullopt);
  if (!known)
    return lower.fail(node, "'post_transform' is '" + name + "'");
  return *known;
}

/// Softmax that leaves scores of zero at zero.
static Expr softmaxZero(Expr scores) {
  int64_t last = scores.rank() - 1;
  Expr most = scores.reduce(ReduceKind::max, {last}, /*keepDims=*/true);
  Expr value =
      select(abs(scores) > 1e-7, exp(scores - most), scores * exp(-most));
  Expr sum = value.sum({last}, /*keepDims=*/true);
  return select(equal(sum, 0.0), 0.5, value / sum);
}

/// The quantile function of the normal distribution, by Winitzki's
/// approximation of the inverse error function.
static Expr probit(Expr probability) {
  Expr x = probability * 2.0 - 1.0;
  Expr product = (1.0 - x) * (x + 1.0);
  Expr logarithm = log(product);
  Expr half = logarithm * 0.5 + 2.0 / (M_PI * 0.147);
  Expr root = sqrt(sqrt(half * half - logarithm / 0.147) - half);
  Expr inverse = select(x < 0.0, -root, root);
  return select(equal(product, 0.0), 0.0, inverse) * 1.41421356;
}

Expr weft::applyPostTransform(Expr scores, PostTransform transform) {
  Lowering &lower = scores.getLowering();
  switch (transform) {
  case PostTransform::none:
    return scores;
  case PostTransform::softmax:
    return {lower, lower.make<SoftmaxOp>(Value(scores), scores.rank() - 1)};
  case PostTransform::logistic:
    return logistic(scores);
  case PostTransform::softmaxZero:
    return softmaxZero(scores);
  case PostTransform::probit:
    return probit(scores);
  }
  llvm_unreachable("covered switch");
}

LogicalResult weft::checkNumericLabels(Lowering &lower, Node node) {
  if (node.getStrings("classlabels_strings").empty())
    return success();
  return lower.unsupported(node, "classes that are named by strings");
}

Expr weft::lookUpLabels(Expr classes, ArrayRef<int64_t> labels) {
  Lowering &lower = classes.getLowering();
  Expr known =
      table(lower, labels, lower.b.getI64Type(), {int64_t(labels.size())});
  return known.gather(classes, 0);
}

Expr weft::bestClass(Expr scores) {
  Lowering &lower = scores.getLowering();
  return {lower, lower.make<ArgReduceOp>(ReduceKind::max, Value(scores),
                                         scores.rank() - 1, /*last=*/false)};
}

Expr weft::readFeatures(Lowering &lower, Node node) {
  Expr x(lower, lower.operand(node, 0));
  if (!isa<Float64Type>(x.element()))
    x = x.cast(lower.b.getF32Type());
  return x.rank() == 1 ? x.unsqueeze({0}) : x;
}

//===----------------------------------------------------------------------===//
// Linear models
//===----------------------------------------------------------------------===//

/// `x` times the coefficients, [models, features] in the attribute, plus the
/// intercepts.
static FailureOr<Expr> applyLinear(Lowering &lower, Node node, Expr x,
                                   int64_t models) {
  SmallVector<float> coefficients = node.getFloats("coefficients");
  SmallVector<float> intercepts = node.getFloats("intercepts");
  if (models < 1 || coefficients.empty() || coefficients.size() % models != 0)
    return lower.fail(node, "'coefficients' has " + Twine(coefficients.size()) +
                                " elements, wanted a multiple of " +
                                Twine(models));
  int64_t features = coefficients.size() / models;
  Expr matrix = table(lower, coefficients, x.element(), {models, features});
  Expr scores = contract(x, matrix, {}, {}, {1}, {1});
  if (intercepts.empty())
    return scores;
  int64_t size = intercepts.size();
  if (size != models)
    return lower.fail(node, "'intercepts' has " + Twine(size) +
                                " elements, wanted " + Twine(models));
  return scores + table(lower, intercepts, x.element(), {size});
}

static LogicalResult lowerLinearRegressor(Lowering &lower, Node node,
                                          SmallVectorImpl<Value> &results) {
  FailureOr<PostTransform> transform = readPostTransform(lower, node);
  if (llvm::failed(transform))
    return failure();
  FailureOr<Expr> scores = applyLinear(lower, node, readFeatures(lower, node),
                                       node.getInt("targets", 1));
  if (llvm::failed(scores))
    return failure();
  results.push_back(
      applyPostTransform(*scores, *transform).cast(declaredElement(node)));
  return success();
}

/// The label of a classifier with one score.
static Expr thresholdLabel(Expr scores, ArrayRef<int64_t> labels,
                           PostTransform transform) {
  Lowering &lower = scores.getLowering();
  Expr isHigh =
      scores.at(1, 0) >= (transform == PostTransform::none ? 0.0 : 0.5);
  Expr high(lower,
            lower.splat(labels.empty() ? 1 : labels[0], lower.b.getI64Type()));
  return select(isHigh, high, 0.0);
}

static LogicalResult lowerLinearClassifier(Lowering &lower, Node node,
                                           SmallVectorImpl<Value> &results) {
  FailureOr<PostTransform> transform = readPostTransform(lower, node);
  if (llvm::failed(transform) || llvm::failed(checkNumericLabels(lower, node)))
    return failure();
  Expr x = readFeatures(lower, node);
  SmallVector<int64_t> labels = node.getInts("classlabels_ints");
  int64_t features = Lowering::typeOf(x).getDimSize(1);
  int64_t size = node.getFloats("coefficients").size();
  // The number of models follows from the intercepts if not from the features.
  int64_t models = ShapedType::isDynamic(features)
                       ? int64_t(node.getFloats("intercepts").size())
                       : size / std::max<int64_t>(features, 1);
  FailureOr<Expr> linear = applyLinear(lower, node, x, models);
  if (llvm::failed(linear))
    return failure();
  Expr scores = *linear;
  if (models == 1 && labels.size() == 2)
    scores = concat({-scores, scores}, 1);
  scores = applyPostTransform(scores, *transform);
  if (models == 1 && labels.size() != 2)
    results.push_back(thresholdLabel(scores, labels, *transform));
  else if (labels.empty())
    results.push_back(bestClass(scores));
  else
    results.push_back(lookUpLabels(bestClass(scores), labels));
  results.push_back(scores.cast(lower.b.getF32Type()));
  return success();
}

//===----------------------------------------------------------------------===//
// Features
//===----------------------------------------------------------------------===//

static LogicalResult
lowerArrayFeatureExtractor(Lowering &lower, Node node,
                           SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0)), y(lower, lower.operand(node, 1));
  OpFoldResult count = lower.index(1);
  for (OpFoldResult size : y.sizes())
    count = lower.mulSizes(count, size);
  Expr picked = x.gather(y.reshape({count}), x.rank() - 1);
  results.push_back(x.rank() == 1 ? picked.unsqueeze({0}) : picked);
  return success();
}

static LogicalResult lowerBinarizer(Lowering &lower, Node node,
                                    SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0));
  double threshold = node.getFloat("threshold", 0);
  // Compared as floats, a threshold between two integers is one.
  Expr value = isa<IntegerType>(x.element()) ? x.cast(lower.b.getF64Type()) : x;
  results.push_back((value > threshold).cast(x.element()));
  return success();
}

static LogicalResult lowerFeatureVectorizer(Lowering &lower, Node node,
                                            SmallVectorImpl<Value> &results) {
  SmallVector<int64_t> sizes = node.getInts("inputdimensions");
  Type type = declaredElement(node);
  SmallVector<Expr> parts;
  for (unsigned i = 0; i < node.getNumOperands(); ++i) {
    Expr x = Expr(lower, lower.operand(node, i)).cast(type);
    if (x.rank() == 1)
      x = x.unsqueeze({1});
    if (x.rank() != 2)
      return lower.fail(node, "input " + Twine(i) + " has rank " +
                                  Twine(x.rank()) + ", wanted 1 or 2");
    if (i < sizes.size()) {
      OpFoldResult wanted = lower.index(sizes[i]);
      OpFoldResult shared = lower.minSizes(x.size(1), wanted);
      x = x.narrow(1, lower.index(0), shared);
      SmallVector<OpFoldResult> low(2, lower.index(0)), high = low;
      high[1] = lower.subSizes(wanted, shared);
      x = {lower, lower.pad(x, x.number(0), low, high)};
    }
    parts.push_back(x);
  }
  if (parts.empty())
    return lower.fail(node, "it has no inputs");
  results.push_back(concat(parts, 1));
  return success();
}

static LogicalResult lowerImputer(Lowering &lower, Node node,
                                  SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0));
  SmallVector<float> floats = node.getFloats("imputed_value_floats");
  SmallVector<int64_t> ints = node.getInts("imputed_value_int64s");
  if (floats.empty() && ints.empty())
    return lower.fail(node, "it has no imputed values");
  Expr values =
      floats.empty()
          ? table(lower, ints, x.element(), {int64_t(ints.size())})
          : table(lower, floats, x.element(), {int64_t(floats.size())});
  Expr isMissing;
  if (floats.empty()) {
    HostTensor replaced(RankedTensorType::get({}, x.element()));
    replaced.setInt(0, node.getInt("replaced_value_int64", 0));
    isMissing = equal(x, Expr(lower, lower.constant(replaced)));
  } else {
    double replaced = node.getFloat("replaced_value_float", 0);
    isMissing = std::isnan(replaced) ? isNan(x) : equal(x, replaced);
  }
  results.push_back(select(isMissing, values, x));
  return success();
}

static LogicalResult lowerScaler(Lowering &lower, Node node,
                                 SmallVectorImpl<Value> &results) {
  Type type = declaredElement(node);
  Expr x = Expr(lower, lower.operand(node, 0)).cast(type);
  SmallVector<float> offset = node.getFloats("offset");
  SmallVector<float> scale = node.getFloats("scale");
  if (!offset.empty())
    x = x - table(lower, offset, type, {int64_t(offset.size())});
  if (!scale.empty())
    x = x * table(lower, scale, type, {int64_t(scale.size())});
  results.push_back(x);
  return success();
}

static LogicalResult lowerNormalizer(Lowering &lower, Node node,
                                     SmallVectorImpl<Value> &results) {
  Type type = declaredElement(node);
  Expr x = Expr(lower, lower.operand(node, 0)).cast(type);
  int64_t last = x.rank() - 1;
  StringRef norm = node.getString("norm", "MAX");
  Expr size;
  if (norm == "MAX")
    size = abs(x).reduce(ReduceKind::max, {last}, /*keepDims=*/true);
  else if (norm == "L1")
    size = abs(x).sum({last}, /*keepDims=*/true);
  else if (norm == "L2")
    size = sqrt((x * x).sum({last}, /*keepDims=*/true));
  else
    return lower.fail(node,
                      "'norm' is '" + norm + "', wanted 'MAX', 'L1' or 'L2'");
  results.push_back(x / max(size, 1e-30));
  return success();
}

//===----------------------------------------------------------------------===//
// Categories
//===----------------------------------------------------------------------===//

static LogicalResult lowerOneHotEncoder(Lowering &lower, Node node,
                                        SmallVectorImpl<Value> &results) {
  if (!node.getStrings("cats_strings").empty())
    return lower.unsupported(node, "categories that are strings");
  SmallVector<int64_t> categories = node.getInts("cats_int64s");
  if (categories.empty())
    return lower.fail(node, "it has no categories");
  // Whether an unknown category occurs (an error if 'zeros' is 0) is known at
  // run time only; it gives zeros always.
  Expr x(lower, lower.operand(node, 0));
  Expr known =
      table(lower, categories, x.element(), {int64_t(categories.size())});
  results.push_back(
      equal(x.unsqueeze({x.rank()}), known).cast(lower.b.getF32Type()));
  return success();
}

/// A list of numbers in the first of three attributes that is there; null if
/// there is none of them.
static Expr readList(Lowering &lower, Node node, StringRef prefix) {
  if (node.hasAttr((prefix + "_tensor").str())) {
    TypedAttr attr = node.getTensor((prefix + "_tensor").str());
    Expr tensor(lower, lower.make<ConstantOp>(attr));
    return tensor.reshape({Lowering::typeOf(tensor).getNumElements()});
  }
  SmallVector<int64_t> ints = node.getInts((prefix + "_int64s").str());
  if (!ints.empty())
    return table(lower, ints, lower.b.getI64Type(), {int64_t(ints.size())});
  SmallVector<float> floats = node.getFloats((prefix + "_floats").str());
  if (!floats.empty())
    return table(lower, floats, lower.b.getF32Type(), {int64_t(floats.size())});
  return {};
}

static Expr readDefault(Lowering &lower, Node node, Type type) {
  if (node.hasAttr("default_tensor")) {
    TypedAttr attr = node.getTensor("default_tensor");
    return Expr(lower, lower.make<ConstantOp>(attr))
        .reshape(ArrayRef<int64_t>())
        .cast(type);
  }
  if (isa<IntegerType>(type))
    return {lower, lower.splat(node.getInt("default_int64", -1), type)};
  return {lower, lower.splat(node.getFloat("default_float", -0.0f), type)};
}

static LogicalResult lowerLabelEncoder(Lowering &lower, Node node,
                                       SmallVectorImpl<Value> &results) {
  Expr x(lower, lower.operand(node, 0));
  Expr keys = readList(lower, node, "keys");
  Expr values = readList(lower, node, "values");
  if (!keys || !values)
    return lower.unsupported(node, "keys or values that are strings");
  if (Lowering::typeOf(keys).getShape() != Lowering::typeOf(values).getShape())
    return lower.fail(node, "keys and values differ in number");
  Expr isKey = equal(x.unsqueeze({x.rank()}), keys.cast(x.element()));
  // NaN is a key like any other.
  if (isa<FloatType>(x.element()))
    isKey = isKey |
            (isNan(x).unsqueeze({x.rank()}) & isNan(keys.cast(x.element())));
  // Of equal keys the last counts.
  Expr place(lower,
             lower.make<ArgReduceOp>(ReduceKind::max,
                                     Value(isKey.cast(lower.b.getI32Type())),
                                     x.rank(), /*last=*/true));
  Expr isKnown = isKey.reduce(ReduceKind::any, {x.rank()});
  results.push_back(select(isKnown, values.gather(place, 0),
                           readDefault(lower, node, values.element())));
  return success();
}

//===----------------------------------------------------------------------===//
// What has no numbers
//===----------------------------------------------------------------------===//

static LogicalResult refuseStrings(Lowering &lower, Node node,
                                   SmallVectorImpl<Value> &results) {
  return lower.unsupported(node, "strings");
}

static LogicalResult refuseMaps(Lowering &lower, Node node,
                                SmallVectorImpl<Value> &results) {
  return lower.unsupported(node, "maps");
}

void weft::addClassicalLowerings(LoweringTable &table) {
  table["TfIdfVectorizer"] = lowerTfIdfVectorizer;
  table["ml.ArrayFeatureExtractor"] = lowerArrayFeatureExtractor;
  table["ml.Binarizer"] = lowerBinarizer;
  table["ml.CastMap"] = refuseMaps;
  table["ml.CategoryMapper"] = refuseStrings;
  table["ml.DictVectorizer"] = refuseMaps;
  table["ml.FeatureVectorizer"] = lowerFeatureVectorizer;
  table["ml.Imputer"] = lowerImputer;
  table["ml.LabelEncoder"] = lowerLabelEncoder;
  table["ml.LinearClassifier"] = lowerLinearClassifier;
  table["ml.LinearRegressor"] = lowerLinearRegressor;
  table["ml.Normalizer"] = lowerNormalizer;
  table["ml.OneHotEncoder"] = lowerOneHotEncoder;
  table["ml.Scaler"] = lowerScaler;
  table["ml.ZipMap"] = refuseMaps;
  addSvmLowerings(table);
  addTreeLowerings(table);
}
