//===- Mbarrier.cpp - Barriers in shared memory ---------------------------===//
//
// The object, from the lowest bit: 20 bits pending arrivals, 20 bits expected
// arrivals, 22 bits of bytes that are outstanding (signed), the phase's parity.
//
//===----------------------------------------------------------------------===//

#include "Mbarrier.h"
#include "Race.h"

using namespace weft::ptx;

namespace {

constexpr uint64_t kCountMask = 0xfffff;
constexpr int64_t kMostBytes = (1 << 20) - 1;

struct Fields {
  uint64_t pending, expected;
  int64_t bytes;
  uint64_t parity;

  explicit Fields(uint64_t word)
      : pending(word & kCountMask), expected(word >> 20 & kCountMask),
        bytes(int64_t(word << 2) >> 42), parity(word >> 62 & 1) {}
  uint64_t word() const {
    return pending | expected << 20 | (uint64_t(bytes) & 0x3fffff) << 40 |
           parity << 62;
  }
};

} // namespace

Mbarrier::Mbarrier(Warp &warp, Space space, uint64_t address, unsigned lane)
    : warp(warp), lane(lane) {
  uint32_t shared = uint32_t(address);
  if (space == Space::Generic && !toShared(warp, address, shared))
    warp.fail(FaultKind::IllegalAddress, "the mbarrier is not in shared memory",
              int(lane));
  rank = shared >> kRankShift;
  rank = rank ? rank - 1 : warp.block->rank;
  offset = shared & ((1u << kRankShift) - 1);
}

Mbarrier::Mbarrier(Warp &warp, uint32_t rank, uint32_t offset, unsigned lane)
    : rank(rank), offset(offset), warp(warp), lane(lane) {}

uint64_t *Mbarrier::word() {
  AccessInfo info;
  info.access = Access::Atomic;
  info.space = Space::Shared;
  info.lane = lane;
  info.mbarrier = true;
  uint8_t *host = accessMemory(warp, key(), 8, info);
  const Block &block = warp.cluster->blocks[rank];
  if (!(block.state[host - block.shared] & kMbarrier))
    warp.fail(FaultKind::BadBarrier,
              "no mbarrier.init was done at " + std::to_string(offset) +
                  " of shared memory",
              int(lane));
  return reinterpret_cast<uint64_t *>(host);
}

void Mbarrier::init(uint32_t count) {
  AccessInfo info;
  info.access = Access::Write;
  info.space = Space::Shared;
  info.lane = lane;
  // Checks that there is none, and marks it for the order of accesses.
  uint8_t *host = accessMemory(warp, key(), 8, info);
  if (!count || count > kCountMask)
    warp.fail(FaultKind::BadBarrier,
              std::to_string(count) + " arrivals are not in 1 .. 2^20 - 1",
              int(lane));
  Fields fields(0);
  fields.pending = fields.expected = count;
  *reinterpret_cast<uint64_t *>(host) = fields.word();
  Block &block = warp.cluster->blocks[rank];
  for (unsigned i = 0; i < 8; ++i)
    block.state[host - block.shared + i] |= kMbarrier;
  warp.cluster->mbarrierClocks.erase(key());
}

void Mbarrier::invalidate() {
  auto *host = reinterpret_cast<uint8_t *>(word());
  Block &block = warp.cluster->blocks[rank];
  for (unsigned i = 0; i < 8; ++i)
    block.state[host - block.shared + i] = 0;
}

void Mbarrier::settle(uint64_t *word) {
  Fields fields(*word);
  if (fields.bytes > kMostBytes || fields.bytes < -kMostBytes)
    warp.fail(FaultKind::BadBarrier,
              std::to_string(fields.bytes) +
                  " bytes are outstanding on the mbarrier",
              int(lane));
  ++warp.cluster->progress;
  if (fields.pending || fields.bytes)
    return;
  fields.parity ^= 1;
  fields.pending = fields.expected;
  *word = fields.word();
  auto &clocks = warp.cluster->mbarrierClocks[key()];
  clocks.passed = std::move(clocks.current);
  clocks.current = nullptr;
}

uint64_t Mbarrier::arrive(uint32_t count, bool drop) {
  uint64_t *object = word(), before = *object;
  Fields fields(before);
  if (!count || count > fields.pending)
    warp.fail(FaultKind::BadBarrier,
              std::to_string(count) +
                  " arrivals at an mbarrier that waits for " +
                  std::to_string(fields.pending) + " more",
              int(lane));
  fields.pending -= count;
  if (drop)
    fields.expected -= count;
  *object = fields.word();
  if (warp.cluster->races)
    warp.cluster->races->release(warp,
                                 warp.cluster->mbarrierClocks[key()].current);
  settle(object);
  return before;
}

void Mbarrier::raise(uint32_t count) {
  uint64_t *object = word();
  Fields fields(*object);
  fields.pending += count;
  *object = fields.word();
}

void Mbarrier::expect(int64_t bytes) {
  uint64_t *object = word();
  Fields fields(*object);
  fields.bytes += bytes;
  if (fields.bytes > kMostBytes || bytes > kMostBytes)
    warp.fail(FaultKind::BadBarrier,
              std::to_string(bytes) + " bytes are too many for an mbarrier",
              int(lane));
  *object = fields.word();
  settle(object);
}

void Mbarrier::complete(int64_t bytes, uint32_t agent, uint32_t clock) {
  uint64_t *object = word();
  Fields fields(*object);
  fields.bytes -= bytes;
  *object = fields.word();
  if (warp.cluster->races)
    warp.cluster->races->endAsync(warp.cluster->mbarrierClocks[key()].current,
                                  agent, clock);
  settle(object);
}

bool Mbarrier::passed(uint32_t parity) {
  Fields fields(*word());
  if (fields.parity == (parity & 1))
    return false;
  if (warp.cluster->races) {
    auto &clocks = warp.cluster->mbarrierClocks[key()];
    if (clocks.passed)
      warp.cluster->races->acquire(warp, *clocks.passed);
  }
  return true;
}
