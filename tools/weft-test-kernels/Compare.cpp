//===- Compare.cpp - Results against references ---------------------------===//

#include "Case.h"
#include "llvm/Support/Format.h"
#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::test;

/// The bounds leave room for a chain of some ten roundings, and for sums of a
/// few hundred terms in another order.
double weft::test::getBound(Type elementType) {
  if (elementType.isF64())
    return 1e-25; // (1e-16)^2, and functions of libm that miss by a few units
  if (elementType.isF32())
    return 1e-11; // (6e-8)^2, and approximations good to 1e-6
  if (elementType.isF16())
    return 4e-6; // (5e-4)^2: each op of a chain rounds
  if (elementType.isBF16())
    return 2e-4; // (4e-3)^2
  // Integers, and floats that are stored forms of codes, are the same or wrong.
  return 0;
}

double weft::test::getOwnBound(const Case &test, Type elementType) {
  auto own = test.function->getAttrOfType<FloatAttr>("test.bound");
  return own ? own.getValueAsDouble() : getBound(elementType);
}

double weft::test::getMagnitude(const Case &test) {
  auto least = test.function->getAttrOfType<FloatAttr>("test.magnitude");
  return least ? least.getValueAsDouble() : 0;
}

/// The index of element `position`, as "[1, 2]".
static std::string printIndex(int64_t position, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> index(shape.size());
  for (size_t dim = shape.size(); dim-- > 0;) {
    index[dim] = position % shape[dim];
    position /= shape[dim];
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(index, os);
  os << ']';
  return text;
}

static std::string reportElement(const HostTensor &result,
                                 const HostTensor &reference, int64_t i) {
  std::string text = "element " + printIndex(i, result.getShape());
  llvm::raw_string_ostream os(text);
  if (isa<FloatType>(result.getElementType()))
    os << llvm::format(" is %.9g, wanted %.9g", result.getFloat(i),
                       reference.getFloat(i));
  else
    os << " is " << result.getInt(i) << ", wanted " << reference.getInt(i);
  return text;
}

static std::string compareExactly(const HostTensor &result,
                                  const HostTensor &reference) {
  int64_t wrong = 0, first = 0;
  for (int64_t i : llvm::seq(result.getNumElements())) {
    bool isEqual = isa<FloatType>(result.getElementType())
                       ? result.getFloat(i) == reference.getFloat(i) ||
                             (std::isnan(result.getFloat(i)) &&
                              std::isnan(reference.getFloat(i)))
                       : result.getInt(i) == reference.getInt(i);
    if (!isEqual && wrong++ == 0)
      first = i;
  }
  if (!wrong)
    return "";
  return std::to_string(wrong) + " of " +
         std::to_string(result.getNumElements()) + " elements differ; " +
         reportElement(result, reference, first);
}

std::string weft::test::compare(const HostTensor &result,
                                const HostTensor &reference, double bound,
                                double magnitude) {
  if (result.getShape() != reference.getShape()) {
    std::string text = "the shape is ";
    llvm::raw_string_ostream os(text);
    os << result.getType() << ", wanted " << reference.getType();
    return text;
  }
  if (bound == 0)
    return compareExactly(result, reference);

  double errors = 0, squares = 0;
  int64_t count = 0;
  for (int64_t i : llvm::seq(result.getNumElements())) {
    double x = result.getFloat(i), y = reference.getFloat(i);
    if (std::isfinite(y) != std::isfinite(x))
      return reportElement(result, reference, i);
    if (!std::isfinite(y)) {
      if (std::isnan(x) != std::isnan(y) || (!std::isnan(x) && x != y))
        return reportElement(result, reference, i);
      continue;
    }
    errors += (x - y) * (x - y);
    squares += y * y;
    ++count;
  }
  squares = std::max(squares, count * magnitude * magnitude);
  // One bad element among many hardly moves the mean, so each is held to a
  // coarser bound of its own.
  double mean = count ? std::sqrt(squares / count) : 0;
  double tolerance = 64 * std::sqrt(bound);
  for (int64_t i : llvm::seq(result.getNumElements())) {
    double x = result.getFloat(i), y = reference.getFloat(i);
    if (std::isfinite(y) && std::abs(x - y) > tolerance * (std::abs(y) + mean))
      return reportElement(result, reference, i);
  }
  if (errors <= bound * squares)
    return "";
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format(
      "the normalised mean squared error is %.3g, the bound %.3g",
      errors / squares, bound);
  return text;
}
