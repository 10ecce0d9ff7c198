//===- AttentionMatrices.cpp - Tiles of attention on tensor cores ---------===//
//
// Products of f16 or bf16 that are summed in f32, by mma.sync of 16 x 8 x 16.
// A warp has 16 rows of a tile. What a lane holds of a product's result is what
// it has to bring as the left operand of the next, so that scores never leave
// the registers. Vectors lie in shared memory in the narrow type, in rows of an
// odd number of 16 bytes, so that ldmatrix reads eight rows from all banks.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiles.h"
#include "Neighbours.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

static constexpr int64_t kQuad = 4;
static constexpr int64_t kRows = 16, kColumns = 8, kDepth = 16; // of mma.sync

namespace {
class MatrixTiles : public AttentionEmitter {
public:
  MatrixTiles(KernelBuilder &kernel, RegionEmitter &emitter,
              const AttentionTiling &tiling, Type elementType);

  SharedTile makeVectors(int64_t rows) override;
  Value row(int64_t i) override {
    return e.add(e.add(warpRow, e.div(lane, e.index(kQuad))),
                 e.index(i * kColumns));
  }
  Value column(int64_t j) override {
    Value pair = e.mul(e.rem(lane, e.index(kQuad)), e.index(2));
    return e.add(pair, e.index(j / 2 * kColumns + j % 2));
  }
  Value sumColumn(int64_t n) override { return column(n); }
  Value combineLanes(Value value,
                     llvm::function_ref<Value(Value, Value)> step) override {
    for (int32_t mask = kQuad / 2; mask >= 1; mask /= 2)
      value = step(value, emitExchange(e, value, mask));
    return value;
  }
  Value isFirstLane() override {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                 e.rem(lane, e.index(kQuad)), e.index(0));
  }
  Values dot(const SharedTile &lhs, const SharedTile &rhs,
             int64_t width) override;
  Values weigh(ValueRange sums, ValueRange scores,
               const SharedTile &vectors) override;
  void storeSums(const MemoryView &view, const SharedTile &room,
                 ValueRange sums, Value first, Value rows, PlaceFn at) override;

protected:
  void put(const SharedTile &tile, Value row, Value column, Values elements,
           Value isInside) override;

private:
  using Quad = std::array<Value, 4>;

  bool isHalf() const { return elementType.isF16(); }
  Value bits(Value element);
  /// Two elements in a register.
  Value pack(Value low, Value high);
  /// Four matrices of 8 x 8, whose rows begin where the lanes say.
  Quad loadMatrices(const SharedTile &tile, Value row, Value column,
                    bool transposed);
  Quad multiply(const Quad &lhs, Value low, Value high, const Quad &sums);

  Type elementType;
  Value lane, warpRow;
};
} // namespace

MatrixTiles::MatrixTiles(KernelBuilder &kernel, RegionEmitter &emitter,
                         const AttentionTiling &tiling, Type elementType)
    : AttentionEmitter(kernel, emitter, tiling), elementType(elementType) {
  lane = e.rem(thread, e.index(kWarp));
  warpRow = e.mul(e.div(thread, e.index(kWarp)), e.index(kRows));
  ownRows = kRows / kColumns;
  ownColumns = tiling.columns / kQuad;
  sumsPerRow = tiling.width / kQuad;
  wide = kColumns;
  sumGroup = 2;
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

SharedTile MatrixTiles::makeVectors(int64_t rows) {
  int64_t stride = tiling.width + kColumns;
  return {kernel.sharedMemory(e, b.getI16Type(), rows * stride), rows, stride};
}

Value MatrixTiles::bits(Value element) {
  if (element.getType() != elementType)
    element = convert(convert(element, b.getF32Type()), elementType);
  return arith::BitcastOp::create(b, b.getI16Type(), element);
}

void MatrixTiles::put(const SharedTile &tile, Value row, Value column,
                      Values elements, Value isInside) {
  for (Value &element : elements)
    element = bits(element);
  Value to = address(tile, b.getI16Type(), row, column);
  auto choose = [&](Value bits) {
    return select(isInside, bits, e.constant(bits.getType(), 0));
  };
  auto count = static_cast<int64_t>(elements.size());
  if (count == 1) {
    LLVM::StoreOp::create(b, choose(elements.front()), to);
    return;
  }
  // Elements that come from memory as they are stay in their registers.
  Value halves = vector::FromElementsOp::create(
      b, VectorType::get(count, b.getI16Type()), elements);
  Value pairs = vector::BitCastOp::create(
      b, VectorType::get(count / 2, b.getI32Type()), halves);
  Values words;
  for (int64_t number : llvm::seq(count / 2))
    words.push_back(choose(vector::ExtractOp::create(b, pairs, number)));
  emitWideStore(e, to, words);
}

MatrixTiles::Quad MatrixTiles::loadMatrices(const SharedTile &tile, Value row,
                                            Value column, bool transposed) {
  Type i32 = b.getI32Type();
  auto type =
      LLVM::LLVMStructType::getLiteral(b.getContext(), {i32, i32, i32, i32});
  Value matrices = NVVM::LdMatrixOp::create(
      b, type, address(tile, b.getI16Type(), row, column), /*num=*/4,
      transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
      NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8),
      NVVM::LdStMatrixEltType::B16);
  Quad parts;
  for (auto [number, part] : llvm::enumerate(parts))
    part = LLVM::ExtractValueOp::create(b, matrices, number);
  return parts;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

// Assembly, since this has one form for both types. What is said to have side
// effects is not moved behind a branch, where not all lanes would take part.
Value MatrixTiles::pack(Value low, Value high) {
  StringRef text = isHalf() ? "cvt.rn.f16x2.f32 $0, $1, $2;"
                            : "cvt.rn.bf16x2.f32 $0, $1, $2;";
  return LLVM::InlineAsmOp::create(
             b, b.getI32Type(), ValueRange{high, low}, text, "=r,f,f",
             /*has_side_effects=*/false, /*is_align_stack=*/false,
             LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
      .getResult(0);
}

MatrixTiles::Quad MatrixTiles::multiply(const Quad &lhs, Value low, Value high,
                                        const Quad &sums) {
  StringRef kind = isHalf() ? "f16" : "bf16";
  std::string text =
      ("mma.sync.aligned.m16n8k16.row.col.f32." + kind + "." + kind +
       ".f32 {$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, "
       "{$10, $11, $12, $13};")
          .str();
  Type f32 = b.getF32Type();
  auto type =
      LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
  SmallVector<Value> operands(lhs.begin(), lhs.end());
  operands.append({low, high});
  operands.append(sums.begin(), sums.end());
  Value product =
      LLVM::InlineAsmOp::create(
          b, type, operands, text, "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f",
          /*has_side_effects=*/true, /*is_align_stack=*/false,
          LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
          .getResult(0);
  Quad parts;
  for (auto [number, part] : llvm::enumerate(parts))
    part = LLVM::ExtractValueOp::create(b, product, number);
  return parts;
}

AttentionEmitter::Values
MatrixTiles::dot(const SharedTile &lhs, const SharedTile &rhs, int64_t width) {
  // By pairs of matrices of eight columns: four sums each, two of each row.
  int64_t matrices = tiling.columns / kColumns;
  auto loop =
      scf::ForOp::create(b, e.index(0), e.index(llvm::alignTo(width, kDepth)),
                         e.index(kDepth), Values(4 * matrices, number(0)));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value depth = loop.getInductionVar();
    Values sums = llvm::to_vector_of<Value>(loop.getRegionIterArgs());
    Value half = e.mul(e.div(lane, e.index(16)), e.index(8));
    Value ownRow = e.add(warpRow, e.rem(lane, e.index(16)));
    Quad left = loadMatrices(lhs, ownRow, e.add(depth, half), false);
    Value inRow = e.add(half, e.rem(lane, e.index(8)));
    Value inDepth =
        e.mul(e.rem(e.div(lane, e.index(8)), e.index(2)), e.index(8));
    for (int64_t n = 0; n < matrices; n += 2) {
      Quad right = loadMatrices(rhs, e.add(inRow, e.index(n * kColumns)),
                                e.add(depth, inDepth), false);
      for (int64_t k : {0, 1}) {
        Value *own = &sums[4 * (n + k)];
        Quad next = multiply(left, right[2 * k], right[2 * k + 1],
                             {own[0], own[1], own[2], own[3]});
        llvm::copy(next, own);
      }
    }
    scf::YieldOp::create(b, sums);
  }
  Values scores;
  for (int64_t i : llvm::seq(ownRows))
    for (int64_t j : llvm::seq(ownColumns))
      scores.push_back(loop.getResult(j / 2 * 4 + i * 2 + j % 2));
  return scores;
}

AttentionEmitter::Values MatrixTiles::weigh(ValueRange sums, ValueRange scores,
                                            const SharedTile &vectors) {
  Values next = llvm::to_vector_of<Value>(sums);
  auto pair = [&](int64_t i, int64_t j) {
    return pack(scores[i * ownColumns + j], scores[i * ownColumns + j + 1]);
  };
  Value inRow = e.rem(lane, e.index(16));
  Value half = e.mul(e.div(lane, e.index(16)), e.index(8));
  for (int64_t key = 0; key < tiling.columns; key += kDepth) {
    // This lane's columns in two matrices: two neighbours in each.
    int64_t j = key / kQuad;
    Quad left{pair(0, j), pair(1, j), pair(0, j + 2), pair(1, j + 2)};
    for (int64_t n = 0; n < sumsPerRow; n += 4) {
      Quad right = loadMatrices(vectors, e.add(inRow, e.index(key)),
                                e.add(half, e.index(n * kQuad)), true);
      for (int64_t k : {0, 1}) {
        Value *upper = &next[n + 2 * k], *lower = upper + sumsPerRow;
        Quad sum = multiply(left, right[2 * k], right[2 * k + 1],
                            {upper[0], upper[1], lower[0], lower[1]});
        std::copy_n(sum.begin(), 2, upper);
        std::copy_n(sum.begin() + 2, 2, lower);
      }
    }
  }
  return next;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void MatrixTiles::storeSums(const MemoryView &view, const SharedTile &room,
                            ValueRange sums, Value first, Value rows,
                            PlaceFn at) {
  int64_t width = *getConstantIntValue(view.sizes.back());
  if (view.elementType != elementType || width % wide != 0)
    return AttentionEmitter::storeSums(view, room, sums, first, rows, at);
  // By way of shared memory, where this warp's rows are its own, so that
  // neighbouring lanes store 16 bytes each. Other warps may have filled these
  // rows, if nothing was multiplied since.
  blockBarrier();
  for (size_t number = 0; number < countSums(); number += 2)
    LLVM::StoreOp::create(b, pack(sums[number], sums[number + 1]),
                          address(room, b.getI16Type(),
                                  row(number / sumsPerRow),
                                  sumColumn(number % sumsPerRow)),
                          /*alignment=*/4);
  warpBarrier();
  int64_t inRow = width / wide, places = kRows * inRow;
  auto type = VectorType::get(kQuad, b.getI32Type());
  for (int64_t begin = 0; begin < places; begin += kWarp) {
    Value place = e.add(lane, e.index(begin));
    Value own = e.add(warpRow, e.div(place, e.index(inRow)));
    Value column = e.mul(e.rem(place, e.index(inRow)), e.index(wide));
    Value to = e.add(first, own), isInside = isBelow(to, rows);
    if (begin + kWarp > places)
      isInside =
          arith::AndIOp::create(b, isInside, isBelow(place, e.index(places)));
    when(isInside, [&] {
      Value all = LLVM::LoadOp::create(
          b, type, address(room, b.getI16Type(), own, column),
          /*alignment=*/16);
      LLVM::StoreOp::create(b, all,
                            e.address(view, e.offset(view, at(to, column))),
                            /*alignment=*/16);
    });
  }
}

std::unique_ptr<AttentionEmitter>
weft::cuda::makeMatrixTiles(KernelBuilder &kernel, RegionEmitter &emitter,
                            const AttentionTiling &tiling, Type elementType) {
  return std::make_unique<MatrixTiles>(kernel, emitter, tiling, elementType);
}
