/*===- weft.h - Running compiled programs ---------------------------------===*\
|*                                                                            *|
|* A model is a compiled program that has been opened; a session runs it.     *|
|*                                                                            *|
|*   weft_model *model;                                                       *|
|*   weft_session *session;                                                   *|
|*   weft_model_open("model.so", &model);                                     *|
|*   weft_session_create(model, NULL, &session);                              *|
|*   weft_session_run(session, 1, &input, 1, &output);                        *|
|*   weft_session_release(session);                                           *|
|*   weft_model_release(model);                                               *|
|*                                                                            *|
|* Errors: a call that can fail returns a weft_status; out-parameters come    *|
|* last and are NULL or 0 after a failure. weft_last_error() is the message.  *|
|*                                                                            *|
|* Threads: a model may be used by any number of threads at once. A session   *|
|* may move between threads but serves one at a time; weft_session_run() on a *|
|* session that is running fails with WEFT_ERROR_BUSY, and no other call may  *|
|* be made on it but retain and release. Sessions are independent, also those *|
|* of one model.                                                              *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef WEFT_RT_WEFT_H
#define WEFT_RT_WEFT_H

#include "weft-rt/program.h"
#include "weft-rt/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Marks what the shared library exports.
#define WEFT_API __attribute__((visibility("default")))

/*===- Errors -------------------------------------------------------------===*/

/// The message of the call that failed last on this thread, such as
/// `WFT5204: input "x" has rank 3, wanted 4`; "" if none has. It is valid until
/// the next call on this thread that fails.
WEFT_API const char *weft_last_error(void);

/// The meaning of `status` in a few words, from the table in status.h. Never
/// NULL.
WEFT_API const char *weft_status_meaning(weft_status status);

/*===- Tensors ------------------------------------------------------------===*/

/// Bytes of one element in memory; 0 for types that have no fixed size.
WEFT_API int64_t weft_dtype_bytes(weft_dtype dtype);

/// The type's name as Weft prints it, such as "f32". Never NULL.
WEFT_API const char *weft_dtype_name(weft_dtype dtype);

/*===- Models -------------------------------------------------------------===*/

/// A compiled program and its constants. Counts references.
typedef struct weft_model weft_model;

/// Loads the shared library `path`, which the compiler made, checks that it was
/// made for this runtime, maps its files of constants and unpacks what is
/// packed. Names of files that are not absolute count from the library's
/// folder. On success `*out` holds one reference.
WEFT_API weft_status weft_model_open(const char *path, weft_model **out);

/// The same for a program that is in the process already, compiled there or
/// linked into it. `program` must outlive the model. Names of files count from
/// `folder`, or from the working directory if that is NULL.
WEFT_API weft_status weft_model_wrap(const weft_program *program,
                                     const char *folder, weft_model **out);

/// Adds a reference.
WEFT_API void weft_model_retain(weft_model *model);

/// Drops a reference; the last one closes the model. NULL is let pass.
WEFT_API void weft_model_release(weft_model *model);

/// The inputs, outputs, symbols, constants and kernels of the model; it lives
/// as long as the model. Everything it holds has been checked.
WEFT_API const weft_program *weft_model_program(const weft_model *model);

/// The number of the input (output) called `name`, or -1.
WEFT_API int32_t weft_model_find_input(const weft_model *model,
                                       const char *name);
WEFT_API int32_t weft_model_find_output(const weft_model *model,
                                        const char *name);

/*===- Sessions -----------------------------------------------------------===*/

/// One part of a parallel loop.
typedef void (*weft_parallel_body)(void *context, int64_t part);

/// A parallel loop of the caller's: calls `body(context, part)` once for each
/// part in [0, parts), on any threads and in any order, and returns when all
/// calls have returned and their writes are visible. `user` is what the session
/// was given.
typedef void (*weft_parallel_for_fn)(void *user, int64_t parts,
                                     weft_parallel_body body, void *context);

/// Told of a launch by the thread that runs the program: before it, or after
/// one that succeeded. A kernel that has several tasks is launched as often,
/// with the same `words`: the addresses of the kernel's inputs, the addresses
/// of its results, its scalars, and the sizes of both that the compiler did not
/// know. An input and a result at the same address are one tensor that the
/// kernel changes. What they point at is valid during the call, and on a GPU
/// where kernels run there: weft_launch_read() reads it in any case. `user` is
/// what the session was given.
typedef void (*weft_observe_fn)(void *user, int32_t kernel, void *const *words);

/// Copies from memory that the words of a launch point at. It is to be called
/// by those who are told of the launch, while they are, on that thread. Returns
/// 0 after a success, else a weft_status.
WEFT_API int32_t weft_launch_read(void *to, const void *from, int64_t bytes);

/// How a session runs. Fill it with weft_session_options_init() first.
typedef struct weft_session_options {
  /// Threads of a run, the caller's among them, and so the number of parts of a
  /// parallel loop: 0 for as many as this process may use at once.
  int32_t threads;
  /// Microseconds that an idle thread waits before it sleeps. Longer makes the
  /// next launch cheaper and the idle time dearer.
  int32_t spin_microseconds;
  /// Runs parallel loops instead of threads of the session's own, if not NULL.
  weft_parallel_for_fn parallel_for;
  void *parallel_for_user;
  /// Called before and after each launch, if not NULL. On a GPU each launch is
  /// then waited for, and no run is replayed.
  weft_observe_fn announce;
  weft_observe_fn observe;
  void *observe_user;
  /// Non-zero: time every launch (see weft_session_write_trace). On a GPU the
  /// kernels are timed there, and no run is replayed.
  int32_t profile;
  /// Non-zero: time what each replayed run computes on a GPU (see
  /// weft_session_device_time).
  int32_t time_runs;
  /// The number of the GPU, for programs with device code.
  int32_t device;
  /// The most bytes that a run may be planned to take: one that would take more
  /// fails with WEFT_ERROR_BUDGET before it begins. 0: what the program says.
  int64_t memory_budget;
} weft_session_options;

/// Sets the defaults: all threads, no profile.
WEFT_API void weft_session_options_init(weft_session_options *options);

/// The threads and the memory with which a model is run. Counts references and
/// holds one to its model.
typedef struct weft_session weft_session;

/// Starts a session of `model`; NULL `options` are the defaults. On success
/// `*out` holds one reference.
WEFT_API weft_status weft_session_create(weft_model *model,
                                         const weft_session_options *options,
                                         weft_session **out);

/// Adds a reference.
WEFT_API void weft_session_retain(weft_session *session);

/// Drops a reference; the last one ends the session's threads and frees its
/// memory, also that of a GPU, and outputs. NULL is let pass.
WEFT_API void weft_session_release(weft_session *session);

/// Runs the model.
///
/// Inputs are only read. They must match the model's in number, element type,
/// rank and sizes; a size that stands for a symbol must be in the symbol's
/// range and the same wherever the symbol is mentioned.
///
/// An output whose `data` is NULL gets memory of the session's, which stays
/// valid until the next run or the last release; it may be an input of the next
/// run. Otherwise `data` is memory of the caller's, `bytes` long, that overlaps
/// no input and no other output, except that an output which is the new value
/// of a state (weft_port) may have the address of that input. `dtype`, `rank`
/// and `dims` of outputs are written, not read, and so are `data` and `bytes`
/// of the session's memory.
///
/// If the run fails, memory of the caller's for outputs is as it was, unless it
/// was the caller's parallel loop that failed. Outputs in the session's memory
/// are dropped: their `data` is NULL. The session can run again.
WEFT_API weft_status weft_session_run(weft_session *session, int32_t num_inputs,
                                      const weft_tensor *inputs,
                                      int32_t num_outputs,
                                      weft_tensor *outputs);

/// Takes the memory of output `index` of the last run from the session, which
/// provided it: `*out`, which is what the run told in `data`, is now the
/// caller's, to be freed with weft_output_free(). Fails if the run failed, if
/// the output was written to memory of the caller's, or if it is taken already.
WEFT_API weft_status weft_session_take_output(weft_session *session,
                                              int32_t index, void **out);

/// Frees what weft_session_take_output() gave. NULL is let pass.
WEFT_API void weft_output_free(void *data);

/// Checks `inputs` as a run would, without running, and writes the values that
/// they give to the model's symbols to `symbols`, which has room for all.
WEFT_API weft_status weft_session_bind_symbols(weft_session *session,
                                               int32_t num_inputs,
                                               const weft_tensor *inputs,
                                               int64_t *symbols);

/// The bytes that the arena of a run with these values of the symbols takes, on
/// the host and on the GPU together.
WEFT_API weft_status weft_session_arena_bytes(const weft_session *session,
                                              int32_t num_symbols,
                                              const int64_t *symbols,
                                              int64_t *out);

/// The bytes that the arena takes now: of the last run, as planned; 0 before.
/// On a GPU, memory of larger runs before is kept.
WEFT_API int64_t weft_session_arena_taken(const weft_session *session);

/// The bytes that a run is planned to take, on the GPU for programs that run
/// there. Sizes that only the run settles are left out, and so is code.
typedef struct weft_memory_plan {
  int64_t arena;
  int64_t state; ///< parameters and other state of a training step
  int64_t constants;
  int64_t ports; ///< other inputs and outputs
  int64_t total;
} weft_memory_plan;

/// The plan for a run with these values of the symbols.
WEFT_API weft_status weft_session_plan_memory(const weft_session *session,
                                              int32_t num_symbols,
                                              const int64_t *symbols,
                                              weft_memory_plan *out);

/// The number of parts into which parallel loops are cut.
WEFT_API int32_t weft_session_threads(const weft_session *session);

/*===- Profiles -----------------------------------------------------------===*/

/// A launch, timed. Times are nanoseconds since the session was created.
typedef struct weft_launch_record {
  int32_t kernel;
  int32_t run; ///< number of the run, from 0
  int64_t begin, end;
  int64_t count; ///< iterations; on a GPU, blocks
} weft_launch_record;

/// The launches so far, in order: `*records` is valid until the next run or
/// clear. Empty if the session does not profile.
WEFT_API void weft_session_profile(const weft_session *session,
                                   const weft_launch_record **records,
                                   int64_t *count);

/// The nanoseconds that the kernels of the last run took on the GPU, from the
/// beginning of the first to the end of the last, without copies of inputs and
/// outputs. 0 if that was not asked for, or the run was not replayed: those
/// with the same sizes are, from the third on, if the program allows it.
WEFT_API int64_t weft_session_device_time(const weft_session *session);

/// Forgets the launches so far.
WEFT_API void weft_session_clear_profile(weft_session *session);

/// Writes the launches so far to `path` in the Chrome trace format: complete
/// events called after the kernel, with the ONNX nodes in `args.nodes`. The
/// file appears complete or not at all.
WEFT_API weft_status weft_session_write_trace(const weft_session *session,
                                              const char *path);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_RT_WEFT_H */
