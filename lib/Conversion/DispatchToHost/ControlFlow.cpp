//===- ControlFlow.cpp - Branches and loops that carry tensors ------------===//
//
// A tensor that leaves a branch does so as an address and sizes. A tensor that
// a loop carries has two buffers, if its sizes stay the same: one holds the
// current value, and the next one is written into the other, by its kernel or
// by a copy. They are swapped by swapping the addresses.
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

SmallVector<Carried> Converter::carry(ValueRange inits, TypeRange types,
                                      const llvm::BitVector &changing,
                                      SmallVectorImpl<Value> &operands) {
  SmallVector<Carried> carried;
  for (auto [number, init, type] : llvm::enumerate(inits, types)) {
    Carried &entry = carried.emplace_back();
    entry.type = type;
    entry.firstOperand = operands.size();
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || changing.test(number)) {
      entry.kind = tensor ? Carried::AnyBuffer : Carried::Scalar;
      addPassed(init, operands);
    } else {
      entry.kind = Carried::TwoBuffers;
      Buffer buffer = buffers.at(init);
      entry.sizes = buffer.sizes;
      Type elementType = tensor.getElementType();
      Value current = buffer.memory;
      if (!isOwnMemory(init)) {
        current = createMemory(elementType, entry.sizes);
        CopyOp::create(b, buffer.memory, current,
                       createBytes(elementType, entry.sizes));
      }
      operands.push_back(current);
      operands.push_back(createMemory(elementType, entry.sizes));
    }
    entry.numOperands = operands.size() - entry.firstOperand;
  }
  return carried;
}

void Converter::mapCarried(ArrayRef<Carried> carried, ValueRange values,
                           ValueRange operands) {
  for (auto [entry, value] : llvm::zip_equal(carried, values)) {
    ValueRange own = operands.slice(entry.firstOperand, entry.numOperands);
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
    if (entry.kind == Carried::Scalar)
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
    yieldTwoBuffers(entry, value, operands, yields);
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
  SmallVector<Value> inits;
  SmallVector<Carried> carried =
      carry(op.getInitArgs(), op.getInitArgs().getTypes(), changing, inits);
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
  SmallVector<Value> args(op.getRegionIterArgs());
  mapCarried(carried, args, operands);
  ValueRange yielded = op.getBody()->getTerminator()->getOperands();
  placeYields(*op.getBody(), carried, yielded, operands);
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

LogicalResult Converter::convertAfter(scf::WhileOp op, scf::WhileOp loop,
                                      ArrayRef<Carried> carried,
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
  SmallVector<Value> args(carried.size());
  for (auto [number, entry] : llvm::enumerate(carried)) {
    for (auto [value, given] :
         llvm::zip_equal(op.getAfterArguments(), op.getConditionOp().getArgs()))
      if (given == op.getBeforeArguments()[number])
        args[number] = value;
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
  if (failed(convertBlock(*op.getAfterBody())))
    return failure();
  b.setLoc(op.getLoc());
  scf::YieldOp::create(
      b, yieldCarried(op, carried, args, yielded, operands, changing));
  return success();
}

LogicalResult Converter::tryWhile(scf::WhileOp op, llvm::BitVector &changing) {
  SmallVector<Value> inits;
  SmallVector<Carried> carried =
      carry(op.getInits(), op.getInits().getTypes(), changing, inits);
  SmallVector<Type> types;
  for (Type type : op.getResultTypes())
    addPassedTypes(type, types);
  for (const Carried &entry : carried)
    if (entry.kind == Carried::TwoBuffers)
      types.append(2, BufferType::get(b.getContext()));
  auto loop = scf::WhileOp::create(b, types, inits);
  SmallVector<Buffer> forwarded;
  if (failed(convertBefore(op, loop, carried, forwarded)) ||
      failed(convertAfter(op, loop, carried, forwarded, changing)))
    return failure();
  ValueRange passed = loop.getResults();
  for (auto [result, source] : llvm::zip_equal(op.getResults(), forwarded))
    mapPassed(loop, result, passed, source);
  return success();
}
