//===- Difference.h - How far two tensors are apart -----------------------===//

#ifndef WEFT_VERIFY_DIFFERENCE_H
#define WEFT_VERIFY_DIFFERENCE_H

#include "weft/Interfaces/HostTensor.h"

namespace weft {

/// How far an element may be from `want`: `relative * |want| + absolute`.
struct Tolerance {
  double relative = 0, absolute = 0;
};

/// What a comparison of two tensors found.
struct Difference {
  int64_t elements = 0;
  int64_t outside = 0; ///< how many elements are outside the tolerance
  /// The element that is furthest out, in row-major order, measured by its
  /// tolerance; what it is and should be. -1 if there are no elements.
  int64_t worst = -1;
  double got = 0, want = 0;
  double error = 0;   ///< |got - want| of the worst element
  double allowed = 0; ///< its tolerance
  /// How often `error` holds `allowed`: more than 1 is outside.
  double ratio = 0;
};

/// Compares two tensors of the same shape and element type. NaN equals NaN, and
/// an infinity itself; integers and booleans are taken as they are.
Difference compareTensors(const HostTensor &got, const HostTensor &want,
                          const Tolerance &tolerance);

/// How far a kernel's result may be from the reference evaluator's: `scale`
/// times a number for the element type (1e-4 for f32, 1e-10 for f64, four units
/// in the last place for narrower floats, nothing for integers), of the element
/// itself and of the root of the mean square of all. The latter is the size of
/// the terms that a sum is made of, of which little may be left.
Tolerance getKernelTolerance(const HostTensor &want, double scale = 1);

} // namespace weft

#endif // WEFT_VERIFY_DIFFERENCE_H
