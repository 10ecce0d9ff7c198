//===- Product.h - Parts of a product's kernels ---------------------------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_PRODUCT_H
#define WEFT_LIB_CODEGEN_CUDA_PRODUCT_H

#include "KernelBuilder.h"
#include "Neighbours.h"
#include "Shuffle.h"
#include "weft/Codegen/Common/Contraction.h"
#include "weft/Codegen/Common/Epilogue.h"

namespace weft::cuda {

/// Which part of C a block computes, and what its warps take of it. Fixed when
/// the kernel is made.
struct TileShape {
  int64_t warpsM, warpsN;        ///< of the block
  int64_t warpRows, warpColumns; ///< of a warp

  int64_t rows() const { return warpsM * warpRows; }
  int64_t columns() const { return warpsN * warpColumns; }
  int32_t threads() const { return warpsM * warpsN * kWarp; }
};

/// What the threads of a warp take if they multiply by themselves: groupsM *
/// groupsN squares of `vector` rows and columns. The lanes of a warp lie side
/// by side in each, so that they read neighbours from shared memory.
struct ThreadTile {
  int64_t warpsM, warpsN;   ///< of the block
  int64_t lanesM, lanesN;   ///< of a warp
  int64_t groupsM, groupsN; ///< of a thread
  int64_t depth;            ///< of what is in shared memory at a time
  int64_t vector;           ///< elements of 16 bytes

  TileShape shape() const {
    return {warpsM, warpsN, lanesM * groupsM * vector,
            lanesN * groupsN * vector};
  }
};

/// Emits whether a task has something to do (i1); null: it has.
using ConditionFn = llvm::function_ref<mlir::Value(RegionEmitter &)>;

/// A product, the kernel that computes it, and what follows it there.
struct Product {
  KernelBuilder &kernel;
  Contraction &problem;
  Epilogue &epilogue;
  ConditionFn isWanted;
  /// Adds the tasks that go before, once all scratch is reserved.
  llvm::function_ref<void()> prepare;

  /// `count`, or zero if the task has nothing to do.
  mlir::Value countIfWanted(RegionEmitter &e, mlir::Value count) const;
};

/// The block's place in C, in the function that is being emitted.
struct ProductBlock {
  llvm::SmallVector<mlir::Value> batch;
  mlir::Value m0, n0;
  mlir::Value thread; ///< number within the block
};

/// An operand of a product: A with its rows, or B with its columns, of which
/// `outer` is the number; the depth is the other index.
class ProductOperand {
public:
  ProductOperand(Contraction &problem, bool isA) : problem(problem), isA(isA) {}

  mlir::Type type() const { return problem.operandType; }
  int64_t staticOuter() const {
    return isA ? problem.staticM : problem.staticN;
  }
  mlir::Value outerSize(RegionEmitter &e) {
    return isA ? problem.rows(e) : problem.columns(e);
  }

  /// Whether elements are neighbours in memory along the depth, or along the
  /// other index.
  bool isAlongDepth() {
    return isA ? problem.isContiguousA() : problem.depthRun() != 0;
  }
  bool isAlongOuter() {
    return isA ? problem.isTransposedA() : problem.columnRun() != 0;
  }
  /// Whether `count` elements at a multiple of `count` are neighbours along
  /// the index in question, at an address with such an alignment.
  bool hasVectorsAlongDepth(int64_t count) {
    return isAlongDepth() &&
           isMultiple(isA ? problem.staticK : problem.depthRun(), count);
  }
  bool hasVectorsAlongOuter(int64_t count) {
    return isAlongOuter() &&
           isMultiple(isA ? staticOuter() : problem.columnRun(), count);
  }

  bool isDeep() { return isA ? problem.isDeepA() : problem.isDeepB(); }

  /// One element, in the operands' type.
  mlir::Value element(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                      mlir::Value outer, mlir::Value k) {
    return isA ? problem.elementA(e, batch, outer, k)
               : problem.elementB(e, batch, k, outer);
  }
  /// What does not depend on the depth of where elements of row or column
  /// `outer` lie, for address(), where they have patches.
  bool hasPatches() { return !isA && problem.hasPatches(); }
  llvm::SmallVector<mlir::Value> beginPatch(RegionEmitter &e,
                                            llvm::ArrayRef<mlir::Value> batch,
                                            mlir::Value outer) {
    return hasPatches() ? problem.beginPatch(e, batch, outer)
                        : llvm::SmallVector<mlir::Value>();
  }
  /// Where an element lies, if elements are neighbours along some index;
  /// narrows `inside` (null: always) to whether there is one. Else it is zero.
  mlir::Value address(RegionEmitter &e, llvm::ArrayRef<mlir::Value> batch,
                      mlir::ValueRange patch, mlir::Value outer, mlir::Value k,
                      mlir::Value &inside);

  static bool isMultiple(int64_t size, int64_t of) {
    return mlir::ShapedType::isStatic(size) && size % of == 0;
  }

  Contraction &problem;
  bool isA;
};

/// The way of a part of an operand, `outer` x `depth` elements, from global to
/// shared memory through registers, shared by the threads of a block.
class OperandCopy {
public:
  OperandCopy(ProductOperand operand, int64_t outer, int64_t depth,
              int64_t vector, int64_t threads);

  /// The elements from one row of shared memory, which holds `outer` elements
  /// of one depth, to the next.
  int64_t stride() const { return rowStride; }
  int64_t elements() const { return depth * rowStride; }

  /// Emits what loads share, where all of them can use it.
  void begin(RegionEmitter &e, const ProductBlock &block);
  /// Loads this thread's share of the part at `k0`, as vectors or elements.
  /// What lies beyond the depth is zero, what lies beyond the outer size is
  /// anything. The depth must not be empty.
  llvm::SmallVector<mlir::Value>
  load(RegionEmitter &e, const ProductBlock &block, mlir::Value k0);
  /// Stores it into shared memory at `base`.
  void store(RegionEmitter &e, const ProductBlock &block, mlir::Value base,
             mlir::ValueRange values);
  /// The types of a share.
  llvm::SmallVector<mlir::Type> types() const;

private:
  enum class Form { VectorsOuter, VectorsDepth, ElementsOuter, ElementsDepth };
  struct Place {
    mlir::Value outer, k; ///< in the part
  };
  bool isVector() const {
    return form == Form::VectorsOuter || form == Form::VectorsDepth;
  }
  int64_t units() const { return outer * depth / (isVector() ? vector : 1); }
  /// How many a thread copies.
  int64_t share() const { return llvm::divideCeil(units(), threads); }
  Place place(RegionEmitter &e, const ProductBlock &block, int64_t number);
  mlir::Value indexOf(RegionEmitter &e, const ProductBlock &block,
                      mlir::Value place);
  mlir::Value loadVector(RegionEmitter &e, const ProductBlock &block,
                         int64_t number, mlir::Value index, mlir::Value k);
  /// Emits `body` for those threads that have a share.
  llvm::SmallVector<mlir::Value>
  ifSharing(RegionEmitter &e, const ProductBlock &block,
            llvm::function_ref<llvm::SmallVector<mlir::Value>()> body);

  ProductOperand operand;
  int64_t outer, depth, vector, threads, rowStride;
  Form form;
  /// Of a thread's share; none if there are no patches.
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> patches;
};

/// Emits a barrier of all threads of a block.
void barrier(RegionEmitter &e);

/// Emits a task whose blocks compute tiles of C. The sums, which the threads of
/// a block hold, go back through shared memory, so that what follows the
/// product is emitted once and reads and writes neighbours.
class ProductEmitter {
public:
  /// The depth is cut into `splits` parts, of which each has blocks of its own,
  /// whose sums another task adds up. Then the other sizes must be known.
  ProductEmitter(const Product &product, const TileShape &shape, int64_t splits)
      : product(product), problem(product.problem), shape(shape),
        splits(splits) {}
  virtual ~ProductEmitter() = default;

  void addTasks();

protected:
  using Values = llvm::SmallVector<mlir::Value>;

  /// A thread's sums in neighbouring columns, of which there are runLength():
  /// the place of the first within what a row of warps computes.
  struct Run {
    mlir::Value row, column;
  };
  virtual int64_t runLength() = 0;
  virtual llvm::SmallVector<Run> runs(RegionEmitter &e) = 0;
  /// Between rows of sums in shared memory, so that the stores of runs do not
  /// get into each other's way.
  virtual int64_t sumStride() = 0;
  /// Of shared memory for parts of the operands.
  virtual int64_t operandBytes() = 0;
  /// Of shared memory that sums may take.
  virtual int64_t sumBytes() { return operandBytes(); }
  /// Of shared memory behind that for the parts, or the sums.
  virtual int64_t extraBytes() { return 0; }
  virtual unsigned alignment() { return 16; }
  /// How many blocks are to fit a multiprocessor, for want of registers.
  virtual int32_t together() { return 1; }
  /// Of a part that is in shared memory at a time.
  virtual int64_t partDepth() = 0;
  /// Adds the products along parts [begin, end) of the depth to `sums`, run by
  /// run. Shared memory is free, and must be so again afterwards.
  virtual Values multiply(RegionEmitter &e, mlir::Value begin, mlir::Value end,
                          Values sums) = 0;

  /// The threads of a block, of which the first shape.threads() have sums.
  virtual int32_t threads() { return shape.threads(); }
  /// Emits a barrier of those that have sums.
  virtual void barrier(RegionEmitter &e) { cuda::barrier(e); }
  /// Changes which column and row of tiles is whose turn, from one column after
  /// the other.
  virtual void orderTiles(RegionEmitter &e, mlir::Value &column,
                          mlir::Value &row) {}
  /// How many blocks there are.
  virtual mlir::Value countBlocks(RegionEmitter &e) {
    return e.product(gridSizes(e));
  }
  /// Computes what block number `number` is to: a tile.
  virtual void compute(RegionEmitter &e, mlir::Value number);
  /// Makes tile number `number` the block's; returns the parts of the depth
  /// that are to be multiplied, from the first to what is behind the last.
  std::pair<mlir::Value, mlir::Value> beginTile(RegionEmitter &e,
                                                mlir::Value number);

  mlir::Type type() const { return problem.accumulatorType; }
  /// Whether threads need few registers but for operands and sums: indices are
  /// short, and little follows the product.
  bool isLight();
  llvm::SmallVector<mlir::Value> gridSizes(RegionEmitter &e);

  Product product;
  Contraction &problem;
  TileShape shape;
  int64_t splits;

  // In the function that is being emitted.
  ProductBlock block;
  mlir::Value warpM, warpN, lane, shared;

  /// Of parts, or sums, in shared memory.
  virtual int64_t sharedBytes() {
    return std::max(operandBytes(), warpsAtATime() * warpRowBytes());
  }
  /// Of the sums of a row of warps; how many rows' are in shared memory at a
  /// time.
  int64_t warpRowBytes();
  int64_t warpsAtATime();

private:
  void emit(RegionEmitter &e, mlir::Value number);
  Values beginSums(RegionEmitter &e);
  void finish(RegionEmitter &e, mlir::ValueRange sums);
  mlir::Value isOurTurn(RegionEmitter &e, mlir::Value turn);
  mlir::Value placeOf(RegionEmitter &e, const Run &run);
  Values takeSums(RegionEmitter &e);
  void giveSums(RegionEmitter &e, mlir::ValueRange sums);
  /// The sums of neighbours: where the first is in C, and where it lies in
  /// shared memory.
  struct Place {
    mlir::Value m, n, shared;
  };
  void forEachSum(RegionEmitter &e, mlir::Value turn, int64_t width,
                  int64_t unroll,
                  llvm::function_ref<void(llvm::ArrayRef<Place>)> body);
  mlir::Value isInside(RegionEmitter &e, const Place &place);
  void storeSums(RegionEmitter &e, const Place &place, mlir::ValueRange sums);
  std::optional<Neighbours> findNeighbours(RegionEmitter &e);
  void endSums(RegionEmitter &e, Neighbours *neighbours, int64_t width,
               llvm::ArrayRef<Place> places);
  void emitTotal(RegionEmitter &e, mlir::Value number);
  MemoryView totals(RegionEmitter &e);
  /// Of one of the splits: batch, rows and columns.
  int64_t numTotals() const {
    return problem.staticBatch * problem.staticM * problem.staticN;
  }

  Values loadSums(RegionEmitter &e, mlir::Value base, mlir::Value position,
                  int64_t count);
  /// The sums that fill 16 bytes.
  int64_t mostNeighbours() const {
    return 128 / type().getIntOrFloatBitWidth();
  }
  /// How many neighbours a thread adds up that adds those of splits.
  int64_t totalsWidth() const {
    return ProductOperand::isMultiple(problem.staticN, mostNeighbours())
               ? mostNeighbours()
               : 1;
  }

  int64_t scratch = 0; ///< where the sums of splits lie
  mlir::Value split;   ///< of the block
};

/// Adds tasks in which threads multiply by themselves.
void addThreadProduct(const Product &product, const ThreadTile &tile,
                      int64_t splits);

/// Adds tasks in which warps multiply by instructions for matrices, of operands
/// of f16, bf16, or f32 as tf32.
void addMatrixProduct(const Product &product, const TileShape &shape,
                      int64_t splits);

/// Adds tasks for operands of f16 or bf16 in which four warps at a time, which
/// are below each other and have 16 rows each, multiply by the instructions of
/// sm_90a.
void addWarpgroupProduct(const Product &product, const TileShape &shape,
                         int64_t splits);

/// The same for operands whose parts are copied as boxes of tensors, by a warp
/// of their own, on `processors` multiprocessors.
void addTensorMapProduct(const Product &product, const TileShape &shape,
                         int64_t splits, int64_t processors);
/// Whether both operands lie in memory so that they can be.
bool takesTensorMaps(Contraction &problem);

/// Adds a task for a product with a single row or column, in which threads
/// share the sum of each result.
void addVectorProduct(const Product &product);

// Code that is emitted often.

/// A vector of zeros, or a zero.
mlir::Value zeroOf(RegionEmitter &e, mlir::Type type);
/// sum + a * b.
mlir::Value multiplyAdd(RegionEmitter &e, mlir::Value a, mlir::Value b,
                        mlir::Value sum);
/// The address of element number `position` from `base`.
mlir::Value elementAt(RegionEmitter &e, mlir::Value base, mlir::Type type,
                      mlir::Value position);
mlir::Value loadVector(RegionEmitter &e, mlir::Value base, mlir::Type type,
                       int64_t count, mlir::Value position);
void storeVector(RegionEmitter &e, mlir::Value base, mlir::ValueRange elements,
                 mlir::Value position);
mlir::Value extract(RegionEmitter &e, mlir::Value vector, int64_t number);
/// Emits `body`, or else zeros of the types that it returns, by whether
/// `condition` holds. Null stands for true.
llvm::SmallVector<mlir::Value> emitIf(
    RegionEmitter &e, mlir::Value condition, mlir::TypeRange types,
    llvm::function_ref<llvm::SmallVector<mlir::Value>()> body,
    llvm::function_ref<llvm::SmallVector<mlir::Value>()> otherwise = nullptr);

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_PRODUCT_H
