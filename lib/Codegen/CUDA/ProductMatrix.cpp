//===- ProductMatrix.cpp - Products by matrix instructions ----------------===//
//
// For operands of 16 bits, or of f32, of which the leading 19 bits are taken
// (tf32). Parts of A and B go to shared memory in turns of several:
// asynchronously, 16 bytes at a time, where they lie in memory like that, else
// through registers. Rows in shared memory are along the depth or along the
// other index, as they are in memory. Chunks of 16 bytes are exchanged within a
// row so that what a warp reads at a time shares no bank. Products are
// `mma.sync` of 16 x 8 x 16, or 16 x 8 x 8, with sums in f32.
//
//===----------------------------------------------------------------------===//

#include "ProductMatrix.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

//===----------------------------------------------------------------------===//
// Operands in shared memory
//===----------------------------------------------------------------------===//

MatrixCopy::Place MatrixCopy::place(RegionEmitter &e, const ProductBlock &block,
                                    int64_t number) {
  Value unit = e.add(block.thread, e.index(number * threads));
  int64_t along = isAsync ? chunk() : 1;
  int64_t inRow = (isDeep ? depth() : outer) / along;
  Value row = e.div(unit, e.index(inRow));
  Value column = e.mul(e.rem(unit, e.index(inRow)), e.index(along));
  return isDeep ? Place{row, column} : Place{column, row};
}

Value MatrixCopy::address(RegionEmitter &e, Value base, const Place &place) {
  ImplicitLocOpBuilder &b = e.builder();
  Value row = isDeep ? place.outer : place.k;
  Value column = isDeep ? place.k : place.outer;
  // Panels, as wide as a row, lie one behind the other.
  int64_t rows = isDeep ? outer : depth();
  Value panel = e.div(column, e.index(rowElements()));
  column = e.rem(column, e.index(rowElements()));
  row = e.add(e.mul(panel, e.index(rows)), row);
  Value exchanged = e.div(column, e.index(chunk()));
  // Eight rows of 128 bytes, four pairs of rows of 64, two fours of rows of 32;
  // or, for words, half as many by two chunks.
  int64_t rowBytes = rowElements() * bytesEach;
  int64_t together = 128 / rowBytes, chunks = hasWords() ? 2 : 1;
  Value turn = e.rem(e.div(row, e.index(together)),
                     e.index(rowBytes / kChunkBytes / chunks));
  turn = e.mul(turn, e.index(chunks));
  exchanged = arith::XOrIOp::create(b, exchanged, turn);
  Value at = e.add(e.mul(row, e.index(rowElements())),
                   e.add(e.mul(exchanged, e.index(chunk())),
                         e.rem(column, e.index(chunk()))));
  return elementAt(e, base, operand.type(), at);
}

Value MatrixCopy::indexOf(RegionEmitter &e, const ProductBlock &block,
                          Value place, int64_t count) {
  Value index = e.add(operand.isA ? block.m0 : block.n0, place);
  if (ProductOperand::isMultiple(operand.staticOuter(), outer))
    return index;
  return e.min(index, e.sub(operand.outerSize(e), e.index(count)));
}

void MatrixCopy::begin(RegionEmitter &e, const ProductBlock &block) {
  patches.clear();
  if (!isAsync || !operand.hasPatches())
    return;
  for (int64_t number : llvm::seq(share())) {
    Value index =
        indexOf(e, block, place(e, block, number).outer, isDeep ? 1 : chunk());
    patches.push_back(operand.beginPatch(e, block.batch, index));
  }
}

void MatrixCopy::copy(RegionEmitter &e, const ProductBlock &block, Value k0,
                      Value base) {
  ImplicitLocOpBuilder &b = e.builder();
  auto global = LLVM::LLVMPointerType::get(
      b.getContext(), static_cast<unsigned>(NVVM::NVVMMemorySpace::Global));
  int64_t alongOuter = isDeep ? 1 : chunk();
  int64_t alongDepth = isDeep ? chunk() : 1;
  bool isWhole = ProductOperand::isMultiple(operand.problem.staticK, depth());
  for (int64_t number : llvm::seq(share())) {
    Place at = place(e, block, number);
    auto emitCopy = [&] {
      Value index = indexOf(e, block, at.outer, alongOuter);
      Value k = e.add(k0, at.k), inside, bytes;
      if (!isWhole) {
        Value size = operand.problem.depth(e);
        inside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, k, size);
        k = e.min(k, e.sub(size, e.index(alongDepth)));
      }
      ValueRange patch;
      if (!patches.empty())
        patch = patches[number];
      Value from = operand.address(e, block.batch, patch, index, k, inside);
      // What lies beyond the depth, or where nothing is, is written as zero.
      if (inside)
        bytes =
            arith::SelectOp::create(b, inside, e.constant(b.getI32Type(), 16),
                                    e.constant(b.getI32Type(), 0));
      from = LLVM::AddrSpaceCastOp::create(b, global, from);
      NVVM::CpAsyncOp::create(b, address(e, base, at), from, 16,
                              NVVM::LoadCacheModifierKind::CG, bytes);
      return SmallVector<Value>();
    };
    Value condition;
    if (units() < threads)
      condition = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                        block.thread, e.index(units()));
    emitIf(e, condition, {}, emitCopy);
  }
}

SmallVector<Value> MatrixCopy::load(RegionEmitter &e, const ProductBlock &block,
                                    Value k0) {
  ImplicitLocOpBuilder &b = e.builder();
  SmallVector<Value> values;
  bool isWhole = ProductOperand::isMultiple(operand.problem.staticK, depth());
  for (int64_t number : llvm::seq(isAsync ? 0 : share())) {
    Place at = place(e, block, number);
    Value index = indexOf(e, block, at.outer, 1);
    Value k = e.add(k0, at.k), inside;
    if (!isWhole) {
      Value size = operand.problem.depth(e);
      inside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, k, size);
      k = e.min(k, e.sub(size, e.index(1)));
    }
    Value value = operand.element(e, block.batch, index, k);
    if (inside)
      value = arith::SelectOp::create(b, inside, value,
                                      e.constant(operand.type(), 0));
    values.push_back(value);
  }
  return values;
}

void MatrixCopy::store(RegionEmitter &e, const ProductBlock &block, Value base,
                       ValueRange values) {
  for (auto [number, value] : llvm::enumerate(values))
    LLVM::StoreOp::create(e.builder(), value,
                          address(e, base, place(e, block, number)));
}

/// By `ldmatrix`, from rows along the depth, or else of 16 bits.
SmallVector<Value> MatrixCopy::loadSquares(RegionEmitter &e, Value base,
                                           Value lane, Value first, int64_t k) {
  ImplicitLocOpBuilder &b = e.builder();
  // Lanes 8 i to 8 i + 7 point to the rows of the i-th of four squares of
  // eight chunks. Those of A go down the rows first, those of B along the
  // depth.
  Value low = e.rem(lane, e.index(8));
  Value second = e.rem(e.div(lane, e.index(8)), e.index(2));
  Value fourth = e.div(lane, e.index(16));
  Value outerSquare = operand.isA ? second : fourth;
  Value depthSquare = operand.isA ? fourth : second;
  Value outerAt = e.add(first, e.mul(outerSquare, e.index(8)));
  Value depthAt = e.add(e.index(k), e.mul(depthSquare, e.index(chunk())));
  Place at = isDeep ? Place{e.add(outerAt, low), depthAt}
                    : Place{outerAt, e.add(depthAt, low)};
  Type i32 = b.getI32Type();
  auto result =
      LLVM::LLVMStructType::getLiteral(b.getContext(), {i32, i32, i32, i32});
  Value loaded = NVVM::LdMatrixOp::create(
      b, result, address(e, base, at), 4,
      isDeep ? NVVM::MMALayout::row : NVVM::MMALayout::col,
      NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8),
      NVVM::LdStMatrixEltType::B16);
  return llvm::map_to_vector(llvm::seq(4), [&](int64_t i) -> Value {
    return LLVM::ExtractValueOp::create(b, loaded, i);
  });
}

/// The same registers, each from rows of f32 along the other index.
SmallVector<Value> MatrixCopy::loadWords(RegionEmitter &e, Value base,
                                         Value lane, Value first, int64_t k) {
  Value outerAt = e.add(first, e.div(lane, e.index(4)));
  Value depthAt = e.add(e.index(k), e.rem(lane, e.index(4)));
  return llvm::map_to_vector(llvm::seq(4), [&](int64_t i) -> Value {
    int64_t second = i % 2, fourth = i / 2;
    int64_t outerSquare = operand.isA ? second : fourth;
    int64_t depthSquare = operand.isA ? fourth : second;
    Place at{e.add(outerAt, e.index(8 * outerSquare)),
             e.add(depthAt, e.index(4 * depthSquare))};
    return LLVM::LoadOp::create(e.builder(), e.builder().getI32Type(),
                                address(e, base, at));
  });
}

/// f32 to the nearest tf32, ties away from zero: half of the last place of tf32
/// is added, whatever is behind which instructions leave out. What is not
/// finite stays, for a NaN may have no room for that. `cvt.rna.tf32.f32` takes
/// twice the instructions.
static Value roundToTF32(RegionEmitter &e, Value word) {
  ImplicitLocOpBuilder &b = e.builder();
  constexpr StringLiteral text = "{.reg .pred p; .reg .f32 a;"
                                 " mov.b32 a, $1; abs.f32 a, a;"
                                 " setp.lt.f32 p, a, 0f7F800000;"
                                 " mov.b32 $0, $1;"
                                 " @p add.s32 $0, $0, 4096;}";
  return LLVM::InlineAsmOp::create(
             b, b.getI32Type(), word, text, "=r,r", /*has_side_effects=*/false,
             /*is_align_stack=*/false, LLVM::TailCallKind::None,
             LLVM::AsmDialectAttr::get(b.getContext(),
                                       LLVM::AsmDialect::AD_ATT),
             /*operand_attrs=*/ArrayAttr())
      .getResult(0);
}

SmallVector<Value> MatrixCopy::fragment(RegionEmitter &e, Value base,
                                        Value lane, Value first, int64_t k) {
  SmallVector<Value> words = hasWords() ? loadWords(e, base, lane, first, k)
                                        : loadSquares(e, base, lane, first, k);
  if (bytesEach == 4)
    for (Value &word : words)
      word = roundToTF32(e, word);
  return words;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// The sums of an instruction: rows lane / 4 and eight more, columns from twice
/// lane % 4 on.
SmallVector<ProductEmitter::Run> MatrixEmitter::runs(RegionEmitter &e) {
  SmallVector<Run> runs;
  Value low = e.div(lane, e.index(4));
  Value column = e.add(e.mul(warpN, e.index(shape.warpColumns)),
                       e.mul(e.rem(lane, e.index(4)), e.index(2)));
  for (int64_t row = 0; row < shape.warpRows; row += kRows)
    for (int64_t n = 0; n < shape.warpColumns; n += kColumns)
      for (int64_t half : {0, 8})
        runs.push_back(
            {e.add(low, e.index(row + half)), e.add(column, e.index(n))});
  return runs;
}

/// Two of the largest blocks, if one operand at most is read from many places.
int32_t MatrixEmitter::together() {
  constexpr int32_t kLarge = 256;
  return shape.threads() == kLarge && isLight() && !copyA.hasWords() ? 2 : 1;
}

Value MatrixEmitter::stage(RegionEmitter &e, Value at) {
  return elementAt(e, shared, e.builder().getI8Type(), at);
}

/// Where the part lies that is so many parts after that at `at`.
Value MatrixEmitter::after(RegionEmitter &e, Value at, int64_t parts) {
  ImplicitLocOpBuilder &b = e.builder();
  Value all = e.index(stages * partBytes());
  Value next = e.add(at, e.index(parts * partBytes()));
  Value isWithin =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, next, all);
  return arith::SelectOp::create(b, isWithin, next, e.sub(next, all));
}

/// Whether the block has such a part.
Value MatrixEmitter::isPart(RegionEmitter &e, Value part) {
  return arith::CmpIOp::create(e.builder(), arith::CmpIPredicate::slt, part,
                               end);
}

/// Begins to copy a part of those operands that are copied by themselves. Ends
/// a group of copies in any case, so that groups count parts.
void MatrixEmitter::copyPart(RegionEmitter &e, Value part, Value at) {
  if (!isAsynchronous())
    return;
  emitIf(e, isPart(e, part), {}, [&] {
    Value base = stage(e, at), k0 = e.mul(part, e.index(partDepth()));
    if (copyA.isAsynchronous())
      copyA.copy(e, block, k0, base);
    base = elementAt(e, base, e.builder().getI8Type(), e.index(copyA.bytes()));
    if (copyB.isAsynchronous())
      copyB.copy(e, block, k0, base);
    return Values();
  });
  NVVM::CpAsyncCommitGroupOp::create(e.builder());
}

/// Loads this thread's share of a part of those operands that are not.
SmallVector<Value> MatrixEmitter::loadPart(RegionEmitter &e, Value part) {
  Value k0 = e.mul(part, e.index(partDepth()));
  Values values = copyA.load(e, block, k0);
  llvm::append_range(values, copyB.load(e, block, k0));
  return values;
}

void MatrixEmitter::storePart(RegionEmitter &e, Value at, ValueRange values) {
  if (values.empty())
    return;
  Value base = stage(e, at);
  size_t count = copyA.types().size();
  copyA.store(e, block, base, values.take_front(count));
  base = elementAt(e, base, e.builder().getI8Type(), e.index(copyA.bytes()));
  copyB.store(e, block, base, values.drop_front(count));
}

/// Adds the products of 16 rows and 16 columns, two instructions, to their
/// sums: eight each, by columns.
void MatrixEmitter::multiplyFragments(RegionEmitter &e, ValueRange a,
                                      ValueRange b,
                                      MutableArrayRef<Value> sums) {
  ImplicitLocOpBuilder &builder = e.builder();
  Type operandType = problem.operandType;
  bool isHalf = operandType.isF16();
  Type f32 = builder.getF32Type();
  auto pair = VectorType::get(2, builder.getF16Type());
  // Operands of f16 are pairs, others words.
  auto typed = [&](ValueRange words) {
    Values values;
    for (Value word : words)
      values.push_back(
          isHalf ? LLVM::BitcastOp::create(builder, pair, word).getResult()
                 : word);
    return values;
  };
  auto result = LLVM::LLVMStructType::getLiteral(builder.getContext(),
                                                 {f32, f32, f32, f32});
  auto kind = isHalf                 ? NVVM::MMATypes::f16
              : operandType.isBF16() ? NVVM::MMATypes::bf16
                                     : NVVM::MMATypes::tf32;
  int64_t step = kStepBytes / (operandType.getIntOrFloatBitWidth() / 8);
  for (int64_t half : llvm::seq(2)) {
    MutableArrayRef<Value> own = sums.slice(4 * half, 4);
    Value product = NVVM::MmaOp::create(
        builder, result, typed(a), typed(b.slice(2 * half, 2)),
        ValueRange(ArrayRef<Value>(own)),
        ArrayRef<int64_t>{kRows, kColumns, step}, std::nullopt, std::nullopt,
        std::array<NVVM::MMATypes, 2>{kind, kind},
        std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                       NVVM::MMALayout::col});
    for (auto [i, sum] : llvm::enumerate(own))
      sum = LLVM::ExtractValueOp::create(builder, product, i);
  }
}

SmallVector<Value> MatrixEmitter::multiplyPart(RegionEmitter &e, Value at,
                                               Values sums) {
  Value baseA = stage(e, at);
  Value baseB =
      elementAt(e, baseA, e.builder().getI8Type(), e.index(copyA.bytes()));
  Value row = e.mul(warpM, e.index(shape.warpRows));
  Value column = e.mul(warpN, e.index(shape.warpColumns));
  int64_t step = kStepBytes / (problem.operandType.getIntOrFloatBitWidth() / 8);
  for (int64_t k = 0; k < partDepth(); k += step) {
    SmallVector<Values> bs;
    for (int64_t n = 0; n < shape.warpColumns; n += 2 * kColumns)
      bs.push_back(
          copyB.fragment(e, baseB, lane, e.add(column, e.index(n)), k));
    MutableArrayRef<Value> rest(sums);
    for (int64_t m = 0; m < shape.warpRows; m += kRows) {
      Values a = copyA.fragment(e, baseA, lane, e.add(row, e.index(m)), k);
      for (const Values &b : bs) {
        multiplyFragments(e, a, b, rest.take_front(8));
        rest = rest.drop_front(8);
      }
    }
  }
  return sums;
}

/// Multiplies parts [begin, end). Carried are sums, and the share of the second
/// part.
SmallVector<Value> MatrixEmitter::multiplyParts(RegionEmitter &e, Value begin,
                                                Values carried,
                                                size_t numSums) {
  Value last = e.sub(end, e.index(1));
  carried.push_back(e.index(0));
  carried = e.loop(begin, end, carried, [&](Value part, ValueRange carried) {
    Value at = carried.back();
    carried = carried.drop_back();
    // The part has come, and all are through with the one whose place is free
    // for the one that is farthest ahead.
    if (isAsynchronous())
      NVVM::CpAsyncWaitGroupOp::create(e.builder(), ahead - 1);
    publishPart(e);
    barrier(e);
    copyPart(e, e.add(part, e.index(ahead)), after(e, at, ahead));
    storePart(e, after(e, at, 1), carried.drop_front(numSums));
    Values values = loadPart(e, e.min(e.add(part, e.index(2)), last));
    Values result = multiplyPart(e, at, carried.take_front(numSums));
    llvm::append_range(result, values);
    result.push_back(after(e, at, 1));
    return result;
  });
  carried.truncate(numSums);
  return carried;
}

SmallVector<Value> MatrixEmitter::multiply(RegionEmitter &e, Value begin,
                                           Value end, Values sums) {
  this->end = end;
  copyA.begin(e, block);
  copyB.begin(e, block);
  for (int64_t part : llvm::seq(ahead))
    copyPart(e, e.add(begin, e.index(part)), e.index(part * partBytes()));
  // Shares are loaded two parts ahead, so that nothing waits for them; there is
  // no branch around that in the loop, which would: at the end, the last part
  // is loaded again.
  SmallVector<Type> types = copyA.types();
  llvm::append_range(types, copyB.types());
  Value last = e.sub(end, e.index(1));
  auto loadFirst = [&](Value part) -> Values {
    return types.empty() ? Values() : emitIf(e, isPart(e, begin), types, [&] {
      return loadPart(e, e.min(part, last));
    });
  };
  storePart(e, e.index(0), loadFirst(begin));
  size_t numSums = sums.size();
  llvm::append_range(sums, loadFirst(e.add(begin, e.index(1))));
  sums = multiplyParts(e, begin, sums, numSums);
  endParts(e);
  if (isAsynchronous())
    NVVM::CpAsyncWaitGroupOp::create(e.builder(), 0);
  barrier(e);
  return sums;
}

void weft::cuda::addMatrixProduct(const Product &product,
                                  const TileShape &shape, int64_t splits) {
  MatrixEmitter(product, shape, splits).addTasks();
}
