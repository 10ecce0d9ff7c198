//===- ContractionKernel.cpp - Matrix products and convolutions -----------===//
//
// C is cut into blocks of rows and columns, one per iteration of the parallel
// loop. For each part of the depth, the columns of B are packed into panels as
// wide as two vectors. Then a few rows of A at a time are copied side by side
// (where they lie, rows whose distance is a power of two would drive each other
// from the cache), and a register tile of as many rows runs over the panels,
// with A's elements broadcast from memory. Rows and columns beyond the edges
// are computed and thrown away, so that there is a single inner loop. The sums
// lie in a small tile until the last part of the depth, then what follows the
// contraction is computed from it.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weft/Dialect/Weft/IR/ModuleAttrs.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

namespace {
/// Emits one kernel's task.
struct BlockEmitter {
  KernelBuilder &kernel;
  Contraction &problem;
  Packing &packing;
  Epilogue &epilogue;
  Tiling tiling;
  /// Whether sums begin at elements of a tensor that are not all zero.
  bool hasInit;
  int64_t panelOffset = 0, tileOffset = 0; ///< in scratch
  int64_t rowOffset = 0, packingOffset = 0;

  void reserve();
  SmallVector<Value> gridSizes(RegionEmitter &e);
  void emitBlock(RegionEmitter &e, ArrayRef<Value> grid);

private:
  struct Block {
    SmallVector<Value> batch;
    Value m0, rows, n0, columns;
    Value panels, tile, rowTile, packing;
  };
  int64_t bytes() const {
    return problem.accumulatorType.getIntOrFloatBitWidth() / 8;
  }
  VectorType vectorType() const {
    return VectorType::get(tiling.lanes, problem.accumulatorType);
  }
  Value at(RegionEmitter &e, Value base, Value position);
  void packB(RegionEmitter &e, const Block &block, Value k0, Value depth);
  /// The distance of the rows of A that are side by side. A cache line more
  /// than needed keeps them out of each other's way.
  int64_t rowStride() const { return tiling.blockDepth + 64 / bytes(); }
  void packRows(RegionEmitter &e, const Block &block, Value k0, Value depth,
                Value firstRow);
  void fetchRows(RegionEmitter &e, const Block &block, Value k0, Value depth,
                 Value firstRow, Value panel);
  void fetchColumns(RegionEmitter &e, const Block &block, Value k0, Value depth,
                    Value firstRow, Value panel);
  void fetchResults(RegionEmitter &e, const Block &block, Value k0, Value depth,
                    Value firstRow, Value panel);
  bool isBoundByResults() const;
  void multiply(RegionEmitter &e, const Block &block, Value k0, Value depth);
  void multiplyTile(RegionEmitter &e, const Block &block, Value k0, Value depth,
                    Value firstRow, Value panel);
  Value multiplyAdd(RegionEmitter &e, Value a, Value b, Value sum);
  void finish(RegionEmitter &e, const Block &block, Value firstRow);
  Value sumPosition(RegionEmitter &e, Value firstRow, Value row);
  void beginSums(RegionEmitter &e, const Block &block, Value firstRow);
  bool isWhole() const { return tiling.blockDepth == problem.staticK; }
};
} // namespace

void BlockEmitter::reserve() {
  int64_t panels = tiling.directB ? 0
                                  : tiling.blockColumns * tiling.blockDepth +
                                        tiling.lanes * tiling.lanes / 2;
  panelOffset = kernel.reserveScratch(panels * bytes());
  tileOffset =
      kernel.reserveScratch((isWhole() ? tiling.tileRows : tiling.blockRows) *
                            tiling.blockColumns * bytes());
  rowOffset = kernel.reserveScratch(tiling.tileRows * rowStride() * bytes());
  packingOffset = kernel.reserveScratch(
      tiling.directB ? 0
                     : packing.packingBytes(tiling.blockColumns,
                                            tiling.blockDepth, tiling.lanes));
}

SmallVector<Value> BlockEmitter::gridSizes(RegionEmitter &e) {
  SmallVector<Value> sizes = problem.batchSizes(e);
  sizes.push_back(e.ceilDiv(problem.columns(e), e.index(tiling.blockColumns)));
  sizes.push_back(e.ceilDiv(problem.rows(e), e.index(tiling.blockRows)));
  return sizes;
}

Value BlockEmitter::at(RegionEmitter &e, Value base, Value position) {
  return elementAddress(e, base, problem.accumulatorType, position);
}

void BlockEmitter::packB(RegionEmitter &e, const Block &block, Value k0,
                         Value depth) {
  packing.packB(e, {.batch = block.batch,
                    .n0 = block.n0,
                    .columns = block.columns,
                    .k0 = k0,
                    .depth = depth,
                    .panels = block.panels,
                    .scratch = block.packing,
                    .lanes = tiling.lanes,
                    .panelDepth = tiling.blockDepth,
                    .blockColumns = tiling.blockColumns});
}

/// Copies rows of A from `firstRow` of the block on, as many as a tile has.
void BlockEmitter::packRows(RegionEmitter &e, const Block &block, Value k0,
                            Value depth, Value firstRow) {
  packing.packA(
      e, {.batch = block.batch,
          .m0 = e.add(block.m0, firstRow),
          .rows = e.min(e.index(tiling.tileRows), e.sub(block.rows, firstRow)),
          .k0 = k0,
          .depth = depth,
          .tile = block.rowTile,
          .lanes = tiling.lanes,
          .tileRows = tiling.tileRows,
          .stride = rowStride()});
}

Value BlockEmitter::multiplyAdd(RegionEmitter &e, Value a, Value b, Value sum) {
  ImplicitLocOpBuilder &builder = e.builder();
  Value wide = vector::BroadcastOp::create(builder, vectorType(), a);
  if (isa<FloatType>(problem.accumulatorType))
    return vector::FMAOp::create(builder, wide, b, sum);
  return arith::AddIOp::create(builder, sum,
                               arith::MulIOp::create(builder, wide, b));
}

/// Where the sums of row `row` of the tile at `firstRow` begin. If the depth is
/// not cut, no tile but the current one has any.
Value BlockEmitter::sumPosition(RegionEmitter &e, Value firstRow, Value row) {
  if (!isWhole())
    row = e.add(firstRow, row);
  return e.mul(row, e.index(tiling.blockColumns));
}

/// Puts what the sums of the tile at `firstRow` begin at where they lie. Those
/// beyond the edges begin anywhere.
void BlockEmitter::beginSums(RegionEmitter &e, const Block &block,
                             Value firstRow) {
  Value rows = e.min(e.index(tiling.tileRows), e.sub(block.rows, firstRow));
  auto initType = cast<RankedTensorType>(problem.init.getType());
  problem.forEachRun(
      e, block.batch, block.n0, block.columns,
      [&](ArrayRef<Value> batch, Value n, Value first, Value length) {
        e.loopNest({rows, length}, {}, [&](ArrayRef<Value> at, ValueRange) {
          Value m = e.add(block.m0, e.add(firstRow, at[0]));
          Value element =
              e.element(problem.init,
                        problem.resultIndices(e, batch, m, e.add(n, at[1])));
          element = widen(e.builder(), element, initType.getElementType(),
                          problem.accumulatorType);
          Value position =
              e.add(sumPosition(e, firstRow, at[0]), e.add(first, at[1]));
          LLVM::StoreOp::create(e.builder(), element,
                                this->at(e, block.tile, position));
          return SmallVector<Value>();
        });
      });
}

void BlockEmitter::multiplyTile(RegionEmitter &e, const Block &block, Value k0,
                                Value depth, Value firstRow, Value panel) {
  ImplicitLocOpBuilder &b = e.builder();
  Value lanes = e.index(tiling.lanes);
  // Where the tile's rows of sums lie.
  SmallVector<Value> places;
  for (int64_t r : llvm::seq(tiling.tileRows))
    places.push_back(
        at(e, block.tile,
           e.add(sumPosition(e, firstRow, e.index(r)), e.mul(panel, lanes))));
  auto zero = arith::ConstantOp::create(
      b, cast<TypedAttr>(b.getZeroAttr(vectorType())));
  SmallVector<Value> sums(tiling.tileRows, zero);
  if (hasInit || !isWhole()) {
    // Go on from the sums of the parts before.
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, k0, e.index(0));
    for (auto [sum, place] : llvm::zip(sums, places)) {
      auto load = [&]() -> Value {
        return LLVM::LoadOp::create(b, vectorType(), place, bytes());
      };
      sum = hasInit ? load()
                    : e.choose(isFirst, [&] { return Value(zero); }, load);
    }
  }

  Value panelStart =
      tiling.directB
          ? Value()
          : at(e, block.panels,
               e.mul(panel, e.index(tiling.lanes * tiling.blockDepth)));
  SmallVector<Value> totals =
      e.loop(e.index(0), depth, sums, [&](Value k, ValueRange carried) {
        Value from =
            tiling.directB
                ? problem.columnAddress(e, block.batch, e.add(k0, k),
                                        e.add(block.n0, e.mul(panel, lanes)))
                : at(e, panelStart, e.mul(k, lanes));
        Value values = LLVM::LoadOp::create(b, vectorType(), from, bytes());
        SmallVector<Value> next;
        for (auto [row, sum] : llvm::enumerate(carried)) {
          Value place = e.add(e.index(row * rowStride()), k);
          Value a = LLVM::LoadOp::create(b, problem.accumulatorType,
                                         at(e, block.rowTile, place));
          next.push_back(multiplyAdd(e, a, values, sum));
        }
        return next;
      });
  for (auto [total, place] : llvm::zip(totals, places))
    LLVM::StoreOp::create(b, total, place, bytes());
}

/// Asks for the rows of A that the next tile will copy, a few rows with each
/// panel: each begins on a page of its own, where the processor's own guesses
/// begin anew.
void BlockEmitter::fetchRows(RegionEmitter &e, const Block &block, Value k0,
                             Value depth, Value firstRow, Value panel) {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t panels = tiling.blockColumns / tiling.lanes;
  int64_t share = llvm::divideCeil(tiling.tileRows, panels);
  Value next = e.add(e.add(firstRow, e.index(tiling.tileRows)),
                     e.mul(panel, e.index(share)));
  Value end = e.min(e.add(next, e.index(share)), block.rows);
  int64_t line = 64 / bytes();
  e.loop(next, end, {}, [&](Value row, ValueRange) {
    Value start =
        at(e, problem.rowAddress(e, block.batch, e.add(block.m0, row)), k0);
    e.loop(e.index(0), e.ceilDiv(depth, e.index(line)), {},
           [&](Value i, ValueRange) {
             LLVM::Prefetch::create(b, at(e, start, e.mul(i, e.index(line))),
                                    /*rw=*/0, /*hint=*/2, /*cache=*/1);
             return SmallVector<Value>();
           });
    return SmallVector<Value>();
  });
}

/// Emits `body` under a condition.
static void emitIf(ImplicitLocOpBuilder &b, Value condition,
                   llvm::function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  body();
}

/// Likewise where A's columns lie in memory, of which each has a line for the
/// next tile.
void BlockEmitter::fetchColumns(RegionEmitter &e, const Block &block, Value k0,
                                Value depth, Value firstRow, Value panel) {
  Value panels = e.index(tiling.blockColumns / tiling.lanes);
  Value share = e.ceilDiv(depth, panels), first = e.mul(panel, share);
  Value m = e.add(e.add(block.m0, firstRow), e.index(tiling.tileRows));
  e.loop(first, e.min(e.add(first, share), depth), {},
         [&](Value k, ValueRange) {
           LLVM::Prefetch::create(
               e.builder(),
               problem.columnAddressA(e, block.batch, m, e.add(k0, k)),
               /*rw=*/0, /*hint=*/2, /*cache=*/1);
           return SmallVector<Value>();
         });
}

/// Emits `body` where the part of the depth from k0 on is the last one.
static void ifLast(RegionEmitter &e, Contraction &problem, bool isWhole,
                   Value k0, Value depth, llvm::function_ref<void()> body) {
  if (isWhole)
    return body();
  Value isLast = arith::CmpIOp::create(e.builder(), arith::CmpIPredicate::sge,
                                       e.add(k0, depth), problem.depth(e));
  emitIf(e.builder(), isLast, body);
}

/// Whether the results do not fit the cache, and are reached after so few
/// multiplications each that waiting for their memory would take as long.
bool BlockEmitter::isBoundByResults() const {
  constexpr int64_t kFewMultiplications = 1024;
  int64_t sizes[] = {problem.staticBatch, problem.staticM, problem.staticN};
  return ShapedType::isStatic(problem.staticK) &&
         problem.staticK <= kFewMultiplications &&
         !ShapedType::isDynamicShape(sizes) &&
         llvm::product_of(sizes) * bytes() > kernel.getTarget().l2Bytes;
}

/// Asks for the memory that what follows the contraction reads and writes, of
/// the columns of a panel, before the tile's rows are finished.
void BlockEmitter::fetchResults(RegionEmitter &e, const Block &block, Value k0,
                                Value depth, Value firstRow, Value panel) {
  if (!isBoundByResults())
    return;
  Value rows = e.min(e.index(tiling.tileRows), e.sub(block.rows, firstRow));
  Value firstColumn = e.mul(panel, e.index(tiling.lanes));
  Value columns =
      e.min(e.index(tiling.lanes), e.sub(block.columns, firstColumn));
  int64_t line = 64 / bytes();
  ifLast(e, problem, isWhole(), k0, depth, [&] {
    problem.forEachRun(
        e, block.batch, e.add(block.n0, firstColumn), columns,
        [&](ArrayRef<Value> batch, Value n, Value first, Value length) {
          e.loopNest({rows, e.ceilDiv(length, e.index(line))}, {},
                     [&](ArrayRef<Value> at, ValueRange) {
                       Value m = e.add(e.add(block.m0, firstRow), at[0]);
                       Value column = e.add(n, e.mul(at[1], e.index(line)));
                       epilogue.fetch(
                           e, kernel,
                           problem.resultIndices(e, batch, m, column));
                       return SmallVector<Value>();
                     });
        });
  });
}

void BlockEmitter::multiply(RegionEmitter &e, const Block &block, Value k0,
                            Value depth) {
  Value tileRows = e.index(tiling.tileRows), lanes = e.index(tiling.lanes);
  e.loop(e.index(0), e.ceilDiv(block.rows, tileRows), {},
         [&](Value tile, ValueRange) {
           Value firstRow = e.mul(tile, tileRows);
           packRows(e, block, k0, depth, firstRow);
           if (hasInit) {
             Value isFirst = arith::CmpIOp::create(
                 e.builder(), arith::CmpIPredicate::eq, k0, e.index(0));
             emitIf(e.builder(), isFirst,
                    [&] { beginSums(e, block, firstRow); });
           }
           e.loop(e.index(0), e.ceilDiv(block.columns, lanes), {},
                  [&](Value panel, ValueRange) {
                    if (problem.isContiguousA())
                      fetchRows(e, block, k0, depth, firstRow, panel);
                    else if (problem.isTransposedA())
                      fetchColumns(e, block, k0, depth, firstRow, panel);
                    fetchResults(e, block, k0, depth, firstRow, panel);
                    multiplyTile(e, block, k0, depth, firstRow, panel);
                    return SmallVector<Value>();
                  });
           ifLast(e, problem, isWhole(), k0, depth,
                  [&] { finish(e, block, firstRow); });
           return SmallVector<Value>();
         });
}

/// Stores what follows the contraction for the tile's rows of the block, while
/// their sums are in the cache.
void BlockEmitter::finish(RegionEmitter &e, const Block &block,
                          Value firstRow) {
  ImplicitLocOpBuilder &b = e.builder();
  Value rows = e.min(e.index(tiling.tileRows), e.sub(block.rows, firstRow));
  e.loop(e.index(0), rows, {}, [&](Value i, ValueRange) {
    Value row = e.add(firstRow, i);
    Value sums = at(e, block.tile, sumPosition(e, firstRow, i));
    problem.forEachRun(
        e, block.batch, block.n0, block.columns,
        [&](ArrayRef<Value> batch, Value n, Value first, Value length) {
          e.loop(e.index(0), length, {}, [&](Value j, ValueRange) {
            Value sum = LLVM::LoadOp::create(b, problem.accumulatorType,
                                             at(e, sums, e.add(first, j)));
            epilogue.store(e, kernel,
                           problem.resultIndices(e, batch, e.add(block.m0, row),
                                                 e.add(n, j)),
                           sum);
            return SmallVector<Value>();
          });
        });
    return SmallVector<Value>();
  });
}

void BlockEmitter::emitBlock(RegionEmitter &e, ArrayRef<Value> grid) {
  Block block;
  block.batch.assign(grid.begin(), grid.end() - 2);
  block.n0 = e.mul(grid[grid.size() - 2], e.index(tiling.blockColumns));
  block.m0 = e.mul(grid.back(), e.index(tiling.blockRows));
  block.columns =
      e.min(e.index(tiling.blockColumns), e.sub(problem.columns(e), block.n0));
  block.rows =
      e.min(e.index(tiling.blockRows), e.sub(problem.rows(e), block.m0));
  block.panels = kernel.scratchAddress(e, panelOffset);
  block.tile = kernel.scratchAddress(e, tileOffset);
  block.rowTile = kernel.scratchAddress(e, rowOffset);
  block.packing = kernel.scratchAddress(e, packingOffset);

  Value depth = problem.depth(e), part = e.index(tiling.blockDepth);
  auto emitPart = [&](Value k0) {
    Value size = e.min(part, e.sub(depth, k0));
    if (!tiling.directB)
      packB(e, block, k0, size);
    multiply(e, block, k0, size);
  };
  // An empty depth still stores zeros: one part of size zero.
  if (isWhole())
    emitPart(e.index(0));
  else
    e.loop(e.index(0), e.max(e.index(1), e.ceilDiv(depth, part)), {},
           [&](Value number, ValueRange) {
             emitPart(e.mul(number, part));
             return SmallVector<Value>();
           });
}

/// Emits whether a task has something to do (i1).
using ConditionFn = llvm::function_ref<Value(RegionEmitter &)>;

/// `count`, or zero if `isWanted` is given and false.
static Value countIf(RegionEmitter &e, ConditionFn isWanted, Value count) {
  return isWanted ? arith::SelectOp::create(e.builder(), isWanted(e), count,
                                            e.index(0))
                  : count;
}

//===----------------------------------------------------------------------===//
// Dot products
//===----------------------------------------------------------------------===//

/// A single row times columns that are contiguous along the depth: each result
/// is a sum along both, limited by memory.
static void emitDotProducts(KernelBuilder &kernel, Contraction &problem,
                            Epilogue &epilogue, ConditionFn isWanted) {
  constexpr auto flags =
      arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
  auto gridSizes = [&](RegionEmitter &e) {
    SmallVector<Value> sizes = problem.batchSizes(e);
    sizes.push_back(problem.rows(e));
    sizes.push_back(problem.columns(e));
    return sizes;
  };
  auto perIteration = [&](RegionEmitter &e) {
    Value depth = e.max(problem.depth(e), e.index(1));
    return e.max(e.index(1), e.div(e.index(kGrain), depth));
  };
  kernel.addTask(
      [&](RegionEmitter &e) {
        Value count = e.ceilDiv(e.product(gridSizes(e)), perIteration(e));
        return countIf(e, isWanted, count);
      },
      [&](RegionEmitter &e, Value begin, Value end) {
        ImplicitLocOpBuilder &b = e.builder();
        epilogue.begin(e, kernel);
        SmallVector<Value> sizes = gridSizes(e);
        Value step = perIteration(e);
        Value last = e.min(e.mul(end, step), e.product(sizes));
        e.loop(e.mul(begin, step), last, {}, [&](Value number, ValueRange) {
          SmallVector<Value> grid = e.delinearize(number, sizes);
          ArrayRef<Value> batch = ArrayRef(grid).drop_back(2);
          Value m = grid[grid.size() - 2], n = grid.back();
          Value zero = e.constant(problem.accumulatorType, 0);
          Value sum = e.loop(e.index(0), problem.depth(e), zero,
                             [&](Value k, ValueRange carried) {
                               Value product = arith::MulFOp::create(
                                   b, problem.elementA(e, batch, m, k),
                                   problem.elementB(e, batch, k, n), flags);
                               return SmallVector<Value>{arith::AddFOp::create(
                                   b, carried[0], product, flags)};
                             })[0];
          epilogue.store(e, kernel, problem.resultIndices(e, batch, m, n), sum);
          return SmallVector<Value>();
        });
      });
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

static PackedProduct findProduct(KernelBuilder &kernel) {
  PackedProduct product;
  for (Operation &op : kernel.getRegion().getBody().front()) {
    if (!isa<ContractOp, ConvOp, ConvFilterOp>(op))
      continue;
    if (product.problem)
      return {};
    product = TypeSwitch<Operation *, PackedProduct>(&op)
                  .Case([](ContractOp op) {
                    return PackedProduct{createMatrixProblem(op), nullptr};
                  })
                  .Case(createConvolution)
                  .Case(createFilterGradient);
    if (!product.problem)
      return {};
  }
  if (product.problem && !product.packing)
    product.packing = std::make_unique<Packing>(*product.problem);
  return product;
}

/// Emits the tasks of a contraction, which run if `isWanted` says so.
static void emitTasks(KernelBuilder &kernel, const PackedProduct &product,
                      Epilogue &epilogue, ConditionFn isWanted) {
  Contraction &problem = *product.problem;
  bool isFloat = isa<FloatType>(problem.accumulatorType);
  if (isFloat && !problem.init && problem.staticM == 1 &&
      problem.isTransposedB() && problem.isContiguousA())
    return emitDotProducts(kernel, problem, epilogue, isWanted);

  Packing &packing = *product.packing;
  BlockEmitter emitter{kernel,
                       problem,
                       packing,
                       epilogue,
                       chooseTiling(problem, packing, kernel.getTarget()),
                       !problem.beginsAtZero()};
  emitter.reserve();
  kernel.addTask(
      [&](RegionEmitter &e) {
        return countIf(e, isWanted, e.product(emitter.gridSizes(e)));
      },
      [&](RegionEmitter &e, Value begin, Value end) {
        epilogue.begin(e, kernel);
        SmallVector<Value> sizes = emitter.gridSizes(e);
        e.loop(begin, end, {}, [&](Value number, ValueRange) {
          emitter.emitBlock(e, e.delinearize(number, sizes));
          return SmallVector<Value>();
        });
      });
}

/// Whether the number of rows is one (eq), or is not (ne).
static Value hasRows(RegionEmitter &e, Contraction &problem,
                     arith::CmpIPredicate predicate) {
  return arith::CmpIOp::create(e.builder(), predicate, problem.rows(e),
                               e.index(1));
}

bool weft::cpu::emitContractionKernel(KernelBuilder &kernel) {
  PackedProduct product = findProduct(kernel);
  Contraction *problem = product.problem.get();
  if (!problem)
    return false;
  std::optional<Epilogue> epilogue =
      Epilogue::create(kernel, problem->op, problem->columnDims);
  if (!epilogue)
    return false;
  auto module = kernel.getRegion()->getParentOfType<ModuleOp>();
  if (!ShapedType::isDynamic(problem->staticM) || problem->init ||
      module->hasAttr(kOrderedAttr)) {
    emitTasks(kernel, product, *epilogue, nullptr);
    return true;
  }
  // A single row is computed in another way than many; the run chooses.
  problem->staticM = 1;
  emitTasks(kernel, product, *epilogue, [&](RegionEmitter &e) {
    return hasRows(e, *problem, arith::CmpIPredicate::eq);
  });
  problem->staticM = ShapedType::kDynamic;
  emitTasks(kernel, product, *epilogue, [&](RegionEmitter &e) {
    return hasRows(e, *problem, arith::CmpIPredicate::ne);
  });
  return true;
}
