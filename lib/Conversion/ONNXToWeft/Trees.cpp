//===- Trees.cpp - Tree ensembles of ai.onnx.ml ---------------------------===//
//
// All trees walk down together: the state is the number of the node that each
// row has reached in each tree, and leaves lead to themselves.
//
//===----------------------------------------------------------------------===//

#include "Classical.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

namespace {
/// How a node compares a feature with its threshold; the numbers are those of
/// ONNX's TreeEnsemble.
enum TreeMode { leq, lt, gte, gt, eq, neq, member };

enum class Aggregate { average, sum, min, max };

struct TreeNode {
  int64_t feature = 0, mode = leq;
  double threshold = 0;
  bool missingIsTrue = false;
  int64_t onTrue = 0, onFalse = 0;
};

struct LeafWeight {
  int64_t node, target;
  double weight;
};

struct Forest {
  SmallVector<TreeNode> nodes;
  SmallVector<LeafWeight> weights;
  SmallVector<int64_t> roots;
  int64_t targets = 1;
  /// Whether `!=` is false for a missing value.
  bool missingIsEqual = false;

  /// Adds a leaf; returns its number.
  int64_t addLeaf() {
    int64_t number = nodes.size();
    nodes.push_back({});
    nodes.back().onTrue = nodes.back().onFalse = number;
    return number;
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Walking down
//===----------------------------------------------------------------------===//

/// The number of steps from the roots to the deepest leaf; fails on a cycle.
static FailureOr<int64_t> computeDepth(Lowering &lower, Node node,
                                       const Forest &forest) {
  int64_t depth = 0;
  SmallVector<std::pair<int64_t, int64_t>> open;
  for (int64_t root : forest.roots)
    open.push_back({root, 0});
  SmallVector<int64_t> seen(forest.nodes.size(), -1);
  while (!open.empty()) {
    auto [number, level] = open.pop_back_val();
    if (number < 0 || number >= int64_t(forest.nodes.size()))
      return lower.fail(node, "it refers to tree node " + Twine(number) +
                                  " of " + Twine(forest.nodes.size()));
    if (level > int64_t(forest.nodes.size()))
      return lower.fail(node, "the tree nodes form a cycle");
    const TreeNode &at = forest.nodes[number];
    if (seen[number] >= level ||
        (at.onTrue == number && at.onFalse == number)) {
      depth = std::max(depth, level);
      continue;
    }
    seen[number] = level;
    open.push_back({at.onTrue, level + 1});
    open.push_back({at.onFalse, level + 1});
  }
  return depth;
}

static Expr compareByMode(Expr value, Expr threshold, int64_t mode) {
  switch (mode) {
  case leq:
    return value <= threshold;
  case lt:
    return value < threshold;
  case gte:
    return value >= threshold;
  case gt:
    return value > threshold;
  case eq:
    return equal(value, threshold);
  default:
    return unequal(value, threshold);
  }
}

namespace {
/// The nodes as tables; one entry per node.
struct ForestTables {
  Expr features, thresholds, modes, missing, onTrue, onFalse;
  SmallVector<int64_t> usedModes;
  bool hasMissing;
};
} // namespace

static ForestTables makeTables(Lowering &lower, const Forest &forest,
                               Type type) {
  auto ints = [&](auto get) {
    SmallVector<int64_t> values = llvm::map_to_vector(
        forest.nodes, [&](const TreeNode &node) { return int64_t(get(node)); });
    return values;
  };
  auto toTable = [&](ArrayRef<int64_t> values, Type type) {
    return table(lower, values, type, {int64_t(values.size())});
  };
  Type i64 = lower.b.getI64Type(), i32 = lower.b.getI32Type();
  auto modes = ints([](const TreeNode &node) { return node.mode; });
  auto missing = ints([](const TreeNode &node) { return node.missingIsTrue; });
  SmallVector<double> thresholds = llvm::map_to_vector(
      forest.nodes, [](const TreeNode &node) { return node.threshold; });
  ForestTables tables;
  tables.features =
      toTable(ints([](const TreeNode &node) { return node.feature; }), i64);
  tables.thresholds = table(lower, ArrayRef<double>(thresholds), type,
                            {int64_t(thresholds.size())});
  tables.modes = toTable(modes, i32);
  tables.missing = toTable(missing, lower.b.getI1Type());
  tables.onTrue =
      toTable(ints([](const TreeNode &node) { return node.onTrue; }), i64);
  tables.onFalse =
      toTable(ints([](const TreeNode &node) { return node.onFalse; }), i64);
  // Leaves compare nothing.
  for (auto [number, node] : llvm::enumerate(forest.nodes))
    if (node.onTrue != int64_t(number) || node.onFalse != int64_t(number))
      tables.usedModes.push_back(node.mode);
  llvm::sort(tables.usedModes);
  tables.usedModes.erase(llvm::unique(tables.usedModes),
                         tables.usedModes.end());
  tables.hasMissing = llvm::is_contained(missing, 1);
  return tables;
}

/// The nodes that are reached from `at`, [N, trees], in one step.
static Expr stepDown(const Forest &forest, const ForestTables &tables, Expr x,
                     Expr at) {
  Lowering &lower = x.getLowering();
  Expr feature = tables.features.gather(at, 0);
  Expr value(lower, lower.make<GatherElementsOp>(Value(x), Value(feature), 1));
  Expr threshold = tables.thresholds.gather(at, 0);
  Expr mode = tables.modes.gather(at, 0);
  Expr isTrue;
  for (int64_t used : tables.usedModes) {
    Expr holds = compareByMode(value, threshold, used);
    if (used == neq && forest.missingIsEqual)
      holds = holds & inverted(isNan(value));
    isTrue = isTrue ? select(equal(mode, double(used)), holds, isTrue) : holds;
  }
  if (tables.hasMissing)
    isTrue = isTrue | (isNan(value) & tables.missing.gather(at, 0));
  return select(isTrue, tables.onTrue.gather(at, 0),
                tables.onFalse.gather(at, 0));
}

/// The leaves that each row reaches: [N, trees].
static FailureOr<Expr> findLeaves(Lowering &lower, Node node,
                                  const Forest &forest, Expr x) {
  FailureOr<int64_t> depth = computeDepth(lower, node, forest);
  if (llvm::failed(depth))
    return failure();
  int64_t features = Lowering::typeOf(x).getDimSize(1);
  for (const TreeNode &at : forest.nodes)
    if (at.feature < 0 ||
        (!ShapedType::isDynamic(features) && at.feature >= features))
      return lower.fail(node, "it tests feature " + Twine(at.feature) + " of " +
                                  Twine(features));
  int64_t trees = forest.roots.size();
  Expr roots = table(lower, ArrayRef<int64_t>(forest.roots),
                     lower.b.getI64Type(), {1, trees})
                   .broadcast({x.size(0), lower.index(trees)});
  if (*depth == 0)
    return roots;
  ForestTables tables = makeTables(lower, forest, x.element());
  return loop(lower, lower.index(*depth), {roots},
              [&](Value, ArrayRef<Expr> at) {
                return SmallVector<Expr>{stepDown(forest, tables, x, at[0])};
              })[0];
}

//===----------------------------------------------------------------------===//
// Adding up
//===----------------------------------------------------------------------===//

/// The scores [N, targets] of the leaves [N, trees].
static Expr aggregate(const Forest &forest, Expr leaves, Aggregate kind,
                      Type type) {
  Lowering &lower = leaves.getLowering();
  double start = 0;
  if (kind == Aggregate::min || kind == Aggregate::max) {
    start = isa<Float64Type>(type) ? std::numeric_limits<double>::max()
                                   : std::numeric_limits<float>::max();
    if (kind == Aggregate::max)
      start = -start;
  }
  int64_t nodes = forest.nodes.size();
  SmallVector<double> matrix(nodes * forest.targets, start);
  for (const LeafWeight &leaf : forest.weights) {
    double &cell = matrix[leaf.node * forest.targets + leaf.target];
    if (kind == Aggregate::min)
      cell = std::min(cell, leaf.weight);
    else if (kind == Aggregate::max)
      cell = std::max(cell, leaf.weight);
    else
      cell += leaf.weight;
  }
  Expr weights =
      table(lower, ArrayRef<double>(matrix), type, {nodes, forest.targets});
  // [N, trees, targets]
  Expr found = weights.gather(leaves, 0);
  switch (kind) {
  case Aggregate::min:
    return found.reduce(ReduceKind::min, {1});
  case Aggregate::max:
    return found.reduce(ReduceKind::max, {1});
  case Aggregate::sum:
    return found.sum({1});
  case Aggregate::average:
    return found.sum({1}) / double(forest.roots.size());
  }
  llvm_unreachable("covered switch");
}

//===----------------------------------------------------------------------===//
// Reading attributes
//===----------------------------------------------------------------------===//

static SmallVector<double> readTensor(Lowering &lower, Node node,
                                      StringRef name) {
  SmallVector<double> values;
  if (!node.hasAttr(name))
    return values;
  Value constant = ConstantOp::create(lower.b, node.getTensor(name));
  std::optional<HostTensor> tensor = lower.constantOf(constant);
  constant.getDefiningOp()->erase();
  for (int64_t i = 0; i < tensor->getNumElements(); ++i)
    values.push_back(tensor->getFloat(i));
  return values;
}

/// Floats from `name`, or doubles from `name`_as_tensor.
static SmallVector<double> readFloats(Lowering &lower, Node node,
                                      StringRef name) {
  SmallVector<float> floats = node.getFloats(name);
  if (!floats.empty())
    return SmallVector<double>(floats.begin(), floats.end());
  return readTensor(lower, node, (name + "_as_tensor").str());
}

static LogicalResult checkSize(Lowering &lower, Node node, StringRef name,
                               size_t size, size_t wanted) {
  if (size == wanted)
    return success();
  return lower.fail(node, "'" + name + "' has " + Twine(size) +
                              " elements, wanted " + Twine(wanted));
}

/// Turns a test for membership into a chain of tests for equality.
static void expandMembers(Forest &forest, int64_t number,
                          ArrayRef<double> members) {
  TreeNode original = forest.nodes[number];
  for (auto [index, value] : llvm::enumerate(members)) {
    TreeNode &at = forest.nodes[number];
    at = original;
    at.mode = eq;
    at.threshold = value;
    if (index + 1 == members.size())
      return;
    at.onFalse = forest.nodes.size();
    number = at.onFalse;
    forest.nodes.push_back({});
  }
  // A set without members: nothing but a missing value is in it.
  forest.nodes[number].mode = lt;
  forest.nodes[number].threshold = -std::numeric_limits<double>::infinity();
}

static LogicalResult expandAllMembers(Lowering &lower, Node node,
                                      Forest &forest, int64_t inner) {
  SmallVector<double> values = readTensor(lower, node, "membership_values");
  ArrayRef<double> rest = values;
  for (int64_t number = 0; number < inner; ++number) {
    if (forest.nodes[number].mode != member)
      continue;
    if (rest.empty())
      return lower.fail(node, "'membership_values' has too few sets");
    auto isEnd = [](double value) { return std::isnan(value); };
    size_t size = llvm::find_if(rest, isEnd) - rest.begin();
    expandMembers(forest, number, rest.take_front(size));
    rest = rest.drop_front(std::min(size + 1, rest.size()));
  }
  return success();
}

static FailureOr<Forest> readEnsemble(Lowering &lower, Node node) {
  SmallVector<double> splits = readTensor(lower, node, "nodes_splits");
  SmallVector<double> modes = readTensor(lower, node, "nodes_modes");
  SmallVector<double> weights = readTensor(lower, node, "leaf_weights");
  SmallVector<int64_t> features = node.getInts("nodes_featureids");
  SmallVector<int64_t> trueIds = node.getInts("nodes_truenodeids");
  SmallVector<int64_t> falseIds = node.getInts("nodes_falsenodeids");
  SmallVector<int64_t> trueLeafs = node.getInts("nodes_trueleafs");
  SmallVector<int64_t> falseLeafs = node.getInts("nodes_falseleafs");
  SmallVector<int64_t> targets = node.getInts("leaf_targetids");
  SmallVector<int64_t> missing =
      node.getInts("nodes_missing_value_tracks_true");
  size_t inner = features.size();
  missing.resize(inner, 0);
  if (llvm::failed(
          checkSize(lower, node, "nodes_splits", splits.size(), inner)) ||
      llvm::failed(
          checkSize(lower, node, "nodes_modes", modes.size(), inner)) ||
      llvm::failed(
          checkSize(lower, node, "nodes_truenodeids", trueIds.size(), inner)) ||
      llvm::failed(checkSize(lower, node, "nodes_falsenodeids", falseIds.size(),
                             inner)) ||
      llvm::failed(
          checkSize(lower, node, "nodes_trueleafs", trueLeafs.size(), inner)) ||
      llvm::failed(checkSize(lower, node, "nodes_falseleafs", falseLeafs.size(),
                             inner)) ||
      llvm::failed(checkSize(lower, node, "leaf_targetids", targets.size(),
                             weights.size())))
    return failure();
  Forest forest;
  forest.targets = node.getInt("n_targets", 1);
  forest.roots = node.getInts("tree_roots");
  for (size_t i = 0; i < inner; ++i)
    forest.nodes.push_back(
        {features[i], int64_t(modes[i]), splits[i], missing[i] != 0,
         trueIds[i] + (trueLeafs[i] ? int64_t(inner) : 0),
         falseIds[i] + (falseLeafs[i] ? int64_t(inner) : 0)});
  for (auto [target, weight] : llvm::zip_equal(targets, weights))
    forest.weights.push_back({forest.addLeaf(), target, weight});
  if (llvm::failed(expandAllMembers(lower, node, forest, inner)))
    return failure();
  return forest;
}

static int64_t parseMode(StringRef name) {
  return llvm::StringSwitch<int64_t>(name)
      .Case("BRANCH_LEQ", leq)
      .Case("BRANCH_LT", lt)
      .Case("BRANCH_GTE", gte)
      .Case("BRANCH_GT", gt)
      .Case("BRANCH_EQ", eq)
      .Case("BRANCH_NEQ", neq)
      .Default(-1);
}

/// Numbers of nodes by their tree's and their own identifier.
using NodeNumbers = llvm::DenseMap<std::pair<int64_t, int64_t>, int64_t>;

/// Reads the nodes of the older operators.
static LogicalResult readNodes(Lowering &lower, Node node, Forest &forest,
                               NodeNumbers &numbers) {
  SmallVector<int64_t> trees = node.getInts("nodes_treeids");
  SmallVector<int64_t> ids = node.getInts("nodes_nodeids");
  SmallVector<int64_t> features = node.getInts("nodes_featureids");
  SmallVector<int64_t> trueIds = node.getInts("nodes_truenodeids");
  SmallVector<int64_t> falseIds = node.getInts("nodes_falsenodeids");
  SmallVector<StringRef> modes = node.getStrings("nodes_modes");
  SmallVector<double> values = readFloats(lower, node, "nodes_values");
  SmallVector<int64_t> missing =
      node.getInts("nodes_missing_value_tracks_true");
  size_t size = trees.size();
  missing.resize(size, 0);
  for (size_t found : {ids.size(), features.size(), trueIds.size(),
                       falseIds.size(), modes.size(), values.size()})
    if (llvm::failed(checkSize(lower, node, "nodes_*", found, size)))
      return failure();
  llvm::SmallDenseSet<int64_t> rooted;
  for (size_t i = 0; i < size; ++i) {
    numbers[{trees[i], ids[i]}] = i;
    // The first node of a tree is its root.
    if (rooted.insert(trees[i]).second)
      forest.roots.push_back(i);
  }
  for (size_t i = 0; i < size; ++i) {
    if (modes[i] == "LEAF") {
      forest.addLeaf();
      continue;
    }
    auto onTrue = numbers.find({trees[i], trueIds[i]});
    auto onFalse = numbers.find({trees[i], falseIds[i]});
    int64_t mode = parseMode(modes[i]);
    if (mode < 0 || onTrue == numbers.end() || onFalse == numbers.end())
      return lower.fail(node, "tree node " + Twine(ids[i]) + " of tree " +
                                  Twine(trees[i]) + " has mode '" + modes[i] +
                                  "' or a branch that does not exist");
    forest.nodes.push_back({features[i], mode, values[i], missing[i] != 0,
                            onTrue->second, onFalse->second});
  }
  forest.missingIsEqual = true;
  return success();
}

/// Reads an older operator whose leaves' weights are attributes that begin with
/// `prefix` ("target" or "class").
static FailureOr<Forest> readOldEnsemble(Lowering &lower, Node node,
                                         StringRef prefix, int64_t targets) {
  Forest forest;
  forest.targets = targets;
  NodeNumbers numbers;
  if (llvm::failed(readNodes(lower, node, forest, numbers)))
    return failure();
  SmallVector<int64_t> trees = node.getInts((prefix + "_treeids").str());
  SmallVector<int64_t> nodes = node.getInts((prefix + "_nodeids").str());
  SmallVector<int64_t> ids = node.getInts((prefix + "_ids").str());
  SmallVector<double> weights =
      readFloats(lower, node, (prefix + "_weights").str());
  for (size_t found : {nodes.size(), ids.size(), weights.size()})
    if (llvm::failed(
            checkSize(lower, node, (prefix + "_*").str(), found, trees.size())))
      return failure();
  for (auto [tree, id, target, weight] :
       llvm::zip_equal(trees, nodes, ids, weights)) {
    auto number = numbers.find({tree, id});
    if (number == numbers.end() || target < 0 || target >= targets)
      return lower.fail(node, "a leaf weight names node " + Twine(id) +
                                  " of tree " + Twine(tree) + " and target " +
                                  Twine(target));
    forest.weights.push_back({number->second, target, weight});
  }
  return forest;
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

static FailureOr<Expr> scoreForest(Lowering &lower, Node node,
                                   const Forest &forest, Aggregate kind) {
  for (const LeafWeight &leaf : forest.weights)
    if (leaf.target < 0 || leaf.target >= forest.targets)
      return lower.fail(node, "a leaf counts for target " + Twine(leaf.target) +
                                  " of " + Twine(forest.targets));
  Expr x = readFeatures(lower, node);
  FailureOr<Expr> leaves = findLeaves(lower, node, forest, x);
  if (llvm::failed(leaves))
    return failure();
  return aggregate(forest, *leaves, kind, x.element());
}

static LogicalResult lowerTreeEnsemble(Lowering &lower, Node node,
                                       SmallVectorImpl<Value> &results) {
  FailureOr<PostTransform> transform = readPostTransform(lower, node);
  int64_t kind = node.getInt("aggregate_function", 1);
  if (llvm::failed(transform))
    return failure();
  if (kind < 0 || kind > 3)
    return lower.fail(node, "'aggregate_function' is " + Twine(kind));
  FailureOr<Forest> forest = readEnsemble(lower, node);
  if (llvm::failed(forest))
    return failure();
  FailureOr<Expr> scores = scoreForest(lower, node, *forest, Aggregate(kind));
  if (llvm::failed(scores))
    return failure();
  results.push_back(
      applyPostTransform(*scores, *transform).cast(declaredElement(node)));
  return success();
}

/// Adds the attribute `base_values`, if there is one.
static FailureOr<Expr> addBase(Lowering &lower, Node node, Expr scores,
                               int64_t targets) {
  SmallVector<double> base = readFloats(lower, node, "base_values");
  if (base.empty())
    return scores;
  if (base.size() != 1 &&
      llvm::failed(checkSize(lower, node, "base_values", base.size(), targets)))
    return failure();
  return scores + table(lower, ArrayRef<double>(base), scores.element(),
                        {1, int64_t(base.size())});
}

static LogicalResult
lowerTreeEnsembleRegressor(Lowering &lower, Node node,
                           SmallVectorImpl<Value> &results) {
  StringRef name = node.getString("aggregate_function", "SUM");
  auto kind = llvm::StringSwitch<std::optional<Aggregate>>(name)
                  .Case("SUM", Aggregate::sum)
                  .Case("AVERAGE", Aggregate::average)
                  .Case("MIN", Aggregate::min)
                  .Case("MAX", Aggregate::max)
                  .Default(std::nullopt);
  if (!kind)
    return lower.fail(node, "'aggregate_function' is '" + name + "'");
  FailureOr<PostTransform> transform = readPostTransform(lower, node);
  if (llvm::failed(transform))
    return failure();
  int64_t targets = node.getInt("n_targets", 1);
  FailureOr<Forest> forest = readOldEnsemble(lower, node, "target", targets);
  if (llvm::failed(forest))
    return failure();
  FailureOr<Expr> scores = scoreForest(lower, node, *forest, *kind);
  if (succeeded(scores))
    scores = addBase(lower, node, *scores, targets);
  if (llvm::failed(scores))
    return failure();
  results.push_back(
      applyPostTransform(*scores, *transform).cast(declaredElement(node)));
  return success();
}

/// The two scores of a forest whose leaves all count for one class.
static Expr makeBinary(const Forest &forest, Expr scores,
                       PostTransform transform) {
  Expr positive = scores;
  if (forest.targets == 2) {
    Lowering &lower = scores.getLowering();
    positive = scores.narrow(1, lower.index(forest.weights.front().target),
                             lower.index(1));
  }
  bool isProbability =
      transform == PostTransform::none || transform == PostTransform::probit;
  return concat({isProbability ? 1.0 - positive : -positive, positive}, 1);
}

static LogicalResult
lowerTreeEnsembleClassifier(Lowering &lower, Node node,
                            SmallVectorImpl<Value> &results) {
  FailureOr<PostTransform> transform = readPostTransform(lower, node);
  if (llvm::failed(transform) || llvm::failed(checkNumericLabels(lower, node)))
    return failure();
  SmallVector<int64_t> labels = node.getInts("classlabels_int64s");
  int64_t classes = labels.size();
  if (classes == 0)
    return lower.fail(node, "it has no class labels");
  FailureOr<Forest> forest = readOldEnsemble(lower, node, "class", classes);
  if (llvm::failed(forest))
    return failure();
  FailureOr<Expr> sums = scoreForest(lower, node, *forest, Aggregate::sum);
  if (succeeded(sums))
    sums = addBase(lower, node, *sums, classes);
  if (llvm::failed(sums))
    return failure();
  Expr scores = *sums;
  bool isBinary = classes <= 2 && !forest->weights.empty() &&
                  llvm::all_of(forest->weights, [&](const LeafWeight &leaf) {
                    return leaf.target == forest->weights.front().target;
                  });
  if (isBinary)
    scores = makeBinary(*forest, scores, *transform);
  // A single label names the positive class; the other is zero.
  if (isBinary && classes == 1)
    labels.insert(labels.begin(), 0);
  scores = applyPostTransform(scores, *transform);
  results.push_back(lookUpLabels(bestClass(scores), labels));
  results.push_back(scores.cast(lower.b.getF32Type()));
  return success();
}

void weft::addTreeLowerings(LoweringTable &table) {
  table["ml.TreeEnsemble"] = lowerTreeEnsemble;
  table["ml.TreeEnsembleClassifier"] = lowerTreeEnsembleClassifier;
  table["ml.TreeEnsembleRegressor"] = lowerTreeEnsembleRegressor;
}
