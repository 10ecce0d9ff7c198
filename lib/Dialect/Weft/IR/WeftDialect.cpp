//===- WeftDialect.cpp - The differentiable tensor language ---------------===//

#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "Elementwise.h"
#include "Tangent.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;

#include "weft/Dialect/Weft/IR/WeftDialect.cpp.inc"
#include "weft/Dialect/Weft/IR/WeftEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "weft/Dialect/Weft/IR/WeftAttrs.cpp.inc"

// The list of a pad's elements in between is not written if there is none.
static ParseResult
parseInterior(OpAsmParser &parser,
              SmallVectorImpl<OpAsmParser::UnresolvedOperand> &values,
              DenseI64ArrayAttr &list) {
  list = parser.getBuilder().getDenseI64ArrayAttr({});
  if (failed(parser.parseOptionalKeyword("interior")))
    return success();
  return parseDynamicIndexList(parser, values, list);
}

static void printInterior(OpAsmPrinter &printer, Operation *op,
                          OperandRange values, DenseI64ArrayAttr list) {
  if (list.empty())
    return;
  printer << " interior ";
  printDynamicIndexList(printer, op, values, list);
}

#define GET_OP_CLASSES
#include "weft/Dialect/Weft/IR/WeftOps.cpp.inc"

void WeftDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "weft/Dialect/Weft/IR/WeftAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "weft/Dialect/Weft/IR/WeftOps.cpp.inc"
      >();
  detail::addTangentInterface(*this);
}

Operation *WeftDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                            Type type, Location loc) {
  auto typed = dyn_cast<TypedAttr>(value);
  if (isa<RankedTensorType>(type) && typed && typed.getType() == type)
    return ConstantOp::create(builder, loc, typed);
  return arith::ConstantOp::materialize(builder, value, type, loc);
}
