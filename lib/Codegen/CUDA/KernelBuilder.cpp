//===- KernelBuilder.cpp - Functions of one CUDA kernel -------------------===//

#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "weft-rt/program.h"
#include "weft/Codegen/CUDA/Passes.h"
#include "weft/Dialect/Weft/IR/SizeChecks.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Threads of a block whose threads have nothing to do with each other.
static constexpr int32_t kThreads = 256;

/// Bytes of shared memory that a block has without asking at its launch.
static constexpr int64_t kStaticShared = 48 * 1024;

//===----------------------------------------------------------------------===//
// Faults
//===----------------------------------------------------------------------===//

int32_t KernelBuilder::getPlace(Operation *op) {
  auto where = moduleBuilder.getStringAttr(getWhere(op));
  SmallVector<Attribute> places;
  if (auto known = module->getAttrOfType<ArrayAttr>(dispatch::placesAttrName))
    places.assign(known.begin(), known.end());
  auto it = llvm::find(places, Attribute(where));
  int32_t number = it - places.begin();
  if (it == places.end()) {
    places.push_back(where);
    module->setAttr(dispatch::placesAttrName,
                    moduleBuilder.getArrayAttr(places));
  }
  return number;
}

/// The fields of weft_device_fault (weft-rt/program.h).
enum FaultField { kTaken, kFault, kKernel, kPlace, kDetail, kWanted };

static LLVM::LLVMStructType getFaultType(MLIRContext *context) {
  Type i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  return LLVM::LLVMStructType::getLiteral(context,
                                          {i32, i32, i32, i32, i64, i64});
}

void KernelBuilder::bindFaults(RegionEmitter &emitter, Value record) {
  emitter.setFaultHandler([this, &emitter, record](Operation *op,
                                                   Value condition, Fault fault,
                                                   Value found, Value wanted) {
    ImplicitLocOpBuilder &b = emitter.builder();
    canFault = taskCanFault = true;
    int32_t place = getPlace(op);
    Type type = getFaultType(b.getContext());
    auto field = [&](FaultField number) -> Value {
      return LLVM::GEPOp::create(b, record.getType(), type, record,
                                 ArrayRef<LLVM::GEPArg>{0, number});
    };
    auto set = [&](FaultField number, Value value) {
      LLVM::StoreOp::create(b, value, field(number));
    };
    auto i32 = [&](int32_t value) -> Value {
      return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
    };
    Value bad =
        arith::XOrIOp::create(b, condition, emitter.constant(b.getI1Type(), 1));
    auto outer = scf::IfOp::create(b, bad, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(outer.thenBlock());
    // The first one may say what is wrong.
    Value swapped = LLVM::AtomicCmpXchgOp::create(
        b, field(kTaken), i32(0), i32(1), LLVM::AtomicOrdering::monotonic,
        LLVM::AtomicOrdering::monotonic);
    Value isFirst = LLVM::ExtractValueOp::create(b, swapped, 1);
    auto inner = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
    b.setInsertionPointToStart(inner.thenBlock());
    set(kFault, i32(static_cast<int32_t>(fault)));
    set(kKernel, i32(-1));
    set(kPlace, i32(place));
    set(kDetail, arith::IndexCastOp::create(b, b.getI64Type(), found));
    set(kWanted, arith::IndexCastOp::create(b, b.getI64Type(), wanted));
  });
}

//===----------------------------------------------------------------------===//
// Widths of indices
//===----------------------------------------------------------------------===//

/// Whether sizes alone keep all indices of the region's tensors, with what is
/// added to round up, within 31 bits.
static bool hasSmallSizes(dispatch::RegionOp region) {
  auto isSmall = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return !tensor || (tensor.hasStaticShape() &&
                       tensor.getNumElements() < int64_t{1} << 30);
  };
  return region.getScalars().empty() &&
         llvm::all_of(region.getOperandTypes(), isSmall) &&
         !region.getBody()
              .walk([&](Operation *op) {
                return llvm::all_of(op->getResultTypes(), isSmall)
                           ? WalkResult::advance()
                           : WalkResult::interrupt();
              })
              .wasInterrupted();
}

/// Whether indices in `task` come from wider integers, or are such themselves.
static bool hasWideIndices(func::FuncOp task) {
  auto isWide = [](Operation *op) {
    if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op)) {
      auto from = dyn_cast<IntegerType>(op->getOperand(0).getType());
      return from && from.getWidth() > 32;
    }
    IntegerAttr constant;
    return matchPattern(op, m_Constant(&constant)) &&
           constant.getType().isIndex() &&
           !constant.getValue().isSignedIntN(32);
  };
  return task
      .walk([&](Operation *op) {
        return isWide(op) ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

//===----------------------------------------------------------------------===//
// Tasks
//===----------------------------------------------------------------------===//

void KernelBuilder::addTask(int32_t threads, int64_t iterations, CountFn count,
                            BodyFn body) {
  std::string suffix =
      tasks.empty() ? "" : "_" + std::to_string(tasks.size() + 1);
  counts.push_back(
      FlatSymbolRefAttr::get(createCount("_count" + suffix, count)));

  // Words, the number of iterations, the record of faults.
  SmallVector<Type> types = wordTypes();
  Type indexType = moduleBuilder.getIndexType();
  size_t numWords = types.size();
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  types.append({indexType, pointer});
  task = createFunction("_task" + suffix, types);
  for (unsigned i : llvm::seq<unsigned>(0, numWords))
    if (types[i] == pointer)
      task.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                      moduleBuilder.getUnitAttr());
  auto b = ImplicitLocOpBuilder::atBlockEnd(region.getLoc(),
                                            &task.getBody().front());
  RegionEmitter emitter(b);
  bindOperands(emitter, task.getArguments().take_front(numWords));
  if (scratchBytes > 0)
    scratch =
        task.getArgument(region.getInputs().size() + region.getNumResults());
  bindFaults(emitter, task.getArgument(numWords + 1));
  taskCanFault = false;
  dynamicShared = 0;
  maps.clear();
  Value numIterations = task.getArgument(numWords);

  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastUIOp::create(b, indexType, value);
  };
  Value block = toIndex(NVVM::BlockIdXOp::create(b, b.getI32Type()));
  if (iterations == 1) {
    body(emitter, block);
  } else {
    Value thread = toIndex(NVVM::ThreadIdXOp::create(b, b.getI32Type()));
    Value number =
        emitter.add(emitter.mul(block, emitter.index(iterations)), thread);
    Value isOne = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number,
                                        numIterations);
    auto guarded = scf::IfOp::create(b, isOne, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(guarded.thenBlock());
    body(emitter, number);
  }
  b.setInsertionPointToEnd(&task.getBody().front());
  func::ReturnOp::create(b);

  if (!taskCanFault && failed(task.eraseArgument(maps.size() + numWords + 1)))
    llvm_unreachable("the record of faults is used by faults alone");
  if (hasSmallSizes(region) && !hasWideIndices(task))
    task->setAttr(kNarrowIndicesAttr, moduleBuilder.getUnitAttr());
  tasks.push_back(FlatSymbolRefAttr::get(task));
  device.push_back(dispatch::DeviceTaskAttr::get(
      module.getContext(), threads, iterations, task.getNumArguments(),
      taskCanFault, dynamicShared,
      maps.empty() ? ArrayAttr() : moduleBuilder.getArrayAttr(maps)));
}

void KernelBuilder::addThreads(CountFn count, BodyFn body) {
  addTask(kThreads, kThreads, count, body);
}

void KernelBuilder::addBlocks(int32_t threads, CountFn count, BodyFn body,
                              int32_t together) {
  addTask(threads, 1, count, body);
  if (together > 1)
    task->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                  moduleBuilder.getI32IntegerAttr(together));
}

int64_t KernelBuilder::reserveScratch(int64_t bytes) {
  assert(tasks.empty() && "tasks have the words of a launch with scratch");
  int64_t offset = scratchBytes;
  scratchBytes += llvm::alignTo(bytes, 64);
  return offset;
}

Value KernelBuilder::scratchAddress(RegionEmitter &emitter, int64_t offset) {
  ImplicitLocOpBuilder &b = emitter.builder();
  // Scratch may have more bytes than a word counts.
  Value bytes = LLVM::ConstantOp::create(b, b.getI64Type(), offset);
  return LLVM::GEPOp::create(b, scratch.getType(), b.getI8Type(), scratch,
                             ValueRange{bytes}, LLVM::GEPNoWrapFlags::inbounds);
}

Value KernelBuilder::sharedMemory(RegionEmitter &emitter, Type type,
                                  int64_t count, unsigned alignment) {
  // What is too large gets its size, and with that its memory, at the launch.
  int64_t bytes = count * llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
  bool isDynamic = bytes > kStaticShared;
  if (isDynamic) {
    assert(dynamicShared == 0 && "all dynamic memory begins at one address");
    dynamicShared = bytes;
  }
  auto global = LLVM::GlobalOp::create(
      moduleBuilder, region.getLoc(),
      LLVM::LLVMArrayType::get(type, isDynamic ? 0 : count),
      /*isConstant=*/false,
      isDynamic ? LLVM::Linkage::External : LLVM::Linkage::Internal,
      name + "_shared_" + std::to_string(numShared++), Attribute(), alignment,
      static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared));
  return LLVM::AddressOfOp::create(emitter.builder(), global);
}

Value KernelBuilder::tensorMap(BlockArgument tensor, ArrayRef<int64_t> sizes,
                               ArrayRef<int64_t> strides, ArrayRef<int64_t> box,
                               int64_t swizzle) {
  // What is made in place is found where it is made.
  int64_t word = tensor.getArgNumber();
  for (unsigned number : llvm::seq(region.getNumResults()))
    if (region.getInPlaceInput(number) == tensor.getArgNumber())
      word = region.getInputs().size() + number;
  // Maps are the task's first arguments, by value.
  MLIRContext *context = module.getContext();
  auto bytes = LLVM::LLVMArrayType::get(moduleBuilder.getI8Type(),
                                        WEFT_TENSOR_MAP_BYTES);
  NamedAttribute attributes[] = {
      {LLVM::LLVMDialect::getByValAttrName(), TypeAttr::get(bytes)},
      {LLVM::LLVMDialect::getAlignAttrName(),
       moduleBuilder.getI64IntegerAttr(WEFT_TENSOR_MAP_ALIGNMENT)}};
  if (failed(task.insertArgument(
          maps.size(), LLVM::LLVMPointerType::get(context),
          DictionaryAttr::get(context, attributes), region.getLoc())))
    llvm_unreachable("a function takes any arguments");
  auto element = cast<RankedTensorType>(tensor.getType()).getElementType();
  maps.push_back(dispatch::TensorMapAttr::get(
      context, word, element, moduleBuilder.getDenseI64ArrayAttr(sizes),
      moduleBuilder.getDenseI64ArrayAttr(strides),
      moduleBuilder.getDenseI64ArrayAttr(box), swizzle));
  return task.getArgument(maps.size() - 1);
}

Value KernelBuilder::constantWords(RegionEmitter &emitter,
                                   ArrayRef<int32_t> words) {
  LLVM::GlobalOp &global = constants[words.vec()];
  if (!global) {
    Type type = LLVM::LLVMArrayType::get(moduleBuilder.getI32Type(),
                                         static_cast<int64_t>(words.size()));
    global = LLVM::GlobalOp::create(
        moduleBuilder, region.getLoc(), type, /*isConstant=*/true,
        LLVM::Linkage::Internal,
        name + "_words_" + std::to_string(constants.size()),
        moduleBuilder.getI32TensorAttr(words), /*alignment=*/16,
        static_cast<unsigned>(NVVM::NVVMMemorySpace::Global));
  }
  ImplicitLocOpBuilder &b = emitter.builder();
  return LLVM::AddrSpaceCastOp::create(
      b, LLVM::LLVMPointerType::get(b.getContext()),
      LLVM::AddressOfOp::create(b, global));
}

dispatch::KernelOp KernelBuilder::finish() {
  return dispatch::KernelOp::create(
      moduleBuilder, region.getLoc(), name, moduleBuilder.getArrayAttr(tasks),
      moduleBuilder.getArrayAttr(counts), scratchBytes, getNodes(region),
      region.getInPlaceAttr(), canFault, moduleBuilder.getArrayAttr(device));
}
