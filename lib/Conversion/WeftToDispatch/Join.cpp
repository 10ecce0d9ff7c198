//===- Join.cpp - Small independent regions become one kernel -------------===//

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/IR/IRMapping.h"
#include "weft/Conversion/WeftToDispatch.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
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

/// Replaces `regions` by one, where the last of them is.
static void join(ArrayRef<RegionOp> regions) {
  llvm::SetVector<Value> inputs, scalars;
  SmallVector<Type> types;
  SmallVector<Location> locations;
  for (RegionOp region : regions) {
    inputs.insert_range(region.getInputs());
    scalars.insert_range(region.getScalars());
    llvm::append_range(types, region.getResultTypes());
    locations.push_back(region.getLoc());
  }
  OpBuilder b(regions.back());
  Location loc = b.getFusedLoc(locations);
  auto joined = RegionOp::create(b, loc, types, inputs.getArrayRef(),
                                 scalars.getArrayRef(), {});
  Block *block = b.createBlock(&joined.getBody());
  IRMapping outer;
  for (Value value :
       llvm::concat<const Value>(inputs.getArrayRef(), scalars.getArrayRef()))
    outer.map(value, block->addArgument(value.getType(), value.getLoc()));
  SmallVector<Value> yielded;
  unsigned result = 0;
  for (RegionOp region : regions) {
    IRMapping inner;
    for (auto [argument, operand] : llvm::zip_equal(
             region.getBody().getArguments(),
             llvm::concat<Value>(region.getInputs(), region.getScalars())))
      inner.map(argument, outer.lookup(operand));
    for (Operation &op : region.getBody().front().without_terminator())
      b.clone(op, inner);
    for (Value value : region.getYield().getResults())
      yielded.push_back(inner.lookup(value));
    for (OpResult old : region.getResults())
      old.replaceAllUsesWith(joined.getResult(result++));
  }
  YieldOp::create(b, loc, yielded);
  for (RegionOp region : regions)
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
        join(regions);
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

  void runOnOperation() override {
    for (Block &block : getOperation().getBody())
      joinInBlock(block);
  }
};
} // namespace
