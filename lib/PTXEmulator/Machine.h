//===- Machine.h - State of a launch ------------------------------*- C++
//-*-===//
//
// Warps, blocks and clusters while they run, and what instructions do with
// memory. A cluster runs on one thread of the host.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_MACHINE_H
#define WEFT_PTXEMULATOR_MACHINE_H

#include "Memory.h"
#include "Program.h"

#include <atomic>
#include <bit>
#include <cstring>

namespace weft::ptx {

class Block;
class Cluster;
class RaceChecker;
class ClusterRaces;
struct Clock;
struct WarpClock;
struct MatrixQueue;

/// Calls `body` with each lane of the mask.
template <class Body> inline void forLanes(Mask mask, Body body) {
  if (mask == kAllLanes) {
#ifdef __clang__
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
    for (unsigned lane = 0; lane < kLanes; ++lane)
      body(lane);
    return;
  }
  for (; mask; mask &= mask - 1)
    body(unsigned(std::countr_zero(mask)));
}

/// What a launch shares between its clusters.
struct LaunchState {
  const Program *program = nullptr;
  const Function *kernel = nullptr;
  const Launch *launch = nullptr;
  const Options *options = nullptr;
  Memory::Impl *memory = nullptr;
  /// The parameters, aligned.
  uint8_t *parameters = nullptr;
  Dim3 grid, block, cluster;
  uint32_t blockThreads = 0, blockWarps = 0, clusterBlocks = 1;
  /// From `kSharedBase` on; the static part is in front.
  size_t sharedBytes = 0;
  size_t localBytes = 0;
  std::atomic<uint64_t> executed{0};
  /// Set when another cluster has failed.
  std::atomic<bool> stop{false};
  /// Of `Mode::Race`.
  RaceChecker *races = nullptr;
  size_t parametersSize() const { return kernel->info.parameterBytes; }
};

/// Lanes of a warp that are at the same place.
struct Group {
  enum Status : uint8_t {
    Ready,
    /// Asked to be tried again after the others.
    Yielded,
    /// Waits for other lanes of its warp.
    AtConvergence,
    AtBarrier,
  };
  uint32_t pc = 0;
  Mask mask = 0;
  Status status = Ready;
  uint8_t barrier = 0;
  std::vector<uint32_t> returns;
};

/// An asynchronous copy that has not landed: of `cp.async` and bulk groups.
struct PendingCopy {
  uint8_t lane;
  uint32_t group;
  std::function<void()> land;
  /// Who did it, for the order of accesses.
  uint32_t agent = 0, clock = 0;
};

/// The groups of one kind of asynchronous copies, which each lane counts.
struct CopyGroups {
  std::vector<PendingCopy> pending;
  uint32_t committed[kLanes] = {};
};

class Warp {
public:
  Block *block = nullptr;
  Cluster *cluster = nullptr;
  LaunchState *launch = nullptr;
  /// In its block, and among the warps of its cluster.
  unsigned index = 0, agent = 0;
  uint8_t *registers = nullptr;
  const uint8_t *constants = nullptr;
  /// Lanes that have not ended.
  Mask live = 0;
  std::vector<Group> groups;
  uint32_t pc = 0;
  const Instr *current = nullptr;
  /// A handler asks that its group be tried again.
  bool wait = false;
  /// Carry flags of the lanes.
  Mask carry = 0;
  CopyGroups copies, bulk;
  std::unique_ptr<MatrixQueue> matrix;
  /// Lanes that have arrived at the cluster's barrier, and in which phase.
  Mask clusterArrived = 0;
  uint32_t clusterPhase[kLanes] = {};
  /// Lanes waiting at each barrier of the block.
  Mask barrierLanes[16] = {};
  /// When it last executed a proxy fence; see `Block::genericWrites`.
  uint32_t proxyFence = 0;
  /// The barrier that a handler has just made it wait at.
  uint8_t arrivedAt = 0;
  /// The function that returned last.
  const Function *returnedFrom = nullptr;
  /// The allocations that were used last.
  const Allocation *recent[4] = {};
  unsigned nextRecent = 0;
  /// Of `Mode::Race`.
  std::unique_ptr<WarpClock> clock;
  Warp();
  ~Warp();
  Warp(Warp &&) noexcept;

  template <class T> T *out(int32_t offset) const {
    return reinterpret_cast<T *>(registers + offset);
  }
  /// Negative offsets are constants.
  template <class T> const T *in(int32_t offset) const {
    const uint8_t *base =
        offset >= 0 ? registers + offset : constants - (int64_t(offset) + 64);
    return reinterpret_cast<const T *>(base);
  }
  Mask &predicate(int32_t offset) const { return *out<Mask>(offset); }
  /// Sets the lanes of `lanes` to those of `value`.
  void setPredicate(int32_t offset, Mask lanes, Mask value) const {
    if (offset == kNoOperand)
      return;
    Mask &to = predicate(offset);
    to = (to & ~lanes) | (value & lanes);
  }
  uint8_t *local(unsigned lane) const;
  uint8_t *localWritten(unsigned lane) const;

  [[noreturn]] void fail(FaultKind kind, const std::string &text,
                         int lane = -1) const;
};

/// Which side of a transfer an access is.
enum class Access : uint8_t {
  Read,
  Write,
  /// Atomic, or ordered: does not race with others like it.
  AtomicRead,
  AtomicWrite,
  Atomic,
};

/// How an access is made, for the checks.
struct AccessInfo {
  Access access = Access::Read;
  Space space = Space::Generic;
  unsigned lane = 0;
  /// The natural alignment, if not the size.
  unsigned align = 0;
  /// By a copy engine rather than by the thread.
  bool async = false;
  uint32_t asyncAgent = 0, asyncClock = 0;
  /// Instructions on mbarriers may touch them.
  bool mbarrier = false;
};

/// The bytes behind an address: checks alignment, bounds, that what is read was
/// written, races; marks what is written. Throws Fault.
uint8_t *accessMemory(Warp &warp, uint64_t address, uint32_t bytes,
                      const AccessInfo &info);

/// The address of a variable space's `address` as a pointer of the host,
/// without checks.
uint64_t toGeneric(const Warp &warp, Space space, uint64_t address,
                   unsigned lane);

/// The shared-memory offset (with its block's rank, if that is another) of a
/// generic pointer; false if it points elsewhere.
bool toShared(const Warp &warp, uint64_t pointer, uint32_t &address);

/// Counts the sectors or wavefronts of one request; `addresses` are pointers of
/// the host, or offsets into shared memory.
void countGlobal(Warp &warp, const uint64_t *addresses, Mask mask,
                 uint32_t bytes);
void countShared(Warp &warp, const uint64_t *addresses, Mask mask,
                 uint32_t bytes);

/// A barrier of a block.
struct BlockBarrier {
  /// Threads that have arrived, in whole warps.
  uint32_t arrived = 0;
  /// Threads that it waits for; 0 for all.
  uint32_t expected = 0;
  bool used = false;
  /// For bar.red: over the predicates of those that arrived.
  uint32_t count = 0;
  bool all = true, any = false;
  /// Of `Mode::Race`: what those that arrived know.
  std::shared_ptr<Clock> clock;
};

class Block {
public:
  Cluster *cluster = nullptr;
  Dim3 id;
  uint32_t rank = 0;
  /// Points to what has the address kSharedBase.
  uint8_t *shared = nullptr;
  /// One byte per byte of shared memory; bits of SharedState.
  uint8_t *state = nullptr;
  /// When each word was last written through the generic proxy, and by whom.
  struct GenericWrite {
    uint32_t tick = 0;
    uint16_t warp = 0;
  };
  std::vector<GenericWrite> genericWrites;
  std::vector<Warp> warps;
  BlockBarrier barriers[16];
  std::vector<uint8_t> registers, local, localWritten;
  bool ended() const;
};

enum SharedState : uint8_t {
  /// Something wrote the byte.
  kWritten = 1,
  /// It is part of an mbarrier object.
  kMbarrier = 2,
  /// A copy that was issued has not written it yet.
  kInFlight = 4,
};

/// A copy or arrival that completes on an mbarrier, not done yet.
struct PendingCompletion {
  /// Shared address of the mbarrier, with its block's rank.
  uint32_t rank, barrier;
  std::function<void()> land;
};

class Cluster {
public:
  Cluster(LaunchState &launch, uint64_t index);
  ~Cluster();

  LaunchState &launch;
  uint64_t index;
  std::vector<Block> blocks;
  /// The shared memory of its blocks, one after the other.
  std::vector<uint8_t> sharedStore, sharedStates;
  uint64_t sharedBegin = 0, sharedStride = 0;
  uint64_t localBegin = 0, localEnd = 0;
  Counters counters;
  /// Per line of the text.
  std::vector<LineCounters> lines;
  /// Grows when something happens that others may wait for.
  uint64_t progress = 0;
  /// Counts writes through the generic proxy, and fences.
  uint32_t tick = 1;
  std::deque<PendingCompletion> completions;
  /// mbarriers that some warp found incomplete since the last progress.
  std::vector<uint32_t> polled;
  /// Barrier of the cluster: phase, and arrivals in it.
  uint32_t barrierPhase = 0, barrierArrived = 0;
  std::shared_ptr<Clock> barrierClock, passedClock;
  std::unique_ptr<ClusterRaces> races;
  /// Of `Mode::Race`: what those knew that arrived at mbarriers, in this phase
  /// and in the last.
  struct PhaseClocks {
    std::shared_ptr<Clock> current, passed;
  };
  std::unordered_map<uint32_t, PhaseClocks> mbarrierClocks;
  uint64_t executed = 0;
  bool finished = false;

  /// Runs until it ends, or for about `budget` instructions. Throws Fault.
  void run(uint64_t budget);

private:
  bool runWarps(uint64_t limit);
  [[noreturn]] void reportDeadlock();
  bool landOnePending();
};

/// Executes the groups of one warp until each of them waits.
void runWarp(Warp &warp, uint64_t limit);

/// After lanes have arrived or ended: lets go who waits, if all are there.
void checkBarrier(Block &block, unsigned id);
void checkClusterBarrier(Cluster &cluster);

/// Faults on what a warp must not leave behind.
void checkEndOfWarp(Warp &warp);

void copyParameters(Warp &warp, const std::vector<ParamCopy> &copies,
                    Mask lanes);

/// A text with the block and the coordinates.
std::string toText(const Dim3 &dim);

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_MACHINE_H
