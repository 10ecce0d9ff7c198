//===- output.h - The memory of outputs -----------------------------------===//

#ifndef WEFT_RUNTIME_CORE_OUTPUT_H
#define WEFT_RUNTIME_CORE_OUTPUT_H

#include "session.h"

/// Readies the outputs for a run that wants them in `outputs`. What the session
/// gave out before and `inputs` still use is put aside. Outputs whose sizes
/// follow from those of the inputs get their memory. False after
/// weft_run_fail().
bool weft_outputs_begin(weft_session *session, const weft_tensor *inputs,
                        const weft_tensor *outputs);

/// weft_rt_output: settles the sizes and finds the memory.
void *weft_run_output(weft_run *run, int32_t index, const int64_t *dims);

/// Checks that the run has settled all outputs, and describes them in
/// `outputs`.
weft_status weft_outputs_finish(weft_session *session, weft_tensor *outputs);

/// weft_session_take_output, while no run is on.
weft_status weft_outputs_take(weft_session *session, int32_t index, void **out);

/// After a failure: takes back what is the session's.
void weft_outputs_drop(weft_session *session, weft_tensor *outputs);

#endif // WEFT_RUNTIME_CORE_OUTPUT_H
