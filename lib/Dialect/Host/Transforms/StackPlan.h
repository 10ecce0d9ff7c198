//===- StackPlan.h - Buffers upon each other, whatever their sizes --------===//

#ifndef WEFT_LIB_DIALECT_HOST_TRANSFORMS_STACKPLAN_H
#define WEFT_LIB_DIALECT_HOST_TRANSFORMS_STACKPLAN_H

#include "Lifetime.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace weft::host {

/// Where buffers lie relative to each other: each upon some of those that are
/// alive at the same time, which are numbered before it in `order`. A buffer
/// begins where the highest of them ends. So none overlap, whatever the sizes
/// turn out to be.
struct StackPlan {
  /// The buffers, those that others lie upon first.
  llvm::SmallVector<unsigned> order;
  /// For each buffer, those that it lies right upon.
  llvm::SmallVector<llvm::SmallVector<unsigned>> below;
};

/// What sizes, computed from constants and symbols, are where all symbols have
/// one and the same value, as far as their ranges allow.
class SampleSizes {
public:
  /// `symbols` are the `#host.symbol` of the program, or null.
  SampleSizes(mlir::ArrayAttr symbols, int64_t nominal)
      : symbols(symbols), nominal(nominal) {}

  /// Nothing if the size is computed by something else.
  std::optional<int64_t> get(mlir::Value size);

private:
  mlir::Attribute evaluate(mlir::Value value);

  mlir::ArrayAttr symbols;
  int64_t nominal;
  llvm::DenseMap<mlir::Value, mlir::Attribute> known;
};

/// The bytes that `plan` takes for buffers of these sizes.
int64_t measure(const StackPlan &plan, llvm::ArrayRef<int64_t> sizes);

/// The plan that is best where it is worst, by how many times the memory that
/// is in use at once it takes at one of the samples, each of which has a size
/// for each buffer. Each sample is packed by largest first, each buffer into
/// the tightest hole, and tried on the others.
StackPlan planStack(llvm::ArrayRef<Lifetime> lifetimes,
                    llvm::ArrayRef<llvm::SmallVector<int64_t>> samples);

/// How many times the memory that is in use at once `bytes(sample)` is, at the
/// sample where it is most.
double findWorst(llvm::ArrayRef<Lifetime> lifetimes,
                 llvm::ArrayRef<llvm::SmallVector<int64_t>> samples,
                 llvm::function_ref<int64_t(unsigned sample)> bytes);

} // namespace weft::host

#endif // WEFT_LIB_DIALECT_HOST_TRANSFORMS_STACKPLAN_H
