//===- Cluster.cpp - Blocks that run together -----------------------------===//

#include "Machine.h"
#include "Matrix.h"
#include "Race.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

/// Not a number in every floating-point type, and far from any index.
constexpr uint8_t kPoison = 0xff;
constexpr uint8_t kRegisterPoison = 0xcd;
/// Instructions of a warp before others get their turn.
constexpr uint64_t kSlice = 20000;
/// Rounds without progress before the cluster is stuck.
constexpr unsigned kIdleRounds = 3;

Dim3 at(uint64_t index, const Dim3 &dim) {
  return {uint32_t(index % dim.x), uint32_t(index / dim.x % dim.y),
          uint32_t(index / dim.x / dim.y)};
}

uint64_t specialValue(const Warp &warp, Special kind, unsigned lane) {
  const LaunchState &launch = *warp.launch;
  const Block &block = *warp.block;
  Dim3 thread = at(uint64_t(warp.index) * kLanes + lane, launch.block);
  Dim3 inCluster = at(block.rank, launch.cluster);
  Dim3 clusters{launch.grid.x / launch.cluster.x,
                launch.grid.y / launch.cluster.y,
                launch.grid.z / launch.cluster.z};
  auto pick = [&](const Dim3 &dim, Special first) {
    int axis = int(kind) - int(first);
    return axis == 0 ? dim.x : axis == 1 ? dim.y : dim.z;
  };
  if (kind <= Special::TidZ)
    return pick(thread, Special::TidX);
  if (kind <= Special::NTidZ)
    return pick(launch.block, Special::NTidX);
  if (kind <= Special::CtaIdZ)
    return pick(block.id, Special::CtaIdX);
  if (kind <= Special::NCtaIdZ)
    return pick(launch.grid, Special::NCtaIdX);
  if (kind >= Special::ClusterIdX && kind <= Special::ClusterIdZ)
    return pick({block.id.x / launch.cluster.x, block.id.y / launch.cluster.y,
                 block.id.z / launch.cluster.z},
                Special::ClusterIdX);
  if (kind >= Special::NClusterIdX && kind <= Special::NClusterIdZ)
    return pick(clusters, Special::NClusterIdX);
  if (kind >= Special::ClusterCtaIdX && kind <= Special::ClusterCtaIdZ)
    return pick(inCluster, Special::ClusterCtaIdX);
  if (kind >= Special::ClusterNCtaIdX && kind <= Special::ClusterNCtaIdZ)
    return pick(launch.cluster, Special::ClusterNCtaIdX);
  Mask own = Mask(1) << lane;
  switch (kind) {
  case Special::LaneId:
    return lane;
  case Special::WarpId:
    return warp.index;
  case Special::NWarpId:
    return launch.blockWarps;
  case Special::LaneMaskEq:
    return own;
  case Special::LaneMaskLe:
    return own | (own - 1);
  case Special::LaneMaskLt:
    return own - 1;
  case Special::LaneMaskGe:
    return ~(own - 1);
  case Special::LaneMaskGt:
    return ~(own | (own - 1));
  case Special::NSmId:
    return 132;
  case Special::SmId:
    return warp.cluster->index * launch.clusterBlocks % 132;
  case Special::ClusterCtaRank:
    return block.rank;
  case Special::ClusterNCtaRank:
    return launch.clusterBlocks;
  case Special::IsExplicitCluster:
    return launch.clusterBlocks > 1;
  case Special::DynamicSmemSize:
    return launch.launch->dynamicShared;
  case Special::TotalSmemSize:
    return launch.sharedBytes;
  default:
    return 0;
  }
}

void fillSpecials(Warp &warp, const std::vector<SpecialUse> &uses) {
  for (const SpecialUse &use : uses)
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      uint64_t value = specialValue(warp, use.kind, lane);
      memcpy(warp.registers + use.offset + size_t(lane) * use.bytes, &value,
             use.bytes);
    }
}

} // namespace

Warp::Warp() = default;
Warp::~Warp() = default;
Warp::Warp(Warp &&) noexcept = default;

bool Block::ended() const {
  return std::all_of(warps.begin(), warps.end(),
                     [](const Warp &warp) { return !warp.live; });
}

Cluster::Cluster(LaunchState &launch, uint64_t index)
    : launch(launch), index(index), blocks(launch.clusterBlocks) {
  const Program &program = *launch.program;
  sharedStride = (launch.sharedBytes + 2047) / 1024 * 1024;
  sharedStore.resize(sharedStride * blocks.size() + 1024, kPoison);
  sharedStates.resize(sharedStride * blocks.size(), 0);
  auto base = reinterpret_cast<uint64_t>(sharedStore.data());
  sharedBegin = (base + 1023) / 1024 * 1024;
  if (launch.options->counters)
    lines.resize(program.lines.size() + 1);
  Dim3 clusters{launch.grid.x / launch.cluster.x,
                launch.grid.y / launch.cluster.y,
                launch.grid.z / launch.cluster.z};
  Dim3 origin = at(index, clusters);
  size_t registerBytes = (launch.kernel->registerBytes + 63) / 64 * 64;
  for (uint32_t rank = 0; rank < blocks.size(); ++rank) {
    Block &block = blocks[rank];
    block.cluster = this;
    block.rank = rank;
    Dim3 inside = at(rank, launch.cluster);
    block.id = {origin.x * launch.cluster.x + inside.x,
                origin.y * launch.cluster.y + inside.y,
                origin.z * launch.cluster.z + inside.z};
    block.shared =
        reinterpret_cast<uint8_t *>(sharedBegin + rank * sharedStride);
    block.state = sharedStates.data() + rank * sharedStride;
    if (program.usesAsyncProxy)
      block.genericWrites.resize(sharedStride / 4);
    block.registers.resize(registerBytes * launch.blockWarps + 64,
                           kRegisterPoison);
    block.local.resize(launch.localBytes * launch.blockWarps * kLanes + 16,
                       kPoison);
    block.localWritten.resize(launch.localBytes * launch.blockWarps * kLanes);
    auto *registers = reinterpret_cast<uint8_t *>(
        (reinterpret_cast<uint64_t>(block.registers.data()) + 63) / 64 * 64);
    block.warps.resize(launch.blockWarps);
    for (unsigned i = 0; i < launch.blockWarps; ++i) {
      Warp &warp = block.warps[i];
      warp.block = &block;
      warp.cluster = this;
      warp.launch = &launch;
      warp.index = i;
      warp.agent = rank * launch.blockWarps + i;
      warp.registers = registers + registerBytes * i;
      warp.constants = program.constants.data();
      unsigned threads = std::min(kLanes, launch.blockThreads - i * kLanes);
      warp.live = threads == kLanes ? kAllLanes : (Mask(1) << threads) - 1;
      warp.groups.push_back(
          {launch.kernel->entry, warp.live, Group::Ready, 0, {}});
      fillSpecials(warp, program.specials);
      fillSpecials(warp, launch.kernel->specials);
    }
  }
  counters.blocks = blocks.size();
  if (launch.races)
    races = std::make_unique<ClusterRaces>(*this, *launch.races);
}

Cluster::~Cluster() = default;

void Cluster::run(uint64_t budget) {
  uint64_t end = executed + budget;
  unsigned idle = 0;
  while (executed < end) {
    uint64_t before = progress, executedBefore = executed;
    bool anyAlive = runWarps(end);
    uint64_t total = launch.executed += executed - executedBefore;
    counters.instructions = executed;
    if (!anyAlive) {
      finished = true;
      return;
    }
    if (launch.stop)
      return;
    if (total > launch.options->maxInstructions) {
      Warp *alive = nullptr;
      for (Block &block : blocks)
        for (Warp &warp : block.warps)
          if (warp.live)
            alive = &warp;
      alive->fail(FaultKind::TooLong, "the kernel has not ended after " +
                                          std::to_string(total) +
                                          " instructions");
    }
    if (progress != before) {
      idle = 0;
      continue;
    }
    bool ready = false;
    for (Block &block : blocks)
      for (Warp &warp : block.warps)
        for (Group &group : warp.groups)
          ready |= group.status == Group::Ready;
    if (ready)
      continue;
    if (landOnePending()) {
      idle = 0;
      continue;
    }
    if (++idle > kIdleRounds)
      reportDeadlock();
  }
}

// One turn for each warp; false if all have ended.
bool Cluster::runWarps(uint64_t limit) {
  bool anyAlive = false;
  for (Block &block : blocks)
    for (Warp &warp : block.warps) {
      if (!warp.live)
        continue;
      for (Group &group : warp.groups)
        if (group.status == Group::Yielded)
          group.status = Group::Ready;
      runWarp(warp, std::min(limit, executed + kSlice));
      anyAlive |= warp.live != 0;
    }
  return anyAlive;
}

// Of what completes on mbarriers that somebody waits for, the oldest.
bool Cluster::landOnePending() {
  for (auto it = completions.begin(); it != completions.end(); ++it) {
    uint32_t key = (it->rank + 1) << kRankShift | it->barrier;
    if (std::find(polled.begin(), polled.end(), key) == polled.end())
      continue;
    auto land = std::move(it->land);
    completions.erase(it);
    land();
    polled.clear();
    ++progress;
    return true;
  }
  return false;
}

void Cluster::reportDeadlock() {
  std::string text = "the block cannot go on:";
  Warp *first = nullptr;
  unsigned told = 0;
  const auto &code = launch.program->code;
  FaultKind kind = FaultKind::Deadlock;
  for (Block &block : blocks)
    for (Warp &warp : block.warps)
      for (Group &group : warp.groups) {
        bool atBarrier = group.status == Group::AtBarrier;
        const Instr &instr = code[group.pc - (atBarrier ? 1 : 0)];
        if (!first) {
          first = &warp;
          warp.pc = group.pc;
          warp.current = &instr;
        }
        if (group.status == Group::AtConvergence && instr.kind == Kind::Barrier)
          kind = FaultKind::BadBarrier;
        if (told++ >= 6)
          continue;
        char lanes[16];
        snprintf(lanes, sizeof lanes, "0x%x", group.mask);
        text +=
            " warp " + std::to_string(warp.index) + " of block " +
            toText(block.id) + ", lanes " + lanes +
            (atBarrier ? ", waits at barrier " + std::to_string(group.barrier)
             : group.status == Group::AtConvergence
                 ? ", waits for other lanes of its warp"
                 : ", waits for an mbarrier or another block") +
            " in line " + std::to_string(instr.line) + ";";
      }
  if (told > 6)
    text += " and " + std::to_string(told - 6) + " more";
  if (!first)
    first = &blocks.front().warps.front();
  first->fail(kind, text);
}
