//===- Lowering.cpp - Walking ONNX nodes in order -------------------------===//

#include "Lowering.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace weft;

Lowering::Lowering(const LoweringTable &table, Operation *root)
    : b(root->getLoc(), root->getContext()), table(table) {}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

static bool isOnnxOp(Operation *op) {
  return op->getName().getDialectNamespace() == "onnx";
}

static std::string toString(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// The key of a node in the table: its op name without the dialect's prefix.
static StringRef getTableKey(Operation *op) {
  return op->getName().getStringRef().drop_front(StringRef("onnx.").size());
}

Value Lowering::lookup(Value from) const {
  if (Value to = mapping.lookupOrNull(from))
    return to;
  Operation *producer = from.getDefiningOp();
  if (producer && !isOnnxOp(producer))
    return from;
  return {};
}

void Lowering::map(Value from, Value to) {
  auto type = dyn_cast<RankedTensorType>(to.getType());
  if (independents.contains(from) && type &&
      isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(
          type.getElementType()))
    to = IndependentOp::create(b, to, onnx::getValueName(from));
  mapping.map(from, to);
}

Value Lowering::operand(onnx::Node node, unsigned index) {
  Value from = node.getOperand(index);
  return from ? lookup(from) : Value();
}

bool Lowering::haveOperands(onnx::Node node) const {
  for (unsigned i = 0; i < node.getNumOperands(); ++i) {
    Value from = node.getOperand(i);
    if (from && !lookup(from) && !sequences.contains(from))
      return false;
  }
  return true;
}

void Lowering::lowerBlock(Block &block) {
  for (Operation &op : block.without_terminator()) {
    if (isOnnxOp(&op)) {
      if (getTableKey(&op) != "none")
        lowerNode(onnx::Node(&op));
      continue;
    }
    // An argument may stand for itself, held apart.
    if (isa<IndependentOp>(op))
      continue;
    for (OpOperand &operand : op.getOpOperands())
      if (Value to = mapping.lookupOrNull(operand.get()))
        operand.set(to);
  }
}

void Lowering::lowerNode(onnx::Node node) {
  auto rule = table.find(getTableKey(node.getOperation()));
  if (rule == table.end()) {
    (void)unsupported(node, "there is no lowering of this operator");
    return;
  }
  // A node that lacks an operand because its producer was refused is not at
  // fault itself.
  if (!haveOperands(node))
    return;
  Location before = b.getLoc();
  b.setLoc(node.getLoc());
  llvm::scope_exit restore([&] { b.setLoc(before); });

  for (unsigned i = 0; i < node.getNumOperands(); ++i) {
    Value value = operand(node, i);
    auto type = value ? dyn_cast<TensorType>(value.getType()) : TensorType();
    if (!type)
      continue;
    if (!type.hasRank()) {
      (void)unsupported(node,
                        "the rank of operand " + Twine(i) + " is not known");
      return;
    }
    if (!type.getElementType().isIntOrFloat()) {
      (void)unsupported(node, "operand " + Twine(i) + " has elements of type " +
                                  toString(type.getElementType()));
      return;
    }
  }
  Block *block = b.getInsertionBlock();
  Operation *last = b.getInsertionPoint() == block->begin()
                        ? nullptr
                        : &*std::prev(b.getInsertionPoint());
  SmallVector<Value> results;
  if (failed(rule->second(*this, node, results)))
    return;
  if (succeeded(checkBehind(node, block, last)))
    mapResults(node, results);
}

/// `lowered`, where it does not know a size that `declared` knows, with it.
static RankedTensorType refine(RankedTensorType lowered, Type declared) {
  auto known = dyn_cast<RankedTensorType>(declared);
  if (!known || known.getRank() != lowered.getRank())
    return lowered;
  SmallVector<int64_t> shape(lowered.getShape());
  for (auto [size, other] : llvm::zip_equal(shape, known.getShape()))
    if (ShapedType::isDynamic(size))
      size = other;
  return lowered.clone(shape);
}

LogicalResult Lowering::checkResult(onnx::Node node, unsigned index,
                                    RankedTensorType type,
                                    TensorType declared) {
  Value value = node.getOperation()->getResult(index);
  std::string result = "result '" + onnx::getValueName(value) + "'";
  if (type.getElementType() != declared.getElementType())
    return fail(node, result + " has elements of type " +
                          toString(type.getElementType()) +
                          ", the model declares " +
                          toString(declared.getElementType()));
  for (auto [dim, size] : llvm::enumerate(type.getShape()))
    if (size < 0 && !ShapedType::isDynamic(size))
      return fail(node, "dimension " + Twine(dim) + " of " + result +
                            " has the size " + Twine(size));
  if (isTooLarge(type))
    return unsupported(node, result + " has the type " + toString(type) +
                                 ": more than 2^48 bytes");
  return success();
}

bool Lowering::isTooLarge(ShapedType type) {
  constexpr int64_t maxBytes = int64_t(1) << 48;
  int64_t bytes = 8;
  for (int64_t size : type.getShape())
    if (size > 0 && llvm::MulOverflow(bytes, size, bytes))
      return !llvm::is_contained(type.getShape(), 0);
  return bytes > maxBytes && !llvm::is_contained(type.getShape(), 0);
}

void Lowering::mapResults(onnx::Node node, ArrayRef<Value> results) {
  ValueRange from = node.getOperation()->getResults();
  for (auto [index, result] : llvm::enumerate(results)) {
    Value value = result;
    if (!value || index >= from.size())
      continue;
    auto type = dyn_cast<RankedTensorType>(value.getType());
    auto declared = dyn_cast<TensorType>(from[index].getType());
    if (type && declared && failed(checkResult(node, index, type, declared)))
      return;
    if (type && declared) {
      RankedTensorType refined = refine(type, declared);
      if (refined != type)
        value = tensor::CastOp::create(b, refined, value);
    }
    map(from[index], value);
  }
}

//===----------------------------------------------------------------------===//
// Nested graphs and sequences
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Value>> Lowering::lowerGraph(Region &graph,
                                                   ArrayRef<Value> arguments) {
  Block &block = graph.front();
  for (auto [from, to] : llvm::zip(block.getArguments(), arguments))
    if (to)
      map(from, to);
  lowerBlock(block);
  SmallVector<Value> yields;
  for (Value from : block.back().getOperands()) {
    Value to = lookup(from);
    if (!to)
      return failure();
    yields.push_back(to);
  }
  return yields;
}

void Lowering::mapSequence(Value from, SmallVector<Value> elements) {
  sequences[from] = std::move(elements);
}

std::optional<SmallVector<Value>> Lowering::sequenceOf(Value from) {
  auto it = sequences.find(from);
  if (it == sequences.end())
    return std::nullopt;
  return it->second;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

RankedTensorType Lowering::typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

int64_t Lowering::rankOf(Value value) { return typeOf(value).getRank(); }

Type Lowering::elementOf(Value value) { return typeOf(value).getElementType(); }

FailureOr<int64_t> Lowering::axis(onnx::Node node, int64_t axis, int64_t rank) {
  if (axis >= -rank && axis < rank)
    return axis < 0 ? axis + rank : axis;
  (void)fail(node, "axis " + Twine(axis) + " is outside rank " + Twine(rank));
  return failure();
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

LogicalResult Lowering::fail(onnx::Node node, const Twine &message) {
  hasFailed = true;
  std::string operands = describeOperands(node);
  return emitError(node.getLoc())
         << "WFT2001: node '" << node.getName() << "' (" << node.getOpType()
         << "): " << message.str() << (operands.empty() ? "" : "; operands: ")
         << operands;
}

LogicalResult Lowering::unsupported(onnx::Node node, const Twine &message) {
  unsupportedNodes.push_back({node.getLoc(), node.getName(),
                              getTableKey(node.getOperation()).str(),
                              message.str()});
  return failure();
}
