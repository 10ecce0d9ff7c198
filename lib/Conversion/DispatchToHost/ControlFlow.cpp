//===- ControlFlow.cpp - Branches and loops that carry tensors ------------===//
//
// A tensor that leaves a branch does so as an address and sizes. A tensor that
// a loop carries has two buffers, if its sizes stay the same: one holds the
// current value, and the next one is written into the other, by its kernel or
// by a copy. They are swapped by swapping the addresses. One that is changed in
// place, or not at all, has one buffer.
//
//===----------------------------------------------------------------------===//

#include "Converter.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace weft;
using namespace weft::host;

//===----------------------------------------------------------------------===//
// Tensors as address and sizes
//===----------------------------------------------------------------------===//

void Converter::addPassedTypes(Type type, SmallVectorImpl<Type> &types) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor) {
    types.push_back(type);
    return;
  }
  types.push_back(BufferType::get(b.getContext()));
  types.append(tensor.getNumDynamicDims(), b.getIndexType());
}

void Converter::addPassed(Value value, SmallVectorImpl<Value> &operands) {
  if (!isa<RankedTensorType>(value.getType())) {
    operands.push_back(scalars.lookup(value));
    return;
  }
  const Buffer &buffer = buffers.at(value);
  operands.push_back(buffer.memory);
  llvm::append_range(operands, dynamicSizes(value.getType(), buffer));
}

/// Whether `size` is known before `scope` begins.
static bool isKnownOutside(OpFoldResult size, Operation *scope) {
  auto value = dyn_cast<Value>(size);
  return !value || !scope->isAncestor(value.getParentBlock()->getParentOp());
}

void Converter::mapPassed(Operation *scope, Value value, ValueRange &passed,
                          ArrayRef<Buffer> sources) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type) {
    scalars.map(value, passed.front());
    passed = passed.drop_front();
    return;
  }
  Buffer &buffer = buffers[value];
  buffer = {passed.front(), {}};
  passed = passed.drop_front();
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    if (ShapedType::isStatic(size)) {
      buffer.sizes.push_back(b.getIndexAttr(size));
      continue;
    }
    OpFoldResult known = sources.front().sizes[dim];
    bool agreed = isKnownOutside(known, scope) &&
                  llvm::all_of(sources, [&](const Buffer &source) {
                    return isSameSize(source.sizes[dim], known);
                  });
    buffer.sizes.push_back(agreed ? known : OpFoldResult(passed.front()));
    passed = passed.drop_front();
  }
}

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

LogicalResult Converter::convertBranch(Region &from, Region &to,
                                       SmallVectorImpl<Buffer> &yielded) {
  OpBuilder::InsertionGuard guard(b);
  Block &block = to.empty() ? to.emplaceBlock() : to.front();
  if (!block.empty())
    block.back().erase();
  b.setInsertionPointToStart(&block);
  if (failed(convertBlock(from.front())))
    return failure();
  Operation *terminator = from.front().getTerminator();
  b.setLoc(terminator->getLoc());
  SmallVector<Value> operands;
  for (Value value : terminator->getOperands()) {
    addPassed(value, operands);
    yielded.push_back(isa<RankedTensorType>(value.getType()) ? buffers.at(value)
                                                             : Buffer());
  }
  scf::YieldOp::create(b, operands);
  return success();
}

LogicalResult Converter::convertIf(scf::IfOp op) {
  // Everything inside is pure, so that nothing is lost.
  if (op.getNumResults() == 0)
    return success();
  SmallVector<Type> types;
  for (Type type : op.getResultTypes())
    addPassedTypes(type, types);
  auto newIf = scf::IfOp::create(b, types, scalars.lookup(op.getCondition()),
                                 /*withElseRegion=*/true);
  SmallVector<Buffer> thenYield, elseYield;
  if (failed(convertBranch(op.getThenRegion(), newIf.getThenRegion(),
                           thenYield)) ||
      failed(
          convertBranch(op.getElseRegion(), newIf.getElseRegion(), elseYield)))
    return failure();
  ValueRange passed = newIf.getResults();
  for (auto [result, ifTrue, ifFalse] :
       llvm::zip_equal(op.getResults(), thenYield, elseYield))
    mapPassed(newIf, result, passed, {ifTrue, ifFalse});
  return success();
}

//===----------------------------------------------------------------------===//
// What loops carry
//===----------------------------------------------------------------------===//

/// Whether the memory of `value` may become one of a loop's two buffers: no
/// one else looks at it.
static bool isOwnMemory(Value value) {
  Operation *op = value.getDefiningOp();
  return op && value.hasOneUse() &&
         op->getBlock() == (*value.user_begin())->getBlock() &&
         isa<dispatch::LaunchOp, tensor::FromElementsOp, tensor::EmptyOp>(op);
}

Value Converter::takeMemory(OpOperand &init) {
  Buffer buffer = buffers.at(init.get());
  if (isOwnMemory(init.get()) || takenOver.contains(&init))
    return buffer.memory;
  Type elementType =
      cast<RankedTensorType>(init.get().getType()).getElementType();
  Value memory = createMemory(elementType, buffer.sizes);
  CopyOp::create(b, buffer.memory, memory,
                 createBytes(elementType, buffer.sizes));
  return memory;
}

SmallVector<Carried> Converter::carry(MutableArrayRef<OpOperand> inits,
                                      const llvm::BitVector &changing,
                                      const InPlacePlan &plan,
                                      SmallVectorImpl<Value> &operands) {
  SmallVector<Carried> carried;
  for (auto [number, init] : llvm::enumerate(inits)) {
    Carried &entry = carried.emplace_back();
    entry.type = init.get().getType();
    entry.firstOperand = operands.size();
    auto tensor = dyn_cast<RankedTensorType>(entry.type);
    if (!tensor || changing.test(number)) {
      entry.kind = tensor ? Carried::AnyBuffer : Carried::Scalar;
      addPassed(init.get(), operands);
    } else if (plan.chosen.test(number)) {
      entry.kind = Carried::InPlace;
      const Buffer &buffer = buffers.at(init.get());
      entry.sizes = buffer.sizes;
      entry.memory =
          plan.steps[number].empty() ? buffer.memory : takeMemory(init);
    } else {
      entry.kind = Carried::TwoBuffers;
      entry.sizes = buffers.at(init.get()).sizes;
      operands.push_back(takeMemory(init));
      operands.push_back(createMemory(tensor.getElementType(), entry.sizes));
    }
    entry.numOperands = operands.size() - entry.firstOperand;
  }
  return carried;
}

void Converter::mapCarried(ArrayRef<Carried> carried, ValueRange values,
                           ValueRange operands) {
  for (auto [entry, value] : llvm::zip_equal(carried, values)) {
    ValueRange own = operands.slice(entry.firstOperand, entry.numOperands);
    if (entry.kind == Carried::InPlace) {
      buffers[value] = {entry.memory, entry.sizes};
      continue;
    }
    if (entry.kind == Carried::TwoBuffers) {
      buffers[value] = {own.front(), entry.sizes};
      continue;
    }
    if (entry.kind == Carried::Scalar) {
      scalars.map(value, own.front());
      continue;
    }
    Buffer &buffer = buffers[value];
    buffer = {own.front(), {}};
    own = own.drop_front();
    for (int64_t size : cast<RankedTensorType>(entry.type).getShape()) {
      if (ShapedType::isStatic(size)) {
        buffer.sizes.push_back(b.getIndexAttr(size));
        continue;
      }
      buffer.sizes.push_back(own.front());
      own = own.drop_front();
    }
  }
}

void Converter::placeYields(Block &block, ArrayRef<Carried> carried,
                            ValueRange yielded, ArrayRef<Value> operands) {
  // What an earlier try decided is void.
  for (Value value : yielded) {
    placedInMemory.erase(skipCasts(value));
    fresh.erase(skipCasts(value));
  }
  for (auto [entry, value] : llvm::zip_equal(carried, yielded)) {
    if (entry.kind == Carried::Scalar || entry.kind == Carried::InPlace)
      continue;
    Value source = skipCasts(value);
    auto launch = source.getDefiningOp<dispatch::LaunchOp>();
    if (!launch || launch->getBlock() != &block)
      continue;
    if (entry.kind == Carried::TwoBuffers)
      placedInMemory.try_emplace(source, operands[entry.firstOperand + 1]);
    else
      fresh.insert(source);
  }
}

void Converter::yieldTwoBuffers(const Carried &entry, Value value,
                                ArrayRef<Value> operands,
                                SmallVectorImpl<Value> &yields) {
  Value current = operands[entry.firstOperand];
  Value next = operands[entry.firstOperand + 1];
  const Buffer &buffer = buffers.at(value);
  if (buffer.memory == current) {
    yields.append({current, next});
    return;
  }
  if (buffer.memory != next)
    CopyOp::create(
        b, buffer.memory, next,
        createBytes(cast<RankedTensorType>(entry.type).getElementType(),
                    entry.sizes));
  yields.append({next, current});
}

void Converter::yieldAnyBuffer(Operation *loop, Value arg, Value value,
                               SmallVectorImpl<Value> &yields) {
  Value source = skipCasts(value);
  bool stays = source == arg || fresh.contains(source) ||
               !loop->isAncestor(source.getParentBlock()->getParentOp());
  if (!stays) {
    Type elementType = cast<RankedTensorType>(value.getType()).getElementType();
    Buffer buffer = buffers.at(value);
    Value memory = createMemory(elementType, buffer.sizes, /*fresh=*/true);
    CopyOp::create(b, buffer.memory, memory,
                   createBytes(elementType, buffer.sizes));
    buffers[value].memory = memory;
  }
  addPassed(value, yields);
}

SmallVector<Value>
Converter::yieldCarried(Operation *loop, ArrayRef<Carried> carried,
                        ArrayRef<Value> args, ValueRange yielded,
                        ArrayRef<Value> operands, llvm::BitVector &changing) {
  SmallVector<Value> yields;
  for (auto [number, entry, value] : llvm::enumerate(carried, yielded)) {
    if (entry.kind == Carried::Scalar) {
      yields.push_back(scalars.lookup(value));
      continue;
    }
    if (entry.kind == Carried::AnyBuffer) {
      yieldAnyBuffer(loop, args[number], value, yields);
      continue;
    }
    if (!llvm::all_of(llvm::zip_equal(buffers.at(value).sizes, entry.sizes),
                      [](auto pair) {
                        return isSameSize(std::get<0>(pair), std::get<1>(pair));
                      }))
      changing.set(number);
    if (entry.kind == Carried::TwoBuffers)
      yieldTwoBuffers(entry, value, operands, yields);
    else if (Value memory = buffers.at(value).memory; memory != entry.memory)
      CopyOp::create(
          b, memory, entry.memory,
          createBytes(cast<RankedTensorType>(entry.type).getElementType(),
                      entry.sizes));
  }
  return yields;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// Converts a loop again and again until all sizes that change are known;
/// `convert` adds to them.
static LogicalResult
convertLoop(ImplicitLocOpBuilder &b, unsigned numCarried,
            llvm::function_ref<LogicalResult(llvm::BitVector &)> convert) {
  llvm::BitVector changing(numCarried);
  Block *block = b.getInsertionBlock();
  Operation *before = b.getInsertionPoint() == block->begin()
                          ? nullptr
                          : &*std::prev(b.getInsertionPoint());
  auto insertionPoint = b.getInsertionPoint();
  Location loc = b.getLoc();
  while (true) {
    llvm::BitVector assumed = changing;
    b.setLoc(loc);
    if (failed(convert(changing)))
      return failure();
    if (changing == assumed)
      return success();
    while (insertionPoint != block->begin() &&
           &*std::prev(insertionPoint) != before)
      std::prev(insertionPoint)->erase();
  }
}

LogicalResult Converter::convertFor(scf::ForOp op) {
  return convertLoop(
      b, op.getInitArgs().size(),
      [&](llvm::BitVector &changing) { return tryFor(op, changing); });
}

LogicalResult Converter::tryFor(scf::ForOp op, llvm::BitVector &changing) {
  SmallVector<Value> args(op.getRegionIterArgs());
  ValueRange yielded = op.getYieldedValues();
  InPlacePlan plan = planInPlace(args, yielded, changing);
  SmallVector<Value> inits;
  SmallVector<Carried> carried =
      carry(op.getInitArgsMutable(), changing, plan, inits);
  auto loop = scf::ForOp::create(b, scalars.lookup(op.getLowerBound()),
                                 scalars.lookup(op.getUpperBound()),
                                 scalars.lookup(op.getStep()), inits);
  mapCarried(carried, op.getResults(), loop.getResults());

  OpBuilder::InsertionGuard guard(b);
  Block *body = loop.getBody();
  if (!body->empty())
    body->back().erase();
  b.setInsertionPointToStart(body);
  scalars.map(op.getInductionVar(), loop.getInductionVar());
  SmallVector<Value> operands(loop.getRegionIterArgs());
  mapCarried(carried, args, operands);
  placeYields(*op.getBody(), carried, yielded, operands);
  placeInPlace(plan, carried);
  if (failed(convertBlock(*op.getBody())))
    return failure();
  b.setLoc(op.getLoc());
  SmallVector<Value> yields =
      yieldCarried(op, carried, args, yielded, operands, changing);
  scf::YieldOp::create(b, yields);
  return success();
}

LogicalResult Converter::convertWhile(scf::WhileOp op) {
  return convertLoop(b, op.getInits().size(), [&](llvm::BitVector &changing) {
    return tryWhile(op, changing);
  });
}

LogicalResult Converter::convertBefore(scf::WhileOp op, scf::WhileOp loop,
                                       ArrayRef<Carried> carried,
                                       SmallVectorImpl<Buffer> &forwarded) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Location> locs(loop.getInits().size(), op.getLoc());
  Block *before =
      b.createBlock(&loop.getBefore(), {}, loop.getInits().getTypes(), locs);
  mapCarried(carried, op.getBeforeArguments(), before->getArguments());
  if (failed(convertBlock(*op.getBeforeBody())))
    return failure();
  b.setLoc(op.getLoc());
  SmallVector<Value> passed;
  for (Value value : op.getConditionOp().getArgs()) {
    addPassed(value, passed);
    forwarded.push_back(
        isa<RankedTensorType>(value.getType()) ? buffers.at(value) : Buffer());
  }
  // The other region needs both buffers of each pair.
  for (const Carried &entry : carried)
    if (entry.kind == Carried::TwoBuffers)
      for (unsigned side : {0, 1})
        passed.push_back(before->getArgument(entry.firstOperand + side));
  scf::ConditionOp::create(
      b, scalars.lookup(op.getConditionOp().getCondition()), passed);
  return success();
}

/// For each value that the loop carries, the argument of the second region that
/// is the same value; null if there is none.
static SmallVector<Value> findAfterArgs(scf::WhileOp op) {
  SmallVector<Value> args(op.getInits().size());
  for (auto [arg, before] : llvm::zip_equal(args, op.getBeforeArguments()))
    for (auto [value, given] :
         llvm::zip_equal(op.getAfterArguments(), op.getConditionOp().getArgs()))
      if (given == before)
        arg = value;
  return args;
}

/// Whether `condition` passes `value` on once, and nothing else its address.
static bool isPassedOnce(Value value, scf::ConditionOp condition) {
  unsigned count = 0;
  for (Operation *user : value.getUsers()) {
    if (user == condition)
      ++count;
    else if (!isa<dispatch::LaunchOp, tensor::DimOp, tensor::ExtractOp>(user))
      return false;
  }
  return count == 1;
}

LogicalResult Converter::convertAfter(scf::WhileOp op, scf::WhileOp loop,
                                      ArrayRef<Carried> carried,
                                      const InPlacePlan &plan,
                                      ArrayRef<Buffer> forwarded,
                                      llvm::BitVector &changing) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Location> locs(loop.getNumResults(), op.getLoc());
  Block *after =
      b.createBlock(&loop.getAfter(), {}, loop.getResultTypes(), locs);
  ValueRange passed = after->getArguments();
  for (auto [value, source] :
       llvm::zip_equal(op.getAfterArguments(), forwarded))
    mapPassed(loop, value, passed, source);
  SmallVector<Value> operands(loop.getInits().size());
  SmallVector<Value> args = findAfterArgs(op);
  for (auto [number, entry] : llvm::enumerate(carried)) {
    if (entry.kind == Carried::InPlace && args[number])
      buffers[args[number]].memory = entry.memory;
    if (entry.kind != Carried::TwoBuffers)
      continue;
    operands[entry.firstOperand] = passed[0];
    operands[entry.firstOperand + 1] = passed[1];
    passed = passed.drop_front(2);
    // The current buffer under one name, so that it is found again.
    if (args[number])
      buffers[args[number]].memory = operands[entry.firstOperand];
  }
  ValueRange yielded = op.getYieldOp().getOperands();
  placeYields(*op.getAfterBody(), carried, yielded, operands);
  placeInPlace(plan, carried);
  if (failed(convertBlock(*op.getAfterBody())))
    return failure();
  b.setLoc(op.getLoc());
  scf::YieldOp::create(
      b, yieldCarried(op, carried, args, yielded, operands, changing));
  return success();
}

LogicalResult Converter::tryWhile(scf::WhileOp op, llvm::BitVector &changing) {
  // What the condition looks at must not have other names afterwards.
  SmallVector<Value> args = findAfterArgs(op);
  for (auto [arg, before] : llvm::zip_equal(args, op.getBeforeArguments()))
    if (!isPassedOnce(before, op.getConditionOp()))
      arg = Value();
  InPlacePlan plan = planInPlace(args, op.getYieldOp().getOperands(), changing);
  SmallVector<Value> inits;
  SmallVector<Carried> carried =
      carry(op.getInitsMutable(), changing, plan, inits);
  SmallVector<Type> types;
  for (Type type : op.getResultTypes())
    addPassedTypes(type, types);
  for (const Carried &entry : carried)
    if (entry.kind == Carried::TwoBuffers)
      types.append(2, BufferType::get(b.getContext()));
  auto loop = scf::WhileOp::create(b, types, inits);
  SmallVector<Buffer> forwarded;
  if (failed(convertBefore(op, loop, carried, forwarded)) ||
      failed(convertAfter(op, loop, carried, plan, forwarded, changing)))
    return failure();
  ValueRange passed = loop.getResults();
  for (auto [result, source] : llvm::zip_equal(op.getResults(), forwarded))
    mapPassed(loop, result, passed, source);
  return success();
}
