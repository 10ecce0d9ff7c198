//===- Race.h - Which accesses are ordered ------------------------*- C++
//-*-===//
//
// Vector clocks of the warps of a cluster and of what copies for them. Each
// word of memory remembers its last write and a few reads; an access to it that
// its warp's clock does not know to be later is a race. Lanes of one warp are
// not told apart.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_RACE_H
#define WEFT_PTXEMULATOR_RACE_H

#include "Machine.h"

namespace weft::ptx {

/// What is known of all agents of the own cluster, and of other clusters.
struct Clock {
  std::vector<uint32_t> own;
  using Others = std::map<uint32_t, std::vector<uint32_t>>;
  std::shared_ptr<const Others> others;
};

/// The clock of a warp, and what fences make of it.
struct WarpClock {
  Clock now;
  /// What it knew at its last fence: goes with its later ordered writes.
  Clock released;
  bool hasReleased = false;
  /// What ordered reads saw: known from its next fence on.
  Clock seen;
  bool hasSeen = false;
};

struct AccessRecord {
  uint32_t cluster = 0, clock = 0, line = 0;
  uint16_t agent = 0;
  /// Bytes of the word.
  uint8_t bytes = 0;
  bool atomic = false;
};

/// Atomic writes are kept beside the others, which they do not excuse.
struct WordHistory {
  AccessRecord write, atomicWrite;
  AccessRecord reads[4];
};

/// How many copies in flight are told apart.
constexpr unsigned kAsyncAgents = 16;

/// Of a launch: the history of global memory, and what atomics hand on.
class RaceChecker {
public:
  WordHistory &global(uint64_t word);
  std::unordered_map<uint64_t, Clock> handedOn;
  /// The clocks that clusters ended with, for what comes later by a chain of
  /// atomics.
private:
  std::unordered_map<uint64_t, std::unique_ptr<WordHistory[]>> pages;
};

class ClusterRaces {
public:
  ClusterRaces(Cluster &cluster, RaceChecker &checker);

  /// Adds what the warp knows to `into`; what it does later is not in it.
  void release(Warp &warp, std::shared_ptr<Clock> &into);
  void acquire(Warp &warp, const Clock &from);
  void fence(Warp &warp);
  /// An ordered access: hands on and takes over what is known.
  void ordered(Warp &warp, uint64_t address, bool writes, bool reads,
               bool release, bool acquire);
  /// Starts an asynchronous operation of the warp: its agent and clock.
  void startAsync(Warp &warp, uint32_t &agent, uint32_t &clock);
  /// The operation is over, as the warp (or whoever takes `into`) knows.
  void endAsync(Warp &warp, uint32_t agent, uint32_t clock);
  void endAsync(std::shared_ptr<Clock> &into, uint32_t agent, uint32_t clock);

  /// Checks and records an access to `bytes` bytes at a pointer of the host.
  void access(Warp &warp, uint64_t pointer, uint32_t bytes,
              const AccessInfo &info, bool isShared);

private:
  void check(Warp &warp, const AccessRecord &before, const AccessRecord &now,
             bool writes, uint64_t pointer, const AccessInfo &info,
             const Clock &clock, bool isShared);
  bool knows(const Clock &clock, const AccessRecord &record) const;

  Cluster &cluster;
  RaceChecker &checker;
  std::vector<WordHistory> shared;
  std::vector<Clock> asyncClocks;
  unsigned agents, nextAsync = 0;
};

/// `to` knows all that `from` knows, too.
void join(Clock &to, const Clock &from);

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_RACE_H
