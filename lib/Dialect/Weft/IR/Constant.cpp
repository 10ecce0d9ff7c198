//===- Constant.cpp - Ops that make tensors from nothing ------------------===//

#include "Elementwise.h"
#include "Movement.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Support/DataStore.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// ConstantOp
//===----------------------------------------------------------------------===//

/// Bytes that the elements of `type` take in a file.
static int64_t getFileBytes(RankedTensorType type, bool isPacked) {
  Type elementType = type.getElementType();
  if (!isPacked)
    return type.getNumElements() * getStorageBytes(elementType);
  int64_t bits = type.getNumElements() * elementType.getIntOrFloatBitWidth();
  return (bits + 7) / 8;
}

LogicalResult ConstantOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getValue().getType());
  if (!type || !type.hasStaticShape())
    return emitOpError("value of type ")
           << getValue().getType() << " is not a tensor of static shape";
  if (isa<DenseElementsAttr>(getValue()))
    return success();
  auto external = dyn_cast<ExternAttr>(getValue());
  if (!external)
    return emitOpError("value is neither dense elements nor '#weft.extern'");
  int64_t expected = getFileBytes(type, external.getPacked());
  if (external.getSize() != expected)
    return emitOpError("value names ") << external.getSize() << " bytes, but "
                                       << type << " takes " << expected;
  return success();
}

LogicalResult
ConstantOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                             ValueRange operands, DictionaryAttr attributes,
                             OpaqueProperties properties, RegionRange regions,
                             SmallVectorImpl<Type> &types) {
  ConstantOp::Adaptor adaptor(operands, attributes, properties, regions);
  if (!adaptor.getValue())
    return failure();
  types.push_back(adaptor.getValue().getType());
  return success();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult
ConstantOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(detail::getMixedSizes(builder, getResult().getType(), {}));
  return success();
}

/// Spreads elements that ONNX packs into bytes, low bits first, to one per
/// byte.
static HostTensor unpack(RankedTensorType type, ArrayRef<char> packed) {
  HostTensor tensor(type);
  int64_t width = type.getElementType().getIntOrFloatBitWidth();
  MutableArrayRef<char> bytes = tensor.getMutableBytes();
  for (int64_t i = 0, e = type.getNumElements(); i < e; ++i) {
    auto byte = static_cast<unsigned char>(packed[i * width / 8]);
    bytes[i] = byte >> (i * width % 8) & ((1 << width) - 1);
  }
  return tensor;
}

FailureOr<SmallVector<HostTensor>>
ConstantOp::evaluate(ArrayRef<HostTensor> operands) {
  if (auto dense = dyn_cast<DenseElementsAttr>(getValue()))
    return SmallVector<HostTensor>{HostTensor::fromAttr(dense)};
  auto external = cast<ExternAttr>(getValue());
  llvm::Expected<ArrayRef<char>> bytes = DataStore::get(
      external.getFile(), external.getOffset(), external.getSize());
  if (!bytes)
    return emitOpError() << llvm::toString(bytes.takeError());
  auto type = cast<RankedTensorType>(external.getType());
  if (external.getPacked() && type.getElementTypeBitWidth() < 8)
    return SmallVector<HostTensor>{unpack(type, *bytes)};
  return SmallVector<HostTensor>{HostTensor::borrow(type, *bytes)};
}

/// Null unless all elements are the same: the emitter reads other constants
/// from memory.
Value ConstantOp::emitElement(ElementEmitter &emitter, ArrayRef<Value>) {
  auto dense = dyn_cast<DenseElementsAttr>(getValue());
  if (!dense || !dense.isSplat())
    return Value();
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = dense.getElementType();
  if (!isa<FloatType>(elementType))
    return arith::ConstantOp::create(
        b, b.getIntegerAttr(getSignlessType(elementType),
                            dense.getSplatValue<APInt>()));
  APFloat value = dense.getSplatValue<APFloat>();
  if (elementType.getIntOrFloatBitWidth() >= 16)
    return arith::ConstantOp::create(b, b.getFloatAttr(elementType, value));
  // LLVM has no constants of the small floats.
  Type bits = b.getIntegerType(elementType.getIntOrFloatBitWidth());
  Value constant = arith::ConstantOp::create(
      b, b.getIntegerAttr(bits, value.bitcastToAPInt()));
  return arith::BitcastOp::create(b, elementType, constant);
}

//===----------------------------------------------------------------------===//
// IotaOp
//===----------------------------------------------------------------------===//

LogicalResult IotaOp::verify() {
  int64_t axis = getAxis(), rank = getResult().getType().getRank();
  if (axis < 0 || axis >= rank)
    return emitOpError("axis ")
           << axis << " is outside the result's rank " << rank;
  return detail::verifySizes(*this, getResult().getType(), getSizes());
}

LogicalResult IotaOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      detail::getMixedSizes(builder, getResult().getType(), getSizes()));
  return success();
}

FailureOr<SmallVector<HostTensor>>
IotaOp::evaluate(ArrayRef<HostTensor> operands) {
  FailureOr<RankedTensorType> type =
      detail::resolveSizes(*this, getResult().getType(), operands);
  if (failed(type))
    return failure();
  HostTensor result(*type);
  int64_t position = 0;
  forEachIndex(type->getShape(), [&](ArrayRef<int64_t> index) {
    result.setInt(position++, index[getAxis()]);
  });
  return SmallVector<HostTensor>{result};
}

Value IotaOp::emitElement(ElementEmitter &emitter, ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Type elementType = getResult().getType().getElementType();
  Value index =
      arith::IndexCastOp::create(b, b.getI64Type(), indices[getAxis()]);
  return detail::castElement(b, b.getLoc(), index, b.getI64Type(), elementType,
                             /*saturate=*/false);
}
