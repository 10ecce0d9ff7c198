//===- DecodeBarrier.cpp - Barriers of warps, blocks and clusters ---------===//

#include "Handlers.h"
#include "Race.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

constexpr unsigned kBarriers = 16;

enum Reduction : uint8_t { kNone, kPopc, kAnd, kOr };

uint32_t uniform(Warp &warp, const uint32_t *values, Mask lanes,
                 const char *what) {
  unsigned first = std::countr_zero(lanes);
  forLanes(lanes, [&](unsigned lane) {
    if (values[lane] != values[first])
      warp.fail(FaultKind::BadBarrier,
                std::string(what) + " differs between the lanes of a warp",
                int(lane));
  });
  return values[first];
}

// x: waits, y: Reduction, z: aligned. a: number, b: threads or nothing, c: the
// predicate.
void arriveAtBarrier(Warp &warp, const Instr &instr, Mask lanes) {
  uint32_t id = uniform(warp, warp.in<uint32_t>(instr.a), lanes,
                        "the number of the barrier");
  if (id >= kBarriers)
    warp.fail(FaultKind::BadBarrier,
              "there is no barrier " + std::to_string(id));
  uint32_t threads = 0;
  if (instr.b != kNoOperand) {
    threads = uniform(warp, warp.in<uint32_t>(instr.b), lanes,
                      "the number of threads");
    if (!threads || threads % kLanes)
      warp.fail(FaultKind::BadBarrier,
                std::to_string(threads) + " threads are no whole warps");
    if (threads > warp.launch->blockWarps * kLanes)
      warp.fail(FaultKind::BadBarrier,
                "waits for " + std::to_string(threads) +
                    " threads in a block of " +
                    std::to_string(warp.launch->blockThreads));
  }
  BlockBarrier &barrier = warp.block->barriers[id];
  if (barrier.used && barrier.expected != threads)
    warp.fail(FaultKind::BadBarrier,
              "arrives at barrier " + std::to_string(id) + " for " +
                  std::to_string(threads) + " threads, others for " +
                  std::to_string(barrier.expected));
  if (warp.barrierLanes[id] & lanes)
    warp.fail(FaultKind::BadBarrier,
              "arrives at barrier " + std::to_string(id) + " twice");
  barrier.used = true;
  barrier.expected = threads;
  warp.barrierLanes[id] |= lanes;
  if (instr.y) {
    Mask value = *warp.in<Mask>(instr.c);
    value = (instr.u ? ~value : value) & lanes;
    barrier.count += std::popcount(value);
    barrier.all &= value == lanes;
    barrier.any |= value != 0;
  }
  if (warp.cluster->races)
    warp.cluster->races->release(warp, barrier.clock);
  ++warp.cluster->progress;
  ++warp.cluster->counters.barriers;
  warp.arrivedAt = uint8_t(id);
  warp.wait = instr.x;
  if (!instr.x)
    checkBarrier(*warp.block, id);
}

void giveResult(Warp &warp, const Instr &instr, Mask lanes,
                const BlockBarrier &barrier) {
  if (instr.y == kPopc)
    forLanes(lanes, [&](unsigned lane) {
      warp.out<uint32_t>(instr.d)[lane] = barrier.count;
    });
  else if (instr.y == kAnd)
    warp.setPredicate(instr.d, lanes, barrier.all ? kAllLanes : 0);
  else if (instr.y == kOr)
    warp.setPredicate(instr.d, lanes, barrier.any ? kAllLanes : 0);
}

void release(Block &block, unsigned id) {
  BlockBarrier &barrier = block.barriers[id];
  const auto &code = block.cluster->launch.program->code;
  for (Warp &warp : block.warps)
    for (Group &group : warp.groups) {
      if (group.status != Group::AtBarrier || group.barrier != id)
        continue;
      group.status = Group::Ready;
      giveResult(warp, code[group.pc - 1], group.mask, barrier);
      if (barrier.clock)
        block.cluster->races->acquire(warp, *barrier.clock);
    }
  barrier = {};
  ++block.cluster->progress;
}

//===----------------------------------------------------------------------===//
// Decoding

void decodeBlockBarrier(Decoder &decoder) {
  Instr &instr = decoder.instr;
  bool isBar = decoder.name() == "bar";
  instr.z = decoder.take("aligned") || isBar;
  decoder.take("cta");
  bool reduces = decoder.take("red"), arrives = decoder.take("arrive");
  if (!reduces && !arrives && !decoder.take("sync"))
    decoder.fail("'.sync', '.arrive' or '.red' is missing");
  instr.x = !arrives;
  size_t next = 0;
  if (reduces) {
    instr.y = uint8_t(1 + decoder.takeOneOf({"popc", "and", "or"}, -1));
    Type type = decoder.takeType();
    if (instr.y == kNone)
      decoder.fail("an operation is missing");
    instr.d = decoder.target(next++, type);
    bool negated;
    instr.c = decoder.predicate(decoder.operand(decoder.count() - 1), negated);
    instr.u = negated;
  }
  size_t end = decoder.count() - reduces;
  if (next >= end || end - next > 2 || (arrives && end - next != 2))
    decoder.fail("has the wrong number of operands");
  instr.a = decoder.source(next, Type::U32);
  if (end - next == 2)
    instr.b = decoder.source(next + 1, Type::U32);
  instr.kind = Kind::Barrier;
  instr.run = arriveAtBarrier;
  decoder.emit();
}

// Orders the lanes of a warp, which are in order here.
void nothing(Warp &, const Instr &, Mask) {}

void decodeWarpBarrier(Decoder &decoder) {
  decoder.take("sync");
  decoder.expectCount(1, 1);
  decoder.instr.e = decoder.source(0, Type::B32);
  decoder.instr.kind = Kind::WarpBarrier;
  decoder.instr.run = nothing;
  decoder.emit();
}

void decodeBar(Decoder &decoder) {
  if (decoder.take("warp"))
    return decodeWarpBarrier(decoder);
  decodeBlockBarrier(decoder);
}

//===----------------------------------------------------------------------===//
// Of clusters

void arriveAtCluster(Warp &warp, const Instr &instr, Mask lanes) {
  Cluster &cluster = *warp.cluster;
  if (warp.clusterArrived & lanes)
    warp.fail(FaultKind::BadBarrier,
              "arrives at the cluster's barrier twice without waiting",
              std::countr_zero(warp.clusterArrived & lanes));
  warp.clusterArrived |= lanes;
  forLanes(lanes, [&](unsigned lane) {
    warp.clusterPhase[lane] = cluster.barrierPhase;
  });
  cluster.barrierArrived += std::popcount(lanes);
  if (cluster.races && !instr.y)
    cluster.races->release(warp, cluster.barrierClock);
  ++cluster.progress;
  ++cluster.counters.barriers;
  checkClusterBarrier(cluster);
}

void waitForCluster(Warp &warp, const Instr &, Mask lanes) {
  Cluster &cluster = *warp.cluster;
  forLanes(lanes, [&](unsigned lane) {
    if (!(warp.clusterArrived >> lane & 1))
      warp.fail(FaultKind::BadBarrier,
                "waits at the cluster's barrier without having arrived",
                int(lane));
    warp.wait |= warp.clusterPhase[lane] == cluster.barrierPhase;
  });
  if (warp.wait)
    return;
  warp.clusterArrived &= ~lanes;
  if (cluster.races && cluster.passedClock)
    cluster.races->acquire(warp, *cluster.passedClock);
}

void decodeClusterBarrier(Decoder &decoder) {
  bool waits = decoder.take("wait");
  if (!waits && !decoder.take("arrive"))
    decoder.fail("'.arrive' or '.wait' is missing");
  decoder.take("aligned");
  decoder.take("acquire");
  decoder.take("release");
  decoder.instr.y = decoder.take("relaxed");
  decoder.instr.kind = waits ? Kind::Poll : Kind::Normal;
  decoder.instr.run = waits ? waitForCluster : arriveAtCluster;
  decoder.emit();
}

void decodeBarrier(Decoder &decoder) {
  if (decoder.take("cluster"))
    return decodeClusterBarrier(decoder);
  decodeBlockBarrier(decoder);
}

} // namespace

void weft::ptx::checkBarrier(Block &block, unsigned id) {
  BlockBarrier &barrier = block.barriers[id];
  if (!barrier.used)
    return;
  uint32_t alive = 0;
  for (Warp &warp : block.warps) {
    alive += warp.live != 0;
    Mask &lanes = warp.barrierLanes[id];
    if (lanes && (lanes & warp.live) == warp.live) {
      barrier.arrived += kLanes;
      lanes = 0;
    }
  }
  uint32_t wanted = barrier.expected ? barrier.expected : alive * kLanes;
  if (barrier.arrived > wanted) {
    Warp &warp = block.warps.front();
    warp.fail(FaultKind::BadBarrier,
              std::to_string(barrier.arrived) + " threads at barrier " +
                  std::to_string(id) + ", which waits for " +
                  std::to_string(wanted));
  }
  if (barrier.arrived && barrier.arrived == wanted)
    release(block, id);
}

void weft::ptx::checkClusterBarrier(Cluster &cluster) {
  uint32_t alive = 0;
  for (Block &block : cluster.blocks)
    for (Warp &warp : block.warps)
      alive += std::popcount(warp.live);
  // Threads that have ended count as there.
  uint32_t arrived = 0;
  for (Block &block : cluster.blocks)
    for (Warp &warp : block.warps)
      forLanes(warp.clusterArrived & warp.live, [&](unsigned lane) {
        arrived += warp.clusterPhase[lane] == cluster.barrierPhase;
      });
  if (!cluster.barrierArrived || arrived < alive)
    return;
  ++cluster.barrierPhase;
  cluster.barrierArrived = 0;
  cluster.passedClock = std::move(cluster.barrierClock);
  cluster.barrierClock = nullptr;
  ++cluster.progress;
}

DecodeTable weft::ptx::barrierTable() {
  return {{"bar", decodeBar}, {"barrier", decodeBarrier}};
}
