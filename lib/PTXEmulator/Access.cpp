//===- Access.cpp - Loads and stores, checked -----------------------------===//

#include "Machine.h"
#include "Race.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

std::string hex(uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

bool isRead(Access access) {
  return access == Access::Read || access == Access::AtomicRead ||
         access == Access::Atomic;
}

bool isWrite(Access access) {
  return access == Access::Write || access == Access::AtomicWrite ||
         access == Access::Atomic;
}

std::string verb(const AccessInfo &info, uint32_t bytes) {
  std::string what = info.access == Access::Atomic ? "changes "
                     : isWrite(info.access)        ? "writes "
                                                   : "reads ";
  return (info.async ? "an asynchronous operation " : "") + what +
         std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

void checkAlignment(Warp &warp, uint64_t address, uint32_t bytes,
                    const AccessInfo &info) {
  unsigned align = info.align ? info.align : bytes;
  if (address & (align - 1))
    warp.fail(FaultKind::Misaligned,
              verb(info, bytes) + " at " + hex(address) +
                  ", which is no multiple of " + std::to_string(align),
              int(info.lane));
}

uint8_t *accessShared(Warp &warp, uint32_t rank, uint64_t offset,
                      uint32_t bytes, const AccessInfo &info) {
  Cluster &cluster = *warp.cluster;
  const LaunchState &launch = *warp.launch;
  if (rank >= cluster.blocks.size())
    warp.fail(FaultKind::IllegalAddress,
              verb(info, bytes) + " in shared memory of block " +
                  std::to_string(rank) + " of a cluster of " +
                  std::to_string(cluster.blocks.size()),
              int(info.lane));
  Block &block = cluster.blocks[rank];
  checkAlignment(warp, offset, bytes, info);
  if (offset < kSharedBase || offset + bytes > kSharedBase + launch.sharedBytes)
    warp.fail(FaultKind::IllegalAddress,
              verb(info, bytes) + " at " + hex(offset) +
                  " of shared memory, which has " +
                  std::to_string(launch.sharedBytes) + " bytes from " +
                  hex(kSharedBase),
              int(info.lane));
  if (&block != warp.block && block.ended())
    warp.fail(FaultKind::IllegalAddress,
              verb(info, bytes) + " in shared memory of block " +
                  std::to_string(rank) + " of the cluster, which has ended",
              int(info.lane));
  uint64_t at = offset - kSharedBase;
  uint8_t *state = block.state + at;
  for (uint32_t i = 0; i < bytes; ++i) {
    if (info.mbarrier)
      break;
    if (state[i] & kMbarrier)
      warp.fail(FaultKind::BadBarrier,
                verb(info, bytes) + " at " + hex(offset) +
                    " of shared memory, where an mbarrier is",
                int(info.lane));
    if (!isRead(info.access) || !launch.options->uninitialised)
      continue;
    if (state[i] & kInFlight)
      warp.fail(FaultKind::Uninitialised,
                verb(info, bytes) + " at " + hex(offset) +
                    " of shared memory, which a copy that nothing has waited "
                    "for has yet to write",
                int(info.lane));
    if (!(state[i] & kWritten))
      warp.fail(FaultKind::Uninitialised,
                verb(info, bytes) + " at " + hex(offset) +
                    " of shared memory, which nothing has written",
                int(info.lane));
  }
  uint8_t *host = block.shared + at;
  if (cluster.races)
    cluster.races->access(warp, reinterpret_cast<uint64_t>(host), bytes, info,
                          true);
  if (!isWrite(info.access))
    return host;
  for (uint32_t i = 0; i < bytes; ++i)
    state[i] |= kWritten;
  if (!block.genericWrites.empty() && !info.async && !info.mbarrier) {
    ++cluster.tick;
    for (uint64_t word = at / 4; word <= (at + bytes - 1) / 4; ++word)
      block.genericWrites[word] = {cluster.tick, uint16_t(warp.agent)};
  }
  // Who only looks at an mbarrier changes nothing.
  if (!info.mbarrier)
    ++cluster.progress;
  return host;
}

uint8_t *accessLocal(Warp &warp, uint64_t offset, uint32_t bytes,
                     const AccessInfo &info) {
  const LaunchState &launch = *warp.launch;
  checkAlignment(warp, offset, bytes, info);
  if (offset + bytes > launch.localBytes || offset + bytes < offset)
    warp.fail(FaultKind::IllegalAddress,
              verb(info, bytes) + " at " + hex(offset) +
                  " of the thread's local memory of " +
                  std::to_string(launch.localBytes) + " bytes",
              int(info.lane));
  uint8_t *written = warp.localWritten(info.lane) + offset;
  if (isWrite(info.access))
    memset(written, 1, bytes);
  else if (launch.options->uninitialised && memchr(written, 0, bytes))
    warp.fail(FaultKind::Uninitialised,
              verb(info, bytes) + " at " + hex(offset) +
                  " of local memory, which nothing has written",
              int(info.lane));
  return warp.local(info.lane) + offset;
}

[[noreturn]] void failOutside(Warp &warp, uint64_t address, uint32_t bytes,
                              const AccessInfo &info) {
  warp.fail(FaultKind::IllegalAddress,
            verb(info, bytes) + " at " + hex(address) + ": " +
                warp.launch->memory->describe(address),
            int(info.lane));
}

const Allocation *recentAt(const Warp &warp, uint64_t address) {
  for (const Allocation *recent : warp.recent)
    if (recent && address - recent->begin < recent->end - recent->begin)
      return recent;
  return nullptr;
}

// Allocations stay where they are during a launch.
const Allocation *lookUp(Warp &warp, uint64_t address) {
  if (const Allocation *recent = recentAt(warp, address))
    return recent;
  const Allocation *found = warp.launch->memory->find(address);
  if (found)
    warp.recent[warp.nextRecent++ % std::size(warp.recent)] = found;
  return found;
}

uint8_t *accessGlobal(Warp &warp, uint64_t address, uint32_t bytes,
                      const AccessInfo &info) {
  const LaunchState &launch = *warp.launch;
  checkAlignment(warp, address, bytes, info);
  const Allocation *found = lookUp(warp, address);
  if (!found || address + bytes > found->end) {
    if (launch.options->bounds)
      failOutside(warp, address, bytes, info);
    return reinterpret_cast<uint8_t *>(address);
  }
  uint8_t *written = found->written + (address - found->begin);
  if (isRead(info.access) && launch.options->uninitialised &&
      memchr(written, 0, bytes))
    warp.fail(FaultKind::Uninitialised,
              verb(info, bytes) + " at " + hex(address) + ", " +
                  std::to_string(address - found->begin) + " bytes into " +
                  found->label + ", which nothing has written",
              int(info.lane));
  if (isWrite(info.access))
    memset(written, 1, bytes);
  if (warp.cluster->races)
    warp.cluster->races->access(warp, address, bytes, info, false);
  return reinterpret_cast<uint8_t *>(address);
}

uint8_t *accessParameters(Warp &warp, uint64_t offset, uint32_t bytes,
                          const AccessInfo &info) {
  const LaunchState &launch = *warp.launch;
  checkAlignment(warp, offset, bytes, info);
  if (isWrite(info.access) ||
      offset + bytes > launch.kernel->info.parameterBytes)
    warp.fail(FaultKind::IllegalAddress,
              verb(info, bytes) + " at " + hex(offset) +
                  " of the parameters, which are " +
                  std::to_string(launch.kernel->info.parameterBytes) +
                  " bytes to read",
              int(info.lane));
  return launch.parameters + offset;
}

} // namespace

uint8_t *weft::ptx::accessMemory(Warp &warp, uint64_t address, uint32_t bytes,
                                 const AccessInfo &info) {
  switch (info.space) {
  case Space::Shared: {
    uint32_t rank = uint32_t(address >> kRankShift);
    if (address >> 32)
      rank = UINT32_MAX;
    return accessShared(warp, rank ? rank - 1 : warp.block->rank,
                        address & ((1u << kRankShift) - 1), bytes, info);
  }
  case Space::Local:
    return accessLocal(warp, address, bytes, info);
  case Space::Param:
    return accessParameters(warp, address, bytes, info);
  case Space::Global:
  case Space::Const:
    return accessGlobal(warp, address, bytes, info);
  case Space::Generic:
    break;
  }
  if (recentAt(warp, address))
    return accessGlobal(warp, address, bytes, info);
  const Cluster &cluster = *warp.cluster;
  if (address - cluster.sharedBegin <
      cluster.sharedStride * cluster.blocks.size()) {
    uint64_t at = address - cluster.sharedBegin;
    return accessShared(warp, uint32_t(at / cluster.sharedStride),
                        at % cluster.sharedStride + kSharedBase, bytes, info);
  }
  uint64_t local = reinterpret_cast<uint64_t>(warp.local(info.lane));
  if (address - local < warp.launch->localBytes)
    return accessLocal(warp, address - local, bytes, info);
  uint64_t parameters = reinterpret_cast<uint64_t>(warp.launch->parameters);
  if (address - parameters < warp.launch->kernel->info.parameterBytes)
    return accessParameters(warp, address - parameters, bytes, info);
  return accessGlobal(warp, address, bytes, info);
}

uint64_t weft::ptx::toGeneric(const Warp &warp, Space space, uint64_t address,
                              unsigned lane) {
  switch (space) {
  case Space::Shared: {
    uint64_t rank = address >> kRankShift;
    rank = rank ? rank - 1 : warp.block->rank;
    return warp.cluster->sharedBegin + rank * warp.cluster->sharedStride +
           (address & ((1u << kRankShift) - 1)) - kSharedBase;
  }
  case Space::Local:
    return reinterpret_cast<uint64_t>(warp.local(lane)) + address;
  default:
    return address;
  }
}

bool weft::ptx::toShared(const Warp &warp, uint64_t pointer,
                         uint32_t &address) {
  const Cluster &cluster = *warp.cluster;
  uint64_t at = pointer - cluster.sharedBegin;
  if (at >= cluster.sharedStride * cluster.blocks.size())
    return false;
  uint32_t rank = uint32_t(at / cluster.sharedStride);
  address = uint32_t(at % cluster.sharedStride) + kSharedBase;
  if (rank != warp.block->rank)
    address |= (rank + 1) << kRankShift;
  return true;
}

void weft::ptx::countGlobal(Warp &warp, const uint64_t *addresses, Mask mask,
                            uint32_t bytes) {
  Cluster &cluster = *warp.cluster;
  uint64_t sectors[kLanes * 2];
  unsigned count = 0;
  for (; mask; mask &= mask - 1) {
    uint64_t address = addresses[std::countr_zero(mask)];
    uint64_t last = (address + bytes - 1) / 32;
    for (uint64_t sector = address / 32; sector <= last; ++sector)
      if (count < kLanes * 2 && (!count || sectors[count - 1] != sector))
        sectors[count++] = sector;
  }
  std::sort(sectors, sectors + count);
  count = unsigned(std::unique(sectors, sectors + count) - sectors);
  LineCounters &line = cluster.lines[warp.current->line];
  ++line.globalRequests;
  line.globalSectors += count;
  ++cluster.counters.globalRequests;
  cluster.counters.globalSectors += count;
}

// 32 banks of four bytes. Lanes that access 8 or 16 bytes are served by halves
// or quarters of the warp.
void weft::ptx::countShared(Warp &warp, const uint64_t *addresses, Mask mask,
                            uint32_t bytes) {
  Cluster &cluster = *warp.cluster;
  unsigned perRound = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
  unsigned wavefronts = 0, ideal = 0;
  for (unsigned first = 0; first < kLanes; first += perRound) {
    uint64_t words[kLanes * 4];
    unsigned count = 0;
    for (unsigned lane = first; lane < first + perRound; ++lane)
      if (mask >> lane & 1)
        for (uint64_t word = addresses[lane] / 4;
             word <= (addresses[lane] + bytes - 1) / 4; ++word)
          if (count < kLanes * 4)
            words[count++] = word;
    if (!count)
      continue;
    std::sort(words, words + count);
    count = unsigned(std::unique(words, words + count) - words);
    unsigned banks[32] = {}, most = 0;
    for (unsigned i = 0; i < count; ++i)
      most = std::max(most, ++banks[words[i] % 32]);
    wavefronts += most;
    ideal += (count + 31) / 32;
  }
  LineCounters &line = cluster.lines[warp.current->line];
  ++line.sharedRequests;
  line.sharedWavefronts += wavefronts;
  line.idealSharedWavefronts += ideal;
  ++cluster.counters.sharedRequests;
  cluster.counters.sharedWavefronts += wavefronts;
  cluster.counters.idealSharedWavefronts += ideal;
}
