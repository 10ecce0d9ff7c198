//===- Stream.cpp - Streams and events of the fake driver -----------------===//

#include "State.h"

using namespace weft::ptx;
using namespace weft::ptx::fake;

CUresult weft::ptx::fake::enqueue(State &,
                                  const std::shared_ptr<Stream> &stream,
                                  Work work) {
  Capture *capture = stream->capture.get();
  if (!capture) {
    stream->queue.push_back(std::move(work));
    return CUDA_SUCCESS;
  }
  if (capture->invalid)
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  auto node = std::make_shared<Node>(Node{std::move(work)});
  capture->last = reinterpret_cast<CUgraphNode>(node.get());
  capture->graph->nodes.push_back(std::move(node));
  if (stream.get() != capture->origin)
    capture->loose.insert(stream.get());
  return CUDA_SUCCESS;
}

// Waiting for a stream that captures makes the capture worthless.
static bool spoilsCapture(Stream &stream) {
  if (!stream.capture)
    return false;
  stream.capture->invalid = true;
  return true;
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags,
                                    int priority) {
  FAKE_BEGIN(cuStreamCreateWithPriority, Needs::Context, stream, flags,
             priority);
  if (!stream || flags > CU_STREAM_NON_BLOCKING)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  *stream = state.streams.add<CUstream>(std::make_shared<Stream>());
  return call.done(CUDA_SUCCESS);
}

CUresult cuStreamDestroy_v2(CUstream handle) {
  FAKE_BEGIN(cuStreamDestroy_v2, Needs::Release, handle);
  std::shared_ptr<Stream> stream = state.streams.find(handle);
  if (!stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  spoilsCapture(*stream);
  CUresult result = drain(state, *stream);
  state.streams.remove(handle);
  return call.done(result);
}

CUresult cuStreamSynchronize(CUstream handle) {
  FAKE_BEGIN(cuStreamSynchronize, Needs::Context, handle);
  std::shared_ptr<Stream> stream = state.stream(handle);
  if (!stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (spoilsCapture(*stream))
    return call.done(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  return call.done(drain(state, *stream));
}

// Asking makes time pass: it does the next thing.
CUresult cuStreamQuery(CUstream handle) {
  FAKE_BEGIN(cuStreamQuery, Needs::Context, handle);
  std::shared_ptr<Stream> stream = state.stream(handle);
  if (!stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (spoilsCapture(*stream))
    return call.done(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  if (stream->queue.empty())
    return call.done(CUDA_SUCCESS);
  Work work = std::move(stream->queue.front());
  stream->queue.pop_front();
  execute(state, work);
  return call.done(state.sticky ? state.sticky : CUDA_ERROR_NOT_READY);
}

CUresult cuLaunchHostFunc(CUstream handle, CUhostFn function, void *user) {
  FAKE_BEGIN(cuLaunchHostFunc, Needs::Context, handle,
             reinterpret_cast<const void *>(function), user);
  std::shared_ptr<Stream> stream = state.stream(handle);
  if (!stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (!function)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  Work work{Work::Kind::Host};
  work.host = function;
  work.user = user;
  return call.done(enqueue(state, stream, std::move(work)));
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

CUresult cuEventCreate(CUevent *event, unsigned flags) {
  FAKE_BEGIN(cuEventCreate, Needs::Context, event, flags);
  const unsigned known =
      CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;
  if (!event || (flags & ~known))
    return call.done(CUDA_ERROR_INVALID_VALUE);
  auto object = std::make_shared<Event>();
  object->flags = flags;
  *event = state.events.add<CUevent>(object);
  return call.done(CUDA_SUCCESS);
}

CUresult cuEventDestroy_v2(CUevent handle) {
  FAKE_BEGIN(cuEventDestroy_v2, Needs::Release, handle);
  return call.done(state.events.remove(handle) ? CUDA_SUCCESS
                                               : CUDA_ERROR_INVALID_HANDLE);
}

CUresult cuEventRecord(CUevent handle, CUstream streamHandle) {
  FAKE_BEGIN(cuEventRecord, Needs::Context, handle, streamHandle);
  std::shared_ptr<Event> event = state.events.find(handle);
  std::shared_ptr<Stream> stream = state.stream(streamHandle);
  if (!event || !stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  event->stream = stream;
  event->capture = 0;
  if (stream->capture) {
    // Part of the order of what is captured, and nothing by itself.
    if (stream->capture->invalid)
      return call.done(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    event->capture = stream->capture->id;
    return call.done(CUDA_SUCCESS);
  }
  Work work{Work::Kind::Record};
  work.event = event;
  work.ticket = ++event->recorded;
  return call.done(enqueue(state, stream, std::move(work)));
}

CUresult cuEventSynchronize(CUevent handle) {
  FAKE_BEGIN(cuEventSynchronize, Needs::Context, handle);
  std::shared_ptr<Event> event = state.events.find(handle);
  if (!event)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (event->capture)
    return call.done(CUDA_ERROR_CAPTURED_EVENT);
  return call.done(reach(state, *event, event->recorded));
}

// As with streams, asking does the next thing.
CUresult cuEventQuery(CUevent handle) {
  FAKE_BEGIN(cuEventQuery, Needs::Context, handle);
  std::shared_ptr<Event> event = state.events.find(handle);
  if (!event)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (event->capture)
    return call.done(CUDA_ERROR_CAPTURED_EVENT);
  if (event->done >= event->recorded)
    return call.done(CUDA_SUCCESS);
  std::shared_ptr<Stream> stream = event->stream.lock();
  if (stream && !stream->queue.empty()) {
    Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    execute(state, work);
  }
  return call.done(state.sticky ? state.sticky : CUDA_ERROR_NOT_READY);
}

// Joins the stream to the capture in which the event was recorded, or the other
// way round.
static CUresult joinCapture(const std::shared_ptr<Stream> &stream,
                            const Event &event) {
  std::shared_ptr<Stream> other = event.stream.lock();
  if (!other || !other->capture || other->capture->id != event.capture)
    return CUDA_ERROR_STREAM_CAPTURE_ISOLATION; // that capture has ended
  std::shared_ptr<Capture> capture = other->capture;
  if (stream->capture && stream->capture != capture)
    return CUDA_ERROR_STREAM_CAPTURE_MERGE;
  if (stream.get() == capture->origin)
    capture->loose.erase(other.get());
  else if (!stream->capture)
    capture->loose.insert(stream.get());
  stream->capture = capture;
  return CUDA_SUCCESS;
}

CUresult cuStreamWaitEvent(CUstream streamHandle, CUevent handle,
                           unsigned flags) {
  FAKE_BEGIN(cuStreamWaitEvent, Needs::Context, streamHandle, handle, flags);
  std::shared_ptr<Event> event = state.events.find(handle);
  std::shared_ptr<Stream> stream = state.stream(streamHandle);
  if (!event || !stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (event->capture)
    return call.done(joinCapture(stream, *event));
  if (stream->capture) {
    stream->capture->invalid = true;
    return call.done(CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
  }
  if (event->recorded == 0)
    return call.done(CUDA_SUCCESS);
  Work work{Work::Kind::Wait};
  work.event = event;
  work.ticket = event->recorded;
  return call.done(enqueue(state, stream, std::move(work)));
}

static CUresult elapsed(State &state, float *milliseconds, CUevent beginHandle,
                        CUevent endHandle) {
  std::shared_ptr<Event> begin = state.events.find(beginHandle);
  std::shared_ptr<Event> end = state.events.find(endHandle);
  if (!begin || !end || !begin->recorded || !end->recorded ||
      (begin->flags | end->flags) & CU_EVENT_DISABLE_TIMING)
    return CUDA_ERROR_INVALID_HANDLE;
  if (begin->done < begin->recorded || end->done < end->recorded)
    return CUDA_ERROR_NOT_READY;
  *milliseconds = static_cast<float>(end->milliseconds - begin->milliseconds);
  return CUDA_SUCCESS;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent begin, CUevent end) {
  FAKE_BEGIN(cuEventElapsedTime, Needs::Context, milliseconds, begin, end);
  return call.done(elapsed(state, milliseconds, begin, end));
}

CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent begin,
                               CUevent end) {
  FAKE_BEGIN(cuEventElapsedTime_v2, Needs::Context, milliseconds, begin, end);
  return call.done(elapsed(state, milliseconds, begin, end));
}
