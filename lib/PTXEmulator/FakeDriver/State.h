//===- State.h - The state of the fake driver -------------------*- C++ -*-===//

#ifndef WEFT_PTXEMULATOR_FAKEDRIVER_STATE_H
#define WEFT_PTXEMULATOR_FAKEDRIVER_STATE_H

#include "Objects.h"
#include <cstdio>
#include <map>
#include <mutex>
#include <string>

namespace weft::ptx::fake {

/// A call that is to fail.
struct Failure {
  std::string call;
  int nth = 0;
  CUresult result = CUDA_SUCCESS;
};

/// What the environment says.
struct Config {
  Options options;
  int sm = 90;
  size_t memory = size_t(4) << 30;
  std::vector<Failure> failures;
  std::string log, counters;

  static Config read();
};

/// A kind of GPU, as far as attributes tell.
struct Model {
  int sm, multiprocessors, threads, blocks;
  size_t sharedPerBlock, sharedPerMultiprocessor, l2;
};

/// Everything, behind one lock.
struct State {
  static State &get();

  std::recursive_mutex mutex;
  Config config = Config::read();
  std::unique_ptr<Memory> memory = std::make_unique<Memory>();
  bool initialized = false;
  int contextUses = 0;
  std::map<std::string, int> calls;
  std::FILE *log = nullptr;

  Registry<Image> images;
  Registry<Function> functions;
  Registry<Stream> streams;
  Registry<Event> events;
  Registry<Graph> graphs;
  Registry<Exec> execs;
  Registry<Pool> pools;
  std::shared_ptr<Pool> defaultPool;
  std::shared_ptr<Stream> defaultStream = std::make_shared<Stream>();
  std::map<void *, Allocation> allocations;
  std::map<void *, HostRange> hostRanges;
  size_t used = 0;
  uint64_t captures = 0;

  /// The first error of a kernel: no call succeeds after it.
  CUresult sticky = CUDA_SUCCESS;
  std::string stickyText;
  std::map<std::string, Counters> counters;

  const Model &model() const;
  /// Null for a handle that stands for nothing; the default stream for null.
  std::shared_ptr<Stream> stream(CUstream handle) const;
  /// True if the bytes lie in pinned memory.
  bool isPinned(const void *memory, size_t bytes) const;
  /// Lists what is alive; returns how many things.
  size_t leaks(std::string &text) const;
  /// Drops everything that is alive.
  void clear();
  void openLog();
  void writeCounters() const;
};

/// The context handle; there is one.
CUcontext theContext();
/// The contexts that are current on this thread, the current one last.
std::vector<CUcontext> &currentContexts();
/// How this thread treats calls that captures do not allow.
CUstreamCaptureMode &threadCaptureMode();

/// What a call needs before it begins.
enum class Needs {
  Nothing,
  Init,    ///< cuInit
  Context, ///< a current context that has not failed
  Release, ///< as Context, but it does its work in any case and fails after
  Quiet,   ///< as Context, and no capture that this thread must not disturb
};

/// A call that is going on: holds the lock, counts, logs, and fails if that is
/// planned.
class Call {
public:
  template <typename... Args>
  Call(const char *name, Needs needs, const Args &...args)
      : name(name), needs(needs), lock(State::get().mutex) {
    if (State::get().log)
      (append(args), ...);
    begin();
  }
  Call(const Call &) = delete;
  ~Call();

  /// Whether the call must return `result` at once.
  bool failed() const { return early; }
  /// To be returned; what a call that releases something was to fail with
  /// comes out here.
  CUresult done(CUresult outcome);

  CUresult result = CUDA_SUCCESS;

private:
  void begin();
  void append(const char *text);
  template <typename T> void append(const T &value) {
    if constexpr (std::is_pointer_v<T>)
      appendPointer(reinterpret_cast<const void *>(value));
    else
      appendNumber(static_cast<long long>(value));
  }
  void appendPointer(const void *pointer);
  void appendNumber(long long number);

  const char *name;
  Needs needs;
  std::lock_guard<std::recursive_mutex> lock;
  std::string text;
  bool early = false;
  CUresult late = CUDA_SUCCESS;
};

/// Begins a call, and ends it if it is to fail.
#define FAKE_BEGIN(name, needs, ...)                                           \
  Call call(#name, needs __VA_OPT__(, ) __VA_ARGS__);                          \
  if (call.failed())                                                           \
    return call.result;                                                        \
  State &state = State::get();                                                 \
  (void)state

//===----------------------------------------------------------------------===//
// Work of streams (Stream.cpp, Execute.cpp)
//===----------------------------------------------------------------------===//

/// Adds work to a stream, or to what it captures.
CUresult enqueue(State &state, const std::shared_ptr<Stream> &stream,
                 Work work);
/// Does all that a stream has to do. Returns the sticky error.
CUresult drain(State &state, Stream &stream);
/// The same for all streams.
CUresult drainAll(State &state);
/// Does the work of streams up to the record of an event.
CUresult reach(State &state, Event &event, uint64_t ticket);
/// Does one thing.
CUresult execute(State &state, const Work &work);
/// Notes an error of a kernel.
CUresult fail(State &state, CUresult result, const std::string &text);
/// Makes the work of a launch; checks it as the driver does.
CUresult makeLaunch(State &state, const CUlaunchConfig &config,
                    CUfunction function, void **params, void **extra,
                    Work &work);
/// Frees an allocation.
CUresult release(State &state, void *pointer);

} // namespace weft::ptx::fake

/// The prototypes of all calls.
extern "C" {
#define WEFT_DRIVER_CALL(name, parameters)                                     \
  __attribute__((visibility("default"))) CUresult name parameters;
#include "CUDA/driver_table.def"
#define WEFT_DRIVER_CALL(name, parameters)                                     \
  __attribute__((visibility("default"))) CUresult name parameters;
#include "more_calls.def"
}

#endif // WEFT_PTXEMULATOR_FAKEDRIVER_STATE_H
