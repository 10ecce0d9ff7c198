//===- Launch.cpp - Runs kernels ------------------------------------------===//

#include "Machine.h"
#include "Race.h"

#include <algorithm>
#include <cstdlib>
#include <list>
#include <mutex>
#include <thread>

using namespace weft::ptx;

namespace {

constexpr uint32_t kMostThreads = 1024;
/// Instructions of a cluster before another one is started beside it.
constexpr uint64_t kClusterBudget = 1000000;
/// Clusters that are under way at once on one thread of the host.
constexpr size_t kResident = 256;

/// The most shared memory of a block, by compute capability.
size_t mostShared(unsigned sm) {
  if (sm >= 100)
    return 227 << 10;
  if (sm >= 90)
    return 227 << 10;
  if (sm == 86 || sm == 89)
    return 99 << 10;
  if (sm >= 80)
    return 163 << 10;
  return sm >= 75 ? 64 << 10 : 96 << 10;
}

std::string number(uint64_t value) { return std::to_string(value); }

/// Why the launch cannot start; empty if it can.
std::string refuse(const Launch &launch, const Function &kernel,
                   const Program &program) {
  const KernelInfo &info = kernel.info;
  const Dim3 &block = launch.block, &grid = launch.grid,
             &cluster = launch.cluster;
  if (!grid.count() || !block.count() || !cluster.count())
    return "a grid, block or cluster is empty";
  if (block.count() > kMostThreads || block.z > 64)
    return "a block has " + number(block.count()) + " threads";
  if (grid.y > 65535 || grid.z > 65535 || grid.x > 0x7fffffff)
    return "a grid of " + toText(grid) + " blocks is too large";
  uint32_t sizes[3] = {block.x, block.y, block.z};
  for (int i = 0; i < 3; ++i)
    if (info.requiredThreads[0] && sizes[i] != info.requiredThreads[i])
      return "a block of " + toText(block) + " threads instead of the " +
             "kernel's .reqntid";
  uint64_t most =
      uint64_t(info.maxThreads[0]) * info.maxThreads[1] * info.maxThreads[2];
  if (most && block.count() > most)
    return "a block has " + number(block.count()) +
           " threads, and the kernel's .maxntid allows " + number(most);
  uint32_t inCluster[3] = {cluster.x, cluster.y, cluster.z};
  for (int i = 0; i < 3; ++i)
    if (info.requiredCluster[0] && inCluster[i] != info.requiredCluster[i])
      return "a cluster of " + toText(cluster) +
             " blocks instead of the kernel's .reqnctapercluster";
  if (cluster.count() > 16)
    return "a cluster has " + number(cluster.count()) + " blocks";
  if (cluster.count() > 1 && program.smVersion < 90)
    return "clusters need sm_90";
  if (grid.x % cluster.x || grid.y % cluster.y || grid.z % cluster.z)
    return "a grid of " + toText(grid) +
           " blocks does not consist of "
           "clusters of " +
           toText(cluster);
  size_t shared = info.staticShared + launch.dynamicShared;
  if (info.staticShared > 48 << 10)
    return "static shared memory of " + number(info.staticShared) +
           " bytes is over 49152";
  if (shared > mostShared(program.smVersion))
    return "shared memory of " + number(shared) + " bytes is over the " +
           number(mostShared(program.smVersion)) + " of sm_" +
           number(program.smVersion);
  if (launch.parameters.size() != info.parameterBytes)
    return "parameters have " + number(launch.parameters.size()) +
           " bytes instead of " + number(info.parameterBytes);
  return "";
}

/// Distributes clusters over threads of the host.
class Grid {
public:
  Grid(LaunchState &state, Counters *counters)
      : state(state), counters(counters) {
    total = state.grid.count() / state.clusterBlocks;
  }

  bool run(Fault &fault) {
    unsigned threads = state.races ? 1 : std::max(1u, state.options->threads);
    threads = unsigned(std::min<uint64_t>(threads, total));
    std::vector<std::thread> others;
    for (unsigned i = 1; i < threads; ++i)
      others.emplace_back([this] { work(); });
    work();
    for (std::thread &thread : others)
      thread.join();
    if (failed)
      fault = firstFault;
    return !failed;
  }

private:
  void work() {
    std::list<Cluster> underWay;
    try {
      while (!state.stop) {
        if (underWay.size() < kResident) {
          uint64_t index = next++;
          if (index < total)
            underWay.emplace_back(state, index);
        }
        if (underWay.empty())
          return;
        for (auto it = underWay.begin(); it != underWay.end() && !state.stop;) {
          it->run(kClusterBudget);
          if (!it->finished) {
            ++it;
            continue;
          }
          collect(*it);
          it = underWay.erase(it);
        }
      }
    } catch (const Fault &fault) {
      std::lock_guard lock(mutex);
      if (!failed)
        firstFault = fault;
      failed = true;
      state.stop = true;
    }
  }

  void collect(Cluster &cluster) {
    if (!counters)
      return;
    for (size_t i = 0; i < cluster.lines.size(); ++i)
      if (cluster.lines[i].instructions)
        cluster.counters.lines[unsigned(i)] = cluster.lines[i];
    std::lock_guard lock(mutex);
    counters->add(cluster.counters);
  }

  LaunchState &state;
  Counters *counters;
  std::atomic<uint64_t> next{0};
  uint64_t total = 0;
  std::mutex mutex;
  bool failed = false;
  Fault firstFault;
};

const Function *findKernel(const Program &program, const std::string &name) {
  for (const Function &function : program.functions)
    if (function.isKernel && function.info.name == name)
      return &function;
  return nullptr;
}

} // namespace

std::string weft::ptx::toText(const Dim3 &dim) {
  return "(" + std::to_string(dim.x) + ", " + std::to_string(dim.y) + ", " +
         std::to_string(dim.z) + ")";
}

const char *weft::ptx::nameOf(FaultKind kind) {
  switch (kind) {
  case FaultKind::IllegalAddress:
    return "illegal address";
  case FaultKind::Misaligned:
    return "misaligned address";
  case FaultKind::Uninitialised:
    return "uninitialised memory";
  case FaultKind::Race:
    return "race";
  case FaultKind::Deadlock:
    return "deadlock";
  case FaultKind::BadBarrier:
    return "bad use of a barrier";
  case FaultKind::BadDescriptor:
    return "bad descriptor";
  case FaultKind::Unsupported:
    return "unsupported";
  case FaultKind::Trap:
    return "trap";
  case FaultKind::TooLong:
    return "too long";
  case FaultKind::BadLaunch:
    return "bad launch";
  }
  return "";
}

void Counters::add(const Counters &other) {
  instructions += other.instructions;
  threadInstructions += other.threadInstructions;
  globalRequests += other.globalRequests;
  globalSectors += other.globalSectors;
  sharedRequests += other.sharedRequests;
  sharedWavefronts += other.sharedWavefronts;
  idealSharedWavefronts += other.idealSharedWavefronts;
  mma += other.mma;
  barriers += other.barriers;
  atomics += other.atomics;
  bulkBytes += other.bulkBytes;
  divergentBranches += other.divergentBranches;
  blocks += other.blocks;
  for (auto &[number, line] : other.lines) {
    LineCounters &to = lines[number];
    to.instructions += line.instructions;
    to.globalRequests += line.globalRequests;
    to.globalSectors += line.globalSectors;
    to.sharedRequests += line.sharedRequests;
    to.sharedWavefronts += line.sharedWavefronts;
    to.idealSharedWavefronts += line.idealSharedWavefronts;
  }
}

void Warp::fail(FaultKind kind, const std::string &text, int lane) const {
  Fault fault;
  fault.kind = kind;
  fault.kernel = launch->kernel->info.name;
  fault.line = current ? current->line : 0;
  fault.block = block->id;
  unsigned number = index * kLanes + unsigned(std::max(lane, 0));
  fault.thread = {number % launch->block.x,
                  number / launch->block.x % launch->block.y,
                  number / launch->block.x / launch->block.y};
  fault.message = std::string(nameOf(kind)) + ": kernel '" + fault.kernel +
                  "', block " + toText(fault.block) +
                  (lane < 0 ? ", warp " + std::to_string(index)
                            : ", thread " + toText(fault.thread)) +
                  ": " + text;
  if (fault.line && fault.line <= launch->program->lines.size()) {
    const std::string &source = launch->program->lines[fault.line - 1];
    size_t begin = source.find_first_not_of(" \t");
    if (begin != std::string::npos)
      fault.message +=
          "; line " + std::to_string(fault.line) + ": " + source.substr(begin);
  }
  throw fault;
}

bool weft::ptx::run(Memory &memory, const Launch &launch,
                    const Options &options, Counters *counters, Fault &fault) {
  const Program &program = launch.module->impl().program;
  const Function *kernel = findKernel(program, launch.kernel);
  fault = {};
  fault.kernel = launch.kernel;
  std::string reason =
      kernel ? refuse(launch, *kernel, program) : "there is no such kernel";
  if (!reason.empty()) {
    fault.message = "bad launch: kernel '" + launch.kernel + "': " + reason;
    return false;
  }
  LaunchState state;
  state.program = &program;
  state.kernel = kernel;
  state.launch = &launch;
  state.options = &options;
  state.memory = &memory.impl();
  state.grid = launch.grid;
  state.block = launch.block;
  state.cluster = launch.cluster;
  state.blockThreads = uint32_t(launch.block.count());
  state.blockWarps = (state.blockThreads + kLanes - 1) / kLanes;
  state.clusterBlocks = uint32_t(launch.cluster.count());
  size_t align = kernel->info.sharedAlign;
  state.sharedBytes = kernel->info.staticShared;
  if (launch.dynamicShared)
    state.sharedBytes =
        (state.sharedBytes + align - 1) / align * align + launch.dynamicShared;
  state.localBytes = (kernel->info.localBytes + 15) / 16 * 16;
  // As far from everything else as its alignment asks, for tensor maps in it.
  size_t bytes = (launch.parameters.size() + 128) / 64 * 64;
  state.parameters = static_cast<uint8_t *>(std::aligned_alloc(64, bytes));
  memset(state.parameters, 0xff, bytes);
  std::copy(launch.parameters.begin(), launch.parameters.end(),
            reinterpret_cast<std::byte *>(state.parameters));
  RaceChecker races;
  if (options.mode == Mode::Race)
    state.races = &races;
  bool done = Grid(state, counters).run(fault);
  std::free(state.parameters);
  return done;
}
