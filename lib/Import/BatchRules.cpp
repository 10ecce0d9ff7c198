//===- BatchRules.cpp - What operators do with a batch --------------------===//

#include "Batch.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cstring>

using namespace llvm;
using namespace weft;
using namespace weft::importer;
using ::onnx::AttributeProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

using Shape = BatchAnalysis::Shape;

//===----------------------------------------------------------------------===//
// What rules have in common
//===----------------------------------------------------------------------===//

int64_t weft::importer::getInt(const NodeProto &node, StringRef name,
                               int64_t otherwise) {
  for (const AttributeProto &attr : node.attribute())
    if (attr.name() == name)
      return attr.i();
  return otherwise;
}

int64_t weft::importer::count(ArrayRef<int64_t> axes, int64_t axis,
                              int64_t rank) {
  return llvm::count_if(
      axes, [&](int64_t one) { return (one < 0 ? one + rank : one) == axis; });
}

int64_t weft::importer::multiply(ArrayRef<int64_t> sizes) {
  int64_t product = 1;
  for (int64_t size : sizes)
    if (size < 0 || MulOverflow(product, size, product))
      return -1;
  return product;
}

/// Checks the operands from `first` on to be the same for all samples.
Error BatchAnalysis::checkAlone(NodeProto &node, int first) const {
  for (int i = first; i < node.input_size(); ++i)
    if (places.contains(node.input(i)) || sizes.contains(node.input(i)))
      return fail(node, "operand '" + node.input(i) +
                            "' depends on the batch, which there is no rule "
                            "for");
  return Error::success();
}

Error BatchAnalysis::checkAxis(NodeProto &node, int64_t axis, int64_t rank,
                               BatchPlace at) const {
  if ((axis < 0 ? axis + rank : axis) != at.dim)
    return Error::success();
  return fail(node, "it works along the dimension of the batch");
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

/// Operands that have no samples must have one entry, or no dimension, where
/// the others have them.
Error BatchAnalysis::broadcast(NodeProto &node) {
  int64_t rank = 0;
  for (const std::string &input : node.input()) {
    if (input.empty())
      continue;
    Expected<Shape> shape = needShape(node, input);
    if (!shape)
      return shape.takeError();
    rank = std::max<int64_t>(rank, shape->size());
  }
  std::optional<BatchPlace> found;
  for (const std::string &input : node.input())
    if (auto at = getPlace(input)) {
      at->dim += rank - int64_t(shapeOf(input)->size());
      if (found && *found != *at)
        return fail(node, "its operands have the batch in different places");
      found = at;
    }
  for (int i = 0; i < node.input_size(); ++i) {
    std::string input = node.input(i);
    if (input.empty() || getPlace(input))
      continue;
    if (sizes.contains(input))
      return fail(node, "it computes with the size of the batch");
    Shape shape = *shapeOf(input);
    int64_t dim = found->dim - (rank - int64_t(shape.size()));
    if (dim >= 0 && shape[dim] != 1 && !shrink(node, i, dim))
      return fail(node, "operand '" + input + "' has " + Twine(shape[dim]) +
                            " entries where the samples are");
  }
  placeAll(node, *found);
  return Error::success();
}

/// Samples are the first dimension of the first operand and of all results that
/// have more than one; the other operands are weights.
Error BatchAnalysis::samplesFirst(NodeProto &node) {
  auto at = placeOf(node, 0);
  if (!at || *at != BatchPlace{0})
    return fail(node, "the batch is not its operand's first dimension");
  if (Error error = checkAlone(node, 1))
    return error;
  // The others are statistics of a batch.
  place(node, 0, *at);
  if (node.op_type() == "MaxPool")
    placeAll(node, *at);
  return Error::success();
}

/// One dimension is looked at as a whole, the others entry by entry.
Error BatchAnalysis::alongAxis(NodeProto &node) {
  auto at = placeOf(node, 0);
  if (Error error = checkAlone(node, at ? 1 : 0))
    return error;
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  bool isFirst = node.op_type() == "Split";
  int64_t axis = getInt(node, "axis", isFirst ? 0 : -1);
  if (node.op_type() == "CumSum") {
    auto value = constantOf(node, 1);
    if (!value || value->size() != 1)
      return fail(node, "its axis is not known");
    axis = value->front();
  }
  if (Error error = checkAxis(node, axis, shape->size(), *at))
    return error;
  placeAll(node, *at);
  return Error::success();
}

/// From an axis on all dimensions are looked at as a whole.
Error BatchAnalysis::normalize(NodeProto &node) {
  auto at = placeOf(node, 0);
  if (Error error = checkAlone(node, at ? 1 : 0))
    return error;
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  int64_t axis = getInt(node, "axis", -1);
  if (at->dim >= (axis < 0 ? axis + int64_t(shape->size()) : axis))
    return fail(node, "it works along the dimension of the batch");
  placeAll(node, *at);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Error BatchAnalysis::reduce(NodeProto &node) {
  auto at = placeOf(node, 0);
  if (!at)
    return fail(node, "its axes depend on the batch");
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  int64_t rank = shape->size();
  bool hasAxes = node.input_size() > 1 && !node.input(1).empty();
  std::optional<Shape> axes = listOf(node, 1, "axes");
  if (hasAxes && !axes)
    return fail(node, "its axes are not known");
  if (!axes || axes->empty()) {
    if (!getInt(node, "noop_with_empty_axes", 0))
      return fail(node, "it reduces the samples of a batch to one value");
    axes = Shape();
  }
  if (count(*axes, at->dim, rank))
    return fail(node, "it reduces the samples of a batch to one value");
  int64_t dim = at->dim;
  if (!getInt(node, "keepdims", 1))
    for (int64_t other : llvm::seq(at->dim))
      dim -= count(*axes, other, rank);
  place(node, 0, at->movedTo(dim));
  return Error::success();
}

/// ArgMax and ArgMin.
Error BatchAnalysis::argument(NodeProto &node) {
  auto at = placeOf(node, 0);
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  int64_t rank = shape->size(), axis = getInt(node, "axis", 0);
  if (Error error = checkAxis(node, axis, rank, *at))
    return error;
  axis = axis < 0 ? axis + rank : axis;
  bool isDropped = !getInt(node, "keepdims", 1) && axis < at->dim;
  place(node, 0, at->movedTo(at->dim - isDropped));
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Error BatchAnalysis::matMul(NodeProto &node) {
  Expected<Shape> left = needShape(node, node.input(0));
  if (!left)
    return left.takeError();
  Expected<Shape> right = needShape(node, node.input(1));
  if (!right)
    return right.takeError();
  auto a = placeOf(node, 0), b = placeOf(node, 1);
  int64_t rankA = left->size(), rankB = right->size();
  int64_t rank = std::max({rankA, rankB, int64_t(2)});
  // As if both had as many dimensions as the larger one.
  auto align = [&](std::optional<BatchPlace> &at, int64_t own, bool isRight) {
    if (at)
      at->dim += own == 1 ? rank - 1 - isRight : rank - own;
  };
  align(a, rankA, false);
  align(b, rankB, true);
  if ((a && a->dim == rank - 1) || (b && b->dim == rank - 2))
    return fail(node, "it sums over the samples of a batch");
  // Where a row or column of the result is a sample, the other operand has no
  // say in it.
  auto isOuter = [&](const std::optional<BatchPlace> &at) {
    return at && at->dim < rank - 2;
  };
  if ((a && b && !(isOuter(a) && *a == *b)))
    return fail(node, "its operands have the batch in different places");
  const Shape &other = a ? *right : *left;
  BatchPlace found = a ? *a : *b;
  int64_t dim = found.dim - (rank - int64_t(other.size()));
  if (!(a && b) && isOuter(found) && dim >= 0 && other[dim] != 1)
    return fail(node, "operand '" + node.input(a ? 1 : 0) + "' has " +
                          Twine(other[dim]) + " entries where the samples are");
  // The dimensions of vectors are not there.
  if (rankA == 1 && found.dim == rank - 1)
    --found.dim;
  place(node, 0, found);
  return Error::success();
}

Error BatchAnalysis::gemm(NodeProto &node) {
  auto a = placeOf(node, 0);
  if (!a || placeOf(node, 1))
    return fail(node, "its second operand depends on the batch");
  if (a->dim != getInt(node, "transA", 0))
    return fail(node, "it sums over the samples of a batch");
  if (node.input_size() > 2 && !node.input(2).empty()) {
    auto c = placeOf(node, 2);
    Expected<Shape> shape = needShape(node, node.input(2));
    if (!shape)
      return shape.takeError();
    if (c && *c != a->movedTo(0))
      return fail(node, "its operands have the batch in different places");
    if (!c && shape->size() == 2 && shape->front() != 1)
      return fail(node, "operand '" + node.input(2) + "' has " +
                            Twine(shape->front()) +
                            " entries where the samples are");
  }
  place(node, 0, a->movedTo(0));
  return Error::success();
}

Error BatchAnalysis::einsum(NodeProto &node) {
  std::string equation;
  for (const AttributeProto &attr : node.attribute())
    if (attr.name() == "equation")
      equation = attr.s();
  llvm::erase(equation, ' ');
  auto [terms, result] = StringRef(equation).split("->");
  if (equation.find("->") == std::string::npos || terms.contains('.'))
    return fail(node, "there is no rule for equations such as this");
  SmallVector<StringRef> parts;
  terms.split(parts, ',');
  std::optional<char> letter;
  BatchPlace found{0};
  for (auto [i, part] : llvm::enumerate(parts))
    if (auto at = placeOf(node, i)) {
      if (letter && (*letter != part[at->dim] || found != at->movedTo(0)))
        return fail(node, "its operands have the batch in different places");
      letter = part[at->dim];
      found = at->movedTo(0);
    }
  for (auto [i, part] : llvm::enumerate(parts))
    if (!placeOf(node, i) && part.contains(*letter))
      return fail(node, "operand '" + node.input(i) +
                            "' has entries where the samples are");
  if (result.count(*letter) != 1)
    return fail(node, "it sums over the samples of a batch");
  place(node, 0, found.movedTo(result.find(*letter)));
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

/// LSTM, GRU and RNN. States to begin with are often made for the fixed batch.
Error BatchAnalysis::recurrent(NodeProto &node) {
  bool samplesFirst = getInt(node, "layout", 0) == 1;
  int64_t dim = samplesFirst ? 0 : 1;
  auto at = placeOf(node, 0);
  if (!at || *at != BatchPlace{dim})
    return fail(node, "the batch is not where its operand must have it");
  for (int i : {1, 2, 3, 7})
    if (placeOf(node, i))
      return fail(node, "its weights depend on the batch");
  std::string x = node.input(0);
  for (int i = 4; i < std::min(node.input_size(), 7); ++i) {
    int64_t own = i == 4 ? 0 : dim;
    if (node.input(i).empty() || placeOf(node, i) == BatchPlace{own})
      continue;
    auto shape = shapeOf(node.input(i));
    auto splat = splats.find(node.input(i));
    bool isZero = splat != splats.end() &&
                  llvm::all_of(splat->second.raw_data(),
                               [](char byte) { return byte == 0; });
    bool isOne = shape && (*shape)[own] == 1;
    if (i > 4 && isZero)
      node.set_input(i, ""); // zeros is what it begins with anyway
    else if (!getPlace(node.input(i)) && (isOne || shrink(node, i, own)))
      spread(node, i, own, x, dim);
    else
      return fail(node, "operand '" + node.input(i) +
                            "' is not one entry that all samples could have");
  }
  place(node, 0, {samplesFirst ? 0 : 2});
  place(node, 1, {dim});
  place(node, 2, {dim});
  return Error::success();
}

Error BatchAnalysis::pad(NodeProto &node) {
  auto at = placeOf(node, 0);
  std::optional<Shape> pads = constantOf(node, 1), axes = constantOf(node, 3);
  bool hasAxes = node.input_size() > 3 && !node.input(3).empty();
  if (!at || !pads || (hasAxes && !axes))
    return fail(node, "what it adds is not known");
  int64_t number = pads->size() / 2;
  int64_t rank = shapeOf(node.input(0))->size();
  for (int64_t i : llvm::seq(number)) {
    int64_t axis = axes ? (*axes)[i] : i;
    if ((axis < 0 ? axis + rank : axis) == at->dim &&
        ((*pads)[i] || (*pads)[i + number]))
      return fail(node, "it adds samples to a batch");
  }
  placeAll(node, *at);
  return Error::success();
}

Error BatchAnalysis::tile(NodeProto &node) {
  auto at = placeOf(node, 0);
  std::optional<Shape> repeats = constantOf(node, 1);
  if (!at || !repeats || (*repeats)[at->dim] != 1)
    return fail(node, "it repeats the samples of a batch");
  placeAll(node, *at);
  return Error::success();
}

/// Sizes are given for all dimensions, or, in `axes`, for some.
Error BatchAnalysis::resize(NodeProto &node) {
  auto at = placeOf(node, 0);
  if (!at || *at != BatchPlace{0})
    return fail(node, "the batch is not its operand's first dimension");
  if (Error error = checkAlone(node, 1))
    return error;
  place(node, 0, *at);
  std::optional<Shape> wanted = constantOf(node, 3);
  std::optional<Shape> axes = listOf(node, -1, "axes");
  bool hasSizes = node.input_size() > 3 && !node.input(3).empty();
  int64_t rank = shapeOf(node.input(0))->size();
  bool isRest = axes && !count(*axes, 0, rank);
  if (!hasSizes || isRest) // scales are the same for any batch
    return Error::success();
  if (!wanted || axes || wanted->front() != batch)
    return fail(node, "its sizes are not known");
  AttributeProto &attr = *node.add_attribute();
  attr.set_name("axes");
  attr.set_type(AttributeProto::INTS);
  for (int64_t dim : llvm::seq<int64_t>(1, rank))
    attr.add_ints(dim);
  setConstant(node, 3, ArrayRef(*wanted).drop_front());
  return Error::success();
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

const StringMap<BatchAnalysis::Rule> &BatchAnalysis::getRules() {
  using A = BatchAnalysis;
  static const StringMap<Rule> rules = [] {
    std::pair<Rule, const char *> lists[] = {
        {&A::broadcast,
         "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd "
         "BitwiseNot BitwiseOr BitwiseXor Cast Ceil Celu Clip Cos "
         "Cosh Div Dropout Elu Equal Erf Exp Floor Gelu Greater "
         "GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu "
         "Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow "
         "Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus "
         "Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor"},
        {&A::samplesFirst,
         "AveragePool BatchNormalization Conv ConvTranspose DepthToSpace "
         "GlobalAveragePool GlobalLpPool GlobalMaxPool GroupNormalization "
         "InstanceNormalization LRN LpPool MaxPool SpaceToDepth"},
        {&A::alongAxis, "CumSum Hardmax LogSoftmax LpNormalization Softmax "
                        "Split TopK"},
        {&A::normalize, "LayerNormalization RMSNormalization"},
        {&A::reduce, "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax "
                     "ReduceMean ReduceMin ReduceProd ReduceSum "
                     "ReduceSumSquare"},
        {&A::argument, "ArgMax ArgMin"},
        {&A::transpose, "Transpose"},
        {&A::squeeze, "Squeeze"},
        {&A::unsqueeze, "Unsqueeze"},
        {&A::flatten, "Flatten"},
        {&A::reshape, "Reshape"},
        {&A::expand, "Expand"},
        {&A::constantOfShape, "ConstantOfShape"},
        {&A::concat, "Concat"},
        {&A::slice, "Slice"},
        {&A::gather, "Gather"},
        {&A::gatherElements, "GatherElements ScatterElements"},
        {&A::matMul, "MatMul"},
        {&A::gemm, "Gemm"},
        {&A::einsum, "Einsum"},
        {&A::recurrent, "GRU LSTM RNN"},
        {&A::pad, "Pad"},
        {&A::tile, "Tile"},
        {&A::resize, "Resize"},
    };
    StringMap<Rule> table;
    for (auto [rule, operators] : lists) {
      SmallVector<StringRef> list;
      StringRef(operators).split(list, ' ');
      for (StringRef name : list)
        table[name] = rule;
    }
    return table;
  }();
  return rules;
}
