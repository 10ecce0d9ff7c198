//===- Epilogue.h - What follows a product or window ----------------------===//

#ifndef WEFT_CODEGEN_COMMON_EPILOGUE_H
#define WEFT_CODEGEN_COMMON_EPILOGUE_H

#include "weft/Codegen/Common/IterationSpace.h"
#include "weft/Codegen/Common/RegionKernel.h"

namespace weft {

/// Stores what the region yields for one element of the root's result.
class Epilogue {
public:
  /// Null if the region's yields do not depend on the root elementwise.
  /// `innerDims` are the dimensions of the root's result that store() is called
  /// along in inner loops.
  static std::optional<Epilogue> create(RegionKernel &kernel,
                                        mlir::Operation *root,
                                        llvm::ArrayRef<int64_t> innerDims);

  /// Prepares views; to be called once per function.
  void begin(RegionEmitter &e, RegionKernel &kernel);
  /// Emits the stores of element `indices` of the root's result, whose value,
  /// in the accumulators' type, is `value`.
  void store(RegionEmitter &e, RegionKernel &kernel,
             llvm::ArrayRef<mlir::Value> indices, mlir::Value value);

  // What store() does, for those who store several elements at a time.
  /// Whether dimensions are joined, so that one loop, the last, runs along
  /// columns, and whatever is read and written takes indices of the loops.
  bool hasColumnLoop() const {
    return space && space->getNumLoops() > space->getNumOuter();
  }
  llvm::ArrayRef<mlir::Value> loopSizes() const { return joinedSizes; }
  /// The tensors in memory that are read at an element's joined indices.
  llvm::SmallVector<mlir::Value> leaves() const { return space->getLeaves(); }
  /// What is written of the region's result `number`.
  MemoryView view(RegionEmitter &e, RegionKernel &kernel, unsigned number);
  /// The joined indices of an element.
  llvm::SmallVector<mlir::Value> position(RegionEmitter &e,
                                          llvm::ArrayRef<mlir::Value> indices);
  /// What is written for the element at `position`, with such a value.
  llvm::SmallVector<mlir::Value> compute(RegionEmitter &e, RegionKernel &kernel,
                                         llvm::ArrayRef<mlir::Value> position,
                                         mlir::Value value);

  /// Asks for the memory at element `indices` of the root's result, in all
  /// tensors of its shape that store() reads or writes.
  void fetch(RegionEmitter &e, RegionKernel &kernel,
             llvm::ArrayRef<mlir::Value> indices);

private:
  mlir::Operation *root;
  std::optional<IterationSpace> space;
  llvm::SmallVector<mlir::Value> sizes, joinedSizes;
};

} // namespace weft

#endif // WEFT_CODEGEN_COMMON_EPILOGUE_H
