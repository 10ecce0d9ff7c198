//===- KernelBuilder.cpp - Functions of one CPU kernel --------------------===//

#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Dialect/Weft/IR/SizeChecks.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

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

  func::FuncOp countFn = createCount("_count" + suffix, count);

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

dispatch::KernelOp KernelBuilder::finish() {
  return dispatch::KernelOp::create(
      moduleBuilder, region.getLoc(), name, moduleBuilder.getArrayAttr(tasks),
      moduleBuilder.getArrayAttr(counts), scratchBytes, getNodes(region),
      region.getInPlaceAttr(), canFault,
      /*device=*/ArrayAttr());
}
