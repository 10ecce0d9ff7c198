//===- HostTensor.h - A tensor's bytes on the host ------------------------===//

#ifndef WEFT_INTERFACES_HOSTTENSOR_H
#define WEFT_INTERFACES_HOSTTENSOR_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>

namespace weft {

/// Bytes that one element of `type` takes in memory, in the compiler as in the
/// runtime. Elements narrower than a byte (i1, i4, i2, f4) take one each.
int64_t getStorageBytes(mlir::Type type);

/// The number that programs have for elements of `type` (weft_dtype in
/// weft-rt/program.h); 0 if they have none.
int32_t getDtype(mlir::Type type);

/// The opposite of getDtype(); null for what is no number of it.
mlir::Type getTypeOfDtype(int32_t dtype, mlir::MLIRContext *context);

/// A dense row-major tensor with concrete sizes. Copies share their bytes until
/// one of them is written to through `getMutableBytes`.
class HostTensor {
public:
  HostTensor() = default;

  /// A tensor of zeros. `type` must have a static shape.
  explicit HostTensor(mlir::RankedTensorType type);

  /// A tensor that borrows `bytes`, which must outlive it and hold the elements
  /// in the storage format that getStorageBytes() tells of.
  static HostTensor borrow(mlir::RankedTensorType type,
                           llvm::ArrayRef<char> bytes);

  /// The tensor that `attr` describes. Splats are expanded.
  static HostTensor fromAttr(mlir::DenseElementsAttr attr);

  /// A rank-0 tensor of i64.
  static HostTensor fromIndex(mlir::MLIRContext *context, int64_t value);

  /// The tensor as an attribute; it copies the bytes into the context, so it is
  /// meant for small tensors.
  mlir::DenseElementsAttr toAttr() const;

  mlir::RankedTensorType getType() const { return type; }
  llvm::ArrayRef<int64_t> getShape() const { return type.getShape(); }
  mlir::Type getElementType() const { return type.getElementType(); }
  int64_t getRank() const { return type.getRank(); }
  int64_t getNumElements() const { return type.getNumElements(); }

  llvm::ArrayRef<char> getBytes() const { return bytes; }
  llvm::MutableArrayRef<char> getMutableBytes();

  /// Element `index` in row-major order. Integers and booleans are converted.
  double getFloat(int64_t index) const;
  /// Element `index`, sign- or zero-extended; floats are truncated.
  int64_t getInt(int64_t index) const;
  /// Stores `value` rounded to the element type (to nearest, ties to even;
  /// f8E8M0FNU rounds its magnitude up).
  void setFloat(int64_t index, double value);
  /// Stores the low bits of `value`.
  void setInt(int64_t index, int64_t value);
  /// Copies the bits of one element of a tensor with the same element type.
  void copyElement(int64_t index, const HostTensor &from, int64_t fromIndex);

  /// The same bytes under another shape with the same number of elements.
  HostTensor reshape(llvm::ArrayRef<int64_t> shape) const;

private:
  mlir::RankedTensorType type;
  std::shared_ptr<llvm::SmallVector<char, 0>> owned;
  llvm::ArrayRef<char> bytes;
};

/// Calls `visit` with each index of a tensor of `shape`, in row-major order.
void forEachIndex(llvm::ArrayRef<int64_t> shape,
                  llvm::function_ref<void(llvm::ArrayRef<int64_t>)> visit);

/// The row-major position of `index` in a tensor of `shape`.
int64_t linearize(llvm::ArrayRef<int64_t> index, llvm::ArrayRef<int64_t> shape);

} // namespace weft

#endif // WEFT_INTERFACES_HOSTTENSOR_H
