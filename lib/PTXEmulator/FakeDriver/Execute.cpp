//===- Execute.cpp - What the streams of the fake driver do ---------------===//

#include "State.h"
#include <chrono>
#include <cstring>

namespace weft::ptx::fake {

static double now() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

CUresult fail(State &state, CUresult result, const std::string &text) {
  if (state.sticky)
    return state.sticky;
  state.sticky = result;
  state.stickyText = text;
  std::fprintf(stderr, "fakecuda: %s\n", text.c_str());
  if (state.log)
    std::fprintf(state.log, "# %s\n", text.c_str());
  return result;
}

static CUresult resultOf(FaultKind kind) {
  switch (kind) {
  case FaultKind::IllegalAddress:
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  case FaultKind::Misaligned:
    return CUDA_ERROR_MISALIGNED_ADDRESS;
  case FaultKind::BadDescriptor:
    return CUDA_ERROR_ILLEGAL_INSTRUCTION;
  case FaultKind::Deadlock:
  case FaultKind::TooLong:
    return CUDA_ERROR_LAUNCH_TIMEOUT;
  case FaultKind::Uninitialised:
  case FaultKind::Race:
  case FaultKind::BadBarrier:
  case FaultKind::Unsupported:
  case FaultKind::Trap:
  case FaultKind::BadLaunch:
    break;
  }
  return CUDA_ERROR_LAUNCH_FAILED;
}

static CUresult executeKernel(State &state, const Work &work) {
  Counters *counters = nullptr;
  if (state.config.options.counters)
    counters = &state.counters[work.launch.kernel];
  Fault fault;
  if (run(*state.memory, work.launch, state.config.options, counters, fault))
    return CUDA_SUCCESS;
  return fail(state, resultOf(fault.kind), fault.message);
}

static CUresult executeCopy(State &state, const Work &work) {
  Memory &memory = *state.memory;
  if ((work.toDevice && !memory.contains(work.to, work.bytes)) ||
      (work.fromDevice && !memory.contains(work.from, work.bytes)))
    return fail(state, CUDA_ERROR_ILLEGAL_ADDRESS,
                "a copy of " + std::to_string(work.bytes) +
                    " bytes touches device memory that was freed before the "
                    "stream came to it");
  const void *from = work.snapshot ? work.snapshot->data() : work.from;
  std::memmove(work.to, from, work.bytes);
  if (work.toDevice && work.fromDevice)
    memory.copyInitialised(work.to, work.from, work.bytes);
  else if (work.toDevice)
    memory.markInitialised(work.to, work.bytes);
  return CUDA_SUCCESS;
}

static CUresult executeSet(State &state, const Work &work) {
  if (!state.memory->contains(work.to, work.bytes))
    return fail(state, CUDA_ERROR_ILLEGAL_ADDRESS,
                "a fill touches device memory that was freed before the "
                "stream came to it");
  auto *to = static_cast<char *>(work.to);
  for (size_t at = 0; at < work.bytes; at += work.width)
    std::memcpy(to + at, &work.value, work.width);
  state.memory->markInitialised(work.to, work.bytes);
  return CUDA_SUCCESS;
}

CUresult execute(State &state, const Work &work) {
  switch (work.kind) {
  case Work::Kind::Kernel:
    return executeKernel(state, work);
  case Work::Kind::Copy:
    return executeCopy(state, work);
  case Work::Kind::Set:
    return executeSet(state, work);
  case Work::Kind::Host:
    work.host(work.user);
    return CUDA_SUCCESS;
  case Work::Kind::Free:
    return release(state, work.to);
  case Work::Kind::Record:
    work.event->done = work.ticket;
    work.event->milliseconds = now();
    return CUDA_SUCCESS;
  case Work::Kind::Wait:
    return reach(state, *work.event, work.ticket);
  }
  return CUDA_ERROR_UNKNOWN;
}

// Does the first thing that is to be done.
static void step(State &state, Stream &stream) {
  Work work = std::move(stream.queue.front());
  stream.queue.pop_front();
  execute(state, work);
}

CUresult drain(State &state, Stream &stream) {
  while (!state.sticky && !stream.queue.empty())
    step(state, stream);
  return state.sticky;
}

CUresult drainAll(State &state) {
  drain(state, *state.defaultStream);
  for (auto &[handle, stream] : state.streams)
    drain(state, *stream);
  return state.sticky;
}

CUresult reach(State &state, Event &event, uint64_t ticket) {
  std::shared_ptr<Stream> stream = event.stream.lock();
  while (!state.sticky && event.done < ticket && stream &&
         !stream->queue.empty())
    step(state, *stream);
  return state.sticky;
}

} // namespace weft::ptx::fake
