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

/// Transposes a square of as many vectors as each has elements, by exchanging
/// the squares off the diagonal at every scale.
static void transposeSquare(ImplicitLocOpBuilder &b,
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

/// Packs whole panels of a B whose columns are contiguous along the depth, in
/// squares that are transposed in registers.
void Contraction::packSquares(RegionEmitter &e, const PanelBlock &block,
                              Value whole) {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t side = block.lanes / 2;
  auto vectorType = VectorType::get(side, accumulatorType);
  unsigned bytes = accumulatorType.getIntOrFloatBitWidth() / 8;
  auto at = [&](Value base, Value position) {
    return elementAddress(e, base, accumulatorType, position);
  };
  Value squares = e.div(block.depth, e.index(side));
  e.loopNest({whole, e.index(2)}, {}, [&](ArrayRef<Value> place, ValueRange) {
    Value firstLane = e.mul(place[1], e.index(side));
    SmallVector<Value> columns;
    for (int64_t i : llvm::seq(side)) {
      Value n = e.add(e.add(block.n0, e.mul(place[0], e.index(block.lanes))),
                      e.add(firstLane, e.index(i)));
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

/// Packs panels [begin, end) element by element. Unless they are all whole,
/// columns beyond the block's end are zeros.
void Contraction::packElements(RegionEmitter &e, const PanelBlock &block,
                               Value begin, Value end, bool isWhole) {
  ImplicitLocOpBuilder &b = e.builder();
  Value lanes = e.index(block.lanes);
  e.loop(begin, end, {}, [&](Value panel, ValueRange) {
    e.loopNest({block.depth, lanes}, {}, [&](ArrayRef<Value> at, ValueRange) {
      Value j = e.add(e.mul(panel, lanes), at[1]);
      auto element = [&] {
        return elementB(e, block.batch, e.add(block.k0, at[0]),
                        e.add(block.n0, j));
      };
      Value value;
      if (isWhole) {
        value = element();
      } else {
        Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, j,
                                             block.columns);
        value = e.choose(inside, element,
                         [&] { return e.constant(accumulatorType, 0); });
      }
      Value row = panelRow(e, block, accumulatorType, panel, at[0]);
      LLVM::StoreOp::create(b, value,
                            elementAddress(e, row, accumulatorType, at[1]));
      return SmallVector<Value>();
    });
    return SmallVector<Value>();
  });
}

void Contraction::packB(RegionEmitter &e, const PanelBlock &block) {
  Value lanes = e.index(block.lanes);
  Value whole = e.div(block.columns, lanes);
  if (isPlainB())
    packRows(e, block, whole);
  else if (isTransposedB())
    packSquares(e, block, whole);
  else
    packElements(e, block, e.index(0), whole, /*isWhole=*/true);
  if (ShapedType::isDynamic(staticN) || staticN % block.lanes != 0)
    packElements(e, block, whole, e.ceilDiv(block.columns, lanes),
                 /*isWhole=*/false);
}
