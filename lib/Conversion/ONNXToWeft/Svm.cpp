//===- Svm.cpp - Support vector machines of ai.onnx.ml --------------------===//

#include "Classical.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// The kernel of each row of `x` with each row of `vectors`: [N, vectors].
static FailureOr<Expr> applyKernel(Lowering &lower, Node node, Expr x,
                                   Expr vectors, StringRef kernel) {
  SmallVector<float> parameters = node.getFloats("kernel_params");
  parameters.resize(3, 0);
  double gamma = parameters[0], bias = parameters[1];
  double degree = std::trunc(parameters[2]);
  if (kernel == "RBF") {
    Expr difference = x.unsqueeze({1}) - vectors.unsqueeze({0});
    return exp((difference * difference).sum({2}) * -gamma);
  }
  Expr product = contract(x, vectors, {}, {}, {1}, {1});
  if (kernel == "LINEAR")
    return product;
  if (kernel == "POLY")
    return pow(product * gamma + bias, product.number(degree));
  if (kernel == "SIGMOID")
    return tanh(product * gamma + bias);
  return lower.fail(node, "'kernel_type' is '" + kernel + "'");
}

/// A list of floats as a matrix of `rows` rows.
static FailureOr<Expr> readMatrix(Lowering &lower, Node node, StringRef name,
                                  int64_t rows, Type type) {
  SmallVector<float> values = node.getFloats(name);
  int64_t size = values.size();
  if (rows < 1 || size == 0 || size % rows != 0)
    return lower.fail(node, "'" + name + "' has " + Twine(size) +
                                " elements, wanted a multiple of " +
                                Twine(rows));
  return table(lower, values, type, {rows, size / rows});
}

//===----------------------------------------------------------------------===//
// Regression
//===----------------------------------------------------------------------===//

static LogicalResult lowerSVMRegressor(Lowering &lower, Node node,
                                       SmallVectorImpl<Value> &results) {
  FailureOr<PostTransform> transform = readPostTransform(lower, node);
  if (llvm::failed(transform))
    return failure();
  Expr x = readFeatures(lower, node);
  SmallVector<float> rho = node.getFloats("rho");
  if (rho.empty())
    return lower.fail(node, "'rho' is empty");
  int64_t supports = node.getInt("n_supports", 0);
  FailureOr<Expr> coefficients =
      readMatrix(lower, node, "coefficients", 1, x.element());
  if (llvm::failed(coefficients))
    return failure();
  Expr inputs = x;
  if (supports > 0) {
    FailureOr<Expr> vectors =
        readMatrix(lower, node, "support_vectors", supports, x.element());
    if (llvm::failed(vectors))
      return failure();
    FailureOr<Expr> kernel = applyKernel(
        lower, node, x, *vectors, node.getString("kernel_type", "LINEAR"));
    if (llvm::failed(kernel))
      return failure();
    inputs = *kernel;
  }
  Expr scores =
      contract(inputs, *coefficients, {}, {}, {1}, {1}) + double(rho[0]);
  if (node.getInt("one_class", 0))
    scores = select(scores > 0.0, scores.number(1), scores.number(-1));
  results.push_back(
      applyPostTransform(scores, *transform).cast(declaredElement(node)));
  return success();
}

//===----------------------------------------------------------------------===//
// Classification
//===----------------------------------------------------------------------===//

namespace {
/// Scores of a classifier; `votes` is null for a linear one.
struct Classified {
  Expr scores, votes;
  bool hasProbabilities = false;
};
} // namespace

/// The support vectors' share in the decision between each pair of classes:
/// [vectors, pairs].
static Expr pairCoefficients(Lowering &lower, ArrayRef<float> coefficients,
                             ArrayRef<int64_t> perClass, Type type) {
  int64_t classes = perClass.size(), vectors = 0;
  SmallVector<int64_t> start;
  for (int64_t count : perClass) {
    start.push_back(vectors);
    vectors += count;
  }
  int64_t pairs = classes * (classes - 1) / 2, pair = 0;
  SmallVector<double> matrix(vectors * pairs, 0);
  // Row r of the coefficients holds, for each vector, its weight against the
  // r-th of the other classes.
  auto fill = [&](int64_t ofClass, int64_t row) {
    for (int64_t i = 0; i < perClass[ofClass]; ++i) {
      int64_t vector = start[ofClass] + i;
      matrix[vector * pairs + pair] = coefficients[row * vectors + vector];
    }
  };
  for (int64_t i = 0; i < classes; ++i)
    for (int64_t j = i + 1; j < classes; ++j, ++pair) {
      fill(i, j - 1);
      fill(j, i);
    }
  return table(lower, ArrayRef<double>(matrix), type, {vectors, pairs});
}

/// One vote per pair of classes: [N, classes].
static Expr countVotes(Expr scores, int64_t classes) {
  int64_t pairs = classes * (classes - 1) / 2, pair = 0;
  SmallVector<double> first(pairs * classes, 0), second(pairs * classes, 0);
  for (int64_t i = 0; i < classes; ++i)
    for (int64_t j = i + 1; j < classes; ++j, ++pair) {
      first[pair * classes + i] = 1;
      second[pair * classes + j] = 1;
    }
  Lowering &lower = scores.getLowering();
  Type type = scores.element();
  auto count = [&](Expr won, ArrayRef<double> matrix) {
    return contract(won.cast(type),
                    table(lower, matrix, type, {pairs, classes}), {}, {}, {1},
                    {0});
  };
  Expr isFirst = scores > 0.0;
  return count(isFirst, first) + count(inverted(isFirst), second);
}

/// Column `column` of [N, k], kept as [N, 1].
static Expr columnOf(Expr matrix, int64_t column) {
  Lowering &lower = matrix.getLowering();
  return matrix.narrow(1, lower.index(column), lower.index(1));
}

/// One sweep over the classes of the iteration below.
static Expr sweep(Expr q, Expr p, Expr qp, Expr pqp, int64_t classes) {
  Lowering &lower = p.getLowering();
  for (int64_t t = 0; t < classes; ++t) {
    Expr row = q.at(1, t);
    Expr diagonal = columnOf(row, t);
    Expr own = columnOf(qp, t);
    Expr step = (pqp - own) / diagonal;
    Expr scale = step + 1.0;
    SmallVector<double> unit(classes, 0);
    unit[t] = 1;
    p = (p + step * table(lower, ArrayRef<double>(unit), p.element(),
                          {1, classes})) /
        scale;
    pqp = (pqp + step * (step * diagonal + own * 2.0)) / (scale * scale);
    qp = (qp + step * row) / scale;
  }
  return p;
}

/// Class probabilities from those of pairs (Wu, Lin, Weng 2004, second method,
/// as LIBSVM does it). `pairwise` is [N, classes, classes] with a diagonal of
/// zeros.
static Expr couplePairs(Expr pairwise, int64_t classes) {
  Lowering &lower = pairwise.getLowering();
  Type type = pairwise.element();
  Expr mirrored = pairwise.transpose({0, 2, 1});
  SmallVector<double> unit(classes * classes, 0);
  for (int64_t i = 0; i < classes; ++i)
    unit[i * classes + i] = 1;
  Expr identity =
      table(lower, ArrayRef<double>(unit), type, {1, classes, classes});
  Expr diagonal = (pairwise * pairwise).sum({1}).unsqueeze({2});
  Expr q = identity * diagonal - pairwise * mirrored;
  Expr start = full(lower, 1.0 / classes, type,
                    {pairwise.size(0), lower.index(classes)});
  double tolerance = 0.005 / classes;
  auto step = [&](Value, ArrayRef<Expr> carried) {
    Expr p = carried[0];
    Expr qp = (q * p.unsqueeze({1})).sum({2});
    Expr pqp = (p * qp).sum({1}, /*keepDims=*/true);
    Expr error = abs(qp - pqp).reduce(ReduceKind::max, {1}, /*keepDims=*/true);
    return SmallVector<Expr>{
        select(error < tolerance, p, sweep(q, p, qp, pqp, classes))};
  };
  int64_t trips = std::max<int64_t>(100, classes);
  return loop(lower, lower.index(trips), {start}, step)[0];
}

/// Probabilities of classes from the scores of pairs, by Platt's method.
static Expr computeProbabilities(Lowering &lower, Expr scores,
                                 ArrayRef<float> a, ArrayRef<float> b,
                                 int64_t classes) {
  Type type = scores.element();
  int64_t pairs = a.size();
  Expr slope = table(lower, a, type, {pairs});
  Expr offset = table(lower, b, type, {pairs});
  Expr value = clamp(1.0 - logistic(scores * slope + offset), 1e-7, 1 - 1e-7);
  // Spread the pairs over a matrix.
  SmallVector<int64_t> place(classes * classes, 0);
  SmallVector<double> upper(classes * classes, 0), below = upper;
  int64_t pair = 0;
  for (int64_t i = 0; i < classes; ++i)
    for (int64_t j = i + 1; j < classes; ++j, ++pair) {
      place[i * classes + j] = place[j * classes + i] = pair;
      upper[i * classes + j] = 1;
      below[j * classes + i] = 1;
    }
  Expr spread = value.gather(table(lower, ArrayRef<int64_t>(place),
                                   lower.b.getI64Type(), {classes, classes}),
                             1);
  Expr isUpper =
      table(lower, ArrayRef<double>(upper), type, {classes, classes});
  Expr isBelow =
      table(lower, ArrayRef<double>(below), type, {classes, classes});
  return couplePairs(spread * isUpper + (1.0 - spread) * isBelow, classes);
}

static FailureOr<Classified> classifyLinear(Lowering &lower, Node node, Expr x,
                                            int64_t classes) {
  FailureOr<Expr> coefficients =
      readMatrix(lower, node, "coefficients", classes, x.element());
  if (llvm::failed(coefficients))
    return failure();
  Expr scores = contract(x, *coefficients, {}, {}, {1}, {1}) +
                double(node.getFloats("rho")[0]);
  return Classified{scores, {}};
}

static FailureOr<Classified> classifyByVectors(Lowering &lower, Node node,
                                               Expr x,
                                               ArrayRef<int64_t> perClass) {
  int64_t classes = perClass.size(), vectors = 0;
  for (int64_t count : perClass)
    vectors += count;
  SmallVector<float> coefficients = node.getFloats("coefficients");
  SmallVector<float> rho = node.getFloats("rho");
  int64_t pairs = classes * (classes - 1) / 2;
  if (int64_t(coefficients.size()) != (classes - 1) * vectors ||
      int64_t(rho.size()) != pairs)
    return lower.fail(node, "'coefficients' or 'rho' does not fit " +
                                Twine(classes) + " classes and " +
                                Twine(vectors) + " support vectors");
  FailureOr<Expr> supports =
      readMatrix(lower, node, "support_vectors", vectors, x.element());
  if (llvm::failed(supports))
    return failure();
  FailureOr<Expr> kernel = applyKernel(lower, node, x, *supports,
                                       node.getString("kernel_type", "LINEAR"));
  if (llvm::failed(kernel))
    return failure();
  Expr matrix = pairCoefficients(lower, coefficients, perClass, x.element());
  Expr scores = contract(*kernel, matrix, {}, {}, {1}, {0}) +
                table(lower, rho, x.element(), {pairs});
  Classified result{scores, countVotes(scores, classes)};
  SmallVector<float> a = node.getFloats("prob_a"), b = node.getFloats("prob_b");
  if (a.empty())
    return result;
  if (int64_t(a.size()) != pairs || a.size() != b.size())
    return lower.fail(node, "'prob_a' and 'prob_b' do not have " +
                                Twine(pairs) + " elements");
  result.scores = computeProbabilities(lower, scores, a, b, classes);
  result.hasProbabilities = true;
  return result;
}

/// The scores as the node gives them: a single one becomes two if the decision
/// is between two labels.
static Expr writeScores(Expr scores, PostTransform transform,
                        bool hasTwoLabels) {
  if (Lowering::typeOf(scores).getDimSize(1) != 1)
    return applyPostTransform(scores, transform);
  if (transform == PostTransform::probit)
    return applyPostTransform(scores, transform);
  if (!hasTwoLabels)
    return scores;
  return applyPostTransform(concat({-scores, scores}, 1), transform);
}

static LogicalResult lowerSVMClassifier(Lowering &lower, Node node,
                                        SmallVectorImpl<Value> &results) {
  FailureOr<PostTransform> transform = readPostTransform(lower, node);
  if (llvm::failed(transform) || llvm::failed(checkNumericLabels(lower, node)))
    return failure();
  Expr x = readFeatures(lower, node);
  SmallVector<int64_t> labels = node.getInts("classlabels_ints");
  SmallVector<int64_t> perClass = node.getInts("vectors_per_class");
  SmallVector<float> coefficients = node.getFloats("coefficients");
  SmallVector<float> rho = node.getFloats("rho");
  if (rho.empty() || coefficients.empty())
    return lower.fail(node, "'rho' or 'coefficients' is empty");
  FailureOr<Classified> classified =
      perClass.empty()
          ? classifyLinear(lower, node, x, std::max<int64_t>(labels.size(), 1))
          : classifyByVectors(lower, node, x, perClass);
  if (llvm::failed(classified))
    return failure();

  Expr ranking = classified->votes ? classified->votes : classified->scores;
  Expr best = bestClass(ranking);
  Expr label = labels.empty() ? best : lookUpLabels(best, labels);
  Type i64 = lower.b.getI64Type();
  if (rho.size() == 1) {
    Expr weight = ranking.reduce(ReduceKind::max, {1});
    bool isPositive = *llvm::min_element(coefficients) >= 0;
    if (labels.size() != 2)
      label = (weight > 0.0).cast(i64);
    else if (!classified->hasProbabilities && isPositive)
      label = select(weight >= 0.5, double(labels[1]), label);
  }
  results.push_back(label);
  Expr scores = writeScores(classified->scores, *transform,
                            rho.size() == 1 && labels.size() == 2);
  results.push_back(scores.cast(lower.b.getF32Type()));
  return success();
}

void weft::addSvmLowerings(LoweringTable &table) {
  table["ml.SVMClassifier"] = lowerSVMClassifier;
  table["ml.SVMRegressor"] = lowerSVMRegressor;
}
