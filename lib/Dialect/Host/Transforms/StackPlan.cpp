//===- StackPlan.cpp - Buffers upon each other, whatever their sizes ------===//

#include "StackPlan.h"
#include "mlir/IR/Matchers.h"
#include "weft/Dialect/Host/IR/HostDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::host;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Attribute SampleSizes::evaluate(Value value) {
  auto [it, isNew] = known.try_emplace(value);
  if (!isNew)
    return it->second;
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions() != 0)
    return {};
  Attribute result;
  auto index = IndexType::get(value.getContext());
  if (auto symbol = dyn_cast<SymbolOp>(op)) {
    int64_t size = nominal;
    if (symbols && symbol.getNumber() < symbols.size()) {
      auto range = cast<SymbolAttr>(symbols[symbol.getNumber()]);
      size = std::min(std::max(size, range.getMin()), range.getMax());
    }
    result = IntegerAttr::get(index, size);
  } else {
    SmallVector<Attribute> operands;
    for (Value operand : op->getOperands())
      if (Attribute attr = evaluate(operand))
        operands.push_back(attr);
    SmallVector<OpFoldResult> folded;
    if (operands.size() == op->getNumOperands() &&
        succeeded(op->fold(operands, folded)) && folded.size() == 1) {
      result = dyn_cast<Attribute>(folded.front());
      if (!result)
        result = evaluate(cast<Value>(folded.front()));
    }
  }
  known[value] = result;
  return result;
}

std::optional<int64_t> SampleSizes::get(Value size) {
  auto number = dyn_cast_or_null<IntegerAttr>(evaluate(size));
  if (!number)
    return std::nullopt;
  return std::clamp<int64_t>(number.getInt(), 0, maxBytes);
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

namespace {
/// A packing for one sample.
struct Packing {
  SmallVector<int64_t> offsets;
  SmallVector<unsigned> order; ///< from the lowest
};
} // namespace

static Packing pack(ArrayRef<Lifetime> lifetimes, ArrayRef<int64_t> sizes) {
  unsigned count = lifetimes.size();
  SmallVector<unsigned> largest = llvm::to_vector(llvm::seq(count));
  llvm::stable_sort(largest, [&](unsigned lhs, unsigned rhs) {
    return sizes[lhs] > sizes[rhs];
  });
  Packing packing;
  packing.offsets.resize(count);
  // Those that have their places, from the lowest.
  SmallVectorImpl<unsigned> &placed = packing.order;
  auto isLower = [&](unsigned lhs, unsigned rhs) {
    auto key = [&](unsigned one) {
      return std::tuple(packing.offsets[one], packing.offsets[one] + sizes[one],
                        one);
    };
    return key(lhs) < key(rhs);
  };
  for (unsigned buffer : largest) {
    int64_t end = 0, best = -1, bestHole = 0;
    for (unsigned other : placed) {
      if (!lifetimes[other].overlaps(lifetimes[buffer]))
        continue;
      int64_t hole = packing.offsets[other] - end;
      if (hole >= sizes[buffer] && (best < 0 || hole < bestHole)) {
        best = end;
        bestHole = hole;
      }
      end = std::max(end, packing.offsets[other] + sizes[other]);
    }
    packing.offsets[buffer] = best < 0 ? end : best;
    placed.insert(llvm::upper_bound(placed, buffer, isLower), buffer);
  }
  return packing;
}

/// Which buffer lies upon which others, all of them.
static StackPlan stack(ArrayRef<Lifetime> lifetimes, const Packing &packing) {
  StackPlan plan;
  plan.order = packing.order;
  plan.below.resize(lifetimes.size());
  for (auto [number, buffer] : llvm::enumerate(plan.order))
    for (unsigned other : ArrayRef(plan.order).take_front(number))
      if (lifetimes[other].overlaps(lifetimes[buffer]))
        plan.below[buffer].push_back(other);
  return plan;
}

/// Leaves of what a buffer lies upon what nothing else of that lies upon: the
/// others end no higher.
static void prune(StackPlan &plan, ArrayRef<Lifetime> lifetimes) {
  for (SmallVector<unsigned> &below : plan.below) {
    SmallVector<unsigned> kept;
    for (unsigned other : llvm::reverse(below))
      if (llvm::none_of(kept, [&](unsigned between) {
            return lifetimes[between].overlaps(lifetimes[other]);
          }))
        kept.push_back(other);
    below = std::move(kept);
  }
}

int64_t weft::host::measure(const StackPlan &plan, ArrayRef<int64_t> sizes) {
  SmallVector<int64_t> ends(sizes.size());
  int64_t total = 0;
  for (unsigned buffer : plan.order) {
    int64_t offset = 0;
    for (unsigned other : plan.below[buffer])
      offset = std::max(offset, ends[other]);
    ends[buffer] = offset + sizes[buffer];
    total = std::max(total, ends[buffer]);
  }
  return total;
}

/// The most bytes that are alive at once.
static int64_t measureLive(ArrayRef<Lifetime> lifetimes,
                           ArrayRef<int64_t> sizes) {
  SmallVector<std::pair<int64_t, int64_t>> events;
  for (auto [lifetime, size] : llvm::zip_equal(lifetimes, sizes)) {
    events.push_back({lifetime.first, size});
    events.push_back({lifetime.last + 1, -size});
  }
  llvm::sort(events);
  int64_t live = 0, most = 0;
  for (auto [time, change] : events) {
    live += change;
    most = std::max(most, live);
  }
  return most;
}

double weft::host::findWorst(ArrayRef<Lifetime> lifetimes,
                             ArrayRef<SmallVector<int64_t>> samples,
                             llvm::function_ref<int64_t(unsigned)> bytes) {
  double worst = 0;
  for (auto [number, sizes] : llvm::enumerate(samples)) {
    int64_t live = std::max<int64_t>(measureLive(lifetimes, sizes), 1);
    worst = std::max(worst, double(bytes(number)) / double(live));
  }
  return worst;
}

StackPlan weft::host::planStack(ArrayRef<Lifetime> lifetimes,
                                ArrayRef<SmallVector<int64_t>> samples) {
  StackPlan best;
  double least = 0;
  for (ArrayRef<int64_t> sizes : samples) {
    StackPlan plan = stack(lifetimes, pack(lifetimes, sizes));
    double worst = findWorst(lifetimes, samples, [&](unsigned sample) {
      return measure(plan, samples[sample]);
    });
    if (!best.order.empty() && worst >= least)
      continue;
    best = std::move(plan);
    least = worst;
  }
  prune(best, lifetimes);
  return best;
}
