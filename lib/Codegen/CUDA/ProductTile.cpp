//===- ProductTile.cpp - Tiles of a product, and what follows it ----------===//

#include "Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

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

/// Emits `body` for this thread's share of the elements that a row of warps has
/// sums of: where they are in C, and where they lie in shared memory.
void ProductEmitter::forEachSum(
    RegionEmitter &e, Value warpRow,
    llvm::function_ref<void(Value, Value, Value)> body) {
  Value firstRow = e.add(block.m0, e.mul(warpRow, e.index(shape.warpRows)));
  int64_t count = shape.warpRows * shape.columns() / shape.threads();
  e.loop(e.index(0), e.index(count), {}, [&](Value i, ValueRange) {
    Value number = e.add(e.mul(i, e.index(shape.threads())), block.thread);
    Value row = e.div(number, e.index(shape.columns()));
    Value column = e.rem(number, e.index(shape.columns()));
    body(e.add(firstRow, row), e.add(block.n0, column),
         e.add(e.mul(row, e.index(sumStride())), column));
    return Values();
  });
}

/// The thread's sums from shared memory.
SmallVector<Value> ProductEmitter::takeSums(RegionEmitter &e) {
  Values sums;
  for (const Run &run : runs(e)) {
    Value position = e.add(e.mul(run.row, e.index(sumStride())), run.column);
    Value vector = loadVector(e, shared, type(), runLength(), position);
    for (int64_t i : llvm::seq(runLength()))
      sums.push_back(extract(e, vector, i));
  }
  return sums;
}

/// The thread's sums into shared memory.
void ProductEmitter::giveSums(RegionEmitter &e, ValueRange sums) {
  for (const Run &run : runs(e)) {
    Value position = e.add(e.mul(run.row, e.index(sumStride())), run.column);
    storeVector(e, shared, sums.take_front(runLength()), position);
    sums = sums.drop_front(runLength());
  }
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
  return e.loop(
      e.index(0), e.index(shape.warpsM), sums,
      [&](Value warpRow, ValueRange carried) {
        forEachSum(e, warpRow, [&](Value m, Value n, Value place) {
          Values indices = problem.resultIndices(
              e, block.batch, e.min(m, lastM), e.min(n, lastN));
          Value element = widen(b, e.element(problem.init, indices),
                                initType.getElementType(), type());
          LLVM::StoreOp::create(b, element,
                                elementAt(e, shared, type(), place));
        });
        barrier(e);
        Value isOurs =
            arith::CmpIOp::create(b, arith::CmpIPredicate::eq, warpM, warpRow);
        Values next = emitIf(
            e, isOurs, carried.getTypes(), [&] { return takeSums(e); },
            [&] { return Values(carried); });
        barrier(e);
        return next;
      });
}

void ProductEmitter::finish(RegionEmitter &e, ValueRange sums) {
  ImplicitLocOpBuilder &b = e.builder();
  Value rows = problem.rows(e), columns = problem.columns(e);
  auto isBelow = [&](Value index, Value size, int64_t staticSize, int64_t part,
                     Value known) -> Value {
    if (ProductOperand::isMultiple(staticSize, part))
      return known;
    Value next =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, size);
    return known ? Value(arith::AndIOp::create(b, known, next)) : next;
  };
  e.loop(e.index(0), e.index(shape.warpsM), {}, [&](Value warpRow, ValueRange) {
    Value isOurs =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, warpM, warpRow);
    emitIf(e, isOurs, {}, [&] {
      giveSums(e, sums);
      return Values();
    });
    barrier(e);
    forEachSum(e, warpRow, [&](Value m, Value n, Value place) {
      Value inside = isBelow(m, rows, problem.staticM, shape.rows(), nullptr);
      inside = isBelow(n, columns, problem.staticN, shape.columns(), inside);
      emitIf(e, inside, {}, [&] {
        Value sum = LLVM::LoadOp::create(b, type(),
                                         elementAt(e, shared, type(), place));
        storeSum(e, m, n, sum);
        return Values();
      });
    });
    barrier(e);
    return Values();
  });
}

MemoryView ProductEmitter::totals(RegionEmitter &e) {
  return {product.kernel.scratchAddress(e, scratch), type(), {}, {}};
}

/// Ends a sum, or leaves it to the task that adds up those of the splits.
void ProductEmitter::storeSum(RegionEmitter &e, Value m, Value n, Value sum) {
  if (splits == 1)
    return product.epilogue.store(
        e, product.kernel, problem.resultIndices(e, block.batch, m, n), sum);
  Value position = split;
  for (auto [index, size] : llvm::zip_equal(block.batch, problem.batchSizes(e)))
    position = e.add(e.mul(position, size), index);
  position = e.add(e.mul(position, problem.rows(e)), m);
  position = e.add(e.mul(position, problem.columns(e)), n);
  MemoryView view = totals(e);
  LLVM::StoreOp::create(e.builder(), sum, e.address(view, position));
}

void ProductEmitter::emit(RegionEmitter &e, Value number) {
  if (splits == 1)
    product.epilogue.begin(e, product.kernel);
  SmallVector<Value> grid = e.delinearize(number, gridSizes(e));
  split = grid.front();
  block.batch.assign(grid.begin() + 1, grid.end() - 2);
  block.n0 = e.mul(grid[grid.size() - 2], e.index(shape.columns()));
  block.m0 = e.mul(grid.back(), e.index(shape.rows()));
  block.thread = emitThread(e);
  Value warp = e.div(block.thread, e.index(kWarp));
  lane = e.rem(block.thread, e.index(kWarp));
  warpM = e.div(warp, e.index(shape.warpsN));
  warpN = e.rem(warp, e.index(shape.warpsN));
  int64_t sumBytes =
      shape.warpRows * sumStride() * type().getIntOrFloatBitWidth() / 8;
  shared = product.kernel.sharedMemory(e, e.builder().getI8Type(),
                                       std::max(operandBytes(), sumBytes),
                                       alignment());
  Value begin = e.index(0);
  Value end = e.ceilDiv(problem.depth(e), e.index(partDepth()));
  if (splits > 1) {
    Value share = e.ceilDiv(end, e.index(splits));
    begin = e.min(e.mul(split, share), end);
    end = e.min(e.add(begin, share), end);
  }
  finish(e, multiply(e, begin, end, beginSums(e)));
}

/// Adds the sums of the splits, the first to the last, for one element of C.
void ProductEmitter::emitTotal(RegionEmitter &e, Value number) {
  ImplicitLocOpBuilder &b = e.builder();
  product.epilogue.begin(e, product.kernel);
  MemoryView view = totals(e);
  auto load = [&](Value split) -> Value {
    Value position = e.add(e.mul(split, e.index(numTotals())), number);
    return LLVM::LoadOp::create(b, type(), e.address(view, position));
  };
  Value total = load(e.index(0));
  for (int64_t i : llvm::seq<int64_t>(1, splits)) {
    Value next = load(e.index(i));
    total = isa<FloatType>(type())
                ? Value(arith::AddFOp::create(b, total, next))
                : arith::AddIOp::create(b, total, next);
  }
  SmallVector<Value> sizes = problem.batchSizes(e);
  sizes.append({problem.rows(e), problem.columns(e)});
  SmallVector<Value> indices = e.delinearize(number, sizes);
  Value n = indices.pop_back_val(), m = indices.pop_back_val();
  product.epilogue.store(e, product.kernel,
                         problem.resultIndices(e, indices, m, n), total);
}

void ProductEmitter::addTasks() {
  if (splits > 1)
    scratch = product.kernel.reserveScratch(splits * numTotals() *
                                            type().getIntOrFloatBitWidth() / 8);
  product.kernel.addBlocks(
      shape.threads(),
      [&](RegionEmitter &e) {
        return product.countIfWanted(e, e.product(gridSizes(e)));
      },
      [&](RegionEmitter &e, Value number) { emit(e, number); }, isLarge());
  if (splits > 1)
    product.kernel.addThreads(
        [&](RegionEmitter &e) { return e.index(numTotals()); },
        [&](RegionEmitter &e, Value number) { emitTotal(e, number); });
}
