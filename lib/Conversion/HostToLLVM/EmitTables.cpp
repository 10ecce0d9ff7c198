//===- EmitTables.cpp - The tables that describe a compiled program -------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft-rt/entry.h"
#include "weft/Conversion/HostToLLVM.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Interfaces/HostTensor.h"

namespace weft {
#define GEN_PASS_DEF_HOSTEMITTABLESPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::host;

namespace {

/// Emits globals. A table is built from its entries' fields, which are emitted
/// in the initializer.
class TableBuilder {
public:
  TableBuilder(ModuleOp module, bool filesByPath, StringRef prefix)
      : module(module), filesByPath(filesByPath), prefix(prefix),
        b(module.getLoc(), module.getBodyRegion()),
        ptr(LLVM::LLVMPointerType::get(module.getContext())),
        i32(b.getI32Type()), i64(b.getI64Type()) {
    b.setInsertionPointToEnd(module.getBody());
  }

  LogicalResult emit(StringRef target, StringRef producer);

private:
  using Fields = SmallVector<Value>;

  /// An entry of the table of constants.
  struct Constant {
    Operation *name = nullptr, *data = nullptr, *file = nullptr;
    int64_t offset = 0, size = 0, packed = 0, count = 0;
  };

  Value constant(Type type, int64_t value) {
    return LLVM::ConstantOp::create(b, type, b.getIntegerAttr(type, value));
  }
  Value addressOf(Operation *op) {
    if (!op)
      return LLVM::ZeroOp::create(b, ptr);
    return LLVM::AddressOfOp::create(b, ptr,
                                     SymbolTable::getSymbolName(op).getValue());
  }
  /// A global string that ends with a zero byte.
  Operation *string(StringRef text);
  /// A global with raw contents.
  Operation *bytes(StringRef name, StringRef contents);
  /// A global array with `count` entries of `types`; null if that is zero.
  Operation *table(StringRef name, ArrayRef<Type> types, size_t count,
                   llvm::function_ref<Fields(size_t)> entry);
  /// The number of the `host.data` of this name; -1 if there is no name.
  int64_t findConstant(FlatSymbolRefAttr name);
  Operation *ports(StringRef name, ArrayAttr attrs);
  Operation *symbols(ArrayAttr attrs);
  Constant constantOf(size_t number, DataOp op);
  Operation *constants(ArrayRef<DataOp> data);
  Operation *kernels(ArrayRef<dispatch::KernelOp> kernels);
  /// The buffers of the arena whose sizes follow from `symbols`.
  Operation *buffers(ArrayAttr symbols, int64_t &count);
  Operation *deviceKernels(ArrayRef<dispatch::KernelOp> kernels);
  Operation *arenaBytes() { return module.lookupSymbol("weft_arena_bytes"); }
  /// A function that says that no memory is needed.
  Operation *noArena();
  /// What runs on a GPU; null if nothing does.
  Operation *deviceCode(ArrayRef<dispatch::KernelOp> kernels);
  void program(StringRef target, StringRef producer);
  /// Gives the functions of the runtime bodies that go through the table at
  /// the front of the run (weft-rt/entry.h), so that nothing is to be linked.
  void entryPoints();
  void query();
  LogicalResult checkPort(PortAttr port);
  LogicalResult check();

  ModuleOp module;
  bool filesByPath;
  StringRef prefix;
  ImplicitLocOpBuilder b;
  LLVM::LLVMPointerType ptr;
  Type i32, i64;
  unsigned numStrings = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// Globals
//===----------------------------------------------------------------------===//

Operation *TableBuilder::bytes(StringRef name, StringRef contents) {
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), contents.size());
  auto global = LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                                       LLVM::Linkage::Internal, name,
                                       b.getStringAttr(contents));
  return global;
}

Operation *TableBuilder::string(StringRef text) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  return bytes("weft_string_" + std::to_string(numStrings++),
               std::string(text) + '\0');
}

Operation *TableBuilder::table(StringRef name, ArrayRef<Type> types,
                               size_t count,
                               llvm::function_ref<Fields(size_t)> entry) {
  if (count == 0)
    return nullptr;
  auto structType = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  auto type = LLVM::LLVMArrayType::get(structType, count);
  auto global = LLVM::GlobalOp::create(
      b, type, /*isConstant=*/true, LLVM::Linkage::Internal, name, Attribute());
  OpBuilder::InsertionGuard guard(b);
  b.createBlock(&global.getInitializerRegion());
  Value all = LLVM::UndefOp::create(b, type);
  for (size_t number = 0; number < count; ++number)
    for (auto [field, value] : llvm::enumerate(entry(number)))
      all = LLVM::InsertValueOp::create(
          b, all, value,
          ArrayRef<int64_t>{static_cast<int64_t>(number),
                            static_cast<int64_t>(field)});
  LLVM::ReturnOp::create(b, all);
  return global;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

int64_t TableBuilder::findConstant(FlatSymbolRefAttr name) {
  for (auto [number, op] : llvm::enumerate(module.getOps<DataOp>()))
    if (name && op.getSymName() == name.getValue())
      return number;
  return -1;
}

Operation *TableBuilder::ports(StringRef name, ArrayAttr attrs) {
  SmallVector<Operation *> dims, names;
  for (auto [number, port] : llvm::enumerate(attrs.getAsRange<PortAttr>())) {
    names.push_back(string(port.getName()));
    auto shape = port.getType().getShape();
    dims.push_back(table((name + "_dims_" + Twine(number)).str(), {i64, i32},
                         shape.size(), [&](size_t dim) {
                           int64_t size = ShapedType::isStatic(shape[dim])
                                              ? shape[dim]
                                              : -1;
                           return Fields{constant(i64, size),
                                         constant(i32, port.getSymbols()[dim])};
                         }));
  }
  SmallVector<Type> types{ptr, i32, i32, ptr, i32, i32, i32, i32};
  return table(name, types, attrs.size(), [&](size_t number) {
    auto port = cast<PortAttr>(attrs[number]);
    RankedTensorType type = port.getType();
    return Fields{addressOf(names[number]),
                  constant(i32, getDtype(type.getElementType())),
                  constant(i32, type.getRank()),
                  addressOf(dims[number]),
                  constant(i32, static_cast<int32_t>(port.getRole())),
                  constant(i32, port.getTwin()),
                  constant(i32, findConstant(port.getInitial())),
                  constant(i32, port.getEarly())};
  });
}

Operation *TableBuilder::symbols(ArrayAttr attrs) {
  SmallVector<Operation *> names;
  for (auto symbol : attrs.getAsRange<host::SymbolAttr>())
    names.push_back(string(symbol.getName()));
  return table(
      "weft_symbols", {ptr, i64, i64}, attrs.size(), [&](size_t number) {
        auto symbol = cast<host::SymbolAttr>(attrs[number]);
        return Fields{addressOf(names[number]), constant(i64, symbol.getMin()),
                      constant(i64, symbol.getMax())};
      });
}

TableBuilder::Constant TableBuilder::constantOf(size_t number, DataOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Constant entry;
  entry.name = string(op.getName());
  entry.count = type.getNumElements();
  if (auto attr = dyn_cast<ExternAttr>(op.getValue())) {
    entry.size = attr.getSize();
    entry.packed = attr.getPacked() ? type.getElementTypeBitWidth() : 0;
    if (filesByPath && !attr.getFile().starts_with("memory:")) {
      entry.file = string(attr.getFile());
      entry.offset = attr.getOffset();
      return entry;
    }
    auto global = LLVM::GlobalOp::create(
        b, LLVM::LLVMArrayType::get(b.getI8Type(), entry.size),
        /*isConstant=*/true, LLVM::Linkage::External,
        (prefix + "_constant_" + Twine(number)).str(), Attribute(),
        WEFT_BUFFER_ALIGNMENT);
    global.setVisibility_(LLVM::Visibility::Hidden);
    global->setAttr(kExternAttr, attr);
    entry.data = global;
    return entry;
  }
  HostTensor tensor =
      HostTensor::fromAttr(cast<DenseElementsAttr>(op.getValue()));
  ArrayRef<char> raw = tensor.getBytes();
  auto global = cast<LLVM::GlobalOp>(bytes(("weft_data_" + Twine(number)).str(),
                                           StringRef(raw.data(), raw.size())));
  global.setAlignment(WEFT_BUFFER_ALIGNMENT);
  entry.data = global;
  entry.size = raw.size();
  return entry;
}

Operation *TableBuilder::constants(ArrayRef<DataOp> data) {
  SmallVector<Constant> entries;
  for (auto [number, op] : llvm::enumerate(data))
    entries.push_back(constantOf(number, op));
  return table("weft_constants", {ptr, i32, ptr, ptr, i64, i64, i32, i64},
               data.size(), [&](size_t number) {
                 const Constant &entry = entries[number];
                 return Fields{addressOf(entry.name),
                               constant(i32, entry.file
                                                 ? WEFT_CONSTANT_FILE
                                                 : WEFT_CONSTANT_EMBEDDED),
                               addressOf(entry.data),
                               addressOf(entry.file),
                               constant(i64, entry.offset),
                               constant(i64, entry.size),
                               constant(i32, entry.packed),
                               constant(i64, entry.count)};
               });
}

Operation *TableBuilder::kernels(ArrayRef<dispatch::KernelOp> kernels) {
  SmallVector<Operation *> names, nodes;
  for (dispatch::KernelOp kernel : kernels) {
    names.push_back(string(kernel.getSymName()));
    nodes.push_back(string(llvm::join(
        llvm::map_range(kernel.getNodes().getAsValueRange<StringAttr>(),
                        [](StringRef node) { return node.str(); }),
        "\n")));
  }
  return table("weft_kernels", {ptr, ptr}, kernels.size(), [&](size_t number) {
    return Fields{addressOf(names[number]), addressOf(nodes[number])};
  });
}

/// The numbers of the symbols called `names`, or nothing if one is not known.
static std::optional<SmallVector<int64_t>> getNumbers(ArrayAttr names,
                                                      ArrayAttr symbols) {
  SmallVector<int64_t> numbers;
  for (StringRef name : names.getAsValueRange<StringAttr>()) {
    auto *found = llvm::find_if(symbols, [&](Attribute symbol) {
      return cast<host::SymbolAttr>(symbol).getName() == name;
    });
    if (found == symbols.end())
      return std::nullopt;
    numbers.push_back(found - symbols.begin());
  }
  return numbers;
}

Operation *TableBuilder::buffers(ArrayAttr symbols, int64_t &count) {
  SmallVector<DictionaryAttr> entries;
  SmallVector<size_t> numSymbols;
  SmallVector<Operation *> names, numbers;
  auto plan = module->getAttrOfType<ArrayAttr>(planAttrName);
  if (!plan)
    return nullptr;
  for (auto entry : plan.getAsRange<DictionaryAttr>()) {
    auto times = entry.getAs<ArrayAttr>("times");
    auto known = times ? getNumbers(times, symbols) : std::nullopt;
    if (!known)
      continue;
    names.push_back(string(entry.getAs<StringAttr>("name").getValue()));
    numbers.push_back(
        table("weft_buffer_symbols_" + std::to_string(entries.size()), {i32},
              known->size(),
              [&](size_t at) { return Fields{constant(i32, (*known)[at])}; }));
    numSymbols.push_back(known->size());
    entries.push_back(entry);
  }
  count = entries.size();
  auto get = [](DictionaryAttr entry, StringRef key) {
    return entry.getAs<IntegerAttr>(key).getInt();
  };
  return table("weft_buffers", {ptr, i64, i32, ptr, i32, i32}, entries.size(),
               [&](size_t number) {
                 DictionaryAttr entry = entries[number];
                 return Fields{addressOf(names[number]),
                               constant(i64, get(entry, "bytes")),
                               constant(i32, numSymbols[number]),
                               addressOf(numbers[number]),
                               constant(i32, get(entry, "first")),
                               constant(i32, get(entry, "last"))};
               });
}

Operation *TableBuilder::deviceKernels(ArrayRef<dispatch::KernelOp> kernels) {
  struct Entry {
    Operation *name;
    int64_t kernel, arguments, threads;
  };
  SmallVector<Entry> entries;
  for (auto [number, op] : llvm::enumerate(kernels)) {
    dispatch::KernelOp kernel = op;
    for (auto [name, task] : llvm::zip_equal(
             kernel.getTasks().getAsRange<FlatSymbolRefAttr>(),
             kernel.getDevice()->getAsRange<dispatch::DeviceTaskAttr>()))
      entries.push_back({string(name.getValue()), static_cast<int64_t>(number),
                         task.getArguments(), task.getThreads()});
  }
  SmallVector<Type> types{ptr};
  types.append(8, i32);
  return table("weft_device_kernels", types, entries.size(), [&](size_t i) {
    Fields fields{addressOf(entries[i].name)};
    for (int64_t field :
         {entries[i].kernel, entries[i].arguments, entries[i].threads,
          int64_t(1), int64_t(1), int64_t(0), int64_t(0), int64_t(0)})
      fields.push_back(constant(i32, field));
    return fields;
  });
}

/// Whether all that the program does depends on nothing but the symbols.
static bool isReplayable(ModuleOp module) {
  return llvm::none_of(
      ArrayRef<StringRef>{"weft_rt_device_allocate", "weft_rt_device_upload",
                          "weft_rt_device_download"},
      [&](StringRef name) { return module.lookupSymbol(name); });
}

Operation *TableBuilder::deviceCode(ArrayRef<dispatch::KernelOp> kernels) {
  auto image = module.lookupSymbol<LLVM::GlobalOp>(kDeviceImage);
  if (!image)
    return nullptr;
  SmallVector<Operation *> texts;
  if (auto places = module->getAttrOfType<ArrayAttr>(dispatch::placesAttrName))
    for (StringRef place : places.getAsValueRange<StringAttr>())
      texts.push_back(string(place));
  Operation *places =
      table("weft_device_places", ptr, texts.size(),
            [&](size_t number) { return Fields{addressOf(texts[number])}; });
  Operation *functions = deviceKernels(kernels);
  int64_t numFunctions = 0;
  for (dispatch::KernelOp kernel : kernels)
    numFunctions += kernel.getTasks().size();
  int64_t bytes =
      cast<LLVM::LLVMArrayType>(image.getGlobalType()).getNumElements();
  SmallVector<Type> types{ptr, i64, i32, i32, ptr, ptr, ptr, i32};
  return table("weft_device_code", types, 1, [&](size_t) {
    return Fields{addressOf(image),
                  constant(i64, bytes),
                  constant(i32, numFunctions),
                  constant(i32, texts.size()),
                  addressOf(functions),
                  addressOf(places),
                  addressOf(arenaBytes()),
                  constant(i32, isReplayable(module))};
  });
}

Operation *TableBuilder::noArena() {
  auto func = LLVM::LLVMFuncOp::create(b, "weft_no_arena",
                                       LLVM::LLVMFunctionType::get(i64, ptr),
                                       LLVM::Linkage::Internal);
  OpBuilder::InsertionGuard guard(b);
  Block *block = func.addEntryBlock(b);
  b.setInsertionPointToStart(block);
  LLVM::ReturnOp::create(b, constant(i64, 0));
  return func;
}

void TableBuilder::program(StringRef target, StringRef producer) {
  auto inputs = module->getAttrOfType<ArrayAttr>(inputsAttrName);
  auto outputs = module->getAttrOfType<ArrayAttr>(outputsAttrName);
  auto symbolAttrs = module->getAttrOfType<ArrayAttr>(symbolsAttrName);
  auto data = llvm::to_vector(module.getOps<DataOp>());
  auto kernelOps = llvm::to_vector(module.getOps<dispatch::KernelOp>());
  int64_t scratch = 0;
  for (dispatch::KernelOp kernel : kernelOps)
    if (!kernel.getDevice())
      scratch = std::max<int64_t>(scratch, kernel.getScratchBytes());

  Operation *texts[] = {string(getProgramName(module)), string(producer),
                        string(target)};
  size_t counts[] = {inputs.size(), outputs.size(), symbolAttrs.size(),
                     data.size(), kernelOps.size()};
  Operation *tables[] = {ports("weft_inputs", inputs),
                         ports("weft_outputs", outputs), symbols(symbolAttrs),
                         constants(data), kernels(kernelOps)};
  SmallVector<Type> types{i32, ptr, ptr, ptr};
  types.append(5, i32);
  types.append(5, ptr);
  types.append({i64, ptr, ptr, ptr, i64, i32, ptr});
  // Of a program on a device, the arena is there.
  Operation *device = deviceCode(kernelOps);
  Operation *hostArena = device ? noArena() : arenaBytes();
  auto budget = module->getAttrOfType<IntegerAttr>(budgetAttrName);
  int64_t numBuffers = 0;
  Operation *planned = budget ? buffers(symbolAttrs, numBuffers) : nullptr;
  table("weft_program", types, 1, [&](size_t) {
    Fields fields{constant(i32, WEFT_PROGRAM_ABI)};
    for (Operation *text : texts)
      fields.push_back(addressOf(text));
    for (size_t count : counts)
      fields.push_back(constant(i32, count));
    for (Operation *table : tables)
      fields.push_back(addressOf(table));
    fields.push_back(constant(i64, scratch));
    fields.push_back(addressOf(hostArena));
    fields.push_back(addressOf(module.lookupSymbol("weft_run")));
    fields.push_back(addressOf(device));
    fields.push_back(constant(i64, budget ? budget.getInt() : 0));
    fields.push_back(constant(i32, numBuffers));
    fields.push_back(addressOf(planned));
    return fields;
  });
}

/// The functions of the runtime, in the order of weft_run_table.
static constexpr StringLiteral runtimeFunctions[] = {
    "weft_rt_launch",
    "weft_rt_symbols",
    "weft_rt_arena",
    "weft_rt_constant",
    "weft_rt_input",
    "weft_rt_output",
    "weft_rt_allocate",
    "weft_rt_fault",
    "weft_rt_device_launch",
    "weft_rt_device_arena",
    "weft_rt_device_constant",
    "weft_rt_device_input",
    "weft_rt_device_output",
    "weft_rt_device_allocate",
    "weft_rt_device_upload",
    "weft_rt_device_download",
    "weft_rt_device_copy",
    "weft_rt_device_fill",
    "weft_rt_device_tensor_map",
    "weft_rt_device_faults",
    "weft_rt_device_settle",
    "weft_rt_device_store",
    "weft_rt_device_require",
};
static_assert(sizeof(weft_run_table) ==
              std::size(runtimeFunctions) * sizeof(void *));

void TableBuilder::entryPoints() {
  for (auto [number, name] : llvm::enumerate(runtimeFunctions)) {
    auto func = module.lookupSymbol<LLVM::LLVMFuncOp>(name);
    if (!func)
      continue;
    OpBuilder::InsertionGuard guard(b);
    Block *block = func.addEntryBlock(b);
    b.setInsertionPointToStart(block);
    Value table = LLVM::LoadOp::create(b, ptr, block->getArgument(0));
    Value slot =
        LLVM::GEPOp::create(b, ptr, ptr, table, ArrayRef<LLVM::GEPArg>(number));
    SmallVector<Value> operands{LLVM::LoadOp::create(b, ptr, slot)};
    llvm::append_range(operands, block->getArguments());
    auto call = LLVM::CallOp::create(b, func.getFunctionType(), operands);
    LLVM::ReturnOp::create(b, call.getResults());
    func.setSymVisibility(std::nullopt);
  }
}

void TableBuilder::query() {
  auto func = LLVM::LLVMFuncOp::create(b, (prefix + "_program_query").str(),
                                       LLVM::LLVMFunctionType::get(ptr, i32));
  OpBuilder::InsertionGuard guard(b);
  Block *block = func.addEntryBlock(b);
  b.setInsertionPointToStart(block);
  Value isOurs =
      LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, block->getArgument(0),
                           constant(i32, WEFT_PROGRAM_ABI));
  Value program = addressOf(module.lookupSymbol("weft_program"));
  Value none = LLVM::ZeroOp::create(b, ptr);
  LLVM::ReturnOp::create(b, LLVM::SelectOp::create(b, isOurs, program, none));
}

LogicalResult TableBuilder::checkPort(PortAttr port) {
  RankedTensorType type = port.getType();
  if (type.getRank() > WEFT_MAX_RANK)
    return module.emitError("'")
           << port.getName() << "' has rank " << type.getRank()
           << ", but a program can pass at most rank " << WEFT_MAX_RANK;
  if (getDtype(type.getElementType()) == 0)
    return module.emitError("'")
           << port.getName() << "' has elements of type "
           << type.getElementType() << ", which a program can't pass";
  FlatSymbolRefAttr initial = port.getInitial();
  if (!initial)
    return success();
  auto data = module.lookupSymbol<DataOp>(initial.getAttr());
  if (!data || cast<TypedAttr>(data.getValue()).getType() != type)
    return module.emitError("'")
           << port.getName() << "' starts from " << initial
           << ", which is no 'host.data' of type " << type;
  return success();
}

LogicalResult TableBuilder::check() {
  for (StringRef name : {inputsAttrName, outputsAttrName, symbolsAttrName})
    if (!module->getAttrOfType<ArrayAttr>(name))
      return module.emitError("there is no table '") << name << "'";
  for (StringRef name : {"weft_run", "weft_arena_bytes"})
    if (!module.lookupSymbol<LLVM::LLVMFuncOp>(name))
      return module.emitError("there is no LLVM function '") << name << "'";
  auto getPorts = [&](StringRef name) {
    return llvm::to_vector(
        module->getAttrOfType<ArrayAttr>(name).getAsRange<PortAttr>());
  };
  SmallVector<PortAttr> inputs = getPorts(inputsAttrName);
  SmallVector<PortAttr> outputs = getPorts(outputsAttrName);
  for (PortAttr port : llvm::concat<PortAttr>(inputs, outputs))
    if (failed(checkPort(port)))
      return failure();
  if (failed(verifyRoles(inputs, outputs, [&] { return module.emitError(); })))
    return failure();
  for (DataOp data : module.getOps<DataOp>())
    if (!isa<ExternAttr, DenseElementsAttr>(data.getValue()))
      return data.emitOpError("value is neither dense nor '#weft.extern'");
  return success();
}

// The numbers in the tables are those of the runtime.
static_assert(static_cast<int>(Role::data) == WEFT_ROLE_DATA &&
              static_cast<int>(Role::parameter) == WEFT_ROLE_PARAMETER &&
              static_cast<int>(Role::state) == WEFT_ROLE_STATE &&
              static_cast<int>(Role::rate) == WEFT_ROLE_RATE &&
              static_cast<int>(Role::seed) == WEFT_ROLE_SEED &&
              static_cast<int>(Role::loss) == WEFT_ROLE_LOSS &&
              static_cast<int>(Role::metric) == WEFT_ROLE_METRIC);

LogicalResult TableBuilder::emit(StringRef target, StringRef producer) {
  if (failed(check()))
    return failure();
  entryPoints();
  for (auto func : module.getOps<LLVM::LLVMFuncOp>())
    if (!func.isExternal())
      func.setLinkage(LLVM::Linkage::Internal);
  program(target, producer);
  query();
  for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
    if (isa<DataOp, dispatch::KernelOp>(op))
      op.erase();
  for (StringRef name : {inputsAttrName, outputsAttrName, symbolsAttrName,
                         planAttrName, budgetAttrName})
    module->removeAttr(name);
  return success();
}

namespace {
struct HostEmitTablesPass
    : weft::impl::HostEmitTablesPassBase<HostEmitTablesPass> {
  using HostEmitTablesPassBase::HostEmitTablesPassBase;

  void runOnOperation() override {
    if (failed(TableBuilder(getOperation(), filesByPath, prefix)
                   .emit(target, producer)))
      signalPassFailure();
  }
};
} // namespace
