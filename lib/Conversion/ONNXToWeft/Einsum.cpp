//===- Einsum.cpp - Products by subscripts --------------------------------===//

#include "Terms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include <map>

using namespace mlir;
using namespace weft;

namespace {
/// Labels of dimensions: letters, and negative numbers for the dimensions of
/// the ellipsis, counted from the last one (-1).
using Labels = SmallVector<int64_t>;

/// A tensor and the labels of its dimensions.
struct Term {
  Value value;
  Labels labels;
};

class Einsum {
public:
  Einsum(Lowering &lower, onnx::Node node) : lower(lower), node(node) {}
  FailureOr<Value> run();

private:
  LogicalResult parse(StringRef equation);
  /// The labels of `subscripts`, of which an ellipsis stands for `extra`.
  FailureOr<Labels> parseLabels(StringRef subscripts, int64_t extra);
  void takeDiagonals(Term &term);
  void unifySizes();
  void sumUnneeded(Term &term, ArrayRef<Term> others);
  Term contract(Term lhs, Term rhs, ArrayRef<Term> others);
  bool isNeeded(int64_t label, ArrayRef<Term> others) const;

  Lowering &lower;
  onnx::Node node;
  SmallVector<Term> terms;
  Labels output;
};
} // namespace

FailureOr<Labels> Einsum::parseLabels(StringRef subscripts, int64_t extra) {
  Labels labels;
  while (!subscripts.empty()) {
    if (subscripts.consume_front("...")) {
      for (int64_t i = extra; i > 0; --i)
        labels.push_back(-i);
      continue;
    }
    if (!llvm::isAlpha(subscripts.front())) {
      (void)lower.fail(node, "'" + Twine(subscripts.front()) +
                                 "' in the equation is not a subscript");
      return failure();
    }
    labels.push_back(subscripts.front());
    subscripts = subscripts.drop_front();
  }
  return labels;
}

LogicalResult Einsum::parse(StringRef equation) {
  std::string text = equation.str();
  llvm::erase(text, ' ');
  auto [inputs, result] = StringRef(text).split("->");
  bool isExplicit = StringRef(text).contains("->");
  SmallVector<StringRef> parts;
  inputs.split(parts, ',');
  if (parts.size() != node.getNumOperands())
    return lower.fail(node, "the equation has " + Twine(parts.size()) +
                                " terms for " + Twine(node.getNumOperands()) +
                                " operands");
  int64_t most = 0;
  std::map<int64_t, int64_t> uses;
  for (auto [i, part] : llvm::enumerate(parts)) {
    Value value = lower.operand(node, i);
    bool hasEllipsis = part.contains("...");
    int64_t letters = part.size() - (hasEllipsis ? 3 : 0);
    int64_t extra = hasEllipsis ? Lowering::rankOf(value) - letters : 0;
    most = std::max(most, extra);
    FailureOr<Labels> labels = parseLabels(part, extra);
    if (failed(labels))
      return failure();
    if (int64_t(labels->size()) != Lowering::rankOf(value))
      return lower.fail(node, "term '" + part + "' does not fit rank " +
                                  Twine(Lowering::rankOf(value)));
    for (int64_t label : *labels)
      ++uses[label];
    terms.push_back({value, *labels});
  }
  if (isExplicit) {
    FailureOr<Labels> labels = parseLabels(result, most);
    if (failed(labels))
      return failure();
    output = *labels;
    return success();
  }
  // The dimensions of the ellipsis sort before the letters by themselves.
  for (auto [label, count] : uses)
    if (label < 0 || count == 1)
      output.push_back(label);
  return success();
}

// A label that one term has twice keeps the elements where both indices are
// equal.
void Einsum::takeDiagonals(Term &term) {
  Terms f(lower, node);
  for (int64_t second = 1; second < int64_t(term.labels.size());) {
    auto *it = std::find(term.labels.begin(), term.labels.begin() + second,
                         term.labels[second]);
    int64_t first = it - term.labels.begin();
    if (first == second) {
      ++second;
      continue;
    }
    SmallVector<OpFoldResult> shape = lower.sizes(term.value);
    Type type = lower.b.getI64Type();
    Value isDiagonal =
        f.compare(ComparePredicate::eq, lower.iota(type, shape, first),
                  lower.iota(type, shape, second));
    term.value = lower.reduce(ReduceKind::sum,
                              f.select(isDiagonal, term.value, 0), {second},
                              /*keepDims=*/false);
    term.labels.erase(term.labels.begin() + second);
  }
}

void Einsum::unifySizes() {
  std::map<int64_t, OpFoldResult> sizes;
  for (Term &term : terms)
    for (auto [dim, label] : llvm::enumerate(term.labels)) {
      OpFoldResult size = lower.size(term.value, dim);
      auto [it, isNew] = sizes.try_emplace(label, size);
      if (!isNew)
        it->second = lower.broadcastSizes(it->second, size);
    }
  for (Term &term : terms) {
    SmallVector<OpFoldResult> shape;
    for (int64_t label : term.labels)
      shape.push_back(sizes[label]);
    term.value = lower.broadcastTo(term.value, shape);
  }
}

bool Einsum::isNeeded(int64_t label, ArrayRef<Term> others) const {
  return llvm::is_contained(output, label) ||
         llvm::any_of(others, [&](const Term &term) {
           return llvm::is_contained(term.labels, label);
         });
}

void Einsum::sumUnneeded(Term &term, ArrayRef<Term> others) {
  SmallVector<int64_t> axes;
  Labels kept;
  for (auto [dim, label] : llvm::enumerate(term.labels)) {
    if (isNeeded(label, others))
      kept.push_back(label);
    else
      axes.push_back(dim);
  }
  term.value = lower.reduce(ReduceKind::sum, term.value, axes, false);
  term.labels = kept;
}

Term Einsum::contract(Term lhs, Term rhs, ArrayRef<Term> others) {
  sumUnneeded(lhs, rhs);
  SmallVector<Term> rest(others);
  rest.push_back(lhs);
  sumUnneeded(rhs, rest);
  SmallVector<int64_t> lhsBatch, rhsBatch, lhsSummed, rhsSummed;
  Labels batch, free;
  for (auto [dim, label] : llvm::enumerate(lhs.labels)) {
    auto *it = llvm::find(rhs.labels, label);
    if (it == rhs.labels.end()) {
      free.push_back(label);
    } else if (isNeeded(label, others)) {
      lhsBatch.push_back(dim);
      rhsBatch.push_back(it - rhs.labels.begin());
      batch.push_back(label);
    } else {
      lhsSummed.push_back(dim);
      rhsSummed.push_back(it - rhs.labels.begin());
    }
  }
  for (int64_t label : rhs.labels)
    if (!llvm::is_contained(lhs.labels, label))
      free.push_back(label);
  Value value = lower.make<ContractOp>(lhs.value, rhs.value, ArrayRef(lhsBatch),
                                       ArrayRef(rhsBatch), ArrayRef(lhsSummed),
                                       ArrayRef(rhsSummed));
  batch.append(free);
  return {value, batch};
}

FailureOr<Value> Einsum::run() {
  if (failed(parse(node.getString("equation", ""))))
    return failure();
  for (Term &term : terms)
    takeDiagonals(term);
  unifySizes();
  Term total = terms.front();
  for (size_t i = 1; i < terms.size(); ++i)
    total = contract(total, terms[i], ArrayRef(terms).drop_front(i + 1));
  sumUnneeded(total, {});
  SmallVector<int64_t> permutation;
  for (int64_t label : output) {
    auto *it = llvm::find(total.labels, label);
    if (it == total.labels.end()) {
      (void)lower.fail(node, "the result has a subscript that no term has");
      return failure();
    }
    permutation.push_back(it - total.labels.begin());
  }
  return lower.transpose(total.value, permutation);
}

static LogicalResult lowerEinsum(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  FailureOr<Value> value = Einsum(lower, node).run();
  if (failed(value))
    return failure();
  results.push_back(*value);
  return success();
}

void weft::addEinsumLowerings(LoweringTable &table) {
  table["Einsum"] = lowerEinsum;
}
