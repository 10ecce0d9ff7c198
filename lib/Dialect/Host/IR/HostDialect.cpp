//===- HostDialect.cpp - The program that drives the kernels --------------===//

#include "weft/Dialect/Host/IR/HostDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Interfaces/HostTensor.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weft;
using namespace weft::host;

#include "weft/Dialect/Host/IR/HostDialect.cpp.inc"
#include "weft/Dialect/Host/IR/HostEnums.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "weft/Dialect/Host/IR/HostTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "weft/Dialect/Host/IR/HostAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "weft/Dialect/Host/IR/HostOps.cpp.inc"

void HostDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "weft/Dialect/Host/IR/HostTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "weft/Dialect/Host/IR/HostAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "weft/Dialect/Host/IR/HostOps.cpp.inc"
      >();
}

Operation *HostDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                            Type type, Location loc) {
  return arith::ConstantOp::materialize(builder, value, type, loc);
}

StringRef weft::host::getProgramName(ModuleOp module) {
  auto model = module->getAttrOfType<DictionaryAttr>("weft.onnx");
  auto graph = model ? model.getAs<StringAttr>("graph") : StringAttr();
  return graph ? graph.getValue() : module.getName().value_or("");
}

int64_t weft::host::getStaticBytes(RankedTensorType type) {
  int64_t bytes = getStorageBytes(type.getElementType());
  for (int64_t size : type.getShape()) {
    if (size == 0)
      return 0;
    if (llvm::MulOverflow(bytes, size, bytes) || bytes > maxBytes)
      bytes = maxBytes;
  }
  return bytes;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

LogicalResult PortAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               StringRef name, RankedTensorType type,
                               ArrayRef<int32_t> symbols, Role role,
                               int32_t twin, FlatSymbolRefAttr initial,
                               bool early) {
  if (static_cast<int64_t>(symbols.size()) != type.getRank())
    return emitError() << "port '" << name << "' has " << symbols.size()
                       << " symbols, but its rank is " << type.getRank();
  for (auto [size, symbol] : llvm::zip_equal(type.getShape(), symbols)) {
    if (symbol < computedSize)
      return emitError() << "port '" << name << "' has symbol " << symbol
                         << ", which stands for nothing";
    if (ShapedType::isStatic(size) != (symbol == fixedSize))
      return emitError() << "port '" << name << "' has symbol " << symbol
                         << " where its type " << type << " has "
                         << (ShapedType::isStatic(size) ? "a fixed" : "no")
                         << " size";
  }
  bool isState = role == Role::parameter || role == Role::state;
  if (isState != (twin >= 0))
    return emitError() << "port '" << name << "' is "
                       << (isState ? "state, but has no twin"
                                   : "no state, but has a twin");
  if (!isState && initial)
    return emitError() << "port '" << name << "' is no state, but starts from "
                       << initial;
  return success();
}

LogicalResult SymbolAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef name, int64_t min, int64_t max) {
  if (min < 0 || max < min)
    return emitError() << "symbol '" << name << "' has the range " << min
                       << " to " << max << ", which is empty or negative";
  return success();
}

//===----------------------------------------------------------------------===//
// Ops that refer to the tables of the program
//===----------------------------------------------------------------------===//

/// The table `name` of the program that `op` belongs to; null if the module
/// has none.
static ArrayAttr getTable(Operation *op, StringRef name) {
  auto module = op->getParentOfType<ModuleOp>();
  return module ? module->getAttrOfType<ArrayAttr>(name) : ArrayAttr();
}

/// Entry `number` of a table, or null after an error.
template <typename AttrT>
static AttrT lookUp(Operation *op, StringRef tableName, uint32_t number) {
  ArrayAttr table = getTable(op, tableName);
  if (!table || number >= table.size()) {
    op->emitOpError("number ") << number << " is not in '" << tableName << "'";
    return {};
  }
  auto entry = dyn_cast<AttrT>(table[number]);
  if (!entry)
    op->emitOpError("entry ") << number << " of '" << tableName
                              << "' is of another kind: " << table[number];
  return entry;
}

LogicalResult InputOp::verify() {
  return success(lookUp<PortAttr>(*this, inputsAttrName, getNumber()) !=
                 nullptr);
}

LogicalResult SymbolOp::verify() {
  return success(lookUp<SymbolAttr>(*this, symbolsAttrName, getNumber()) !=
                 nullptr);
}

LogicalResult OutputOp::verify() {
  auto port = lookUp<PortAttr>(*this, outputsAttrName, getNumber());
  if (!port)
    return failure();
  int64_t wanted = port.getType().getNumDynamicDims();
  if (static_cast<int64_t>(getSizes().size()) != wanted)
    return emitOpError("has ") << getSizes().size() << " sizes, but output '"
                               << port.getName() << "' wants " << wanted;
  return success();
}

LogicalResult ConstantOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  if (!symbolTable.lookupNearestSymbolFrom<DataOp>(*this, getDataAttr()))
    return emitOpError("'") << getData() << "' is not a 'host.data'";
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  if (!symbolTable.lookupNearestSymbolFrom<dispatch::KernelOp>(*this,
                                                               getKernelAttr()))
    return emitOpError("'") << getKernel() << "' is not a 'dispatch.kernel'";
  return success();
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

LogicalResult DataOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getValue().getType());
  if (!type || !type.hasStaticShape())
    return emitOpError("value is of type ")
           << getValue().getType()
           << ", but a tensor of static shape is wanted";
  return success();
}

LogicalResult SizeOp::verify() {
  int64_t wanted = cast<RankedTensorType>(getType()).getNumDynamicDims();
  if (static_cast<int64_t>(getSizes().size()) != wanted)
    return emitOpError("has ") << getSizes().size() << " sizes, but "
                               << getType() << " wants " << wanted;
  return success();
}

OpFoldResult SizeOp::fold(FoldAdaptor adaptor) {
  auto type = cast<RankedTensorType>(getType());
  SmallVector<int64_t> shape(type.getShape());
  size_t next = 0;
  for (int64_t &size : shape) {
    if (ShapedType::isStatic(size))
      continue;
    auto known = dyn_cast_or_null<IntegerAttr>(adaptor.getSizes()[next++]);
    if (!known)
      return {};
    size = std::max<int64_t>(0, known.getInt());
  }
  auto known = RankedTensorType::get(shape, type.getElementType());
  return Builder(getContext()).getIndexAttr(getStaticBytes(known));
}
