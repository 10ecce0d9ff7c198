//===- Join.cpp - Small independent regions become one kernel -------------===//

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/IR/IRMapping.h"
#include "weft/Conversion/WeftToDispatch.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Weft/IR/Totals.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"

namespace weft {
#define GEN_PASS_DEF_JOINREGIONSPASS
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::dispatch;

/// Whether nothing needs `value` but the end of its block.
static bool isOnlyReturned(Value value) {
  return llvm::all_of(value.getUsers(), [](Operation *user) {
    if (auto cast = dyn_cast<tensor::CastOp>(user))
      return isOnlyReturned(cast.getResult());
    return user->hasTrait<OpTrait::IsTerminator>();
  });
}

/// Whether all that `region` does is to compute up to `most` elements from
/// those at the same indices.
static bool isSmallAndElementwise(RegionOp region, int64_t most) {
  for (Type type : region.getResultTypes()) {
    auto shape = cast<RankedTensorType>(type);
    if (!shape.hasStaticShape() || shape.getNumElements() > most)
      return false;
  }
  return llvm::all_of(
      region.getBody().front().without_terminator(), [](Operation &op) {
        return isa<ScalarOpInterface, BroadcastOp, ConstantOp>(op);
      });
}

/// The words of a launch: addresses, scalars and sizes.
static int64_t countWords(RegionOp region) {
  int64_t words = region.getNumOperands() + region.getNumResults();
  for (Value input : region.getInputs())
    words += cast<RankedTensorType>(input.getType()).getNumDynamicDims();
  return words;
}

/// Replaces `regions` by one, before `place`. What only another of them needs
/// is no longer a result.
static void join(ArrayRef<RegionOp> regions, Operation *place) {
  llvm::SetVector<Value> inputs, scalars;
  SmallVector<Type> types;
  SmallVector<Location> locations;
  auto isOne = [&](Operation *op) {
    return llvm::is_contained(regions, dyn_cast_or_null<RegionOp>(op));
  };
  auto isResult = [&](OpResult value) {
    return value.use_empty() || !llvm::all_of(value.getUsers(), isOne);
  };
  for (RegionOp region : regions) {
    for (Value input : region.getInputs())
      if (!isOne(input.getDefiningOp()))
        inputs.insert(input);
    scalars.insert_range(region.getScalars());
    for (OpResult result : region.getResults())
      if (isResult(result))
        types.push_back(result.getType());
    locations.push_back(region.getLoc());
  }
  OpBuilder b(place);
  Location loc = b.getFusedLoc(locations);
  auto joined = RegionOp::create(b, loc, types, inputs.getArrayRef(),
                                 scalars.getArrayRef(), {});
  Block *block = b.createBlock(&joined.getBody());
  IRMapping outer;
  for (Value value :
       llvm::concat<const Value>(inputs.getArrayRef(), scalars.getArrayRef()))
    outer.map(value, block->addArgument(value.getType(), value.getLoc()));
  SmallVector<Value> yielded;
  SmallVector<OpResult> replaced;
  for (RegionOp region : regions) {
    IRMapping inner;
    for (auto [argument, operand] : llvm::zip_equal(
             region.getBody().getArguments(),
             llvm::concat<Value>(region.getInputs(), region.getScalars())))
      inner.map(argument, outer.lookup(operand));
    for (Operation &op : region.getBody().front().without_terminator())
      b.clone(op, inner);
    for (auto [result, value] :
         llvm::zip_equal(region.getResults(), region.getYield().getResults())) {
      outer.map(result, inner.lookup(value));
      if (!isResult(result))
        continue;
      yielded.push_back(inner.lookup(value));
      replaced.push_back(result);
    }
  }
  YieldOp::create(b, loc, yielded);
  for (auto [old, result] : llvm::zip_equal(replaced, joined.getResults()))
    old.replaceAllUsesWith(result);
  for (RegionOp region : llvm::reverse(regions))
    region.erase();
}

namespace {
struct JoinRegions : weft::impl::JoinRegionsPassBase<JoinRegions> {
  using JoinRegionsPassBase::JoinRegionsPassBase;

  void joinInBlock(Block &block) {
    SmallVector<RegionOp> regions;
    int64_t words = 0;
    auto end = [&] {
      if (regions.size() > 1) {
        join(regions, regions.back());
        ++numJoined;
      }
      regions.clear();
      words = 0;
    };
    for (RegionOp region :
         llvm::make_early_inc_range(block.getOps<RegionOp>())) {
      if (!llvm::all_of(region.getResults(), isOnlyReturned) ||
          !isSmallAndElementwise(region, maxElements))
        continue;
      if (words + countWords(region) > maxWords)
        end();
      regions.push_back(region);
      words += countWords(region);
    }
    end();
    // What casts results may have been in front of what makes them now.
    sortTopologically(&block);
  }

  /// What a block begins with, such as weights in another type: nothing is kept
  /// for longer if that is made together.
  void joinFirst(Block &block) {
    SmallVector<RegionOp> regions;
    int64_t words = 0;
    auto isArgument = [](Value value) { return isa<BlockArgument>(value); };
    for (RegionOp region : block.getOps<RegionOp>()) {
      if (!isSmallAndElementwise(region, std::numeric_limits<int64_t>::max()) ||
          !llvm::all_of(region.getOperands(), isArgument) ||
          words + countWords(region) > maxWords)
        break;
      regions.push_back(region);
      words += countWords(region);
    }
    if (regions.size() > 1) {
      join(regions, regions.front());
      ++numJoined;
    }
  }

  /// Numbers that are made one from another, such as whether all gradients so
  /// far are finite.
  void joinTotals(Block &block) {
    using Chain = SmallVector<RegionOp>;
    SmallVector<Chain> chains;
    llvm::DenseMap<Operation *, size_t> lasts; ///< and the number of the chain
    for (RegionOp region : block.getOps<RegionOp>()) {
      if (region.getNumResults() != 1 ||
          !isTotals(region.getBody().front(), maxElements))
        continue;
      std::optional<size_t> number;
      for (Value input : region.getInputs())
        if (auto it = lasts.find(input.getDefiningOp());
            it != lasts.end() && input.hasOneUse())
          number = it->second;
      if (number) {
        lasts.erase(chains[*number].back());
        int64_t words = countWords(region);
        for (RegionOp other : chains[*number])
          words += countWords(other);
        if (words > maxWords)
          number = std::nullopt;
      }
      if (!number) {
        number = chains.size();
        chains.emplace_back();
      }
      chains[*number].push_back(region);
      lasts[region] = *number;
    }
    for (ArrayRef<RegionOp> chain : chains)
      if (chain.size() > 1) {
        join(chain, chain.back());
        ++numJoined;
      }
  }

  void runOnOperation() override {
    for (Block &block : getOperation().getBody()) {
      joinFirst(block);
      joinTotals(block);
      joinInBlock(block);
    }
  }
};
} // namespace
