//===- ProductTile.cpp - Tiles of a product, and what follows it ----------===//

#include "Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <numeric>

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

Value Product::countIfWanted(RegionEmitter &e, Value count) const {
  return isWanted ? arith::SelectOp::create(e.builder(), isWanted(e), count,
                                            e.index(0))
                  : count;
}

SmallVector<Value> ProductEmitter::gridSizes(RegionEmitter &e) {
  SmallVector<Value> sizes{e.index(splits)};
  llvm::append_range(sizes, problem.batchSizes(e));
  sizes.push_back(e.ceilDiv(problem.columns(e), e.index(shape.columns())));
  sizes.push_back(e.ceilDiv(problem.rows(e), e.index(shape.rows())));
  return sizes;
}

bool ProductEmitter::isLight() {
  constexpr size_t kFewOps = 12;
  int64_t sizes[] = {problem.staticBatch, problem.staticM, problem.staticN,
                     problem.staticK};
  Block &body = product.kernel.getRegion().getBody().front();
  return problem.beginsAtZero() && !ShapedType::isDynamicShape(sizes) &&
         body.getOperations().size() <= kFewOps;
}

int64_t ProductEmitter::warpRowBytes() {
  return shape.warpRows * sumStride() * type().getIntOrFloatBitWidth() / 8;
}

int64_t ProductEmitter::warpsAtATime() {
  int64_t warps = 1;
  while (2 * warps <= shape.warpsM && 2 * warps * warpRowBytes() <= sumBytes())
    warps *= 2;
  return warps;
}

/// Emits `body` for this thread's share of the elements whose sums are in
/// shared memory in turn `turn`, `width` neighbours at a time, and `unroll`
/// such places, or fewer.
void ProductEmitter::forEachSum(
    RegionEmitter &e, Value turn, int64_t width, int64_t unroll,
    llvm::function_ref<void(ArrayRef<Place>)> body) {
  int64_t rows = warpsAtATime() * shape.warpRows;
  Value firstRow = e.add(block.m0, e.mul(turn, e.index(rows)));
  int64_t count = rows * shape.columns() / width / shape.threads();
  unroll = std::gcd(unroll, count);
  e.loop(e.index(0), e.index(count / unroll), {}, [&](Value i, ValueRange) {
    SmallVector<Place> places;
    for (int64_t number : llvm::seq(unroll)) {
      Value at = e.add(e.mul(i, e.index(unroll)), e.index(number));
      at = e.add(e.mul(at, e.index(shape.threads())), block.thread);
      Value inRow = e.index(shape.columns() / width);
      Value row = e.div(at, inRow);
      Value column = e.mul(e.rem(at, inRow), e.index(width));
      places.push_back({e.add(firstRow, row), e.add(block.n0, column),
                        e.add(e.mul(row, e.index(sumStride())), column)});
    }
    body(places);
    return Values();
  });
}

/// Whether what is at `place` is part of C; null: it is.
Value ProductEmitter::isInside(RegionEmitter &e, const Place &place) {
  ImplicitLocOpBuilder &b = e.builder();
  Value inside;
  auto need = [&](Value index, Value size) {
    Value next =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, size);
    inside = inside ? Value(arith::AndIOp::create(b, inside, next)) : next;
  };
  if (!ProductOperand::isMultiple(problem.staticM, shape.rows()))
    need(place.m, problem.rows(e));
  if (!ProductOperand::isMultiple(problem.staticN, shape.columns()))
    need(place.n, problem.columns(e));
  return inside;
}

/// `count` neighbours, whose address is a multiple of their size.
SmallVector<Value> ProductEmitter::loadSums(RegionEmitter &e, Value base,
                                            Value position, int64_t count) {
  if (count == 1)
    return {LLVM::LoadOp::create(e.builder(), type(),
                                 elementAt(e, base, type(), position))};
  Value vector = loadVector(e, base, type(), count, position);
  return llvm::map_to_vector(llvm::seq(count),
                             [&](int64_t i) { return extract(e, vector, i); });
}

/// Where a run of the thread's sums lies in shared memory.
Value ProductEmitter::placeOf(RegionEmitter &e, const Run &run) {
  Value warp = e.rem(warpM, e.index(warpsAtATime()));
  Value row = e.add(e.mul(warp, e.index(shape.warpRows)), run.row);
  return e.add(e.mul(row, e.index(sumStride())), run.column);
}

/// The thread's sums from shared memory.
SmallVector<Value> ProductEmitter::takeSums(RegionEmitter &e) {
  Values sums;
  for (const Run &run : runs(e)) {
    Value position = placeOf(e, run);
    llvm::append_range(sums, loadSums(e, shared, position, runLength()));
  }
  return sums;
}

/// The thread's sums into shared memory.
void ProductEmitter::giveSums(RegionEmitter &e, ValueRange sums) {
  for (const Run &run : runs(e)) {
    storeVector(e, shared, sums.take_front(runLength()), placeOf(e, run));
    sums = sums.drop_front(runLength());
  }
}

/// Whether the warp's sums are in shared memory in turn `turn`; null: they are.
Value ProductEmitter::isOurTurn(RegionEmitter &e, Value turn) {
  if (warpsAtATime() == shape.warpsM)
    return nullptr;
  return arith::CmpIOp::create(e.builder(), arith::CmpIPredicate::eq,
                               e.div(warpM, e.index(warpsAtATime())), turn);
}

SmallVector<Value> ProductEmitter::beginSums(RegionEmitter &e) {
  int64_t count = shape.warpRows * shape.warpColumns / kWarp;
  Values sums(count, e.constant(type(), 0));
  if (problem.beginsAtZero())
    return sums;
  ImplicitLocOpBuilder &b = e.builder();
  auto initType = cast<RankedTensorType>(problem.init.getType());
  Value lastM = e.sub(problem.rows(e), e.index(1));
  Value lastN = e.sub(problem.columns(e), e.index(1));
  return e.loop(e.index(0), e.index(shape.warpsM / warpsAtATime()), sums,
                [&](Value turn, ValueRange carried) {
                  forEachSum(e, turn, 1, 1, [&](ArrayRef<Place> places) {
                    const Place &at = places.front();
                    Values indices = problem.resultIndices(
                        e, block.batch, e.min(at.m, lastM), e.min(at.n, lastN));
                    Value element = widen(b, e.element(problem.init, indices),
                                          initType.getElementType(), type());
                    LLVM::StoreOp::create(
                        b, element, elementAt(e, shared, type(), at.shared));
                  });
                  barrier(e);
                  Values next = emitIf(
                      e, isOurTurn(e, turn), carried.getTypes(),
                      [&] { return takeSums(e); },
                      [&] { return Values(carried); });
                  barrier(e);
                  return next;
                });
}

void ProductEmitter::finish(RegionEmitter &e, ValueRange sums) {
  std::optional<Neighbours> neighbours =
      splits == 1 ? findNeighbours(e) : std::nullopt;
  int64_t width = totalsWidth();
  if (splits == 1)
    width = neighbours ? neighbours->getCount() : 1;
  int64_t turns = shape.warpsM / warpsAtATime();
  // Places whose inputs are on their way at a time: there are registers for
  // more if no sums are left in them.
  int64_t unroll = turns == 1 ? 4 : 2;
  e.loop(e.index(0), e.index(turns), {}, [&](Value turn, ValueRange) {
    emitIf(e, isOurTurn(e, turn), {}, [&] {
      giveSums(e, sums);
      return Values();
    });
    barrier(e);
    forEachSum(e, turn, width, width > 1 ? unroll : 1,
               [&](ArrayRef<Place> places) {
                 endSums(e, neighbours ? &*neighbours : nullptr, width, places);
               });
    barrier(e);
    return Values();
  });
}

MemoryView ProductEmitter::totals(RegionEmitter &e) {
  return {product.kernel.scratchAddress(e, scratch), type(), {}, {}};
}

/// Leaves sums of neighbours to the task that adds up those of the splits.
void ProductEmitter::storeSums(RegionEmitter &e, const Place &place,
                               ValueRange sums) {
  Value position = split;
  for (auto [index, size] : llvm::zip_equal(block.batch, problem.batchSizes(e)))
    position = e.add(e.mul(position, size), index);
  position = e.add(e.mul(position, problem.rows(e)), place.m);
  position = e.add(e.mul(position, problem.columns(e)), place.n);
  storeVector(e, totals(e).pointer, sums, position);
}

/// The neighbours in a row of C that a thread ends at a time, if what follows
/// the product can be read and written like that.
std::optional<Neighbours> ProductEmitter::findNeighbours(RegionEmitter &e) {
  Epilogue &epilogue = product.epilogue;
  if (!epilogue.hasColumnLoop() || !problem.hasOrderedColumns())
    return std::nullopt;
  SmallVector<MemoryView> views;
  for (unsigned i : llvm::seq<unsigned>(product.kernel.getYields().size()))
    views.push_back(epilogue.view(e, product.kernel, i));
  Neighbours neighbours(e, epilogue.leaves(), views,
                        epilogue.loopSizes().size());
  neighbours.limit(splits > 1 ? totalsWidth() : mostNeighbours());
  neighbours.divide(epilogue.loopSizes().back());
  return neighbours;
}

/// The joined indices of the element at `indices` of C and its neighbours.
static SmallVector<SmallVector<Value>> neighboursOf(const Product &product,
                                                    RegionEmitter &e,
                                                    Neighbours &neighbours,
                                                    ArrayRef<Value> indices) {
  SmallVector<Value> outer = product.epilogue.position(e, indices);
  Value first = outer.pop_back_val();
  return neighbours.getIndices(outer, first);
}

/// Emits what follows the product for neighbours of such sums, at `at`, where
/// `read` was read.
static void storeNeighbours(const Product &product, RegionEmitter &e,
                            Neighbours &neighbours,
                            ArrayRef<SmallVector<Value>> at, ValueRange read,
                            ValueRange sums) {
  size_t next = 0;
  neighbours.bind(at, read);
  neighbours.store(at, [&](ArrayRef<Value> position) {
    return product.epilogue.compute(e, product.kernel, position, sums[next++]);
  });
}

/// Ends the sums at `places`, `width` neighbours at each. What follows the
/// product asks for all that it reads there before it computes anything.
void ProductEmitter::endSums(RegionEmitter &e, Neighbours *neighbours,
                             int64_t width, ArrayRef<Place> places) {
  SmallVector<SmallVector<Values>> at(places.size());
  SmallVector<Values> read(places.size());
  SmallVector<Value> inside;
  for (auto [number, place] : llvm::enumerate(places)) {
    inside.push_back(isInside(e, place));
    if (!neighbours)
      continue;
    at[number] =
        neighboursOf(product, e, *neighbours,
                     problem.resultIndices(e, block.batch, place.m, place.n));
    SmallVector<Type> types = neighbours->types();
    read[number] = emitIf(
        e, inside.back(), types, [&] { return neighbours->read(at[number]); },
        [&] {
          return llvm::map_to_vector(types, [&](Type type) -> Value {
            return LLVM::PoisonOp::create(e.builder(), type);
          });
        });
  }
  for (auto [number, place] : llvm::enumerate(places))
    emitIf(e, inside[number], {}, [&] {
      Values sums = loadSums(e, shared, place.shared, width);
      if (splits > 1)
        storeSums(e, place, sums);
      else if (neighbours)
        storeNeighbours(product, e, *neighbours, at[number], read[number],
                        sums);
      else
        product.epilogue.store(
            e, product.kernel,
            problem.resultIndices(e, block.batch, place.m, place.n),
            sums.front());
      return Values();
    });
}

void ProductEmitter::emit(RegionEmitter &e, Value number) {
  if (splits == 1)
    product.epilogue.begin(e, product.kernel);
  block.thread = emitThread(e);
  Value warp = e.div(block.thread, e.index(kWarp));
  lane = e.rem(block.thread, e.index(kWarp));
  warpM = e.div(warp, e.index(shape.warpsN));
  warpN = e.rem(warp, e.index(shape.warpsN));
  shared = product.kernel.sharedMemory(
      e, e.builder().getI8Type(), sharedBytes() + extraBytes(), alignment());
  compute(e, number);
}

std::pair<Value, Value> ProductEmitter::beginTile(RegionEmitter &e,
                                                  Value number) {
  SmallVector<Value> grid = e.delinearize(number, gridSizes(e));
  orderTiles(e, grid[grid.size() - 2], grid.back());
  split = grid.front();
  block.batch.assign(grid.begin() + 1, grid.end() - 2);
  block.n0 = e.mul(grid[grid.size() - 2], e.index(shape.columns()));
  block.m0 = e.mul(grid.back(), e.index(shape.rows()));
  Value begin = e.index(0);
  Value end = e.ceilDiv(problem.depth(e), e.index(partDepth()));
  if (splits > 1) {
    Value share = e.ceilDiv(end, e.index(splits));
    begin = e.min(e.mul(split, share), end);
    end = e.min(e.add(begin, share), end);
  }
  return {begin, end};
}

void ProductEmitter::compute(RegionEmitter &e, Value number) {
  auto [begin, end] = beginTile(e, number);
  finish(e, multiply(e, begin, end, beginSums(e)));
}

/// Adds the sums of the splits, the first to the last, for neighbours in a row
/// of C.
void ProductEmitter::emitTotal(RegionEmitter &e, Value number) {
  ImplicitLocOpBuilder &b = e.builder();
  product.epilogue.begin(e, product.kernel);
  std::optional<Neighbours> neighbours = findNeighbours(e);
  SmallVector<Value> sizes = problem.batchSizes(e);
  sizes.append({problem.rows(e), problem.columns(e)});
  Value first = e.mul(number, e.index(totalsWidth()));
  auto load = [&](int64_t split) {
    Value position = e.add(e.index(split * numTotals()), first);
    return loadSums(e, totals(e).pointer, position, totalsWidth());
  };
  Values sums = load(0);
  for (int64_t i : llvm::seq<int64_t>(1, splits))
    for (auto [sum, next] : llvm::zip_equal(sums, load(i)))
      sum = isa<FloatType>(type()) ? Value(arith::AddFOp::create(b, sum, next))
                                   : arith::AddIOp::create(b, sum, next);
  SmallVector<Value> indices = e.delinearize(first, sizes);
  Value n = indices.pop_back_val(), m = indices.pop_back_val();
  int64_t width = neighbours ? neighbours->getCount() : 1;
  for (int64_t i = 0; i < totalsWidth(); i += width) {
    Values at = problem.resultIndices(e, indices, m, e.add(n, e.index(i)));
    if (!neighbours) {
      product.epilogue.store(e, product.kernel, at, sums[i]);
      continue;
    }
    auto next = neighboursOf(product, e, *neighbours, at);
    storeNeighbours(product, e, *neighbours, next, neighbours->read(next),
                    ArrayRef(sums).slice(i, width));
  }
}

void ProductEmitter::addTasks() {
  if (splits > 1)
    scratch = product.kernel.reserveScratch(splits * numTotals() *
                                            type().getIntOrFloatBitWidth() / 8);
  if (product.prepare)
    product.prepare();
  product.kernel.addBlocks(
      threads(),
      [&](RegionEmitter &e) {
        return product.countIfWanted(e, countBlocks(e));
      },
      [&](RegionEmitter &e, Value number) { emit(e, number); }, together());
  if (splits > 1)
    product.kernel.addThreads(
        [&](RegionEmitter &e) { return e.index(numTotals() / totalsWidth()); },
        [&](RegionEmitter &e, Value number) { emitTotal(e, number); });
}
