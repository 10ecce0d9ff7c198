//===- State.cpp - The state of the fake driver ---------------------------===//

#include "State.h"
#include "weft/PTXEmulator/FakeDriver.h"
#include <cinttypes>
#include <cstdlib>
#include <cstring>

namespace weft::ptx::fake {

//===----------------------------------------------------------------------===//
// The environment
//===----------------------------------------------------------------------===//

static std::string environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

static void complain(const std::string &text) {
  std::fprintf(stderr, "fakecuda: %s\n", text.c_str());
}

// "cuMemAllocAsync:3=2,cuInit:1=100".
static std::vector<Failure> parseFailures(const std::string &text) {
  std::vector<Failure> failures;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string item = text.substr(begin, end - begin);
    begin = end + 1;
    size_t colon = item.find(':'), equals = item.find('=');
    if (colon == std::string::npos || equals == std::string::npos ||
        equals < colon) {
      complain("WEFT_FAKECUDA_FAIL: \"" + item +
               "\" is not of the form cuCall:number=result");
      continue;
    }
    failures.push_back(
        {item.substr(0, colon), std::atoi(item.c_str() + colon + 1),
         static_cast<CUresult>(std::atoi(item.c_str() + equals + 1))});
  }
  return failures;
}

Config Config::read() {
  Config config;
  std::string mode = environment("WEFT_FAKECUDA_MODE");
  if (mode == "race")
    config.options.mode = Mode::Race;
  else if (mode == "lazy")
    config.options.mode = Mode::Lazy;
  else if (!mode.empty() && mode != "plain")
    complain("WEFT_FAKECUDA_MODE: \"" + mode + "\" is not plain, race or lazy");
  config.counters = environment("WEFT_FAKECUDA_COUNTERS");
  config.options.counters = !config.counters.empty();
  config.log = environment("WEFT_FAKECUDA_LOG");
  config.failures = parseFailures(environment("WEFT_FAKECUDA_FAIL"));
  if (int sm = std::atoi(environment("WEFT_FAKECUDA_SM").c_str()))
    config.sm = sm;
  std::string memory = environment("WEFT_FAKECUDA_MEMORY");
  if (!memory.empty())
    config.memory = std::strtoull(memory.c_str(), nullptr, 0);
  unsigned threads = std::thread::hardware_concurrency();
  config.options.threads = threads ? threads : 1;
  return config;
}

//===----------------------------------------------------------------------===//
// The state
//===----------------------------------------------------------------------===//

// Lives until the process ends: threads may call until then.
State &State::get() {
  static State *state = new State;
  return *state;
}

CUcontext theContext() {
  static char context;
  return reinterpret_cast<CUcontext>(&context);
}

std::vector<CUcontext> &currentContexts() {
  static thread_local std::vector<CUcontext> contexts;
  return contexts;
}

CUstreamCaptureMode &threadCaptureMode() {
  static thread_local CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
  return mode;
}

std::shared_ptr<Stream> State::stream(CUstream handle) const {
  return handle ? streams.find(handle) : defaultStream;
}

bool State::isPinned(const void *memory, size_t bytes) const {
  auto *begin = static_cast<const char *>(memory);
  auto it = hostRanges.upper_bound(const_cast<void *>(memory));
  if (it == hostRanges.begin())
    return false;
  --it;
  auto *range = static_cast<const char *>(it->first);
  return begin + bytes <= range + it->second.bytes;
}

size_t State::leaks(std::string &text) const {
  size_t total = 0;
  auto add = [&](size_t count, const std::string &what,
                 const std::string &rest = "") {
    if (!count)
      return;
    total += count;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what +
            (count == 1 ? "" : "s") + rest;
  };
  size_t pinned = 0;
  for (auto &[pointer, range] : hostRanges)
    pinned += range.bytes;
  add(allocations.size(), "allocation",
      " (" + std::to_string(used) + " bytes)");
  add(hostRanges.size(), "piece",
      " of pinned memory (" + std::to_string(pinned) + " bytes)");
  add(streams.size(), "stream");
  add(events.size(), "event");
  add(images.size(), "module");
  add(graphs.size(), "graph");
  add(execs.size(), "executable graph");
  add(pools.size() - (defaultPool ? 1 : 0), "pool");
  add(contextUses, "use", " of the primary context");
  return total;
}

void State::clear() {
  defaultStream = std::make_shared<Stream>();
  streams.clear();
  events.clear();
  execs.clear();
  graphs.clear();
  functions.clear();
  images.clear();
  pools.clear();
  defaultPool = nullptr;
  for (auto &[pointer, range] : hostRanges)
    if (!range.registered)
      std::free(pointer);
  hostRanges.clear();
  allocations.clear();
  memory = std::make_unique<Memory>();
  used = 0;
  contextUses = 0;
  sticky = CUDA_SUCCESS;
  stickyText.clear();
  counters.clear();
  calls.clear();
}

void State::openLog() {
  if (log)
    std::fclose(log);
  log = config.log.empty() ? nullptr : std::fopen(config.log.c_str(), "w");
  if (!log && !config.log.empty())
    complain("cannot write \"" + config.log + "\": " + std::strerror(errno));
}

void State::writeCounters() const {
  std::FILE *file = std::fopen(config.counters.c_str(), "w");
  if (!file)
    return complain("cannot write \"" + config.counters +
                    "\": " + std::strerror(errno));
  std::fputs("{", file);
  const char *separator = "\n";
  for (auto &[kernel, c] : counters) {
    std::fprintf(
        file,
        "%s\"%s\": {\"blocks\": %" PRIu64 ", \"instructions\": %" PRIu64
        ", \"global_requests\": %" PRIu64 ", \"global_sectors\": %" PRIu64
        ", \"shared_requests\": %" PRIu64 ", \"shared_wavefronts\": %" PRIu64
        ", \"ideal_shared_wavefronts\": %" PRIu64 ", \"mma\": %" PRIu64
        ", \"barriers\": %" PRIu64 "}",
        separator, kernel.c_str(), c.blocks, c.instructions, c.globalRequests,
        c.globalSectors, c.sharedRequests, c.sharedWavefronts,
        c.idealSharedWavefronts, c.mma, c.barriers);
    separator = ",\n";
  }
  std::fputs("\n}\n", file);
  std::fclose(file);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

void Call::append(const char *value) {
  if (!State::get().log)
    return;
  text += text.empty() ? "\"" : ", \"";
  text += value ? value : "";
  text += '"';
}

void Call::appendPointer(const void *pointer) {
  char number[32];
  std::snprintf(number, sizeof(number), "%p", pointer);
  text += (text.empty() ? "" : ", ") + std::string(number);
}

void Call::appendNumber(long long number) {
  text += (text.empty() ? "" : ", ") + std::to_string(number);
}

// Ends captures that the call would disturb. True if there is one.
static bool disturbsCapture(State &state) {
  bool disturbs = false;
  for (auto &[handle, stream] : state.streams) {
    Capture *capture = stream->capture.get();
    if (!capture || capture->mode == CU_STREAM_CAPTURE_MODE_RELAXED ||
        threadCaptureMode() == CU_STREAM_CAPTURE_MODE_RELAXED)
      continue;
    bool own = capture->thread == std::this_thread::get_id();
    if (own || (capture->mode == CU_STREAM_CAPTURE_MODE_GLOBAL &&
                threadCaptureMode() == CU_STREAM_CAPTURE_MODE_GLOBAL)) {
      capture->invalid = true;
      disturbs = true;
    }
  }
  return disturbs;
}

static CUresult plannedFailure(State &state, const char *name) {
  int count = ++state.calls[name];
  for (const Failure &failure : state.config.failures)
    if (failure.call == name && failure.nth == count)
      return failure.result;
  return CUDA_SUCCESS;
}

void Call::begin() {
  State &state = State::get();
  CUresult planned = plannedFailure(state, name);
  if (needs == Needs::Release && state.initialized) {
    late = planned ? planned : state.sticky;
    return;
  }
  result = planned;
  if (!result && needs != Needs::Nothing && !state.initialized)
    result = CUDA_ERROR_NOT_INITIALIZED;
  bool inContext = needs == Needs::Context || needs == Needs::Quiet;
  if (!result && inContext && currentContexts().empty())
    result = CUDA_ERROR_INVALID_CONTEXT;
  if (!result && inContext)
    result = state.sticky;
  if (!result && needs == Needs::Quiet && disturbsCapture(state))
    result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  early = result != CUDA_SUCCESS;
}

CUresult Call::done(CUresult outcome) {
  return result = outcome ? outcome : late;
}

Call::~Call() {
  if (std::FILE *log = State::get().log) {
    std::fprintf(log, "%s(%s) = %d\n", name, text.c_str(),
                 static_cast<int>(result));
    std::fflush(log);
  }
}

} // namespace weft::ptx::fake

//===----------------------------------------------------------------------===//
// Controls
//===----------------------------------------------------------------------===//

using namespace weft::ptx::fake;

#define CONTROL extern "C" __attribute__((visibility("default")))

CONTROL void weft_fake_fail(const char *name, int nth, int result) {
  State &state = State::get();
  std::lock_guard<std::recursive_mutex> lock(state.mutex);
  state.config.failures.clear();
  if (name)
    state.config.failures.push_back(
        {name, state.calls[name] + nth, static_cast<CUresult>(result)});
}

CONTROL int weft_fake_calls(const char *name) {
  State &state = State::get();
  std::lock_guard<std::recursive_mutex> lock(state.mutex);
  auto it = state.calls.find(name);
  return it == state.calls.end() ? 0 : it->second;
}

CONTROL size_t weft_fake_leaks(char *text, size_t capacity) {
  State &state = State::get();
  std::lock_guard<std::recursive_mutex> lock(state.mutex);
  std::string leaks;
  size_t count = state.leaks(leaks);
  std::snprintf(text, capacity, "%s", leaks.c_str());
  return count;
}

CONTROL void weft_fake_reset(void) {
  State &state = State::get();
  std::lock_guard<std::recursive_mutex> lock(state.mutex);
  state.clear();
  state.config = Config::read();
  state.openLog();
}

// What the process leaves behind.
__attribute__((destructor)) static void report() {
  State &state = State::get();
  std::string leaks;
  if (state.leaks(leaks))
    std::fprintf(stderr, "fakecuda: leaked %s\n", leaks.c_str());
  if (!state.config.counters.empty())
    state.writeCounters();
}
