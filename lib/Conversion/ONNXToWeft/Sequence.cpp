//===- Sequence.cpp - Sequences and optionals of known length -------------===//
//
// A sequence exists at compile time only, as the list of its tensors. An
// optional is the list of what it holds; an empty one holds one null value, so
// that it differs from an optional that holds an empty sequence.
//
// The slices of a tensor along an axis of symbolic size are no list. If nothing
// but SequenceAt and SequenceLength reads them, they stay one tensor, with that
// axis in front.
//
//===----------------------------------------------------------------------===//

#include "ControlFlowBody.h"
#include "Lowering.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace weft {

using Elements = SmallVector<Value>;

static bool isEmptyOptional(const Elements &elements) {
  return elements.size() == 1 && !elements.front();
}

/// The sequence that is operand `index`.
static FailureOr<Elements> sequenceOperand(Lowering &lower, onnx::Node node,
                                           unsigned index) {
  if (Value from = node.getOperand(index))
    if (std::optional<Elements> elements = lower.sequenceOf(from))
      return *elements;
  return lower.unsupported(node, "a sequence whose length is known at run time "
                                 "only");
}

/// The tensor of slices that stands for operand 0; null if it is another
/// sequence.
static Value slicesOperand(Lowering &lower, onnx::Node node) {
  Value slices = lower.operand(node, 0);
  return slices && isa<RankedTensorType>(slices.getType()) ? slices : Value();
}

/// Makes `elements` the node's result `index`.
static void yieldSequence(Lowering &lower, onnx::Node node, unsigned index,
                          Elements elements) {
  lower.mapSequence(node.getOperation()->getResult(index), std::move(elements));
}

/// The position that operand `index` holds, counted from the start of a list of
/// `size` places; `otherwise` if there is no such operand.
static FailureOr<int64_t> positionOperand(Lowering &lower, onnx::Node node,
                                          unsigned index, int64_t size,
                                          int64_t otherwise) {
  Value operand = lower.operand(node, index);
  if (!operand)
    return otherwise;
  std::optional<SmallVector<int64_t>> values = lower.constantInts(operand);
  if (!values)
    return lower.unsupported(node, "a position that is not constant");
  if (values->size() != 1)
    return lower.fail(node, "the position must have one element");
  int64_t position = values->front();
  if (position < -size || position > size)
    return lower.fail(node, "position " + Twine(position) +
                                " is outside a sequence of " + Twine(size));
  return position < 0 ? position + size : position;
}

//===----------------------------------------------------------------------===//
// Sequences from sequences
//===----------------------------------------------------------------------===//

static LogicalResult lowerConstruct(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  Elements elements;
  for (unsigned i = 0; i < node.getNumOperands(); ++i)
    elements.push_back(lower.operand(node, i));
  yieldSequence(lower, node, 0, elements);
  return success();
}

static LogicalResult lowerEmpty(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  yieldSequence(lower, node, 0, {});
  return success();
}

static LogicalResult lowerInsert(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  FailureOr<Elements> elements = sequenceOperand(lower, node, 0);
  if (failed(elements))
    return failure();
  FailureOr<int64_t> position =
      positionOperand(lower, node, 2, elements->size(), elements->size());
  if (failed(position))
    return failure();
  elements->insert(elements->begin() + *position, lower.operand(node, 1));
  yieldSequence(lower, node, 0, *elements);
  return success();
}

static LogicalResult lowerErase(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  FailureOr<Elements> elements = sequenceOperand(lower, node, 0);
  if (failed(elements))
    return failure();
  int64_t size = elements->size();
  FailureOr<int64_t> position = positionOperand(lower, node, 1, size, size - 1);
  if (failed(position))
    return failure();
  if (*position < 0 || *position >= size)
    return lower.fail(node, "there is no element to erase");
  elements->erase(elements->begin() + *position);
  yieldSequence(lower, node, 0, *elements);
  return success();
}

//===----------------------------------------------------------------------===//
// Tensors from sequences
//===----------------------------------------------------------------------===//

/// The tensors one after the other along a new axis.
static Value stack(Lowering &lower, ArrayRef<Value> elements, int64_t axis) {
  Elements rows;
  for (Value element : elements)
    rows.push_back(insertAxis(lower, element, axis));
  return lower.concat(rows, axis);
}

static LogicalResult lowerAt(Lowering &lower, onnx::Node node,
                             SmallVectorImpl<Value> &results) {
  if (Value slices = slicesOperand(lower, node)) {
    Value position = lower.reshape(lower.operand(node, 1), {});
    results.push_back(lower.make<GatherOp>(slices, position, 0));
    return success();
  }
  FailureOr<Elements> elements = sequenceOperand(lower, node, 0);
  if (failed(elements))
    return failure();
  Value operand = lower.operand(node, 1);
  bool sameTypes =
      !elements->empty() && llvm::all_of(*elements, [&](Value element) {
        return element.getType() == elements->front().getType();
      });
  if (!lower.constantInts(operand) && sameTypes &&
      Lowering::rankOf(operand) == 0) {
    // A position that only the run tells chooses among equals.
    results.push_back(
        lower.make<GatherOp>(stack(lower, *elements, 0), operand, 0));
    return success();
  }
  int64_t size = elements->size();
  FailureOr<int64_t> position = positionOperand(lower, node, 1, size, 0);
  if (failed(position))
    return failure();
  if (*position == size)
    return lower.fail(node, "position " + Twine(size) +
                                " is outside a sequence of " + Twine(size));
  results.push_back((*elements)[*position]);
  return success();
}

static LogicalResult lowerLength(Lowering &lower, onnx::Node node,
                                 SmallVectorImpl<Value> &results) {
  if (Value slices = slicesOperand(lower, node)) {
    results.push_back(lower.sizeTensor(lower.size(slices, 0)));
    return success();
  }
  FailureOr<Elements> elements = sequenceOperand(lower, node, 0);
  if (failed(elements))
    return failure();
  results.push_back(lower.splat(elements->size(), lower.b.getI64Type()));
  return success();
}

static LogicalResult lowerConcatFrom(Lowering &lower, onnx::Node node,
                                     SmallVectorImpl<Value> &results) {
  FailureOr<Elements> elements = sequenceOperand(lower, node, 0);
  if (failed(elements))
    return failure();
  if (elements->empty())
    return lower.fail(node, "the sequence is empty");
  bool isNew = node.getInt("new_axis", 0) != 0;
  int64_t rank = Lowering::rankOf(elements->front()) + isNew;
  FailureOr<int64_t> axis = lower.axis(node, node.getInt("axis", 0), rank);
  if (failed(axis))
    return failure();
  results.push_back(isNew ? stack(lower, *elements, *axis)
                          : lower.concat(*elements, *axis));
  return success();
}

//===----------------------------------------------------------------------===//
// SplitToSequence
//===----------------------------------------------------------------------===//

/// The sizes of the parts along the axis.
static FailureOr<SmallVector<OpFoldResult>>
partSizes(Lowering &lower, onnx::Node node, OpFoldResult whole) {
  Value split = lower.operand(node, 1);
  if (split && Lowering::rankOf(split) == 1) {
    if (Lowering::typeOf(split).isDynamicDim(0))
      return lower.unsupported(node, "a number of parts that is not known");
    return lower.indexValues(split);
  }
  std::optional<int64_t> total = getConstantIntValue(whole);
  if (!total)
    return lower.unsupported(node, "a symbolic size along the axis");
  int64_t part = 1;
  if (split) {
    std::optional<SmallVector<int64_t>> values = lower.constantInts(split);
    if (!values)
      return lower.unsupported(node, "a part size that is not constant");
    part = values->front();
    if (part <= 0)
      return lower.fail(node, "'split' must be positive");
  }
  SmallVector<OpFoldResult> sizes;
  for (int64_t begin = 0; begin < *total; begin += part)
    sizes.push_back(lower.index(std::min(part, *total - begin)));
  return sizes;
}

/// Whether slices along an axis of symbolic size may stay one tensor: parts
/// have size one, and nothing reads them but what takes them so.
static bool canStaySlices(Lowering &lower, onnx::Node node) {
  return !lower.operand(node, 1) &&
         llvm::all_of(node.getOperation()->getUsers(), [](Operation *user) {
           StringRef name = user->getName().getStringRef();
           return name == "onnx.SequenceAt" || name == "onnx.SequenceLength";
         });
}

/// The tensor with `axis` in front; with `keepAxis` it stays, with size one.
static Value slicesOf(Lowering &lower, Value input, int64_t axis,
                      bool keepAxis) {
  int64_t rank = Lowering::rankOf(input);
  SmallVector<int64_t> permutation{axis};
  for (int64_t dim : llvm::seq(rank))
    if (dim != axis)
      permutation.push_back(dim);
  Value front = lower.transpose(input, permutation);
  return keepAxis ? insertAxis(lower, front, axis + 1) : front;
}

static LogicalResult lowerSplit(Lowering &lower, onnx::Node node,
                                SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0);
  int64_t rank = Lowering::rankOf(input);
  FailureOr<int64_t> axis = lower.axis(node, node.getInt("axis", 0), rank);
  if (failed(axis))
    return failure();
  if (Lowering::typeOf(input).isDynamicDim(*axis) &&
      canStaySlices(lower, node)) {
    bool keepAxis = node.getInt("keepdims", 1) != 0;
    results.push_back(slicesOf(lower, input, *axis, keepAxis));
    return success();
  }
  FailureOr<SmallVector<OpFoldResult>> parts =
      partSizes(lower, node, lower.size(input, *axis));
  if (failed(parts))
    return failure();
  bool keepAxis = lower.operand(node, 1) || node.getInt("keepdims", 1);
  SmallVector<OpFoldResult> offsets(rank, lower.index(0));
  SmallVector<OpFoldResult> strides(rank, lower.index(1));
  SmallVector<OpFoldResult> sizes = lower.sizes(input);
  Elements elements;
  for (OpFoldResult part : *parts) {
    sizes[*axis] = part;
    Value element = lower.slice(input, offsets, sizes, strides);
    if (!keepAxis) {
      SmallVector<OpFoldResult> shape = sizes;
      shape.erase(shape.begin() + *axis);
      element = lower.reshape(element, shape);
    }
    elements.push_back(element);
    offsets[*axis] = lower.addSizes(offsets[*axis], part);
  }
  yieldSequence(lower, node, 0, elements);
  return success();
}

//===----------------------------------------------------------------------===//
// SequenceMap
//===----------------------------------------------------------------------===//

static LogicalResult lowerMap(Lowering &lower, onnx::Node node,
                              SmallVectorImpl<Value> &results) {
  Region *graph = node.getGraph("body");
  if (!graph)
    return lower.fail(node, "attribute 'body' is missing");
  FailureOr<Elements> first = sequenceOperand(lower, node, 0);
  if (failed(first))
    return failure();
  SmallVector<GraphValue> operands;
  for (unsigned i = 0; i < node.getNumOperands(); ++i) {
    FailureOr<GraphValue> operand = readValue(lower, node, node.getOperand(i));
    if (failed(operand))
      return failure();
    if (operand->elements && operand->elements->size() != first->size())
      return lower.fail(node, "sequences of " + Twine(first->size()) + " and " +
                                  Twine(operand->elements->size()) +
                                  " elements");
    operands.push_back(*operand);
  }
  SmallVector<Elements> mapped(node.getNumResults());
  for (size_t i = 0; i < first->size(); ++i) {
    SmallVector<GraphValue> arguments;
    for (const GraphValue &operand : operands)
      arguments.push_back(
          {operand.elements ? (*operand.elements)[i] : operand.tensor, {}});
    FailureOr<SmallVector<GraphValue>> yields =
        lowerNested(lower, node, *graph, arguments);
    if (failed(yields))
      return failure();
    for (auto [elements, value] : llvm::zip(mapped, *yields))
      elements.push_back(value.tensor);
  }
  for (auto [i, elements] : llvm::enumerate(mapped))
    yieldSequence(lower, node, i, elements);
  return success();
}

//===----------------------------------------------------------------------===//
// Optionals
//===----------------------------------------------------------------------===//

static LogicalResult lowerOptional(Lowering &lower, onnx::Node node,
                                   SmallVectorImpl<Value> &results) {
  Elements elements{Value()};
  if (Value from = node.getOperand(0)) {
    FailureOr<GraphValue> held = readValue(lower, node, from);
    if (failed(held))
      return failure();
    elements = held->elements ? *held->elements : Elements{held->tensor};
  }
  yieldSequence(lower, node, 0, elements);
  return success();
}

static LogicalResult lowerHasElement(Lowering &lower, onnx::Node node,
                                     SmallVectorImpl<Value> &results) {
  bool holds = false;
  if (Value from = node.getOperand(0)) {
    FailureOr<GraphValue> value = readValue(lower, node, from);
    if (failed(value))
      return failure();
    holds = !value->elements || !isEmptyOptional(*value->elements);
  }
  results.push_back(lower.splat(holds, lower.b.getI1Type()));
  return success();
}

static LogicalResult lowerGetElement(Lowering &lower, onnx::Node node,
                                     SmallVectorImpl<Value> &results) {
  Value from = node.getOperand(0);
  FailureOr<GraphValue> value =
      from ? readValue(lower, node, from) : FailureOr<GraphValue>(GraphValue{});
  if (failed(value))
    return failure();
  if (!from || (value->elements && isEmptyOptional(*value->elements)))
    return lower.fail(node, "the optional is empty");
  if (!value->elements) {
    results.push_back(value->tensor);
    return success();
  }
  Value result = node.getOperation()->getResult(0);
  if (isa<TensorType>(result.getType()))
    results.push_back(value->elements->front());
  else
    yieldSequence(lower, node, 0, *value->elements);
  return success();
}

void addSequenceLowerings(LoweringTable &table) {
  table["SequenceConstruct"] = lowerConstruct;
  table["SequenceEmpty"] = lowerEmpty;
  table["SequenceInsert"] = lowerInsert;
  table["SequenceErase"] = lowerErase;
  table["SequenceAt"] = lowerAt;
  table["SequenceLength"] = lowerLength;
  table["ConcatFromSequence"] = lowerConcatFrom;
  table["SplitToSequence"] = lowerSplit;
  table["SequenceMap"] = lowerMap;
  table["Optional"] = lowerOptional;
  table["OptionalHasElement"] = lowerHasElement;
  table["OptionalGetElement"] = lowerGetElement;
}

} // namespace weft
