//===- Lowering.h - What the families of ONNX lowerings share -------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_LOWERING_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_LOWERING_H

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "weft/Dialect/ONNX/IR/Node.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "llvm/ADT/StringMap.h"
#include <optional>

namespace weft {

class Lowering;

/// Marks ops whose checks have been added, while nodes are lowered.
constexpr llvm::StringLiteral kSeenAttr = "weft.seen";

/// Lowers `node`: emits weft ops and appends one value per result of the node
/// (null for a result that nothing uses and that was not computed). Fails after
/// Lowering::fail() or Lowering::unsupported().
using LowerFn =
    llvm::LogicalResult (*)(Lowering &lower, onnx::Node node,
                            llvm::SmallVectorImpl<mlir::Value> &results);

/// Lowerings by op name without the dialect's prefix: "Conv", "ml.Scaler".
using LoweringTable = llvm::StringMap<LowerFn>;

/// Lowers the ops of one function, in order. Each lowering rule sees operands
/// that are lowered already, with types as exact as what is known by then:
/// whatever can be computed from constants or from sizes alone is folded at
/// once, so that a Reshape whose shape comes from Shape, Gather and Concat has
/// its sizes as `index` values.
class Lowering {
public:
  Lowering(const LoweringTable &table, mlir::Operation *root);

  /// The builder; its location is the node's.
  mlir::ImplicitLocOpBuilder b;

  //===--------------------------------------------------------------------===//
  // Operands and what is known of them
  //===--------------------------------------------------------------------===//

  /// The lowered operand `index` of `node`; null if it is omitted.
  mlir::Value operand(onnx::Node node, unsigned index);
  static mlir::RankedTensorType typeOf(mlir::Value value);
  static int64_t rankOf(mlir::Value value);
  static mlir::Type elementOf(mlir::Value value);

  /// The contents of `value`, if it is a constant.
  std::optional<HostTensor> constantOf(mlir::Value value);
  /// The contents of an integer tensor of rank 0 or 1 and static size as
  /// `index` values: attributes where constant. Never fails for such a tensor:
  /// as the last resort it extracts the elements at run time.
  llvm::SmallVector<mlir::OpFoldResult> indexValues(mlir::Value value);
  /// The same, if all are constant.
  std::optional<llvm::SmallVector<int64_t>> constantInts(mlir::Value value);

  /// The size of dimension `dim`: an attribute if static. Symbolic sizes are
  /// traced back to where they come from, so that equal sizes are equal values.
  mlir::OpFoldResult size(mlir::Value value, int64_t dim);
  llvm::SmallVector<mlir::OpFoldResult> sizes(mlir::Value value);

  /// `axis` counted from the start; fails with an error if it is out of range.
  llvm::FailureOr<int64_t> axis(onnx::Node node, int64_t axis, int64_t rank);

  //===--------------------------------------------------------------------===//
  // Arithmetic on sizes
  //===--------------------------------------------------------------------===//

  mlir::OpFoldResult index(int64_t value) { return b.getIndexAttr(value); }
  mlir::OpFoldResult addSizes(mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);
  mlir::OpFoldResult subSizes(mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);
  mlir::OpFoldResult mulSizes(mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);
  /// Rounds down; for non-negative operands.
  mlir::OpFoldResult divSizes(mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);
  mlir::OpFoldResult maxSizes(mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);
  mlir::OpFoldResult minSizes(mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);
  /// The size that numpy's broadcasting of two sizes gives.
  mlir::OpFoldResult broadcastSizes(mlir::OpFoldResult lhs,
                                    mlir::OpFoldResult rhs);
  /// Exact for all signs: the quotient rounded up.
  mlir::OpFoldResult ceilDivSizes(mlir::OpFoldResult lhs,
                                  mlir::OpFoldResult rhs);
  /// `lhs predicate rhs ? yes : no`.
  mlir::OpFoldResult selectSize(mlir::arith::CmpIPredicate predicate,
                                mlir::OpFoldResult lhs, mlir::OpFoldResult rhs,
                                mlir::OpFoldResult yes, mlir::OpFoldResult no);
  /// Whether `size` is known not to be negative: a size, or made of such.
  static bool isNonNegative(mlir::OpFoldResult size);
  /// The product of sizes.
  mlir::OpFoldResult productOf(llvm::ArrayRef<mlir::OpFoldResult> sizes);
  /// The size as a tensor of i64 of rank 0.
  mlir::Value sizeTensor(mlir::OpFoldResult size);
  /// The size as a value of `index` type.
  mlir::Value sizeValue(mlir::OpFoldResult size);
  /// The sizes as a tensor of i64, shape [n].
  mlir::Value sizesTensor(llvm::ArrayRef<mlir::OpFoldResult> sizes);

  //===--------------------------------------------------------------------===//
  // Building; each folds what it can
  //===--------------------------------------------------------------------===//

  /// Creates an op and folds it: an op of constant operands and small result is
  /// evaluated, identities vanish.
  template <typename OpTy, typename... Args> mlir::Value make(Args &&...args) {
    OpTy op = OpTy::create(b, std::forward<Args>(args)...);
    return folded(op.getOperation());
  }

  /// As make(), for an op of several results, which is not evaluated.
  template <typename OpTy, typename... Args>
  llvm::SmallVector<mlir::Value> makeAll(Args &&...args) {
    OpTy op = OpTy::create(b, std::forward<Args>(args)...);
    return llvm::to_vector_of<mlir::Value>(op->getResults());
  }

  /// The type of a tensor of these sizes.
  static mlir::RankedTensorType
  tensorType(llvm::ArrayRef<mlir::OpFoldResult> shape, mlir::Type elementType);

  mlir::Value constant(const HostTensor &tensor);
  /// A rank-0 or splat constant.
  mlir::Value splat(double value, mlir::Type elementType,
                    llvm::ArrayRef<int64_t> shape = {});
  mlir::Value ints(llvm::ArrayRef<int64_t> values);
  /// `value` repeated to the shape (and so the symbolic sizes) of `like`.
  mlir::Value splatLike(double value, mlir::Value like);

  mlir::Value cast(mlir::Value value, mlir::Type elementType);
  /// `value` with more or fewer of its sizes in the type.
  mlir::Value retype(mlir::Value value, mlir::RankedTensorType type);
  mlir::Value reshape(mlir::Value value,
                      llvm::ArrayRef<mlir::OpFoldResult> shape);
  mlir::Value transpose(mlir::Value value, llvm::ArrayRef<int64_t> permutation);
  /// Numpy's broadcasting of one value to a shape of at least its rank.
  mlir::Value broadcastTo(mlir::Value value,
                          llvm::ArrayRef<mlir::OpFoldResult> shape);
  /// As weft.broadcast, with explicit dimensions.
  mlir::Value broadcastInDims(mlir::Value value,
                              llvm::ArrayRef<mlir::OpFoldResult> shape,
                              llvm::ArrayRef<int64_t> dims);
  /// Numpy's broadcasting of values to a common shape; fails with an error.
  llvm::FailureOr<llvm::SmallVector<mlir::Value>>
  broadcast(onnx::Node node, llvm::ArrayRef<mlir::Value> values);
  /// The shape that numpy's broadcasting gives; fails with an error.
  llvm::FailureOr<llvm::SmallVector<mlir::OpFoldResult>>
  commonShape(onnx::Node node, llvm::ArrayRef<mlir::Value> values);
  mlir::Value slice(mlir::Value value,
                    llvm::ArrayRef<mlir::OpFoldResult> offsets,
                    llvm::ArrayRef<mlir::OpFoldResult> sizes,
                    llvm::ArrayRef<mlir::OpFoldResult> strides);
  /// The part of `size` elements from `offset` on, along one axis.
  mlir::Value sliceAxis(mlir::Value value, int64_t axis,
                        mlir::OpFoldResult offset, mlir::OpFoldResult size);
  mlir::Value concat(llvm::ArrayRef<mlir::Value> values, int64_t axis);
  mlir::Value pad(mlir::Value value, mlir::Value padding,
                  llvm::ArrayRef<mlir::OpFoldResult> low,
                  llvm::ArrayRef<mlir::OpFoldResult> high);
  mlir::Value iota(mlir::Type elementType,
                   llvm::ArrayRef<mlir::OpFoldResult> shape, int64_t axis);
  /// Reduces; with `keepDims` the axes stay with size one.
  mlir::Value reduce(ReduceKind kind, mlir::Value value,
                     llvm::ArrayRef<int64_t> axes, bool keepDims);
  /// Numpy's matmul of operands of rank two or more (batches broadcast).
  mlir::Value matmul(mlir::Value lhs, mlir::Value rhs,
                     mlir::Type elementType = {});

  /// `condition ? yes() : no()`, both of the same type, where only the chosen
  /// side runs.
  mlir::Value choose(mlir::Value condition,
                     llvm::function_ref<mlir::Value()> yes,
                     llvm::function_ref<mlir::Value()> no);
  /// Whether `given`, which may count from the end of `rank` dimensions, means
  /// dimension `axis` (i1).
  mlir::Value equalsAxis(mlir::OpFoldResult given, int64_t axis, int64_t rank);

  //===--------------------------------------------------------------------===//
  // Nested graphs and other rules
  //===--------------------------------------------------------------------===//

  /// Lowers the ops of a block, but for its terminator, at the builder's
  /// insertion point.
  void lowerBlock(mlir::Block &block);
  /// Lowers one node there and maps its results.
  void lowerNode(onnx::Node node);
  /// What the value of the onnx dialect was lowered to; null if nothing.
  mlir::Value lookup(mlir::Value from) const;
  /// Lowers the ops of a sub-graph at the builder's insertion point, with
  /// `arguments` for its block arguments; returns what it yields.
  llvm::FailureOr<llvm::SmallVector<mlir::Value>>
  lowerGraph(mlir::Region &graph, llvm::ArrayRef<mlir::Value> arguments);
  /// Maps a value of the onnx dialect to a lowered one.
  void map(mlir::Value from, mlir::Value to);

  /// A sequence (or optional) whose length is known is a list of values that
  /// exists at compile time only.
  void mapSequence(mlir::Value from, llvm::SmallVector<mlir::Value> elements);
  std::optional<llvm::SmallVector<mlir::Value>> sequenceOf(mlir::Value from);

  //===--------------------------------------------------------------------===//
  // Errors
  //===--------------------------------------------------------------------===//

  /// Refuses `node` if `relation` is known not to hold, and else lets the
  /// program check it where that is not sure.
  llvm::LogicalResult require(onnx::Node node, SizeRelation relation,
                              mlir::OpFoldResult found,
                              mlir::OpFoldResult wanted);

  /// "node 'a' (Conv), operands 'x' tensor<...>, 'w' tensor<...>".
  std::string placeOf(onnx::Node node) const;
  /// Reports that the model is wrong at `node`: "WFT2001: node 'a' (Conv):
  /// ...".
  llvm::LogicalResult fail(onnx::Node node, const llvm::Twine &message);
  /// Reports that Weft has no lowering of what `node` asks for. All of these
  /// are collected, reported together, and lead to exit code 77.
  llvm::LogicalResult unsupported(onnx::Node node, const llvm::Twine &message);

  /// Whether elements of eight bytes would take more bytes than the runtime
  /// can plan for.
  static bool isTooLarge(mlir::ShapedType type);

  struct Unsupported {
    mlir::Location loc;
    std::string name, opType, message;
  };
  llvm::SmallVector<Unsupported> unsupportedNodes;
  bool hasFailed = false;

  /// Values of the onnx dialect that gradients are asked for. What they are
  /// lowered to is kept apart from what it is made of.
  llvm::DenseSet<mlir::Value> independents;

private:
  using Scalars = llvm::SmallVector<mlir::OpFoldResult>;
  /// An operation on sizes: its name and operands.
  using Term = std::tuple<llvm::StringRef, void *, void *>;
  static Term term(llvm::StringRef name, mlir::OpFoldResult lhs,
                   mlir::OpFoldResult rhs = {}) {
    return {name, lhs.getOpaqueValue(), rhs.getOpaqueValue()};
  }

  bool haveOperands(onnx::Node node) const;
  /// Blames `node` for ops that are behind `last` and that the verifier
  /// refuses, and adds checks of the sizes that they rely on at run time.
  llvm::LogicalResult checkBehind(onnx::Node node, mlir::Block *block,
                                  mlir::Operation *last);
  llvm::LogicalResult addChecks(onnx::Node node, mlir::Operation *root);
  llvm::LogicalResult checkResult(onnx::Node node, unsigned index,
                                  mlir::RankedTensorType type,
                                  mlir::TensorType declared);
  std::string describeOperands(onnx::Node node) const;
  void mapResults(onnx::Node node, llvm::ArrayRef<mlir::Value> results);

  mlir::Value folded(mlir::Operation *op);
  mlir::Value evaluated(mlir::Operation *op);
  mlir::Value scalarised(mlir::Operation *op);
  mlir::Value scalarisedMove(mlir::Operation *op);
  mlir::Value scalarisedElementwise(mlir::Operation *op);
  mlir::Value scalarisedReduce(ReduceOp op);
  mlir::OpFoldResult scalarOf(mlir::Operation *op,
                              llvm::ArrayRef<mlir::OpFoldResult> elements,
                              mlir::Type type);
  /// The elements of a small tensor as scalars of its element type (signless),
  /// if they are known one by one.
  std::optional<Scalars> scalarsOf(mlir::Value value);
  mlir::Value fromScalars(llvm::ArrayRef<mlir::OpFoldResult> scalars,
                          mlir::RankedTensorType type);
  mlir::OpFoldResult toIndex(mlir::OpFoldResult scalar);
  mlir::OpFoldResult fromIndex(mlir::OpFoldResult index, mlir::Type type);

  mlir::OpFoldResult traceSize(mlir::Value value, int64_t dim);
  void reifySizes(mlir::Operation *op);
  mlir::OpFoldResult traced(mlir::OpFoldResult size);
  /// The op `name` of two index operands; one that exists and is visible here
  /// is taken again.
  mlir::OpFoldResult binary(llvm::StringRef name, mlir::OpFoldResult lhs,
                            mlir::OpFoldResult rhs);
  /// A value of `term` that dominates the insertion point, or null.
  mlir::Value visible(const Term &term) const;
  bool isVisible(mlir::Value value) const;

  const LoweringTable &table;
  mlir::IRMapping mapping;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value>> sequences;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::OpFoldResult> sizeCache;
  llvm::DenseMap<Term, llvm::SmallVector<mlir::Value, 1>> arithmetic;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::OpFoldResult>> extracted;
};

//===----------------------------------------------------------------------===//
// Families
//===----------------------------------------------------------------------===//

void addElementwiseLowerings(LoweringTable &table);
void addActivationLowerings(LoweringTable &table);
void addMovementLowerings(LoweringTable &table);
void addPartLowerings(LoweringTable &table);
void addSourceLowerings(LoweringTable &table);
void addSelectionLowerings(LoweringTable &table);
void addGatherScatterLowerings(LoweringTable &table);
void addGradientLowerings(LoweringTable &table);
void addReductionLowerings(LoweringTable &table);
void addContractionLowerings(LoweringTable &table);
void addEinsumLowerings(LoweringTable &table);
void addConvolutionLowerings(LoweringTable &table);
void addCol2ImLowerings(LoweringTable &table);
void addPoolingLowerings(LoweringTable &table);
void addNormalizationLowerings(LoweringTable &table);
void addAttentionLowerings(LoweringTable &table);
void addRecurrentLowerings(LoweringTable &table);
void addControlFlowLowerings(LoweringTable &table);
void addLossLowerings(LoweringTable &table);
void addQuantizationLowerings(LoweringTable &table);
void addRandomLowerings(LoweringTable &table);
void addImageLowerings(LoweringTable &table);
void addSignalLowerings(LoweringTable &table);
void addSequenceLowerings(LoweringTable &table);
void addClassicalLowerings(LoweringTable &table);
void addOptimizerLowerings(LoweringTable &table);

/// Collects the values below `root` that its Gradient nodes differentiate by.
void findIndependents(mlir::Operation *root,
                      llvm::DenseSet<mlir::Value> &independents);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_LOWERING_H
