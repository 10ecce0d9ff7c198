//===- BatchSizes.cpp - Arithmetic on sizes, done ahead -------------------===//

#include "Batch.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

using Entry = BatchAnalysis::Entry;
using Sizes = BatchAnalysis::Sizes;

/// Longer vectors are no sizes.
static constexpr size_t kMostEntries = 64;

std::optional<Sizes> BatchAnalysis::evaluateShape(const NodeProto &node) const {
  std::optional<Shape> shape = shapeOf(node.input(0));
  if (!shape)
    return std::nullopt;
  auto at = placeOf(node, 0);
  int64_t rank = shape->size();
  auto bound = [&](const char *name, int64_t otherwise) {
    int64_t value = getInt(node, name, otherwise);
    return std::clamp<int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  Sizes result;
  for (int64_t dim = bound("start", 0); dim < bound("end", rank); ++dim) {
    bool perSample = at && at->dim == dim;
    if ((*shape)[dim] < 0 ||
        (perSample && (*shape)[dim] != at->perSample() * batch))
      return std::nullopt;
    result.entries.push_back({(*shape)[dim], perSample});
  }
  return result;
}

/// Gather and Slice.
std::optional<Sizes> BatchAnalysis::evaluateParts(const NodeProto &node) const {
  std::optional<Sizes> data = valueOf(node, 0);
  if (!data || data->isScalar)
    return std::nullopt;
  int64_t size = data->entries.size();
  auto wrap = [&](int64_t index) { return index < 0 ? index + size : index; };
  Sizes result;
  if (node.op_type() == "Gather") {
    std::optional<Shape> indices = constantOf(node, 1);
    if (!indices)
      return std::nullopt;
    result.isScalar = valueOf(node, 1)->isScalar;
    for (int64_t index : *indices) {
      if (wrap(index) < 0 || wrap(index) >= size)
        return std::nullopt;
      result.entries.push_back(data->entries[wrap(index)]);
    }
    return result;
  }
  std::optional<Shape> starts = constantOf(node, 1), ends = constantOf(node, 2);
  std::optional<Shape> steps = constantOf(node, 4);
  if (!starts || !ends || starts->size() != 1 || ends->size() != 1 ||
      (node.input_size() > 4 && (!steps || steps->front() != 1)))
    return std::nullopt;
  int64_t begin = std::clamp<int64_t>(wrap(starts->front()), 0, size);
  int64_t end = std::clamp<int64_t>(wrap(ends->front()), 0, size);
  for (int64_t i = begin; i < end; ++i)
    result.entries.push_back(data->entries[i]);
  return result;
}

std::optional<Entry> BatchAnalysis::evaluateEntry(StringRef op, Entry a,
                                                  Entry b) const {
  int64_t x = a.number, y = b.number;
  if (op == "Mul" && !(a.perSample && b.perSample))
    return Entry{x * y, a.perSample || b.perSample};
  // The quotient must be exact for any batch.
  if (op == "Div" && a.perSample && !b.perSample && y > 0 && x / batch % y == 0)
    return Entry{x / y, true};
  // A size is never below zero, which stands for something else.
  if (op == "Equal" && a.perSample != b.perSample)
    return (a.perSample ? y : x) < 0 ? std::optional(Entry{0}) : std::nullopt;
  if (op == "Equal" && a.perSample && x != y)
    return std::nullopt;
  if (op == "Equal")
    return Entry{x == y};
  if (a.perSample || b.perSample)
    return std::nullopt;
  if (op == "Add")
    return Entry{x + y};
  if (op == "Sub")
    return Entry{x - y};
  if (op == "Div" && x >= 0 && y > 0)
    return Entry{x / y};
  if (op == "Mod" && x >= 0 && y > 0)
    return Entry{x % y};
  if (op == "Max")
    return Entry{std::max(x, y)};
  if (op == "Min")
    return Entry{std::min(x, y)};
  return std::nullopt;
}

/// Two operands, or a choice between them, element by element.
std::optional<Sizes>
BatchAnalysis::evaluateElements(const NodeProto &node) const {
  bool isChoice = node.op_type() == "Where";
  std::optional<Shape> choice = isChoice ? constantOf(node, 0) : Shape{1};
  std::optional<Sizes> a = valueOf(node, isChoice),
                       b = valueOf(node, isChoice + 1);
  if (!choice || !a || !b || node.input_size() != 2 + isChoice)
    return std::nullopt;
  Sizes result;
  result.isScalar =
      a->isScalar && b->isScalar && (!isChoice || valueOf(node, 0)->isScalar);
  size_t size =
      std::max({a->entries.size(), b->entries.size(), choice->size()});
  auto at = [](const auto &list, size_t i) {
    return list[list.size() == 1 ? 0 : i];
  };
  for (size_t i : llvm::seq(size)) {
    for (size_t own : {a->entries.size(), b->entries.size(), choice->size()})
      if (own != 1 && own != size)
        return std::nullopt;
    Entry left = at(a->entries, i), right = at(b->entries, i);
    std::optional<Entry> entry =
        isChoice ? (at(*choice, i) ? left : right)
                 : evaluateEntry(node.op_type(), left, right);
    if (!entry)
      return std::nullopt;
    result.entries.push_back(*entry);
  }
  return result;
}

std::optional<Sizes> BatchAnalysis::evaluate(const NodeProto &node) const {
  StringRef op = node.op_type();
  if (!node.domain().empty() || node.output_size() != 1 ||
      node.input_size() == 0)
    return std::nullopt;
  if (op == "Shape")
    return evaluateShape(node);
  if (op == "Gather" || op == "Slice")
    return evaluateParts(node);
  static const StringSet<> elementwise = {"Add", "Sub", "Mul",   "Div",  "Mod",
                                          "Max", "Min", "Equal", "Where"};
  if (elementwise.contains(op))
    return evaluateElements(node);
  std::optional<Sizes> value = valueOf(node, 0);
  if (op == "Concat") {
    Sizes result;
    for (int i = 0; i < node.input_size(); ++i) {
      std::optional<Sizes> part = valueOf(node, i);
      if (!part || part->isScalar)
        return std::nullopt;
      llvm::append_range(result.entries, part->entries);
    }
    return result.entries.size() <= kMostEntries ? std::optional(result)
                                                 : std::nullopt;
  }
  if (!value)
    return std::nullopt;
  bool isInteger = getInt(node, "to", 0) == TensorProto::INT64 ||
                   getInt(node, "to", 0) == TensorProto::INT32;
  if (op == "Identity" || (op == "Cast" && isInteger))
    return value;
  std::optional<Shape> sizes = constantOf(node, 1);
  bool isSingle = value->entries.size() == 1;
  if (op == "Squeeze" && isSingle)
    return Sizes{value->entries, /*isScalar=*/true};
  if (op == "Unsqueeze" && value->isScalar && sizes && sizes->size() == 1)
    return Sizes{value->entries, false};
  if (op == "Reshape" && sizes && sizes->size() <= 1)
    return Sizes{value->entries, sizes->empty()};
  // A vector of equal numbers.
  std::optional<Shape> length = constantOf(node, 0);
  auto splat = splats.find(node.output(0));
  if (op == "ConstantOfShape" && length && length->size() == 1 &&
      splat != splats.end() &&
      splat->second.data_type() == TensorProto::INT64 &&
      uint64_t(length->front()) <= kMostEntries) {
    int64_t number;
    memcpy(&number, splat->second.raw_data().data(), sizeof number);
    return Sizes{SmallVector<Entry>(length->front(), Entry{number}), false};
  }
  return std::nullopt;
}

/// Replaces a node by its value, if that is the same for any batch and its type
/// is known. Returns whether it was.
bool BatchAnalysis::makeConstant(NodeProto &node, const Sizes &value) const {
  int32_t type = elementTypes.lookup(node.output(0));
  bool isFixed =
      llvm::none_of(value.entries, [](Entry entry) { return entry.perSample; });
  if (!isFixed || (type != TensorProto::INT64 && type != TensorProto::INT32 &&
                   type != TensorProto::BOOL))
    return false;
  TensorProto tensor;
  tensor.set_data_type(type);
  if (!value.isScalar)
    tensor.add_dims(value.entries.size());
  for (Entry entry : value.entries)
    if (type == TensorProto::INT64)
      tensor.add_int64_data(entry.number);
    else
      tensor.add_int32_data(entry.number);
  NodeProto constant;
  constant.set_op_type("Constant");
  constant.set_name(node.name());
  constant.add_output(node.output(0));
  AttributeProto &attr = *constant.add_attribute();
  attr.set_name("value");
  attr.set_type(AttributeProto::TENSOR);
  *attr.mutable_t() = tensor;
  node = constant;
  return true;
}
