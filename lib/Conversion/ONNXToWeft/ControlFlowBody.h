//===- ControlFlowBody.h - Nested graphs as bodies of loops ---------------===//

#ifndef WEFT_LIB_CONVERSION_ONNXTOWEFT_CONTROLFLOWBODY_H
#define WEFT_LIB_CONVERSION_ONNXTOWEFT_CONTROLFLOWBODY_H

#include "Lowering.h"

namespace weft {

/// What a value of the onnx dialect is lowered to: one tensor, or, for a
/// sequence or optional, a list of them.
struct GraphValue {
  mlir::Value tensor;
  std::optional<llvm::SmallVector<mlir::Value>> elements;
};

/// The lowered form of `from`, for use by `node`; fails if there is none. That
/// has been reported already, or is reported here.
llvm::FailureOr<GraphValue> readValue(Lowering &lower, onnx::Node node,
                                      mlir::Value from);
/// Makes `to` the lowered form of `from`.
void bindValue(Lowering &lower, mlir::Value from, const GraphValue &to);

/// Lowers a sub-graph, at the builder's insertion point, with `arguments` for
/// its block's arguments; returns what it yields.
llvm::FailureOr<llvm::SmallVector<GraphValue>>
lowerNested(Lowering &lower, onnx::Node node, mlir::Region &graph,
            llvm::ArrayRef<GraphValue> arguments);

/// `value`, a tensor of one element, in the shape that `argument` declares.
mlir::Value shapeLikeArgument(Lowering &lower, mlir::Value value,
                              mlir::BlockArgument argument);

/// The body of a loop, lowered before the loop itself can be made: which types
/// it carries and yields is known only then. The ops stand in a loop of their
/// own until they are moved; that loop is then dead.
class LoopBody {
public:
  /// Makes the arguments of the graph from the iteration's number and the
  /// carried tensors.
  using Bind = llvm::function_ref<llvm::SmallVector<GraphValue>(
      mlir::Value iteration, mlir::ValueRange carried)>;

  enum class Fit {
    Good,
    /// An error was reported.
    Failed,
    /// A carried value changes its rank, or a sequence is carried or yielded.
    Changes,
    /// As Good, but sizes of carried tensors change from iteration to
    /// iteration.
    Grows,
  };

  LoopBody(Lowering &lower, onnx::Node node, mlir::Region &graph,
           mlir::OpFoldResult trips, llvm::SmallVector<mlir::Value> inits)
      : lower(lower), node(node), graph(graph), trips(trips),
        inits(std::move(inits)) {}

  /// Lowers the graph. Result number `firstCarried` and what follows it are the
  /// next values of the carried tensors.
  Fit build(Bind bind, unsigned firstCarried);

  /// The initial values, cast to the types that the loop carries.
  llvm::ArrayRef<mlir::Value> getInits() const { return inits; }
  /// What the graph yields; defined inside the body.
  llvm::ArrayRef<mlir::Value> getYields() const { return yields; }

  /// A tensor for one result per iteration, the shape of `element` with
  /// `count` put in front of dimension `axis`; made in front of the loop.
  mlir::Value createAccumulator(mlir::Value element, mlir::OpFoldResult count,
                                int64_t axis);

  /// Moves the ops to the end of `block` and puts the builder there.
  void moveTo(mlir::Block *block, mlir::Value iteration,
              mlir::ValueRange carried);

private:
  Fit buildOnce(Bind bind, unsigned firstCarried);

  Lowering &lower;
  onnx::Node node;
  mlir::Region &graph;
  mlir::OpFoldResult trips;
  llvm::SmallVector<mlir::Value> inits, yields;
  mlir::scf::ForOp loop;
};

/// Puts `element` into `accumulator` at `position` of `axis`.
mlir::Value accumulate(Lowering &lower, mlir::Value element,
                       mlir::Value accumulator, mlir::OpFoldResult position,
                       int64_t axis);

/// `element` with a dimension of size one put in at `axis`.
mlir::Value insertAxis(Lowering &lower, mlir::Value element, int64_t axis);

/// Adds Loop and Scan.
void addLoopLowerings(LoweringTable &table);

} // namespace weft

#endif // WEFT_LIB_CONVERSION_ONNXTOWEFT_CONTROLFLOWBODY_H
