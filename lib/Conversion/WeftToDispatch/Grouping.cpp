//===- Grouping.cpp - Which ops become one kernel -------------------------===//

#include "Grouping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// What an op is
//===----------------------------------------------------------------------===//

/// A constant whose elements are all equal costs nothing to repeat.
static bool isSplat(Operation *op) {
  auto constant = dyn_cast<ConstantOp>(op);
  if (!constant)
    return false;
  auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
  return dense && dense.isSplat();
}

/// Ops that need no kernel: constants in memory, and other names for memory.
static bool needsNoKernel(Operation *op) {
  return isa<ConstantOp, ReshapeOp>(op) ||
         !isa<IndexedOpInterface, LoopOpInterface>(op);
}

/// Ops that only tell where an element comes from, without a branch.
static bool isIndexMap(Operation *op) {
  return isSplat(op) || isa<BroadcastOp, TransposeOp, SliceOp, IotaOp>(op);
}

/// The axes that a row of a Rows group runs over.
static std::optional<SmallVector<int64_t>> getRowAxes(Operation *op) {
  using Axes = std::optional<SmallVector<int64_t>>;
  return TypeSwitch<Operation *, Axes>(op)
      .Case([](ReduceOp op) { return llvm::to_vector(op.getAxes()); })
      .Case([](NormalizeOp op) { return llvm::to_vector(op.getAxes()); })
      .Case([](SoftmaxOp op) {
        return SmallVector<int64_t>{static_cast<int64_t>(op.getAxis())};
      })
      .Case([](ArgReduceOp op) {
        return SmallVector<int64_t>{static_cast<int64_t>(op.getAxis())};
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// A broadcast of something that is in memory, or of a splat: what kernels that
/// join loops can read.
static bool isMemoryBroadcast(Operation *op) {
  if (isSplat(op))
    return true;
  auto broadcast = dyn_cast<BroadcastOp>(op);
  if (!broadcast)
    return false;
  Operation *source = broadcast.getInput().getDefiningOp();
  return !source || isSplat(source) || !isIndexMap(source);
}

static ArrayRef<int64_t> getShape(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

static Block *getBlock(Operation *op) { return op ? op->getBlock() : nullptr; }

//===----------------------------------------------------------------------===//
// What things cost
//===----------------------------------------------------------------------===//

/// The operations that one element of an op takes.
static double countPerElement(Operation *op) {
  auto costed = dyn_cast<CostOpInterface>(op);
  if (!costed)
    return 0;
  auto ones = [](ValueRange values) {
    return llvm::map_to_vector(values, [](Value value) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      return SmallVector<int64_t>(type ? type.getRank() : 0, 1);
    });
  };
  return costed.countFlops({ones(op->getOperands()), ones(op->getResults())});
}

/// The operations that one element of a group takes.
static double countPerElement(const Group &group) {
  double flops = 0;
  for (Operation *op : group.ops)
    flops += countPerElement(op);
  return flops;
}

/// The operations that storing an element and loading it again is worth: it
/// goes through memory, which moves one in the time of some ten multiply-adds
/// of a vector.
static constexpr double kStoredElement = 64;

/// The operations for an element that attention reads, once for each tile of
/// the other side, which are little beside the products that it is for.
static constexpr double kAttendedElement = 16;

static bool isAttention(const Group &group) {
  return isa_and_nonnull<AttentionOp, AttentionGradientOp>(group.root);
}

//===----------------------------------------------------------------------===//
// Joining
//===----------------------------------------------------------------------===//

Group *Grouping::createGroup(GroupKind kind, Operation *op) {
  auto group = std::make_unique<Group>();
  group->kind = kind;
  group->root = kind == GroupKind::Elements ? nullptr : op;
  group->first = group->last = positions[op];
  groups.push_back(std::move(group));
  add(*groups.back(), op);
  return groups.back().get();
}

void Grouping::add(Group &group, Operation *op) {
  group.ops.insert(op);
  groupOf[op] = &group;
  group.first = std::min(group.first, positions.lookup(op));
  group.last = std::max(group.last, positions.lookup(op));
}

bool Grouping::dependsOn(Operation *op, const Group &group,
                         llvm::SmallPtrSetImpl<void *> &visited) const {
  if (!op)
    return false;
  // What lies in a nested region counts as the op around it.
  auto it = positions.find(op);
  if (it == positions.end())
    return false;
  Group *own = getGroup(op);
  if (own == &group)
    return true;
  if (!visited.insert(own ? static_cast<void *>(own) : op).second)
    return false;
  if ((own ? own->last : it->second) < group.first)
    return false;
  auto operandsDepend = [&](Operation *user) {
    bool found = false;
    user->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        found |= dependsOn(operand.getDefiningOp(), group, visited);
    });
    return found;
  };
  if (!own)
    return operandsDepend(op);
  return llvm::any_of(own->ops, operandsDepend);
}

/// Whether a row kernel could compute `op` within its sweeps.
bool Grouping::fitsRows(Operation *op, const Group &group) const {
  ArrayRef<int64_t> shape = getShape(group.root->getOperand(0));
  SmallVector<int64_t> axes = *getRowAxes(group.root);
  SmallVector<int64_t> outer;
  for (int64_t dim : llvm::seq<int64_t>(shape.size()))
    if (!llvm::is_contained(axes, dim))
      outer.push_back(dim);
  ArrayRef<int64_t> own = getShape(op->getResult(0));
  for (Value operand : op->getOperands()) {
    Operation *source = operand.getDefiningOp();
    auto broadcast = dyn_cast_or_null<BroadcastOp>(source);
    Operation *inner =
        broadcast ? broadcast.getInput().getDefiningOp() : nullptr;
    if (!inner || getGroup(inner) != &group)
      continue;
    // From the outer space to the full one, or not at all.
    if (own != shape || broadcast.getDims() != ArrayRef<int64_t>(outer))
      return false;
    for (auto [size, dim] :
         llvm::zip_equal(getShape(broadcast.getInput()), outer))
      if (size != shape[dim])
        return false;
  }
  return true;
}

bool Grouping::canJoin(Operation *op, const Group &group) const {
  if (group.closed || group.kind == GroupKind::Loops)
    return false;
  if (group.kind == GroupKind::Rows && !fitsRows(op, group))
    return false;
  for (Value operand : op->getOperands()) {
    Operation *source = operand.getDefiningOp();
    if (!source || getGroup(source) == &group)
      continue;
    // Through a copy, the group's own values may be read.
    if (!getGroup(source) && isCopied(source, group, op)) {
      bool onlyOwn = llvm::all_of(source->getOperands(), [&](Value inner) {
        llvm::SmallPtrSet<void *, 16> visited;
        Operation *def = inner.getDefiningOp();
        // A product's elements are at hand one at a time only.
        if (def && getGroup(def) == &group)
          return group.kind != GroupKind::Own;
        return !dependsOn(def, group, visited);
      });
      if (!onlyOwn)
        return false;
      continue;
    }
    llvm::SmallPtrSet<void *, 16> visited;
    if (dependsOn(source, group, visited))
      return false;
  }
  return true;
}

bool Grouping::join(Operation *op) {
  // The latest producer first: its result is the most likely to be in a cache.
  SmallVector<Group *> candidates;
  for (Value operand : op->getOperands()) {
    Operation *source = operand.getDefiningOp();
    if (auto broadcast = dyn_cast_or_null<BroadcastOp>(source))
      if (Operation *inner = broadcast.getInput().getDefiningOp())
        if (Group *group = getGroup(inner);
            group && group->kind == GroupKind::Rows)
          candidates.push_back(group);
    if (getBlock(source) == op->getBlock())
      if (Group *group = getGroup(source))
        candidates.push_back(group);
  }
  llvm::sort(candidates, [](Group *lhs, Group *rhs) {
    // Products and rows are worth more than chains.
    bool left = lhs->kind != GroupKind::Elements;
    bool right = rhs->kind != GroupKind::Elements;
    return std::make_pair(left, lhs->last) > std::make_pair(right, rhs->last);
  });
  for (Group *group : candidates) {
    if (!canJoin(op, *group))
      continue;
    add(*group, op);
    return true;
  }
  return false;
}

/// A reduction of what a row kernel computes, along the same axes, is one more
/// sweep of it, and computes the chain that it reads again.
bool Grouping::joinRow(Operation *op) {
  Operation *source = op->getOperand(0).getDefiningOp();
  if (getBlock(source) != op->getBlock())
    return false;
  Group *group = getGroup(source);
  if (!group || group->kind != GroupKind::Rows ||
      *getRowAxes(group->root) != *getRowAxes(op) ||
      group->root->getOperand(0).getType() != op->getOperand(0).getType() ||
      countPerElement(*group) > kStoredElement || !canJoin(op, *group))
    return false;
  add(*group, op);
  return true;
}

/// A transpose of a product's result changes only where elements are stored.
bool Grouping::joinTranspose(TransposeOp op) {
  Operation *source = op.getInput().getDefiningOp();
  if (getBlock(source) != op->getBlock() || !op.getInput().hasOneUse())
    return false;
  Group *group = getGroup(source);
  if (!group || group->closed ||
      !isa<ContractOp, ConvOp>(group->root ? group->root : source))
    return false;
  // The group's only result, then, is the transposed one.
  for (Operation *member : group->ops)
    for (Operation *user : member->getUsers())
      if (user != op && getGroup(user) != group)
        return false;
  add(*group, op);
  group->closed = true;
  return true;
}

void Grouping::assign(Operation *op) {
  if (needsNoKernel(op))
    return;
  if (isa<LoopOpInterface>(op)) {
    createGroup(GroupKind::Loops, op)->closed = true;
    return;
  }
  if (auto transpose = dyn_cast<TransposeOp>(op))
    if (joinTranspose(transpose))
      return;
  if (isIndexMap(op))
    return;
  if (isa<ScalarOpInterface>(op)) {
    if (!join(op))
      createGroup(GroupKind::Elements, op);
    return;
  }
  bool isRow = getRowAxes(op).has_value();
  if (isRow && joinRow(op))
    return;
  createGroup(isRow ? GroupKind::Rows : GroupKind::Own, op);
}

bool Grouping::isCopied(Operation *op, const Group &group,
                        Operation *user) const {
  if (!isIndexMap(op))
    return false;
  if (isSplat(op))
    return true;
  switch (group.kind) {
  case GroupKind::Elements:
  case GroupKind::Loops:
    return true;
  case GroupKind::Rows:
    return isMemoryBroadcast(op);
  case GroupKind::Own:
    // Products read through transposes of memory.
    if (user == group.root && isa<TransposeOp>(op)) {
      Operation *source = op->getOperand(0).getDefiningOp();
      return !source || !isIndexMap(source);
    }
    return isMemoryBroadcast(op);
  }
  llvm_unreachable("all kinds are handled");
}

//===----------------------------------------------------------------------===//
// What goes before
//===----------------------------------------------------------------------===//

/// How often a row kernel runs along a row, and computes what it reads.
static int countSweeps(const Group &rows) {
  int sweeps = 0;
  bool hasFullResults = false;
  size_t rank = getShape(rows.root->getOperand(0)).size();
  for (Operation *op : rows.ops) {
    if (auto normalize = dyn_cast<NormalizeOp>(op))
      sweeps += normalize.getRms() ? 1 : 2;
    else if (getRowAxes(op))
      sweeps += isa<SoftmaxOp>(op) ? 2 : 1;
    hasFullResults |= getShape(op->getResult(0)).size() == rank;
  }
  return sweeps + hasFullResults;
}

/// Whether the elements of `op`, one of a chain of elementwise ops, are those
/// of `consumer`'s loops: of what is reduced, of what a reduction gives, or of
/// what follows a product.
static bool fitsLoops(Operation *op, const Group &consumer) {
  ArrayRef<int64_t> shape = getShape(op->getResult(0));
  Operation *root = consumer.root;
  auto isOf = [&](Value value) { return getShape(value) == shape; };
  if (consumer.kind == GroupKind::Rows && isOf(root->getOperand(0)))
    return true;
  // It is not for the root then, which would need its elements many times.
  return isOf(root->getResult(0)) &&
         llvm::none_of(op->getUsers(), [&](Operation *user) {
           return user == root || getRowAxes(user);
         });
}

/// Whether `producer`, a chain of elementwise ops, may be computed within
/// `consumer`, which alone uses its results.
bool Grouping::canMerge(const Group &producer, const Group &consumer) const {
  if (producer.kind != GroupKind::Elements)
    return false;
  bool hasOwnLoops =
      consumer.kind == GroupKind::Rows || consumer.kind == GroupKind::Own;
  for (Operation *op : producer.ops) {
    for (Operation *user : op->getUsers()) {
      Group *group = getGroup(user);
      if (group != &consumer && group != &producer)
        return false;
    }
    if (!hasOwnLoops)
      continue;
    for (Value operand : op->getOperands()) {
      Operation *source = operand.getDefiningOp();
      if (source && !getGroup(source) && isIndexMap(source) &&
          !isMemoryBroadcast(source))
        return false;
    }
    if (!fitsLoops(op, consumer))
      return false;
  }
  if (isAttention(consumer))
    return countPerElement(producer) <= kAttendedElement;
  if (consumer.kind == GroupKind::Own)
    return countPerElement(producer) <= kStoredElement;
  if (consumer.kind != GroupKind::Rows)
    return true;
  // Each sweep but the first computes the chain again.
  return (countSweeps(consumer) - 1) * countPerElement(producer) <=
         kStoredElement;
}

void Grouping::mergeProducers() {
  // Consumers come later than producers, so going backwards merges chains.
  for (std::unique_ptr<Group> &producer : llvm::reverse(groups)) {
    if (producer->kind != GroupKind::Elements)
      continue;
    llvm::SmallPtrSet<Group *, 4> users;
    bool other = false;
    for (Operation *op : producer->ops)
      for (Operation *user : op->getUsers()) {
        Group *group = getGroup(user);
        if (!group)
          other = true;
        else if (group != producer.get())
          users.insert(group);
      }
    if (other || users.size() != 1 || !canMerge(*producer, **users.begin()))
      continue;
    Group &consumer = **users.begin();
    for (Operation *op : producer->ops)
      add(consumer, op);
    producer->ops.clear();
  }
  llvm::erase_if(groups, [](const std::unique_ptr<Group> &group) {
    return group->ops.empty();
  });
}

//===----------------------------------------------------------------------===//
// What is computed again
//===----------------------------------------------------------------------===//

/// Whether `user`, which reads the result of `op`, an elementwise op of
/// `group`, may compute it itself: from what is stored in any case, of which it
/// does not read more than it would spare to store.
bool Grouping::canRecompute(Operation *op, const Group &group,
                            const Group &user) const {
  constexpr unsigned kMostOperands = 2;
  unsigned fullOperands = 0;
  for (Value operand : op->getOperands()) {
    Operation *source = operand.getDefiningOp();
    bool isMap = source && !getGroup(source) && isIndexMap(source);
    if (isMap && !isCopied(source, user, op))
      return false;
    fullOperands += !isMap && getShape(operand) == getShape(op->getResult(0));
    bool isStored = !source || getGroup(source) != &group ||
                    llvm::any_of(operand.getUsers(), [&](Operation *other) {
                      return other != op && getGroup(other) != &group;
                    });
    if (!isStored)
      return false;
  }
  if (fullOperands > kMostOperands)
    return false;
  if (isAttention(user))
    return countPerElement(op) <= kAttendedElement;
  if (user.closed)
    return false;
  switch (user.kind) {
  case GroupKind::Loops:
    return false;
  case GroupKind::Elements:
    return countPerElement(op) <= kStoredElement;
  case GroupKind::Own:
    return fitsLoops(op, user) && countPerElement(op) <= kStoredElement;
  case GroupKind::Rows:
    return getShape(op->getResult(0)) == getShape(user.root->getOperand(0)) &&
           countSweeps(user) * countPerElement(op) <= kStoredElement;
  }
  llvm_unreachable("all kinds are handled");
}

/// Lets other groups that read `op` of `group` compute it themselves, if they
/// all can, so that it is not stored.
void Grouping::recompute(Operation *op, Group &group) {
  if (!isa<ScalarOpInterface>(op) || op == group.root)
    return;
  llvm::SetVector<Group *> users;
  for (Operation *user : op->getUsers()) {
    if (!getGroup(user))
      return;
    if (getGroup(user) != &group)
      users.insert(getGroup(user));
  }
  constexpr unsigned kMostUsers = 2;
  if (users.empty() || users.size() > kMostUsers ||
      !llvm::all_of(
          users, [&](Group *user) { return canRecompute(op, group, *user); }))
    return;
  OpBuilder builder(op->getContext());
  builder.setInsertionPointAfter(op);
  for (Group *user : users) {
    Operation *copy = builder.clone(*op);
    positions[copy] = positions.lookup(op);
    add(*user, copy);
    op->replaceUsesWithIf(copy->getResults(), [&](OpOperand &use) {
      return getGroup(use.getOwner()) == user;
    });
  }
  if (!op->use_empty())
    return;
  group.ops.remove(op);
  groupOf.erase(op);
  positions.erase(op);
  op->erase();
}

/// Whether `group` reads something that is computed from `source`, by groups
/// other than both.
bool Grouping::dependsThroughOthers(const Group &group,
                                    const Group &source) const {
  llvm::SmallPtrSet<void *, 16> visited;
  return llvm::any_of(group.ops, [&](Operation *op) {
    return llvm::any_of(op->getOperands(), [&](Value operand) {
      Operation *def = operand.getDefiningOp();
      Group *other = def ? getGroup(def) : nullptr;
      if (!def || other == &group || other == &source)
        return false;
      // A copy is no other group.
      if (!other && isCopied(def, group, op))
        return llvm::any_of(def->getOperands(), [&](Value inner) {
          Operation *innerDef = inner.getDefiningOp();
          return innerDef && getGroup(innerDef) != &group &&
                 getGroup(innerDef) != &source &&
                 dependsOn(innerDef, source, visited);
        });
      return dependsOn(def, source, visited);
    });
  });
}

/// Whether two groups of rows may be one: their rows are the same, they read
/// one of them from the same tensor, and neither waits for others that wait for
/// the other.
bool Grouping::canMergeRows(const Group &first, const Group &second) const {
  if (first.closed || second.closed ||
      *getRowAxes(first.root) != *getRowAxes(second.root) ||
      getShape(first.root->getOperand(0)) !=
          getShape(second.root->getOperand(0)))
    return false;
  // What one makes of its rows, the other may read by its own rows alone.
  auto fits = [&](const Group &group, const Group &source) {
    return llvm::all_of(group.ops,
                        [&](Operation *op) { return fitsRows(op, source); });
  };
  return fits(first, second) && fits(second, first) &&
         !dependsThroughOthers(first, second) &&
         !dependsThroughOthers(second, first);
}

/// Makes one group of groups of rows that read the same tensor.
void Grouping::mergeRows() {
  llvm::MapVector<Value, SmallVector<Group *>> readers;
  for (const std::unique_ptr<Group> &group : groups) {
    if (group->kind != GroupKind::Rows)
      continue;
    llvm::SetVector<Value> inputs;
    for (Operation *op : group->ops)
      for (Value operand : op->getOperands())
        if (isa<RankedTensorType>(operand.getType()) &&
            getShape(operand) == getShape(group->root->getOperand(0)) &&
            getGroup(operand.getDefiningOp()) != group.get())
          inputs.insert(operand);
    for (Value input : inputs)
      readers[input].push_back(group.get());
  }
  for (auto &[input, sharing] : readers)
    for (auto [number, second] : llvm::enumerate(sharing))
      for (Group *first : ArrayRef(sharing).take_front(number)) {
        if (first == second || first->ops.empty() || second->ops.empty() ||
            !canMergeRows(*first, *second))
          continue;
        for (Operation *op : second->ops)
          add(*first, op);
        second->ops.clear();
      }
  llvm::erase_if(groups, [](const std::unique_ptr<Group> &group) {
    return group->ops.empty();
  });
}

/// Index maps whose result is wanted as a whole get a kernel after all.
void Grouping::groupLeftovers(Block &block) {
  for (Operation &op : llvm::reverse(block)) {
    if (needsNoKernel(&op) || getGroup(&op) || !isIndexMap(&op))
      continue;
    bool isWanted = llvm::any_of(op.getUsers(), [&](Operation *user) {
      Group *group = getGroup(user);
      return !group ? !isIndexMap(user) || getBlock(user) != &block
                    : !isCopied(&op, *group, user);
    });
    if (isWanted)
      createGroup(GroupKind::Elements, &op);
  }
}

Grouping::Grouping(Block &block) {
  for (auto [position, op] : llvm::enumerate(block))
    positions[&op] = position;
  for (Operation &op : block)
    assign(&op);
  mergeProducers();
  for (const std::unique_ptr<Group> &group : groups) {
    SmallVector<Operation *> ops(group->ops.begin(), group->ops.end());
    for (Operation *op : llvm::reverse(ops))
      recompute(op, *group);
  }
  mergeRows();
  groupLeftovers(block);
}
