//===- DispatchDialect.cpp - Groups of ops that become one kernel ---------===//

#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft::dispatch;

#include "weft/Dialect/Dispatch/IR/DispatchDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "weft/Dialect/Dispatch/IR/DispatchAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "weft/Dialect/Dispatch/IR/DispatchOps.cpp.inc"

void DispatchDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "weft/Dialect/Dispatch/IR/DispatchAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "weft/Dialect/Dispatch/IR/DispatchOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Sizes of results
//===----------------------------------------------------------------------===//

/// Number of `?` sizes in `types`.
static int64_t countDynamicSizes(TypeRange types) {
  int64_t count = 0;
  for (Type type : types)
    count += cast<RankedTensorType>(type).getNumDynamicDims();
  return count;
}

/// The sizes of results of `types`, given the operands that stand for their
/// `?` sizes.
static void reifySizes(OpBuilder &builder, TypeRange types, ValueRange sizes,
                       ReifiedRankedShapedTypeDims &reified) {
  for (Type type : types) {
    SmallVector<OpFoldResult> &dims = reified.emplace_back();
    for (int64_t size : cast<RankedTensorType>(type).getShape()) {
      if (ShapedType::isStatic(size)) {
        dims.push_back(builder.getIndexAttr(size));
        continue;
      }
      dims.push_back(sizes.front());
      sizes = sizes.drop_front();
    }
  }
}

LogicalResult
RegionOp::reifyResultShapes(OpBuilder &builder,
                            ReifiedRankedShapedTypeDims &reified) {
  reifySizes(builder, getResultTypes(), getResultSizes(), reified);
  return success();
}

LogicalResult
LaunchOp::reifyResultShapes(OpBuilder &builder,
                            ReifiedRankedShapedTypeDims &reified) {
  reifySizes(builder, getResultTypes(), getResultSizes(), reified);
  return success();
}

//===----------------------------------------------------------------------===//
// RegionOp
//===----------------------------------------------------------------------===//

YieldOp RegionOp::getYield() {
  return cast<YieldOp>(getBody().front().getTerminator());
}

/// Checks that results are made in the memory of inputs of their types, each of
/// its own.
static LogicalResult verifyInPlace(RegionOp op) {
  if (!op.getInPlace())
    return success();
  ArrayRef<int64_t> numbers = *op.getInPlace();
  if (numbers.size() != op.getNumResults())
    return op.emitOpError("has ")
           << op.getNumResults() << " results, but says of " << numbers.size()
           << " whether they are made in place";
  llvm::SmallDenseSet<int64_t> taken;
  for (auto [result, number] : llvm::zip_equal(op.getResults(), numbers)) {
    if (number == -1)
      continue;
    unsigned index = result.getResultNumber();
    if (number < 0 || number >= static_cast<int64_t>(op.getInputs().size()))
      return op.emitOpError("result ") << index << " is made in place of input "
                                       << number << ", which does not exist";
    if (op.getInputs()[number].getType() != result.getType())
      return op.emitOpError("result ")
             << index << " of type " << result.getType()
             << " is made in place of an input of type "
             << op.getInputs()[number].getType();
    if (!taken.insert(number).second)
      return op.emitOpError("input ")
             << number << " is the place of two results";
  }
  return success();
}

LogicalResult RegionOp::verify() {
  Block &block = getBody().front();
  size_t wanted = getInputs().size() + getScalars().size();
  if (block.getNumArguments() != wanted)
    return emitOpError("body has ")
           << block.getNumArguments() << " arguments, but the op has " << wanted
           << " inputs and scalars";
  for (auto [operand, argument] :
       llvm::zip(getOperands().take_front(wanted), block.getArguments()))
    if (operand.getType() != argument.getType())
      return emitOpError("body argument ")
             << argument.getArgNumber() << " is of type " << argument.getType()
             << ", but its operand is of type " << operand.getType();
  if (getYield().getOperandTypes() != getResultTypes())
    return emitOpError("yields other types than its results have");
  int64_t dynamic = countDynamicSizes(getResultTypes());
  if (static_cast<int64_t>(getResultSizes().size()) != dynamic)
    return emitOpError("has ")
           << getResultSizes().size() << " result sizes, but its results have "
           << dynamic << " symbolic sizes";
  return verifyInPlace(*this);
}
