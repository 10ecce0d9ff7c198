//===- SmallFloat.h - Layouts of floats of 8 bits and fewer ---------------===//

#ifndef WEFT_LIB_DIALECT_WEFT_IR_SMALLFLOAT_H
#define WEFT_LIB_DIALECT_WEFT_IR_SMALLFLOAT_H

#include "mlir/IR/BuiltinTypes.h"
#include <optional>

namespace weft::detail {

/// How a float of at most 8 bits is encoded: a sign bit, then the exponent,
/// then the mantissa, with subnormal numbers where the exponent is zero.
struct SmallFloat {
  int exponentBits;
  int mantissaBits;
  int bias;
  /// The code of the largest finite number, without its sign.
  int maxCode;
  /// Codes without their sign; negative where there is no such value.
  int infinityCode;
  int nanCode;
  /// NaN is the code of minus zero, and zero has no sign.
  bool nanIsMinusZero;

  int getWidth() const { return 1 + exponentBits + mantissaBits; }
};

/// The layout of `type`; none for wider floats, and for f8E8M0FNU, which is an
/// exponent alone.
inline std::optional<SmallFloat> getSmallFloat(mlir::Type type) {
  if (mlir::isa<mlir::Float8E4M3FNType>(type))
    return SmallFloat{4, 3, 7, 0x7e, -1, 0x7f, false};
  if (mlir::isa<mlir::Float8E4M3FNUZType>(type))
    return SmallFloat{4, 3, 8, 0x7f, -1, -1, true};
  if (mlir::isa<mlir::Float8E5M2Type>(type))
    return SmallFloat{5, 2, 15, 0x7b, 0x7c, 0x7e, false};
  if (mlir::isa<mlir::Float8E5M2FNUZType>(type))
    return SmallFloat{5, 2, 16, 0x7f, -1, -1, true};
  if (mlir::isa<mlir::Float4E2M1FNType>(type))
    return SmallFloat{2, 1, 1, 0x7, -1, -1, false};
  return std::nullopt;
}

} // namespace weft::detail

#endif // WEFT_LIB_DIALECT_WEFT_IR_SMALLFLOAT_H
