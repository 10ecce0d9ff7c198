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
// Tensor maps
//===----------------------------------------------------------------------===//

/// Whether all of `values` are in [least, most], and multiples of `of`.
static bool areWithin(ArrayRef<int64_t> values, int64_t least, int64_t most,
                      int64_t of = 1) {
  return llvm::all_of(values, [&](int64_t value) {
    return value >= least && value <= most && value % of == 0;
  });
}

// What drivers take, without elements of odd sizes and steps within boxes.
LogicalResult
TensorMapAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                      int64_t word, Type element, DenseI64ArrayAttr sizes,
                      DenseI64ArrayAttr strides, DenseI64ArrayAttr box,
                      int64_t swizzle) {
  constexpr int64_t kMostRank = 5, kMostBox = 256, kChunk = 16;
  int64_t rank = sizes.size();
  if (word < 0)
    return emitError() << "there is no word " << word;
  if (!element.isIntOrFloat() ||
      !llvm::is_contained({8u, 16u, 32u, 64u}, element.getIntOrFloatBitWidth()))
    return emitError() << "there are no tensor maps of " << element;
  if (rank < 1 || rank > kMostRank || strides.size() != rank - 1 ||
      box.size() != rank)
    return emitError()
           << "a tensor map has 1 to 5 sizes, as many of a box, and "
              "a stride less, not "
           << rank << ", " << box.size() << " and " << strides.size();
  if (!areWithin(sizes.asArrayRef(), 1, int64_t{1} << 32))
    return emitError() << "sizes " << sizes << " are not within 1 to 2^32";
  if (!areWithin(strides.asArrayRef(), kChunk, (int64_t{1} << 40) - kChunk,
                 kChunk))
    return emitError() << "strides " << strides
                       << " are no multiples of 16 below 2^40";
  if (!areWithin(box.asArrayRef(), 1, kMostBox))
    return emitError() << "boxes of " << box << " are not within 1 to 256";
  if (!llvm::is_contained({0, 32, 64, 128}, swizzle))
    return emitError() << "there are no swizzled spans of " << swizzle
                       << " bytes";
  int64_t bytes = box[0] * element.getIntOrFloatBitWidth() / 8;
  if (bytes % kChunk != 0 || (swizzle != 0 && bytes > swizzle))
    return emitError()
           << "rows of " << bytes
           << " bytes are no multiple of 16, or longer than spans of "
           << swizzle;
  return success();
}

LogicalResult
DeviceTaskAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                       int32_t threads, int64_t iterations, int32_t arguments,
                       bool canFault, int64_t shared, ArrayAttr maps) {
  if (!maps)
    return success();
  int64_t numWords = arguments - int64_t(maps.size()) - 1 - canFault;
  for (Attribute attr : maps) {
    auto map = dyn_cast<TensorMapAttr>(attr);
    if (!map)
      return emitError() << attr << " is no tensor map";
    if (map.getWord() >= numWords)
      return emitError() << "word " << map.getWord()
                         << " of a tensor map is not among the launch's "
                         << numWords;
  }
  return success();
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
