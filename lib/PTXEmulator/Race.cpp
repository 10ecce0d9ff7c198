//===- Race.cpp - Which accesses are ordered ------------------------------===//

#include "Race.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

constexpr unsigned kPageBits = 12;

bool isWrite(Access access) {
  return access == Access::Write || access == Access::AtomicWrite ||
         access == Access::Atomic;
}

bool isAtomic(Access access) { return access >= Access::AtomicRead; }

void joinVectors(std::vector<uint32_t> &to, const std::vector<uint32_t> &from) {
  if (to.size() < from.size())
    to.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i)
    to[i] = std::max(to[i], from[i]);
}

} // namespace

void weft::ptx::join(Clock &to, const Clock &from) {
  joinVectors(to.own, from.own);
  if (!from.others || to.others == from.others)
    return;
  if (!to.others) {
    to.others = from.others;
    return;
  }
  auto merged = std::make_shared<Clock::Others>(*to.others);
  for (auto &[cluster, clock] : *from.others)
    joinVectors((*merged)[cluster], clock);
  to.others = merged;
}

WordHistory &RaceChecker::global(uint64_t word) {
  constexpr uint64_t kWords = uint64_t(1) << (kPageBits - 2);
  auto &page = pages[word / kWords];
  if (!page)
    page = std::make_unique<WordHistory[]>(kWords);
  return page[word % kWords];
}

ClusterRaces::ClusterRaces(Cluster &cluster, RaceChecker &checker)
    : cluster(cluster), checker(checker) {
  unsigned warps = unsigned(cluster.blocks.size()) * cluster.launch.blockWarps;
  agents = warps + kAsyncAgents;
  shared.resize(cluster.sharedStore.size() / 4 + 1);
  asyncClocks.resize(kAsyncAgents);
  for (Block &block : cluster.blocks)
    for (Warp &warp : block.warps) {
      warp.clock = std::make_unique<WarpClock>();
      warp.clock->now.own.assign(agents, 0);
      warp.clock->now.own[warp.agent] = 1;
    }
}

void ClusterRaces::release(Warp &warp, std::shared_ptr<Clock> &into) {
  if (!into)
    into = std::make_shared<Clock>();
  join(*into, warp.clock->now);
  ++warp.clock->now.own[warp.agent];
}

void ClusterRaces::acquire(Warp &warp, const Clock &from) {
  join(warp.clock->now, from);
}

void ClusterRaces::fence(Warp &warp) {
  WarpClock &clock = *warp.clock;
  if (clock.hasSeen)
    join(clock.now, clock.seen);
  clock.hasSeen = false;
  clock.seen = {};
  clock.released = clock.now;
  clock.hasReleased = true;
  ++clock.now.own[warp.agent];
}

// Between clusters, clocks travel as entries for the cluster they come from.
void ClusterRaces::ordered(Warp &warp, uint64_t address, bool writes,
                           bool reads, bool release, bool acquire) {
  WarpClock &clock = *warp.clock;
  uint32_t self = uint32_t(cluster.index);
  Clock &passed = checker.handedOn[address];
  if (reads && passed.others) {
    Clock seen;
    seen.own.assign(agents, 0);
    seen.others = passed.others;
    if (auto mine = passed.others->find(self); mine != passed.others->end())
      joinVectors(seen.own, mine->second);
    if (acquire) {
      join(clock.now, seen);
    } else {
      join(clock.seen, seen);
      clock.hasSeen = true;
    }
  }
  if (!writes || !(release || clock.hasReleased))
    return;
  Clock known = release ? clock.now : clock.released;
  auto entry = std::make_shared<Clock::Others>();
  if (known.others)
    *entry = *known.others;
  joinVectors((*entry)[self], known.own);
  Clock handed;
  handed.others = entry;
  join(passed, handed);
  if (release)
    ++clock.now.own[warp.agent];
}

void ClusterRaces::startAsync(Warp &warp, uint32_t &agent, uint32_t &clock) {
  unsigned slot = nextAsync++ % kAsyncAgents;
  agent = agents - kAsyncAgents + slot;
  Clock &own = asyncClocks[slot];
  uint32_t last = own.own.empty() ? 0 : own.own[agent];
  own = warp.clock->now;
  clock = own.own[agent] = last + 1;
  ++warp.clock->now.own[warp.agent];
}

void ClusterRaces::endAsync(Warp &warp, uint32_t agent, uint32_t clock) {
  uint32_t &known = warp.clock->now.own[agent];
  known = std::max(known, clock);
}

void ClusterRaces::endAsync(std::shared_ptr<Clock> &into, uint32_t agent,
                            uint32_t clock) {
  if (!into)
    into = std::make_shared<Clock>();
  into->own.resize(std::max<size_t>(into->own.size(), agents));
  into->own[agent] = std::max(into->own[agent], clock);
}

bool ClusterRaces::knows(const Clock &clock, const AccessRecord &record) const {
  if (record.cluster == uint32_t(cluster.index))
    return clock.own[record.agent] >= record.clock;
  if (!clock.others)
    return false;
  auto found = clock.others->find(record.cluster);
  return found != clock.others->end() && found->second.size() > record.agent &&
         found->second[record.agent] >= record.clock;
}

void ClusterRaces::check(Warp &warp, const AccessRecord &before,
                         const AccessRecord &now, bool writes, uint64_t pointer,
                         const AccessInfo &info, const Clock &clock,
                         bool isShared) {
  if (!(before.bytes & now.bytes) || (before.atomic && now.atomic) ||
      (before.agent == now.agent && before.cluster == now.cluster) ||
      knows(clock, before))
    return;
  uint64_t where = pointer;
  std::string place = "global memory";
  if (isShared) {
    uint64_t offset = pointer - cluster.sharedBegin;
    where = offset % cluster.sharedStride + kSharedBase;
    place = "shared memory";
  }
  char address[32];
  snprintf(address, sizeof address, "0x%llx",
           static_cast<unsigned long long>(where));
  unsigned warps = cluster.launch.blockWarps;
  std::string who =
      before.agent >= agents - kAsyncAgents
          ? "an asynchronous copy or product"
          : "warp " + std::to_string(before.agent % warps) + " of " +
                (before.cluster == uint32_t(cluster.index)
                     ? "this " +
                           std::string(
                               cluster.blocks.size() > 1
                                   ? "cluster (block " +
                                         std::to_string(before.agent / warps) +
                                         " in it)"
                                   : "block")
                     : "block " + std::to_string(before.cluster));
  const std::string &text =
      cluster.launch.program->lines[before.line ? before.line - 1 : 0];
  size_t begin = text.find_first_not_of(" \t");
  warp.fail(FaultKind::Race,
            std::string(info.async ? "an asynchronous operation " : "") +
                (isWrite(info.access) ? "writes " : "reads ") + place + " at " +
                address + ", which " + who + (writes ? " writes" : " reads") +
                " with nothing to order the two: line " +
                std::to_string(before.line) + ": " +
                (begin == std::string::npos ? "" : text.substr(begin)),
            int(info.lane));
}

namespace {

void recordWrite(WordHistory &history, const AccessRecord &now) {
  AccessRecord &before = now.atomic ? history.atomicWrite : history.write;
  uint8_t kept = before.agent == now.agent && before.cluster == now.cluster &&
                         before.clock == now.clock
                     ? before.bytes
                     : 0;
  before = now;
  before.bytes |= kept;
  for (AccessRecord &read : history.reads)
    read.bytes &= ~now.bytes;
  if (!now.atomic)
    history.atomicWrite.bytes &= ~now.bytes;
}

} // namespace

void ClusterRaces::access(Warp &warp, uint64_t pointer, uint32_t bytes,
                          const AccessInfo &info, bool isShared) {
  const Clock &clock =
      info.async ? asyncClocks[info.asyncAgent - (agents - kAsyncAgents)]
                 : warp.clock->now;
  AccessRecord now;
  now.cluster = uint32_t(cluster.index);
  now.agent = uint16_t(info.async ? info.asyncAgent : warp.agent);
  now.clock = info.async ? info.asyncClock : clock.own[warp.agent];
  now.line = warp.current ? warp.current->line : 0;
  now.atomic = isAtomic(info.access);
  bool writing = isWrite(info.access);
  uint64_t base = isShared ? pointer - cluster.sharedBegin : pointer;
  for (uint64_t at = base; at < base + bytes;) {
    uint64_t word = at / 4, end = std::min(word * 4 + 4, base + bytes);
    now.bytes = uint8_t(((1u << (end - at)) - 1) << (at % 4));
    WordHistory &history = isShared ? shared[word] : checker.global(word);
    uint64_t host = pointer + (at - base);
    check(warp, history.write, now, true, host, info, clock, isShared);
    check(warp, history.atomicWrite, now, true, host, info, clock, isShared);
    if (writing) {
      for (const AccessRecord &read : history.reads)
        check(warp, read, now, false, host, info, clock, isShared);
      recordWrite(history, now);
    } else {
      AccessRecord *slot = nullptr;
      for (AccessRecord &read : history.reads)
        if (!read.bytes ||
            (read.agent == now.agent && read.cluster == now.cluster) ||
            (!slot && knows(clock, read)))
          slot = &read;
      if (slot)
        *slot = now;
    }
    at = end;
  }
}
