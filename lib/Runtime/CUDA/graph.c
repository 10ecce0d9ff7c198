//===- graph.c - Runs that are recorded and replayed ----------------------===//

#include "device.h"
#include <stdlib.h>
#include <string.h>

static void free_graph(weft_device *device, weft_graph *graph) {
  for (int i = 0; i < 2; ++i)
    if (graph->parts[i])
      device->driver->cuGraphExecDestroy(graph->parts[i]);
  free(graph->symbols);
  free(graph->inputs);
  free(graph->outputs);
  *graph = (weft_graph){0};
}

void weft_graph_free_all(weft_device *device) {
  for (int32_t i = 0; i < device->num_graphs; ++i)
    free_graph(device, &device->graphs[i]);
  device->num_graphs = 0;
}

// A free entry; the one that was not used for longest makes room.
static weft_graph *take_entry(weft_device *device) {
  if (device->num_graphs < WEFT_MOST_GRAPHS)
    return &device->graphs[device->num_graphs++];
  weft_graph *oldest = &device->graphs[0];
  for (int32_t i = 1; i < device->num_graphs; ++i)
    if (device->graphs[i].last_used < oldest->last_used)
      oldest = &device->graphs[i];
  free_graph(device, oldest);
  return oldest;
}

weft_graph *weft_graph_find(weft_device *device) {
  const weft_session *session = device->session;
  const weft_program *program = session->model->program;
  size_t size = sizeof(int64_t) * (size_t)program->num_symbols;
  for (int32_t i = 0; i < device->num_graphs; ++i) {
    weft_graph *graph = &device->graphs[i];
    if (graph->symbols && graph->odd == device->ahead.odd &&
        (!size || memcmp(graph->symbols, session->binding.values, size) == 0)) {
      graph->last_used = device->runs;
      return graph;
    }
  }
  weft_graph *graph = take_entry(device);
  graph->symbols = malloc(size + 1);
  graph->inputs = calloc((size_t)program->num_inputs + 1, sizeof(bool));
  graph->outputs = calloc((size_t)program->num_outputs + 1, sizeof(bool));
  if (!graph->symbols || !graph->inputs || !graph->outputs) {
    free_graph(device, graph);
    weft_device_fail(device, WEFT_ERROR_MEMORY, "no memory to record a run");
    return NULL;
  }
  if (size)
    memcpy(graph->symbols, session->binding.values, size);
  graph->odd = device->ahead.odd;
  graph->last_used = device->runs;
  return graph;
}

void weft_graph_doubt_all(weft_device *device) {
  for (int32_t i = 0; i < device->num_graphs; ++i)
    device->graphs[i].proven = false;
}

bool weft_graph_begin(weft_device *device, weft_graph *graph) {
  if (!WEFT_DEVICE_CALL(device, "recording a run", NULL,
                        cuStreamBeginCapture_v2, device->stream,
                        CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))
    return false;
  device->recording = graph;
  return true;
}

void weft_graph_drop(weft_device *device) {
  CUgraph recorded = NULL;
  if (!device->recording)
    return;
  device->recording = NULL;
  if (!device->driver->cuStreamEndCapture(device->stream, &recorded) &&
      recorded)
    device->driver->cuGraphDestroy(recorded);
}

// Puts what was recorded in the place of what was recorded before, whose
// addresses are no longer right, or instantiates it.
static bool instantiate(weft_device *device, CUgraphExec *exec,
                        CUgraph recorded) {
  const weft_driver *driver = device->driver;
  CUgraphExecUpdateResultInfo info = {0};
  if (*exec &&
      driver->cuGraphExecUpdate_v2(*exec, recorded, &info) == CUDA_SUCCESS)
    return true;
  if (*exec)
    driver->cuGraphExecDestroy(*exec);
  *exec = NULL;
  if (WEFT_DEVICE_CALL(device, "recording a run", NULL,
                       cuGraphInstantiateWithFlags, exec, recorded, 0))
    return true;
  *exec = NULL;
  return false;
}

void weft_graph_note(const weft_device *device, weft_graph *graph) {
  const weft_program *program = device->session->model->program;
  for (int32_t i = 0; i < program->num_inputs; ++i)
    graph->inputs[i] = device->inputs[i].used;
  for (int32_t i = 0; i < program->num_outputs; ++i)
    graph->outputs[i] = device->outputs[i].used;
  graph->faults = device->faults_used;
  graph->requirements = device->requirements;
  graph->writes_state = device->writes_state;
  graph->launched = device->launched;
  graph->generation = device->generation;
}

bool weft_graph_end(weft_device *device, weft_graph *graph) {
  CUgraph recorded = NULL;
  device->recording = NULL;
  if (!WEFT_DEVICE_CALL(device, "recording a run", NULL, cuStreamEndCapture,
                        device->stream, &recorded))
    return false;
  int32_t part = graph->num_parts;
  bool ok = instantiate(device, &graph->parts[part], recorded);
  CUresult result = device->driver->cuGraphDestroy(recorded);
  if (!ok || !weft_device_check(device, result, "cuGraphDestroy",
                                "recording a run", NULL))
    return false;
  ++graph->num_parts;
  return weft_graph_launch(device, graph, part);
}

bool weft_graph_launch(weft_device *device, const weft_graph *graph,
                       int32_t part) {
  return WEFT_DEVICE_CALL(device, "starting a recorded run", NULL,
                          cuGraphLaunch, graph->parts[part], device->stream);
}
