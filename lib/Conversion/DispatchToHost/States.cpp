//===- States.cpp - When new values of states are written, and where ------===//
//
// A state's input and the output that is its new value may be the same memory.
// So whatever reads the old value comes before the new one is written, and so
// does whatever may fail, since a run that fails must leave the state whole. A
// kernel writes a new value at once if it reads the old one in place or not at
// all; else the value is made in the arena and copied at the end.
//
//===----------------------------------------------------------------------===//

#include "Converter.h"

using namespace mlir;
using namespace weft;
using namespace weft::host;

namespace {
/// Who knows the memory of a state's old value.
struct StateUses {
  /// The ops of the body that read it, the terminator among them if it returns
  /// that memory.
  llvm::SetVector<Operation *> readers;
  /// The values that may be at its address.
  llvm::DenseSet<Value> names;

  explicit StateUses(BlockArgument state);
};
} // namespace

StateUses::StateUses(BlockArgument state) {
  SmallVector<Value> worklist{state};
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    if (!names.insert(value).second)
      continue;
    for (Operation *user : value.getUsers()) {
      if (isa<tensor::DimOp>(user))
        continue;
      Operation *reader = state.getOwner()->findAncestorOpInBlock(*user);
      readers.insert(reader);
      // What is not a kernel may pass the address on.
      if (!isa<dispatch::LaunchOp, tensor::ExtractOp>(user))
        for (Value result : reader->getResults())
          if (isa<RankedTensorType>(result.getType()))
            worklist.push_back(result);
    }
  }
}

static Operation *getLater(Operation *lhs, Operation *rhs) {
  if (!lhs || !rhs)
    return lhs ? lhs : rhs;
  return lhs->isBeforeInBlock(rhs) ? rhs : lhs;
}

/// Whether what stands for `op` in the host program may end the run. This need
/// not be exact: it decides only in which order launches run.
static bool mayFail(Operation *op, SymbolTable &symbols) {
  auto isDynamic = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && !tensor.hasStaticShape();
  };
  auto result = op->walk([&](Operation *nested) {
    bool fails = isa<RequireSizesOp>(nested);
    if (auto launch = dyn_cast<dispatch::LaunchOp>(nested)) {
      auto kernel = symbols.lookup<dispatch::KernelOp>(launch.getKernel());
      fails = kernel && kernel.getCanFault();
    } else if (isa<tensor::CastOp, ReshapeOp>(nested)) {
      fails = llvm::any_of(nested->getResultTypes(), isDynamic) ||
              llvm::any_of(nested->getOperandTypes(), isDynamic);
    } else if (auto extract = dyn_cast<tensor::ExtractOp>(nested)) {
      fails = !extract.getIndices().empty();
    }
    return fails ? WalkResult::interrupt() : WalkResult::advance();
  });
  return result.wasInterrupted();
}

void Converter::sinkStates() {
  Block &body = from.getBody().front();
  Operation *terminator = body.getTerminator();
  llvm::DenseMap<Value, SmallVector<BlockArgument>> states;
  for (auto [number, value] : llvm::enumerate(terminator->getOperands()))
    if (isStateRole(outputRoles[number].role))
      states[skipCasts(value)].push_back(
          from.getArgument(outputRoles[number].twin));

  // Launches that make states, and no result but for the caller or each other.
  llvm::SetVector<Operation *> late;
  for (Operation &op : llvm::reverse(body.without_terminator())) {
    bool makesState = llvm::any_of(
        op.getResults(), [&](Value value) { return states.contains(value); });
    bool isFree = llvm::all_of(op.getUsers(), [&](Operation *user) {
      return user == terminator || late.contains(user);
    });
    bool isCast =
        isa<tensor::CastOp>(op) && states.contains(skipCasts(op.getResult(0)));
    if (isFree && (isCast || (isa<dispatch::LaunchOp>(op) && makesState)))
      late.insert(&op);
  }
  if (late.empty())
    return;

  Operation *lastFailing = nullptr;
  for (Operation &op : body.without_terminator())
    if (!late.contains(&op) && mayFail(&op, symbolTable))
      lastFailing = &op;
  Operation *previous = nullptr;
  for (Operation *op : llvm::reverse(late)) {
    Operation *after = getLater(previous, lastFailing);
    for (Value result : op->getResults())
      for (BlockArgument state : states.lookup(result))
        for (Operation *reader : StateUses(state).readers)
          if (reader != terminator && !late.contains(reader))
            after = getLater(after, reader);
    if (after && op->isBeforeInBlock(after))
      op->moveAfter(after);
    previous = op;
  }
}

bool Converter::isWrittenAtOnce(OpResult result, unsigned number) {
  Operation *launch = result.getOwner();
  BlockArgument state = from.getArgument(outputRoles[number].twin);
  StateUses uses(state);
  for (Operation *reader : uses.readers)
    if (reader != launch && !reader->isBeforeInBlock(launch))
      return false;
  if (!uses.readers.contains(launch))
    return true;
  OpOperand *place = findPlace(result);
  if (!place || place->get() != state)
    return false;
  // Under no other name does the kernel read it.
  return llvm::all_of(launch->getOpOperands(), [&](OpOperand &operand) {
    return &operand == place || !uses.names.contains(operand.get());
  });
}

/// Whether `memory` may be that of a state other than `own`, the number of an
/// input.
static bool mayHoldOtherState(Value memory, int32_t own,
                              ArrayRef<PortRole> inputs) {
  Operation *maker = memory.getDefiningOp();
  if (auto input = dyn_cast_or_null<InputOp>(maker))
    return isStateRole(inputs[input.getNumber()].role) &&
           static_cast<int32_t>(input.getNumber()) != own;
  return !isa_and_nonnull<AllocOp, AllocateOp, host::ConstantOp, OutputOp>(
      maker);
}

void Converter::copyStates(func::ReturnOp op) {
  // States that become other states are put aside before any is written.
  for (auto [number, value] : llvm::enumerate(op.getOperands())) {
    const PortRole &role = outputRoles[number];
    if (!isStateRole(role.role))
      continue;
    Buffer &buffer = buffers[value];
    if (!mayHoldOtherState(buffer.memory, role.twin, inputRoles))
      continue;
    Type elementType = cast<RankedTensorType>(value.getType()).getElementType();
    Value aside = createMemory(elementType, buffer.sizes);
    CopyOp::create(b, buffer.memory, aside,
                   createBytes(elementType, buffer.sizes));
    buffer.memory = aside;
  }
  for (auto [number, value] : llvm::enumerate(op.getOperands()))
    if (isStateRole(outputRoles[number].role))
      copyToOutput(number, value);
}
