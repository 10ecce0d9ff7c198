//===- NodeOps.cpp - Ops of the onnx dialect, made from schemas -----------===//

#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace weft::onnx;

namespace {

/// Nodes compute, and do nothing else. Random ones are not merged all the same:
/// no two nodes give their results one name.
struct NoEffects : MemoryEffectOpInterface::FallbackModel<NoEffects> {
  void getEffects(Operation *,
                  SmallVectorImpl<MemoryEffects::EffectInstance> &) const {}
};

} // namespace

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

static LogicalResult verifyCount(Operation *op, StringRef what, unsigned count,
                                 unsigned least, unsigned most) {
  if (count >= least && count <= most)
    return success();
  InFlightDiagnostic diag = op->emitOpError("takes ") << least;
  if (most == std::numeric_limits<int>::max())
    diag << " or more";
  else if (most != least)
    diag << " to " << most;
  return diag << " " << what << ", has " << count;
}

template <typename T> static bool isArrayOf(Attribute attr) {
  auto array = dyn_cast<ArrayAttr>(attr);
  return array && llvm::all_of(array, llvm::IsaPred<T>);
}

static bool isTensorAttr(Attribute attr) {
  auto typed = dyn_cast<TypedAttr>(attr);
  return typed && isa<RankedTensorType>(typed.getType());
}

static bool isOfKind(Attribute attr, AttrKind kind) {
  switch (kind) {
  case AttrKind::Float: {
    auto number = dyn_cast<FloatAttr>(attr);
    return number && number.getType().isF32();
  }
  case AttrKind::Int: {
    auto number = dyn_cast<IntegerAttr>(attr);
    return number && number.getType().isSignlessInteger(64);
  }
  case AttrKind::String:
    return isa<StringAttr>(attr);
  case AttrKind::Tensor:
    return isTensorAttr(attr);
  case AttrKind::Graph:
    return false;
  case AttrKind::Floats:
    return isa<DenseF32ArrayAttr>(attr);
  case AttrKind::Ints:
    return isa<DenseI64ArrayAttr>(attr);
  case AttrKind::Strings:
    return isArrayOf<StringAttr>(attr);
  case AttrKind::Tensors: {
    auto array = dyn_cast<ArrayAttr>(attr);
    return array && llvm::all_of(array, isTensorAttr);
  }
  case AttrKind::Type:
    return isa<TypeAttr>(attr);
  case AttrKind::Types:
    return isArrayOf<TypeAttr>(attr);
  }
  llvm_unreachable("unknown kind of attribute");
}

static StringRef describe(AttrKind kind) {
  static constexpr StringRef words[] = {
      "an f32",   "an i64",      "a string",    "a tensor",
      "a region", "f32 numbers", "i64 numbers", "strings",
      "tensors",  "a type",      "types"};
  return words[static_cast<unsigned>(kind)];
}

static LogicalResult verifyAttributes(Operation *op, const NodeSchema &schema) {
  for (NamedAttribute attr : op->getAttrs()) {
    StringRef name = attr.getName();
    // Other dialects may attach what they like.
    if (name.contains('.'))
      continue;
    const AttrSchema *known = schema.findAttribute(name);
    if (!known)
      return op->emitOpError("has no attribute '") << name << "' in ONNX";
    if (!isOfKind(attr.getValue(), known->kind))
      return op->emitOpError("attribute '")
             << name << "' is " << attr.getValue() << ", wanted "
             << describe(known->kind);
  }
  auto graphs = op->getAttrOfType<ArrayAttr>("weft.graphs");
  for (const AttrSchema &attr : schema.attributes) {
    if (!attr.required)
      continue;
    bool there = attr.kind == AttrKind::Graph
                     ? graphs && llvm::is_contained(
                                     graphs, StringAttr::get(op->getContext(),
                                                             attr.name))
                     : op->hasAttr(attr.name);
    if (!there)
      return op->emitOpError("lacks attribute '") << attr.name << "'";
  }
  return success();
}

static LogicalResult verifyNames(Operation *op, const NodeSchema &schema) {
  Attribute outputs = op->getAttr("weft.outputs");
  if (outputs && (!isArrayOf<StringAttr>(outputs) ||
                  cast<ArrayAttr>(outputs).size() != op->getNumResults()))
    return op->emitOpError("'weft.outputs' is ")
           << outputs << ", wanted one string per result";
  Attribute graphs = op->getAttr("weft.graphs");
  size_t numGraphs = 0;
  if (graphs) {
    if (!isArrayOf<StringAttr>(graphs))
      return op->emitOpError("'weft.graphs' is ")
             << graphs << ", wanted one string per region";
    numGraphs = cast<ArrayAttr>(graphs).size();
    for (auto name : cast<ArrayAttr>(graphs).getAsRange<StringAttr>()) {
      const AttrSchema *known = schema.findAttribute(name);
      if (!known || known->kind != AttrKind::Graph)
        return op->emitOpError("has no graph '") << name.getValue() << "'";
    }
  }
  if (numGraphs != op->getNumRegions())
    return op->emitOpError("has ") << op->getNumRegions() << " regions and "
                                   << numGraphs << " names in 'weft.graphs'";
  return success();
}

static LogicalResult verifyNode(Operation *op, const NodeSchema &schema) {
  if (failed(verifyCount(op, "operands", op->getNumOperands(),
                         schema.minOperands, schema.maxOperands)) ||
      failed(verifyCount(op, "results", op->getNumResults(), schema.minResults,
                         schema.maxResults)) ||
      failed(verifyNames(op, schema)))
    return failure();
  return verifyAttributes(op, schema);
}

static LogicalResult verifyGraphs(Operation *op) {
  for (Region &region : op->getRegions()) {
    if (!region.hasOneBlock())
      return op->emitOpError("region #")
             << region.getRegionNumber() << " wants exactly one block";
    Block &block = region.front();
    if (block.empty() || !isa<YieldOp>(block.back()))
      return op->emitOpError("region #")
             << region.getRegionNumber() << " must end in 'onnx.yield'";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Syntax
//===----------------------------------------------------------------------===//

// name(operands) (regions)? attributes? : function-type

static ParseResult parseNode(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  FunctionType type;
  if (parser.parseOperandList(operands, OpAsmParser::Delimiter::Paren))
    return failure();
  if (succeeded(parser.parseOptionalLParen())) {
    do {
      if (parser.parseRegion(*state.addRegion()))
        return failure();
    } while (succeeded(parser.parseOptionalComma()));
    if (parser.parseRParen())
      return failure();
  }
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOptionalAttrDict(state.attributes) ||
      parser.parseColonType(type))
    return failure();
  state.addTypes(type.getResults());
  return parser.resolveOperands(operands, type.getInputs(), loc,
                                state.operands);
}

static void printNode(Operation *op, OpAsmPrinter &printer) {
  printer << op->getName() << "(";
  printer.printOperands(op->getOperands());
  printer << ")";
  if (op->getNumRegions() != 0) {
    printer << " (";
    llvm::interleaveComma(op->getRegions(), printer,
                          [&](Region &region) { printer.printRegion(region); });
    printer << ")";
  }
  printer.printOptionalAttrDict(op->getAttrs());
  printer << " : ";
  printer.printFunctionalType(op);
}

void ONNXDialect::registerNodes(ArrayRef<NodeSchema> schemas) {
  for (const NodeSchema &schema : schemas) {
    std::string opName = "onnx." + schema.name;
    if (RegisteredOperationName::lookup(opName, getContext()))
      continue;
    registerDynamicOp(DynamicOpDefinition::get(
        schema.name, this,
        [schema](Operation *op) { return verifyNode(op, schema); },
        [](Operation *op) { return verifyGraphs(op); },
        [](OpAsmParser &parser, OperationState &state) {
          return parseNode(parser, state);
        },
        [](Operation *op, OpAsmPrinter &printer, StringRef) {
          printNode(op, printer);
        }));
    RegisteredOperationName::lookup(opName, getContext())
        ->attachInterface<NoEffects>();
  }
}
