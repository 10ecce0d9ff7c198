//===- device.h - A session's side of a GPU -------------------------------===//
//
// A session whose program has device code owns one of these: a module with the
// code, a stream, the arena, device memory for constants, inputs and outputs,
// and recorded runs. All of it lives in the GPU's primary context, which is
// current only during the calls below.
//
// What fails is kept in `status` and `message`; the caller passes it on.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_CUDA_DEVICE_H
#define WEFT_RUNTIME_CUDA_DEVICE_H

#include "Core/session.h"
#include "driver_table.h"
#include <stdbool.h>

/// Device memory that only grows.
typedef struct weft_device_buffer {
  CUdeviceptr address;
  int64_t capacity;
} weft_device_buffer;

/// Host memory that the GPU copies from and to by itself; it only grows.
typedef struct weft_pinned_buffer {
  void *data;
  int64_t capacity;
} weft_pinned_buffer;

/// An input or output.
typedef struct weft_device_port {
  weft_device_buffer memory;
  weft_pinned_buffer pinned;
  int64_t bytes;
  bool used; ///< by this run
  /// Of an input: what the next run is given (see weft_device_expect).
  weft_device_buffer ahead_memory;
  weft_pinned_buffer ahead_pinned;

  /// It is a state, whose values stay on the GPU from run to run. What follows
  /// is of inputs.
  bool kept;
  void *host;        ///< the caller's memory for it
  bool host_newer;   ///< that memory is to be copied to the GPU
  bool device_newer; ///< the GPU has a newer value
  /// The port of another session where the values are, or NULL.
  struct weft_device_port *lender;
} weft_device_port;

/// Inputs of the next run, which are copied while the present one computes.
typedef struct weft_ahead {
  CUstream stream;
  CUevent done; ///< when they are there
  /// By number, without `data` where nothing is known: what is still to be
  /// sent, and what is on its way.
  weft_tensor *next, *inputs;
  bool wanted, sent; ///< whether there are such
  bool odd;          ///< how often ports have changed places with what came
} weft_ahead;

/// A function of the module.
typedef struct weft_device_function {
  CUfunction handle;
  int64_t shared; ///< dynamic shared memory that it may be launched with
} weft_device_function;

/// Two halves through which unplanned copies go: one is filled while the other
/// is on its way.
typedef struct weft_staging {
  weft_pinned_buffer memory;
  CUevent free[2]; ///< when the half is no longer read
  int next;
} weft_staging;

/// A launch that is timed by the events around it.
typedef struct weft_timed_launch {
  int32_t kernel;
  int64_t blocks;
  CUevent begin, end;
} weft_timed_launch;

/// The launches of one run; the events serve again.
typedef struct weft_timing {
  CUevent origin; ///< happened at `start` on the clock
  int64_t start;
  weft_timed_launch *launches;
  int64_t count, capacity;
  CUevent run_begin, run_end;
  int64_t run; ///< nanoseconds between them; 0 if not measured
} weft_timing;

/// The kernels that a run has launched, as far as messages need them.
typedef struct weft_launched {
  int64_t count;
  int32_t kernel; ///< the first one, in the program's table
  bool several;   ///< others as well
} weft_launched;

/// A number in device memory that must be below another (see
/// weft_rt_device_require).
typedef struct weft_requirement {
  const char *place;
  weft_fault fault;
  int64_t wanted;
} weft_requirement;

enum { WEFT_MOST_REQUIREMENTS = 16 };

/// What a run has asked for.
typedef struct weft_requirements {
  weft_requirement list[WEFT_MOST_REQUIREMENTS];
  int32_t count;
  bool too_many; ///< there were more, which were waited for
} weft_requirements;

/// A run that may be replayed for the same symbols.
typedef struct weft_graph {
  int64_t *symbols;
  bool odd;    ///< as in weft_ahead: where the inputs are
  bool proven; ///< a run with these symbols has succeeded, and its memory is
               ///< there
  /// The run as recorded, in two parts if what it may fail with is to be known
  /// before it goes on (weft_device_settle).
  CUgraphExec parts[2];
  int32_t num_parts;   ///< 0 before the next run
  uint64_t generation; ///< of the addresses in it
  uint64_t last_used;
  bool *inputs, *outputs; ///< those that the run uses
  bool faults, writes_state;
  weft_requirements requirements;
  weft_launched launched;
} weft_graph;

enum { WEFT_MOST_GRAPHS = 16 };

struct weft_device {
  weft_session *session;
  const weft_driver *driver;
  CUdevice handle;
  CUcontext context;
  CUmodule module;
  CUstream stream;
  char name[128];
  int ordinal, major, minor;
  int64_t most_blocks[3], most_shared;

  weft_device_function *functions;
  weft_device_buffer arena, faults;
  int64_t arena_planned; ///< bytes that the last run wanted
  weft_pinned_buffer fault_copy, required_copy;
  weft_requirements requirements; ///< of this run
  weft_device_buffer *constants;
  weft_device_port *inputs, *outputs;
  weft_staging staging;
  weft_ahead ahead;
  int32_t num_kept;  ///< states that stay here
  bool state_lost;   ///< by a run that failed while it wrote them
  bool settled;      ///< weft_device_settle() was called in this run
  bool writes_state; ///< what this run has asked for so far changes states
  /// What weft_rt_device_allocate() gave in this run.
  CUdeviceptr *blocks;
  int64_t num_blocks, blocks_capacity;

  weft_graph graphs[WEFT_MOST_GRAPHS];
  int32_t num_graphs;
  weft_graph *recording; ///< into which what is asked for goes, or NULL
  uint64_t generation;   ///< changes when an address does
  uint64_t runs;
  weft_timing timing;
  weft_launched launched; ///< in this run
  bool always_careful;    ///< WEFT_CUDA_CAREFUL
  bool careful;     ///< wait for each kernel, so that errors have its name
  bool faults_used; ///< in this run

  bool lost; ///< no call on this context will succeed
  weft_status status;
  char message[1024];
};

//===----------------------------------------------------------------------===//
// device.c
//===----------------------------------------------------------------------===//

/// Starts the GPU with number `ordinal` for a session, which owns the result.
weft_status weft_device_create(weft_session *session, int32_t ordinal,
                               weft_device **out);

/// Frees everything. NULL is let pass.
void weft_device_destroy(weft_device *device);

/// Records an error. Returns false.
__attribute__((format(printf, 3, 4))) bool weft_device_fail(weft_device *device,
                                                            weft_status status,
                                                            const char *format,
                                                            ...);

/// True if `result` is a success. Else records that `call` has failed while
/// doing `what` with `name`; the last two may be NULL. `kernel` is one of the
/// program's, or -1 if it may be any that was launched.
bool weft_device_check(weft_device *device, CUresult result, const char *call,
                       const char *what, const char *name);
bool weft_device_check_kernel(weft_device *device, CUresult result,
                              const char *call, int32_t kernel);

/// Calls `call` of the driver and checks the result.
#define WEFT_DEVICE_CALL(device, what, name, call, ...)                        \
  weft_device_check(device, (device)->driver->call(__VA_ARGS__), #call, what,  \
                    name)

//===----------------------------------------------------------------------===//
// buffers.c
//===----------------------------------------------------------------------===//

/// Makes room; contents are undefined. `what` and `name` are for the message.
bool weft_device_reserve(weft_device *device, weft_device_buffer *buffer,
                         int64_t bytes, const char *what, const char *name);
bool weft_pinned_reserve(weft_device *device, weft_pinned_buffer *buffer,
                         int64_t bytes, const char *what, const char *name);
/// Both, for a port.
bool weft_device_reserve_port(weft_device *device, weft_device_port *port,
                              int64_t bytes, const char *what,
                              const char *name);

/// Copies from any host memory, which may be changed after the call.
bool weft_device_upload(weft_device *device, CUdeviceptr to, const void *from,
                        int64_t bytes, const char *what, const char *name);
/// Copies to any host memory and waits.
bool weft_device_download(weft_device *device, void *to, CUdeviceptr from,
                          int64_t bytes, const char *what, const char *name);

/// The address of a constant, which is uploaded if it has not been; 0 after a
/// failure.
CUdeviceptr weft_device_constant(weft_device *device, int32_t index);

/// Memory until the end of the run; 0 after a failure.
CUdeviceptr weft_device_allocate(weft_device *device, int64_t bytes);
/// Frees what the run has allocated, when the stream has come to here.
bool weft_device_free_blocks(weft_device *device);

/// Copies within the device.
bool weft_device_copy(weft_device *device, CUdeviceptr to, CUdeviceptr from,
                      int64_t bytes, const char *what, const char *name);

/// Frees all memory.
void weft_device_free_buffers(weft_device *device);

//===----------------------------------------------------------------------===//
// launch.c
//===----------------------------------------------------------------------===//

bool weft_device_launch(weft_device *device, int32_t kernel,
                        const int64_t *grid, int64_t shared, void *const *args);
bool weft_device_tensor_map(weft_device *device, const weft_tensor_map *map,
                            CUdeviceptr address, const int64_t *dims,
                            const int64_t *strides, void *out);

/// Starts to time the launches of a run, and adds them to the session's trace
/// when all have ended.
bool weft_timing_begin(weft_device *device);
bool weft_timing_end(weft_device *device);
/// Marks the beginning or the end of a replayed run.
bool weft_timing_mark(weft_device *device, CUevent *event);
/// Measures the time between the two, which have happened.
bool weft_timing_measure(weft_device *device);
void weft_timing_free(weft_device *device);

//===----------------------------------------------------------------------===//
// graph.c
//===----------------------------------------------------------------------===//

/// The entry for the symbols of this run, which is made if there is none. NULL
/// after a failure.
weft_graph *weft_graph_find(weft_device *device);

/// Says that memory which runs have used is gone, so that they may have to
/// allocate again.
void weft_graph_doubt_all(weft_device *device);

/// Starts to record into `graph` what is done to the stream.
bool weft_graph_begin(weft_device *device, weft_graph *graph);
/// Ends the recording, makes it the next part of `graph`, and launches it.
bool weft_graph_end(weft_device *device, weft_graph *graph);
/// Ends the recording and forgets it.
void weft_graph_drop(weft_device *device);
/// Notes what this run has used.
void weft_graph_note(const weft_device *device, weft_graph *graph);
/// Launches a part of what was recorded.
bool weft_graph_launch(weft_device *device, const weft_graph *graph,
                       int32_t part);
void weft_graph_free_all(weft_device *device);

//===----------------------------------------------------------------------===//
// state.c
//===----------------------------------------------------------------------===//

/// Lets input `index`, a state, stay on the GPU from run to run. `host` is the
/// memory for it that the caller gives to all runs, and holds its value.
void weft_device_keep(weft_device *device, int32_t index, void *host);
/// Lets input `index` be the state `lent` of another session, which must live
/// longer.
weft_status weft_device_lend(weft_device *device, int32_t index,
                             weft_device *lender, int32_t lent);
/// Says that the host has written to the memory of a state.
void weft_device_state_changed(weft_device *device, int32_t index);
/// Brings the value of a state to the host, if the GPU has a newer one.
weft_status weft_device_state_fetch(weft_device *device, int32_t index);

/// Copies states to the GPU that the host has changed.
bool weft_device_refresh_states(weft_device *device);
/// weft_rt_device_settle: waits for kernels that may have reported a fault.
bool weft_device_settle(weft_device *device);
/// The same in a run that is replayed, between its parts.
bool weft_device_settle_replayed(weft_device *device);
/// After a success: puts states into their place that were made elsewhere.
bool weft_device_commit_states(weft_device *device);
/// After a run that failed: finds out whether there still is a state.
void weft_device_doubt_states(weft_device *device);

//===----------------------------------------------------------------------===//
// ahead.c
//===----------------------------------------------------------------------===//

/// Tells the inputs of the run after the next one; by number, without `data`
/// where nothing is known. They stay as they are until that run has ended.
void weft_device_expect(weft_device *device, const weft_tensor *inputs);
/// Starts to copy what is expected. If that fails, the run that wants it copies
/// by itself.
void weft_ahead_send(weft_device *device);
/// Lets the run have what was copied for it.
bool weft_ahead_take(weft_device *device);
void weft_ahead_free(weft_device *device);

//===----------------------------------------------------------------------===//
// run.c
//===----------------------------------------------------------------------===//

/// Runs the session's program, whose inputs are bound. Returns what the program
/// returned, or non-zero after weft_run_fail().
int32_t weft_device_run(weft_device *device);

/// Makes room for an input and copies it to the GPU, unless this run has.
bool weft_device_send_input(weft_device *device, int32_t index);
/// Makes room for faults and clears it, unless this run has.
bool weft_device_prepare_faults(weft_device *device);
/// Sends for the record of faults, if there is one.
bool weft_device_fetch_faults(weft_device *device);
/// Sends for a number that must be below another.
bool weft_device_require(weft_device *device, const char *place,
                         weft_fault fault, CUdeviceptr found, int64_t wanted);
/// Hands a fault in the record, or a number that is too large, to the run; both
/// have come. True if there are none.
bool weft_device_check_faults(weft_device *device);
/// Hands what went wrong to the run. Returns false.
bool weft_device_pass_on(weft_device *device);

//===----------------------------------------------------------------------===//
// calls.c: the functions behind weft_rt_device_*
//===----------------------------------------------------------------------===//

int32_t weft_run_device_launch(weft_run *run, int32_t kernel,
                               const int64_t *grid, int64_t shared,
                               void *const *args);
void *weft_run_device_arena(weft_run *run);
const void *weft_run_device_constant(weft_run *run, int32_t index);
const void *weft_run_device_input(weft_run *run, int32_t index);
void *weft_run_device_output(weft_run *run, int32_t index, const int64_t *dims);
void *weft_run_device_allocate(weft_run *run, const char *place, int64_t bytes);
int32_t weft_run_device_upload(weft_run *run, void *to, const void *from,
                               int64_t bytes);
int32_t weft_run_device_download(weft_run *run, void *to, const void *from,
                                 int64_t bytes);
int32_t weft_run_device_copy(weft_run *run, void *to, const void *from,
                             int64_t bytes);
int32_t weft_run_device_fill(weft_run *run, void *to, int32_t value,
                             int64_t bytes);
int32_t weft_run_device_tensor_map(weft_run *run, const weft_tensor_map *map,
                                   const void *address, const int64_t *dims,
                                   const int64_t *strides, void *out);
void *weft_run_device_faults(weft_run *run);
int32_t weft_run_device_settle(weft_run *run);
int32_t weft_run_device_store(weft_run *run, void *to, int64_t value,
                              int32_t bytes);
int32_t weft_run_device_require(weft_run *run, const char *place,
                                weft_fault fault, const void *found,
                                int64_t wanted);

/// The device whose launch is being told of on this thread, or NULL.
weft_device *weft_device_observed(void);

#endif // WEFT_RUNTIME_CUDA_DEVICE_H
