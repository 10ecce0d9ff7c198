//===- Graph.cpp - Captures and graphs of the fake driver -----------------===//

#include "State.h"
#include <cstring>

using namespace weft::ptx;
using namespace weft::ptx::fake;

//===----------------------------------------------------------------------===//
// Captures
//===----------------------------------------------------------------------===//

CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
  FAKE_BEGIN(cuStreamBeginCapture_v2, Needs::Context, handle,
             static_cast<int>(mode));
  std::shared_ptr<Stream> stream = state.streams.find(handle);
  if (!handle)
    return call.done(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  if (!stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  if (unsigned(mode) > CU_STREAM_CAPTURE_MODE_RELAXED)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  if (stream->capture)
    return call.done(CUDA_ERROR_ILLEGAL_STATE);
  auto capture = std::make_shared<Capture>();
  capture->id = ++state.captures;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->graph = std::make_shared<Graph>();
  capture->origin = stream.get();
  stream->capture = std::move(capture);
  return call.done(CUDA_SUCCESS);
}

static CUresult endCapture(State &state, CUstream handle, CUgraph *graph) {
  std::shared_ptr<Stream> stream = state.streams.find(handle);
  if (!stream || !graph)
    return CUDA_ERROR_INVALID_VALUE;
  *graph = nullptr;
  std::shared_ptr<Capture> capture = stream->capture;
  if (!capture)
    return CUDA_ERROR_ILLEGAL_STATE;
  if (capture->origin != stream.get())
    return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
  if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED &&
      capture->thread != std::this_thread::get_id())
    return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
  for (auto &[key, other] : state.streams)
    if (other->capture == capture)
      other->capture = nullptr;
  if (capture->invalid)
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (!capture->loose.empty())
    return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  *graph = state.graphs.add<CUgraph>(capture->graph);
  return CUDA_SUCCESS;
}

// Ends in any case, as a capture that failed to end would stay for ever.
CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph) {
  FAKE_BEGIN(cuStreamEndCapture, Needs::Release, handle, graph);
  CUresult result = endCapture(state, handle, graph);
  CUresult outcome = call.done(result);
  if (outcome && graph && *graph) {
    state.graphs.remove(*graph);
    *graph = nullptr;
  }
  return outcome;
}

static CUstreamCaptureStatus statusOf(const Stream &stream) {
  if (!stream.capture)
    return CU_STREAM_CAPTURE_STATUS_NONE;
  return stream.capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                 : CU_STREAM_CAPTURE_STATUS_ACTIVE;
}

CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus *status) {
  FAKE_BEGIN(cuStreamIsCapturing, Needs::Context, handle, status);
  std::shared_ptr<Stream> stream = state.stream(handle);
  if (!stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  *status = statusOf(*stream);
  return call.done(CUDA_SUCCESS);
}

// Everything is in one order here, so what comes last is what the next thing
// depends on.
CUresult cuStreamGetCaptureInfo_v3(CUstream handle,
                                   CUstreamCaptureStatus *status, uint64_t *id,
                                   CUgraph *graph,
                                   const CUgraphNode **dependencies,
                                   const CUgraphEdgeData **edges,
                                   size_t *count) {
  FAKE_BEGIN(cuStreamGetCaptureInfo_v3, Needs::Context, handle, status, id,
             graph, dependencies, edges, count);
  std::shared_ptr<Stream> stream = state.stream(handle);
  if (!stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  *status = statusOf(*stream);
  if (*status != CU_STREAM_CAPTURE_STATUS_ACTIVE)
    return call.done(CUDA_SUCCESS);
  const Capture &capture = *stream->capture;
  if (id)
    *id = capture.id;
  if (graph)
    *graph = reinterpret_cast<CUgraph>(capture.graph.get());
  if (dependencies)
    *dependencies = capture.last ? &capture.last : nullptr;
  if (edges)
    *edges = nullptr;
  if (count)
    *count = capture.last ? 1 : 0;
  return call.done(CUDA_SUCCESS);
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode) {
  FAKE_BEGIN(cuThreadExchangeStreamCaptureMode, Needs::Init, mode);
  if (!mode || unsigned(*mode) > CU_STREAM_CAPTURE_MODE_RELAXED)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  std::swap(*mode, threadCaptureMode());
  return call.done(CUDA_SUCCESS);
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

CUresult cuGraphDestroy(CUgraph graph) {
  FAKE_BEGIN(cuGraphDestroy, Needs::Release, graph);
  return call.done(state.graphs.remove(graph) ? CUDA_SUCCESS
                                              : CUDA_ERROR_INVALID_VALUE);
}

CUresult cuGraphGetNodes(CUgraph handle, CUgraphNode *nodes, size_t *count) {
  FAKE_BEGIN(cuGraphGetNodes, Needs::Init, handle, nodes, count);
  std::shared_ptr<Graph> graph = state.graphs.find(handle);
  if (!graph || !count)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  size_t total = graph->nodes.size();
  for (size_t i = 0; nodes && i < *count; ++i)
    nodes[i] = i < total ? reinterpret_cast<CUgraphNode>(graph->nodes[i].get())
                         : nullptr;
  *count = nodes ? std::min(*count, total) : total;
  return call.done(CUDA_SUCCESS);
}

static const char *nameOf(Work::Kind kind) {
  switch (kind) {
  case Work::Kind::Kernel:
    return "kernel";
  case Work::Kind::Copy:
    return "copy";
  case Work::Kind::Set:
    return "set";
  case Work::Kind::Host:
    return "host";
  case Work::Kind::Free:
    return "free";
  case Work::Kind::Record:
    return "record";
  case Work::Kind::Wait:
    return "wait";
  }
  return "?";
}

CUresult cuGraphDebugDotPrint(CUgraph handle, const char *path,
                              unsigned flags) {
  FAKE_BEGIN(cuGraphDebugDotPrint, Needs::Init, handle, path, flags);
  std::shared_ptr<Graph> graph = state.graphs.find(handle);
  std::FILE *file = graph && path ? std::fopen(path, "w") : nullptr;
  if (!file)
    return call.done(graph ? CUDA_ERROR_OPERATING_SYSTEM
                           : CUDA_ERROR_INVALID_VALUE);
  std::fputs("digraph graph_1 {\n", file);
  for (size_t i = 0; i < graph->nodes.size(); ++i) {
    const Work &work = graph->nodes[i]->work;
    std::fprintf(file, "  n%zu [label=\"%s %s\"];\n", i, nameOf(work.kind),
                 work.launch.kernel.c_str());
    if (i)
      std::fprintf(file, "  n%zu -> n%zu;\n", i - 1, i);
  }
  std::fputs("}\n", file);
  return call.done(std::fclose(file) ? CUDA_ERROR_OPERATING_SYSTEM
                                     : CUDA_SUCCESS);
}

//===----------------------------------------------------------------------===//
// Executable graphs
//===----------------------------------------------------------------------===//

static void fill(Exec &exec, const Graph &graph) {
  exec.works.clear();
  exec.nodes = graph.nodes;
  for (const std::shared_ptr<Node> &node : graph.nodes)
    exec.works.push_back(node->work);
}

static CUresult instantiate(State &state, CUgraphExec *exec, CUgraph handle) {
  std::shared_ptr<Graph> graph = state.graphs.find(handle);
  if (!graph || !exec)
    return CUDA_ERROR_INVALID_VALUE;
  auto object = std::make_shared<Exec>();
  fill(*object, *graph);
  *exec = state.execs.add<CUgraphExec>(object);
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph,
                                     unsigned long long flags) {
  FAKE_BEGIN(cuGraphInstantiateWithFlags, Needs::Context, exec, graph, flags);
  return call.done(instantiate(state, exec, graph));
}

CUresult cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph,
                                      CUDA_GRAPH_INSTANTIATE_PARAMS *params) {
  FAKE_BEGIN(cuGraphInstantiateWithParams, Needs::Context, exec, graph, params);
  if (!params)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  CUresult result = instantiate(state, exec, graph);
  params->result_out =
      result ? CUDA_GRAPH_INSTANTIATE_ERROR : CUDA_GRAPH_INSTANTIATE_SUCCESS;
  return call.done(result);
}

// What an update may not change: the kind of a node, the kernel's module is
// free to change as long as it is a kernel, and copies keep their direction.
static CUgraphExecUpdateResult compare(const Work &before, const Work &after) {
  if (before.kind != after.kind)
    return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
  if (before.toDevice != after.toDevice ||
      before.fromDevice != after.fromDevice)
    return CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
  return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

CUresult cuGraphExecUpdate_v2(CUgraphExec handle, CUgraph graphHandle,
                              CUgraphExecUpdateResultInfo *info) {
  FAKE_BEGIN(cuGraphExecUpdate_v2, Needs::Context, handle, graphHandle, info);
  std::shared_ptr<Exec> exec = state.execs.find(handle);
  std::shared_ptr<Graph> graph = state.graphs.find(graphHandle);
  if (!exec || !graph || !info)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  *info = {CU_GRAPH_EXEC_UPDATE_SUCCESS, nullptr, nullptr};
  if (exec->works.size() != graph->nodes.size())
    info->result = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
  for (size_t i = 0; !info->result && i < exec->works.size(); ++i) {
    info->result = compare(exec->works[i], graph->nodes[i]->work);
    if (info->result)
      info->errorNode = reinterpret_cast<CUgraphNode>(graph->nodes[i].get());
  }
  if (info->result)
    return call.done(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  // The nodes by which single parameters are set stay those of the original.
  for (size_t i = 0; i < exec->works.size(); ++i)
    exec->works[i] = graph->nodes[i]->work;
  return call.done(CUDA_SUCCESS);
}

CUresult
cuGraphExecKernelNodeSetParams_v2(CUgraphExec handle, CUgraphNode node,
                                  const CUDA_KERNEL_NODE_PARAMS *params) {
  FAKE_BEGIN(cuGraphExecKernelNodeSetParams_v2, Needs::Context, handle, node,
             params);
  std::shared_ptr<Exec> exec = state.execs.find(handle);
  if (!exec || !params)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  for (size_t i = 0; i < exec->nodes.size(); ++i) {
    if (reinterpret_cast<CUgraphNode>(exec->nodes[i].get()) != node)
      continue;
    if (exec->works[i].kind != Work::Kind::Kernel)
      return call.done(CUDA_ERROR_INVALID_VALUE);
    CUlaunchConfig config = {};
    config.gridDimX = params->gridDimX;
    config.gridDimY = params->gridDimY;
    config.gridDimZ = params->gridDimZ;
    config.blockDimX = params->blockDimX;
    config.blockDimY = params->blockDimY;
    config.blockDimZ = params->blockDimZ;
    config.sharedMemBytes = params->sharedMemBytes;
    CUfunction function = params->func
                              ? params->func
                              : reinterpret_cast<CUfunction>(params->kern);
    return call.done(makeLaunch(state, config, function, params->kernelParams,
                                params->extra, exec->works[i]));
  }
  return call.done(CUDA_ERROR_INVALID_VALUE);
}

CUresult cuGraphUpload(CUgraphExec handle, CUstream streamHandle) {
  FAKE_BEGIN(cuGraphUpload, Needs::Context, handle, streamHandle);
  if (!state.execs.find(handle))
    return call.done(CUDA_ERROR_INVALID_VALUE);
  return call.done(state.stream(streamHandle) ? CUDA_SUCCESS
                                              : CUDA_ERROR_INVALID_HANDLE);
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream streamHandle) {
  FAKE_BEGIN(cuGraphLaunch, Needs::Context, handle, streamHandle);
  std::shared_ptr<Exec> exec = state.execs.find(handle);
  std::shared_ptr<Stream> stream = state.stream(streamHandle);
  if (!exec)
    return call.done(CUDA_ERROR_INVALID_VALUE);
  if (!stream)
    return call.done(CUDA_ERROR_INVALID_HANDLE);
  for (const Work &work : exec->works)
    if (CUresult result = enqueue(state, stream, work))
      return call.done(result);
  return call.done(CUDA_SUCCESS);
}

CUresult cuGraphExecDestroy(CUgraphExec handle) {
  FAKE_BEGIN(cuGraphExecDestroy, Needs::Release, handle);
  return call.done(state.execs.remove(handle) ? CUDA_SUCCESS
                                              : CUDA_ERROR_INVALID_VALUE);
}
