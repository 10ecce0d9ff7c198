//===- Cost.cpp - What running an op costs --------------------------------===//

#include "weft/Interfaces/Cost.h"
#include "mlir/IR/BuiltinTypes.h"
#include "weft/Interfaces/HostTensor.h"

using namespace mlir;
using namespace weft;

/// The sizes of a value that its type tells; none if one is symbolic.
static std::optional<SmallVector<int64_t>> getShape(Value value) {
  auto type = dyn_cast<ShapedType>(value.getType());
  if (!type)
    return SmallVector<int64_t>();
  if (!type.hasStaticShape())
    return std::nullopt;
  return llvm::to_vector(type.getShape());
}

std::optional<OpShapes> OpShapes::ofTypes(Operation *op) {
  OpShapes shapes;
  auto collect = [](ValueRange values, auto &into) {
    for (Value value : values) {
      std::optional<SmallVector<int64_t>> shape = getShape(value);
      if (!shape)
        return false;
      into.push_back(*shape);
    }
    return true;
  };
  if (!collect(op->getOperands(), shapes.operands) ||
      !collect(op->getResults(), shapes.results))
    return std::nullopt;
  return shapes;
}

double weft::countElements(ArrayRef<int64_t> shape) {
  double count = 1;
  for (int64_t size : shape)
    count *= static_cast<double>(size);
  return count;
}

double weft::countBytes(ValueRange values,
                        ArrayRef<SmallVector<int64_t>> shapes) {
  double bytes = 0;
  for (auto [value, shape] : llvm::zip_equal(values, shapes))
    if (auto type = dyn_cast<ShapedType>(value.getType()))
      bytes += countElements(shape) *
               static_cast<double>(getStorageBytes(type.getElementType()));
  return bytes;
}

Cost &Cost::operator+=(const Cost &other) {
  flops += other.flops;
  bytesRead += other.bytesRead;
  bytesWritten += other.bytesWritten;
  return *this;
}

Cost Cost::operator*(double times) const {
  return {flops * times, bytesRead * times, bytesWritten * times};
}
