//===- AsyncCopy.cpp - Copies that land later -----------------------------===//

#include "AsyncCopy.h"
#include "Race.h"

using namespace weft::ptx;

namespace {

bool isLazy(const Warp &warp) {
  return warp.launch->options->mode == Mode::Lazy;
}

uint8_t *stateOf(Warp &warp, uint32_t address, uint32_t bytes) {
  uint32_t rank = address >> kRankShift, offset = address & 0xffffff;
  rank = rank ? rank - 1 : warp.block->rank;
  if (rank >= warp.cluster->blocks.size() || offset < kSharedBase ||
      offset + uint64_t(bytes) > kSharedBase + warp.launch->sharedBytes)
    return nullptr;
  return warp.cluster->blocks[rank].state + (offset - kSharedBase);
}

} // namespace

AsyncIdentity weft::ptx::startAsync(Warp &warp) {
  AsyncIdentity identity;
  if (warp.cluster->races)
    warp.cluster->races->startAsync(warp, identity.agent, identity.clock);
  return identity;
}

void weft::ptx::endOperation(Warp &warp, const AsyncIdentity &identity) {
  if (warp.cluster->races)
    warp.cluster->races->endAsync(warp, identity.agent, identity.clock);
}

AccessInfo weft::ptx::asyncAccess(Access access, Space space, unsigned lane,
                                  const AsyncIdentity &identity,
                                  unsigned align) {
  AccessInfo info;
  info.access = access;
  info.space = space;
  info.lane = lane;
  info.align = align;
  info.async = true;
  info.asyncAgent = identity.agent;
  info.asyncClock = identity.clock;
  return info;
}

void weft::ptx::addToGroup(Warp &warp, CopyGroups &groups, unsigned lane,
                           const AsyncIdentity &identity,
                           std::function<void()> land) {
  PendingCopy copy;
  copy.lane = uint8_t(lane);
  copy.group = groups.committed[lane];
  copy.agent = identity.agent;
  copy.clock = identity.clock;
  if (isLazy(warp))
    copy.land = std::move(land);
  else
    land();
  groups.pending.push_back(std::move(copy));
}

void weft::ptx::commitGroup(CopyGroups &groups, Mask lanes) {
  forLanes(lanes, [&](unsigned lane) { ++groups.committed[lane]; });
}

void weft::ptx::waitForGroups(Warp &warp, CopyGroups &groups, Mask lanes,
                              uint32_t left, bool all) {
  std::vector<PendingCopy> remaining;
  std::vector<PendingCopy> pending = std::move(groups.pending);
  groups.pending.clear();
  for (PendingCopy &copy : pending) {
    uint32_t committed = groups.committed[copy.lane];
    bool done = lanes >> copy.lane & 1 &&
                (all || uint64_t(copy.group) + left < committed);
    if (!done) {
      remaining.push_back(std::move(copy));
      continue;
    }
    if (copy.land)
      copy.land();
    if (warp.cluster->races)
      warp.cluster->races->endAsync(warp, copy.agent, copy.clock);
    ++warp.cluster->progress;
  }
  groups.pending = std::move(remaining);
}

void weft::ptx::addToBarrier(Warp &warp, uint32_t rank, uint32_t barrier,
                             std::function<void()> land) {
  if (!isLazy(warp))
    return land();
  warp.cluster->completions.push_back({rank, barrier, std::move(land)});
}

void weft::ptx::markInFlight(Warp &warp, uint32_t address, uint32_t bytes) {
  if (!isLazy(warp))
    return;
  if (uint8_t *state = stateOf(warp, address, bytes))
    for (uint32_t i = 0; i < bytes; ++i)
      state[i] |= kInFlight;
}

void weft::ptx::markLanded(Warp &warp, uint32_t address, uint32_t bytes) {
  uint8_t *state = stateOf(warp, address, bytes);
  if (!state)
    return;
  for (uint32_t i = 0; i < bytes; ++i)
    state[i] = uint8_t((state[i] | kWritten) & ~kInFlight);
  uint32_t rank = address >> kRankShift;
  Block &block = warp.cluster->blocks[rank ? rank - 1 : warp.block->rank];
  if (block.genericWrites.empty())
    return;
  uint32_t at = (address & 0xffffff) - kSharedBase;
  for (uint32_t word = at / 4; word < (at + bytes + 3) / 4; ++word)
    block.genericWrites[word] = {};
}

void weft::ptx::checkProxy(Warp &warp, uint32_t address, uint32_t bytes,
                           unsigned lane) {
  if (!stateOf(warp, address, bytes))
    return;
  uint32_t rank = address >> kRankShift;
  const Cluster &cluster = *warp.cluster;
  const Block &block = cluster.blocks[rank ? rank - 1 : warp.block->rank];
  if (block.genericWrites.empty())
    return;
  uint32_t at = (address & 0xffffff) - kSharedBase;
  for (uint32_t word = at / 4; word < (at + bytes + 3) / 4; ++word) {
    const Block::GenericWrite &write = block.genericWrites[word];
    unsigned warps = cluster.launch.blockWarps;
    const Warp &writer =
        cluster.blocks[write.warp / warps].warps[write.warp % warps];
    if (!write.tick || writer.proxyFence > write.tick ||
        warp.proxyFence > write.tick)
      continue;
    warp.fail(FaultKind::Race,
              "an asynchronous operation reads shared memory at " +
                  std::to_string(word * 4 + kSharedBase) + ", which warp " +
                  std::to_string(writer.index) +
                  " wrote with no fence.proxy.async after it",
              int(lane));
  }
}

uint32_t weft::ptx::sharedAddress(Warp &warp, Space space, uint64_t address,
                                  unsigned lane) {
  uint32_t shared = uint32_t(address);
  if (space == Space::Generic && !toShared(warp, address, shared))
    warp.fail(FaultKind::IllegalAddress, "the address is not in shared memory",
              int(lane));
  if (!(shared >> kRankShift))
    shared |= (warp.block->rank + 1) << kRankShift;
  return shared;
}

// A block's shared memory must not go while something still reads it.
void weft::ptx::checkEndOfWarp(Warp &warp) {
  if (warp.bulk.pending.empty())
    return;
  warp.fail(FaultKind::Race,
            "ends before a bulk copy out of its shared memory was waited for "
            "(cp.async.bulk.wait_group)",
            int(warp.bulk.pending.front().lane));
}
