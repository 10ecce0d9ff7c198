//===- Panels.cpp - Packing a matrix into panels --------------------------===//

#include "Contraction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

Value weft::cpu::elementAddress(RegionEmitter &e, Value base, Type type,
                                Value position) {
  return e.address(MemoryView{base, type, {}, {}}, position);
}

void weft::cpu::forEachPiece(
    RegionEmitter &e, Value begin, Value count, Value size,
    llvm::function_ref<void(Value, Value, Value, Value)> body) {
  size = e.max(size, e.index(1));
  Value end = e.add(begin, count);
  e.loop(e.div(begin, size), e.ceilDiv(end, size), {},
         [&](Value interval, ValueRange) {
           Value start = e.mul(interval, size);
           Value from = e.max(start, begin);
           Value to = e.min(e.add(start, size), end);
           body(interval, e.sub(from, start), e.sub(from, begin),
                e.sub(to, from));
           return SmallVector<Value>();
         });
}

/// Where row `k` of panel `panel` begins.
static Value panelRow(RegionEmitter &e, const PanelBlock &block, Type type,
                      Value panel, Value k) {
  Value row = e.add(e.mul(panel, e.index(block.panelDepth)), k);
  return elementAddress(e, block.panels, type,
                        e.mul(row, e.index(block.lanes)));
}

/// Copies whole panels row by row of B, so that each page is visited once.
void Contraction::packRows(RegionEmitter &e, const PanelBlock &block,
                           Value whole) {
  ImplicitLocOpBuilder &b = e.builder();
  auto vectorType = VectorType::get(block.lanes, accumulatorType);
  unsigned bytes = accumulatorType.getIntOrFloatBitWidth() / 8;
  e.loop(e.index(0), block.depth, {}, [&](Value k, ValueRange) {
    Value row = columnAddress(e, block.batch, e.add(block.k0, k), block.n0);
    e.loop(e.index(0), whole, {}, [&](Value panel, ValueRange) {
      Value from = elementAddress(e, row, accumulatorType,
                                  e.mul(panel, e.index(block.lanes)));
      LLVM::StoreOp::create(b, LLVM::LoadOp::create(b, vectorType, from, bytes),
                            panelRow(e, block, accumulatorType, panel, k),
                            bytes);
      return SmallVector<Value>();
    });
    return SmallVector<Value>();
  });
}

Value weft::cpu::maskBelow(ImplicitLocOpBuilder &b, int64_t lanes,
                           Value count) {
  auto laneType = VectorType::get(lanes, b.getI32Type());
  auto numbers = llvm::to_vector(llvm::seq<int32_t>(0, lanes));
  Value lane = arith::ConstantOp::create(
      b, DenseElementsAttr::get(laneType, ArrayRef(numbers)));
  count = arith::IndexCastOp::create(b, b.getI32Type(), count);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, lane,
                               vector::BroadcastOp::create(b, laneType, count));
}

/// Copies what there is of the last panel's columns.
void Contraction::packRest(RegionEmitter &e, const PanelBlock &block,
                           Value panel) {
  ImplicitLocOpBuilder &b = e.builder();
  auto vectorType = VectorType::get(block.lanes, accumulatorType);
  unsigned bytes = accumulatorType.getIntOrFloatBitWidth() / 8;
  Value firstColumn = e.mul(panel, e.index(block.lanes));
  Value mask = maskBelow(b, block.lanes, e.sub(block.columns, firstColumn));
  auto zero =
      arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(vectorType)));
  e.loop(e.index(0), block.depth, {}, [&](Value k, ValueRange) {
    Value from = columnAddress(e, block.batch, e.add(block.k0, k),
                               e.add(block.n0, firstColumn));
    Value row = LLVM::MaskedLoadOp::create(b, vectorType, from, mask, zero,
                                           b.getI32IntegerAttr(bytes),
                                           /*nontemporal=*/nullptr);
    LLVM::StoreOp::create(b, row, panelRow(e, block, accumulatorType, panel, k),
                          bytes);
    return SmallVector<Value>();
  });
}

/// By exchanging the squares off the diagonal at every scale.
void weft::cpu::transposeSquare(ImplicitLocOpBuilder &b,
                                MutableArrayRef<Value> rows) {
  int64_t size = rows.size();
  for (int64_t step = 1; step < size; step *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t i : llvm::seq(size)) {
      low.push_back(i & step ? size + i - step : i);
      high.push_back(i & step ? size + i : i + step);
    }
    for (int64_t i : llvm::seq(size)) {
      if (i & step)
        continue;
      Value upper = rows[i], lower = rows[i + step];
      rows[i] = vector::ShuffleOp::create(b, upper, lower, low);
      rows[i + step] = vector::ShuffleOp::create(b, upper, lower, high);
    }
  }
}

/// Packs a B whose columns are contiguous along the depth, in squares that are
/// transposed in registers.
void Contraction::packSquares(RegionEmitter &e, const PanelBlock &block) {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t side = block.lanes / 2;
  auto vectorType = VectorType::get(side, accumulatorType);
  unsigned bytes = accumulatorType.getIntOrFloatBitWidth() / 8;
  auto at = [&](Value base, Value position) {
    return elementAddress(e, base, accumulatorType, position);
  };
  Value squares = e.div(block.depth, e.index(side));
  Value panels = e.ceilDiv(block.columns, e.index(block.lanes));
  Value last = e.sub(block.columns, e.index(1));
  e.loopNest({panels, e.index(2)}, {}, [&](ArrayRef<Value> place, ValueRange) {
    Value firstLane = e.mul(place[1], e.index(side));
    SmallVector<Value> columns;
    for (int64_t i : llvm::seq(side)) {
      Value j = e.add(e.mul(place[0], e.index(block.lanes)),
                      e.add(firstLane, e.index(i)));
      Value n = e.add(block.n0, e.min(j, last));
      columns.push_back(at(depthAddress(e, block.batch, n), block.k0));
    }
    auto target = [&](Value k) {
      return at(panelRow(e, block, accumulatorType, place[0], k), firstLane);
    };
    e.loop(e.index(0), squares, {}, [&](Value square, ValueRange) {
      Value k = e.mul(square, e.index(side));
      SmallVector<Value> rows;
      for (Value column : columns)
        rows.push_back(
            LLVM::LoadOp::create(b, vectorType, at(column, k), bytes));
      transposeSquare(b, rows);
      for (auto [i, row] : llvm::enumerate(rows))
        LLVM::StoreOp::create(b, row, target(e.add(k, e.index(i))), bytes);
      return SmallVector<Value>();
    });
    e.loop(e.mul(squares, e.index(side)), block.depth, {},
           [&](Value k, ValueRange) {
             for (auto [i, column] : llvm::enumerate(columns)) {
               Value element =
                   LLVM::LoadOp::create(b, accumulatorType, at(column, k));
               LLVM::StoreOp::create(b, element, at(target(k), e.index(i)));
             }
             return SmallVector<Value>();
           });
    return SmallVector<Value>();
  });
}

/// Packs element by element.
void Contraction::packElements(RegionEmitter &e, const PanelBlock &block) {
  Value lanes = e.index(block.lanes);
  Value panels = e.ceilDiv(block.columns, lanes);
  Value last = e.sub(block.columns, e.index(1));
  e.loopNest(
      {panels, block.depth, lanes}, {}, [&](ArrayRef<Value> at, ValueRange) {
        Value j = e.min(e.add(e.mul(at[0], lanes), at[2]), last);
        Value value = elementB(e, block.batch, e.add(block.k0, at[1]),
                               e.add(block.n0, j));
        Value row = panelRow(e, block, accumulatorType, at[0], at[1]);
        LLVM::StoreOp::create(e.builder(), value,
                              elementAddress(e, row, accumulatorType, at[2]));
        return SmallVector<Value>();
      });
}

/// Packs an A whose columns are contiguous along the rows, in squares that are
/// transposed in registers.
void Contraction::packSquaresA(RegionEmitter &e, const RowBlock &block) {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t side = block.lanes / 2;
  auto vectorType = VectorType::get(side, accumulatorType);
  unsigned bytes = accumulatorType.getIntOrFloatBitWidth() / 8;
  auto zero =
      arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(vectorType)));
  Value last = e.sub(e.add(block.k0, block.depth), e.index(1));
  for (int64_t first = 0; first < block.tileRows; first += side) {
    Value mask = maskBelow(b, side, e.sub(block.rows, e.index(first)));
    Value m = e.add(block.m0, e.index(first));
    e.loop(e.index(0), e.ceilDiv(block.depth, e.index(side)), {},
           [&](Value square, ValueRange) {
             Value k = e.mul(square, e.index(side));
             SmallVector<Value> rows;
             for (int64_t i : llvm::seq(side)) {
               Value place = e.min(e.add(e.add(block.k0, k), e.index(i)), last);
               rows.push_back(LLVM::MaskedLoadOp::create(
                   b, vectorType, columnAddressA(e, block.batch, m, place),
                   mask, zero, b.getI32IntegerAttr(bytes),
                   /*nontemporal=*/nullptr));
             }
             transposeSquare(b, rows);
             rows.truncate(std::min(side, block.tileRows - first));
             for (auto [i, row] : llvm::enumerate(rows)) {
               Value to = e.add(e.index((first + i) * block.stride), k);
               LLVM::StoreOp::create(
                   b, row, elementAddress(e, block.tile, accumulatorType, to),
                   bytes);
             }
             return SmallVector<Value>();
           });
  }
}

Value Contraction::columnAddressA(RegionEmitter &e, ArrayRef<Value> batch,
                                  Value m, Value k) {
  llvm_unreachable("columns of A are contiguous in no other problem");
}

void Contraction::packA(RegionEmitter &e, const RowBlock &block) {
  if (isTransposedA())
    return packSquaresA(e, block);
  auto store = [&](Value value, Value row, Value k) {
    Value at = e.add(e.mul(row, e.index(block.stride)), k);
    LLVM::StoreOp::create(e.builder(), value,
                          elementAddress(e, block.tile, accumulatorType, at));
    return SmallVector<Value>();
  };
  if (!isContiguousA()) {
    // The rows' dimension is likely to be the inner one in memory.
    e.loopNest({block.depth, block.rows}, {},
               [&](ArrayRef<Value> at, ValueRange) {
                 return store(elementA(e, block.batch, e.add(block.m0, at[1]),
                                       e.add(block.k0, at[0])),
                              at[1], at[0]);
               });
    return;
  }
  e.loop(e.index(0), block.rows, {}, [&](Value row, ValueRange) {
    Value start = rowAddress(e, block.batch, e.add(block.m0, row));
    e.loop(e.index(0), block.depth, {}, [&](Value k, ValueRange) {
      Value from =
          elementAddress(e, start, accumulatorType, e.add(block.k0, k));
      return store(LLVM::LoadOp::create(e.builder(), accumulatorType, from),
                   row, k);
    });
    return SmallVector<Value>();
  });
}

void Contraction::packB(RegionEmitter &e, const PanelBlock &block) {
  if (!isPlainB())
    return isTransposedB() ? packSquares(e, block) : packElements(e, block);
  Value whole = e.div(block.columns, e.index(block.lanes));
  packRows(e, block, whole);
  if (ShapedType::isStatic(staticN) && staticN % block.lanes == 0)
    return;
  Value panels = e.ceilDiv(block.columns, e.index(block.lanes));
  e.loop(whole, panels, {}, [&](Value panel, ValueRange) {
    packRest(e, block, panel);
    return SmallVector<Value>();
  });
}
