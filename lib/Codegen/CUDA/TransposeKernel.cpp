//===- TransposeKernel.cpp - Transposes through tiles in shared memory ----===//
//
// What a transpose gives is read along the rows of its input and written along
// those of its result. A block takes a tile of both: it computes the elements
// that are transposed in the order in which they lie in memory, keeps them in
// shared memory, and goes on from there in the order of the result.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Shuffle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weft/Codegen/Common/RegionLoops.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

static constexpr int32_t kThreads = 256;
/// Elements of a tile, and the most tensors that tiles are kept of.
static constexpr int64_t kTileSize = 1024, kMostTiles = 4;

namespace {
/// Dimensions of the result, in order, that follow each other in memory on both
/// sides of the transpose.
using DimGroup = SmallVector<int64_t>;

/// Transposes of one kind that some results depend on element by element.
class Transposes {
public:
  /// Nothing if no transpose changes the innermost dimension.
  static std::optional<Transposes> find(ArrayRef<Value> roots);

  SmallVector<TransposeOp> ops;
  /// The result's dimensions but for those of size one.
  SmallVector<DimGroup> groups;
  /// The group that is innermost before the transpose; the last is so after it.
  size_t column = 0;

  RankedTensorType getType() const {
    auto op = ops.front();
    return cast<RankedTensorType>(op.getResult().getType());
  }
  /// The elements of a group, or ShapedType::kDynamic.
  int64_t getStaticSize(size_t group) const;

private:
  void formGroups(ArrayRef<int64_t> permutation);
};

/// Emits the work of a block.
class TileEmitter {
public:
  TileEmitter(RegionEmitter &e, KernelBuilder &kernel,
              const Transposes &transposes, ArrayRef<unsigned> results);

  /// The number of tiles.
  Value count() { return e.product(getTiles()); }
  void emit(Value block);

private:
  SmallVector<Value> getTiles();
  /// Emits `body` for the elements of the tile that threads have in turn, such
  /// that neighbours are neighbours along the columns, or along the rows. It is
  /// given their places in the tile and their indices in the result.
  void forEach(
      bool alongColumns,
      llvm::function_ref<void(Value column, Value row, ArrayRef<Value> indices)>
          body);
  SmallVector<Value> getIndices(Value column, Value row);
  MemoryView makeTile(Type elementType);

  RegionEmitter &e;
  KernelBuilder &kernel;
  Transposes transposes;
  ElementLoop loop;
  SmallVector<Value> sizes; ///< of the groups
  int64_t columns, rows;    ///< of a tile, along which groups' indices rise
  SmallVector<Value> outer; ///< indices of the other groups, or null
  Value firstColumn, firstRow;
};
} // namespace

//===----------------------------------------------------------------------===//
// Finding them
//===----------------------------------------------------------------------===//

void Transposes::formGroups(ArrayRef<int64_t> permutation) {
  RankedTensorType type = getType();
  SmallVector<int64_t> dims;
  for (int64_t dim : llvm::seq(type.getRank()))
    if (type.getDimSize(dim) != 1)
      dims.push_back(dim);
  // Their order before the transpose.
  SmallVector<int64_t> before(dims);
  llvm::sort(before, [&](int64_t lhs, int64_t rhs) {
    return permutation[lhs] < permutation[rhs];
  });
  for (int64_t dim : dims) {
    auto it = llvm::find(before, dim);
    bool follows = !groups.empty() && it != before.begin() &&
                   *std::prev(it) == groups.back().back();
    if (!follows)
      groups.emplace_back();
    groups.back().push_back(dim);
    if (std::next(it) == before.end())
      column = groups.size() - 1;
  }
}

int64_t Transposes::getStaticSize(size_t group) const {
  int64_t size = 1;
  for (int64_t dim : groups[group]) {
    if (getType().isDynamicDim(dim))
      return ShapedType::kDynamic;
    size *= getType().getDimSize(dim);
  }
  return size;
}

std::optional<Transposes> Transposes::find(ArrayRef<Value> roots) {
  Transposes found;
  llvm::SetVector<Value> values(roots.begin(), roots.end());
  for (size_t i = 0; i < values.size(); ++i) {
    Operation *op = values[i].getDefiningOp();
    if (op && isa<ScalarOpInterface>(op))
      values.insert(op->operand_begin(), op->operand_end());
    auto transpose = dyn_cast_or_null<TransposeOp>(op);
    if (!transpose)
      continue;
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    if (found.ops.empty()) {
      found.ops.push_back(transpose);
      found.formGroups(permutation);
      // Others may matter more.
      if (found.groups.empty() || found.column + 1 == found.groups.size())
        found = Transposes();
    } else if (permutation == found.ops.front().getPermutation()) {
      found.ops.push_back(transpose);
    }
  }
  if (found.ops.empty() || found.ops.size() > kMostTiles)
    return std::nullopt;
  return found;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// The size of a tile along a group of `size` elements, if it is less along the
/// other: all of a small group, so that what lies in memory has no gaps.
static int64_t chooseSmallSide(int64_t size) {
  return ShapedType::isStatic(size) ? std::clamp<int64_t>(size, 1, kWarp)
                                    : kWarp;
}

/// The other side of a tile with a side of `small`.
static int64_t chooseLongSide(int64_t size, int64_t small) {
  int64_t most = kTileSize / small / kWarp * kWarp;
  if (ShapedType::isStatic(size))
    most = std::min(most, std::max<int64_t>(llvm::alignTo(size, kWarp), kWarp));
  return most;
}

TileEmitter::TileEmitter(RegionEmitter &e, KernelBuilder &kernel,
                         const Transposes &transposes,
                         ArrayRef<unsigned> results)
    : e(e), kernel(kernel), transposes(transposes), loop(e, kernel, results) {
  ArrayRef<Value> all = kernel.resultView(results.front()).sizes;
  for (const DimGroup &group : transposes.groups) {
    Value size = e.index(1);
    for (int64_t dim : group)
      size = e.mul(size, all[dim]);
    sizes.push_back(size);
  }
  int64_t column = transposes.getStaticSize(transposes.column);
  int64_t row = transposes.getStaticSize(sizes.size() - 1);
  columns = chooseSmallSide(column);
  rows = chooseSmallSide(row);
  if (columns <= rows)
    rows = chooseLongSide(row, columns);
  else
    columns = chooseLongSide(column, rows);
}

SmallVector<Value> TileEmitter::getTiles() {
  SmallVector<Value> tiles(sizes);
  tiles[transposes.column] =
      e.ceilDiv(sizes[transposes.column], e.index(columns));
  tiles.back() = e.ceilDiv(sizes.back(), e.index(rows));
  return tiles;
}

MemoryView TileEmitter::makeTile(Type elementType) {
  // Rows of an odd number of words keep the elements of a column in different
  // banks; so do short columns with a gap for the rest of the warp.
  Type storage = RegionEmitter::getStorageType(elementType);
  int64_t inWord = std::max<int64_t>(32 / storage.getIntOrFloatBitWidth(), 1);
  int64_t length = llvm::alignTo(rows, inWord);
  if (columns < kWarp)
    length += llvm::divideCeilSigned(kWarp, columns);
  else if (length / inWord % 2 == 0)
    length += inWord;
  Value memory = kernel.sharedMemory(e, storage, columns * length);
  return {memory,
          elementType,
          {e.index(columns), e.index(rows)},
          {e.index(length), e.index(1)}};
}

SmallVector<Value> TileEmitter::getIndices(Value column, Value row) {
  ArrayRef<Value> all = loop.getViews().front().sizes;
  SmallVector<Value> indices(all.size(), e.index(0));
  for (auto [number, group] : llvm::enumerate(transposes.groups)) {
    Value position = outer[number];
    if (number == transposes.column)
      position = column;
    if (number + 1 == transposes.groups.size())
      position = row;
    SmallVector<Value> groupSizes;
    for (int64_t dim : group)
      groupSizes.push_back(all[dim]);
    for (auto [dim, index] :
         llvm::zip_equal(group, e.delinearize(position, groupSizes)))
      indices[dim] = index;
  }
  return indices;
}

void TileEmitter::forEach(
    bool alongColumns,
    llvm::function_ref<void(Value, Value, ArrayRef<Value>)> body) {
  ImplicitLocOpBuilder &b = e.builder();
  Value thread = emitThread(e);
  int64_t size = columns * rows;
  Value turns = e.index(llvm::divideCeilSigned(size, kThreads));
  e.loop(e.index(0), turns, {}, [&](Value turn, ValueRange) {
    Value number = e.add(e.mul(turn, e.index(kThreads)), thread);
    Value side = e.index(alongColumns ? columns : rows);
    Value fast = e.rem(number, side), slow = e.div(number, side);
    Value inColumn = alongColumns ? fast : slow;
    Value inRow = alongColumns ? slow : fast;
    Value column = e.add(firstColumn, inColumn), row = e.add(firstRow, inRow);
    auto isBelow = [&](Value lhs, Value rhs) -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, lhs, rhs);
    };
    Value isInside =
        arith::AndIOp::create(b, isBelow(column, sizes[transposes.column]),
                              isBelow(row, sizes.back()));
    if (size % kThreads != 0)
      isInside =
          arith::AndIOp::create(b, isInside, isBelow(number, e.index(size)));
    auto ifOp = scf::IfOp::create(b, isInside, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    body(inColumn, inRow, getIndices(column, row));
    return SmallVector<Value>();
  });
}

void TileEmitter::emit(Value block) {
  outer = e.delinearize(block, getTiles());
  firstColumn = e.mul(outer[transposes.column], e.index(columns));
  firstRow = e.mul(outer.back(), e.index(rows));
  SmallVector<MemoryView> tiles;
  for (TransposeOp op : transposes.ops)
    tiles.push_back(makeTile(op.getResult().getType().getElementType()));
  forEach(/*alongColumns=*/true,
          [&](Value column, Value row, ArrayRef<Value> indices) {
            for (auto [op, tile] : llvm::zip_equal(transposes.ops, tiles))
              e.store(tile, {column, row}, e.element(op.getResult(), indices));
          });
  NVVM::Barrier0Op::create(e.builder());
  forEach(/*alongColumns=*/false, [&](Value column, Value row,
                                      ArrayRef<Value> indices) {
    for (auto [op, tile] : llvm::zip_equal(transposes.ops, tiles))
      e.bind(op.getResult(), [this, tile, column, row](ArrayRef<Value>) {
        return e.load(tile, {column, row});
      });
    loop.emit(indices);
  });
}

bool weft::cuda::addTransposeTask(KernelBuilder &kernel,
                                  ArrayRef<unsigned> results) {
  SmallVector<Value> roots;
  for (unsigned number : results)
    roots.push_back(kernel.getYields()[number]);
  std::optional<Transposes> transposes = Transposes::find(roots);
  if (!transposes)
    return false;
  kernel.addBlocks(
      kThreads,
      [&](RegionEmitter &e) {
        return TileEmitter(e, kernel, *transposes, results).count();
      },
      [&](RegionEmitter &e, Value block) {
        TileEmitter(e, kernel, *transposes, results).emit(block);
      });
  return true;
}
