//===- MatrixProblem.cpp - weft.contract as a product of matrices ---------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "weft/Codegen/Common/Contraction.h"

using namespace mlir;
using namespace weft;

namespace {
/// An operand as the region sees it: memory whose dimensions are permuted.
/// `dims[i]` is the memory's dimension that dimension i runs along.
struct PermutedMemory {
  Value memory;
  SmallVector<int64_t> dims;
};

/// One operand of the contraction.
struct Side {
  Value tensor;
  RankedTensorType type;
  SmallVector<int64_t> batch, free, contracted;
  std::optional<PermutedMemory> memory = std::nullopt;
  bool plain = false;       ///< memory in the operands' type
  bool freeJoined = false;  ///< the free dimensions are one with equal steps
  bool depthJoined = false; ///< likewise the contracted ones
};

class MatrixProblem : public Contraction {
public:
  static std::unique_ptr<Contraction> create(ContractOp op, Type operandType);

  SmallVector<Value> batchSizes(RegionEmitter &e) override {
    return sizesOf(e, lhs, lhs.batch);
  }
  Value rows(RegionEmitter &e) override {
    return e.product(sizesOf(e, lhs, lhs.free));
  }
  Value columns(RegionEmitter &e) override {
    return e.product(sizesOf(e, rhs, rhs.free));
  }
  Value depth(RegionEmitter &e) override {
    return e.product(sizesOf(e, lhs, lhs.contracted));
  }
  SmallVector<Value> resultIndices(RegionEmitter &e, ArrayRef<Value> batch,
                                   Value m, Value n) override;
  Value rowAddress(RegionEmitter &e, ArrayRef<Value> batch, Value m) override;
  Value elementA(RegionEmitter &e, ArrayRef<Value> batch, Value m,
                 Value k) override {
    return element(e, lhs, batch, m, k);
  }
  Value elementB(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                 Value n) override {
    return element(e, rhs, batch, n, k);
  }
  bool isPlainB() override {
    return rhs.plain && rhs.freeJoined && isInnermost(rhs, rhs.free);
  }
  bool isContiguousA() override {
    return lhs.plain && lhs.depthJoined && isInnermost(lhs, lhs.contracted);
  }
  bool isTransposedA() override {
    return lhs.plain && lhs.freeJoined && isInnermost(lhs, lhs.free);
  }
  bool isTransposedB() override {
    return rhs.plain && rhs.depthJoined && isInnermost(rhs, rhs.contracted);
  }
  Value columnAddressA(RegionEmitter &e, ArrayRef<Value> batch, Value m,
                       Value k) override {
    return innerAddress(e, lhs, batch, m, k);
  }
  Value columnAddress(RegionEmitter &e, ArrayRef<Value> batch, Value k,
                      Value n) override {
    return innerAddress(e, rhs, batch, n, k);
  }
  Value depthAddress(RegionEmitter &e, ArrayRef<Value> batch, Value n) override;
  std::optional<OperandMemory> findMemory(bool isA) override;
  bool isDeepA() override { return isDeep(lhs); }
  bool isDeepB() override { return isDeep(rhs); }

private:
  SmallVector<Value> sizesOf(RegionEmitter &e, const Side &side,
                             ArrayRef<int64_t> dims);
  Value strideOf(RegionEmitter &e, const Side &side, ArrayRef<int64_t> dims);
  Value offset(RegionEmitter &e, const Side &side, ArrayRef<int64_t> dims,
               ArrayRef<Value> indices);
  Value element(RegionEmitter &e, const Side &side, ArrayRef<Value> batch,
                Value freeIndex, Value depthIndex);
  Value innerAddress(RegionEmitter &e, const Side &side, ArrayRef<Value> batch,
                     Value freeIndex, Value depthIndex);
  static bool isInnermost(const Side &side, ArrayRef<int64_t> dims);
  static bool isDeep(const Side &side);
  void examine(Side &side);

  Side lhs, rhs;
};
} // namespace

/// Looks through transposes of memory.
static std::optional<PermutedMemory> findPermuted(Value tensor) {
  if (!tensor.getDefiningOp()) {
    int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
    return PermutedMemory{tensor, llvm::to_vector(llvm::seq(rank))};
  }
  auto transpose = tensor.getDefiningOp<TransposeOp>();
  if (!transpose)
    return std::nullopt;
  std::optional<PermutedMemory> inner = findPermuted(transpose.getInput());
  if (!inner)
    return std::nullopt;
  PermutedMemory result{inner->memory, {}};
  for (int64_t dim : transpose.getPermutation())
    result.dims.push_back(inner->dims[dim]);
  return result;
}

/// The dimensions among `dims` whose size is not one.
static SmallVector<int64_t> withoutUnits(RankedTensorType type,
                                         ArrayRef<int64_t> dims) {
  SmallVector<int64_t> result;
  for (int64_t dim : dims)
    if (type.getDimSize(dim) != 1)
      result.push_back(dim);
  return result;
}

/// Whether `dims` follow each other in memory, so that one index with equal
/// steps runs over all of them.
static bool areJoined(const Side &side, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> wide = withoutUnits(side.type, dims);
  auto memoryType = cast<RankedTensorType>(side.memory->memory.getType());
  for (auto [first, second] :
       llvm::zip(wide, ArrayRef(wide).drop_front(wide.empty() ? 0 : 1))) {
    int64_t from = side.memory->dims[first], to = side.memory->dims[second];
    if (to < from)
      return false;
    for (int64_t between : llvm::seq(from + 1, to))
      if (memoryType.getDimSize(between) != 1)
        return false;
  }
  return true;
}

/// Whether the last of `dims` is contiguous in memory.
bool MatrixProblem::isInnermost(const Side &side, ArrayRef<int64_t> dims) {
  if (!side.memory)
    return false;
  SmallVector<int64_t> wide = withoutUnits(side.type, dims);
  if (wide.empty())
    return false;
  auto memoryType = cast<RankedTensorType>(side.memory->memory.getType());
  for (int64_t after :
       llvm::seq(side.memory->dims[wide.back()] + 1, memoryType.getRank()))
    if (memoryType.getDimSize(after) != 1)
      return false;
  return true;
}

/// Whether the last dimension in memory, or of what is computed, is a
/// contracted one.
bool MatrixProblem::isDeep(const Side &side) {
  int64_t last = -1, place = -1;
  for (int64_t dim : llvm::seq(side.type.getRank())) {
    int64_t at = side.memory ? side.memory->dims[dim] : dim;
    if (side.type.getDimSize(dim) != 1 && at > place) {
      place = at;
      last = dim;
    }
  }
  return llvm::is_contained(side.contracted, last);
}

void MatrixProblem::examine(Side &side) {
  side.memory = findPermuted(side.tensor);
  if (!side.memory)
    return;
  side.plain = side.type.getElementType() == operandType;
  side.freeJoined = areJoined(side, side.free);
  side.depthJoined = areJoined(side, side.contracted);
}

/// The product of static sizes, or kDynamic.
static int64_t staticProduct(RankedTensorType type, ArrayRef<int64_t> dims) {
  int64_t product = 1;
  for (int64_t dim : dims) {
    if (type.isDynamicDim(dim))
      return ShapedType::kDynamic;
    product *= type.getDimSize(dim);
  }
  return product;
}

/// The type in which products of elements of `resultType` are summed, or null.
static Type getSumType(Type resultType) {
  if (resultType.isF16() || resultType.isBF16())
    return Float32Type::get(resultType.getContext());
  if (resultType.isF32() || resultType.isF64())
    return resultType;
  if (resultType.isInteger(32) || resultType.isInteger(64))
    return getSignlessType(resultType);
  return nullptr;
}

std::unique_ptr<Contraction> MatrixProblem::create(ContractOp op,
                                                   Type operandType) {
  auto problem = std::make_unique<MatrixProblem>();
  problem->op = op;
  problem->init = op.getInit();
  problem->accumulatorType = getSumType(op.getType().getElementType());
  if (!problem->accumulatorType)
    return nullptr;
  problem->operandType = operandType ? operandType : problem->accumulatorType;
  problem->lhs = {.tensor = op.getLhs(),
                  .type = op.getLhs().getType(),
                  .batch = llvm::to_vector(op.getLhsBatch()),
                  .free = op.getLhsFree(),
                  .contracted = llvm::to_vector(op.getLhsContract())};
  problem->rhs = {.tensor = op.getRhs(),
                  .type = op.getRhs().getType(),
                  .batch = llvm::to_vector(op.getRhsBatch()),
                  .free = op.getRhsFree(),
                  .contracted = llvm::to_vector(op.getRhsContract())};
  problem->examine(problem->lhs);
  problem->examine(problem->rhs);
  const Side &lhs = problem->lhs, &rhs = problem->rhs;
  problem->staticBatch = staticProduct(lhs.type, lhs.batch);
  problem->staticM = staticProduct(lhs.type, lhs.free);
  problem->staticN = staticProduct(rhs.type, rhs.free);
  problem->staticK = staticProduct(lhs.type, lhs.contracted);
  int64_t before = lhs.batch.size() + lhs.free.size();
  for (int64_t i : llvm::seq<int64_t>(rhs.free.size()))
    problem->columnDims.push_back(before + i);
  return problem;
}

SmallVector<Value> MatrixProblem::sizesOf(RegionEmitter &e, const Side &side,
                                          ArrayRef<int64_t> dims) {
  SmallVector<Value> sizes;
  for (int64_t dim : dims)
    sizes.push_back(e.size(side.tensor, dim));
  return sizes;
}

Value MatrixProblem::strideOf(RegionEmitter &e, const Side &side,
                              ArrayRef<int64_t> dims) {
  SmallVector<int64_t> wide = withoutUnits(side.type, dims);
  if (wide.empty())
    return e.index(0);
  return e.getMemory(side.memory->memory)
      ->strides[side.memory->dims[wide.back()]];
}

Value MatrixProblem::offset(RegionEmitter &e, const Side &side,
                            ArrayRef<int64_t> dims, ArrayRef<Value> indices) {
  const MemoryView &view = *e.getMemory(side.memory->memory);
  Value position = e.index(0);
  for (auto [dim, i] : llvm::zip_equal(dims, indices))
    position = e.add(position, e.mul(i, view.strides[side.memory->dims[dim]]));
  return position;
}

SmallVector<Value> MatrixProblem::resultIndices(RegionEmitter &e,
                                                ArrayRef<Value> batch, Value m,
                                                Value n) {
  SmallVector<Value> indices(batch);
  llvm::append_range(indices, e.delinearize(m, sizesOf(e, lhs, lhs.free)));
  llvm::append_range(indices, e.delinearize(n, sizesOf(e, rhs, rhs.free)));
  return indices;
}

std::optional<OperandMemory> MatrixProblem::findMemory(bool isA) {
  const Side &side = isA ? lhs : rhs;
  if (!side.plain || !side.freeJoined || !side.depthJoined)
    return std::nullopt;
  auto type = cast<RankedTensorType>(side.memory->memory.getType());
  if (!type.hasStaticShape() || type.getNumElements() == 0)
    return std::nullopt;
  SmallVector<int64_t> strides = computeSuffixProduct(type.getShape());
  auto dimOf = [&](ArrayRef<int64_t> dims) {
    SmallVector<int64_t> wide = withoutUnits(side.type, dims);
    int64_t stride = wide.empty() ? 0 : strides[side.memory->dims[wide.back()]];
    return OperandMemory::Dim{staticProduct(side.type, dims), stride};
  };
  OperandMemory result{cast<BlockArgument>(side.memory->memory),
                       dimOf(side.free),
                       dimOf(side.contracted),
                       {}};
  for (int64_t dim : side.batch)
    result.batch.push_back(dimOf(dim));
  return result;
}

Value MatrixProblem::rowAddress(RegionEmitter &e, ArrayRef<Value> batch,
                                Value m) {
  SmallVector<Value> free = e.delinearize(m, sizesOf(e, lhs, lhs.free));
  Value position =
      e.add(offset(e, lhs, lhs.batch, batch), offset(e, lhs, lhs.free, free));
  return e.address(*e.getMemory(lhs.memory->memory), position);
}

/// Where an element lies whose free dimensions are joined and innermost.
Value MatrixProblem::innerAddress(RegionEmitter &e, const Side &side,
                                  ArrayRef<Value> batch, Value freeIndex,
                                  Value depthIndex) {
  SmallVector<Value> depth =
      e.delinearize(depthIndex, sizesOf(e, side, side.contracted));
  Value position = e.add(offset(e, side, side.batch, batch),
                         offset(e, side, side.contracted, depth));
  position = e.add(position, e.mul(freeIndex, strideOf(e, side, side.free)));
  return e.address(*e.getMemory(side.memory->memory), position);
}

Value MatrixProblem::depthAddress(RegionEmitter &e, ArrayRef<Value> batch,
                                  Value n) {
  SmallVector<Value> free = e.delinearize(n, sizesOf(e, rhs, rhs.free));
  Value position =
      e.add(offset(e, rhs, rhs.batch, batch), offset(e, rhs, rhs.free, free));
  return e.address(*e.getMemory(rhs.memory->memory), position);
}

Value MatrixProblem::element(RegionEmitter &e, const Side &side,
                             ArrayRef<Value> batch, Value freeIndex,
                             Value depthIndex) {
  SmallVector<Value> indices(side.type.getRank());
  auto place = [&](ArrayRef<int64_t> dims, ArrayRef<Value> values) {
    for (auto [dim, value] : llvm::zip_equal(dims, values))
      indices[dim] = value;
  };
  place(side.batch, batch);
  place(side.free, e.delinearize(freeIndex, sizesOf(e, side, side.free)));
  place(side.contracted,
        e.delinearize(depthIndex, sizesOf(e, side, side.contracted)));
  return widen(e.builder(), e.element(side.tensor, indices),
               side.type.getElementType(), operandType);
}

std::unique_ptr<Contraction> weft::createMatrixProblem(ContractOp op,
                                                       Type operandType) {
  return MatrixProblem::create(op, operandType);
}
