//===- HostToLLVM.cpp - The host program's calls of the runtime -----------===//

#include "weft/Conversion/HostToLLVM.h"
#include "TensorMaps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Dialect/Weft/IR/SizeChecks.h"
#include "weft/Interfaces/HostTensor.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"

namespace weft {
#define GEN_PASS_DEF_CONVERTHOSTTOLLVMPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::host;

namespace {

/// Lowers one function of the host program. While it is at it, operands of the
/// ops may be pointers already, which the ops' typed accessors would refuse.
class FunctionLowering {
public:
  FunctionLowering(ModuleOp module, func::FuncOp func)
      : module(module), func(func), b(func.getLoc(), func),
        ptr(LLVM::LLVMPointerType::get(func.getContext())), tensorMaps(module) {
    for (auto kernel : module.getOps<dispatch::KernelOp>())
      onDevice |= kernel.getDevice().has_value();
  }

  /// Lowers `@main`, which gets the run as its argument.
  void lowerMain();
  /// Lowers `@arena_bytes`, which gets the values of the symbols.
  void lowerArenaBytes();

private:
  void reserveLaunchArgs(size_t maxWords);
  void lowerOps();
  void lowerOp(Operation &op);
  void lowerLaunch(LaunchOp op);
  Value launchTask(dispatch::KernelOp kernel, size_t task, Value iterations);
  Value launchDeviceTask(dispatch::KernelOp kernel, size_t task,
                         size_t numWords, Value iterations, LaunchOp op);
  void lowerCopy(CopyOp op);
  void lowerOutput(OutputOp op);
  void lowerRequire(RequireOp op);
  /// The load of the number that `op` is about, if nothing else wants it, so
  /// that a GPU need not be waited for; null otherwise.
  LoadOp findDeferred(RequireOp op);
  void lowerDeferred(RequireOp op, LoadOp load);
  /// The address of `text`, which ends with a zero byte there.
  Value text(StringRef text);
  Value lowerSize(SizeOp op);
  Value lowerLoad(LoadOp op);
  void lowerStore(StoreOp op);

  Value constant(unsigned bits, int64_t value) {
    return arith::ConstantOp::create(
        b, b.getIntegerAttr(b.getIntegerType(bits), value));
  }
  Value toI64(Value index) {
    return arith::IndexCastOp::create(b, b.getI64Type(), index);
  }
  Value toIndex(Value value) {
    return arith::IndexCastOp::create(b, b.getIndexType(), value);
  }
  Value element(Value base, Type type, Value index) {
    return LLVM::GEPOp::create(b, ptr, type, base, index);
  }
  /// Calls a function of the runtime; `result` may be null.
  Value call(StringRef name, Type result, ValueRange operands);
  /// The same for a function that has a form for memory of each kind.
  Value callFor(StringRef name, Type result, ValueRange operands) {
    std::string prefix = onDevice ? "weft_rt_device_" : "weft_rt_";
    return call(prefix + name.str(), result, operands);
  }
  /// Ends the run unless `status` is 0; goes on in front of `op`.
  void failUnlessZero(Value status, Operation *op);
  /// Calls a function of the runtime that returns a status.
  void callOrFail(StringRef name, ValueRange operands, Operation *op) {
    failUnlessZero(call(name, b.getI32Type(), operands), op);
  }
  /// Room on the stack, made once on entry.
  Value reserve(Type type, int64_t count);
  /// Ends the run where `failed` holds; goes on behind `op`.
  void failIf(Value failed, Operation *op);
  Value once(Value &value, llvm::function_ref<Value()> make);

  ModuleOp module;
  func::FuncOp func;
  ImplicitLocOpBuilder b;
  LLVM::LLVMPointerType ptr;
  /// The program's tensors are in the memory of a GPU.
  bool onDevice = false;
  Value run, symbols, arena, launchArgs;
  Value launchAddresses, grid; ///< of device launches
  TensorMaps tensorMaps;       ///< of these
  /// Loads that are part of requirements, and what these leave behind.
  llvm::DenseMap<RequireOp, LoadOp> deferred;
  SmallVector<Operation *> dead;
  Block *failure = nullptr;
  llvm::StringMap<LLVM::GlobalOp> texts;
};

} // namespace

//===----------------------------------------------------------------------===//
// Building blocks
//===----------------------------------------------------------------------===//

Value FunctionLowering::call(StringRef name, Type result, ValueRange operands) {
  auto callee = module.lookupSymbol<func::FuncOp>(name);
  if (!callee) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    // Arguments of blocks are buffers until all is lowered.
    auto types = llvm::map_to_vector(operands.getTypes(), [&](Type type) {
      return isa<BufferType>(type) ? Type(ptr) : type;
    });
    callee = func::FuncOp::create(
        b, name,
        b.getFunctionType(types, result ? TypeRange(result) : TypeRange()));
    callee.setPrivate();
  }
  auto op = func::CallOp::create(b, callee, operands);
  return result ? op.getResult(0) : Value();
}

Value FunctionLowering::once(Value &value, llvm::function_ref<Value()> make) {
  if (value)
    return value;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&func.getBody().front());
  value = make();
  return value;
}

Value FunctionLowering::reserve(Type type, int64_t count) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&func.getBody().front());
  return LLVM::AllocaOp::create(b, ptr, type, constant(64, count));
}

void FunctionLowering::failIf(Value failed, Operation *op) {
  if (!failure) {
    OpBuilder::InsertionGuard guard(b);
    failure = b.createBlock(&func.getBody(), func.getBody().end());
    func::ReturnOp::create(b, constant(32, 1));
  }
  Block *block = b.getInsertionBlock();
  Block *next = block->splitBlock(op->getNextNode());
  b.setInsertionPointToEnd(block);
  cf::CondBranchOp::create(b, failed, failure, ValueRange(), next,
                           ValueRange());
}

void FunctionLowering::failUnlessZero(Value status, Operation *op) {
  auto failed = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, status,
                                      constant(32, 0));
  failIf(failed, failed);
  b.setInsertionPoint(op);
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

/// The number of symbol `name` among the ops of type OpT of the module.
template <typename OpT>
static int64_t getNumber(ModuleOp module, StringRef name) {
  for (auto [number, op] : llvm::enumerate(module.getOps<OpT>()))
    if (op.getSymName() == name)
      return number;
  llvm_unreachable("symbol uses were verified");
}

void FunctionLowering::lowerLaunch(LaunchOp op) {
  auto kernel = module.lookupSymbol<dispatch::KernelOp>(op.getKernel());
  SmallVector<Value> words;
  llvm::append_range(words, op.getReads());
  llvm::append_range(words, op.getWrites());
  for (Value word : op.getWords())
    words.push_back(toI64(word));
  for (auto [position, word] : llvm::enumerate(words))
    LLVM::StoreOp::create(
        b, word, element(launchArgs, b.getI64Type(), constant(64, position)));

  for (auto [task, count] : llvm::enumerate(kernel.getCounts())) {
    Value iterations = func::CallOp::create(b, cast<FlatSymbolRefAttr>(count),
                                            b.getI64Type(), launchArgs)
                           .getResult(0);
    Value status =
        kernel.getDevice()
            ? launchDeviceTask(kernel, task, words.size(), iterations, op)
            : launchTask(kernel, task, iterations);
    failUnlessZero(status, op);
  }
}

Value FunctionLowering::launchTask(dispatch::KernelOp kernel, size_t task,
                                   Value iterations) {
  auto name = cast<FlatSymbolRefAttr>(kernel.getTasks()[task]);
  auto function = module.lookupSymbol<func::FuncOp>(name.getAttr());
  Value address = func::ConstantOp::create(b, function.getFunctionType(), name);
  address = UnrealizedConversionCastOp::create(b, ptr, address).getResult(0);
  int64_t number = getNumber<dispatch::KernelOp>(module, kernel.getSymName());
  return call("weft_rt_launch", b.getI32Type(),
              {run, constant(32, number), address, launchArgs, iterations});
}

Value FunctionLowering::launchDeviceTask(dispatch::KernelOp kernel, size_t task,
                                         size_t numWords, Value iterations,
                                         LaunchOp op) {
  auto launch = cast<dispatch::DeviceTaskAttr>((*kernel.getDevice())[task]);
  auto storeWord = [&](size_t position, Value word) {
    LLVM::StoreOp::create(
        b, word, element(launchArgs, b.getI64Type(), constant(64, position)));
  };
  storeWord(numWords, iterations);
  if (launch.getCanFault())
    storeWord(numWords + 1, call("weft_rt_device_faults", ptr, run));
  Value blocks = arith::CeilDivSIOp::create(
      b, iterations, constant(64, launch.getIterations()));
  LLVM::StoreOp::create(b, blocks, grid);
  // Tensor maps come before the words, in the last of their places.
  size_t place = tensorMaps.getMost() - launch.getNumMaps();
  Value first = element(launchAddresses, ptr, constant(64, place));
  for (size_t number : llvm::seq(launch.getNumMaps())) {
    auto map = cast<dispatch::TensorMapAttr>(launch.getMaps()[number]);
    Value word =
        element(launchArgs, b.getI64Type(), constant(64, map.getWord()));
    SmallVector<Value> operands = tensorMaps.describe(b, map, word, place++);
    operands.insert(operands.begin(), run);
    callOrFail("weft_rt_device_tensor_map", operands, op);
  }
  // Its number among the functions on the device.
  int64_t number = task;
  for (auto before : module.getOps<dispatch::KernelOp>()) {
    if (before == kernel)
      break;
    number += before.getTasks().size();
  }
  return call("weft_rt_device_launch", b.getI32Type(),
              {run, constant(32, number), grid,
               constant(64, launch.getShared()), first});
}

void FunctionLowering::lowerCopy(CopyOp op) {
  // Of what is in its place already, no byte.
  Value from = op->getOperand(0), to = op->getOperand(1);
  Value isSame = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, from, to);
  Value bytes =
      arith::SelectOp::create(b, isSame, constant(64, 0), toI64(op.getBytes()));
  if (onDevice)
    callOrFail("weft_rt_device_copy", {run, to, from, bytes}, op);
  else
    LLVM::MemcpyOp::create(b, to, from, bytes, /*isVolatile=*/false);
}

void FunctionLowering::lowerOutput(OutputOp op) {
  auto ports = module->getAttrOfType<ArrayAttr>(outputsAttrName);
  RankedTensorType type = cast<PortAttr>(ports[op.getNumber()]).getType();
  Value sizes = reserve(b.getI64Type(), std::max<int64_t>(1, type.getRank()));
  auto given = op.getSizes().begin();
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    Value value =
        ShapedType::isStatic(size) ? constant(64, size) : toI64(*given++);
    LLVM::StoreOp::create(b, value,
                          element(sizes, b.getI64Type(), constant(64, dim)));
  }
  Value memory =
      callFor("output", ptr, {run, constant(32, op.getNumber()), sizes});
  op.getBuffer().replaceAllUsesWith(memory);
  auto null = LLVM::ZeroOp::create(b, ptr);
  failIf(LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, memory, null), op);
}

Value FunctionLowering::text(StringRef text) {
  auto [known, isNew] = texts.try_emplace(text);
  if (isNew) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    std::string bytes = text.str() + '\0';
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes.size());
    known->second = LLVM::GlobalOp::create(
        b, type, /*isConstant=*/true, LLVM::Linkage::Private,
        "weft_place_" + std::to_string(texts.size() - 1),
        b.getStringAttr(bytes));
  }
  return LLVM::AddressOfOp::create(b, ptr, known->second.getSymName());
}

LoadOp FunctionLowering::findDeferred(RequireOp op) {
  auto compare = op.getCondition().getDefiningOp<arith::CmpIOp>();
  auto cast = op.getDetail().getDefiningOp<arith::IndexCastOp>();
  auto load = cast ? cast.getIn().getDefiningOp<LoadOp>() : nullptr;
  if (!onDevice || !compare || !load || !load.getType().isInteger(64) ||
      compare.getPredicate() != arith::CmpIPredicate::ult ||
      compare.getLhs() != cast.getResult() ||
      compare.getRhs() != op.getWanted())
    return nullptr;
  auto isOnlyFor = [](Operation *op, ArrayRef<Operation *> users) {
    return llvm::all_of(op->getUsers(), [&](Operation *user) {
      return llvm::is_contained(users, user);
    });
  };
  if (!isOnlyFor(load, {cast}) || !isOnlyFor(cast, {compare, op}) ||
      !isOnlyFor(compare, {op}) || load->getBlock() != op->getBlock())
    return nullptr;
  for (Operation *between = load->getNextNode(); between != op;
       between = between->getNextNode())
    if (!isMemoryEffectFree(between))
      return nullptr;
  return load;
}

void FunctionLowering::lowerDeferred(RequireOp op, LoadOp load) {
  Value address =
      element(load->getOperand(0), b.getI64Type(), toI64(load.getIndex()));
  callOrFail("weft_rt_device_require",
             {run, text(op.getPlace()), constant(32, op.getFault()), address,
              toI64(op.getWanted())},
             op);
  dead.append({op.getCondition().getDefiningOp(),
               op.getDetail().getDefiningOp(), load});
}

void FunctionLowering::lowerRequire(RequireOp op) {
  if (LoadOp load = deferred.lookup(op))
    return lowerDeferred(op, load);
  Block *block = b.getInsertionBlock();
  Block *next = block->splitBlock(op->getNextNode());
  Block *fault = b.createBlock(&func.getBody(), func.getBody().end());
  call("weft_rt_fault", {},
       {run, text(op.getPlace()), constant(32, op.getFault()),
        toI64(op.getDetail()), toI64(op.getWanted())});
  func::ReturnOp::create(b, constant(32, 1));
  b.setInsertionPointToEnd(block);
  cf::CondBranchOp::create(b, op.getCondition(), next, ValueRange(), fault,
                           ValueRange());
}

Value FunctionLowering::lowerSize(SizeOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  SmallVector<int64_t> shape(type.getShape());
  llvm::erase_if(shape, ShapedType::isDynamic);
  Value bytes = constant(
      64, getStaticBytes(RankedTensorType::get(shape, type.getElementType())));
  Value limit = constant(64, maxBytes);
  auto overflowType = LLVM::LLVMStructType::getLiteral(
      b.getContext(), {b.getI64Type(), b.getI1Type()});
  Value zero = constant(64, 0), isEmpty;
  for (Value size : op.getSizes()) {
    Value clamped = arith::MaxSIOp::create(b, toI64(size), zero);
    Value none =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, clamped, zero);
    isEmpty =
        isEmpty ? arith::OrIOp::create(b, isEmpty, none).getResult() : none;
    Value product =
        LLVM::SMulWithOverflowOp::create(b, overflowType, bytes, clamped);
    Value low = LLVM::ExtractValueOp::create(b, product, 0);
    Value tooLarge = LLVM::ExtractValueOp::create(b, product, 1);
    low = arith::MinSIOp::create(b, low, limit);
    bytes = arith::SelectOp::create(b, tooLarge, limit, low);
  }
  // Zero wins over what was cut off.
  if (isEmpty)
    bytes = arith::SelectOp::create(b, isEmpty, zero, bytes);
  return toIndex(bytes);
}

/// The integer type as wide as one stored element of `type`, or null if the
/// element is stored as it is.
static Type getCarrier(Type type) {
  unsigned width = type.getIntOrFloatBitWidth();
  if (width > 8 || (width == 8 && isa<IntegerType>(type)))
    return {};
  return IntegerType::get(type.getContext(), 8);
}

static int64_t bytesOf(Type stored) {
  return llvm::divideCeil(stored.getIntOrFloatBitWidth(), 8);
}

Value FunctionLowering::lowerLoad(LoadOp op) {
  Type type = op.getType(), carrier = getCarrier(type);
  Type stored = carrier ? carrier : type;
  Value address = element(op->getOperand(0), stored, toI64(op.getIndex()));
  if (onDevice) {
    Value copy = reserve(stored, 1);
    callOrFail("weft_rt_device_download",
               {run, copy, address, constant(64, bytesOf(stored))}, op);
    address = copy;
  }
  Value value = LLVM::LoadOp::create(b, stored, address);
  if (!carrier)
    return value;
  auto bits = b.getIntegerType(type.getIntOrFloatBitWidth());
  if (bits != carrier)
    value = arith::TruncIOp::create(b, bits, value);
  return bits == type ? value : arith::BitcastOp::create(b, type, value);
}

void FunctionLowering::lowerStore(StoreOp op) {
  Value value = op.getValue();
  Type type = value.getType(), carrier = getCarrier(type);
  Type stored = carrier ? carrier : type;
  if (carrier) {
    auto bits = b.getIntegerType(type.getIntOrFloatBitWidth());
    if (bits != type)
      value = arith::BitcastOp::create(b, bits, value);
    if (type.isInteger(1) || bits != type)
      value = bits == carrier
                  ? value
                  : arith::ExtUIOp::create(b, carrier, value).getResult();
    else
      value = arith::ExtSIOp::create(b, carrier, value);
  }
  Value address = element(op->getOperand(1), stored, toI64(op.getIndex()));
  if (!onDevice) {
    LLVM::StoreOp::create(b, value, address);
    return;
  }
  auto bits = b.getIntegerType(stored.getIntOrFloatBitWidth());
  if (value.getType() != bits)
    value = arith::BitcastOp::create(b, bits, value);
  if (!bits.isInteger(64))
    value = arith::ExtUIOp::create(b, b.getI64Type(), value);
  callOrFail("weft_rt_device_store",
             {run, address, value, constant(32, bytesOf(stored))}, op);
}

void FunctionLowering::lowerOp(Operation &op) {
  b.setLoc(op.getLoc());
  b.setInsertionPoint(&op);
  auto replace = [&](Value value) {
    op.getResult(0).replaceAllUsesWith(value);
  };
  llvm::TypeSwitch<Operation *>(&op)
      .Case([&](InputOp op) {
        replace(callFor("input", ptr, {run, constant(32, op.getNumber())}));
      })
      .Case([&](host::ConstantOp op) {
        int64_t number = getNumber<DataOp>(module, op.getData());
        replace(callFor("constant", ptr, {run, constant(32, number)}));
      })
      .Case([&](SymbolOp op) {
        Value base =
            once(symbols, [&] { return call("weft_rt_symbols", ptr, run); });
        Value at = element(base, b.getI64Type(), constant(64, op.getNumber()));
        replace(toIndex(LLVM::LoadOp::create(b, b.getI64Type(), at)));
      })
      .Case([&](ArenaOp op) {
        Value base = once(arena, [&] { return callFor("arena", ptr, run); });
        replace(element(base, b.getI8Type(), toI64(op.getOffset())));
      })
      .Case([&](AllocateOp op) {
        Value memory = callFor("allocate", ptr,
                               {run, text(getWhere(op)), toI64(op.getBytes())});
        replace(memory);
        auto null = LLVM::ZeroOp::create(b, ptr);
        failIf(LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, memory, null),
               op);
      })
      .Case([&](OutputOp op) { lowerOutput(op); })
      .Case([&](SizeOp op) { replace(lowerSize(op)); })
      .Case([&](LaunchOp op) { lowerLaunch(op); })
      .Case([&](LoadOp op) { replace(lowerLoad(op)); })
      .Case([&](StoreOp op) { lowerStore(op); })
      .Case([&](RequireOp op) { lowerRequire(op); })
      .Case([&](SettleOp op) {
        if (onDevice)
          callOrFail("weft_rt_device_settle", {run}, op);
      })
      .Case([&](CopyOp op) { lowerCopy(op); });
  op.erase();
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

void FunctionLowering::reserveLaunchArgs(size_t maxWords) {
  if (!onDevice) {
    launchArgs = reserve(b.getI64Type(), std::max<size_t>(1, maxWords));
    return;
  }
  // Behind the words come the number of iterations and the record of faults;
  // before them come tensor maps. Arguments are given by their addresses; grids
  // have one dimension.
  maxWords += 2;
  grid = reserve(b.getI64Type(), 3);
  size_t numMaps = tensorMaps.getMost();
  launchAddresses = reserve(ptr, numMaps + maxWords);
  launchArgs = reserve(b.getI64Type(), maxWords);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(grid);
  for (int64_t dim : {1, 2})
    LLVM::StoreOp::create(b, constant(64, 1),
                          element(grid, b.getI64Type(), constant(64, dim)));
  tensorMaps.reserve(b);
  for (size_t number : llvm::seq(numMaps + maxWords)) {
    Value address = number < numMaps ? tensorMaps.at(b, number)
                                     : element(launchArgs, b.getI64Type(),
                                               constant(64, number - numMaps));
    LLVM::StoreOp::create(b, address,
                          element(launchAddresses, ptr, constant(64, number)));
  }
}

void FunctionLowering::lowerOps() {
  SmallVector<Operation *> ops;
  size_t maxWords = 0;
  func.walk([&](Operation *op) {
    if (!isa<HostDialect>(op->getDialect()))
      return;
    ops.push_back(op);
    if (isa<LaunchOp>(op))
      maxWords = std::max<size_t>(maxWords, op->getNumOperands());
  });
  // All launches share one place for their arguments.
  if (func.getName() == mainName)
    reserveLaunchArgs(maxWords);
  for (Operation *op : ops)
    if (auto require = dyn_cast<RequireOp>(op))
      if (LoadOp load = findDeferred(require))
        deferred[require] = load;
  llvm::DenseSet<Operation *> kept;
  for (auto [require, load] : deferred)
    kept.insert(load);
  for (Operation *op : ops)
    if (!kept.contains(op))
      lowerOp(*op);
  for (Operation *op : dead)
    op->erase();
  // What is left of the type are arguments of blocks and results of selects.
  auto retype = [&](Value value) {
    if (isa<BufferType>(value.getType()))
      value.setType(ptr);
  };
  for (Block &block : func.getBody()) {
    llvm::for_each(block.getArguments(), retype);
    for (Operation &op : block)
      llvm::for_each(op.getResults(), retype);
  }
}

void FunctionLowering::lowerMain() {
  run = func.getBody().front().addArgument(ptr, func.getLoc());
  func.setFunctionType(b.getFunctionType(ptr, b.getI32Type()));
  func.walk([&](func::ReturnOp op) {
    b.setInsertionPoint(op);
    op->insertOperands(0, constant(32, 0));
  });
  lowerOps();
  func.setName("weft_run");
}

void FunctionLowering::lowerArenaBytes() {
  symbols = func.getBody().front().addArgument(ptr, func.getLoc());
  func.setFunctionType(b.getFunctionType(ptr, b.getI64Type()));
  func.walk([&](func::ReturnOp op) {
    b.setInsertionPoint(op);
    op->setOperand(0, toI64(op.getOperand(0)));
  });
  lowerOps();
  func.setName("weft_arena_bytes");
}

namespace {
struct ConvertHostToLLVMPass
    : weft::impl::ConvertHostToLLVMPassBase<ConvertHostToLLVMPass> {
  using ConvertHostToLLVMPassBase::ConvertHostToLLVMPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto main = module.lookupSymbol<func::FuncOp>(mainName);
    auto arenaBytes = module.lookupSymbol<func::FuncOp>(arenaBytesName);
    if (!main || !arenaBytes) {
      module.emitError("there is no function '")
          << (main ? arenaBytesName : mainName) << "'";
      return signalPassFailure();
    }
    FunctionLowering(module, main).lowerMain();
    FunctionLowering(module, arenaBytes).lowerArenaBytes();
  }
};
} // namespace
