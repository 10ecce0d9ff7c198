//===- Image.cpp - Grids, and the list of the image family ----------------===//

#include "Image.h"

using namespace mlir;
using namespace weft;
using onnx::Node;

/// Normalized coordinates along an axis: -1 and 1 are the centres of its first
/// and last element, or the outer edges of these.
static Expr gridAxis(Lowering &lower, OpFoldResult size, bool alignCorners) {
  Type type = lower.b.getF64Type();
  Expr index = iota(lower, type, size);
  Expr count = sizeTerm(lower, size, type);
  if (alignCorners)
    return index * 2.0 / max(count - 1.0, 1.0) - 1.0;
  return (index * 2.0 + 1.0) / count - 1.0;
}

static LogicalResult lowerAffineGrid(Lowering &lower, Node node,
                                     SmallVectorImpl<Value> &results) {
  Expr theta(lower, lower.operand(node, 0));
  Value list = lower.operand(node, 1);
  if (!Lowering::typeOf(list).hasStaticShape())
    return lower.unsupported(node, "'size' of symbolic length");
  SmallVector<OpFoldResult> size = lower.indexValues(list);
  if (size.size() != 4 && size.size() != 5)
    return lower.fail(node, "'size' has " + Twine(size.size()) +
                                " elements, wanted 4 or 5");
  bool alignCorners = node.getInt("align_corners", 0);
  ArrayRef<OpFoldResult> spatial = ArrayRef(size).drop_front(2);
  int64_t rank = spatial.size();
  // [spatial..., x y (z) 1]; the innermost axis comes first.
  SmallVector<Expr> terms;
  for (int64_t axis = rank - 1; axis >= 0; --axis) {
    SmallVector<OpFoldResult> shape(rank, lower.index(1));
    shape[axis] = spatial[axis];
    terms.push_back(gridAxis(lower, spatial[axis], alignCorners)
                        .cast(theta.element())
                        .reshape(shape)
                        .broadcast(spatial));
  }
  terms.push_back(full(lower, 1, theta.element(), spatial));
  // [N, rank, spatial...]
  Expr product = contract(theta, stackLast(terms), {}, {}, {2}, {rank});
  SmallVector<int64_t> permutation = {0};
  for (int64_t axis = 0; axis < rank; ++axis)
    permutation.push_back(axis + 2);
  permutation.push_back(1);
  results.push_back(product.transpose(permutation));
  return success();
}

static LogicalResult refuseImageDecoder(Lowering &lower, Node node,
                                        SmallVectorImpl<Value> &results) {
  return lower.unsupported(node, "encoded images can't be decoded");
}

void weft::addImageLowerings(LoweringTable &table) {
  table["AffineGrid"] = lowerAffineGrid;
  table["DeformConv"] = lowerDeformConv;
  table["GridSample"] = lowerGridSample;
  table["ImageDecoder"] = refuseImageDecoder;
  table["MaxRoiPool"] = lowerMaxRoiPool;
  table["NonMaxSuppression"] = lowerNonMaxSuppression;
  table["Resize"] = lowerResize;
  table["RoiAlign"] = lowerRoiAlign;
}
