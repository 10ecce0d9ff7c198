//===- KernelBuilder.cpp - Functions of one CPU kernel --------------------===//

#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Dialect/Weft/IR/SizeChecks.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

KernelBuilder::KernelBuilder(dispatch::RegionOp region, StringRef name,
                             ModuleOp module, const TargetDescription &target)
    : region(region), name(name), module(module), target(target),
      moduleBuilder(OpBuilder::atBlockEnd(module.getBody())) {}

/// The number of `?` sizes of `types`.
static unsigned countDynamic(TypeRange types) {
  unsigned count = 0;
  for (Type type : types)
    count += cast<RankedTensorType>(type).getNumDynamicDims();
  return count;
}

func::FuncOp KernelBuilder::createFunction(StringRef suffix, TypeRange types) {
  auto type = moduleBuilder.getFunctionType(types, {});
  auto function = func::FuncOp::create(moduleBuilder, region.getLoc(),
                                       name + suffix.str(), type);
  function.setPrivate();
  function.addEntryBlock();
  return function;
}

/// Loads word number `index` of `args` as `type`.
static Value loadWord(ImplicitLocOpBuilder &b, Value args, int32_t index,
                      Type type) {
  Value address = LLVM::GEPOp::create(b, args.getType(), b.getI64Type(), args,
                                      ArrayRef<LLVM::GEPArg>{index},
                                      LLVM::GEPNoWrapFlags::inbounds);
  return LLVM::LoadOp::create(b, type, address);
}

SmallVector<Value> KernelBuilder::loadWords(ImplicitLocOpBuilder &b,
                                            Value args) {
  int64_t pointers = region.getInputs().size() + region.getNumResults();
  int64_t numbers = region.getScalars().size() +
                    countDynamic(region.getInputs().getTypes()) +
                    countDynamic(region.getResultTypes());
  SmallVector<Value> words;
  auto pointerType = LLVM::LLVMPointerType::get(b.getContext());
  for (int64_t i : llvm::seq(pointers))
    words.push_back(loadWord(b, args, i, pointerType));
  for (int64_t i : llvm::seq(numbers))
    words.push_back(arith::IndexCastOp::create(
        b, b.getIndexType(), loadWord(b, args, pointers + i, b.getI64Type())));
  return words;
}

void KernelBuilder::bindOperands(RegionEmitter &emitter, ValueRange words) {
  Block &block = region.getBody().front();
  size_t numInputs = region.getInputs().size();
  ValueRange pointers = words.take_front(numInputs + region.getNumResults());
  ValueRange numbers = words.drop_front(pointers.size());
  for (BlockArgument scalar : block.getArguments().drop_front(numInputs)) {
    emitter.bindScalar(scalar, numbers.front());
    numbers = numbers.drop_front();
  }
  auto takeSizes = [&](RankedTensorType type) {
    SmallVector<Value> sizes;
    for (int64_t size : type.getShape()) {
      if (ShapedType::isStatic(size)) {
        sizes.push_back(emitter.index(size));
        continue;
      }
      sizes.push_back(numbers.front());
      numbers = numbers.drop_front();
    }
    return sizes;
  };
  auto makeView = [&](Value pointer, RankedTensorType type) {
    SmallVector<Value> sizes = takeSizes(type);
    SmallVector<Value> strides = emitter.rowMajorStrides(sizes);
    return MemoryView{pointer, type.getElementType(), sizes, strides};
  };
  // What is made in place is found where it is made.
  SmallVector<Value> inputPointers(pointers.take_front(numInputs));
  for (unsigned number : llvm::seq(region.getNumResults()))
    if (int64_t input = region.getInPlaceInput(number); input >= 0)
      inputPointers[input] = pointers[numInputs + number];
  for (BlockArgument input : block.getArguments().take_front(numInputs)) {
    MemoryView view = makeView(inputPointers[input.getArgNumber()],
                               cast<RankedTensorType>(input.getType()));
    for (auto [dim, size] : llvm::enumerate(view.sizes))
      emitter.bindSize(input, dim, size);
    emitter.bindMemory(input, view);
  }
  resultViews.clear();
  for (OpResult result : region.getResults()) {
    unsigned number = result.getResultNumber();
    MemoryView view = makeView(pointers[numInputs + number],
                               cast<RankedTensorType>(result.getType()));
    for (auto [dim, size] : llvm::enumerate(view.sizes))
      emitter.bindSize(getYields()[number], dim, size);
    resultViews.push_back(view);
  }
}

func::FuncOp KernelBuilder::declareFault() {
  constexpr StringLiteral symbol = "weft_rt_fault";
  if (auto known = module.lookupSymbol<func::FuncOp>(symbol))
    return known;
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto function =
      func::FuncOp::create(b, module.getLoc(), symbol,
                           b.getFunctionType({pointer, pointer, b.getI32Type(),
                                              b.getI64Type(), b.getI64Type()},
                                             {}));
  function.setPrivate();
  return function;
}

LLVM::GlobalOp KernelBuilder::declareText(StringRef text) {
  std::string bytes = text.str() + '\0';
  // One per kernel and text.
  std::string symbol = name + "_place";
  for (int number = 2;; ++number) {
    auto known = module.lookupSymbol<LLVM::GlobalOp>(symbol);
    if (!known)
      break;
    if (cast<StringAttr>(*known.getValue()).getValue() == bytes)
      return known;
    symbol = name + "_place_" + std::to_string(number);
  }
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes.size());
  return LLVM::GlobalOp::create(b, region.getLoc(), type, /*isConstant=*/true,
                                LLVM::Linkage::Private, symbol,
                                b.getStringAttr(bytes));
}

void KernelBuilder::bindFaults(RegionEmitter &emitter, Value run) {
  emitter.setFaultHandler([this, &emitter, run](Operation *op, Value condition,
                                                Fault fault, Value found,
                                                Value wanted) {
    ImplicitLocOpBuilder &b = emitter.builder();
    canFault = true;
    Value bad =
        arith::XOrIOp::create(b, condition, emitter.constant(b.getI1Type(), 1));
    auto ifOp = scf::IfOp::create(b, bad, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    Value place = LLVM::AddressOfOp::create(
        b, run.getType(), declareText(getWhere(op)).getSymName());
    Value kind = emitter.constant(b.getI32Type(), static_cast<int32_t>(fault));
    auto toWord = [&](Value value) {
      return arith::IndexCastOp::create(b, b.getI64Type(), value);
    };
    func::CallOp::create(
        b, declareFault(),
        ValueRange{run, place, kind, toWord(found), toWord(wanted)});
  });
}

void KernelBuilder::addTask(CountFn count, BodyFn body) {
  MLIRContext *context = module.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context);
  Type i64 = moduleBuilder.getI64Type(),
       indexType = moduleBuilder.getIndexType();
  std::string suffix =
      tasks.empty() ? "" : "_" + std::to_string(tasks.size() + 1);

  // The number of iterations.
  func::FuncOp countFn = createFunction("_count" + suffix, {pointer});
  countFn.setType(moduleBuilder.getFunctionType({pointer}, {i64}));
  {
    auto b = ImplicitLocOpBuilder::atBlockEnd(region.getLoc(),
                                              &countFn.getBody().front());
    RegionEmitter emitter(b);
    SmallVector<Value> words = loadWords(b, countFn.getArgument(0));
    bindOperands(emitter, words);
    Value number = count(emitter);
    func::ReturnOp::create(
        b, ValueRange{arith::IndexCastOp::create(b, i64, number)});
  }

  // The body takes each buffer as an argument of its own, since only arguments
  // can be marked as not aliasing each other.
  func::FuncOp task =
      createFunction("_task" + suffix, {pointer, pointer, i64, i64, pointer});
  auto b = ImplicitLocOpBuilder::atBlockEnd(region.getLoc(),
                                            &task.getBody().front());
  SmallVector<Value> words = loadWords(b, task.getArgument(1));
  SmallVector<Value> operands{task.getArgument(0), task.getArgument(4)};
  for (unsigned bound : {2, 3})
    operands.push_back(
        arith::IndexCastOp::create(b, indexType, task.getArgument(bound)));
  size_t firstWord = operands.size();
  llvm::append_range(operands, words);
  func::FuncOp inner =
      createFunction("_body" + suffix, ValueRange(operands).getTypes());
  func::CallOp::create(b, inner, operands);
  func::ReturnOp::create(b);

  inner->setAttr("passthrough", b.getArrayAttr(b.getStringAttr("noinline")));
  for (unsigned i : llvm::seq<unsigned>(1, inner.getNumArguments()))
    if (isa<LLVM::LLVMPointerType>(inner.getArgument(i).getType()))
      inner.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                       b.getUnitAttr());
  b.setInsertionPointToEnd(&inner.getBody().front());
  RegionEmitter emitter(b);
  scratch = inner.getArgument(1);
  bindOperands(emitter, inner.getArguments().drop_front(firstWord));
  bindFaults(emitter, inner.getArgument(0));
  body(emitter, inner.getArgument(2), inner.getArgument(3));
  func::ReturnOp::create(b);

  tasks.push_back(FlatSymbolRefAttr::get(task));
  counts.push_back(FlatSymbolRefAttr::get(countFn));
}

int64_t KernelBuilder::reserveScratch(int64_t bytes) {
  int64_t offset = scratchBytes;
  scratchBytes += llvm::alignTo(bytes, 64);
  return offset;
}

Value KernelBuilder::scratchAddress(RegionEmitter &emitter, int64_t offset) {
  ImplicitLocOpBuilder &b = emitter.builder();
  // A constant index of the op itself has 32 bits.
  Value at = LLVM::ConstantOp::create(b, b.getI64Type(), offset);
  return LLVM::GEPOp::create(b, scratch.getType(), b.getI8Type(), scratch,
                             ArrayRef<LLVM::GEPArg>{at},
                             LLVM::GEPNoWrapFlags::inbounds);
}

MemoryView KernelBuilder::resultView(RegionEmitter &emitter, unsigned index) {
  return resultViews[index];
}

/// Adds the names of the ONNX nodes that `loc` stems from.
static void collectNodes(Location loc, llvm::SetVector<StringAttr> &nodes) {
  if (auto name = dyn_cast<NameLoc>(loc))
    nodes.insert(name.getName());
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      collectNodes(part, nodes);
}

ArrayAttr weft::cpu::getNodes(dispatch::RegionOp region, ArrayAttr known) {
  llvm::SetVector<StringAttr> nodes;
  if (known)
    for (auto name : known.getAsRange<StringAttr>())
      nodes.insert(name);
  // Constants go by the names of initializers.
  for (Operation &op : region.getBody().front().without_terminator())
    if (!op.hasTrait<OpTrait::ConstantLike>())
      collectNodes(op.getLoc(), nodes);
  SmallVector<Attribute> names(nodes.begin(), nodes.end());
  return ArrayAttr::get(region.getContext(), names);
}

dispatch::KernelOp KernelBuilder::finish() {
  return dispatch::KernelOp::create(
      moduleBuilder, region.getLoc(), name, moduleBuilder.getArrayAttr(tasks),
      moduleBuilder.getArrayAttr(counts), scratchBytes, getNodes(region),
      region.getInPlaceAttr(), canFault);
}
