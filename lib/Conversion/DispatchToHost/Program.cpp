//===- Program.cpp - The boundary of a host program -----------------------===//

#include "Converter.h"
#include "weft/Conversion/DispatchToHost.h"
#include <limits>

using namespace mlir;
using namespace weft;
using namespace weft::host;

Converter::Converter(ModuleOp module, func::FuncOp from)
    : module(module), from(from), b(from.getLoc(), from), symbolTable(module) {}

std::string weft::host::getPortName(DictionaryAttr attrs, StringRef kind,
                                    unsigned number) {
  if (attrs)
    if (auto name = attrs.getAs<StringAttr>("weft.name"))
      return name.str();
  return (kind + Twine(number)).str();
}

/// The name of a dimension; empty if it has none.
static StringRef getDimName(DictionaryAttr attrs, unsigned dim) {
  auto dims = attrs ? attrs.getAs<ArrayAttr>("weft.dims") : ArrayAttr();
  if (!dims || dim >= dims.size())
    return {};
  auto name = dyn_cast<StringAttr>(dims[dim]);
  return name ? name.getValue() : StringRef();
}

SymbolAttr Converter::makeSymbolAttr(StringRef name) {
  int64_t min = 0, max = std::numeric_limits<int64_t>::max();
  auto ranges = module->getAttrOfType<DictionaryAttr>(kDimRangesAttr);
  auto range =
      ranges ? ranges.getAs<DenseI64ArrayAttr>(name) : DenseI64ArrayAttr();
  if (range && range.size() == 2) {
    min = range[0];
    max = range[1];
  }
  return SymbolAttr::get(b.getContext(), name, min, max);
}

Value Converter::getSymbol(StringRef name) {
  Value &value = symbols[b.getStringAttr(name)];
  if (!value)
    value = SymbolOp::create(b, symbols.size() - 1);
  return value;
}

DataOp Converter::declareData(TypedAttr value, StringRef name) {
  DataOp &declared = data[value];
  if (declared)
    return declared;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(to);
  return declared = DataOp::create(b, "data_" + std::to_string(data.size() - 1),
                                   name, value);
}

PortAttr Converter::makePortAttr(StringRef name, RankedTensorType type,
                                 ArrayRef<int32_t> symbols,
                                 const PortRole &role) {
  FlatSymbolRefAttr initial;
  if (role.initial)
    initial = FlatSymbolRefAttr::get(
        declareData(role.initial, name).getSymNameAttr());
  return PortAttr::get(b.getContext(), name, type, symbols, role.role,
                       role.twin, initial, /*early=*/false);
}

void Converter::convertInputs() {
  for (BlockArgument arg : from.getArguments()) {
    unsigned number = arg.getArgNumber();
    auto type = cast<RankedTensorType>(arg.getType());
    DictionaryAttr attrs = from.getArgAttrDict(number);
    std::string name = getPortName(attrs, "input", number);
    Buffer &buffer = buffers[arg];
    buffer.memory = InputOp::create(b, number);
    SmallVector<int32_t> numbers;
    for (auto [dim, size] : llvm::enumerate(type.getShape())) {
      if (ShapedType::isStatic(size)) {
        buffer.sizes.push_back(b.getIndexAttr(size));
        numbers.push_back(fixedSize);
        continue;
      }
      StringRef given = getDimName(attrs, dim);
      Value symbol = getSymbol(given.empty() ? name + "." + std::to_string(dim)
                                             : given.str());
      buffer.sizes.push_back(symbol);
      numbers.push_back(symbol.getDefiningOp<SymbolOp>().getNumber());
    }
    inputPorts.push_back(makePortAttr(name, type, numbers, inputRoles[number]));
  }
}

void Converter::placeOutputs() {
  Operation *terminator = from.getBody().front().getTerminator();
  outputPorts.resize(terminator->getNumOperands());
  for (auto [number, value] : llvm::enumerate(terminator->getOperands())) {
    Value source = skipCasts(value);
    auto launch = source.getDefiningOp<dispatch::LaunchOp>();
    if (launch && launch->getBlock() == terminator->getBlock() &&
        (!isStateRole(outputRoles[number].role) ||
         isWrittenAtOnce(cast<OpResult>(source), number)))
      placedInOutput.try_emplace(source, number);
  }
}

Value Converter::createOutput(unsigned number, const Buffer &buffer) {
  auto type = cast<RankedTensorType>(from.getResultTypes()[number]);
  SmallVector<int64_t> shape;
  SmallVector<int32_t> numbers;
  SmallVector<Value> sizes;
  for (auto [declared, size] : llvm::zip_equal(type.getShape(), buffer.sizes)) {
    std::optional<int64_t> known = getConstantIntValue(size);
    if (known || ShapedType::isStatic(declared)) {
      shape.push_back(known ? *known : declared);
      numbers.push_back(fixedSize);
      continue;
    }
    auto value = cast<Value>(size);
    auto symbol = value.getDefiningOp<SymbolOp>();
    shape.push_back(ShapedType::kDynamic);
    numbers.push_back(symbol ? symbol.getNumber() : computedSize);
    sizes.push_back(value);
  }
  outputPorts[number] = makePortAttr(
      getPortName(from.getResultAttrDict(number), "output", number),
      RankedTensorType::get(shape, type.getElementType()), numbers,
      outputRoles[number]);
  return OutputOp::create(b, number, sizes);
}

void Converter::copyToOutput(unsigned number, Value value) {
  auto it = placedInOutput.find(skipCasts(value));
  if (it != placedInOutput.end() && it->second == number)
    return;
  Buffer &buffer = buffers[value];
  Value output = createOutput(number, buffer);
  CopyOp::create(
      b, buffer.memory, output,
      createBytes(cast<RankedTensorType>(value.getType()).getElementType(),
                  buffer.sizes));
}

LogicalResult Converter::convertReturn(func::ReturnOp op) {
  b.setLoc(op.getLoc());
  for (auto [number, value] : llvm::enumerate(op.getOperands()))
    if (!isStateRole(outputRoles[number].role))
      copyToOutput(number, value);
  copyStates(op);
  func::ReturnOp::create(b);
  return success();
}

/// Whether all values that cross the boundary have ranks.
static LogicalResult checkBoundary(func::FuncOp func) {
  for (Type type :
       llvm::concat<const Type>(func.getArgumentTypes(), func.getResultTypes()))
    if (!isa<RankedTensorType>(type))
      return func.emitOpError("takes or returns ")
             << type << ", but a program can pass only tensors with a rank";
  return success();
}

LogicalResult Converter::convert() {
  if (failed(checkBoundary(from)) || failed(readRoles()))
    return failure();
  b.setInsertionPoint(from);
  to = func::FuncOp::create(b, mainName, b.getFunctionType({}, {}));
  b.setInsertionPointToStart(to.addEntryBlock());
  convertInputs();
  sinkStates();
  placeOutputs();
  Block &body = from.getBody().front();
  if (failed(convertBlock(body)) ||
      failed(convertReturn(cast<func::ReturnOp>(body.getTerminator()))) ||
      failed(verifyRoles(inputPorts, outputPorts,
                         [&] { return from.emitOpError(); }))) {
    to.erase();
    return failure();
  }
  SmallVector<Attribute> symbolAttrs;
  for (auto &[name, value] : symbols)
    symbolAttrs.push_back(makeSymbolAttr(name));
  module->setAttr(
      inputsAttrName,
      ArrayAttr::get(b.getContext(), {inputPorts.begin(), inputPorts.end()}));
  module->setAttr(
      outputsAttrName,
      ArrayAttr::get(b.getContext(), {outputPorts.begin(), outputPorts.end()}));
  module->setAttr(symbolsAttrName, b.getArrayAttr(symbolAttrs));
  from.erase();
  return success();
}
