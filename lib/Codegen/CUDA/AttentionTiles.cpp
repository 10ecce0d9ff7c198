//===- AttentionTiles.cpp - What kernels of attention compute with --------===//

#include "AttentionTiles.h"
#include "Neighbours.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

//===----------------------------------------------------------------------===//
// Tilings
//===----------------------------------------------------------------------===//

/// The length of vectors with zeros behind them: a multiple of 32, for which
/// the tiles of both kinds are made.
static std::optional<int64_t> padWidth(Value query, Value value) {
  int64_t most = 1;
  for (Value operand : {query, value}) {
    auto type = cast<RankedTensorType>(operand.getType());
    int64_t size = type.getShape().back();
    if (type.getElementType().isF64() || ShapedType::isDynamic(size) ||
        size == 0 || size > kMostAttentionWidth)
      return std::nullopt;
    most = std::max(most, size);
  }
  return llvm::alignTo(most, 32);
}

/// Whether scores are products that tensor cores take, and not of mostly zeros.
static bool fitsMatrices(Value query) {
  auto type = cast<RankedTensorType>(query.getType());
  return type.getElementTypeBitWidth() == 16 && type.getShape().back() >= 16;
}

// Static shared memory is 48 KiB; tiles of fewer rows have longer vectors.
std::optional<AttentionTiling> weft::cuda::chooseForwardTiling(Value query,
                                                               Value value) {
  std::optional<int64_t> width = padWidth(query, value);
  if (!width)
    return std::nullopt;
  if (fitsMatrices(query)) {
    if (*width <= 64)
      return AttentionTiling{64,
                             64,
                             128,
                             *width,
                             /*sharesKeys=*/false,
                             /*usesMatrices=*/true};
    return AttentionTiling{64,
                           *width <= 128 ? 32 : 16,
                           128,
                           *width,
                           /*sharesKeys=*/*width > 128,
                           /*usesMatrices=*/true};
  }
  if (*width <= 64)
    return AttentionTiling{64, 32, 128, *width};
  if (*width <= 128)
    return AttentionTiling{32, 32, 128, *width, /*sharesKeys=*/true};
  return AttentionTiling{16, 16, 128, *width, /*sharesKeys=*/true};
}

std::optional<AttentionTiling> weft::cuda::chooseBackwardTiling(Value query,
                                                                Value value) {
  std::optional<int64_t> width = padWidth(query, value);
  if (!width)
    return std::nullopt;
  if (fitsMatrices(query) && *width <= 128)
    return AttentionTiling{64,
                           *width <= 64 ? 32 : 16,
                           128,
                           *width,
                           /*sharesKeys=*/false,
                           /*usesMatrices=*/true};
  if (*width <= 64)
    return AttentionTiling{32, 32, 128, *width};
  if (*width <= 128)
    return AttentionTiling{16, 16, 128, *width};
  return AttentionTiling{8, 8, 64, *width};
}

const MemoryView &weft::cuda::getResultView(KernelBuilder &kernel,
                                            Value result) {
  auto it = llvm::find(kernel.getYields(), result);
  return kernel.resultView(std::distance(kernel.getYields().begin(), it));
}

std::unique_ptr<AttentionEmitter>
weft::cuda::makeTiles(KernelBuilder &kernel, RegionEmitter &emitter,
                      const AttentionTiling &tiling, Type elementType) {
  return tiling.usesMatrices
             ? makeMatrixTiles(kernel, emitter, tiling, elementType)
             : makeVectorTiles(kernel, emitter, tiling);
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

AttentionEmitter::AttentionEmitter(KernelBuilder &kernel,
                                   RegionEmitter &emitter,
                                   const AttentionTiling &tiling)
    : e(emitter), b(emitter.builder()), tiling(tiling), kernel(kernel) {
  thread = emitThread(e);
}

void AttentionEmitter::blockBarrier() { NVVM::Barrier0Op::create(b); }

void AttentionEmitter::warpBarrier() {
  NVVM::SyncWarpOp::create(
      b, arith::ConstantOp::create(b, b.getI32IntegerAttr(-1)));
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Value AttentionEmitter::number(double value) {
  return e.constant(b.getF32Type(), value);
}
Value AttentionEmitter::add(Value lhs, Value rhs) {
  return arith::AddFOp::create(b, lhs, rhs);
}
Value AttentionEmitter::sub(Value lhs, Value rhs) {
  return arith::SubFOp::create(b, lhs, rhs);
}
Value AttentionEmitter::mul(Value lhs, Value rhs) {
  return arith::MulFOp::create(b, lhs, rhs);
}
Value AttentionEmitter::exp(Value value) {
  return math::ExpOp::create(b, value);
}
Value AttentionEmitter::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, condition, yes, no);
}
Value AttentionEmitter::isBelow(Value lhs, Value rhs) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, lhs, rhs);
}

void AttentionEmitter::when(Value condition, llvm::function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  body();
}

Value AttentionEmitter::convert(Value element, Type type) {
  unsigned from = element.getType().getIntOrFloatBitWidth();
  unsigned to = type.getIntOrFloatBitWidth();
  if (from == to)
    return element;
  return from < to ? arith::ExtFOp::create(b, type, element).getResult()
                   : arith::TruncFOp::create(b, type, element).getResult();
}

Value AttentionEmitter::element(Value tensor, ArrayRef<Value> indices) {
  return convert(e.element(tensor, indices), b.getF32Type());
}

void AttentionEmitter::store(const MemoryView &view, ArrayRef<Value> indices,
                             Value element) {
  e.store(view, indices, convert(element, view.elementType));
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

Value AttentionEmitter::address(const SharedTile &tile, Type type, Value row,
                                Value column) {
  Value position = e.add(e.mul(row, e.index(tile.stride)), column);
  return LLVM::GEPOp::create(
      b, tile.base.getType(), type, tile.base,
      ValueRange{arith::IndexCastOp::create(b, b.getI64Type(), position)},
      LLVM::GEPNoWrapFlags::inbounds);
}

void AttentionEmitter::fillPlaces(const SharedTile &tile, Value first,
                                  Value rows, int64_t width, int64_t each,
                                  Value place, int64_t count, RowFn read) {
  int64_t inRow = tiling.width / each;
  struct Part {
    Value row, column, isInside;
    Values elements;
  };
  // All is asked for before the first of it is waited for.
  SmallVector<Part> parts(count);
  for (Part &part : parts) {
    part.row = e.div(place, e.index(inRow));
    part.column = e.mul(e.rem(place, e.index(inRow)), e.index(each));
    // What lies beyond an edge is read at the edge, and not used.
    Value source = e.add(first, part.row), from = part.column;
    part.isInside = isBelow(source, rows);
    if (width < tiling.width) {
      part.isInside = arith::AndIOp::create(b, part.isInside,
                                            isBelow(from, e.index(width)));
      from = e.min(from, e.index(width - each));
    }
    Values columns;
    for (int64_t number : llvm::seq(each))
      columns.push_back(e.add(from, e.index(number)));
    part.elements = read(e.min(source, e.sub(rows, e.index(1))), columns);
    place = e.add(place, e.index(tiling.threads));
  }
  for (Part &part : parts)
    put(tile, part.row, part.column, std::move(part.elements), part.isInside);
}

/// Places that a thread reads before it writes them.
static constexpr int64_t kMostTogether = 4;

void AttentionEmitter::fill(const SharedTile &tile, Value first, Value rows,
                            int64_t width, RowFn read) {
  int64_t each = wide;
  while (width % each != 0)
    each /= 2;
  int64_t places = tile.rows * tiling.width / each, together = 1;
  if (places % tiling.threads == 0)
    for (int64_t count = 2; count <= kMostTogether; ++count)
      if (places / tiling.threads % count == 0)
        together = count;
  if (together * tiling.threads == places)
    return fillPlaces(tile, first, rows, width, each, thread, together, read);
  auto loop = scf::ForOp::create(b, thread, e.index(places),
                                 e.index(together * tiling.threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  fillPlaces(tile, first, rows, width, each, loop.getInductionVar(), together,
             read);
}

void AttentionEmitter::storeSums(const MemoryView &view, const SharedTile &,
                                 ValueRange sums, Value first, Value rows,
                                 PlaceFn at) {
  int64_t width = *getConstantIntValue(view.sizes.back());
  int64_t group = sumGroup;
  while (width % group != 0)
    group /= 2;
  for (size_t number = 0; number < countSums(); number += group) {
    Value row = e.add(first, this->row(number / sumsPerRow));
    Value column = sumColumn(number % sumsPerRow);
    Value isInside = arith::AndIOp::create(b, isBelow(row, rows),
                                           isBelow(column, e.index(width)));
    when(isInside, [&] {
      SmallVector<Value> elements;
      for (Value sum : sums.slice(number, group))
        elements.push_back(
            e.toStorage(convert(sum, view.elementType), view.elementType));
      emitWideStore(e, e.address(view, e.offset(view, at(row, column))),
                    elements);
    });
  }
}
