//===- ProductTensorMap.cpp - Products of boxes of tensors ----------------===//
//
// Parts of operands whose place in memory is known when the kernel is made are
// boxes that the tensor memory accelerator copies, zeros where they are beyond
// the edges. A warp of its own asks for them, as many ahead as fit into shared
// memory; the others only multiply. Each place for a part has two mbarriers:
// one opens when the part has come, the other when all warps are through with
// it. Blocks that fill a multiprocessor stay and compute one tile after the
// other, so that parts of the next one come while the sums of one are ended,
// for which there is memory apart.
//
//===----------------------------------------------------------------------===//

#include "ProductWarpgroup.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Bytes of an mbarrier, and of a row of a box.
static constexpr int64_t kBarrierBytes = 8, kRowBytes = 128;

/// The barrier of the warps that multiply; that of all is number 0.
static constexpr int32_t kOwnBarrier = 1;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

namespace {
/// A dimension of an operand's tensor, and what runs along it: the depth, the
/// outer index, or a dimension of the batch, by number.
struct MapDim {
  OperandMemory::Dim dim;
  int64_t index;

  static constexpr int64_t kDepth = -1, kOuter = -2;
};
} // namespace

/// The dimensions that have several elements, and depth and outer index, by
/// steps in memory: drivers want each to be a multiple of that before.
static SmallVector<MapDim> dimsOf(const OperandMemory &memory) {
  SmallVector<MapDim> dims{{memory.depth, MapDim::kDepth},
                           {memory.outer, MapDim::kOuter}};
  for (auto [number, dim] : llvm::enumerate(memory.batch))
    if (dim.size != 1)
      dims.push_back({dim, static_cast<int64_t>(number)});
  llvm::sort(dims, [](const MapDim &a, const MapDim &b) {
    return std::pair(a.dim.stride, a.index) < std::pair(b.dim.stride, b.index);
  });
  return dims;
}

/// Whether `memory` is such that a tensor map tells of it.
static bool isMappable(const OperandMemory &memory, int64_t bytesEach) {
  constexpr size_t kMostRank = 5;
  constexpr int64_t kMostSize = int64_t{1} << 31,
                    kMostStride = int64_t{1} << 40;
  SmallVector<MapDim> dims = dimsOf(memory);
  // Rows are along the depth or the outer index, neither of which is one.
  return dims.size() <= kMostRank && dims.front().dim.stride == 1 &&
         dims.front().index < 0 &&
         llvm::all_of(
             dims, [](const MapDim &at) { return at.dim.size < kMostSize; }) &&
         llvm::all_of(
             ArrayRef(dims).drop_front(),
             [&](const MapDim &at) {
               int64_t bytes = at.dim.stride * bytesEach;
               return bytes % kChunkBytes == 0 && bytes < kMostStride;
             });
}

bool weft::cuda::takesTensorMaps(Contraction &problem) {
  int64_t bytesEach = problem.operandType.getIntOrFloatBitWidth() / 8;
  return problem.beginsAtZero() &&
         llvm::all_of(ArrayRef{true, false}, [&](bool isA) {
           std::optional<OperandMemory> memory = problem.findMemory(isA);
           return memory && isMappable(*memory, bytesEach);
         });
}

namespace {
/// An operand on its way to shared memory, where parts of it lie as those of
/// MatrixCopy do: one box where rows are along the depth, else panels.
class BoxCopy {
public:
  BoxCopy(Contraction &problem, bool isA, int64_t outer, int64_t depth)
      : memory(*problem.findMemory(isA)), isA(isA), outer(outer), depth(depth),
        bytesEach(problem.operandType.getIntOrFloatBitWidth() / 8) {}

  /// Makes the tensor map in the task that is being emitted.
  void begin(KernelBuilder &kernel);
  /// Begins to copy the part from `k0` on to `to`; `barrier` counts its bytes.
  void copy(RegionEmitter &e, const ProductBlock &block, Value k0, Value to,
            Value barrier);

private:
  /// Of the outer index, those of a box.
  int64_t boxOuter() const { return isDeep() ? outer : rowElements(); }
  bool isDeep() const { return memory.depth.stride == 1; }
  int64_t rowElements() const { return kRowBytes / bytesEach; }

  OperandMemory memory;
  bool isA;
  int64_t outer, depth, bytesEach;
  Value map;
};

class TensorMapEmitter : public WarpgroupEmitter {
public:
  TensorMapEmitter(const Product &product, const TileShape &shape,
                   int64_t splits, int64_t processors)
      : WarpgroupEmitter(product, shape, splits), processors(processors),
        boxesA(problem, true, shape.rows(), partDepth()),
        boxesB(problem, false, shape.columns(), partDepth()) {}

protected:
  /// A warp more, which has no sums, or four, which have few registers.
  int32_t threads() override {
    return shape.threads() + (givesRegisters() ? 4 : 1) * kWarp;
  }
  int64_t sumBytes() override;
  int64_t sharedBytes() override;
  int64_t extraBytes() override { return 2 * stages * kBarrierBytes; }
  void barrier(RegionEmitter &e) override;
  void orderTiles(RegionEmitter &e, Value &column, Value &row) override;
  Value countBlocks(RegionEmitter &e) override;
  void compute(RegionEmitter &e, Value number) override;
  Value stage(RegionEmitter &e, Value at) override {
    return elementAt(e, parts, e.builder().getI8Type(), at);
  }
  Values multiply(RegionEmitter &e, Value begin, Value end,
                  Values sums) override;

private:
  /// Where a loop over parts is: the number of a part's place, and how often
  /// all places were used before, modulo 2 (i32).
  struct Turn {
    Value place, parity;
  };
  Turn firstTurn(RegionEmitter &e) {
    return {e.index(0), e.constant(e.builder().getI32Type(), 0)};
  }
  Turn next(RegionEmitter &e, const Turn &turn);
  Value isFull(RegionEmitter &e, Value place);
  Value isEmpty(RegionEmitter &e, Value place);
  void initBarriers(RegionEmitter &e);
  void giveBack(RegionEmitter &e, Value place);
  void copyParts(RegionEmitter &e, Value begin, Value end);

  bool isStaying();
  bool givesRegisters();
  void forEachTile(RegionEmitter &e, Value number,
                   llvm::function_ref<void(Value)> body);

  int64_t processors;
  BoxCopy boxesA, boxesB;

  // In the function that is being emitted.
  Value parts; ///< where they lie
  Turn turn;   ///< of the next part
};
} // namespace

static Value toI32(RegionEmitter &e, Value index) {
  ImplicitLocOpBuilder &b = e.builder();
  return arith::IndexCastOp::create(b, b.getI32Type(), index);
}

void BoxCopy::begin(KernelBuilder &kernel) {
  SmallVector<int64_t> sizes, strides, box;
  for (const MapDim &at : dimsOf(memory)) {
    if (!sizes.empty())
      strides.push_back(at.dim.stride * bytesEach);
    sizes.push_back(at.dim.size);
    box.push_back(at.index == MapDim::kDepth   ? depth
                  : at.index == MapDim::kOuter ? boxOuter()
                                               : 1);
  }
  box.front() = rowElements();
  map = kernel.tensorMap(memory.tensor, sizes, strides, box, kRowBytes);
}

void BoxCopy::copy(RegionEmitter &e, const ProductBlock &block, Value k0,
                   Value to, Value barrier) {
  ImplicitLocOpBuilder &b = e.builder();
  // A row takes as much as a column of a panel does.
  assert(depth == rowElements() && "panels are squares");
  Value first = isA ? block.m0 : block.n0;
  auto ofCluster = LLVM::LLVMPointerType::get(
      b.getContext(),
      static_cast<unsigned>(NVVM::NVVMMemorySpace::SharedCluster));
  for (int64_t number : llvm::seq(outer / boxOuter())) {
    Value inPart = e.index(number * boxOuter());
    Value at = e.add(first, inPart);
    SmallVector<Value> coordinates =
        llvm::map_to_vector(dimsOf(memory), [&](const MapDim &dim) {
          return toI32(e, dim.index == MapDim::kDepth ? k0
                          : dim.index == MapDim::kOuter
                              ? at
                              : block.batch[dim.index]);
        });
    Value box = LLVM::AddrSpaceCastOp::create(
        b, ofCluster,
        elementAt(e, to, b.getI8Type(), e.mul(inPart, e.index(kRowBytes))));
    NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
        b, box, map, coordinates, barrier, /*im2colOffsets=*/ValueRange(),
        /*multicastMask=*/Value(), /*l2CacheHint=*/Value(),
        NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false,
        /*group=*/nullptr,
        /*predicate=*/Value());
  }
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

Value TensorMapEmitter::isFull(RegionEmitter &e, Value place) {
  Value at =
      e.add(e.index(sharedBytes()), e.mul(place, e.index(kBarrierBytes)));
  return stage(e, at);
}

Value TensorMapEmitter::isEmpty(RegionEmitter &e, Value place) {
  return isFull(e, e.add(place, e.index(stages)));
}

void TensorMapEmitter::barrier(RegionEmitter &e) {
  ImplicitLocOpBuilder &b = e.builder();
  Type i32 = b.getI32Type();
  NVVM::BarrierOp::create(b, TypeRange(), e.constant(i32, kOwnBarrier),
                          e.constant(i32, shape.threads()),
                          /*reductionOp=*/nullptr,
                          /*reductionPredicate=*/Value());
}

/// Emits instructions on registers of 32 bits, which have effects in memory.
static void emitAsm(RegionEmitter &e, StringRef text, ValueRange operands) {
  ImplicitLocOpBuilder &b = e.builder();
  std::string constraints;
  for (size_t i = 0; i < operands.size(); ++i)
    constraints += "r,";
  LLVM::InlineAsmOp::create(
      b, TypeRange(), operands, text, constraints + "~{memory}",
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
}

/// Waits until `barrier` has passed a phase of such a parity.
static void waitFor(RegionEmitter &e, Value barrier, Value parity) {
  ImplicitLocOpBuilder &b = e.builder();
  Value address = LLVM::PtrToIntOp::create(b, b.getI32Type(), barrier);
  constexpr StringLiteral text =
      "{.reg .pred p;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 p, [$0], $1;\n"
      "@!p bra again;}";
  emitAsm(e, text, {address, parity});
}

void TensorMapEmitter::initBarriers(RegionEmitter &e) {
  ImplicitLocOpBuilder &b = e.builder();
  auto isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                       block.thread, e.index(0));
  emitIf(e, isFirst, {}, [&] {
    Type i32 = b.getI32Type();
    int32_t warps = shape.threads() / kWarp;
    for (int64_t place : llvm::seq(stages)) {
      NVVM::MBarrierInitOp::create(b, isFull(e, e.index(place)),
                                   e.constant(i32, 1), /*predicate=*/Value());
      NVVM::MBarrierInitOp::create(b, isEmpty(e, e.index(place)),
                                   e.constant(i32, warps),
                                   /*predicate=*/Value());
    }
    NVVM::FenceMbarrierInitOp::create(b);
    return Values();
  });
  cuda::barrier(e);
}

/// Says that the warp is through with the part at `place`.
void TensorMapEmitter::giveBack(RegionEmitter &e, Value place) {
  ImplicitLocOpBuilder &b = e.builder();
  NVVM::MBarrierArriveOp::create(b, b.getI64Type(), isEmpty(e, place),
                                 /*count=*/Value());
}

TensorMapEmitter::Turn TensorMapEmitter::next(RegionEmitter &e,
                                              const Turn &turn) {
  ImplicitLocOpBuilder &b = e.builder();
  Value place = e.add(turn.place, e.index(1));
  Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, place,
                                       e.index(stages));
  Value other =
      arith::XOrIOp::create(b, turn.parity, e.constant(b.getI32Type(), 1));
  return {arith::SelectOp::create(b, isLast, e.index(0), place),
          arith::SelectOp::create(b, isLast, other, turn.parity)};
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// A few rows of tiles at a time, so that those whose turn it is at the same
/// time read little of both operands.
void TensorMapEmitter::orderTiles(RegionEmitter &e, Value &column, Value &row) {
  constexpr int64_t kRowsAtATime = 16;
  int64_t rows = llvm::divideCeil(problem.staticM, shape.rows());
  int64_t columns = llvm::divideCeil(problem.staticN, shape.columns());
  if (rows <= kRowsAtATime)
    return;
  Value number = e.add(e.mul(column, e.index(rows)), row);
  Value inBand = e.index(kRowsAtATime * columns);
  Value first = e.mul(e.div(number, inBand), e.index(kRowsAtATime));
  number = e.rem(number, inBand);
  Value height = e.min(e.sub(e.index(rows), first), e.index(kRowsAtATime));
  row = e.add(first, e.rem(number, height));
  column = e.div(number, height);
}

/// Asks for one part after the other, each when its place is free.
void TensorMapEmitter::copyParts(RegionEmitter &e, Value begin, Value end) {
  ImplicitLocOpBuilder &b = e.builder();
  Type i32 = b.getI32Type();
  Values last = e.loop(
      begin, end, {turn.place, turn.parity},
      [&](Value part, ValueRange carried) {
        turn = {carried[0], carried[1]};
        // What was never used passes for used before.
        Value before =
            arith::XOrIOp::create(b, turn.parity, e.constant(i32, 1));
        waitFor(e, isEmpty(e, turn.place), before);
        Value full = isFull(e, turn.place);
        NVVM::MBarrierArriveExpectTxOp::create(
            b, TypeRange(), full, e.constant(i32, partBytes()),
            NVVM::MemScopeKind::CTA, /*relaxed=*/false, /*predicate=*/Value());
        Value to = stage(e, e.mul(turn.place, e.index(partBytes())));
        Value k0 = e.mul(part, e.index(partDepth()));
        boxesA.copy(e, block, k0, to, full);
        to = elementAt(e, to, b.getI8Type(), e.index(copyA.bytes()));
        boxesB.copy(e, block, k0, to, full);
        turn = next(e, turn);
        return Values{turn.place, turn.parity};
      });
  turn = {last[0], last[1]};
}

SmallVector<Value> TensorMapEmitter::multiply(RegionEmitter &e, Value begin,
                                              Value end, Values sums) {
  ImplicitLocOpBuilder &b = e.builder();
  size_t numSums = sums.size();
  sums.append({turn.place, turn.parity});
  // The warp is through with the part before, if there is one.
  auto giveBefore = [&](arith::CmpIPredicate predicate, Value part) {
    Value isArriving =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, e.index(0));
    Value isThere = arith::CmpIOp::create(b, predicate, begin, part);
    emitIf(e, arith::AndIOp::create(b, isThere, isArriving), {}, [&] {
      Value before = e.add(turn.place, e.index(stages - 1));
      giveBack(e, e.rem(before, e.index(stages)));
      return Values();
    });
  };
  sums = e.loop(begin, end, sums, [&](Value part, ValueRange carried) {
    turn = {carried[numSums], carried[numSums + 1]};
    waitFor(e, isFull(e, turn.place), turn.parity);
    Values result = multiplyPart(e, e.mul(turn.place, e.index(partBytes())),
                                 carried.take_front(numSums));
    giveBefore(arith::CmpIPredicate::ne, part);
    turn = next(e, turn);
    result.append({turn.place, turn.parity});
    return result;
  });
  turn = {sums[numSums], sums[numSums + 1]};
  sums.truncate(numSums);
  endParts(e);
  if (isStaying())
    giveBefore(arith::CmpIPredicate::slt, end);
  else
    barrier(e);
  return sums;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// Whether there are more tiles than multiprocessors, each of which runs one
/// block at a time.
bool TensorMapEmitter::isStaying() {
  int64_t rows = llvm::divideCeil(problem.staticM, shape.rows());
  int64_t columns = llvm::divideCeil(problem.staticN, shape.columns());
  return isAlone && splits * problem.staticBatch * rows * columns > processors;
}

/// Whether warps with sums get registers of others: all sums stay there while
/// some are ended.
bool TensorMapEmitter::givesRegisters() {
  constexpr int64_t kThreads = 256, kSums = 128;
  return isStaying() && shape.threads() == kThreads &&
         shape.rows() * shape.columns() == kThreads * kSums;
}

Value TensorMapEmitter::countBlocks(RegionEmitter &e) {
  return isStaying() ? e.index(processors) : WarpgroupEmitter::countBlocks(e);
}

int64_t TensorMapEmitter::sumBytes() {
  constexpr int64_t kMost = 227 * 1024;
  return isStaying() ? kMost - operandBytes() - extraBytes()
                     : WarpgroupEmitter::sumBytes();
}

int64_t TensorMapEmitter::sharedBytes() {
  return isStaying() ? operandBytes() + warpsAtATime() * warpRowBytes()
                     : WarpgroupEmitter::sharedBytes();
}

/// Calls `body` for the tiles of block number `number`.
void TensorMapEmitter::forEachTile(RegionEmitter &e, Value number,
                                   llvm::function_ref<void(Value)> body) {
  turn = firstTurn(e);
  if (!isStaying())
    return body(number);
  Value blocks = countBlocks(e);
  Value count = e.ceilDiv(e.sub(e.product(gridSizes(e)), number), blocks);
  e.loop(e.index(0), count, {turn.place, turn.parity},
         [&](Value i, ValueRange carried) {
           turn = {carried[0], carried[1]};
           body(e.add(number, e.mul(i, blocks)));
           return Values{turn.place, turn.parity};
         });
}

void TensorMapEmitter::compute(RegionEmitter &e, Value number) {
  ImplicitLocOpBuilder &b = e.builder();
  boxesA.begin(product.kernel);
  boxesB.begin(product.kernel);
  parts = shared;
  if (isStaying())
    shared = stage(e, e.index(operandBytes()));
  initBarriers(e);
  // Of the 168 that each of three groups of four warps has.
  constexpr int32_t kMany = 232, kFew = 40;
  Value limit = e.index(shape.threads());
  auto hasSums =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, block.thread, limit);
  auto setRegisters = [&](NVVM::SetMaxRegisterAction action, int32_t count) {
    if (givesRegisters())
      NVVM::SetMaxRegisterOp::create(b, count, action);
  };
  emitIf(e, hasSums, {}, [&] {
    setRegisters(NVVM::SetMaxRegisterAction::increase, kMany);
    forEachTile(e, number,
                [&](Value tile) { WarpgroupEmitter::compute(e, tile); });
    return Values();
  });
  auto isOther =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sge, block.thread, limit);
  emitIf(e, isOther, {}, [&] {
    setRegisters(NVVM::SetMaxRegisterAction::decrease, kFew);
    auto isCopying =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, block.thread, limit);
    return emitIf(e, isCopying, {}, [&] {
      forEachTile(e, number, [&](Value tile) {
        auto [begin, end] = beginTile(e, tile);
        copyParts(e, begin, end);
      });
      return Values();
    });
  });
}

void weft::cuda::addTensorMapProduct(const Product &product,
                                     const TileShape &shape, int64_t splits,
                                     int64_t processors) {
  TensorMapEmitter(product, shape, splits, processors).addTasks();
}
