//===- TensorMaps.h - What the runtime makes tensor maps of ---------------===//

#ifndef WEFT_LIB_CONVERSION_HOSTTOLLVM_TENSORMAPS_H
#define WEFT_LIB_CONVERSION_HOSTTOLLVM_TENSORMAPS_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "llvm/ADT/DenseMap.h"

namespace weft {

/// Of a function that launches: where it has its tensor maps made. What these
/// are made of are globals at the module's front; equal ones are one.
class TensorMaps {
public:
  explicit TensorMaps(mlir::ModuleOp module);

  /// The most that a launch takes.
  size_t getMost() const { return most; }
  /// Makes room for so many, on the stack.
  void reserve(mlir::ImplicitLocOpBuilder &b);
  /// The place of one of them.
  mlir::Value at(mlir::ImplicitLocOpBuilder &b, size_t place);
  /// What weft_rt_device_tensor_map() is to be called with behind the run, so
  /// that it makes `map` at `place`, for the tensor whose address is at `word`.
  llvm::SmallVector<mlir::Value> describe(mlir::ImplicitLocOpBuilder &b,
                                          dispatch::TensorMapAttr map,
                                          mlir::Value word, size_t place);

private:
  struct Globals {
    mlir::LLVM::GlobalOp map, sizes;
  };
  Globals create(mlir::ImplicitLocOpBuilder &b, dispatch::TensorMapAttr map);

  mlir::ModuleOp module;
  mlir::LLVM::LLVMPointerType ptr;
  size_t most = 0;
  mlir::Value room;
  llvm::DenseMap<mlir::Attribute, Globals> known;
};

} // namespace weft

#endif // WEFT_LIB_CONVERSION_HOSTTOLLVM_TENSORMAPS_H
