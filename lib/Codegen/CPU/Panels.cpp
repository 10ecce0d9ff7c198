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
void Packing::packRows(RegionEmitter &e, const PanelBlock &block, Value whole) {
  ImplicitLocOpBuilder &b = e.builder();
  auto vectorType = VectorType::get(block.lanes, type());
  e.loop(e.index(0), block.depth, {}, [&](Value k, ValueRange) {
    Value row =
        problem.columnAddress(e, block.batch, e.add(block.k0, k), block.n0);
    e.loop(e.index(0), whole, {}, [&](Value panel, ValueRange) {
      Value from =
          elementAddress(e, row, type(), e.mul(panel, e.index(block.lanes)));
      LLVM::StoreOp::create(b,
                            LLVM::LoadOp::create(b, vectorType, from, bytes()),
                            panelRow(e, block, type(), panel, k), bytes());
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
void Packing::packRest(RegionEmitter &e, const PanelBlock &block, Value panel) {
  ImplicitLocOpBuilder &b = e.builder();
  auto vectorType = VectorType::get(block.lanes, type());
  Value firstColumn = e.mul(panel, e.index(block.lanes));
  Value mask = maskBelow(b, block.lanes, e.sub(block.columns, firstColumn));
  auto zero =
      arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(vectorType)));
  e.loop(e.index(0), block.depth, {}, [&](Value k, ValueRange) {
    Value from = problem.columnAddress(e, block.batch, e.add(block.k0, k),
                                       e.add(block.n0, firstColumn));
    Value row = LLVM::MaskedLoadOp::create(b, vectorType, from, mask, zero,
                                           b.getI32IntegerAttr(bytes()),
                                           /*nontemporal=*/nullptr);
    LLVM::StoreOp::create(b, row, panelRow(e, block, type(), panel, k),
                          bytes());
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
void Packing::packSquares(RegionEmitter &e, const PanelBlock &block) {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t side = block.lanes / 2;
  auto vectorType = VectorType::get(side, type());
  auto at = [&](Value base, Value position) {
    return elementAddress(e, base, type(), position);
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
      columns.push_back(at(problem.depthAddress(e, block.batch, n), block.k0));
    }
    auto target = [&](Value k) {
      return at(panelRow(e, block, type(), place[0], k), firstLane);
    };
    e.loop(e.index(0), squares, {}, [&](Value square, ValueRange) {
      Value k = e.mul(square, e.index(side));
      SmallVector<Value> rows;
      for (Value column : columns)
        rows.push_back(
            LLVM::LoadOp::create(b, vectorType, at(column, k), bytes()));
      transposeSquare(b, rows);
      for (auto [i, row] : llvm::enumerate(rows))
        LLVM::StoreOp::create(b, row, target(e.add(k, e.index(i))), bytes());
      return SmallVector<Value>();
    });
    e.loop(e.mul(squares, e.index(side)), block.depth, {},
           [&](Value k, ValueRange) {
             for (auto [i, column] : llvm::enumerate(columns)) {
               Value element = LLVM::LoadOp::create(b, type(), at(column, k));
               LLVM::StoreOp::create(b, element, at(target(k), e.index(i)));
             }
             return SmallVector<Value>();
           });
    return SmallVector<Value>();
  });
}

/// Packs element by element.
void Packing::packElements(RegionEmitter &e, const PanelBlock &block) {
  Value lanes = e.index(block.lanes);
  Value panels = e.ceilDiv(block.columns, lanes);
  Value last = e.sub(block.columns, e.index(1));
  e.loopNest({panels, block.depth, lanes}, {},
             [&](ArrayRef<Value> at, ValueRange) {
               Value j = e.min(e.add(e.mul(at[0], lanes), at[2]), last);
               Value value = problem.elementB(
                   e, block.batch, e.add(block.k0, at[1]), e.add(block.n0, j));
               Value row = panelRow(e, block, type(), at[0], at[1]);
               LLVM::StoreOp::create(e.builder(), value,
                                     elementAddress(e, row, type(), at[2]));
               return SmallVector<Value>();
             });
}

/// Packs an A whose columns are contiguous along the rows, in squares that are
/// transposed in registers.
void Packing::packSquaresA(RegionEmitter &e, const RowBlock &block) {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t side = block.lanes / 2;
  auto vectorType = VectorType::get(side, type());
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
                   b, vectorType,
                   problem.columnAddressA(e, block.batch, m, place), mask, zero,
                   b.getI32IntegerAttr(bytes()),
                   /*nontemporal=*/nullptr));
             }
             transposeSquare(b, rows);
             rows.truncate(std::min(side, block.tileRows - first));
             for (auto [i, row] : llvm::enumerate(rows)) {
               Value to = e.add(e.index((first + i) * block.stride), k);
               LLVM::StoreOp::create(
                   b, row, elementAddress(e, block.tile, type(), to), bytes());
             }
             return SmallVector<Value>();
           });
  }
}

void Packing::packA(RegionEmitter &e, const RowBlock &block) {
  if (problem.isTransposedA())
    return packSquaresA(e, block);
  auto store = [&](Value value, Value row, Value k) {
    Value at = e.add(e.mul(row, e.index(block.stride)), k);
    LLVM::StoreOp::create(e.builder(), value,
                          elementAddress(e, block.tile, type(), at));
    return SmallVector<Value>();
  };
  if (!problem.isContiguousA()) {
    // The rows' dimension is likely to be the inner one in memory.
    e.loopNest(
        {block.depth, block.rows}, {}, [&](ArrayRef<Value> at, ValueRange) {
          return store(problem.elementA(e, block.batch, e.add(block.m0, at[1]),
                                        e.add(block.k0, at[0])),
                       at[1], at[0]);
        });
    return;
  }
  e.loop(e.index(0), block.rows, {}, [&](Value row, ValueRange) {
    Value start = problem.rowAddress(e, block.batch, e.add(block.m0, row));
    e.loop(e.index(0), block.depth, {}, [&](Value k, ValueRange) {
      Value from = elementAddress(e, start, type(), e.add(block.k0, k));
      return store(LLVM::LoadOp::create(e.builder(), type(), from), row, k);
    });
    return SmallVector<Value>();
  });
}

void Packing::packB(RegionEmitter &e, const PanelBlock &block) {
  if (!problem.isPlainB())
    return problem.isTransposedB() ? packSquares(e, block)
                                   : packElements(e, block);
  Value whole = e.div(block.columns, e.index(block.lanes));
  packRows(e, block, whole);
  if (ShapedType::isStatic(problem.staticN) &&
      problem.staticN % block.lanes == 0)
    return;
  Value panels = e.ceilDiv(block.columns, e.index(block.lanes));
  e.loop(whole, panels, {}, [&](Value panel, ValueRange) {
    packRest(e, block, panel);
    return SmallVector<Value>();
  });
}
