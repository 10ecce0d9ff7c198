//===- Objects.h - What handles of the fake driver stand for ----*- C++ -*-===//

#ifndef WEFT_PTXEMULATOR_FAKEDRIVER_OBJECTS_H
#define WEFT_PTXEMULATOR_FAKEDRIVER_OBJECTS_H

#include "CUDA/driver_api.h"
#include "weft/PTXEmulator/Emulator.h"
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weft::ptx::fake {

/// The objects of one kind that are alive, by their handles.
template <typename T> class Registry {
public:
  template <typename Handle> Handle add(std::shared_ptr<T> object) {
    T *key = object.get();
    alive.emplace(key, std::move(object));
    return reinterpret_cast<Handle>(key);
  }
  /// Null if the handle stands for nothing.
  std::shared_ptr<T> find(const void *handle) const {
    auto it = alive.find(handle);
    return it == alive.end() ? nullptr : it->second;
  }
  bool remove(const void *handle) { return alive.erase(handle) != 0; }
  size_t size() const { return alive.size(); }
  void clear() { alive.clear(); }
  auto begin() const { return alive.begin(); }
  auto end() const { return alive.end(); }

private:
  std::unordered_map<const void *, std::shared_ptr<T>> alive;
};

/// A module or library. It keeps its code while work of streams needs it.
struct Image {
  std::unique_ptr<Module> module;
};

/// A kernel of an image, and what was set for it.
struct Function {
  std::shared_ptr<Image> image;
  const KernelInfo *info = nullptr;
  int maxDynamicShared = 0;
  int carveout = -1;
  bool largeClusters = false;
};

struct Stream;

struct Event {
  unsigned flags = 0;
  /// Counts records; `done` is the last one that has happened.
  uint64_t recorded = 0, done = 0;
  double milliseconds = 0;
  std::weak_ptr<Stream> stream;
  /// Of the capture in which it was recorded last, else 0.
  uint64_t capture = 0;
};

/// One thing that a stream does.
struct Work {
  enum class Kind { Kernel, Copy, Set, Host, Free, Record, Wait };
  Kind kind;
  /// Of kernels.
  std::shared_ptr<Function> function = {};
  Launch launch = {};
  /// Of copies and fills, and the allocation that is freed.
  void *to = nullptr;
  const void *from = nullptr;
  size_t bytes = 0;
  uint32_t value = 0;
  unsigned width = 1;
  bool toDevice = false, fromDevice = false;
  /// Bytes that were taken at once, of memory that is not pinned.
  std::shared_ptr<std::vector<std::byte>> snapshot = {};
  CUhostFn host = nullptr;
  void *user = nullptr;
  std::shared_ptr<Event> event = {};
  uint64_t ticket = 0;
};

struct Node {
  Work work;
};

struct Graph {
  std::vector<std::shared_ptr<Node>> nodes;
};

struct Exec {
  std::vector<Work> works;
  /// Those that the works were made from.
  std::vector<std::shared_ptr<Node>> nodes;
};

/// A capture that is going on, in one or several streams.
struct Capture {
  uint64_t id = 0;
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
  std::thread::id thread;
  bool invalid = false;
  std::shared_ptr<Graph> graph;
  /// Its work in streams that joined and that the first one has not waited for.
  std::set<const Stream *> loose;
  Stream *origin = nullptr;
  /// For cuStreamGetCaptureInfo.
  CUgraphNode last = nullptr;
};

struct Stream {
  std::deque<Work> queue;
  std::shared_ptr<Capture> capture;
};

struct Pool {
  uint64_t used = 0, usedHigh = 0, threshold = 0;
  int reuse[3] = {1, 1, 1};
  bool isDefault = false;
};

/// Device memory that a call allocated.
struct Allocation {
  size_t bytes = 0;
  std::shared_ptr<Pool> pool; ///< null: not from a pool
};

/// Pinned memory of the host.
struct HostRange {
  size_t bytes = 0;
  bool registered = false; ///< not allocated here
};

} // namespace weft::ptx::fake

#endif // WEFT_PTXEMULATOR_FAKEDRIVER_OBJECTS_H
