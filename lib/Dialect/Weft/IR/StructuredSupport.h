//===- StructuredSupport.h - What reducing and selecting ops share --------===//

#ifndef WEFT_LIB_DIALECT_WEFT_IR_STRUCTUREDSUPPORT_H
#define WEFT_LIB_DIALECT_WEFT_IR_STRUCTUREDSUPPORT_H

#include "weft/Dialect/Weft/IR/Reduction.h"

namespace weft {

//===----------------------------------------------------------------------===//
// Verification and shapes
//===----------------------------------------------------------------------===//

/// Reports what is wrong with an op in the same words while its types are
/// inferred, when the op may not exist yet, and while it is verified.
class Complaint {
public:
  Complaint(std::optional<mlir::Location> location, llvm::StringRef opName)
      : location(location), opName(opName) {}
  Complaint(mlir::Operation *op)
      : location(op->getLoc()), opName(op->getName().getStringRef()) {}

  /// Reports the text and returns failure.
  template <typename... Args>
  llvm::LogicalResult operator()(Args &&...args) const {
    return mlir::emitOptionalError(location, "'", opName, "' op ",
                                   std::forward<Args>(args)...);
  }

private:
  std::optional<mlir::Location> location;
  llvm::StringRef opName;
};

/// Checks that `axis`, called `what`, is a dimension of `of`, which has `rank`.
llvm::LogicalResult checkAxis(const Complaint &complain, llvm::StringRef what,
                              int64_t axis, llvm::StringRef of, int64_t rank);

/// Checks that `axes` are dimensions of `of` and rise strictly.
llvm::LogicalResult checkRisingAxes(const Complaint &complain,
                                    llvm::StringRef what,
                                    llvm::ArrayRef<int64_t> axes,
                                    llvm::StringRef of, int64_t rank);

/// Checks that a list has `expected` entries, each at least `least`.
llvm::LogicalResult checkList(const Complaint &complain, llvm::StringRef what,
                              llvm::ArrayRef<int64_t> list, int64_t expected,
                              int64_t least);

/// Checks that elements of `elementType` can be combined by `kind`.
llvm::LogicalResult checkReduction(const Complaint &complain, ReduceKind kind,
                                   mlir::Type elementType);

/// Checks that `kind` is max or min.
llvm::LogicalResult checkExtremum(const Complaint &complain, ReduceKind kind);

/// Whether two sizes may be equal at run time.
bool mayAgree(int64_t a, int64_t b);

/// Checks that the shape `found` of `what` may be `wanted`.
llvm::LogicalResult checkShape(const Complaint &complain, llvm::StringRef what,
                               llvm::ArrayRef<int64_t> found,
                               llvm::ArrayRef<int64_t> wanted);

/// Checks that the last two dimensions of `input` may be of one size.
llvm::LogicalResult checkSquare(const Complaint &complain,
                                mlir::RankedTensorType input);

/// Writes a shape as types do: `2x?x3`.
std::string formatShape(llvm::ArrayRef<int64_t> shape);

/// The number of positions that a window takes: `(size + low + high - dilation
/// * (window - 1) - 1) / stride + 1` rounded down, not below zero, where `size`
/// is first spread by `inputDilation`. Dynamic sizes stay dynamic.
struct WindowDim {
  int64_t window, stride, low, high, dilation, inputDilation = 1;

  int64_t getResultSize(int64_t size) const;
  mlir::OpFoldResult getResultSize(mlir::OpBuilder &builder, mlir::Location loc,
                                   mlir::OpFoldResult size) const;
};

/// How the `taps` of a convolution's filter lie along a spatial dimension. `op`
/// is a ConvOp or ConvFilterOp.
template <typename OpTy>
WindowDim getConvDim(OpTy op, int64_t dim, int64_t taps) {
  return {.window = taps,
          .stride = op.getStrides()[dim],
          .low = op.getLow()[dim],
          .high = op.getHigh()[dim],
          .dilation = op.getFilterDilation()[dim],
          .inputDilation = op.getInputDilation()[dim]};
}

/// Appends the sizes of a result of `type`: static ones from the type, others
/// from `size`, which is called with the dimension.
void reifyDims(mlir::ReifiedRankedShapedTypeDims &reified,
               mlir::OpBuilder &builder, mlir::Type type,
               llvm::function_ref<mlir::OpFoldResult(int64_t)> size);

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

/// Converts `value`, an element of a tensor of `from`, to the signless type
/// `to`, which is of the same kind: integer or float.
mlir::Value emitConvert(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                        mlir::Type from, mlir::Type to);

/// Where a window's taps lie along one dimension: tap `t` is element `base + t
/// * dilation`; those in `[lower, upper)` lie within the input.
struct TapRange {
  mlir::Value base, lower, upper;
};

/// Emits the range of the `taps` of the window at `position` along a dimension
/// of `size` (after spreading by the input dilation).
TapRange emitTapRange(ElementEmitter &emitter, const WindowDim &window,
                      mlir::Value position, mlir::Value size, mlir::Value taps);

/// Emits a loop nest from `lower` to `upper`, innermost last, with carried
/// values.
llvm::SmallVector<mlir::Value>
emitNest(ElementEmitter &emitter, llvm::ArrayRef<mlir::Value> lower,
         llvm::ArrayRef<mlir::Value> upper, mlir::ValueRange inits,
         llvm::function_ref<llvm::SmallVector<mlir::Value>(
             llvm::ArrayRef<mlir::Value>, mlir::ValueRange)>
             body);

/// Emits `if (condition) body()`.
void emitIf(mlir::ImplicitLocOpBuilder &b, mlir::Value condition,
            llvm::function_ref<void()> body);

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

/// A tensor of zeros with the given sizes.
HostTensor makeHost(llvm::ArrayRef<int64_t> shape, mlir::Type elementType);

/// Combines elements one by one: floats in double, integers modulo 2^64.
class HostReduction {
public:
  HostReduction(ReduceKind kind, mlir::Type elementType);
  void add(const HostTensor &tensor, int64_t position);
  void store(HostTensor &tensor, int64_t position) const;

private:
  ReduceKind kind;
  mlir::Type elementType;
  double real = 0;
  int64_t whole = 0;
};

/// The order of emitIsBefore() for the elements at two positions.
bool isBefore(const HostTensor &tensor, int64_t lhs, int64_t rhs, bool falling,
              bool nanFirst);

} // namespace weft

#endif // WEFT_LIB_DIALECT_WEFT_IR_STRUCTUREDSUPPORT_H
