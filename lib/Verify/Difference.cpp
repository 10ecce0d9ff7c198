//===- Difference.cpp - How far two tensors are apart ---------------------===//

#include "weft/Verify/Difference.h"
#include <cmath>

using namespace mlir;
using namespace weft;

/// How often `error` holds `allowed`: at most 1 is within the tolerance.
static double getRatio(double error, double allowed) {
  if (error == 0)
    return 0;
  if (std::isnan(error) || allowed == 0)
    return std::numeric_limits<double>::infinity();
  return error / allowed;
}

static double getError(double got, double want) {
  bool isSame = got == want || (std::isnan(got) && std::isnan(want));
  return isSame ? 0 : std::abs(got - want);
}

/// The distance of two integers, which may be too large for a double to tell
/// them apart.
static double getIntError(const HostTensor &got, const HostTensor &want,
                          int64_t i) {
  int64_t left = got.getInt(i), right = want.getInt(i);
  if (left == right)
    return 0;
  return std::max(
      1.0, std::abs(static_cast<double>(left) - static_cast<double>(right)));
}

Difference weft::compareTensors(const HostTensor &got, const HostTensor &want,
                                const Tolerance &tolerance) {
  assert(got.getShape() == want.getShape() &&
         got.getElementType() == want.getElementType() &&
         "tensors of one type are compared");
  bool isFloat = isa<FloatType>(want.getElementType());
  Difference difference;
  difference.elements = want.getNumElements();
  double worst = -1;
  for (int64_t i = 0; i < difference.elements; ++i) {
    double left = got.getFloat(i), right = want.getFloat(i);
    double error = isFloat ? getError(left, right) : getIntError(got, want, i);
    double size = std::isfinite(right) ? std::abs(right) : 0;
    double allowed = tolerance.relative * size + tolerance.absolute;
    double ratio = getRatio(error, allowed);
    difference.outside += ratio > 1;
    if (ratio <= worst)
      continue;
    worst = ratio;
    difference.worst = i;
    difference.got = left;
    difference.want = right;
    difference.error = error;
    difference.allowed = allowed;
    difference.ratio = ratio;
  }
  return difference;
}

/// The part of itself that an element may be off.
static double getRelative(FloatType type) {
  if (type.isF64())
    return 1e-10;
  double unit = std::ldexp(1, 1 - static_cast<int>(type.getFPMantissaWidth()));
  return std::max(1e-4, 4 * unit);
}

Tolerance weft::getKernelTolerance(const HostTensor &want, double scale) {
  auto type = dyn_cast<FloatType>(want.getElementType());
  if (!type)
    return {};
  double sum = 0, count = 0;
  for (int64_t i = 0; i < want.getNumElements(); ++i) {
    double value = want.getFloat(i);
    if (!std::isfinite(value))
      continue;
    sum += value * value;
    ++count;
  }
  double relative = scale * getRelative(type);
  return {relative, count ? relative * std::sqrt(sum / count) : 0};
}
