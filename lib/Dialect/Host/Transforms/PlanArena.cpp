//===- PlanArena.cpp - Give buffers their places in one arena -------------===//
//
// Buffers are sorted into pools. All sizes of a pool are multiples of the same
// product of symbolic sizes, so that its buffers can be packed without knowing
// that product: offsets are multiples of it as well. Buffers of static size are
// the pool whose product is empty. Buffers whose sizes are too small multiples
// to be aligned without much waste, or no such products at all, share slots as
// large as the largest member.
//
//===----------------------------------------------------------------------===//

#include "StackPlan.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Dialect/Host/Transforms/Passes.h"
#include "weft/Interfaces/HostTensor.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/Support/MathExtras.h"

namespace weft::host {
#define GEN_PASS_DEF_PLANARENAPASS
#include "weft/Dialect/Host/Transforms/Passes.h.inc"
} // namespace weft::host

using namespace mlir;
using namespace weft;
using namespace weft::host;

/// Where buffers start (WEFT_BUFFER_ALIGNMENT).
static constexpr int64_t alignment = 64;

namespace {

/// A buffer that is planned.
struct Planned {
  AllocOp op;
  Lifetime lifetime{0, 0};
  /// The size is `bytes` times the product of `dims`, if the buffer is in a
  /// pool.
  int64_t bytes = 0;
  SmallVector<Value> dims;
  bool pooled = false;
  bool isAligned = false; ///< the size is a multiple of the alignment as it is
  /// Which pool or slot, and where in the pool.
  unsigned place = 0;
  int64_t offset = 0;
};

/// Buffers whose sizes are multiples of the product of `dims`.
struct Pool {
  SmallVector<Value> dims;
  SmallVector<unsigned> members;
  int64_t bytes = 0;
};

/// Buffers that are never alive at the same time.
struct Slot {
  SmallVector<unsigned> members;
};

struct Plan {
  SmallVector<Planned, 0> buffers;
  SmallVector<Pool> pools;
  SmallVector<Slot> slots;
  /// Takes the place of pools and slots, if it is there.
  std::optional<StackPlan> stack;
};

} // namespace

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// Computes `value` once more where `builder` is. Returns null if that takes
/// something other than constants and symbols.
static Value cloneComputation(OpBuilder &builder, Value value,
                              IRMapping &mapping) {
  if (Value done = mapping.lookupOrNull(value))
    return done;
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions() != 0 ||
      !(isa<SymbolOp, SizeOp>(op) ||
        isa<arith::ArithDialect>(op->getDialect())))
    return {};
  for (Value operand : op->getOperands())
    if (!cloneComputation(builder, operand, mapping))
      return {};
  builder.clone(*op, mapping);
  return mapping.lookup(value);
}

/// Finds what `buffer` has in common with others: `bytes` and `dims`.
static void factorSize(Planned &buffer) {
  Value size = buffer.op.getBytes();
  APInt known;
  if (matchPattern(size, m_ConstantInt(&known))) {
    buffer.bytes =
        std::min(maxBytes, std::max<int64_t>(0, known.getSExtValue()));
    buffer.pooled = true;
    buffer.isAligned =
        known.getSExtValue() == buffer.bytes && buffer.bytes % alignment == 0;
  } else if (auto op = size.getDefiningOp<SizeOp>()) {
    auto type = cast<RankedTensorType>(op.getType());
    SmallVector<int64_t> shape(type.getShape());
    llvm::erase_if(shape, ShapedType::isDynamic);
    buffer.bytes =
        getStaticBytes(RankedTensorType::get(shape, type.getElementType()));
    buffer.dims = llvm::to_vector(op.getSizes());
    // An order that does not depend on where the sizes stand in the type.
    llvm::sort(buffer.dims, [](Value lhs, Value rhs) {
      Operation *a = lhs.getDefiningOp(), *c = rhs.getDefiningOp();
      return a != c && a->isBeforeInBlock(c);
    });
    buffer.isAligned = buffer.bytes % alignment == 0;
    // Rounding up may waste an eighth.
    buffer.pooled = buffer.isAligned || buffer.bytes >= 8 * alignment;
  }
  if (buffer.pooled)
    buffer.bytes = llvm::alignTo(buffer.bytes, alignment);
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

/// Puts `buffer` into the tightest hole that the buffers alive at the same time
/// leave, or behind them. `placed` are the members that have their places.
static void findHole(Planned &buffer, ArrayRef<Planned *> placed) {
  SmallVector<Planned *> rivals;
  for (Planned *other : placed)
    if (other->lifetime.overlaps(buffer.lifetime))
      rivals.push_back(other);
  llvm::sort(rivals, [](Planned *lhs, Planned *rhs) {
    return std::pair(lhs->offset, lhs) < std::pair(rhs->offset, rhs);
  });
  int64_t end = 0, best = -1, bestHole = 0;
  for (Planned *rival : rivals) {
    int64_t hole = rival->offset - end;
    if (hole >= buffer.bytes && (best < 0 || hole < bestHole)) {
      best = end;
      bestHole = hole;
    }
    end = std::max(end, rival->offset + rival->bytes);
  }
  buffer.offset = best < 0 ? end : best;
}

static void packPool(Pool &pool, MutableArrayRef<Planned> buffers) {
  SmallVector<Planned *> order;
  for (unsigned member : pool.members)
    order.push_back(&buffers[member]);
  llvm::sort(order, [](Planned *lhs, Planned *rhs) {
    return std::pair(-lhs->bytes, lhs) < std::pair(-rhs->bytes, rhs);
  });
  for (auto [number, buffer] : llvm::enumerate(order)) {
    findHole(*buffer, ArrayRef(order).take_front(number));
    pool.bytes = std::max(pool.bytes, buffer->offset + buffer->bytes);
  }
}

/// Puts `buffer` into the slot that is most like it, or into a new one.
static void findSlot(Plan &plan, unsigned number) {
  Planned &buffer = plan.buffers[number];
  Slot *best = nullptr;
  auto isLike = [&](const Slot &slot) {
    return llvm::any_of(slot.members, [&](unsigned member) {
      return plan.buffers[member].op.getBytes() == buffer.op.getBytes();
    });
  };
  for (Slot &slot : plan.slots) {
    bool isFree = llvm::none_of(slot.members, [&](unsigned member) {
      return plan.buffers[member].lifetime.overlaps(buffer.lifetime);
    });
    if (isFree && (!best || (isLike(slot) && !isLike(*best))))
      best = &slot;
  }
  if (!best)
    best = &plan.slots.emplace_back();
  best->members.push_back(number);
  buffer.place = best - plan.slots.begin();
}

static Plan makePlan(func::FuncOp main) {
  Plan plan;
  Lifetimes lifetimes(main);
  main.walk<WalkOrder::PreOrder>([&](AllocOp op) {
    Planned &buffer = plan.buffers.emplace_back();
    buffer.op = op;
    buffer.lifetime = lifetimes.of(op.getBuffer());
  });
  for (auto [number, buffer] : llvm::enumerate(plan.buffers)) {
    factorSize(buffer);
    if (!buffer.pooled) {
      findSlot(plan, number);
      continue;
    }
    Pool *pool = llvm::find_if(
        plan.pools, [&](const Pool &pool) { return pool.dims == buffer.dims; });
    if (pool == plan.pools.end()) {
      plan.pools.push_back({buffer.dims, {}, 0});
      pool = &plan.pools.back();
    }
    pool->members.push_back(number);
    buffer.place = pool - plan.pools.begin();
  }
  for (Pool &pool : plan.pools)
    packPool(pool, plan.buffers);
  return plan;
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

/// The bytes that pools and slots take; nothing if that can't be told.
static std::optional<int64_t>
measurePools(const Plan &plan, ArrayRef<int64_t> sizes, SampleSizes &sample) {
  int64_t total = 0;
  for (const Pool &pool : plan.pools) {
    int64_t bytes = pool.bytes;
    for (Value dim : pool.dims) {
      std::optional<int64_t> size = sample.get(dim);
      if (!size)
        return std::nullopt;
      if (llvm::MulOverflow(bytes, *size, bytes) || bytes > maxBytes)
        bytes = maxBytes;
    }
    total += bytes;
  }
  for (const Slot &slot : plan.slots) {
    int64_t largest = 0;
    for (unsigned member : slot.members)
      largest = std::max(largest, sizes[member]);
    total += largest;
  }
  return total;
}

/// Adds a stack to the plan where that is better than pools and slots, for
/// batches and lengths of any size as it is for some.
static void chooseStack(Plan &plan, ArrayAttr symbols) {
  if (plan.pools.size() + plan.slots.size() < 2)
    return;
  SmallVector<Lifetime> lifetimes;
  for (const Planned &buffer : plan.buffers)
    lifetimes.push_back(buffer.lifetime);
  SmallVector<SmallVector<int64_t>> samples;
  SmallVector<int64_t> pools;
  for (int64_t nominal : {1, 4, 32, 256}) {
    SampleSizes sample(symbols, nominal);
    SmallVector<int64_t> sizes;
    for (Planned &buffer : plan.buffers) {
      std::optional<int64_t> size = sample.get(buffer.op.getBytes());
      if (!size)
        return;
      sizes.push_back(llvm::alignTo(*size, alignment));
    }
    std::optional<int64_t> bytes = measurePools(plan, sizes, sample);
    if (!bytes)
      return;
    if (llvm::is_contained(samples, sizes))
      continue;
    samples.push_back(std::move(sizes));
    pools.push_back(*bytes);
  }
  StackPlan stack = planStack(lifetimes, samples);
  double ofStack = findWorst(lifetimes, samples, [&](unsigned sample) {
    return measure(stack, samples[sample]);
  });
  double ofPools = findWorst(lifetimes, samples,
                             [&](unsigned sample) { return pools[sample]; });
  // Offsets in pools cost less to compute.
  constexpr double gain = 1.01;
  if (ofStack * gain < ofPools)
    plan.stack = std::move(stack);
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

/// `bytes` times the product of `dims`.
static Value createProduct(ImplicitLocOpBuilder &b, int64_t bytes,
                           ValueRange dims) {
  SmallVector<int64_t> shape(dims.size(), ShapedType::kDynamic);
  shape.push_back(bytes);
  return b.createOrFold<SizeOp>(RankedTensorType::get(shape, b.getI8Type()),
                                dims);
}

/// What the largest of `sizes` takes.
static Value createRoom(ImplicitLocOpBuilder &b, ValueRange sizes) {
  // A negative size is asked for by a kernel that has nothing to do.
  Value largest = arith::ConstantIndexOp::create(b, 0);
  for (Value size : sizes)
    largest = arith::MaxSIOp::create(b, largest, size);
  Value limit = arith::ConstantIndexOp::create(b, maxBytes);
  largest = arith::MinSIOp::create(b, largest, limit);
  Value slack = arith::ConstantIndexOp::create(b, alignment - 1);
  Value mask = arith::ConstantIndexOp::create(b, -alignment);
  return arith::AndIOp::create(b, arith::AddIOp::create(b, largest, slack),
                               mask);
}

static Value createSlotSize(ImplicitLocOpBuilder &b, const Plan &plan,
                            const Slot &slot, IRMapping &mapping) {
  SmallVector<Value> sizes;
  for (unsigned member : slot.members) {
    AllocOp op = plan.buffers[member].op;
    Value size = cloneComputation(b, op.getBytes(), mapping);
    if (!llvm::is_contained(sizes, size))
      sizes.push_back(size);
  }
  return createRoom(b, sizes);
}

/// Emits the offsets of buffers that lie upon each other.
static Value emitStack(ImplicitLocOpBuilder &b, const Plan &plan,
                       SmallVectorImpl<Value> &offsets) {
  IRMapping mapping;
  llvm::DenseMap<Value, Value> rooms;
  Value zero = arith::ConstantIndexOp::create(b, 0);
  SmallVector<Value> ends(plan.buffers.size());
  offsets.resize(plan.buffers.size());
  for (unsigned number : plan.stack->order) {
    const Planned &buffer = plan.buffers[number];
    AllocOp op = buffer.op;
    Value &room = rooms[op.getBytes()];
    if (!room) {
      room = cloneComputation(b, op.getBytes(), mapping);
      if (!buffer.isAligned)
        room = createRoom(b, room);
    }
    Value offset = zero;
    for (unsigned other : plan.stack->below[number])
      offset = b.createOrFold<arith::MaxSIOp>(offset, ends[other]);
    offsets[number] = offset;
    ends[number] = b.createOrFold<arith::AddIOp>(offset, room);
  }
  // What something lies upon ends no higher than that.
  llvm::BitVector isCovered(plan.buffers.size());
  for (const SmallVector<unsigned> &below : plan.stack->below)
    for (unsigned other : below)
      isCovered.set(other);
  Value total = zero;
  for (unsigned number : plan.stack->order)
    if (!isCovered.test(number))
      total = b.createOrFold<arith::MaxSIOp>(total, ends[number]);
  return total;
}

/// Emits the offsets of all buffers into `offsets` and returns the size of the
/// arena.
static Value emitPlan(ImplicitLocOpBuilder &b, const Plan &plan,
                      SmallVectorImpl<Value> &offsets) {
  if (plan.stack)
    return emitStack(b, plan, offsets);
  IRMapping mapping;
  Value end = arith::ConstantIndexOp::create(b, 0);
  SmallVector<Value> poolStarts, slotStarts;
  SmallVector<SmallVector<Value>> poolDims;
  for (const Pool &pool : plan.pools) {
    SmallVector<Value> &dims = poolDims.emplace_back();
    for (Value dim : pool.dims)
      dims.push_back(cloneComputation(b, dim, mapping));
    poolStarts.push_back(end);
    end =
        b.createOrFold<arith::AddIOp>(end, createProduct(b, pool.bytes, dims));
  }
  for (const Slot &slot : plan.slots) {
    slotStarts.push_back(end);
    end = b.createOrFold<arith::AddIOp>(end,
                                        createSlotSize(b, plan, slot, mapping));
  }
  for (const Planned &buffer : plan.buffers) {
    if (!buffer.pooled) {
      offsets.push_back(slotStarts[buffer.place]);
      continue;
    }
    Value offset = createProduct(b, buffer.offset, poolDims[buffer.place]);
    offsets.push_back(
        b.createOrFold<arith::AddIOp>(poolStarts[buffer.place], offset));
  }
  return end;
}

/// How the plan is shown: a dictionary per buffer.
static ArrayAttr describePlan(Builder &builder, const Plan &plan,
                              ArrayAttr symbols) {
  auto nameDim = [&](Value dim) -> Attribute {
    auto op = dim.getDefiningOp<SymbolOp>();
    if (op && symbols && op.getNumber() < symbols.size())
      return builder.getStringAttr(
          cast<SymbolAttr>(symbols[op.getNumber()]).getName());
    return builder.getStringAttr("?");
  };
  SmallVector<Attribute> entries;
  for (auto [number, buffer] : llvm::enumerate(plan.buffers)) {
    NamedAttrList entry;
    AllocOp op = buffer.op;
    entry.append("name", builder.getStringAttr(op.getName().value_or("")));
    entry.append("first", builder.getI64IntegerAttr(buffer.lifetime.first));
    entry.append("last", builder.getI64IntegerAttr(buffer.lifetime.last));
    if (plan.stack) {
      SmallVector<int64_t> below =
          llvm::to_vector_of<int64_t>(plan.stack->below[number]);
      llvm::sort(below);
      entry.append("upon", builder.getI64ArrayAttr(below));
    } else {
      entry.append(buffer.pooled ? "pool" : "slot",
                   builder.getI64IntegerAttr(buffer.place));
      if (buffer.pooled)
        entry.append("offset", builder.getI64IntegerAttr(buffer.offset));
    }
    if (buffer.pooled) {
      entry.append("bytes", builder.getI64IntegerAttr(buffer.bytes));
      entry.append("times", builder.getArrayAttr(
                                llvm::map_to_vector(buffer.dims, nameDim)));
    }
    entries.push_back(entry.getDictionary(builder.getContext()));
  }
  return builder.getArrayAttr(entries);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Computes the sizes of all buffers at the start of `main`, each once.
static LogicalResult hoistSizes(func::FuncOp main) {
  OpBuilder builder = OpBuilder::atBlockBegin(&main.getBody().front());
  IRMapping mapping;
  bool failedAny = false;
  main.walk([&](AllocOp op) {
    Value size = cloneComputation(builder, op.getBytes(), mapping);
    if (size) {
      op.getBytesMutable().assign(size);
      return;
    }
    op.emitOpError("size depends on more than constants and symbols");
    failedAny = true;
  });
  if (failedAny)
    return failure();
  IRRewriter rewriter(main.getContext());
  DominanceInfo dominance(main);
  eliminateCommonSubExpressions(rewriter, dominance, main);
  return success();
}

static void createArenaBytes(func::FuncOp main, const Plan &plan) {
  ImplicitLocOpBuilder b(main.getLoc(), main);
  auto func = func::FuncOp::create(b, arenaBytesName,
                                   b.getFunctionType({}, b.getIndexType()));
  func.setPrivate();
  b.setInsertionPointToStart(func.addEntryBlock());
  SmallVector<Value> offsets;
  Value bytes = emitPlan(b, plan, offsets);
  func::ReturnOp::create(b, bytes);
}

namespace {
struct PlanArenaPass : weft::host::impl::PlanArenaPassBase<PlanArenaPass> {
  using PlanArenaPassBase::PlanArenaPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto main = module.lookupSymbol<func::FuncOp>(mainName);
    if (!main || main.isExternal()) {
      module.emitError("there is no function '") << mainName << "'";
      return signalPassFailure();
    }
    if (failed(hoistSizes(main)))
      return signalPassFailure();

    Plan plan = makePlan(main);
    numBuffers += plan.buffers.size();
    auto symbols = module->getAttrOfType<ArrayAttr>(symbolsAttrName);
    chooseStack(plan, symbols);
    (plan.stack ? numStacked : numSlots) +=
        plan.stack ? plan.buffers.size() : plan.slots.size();
    Builder builder(module.getContext());
    module->setAttr(planAttrName, describePlan(builder, plan, symbols));
    createArenaBytes(main, plan);
    placeBuffers(main, plan);
    IRRewriter rewriter(module.getContext());
    (void)runRegionDCE(rewriter, main->getRegions());
  }

  /// Turns each `host.alloc` into its part of the arena.
  static void placeBuffers(func::FuncOp main, Plan &plan) {
    // Behind the sizes, which the plan refers to, is as good as before.
    Block &entry = main.getBody().front();
    ImplicitLocOpBuilder b(main.getLoc(), OpBuilder::atBlockBegin(&entry));
    SmallVector<Value> offsets;
    emitPlan(b, plan, offsets);
    for (auto [buffer, offset] : llvm::zip_equal(plan.buffers, offsets)) {
      OpBuilder builder(buffer.op);
      auto place = ArenaOp::create(builder, buffer.op.getLoc(), offset);
      buffer.op.replaceAllUsesWith(place.getBuffer());
      buffer.op.erase();
    }
  }
};
} // namespace
