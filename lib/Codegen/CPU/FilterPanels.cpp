//===- FilterPanels.cpp - Packing what taps meet --------------------------===//
//
// In the gradient of a filter, rows of A lie in memory in pieces, one per
// image. B is laid out along the depth for some columns at a time, by lines of
// output positions along which a tap walks over the input, with zeros before
// and after it; from there, panels are filled in squares that are transposed in
// registers.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weft/Codegen/Common/FilterProblem.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
class FilterPacking : public Packing {
public:
  explicit FilterPacking(FilterProblem &problem)
      : Packing(problem), problem(problem),
        hasLines(problem.spatialRank > 0 &&
                 ShapedType::isStatic(problem.lastLength) &&
                 problem.lastLength > 0 &&
                 problem.filter.getInputDilation().back() == 1),
        lineLength(hasLines ? problem.lastLength : 1) {}

  int64_t depthGranule() override {
    return problem.isPointwise ? 1 : lineLength;
  }
  int64_t packingBytes(int64_t columns, int64_t depth, int64_t lanes) override {
    return lanes / 2 * stripStride(depth, lanes) * bytes();
  }
  void packA(RegionEmitter &e, const RowBlock &block) override;
  void packB(RegionEmitter &e, const PanelBlock &block) override;

private:
  /// Between the columns of a strip: a whole number of vectors, and one more,
  /// so that they do not drive each other from the cache.
  static int64_t stripStride(int64_t depth, int64_t lanes) {
    return llvm::alignTo(depth, lanes / 2) + lanes / 2;
  }
  Value positions(RegionEmitter &e);
  void layOut(RegionEmitter &e, const PanelBlock &block, Value column,
              Value strip);
  void layOutLine(RegionEmitter &e, ArrayRef<Value> place,
                  ArrayRef<Value> parts, SmallVector<Value> indices, Value to);

  FilterProblem &problem;
  bool hasLines;      ///< lines are known, and B is packed by them
  int64_t lineLength; ///< positions along the last dimension
};
} // namespace

/// The number of positions in an image.
Value FilterPacking::positions(RegionEmitter &e) {
  return e.product(ArrayRef(problem.depthSizes(e)).drop_front());
}

/// Copies `length` elements.
static void copyElements(RegionEmitter &e, Type type, Value from, Value to,
                         Value length) {
  e.loop(e.index(0), length, {}, [&](Value i, ValueRange) {
    Value element = LLVM::LoadOp::create(e.builder(), type,
                                         elementAddress(e, from, type, i));
    LLVM::StoreOp::create(e.builder(), element, elementAddress(e, to, type, i));
    return SmallVector<Value>();
  });
}

/// Where position `position` of a channel of an image lies.
static Value placeAddress(RegionEmitter &e, Value tensor, Value image,
                          Value channel, Value position) {
  const MemoryView &view = *e.getMemory(tensor);
  Value start =
      e.add(e.mul(image, view.strides[0]), e.mul(channel, view.strides[1]));
  return e.address(view, e.add(start, position));
}

void FilterPacking::packA(RegionEmitter &e, const RowBlock &block) {
  Value grad = problem.filter.getGrad();
  if (grad.getDefiningOp() ||
      problem.filter.getGrad().getType().getElementType() != type())
    return Packing::packA(e, block);
  Value firstChannel =
      e.add(e.mul(block.batch[0], e.index(problem.staticM)), block.m0);
  forEachPiece(
      e, block.k0, block.depth, positions(e),
      [&](Value image, Value position, Value firstK, Value length) {
        e.loop(e.index(0), block.rows, {}, [&](Value row, ValueRange) {
          Value at = e.add(e.mul(row, e.index(block.stride)), firstK);
          copyElements(
              e, type(),
              placeAddress(e, grad, image, e.add(firstChannel, row), position),
              elementAddress(e, block.tile, type(), at), length);
          return SmallVector<Value>();
        });
      });
}

/// Lays out at `to` what a column, of which `parts` are the channel and the
/// taps, meets along one line of positions, at `place` (the image and all
/// positions but the last). `indices` are the image and channel of the
/// input.
void FilterPacking::layOutLine(RegionEmitter &e, ArrayRef<Value> place,
                               ArrayRef<Value> parts,
                               SmallVector<Value> indices, Value to) {
  ImplicitLocOpBuilder &b = e.builder();
  Value inside;
  int64_t last = problem.spatialRank - 1;
  for (int64_t dim : llvm::seq(last))
    indices.push_back(problem.input.indexAt(
        e, dim, problem.positionOf(e, dim, place[dim + 1], parts[dim + 1]),
        inside));

  // The positions whose element is one of the input's.
  Value zero = e.index(0), length = e.index(lineLength);
  Value stride = e.index(problem.filter.getStrides()[last]);
  Value start = problem.positionOf(e, last, zero, parts[last + 1]);
  Value size = e.size(problem.filter.getInput(), last + 2);
  Value begin =
      e.min(e.ceilDiv(e.max(e.sub(zero, start), zero), stride), length);
  Value end = e.min(e.ceilDiv(e.max(e.sub(size, start), zero), stride), length);
  end = e.max(begin, end);
  if (inside) {
    begin = arith::SelectOp::create(b, inside, begin, length);
    end = arith::SelectOp::create(b, inside, end, length);
  }
  auto store = [&](Value position, Value value) {
    LLVM::StoreOp::create(b, value, elementAddress(e, to, type(), position));
    return SmallVector<Value>();
  };
  Value fill = e.constant(type(), 0);
  e.loop(zero, begin, {}, [&](Value i, ValueRange) { return store(i, fill); });
  indices.push_back(nullptr);
  e.loop(begin, end, {}, [&](Value i, ValueRange) {
    indices.back() = e.add(e.mul(i, stride), start);
    return store(i, problem.input.element(e, indices));
  });
  e.loop(end, length, {}, [&](Value i, ValueRange) { return store(i, fill); });
}

/// Lays out at `strip` what `column` meets along the block's depth.
void FilterPacking::layOut(RegionEmitter &e, const PanelBlock &block,
                           Value column, Value strip) {
  SmallVector<Value> parts = problem.splitColumn(e, column);
  Value channel =
      e.add(e.mul(block.batch[0], e.index(problem.groupChannels)), parts[0]);
  auto at = [&](Value k) { return elementAddress(e, strip, type(), k); };
  if (problem.isPointwise)
    return forEachPiece(
        e, block.k0, block.depth, positions(e),
        [&](Value image, Value position, Value firstK, Value length) {
          copyElements(e, type(),
                       placeAddress(e, problem.filter.getInput(), image,
                                    channel, position),
                       at(firstK), length);
        });
  Value length = e.index(lineLength), firstLine = e.div(block.k0, length);
  SmallVector<Value> sizes = problem.depthSizes(e);
  sizes.pop_back();
  e.loop(
      e.index(0), e.div(block.depth, length), {}, [&](Value line, ValueRange) {
        SmallVector<Value> place = e.delinearize(e.add(firstLine, line), sizes);
        layOutLine(e, place, parts, {place[0], channel},
                   at(e.mul(line, length)));
        return SmallVector<Value>();
      });
}

void FilterPacking::packB(RegionEmitter &e, const PanelBlock &block) {
  if (!hasLines && !problem.isPointwise)
    return Packing::packB(e, block);
  ImplicitLocOpBuilder &b = e.builder();
  int64_t side = block.lanes / 2,
          stride = stripStride(block.panelDepth, block.lanes);
  auto vectorType = VectorType::get(side, type());
  auto stripOf = [&](Value lane) {
    return elementAddress(e, block.scratch, type(),
                          e.mul(lane, e.index(stride)));
  };
  Value last = e.sub(block.columns, e.index(1));
  Value panels = e.ceilDiv(block.columns, e.index(block.lanes));
  e.loopNest({panels, e.index(2)}, {}, [&](ArrayRef<Value> place, ValueRange) {
    Value firstLane = e.mul(place[1], e.index(side));
    Value first = e.add(e.mul(place[0], e.index(block.lanes)), firstLane);
    e.loop(e.index(0), e.index(side), {}, [&](Value lane, ValueRange) {
      Value column = e.add(block.n0, e.min(e.add(first, lane), last));
      layOut(e, block, column, stripOf(lane));
      return SmallVector<Value>();
    });
    Value firstRow = e.mul(place[0], e.index(block.panelDepth));
    // Rows of the last square that lie beyond the depth go where rows of the
    // next panel follow, or behind all.
    e.loop(e.index(0), e.ceilDiv(block.depth, e.index(side)), {},
           [&](Value square, ValueRange) {
             Value k = e.mul(square, e.index(side));
             SmallVector<Value> rows;
             for (int64_t i : llvm::seq(side))
               rows.push_back(LLVM::LoadOp::create(
                   b, vectorType,
                   elementAddress(e, stripOf(e.index(i)), type(), k), bytes()));
             transposeSquare(b, rows);
             for (auto [i, row] : llvm::enumerate(rows)) {
               Value to = e.add(firstRow, e.add(k, e.index(i)));
               to = e.add(e.mul(to, e.index(block.lanes)), firstLane);
               LLVM::StoreOp::create(
                   b, row, elementAddress(e, block.panels, type(), to),
                   bytes());
             }
             return SmallVector<Value>();
           });
    return SmallVector<Value>();
  });
}

PackedProduct weft::cpu::createFilterGradient(ConvFilterOp op) {
  std::unique_ptr<FilterProblem> problem = FilterProblem::create(op);
  if (!problem)
    return {};
  auto packing = std::make_unique<FilterPacking>(*problem);
  return {std::move(problem), std::move(packing)};
}
