//===- ProductVector.cpp - Products of a matrix and a vector --------------===//
//
// Memory bounds these, so that what matters is that neighbours are read
// together, 16 bytes by each thread where rows are whole multiples of them, and
// that the whole GPU reads. Where the matrix lies along the depth, the lanes of
// a warp share a sum; else each lane has neighbouring results, whose sums the
// warps of a block share. Where there are few results, blocks take parts of the
// depth, and a second task adds up their sums, the first to the last.
//
//===----------------------------------------------------------------------===//

#include "Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// What a thread reads of the matrix at a time: so many times up to 16 bytes.
static constexpr int64_t kTerms = 4;
static constexpr int64_t kWarps = 8, kWideBytes = 16;
/// Blocks that keep a GPU busy, and the most parts of the depth.
static constexpr int64_t kManyBlocks = 512, kMostSplits = 64;
/// Turns of a thread that take as long as another task does.
static constexpr int64_t kLongTurns = 8;

static int64_t roundToPower(int64_t value, int64_t most) {
  return llvm::PowerOf2Ceil(std::clamp<int64_t>(value, 1, most));
}

namespace {
/// How threads share the work; all are powers of two but for `splits`.
struct VectorShape {
  bool isDeep;   ///< the matrix lies along the depth
  int64_t width; ///< neighbours in the matrix that a thread reads at once
  /// Threads of a warp with results of their own, and those that share them;
  /// likewise warps of a block.
  int64_t warpSlots = 1, warpSharers = 1, slotWarps = 1, sharerWarps = 1;
  int64_t splits = 1; ///< parts of the depth that have blocks of their own

  VectorShape(Contraction &problem, ProductOperand matrix);

  int64_t perSlot() const { return isDeep ? 1 : width; }
  /// Elements along the depth that are read at once.
  int64_t unit() const { return isDeep ? width : 1; }
  int64_t slots() const { return slotWarps * warpSlots; }
  int64_t sharers() const { return sharerWarps * warpSharers; }
  int64_t results() const { return slots() * perSlot(); }
  int64_t step() const { return sharers() * unit() * kTerms; }
  int32_t threads() const { return slotWarps * sharerWarps * kWarp; }

private:
  int64_t countBlocks(int64_t groups) const {
    return llvm::divideCeil(groups, slots());
  }
};

/// Emits the tasks.
class VectorEmitter {
public:
  explicit VectorEmitter(const Product &product)
      : product(product), problem(product.problem),
        matrix(problem, problem.staticN == 1),
        vector(problem, problem.staticN != 1), shape(problem, matrix) {}

  void addTasks();

private:
  using Values = SmallVector<Value>;

  Type type() const { return problem.accumulatorType; }
  Value add(RegionEmitter &e, Value lhs, Value rhs);
  Value isBelow(RegionEmitter &e, Value index, Value size);
  /// The batch's sizes, and that of the outer index of the matrix, in groups of
  /// neighbours.
  Values sizes(RegionEmitter &e, int64_t each);
  Value countBlocks(RegionEmitter &e);
  Values load(RegionEmitter &e, ProductOperand side, ArrayRef<Value> batch,
              Value outer, Value k, int64_t count, bool isAlongDepth);
  Values addTerm(RegionEmitter &e, ArrayRef<Value> batch, Value outer, Value k,
                 ValueRange sums);
  Values sumUp(RegionEmitter &e, ArrayRef<Value> batch, Value outer,
               Value sharer, Value split);
  Values combineLanes(RegionEmitter &e, Values sums);
  void emit(RegionEmitter &e, Value number);
  void finish(RegionEmitter &e, Value shared, Value thread, Value block,
              Value split);
  void store(RegionEmitter &e, Value result, Value split, Value sum);
  void end(RegionEmitter &e, Value result, Value sum);
  void emitTotal(RegionEmitter &e, Value number);
  int64_t numTotals() { return problem.staticBatch * matrix.staticOuter(); }

  Product product;
  Contraction &problem;
  ProductOperand matrix, vector;
  VectorShape shape;
  int64_t scratch = 0; ///< where the sums of splits lie
};
} // namespace

//===----------------------------------------------------------------------===//
// Who computes what
//===----------------------------------------------------------------------===//

VectorShape::VectorShape(Contraction &problem, ProductOperand matrix)
    : isDeep(matrix.isDeep()) {
  constexpr int64_t kMany = 1 << 20, kLong = 1 << 12, kLeastSlots = 8;
  width = kWideBytes / (problem.operandType.getIntOrFloatBitWidth() / 8);
  while (width > 1 && !(isDeep ? matrix.hasVectorsAlongDepth(width)
                               : matrix.hasVectorsAlongOuter(width)))
    width /= 2;
  bool isKnown = ShapedType::isStatic(problem.staticBatch) &&
                 ShapedType::isStatic(matrix.staticOuter());
  int64_t groups =
      isKnown ? problem.staticBatch * matrix.staticOuter() / perSlot() : kMany;
  int64_t depth =
      ShapedType::isStatic(problem.staticK) ? problem.staticK : kLong * unit();
  // Reads of a group's share of the matrix, and how many threads these keep
  // busy.
  int64_t reads = llvm::divideCeil(depth, unit());
  int64_t busy = roundToPower(llvm::divideCeil(reads, kTerms), kMany);
  if (isDeep) {
    warpSharers = std::min<int64_t>(busy, kWarp);
    warpSlots = kWarp / warpSharers;
    slotWarps = kWarps;
    while (slotWarps > 1 && countBlocks(groups) < kManyBlocks / 2 &&
           sharers() < busy) {
      slotWarps /= 2;
      sharerWarps *= 2;
    }
  } else {
    warpSlots = roundToPower(groups, kWarp);
    sharerWarps = std::min(busy, kWarps);
    while (warpSlots > kLeastSlots && countBlocks(groups) < kManyBlocks &&
           kWarp / warpSlots * sharerWarps < busy)
      warpSlots /= 2;
    warpSharers = kWarp / warpSlots;
    slotWarps = kWarps / sharerWarps;
  }
  while (slotWarps > 1 && countBlocks(groups) < kManyBlocks / 2)
    slotWarps /= 2;

  constexpr int64_t kMostTotals = 1 << 19;
  int64_t turns = llvm::divideCeil(depth, step());
  if (isKnown && ShapedType::isStatic(problem.staticK) && groups > 0 &&
      groups * perSlot() <= kMostTotals && turns >= kLongTurns)
    splits =
        std::clamp<int64_t>(llvm::divideCeil(kManyBlocks, countBlocks(groups)),
                            1, std::min(turns / 2, kMostSplits));
}

SmallVector<Value> VectorEmitter::sizes(RegionEmitter &e, int64_t each) {
  Values sizes = problem.batchSizes(e);
  sizes.push_back(e.div(matrix.outerSize(e), e.index(each)));
  return sizes;
}

Value VectorEmitter::countBlocks(RegionEmitter &e) {
  Value groups = e.product(sizes(e, shape.perSlot()));
  return e.ceilDiv(groups, e.index(shape.slots()));
}

Value VectorEmitter::isBelow(RegionEmitter &e, Value index, Value size) {
  return arith::CmpIOp::create(e.builder(), arith::CmpIPredicate::slt, index,
                               size);
}

Value VectorEmitter::add(RegionEmitter &e, Value lhs, Value rhs) {
  if (isa<FloatType>(type()))
    return arith::AddFOp::create(e.builder(), lhs, rhs);
  return arith::AddIOp::create(e.builder(), lhs, rhs);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// `count` neighbours along one of the indices, in the accumulators' type.
SmallVector<Value> VectorEmitter::load(RegionEmitter &e, ProductOperand side,
                                       ArrayRef<Value> batch, Value outer,
                                       Value k, int64_t count,
                                       bool isAlongDepth) {
  ImplicitLocOpBuilder &b = e.builder();
  Values values;
  if (count > 1 && (isAlongDepth ? side.hasVectorsAlongDepth(count)
                                 : side.hasVectorsAlongOuter(count))) {
    int64_t bytes = count * side.type().getIntOrFloatBitWidth() / 8;
    Value inside, from = side.address(e, batch, {}, outer, k, inside);
    Value all = LLVM::LoadOp::create(b, VectorType::get(count, side.type()),
                                     from, bytes);
    for (int64_t i : llvm::seq(count))
      values.push_back(extract(e, all, i));
  } else {
    for (int64_t i : llvm::seq(count))
      values.push_back(side.element(
          e, batch, isAlongDepth ? outer : e.add(outer, e.index(i)),
          isAlongDepth ? e.add(k, e.index(i)) : k));
  }
  for (Value &value : values)
    value = widen(b, value, side.type(), type());
  return values;
}

/// Adds what is read at once, at depth `k`.
SmallVector<Value> VectorEmitter::addTerm(RegionEmitter &e,
                                          ArrayRef<Value> batch, Value outer,
                                          Value k, ValueRange sums) {
  ImplicitLocOpBuilder &b = e.builder();
  bool isWhole = ProductOperand::isMultiple(problem.staticK, shape.step());
  Value inside;
  if (!isWhole) {
    Value depth = problem.depth(e);
    inside = isBelow(e, k, depth);
    k = e.min(k, e.sub(depth, e.index(shape.unit())));
  }
  Values elements = load(e, matrix, batch, outer, k, shape.width, shape.isDeep);
  // The vector has but one outer index.
  Values factors = load(e, vector, batch, e.index(0), k, shape.unit(),
                        /*isAlongDepth=*/true);
  Values next(sums);
  for (auto [i, element] : llvm::enumerate(elements)) {
    Value &sum = next[shape.isDeep ? 0 : i];
    sum = multiplyAdd(e, factors[shape.isDeep ? i : 0], element, sum);
  }
  if (inside)
    for (auto [sum, before] : llvm::zip_equal(next, sums))
      sum = arith::SelectOp::create(b, inside, sum, before);
  return next;
}

/// The sums of every `sharers`-th read of a part of the depth.
SmallVector<Value> VectorEmitter::sumUp(RegionEmitter &e, ArrayRef<Value> batch,
                                        Value outer, Value sharer,
                                        Value split) {
  Value begin = e.index(0);
  Value end = e.ceilDiv(problem.depth(e), e.index(shape.step()));
  if (shape.splits > 1) {
    Value share = e.ceilDiv(end, e.index(shape.splits));
    begin = e.min(e.mul(split, share), end);
    end = e.min(e.add(begin, share), end);
  }
  // A single result's terms have sums of their own.
  int64_t own = shape.perSlot() == 1 ? kTerms : 1;
  Value firstUnit = e.mul(sharer, e.index(shape.unit()));
  Values sums = e.loop(
      begin, end, Values(own * shape.perSlot(), e.constant(type(), 0)),
      [&](Value turn, ValueRange carried) {
        Value first = e.add(e.mul(turn, e.index(shape.step())), firstUnit);
        Values next(carried);
        for (int64_t term : llvm::seq(kTerms)) {
          Value k =
              e.add(first, e.index(term * shape.sharers() * shape.unit()));
          MutableArrayRef<Value> to = next;
          if (own > 1)
            to = to.slice(term, 1);
          llvm::copy(addTerm(e, batch, outer, k, to), to.begin());
        }
        return next;
      });
  if (own > 1)
    return {add(e, add(e, sums[0], sums[1]), add(e, sums[2], sums[3]))};
  return sums;
}

/// Adds the sums of the lanes that share results, by shuffles.
SmallVector<Value> VectorEmitter::combineLanes(RegionEmitter &e, Values sums) {
  int64_t distance = shape.isDeep ? 1 : shape.warpSlots;
  for (int64_t mask = shape.warpSharers / 2; mask >= 1; mask /= 2)
    for (Value &sum : sums)
      sum = add(e, sum, emitExchange(e, sum, mask * distance));
  return sums;
}

//===----------------------------------------------------------------------===//
// Tasks
//===----------------------------------------------------------------------===//

/// Stores what becomes of the whole sum of a result.
void VectorEmitter::end(RegionEmitter &e, Value result, Value sum) {
  Values indices = e.delinearize(result, sizes(e, 1));
  Value outer = indices.pop_back_val(), zero = e.index(0);
  Value m = matrix.isA ? outer : zero, n = matrix.isA ? zero : outer;
  product.epilogue.store(e, product.kernel,
                         problem.resultIndices(e, indices, m, n), sum);
}

/// Ends a sum, or leaves it to the task that adds up those of the splits.
void VectorEmitter::store(RegionEmitter &e, Value result, Value split,
                          Value sum) {
  if (shape.splits == 1)
    return end(e, result, sum);
  Value position = e.add(e.mul(split, e.index(numTotals())), result);
  Value base = product.kernel.scratchAddress(e, scratch);
  LLVM::StoreOp::create(e.builder(), sum, elementAt(e, base, type(), position));
}

void VectorEmitter::emit(RegionEmitter &e, Value number) {
  ImplicitLocOpBuilder &b = e.builder();
  if (shape.splits == 1)
    product.epilogue.begin(e, product.kernel);
  Value split, block = number;
  if (shape.splits > 1) {
    Value blocks = countBlocks(e);
    split = e.div(number, blocks);
    block = e.rem(number, blocks);
  }
  Value thread = emitThread(e);
  Value warp = e.div(thread, e.index(kWarp)),
        lane = e.rem(thread, e.index(kWarp));
  Value sharerWarp = e.rem(warp, e.index(shape.sharerWarps));
  Value slotWarp = e.div(warp, e.index(shape.sharerWarps));
  Value inner = e.index(shape.isDeep ? shape.warpSharers : shape.warpSlots);
  Value low = e.rem(lane, inner), high = e.div(lane, inner);
  Value slotLane = shape.isDeep ? high : low;
  Value sharerLane = shape.isDeep ? low : high;
  Value slot = e.add(e.mul(slotWarp, e.index(shape.warpSlots)), slotLane);
  Value sharer =
      e.add(e.mul(sharerWarp, e.index(shape.warpSharers)), sharerLane);
  Values grouped = sizes(e, shape.perSlot());
  Value group = e.add(e.mul(block, e.index(shape.slots())), slot);
  Value count = e.product(grouped);
  // Threads beyond the end compute the last group, and do not store it.
  Values grid = e.delinearize(e.min(group, e.sub(count, e.index(1))), grouped);
  Value outer = e.mul(grid.back(), e.index(shape.perSlot()));
  Values sums = sumUp(e, ArrayRef(grid).drop_back(), outer, sharer, split);
  sums = combineLanes(e, std::move(sums));
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, sharerLane,
                                        e.index(0));
  if (shape.sharerWarps == 1 && shape.perSlot() == 1) {
    isFirst = arith::AndIOp::create(b, isFirst, isBelow(e, group, count));
    emitIf(e, isFirst, {}, [&] {
      store(e, group, split, sums.front());
      return Values();
    });
    return;
  }
  Value shared = product.kernel.sharedMemory(
      e, type(), shape.sharerWarps * shape.results());
  emitIf(e, isFirst, {}, [&] {
    int64_t most = kWideBytes / (type().getIntOrFloatBitWidth() / 8);
    int64_t each = std::min(shape.perSlot(), most);
    Value at = e.add(e.mul(sharerWarp, e.index(shape.results())),
                     e.mul(slot, e.index(shape.perSlot())));
    for (int64_t i = 0; i < shape.perSlot(); i += each)
      storeVector(e, shared, ValueRange(sums).slice(i, each),
                  e.add(at, e.index(i)));
    return Values();
  });
  barrier(e);
  finish(e, shared, thread, block, split);
}

/// Adds the sums of the warps that share results, a thread for each result.
void VectorEmitter::finish(RegionEmitter &e, Value shared, Value thread,
                           Value block, Value split) {
  ImplicitLocOpBuilder &b = e.builder();
  Value count = e.product(sizes(e, 1)), inBlock = e.index(shape.results());
  int64_t turns = llvm::divideCeil(shape.results(), shape.threads());
  e.loop(e.index(0), e.index(turns), {}, [&](Value turn, ValueRange) {
    Value place = e.add(e.mul(turn, e.index(shape.threads())), thread);
    Value result = e.add(e.mul(block, inBlock), place);
    Value exists = isBelow(e, result, count);
    if (shape.results() % shape.threads() != 0)
      exists = arith::AndIOp::create(b, exists, isBelow(e, place, inBlock));
    emitIf(e, exists, {}, [&] {
      Value sum;
      for (int64_t warp : llvm::seq(shape.sharerWarps)) {
        Value at = e.add(place, e.index(warp * shape.results()));
        Value next =
            LLVM::LoadOp::create(b, type(), elementAt(e, shared, type(), at));
        sum = sum ? add(e, sum, next) : next;
      }
      store(e, result, split, sum);
      return Values();
    });
    return Values();
  });
}

/// Adds the sums of the splits, the first to the last, for one result.
void VectorEmitter::emitTotal(RegionEmitter &e, Value number) {
  ImplicitLocOpBuilder &b = e.builder();
  product.epilogue.begin(e, product.kernel);
  Value base = product.kernel.scratchAddress(e, scratch), total;
  for (int64_t split : llvm::seq(shape.splits)) {
    Value at = e.add(e.index(split * numTotals()), number);
    Value next =
        LLVM::LoadOp::create(b, type(), elementAt(e, base, type(), at));
    total = total ? add(e, total, next) : next;
  }
  end(e, number, total);
}

void VectorEmitter::addTasks() {
  if (shape.splits > 1)
    scratch = product.kernel.reserveScratch(shape.splits * numTotals() *
                                            type().getIntOrFloatBitWidth() / 8);
  product.kernel.addBlocks(
      shape.threads(),
      [&](RegionEmitter &e) {
        return product.countIfWanted(
            e, e.mul(countBlocks(e), e.index(shape.splits)));
      },
      [&](RegionEmitter &e, Value number) { emit(e, number); });
  if (shape.splits > 1)
    product.kernel.addThreads(
        [&](RegionEmitter &e) {
          return product.countIfWanted(e, e.index(numTotals()));
        },
        [&](RegionEmitter &e, Value number) { emitTotal(e, number); });
}

void weft::cuda::addVectorProduct(const Product &product) {
  VectorEmitter(product).addTasks();
}
