//===- Cost.cpp - What the ops cost ---------------------------------------===//

#include "Elementwise.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace weft;

/// What a function costs that is approximated by a polynomial.
static constexpr double kFunction = 16;

/// The product of the sizes of `dims`.
static double countAlong(ArrayRef<int64_t> shape, ArrayRef<int64_t> dims) {
  double count = 1;
  for (int64_t dim : dims)
    count *= static_cast<double>(shape[dim]);
  return count;
}

double weft::detail::countElementwise(Operation *op, const OpShapes &shapes) {
  double each =
      TypeSwitch<Operation *, double>(op)
          .Case<AcosOp, AcoshOp, AsinOp, AsinhOp, AtanOp, AtanhOp, CosOp,
                CoshOp, ErfOp, ExpOp, LogOp, LogisticOp, PowOp, SinOp, SinhOp,
                TanOp, TanhOp>([](Operation *) { return kFunction; })
          .Case<BitcastOp>([](Operation *) { return 0; })
          .Default([](Operation *) { return 1; });
  return each * countElements(shapes.results[0]);
}

//===----------------------------------------------------------------------===//
// Sources, index maps, chosen elements
//===----------------------------------------------------------------------===//

// Constants lie in memory; a reshape is another name for what does.
double ConstantOp::countBytesWritten(const OpShapes &) { return 0; }
double ReshapeOp::countBytesRead(const OpShapes &) { return 0; }
double ReshapeOp::countBytesWritten(const OpShapes &) { return 0; }

/// Ten rounds of a dozen operations make four numbers.
double RandomUniformOp::countFlops(const OpShapes &shapes) {
  return 30 * countElements(shapes.results[0]);
}

double SliceOp::countBytesRead(const OpShapes &shapes) {
  return countBytes(getOperation()->getResults(), shapes.results);
}

/// Elements that are chosen are read as often as they are wanted.
static double countChosen(Operation *op, const OpShapes &shapes) {
  return countBytes(op->getResults(), shapes.results) +
         countBytes(op->getOperands().take_back(),
                    ArrayRef(shapes.operands).take_back());
}

double GatherOp::countBytesRead(const OpShapes &shapes) {
  return countChosen(*this, shapes);
}
double GatherElementsOp::countBytesRead(const OpShapes &shapes) {
  return countChosen(*this, shapes);
}
double GatherNDOp::countBytesRead(const OpShapes &shapes) {
  return countChosen(*this, shapes);
}

double ScatterElementsOp::countFlops(const OpShapes &shapes) {
  return getKind() == ScatterKind::set ? 0 : countElements(shapes.operands[2]);
}
double ScatterNDOp::countFlops(const OpShapes &shapes) {
  return getKind() == ScatterKind::set ? 0 : countElements(shapes.operands[2]);
}

/// Comparisons of a sort.
double TopKOp::countFlops(const OpShapes &shapes) {
  ArrayRef<int64_t> input = shapes.operands[0];
  double size = static_cast<double>(input[getAxis()]);
  return countElements(input) * std::ceil(std::log2(std::max(size, 2.0)));
}

double NonZeroOp::countFlops(const OpShapes &shapes) {
  return countElements(shapes.operands[0]);
}

//===----------------------------------------------------------------------===//
// Reductions, windows, normalisations
//===----------------------------------------------------------------------===//

double ReduceOp::countFlops(const OpShapes &shapes) {
  return countElements(shapes.operands[0]);
}
double ArgReduceOp::countFlops(const OpShapes &shapes) {
  return countElements(shapes.operands[0]);
}
double CumulativeOp::countFlops(const OpShapes &shapes) {
  return countElements(shapes.operands[0]);
}
double ReduceWindowOp::countFlops(const OpShapes &shapes) {
  return countElements(shapes.results[0]) * countElements(getWindow());
}
double ArgReduceWindowOp::countFlops(const OpShapes &shapes) {
  return countElements(shapes.results[0]) * countElements(getWindow());
}

double SpreadWindowOp::countFlops(const OpShapes &shapes) {
  return countElements(shapes.operands[0]) * countElements(getWindow());
}

/// Compare, subtract, add, multiply, and an exponential.
double SoftmaxOp::countFlops(const OpShapes &shapes) {
  return (4 + kFunction) * countElements(shapes.results[0]);
}

/// A square, a sum and a product; with a mean, another sum and two
/// differences.
double NormalizeOp::countFlops(const OpShapes &shapes) {
  return (getRms() ? 3 : 6) * countElements(shapes.results[0]);
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

double ContractOp::countFlops(const OpShapes &shapes) {
  return 2 * countElements(shapes.results[0]) *
         countAlong(shapes.operands[0], getLhsContract());
}

double ConvOp::countFlops(const OpShapes &shapes) {
  // Each result sums over a filter, which has one output channel less.
  return 2 * countElements(shapes.results[0]) *
         countElements(ArrayRef(shapes.operands[1]).drop_front());
}

double ConvFilterOp::countFlops(const OpShapes &shapes) {
  // Each result of the convolution is multiplied with what its taps meet.
  return 2 * countElements(shapes.operands[1]) *
         countElements(ArrayRef(shapes.results[0]).drop_front());
}

/// Elimination takes two thirds of n^3.
double DetOp::countFlops(const OpShapes &shapes) {
  return countElements(shapes.operands[0]) *
         static_cast<double>(shapes.operands[0].back()) * 2 / 3;
}

/// Each step changes all rows of the matrix and of the unit.
double InverseOp::countFlops(const OpShapes &shapes) {
  return 4 * countElements(shapes.operands[0]) *
         static_cast<double>(shapes.operands[0].back());
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// The scores of shapes that begin with those of a query and a key.
static double countScores(const OpShapes &shapes) {
  ArrayRef<int64_t> key = shapes.operands[1];
  return countElements(ArrayRef(shapes.operands[0]).drop_back()) *
         static_cast<double>(key[key.size() - 2]);
}

/// Two products, and what a softmax takes.
double AttentionOp::countFlops(const OpShapes &shapes) {
  double depth = shapes.operands[0].back(), width = shapes.operands[2].back();
  return countScores(shapes) * (2 * depth + 2 * width + 4 + kFunction);
}

/// Scores and the gradients of probabilities once for the query's rows and once
/// for the key's, and three products with them.
double AttentionGradientOp::countFlops(const OpShapes &shapes) {
  double depth = shapes.operands[0].back(), width = shapes.operands[2].back();
  return countScores(shapes) * (8 * depth + 6 * width + 2 * (4 + kFunction));
}
