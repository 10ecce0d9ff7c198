//===- RegionEmitter.h - Elements of a region's tensors, as code ----------===//

#ifndef WEFT_CODEGEN_COMMON_REGIONEMITTER_H
#define WEFT_CODEGEN_COMMON_REGIONEMITTER_H

#include "weft/Interfaces/Interfaces.h"
#include "llvm/ADT/DenseMap.h"
#include <functional>
#include <map>

namespace weft {

/// A tensor in memory: an address, and a size and a stride (in elements, both
/// of `index` type) per dimension.
struct MemoryView {
  mlir::Value pointer; ///< !llvm.ptr to the first element
  mlir::Type elementType;
  llvm::SmallVector<mlir::Value> sizes;
  llvm::SmallVector<mlir::Value> strides;
};

/// Emits elements of the tensors of one `dispatch.region`. A tensor is either
/// bound, to memory or to a rule of the caller's, or computed where it is used
/// by the emission rule of the op that defines it. What was emitted before for
/// the same tensor and indices is used again where it dominates.
class RegionEmitter : public LoopEmitter {
public:
  using ElementFn = std::function<mlir::Value(llvm::ArrayRef<mlir::Value>)>;
  using FaultFn =
      std::function<void(mlir::Operation *op, mlir::Value condition,
                         Fault fault, mlir::Value found, mlir::Value wanted)>;

  explicit RegionEmitter(mlir::ImplicitLocOpBuilder &builder) : b(builder) {}

  /// Makes element() use `fn` for `tensor`.
  void bind(mlir::Value tensor, ElementFn fn);
  /// Makes element() load from `view` for `tensor`.
  void bindMemory(mlir::Value tensor, MemoryView view);
  /// The memory that `tensor` is bound to, or null.
  const MemoryView *getMemory(mlir::Value tensor) const;
  /// Makes scalar() return `value` for the region's `index` argument.
  void bindScalar(mlir::Value argument, mlir::Value value);
  /// Makes size() return `size`.
  void bindSize(mlir::Value tensor, unsigned dim, mlir::Value size);
  /// What require() calls with a condition that must hold.
  void setFaultHandler(FaultFn fn) { faultHandler = std::move(fn); }
  /// Forgets what was emitted so far, before memory that it read changes.
  void forgetElements() { emitted.clear(); }

  /// Loads and stores elements in storage format; elements are signless.
  mlir::Value load(const MemoryView &view, llvm::ArrayRef<mlir::Value> indices);
  void store(const MemoryView &view, llvm::ArrayRef<mlir::Value> indices,
             mlir::Value element);
  /// What lies in memory for an element of a tensor of `elementType`.
  static mlir::Type getStorageType(mlir::Type elementType);
  mlir::Value fromStorage(mlir::Value stored, mlir::Type elementType);
  mlir::Value toStorage(mlir::Value element, mlir::Type elementType);
  /// The position of an element, in elements from the view's pointer.
  mlir::Value offset(const MemoryView &view,
                     llvm::ArrayRef<mlir::Value> indices);
  /// The address of element number `position`.
  mlir::Value address(const MemoryView &view, mlir::Value position);
  /// Row-major strides for `sizes`.
  llvm::SmallVector<mlir::Value> rowMajorStrides(mlir::ValueRange sizes);

  /// Arithmetic on `index` values that folds constants and identities.
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  /// Rounding down, for non-negative operands.
  mlir::Value div(mlir::Value lhs, mlir::Value rhs);
  mlir::Value rem(mlir::Value lhs, mlir::Value rhs);
  mlir::Value ceilDiv(mlir::Value lhs, mlir::Value rhs);
  mlir::Value min(mlir::Value lhs, mlir::Value rhs);
  mlir::Value max(mlir::Value lhs, mlir::Value rhs);
  mlir::Value product(mlir::ValueRange values);
  /// Indices of element number `position` of a tensor with `sizes`.
  llvm::SmallVector<mlir::Value> delinearize(mlir::Value position,
                                             mlir::ValueRange sizes);

  // ElementEmitter
  mlir::ImplicitLocOpBuilder &builder() override { return b; }
  mlir::Value index(int64_t value) override;
  mlir::Value constant(mlir::Type type, double value) override;
  mlir::Value element(mlir::Value tensor,
                      llvm::ArrayRef<mlir::Value> indices) override;
  mlir::Value size(mlir::Value tensor, unsigned dim) override;
  mlir::Value scalar(mlir::Value operand) override;
  void require(mlir::Operation *op, mlir::Value condition, Fault fault,
               mlir::Value found, mlir::Value wanted) override;

  // LoopEmitter; these work while emitLoops() of an op is under way.
  void store(unsigned result, llvm::ArrayRef<mlir::Value> indices,
             mlir::Value element) override;
  mlir::Value load(unsigned result,
                   llvm::ArrayRef<mlir::Value> indices) override;
  mlir::Value resultSize(unsigned result, unsigned dim) override;
  void
  parallel(llvm::ArrayRef<mlir::Value> sizes,
           llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)> body) override;

  using ParallelFn = std::function<void(
      llvm::ArrayRef<mlir::Value>,
      llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)>)>;
  /// Sets where store(), load() and parallel() of a LoopOpInterface go.
  void setLoopTarget(llvm::ArrayRef<MemoryView> views, ParallelFn parallelFn) {
    resultViews.assign(views.begin(), views.end());
    onParallel = std::move(parallelFn);
  }

  /// All sizes of `tensor`.
  llvm::SmallVector<mlir::Value> sizes(mlir::Value tensor);

private:
  using Key = std::pair<void *, llvm::SmallVector<void *, 4>>;

  bool dominatesHere(mlir::Value value) const;
  mlir::Value emitConstantOp(mlir::Attribute value);
  mlir::Value reifySize(mlir::Value tensor, unsigned dim);

  mlir::ImplicitLocOpBuilder &b;
  llvm::DenseMap<mlir::Value, ElementFn> bound;
  llvm::DenseMap<mlir::Value, MemoryView> memory;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars;
  std::map<std::pair<void *, unsigned>, mlir::Value> boundSizes;
  std::map<Key, mlir::Value> emitted;
  llvm::DenseMap<mlir::Attribute, mlir::Value> constants;
  llvm::SmallVector<MemoryView> resultViews;
  FaultFn faultHandler;
  ParallelFn onParallel;
};

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_REGIONEMITTER_H
