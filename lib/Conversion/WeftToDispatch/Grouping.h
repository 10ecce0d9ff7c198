//===- Grouping.h - Which ops become one kernel ---------------------------===//

#ifndef WEFT_LIB_CONVERSION_WEFTTODISPATCH_GROUPING_H
#define WEFT_LIB_CONVERSION_WEFTTODISPATCH_GROUPING_H

#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "llvm/ADT/SetVector.h"

namespace weft {

/// What decides how the elements of a kernel are computed.
enum class GroupKind {
  Elements, ///< nothing but elementwise ops
  Rows,     ///< reductions over the same axes of the same shape
  Own,      ///< one op with a kernel of its own: product, window, gather
  Loops,    ///< one op that writes whole results; nothing follows it
};

/// Ops of one block that become one kernel.
struct Group {
  GroupKind kind;
  llvm::SetVector<mlir::Operation *> ops;
  mlir::Operation *root = nullptr; ///< unless of kind Elements
  bool closed = false;             ///< takes no more consumers
  int64_t first, last;             ///< positions of its ops in the block
};

/// Assigns the ops of a block to groups. Ops that are computed again where they
/// are used, and ops that need no kernel, are in none. Where an elementwise op
/// is to be computed in several groups, the block gets copies of it.
class Grouping {
public:
  explicit Grouping(mlir::Block &block);

  llvm::ArrayRef<std::unique_ptr<Group>> getGroups() const { return groups; }
  Group *getGroup(mlir::Operation *op) const { return groupOf.lookup(op); }
  /// Whether the region of `group` shall hold a copy of `op`, which is in no
  /// group, for the sake of its user.
  bool isCopied(mlir::Operation *op, const Group &group,
                mlir::Operation *user) const;

private:
  void assign(mlir::Operation *op);
  bool join(mlir::Operation *op);
  bool joinRow(mlir::Operation *op);
  bool joinTranspose(TransposeOp op);
  Group *createGroup(GroupKind kind, mlir::Operation *op);
  void add(Group &group, mlir::Operation *op);
  bool canJoin(mlir::Operation *op, const Group &group) const;
  bool fitsRows(mlir::Operation *op, const Group &group) const;
  bool dependsOn(mlir::Operation *op, const Group &group,
                 llvm::SmallPtrSetImpl<void *> &visited) const;
  void mergeProducers();
  bool canMerge(const Group &producer, const Group &consumer) const;
  void recompute(mlir::Operation *op, Group &group);
  bool canRecompute(mlir::Operation *op, const Group &group,
                    const Group &user) const;
  void mergeRows();
  bool canMergeRows(const Group &first, const Group &second) const;
  bool dependsThroughOthers(const Group &group, const Group &source) const;
  void groupLeftovers(mlir::Block &block);

  llvm::SmallVector<std::unique_ptr<Group>> groups;
  llvm::DenseMap<mlir::Operation *, Group *> groupOf;
  llvm::DenseMap<mlir::Operation *, int64_t> positions;
};

} // namespace weft

#endif // WEFT_LIB_CONVERSION_WEFTTODISPATCH_GROUPING_H
