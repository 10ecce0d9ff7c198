/*===- train.h - Running steps of training --------------------------------===*\
|*                                                                            *|
|* A trainer keeps the state of a program that is a step of training (see     *|
|* weft_role): parameters, what the optimizer remembers, running statistics.  *|
|* A step computes the new state in the memory of the old one.                *|
|*                                                                            *|
|*   weft_trainer *trainer;                                                   *|
|*   weft_trainer_create(model, NULL, &trainer);                              *|
|*   for (...)                                                                *|
|*     weft_step(trainer, 2, batch, 0.01f, seed, 1, &loss);                   *|
|*   weft_trainer_release(trainer);                                           *|
|*                                                                            *|
|* Errors are those of weft.h. Threads: like a session, a trainer may move    *|
|* between threads but serves one at a time.                                  *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef WEFT_RT_TRAIN_H
#define WEFT_RT_TRAIN_H

#include "weft-rt/weft.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The name of the state (a scalar i64) that counts the updates.
#define WEFT_STEP_NAME "weft.step"

/// The name of the state (a scalar i64) that counts the batches of the update
/// under way, if the program was compiled to take several for one: with
/// accumulate=K, each K-th step moves the parameters and what the optimizer
/// remembers; the others but add to sums, which are state, too. To make an
/// update of fewer batches, write K - 1 there before its last step.
#define WEFT_BATCHES_NAME "weft.batches"

/// The name of the state (a scalar f32) that losses are multiplied by before
/// their gradients are computed, in programs compiled with precision=f16. Where
/// a gradient is not finite, a step moves nothing and makes it smaller.
#define WEFT_SCALE_NAME "weft.scale"

/// The state of a model that is trained, and the session that does it. Counts
/// references and holds one to its model.
typedef struct weft_trainer weft_trainer;

/// Allocates the state of `model`, sets it to its initial values, and starts a
/// session; NULL `options` are the defaults. Fails if the model has no
/// parameter and no state. On success `*out` holds one reference.
WEFT_API weft_status weft_trainer_create(weft_model *model,
                                         const weft_session_options *options,
                                         weft_trainer **out);

/// Adds a reference.
WEFT_API void weft_trainer_retain(weft_trainer *trainer);

/// Drops a reference; the last one frees the state and ends the session. NULL
/// is let pass.
WEFT_API void weft_trainer_release(weft_trainer *trainer);

/// Makes a step.
///
/// `inputs` are those whose role is data, in the order of the program;
/// `outputs` those that are neither parameters nor state. Both follow the rules
/// of weft_session_run(). `rate` and `seed` go to the inputs of these roles, if
/// there are such. If the step fails, the state is what it was before, and so
/// is the memory of the caller's for outputs; but on a GPU that fails while the
/// state is written it is lost (see weft_trainer_state). A step of a trainer
/// that is in a step fails with WEFT_ERROR_BUSY.
WEFT_API weft_status weft_step(weft_trainer *trainer, int32_t num_inputs,
                               const weft_tensor *inputs, float rate,
                               int64_t seed, int32_t num_outputs,
                               weft_tensor *outputs);

/// The number of parameters and other states: they are numbered from 0 in the
/// order of the program's inputs.
WEFT_API int32_t weft_trainer_num_states(const weft_trainer *trainer);

/// The number of the state whose input is called `name`, or -1.
WEFT_API int32_t weft_trainer_find_state(const weft_trainer *trainer,
                                         const char *name);

/// The input of state `number`, with its name, role and sizes; NULL if there is
/// no such state. It lives as long as the model.
WEFT_API const weft_port *weft_trainer_state_port(const weft_trainer *trainer,
                                                  int32_t number);

/// State `number`: `out->data` is the trainer's memory, to be read and written
/// (elements in storage format) between steps; who writes calls
/// weft_trainer_changed(). It stays at its place until the last release.
///
/// Where steps run on a GPU, the state stays there, and this call brings its
/// value to the memory: what an earlier call told is old after a step. It fails
/// with WEFT_ERROR_STATE_LOST if a step has failed while it changed the state,
/// which then has to be set anew, all of it.
WEFT_API weft_status weft_trainer_state(weft_trainer *trainer, int32_t number,
                                        weft_tensor *out);

/// Says that the caller has written to the memory of state `number`, all of
/// which the next step shall start from. On the CPU nothing happens.
WEFT_API weft_status weft_trainer_changed(weft_trainer *trainer,
                                          int32_t number);

/// Lets `input` of `session`, of the same type and sizes, be state `number`,
/// wherever its value is: the session is to be given `*out`, which is the
/// trainer's memory, in each run. Both must be on the CPU, or on one GPU. The
/// trainer must outlive the session and be in no step while it runs.
WEFT_API weft_status weft_trainer_lend(weft_trainer *trainer, int32_t number,
                                       weft_session *session, int32_t input,
                                       weft_tensor *out);

/// Tells the inputs of the step after the next one: a GPU gets them while it
/// computes that next one. They must stay as they are until the step that takes
/// them has returned. It is but a hint: a step may be given others, and nothing
/// happens on the CPU.
WEFT_API void weft_trainer_expect(weft_trainer *trainer, int32_t num_inputs,
                                  const weft_tensor *inputs);

/// The number of updates that the state has seen, as the program counts them in
/// the state WEFT_STEP_NAME; 0 if it does not count, or if the state was lost.
WEFT_API int64_t weft_trainer_steps(weft_trainer *trainer);

/// The session that makes the steps, for profiles and for taking outputs,
/// whose numbers are those of the program. It lives as long as the trainer; it
/// is not to be run.
WEFT_API weft_session *weft_trainer_session(const weft_trainer *trainer);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_RT_TRAIN_H */
