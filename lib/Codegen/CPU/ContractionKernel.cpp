//===- ContractionKernel.cpp - Matrix products and convolutions -----------===//
//
// C is cut into blocks of rows and columns, one per iteration of the parallel
// loop. For each part of the depth, the columns of B are packed into panels as
// wide as two vectors, and a register tile of six rows runs over them, with A
// read in place: its elements are broadcast from memory. Rows beyond the end
// are computed again from the last one, columns beyond it are packed as zeros,
// so that there is a single inner loop. The sums lie in a small tile until the
// last part of the depth, then what follows the contraction is computed from
// it.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

//===----------------------------------------------------------------------===//
// What follows the contraction
//===----------------------------------------------------------------------===//

/// Skips transposes, which only change where the element is stored.
static Value skipTranspose(Value value) {
  auto transpose = value.getDefiningOp<TransposeOp>();
  return transpose ? transpose.getInput() : value;
}

/// Whether `value` depends on `root` through elementwise ops alone, if at all.
static bool isElementwiseOf(Value value, Operation *root,
                            ArrayRef<int64_t> shape) {
  Operation *op = value.getDefiningOp();
  if (!op || op == root)
    return true;
  if (isa<ScalarOpInterface>(op))
    return llvm::all_of(op->getOperands(), [&](Value operand) {
      return isElementwiseOf(operand, root, shape);
    });
  llvm::SetVector<Operation *> slice;
  SmallVector<Value> worklist(op->getOperands());
  while (!worklist.empty()) {
    Operation *source = worklist.pop_back_val().getDefiningOp();
    if (source == root)
      return false;
    if (source && slice.insert(source))
      llvm::append_range(worklist, source->getOperands());
  }
  return true;
}

/// Adds the arguments of the region that `value` depends on, but for what it
/// gets through `root`.
static void collectArguments(Value value, Operation *root,
                             llvm::DenseSet<Value> &arguments) {
  SmallVector<Value> worklist{value};
  llvm::DenseSet<Value> seen;
  while (!worklist.empty()) {
    Value next = worklist.pop_back_val();
    Operation *op = next.getDefiningOp();
    if (!op)
      arguments.insert(next);
    else if (op != root && seen.insert(next).second)
      llvm::append_range(worklist, op->getOperands());
  }
}

/// Whether what follows `root` reads a tensor that `root` reads as well.
static bool sharesTensors(Operation *root, ValueRange yields) {
  llvm::DenseSet<Value> before, after;
  for (Value operand : root->getOperands())
    collectArguments(operand, nullptr, before);
  for (Value yield : yields)
    collectArguments(yield, root, after);
  return llvm::any_of(after, [&](Value value) {
    return isa<RankedTensorType>(value.getType()) && before.contains(value);
  });
}

std::optional<Epilogue> Epilogue::create(KernelBuilder &kernel, Operation *root,
                                         ArrayRef<int64_t> innerDims) {
  Epilogue epilogue;
  epilogue.root = root;
  auto shape = cast<RankedTensorType>(root->getResult(0).getType());
  SmallVector<Value> roots;
  for (Value value : kernel.getYields()) {
    Value stored = skipTranspose(value);
    if (cast<RankedTensorType>(stored.getType()).getShape() !=
            shape.getShape() ||
        !isElementwiseOf(stored, root, shape.getShape()))
      return std::nullopt;
    roots.push_back(stored);
  }
  // A tensor has one view, which the root needs with all its dimensions.
  if (llvm::equal(roots, kernel.getYields()) &&
      !sharesTensors(root, kernel.getYields()))
    epilogue.space =
        IterationSpace::create(roots, shape, innerDims, {}, {}, root);
  return epilogue;
}

void Epilogue::begin(RegionEmitter &e, KernelBuilder &kernel) {
  Value result = root->getResult(0);
  // The root's own sizes are those of a result, if need be of a transposed one.
  MemoryView view = kernel.resultView(e, 0);
  sizes = view.sizes;
  if (auto transpose = kernel.getYields()[0].getDefiningOp<TransposeOp>())
    for (auto [dim, source] : llvm::enumerate(transpose.getPermutation()))
      sizes[source] = view.sizes[dim];
  for (auto [dim, size] : llvm::enumerate(sizes))
    e.bindSize(result, dim, size);
  if (space)
    space->bind(e, sizes);
}

void Epilogue::store(RegionEmitter &e, KernelBuilder &kernel,
                     ArrayRef<Value> indices, Value value) {
  ImplicitLocOpBuilder &b = e.builder();
  Value result = root->getResult(0);
  Type type = getSignlessType(
      cast<RankedTensorType>(result.getType()).getElementType());
  if (type != value.getType() && isa<FloatType>(type))
    value = arith::TruncFOp::create(b, type, value);
  else if (type != value.getType())
    value = arith::TruncIOp::create(b, type, value);
  e.bind(result, [value](ArrayRef<Value>) { return value; });

  SmallVector<Value> position(indices);
  if (space)
    position = space->joinIndices(e, indices, sizes);
  for (auto [number, yield] : llvm::enumerate(kernel.getYields())) {
    MemoryView view = kernel.resultView(e, number);
    SmallVector<Value> target = position;
    if (auto transpose = yield.getDefiningOp<TransposeOp>())
      for (auto [dim, source] : llvm::enumerate(transpose.getPermutation()))
        target[dim] = position[source];
    if (space)
      view = space->joinFull(e, view);
    e.store(view, target, e.element(skipTranspose(yield), position));
  }
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

namespace {
/// Sizes of blocks and tiles, fixed when the kernel is made.
struct Tiling {
  int64_t lanes;        ///< columns of a panel
  int64_t tileRows;     ///< rows of a register tile
  int64_t blockRows;    ///< rows of C per iteration, a multiple of tileRows
  int64_t blockColumns; ///< columns of C per iteration, a multiple of lanes
  int64_t blockDepth;   ///< part of the depth that is packed at once
  bool packA, directB;
};

/// Emits one kernel's task.
struct BlockEmitter {
  KernelBuilder &kernel;
  Contraction &problem;
  Epilogue &epilogue;
  Tiling tiling;
  int64_t panelOffset, tileOffset, rowOffset, packingOffset; ///< in scratch

  void reserve();
  SmallVector<Value> gridSizes(RegionEmitter &e);
  void emitBlock(RegionEmitter &e, ArrayRef<Value> grid);

private:
  struct Block {
    SmallVector<Value> batch;
    Value m0, rows, n0, columns;
    Value panels, tile, packedA, packing;
  };
  int64_t bytes() const {
    return problem.accumulatorType.getIntOrFloatBitWidth() / 8;
  }
  VectorType vectorType() const {
    return VectorType::get(tiling.lanes, problem.accumulatorType);
  }
  Value at(RegionEmitter &e, Value base, Value position);
  void packB(RegionEmitter &e, const Block &block, Value k0, Value depth);
  void packA(RegionEmitter &e, const Block &block, Value k0, Value depth);
  void multiply(RegionEmitter &e, const Block &block, Value k0, Value depth);
  void multiplyTile(RegionEmitter &e, const Block &block, Value k0, Value depth,
                    Value firstRow, ArrayRef<Value> rowAddresses, Value panel);
  Value multiplyAdd(RegionEmitter &e, Value a, Value b, Value sum);
  void finish(RegionEmitter &e, const Block &block);
};
} // namespace

/// The tiles for `problem` on `target`.
static Tiling chooseTiling(Contraction &problem,
                           const TargetDescription &target) {
  Tiling tiling;
  int64_t bytes = problem.accumulatorType.getIntOrFloatBitWidth() / 8;
  auto known = [](int64_t size, int64_t otherwise) {
    return ShapedType::isStatic(size) ? size : otherwise;
  };
  // Two vectors of columns; the rows fill the registers but for four, which
  // hold the columns and broadcast elements. Measured best on AVX2: 6 x 16.
  tiling.lanes = 2 * target.vectorBytes / bytes;
  int64_t mostRows = std::max<int64_t>(1, (target.vectorRegisters - 4) / 2);
  int64_t m = std::max<int64_t>(known(problem.staticM, 1024), 1);
  int64_t n = std::max<int64_t>(known(problem.staticN, 1024), 1);
  int64_t k = std::max<int64_t>(known(problem.staticK, 512), 1);
  tiling.packA = !problem.isPlainA();
  tiling.directB = m <= 2 && problem.isPlainB() &&
                   ShapedType::isStatic(problem.staticN) &&
                   n % (4 * tiling.lanes) == 0;
  // Few rows leave registers for more columns.
  if (tiling.directB)
    tiling.lanes *= m == 1 ? 4 : 2;
  tiling.tileRows = std::min(mostRows, m);

  // A panel's part of the depth fits the first-level cache beside a row tile;
  // the panels of a block take half of the second-level cache. Patches take
  // more work to pack for a block the narrower it is, so theirs are wider and
  // less deep.
  int64_t granule = problem.depthGranule(), period = problem.columnPeriod();
  int64_t depthLimit = std::max<int64_t>(
      64, target.l1Bytes * (granule > 1 ? 1 : 3) / 2 / (tiling.lanes * bytes));
  int64_t parts = llvm::divideCeil(k, depthLimit);
  tiling.blockDepth = llvm::alignTo(llvm::divideCeil(k, parts), granule);
  int64_t wide = std::max<int64_t>(
      1, target.l2Bytes / 2 / (tiling.blockDepth * tiling.lanes * bytes));
  int64_t needed = llvm::divideCeil(n, tiling.lanes);
  tiling.blockColumns =
      tiling.lanes * std::min<int64_t>({wide, granule > 1 ? 16 : 8, needed});
  int64_t rows = std::lcm(period, tiling.lanes);
  if (tiling.blockColumns < n && tiling.blockColumns > rows)
    tiling.blockColumns -= tiling.blockColumns % rows;

  // Rows: as many as half of the second-level cache holds sums of, but cut such
  // that there are a few blocks to share among threads.
  int64_t limit = target.l2Bytes / 2 / (tiling.blockColumns * bytes);
  int64_t blocks = std::max<int64_t>(known(problem.staticBatch, 1), 1) *
                   llvm::divideCeil(n, tiling.blockColumns);
  int64_t cuts = std::max<int64_t>(
      llvm::divideCeil(m, limit), blocks < 4 ? llvm::divideCeil(4, blocks) : 1);
  int64_t blockRows = llvm::divideCeil(m, cuts);
  tiling.blockRows = llvm::alignTo(
      std::max(blockRows, std::min<int64_t>(m, 4 * tiling.tileRows)),
      tiling.tileRows);
  return tiling;
}

void BlockEmitter::reserve() {
  int64_t panels = tiling.directB ? 0 : tiling.blockColumns * tiling.blockDepth;
  panelOffset = kernel.reserveScratch(panels * bytes());
  tileOffset =
      kernel.reserveScratch(tiling.blockRows * tiling.blockColumns * bytes());
  rowOffset = kernel.reserveScratch(
      tiling.packA ? tiling.blockRows * tiling.blockDepth * bytes() : 0);
  packingOffset = kernel.reserveScratch(
      tiling.directB
          ? 0
          : problem.packingBytes(tiling.blockColumns, tiling.blockDepth));
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
  problem.packB(e, {.batch = block.batch,
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

void BlockEmitter::packA(RegionEmitter &e, const Block &block, Value k0,
                         Value depth) {
  ImplicitLocOpBuilder &b = e.builder();
  e.loop(e.index(0), block.rows, {}, [&](Value row, ValueRange) {
    e.loop(e.index(0), depth, {}, [&](Value k, ValueRange) {
      Value element =
          problem.elementA(e, block.batch, e.add(block.m0, row), e.add(k0, k));
      Value position = e.add(e.mul(row, e.index(tiling.blockDepth)), k);
      LLVM::StoreOp::create(b, element, at(e, block.packedA, position));
      return SmallVector<Value>();
    });
    return SmallVector<Value>();
  });
}

Value BlockEmitter::multiplyAdd(RegionEmitter &e, Value a, Value b, Value sum) {
  ImplicitLocOpBuilder &builder = e.builder();
  Value wide = vector::BroadcastOp::create(builder, vectorType(), a);
  if (isa<FloatType>(problem.accumulatorType))
    return vector::FMAOp::create(builder, wide, b, sum);
  return arith::AddIOp::create(builder, sum,
                               arith::MulIOp::create(builder, wide, b));
}

void BlockEmitter::multiplyTile(RegionEmitter &e, const Block &block, Value k0,
                                Value depth, Value firstRow,
                                ArrayRef<Value> rowAddresses, Value panel) {
  ImplicitLocOpBuilder &b = e.builder();
  Value lanes = e.index(tiling.lanes);
  Value columns = e.index(tiling.blockColumns);
  // Where the tile's rows of sums lie.
  SmallVector<Value> places;
  for (int64_t r : llvm::seq(tiling.tileRows))
    places.push_back(at(e, block.tile,
                        e.add(e.mul(e.add(firstRow, e.index(r)), columns),
                              e.mul(panel, lanes))));
  auto zero = arith::ConstantOp::create(
      b, cast<TypedAttr>(b.getZeroAttr(vectorType())));
  SmallVector<Value> sums(tiling.tileRows, zero);
  if (tiling.blockDepth < problem.staticK ||
      ShapedType::isDynamic(problem.staticK)) {
    // Go on from the sums of the parts before.
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, k0, e.index(0));
    for (auto [sum, place] : llvm::zip(sums, places))
      sum = e.choose(
          isFirst, [&] { return Value(zero); },
          [&]() -> Value {
            return LLVM::LoadOp::create(b, vectorType(), place, bytes());
          });
  }

  Value stride = tiling.packA ? e.index(1) : problem.depthStride(e);
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
        Value row = LLVM::LoadOp::create(b, vectorType(), from, bytes());
        SmallVector<Value> next;
        for (auto [address, sum] : llvm::zip(rowAddresses, carried)) {
          Value a = LLVM::LoadOp::create(b, problem.accumulatorType,
                                         at(e, address, e.mul(k, stride)));
          next.push_back(multiplyAdd(e, a, row, sum));
        }
        return next;
      });
  for (auto [total, place] : llvm::zip(totals, places))
    LLVM::StoreOp::create(b, total, place, bytes());
}

void BlockEmitter::multiply(RegionEmitter &e, const Block &block, Value k0,
                            Value depth) {
  Value tileRows = e.index(tiling.tileRows);
  Value lastRow = e.sub(block.rows, e.index(1));
  e.loop(
      e.index(0), e.ceilDiv(block.rows, tileRows), {},
      [&](Value tile, ValueRange) {
        Value firstRow = e.mul(tile, tileRows);
        SmallVector<Value> addresses;
        for (int64_t r : llvm::seq(tiling.tileRows)) {
          Value row = e.min(e.add(firstRow, e.index(r)), lastRow);
          if (tiling.packA) {
            addresses.push_back(
                at(e, block.packedA, e.mul(row, e.index(tiling.blockDepth))));
            continue;
          }
          Value start =
              problem.rowAddress(e, block.batch, e.add(block.m0, row));
          addresses.push_back(at(e, start, e.mul(k0, problem.depthStride(e))));
        }
        e.loop(e.index(0), e.ceilDiv(block.columns, e.index(tiling.lanes)), {},
               [&](Value panel, ValueRange) {
                 multiplyTile(e, block, k0, depth, firstRow, addresses, panel);
                 return SmallVector<Value>();
               });
        return SmallVector<Value>();
      });
}

void BlockEmitter::finish(RegionEmitter &e, const Block &block) {
  ImplicitLocOpBuilder &b = e.builder();
  auto storeRow = [&](Value row, Value columns) {
    e.loop(e.index(0), columns, {}, [&](Value j, ValueRange) {
      Value position = e.add(e.mul(row, e.index(tiling.blockColumns)), j);
      Value sum = LLVM::LoadOp::create(b, problem.accumulatorType,
                                       at(e, block.tile, position));
      SmallVector<Value> indices = problem.resultIndices(
          e, block.batch, e.add(block.m0, row), e.add(block.n0, j));
      epilogue.store(e, kernel, indices, sum);
      return SmallVector<Value>();
    });
  };
  e.loop(e.index(0), block.rows, {}, [&](Value row, ValueRange) {
    storeRow(row, block.columns);
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
  block.packedA = kernel.scratchAddress(e, rowOffset);
  block.packing = kernel.scratchAddress(e, packingOffset);

  Value depth = problem.depth(e), part = e.index(tiling.blockDepth);
  auto emitPart = [&](Value k0) {
    Value size = e.min(part, e.sub(depth, k0));
    if (!tiling.directB)
      packB(e, block, k0, size);
    if (tiling.packA)
      packA(e, block, k0, size);
    multiply(e, block, k0, size);
  };
  // An empty depth still stores zeros: one part of size zero.
  if (tiling.blockDepth == problem.staticK)
    emitPart(e.index(0));
  else
    e.loop(e.index(0), e.max(e.index(1), e.ceilDiv(depth, part)), {},
           [&](Value number, ValueRange) {
             emitPart(e.mul(number, part));
             return SmallVector<Value>();
           });
  finish(e, block);
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

static std::unique_ptr<Contraction> findProblem(KernelBuilder &kernel) {
  std::unique_ptr<Contraction> problem;
  for (Operation &op : kernel.getRegion().getBody().front()) {
    if (!isa<ContractOp, ConvOp>(op))
      continue;
    if (problem)
      return nullptr;
    if (auto contract = dyn_cast<ContractOp>(op))
      problem = createMatrixProblem(contract);
    else
      problem = createConvolutionProblem(cast<ConvOp>(op));
    if (!problem)
      return nullptr;
  }
  return problem;
}

/// Emits the tasks of a contraction, which run if `isWanted` says so.
static void emitTasks(KernelBuilder &kernel, Contraction &problem,
                      Epilogue &epilogue, ConditionFn isWanted) {
  bool isFloat = isa<FloatType>(problem.accumulatorType);
  if (isFloat && problem.staticM == 1 && problem.isTransposedB() &&
      problem.isContiguousA())
    return emitDotProducts(kernel, problem, epilogue, isWanted);

  BlockEmitter emitter{kernel, problem, epilogue,
                       chooseTiling(problem, kernel.getTarget())};
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
  std::unique_ptr<Contraction> problem = findProblem(kernel);
  if (!problem)
    return false;
  std::optional<Epilogue> epilogue =
      Epilogue::create(kernel, problem->op, problem->columnDims);
  if (!epilogue)
    return false;
  if (!ShapedType::isDynamic(problem->staticM)) {
    emitTasks(kernel, *problem, *epilogue, nullptr);
    return true;
  }
  // A single row is computed in another way than many; the run chooses.
  problem->staticM = 1;
  emitTasks(kernel, *problem, *epilogue, [&](RegionEmitter &e) {
    return hasRows(e, *problem, arith::CmpIPredicate::eq);
  });
  problem->staticM = ShapedType::kDynamic;
  emitTasks(kernel, *problem, *epilogue, [&](RegionEmitter &e) {
    return hasRows(e, *problem, arith::CmpIPredicate::ne);
  });
  return true;
}
