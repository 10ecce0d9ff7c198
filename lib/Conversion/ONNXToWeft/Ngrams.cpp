//===- Ngrams.cpp - TfIdfVectorizer over integers -------------------------===//

#include "Classical.h"
#include <map>

using namespace mlir;
using namespace weft;
using onnx::Node;

namespace {
/// The n-grams of one length.
struct Grams {
  int64_t length;
  /// Their items, one gram after the other.
  SmallVector<int64_t> items;
  /// The output that counts each.
  SmallVector<int64_t> outputs;
};
} // namespace

/// Reads the pool. Of equal n-grams the last counts.
static FailureOr<SmallVector<Grams>> readPool(Lowering &lower, Node node) {
  SmallVector<int64_t> pool = node.getInts("pool_int64s");
  SmallVector<int64_t> starts = node.getInts("ngram_counts");
  SmallVector<int64_t> outputs = node.getInts("ngram_indexes");
  int64_t least = node.getInt("min_gram_length", 1);
  int64_t most = node.getInt("max_gram_length", 1);
  SmallVector<Grams> result;
  size_t number = 0;
  for (auto [index, start] : llvm::enumerate(starts)) {
    int64_t length = index + 1, next = start;
    int64_t end = index + 1 < starts.size() ? starts[index + 1] : pool.size();
    if (start < 0 || start > end || end > int64_t(pool.size()))
      return lower.fail(node, "'ngram_counts' does not fit 'pool_int64s'");
    std::map<SmallVector<int64_t>, int64_t> known;
    for (; next + length <= end; next += length, ++number) {
      if (number >= outputs.size())
        return lower.fail(node, "'ngram_indexes' has too few elements");
      ArrayRef<int64_t> gram = ArrayRef(pool).slice(next, length);
      known[SmallVector<int64_t>(gram)] = outputs[number];
    }
    if (length < least || length > most || known.empty())
      continue;
    Grams grams{length, {}, {}};
    for (auto &[items, output] : known) {
      grams.items.append(items.begin(), items.end());
      grams.outputs.push_back(output);
    }
    result.push_back(grams);
  }
  return result;
}

/// How often each n-gram occurs in the rows of `x`, [rows, items], with its
/// items `skip` apart: [rows, grams].
static Expr countGrams(Expr x, const Grams &grams, int64_t skip) {
  Lowering &lower = x.getLowering();
  int64_t count = grams.outputs.size(), reach = skip * (grams.length - 1);
  OpFoldResult places = lower.maxSizes(
      lower.subSizes(x.size(1), lower.index(reach)), lower.index(0));
  Expr isThere;
  for (int64_t item = 0; item < grams.length; ++item) {
    SmallVector<int64_t> wanted;
    for (int64_t gram = 0; gram < count; ++gram)
      wanted.push_back(grams.items[gram * grams.length + item]);
    // Too short a row has no places, wherever these would start.
    OpFoldResult start = lower.minSizes(lower.index(item * skip), x.size(1));
    Expr part = x.narrow(1, start, places).unsqueeze({2});
    Expr fits = equal(part, table(lower, ArrayRef<int64_t>(wanted), x.element(),
                                  {1, 1, count}));
    isThere = isThere ? isThere & fits : fits;
  }
  return isThere.cast(lower.b.getF32Type()).sum({1});
}

/// Adds up counts [rows, grams] in the outputs' columns.
static Expr addCounts(Expr frequencies, Expr counts,
                      ArrayRef<int64_t> outputs) {
  Lowering &lower = counts.getLowering();
  Type i64 = lower.b.getI64Type();
  int64_t size = outputs.size();
  Expr columns = table(lower, outputs, i64, {1, size})
                     .broadcast({counts.size(0), lower.index(size)});
  return {lower, lower.make<ScatterElementsOp>(
                     Value(frequencies).getType(), ScatterKind::add,
                     Value(frequencies), Value(columns), Value(counts),
                     /*axis=*/1)};
}

static FailureOr<Expr> weigh(Lowering &lower, Node node, Expr frequencies) {
  SmallVector<float> weights = node.getFloats("weights");
  StringRef mode = node.getString("mode", "TF");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    return lower.fail(node, "'mode' is '" + mode + "'");
  int64_t outputs = Lowering::typeOf(frequencies).getDimSize(1);
  if (mode == "IDF")
    frequencies = (frequencies > 0.0).cast(frequencies.element());
  if (mode == "TF" || weights.empty())
    return frequencies;
  if (int64_t(weights.size()) != outputs)
    return lower.fail(node, "'weights' has " + Twine(weights.size()) +
                                " elements, wanted " + Twine(outputs));
  return frequencies * table(lower, ArrayRef<float>(weights),
                             frequencies.element(), {1, outputs});
}

LogicalResult weft::lowerTfIdfVectorizer(Lowering &lower, Node node,
                                         SmallVectorImpl<Value> &results) {
  if (!node.getStrings("pool_strings").empty())
    return lower.unsupported(node, "n-grams of strings");
  FailureOr<SmallVector<Grams>> pool = readPool(lower, node);
  if (llvm::failed(pool))
    return failure();
  Expr x(lower, lower.operand(node, 0));
  bool isRow = x.rank() == 1;
  if (x.rank() != 1 && x.rank() != 2)
    return lower.fail(node, "the input has rank " + Twine(x.rank()) +
                                ", wanted 1 or 2");
  if (isRow)
    x = x.unsqueeze({0});
  int64_t outputs = 0;
  for (int64_t index : node.getInts("ngram_indexes"))
    outputs = std::max(outputs, index + 1);
  Expr frequencies =
      full(lower, 0, lower.b.getF32Type(), {x.size(0), lower.index(outputs)});
  int64_t skips = node.getInt("max_skip_count", 0);
  for (const Grams &grams : *pool)
    // One item does not skip anything.
    for (int64_t skip = 1; skip <= (grams.length == 1 ? 1 : skips + 1); ++skip)
      frequencies =
          addCounts(frequencies, countGrams(x, grams, skip), grams.outputs);
  FailureOr<Expr> result = weigh(lower, node, frequencies);
  if (llvm::failed(result))
    return failure();
  results.push_back(isRow ? result->at(0, 0) : *result);
  return success();
}
